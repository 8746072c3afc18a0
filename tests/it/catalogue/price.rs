//! Prices of many SKUs in one call.

use emporium::inventory::{Event, EventQuery};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Reply, Staffed, pointers, reply, shirt, sku};
use crate::testapp::on_both;

fn row(sku: &str, version: i64, amount: i64) -> Value {
    json!({ "sku": sku, "version": version, "price": { "amount": amount, "currency": "USD" } })
}

impl Staffed {
    async fn set_prices(&self, key: &str, rows: Value) -> Reply {
        let request = self.request(Method::POST, "prices").header("idempotency-key", key);
        reply(request.json(&json!({ "rows": rows }))).await
    }

    async fn events(&self) -> Vec<Event> {
        self.app.shop.modules.inventory.events(EventQuery::default()).await.unwrap()
    }

    async fn price(&self, sku: &str) -> (i64, i64) {
        let sku = self.get(&format!("skus/{sku}")).await.expect(200);
        (sku["price"]["amount"].as_i64().unwrap(), sku["version"].as_i64().unwrap())
    }
}

on_both! {
    async fn all_prices_are_set_or_none(backend: Backend) {
        let shop = Staffed::start(backend).await;
        shop.post("products", shirt()).await.expect(201);
        shop.post("products", json!({ "title": "Cap", "skus": [sku("C-1", &[], 900)] })).await.expect(201);
        let (old, _) = shop.price("A-2").await;
        let refused = shop.set_prices("one", json!([row("A-1", 1, 5), row("A-2", 7, 6), row("NONE", 1, 7), row("C-1", 1, 8)])).await;
        let problem = refused.expect_problem(422, "validation");
        assert_eq!(problem["rows"].as_array().unwrap().iter().map(|row| (&row["row"], &row["code"])).collect::<Vec<_>>(),
            [(&json!(1), &json!("version_mismatch")), (&json!(2), &json!("validation"))]);
        assert_eq!(problem["errors"][0]["pointer"], "/rows/2/sku");
        assert_eq!((shop.price("A-2").await, shop.price("C-1").await), ((old, 1), (900, 1)));
        let refused = shop.set_prices("two", json!([row("C-1", 1, 8), row("A-2", 7, 6)])).await;
        assert_eq!(refused.expect_problem(412, "version_mismatch")["rows"][0]["row"], 1);
        let wrong = json!([row("C-1", 1, -1), row("C-1", 1, 5), { "sku": "A-1", "version": 1, "price": { "amount": 1, "currency": "EUR" } }]);
        let problem = shop.set_prices("three", wrong).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/rows/0/price/amount", "/rows/1/sku", "/rows/2/price/currency"]);
        shop.set_prices("four", json!([])).await.expect_problem(422, "validation");

        let mut cap = row("C-1", 1, 8);
        cap["compare_at_price"] = json!({ "amount": 900, "currency": "USD" });
        let rows = json!([cap, row("A-1", 1, 5), row("A-2", 9, old)]);
        let before = shop.events().await;
        let done = shop.set_prices("five", rows.clone()).await.expect(200);
        assert_eq!((&done["changed"], &done["rows"][0]["version"], &done["rows"][2]["version"]), (&json!(2), &json!(2), &json!(1)), "{done}");
        assert_eq!(done["rows"][0]["compare_at_price"]["amount"], 900);
        assert_eq!(shop.set_prices("five", rows).await.expect(200), done, "repeated, it gives the first answer");
        assert_eq!((shop.price("C-1").await, shop.price("A-1").await, shop.price("A-2").await), ((8, 2), (5, 2), (old, 1)));
        let cap = shop.get("products/cap").await.expect(200);
        assert_eq!(cap["version"], 2);
        let listed = shop.get("products?price_max=8&sort=price").await.expect(200);
        assert_eq!(listed["items"].as_array().unwrap().iter().map(|item| &item["price_min"]["amount"]).collect::<Vec<_>>(), [5, 8]);
        let events = shop.events().await;
        let told: Vec<(&str, &Value)> = events[before.len()..].iter().map(|event| (&*event.kind, &event.data["version"])).collect();
        assert_eq!(told, [("product.updated", &json!(2)), ("product.updated", &json!(2))]);
    }
}
