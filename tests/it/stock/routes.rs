//! Stock over HTTP: who may, what is answered.

use emporium::call::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::Fixture;
use crate::testapp::{on_both, read};

on_both! {

async fn the_routes_answer_as_documented(backend: Backend) {
    let f = Fixture::start(backend).await;
    let staff = f.app.token("staff@shop.example", Role::Staff).await;
    let post = |path: &str, body: Value| {
        let request = f.app.request_as(&staff, Method::POST, &format!("/api/v1/stock/{path}"));
        request.header("idempotency-key", format!("{path} {body}").replace(|c: char| !c.is_ascii_alphanumeric(), "-")).json(&body)
    };
    let body = |rows: Value| json!({ "atomic": true, "rows": rows });
    let adjust = body(json!([{ "sku": "A", "location": "EAST", "delta": 9, "reason": "found" }]));
    let (status, first) = read(post("adjustments", adjust.clone()).send().await.unwrap()).await;
    assert_eq!((status, &first["done"], &first["rows"][0]["levels"][0]["on_hand"]), (200, &json!(1), &json!(9)), "{first}");
    let again = post("adjustments", adjust).send().await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(read(again).await, (200, first));
    let rows = json!([{ "sku": "A", "location": "EAST", "expected": 9, "counted": 8, "reason": "counted" }]);
    assert_eq!(read(post("counts", body(rows)).send().await.unwrap()).await.0, 200);
    let rows = json!([{ "sku": "A", "from": "EAST", "to": "WEST", "quantity": 1, "reason": "moved" }]);
    assert_eq!(read(post("transfers", body(rows)).send().await.unwrap()).await.0, 200);
    let rows = json!([{ "sku": "A", "location": "WEST", "quantity": 2, "reason": "came" }]);
    assert_eq!(read(post("receipts", body(rows)).send().await.unwrap()).await.0, 200);

    for (body, expected, pointer) in [
        (json!({ "rows": [] }), (422, "validation"), "/rows"),
        (json!({ "rows": [{ "sku": "A" }] }), (422, "validation"), "/rows/0/location"),
        (json!({ "rows": [{ "sku": "A", "location": "EAST", "delta": 1e30, "reason": "x" }] }), (422, "validation"), "/rows/0/delta"),
        (body(json!([{ "sku": "A", "location": "EAST", "delta": -99, "reason": "x" }])), (422, "validation"), "/rows/0/delta"),
        (body(json!([{ "sku": "X", "location": "EAST", "delta": 1, "reason": "x" }])), (422, "validation"), "/rows/0/sku"),
        (body(json!([{ "sku": "A", "location": "X", "delta": 1, "reason": "x" }])), (422, "validation"), "/rows/0/location"),
    ] {
        let (status, problem) = read(post("adjustments", body).send().await.unwrap()).await;
        assert_eq!((status, problem["code"].as_str().unwrap()), expected, "{problem}");
        assert_eq!(problem["errors"][0]["pointer"].as_str().unwrap_or_default(), pointer, "{problem}");
    }
    let keyless = f.app.request_as(&staff, Method::POST, "/api/v1/stock/counts").json(&body(json!([])));
    assert_eq!(read(keyless.send().await.unwrap()).await.1["code"], "idempotency_key_missing");

    let get = async |path: &str| f.app.request_as(&staff, Method::GET, path).send().await.unwrap();
    let page = get("/api/v1/stock?sku=A&limit=1").await;
    let link = page.headers()["link"].to_str().unwrap().to_owned();
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    let (_, second) = read(get(next).await).await;
    assert_eq!((&second["items"][0]["location"], &second["next_cursor"]), (&json!("WEST"), &Value::Null));
    let (status, ledger) = read(get("/api/v1/stock/A/ledger").await).await;
    assert_eq!((status, ledger["items"].as_array().unwrap().len()), (200, 5));
    assert_eq!(read(get("/api/v1/stock/NONE/ledger").await).await.0, 404);
    let (status, feed) = read(get("/api/v1/events?after=0").await).await;
    assert_eq!((status, &feed["items"], &feed["after"]), (200, &json!([]), &json!(0)));
    for (path, status) in [
        ("/api/v1/stock?colour=red", 400),
        ("/api/v1/stock?limit=x", 422),
        ("/api/v1/events?after=x", 422),
        ("/api/v1/stock?cursor=x", 400),
    ] {
        assert_eq!(read(get(path).await).await.0, status, "{path}");
    }

    // Shoppers need no token.
    let ask = async |path: &str| read(f.app.request(Method::GET, path).send().await.unwrap()).await;
    assert_eq!(ask("/api/v1/skus/A/availability").await, (200, json!({ "sku": "A", "status": "in_stock", "left": null })));
    assert_eq!(ask("/api/v1/skus/NONE/availability").await.0, 404);
    assert_eq!(ask("/api/v1/skus/A%00/availability").await.0, 404);
    let (status, list) = ask("/api/v1/availability?sku=B,NONE,A").await;
    assert_eq!((status, &list["items"][0]["status"], &list["items"][1]["sku"]), (200, &json!("sold_out"), &json!("A")));
    assert_eq!(ask(&format!("/api/v1/availability?sku={}", "A,".repeat(101))).await.0, 422);
    assert_eq!(ask("/api/v1/availability?sku=").await.0, 422);
    let (status, problem) = ask("/api/v1/availability").await;
    assert_eq!((status, &problem["errors"]), (422, &json!([{ "pointer": "sku", "code": "missing", "message": "must be there" }])));
}

async fn only_staff_may_see_and_change_stock(backend: Backend) {
    let f = Fixture::start(backend).await;
    let customer = f.app.token("customer@shop.example", Role::Customer).await;
    let staff = f.app.token("staff@shop.example", Role::Staff).await;
    for (method, path) in [
        (Method::GET, "/api/v1/stock"), (Method::GET, "/api/v1/stock/A/ledger"), (Method::GET, "/api/v1/events"),
        (Method::POST, "/api/v1/stock/adjustments"), (Method::POST, "/api/v1/stock/counts"),
        (Method::POST, "/api/v1/stock/transfers"), (Method::POST, "/api/v1/stock/receipts"),
    ] {
        let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
        assert_eq!(status(f.app.request(method.clone(), path)).await, 401, "{path}");
        assert_eq!(status(f.app.request_as(&customer, method.clone(), path)).await, 403, "{path}");
        let expected = if method == Method::GET { 200 } else { 400 };
        assert_eq!(status(f.app.request_as(&staff, method, path)).await, expected, "{path}");
    }
}

}
