//! The routes: who may do what, and how it is answered.

use emporium::call::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::Warehouse;
use crate::testapp::{on_both, read};

impl Warehouse {
    async fn send(&self, token: &str, path: &str, key: &str, body: &Value) -> Response {
        let request = self.app.request_as(token, Method::POST, &format!("/api/v1/reservations{path}"));
        request.header("Idempotency-Key", key).json(body).send().await.unwrap()
    }

    async fn post(&self, token: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
        read(self.send(token, path, key, &body).await).await
    }

    async fn read(&self, token: &str, path: &str) -> (u16, Value) {
        let path = format!("/api/v1/reservations{path}");
        read(self.app.request_as(token, Method::GET, &path).send().await.unwrap()).await
    }
}

fn lines(sku: &str, quantity: i64) -> Value {
    json!({ "lines": [{ "sku": sku, "location": "EAST", "quantity": quantity }] })
}

on_both! {
    async fn a_customer_buys_and_staff_ships(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        let ann = shop.app.token("ann@example.com", Role::Customer).await;
        let staff = shop.app.token("staff@example.com", Role::Staff).await;
        let made = shop.send(&ann, "", "k1", &lines("A", 2)).await;
        let place = made.headers()["location"].to_str().unwrap().to_owned();
        let (status, held) = read(made).await;
        assert_eq!((status, &held["state"]), (201, &json!("held")), "{held}");
        let id = held["id"].as_str().unwrap();
        assert_eq!(place, format!("/api/v1/reservations/{id}"));
        assert!(held["holder"].as_str().unwrap().starts_with("user:"), "{held}");
        let again = shop.send(&ann, "", "k1", &lines("A", 2)).await;
        assert_eq!(again.headers()["idempotent-replayed"], "true");
        assert_eq!(read(again).await, (201, held.clone()));
        assert_eq!(shop.read(&ann, &format!("/{id}")).await, (200, held.clone()));
        let (status, longer) = shop.post(&ann, &format!("/{id}/extend"), "k2", json!({ "hold_seconds": 5000 })).await;
        assert_eq!((status, &longer["version"]), (200, &json!(2)), "{longer}");
        let (status, committed) = shop.post(&ann, &format!("/{id}/commit"), "k3", json!({})).await;
        assert_eq!((status, &committed["state"]), (200, &json!("committed")));
        let (status, refused) = shop.post(&ann, &format!("/{id}/ship"), "k4", json!({})).await;
        assert_eq!((status, &refused["code"]), (403, &json!("forbidden")));
        let part = json!({ "lines": [{ "sku": "A", "location": "EAST", "quantity": 1 }] });
        let (status, part) = shop.post(&staff, &format!("/{id}/ship"), "k4", part).await;
        assert_eq!((status, &part["lines"][0]["shipped"]), (200, &json!(1)), "{part}");
        // A choice of nothing is not all.
        for (key, nothing) in [("k6", json!([])), ("k7", Value::Null)] {
            let (status, refused) = shop.post(&staff, &format!("/{id}/ship"), key, json!({ "lines": nothing })).await;
            assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/lines")), "{refused}");
        }
        assert_eq!(shop.counters("A", "EAST").await, (4, 0, 1));
        // A step without anything to say needs no body.
        let path = format!("/api/v1/reservations/{id}/cancel");
        let bare = shop.app.request_as(&ann, Method::POST, &path).header("Idempotency-Key", "k5").send().await.unwrap();
        let (status, cancelled) = read(bare).await;
        assert_eq!((status, &cancelled["state"]), (200, &json!("cancelled")), "{cancelled}");
        assert_eq!(shop.counters("A", "EAST").await, (4, 0, 0));
        shop.assert_clean().await;
    }

    async fn a_customer_sees_and_touches_only_his_own(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let ann = shop.app.token("ann@example.com", Role::Customer).await;
        let bob = shop.app.token("bob@example.com", Role::Customer).await;
        let staff = shop.app.token("staff@example.com", Role::Staff).await;
        let (_, held) = shop.post(&ann, "", "k", lines("A", 1)).await;
        let (id, holder) = (held["id"].as_str().unwrap(), held["holder"].as_str().unwrap());
        assert_eq!(shop.read(&bob, &format!("/{id}")).await.0, 404);
        for step in ["extend", "commit", "release", "cancel"] {
            let (status, body) = shop.post(&bob, &format!("/{id}/{step}"), step, json!({})).await;
            assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{step}");
        }
        assert_eq!(shop.read(&bob, "").await.1["items"], json!([]));
        assert_eq!(shop.read(&bob, &format!("?holder={holder}")).await.0, 403);
        assert_eq!(shop.read(&ann, "").await.1["items"][0]["id"], json!(id));
        assert_eq!(shop.read(&ann, &format!("?holder={holder}&state=held")).await.1["items"][0]["id"], json!(id));
        assert_eq!(shop.read(&staff, &format!("?holder={holder}")).await.1["items"][0]["id"], json!(id));
        assert_eq!(shop.read(&staff, &format!("/{id}")).await, (200, held.clone()));
        let mut named = lines("A", 1);
        named["holder"] = json!("till-7");
        assert_eq!(shop.post(&ann, "", "n", named.clone()).await.0, 403);
        let (status, till) = shop.post(&staff, "", "n", named).await;
        assert_eq!((status, &till["holder"]), (201, &json!("till-7")));
        for (method, path) in [(Method::GET, ""), (Method::POST, ""), (Method::GET, "/x"), (Method::POST, "/x/commit")] {
            let request = shop.app.request(method, &format!("/api/v1/reservations{path}"));
            assert_eq!(request.send().await.unwrap().status(), 401);
        }
        shop.assert_clean().await;
    }

    async fn wrong_requests_are_told_clearly(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 1).await;
        let ann = shop.app.token("ann@example.com", Role::Customer).await;
        let request = shop.app.request_as(&ann, Method::POST, "/api/v1/reservations").json(&lines("A", 1));
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!((status, &body["code"]), (400, &json!("idempotency_key_missing")));
        let (status, body) = shop.post(&ann, "", "k", lines("A", 2)).await;
        assert_eq!((status, &body["code"]), (409, &json!("out_of_stock")));
        let short = json!([{ "sku": "A", "location": "EAST", "requested": 2, "available": 1 }]);
        assert_eq!(body["lines"], short);
        let wrong = [
            (422, lines("A", -1)),
            (422, lines("A", 0)),
            (422, lines("A", 1_000_000_001)),
            (422, lines("NONE", 1)),
            (422, json!({})),
            (422, json!({ "lines": "none" })),
            (422, json!({ "lines": [], "extra": 1 })),
            (422, json!({ "lines": [{ "sku": "A", "quantity": 1.5 }] })),
            (422, json!({ "lines": [{ "sku": "A", "quantity": u64::MAX }] })),
            (422, json!({ "lines": [{ "sku": "A\0", "quantity": 1 }] })),
            (422, json!({ "lines": [{ "sku": "A", "quantity": 1 }], "hold_seconds": -1 })),
        ];
        for (expected, body) in wrong {
            let (status, answer) = shop.post(&ann, "", "w", body.clone()).await;
            assert_eq!(status, expected, "{body}: {answer}");
            assert!(!answer["errors"].as_array().unwrap().is_empty(), "{answer}");
        }
        let (status, _) = shop.post(&ann, "", "k", lines("A", 1)).await;
        assert_eq!(status, 201);
        let (status, body) = shop.post(&ann, "", "k", lines("A", 2)).await;
        assert_eq!((status, &body["code"]), (422, &json!("idempotency_key_reused")));
        for path in ["/x", "/019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d"] {
            assert_eq!(shop.read(&ann, path).await.0, 404);
        }
        for query in ["?stat=held", "?state=gone", "?limit=0", "?limit=201", "?cursor=x", "?holder=%00"] {
            let (status, body) = shop.read(&ann, query).await;
            assert!((400..500).contains(&status), "{query}: {body}");
        }
        let metrics = shop.app.metrics().await;
        for outcome in ["held", "out_of_stock"] {
            assert!(metrics.contains(&format!("emporium_reservations_total{{outcome=\"{outcome}\"}}")), "{outcome}");
        }
    }
}
