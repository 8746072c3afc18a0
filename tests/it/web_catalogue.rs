//! What shoppers see of products and categories: thousands of choices, changed addresses, drafts, nothing found.

use emporium::call::Role;
use emporium::inventory::{
    BulkFormat, Category, CategoryPatch, Money, NewCategory, NewProduct, NewSku, Product, ProductKey, ProductPatch,
    ProductStatus,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::bulk::Local;
use crate::testapp::{Backend, TestApp, call, on_both};

/// A product with so many SKUs, each of them with three values of its own.
fn new(handle: &str, status: ProductStatus, skus: usize) -> NewProduct {
    let text = String::new;
    let sku = |n: usize| NewSku {
        code: format!("{handle}-{n}"),
        options: ["a", "b", "c"].map(|letter| format!("{letter} value {n}")).to_vec(),
        price: Money { amount: 1_000 + n as i64, currency: "USD".into() },
        compare_at_price: None,
        barcode: text(),
        weight_grams: 0,
        requires_shipping: true,
        taxable: true,
        image_url: text(),
        backorder_limit: 5,
        low_stock_threshold: None,
    };
    NewProduct {
        handle: Some(handle.into()),
        title: format!("Product {handle}"),
        description_html: text(),
        vendor: text(),
        product_type: text(),
        status,
        category_id: None,
        tags: vec![],
        options: ["First", "Second", "Third"].map(str::to_owned).to_vec(),
        attributes: Default::default(),
        images: vec![],
        seo_title: text(),
        seo_description: text(),
        skus: (0..skus).map(sku).collect(),
    }
}

async fn make(app: &TestApp, new: NewProduct) -> Product {
    app.shop.modules.inventory.product_create(&call(), new).await.unwrap().value
}

async fn category(app: &TestApp, name: &str, parent: Option<&Category>) -> Category {
    let new = NewCategory { parent_id: parent.map(|parent| parent.id), slug: None, name: name.into(), position: 0 };
    app.shop.modules.inventory.category_create(&call(), new).await.unwrap().value
}

async fn get(app: &TestApp, session: &str, path: &str) -> Response {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let request = client.get(format!("http://{}{path}", app.address)).header("accept", "text/html");
    let request = if session.is_empty() { request } else { request.header("cookie", format!("session={session}")) };
    request.send().await.unwrap()
}

async fn text(app: &TestApp, path: &str) -> String {
    let answer = get(app, "", path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// The status, and where the browser is sent.
async fn led(app: &TestApp, path: &str) -> (u16, String) {
    let answer = get(app, "", path).await;
    let place = answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
    (answer.status().as_u16(), place)
}

async fn rename(app: &TestApp, old: &str, handle: &str) {
    let patch = ProductPatch { handle: Some(handle.into()), ..ProductPatch::default() };
    app.shop.modules.inventory.product_update(&call(), ProductKey::from(old), None, patch).await.unwrap();
}

on_both! {
    async fn a_product_of_thousands_of_skus_has_a_small_page(backend: Backend) {
        let app = TestApp::start(backend).await;
        make(&app, new("many", ProductStatus::Active, 2_048)).await;
        make(&app, new("few", ProductStatus::Active, 3)).await;
        let place = emporium::inventory::NewLocation { code: "MAIN".into(), name: "Main".into(), address: Default::default(), priority: 0 };
        app.shop.modules.inventory.location_create(&call(), place).await.unwrap();
        let page = text(&app, "/products/many").await;
        assert!(page.len() < 30_000, "{} bytes", page.len());
        assert!(page.contains("<option value=\"a value 0\" selected>") && page.contains("of 2,048 are in the list"), "{page}");
        assert_eq!(page.matches("type=\"radio\"").count(), 0);
        // What is not in the list is looked for, and chosen then; no other value need be known.
        let page = text(&app, "/products/many?option1=a+value+0&option2=b+value+0&option3=c+value+0&option1-find=VALUE+2047").await;
        assert!(page.contains("<option value=\"a value 2047\">a value 2047 (sold out)") && page.contains("<option value=\"a value 0\" selected>"), "{page}");
        assert!(!page.contains("<option value=\"a value 1\">"), "{page}");
        let page = text(&app, "/products/many?option-from=many-0&option1=a+value+2047&option2=b+value+0&option3=c+value+0").await;
        assert!(page.contains("many-2047") && page.contains("$30.47"), "{page}");
        assert!(page.len() < 30_000, "{} bytes", page.len());
        let page = text(&app, "/products/few?option-from=few-0&option1=a+value+0&option2=b+value+2&option3=c+value+0").await;
        assert!(page.contains("few-2") && page.contains("$10.02"), "{page}");
        assert_eq!(page.matches("type=\"radio\"").count(), 9);
        app.stop().await;
    }

    async fn old_addresses_lead_to_the_new_ones(backend: Backend) {
        let app = TestApp::start(backend).await;
        make(&app, new("cap", ProductStatus::Active, 1)).await;
        let place = emporium::inventory::NewLocation { code: "MAIN".into(), name: "Main".into(), address: Default::default(), priority: 0 };
        app.shop.modules.inventory.location_create(&call(), place).await.unwrap();
        rename(&app, "cap", "wool-cap").await;
        rename(&app, "wool-cap", "watch-cap").await;
        for old in ["cap", "wool-cap"] {
            assert_eq!(led(&app, &format!("/products/{old}?option1=x")).await, (301, "/products/watch-cap?option1=x".into()));
            let api = app.request(reqwest::Method::GET, &format!("/api/v1/products/{old}")).send().await.unwrap();
            assert_eq!(api.status(), 404, "ids are for programs");
            // Of a page that was open meanwhile.
            let fields = [("product", old), ("option1", "a value 0"), ("option2", "b value 0"), ("option3", "c value 0"), ("quantity", "1")];
            let added = app.send("/cart/lines", &fields).send().await.unwrap();
            assert_eq!((added.status().as_u16(), &added.headers()["location"]), (303, &"/cart".parse().unwrap()), "{old}");
        }
        // Back to a former one, and a former one that another product takes.
        rename(&app, "watch-cap", "cap").await;
        assert_eq!(led(&app, "/products/cap").await.0, 200);
        assert_eq!(led(&app, "/products/watch-cap").await, (301, "/products/cap".into()));
        make(&app, new("wool-cap", ProductStatus::Active, 1)).await;
        assert_eq!(led(&app, "/products/wool-cap").await.0, 200);
        rename(&app, "wool-cap", "other").await;
        assert_eq!(led(&app, "/products/wool-cap").await, (301, "/products/other".into()));
        // Nobody is told what a draft is called.
        let draft = ProductPatch { status: Some(ProductStatus::Draft), ..ProductPatch::default() };
        app.shop.modules.inventory.product_update(&call(), ProductKey::from("other"), None, draft).await.unwrap();
        assert_eq!(led(&app, "/products/wool-cap").await.0, 404);
        assert_eq!(app.send("/cart/lines", &[("product", "wool-cap"), ("quantity", "1")]).send().await.unwrap().status(), 404);
        app.shop.modules.inventory.product_delete(&call(), ProductKey::from("other"), None).await.unwrap();
        assert_eq!((led(&app, "/products/wool-cap").await.0, led(&app, "/products/none").await.0), (404, 404));
        app.stop().await;
    }

    async fn a_draft_ends_no_redirect_until_it_is_on_sale(backend: Backend) {
        let app = TestApp::start(backend).await;
        let inventory = &app.shop.modules.inventory;
        let put = async |handle: &str, status| {
            let patch = ProductPatch { status: Some(status), ..ProductPatch::default() };
            inventory.product_update(&call(), ProductKey::from(handle), None, patch).await.unwrap();
        };
        let import = async |status: &str| {
            let line = format!("{{\"type\":\"product\",\"handle\":\"cap\",\"title\":\"Cap\",\"status\":\"{status}\"}}");
            let (_, faults) = Local::beside(&app).import(BulkFormat::Jsonl, line.as_bytes()).await;
            assert_eq!(faults, []);
        };
        let to = |handle: &str| (301, format!("/products/{handle}"));
        make(&app, new("cap", ProductStatus::Active, 1)).await;
        rename(&app, "cap", "watch-cap").await;
        // A draft that takes the former handle, leaves it, takes it again, and goes.
        make(&app, new("cap", ProductStatus::Draft, 0)).await;
        assert_eq!(led(&app, "/products/cap").await, to("watch-cap"));
        rename(&app, "cap", "other").await;
        assert_eq!(led(&app, "/products/cap").await, to("watch-cap"));
        rename(&app, "other", "cap").await;
        put("cap", ProductStatus::Archived).await;
        inventory.product_delete(&call(), ProductKey::from("cap"), None).await.unwrap();
        assert_eq!(led(&app, "/products/cap").await, to("watch-cap"));
        // Once on sale it has the address for good.
        make(&app, new("cap", ProductStatus::Draft, 0)).await;
        put("cap", ProductStatus::Active).await;
        assert_eq!(led(&app, "/products/cap").await.0, 200);
        put("cap", ProductStatus::Draft).await;
        assert_eq!(led(&app, "/products/cap").await.0, 404);
        rename(&app, "cap", "flat-cap").await;
        put("flat-cap", ProductStatus::Active).await;
        assert_eq!(led(&app, "/products/cap").await, to("flat-cap"));
        // So it is with an import.
        import("draft").await;
        assert_eq!(led(&app, "/products/cap").await, to("flat-cap"));
        import("active").await;
        assert_eq!(led(&app, "/products/cap").await.0, 200);
        put("cap", ProductStatus::Draft).await;
        assert_eq!(led(&app, "/products/cap").await.0, 404);
        app.stop().await;
    }

    async fn where_nothing_is_found_there_are_ways_on(backend: Backend) {
        let app = TestApp::start(backend).await;
        let home = category(&app, "Home", None).await;
        let inner = category(&app, "Home", Some(&home)).await;
        make(&app, NewProduct { category_id: Some(inner.id), ..new("cap", ProductStatus::Active, 1) }).await;
        let none = text(&app, "/search?q=cap&vendor=Nobody&price_min=1&sort=price").await;
        assert!(none.contains("href=\"/search?q=cap&#38;sort=price\">Remove all filters</a>"), "{none}");
        assert!(none.contains("Or look around</h2>") && none.contains("<li><a href=\"/categories/home\">Home</a></li>"), "{none}");
        assert!(!none.contains("name=\"in_stock\""), "{none}");
        let long = text(&app, &format!("/search?q={}", "long".repeat(40))).await;
        assert!(long.contains(&format!("{}…”</h1>", "long".repeat(20))) && !long.contains("Remove all filters"), "{long}");
        assert!(text(&app, "/search?q=cap").await.contains("name=\"in_stock\""));
        // A category that is called like the first page, or like the one above it.
        let trail = text(&app, "/categories/home/home").await.split_once("class=\"trail\"").unwrap().1.split("</nav>").next().unwrap().to_owned();
        let shop = &app.config.web.shop_name;
        let steps = format!("<li><a href=\"/\">{shop}</a></li><li><a href=\"/categories/home\">Home</a></li><li><span aria-current=\"page\">Home</span></li>");
        assert!(trail.replace('\n', "").contains(&steps), "{trail}");
        assert!(text(&app, "/products/cap").await.contains("<a href=\"/categories/home/home\">Home</a>"));
        app.stop().await;
    }

    async fn a_moved_category_takes_all_below_it_along(backend: Backend) {
        let app = TestApp::start(backend).await;
        let home = category(&app, "Home", None).await;
        let baskets = category(&app, "Baskets", Some(&home)).await;
        let small = category(&app, "Small", Some(&baskets)).await;
        let patch = CategoryPatch { slug: Some("house".into()), ..CategoryPatch::default() };
        app.shop.modules.inventory.category_update(&call(), home.id, None, patch).await.unwrap();
        let patch = CategoryPatch { parent_id: Some(None), ..CategoryPatch::default() };
        app.shop.modules.inventory.category_update(&call(), baskets.id, None, patch).await.unwrap();
        app.clock.advance(std::time::Duration::from_secs(4));
        for (old, now) in [
            ("home", "house"), ("home/baskets", "baskets"), ("home/baskets/small", "baskets/small"), ("house/baskets/small", "baskets/small"),
        ] {
            assert_eq!(led(&app, &format!("/categories/{old}?sort=price")).await, (301, format!("/categories/{now}?sort=price")));
        }
        category(&app, "Home", None).await;
        app.shop.modules.inventory.category_delete(&call(), small.id, None).await.unwrap();
        app.clock.advance(std::time::Duration::from_secs(4));
        assert_eq!((led(&app, "/categories/home").await.0, led(&app, "/categories/home/baskets/small").await.0), (200, 404));
        assert_eq!(led(&app, "/categories/home/baskets").await, (301, "/categories/baskets".into()));
        app.stop().await;
    }

    async fn an_import_that_makes_a_category_renews_the_menu(backend: Backend) {
        // The process that imports renews its menu at once; those of the others get old by themselves.
        let app = TestApp::start_alone(backend, |_| {}).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        category(&app, "Kitchen", None).await;
        // No time goes by, so the menu does not get old by itself.
        app.clock.stop();
        let page = text(&app, "/search").await;
        assert!(page.contains("href=\"/categories/kitchen\"") && !page.contains("/categories/garden"), "{page}");
        category(&app, "Unseen", None).await;
        assert!(!text(&app, "/search").await.contains("/categories/unseen"));
        let import = app.request_as(&staff, reqwest::Method::POST, "/api/v1/imports?format=jsonl").header("idempotency-key", "1");
        let import = import.header("content-type", "application/jsonl").body("{\"type\":\"category\",\"path\":\"garden\",\"name\":\"Garden\",\"position\":1}\n");
        let started = import.send().await.unwrap();
        assert_eq!(started.status(), 202, "{}", started.text().await.unwrap());
        let start = std::time::Instant::now();
        while !text(&app, "/search").await.contains("href=\"/categories/garden\"") {
            assert!(start.elapsed() < std::time::Duration::from_secs(30), "the menu is as it was");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        app.stop().await;
    }

    async fn a_search_within_a_category_is_its_page(backend: Backend) {
        let app = TestApp::start(backend).await;
        let kitchen = category(&app, "Kitchen", None).await;
        let cups = category(&app, "Cups", Some(&kitchen)).await;
        for (handle, place) in [("in-cups", Some(cups.id)), ("in-none", None)] {
            make(&app, NewProduct { category_id: place, ..new(handle, ProductStatus::Active, 1) }).await;
        }
        let (status, place) = led(&app, "/search?q=product&category=kitchen%2Fcups&in_stock=&sort=price&cursor=old").await;
        assert_eq!((status, &*place), (301, "/categories/kitchen/cups?q=product&sort=price"));
        let page = text(&app, &place).await;
        assert!(page.contains("Product in-cups") && !page.contains("Product in-none"), "{page}");
        // The words stay while other filters are set, are seen to be in force, and can be taken out.
        assert!(page.contains("<input type=\"hidden\" name=\"q\" value=\"product\">"), "{page}");
        assert!(page.contains("href=\"/categories/kitchen/cups?sort=price\"><span class=\"unseen\">Remove the filter </span>“product”"), "{page}");
        let page = text(&app, "/categories/kitchen/cups?q=nothing-like-it").await;
        assert!(page.contains("<a class=\"button quiet\" href=\"/categories/kitchen/cups\">Remove all filters</a>"), "{page}");
        // As with the page itself: a former path leads on, one that never was is told.
        let patch = CategoryPatch { slug: Some("mugs".into()), ..CategoryPatch::default() };
        app.shop.modules.inventory.category_update(&call(), cups.id, None, patch).await.unwrap();
        app.clock.advance(std::time::Duration::from_secs(4));
        assert_eq!(led(&app, "/search?category=kitchen/cups").await, (301, "/categories/kitchen/mugs".to_owned()));
        assert_eq!(led(&app, "/search?category=none").await.0, 404);
        assert_eq!(led(&app, "/search?category=&q=product").await.0, 200);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staff_are_told_that_only_they_see_a_draft() {
    let app = TestApp::start(Backend::any()).await;
    let staff = app.token("staff@example.com", Role::Staff).await;
    for (handle, status, told) in [
        ("a", ProductStatus::Draft, "Draft: only staff see this."),
        ("b", ProductStatus::Archived, "Archived: only staff see this."),
        ("c", ProductStatus::Active, ""),
    ] {
        let made = make(&app, new(handle, status, 1)).await;
        let seen = get(&app, &staff, &format!("/products/{handle}")).await;
        assert_eq!((seen.status().as_u16(), &seen.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
        let page = seen.text().await.unwrap();
        assert_eq!(page.contains("only staff see this"), !told.is_empty());
        assert!(page.contains(told), "{page}");
        assert_eq!(page.contains(&format!("href=\"/admin/products/{}\"", made.id)), !told.is_empty());
        let guest = get(&app, "", &format!("/products/{handle}")).await.status();
        assert_eq!(guest, if told.is_empty() { 200 } else { 404 });
    }
    app.stop().await;
}
