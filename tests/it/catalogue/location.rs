//! Locations.

use emporium::call::Role;
use reqwest::Method;
use serde_json::json;

use super::{Staffed, pointers, reply};
use crate::testapp::on_both;

on_both! {
    async fn a_location_is_made_listed_and_changed(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let address = json!({ "street": "1 Main St", "city": "Springfield", "country": "US", "latitude": 44.05, "longitude": -123.02 });
        let made = shop.post("locations", json!({ "code": "Main.1", "name": " Main ", "address": address, "priority": 5 })).await;
        assert_eq!(made.header("location"), "/api/v1/locations/Main.1");
        let made = made.expect(201);
        assert_eq!((&made["name"], &made["active"], &made["version"]), (&json!("Main"), &json!(true), &json!(1)));
        assert_eq!(made["address"]["latitude"], 44.05);
        shop.post("locations", json!({ "code": "b", "name": "B", "priority": 5 })).await.expect(201);
        shop.post("locations", json!({ "code": "z", "name": "Z", "priority": -1 })).await.expect(201);
        shop.post("locations", json!({ "code": "b", "name": "Again" })).await.expect_problem(409, "already_exists");
        let list = shop.get("locations").await.expect(200);
        let codes: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["z", "Main.1", "b"]);

        let changed = shop.patch("locations/Main.1", 1, json!({ "active": false, "address": { "city": "Salem" } })).await.expect(200);
        assert_eq!((&changed["active"], &changed["version"], &changed["name"]), (&json!(false), &json!(2), &json!("Main")));
        assert_eq!((&changed["address"]["city"], &changed["address"]["street"]), (&json!("Salem"), &json!("")));
        assert_eq!(shop.get("locations/Main.1").await.expect(200), changed);
        shop.patch("locations/Main.1", 1, json!({ "name": "M" })).await.expect_problem(412, "version_mismatch");
        assert_eq!(shop.get("locations/Main.1").await.expect(200)["version"], 2);
        // The code never changes.
        shop.patch("locations/Main.1", 2, json!({ "code": "other" })).await.expect_problem(422, "validation");
        for code in ["none", "a%00b", "%2e%2e%2f", "a%2Fb"] {
            shop.get(&format!("locations/{code}")).await.expect_problem(404, "not_found");
            shop.patch(&format!("locations/{code}"), 1, json!({ "name": "N" })).await.expect_problem(404, "not_found");
        }
        reply(shop.request(Method::PATCH, "locations/b").json(&json!({}))).await.expect_problem(428, "version_required");
    }

    async fn locations_are_for_staff(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let customer = shop.app.token("customer@shop.example", Role::Customer).await;
        for (method, path) in [(Method::GET, "locations"), (Method::GET, "locations/a"), (Method::POST, "locations"),
            (Method::PATCH, "locations/a"), (Method::POST, "categories"), (Method::POST, "products"),
            (Method::PATCH, "products/a"), (Method::DELETE, "products/a"), (Method::POST, "products/a/skus"),
            (Method::PATCH, "skus/a"), (Method::DELETE, "skus/a")] {
            let path = format!("/api/v1/{path}");
            reply(shop.app.request(method.clone(), &path)).await.expect_problem(401, "unauthenticated");
            reply(shop.app.request_as(&customer, method, &path)).await.expect_problem(403, "forbidden");
        }
    }

    async fn location_values_are_checked(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let address = json!({ "street": "a\u{0}b", "city": "c".repeat(101), "region": "a\nb", "postal_code": "1".repeat(21),
            "country": "usa", "latitude": 90.5, "longitude": -181 });
        let bad = json!({ "code": "a b", "name": "", "address": address, "priority": i64::MAX });
        let problem = shop.post("locations", bad).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/code", "/name", "/address/street", "/address/city", "/address/region",
            "/address/postal_code", "/address/country", "/address/latitude", "/address/longitude", "/priority"]);
        for code in ["", ".", "..", "a/b", "é", &"a".repeat(65)] {
            let problem = shop.post("locations", json!({ "code": code, "name": "N" })).await.expect_problem(422, "validation");
            assert_eq!(pointers(&problem), ["/code"]);
        }
        shop.post("locations", json!({ "code": "a", "name": "N", "address": { "planet": "Mars" } })).await.expect_problem(422, "validation");
    }
}
