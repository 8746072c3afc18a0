//! The admin pages about operations: what they show is true, what they do is done once, and who may not use them cannot.

use emporium::call::Role;
use emporium::clock::Id;
use emporium::inventory::{LedgerKind, LedgerQuery, NewReservation, NewReservationLine, Reservation};
use emporium::user::AddressFields;
use reqwest::Method;
use serde_json::{Value, json};

use crate::testapp::{Backend, TestApp, call, on_both, read};

mod orders;
mod people;
mod setup;
mod system;
mod visitor;

use visitor::Visitor;

/// A shop with mugs for $12 (10 of them), cups for $5 (3, which is low), and pots for $9 that are sold out.
async fn stocked(app: &TestApp) {
    let token = app.token("boss@example.com", Role::Admin).await;
    let post = async |path: &str, body: Value| {
        let request = app.request_as(&token, Method::POST, &format!("/api/v1{path}")).json(&body);
        let request = request.header("idempotency-key", uuid::Uuid::now_v7().to_string());
        let (status, body) = read(request.send().await.unwrap()).await;
        assert!(status < 300, "{path}: {body}");
    };
    post("/locations", json!({ "code": "MAIN", "name": "Main" })).await;
    for (title, code, price) in [("Blue Mug", "MUG", 1_200), ("Tea Cup", "CUP", 500), ("Flower Pot", "POT", 900)] {
        let threshold = if code == "CUP" { json!(5) } else { Value::Null };
        let sku =
            json!({ "code": code, "price": { "amount": price, "currency": "USD" }, "low_stock_threshold": threshold });
        post("/products", json!({ "title": title, "status": "active", "options": [], "skus": [sku] })).await;
    }
    let row = |sku, delta| json!({ "sku": sku, "location": "MAIN", "delta": delta, "reason": "first delivery" });
    post("/stock/adjustments", json!({ "rows": [row("MUG", 10), row("CUP", 3)] })).await;
}

/// Holds goods for a user.
async fn held(app: &TestApp, user: Id, sku: &str, quantity: i64) -> Reservation {
    let new = NewReservation {
        lines: vec![NewReservationLine { sku: sku.into(), location: None, quantity }],
        hold_seconds: None,
        allow_partial: false,
        holder: None,
        reference: String::new(),
    };
    app.shop.modules.inventory.reserve(&call(), format!("user:{user}"), new).await.unwrap().value
}

/// An order of a user.
async fn ordered(app: &TestApp, user: Id, sku: &str, quantity: i64) -> Reservation {
    let held = held(app, user, sku, quantity).await;
    app.shop.modules.inventory.reservation_commit(&call(), held.id).await.unwrap().value
}

fn home(name: &str) -> AddressFields {
    AddressFields {
        name: name.into(),
        company: String::new(),
        line1: "1 Mill Lane".into(),
        line2: String::new(),
        city: "Springfield".into(),
        region: String::new(),
        postal_code: "12345".into(),
        country: "US".into(),
        phone: String::new(),
    }
}

on_both! {
    async fn the_dashboard_tells_the_shop_as_it_is(backend: Backend) {
        // Each process keeps the figures for its own 15 seconds.
        let app = TestApp::start_alone(backend, |_| {}).await;
        let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        app.clock.stop();
        let page = staff.page("/admin").await;
        page.says("There are no products yet.");
        page.says("href=\"/admin/products\"");

        stocked(&app).await;
        let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        let order = ordered(&app, eve, "MUG", 2).await;
        held(&app, eve, "MUG", 1).await;
        // What takes reading all stock is asked for at most once in 15 seconds, and the page says when that was.
        let as_of = |page: &visitor::Shown| page.between("the states are as of ", ".</p>").to_owned();
        let first = as_of(&page);
        let on_hand = |page: &visitor::Shown| page.between(">Units on hand</a>", "</li>").contains(">13<");
        app.clock.advance(std::time::Duration::from_secs(14));
        let page = staff.page("/admin").await;
        assert_eq!((on_hand(&page), as_of(&page)), (false, first.clone()));
        app.clock.advance(std::time::Duration::from_secs(1));
        let page = staff.page("/admin").await;
        assert!(on_hand(&page) && as_of(&page) != first);
        page.is_silent_of("There are no products yet.");
        // 10 mugs and 3 cups are on the shelf: what is ordered is there until it is shipped.
        for (tile, figure, hint) in [
            ("Orders today", "1", "$24.00"),
            ("Stock value", "$135.00", "3 SKUs"),
            ("Units on hand", "13", "1 held, 2 to be shipped"),
            ("Low stock", "1", ""),
            ("Sold out", "1", ""),
        ] {
            let tile = page.between(&format!(">{tile}</a>"), "</li>");
            assert!(tile.contains(&format!("<span class=\"figure\">{figure}</span>")), "{tile}");
            assert!(tile.contains(hint), "{tile}");
        }
        page.says(&format!("<a href=\"/admin/orders/{}\">Blue Mug</a>", order.id));
        page.says("eve@example.com");
        page.says("<a href=\"/admin/stock/CUP\">CUP</a></th><td>MAIN</td><td class=\"n\">3</td>");
        for (state, count) in [("Held", 1), ("To be shipped", 1), ("Shipped", 0), ("Canceled", 0)] {
            page.says(&format!(">{state}</a></th><td class=\"n\">{count}</td>"));
        }
        // A tile's number is that of the rows to which it leads.
        for (stock, sku, product) in [("sold_out", "POT", "Flower Pot"), ("low", "CUP", "Tea Cup")] {
            page.says(&format!("<a href=\"/admin/skus?stock={stock}\">"));
            let list = staff.page(&format!("/admin/skus?stock={stock}")).await;
            assert_eq!(list.body.matches("<tr><th scope=\"row\">").count(), 1);
            list.says(&format!("<a href=\"/admin/stock/{sku}\">{sku}</a>"));
            list.says(product);
            assert_eq!(list.has("<td>MAIN</td>"), stock == "low");
        }
        assert_eq!(page.body.matches("<rect class=\"bar\"").count(), 14);
        page.says("One order in 14 days");
        // Today's row of the table that says the same as the bars.
        page.says("<td class=\"n\">1</td><td class=\"n\">2</td><td class=\"n\">$24.00</td>");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_counts_this_processes_requests() {
    let app = TestApp::start(Backend::Sqlite).await;
    let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
    let mut count = async || {
        let page = staff.page("/admin").await;
        let words = page.between("<desc id=\"requests-desc\">", "</desc>");
        let numbers: Vec<i64> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
        (numbers[0], numbers[1])
    };
    assert_eq!(count().await, (1, 0), "the log-in");
    for path in ["/search", "/api/v1/products", "/nowhere", "/livez", "/readyz", "/static/none.css"] {
        app.request(Method::GET, path).send().await.unwrap();
    }
    assert_eq!(count().await, (1 + 1 + 3, 0), "pages and the API; not health checks and files");
    app.clock.advance(std::time::Duration::from_secs(3_600));
    // The session of staff ends after half an hour of rest.
    let (mut staff, _) = Visitor::new(&app, "other@example.com", Role::Staff).await;
    staff.page("/admin").await.says("1 requests in the last hour, 0 of them errors.");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_room_is_for_those_who_may_use_it() {
    let app = TestApp::start(Backend::any()).await;
    let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
    let (mut staff, id) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
    let (mut eve, eve_id) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
    stocked(&app).await;
    let order = format!("/admin/orders/{}", ordered(&app, eve_id, "MUG", 1).await.id);
    let mut guest = Visitor::guest(&app);
    let user = format!("/admin/users/{id}");
    let rooms =
        [("/admin", true), ("/admin/orders", true), ("/admin/changes", true), ("/admin/users", false), (&*user, false)];
    let rooms = rooms.into_iter().chain([("/admin/keys", false), ("/admin/audit", false), ("/admin/system", false)]);
    for (room, is_for_staff) in rooms {
        admin.page(room).await.says("<main id=\"main\"");
        let shown = staff.get(room).await;
        assert_eq!(shown.status, if is_for_staff { 200 } else { 403 }, "{room}");
        assert_eq!(shown.has("You may not do this"), !is_for_staff, "{room}");
        shown.is_silent_of("href=\"/admin/users\"");
        assert_eq!(eve.get(room).await.status, 403, "{room}");
        let shown = guest.get(room).await;
        assert_eq!(shown.status, 303);
        assert!(shown.to().starts_with("/login?next=%2Fadmin"), "{}", shown.to());
    }
    for (path, fields) in [
        (&*user, [("disabled", "true")]),
        ("/admin/keys", [("name", "Mine")]),
        (&*format!("{user}/sessions"), [("session", "all")]),
    ] {
        assert_eq!(staff.submit(&order, &[], path, &fields).await.status, 403, "{path}");
        // Without the token that its page has, nobody's form is taken.
        assert_eq!(admin.post(path, &fields).await.status, 403, "{path}");
    }
    assert!(!app.shop.modules.user.profile_get(id).await.unwrap().unwrap().disabled);
    app.stop().await;
}

/// The ledger of a SKU: only what was shipped, as (units, who).
async fn shipped(app: &TestApp, sku: &str) -> Vec<(i64, String)> {
    let ledger = app.shop.modules.inventory.ledger(sku, LedgerQuery::default()).await.unwrap().unwrap();
    let entries = ledger.items.into_iter().filter(|entry| entry.kind == LedgerKind::Shipped);
    entries.map(|entry| (-entry.delta.on_hand, entry.actor)).collect()
}
