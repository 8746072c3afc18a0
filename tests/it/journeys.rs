//! What people do in the shop, in a real browser.

use emporium::call::Role;
use emporium::inventory::{BulkFormat, ImportOptions, ProductKey};
use fantoccini::key::Key;
use reqwest::Method;
use serde_json::json;

use crate::browser::{Browser, Setup};
use crate::listing::search::shared;
use crate::testapp::{Backend, PASSWORD, TestApp, call, on_both, read};

const CATALOGUE: &[u8] = include_bytes!("../../src/demo/catalogue.jsonl");

/// A shop with the sample catalogue.
async fn shop(backend: Backend) -> TestApp {
    let app = TestApp::start(backend).await;
    let inventory = &app.shop.modules.inventory;
    let options = ImportOptions { format: BulkFormat::Jsonl, dry_run: false, location: None };
    let import = inventory.import_begin(&call(), options).await.unwrap();
    inventory.import_add(import, 0, CATALOGUE.to_vec()).await.unwrap();
    let job = inventory.import_start(&call(), import).await.unwrap().value.id;
    loop {
        inventory.job_run_next().await.unwrap();
        let job = inventory.job_get(job).await.unwrap().unwrap();
        if job.finished_at.is_some() {
            assert_eq!(job.report.rows_failed, 0);
            return app;
        }
    }
}

/// Sets what there is of a SKU at the main warehouse to so many, and nothing anywhere else.
async fn set_stock(app: &TestApp, sku: &str, quantity: i64) {
    let once = format!("{sku}-{quantity}");
    let staff = app.token(&format!("{once}@example.com"), Role::Staff).await;
    let levels = app.request_as(&staff, Method::GET, &format!("/api/v1/stock?sku={sku}")).send().await.unwrap();
    let (_, levels) = read(levels).await;
    let mut rows = Vec::new();
    for level in levels["items"].as_array().unwrap() {
        let counted = if level["location"] == "MAIN" { quantity } else { 0 };
        for (counter, to) in [("safety", 0), ("on_hand", counted)] {
            rows.push(json!({ "sku": sku, "location": level["location"], "counter": counter,
                "expected": level[counter], "counted": to, "reason": "test" }));
        }
    }
    let counts = app.request_as(&staff, Method::POST, "/api/v1/stock/counts").header("idempotency-key", once);
    let (status, body) = read(counts.json(&json!({ "rows": rows })).send().await.unwrap()).await;
    assert_eq!((status, &body["failed"]), (200, &json!(0)), "{body}");
}

/// From the first page to a cancelled order, as a guest who becomes a customer.
async fn journey(backend: Backend, scripts: bool) {
    let app = shop(backend).await;
    let browser = Browser::open_with(&app, Setup { scripts, ..Setup::default() }).await;
    browser.go("/").await;
    browser.shows("New in the shop").await;
    browser.audit().await;

    // Finds a product.
    browser.find("#q").await.send_keys("stoneware mug").await.unwrap();
    if scripts {
        browser.find("#found-list [role=option]").await;
        browser.audit().await;
    }
    browser.key(Key::Enter).await;
    browser.shows("Results for “stoneware mug”").await;
    browser.audit().await;
    browser.press("Everyday Stoneware Mug").await;
    browser.audit().await;

    // Chooses what it shall be, and puts two into the cart.
    browser
        .client
        .find(fantoccini::Locator::XPath("//label[contains(., '12 oz')]"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    if !scripts {
        browser.press("Show price and stock").await;
    }
    browser.find("main input[value='12 oz']:checked").await;
    browser.shows("$28.00").await;
    browser.fill("quantity", "2").await;
    browser.press("Add to cart").await;
    browser.shows("It is in your cart.").await;
    browser.shows("$56.00").await;
    browser.audit().await;

    becomes_a_customer(&app, &browser).await;
    buys_and_cancels(&browser).await;
    browser.close().await;
    assert_eq!(app.shop.modules.inventory.stock_verify(&call(), false).await.unwrap().differences, []);
    app.stop().await;
}

/// Registers, and proves the address by the mailed link.
async fn becomes_a_customer(app: &TestApp, browser: &Browser) {
    browser.press("Go to checkout").await;
    browser.audit().await;
    browser.press("Create an account").await;
    browser.audit().await;
    browser.fill("name", "Ann Example").await;
    browser.fill("email", "ann@example.com").await;
    browser.fill("password", PASSWORD).await;
    browser.click("main form button").await;
    let token = app.mailed_token("ann@example.com", "Please confirm your address").await;
    browser.go(&format!("/verify?token={token}")).await;
    browser.audit().await;
    browser.click("main form button").await;
    browser.login("ann@example.com", PASSWORD).await;
}

/// The guest's cart is still there: buys it, sees it among the orders, and cancels it.
async fn buys_and_cancels(browser: &Browser) {
    browser.go("/cart").await;
    browser.shows("Everyday Stoneware Mug").await;
    browser.press("Go to checkout").await;
    browser.shows("Your goods are kept for you until").await;
    browser.audit().await;
    browser.fill("name", "Ann Example").await;
    browser.fill("line1", "1 High Street").await;
    browser.fill("city", "Alder Falls").await;
    browser.press("Go on to the review").await;
    browser.shows("There is a problem").await;
    browser.audit().await;
    browser.choose("country", "US").await;
    browser.press("Go on to the review").await;
    browser.shows("No payment is taken on this site").await;
    browser.audit().await;
    browser.press("Place the order").await;
    browser.shows("Thank you! Your order is placed.").await;
    browser.shows("1 High Street").await;
    browser.audit().await;

    // It says where the order is found from now on.
    browser.click("main .flash a").await;
    assert_eq!(browser.path().await, "/orders");
    browser.shows("Being prepared").await;
    browser.audit().await;
    browser.click("main .plainlist a").await;
    browser.press("Cancel the order").await;
    browser.shows("Cancel this order?").await;
    browser.audit().await;
    browser.click("details.ask > button").await;
    browser.shows("The order is canceled.").await;
    browser.go("/cart").await;
    browser.shows("Your cart is empty.").await;
}

on_both! {
    async fn a_guest_becomes_a_customer_buys_and_cancels(backend: Backend) {
        journey(backend, true).await;
    }

    async fn the_same_without_scripts(backend: Backend) {
        journey(backend, false).await;
    }

    async fn two_browsers_want_the_last_one(backend: Backend) {
        let app = shop(backend).await;
        set_stock(&app, "MUG-12-MILK", 1).await;
        let mut browsers = Vec::new();
        for email in ["ann@example.com", "ben@example.com"] {
            app.token(email, Role::Customer).await;
            let browser = Browser::open(&app).await;
            browser.login(email, PASSWORD).await;
            browser.go("/products/everyday-stoneware-mug?option1=12+oz&option2=Milk").await;
            browser.shows("Only one left").await;
            browser.press("Add to cart").await;
            browsers.push(browser);
        }
        futures_util::future::join_all(browsers.iter().map(|browser| browser.press("Go to checkout"))).await;
        let mut winners = Vec::new();
        for browser in &browsers {
            winners.push(browser.shows_one(&["Where shall it go?", "none left"]).await == 0);
            if !winners.last().unwrap() {
                browser.shows("Everyday Stoneware Mug, 12 oz, Milk: 1 asked for, none left").await;
                browser.audit().await;
            }
        }
        assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{winners:?}");
        let winner = &browsers[winners.iter().position(|won| *won).unwrap()];
        winner.fill("name", "Ann").await;
        winner.fill("line1", "1 High Street").await;
        winner.fill("city", "Alder Falls").await;
        winner.choose("country", "US").await;
        winner.press("Go on to the review").await;
        winner.press("Place the order").await;
        winner.shows("Thank you!").await;
        for browser in browsers {
            browser.close().await;
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_offered_when_there_is_not_enough() {
    let app = shop(Backend::any()).await;
    set_stock(&app, "MUG-12-MILK", 3).await;
    app.token("ann@example.com", Role::Customer).await;
    let browser = Browser::open(&app).await;
    browser.login("ann@example.com", PASSWORD).await;
    browser.go("/products/everyday-stoneware-mug?option1=12+oz&option2=Milk").await;
    browser.fill("quantity", "3").await;
    browser.press("Add to cart").await;
    browser.shows("It is in your cart.").await;
    set_stock(&app, "MUG-12-MILK", 2).await;
    browser.press("Go to checkout").await;
    browser.shows("3 asked for, 2 left").await;
    browser.press("Take what is left").await;
    browser.shows("Where shall it go?").await;
    browser.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_takes_no_mouse() {
    let app = shop(Backend::any()).await;
    app.token("ann@example.com", Role::Customer).await;
    let browser = Browser::open(&app).await;
    browser.go("/").await;
    // The first stop leads past the menu.
    browser.key(Key::Tab).await;
    assert_eq!(browser.client.active_element().await.unwrap().text().await.unwrap(), "Skip to the content");
    browser.key(Key::Enter).await;
    browser.tab_to("Willow Log Basket").await;
    browser.key(Key::Enter).await;
    browser.tab_to("Add to cart").await;
    browser.key(Key::Enter).await;
    browser.shows("It is in your cart.").await;
    browser.tab_to("Go to checkout").await;
    browser.key(Key::Enter).await;
    browser.tab_to("email").await.send_keys("ann@example.com").await.unwrap();
    browser.tab_to("password").await.send_keys(PASSWORD).await.unwrap();
    browser.key(Key::Enter).await;
    browser.tab_to("Go to checkout").await;
    browser.key(Key::Enter).await;
    for (field, value) in [("name", "Ann"), ("line1", "1 High Street"), ("city", "Alder Falls")] {
        browser.tab_to(field).await.send_keys(value).await.unwrap();
    }
    browser.tab_to("country").await.send_keys("United St").await.unwrap();
    browser.tab_to("Go on to the review").await;
    browser.key(Key::Enter).await;
    browser.tab_to("Place the order").await;
    browser.key(Key::Enter).await;
    browser.shows("Thank you! Your order is placed.").await;
    browser.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_import_a_catalogue_adjust_stock_ship_an_order_and_see_the_ledger() {
    let app = shop(Backend::any()).await;
    app.token("staff@example.com", Role::Staff).await;
    let customer = app.token("ann@example.com", Role::Customer).await;
    let browser = Browser::open(&app).await;
    browser.login("staff@example.com", PASSWORD).await;

    // A dry run tells what would be; then it is done.
    let file = shared("luma.csv");
    for (dry, created) in [(true, "147"), (false, "147")] {
        browser.go("/admin/imports").await;
        browser.audit().await;
        browser.find("main input[type=file]").await.send_keys(file.to_str().unwrap()).await.unwrap();
        if dry {
            browser.click("main input[name=dry_run]").await;
        }
        browser.click("main form[enctype] button").await;
        browser.shows("Done").await;
        browser.shows(created).await;
        browser.audit().await;
    }
    let hoodie = app.shop.modules.inventory.product_get(ProductKey::from("chaz-kangeroo-hoodie")).await.unwrap();
    let hoodie = hoodie.expect("a product of the file");
    assert_eq!((&*hoodie.title, hoodie.skus.len()), ("Chaz Kangeroo Hoodie", 15));
    assert!(hoodie.skus.iter().any(|sku| sku.code == "MH01-XS-Black"));

    // Adjusts the stock of a mug, and finds it in the ledger.
    browser.go("/admin/stock/MUG-12-MILK").await;
    browser.audit().await;
    let form = "main form[action$=\"/adjust\"]";
    browser.choose("adjust.location", "MAIN").await;
    browser.fill("adjust.delta", "7").await;
    browser.fill("adjust.reason", "found behind the shelf").await;
    browser.click(&format!("{form} button")).await;
    browser.shows("found behind the shelf").await;
    browser.audit().await;

    // Ships an order.
    let order = json!({ "lines": [{ "sku": "MUG-12-MILK", "quantity": 1 }] });
    let order =
        app.request_as(&customer, Method::POST, "/api/v1/reservations").header("idempotency-key", "1").json(&order);
    let (_, order) = read(order.send().await.unwrap()).await;
    let id = order["id"].as_str().unwrap();
    let commit = app.request_as(&customer, Method::POST, &format!("/api/v1/reservations/{id}/commit"));
    assert_eq!(commit.header("idempotency-key", "2").send().await.unwrap().status(), 200);
    browser.go("/admin/orders").await;
    browser.audit().await;
    browser.click(&format!("main a[href=\"/admin/orders/{id}\"]")).await;
    browser.audit().await;
    browser.click("main form[action$=\"/ship\"] button").await;
    browser.shows("The stock is taken off the shelf.").await;
    browser.go("/admin/stock/MUG-12-MILK").await;
    browser.shows("Shipped").await;
    browser.close().await;
    assert_eq!(app.shop.modules.inventory.stock_verify(&call(), false).await.unwrap().differences, []);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_is_disabled_is_out_at_the_next_click() {
    let app = shop(Backend::any()).await;
    app.token("admin@example.com", Role::Admin).await;
    app.token("ann@example.com", Role::Customer).await;
    let (admin, ann) = (Browser::open(&app).await, Browser::open(&app).await);
    ann.login("ann@example.com", PASSWORD).await;
    ann.go("/account").await;
    ann.audit().await;
    admin.login("admin@example.com", PASSWORD).await;
    admin.go("/admin/users?q=ann").await;
    admin.audit().await;
    admin.press("ann@example.com").await;
    admin.audit().await;
    admin.press("Disable").await;
    admin.shows("Disable this account?").await;
    admin.click("details.ask > button").await;
    admin.shows("Enable").await;
    ann.click("main a[href='/account/addresses']").await;
    ann.find("main input[name=password]").await;
    assert!(ann.path().await.starts_with("/login"), "{}", ann.path().await);
    for browser in [admin, ann] {
        browser.close().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_are_folded_on_a_phone_and_stand_open_on_a_wide_screen() {
    let app = shop(Backend::any()).await;
    for (width, are_open) in [(360, false), (1_280, true)] {
        let browser = Browser::open_with(&app, Setup { width, ..Setup::default() }).await;
        let are_seen = async || {
            let script = "return document.querySelector('main .filters button').checkVisibility()";
            browser.client.execute(script, vec![]).await.unwrap()
        };
        browser.go("/categories/kitchen").await;
        assert_eq!(browser.find("main details.fold").await.attr("open").await.unwrap(), None);
        assert_eq!(are_seen().await, are_open, "{width}");
        if !are_open {
            browser.click("main .fold > summary").await;
            assert_eq!(are_seen().await, true);
            browser.audit().await;
        }
        // What is wrong in them is seen at once.
        browser.go("/categories/kitchen?price_min=cheap").await;
        assert_eq!(are_seen().await, true, "{width}");
        browser.close().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_that_cannot_be_fetched_leave_their_place_and_their_text() {
    let app = TestApp::start(Backend::any()).await;
    let staff = app.token("staff@example.com", Role::Staff).await;
    // Nobody listens at that port.
    let image = |file: &str, alt: &str| json!({ "url": format!("http://127.0.0.1:9/{file}.jpg"), "alt": alt });
    let mut whole = image("lamp", "A lamp on a table");
    whole["width"] = json!(800);
    whole["height"] = json!(600);
    let body = json!({ "title": "Lamp", "handle": "lamp", "status": "active", "images": [whole, image("switch", "Its switch")],
        "skus": [{ "code": "LAMP", "price": { "amount": 1450, "currency": "USD" } }] });
    let made = app.request_as(&staff, Method::POST, "/api/v1/products").json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    // Each picture: was it shown, its text, and its form.
    let script = "const done = arguments[0]; const pictures = [...document.querySelectorAll('main img')];
        pictures.forEach(picture => picture.loading = 'eager');
        const look = () => pictures.every(picture => picture.complete) ? done(pictures.map(picture => {
            const place = picture.getBoundingClientRect();
            return [picture.naturalWidth, getComputedStyle(picture, '::after').content, Math.round(100 * place.width / place.height)];
        })) : setTimeout(look, 50);
        look();";
    for width in [360, 1_280] {
        let browser = Browser::open_with(&app, Setup { width, ..Setup::default() }).await;
        for (path, places) in [
            ("/products/lamp", json!([[0, "\"A lamp on a table\"", 133], [0, "\"Its switch\"", 100]])),
            ("/search?q=lamp", json!([[0, "\"A lamp on a table\"", 100]])),
        ] {
            browser.go(path).await;
            assert_eq!(browser.client.execute_async(script, vec![]).await.unwrap(), places, "{width} {path}");
            browser.audit().await;
        }
        browser.close().await;
    }
    app.stop().await;
}

/// Every page that stands by itself, seen by an admin: accessible, on a phone, in the dark.
async fn audit_all(setup: Setup) {
    let app = shop(Backend::any()).await;
    let admin = app.token("admin@example.com", Role::Admin).await;
    let order = json!({ "lines": [{ "sku": "MUG-12-MILK", "quantity": 1 }] });
    let order =
        app.request_as(&admin, Method::POST, "/api/v1/reservations").header("idempotency-key", "1").json(&order);
    let (_, order) = read(order.send().await.unwrap()).await;
    let id = order["id"].as_str().unwrap();
    let category = app.shop.modules.inventory.category_list().await.unwrap()[0].id;
    let browser = Browser::open_with(&app, setup).await;
    for path in ["/", "/login", "/register", "/forgot", "/cart", "/setup", "/nonsense", "/search?q=nothing-like-it"] {
        browser.go(path).await;
        browser.audit().await;
    }
    browser.login("admin@example.com", PASSWORD).await;
    browser.find("a[href='/admin']").await;
    let mut seen = 0;
    for (method, pattern, _) in emporium::app::rules() {
        let path = match pattern {
            _ if method != "GET"
                || pattern.starts_with("/api/")
                || pattern.contains("export")
                || pattern.ends_with(".json") =>
            {
                continue;
            }
            "/livez"
            | "/readyz"
            | "/docs"
            | "/favicon.ico"
            | "/robots.txt"
            | "/sitemap.xml"
            | "/search/suggestions" => continue,
            "/categories/{path:.*}" => "/categories/kitchen".to_owned(),
            "/products/{handle}" => "/products/everyday-stoneware-mug".to_owned(),
            "/admin/orders/{id}" => format!("/admin/orders/{id}"),
            _ if pattern.contains("{product}") => pattern.replace("{product}", "everyday-stoneware-mug"),
            _ if pattern.contains("{sku}") => pattern.replace("{sku}", "MUG-12-MILK"),
            "/admin/locations/{location}" => "/admin/locations/MAIN".to_owned(),
            "/admin/categories/{category}" => format!("/admin/categories/{category}"),
            _ if pattern.contains('{') => continue,
            plain => plain.to_owned(),
        };
        browser.go(&path).await;
        browser.audit().await;
        seen += 1;
    }
    assert!(seen > 30, "only {seen} pages");
    browser.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_are_accessible() {
    audit_all(Setup::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_fit_a_phone_in_the_dark() {
    audit_all(Setup { width: 360, dark: true, ..Setup::default() }).await;
}
