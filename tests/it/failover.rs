//! Connections that break in the worst moments, and a server that takes no writes for a while.

use emporium::call::Role;
use emporium::config::DatabaseUrl;
use reqwest::Method;
use serde_json::{Value, json};

use crate::seed;
use crate::testapp::{Backend, TestApp, read};
use crate::wire::{Cut, Wire};

/// A shop on PostgreSQL whose connections go over a wire, with a SKU `A` of 10 units; and a staff member's token.
struct Wired {
    app: TestApp,
    wire: Wire,
    staff: String,
}

impl Wired {
    async fn start() -> Wired {
        let mut wire = None;
        let app = TestApp::start_with(Backend::Postgres, |config| {
            seed::quiet(config);
            config.inventory.database.pool_wait_ms = 1_000;
            let url = config.inventory.database.url.to_string();
            let (login, rest) = url.split_once('@').unwrap();
            let (server, database) = rest.split_once('/').unwrap();
            let over = Wire::to(server.parse().unwrap());
            let url = format!("{login}@{}/{database}?sslmode=disable&gssencmode=disable", over.address);
            config.inventory.database.url = DatabaseUrl::Postgres(url);
            wire = Some(over);
        })
        .await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let wired = Wired { app, wire: wire.unwrap(), staff };
        let sku = json!({ "code": "A", "price": { "amount": 100, "currency": "USD" } });
        wired.made("products", "1", json!({ "title": "A", "status": "active", "skus": [sku] })).await;
        wired.made("locations", "2", json!({ "code": "MAIN", "name": "Main" })).await;
        let rows = json!([{ "sku": "A", "location": "MAIN", "delta": 10, "reason": "first" }]);
        wired.made("stock/adjustments", "3", json!({ "rows": rows })).await;
        wired
    }

    /// Sends a call with a key; without one where it is empty.
    async fn send(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let mut request = self.app.request_as(&self.staff, Method::POST, &format!("/api/v1/{path}")).json(&body);
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        read(request.send().await.unwrap()).await
    }

    async fn made(&self, path: &str, key: &str, body: Value) {
        let (status, body) = self.send(path, key, body).await;
        assert!(status < 300, "{path}: {body}");
    }

    /// The number that a query gives, on a connection that goes past the wire.
    fn count(&self, query: &str) -> i64 {
        seed::number(&mut seed::connect(&self.app), query)
    }
}

fn one_of_a() -> Value {
    json!({ "lines": [{ "sku": "A", "quantity": 1 }] })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_with_a_key_outlives_a_cut_anywhere_and_happens_once() {
    let shop = Wired::start().await;
    let cuts = [
        Cut::Before("BEGIN"),
        Cut::After("BEGIN"),
        Cut::Before("UPDATE \"stock\""),
        Cut::After("INSERT INTO \"idempotency_keys\""),
        Cut::Before("COMMIT"),
        Cut::After("COMMIT"),
    ];
    for (n, cut) in (1..).zip(cuts) {
        // A connection knows a statement that it has seen: only a new one sends its words.
        shop.wire.hang_up();
        // After a second those that hang are found before they are used, and cost the call none of its tries.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        shop.wire.cut(cut);
        let key = format!("order-{n}");
        let (status, first) = shop.send("reservations", &key, one_of_a()).await;
        assert!(shop.wire.is_cut(), "{cut:?} never came");
        assert_eq!(status, 201, "{cut:?}: {first}");
        let (status, again) = shop.send("reservations", &key, one_of_a()).await;
        assert_eq!((status, &again["id"]), (201, &first["id"]), "{cut:?}");
        assert_eq!(shop.count("SELECT count(*) FROM reservations"), n, "{cut:?}");
        assert_eq!(shop.count("SELECT sum(reserved) FROM stock"), n, "{cut:?}");
    }
    shop.app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_without_a_key_is_never_repeated_when_nobody_knows() {
    let shop = Wired::start().await;
    let tools = |slug: &str| json!({ "name": "Tools", "slug": slug });
    for (cut, there) in [(Cut::Before("COMMIT"), 0), (Cut::After("COMMIT"), 1)] {
        shop.wire.cut(cut);
        let slug = format!("tools-{there}");
        let (status, problem) = shop.send("categories", "", tools(&slug)).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("outcome_unknown")), "{cut:?}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains("look before you repeat it"), "{problem}");
        assert_eq!(shop.count(&format!("SELECT count(*) FROM categories WHERE slug = '{slug}'")), there, "{cut:?}");
    }
    // Before COMMIT nothing has happened, so it is done again.
    shop.wire.cut(Cut::After("INSERT INTO \"categories\""));
    shop.made("categories", "", tools("tools")).await;
    assert!(shop.wire.is_cut());
    assert_eq!(shop.count("SELECT count(*) FROM categories WHERE slug = 'tools'"), 1);
    shop.app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_nobody_knows_is_not_told_as_nothing_when_the_database_stays_away() {
    let shop = Wired::start().await;
    shop.wire.cut_for_good(Cut::After("COMMIT"));
    let (status, problem) = shop.send("reservations", "order", one_of_a()).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("outcome_unknown")), "{problem}");
    // What was never sent is told so.
    let (status, problem) = shop.send("reservations", "other", one_of_a()).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("unavailable")), "{problem}");
    shop.wire.up();
    let mut tries = 0;
    let order = loop {
        let (status, order) = shop.send("reservations", "order", one_of_a()).await;
        if status == 201 {
            break order;
        }
        tries += 1;
        assert!(tries < 50, "the shop does not find the database again: {order}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(order["lines"][0]["quantity"], 1);
    assert_eq!(shop.count("SELECT count(*) FROM reservations"), 1, "the same key, the same reservation");
    shop.app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cut_within_a_copy_is_one_of_the_connection_too() {
    let shop = Wired::start().await;
    for (n, cut) in (1..).zip([Cut::Before("COPY"), Cut::After("COPY")]) {
        shop.wire.hang_up();
        shop.wire.cut(cut);
        let handle = format!("b-{n}");
        shop.made("products", &handle, json!({ "title": "B", "handle": handle })).await;
        assert!(shop.wire.is_cut(), "{cut:?} never came");
        assert_eq!(shop.count(&format!("SELECT count(*) FROM products WHERE handle = '{handle}'")), 1, "{cut:?}");
    }
    shop.app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_takes_no_writes_goes_on_being_read() {
    let shop = Wired::start().await;
    let name = shop.app.config.inventory.database.url.to_string();
    let name = name.rsplit_once('/').unwrap().1.split('?').next().unwrap().to_owned();
    let sessions = format!("SELECT sessions FROM pg_stat_database WHERE datname = '{name}'");
    let set = |value: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    seed::execute(&mut seed::connect(&shop.app), &set("on"));
    shop.wire.hang_up();
    let before = shop.count(&sessions);
    for n in 0..30 {
        let (status, problem) = shop.send("reservations", &format!("order-{n}"), one_of_a()).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("unavailable")), "{problem}");
        let read = shop.app.request(Method::GET, "/api/v1/products").send().await.unwrap();
        assert!(n == 0 || read.status() == 200, "{n}: {}", read.status());
    }
    // A session is counted when it ends. Each write finds it out on one or two new connections; the readers' stay.
    shop.wire.hang_up();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let made = shop.count(&sessions) - before;
    assert!(made < 150, "{made} connections were made for 30 writes and 30 reads");

    let mut conn = seed::connect(&shop.app);
    seed::execute(&mut conn, "SET default_transaction_read_only = off");
    seed::execute(&mut conn, &set("off"));
    let mut tries = 0;
    while shop.send("reservations", "order", one_of_a()).await.0 != 201 {
        tries += 1;
        assert!(tries < 20, "the shop does not find out that the server takes writes again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(shop.count("SELECT count(*) FROM reservations"), 1);
    shop.app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_quiet_moment_nobody_meets_a_connection_that_is_gone() {
    let shop = Wired::start().await;
    let products = async || shop.app.request(Method::GET, "/api/v1/products").send().await.unwrap().status();
    for _ in 0..3 {
        assert_eq!(products().await, 200);
        shop.wire.hang_up();
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    }
    assert_eq!(products().await, 200);
    assert_eq!(shop.send("reservations", "order", one_of_a()).await.0, 201);
    shop.app.shop.stop().await;
}
