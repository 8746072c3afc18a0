//! What is made with an `Idempotency-Key`, and made again.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Reply, Staffed, reply, shirt, sku, tag};
use crate::testapp::on_both;

impl Staffed {
    async fn post_keyed(&self, key: &str, path: &str, body: &Value) -> Reply {
        reply(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }
}

on_both! {
    async fn what_is_made_again_with_its_key_is_there_already(backend: Backend) {
        let shop = Staffed::start(backend).await;
        for (path, body, count) in [
            ("categories", json!({ "name": "Shirts" }), "SELECT count(*) AS n FROM categories"),
            ("locations", json!({ "code": "A", "name": "A" }), "SELECT count(*) AS n FROM locations"),
            ("products", shirt(), "SELECT count(*) AS n FROM products"),
            ("products/plain-shirt/skus", sku("A-3", &["L"], 1), "SELECT count(*) - 2 AS n FROM skus"),
        ] {
            let made = shop.post_keyed(path, path, &body).await;
            assert_eq!((made.status, made.header("idempotent-replayed")), (201, ""), "{path} {}", made.body);
            let again = shop.post_keyed(path, path, &body).await;
            assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"), "{path} {}", again.body);
            assert_eq!(again.body, made.body);
            assert_eq!((again.header("location"), again.header("etag")), (made.header("location"), &*tag(&made.body)));
            assert_eq!(shop.number(count).await, Some(1), "{path}");

            let mut other = body.clone();
            let name = ["title", "name", "barcode"].into_iter().find(|name| body.get(name).is_some()).unwrap_or("barcode");
            other[name] = json!("Other");
            shop.post_keyed(path, path, &other).await.expect_problem(422, "idempotency_key_reused");
            for bad in ["", "\"\"", "a b", &"k".repeat(256)] {
                shop.post_keyed(bad, path, &body).await.expect_problem(400, "bad_request");
            }
            assert_eq!(shop.number(count).await, Some(1), "{path}");
        }
        // Without a key, each call makes one.
        let handles = [shop.post("products", json!({ "title": "Cap" })).await, shop.post("products", json!({ "title": "Cap" })).await];
        assert_eq!(handles.map(|reply| reply.expect(201)["handle"].clone()), [json!("cap"), json!("cap-2")]);
    }

    async fn a_refused_call_leaves_its_key_free(backend: Backend) {
        let shop = Staffed::start(backend).await;
        shop.post("products", shirt()).await.expect(201);
        let new = json!({ "title": "Other", "skus": [sku("A-1", &[], 1)] });
        shop.post_keyed("k", "products", &new).await.expect_problem(409, "already_exists");
        shop.delete("products/plain-shirt", 1).await.expect(204);
        let made = shop.post_keyed("k", "products", &new).await;
        assert_eq!((made.status, made.header("idempotent-replayed")), (201, ""));
        // The first answer comes even when the thing has gone on.
        shop.patch("products/other", 1, json!({ "title": "Changed" })).await.expect(200);
        assert_eq!(shop.post_keyed("k", "products", &new).await.expect(201)["title"], "Other");
    }

    async fn of_many_calls_with_one_key_one_makes_it(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let new = json!({ "title": "Twin" });
        let replies = join_all((0..8).map(|_| shop.post_keyed("twin", "products", &new))).await;
        let first = replies.iter().filter(|reply| reply.header("idempotent-replayed").is_empty()).count();
        assert_eq!(first, 1);
        let ids: Vec<Value> = replies.into_iter().map(|reply| reply.expect(201)["id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        assert_eq!(shop.number("SELECT count(*) AS n FROM products").await, Some(1));
    }
}
