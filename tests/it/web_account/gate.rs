//! What keeps others out: forms of other sites, cookies, keys.

use reqwest::Method;

use super::*;

/// What would be changed by a form that is let through.
async fn name(app: &TestApp) -> String {
    app.shop.modules.user.profile_get(app.id(ANN).await).await.unwrap().unwrap().name
}

on_both! {
    async fn a_form_of_another_site_changes_nothing(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        app.token(BOB, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let own = format!("http://{}", app.address);
        let version = ann.get("/account/profile").await.hidden("version").to_owned();
        let token = ann.token.clone();
        let fields = [("form_token", &*token), ("name", "Mallory"), ("phone", ""), ("version", &version)];
        let headers: [&[(&str, &str)]; 6] = [
            &[],
            &[("sec-fetch-site", "cross-site"), ("origin", &own)],
            &[("sec-fetch-site", "same-site"), ("origin", &own)],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
        ];
        for headers in headers {
            let form = ann.form("/account/profile", &fields);
            let request = headers.iter().fold(form, |form, (name, value)| form.header(*name, *value));
            assert_eq!(ann.send(request).await.status, 403, "{headers:?}");
        }
        let bob = Browser::of(&app, BOB).await;
        assert!(!bob.token.is_empty());
        for token in ["", "nonsense", &*bob.token] {
            let mut fields = fields;
            fields[0].1 = token;
            let request = ann.form("/account/profile", &fields).header("origin", &own);
            assert_eq!(ann.send(request).await.status, 403, "{token}");
        }
        assert_eq!(name(&app).await, "Test Person");
        for path in ["/logout", "/account/sessions/end", "/account/delete", "/verify", "/account/verify", "/login"] {
            let request = ann.form(path, &[("current_password", PASSWORD), ("sure", "true")]).header("origin", &own);
            assert_eq!(ann.send(request).await.status, 403, "{path}");
        }
        // All of it stands; and the same is done where a page of this shop sends it.
        let request = ann.form("/account/profile", &fields).header("sec-fetch-site", "same-origin");
        assert_eq!(ann.send(request).await.status, 303);
        assert_eq!(name(&app).await, "Mallory");
    }

    async fn the_cookie_is_for_this_host_and_no_script(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut browser = Browser::new(&app);
        let answer = browser.login(ANN, PASSWORD).await;
        let cookie = answer.cookie("session").unwrap();
        let (_, marks) = cookie.split_once("; ").unwrap();
        assert!(marks.starts_with("HttpOnly; SameSite=Lax; Path=/; Max-Age="), "{cookie}");
        let (_, seconds) = marks.split_once("Max-Age=").unwrap();
        assert!((2_591_000..=2_592_000).contains(&seconds.parse::<i64>().unwrap()), "{cookie}");

        let app = TestApp::start_with(backend, |config| config.server.public_url = "https://shop.example".into()).await;
        app.token(ANN, Role::Customer).await;
        let mut browser = Browser::new(&app);
        let form = browser.form("/login", &[("email", ANN), ("password", PASSWORD)]);
        let answer = browser.send(form.header("origin", "https://shop.example")).await;
        let cookie = answer.cookie("__Host-session").unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age="), "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
        browser.get("/account").await.says(ANN);
        assert_eq!(browser.post("/logout", &[]).await.to(), "/");
        assert!(!browser.cookies.contains_key("__Host-session"));
        // Under its plain name it could come from a plain connection.
        let token = app.login(ANN).await;
        browser.cookies.insert("session".to_owned(), token);
        assert_eq!(browser.get("/account").await.status, 303);
    }

    async fn pages_know_cookies_and_the_api_knows_tokens(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("root@example.com", Role::Admin).await;
        let admin = app.id("root@example.com").await;
        let new = NewApiKey {
            name: "Program".into(),
            scopes: vec![emporium::call::Scope::UsersRead],
            expires_at: Some(app.clock.now().plus_seconds(600)),
        };
        let key = app.shop.modules.user.api_key_create(&call(), admin, new).await.unwrap().token;
        let mut browser = Browser::new(&app);
        browser.cookies.insert("session".to_owned(), key.clone());
        assert_eq!(browser.get("/account").await.to(), "/login?next=%2Faccount");
        let answer = app.request_as(&key, Method::GET, "/api/v1/users").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        browser.cookies.insert("session".to_owned(), token.clone());
        assert_eq!(browser.get("/account").await.status, 200);
        assert_eq!(browser.get("/api/v1/me").await.status, 401, "the API takes no cookie");
        let nobody = Browser::new(&app);
        let request = nobody.request(Method::GET, "/account").bearer_auth(&token);
        assert_eq!(Browser::new(&app).send(request).await.to(), "/login?next=%2Faccount", "pages take no token");
    }

    async fn a_session_ends_by_itself(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        app.clock.advance(Duration::from_secs(15 * 86_400));
        assert_eq!(ann.get("/account").await.to(), "/login?next=%2Faccount");
        // What is sent to a page afterwards is not done, and leads to logging in, not back to the form's address.
        assert_eq!(ann.post("/account/profile", &[("name", "Late")]).await.to(), "/login?next=%2F");
        assert_eq!(name(&app).await, "Test Person");
        ann.get("/login").await;
        assert!(!ann.is_logged_in());
    }
}
