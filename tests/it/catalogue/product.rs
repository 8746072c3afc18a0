//! Products: their life, their handles, and who may see them.

use emporium::call::Role;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{NOBODY, Staffed, pointers, reply, shirt, sku, tag};
use crate::testapp::{Backend, TestApp, on_both};

on_both! {
    async fn a_product_is_made_read_changed_and_deleted(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let made = shop.post("products", shirt()).await;
        assert_eq!((made.header("etag"), made.status), (&*tag(&made.body), 201));
        let place = made.header("location").trim_start_matches("/api/v1/").to_owned();
        let made = made.body;
        assert_eq!((&made["handle"], &made["version"], &made["tags"]), (&json!("plain-shirt"), &json!(1), &json!(["cotton", "shirts"])));
        assert_eq!((&made["skus"][1]["position"], &made["skus"][1]["price"]["amount"]), (&json!(2), &json!(2100)));
        assert_eq!(made["skus"][0]["options"], json!(["S"]));
        for path in [place.as_str(), "products/plain-shirt"] {
            let read = shop.get_as_shopper(path).await;
            assert_eq!((read.header("etag"), read.header("cache-control")), (&*tag(&made), "public, max-age=60"));
            assert_eq!(read.expect(200), made);
        }
        assert_eq!(shop.get(&place).await.header("cache-control"), "private, no-cache");

        let attributes = json!({ "Material": "Wool", "a/b~c": "" });
        let images = json!([{ "url": "https://a.example/1.jpg", "alt": "Front", "width": 800, "height": 600 }, { "url": "/img/2.jpg" }]);
        let patch = json!({ "title": "Fine Shirt", "handle": "fine", "attributes": attributes, "images": images, "tags": ["b", "a", "b"],
            "options": ["Fit"], "status": "archived" });
        let changed = shop.patch(&place, 1, patch).await;
        assert_eq!(changed.header("etag"), tag(&changed.body));
        let changed = changed.expect(200);
        assert_eq!((&changed["attributes"], &changed["tags"], &changed["options"]), (&attributes, &json!(["a", "b"]), &json!(["Fit"])));
        assert_eq!((&changed["images"][0], &changed["images"][1]["alt"]), (&images[0], &json!("")));
        assert_eq!((&changed["vendor"], &changed["skus"]), (&made["vendor"], &made["skus"]));
        assert_eq!(shop.get("products/fine").await.expect(200), changed);
        shop.get("products/plain-shirt").await.expect_problem(404, "not_found");

        let problem = shop.patch(&place, 1, json!({ "title": "Lost" })).await.expect_problem(412, "version_mismatch");
        assert_eq!(problem["version"], 2);
        shop.delete(&place, 1).await.expect_problem(412, "version_mismatch");
        for method in [Method::PATCH, Method::DELETE] {
            let request = shop.request(method, &place).json(&json!({}));
            reply(request).await.expect_problem(428, "version_required");
        }
        shop.delete("products/fine", 2).await.expect(204);
        shop.get(&place).await.expect_problem(404, "not_found");
        shop.get("skus/A-1").await.expect_problem(404, "not_found");
        shop.delete(&place, 2).await.expect_problem(404, "not_found");
        let told = "SELECT count(*) AS n FROM outbox WHERE type IN ('product.created', 'product.updated', 'product.deleted')";
        assert_eq!(shop.number(told).await, Some(3));
        assert_eq!(shop.number("SELECT count(*) AS n FROM product_words").await, Some(0));
    }

    async fn a_client_that_has_it_gets_304(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let product = shop.post("products", shirt()).await.expect(201);
        for (path, thing) in [("products/plain-shirt", &product), ("skus/A-1", &product["skus"][0])] {
            let tag = tag(thing);
            for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
                let request = shop.app.request(Method::GET, &format!("/api/v1/{path}")).header("If-None-Match", known);
                let answer = reply(request).await;
                assert_eq!((answer.status, answer.header("etag")), (304, &*tag));
                assert_eq!(answer.header("cache-control"), "public, max-age=60");
            }
            for other in [shop.tag(path, 2).await, format!("\"{NOBODY}-1\""), "\"v1\"".to_owned(), "\"1\"".to_owned()] {
                let request = shop.request(Method::GET, path).header("If-None-Match", other);
                reply(request).await.expect(200);
            }
        }
        // A change of a SKU is a change of its product.
        shop.patch("skus/A-1", 1, json!({ "weight_grams": 200 })).await.expect(200);
        let request = shop.request(Method::GET, "products/plain-shirt").header("If-None-Match", tag(&product));
        assert_eq!(reply(request).await.expect(200)["version"], 2);
    }

    async fn a_tag_is_of_the_thing_and_not_of_its_name(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let seen = shop.post("products", shirt()).await.expect(201);
        let check = async |path: &str, old: &str, body: Value| {
            let read = shop.app.request(Method::GET, &format!("/api/v1/{path}")).header("If-None-Match", old);
            reply(read).await.expect(200);
            let change = shop.request(Method::PATCH, path).header("If-Match", old).json(&body);
            reply(change).await.expect_problem(412, "version_mismatch");
            let removal = shop.request(Method::DELETE, path).header("If-Match", old);
            reply(removal).await.expect_problem(412, "version_mismatch");
        };
        // Deleted and made anew: the same handle and codes, the same version.
        shop.delete("products/plain-shirt", 1).await.expect(204);
        let again = shop.post("products", shirt()).await.expect(201);
        assert_eq!((&again["handle"], &again["version"]), (&seen["handle"], &seen["version"]));
        check("products/plain-shirt", &tag(&seen), json!({ "title": "Lost" })).await;
        check("skus/A-1", &tag(&seen["skus"][0]), json!({ "barcode": "1" })).await;
        // Renamed, and another one got the name.
        let renamed = shop.patch("products/plain-shirt", 1, json!({ "handle": "old" })).await.expect(200);
        let other = json!({ "title": "Plain Shirt", "status": "active" });
        shop.post("products", other).await.expect(201);
        shop.patch("products/plain-shirt", 1, json!({ "vendor": "V" })).await.expect(200);
        check("products/plain-shirt", &tag(&renamed), json!({ "title": "Lost" })).await;
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["title"], "Plain Shirt");
        // What names nothing is not there, whatever is expected of it.
        let gone = shop.request(Method::DELETE, "products/none").header("If-Match", tag(&seen));
        reply(gone).await.expect_problem(404, "not_found");
    }

    async fn shoppers_see_active_products_only(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let customer = shop.app.token("customer@shop.example", Role::Customer).await;
        let mut product = shirt();
        product.as_object_mut().unwrap().remove("status");
        assert_eq!(shop.post("products", product).await.expect(201)["status"], "draft");
        for status in ["draft", "archived", "active"] {
            shop.patch_any("products/plain-shirt", json!({ "status": status })).await.expect(200);
            let expected = if status == "active" { 200 } else { 404 };
            for path in ["products/plain-shirt", "skus/A-1"] {
                assert_eq!(shop.get_as_shopper(path).await.status, expected, "{path} {status}");
                let as_customer = shop.app.request_as(&customer, Method::GET, &format!("/api/v1/{path}"));
                assert_eq!(reply(as_customer).await.status, expected, "{path} {status}");
                shop.get(path).await.expect(200);
            }
        }
    }

    async fn handles_are_made_from_titles(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let make = async |title: &str| shop.post("products", json!({ "title": title })).await.expect(201)["handle"].clone();
        assert_eq!(make("Crème Brûlée").await, "creme-brulee");
        assert_eq!(make("Creme  brulee!").await, "creme-brulee-2");
        assert_eq!(make("creme brulee").await, "creme-brulee-3");
        assert_eq!(make("帽子").await, "product");
        assert_eq!(make("🎩").await, "product-2");
        assert_eq!(make("019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d").await, "product-3");
        let long = "word ".repeat(60);
        let handles = [make(&long).await, make(&long).await];
        assert!(handles.iter().all(|handle| (190..=200).contains(&handle.as_str().unwrap().len())), "{handles:?}");

        let given = json!({ "title": "Other", "handle": "creme-brulee-2" });
        let problem = shop.post("products", given).await.expect_problem(409, "already_exists");
        assert!(problem["detail"].as_str().unwrap().contains("creme-brulee-2"));
        let taken = shop.patch("products/product", 1, json!({ "handle": "creme-brulee" })).await;
        taken.expect_problem(409, "already_exists");
        shop.patch("products/product", 1, json!({ "handle": "product" })).await.expect(200);
        for handle in ["", "Upper", "a--b", "-a", "a-", "a b", "a/b", "é", "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d", &"a".repeat(201)] {
            let problem = shop.post("products", json!({ "title": "T", "handle": handle })).await.expect_problem(422, "validation");
            assert_eq!(pointers(&problem), ["/handle"]);
        }
        for path in ["products/none", "products/a%00b", "products/%2e%2e%2f", "products/A", "products/019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d"] {
            shop.get(path).await.expect_problem(404, "not_found");
            shop.patch_any(path, json!({})).await.expect_problem(404, "not_found");
        }
        let not_text = shop.get("products/%ff%fe").await;
        assert!((400..500).contains(&not_text.status), "{not_text:?}");
    }

    async fn many_products_of_one_title_at_once_get_handles_of_their_own(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let replies = join_all((0..12).map(|_| shop.post("products", json!({ "title": "Twin" })))).await;
        let made = replies.into_iter().map(|reply| reply.expect(201)["handle"].as_str().unwrap().to_owned());
        let mut handles: Vec<String> = made.collect();
        assert!(handles.iter().all(|handle| handle.starts_with("twin")));
        handles.sort_unstable();
        handles.dedup();
        assert_eq!(handles.len(), 12);
    }

    async fn of_two_changes_of_one_version_one_wins(backend: Backend) {
        let shop = Staffed::start(backend).await;
        shop.post("products", shirt()).await.expect(201);
        let changes = (0..8).map(|n| shop.patch("products/plain-shirt", 1, json!({ "vendor": format!("V{n}") })));
        let replies = join_all(changes).await;
        let won: Vec<&Value> = replies.iter().filter(|reply| reply.status == 200).map(|reply| &reply.body).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(replies.iter().filter(|reply| reply.status == 412).count(), 7);
        assert_eq!(shop.get("products/plain-shirt").await.expect(200), *won[0]);

        let changes = (0..8).map(|n| shop.patch("skus/A-1", 1, json!({ "barcode": format!("{n}") })));
        let mut statuses: Vec<u16> = join_all(changes).await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
        let changes = (0..8).map(|n| shop.patch_any("products/plain-shirt", json!({ "product_type": format!("{n}") })));
        assert!(join_all(changes).await.iter().all(|reply| reply.status == 200));
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["version"], 11);
    }

    async fn descriptions_are_made_harmless(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let html = "<p onclick=\"steal()\">Soft<script>steal()</script> <a href='javascript:steal()'>x</a> \
            <a href='https://a.example' target='_blank'>y</a> <img src='data:text/html,x' onerror='steal()'> <iframe src='//a.example'></iframe></p>";
        let clean = "<p>Soft <a rel=\"noopener nofollow\">x</a> <a href=\"https://a.example\" rel=\"noopener nofollow\">y</a> <img> </p>";
        let made = shop.post("products", json!({ "title": "Soap", "description_html": html })).await.expect(201);
        assert_eq!(made["description_html"], clean);
        let again = shop.patch("products/soap", 1, json!({ "description_html": clean })).await.expect(200);
        assert_eq!(again["description_html"], clean);
        let changed = shop.patch("products/soap", 2, json!({ "description_html": "<svg onload=steal()>a&#1;b" })).await.expect(200);
        assert_eq!(changed["description_html"], "ab");
    }

    async fn prices_of_a_product_follow_its_skus(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let prices = async || {
            (shop.number("SELECT price_min AS n FROM products").await, shop.number("SELECT price_max AS n FROM products").await)
        };
        shop.post("products", shirt()).await.expect(201);
        assert_eq!(prices().await, (Some(1900), Some(2100)));
        shop.post("products/plain-shirt/skus", sku("A-3", &["L"], 500)).await.expect(201);
        assert_eq!(prices().await, (Some(500), Some(2100)));
        shop.patch("skus/A-2", 1, json!({ "price": { "amount": 0, "currency": "USD" } })).await.expect(200);
        assert_eq!(prices().await, (Some(0), Some(1900)));
        shop.patch_any("products/plain-shirt", json!({ "title": "Other" })).await.expect(200);
        assert_eq!(prices().await, (Some(0), Some(1900)));
        shop.delete("skus/A-1", 1).await.expect(204);
        shop.delete("skus/A-2", 2).await.expect(204);
        assert_eq!(prices().await, (Some(500), Some(500)));
        shop.delete("skus/A-3", 1).await.expect(204);
        assert_eq!(prices().await, (None, None));
        // One change each time: 1 + new SKU, price, title, three deletions.
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["version"], 7);
    }

    async fn what_had_stock_stays(backend: Backend) {
        let shop = Staffed::start(backend).await;
        shop.post("products", shirt()).await.expect(201);
        shop.stock("INSERT INTO stock (product_id, sku_id, location_id, on_hand, reserved)
                    SELECT s.product_id, s.id, l.id, 5, 5 FROM skus s, locations l WHERE s.code = 'A-1'").await;
        shop.delete("products/plain-shirt", 1).await.expect_problem(409, "conflict");
        shop.delete("skus/A-1", 1).await.expect_problem(409, "conflict");
        assert_eq!(shop.get("products/plain-shirt").await.expect(200)["version"], 1);
        shop.delete("skus/A-2", 1).await.expect(204);

        let changed = shop.patch("skus/A-1", 1, json!({ "backorder_limit": 3 })).await.expect(200);
        assert_eq!(changed["backorder_limit"], 3);
        assert_eq!(shop.number("SELECT backorder AS n FROM stock").await, Some(3));
        shop.execute("UPDATE stock SET reserved = 7").await;
        shop.patch("skus/A-1", 2, json!({ "backorder_limit": 1 })).await.expect_problem(409, "conflict");
        assert_eq!(shop.number("SELECT backorder AS n FROM stock").await, Some(3));
        shop.patch("skus/A-1", 2, json!({ "backorder_limit": 2 })).await.expect(200);
        assert_eq!(shop.number("SELECT backorder AS n FROM stock").await, Some(2));
        assert_eq!(shop.number("SELECT version AS n FROM stock").await, Some(0));
    }
}

/// Whoever waits for the sanitiser, others do not: the server has one thread for all requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_description_keeps_nobody_waiting() {
    let app = TestApp::start_with(Backend::Sqlite, |config| config.server.workers = 1).await;
    let token = app.token("staff@shop.example", Role::Staff).await;
    let body = json!({ "title": "Large", "description_html": "<div>".repeat(4_900) });
    let request = app.request_as(&token, Method::POST, "/api/v1/products").json(&body);
    let post = tokio::spawn(request.send());
    let mut answered = 0;
    while !post.is_finished() {
        assert_eq!(app.request(Method::GET, "/livez").send().await.unwrap().status(), 200);
        answered += 1;
    }
    assert_eq!(post.await.unwrap().unwrap().status(), 201);
    // The one thread would answer once before it begins with the text, and once when it is done.
    assert!(answered > 3, "{answered} requests of others were answered meanwhile");
    app.stop().await;
}
