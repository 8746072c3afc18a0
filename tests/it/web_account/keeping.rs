//! What a person keeps here: profile, addresses, data; and the end of it.

use std::collections::BTreeSet;

use emporium::inventory::{Adjustment, Counter, NewReservation, NewReservationLine, StockBatch};
use serde_json::{Value, json};

use super::browser::Shown;
use super::*;
use crate::seed;

const ADDRESS: [(&str, &str); 5] =
    [("name", "Ann Example"), ("line1", "Long Street 1"), ("city", "Oslo"), ("postal_code", "0150"), ("country", "NO")];

/// Ids and versions of the addresses on the page, in their order.
fn versions(page: &Shown) -> Vec<(String, String)> {
    let parts = page.body.split("name=\"version\" value=\"").skip(1);
    let versions = parts.map(|rest| rest.split('"').next().unwrap().to_owned());
    versions.map(|version| (version.rsplit_once('-').unwrap().0.to_owned(), version)).collect()
}

/// The fields of [`ADDRESS`] with some others in their place.
fn with<'a>(version: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let rest = ADDRESS.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    [&[("version", version)], changes].concat().into_iter().chain(rest.copied()).collect()
}

/// Puts units of a SKU into stock.
async fn stock(app: &TestApp) {
    let mut conn = seed::connect(app);
    seed::sku(&mut conn, "A", 0, None);
    seed::location(&mut conn, "EAST");
    let row = Adjustment {
        sku: "A".into(),
        location: "EAST".into(),
        counter: Counter::OnHand,
        delta: 1_000,
        reason: "delivery".into(),
    };
    app.shop.modules.inventory.stock_adjust(&call(), StockBatch { atomic: true, rows: vec![row] }).await.unwrap();
}

/// Holds one of them for a person.
async fn hold(app: &TestApp, user: Id) -> Id {
    let new = NewReservation {
        lines: vec![NewReservationLine { sku: "A".into(), location: None, quantity: 1 }],
        hold_seconds: None,
        allow_partial: false,
        holder: None,
        reference: String::new(),
    };
    app.shop.modules.inventory.reserve(&call(), format!("user:{user}"), new).await.unwrap().value.id
}

on_both! {
    async fn two_changes_of_a_profile_do_not_overwrite_each_other(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let version = ann.get("/account/profile").await.hidden("version").to_owned();
        ann.post("/account/profile", &[("name", "First"), ("phone", "12341"), ("version", &version)]).await;
        let page = ann.post("/account/profile", &[("name", "Second"), ("phone", "12342"), ("version", &version)]).await;
        assert_eq!(page.status, 412);
        page.says("value=\"Second\"");
        page.says("<dd>First</dd>");
        // Each field says what is there now.
        assert!(page.has_fault("name") && page.has_fault("phone"));
        page.says("<p class=\"fault\" id=\"f-name-fault\">Now it is: First</p>");
        page.says("<a href=\"#f-phone\">Phone: Now it is: 12341</a>");
        // Now that both are seen, the second may take the place of the first.
        let fresh = page.hidden("version").to_owned();
        assert_ne!(fresh, version);
        let saved = ann.post("/account/profile", &[("name", "Second"), ("phone", "12342"), ("version", &fresh)]).await;
        assert_eq!(saved.status, 303);
        let page = ann.get("/account/profile").await;
        let version = page.hidden("version").to_owned();
        page.says("value=\"Second\"");

        let page = ann.post("/account/profile", &[("name", "Ann"), ("phone", "not a phone <b>"), ("version", &version)]).await;
        assert!(page.status == 422 && page.has_fault("phone"));
        let long = "x".repeat(201);
        let page = ann.post("/account/profile", &[("name", &long), ("phone", "a\u{7}b"), ("version", &version)]).await;
        assert!(page.status == 422 && page.has_fault("name") && page.has_fault("phone"));
        assert_eq!(page.hidden("version"), version);
        assert_eq!(ann.post("/account/profile", &[("name", "X"), ("version", "7")]).await.status, 400);
    }

    async fn addresses_come_and_go(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        ann.get("/account/addresses").await.says("There are no addresses yet");
        assert_eq!(ann.post("/account/addresses", &ADDRESS).await.to(), "/account/addresses");
        ann.post("/account/addresses", &with("", &[("line1", "Short Street 2")])).await;
        let page = ann.get("/account/addresses").await;
        page.says("Ann Example\nLong Street 1\nOslo, 0150\nNorway");
        let lines = versions(&page);
        let [(first, first_version), (second, second_version)] = &lines[..] else { panic!("{lines:?}") };
        page.is_silent_of(&format!("/account/addresses/{first}/default"));
        assert_eq!(ann.post(&format!("/account/addresses/{second}/default"), &[]).await.status, 303);
        let page = ann.get("/account/addresses").await;
        page.is_silent_of(&format!("/account/addresses/{second}/default"));
        assert_eq!(versions(&page)[0].0, *second);

        // Both have changed since their versions were seen: one is the default now, the other no longer.
        let (edit, delete) = (format!("/account/addresses/{second}"), format!("/account/addresses/{first}/delete"));
        let page = ann.post(&edit, &with(second_version, &[("city", "Bergen")])).await;
        assert_eq!(page.status, 412);
        page.says("value=\"Bergen\"");
        page.says("<address>Ann Example\nShort Street 2\nOslo");
        page.says("id=\"f-city-fault\">Now it is: Oslo</p>");
        assert!(!page.has_fault("name") && !page.has_fault("country"));
        let fresh = page.hidden("version").to_owned();
        assert_eq!(ann.post(&edit, &with(&fresh, &[("city", "Bergen")])).await.status, 303);
        ann.get(&edit).await.says("value=\"Bergen\"");
        assert_eq!(ann.post(&delete, &[("version", first_version)]).await.status, 412);
        let fresh = versions(&ann.get("/account/addresses").await)[1].1.clone();
        assert_eq!(ann.post(&delete, &[("version", &fresh)]).await.status, 303);
        assert_eq!(ann.post(&delete, &[("version", &fresh)]).await.status, 303, "it is gone, as was asked for");
        assert_eq!(versions(&ann.get("/account/addresses").await).len(), 1);
        assert_eq!(ann.get(&format!("/account/addresses/{first}")).await.status, 404);
    }

    async fn what_is_missing_in_an_address_is_told_at_its_field(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let page = ann.get("/account/addresses/new").await;
        page.says("<option value=\"NO\">Norway</option>");
        page.says("autocomplete=\"address-line1\"");
        let page = ann.post("/account/addresses", &[("company", "Kept & Co"), ("country", "")]).await;
        assert_eq!(page.status, 422);
        for name in ["name", "line1", "city", "country"] {
            assert!(page.has_fault(name), "{name}");
        }
        page.says("value=\"Kept &#38; Co\"");
        let long = "x".repeat(201);
        let page = ann.post("/account/addresses", &with("", &[("line2", &long), ("country", "no")])).await;
        assert!(page.status == 422 && page.has_fault("line2") && page.has_fault("country"));
        ann.get("/account/addresses").await.says("There are no addresses yet");
    }

    async fn nobody_sees_the_addresses_of_somebody_else(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        app.token(BOB, Role::Customer).await;
        let new = json!({ "name": "Ann", "line1": "Secret Street 1", "city": "Oslo", "country": "NO" });
        let new: NewAddress = serde_json::from_value(new).unwrap();
        let made = app.shop.modules.user.address_create(&call(), app.id(ANN).await, new).await.unwrap();
        let mut bob = Browser::of(&app, BOB).await;
        let (path, version) = (format!("/account/addresses/{}", made.id), format!("{}-1", made.id));
        let page = bob.get(&path).await;
        assert_eq!(page.status, 404);
        page.is_silent_of("Secret Street");
        assert_eq!(bob.post(&path, &with(&version, &[])).await.status, 404);
        assert_eq!(bob.post(&format!("{path}/default"), &[]).await.status, 404);
        bob.post(&format!("{path}/delete"), &[("version", &version)]).await;
        let kept = app.shop.modules.user.address_list(app.id(ANN).await).await.unwrap();
        assert_eq!((kept.len(), &kept[0]), (1, &made));
        assert_eq!(bob.get("/account/addresses/nonsense").await.status, 404);
    }

    async fn a_person_takes_all_data_away(backend: Backend) {
        let app = TestApp::start_with(backend, seed::quiet).await;
        app.token(ANN, Role::Customer).await;
        app.token(BOB, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        ann.get("/account/data").await.says("href=\"/account/data.json\"");
        let read = |page: &Shown| serde_json::from_str::<Value>(&page.body).unwrap();
        let page = ann.get("/account/data.json").await;
        assert_eq!(page.headers["content-disposition"], "attachment; filename=\"my-data.json\"");
        assert_eq!(page.headers["content-type"], "application/json");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(read(&page)["orders"], json!([]));
        stock(&app).await;
        let (user, mut ids) = (app.id(ANN).await, BTreeSet::new());
        for _ in 0..205 {
            ids.insert(hold(&app, user).await.to_string());
        }
        hold(&app, app.id(BOB).await).await;
        ann.post("/account/addresses", &ADDRESS).await;
        let data = read(&ann.get("/account/data.json").await);
        assert_eq!(data["profile"]["email"], ANN);
        assert_eq!(data["addresses"][0]["line1"], "Long Street 1");
        let orders = data["orders"].as_array().unwrap().iter();
        let orders: Vec<_> = orders.map(|order| order["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(orders.len(), 205, "of more than one page, and nobody else's");
        assert_eq!(orders.into_iter().collect::<BTreeSet<_>>(), ids);
        let mut nobody = Browser::new(&app);
        assert_eq!(nobody.get("/account/data.json").await.to(), "/login?next=%2Faccount%2Fdata.json");
    }

    async fn an_account_with_an_open_order_is_not_deleted(backend: Backend) {
        let app = TestApp::start_with(backend, seed::quiet).await;
        app.token(ANN, Role::Customer).await;
        stock(&app).await;
        let mut ann = Browser::of(&app, ANN).await;
        let order = hold(&app, app.id(ANN).await).await;
        ann.get("/account/delete").await.says("the name and address that each order went to");
        let page = ann.post("/account/delete", &[("current_password", "")]).await;
        assert!(page.status == 422 && page.has_fault("current_password") && page.has_fault("sure"));
        let page = ann.post("/account/delete", &[("current_password", "wrong"), ("sure", "true")]).await;
        assert!(page.status == 422 && page.has_fault("current_password"));

        app.shop.modules.inventory.reservation_commit(&call(), order).await.unwrap();
        let page = ann.get("/account/delete").await;
        page.says("not shipped yet");
        page.is_silent_of("name=\"sure\"");
        let fields = [("current_password", PASSWORD), ("sure", "true")];
        let page = ann.post("/account/delete", &fields).await;
        assert_eq!(page.status, 409);
        page.says("not shipped yet");
        page.says("href=\"/orders\"");
        assert_eq!(ann.get("/account").await.status, 200);
        // A program is refused as well.
        let request = app.request_as(&app.login(ANN).await, reqwest::Method::DELETE, "/api/v1/me");
        let body = serde_json::json!({ "current_password": PASSWORD });
        let (status, problem) = crate::testapp::read(request.json(&body).send().await.unwrap()).await;
        assert_eq!((status, problem["reason"].as_str()), (409, Some("orders_waiting")), "{problem}");
        app.shop.modules.inventory.reservation_cancel(&call(), order).await.unwrap();
        assert_eq!(ann.post("/account/delete", &fields).await.to(), "/");
    }

    async fn the_last_admin_stays(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token("root@example.com", Role::Admin).await;
        let mut root = Browser::of(&app, "root@example.com").await;
        let page = root.post("/account/delete", &[("current_password", PASSWORD), ("sure", "true")]).await;
        assert_eq!((page.status, root.is_logged_in()), (409, true));
        page.says("This is the last admin: make somebody else an admin first.");
    }
}
