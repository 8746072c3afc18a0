//! Addresses: what leads where, what search engines find, and what is told of what was sent to one.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slash_at_the_end_leads_to_the_page_without_it() {
    let app = TestApp::start(Backend::any()).await;
    product(&app, "Mug", "").await;
    let staff = app.token("staff@example.com", Role::Staff).await;
    let category = json!({ "name": "Kitchen", "slug": "kitchen" });
    let made = app.request_as(&staff, Method::POST, "/api/v1/categories").json(&category).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let get = async |path: &str| {
        let answer = client.get(format!("http://{}{path}", app.address)).header("accept", "text/html");
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), head(&answer, "location").to_owned())
    };
    for (path, to) in [
        ("/cart/", "/cart"),
        ("/products/mug/", "/products/mug"),
        ("/search/?q=mug&sort=price", "/search?q=mug&sort=price"),
        ("/admin/", "/admin"),
        ("/%63art/", "/%63art"),
    ] {
        assert_eq!(get(path).await, (308, to.to_owned()), "{path}");
    }
    // The menu of a moment ago does not have it yet.
    app.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(get("/categories/kitchen/").await, (301, "/categories/kitchen".to_owned()));
    for path in [
        "//evil.example/",
        "//cart/",
        "/%2Fevil.example/",
        "/\\evil.example/",
        "/cart//",
        "/nonsense/",
        "/api/v1/products/",
    ] {
        let (status, to) = get(path).await;
        assert!(status == 404 && to.is_empty(), "{path}: {status} {to}");
    }
    let form = app.send("/cart/", &[]).send().await.unwrap();
    assert_eq!(form.status(), 404, "a form is not sent elsewhere");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_form_leads_to_its_page() {
    let app = TestApp::start(Backend::any()).await;
    let ann = app.token("ann@example.com", Role::Customer).await;
    let order = "/orders/01890000-0000-7000-8000-000000000000";
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    for (path, to) in
        [("/checkout", "/cart"), ("/cart/lines?a=b", "/cart"), (&*format!("{order}/cancel"), order), ("/logout", "/")]
    {
        let answer = client.get(format!("http://{}{path}", app.address)).header("accept", "text/html");
        let answer = answer.header("cookie", format!("session={ann}")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), head(&answer, "location")), (303, to), "{path}");
    }
    let program = app.request(Method::GET, "/cart/lines").send().await.unwrap();
    assert_eq!(program.status(), 405);
    app.stop().await;
}

on_both! {
    async fn search_engines_find_what_is_on_sale_and_no_more(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.server.public_url = "https://shop.example".into()).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let post = async |path: &str, body: serde_json::Value| {
            let made = app.request_as(&staff, Method::POST, path).json(&body).send().await.unwrap();
            assert_eq!(made.status(), 201, "{body}");
        };
        post("/api/v1/categories", json!({ "name": "Kitchen", "slug": "kitchen" })).await;
        for (n, status) in ["active", "draft", "archived", "active", "active"].iter().enumerate() {
            post("/api/v1/products", json!({ "title": format!("Mug {n}"), "handle": format!("mug-{n}"), "status": status })).await;
        }
        let robots = app.page("/robots.txt").send().await.unwrap();
        assert_eq!(head(&robots, "content-type"), "text/plain; charset=utf-8");
        let robots = robots.text().await.unwrap();
        for line in ["User-agent: *", "Disallow: /admin", "Disallow: /cart", "Sitemap: https://shop.example/sitemap.xml"] {
            assert!(robots.lines().any(|there| there == line), "{line}\n{robots}");
        }
        let map = app.page("/sitemap.xml").send().await.unwrap();
        assert_eq!((map.status().as_u16(), head(&map, "content-type")), (200, "application/xml; charset=utf-8"));
        assert_eq!((head(&map, "cache-control"), head(&map, "ratelimit")), ("public, max-age=3600", ""));
        let map = map.text().await.unwrap();
        let found: Vec<&str> = map.split("<loc>").skip(1).map(|rest| rest.split("</loc>").next().unwrap()).collect();
        let wanted = ["/", "/categories/kitchen", "/products/mug-0", "/products/mug-3", "/products/mug-4"];
        assert_eq!(found, wanted.map(|path| format!("https://shop.example{path}")));
        assert!(map.starts_with("<?xml") && map.ends_with("</urlset>\n"), "{map}");
        // A part of a larger shop's.
        let inventory = &app.shop.modules.inventory;
        let all = inventory.product_addresses(None, 1_000).await.unwrap();
        assert_eq!(all.iter().map(|product| &*product.handle).collect::<Vec<_>>(), ["mug-0", "mug-3", "mug-4"]);
        let rest = app.page(&format!("/sitemap.xml?after={}", all[0].id)).send().await.unwrap().text().await.unwrap();
        assert_eq!((rest.matches("<loc>").count(), rest.contains("mug-0")), (2, false), "{rest}");
        assert_eq!(app.page("/sitemap.xml?after=x").send().await.unwrap().status(), 404);
        assert_eq!(inventory.product_address_marks(2).await.unwrap(), [all[1].id]);
        assert_eq!(inventory.product_address_marks(1).await.unwrap(), [all[0].id, all[1].id]);
        assert_eq!(inventory.product_address_marks(3).await.unwrap(), []);
        app.stop().await;
    }

    async fn a_wrong_quantity_is_told_at_its_field_and_the_choice_stays(backend: Backend) {
        let app = TestApp::start(backend).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let sku = |code: &str| json!({ "code": code, "options": [code], "backorder_limit": 9,
            "price": { "amount": 1450, "currency": "USD" } });
        let body = json!({ "title": "Mug", "handle": "mug", "status": "active", "options": ["Color"], "skus": [sku("Cream"), sku("Red")] });
        let place = json!({ "code": "MAIN", "name": "Main" });
        app.request_as(&staff, Method::POST, "/api/v1/locations").json(&place).send().await.unwrap();
        assert_eq!(app.request_as(&staff, Method::POST, "/api/v1/products").json(&body).send().await.unwrap().status(), 201);
        for quantity in ["0", "1.5", "", "1e5", "501"] {
            let fields = [("product", "mug"), ("option1", "Red"), ("quantity", quantity)];
            let page = app.send("/cart/lines", &fields).send().await.unwrap();
            assert_eq!(page.status(), 422, "{quantity}");
            let text = page.text().await.unwrap();
            for part in ["value=\"Red\" checked", "id=\"f-quantity-fault\"", "from 1 to 500", &format!("name=\"quantity\" min=\"1\" max=\"500\" value=\"{quantity}\"")] {
                assert!(text.contains(part), "{quantity}: {part}\n{text}");
            }
        }
        // HTML has no NUL.
        let page = app.page("/search?q=a%00b").send().await.unwrap();
        let (status, text) = (page.status(), page.text().await.unwrap());
        assert!(status == 200 && !text.contains('\0') && text.contains('\u{FFFD}'), "{status}");
        app.stop().await;
    }
}
