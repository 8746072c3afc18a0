//! The log of changes: who changed what in the catalogue, and who did what with somebody's order.

use emporium::call::{Call, Role};
use emporium::clock::Id;
use emporium::inventory::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::bulk::Local;
use crate::reservation::Warehouse;
use crate::testapp::{TestApp, on_both, read};

/// What the log has of a thing or of all, oldest first.
async fn log(inventory: &dyn Inventory, subject: Option<Id>) -> Vec<Change> {
    let page = inventory.change_list(ChangeQuery { subject, ..Default::default() }).await.unwrap();
    page.items.into_iter().rev().collect()
}

/// A change as `(field, SKU, from, to)`.
fn fields(change: &Change) -> Vec<(&str, Option<&str>, Value, Value)> {
    let fields = change.fields.iter();
    fields.map(|field| (field.field.as_str(), field.sku.as_deref(), field.from.clone(), field.to.clone())).collect()
}

fn actions(changes: &[Change]) -> Vec<(&str, &str, &str)> {
    changes.iter().map(|change| (change.action.as_str(), change.subject.as_str(), change.actor.as_str())).collect()
}

fn dollars(amount: i64) -> Money {
    Money { amount, currency: "USD".into() }
}

fn ann() -> Call {
    Call::by("user:ann")
}

fn shirt() -> NewProduct {
    let sku = json!({ "code": "SHIRT", "price": { "amount": 1000, "currency": "USD" } });
    serde_json::from_value(json!({ "title": "Shirt", "skus": [sku] })).unwrap()
}

on_both! {
    async fn a_product_remembers_who_changed_what(backend: Backend) {
        let app = TestApp::start(backend).await;
        let inventory = &app.shop.modules.inventory;
        let id = inventory.product_create(&ann(), shirt()).await.unwrap().value.id;
        let long = format!("<p>{}</p>", "word ".repeat(100));
        let patch = ProductPatch { title: Some("Blue shirt".into()), description_html: Some(long), ..Default::default() };
        inventory.product_update(&Call::by("user:max"), ProductKey::Id(id), None, patch).await.unwrap();
        let patch = SkuPatch { price: Some(dollars(900)), ..Default::default() };
        inventory.sku_update(&ann(), "SHIRT", None, patch).await.unwrap();
        let version = inventory.sku_get("SHIRT").await.unwrap().unwrap().0.version;
        let row = PriceChange { sku: "SHIRT".into(), version, price: dollars(800), compare_at_price: Some(dollars(900)) };
        inventory.prices_set(&Call::by("key:x"), PriceBatch { rows: vec![row] }).await.unwrap();
        inventory.sku_delete(&ann(), "SHIRT", None).await.unwrap();
        inventory.product_delete(&ann(), ProductKey::Id(id), None).await.unwrap();

        let changes = log(&**inventory, Some(id)).await;
        assert_eq!(actions(&changes), [
            ("product.created", "shirt", "user:ann"),
            ("product.updated", "shirt", "user:max"),
            ("product.updated", "shirt", "user:ann"),
            ("product.updated", "shirt", "key:x"),
            ("product.updated", "shirt", "user:ann"),
            ("product.deleted", "shirt", "user:ann"),
        ]);
        // Of what is long only that it changed.
        let mut first = fields(&changes[1]);
        first.sort_by_key(|field| field.0);
        assert_eq!(first, [
            ("description_html", None, Value::Null, Value::Null),
            ("title", None, json!("Shirt"), json!("Blue shirt")),
        ]);
        assert_eq!(fields(&changes[2]), [("price", Some("SHIRT"), json!(dollars(1000)), json!(dollars(900)))]);
        let mut prices = fields(&changes[3]);
        prices.sort_by_key(|field| field.0);
        assert_eq!(prices, [
            ("compare_at_price", Some("SHIRT"), Value::Null, json!(dollars(900))),
            ("price", Some("SHIRT"), json!(dollars(900)), json!(dollars(800))),
        ]);
        assert_eq!(fields(&changes[4]), [("sku", Some("SHIRT"), json!("SHIRT"), Value::Null)]);
        app.stop().await;
    }

    async fn a_refused_change_leaves_no_note(backend: Backend) {
        let app = TestApp::start(backend).await;
        let inventory = &app.shop.modules.inventory;
        let id = inventory.product_create(&ann(), shirt()).await.unwrap().value.id;
        inventory.product_create(&ann(), NewProduct { title: "Hat".into(), skus: vec![], ..shirt() }).await.unwrap();
        let patch = ProductPatch { handle: Some("hat".into()), ..Default::default() };
        inventory.product_update(&ann(), ProductKey::Id(id), None, patch).await.unwrap_err();
        assert_eq!(log(&**inventory, Some(id)).await.len(), 1);
        app.stop().await;
    }

    async fn categories_and_locations_remember_it_too(backend: Backend) {
        let app = TestApp::start(backend).await;
        let inventory = &app.shop.modules.inventory;
        let new = NewCategory { parent_id: None, slug: None, name: "Tools".into(), position: 0 };
        let category = inventory.category_create(&ann(), new).await.unwrap().value.id;
        let patch = CategoryPatch { name: Some("Old tools".into()), ..Default::default() };
        inventory.category_update(&ann(), category, None, patch).await.unwrap();
        inventory.category_delete(&ann(), category, None).await.unwrap();
        let new = NewLocation { code: "MAIN".into(), name: "Main".into(), address: Default::default(), priority: 0 };
        let location = inventory.location_create(&ann(), new).await.unwrap().value.id;
        let patch = LocationPatch { active: Some(false), ..Default::default() };
        inventory.location_update(&Call::by("user:max"), "MAIN", None, patch).await.unwrap();

        let changes = log(&**inventory, Some(category)).await;
        let expected = ["category.created", "category.updated", "category.deleted"].map(|act| (act, "tools", "user:ann"));
        assert_eq!(actions(&changes), expected);
        assert_eq!(fields(&changes[1]), [("name", None, json!("Tools"), json!("Old tools"))]);
        let changes = log(&**inventory, Some(location)).await;
        assert_eq!(actions(&changes), [("location.created", "MAIN", "user:ann"), ("location.updated", "MAIN", "user:max")]);
        assert_eq!(fields(&changes[1]), [("active", None, json!(true), json!(false))]);
        app.stop().await;
    }

    async fn an_import_is_noted_at_what_it_changed(backend: Backend) {
        let local = Local::with_location(backend).await;
        let line = |title: &str| {
            let sku = json!({ "code": "SHIRT", "price": { "amount": 1000, "currency": "USD" } });
            format!("{}\n", json!({ "type": "product", "handle": "shirt", "title": title, "category": "tools", "skus": [sku] }))
        };
        for title in ["Shirt", "Shirt", "Blue shirt"] {
            let (report, faults) = local.import(BulkFormat::Jsonl, line(title).as_bytes()).await;
            assert_eq!((faults, report.rows_failed), (vec![], 0));
        }
        let id = local.product("shirt").await.id;
        let changes = log(&*local.inventory, Some(id)).await;
        assert_eq!(actions(&changes), [("product.created", "shirt", "test"), ("product.updated", "shirt", "test")]);
        assert_eq!(fields(&changes[1]), [("title", None, json!("Shirt"), json!("Blue shirt"))]);
        let all = log(&*local.inventory, None).await;
        assert!(actions(&all).contains(&("category.created", "tools", "test")), "{all:?}");
    }

    async fn of_an_order_it_is_noted_what_others_did(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 10).await;
        let lines = || serde_json::from_value(json!({ "lines": [{ "sku": "A", "quantity": 3 }], "reference": "N-1" })).unwrap();
        let (eve, max, program) = (Call::by("user:eve"), Call::by("user:max"), Call::by("key:shop"));
        let inventory = &shop.inventory;

        // A shopper's own steps, and those of a program that sells, are no news; what staff do is.
        let own = inventory.reserve(&eve, "user:eve".into(), lines()).await.unwrap().value.id;
        inventory.reservation_commit(&eve, own).await.unwrap();
        let sold = inventory.reserve(&program, "cart-7".into(), lines()).await.unwrap().value.id;
        inventory.reservation_commit(&program, sold).await.unwrap();
        let helped = inventory.reserve(&max, "user:eve".into(), lines()).await.unwrap().value.id;
        inventory.reservation_release(&max, helped).await.unwrap();
        assert_eq!(log(&**inventory, Some(own)).await, []);
        assert_eq!(log(&**inventory, Some(sold)).await, []);
        let changes = log(&**inventory, Some(helped)).await;
        assert_eq!(actions(&changes), [("reservation.held", "N-1", "user:max"), ("reservation.released", "N-1", "user:max")]);

        let some = ShipmentLine { sku: "A".into(), location: "EAST".into(), quantity: 1 };
        let shipment = Shipment { lines: Some(vec![some]), version: None };
        inventory.reservation_ship(&max, own, shipment).await.unwrap();
        inventory.reservation_cancel(&eve, own).await.unwrap();
        inventory.reservation_ship(&program, sold, Shipment::default()).await.unwrap();
        // A step into the state that is there already is none.
        inventory.reservation_cancel(&max, own).await.unwrap();
        let changes = log(&**inventory, Some(own)).await;
        assert_eq!(actions(&changes), [
            ("reservation.partly_shipped", "N-1", "user:max"),
            ("reservation.cancelled", "N-1", "user:eve"),
        ]);
        assert_eq!(fields(&changes[0]), [("shipped", Some("A"), json!(0), json!(1))]);
        let changes = log(&**inventory, Some(sold)).await;
        assert_eq!(actions(&changes), [("reservation.shipped", "N-1", "key:shop")]);
        assert_eq!(fields(&changes[0]), [("shipped", Some("A"), json!(0), json!(3))]);
        shop.into_app().shop.stop().await;
    }

    async fn the_log_is_read_in_pages(backend: Backend) {
        let app = TestApp::start(backend).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let customer = app.token("eve@example.com", Role::Customer).await;
        let inventory = &app.shop.modules.inventory;
        for title in ["One", "Two", "Three"] {
            inventory.product_create(&ann(), NewProduct { title: title.into(), skus: vec![], ..shirt() }).await.unwrap();
        }
        let get = async |token: &str, query: &str| {
            read(app.request_as(token, Method::GET, &format!("/api/v1/change-log{query}")).send().await.unwrap()).await
        };
        let (mut query, mut subjects) = ("?limit=2".to_owned(), vec![]);
        loop {
            let (status, page) = get(&staff, &query).await;
            assert_eq!(status, 200, "{page}");
            subjects.extend(page["items"].as_array().unwrap().iter().map(|change| change["subject"].clone()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=2&cursor={cursor}");
        }
        assert_eq!(subjects, ["three", "two", "one"]);
        for (query, status) in [("?cursor=x", 400), ("?limit=0", 422), ("?subject=x", 422), ("?actor=x", 400)] {
            assert_eq!(get(&staff, query).await.0, status, "{query}");
        }
        assert_eq!(get(&customer, "").await.0, 403);
        app.stop().await;
    }
}
