//! Bad input: all faults at once, each with its place; never a 5xx.

use serde_json::{Value, json};

use super::{Staffed, pointers, reply, shirt, sku};
use crate::testapp::on_both;

/// A valid value changed in one place.
fn with(mut value: Value, pointer: &str, new: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(map) => drop(map.insert(member.to_owned(), new)),
        Value::Array(list) => list[member.parse::<usize>().unwrap()] = new,
        _ => panic!("{pointer}"),
    }
    value
}

on_both! {
    async fn all_faults_are_told_at_once(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let product = json!({
            "handle": "No Handle", "title": "  ", "description_html": "a\u{0}b", "vendor": "v".repeat(256), "product_type": "a\u{7f}b",
            "tags": ["ok", "", "t".repeat(256)], "options": ["Size", "size", "", "Fit"],
            "attributes": { "": "x", "ok": "a\u{1}b", "a/b": "v".repeat(1_001) },
            "images": [{ "url": "javascript:alert(1)" }, { "url": "//a.example/x", "alt": "a".repeat(513) }],
            "seo_title": "s".repeat(301), "seo_description": "s".repeat(1_001),
            "skus": [
                { "code": "a b", "options": ["S", "", "L", "XL"], "price": { "amount": -1, "currency": "EUR" },
                  "compare_at_price": { "amount": 1_000_000_000_001_i64, "currency": "" }, "barcode": "b\u{0}",
                  "weight_grams": -1, "image_url": "ftp://a.example", "backorder_limit": -1, "low_stock_threshold": -1 },
                { "code": "a b", "options": ["S", "", "L", "XL"], "price": { "amount": 1, "currency": "USD" } },
            ],
        });
        let problem = shop.post("products", product).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), [
            "/handle", "/title", "/description_html", "/vendor", "/product_type", "/tags/1", "/tags/2", "/options",
            "/options/1", "/options/2", "/attributes/", "/attributes/a~1b", "/attributes/ok", "/images/0/url", "/images/1/url",
            "/images/1/alt", "/seo_title", "/seo_description", "/skus/0/code", "/skus/0/options", "/skus/0/options/1",
            "/skus/0/price/amount", "/skus/0/price/currency", "/skus/0/compare_at_price/amount",
            "/skus/0/compare_at_price/currency", "/skus/0/barcode", "/skus/0/weight_grams", "/skus/0/image_url",
            "/skus/0/backorder_limit", "/skus/0/low_stock_threshold", "/skus/1/code", "/skus/1/options", "/skus/1/options/1",
            "/skus/1/code", "/skus/1/options",
        ]);
        assert_eq!(shop.number("SELECT count(*) AS n FROM products").await, Some(0));
        assert_eq!(shop.number("SELECT count(*) AS n FROM outbox").await, Some(0));

        shop.post("products", shirt()).await.expect(201);
        let patch = json!({ "handle": "", "title": "", "description_html": "\u{8}", "vendor": "a\nb", "tags": [""], "options": ["a", "a"],
            "attributes": { "\u{0}": "" }, "images": [{ "url": "" }], "seo_title": "\u{0}" });
        let problem = shop.patch("products/plain-shirt", 1, patch).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/handle", "/title", "/description_html", "/vendor", "/seo_title", "/tags/0", "/options/1",
            "/attributes/\u{0}", "/images/0/url"]);
        let patch = json!({ "code": "", "options": [""], "position": -1, "price": { "amount": -1, "currency": "USD" },
            "compare_at_price": { "amount": 1, "currency": "EUR" }, "barcode": "\u{0}", "weight_grams": -1, "image_url": "x",
            "backorder_limit": 1_000_000_001, "low_stock_threshold": -1 });
        let problem = shop.patch("skus/A-1", 1, patch).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/code", "/options/0", "/position", "/price/amount", "/compare_at_price/currency", "/barcode",
            "/weight_grams", "/image_url", "/backorder_limit", "/low_stock_threshold"]);
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["version"], 1);
    }

    async fn no_value_of_a_wrong_kind_gets_through(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let too_large: Value = serde_json::from_str("92233720368547758080").unwrap();
        for (pointer, value) in [
            ("/title", json!(5)), ("/title", Value::Null), ("/status", json!("gone")), ("/tags", json!("a")), ("/tags/0", json!(1)),
            ("/colour", json!("red")), ("/category_id", json!("x")), ("/attributes", json!({ "a": 1 })), ("/skus/0/price/amount", json!(1.5)),
            ("/skus/0/price/amount", json!("1")), ("/skus/0/price/amount", too_large.clone()), ("/skus/0/weight_grams", too_large),
            ("/skus/0/price", json!(1)), ("/skus/0/taxable", json!("yes")), ("/skus", json!({})), ("/images", json!([{ "url": "/a", "width": -1 }])),
            ("/images", json!([{ "url": "/a", "width": 4_294_967_296_i64 }])), ("/images", json!(["/a"])),
        ] {
            let problem = shop.post("products", with(shirt(), pointer, value)).await.expect_problem(422, "validation");
            assert!(pointers(&problem)[0].starts_with(pointer.trim_end_matches("/colour")), "{pointer} {problem}");
        }
        for (body, status) in [("", 400), ("{", 400), ("{\"title\":\"\\ud800\"}", 400), ("[]", 422), ("{} {}", 422), ("null", 422)] {
            let request = shop.request(reqwest::Method::POST, "products").header("Content-Type", "application/json").body(body);
            assert_eq!(reply(request).await.status, status, "{body}");
        }
        let text = shop.request(reqwest::Method::POST, "products").header("Content-Type", "text/plain").body("{}");
        reply(text).await.expect_problem(415, "unsupported_media_type");
        shop.post("products?dry_run=1", shirt()).await.expect_problem(400, "unknown_parameter");
        shop.get("products/plain-shirt?x=1").await.expect_problem(400, "unknown_parameter");
    }

    async fn null_empties_only_what_may_be_empty(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let parent = shop.post("categories", json!({ "name": "Wear" })).await.expect(201);
        let category = shop.post("categories", json!({ "name": "Shirts", "parent_id": parent["id"] })).await.expect(201);
        shop.post("locations", json!({ "code": "main", "name": "Main" })).await.expect(201);
        let mut new = with(shirt(), "/category_id", category["id"].clone());
        new["skus"][0]["compare_at_price"] = json!({ "amount": 5000, "currency": "USD" });
        new["skus"][0]["low_stock_threshold"] = json!(3);
        shop.post("products", new).await.expect(201);
        let category = format!("categories/{}", category["id"].as_str().unwrap());
        for (path, fields, nullable) in [
            (category.as_str(), &["slug", "name", "position"][..], &["parent_id"][..]),
            ("locations/main", &["name", "address", "priority", "active"], &[]),
            ("products/plain-shirt", &["handle", "title", "description_html", "vendor", "product_type", "status", "tags",
                "options", "attributes", "images", "seo_title", "seo_description"], &["category_id"]),
            ("skus/A-1", &["code", "options", "position", "price", "barcode", "weight_grams", "requires_shipping", "taxable",
                "image_url", "backorder_limit"], &["compare_at_price", "low_stock_threshold"]),
        ] {
            let before = shop.get(path).await.expect(200);
            for field in fields {
                let patch = json!({ *field: Value::Null });
                let problem = shop.patch_any(path, patch).await.expect_problem(422, "validation");
                assert_eq!(pointers(&problem), [format!("/{field}")]);
            }
            assert_eq!(shop.get(path).await.expect(200), before);
            for field in nullable {
                assert_ne!(before[*field], Value::Null);
                let changed = shop.patch_any(path, json!({ *field: Value::Null })).await.expect(200);
                assert_eq!(changed[*field], Value::Null);
            }
        }
        // The document says so, too.
        let document = serde_json::to_value(emporium::app::openapi()).unwrap();
        let schema = |name: &str| document["components"]["schemas"][name]["properties"].clone();
        let may_be_null = |value: &Value| value.to_string().contains("\"null\"");
        for (name, nullable) in [
            ("CategoryPatch", &["parent_id"][..]), ("LocationPatch", &[]), ("ProductPatch", &["category_id"]),
            ("SkuPatch", &["compare_at_price", "low_stock_threshold"]),
        ] {
            let schema = schema(name);
            let fields = schema.as_object().unwrap().iter().filter(|(_, value)| may_be_null(value)).map(|(name, _)| name.as_str());
            assert_eq!(fields.collect::<Vec<_>>(), nullable, "{schema}");
        }
    }

    async fn limits_are_kept(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let megabyte = "x".repeat(1_000_000);
        for (pointer, value) in [
            ("/title", json!(megabyte)), ("/vendor", json!(megabyte)), ("/description_html", json!(megabyte)),
            // Short enough as it is sent, too long as it is kept.
            ("/description_html", json!(">".repeat(200_000))),
            // Such a text would keep a processor busy for minutes.
            ("/description_html", json!("<div>".repeat(5_001))), ("/description_html", json!("&".repeat(20_001))), ("/seo_title", json!(megabyte)),
            ("/tags", json!((0..251).collect::<Vec<_>>().iter().map(u32::to_string).collect::<Vec<_>>())),
            ("/images", (0..251).map(|n| json!({ "url": format!("/{n}.jpg") })).collect()),
            ("/attributes", (0..101).map(|n| (n.to_string(), json!("v"))).collect::<serde_json::Map<_, _>>().into()),
        ] {
            let problem = shop.post("products", with(shirt(), pointer, value)).await.expect_problem(422, "validation");
            assert_eq!(pointers(&problem), [pointer]);
        }
        let attributes = [(megabyte.clone(), json!("v"))].into_iter().collect::<serde_json::Map<_, _>>();
        let reply = shop.post("products", with(shirt(), "/attributes", attributes.into())).await;
        assert!(reply.expect_problem(422, "validation").to_string().len() < 1_000);
        shop.get(&format!("products/{}", "x".repeat(5_000))).await.expect_problem(404, "not_found");
        shop.post("products", with(shirt(), "/title", json!("x".repeat(1 << 20)))).await.expect_problem(413, "payload_too_large");
        shop.post("categories", json!({ "name": megabyte })).await.expect_problem(422, "validation");
        shop.post("locations", json!({ "code": "a", "name": megabyte })).await.expect_problem(422, "validation");

        // All that is allowed fits into both databases, also with characters of four bytes.
        let wide = |count: usize| "𝒳".repeat(count);
        let tags: Vec<_> = (0..250).map(|n| format!("{n:03}{}", wide(252))).collect();
        let attributes: serde_json::Map<_, _> = (0..100).map(|n| (format!("{n:03}{}", wide(97)), json!(wide(1_000)))).collect();
        let options: Vec<String> = (0..3).map(|n| format!("{n}{}", wide(99))).collect();
        let images: Vec<_> = (0..250).map(|n| json!({ "url": format!("/{n:03}{}", "i".repeat(1_000)) })).collect();
        let mut largest = json!({ "title": wide(300), "handle": "h".repeat(200), "vendor": wide(255), "product_type": wide(255), "tags": tags,
            "attributes": attributes, "options": options, "seo_title": wide(300), "seo_description": wide(1_000),
            "images": images, "skus": [] });
        let mut sku = sku(&"c".repeat(100), &[], 1_000_000_000_000);
        let values: Vec<String> = (0..3).map(|n| format!("{n}{}", wide(199))).collect();
        sku["options"] = json!(values);
        largest["skus"] = json!([sku]);
        let made = shop.post("products", largest).await.expect(201);
        assert_eq!(shop.get(&format!("products/{}", "h".repeat(200))).await.expect(200), made);
        let mut path: Option<Value> = None;
        for _ in 0..10 {
            let parent = path.as_ref().map_or(Value::Null, |parent| parent["id"].clone());
            path = Some(shop.post("categories", json!({ "name": "n", "slug": "s".repeat(200), "parent_id": parent })).await.expect(201));
        }
    }
}
