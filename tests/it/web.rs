//! What holds for all pages: who may see them, what caches may keep, what other sites may not do, and how errors look.

use emporium::app;
use emporium::call::Role;
use emporium::http::gate::Access;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, header};
use serde_json::json;

use crate::testapp::{Backend, TestApp, on_both};

mod addresses;

impl TestApp {
    /// A browser's request for a page.
    pub(crate) fn page(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).header("accept", "text/html")
    }

    /// A form that a page of this shop sends.
    pub(crate) fn send(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        client
            .post(format!("http://{}{path}", self.address))
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }
}

fn head<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The parts `name=value` of the cookies that an answer sets.
fn cookies(answer: &Response) -> Vec<String> {
    let values = answer.headers().get_all(header::SET_COOKIE).iter();
    values.map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

async fn product(app: &TestApp, title: &str, description: &str) {
    let staff = app.token(&format!("{}@example.com", title.len()), Role::Staff).await;
    let body = json!({ "title": title, "handle": "mug", "description_html": description, "status": "active",
        "images": [{ "url": "https://pictures.example/mug.jpg", "alt": "A mug", "width": 800, "height": 600 }],
        "skus": [{ "code": "MUG", "price": { "amount": 1450, "currency": "USD" }, "backorder_limit": 1000 }] });
    let place = json!({ "code": "MAIN", "name": "Main" });
    app.request_as(&staff, Method::POST, "/api/v1/locations").json(&place).send().await.unwrap();
    let made = app.request_as(&staff, Method::POST, "/api/v1/products").json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
}

on_both! {
    async fn what_a_guest_sees_may_be_kept_and_what_is_personal_may_not(backend: Backend) {
        let app = TestApp::start(backend).await;
        product(&app, "Mug", "").await;
        // Until there is an admin, the home page says how to make one.
        app.token("root@example.com", Role::Admin).await;
        for path in ["/", "/search?q=mug", "/products/mug"] {
            let answer = app.page(path).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), head(&answer, "cache-control")), (200, "public, max-age=60"), "{path}");
            let vary: Vec<_> = answer.headers().get_all("vary").iter().collect();
            assert!(vary.iter().any(|name| *name == "cookie"), "{path}: {vary:?}");
            let tag = head(&answer, "etag").to_owned();
            assert!(tag.starts_with("W/\""), "{path}: {tag}");
            let again = app.page(path).header("if-none-match", &tag).send().await.unwrap();
            assert_eq!((again.status().as_u16(), again.text().await.unwrap()), (304, String::new()), "{path}");
        }
        // With a cart, even a guest's pages are his own.
        let added = app.send("/cart/lines", &[("product", "mug"), ("quantity", "2")]).send().await.unwrap();
        let cart = cookies(&added).into_iter().find(|cookie| cookie.starts_with("cart=")).unwrap();
        let own = app.page("/").header("cookie", &cart).send().await.unwrap();
        assert_eq!((head(&own, "cache-control"), head(&own, "etag")), ("no-store", ""));
        assert!(own.text().await.unwrap().contains("<span class=\"count\">2<"));
        // A cart that somebody wrote himself is none.
        let forged = format!("{}A", &cart[..cart.len() - 1]);
        let forged = if forged == cart { format!("{}B", &cart[..cart.len() - 1]) } else { forged };
        let text = app.page("/cart").header("cookie", &forged).send().await.unwrap().text().await.unwrap();
        assert!(text.contains("Your cart is empty."), "{text}");
        app.stop().await;
    }

    async fn no_page_of_a_person_may_be_kept(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("admin@example.com", Role::Admin).await;
        let mut seen = 0;
        for (method, pattern, _) in app::rules().into_iter().filter(|(_, path, _)| emporium::http::browser::is_page(path)) {
            if method != "GET" || emporium::http::browser::is_file(pattern) || pattern.starts_with("/docs") || ["/favicon.ico", "/robots.txt", "/sitemap.xml"].contains(&pattern) {
                continue;
            }
            let path = pattern.replace("{path:.*}", "none").replace("{handle}", "none");
            let path = path.replace("{id}", "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d").replace("{sku}", "NONE").replace("{code}", "NONE");
            let answer = app.page(&path).header("cookie", format!("session={admin}")).send().await.unwrap();
            assert!(answer.status().as_u16() < 500, "{path}: {}", answer.status());
            assert_eq!((head(&answer, "cache-control"), head(&answer, "etag")), ("no-store", ""), "{path}");
            seen += 1;
        }
        assert!(seen > 20, "only {seen} pages");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_see_what_is_on_sale_and_nothing_else() {
    let app = TestApp::start(Backend::any()).await;
    let staff = app.token("staff@example.com", Role::Staff).await;
    for status in ["active", "draft", "archived"] {
        let body = json!({ "title": format!("Mug {status}"), "handle": status, "status": status,
            "skus": [{ "code": status, "price": { "amount": 1450, "currency": "USD" }, "backorder_limit": 5 }] });
        let made = app.request_as(&staff, Method::POST, "/api/v1/products").json(&body).send().await.unwrap();
        assert_eq!(made.status(), 201);
    }
    for path in ["/", "/search", "/search?q=mug", "/search/suggestions?q=mug"] {
        let page = app.page(path).send().await.unwrap().text().await.unwrap();
        assert!(!page.contains("Mug draft") && !page.contains("Mug archived"), "{path}\n{page}");
        assert!(page.contains("Mug active") || path == "/", "{path}\n{page}");
    }
    for (status, seen) in [("active", 200), ("draft", 404), ("archived", 404)] {
        assert_eq!(app.page(&format!("/products/{status}")).send().await.unwrap().status(), seen, "{status}");
    }
    // What was mistyped is told where it stands, and an old page of a list leads to its beginning.
    let page = app.page("/search?price_min=50&price_max=10").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("This is below the other price."));
    let old = app.page("/search?q=mug&cursor=zzz").send().await.unwrap();
    assert_eq!((old.status().as_u16(), old.url().query()), (200, Some("q=mug")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_site_changes_anything() {
    let app = TestApp::start(Backend::any()).await;
    let admin = app.token("admin@example.com", Role::Admin).await;
    let own = format!("http://{}", app.address);
    let mut seen = 0;
    for (method, pattern, access) in app::rules() {
        if method == "GET" || !emporium::http::browser::is_page(pattern) {
            continue;
        }
        assert_eq!(method, "POST", "{pattern}: forms are sent by POST");
        let path = pattern.replace("{id}", "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d");
        let request = || {
            let request = app
                .request(Method::POST, &path)
                .header("accept", "text/html")
                .header("cookie", format!("session={admin}"));
            request.header("content-type", "application/x-www-form-urlencoded").body("email=a&password=b")
        };
        let foreign = [
            request().header("sec-fetch-site", "cross-site").header("origin", &own),
            request().header("sec-fetch-site", "same-site"),
            request().header("origin", "https://evil.example"),
            request().header("origin", "null"),
            // Neither says where it comes from.
            request(),
            // From this shop, without the session's token.
            request().header("sec-fetch-site", "same-origin"),
            request().header("origin", &own),
        ];
        for request in foreign {
            let answer = request.send().await.unwrap();
            // Multipart forms refuse this kind of body before they look for the token.
            let refused = matches!(answer.status().as_u16(), 403 | 415);
            assert!(refused, "{path}: {}", answer.status());
        }
        if matches!(access, Access::Role(..)) {
            let stranger = app.send(&path, &[]).send().await.unwrap();
            assert_eq!((stranger.status().as_u16(), head(&stranger, "location")), (303, "/login?next=%2F"), "{path}");
        }
        seen += 1;
    }
    assert!(seen > 10, "only {seen} forms");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_carry_the_headers_that_keep_others_out() {
    let app =
        TestApp::start_with(Backend::any(), |config| config.server.public_url = "https://shop.example".into()).await;
    for path in ["/", "/login", "/nonsense", "/account"] {
        let answer = app.page(path).send().await.unwrap();
        let policy = head(&answer, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http:"), "{path}: {policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(head(&answer, name), value, "{path}: {name}");
        }
    }
    let api = app.request(Method::GET, "/api/v1/products").send().await.unwrap();
    assert_eq!(head(&api, "content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_wrote_stays_text() {
    let app = TestApp::start(Backend::any()).await;
    let description = "<p onclick=\"alert(1)\">Good <a href=\"javascript:alert(1)\">mug</a></p><script>alert(1)</script>\
        <img src=x onerror=alert(1)><a href=\"https://example.com\">out</a>";
    product(&app, "<script>alert('mug')</script>", description).await;
    for path in
        ["/", "/search?q=%3Cscript%3Ealert(2)%3C%2Fscript%3E", "/products/mug", "/login?next=%22%3E%3Cscript%3E"]
    {
        let text = app.page(path).send().await.unwrap().text().await.unwrap();
        let scripts: Vec<&str> = text.split("<script").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
        assert!(scripts.len() == 1 && scripts[0].contains(" src=\"/static/"), "{path}: {scripts:?}");
        for word in ["javascript:", "onclick", "onerror", "style=\""] {
            assert!(!text.contains(word), "{path}: {word}\n{text}");
        }
    }
    let text = app.page("/products/mug").send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains("<a href=\"https://example.com\" rel=\"noopener nofollow\">out</a>"),
        "{}",
        text.split("description").last().unwrap()
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_named_by_their_content_and_kept_for_good() {
    let app = TestApp::start(Backend::any()).await;
    let page = app.page("/").send().await.unwrap().text().await.unwrap();
    let paths: Vec<&str> = page.split('"').filter(|part| part.starts_with("/static/")).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    for path in paths {
        let answer = app.request(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), head(&answer, "cache-control")),
            (200, "public, max-age=31536000, immutable")
        );
        assert_eq!(head(&answer, "vary"), "accept-encoding", "{path}: the same for everybody");
        let (stem, rest) = path.split_once('.').unwrap();
        let other = format!("{stem}.000000000000.{}", rest.split_once('.').unwrap().1);
        // A process of another version asks so, while a new one is brought to a cluster.
        let other = app.request(Method::GET, &other).send().await.unwrap();
        assert_eq!((other.status().as_u16(), head(&other, "cache-control")), (200, "no-cache"));
    }
    for path in [
        "/static/..%2f..%2fCargo.toml",
        "/static/none.000000000000.css",
        "/demo/..%2fcatalogue.jsonl",
        "/demo/none.svg",
    ] {
        assert_eq!(app.request(Method::GET, path).send().await.unwrap().status(), 404, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_product_page_is_small_and_compressed() {
    let app = TestApp::start(Backend::any()).await;
    product(&app, "Mug", &"<p>A good mug.</p>".repeat(100)).await;
    let plain = app.page("/products/mug").send().await.unwrap().text().await.unwrap();
    assert!(plain.len() < 30_000, "{} bytes", plain.len());
    let files = plain.split('"').filter(|part| part.starts_with("/static/"));
    let mut all = 0;
    for path in files.chain(["/products/mug"]) {
        let raw = reqwest::Client::builder().no_gzip().build().unwrap();
        let answer = raw.get(format!("http://{}{path}", app.address)).header("accept-encoding", "gzip");
        let answer = answer.send().await.unwrap();
        assert_eq!(head(&answer, "content-encoding"), "gzip", "{path}");
        all += answer.bytes().await.unwrap().len();
    }
    assert!(all < 15_000, "what a browser fetches beside pictures: {all} bytes");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_british_shop_speaks_and_counts_as_the_british_do() {
    let app = TestApp::start_with(Backend::any(), |config| {
        config.web.locale = emporium::config::Locale::EnGb;
        config.web.time_zone = chrono_tz::Europe::London;
        config.web.shop_name = "Ye Olde <Shoppe>".into();
    })
    .await;
    product(&app, "Mug", "").await;
    let page = app.page("/products/mug").send().await.unwrap().text().await.unwrap();
    for text in ["<html lang=\"en-GB\">", "US$14.50", "Add to basket", "Ye Olde &#60;Shoppe&#62;"] {
        assert!(page.contains(text), "{text}\n{page}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_pages_for_people_and_problems_for_programs() {
    let app = TestApp::start_with(Backend::Sqlite, |config| {
        config.server.rate_limit_per_minute = 60;
        config.server.rate_limit_burst = 12;
    })
    .await;
    let customer = app.token("customer@example.com", Role::Customer).await;
    let missing = app.page("/nonsense").header("x-request-id", "my-own-id").send().await.unwrap();
    assert_eq!((missing.status().as_u16(), head(&missing, "content-type")), (404, "text/html; charset=utf-8"));
    let text = missing.text().await.unwrap();
    assert!(text.contains("There is no such page") && text.contains("my-own-id"), "{text}");
    let program = app.request(Method::GET, "/nonsense").send().await.unwrap();
    assert_eq!((program.status().as_u16(), head(&program, "content-type")), (404, "application/problem+json"));

    let refused = app.page("/admin/users").header("cookie", format!("session={customer}")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let text = refused.text().await.unwrap();
    // Not in the words that programs are told.
    assert!(text.contains("You may not do this") && !text.contains("This needs the role"), "{text}");
    // No form was sent.
    assert!(text.contains("This page is for others.") && !text.contains("before you send the form"), "{text}");

    let mut limited = app.page("/").send().await.unwrap();
    for _ in 0..20 {
        limited = app.page("/").send().await.unwrap();
    }
    assert_eq!((limited.status().as_u16(), head(&limited, "retry-after").is_empty()), (429, false));
    assert!(limited.text().await.unwrap().contains("Please slow down"));
    app.stop().await;
}
