//! SKUs: codes, options, versions.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Staffed, pointers, shirt, sku, tag};
use crate::testapp::on_both;

/// A product of `count` SKUs.
fn many(count: usize) -> Value {
    let skus: Vec<_> = (0..count).map(|n| sku(&format!("N-{n}"), &[&format!("{n}")], 100)).collect();
    json!({ "title": "Many", "options": ["Number"], "skus": skus })
}

on_both! {
    async fn a_sku_is_added_changed_and_deleted(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let product = shop.post("products", shirt()).await.expect(201);
        let new = json!({ "code": "a+b%2Fc?d#e&f\"", "options": [" L "], "price": { "amount": 2300, "currency": "USD" },
            "compare_at_price": { "amount": 2500, "currency": "USD" }, "barcode": "4006381333931", "weight_grams": 180,
            "requires_shipping": false, "taxable": false, "image_url": "/l.jpg", "low_stock_threshold": 0 });
        let made = shop.post("products/plain-shirt/skus", new).await;
        assert_eq!((made.header("location"), made.header("etag")), ("/api/v1/skus/a%2Bb%252Fc%3Fd%23e%26f%22", &*tag(&made.body)));
        let place = made.header("location").trim_start_matches("/api/v1/").to_owned();
        let made = made.expect(201);
        assert_eq!((&made["position"], &made["options"], &made["product_id"]), (&json!(3), &json!(["L"]), &product["id"]));
        assert_eq!((&made["compare_at_price"]["amount"], &made["low_stock_threshold"]), (&json!(2500), &json!(0)));
        assert_eq!(shop.get(&place).await.expect(200), made);
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["skus"][2], made);

        let patch = json!({ "code": "A-3", "options": ["XL"], "position": 0, "compare_at_price": null, "low_stock_threshold": null, "taxable": true });
        let changed = shop.patch(&place, 1, patch).await.expect(200);
        assert_eq!((&changed["version"], &changed["compare_at_price"], &changed["low_stock_threshold"]), (&json!(2), &Value::Null, &Value::Null));
        assert_eq!((&changed["barcode"], &changed["taxable"], &changed["requires_shipping"]), (&made["barcode"], &json!(true), &json!(false)));
        shop.get(&place).await.expect_problem(404, "not_found");
        let product = shop.get("products/plain-shirt").await.expect(200);
        assert_eq!((&product["version"], &product["skus"][0]), (&json!(3), &changed));
        shop.patch("skus/A-3", 1, json!({ "barcode": "" })).await.expect_problem(412, "version_mismatch");
        shop.delete("skus/A-3", 1).await.expect_problem(412, "version_mismatch");
        shop.delete("skus/A-3", 2).await.expect(204);
        shop.delete("skus/A-3", 2).await.expect_problem(404, "not_found");
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["version"], 4);
        for code in ["none", "a%00b", "%2e%2e", "a%20b", "%C3%A9"] {
            shop.get(&format!("skus/{code}")).await.expect_problem(404, "not_found");
            shop.patch_any(&format!("skus/{code}"), json!({})).await.expect_problem(404, "not_found");
        }
        shop.post("products/none/skus", sku("A-9", &[], 1)).await.expect_problem(404, "not_found");
    }

    async fn codes_are_unique_in_the_shop_and_choices_in_the_product(backend: Backend) {
        let shop = Staffed::start(backend).await;
        shop.post("products", shirt()).await.expect(201);
        let other = json!({ "title": "Cap", "skus": [sku("C-1", &[], 900)] });
        shop.post("products", other).await.expect(201);

        let twice = json!({ "title": "Cap", "skus": [sku("A-2", &[], 900)] });
        let problem = shop.post("products", twice).await.expect_problem(409, "already_exists");
        assert!(problem["detail"].as_str().unwrap().contains("A-2"), "{problem}");
        let problem = shop.post("products/plain-shirt/skus", sku("C-1", &["L"], 900)).await.expect_problem(409, "already_exists");
        assert!(problem["detail"].as_str().unwrap().contains("C-1"), "{problem}");
        shop.patch("skus/A-1", 1, json!({ "code": "C-1" })).await.expect_problem(409, "already_exists");
        shop.patch("skus/A-1", 1, json!({ "code": "A-1" })).await.expect(200);

        shop.post("products/plain-shirt/skus", sku("A-3", &["M"], 900)).await.expect_problem(409, "already_exists");
        shop.patch("skus/A-1", 2, json!({ "options": ["M"] })).await.expect_problem(409, "already_exists");
        // Without options there is one choice, and so one SKU.
        shop.post("products/cap/skus", sku("C-2", &[], 900)).await.expect_problem(409, "already_exists");
        for options in [&[][..], &["L", "Red"]] {
            let problem = shop.post("products/plain-shirt/skus", sku("A-3", options, 900)).await.expect_problem(422, "validation");
            assert_eq!(pointers(&problem), ["/options"]);
            let problem = shop.patch("skus/A-1", 2, json!({ "options": options })).await.expect_problem(422, "validation");
            assert_eq!(pointers(&problem), ["/options"]);
        }
        let problem = shop.patch("products/plain-shirt", 2, json!({ "options": [] })).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/options"]);
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["version"], 2);

        let racing = join_all((0..8).map(|n| shop.post("products/plain-shirt/skus", sku("RACE", &[&format!("{n}")], 900)))).await;
        assert_eq!(racing.iter().filter(|reply| reply.status == 201).count(), 1);
        assert_eq!(racing.iter().filter(|reply| reply.body["code"] == "already_exists").count(), 7);
        let racing = join_all((0..8).map(|n| shop.post("products", json!({ "title": "R", "skus": [sku("RACE-2", &[], n)] })))).await;
        assert_eq!(racing.iter().filter(|reply| reply.status == 201).count(), 1);
        assert_eq!(racing.iter().filter(|reply| reply.body["code"] == "already_exists").count(), 7);
    }

    async fn reading_a_sku_does_not_read_its_product(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let product = shop.post("products", shirt()).await.expect(201);
        shop.execute("UPDATE products SET attributes = '\"not attributes\"'").await;
        shop.get_as_shopper("products/plain-shirt").await.expect_problem(500, "internal");
        assert_eq!(shop.get_as_shopper("skus/A-1").await.expect(200), product["skus"][0]);
    }

    async fn an_option_that_says_there_is_none_is_none(backend: Backend) {
        let shop = Staffed::start(backend).await;
        // An address of the product, its option names and its SKUs' values.
        let options = async || {
            let product = shop.get("products/p").await.expect(200);
            let values: Vec<Value> = product["skus"].as_array().unwrap().iter().map(|sku| sku["options"].clone()).collect();
            (product["options"].clone(), values)
        };
        let none = || (json!([]), vec![json!([])]);
        let new = |options: &[&str], skus: Vec<Value>| json!({ "title": "P", "options": options, "skus": skus });
        shop.post("products", new(&[" Title"], vec![sku("A", &["Default Title "], 1)])).await.expect(201);
        assert_eq!(options().await, none());

        // Said again, in part or as a whole, it changes nothing.
        shop.patch_any("products/p", json!({ "options": ["Title"] })).await.expect(200);
        assert_eq!(shop.patch_any("skus/A", json!({ "options": ["Default Title"] })).await.expect(200)["options"], json!([]));
        assert_eq!(options().await, none());
        shop.post("products/p/skus", sku("B", &["Default Title"], 1)).await.expect_problem(409, "already_exists");
        shop.delete("skus/A", 2).await.expect(204);
        assert_eq!(shop.post("products/p/skus", sku("B", &["Default Title"], 1)).await.expect(201)["options"], json!([]));
        assert_eq!(options().await, none());

        // With another value it is an option like others, until the other value goes.
        shop.post("products", new(&["Title"], vec![sku("C", &["Default Title"], 1), sku("D", &["Large"], 1)])).await.expect(201);
        let pair = shop.get("products/p-2").await.expect(200);
        assert_eq!((&pair["options"], &pair["skus"][0]["options"]), (&json!(["Title"]), &json!(["Default Title"])));
        shop.delete("skus/D", 1).await.expect(204);
        let left = shop.get("products/p-2").await.expect(200);
        assert_eq!((&left["options"], &left["skus"][0]["options"], &left["skus"][0]["version"]), (&json!([]), &json!([]), &json!(2)));

        // A name alone may be meant: it stays until a SKU says that it is none; or the name becomes that.
        for (names, path, patch) in [
            (&["Title"], "products/p-3/skus", None),
            (&["Size"], "products/p-4/skus", Some(("products/p-4", json!({ "options": ["Title"] })))),
        ] {
            let made = shop.post("products", new(names, vec![])).await.expect(201);
            assert_eq!(made["options"], json!(names));
            shop.post(path, sku(path, &["Default Title"], 1)).await.expect_problem(422, "validation");
            let code = format!("N-{}", names[0]);
            shop.post(path, sku(&code, &["Default Title"], 1)).await.expect(201);
            if let Some((path, patch)) = patch {
                assert_eq!(shop.patch_any(path, patch).await.expect(200)["skus"][0]["version"], 2);
            }
            assert_eq!(shop.get(&format!("skus/{code}")).await.expect(200)["options"], json!([]));
        }
        let real = json!({ "options": ["Large"] });
        shop.patch_any("skus/C", real).await.expect_problem(422, "validation");
    }

    async fn a_product_has_at_most_2048_skus(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let problem = shop.post("products", many(2_049)).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/skus"]);
        let made = shop.post("products", many(2_048)).await.expect(201);
        let read = shop.get("products/many").await.expect(200);
        assert_eq!(read, made);
        assert_eq!(read["skus"].as_array().unwrap().len(), 2_048);
        shop.post("products/many/skus", sku("N-more", &["more"], 1)).await.expect_problem(409, "conflict");
        shop.delete("products/many", 1).await.expect(204);
    }
}
