//! Orders: found, shipped, cancelled; each step once.

use emporium::call::{Call, Role};
use emporium::config::Secret;
use emporium::inventory::{
    Money, NewReservation, NewReservationLine, ProductPatch, ProductStatus, ReservationState, Shipment, ShipmentLine,
    SkuPatch,
};
use emporium::user::{AccountDeletion, Origin};

use super::{Visitor, held, home, ordered, shipped, stocked};
use crate::browser::{Browser, Setup};
use crate::testapp::{Backend, PASSWORD, TestApp, call, on_both};

on_both! {
    async fn what_is_shipped_stands_in_the_ledger_once(backend: Backend) {
        let app = TestApp::start(backend).await;
        stocked(&app).await;
        let (mut staff, staff_id) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        let order = ordered(&app, eve, "MUG", 3).await;
        app.shop.modules.user.delivery_set(&call(), eve, order.id, home("Eve Adams")).await.unwrap();
        let inventory = &app.shop.modules.inventory;
        let (page, ship) = (format!("/admin/orders/{}", order.id), format!("/admin/orders/{}/ship", order.id));

        let shown = staff.page(&page).await;
        for text in ["Blue Mug", "MUG from MAIN", "3 left to ship", "$36.00", "Eve Adams", "1 Mill Lane", "eve@example.com"] {
            shown.says(text);
        }
        // Staff have no business with accounts.
        shown.is_silent_of("/admin/users/");
        let line = [("lines.0.sku", "MUG"), ("lines.0.location", "MAIN")];
        let fields = |quantity| [line[0], line[1], ("lines.0.quantity", quantity)];

        for (quantity, told) in [("9", "Only 3 are left to ship"), ("0", "Choose at least one unit"), ("-1", "must be 0 or more"), ("x", "Please enter a whole number.")] {
            let refused = staff.submit(&page, &["key", "version"], &ship, &fields(quantity)).await;
            assert_eq!(refused.status, 422, "{quantity}");
            refused.says(told);
            refused.says("id=\"f-lines-0-quantity-fault\"");
            refused.says(&format!("value=\"{quantity}\""));
        }
        assert_eq!(shipped(&app, "MUG").await, []);

        // A double click: the same form twice.
        let (key, version, token) = (shown.hidden("key"), shown.hidden("version"), shown.hidden("form_token"));
        let form = [line[0], line[1], ("lines.0.quantity", "1"), ("version", &*version), ("key", &*key), ("form_token", &*token)];
        for said in ["Shipped.", "was not done a second time"] {
            let answer = staff.post(&ship, &form).await;
            assert_eq!((answer.status, answer.to()), (303, &*page), "{}", answer.body);
            staff.page(&page).await.says(said);
        }
        let actor = format!("user:{staff_id}");
        assert_eq!(shipped(&app, "MUG").await, [(1, actor.clone())]);

        let shown = staff.page(&page).await;
        shown.says("2 left to ship");
        let history = shown.between("Who changed it", "</table>");
        assert!(history.contains(">Partly shipped<") && history.contains(">staff@example.com<"), "{history}");
        assert!(history.contains("<code>MUG</code> Shipped: 0 → 1"), "{history}");
        let done = staff.submit(&page, &["key", "version"], &ship, &fields("2")).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(shipped(&app, "MUG").await, [(2, actor.clone()), (1, actor)]);
        assert_eq!(inventory.reservation_get(order.id).await.unwrap().unwrap().state, ReservationState::Shipped);

        // Nothing is left to be done with it.
        let shown = staff.page(&page).await;
        shown.is_silent_of("name=\"key\"");
        let form = [("key", &*key), ("form_token", &*token)];
        let refused = staff.post(&format!("{page}/cancel"), &form).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        refused.says("Its state does not allow this any more.");
        app.stop().await;
    }

    async fn changes_are_told_in_words(backend: Backend) {
        let app = TestApp::start(backend).await;
        stocked(&app).await;
        let (mut staff, id) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let by_staff = Call::by(format!("user:{id}"));
        let patch = SkuPatch { price: Some(Money { amount: 1150, currency: "USD".into() }), taxable: Some(false), ..Default::default() };
        app.shop.modules.inventory.sku_update(&by_staff, "MUG", None, patch).await.unwrap();
        let product = app.shop.modules.inventory.product_get("blue-mug".into()).await.unwrap().unwrap();
        let patch = ProductPatch { status: Some(ProductStatus::Archived), ..Default::default() };
        app.shop.modules.inventory.product_update(&by_staff, "blue-mug".into(), None, patch).await.unwrap();

        let page = staff.page("/admin/changes").await;
        page.says(&format!("<a href=\"/admin/products/{}\">blue-mug</a>", product.id));
        page.says("<code>MUG</code> Price: $12.00 → $11.50");
        page.says("<code>MUG</code> Is taxed: Yes → No");
        page.says("Status: Active → Archived");
        page.says("Location made");
        let page = staff.page(&format!("/admin/changes?subject={}", product.id)).await;
        page.says("Changes of “blue-mug”");
        page.is_silent_of("Location made");
        staff.page(&format!("/admin/products/{}", product.id)).await.says(&format!("/admin/changes?subject={}", product.id));
        assert_eq!(staff.get("/admin/changes?cursor=x").await.status, 400);
        app.stop().await;
    }

    async fn orders_are_found_by_state_and_holder(backend: Backend) {
        let app = TestApp::start(backend).await;
        stocked(&app).await;
        let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let (_, eve) = Visitor::new(&app, "Eve.Adams@example.com", Role::Customer).await;
        let (_, max) = Visitor::new(&app, "max@example.com", Role::Customer).await;
        let order = ordered(&app, eve, "MUG", 1).await.id;
        let other = ordered(&app, max, "MUG", 1).await.id;
        let hold = held(&app, eve, "MUG", 1).await.id;
        let eves = format!("user%3A{eve}");
        let found = staff.get(&format!("/admin/orders?holder={order}")).await;
        assert_eq!((found.status, found.to()), (303, &*format!("/admin/orders/{order}")));
        staff.page(&format!("/admin/orders?holder={max}")).await.is_silent_of("<tbody>");
        for (query, expected) in [
            ("", vec![other, order]),
            ("?show=holds", vec![hold]),
            ("?show=all", vec![hold, other, order]),
            ("?show=all&state=held", vec![hold]),
            ("?show=orders&state=held", vec![hold]),
            ("?state=shipped", vec![]),
            ("?holder=eve.adams%40example.com", vec![order]),
            (&*format!("?show=all&holder={eves}"), vec![hold, order]),
        ] {
            let page = staff.page(&format!("/admin/orders{query}")).await;
            let rows = page.body.split("<a href=\"/admin/orders/").skip(1);
            let found: Vec<String> = rows.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
            assert_eq!(found, expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{query}");
        }
        let page = staff.get("/admin/orders?holder=nobody%40example.com").await;
        assert_eq!(page.status, 422);
        page.says("Nobody has this address.");
        page.says("id=\"f-holder-fault\"");
        let page = staff.get("/admin/orders?holder=a%20b").await;
        assert_eq!(page.status, 422);
        page.says("id=\"f-holder-fault\"");
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        for list in ["orders", "users", "audit", "keys", "products", "stock", "imports"] {
            assert_eq!(admin.get(&format!("/admin/{list}?cursor=nonsense")).await.status, 400, "{list}");
        }
        admin.get("/admin/orders?cursor=nonsense").await.says("There is a problem");
        app.stop().await;
    }

    async fn what_is_sent_in_part_reads_so(backend: Backend) {
        let app = TestApp::start(backend).await;
        stocked(&app).await;
        let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        let inventory = &app.shop.modules.inventory;
        let line = |sku: &str| NewReservationLine { sku: sku.into(), location: None, quantity: 3 };
        let new = NewReservation {
            lines: vec![line("MUG"), line("CUP")],
            hold_seconds: None,
            allow_partial: false,
            holder: None,
            reference: String::new(),
        };
        let order = inventory.reserve(&call(), format!("user:{eve}"), new).await.unwrap().value.id;
        inventory.reservation_commit(&call(), order).await.unwrap();
        let path = format!("/admin/orders/{order}");
        for page in ["/admin/orders", &*path] {
            staff.page(page).await.says(">To be shipped</span>");
        }
        let part = ShipmentLine { sku: "MUG".into(), location: "MAIN".into(), quantity: 2 };
        inventory.reservation_ship(&call(), order, Shipment { lines: Some(vec![part]), version: None }).await.unwrap();
        for page in ["/admin/orders", &*path] {
            let page = staff.page(page).await;
            page.says(">Partly shipped</span>");
            page.says("$51.00");
        }
        let mut is_listed = async |state: &str| staff.page(&format!("/admin/orders?state={state}")).await.has(&path);
        assert!(is_listed("partly-shipped").await && is_listed("committed").await && !is_listed("partly-cancelled").await);
        inventory.reservation_cancel(&call(), order).await.unwrap();
        assert!(is_listed("partly-cancelled").await && is_listed("cancelled").await && !is_listed("partly-shipped").await);
        for page in ["/admin/orders", &*path] {
            let page = staff.page(page).await;
            page.says(">Partly canceled</span>");
            page.says("$24.00");
            page.is_silent_of("$51.00");
        }
        let page = staff.page(&path).await;
        page.says("Total of what was shipped");
        // Ordered, shipped, cancelled.
        page.says("<td class=\"n\">3</td><td class=\"n\">2</td><td class=\"n\">1</td>");
        page.says("<td class=\"n\">3</td><td class=\"n\">0</td><td class=\"n\">3</td>");
        app.stop().await;
    }

    async fn whose_an_order_is_and_where_it_was_placed_is_said_in_words(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let list = staff.page("/admin/orders").await;
        list.says("There are no orders yet.");
        list.says("<details class=\"fold sieve\"><summary>Filters</summary>");
        let list = staff.page("/admin/orders?state=shipped").await;
        list.says("Nothing fits.");
        list.says("<details class=\"fold sieve\" open>");
        staff.page("/admin/stock").await.says("Nothing was ever in stock yet.");
        staff.page("/admin/stock?sku=X").await.says("There is no such stock.");
        staff.page("/admin/prices").await.says("There are no products yet.");

        stocked(&app).await;
        let inventory = &app.shop.modules.inventory;
        let (eve, id) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        drop(eve);
        let order = async |holder: String, reference: &str| {
            let new = NewReservation {
                lines: vec![NewReservationLine { sku: "MUG".into(), location: None, quantity: 1 }],
                hold_seconds: None,
                allow_partial: false,
                holder: None,
                reference: reference.into(),
            };
            let held = inventory.reserve(&call(), holder, new).await.unwrap().value;
            inventory.reservation_commit(&call(), held.id).await.unwrap();
            format!("/admin/orders/{}", held.id)
        };
        let own = order(format!("user:{id}"), "checkout").await;
        let shown = staff.page(&own).await;
        shown.says("<dt>Through</dt><dd>The shop’s checkout</dd>");
        shown.is_silent_of("<dt>Reference</dt>");
        // A program's shopper is nobody of the shop's, whatever it calls him.
        let other = order("system".into(), "A-17").await;
        let shown = staff.page(&other).await;
        shown.says("<dt>Reference</dt><dd>A-17</dd>");
        staff.page("/admin/orders").await.says("<code>system</code>");

        let deletion = AccountDeletion { current_password: Secret::new(PASSWORD) };
        app.shop.modules.user.account_delete(&Origin::default(), id, deletion).await.unwrap();
        for page in ["/admin", "/admin/orders", &*own] {
            let page = staff.page(page).await;
            page.says("Deleted customer");
            page.is_silent_of("eve@example.com");
        }
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        admin.page("/admin/audit").await.says(&format!("Deleted account <code class=\"hint\">user:{id}</code>"));
        app.stop().await;
    }

    async fn a_stale_page_ships_nothing(backend: Backend) {
        let app = TestApp::start(backend).await;
        stocked(&app).await;
        let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        let inventory = &app.shop.modules.inventory;
        let line = |sku: &str| NewReservationLine { sku: sku.into(), location: None, quantity: 3 };
        let new = NewReservation {
            lines: vec![line("MUG"), line("CUP")],
            hold_seconds: None,
            allow_partial: false,
            holder: None,
            reference: String::new(),
        };
        let order = inventory.reserve(&call(), format!("user:{eve}"), new).await.unwrap().value;
        inventory.reservation_commit(&call(), order.id).await.unwrap();
        let (first, second) = (&*order.lines[0].sku, &*order.lines[1].sku);
        let (page, ship) = (format!("/admin/orders/{}", order.id), format!("/admin/orders/{}/ship", order.id));
        let shown = staff.page(&page).await;
        let token = shown.hidden("form_token");
        let fields = |key: &str, version: &str, quantities: [&str; 2]| {
            let mut fields = vec![("form_token", token.clone()), ("key", key.into()), ("version", version.into())];
            fields.extend([("lines.0.sku", first.into()), ("lines.0.location", "MAIN".into())]);
            fields.extend([("lines.1.sku", second.into()), ("lines.1.location", "MAIN".into())]);
            fields.extend([("lines.0.quantity", quantities[0].into()), ("lines.1.quantity", quantities[1].into())]);
            fields.retain(|(_, value): &(&str, String)| !value.is_empty());
            fields
        };
        let mut post = async |fields: Vec<(&str, String)>| {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            staff.post(&ship, &fields).await
        };

        // A colleague has the same page, and is quicker.
        let (key, version) = (shown.hidden("key"), shown.hidden("version"));
        let line = ShipmentLine { sku: first.into(), location: "MAIN".into(), quantity: 3 };
        let shipment = Shipment { lines: Some(vec![line]), version: None };
        inventory.reservation_ship(&call(), order.id, shipment).await.unwrap();
        for quantities in [["2", "0"], ["0", "1"]] {
            let refused = post(fields(&key, &version, quantities)).await;
            assert_eq!(refused.status, 409, "{}", refused.body);
            refused.says("Somebody else has changed this order");
            refused.is_silent_of("name=\"lines.0.");
            // What was typed for a line is not shown at another.
            let field = refused.between("id=\"f-lines-1-quantity\"", ">");
            assert!(field.contains(&format!("value=\"{}\"", quantities[1])), "{field}");
        }
        let refused = post(fields(&key, &version, ["2", "x"])).await;
        assert_eq!((refused.status, refused.hidden("version")), (422, version.clone()), "the order as it is now is still to be shown");
        refused.says("id=\"f-lines-1-quantity-fault\"");
        for (key, version) in [("", &*version), ("mine", &*version), (&*key, "")] {
            assert_eq!(post(fields(key, version, ["", "1"])).await.status, 400, "{key} {version}");
        }
        assert_eq!(shipped(&app, second).await, []);

        let refused = post(fields(&key, &version, ["", "1"])).await;
        let done = post(fields(&refused.hidden("key"), &refused.hidden("version"), ["", "1"])).await;
        assert_eq!(done.status, 303, "{}", done.body);
        let units: Vec<i64> = shipped(&app, second).await.into_iter().map(|(units, _)| units).collect();
        assert_eq!(units, [1]);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_extended_committed_cancelled_or_released() {
    let app = TestApp::start(Backend::any()).await;
    stocked(&app).await;
    let (mut staff, _) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
    let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
    let inventory = &app.shop.modules.inventory;
    let first = held(&app, eve, "MUG", 2).await;
    let page = format!("/admin/orders/{}", first.id);
    let mut step = async |id: emporium::clock::Id, step: &str| {
        let page = format!("/admin/orders/{id}");
        let done = staff.submit(&page, &["key"], &format!("{page}/{step}"), &[]).await;
        assert_eq!((done.status, done.to()), (303, &*page), "{step}: {}", done.body);
    };
    app.clock.advance(std::time::Duration::from_secs(60));
    step(first.id, "extend").await;
    assert!(inventory.reservation_get(first.id).await.unwrap().unwrap().expires_at > first.expires_at);
    step(first.id, "commit").await;
    assert_eq!(inventory.reservation_get(first.id).await.unwrap().unwrap().state, ReservationState::Committed);
    step(first.id, "cancel").await;
    assert_eq!(inventory.reservation_get(first.id).await.unwrap().unwrap().state, ReservationState::Cancelled);
    let second = held(&app, eve, "MUG", 2).await;
    step(second.id, "release").await;
    assert_eq!(inventory.reservation_get(second.id).await.unwrap().unwrap().state, ReservationState::Released);

    // Its time is over, and somebody else has the goods.
    let third = held(&app, eve, "CUP", 3).await;
    app.clock.advance(std::time::Duration::from_secs(1_000));
    ordered(&app, eve, "CUP", 3).await;
    let late = format!("/admin/orders/{}", third.id);
    let refused = staff.submit(&late, &["key"], &format!("{late}/commit"), &[]).await;
    assert_eq!(refused.status, 409);
    refused.says("these goods are not there any more: CUP");
    for path in [format!("{page}/vanish"), "/admin/orders/nonsense/ship".to_owned()] {
        assert_eq!(staff.submit(&late, &["key"], &path, &[("lines.0.quantity", "1")]).await.status, 404, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_phone_totals_are_in_sight_and_filters_are_folded() {
    let app = TestApp::start(Backend::any()).await;
    stocked(&app).await;
    let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
    ordered(&app, eve, "MUG", 2).await;
    for (width, is_folded) in [(360, true), (1_280, false)] {
        let browser = Browser::open_with(&app, Setup { width, ..Setup::default() }).await;
        browser.login("boss@example.com", PASSWORD).await;
        browser.find("a[href='/admin']").await;
        browser.go("/admin/orders").await;
        let script = "const cell = [...document.querySelectorAll('td')].find(cell => cell.textContent == '$24.00');
            return [cell.getBoundingClientRect().right <= innerWidth, document.querySelector('#f-holder').checkVisibility()]";
        let seen = browser.client.execute(script, vec![]).await.unwrap();
        assert_eq!(seen, serde_json::json!([true, !is_folded]), "{width}");
        browser.audit().await;
        browser.close().await;
    }
    app.stop().await;
}
