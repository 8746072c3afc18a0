//! Forms of older pages: what was typed is kept.

use super::*;

impl Browser<'_> {
    /// Sends a form with this token, as a page of this shop does.
    async fn send_with(&mut self, token: &str, path: &str, fields: &[(&str, &str)]) -> browser::Shown {
        let own = format!("http://{}", self.shop_address());
        let fields = [&[("form_token", token)], fields].concat();
        let request = self.form(path, &fields).header("origin", own);
        self.send(request).await
    }
}

on_both! {
    async fn a_form_of_an_older_page_is_asked_for_again_and_nothing_is_lost(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let version = ann.get("/account/profile").await.hidden("version").to_owned();
        let old = ann.token.clone();
        // The same browser, logged in anew in another tab.
        ann.login(ANN, PASSWORD).await;
        let fields = [("name", "Ann \"Quote\" <b>Example</b>"), ("phone", "12 345"), ("version", &*version)];
        let page = ann.send_with(&old, "/account/profile", &fields).await;
        assert_eq!(page.status, 403);
        page.says("Please send this once more");
        page.says(&format!("You are logged in as {ANN}"));
        page.says("action=\"/account/profile\"");
        page.says("name=\"name\" value=\"Ann &#34;Quote&#34; &#60;b&#62;Example&#60;/b&#62;\"");
        page.says("<dd class=\"kept\">12 345</dd>");
        page.is_silent_of("You may not do this");
        page.is_silent_of(&old);
        assert_eq!(page.headers["cache-control"], "no-store");
        let profile = async || app.shop.modules.user.profile_get(app.id(ANN).await).await.unwrap().unwrap();
        assert_eq!(profile().await.name, "Test Person");
        // The page has a token that is good: sent again from there, it is done.
        let token = page.hidden("form_token").to_owned();
        assert_eq!(ann.send_with(&token, "/account/profile", &fields).await.status, 303);
        assert_eq!(profile().await.name, "Ann \"Quote\" <b>Example</b>");
        // A program gets no page.
        let cookie = format!("session={}", ann.cookies["session"]);
        let request = app.request(reqwest::Method::POST, "/account/profile").header("cookie", cookie);
        let request = request.header("sec-fetch-site", "same-origin").form(&[("name", "Program")]);
        let refused = ann.send(request).await;
        assert_eq!((refused.status, &refused.headers["content-type"]), (403, &"application/problem+json".parse().unwrap()));
        refused.says("\"form_outdated\"");
    }

    async fn what_staff_have_typed_is_shown_as_their_page_shows_it(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("staff@example.com", Role::Staff).await;
        let body = serde_json::json!({ "name": "Kitchen", "slug": "kitchen" });
        let made = app.request_as(&token, reqwest::Method::POST, "/api/v1/categories").json(&body).send().await.unwrap();
        let category: serde_json::Value = made.json().await.unwrap();
        let id = category["id"].as_str().unwrap();
        let mut staff = Browser::of(&app, "staff@example.com").await;
        let other = "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d";
        let fields = [("title", "Mug"), ("category_id", id), ("status", "draft"), ("description_html", "One\r\nTwo"), ("saved", other)];
        let page = staff.send_with("old", "/admin/products/new", &fields).await;
        assert_eq!(page.status, 403);
        // In the frame of the admin pages, and it leads back there.
        page.says("<nav class=\"side\"");
        page.says("<a href=\"/admin\">Do not send it</a>");
        page.says("<dt>Category</dt><dd class=\"kept\">kitchen</dd>");
        page.says("<dd class=\"kept\">Draft</dd>");
        page.says("<dd class=\"kept\">as chosen</dd>");
        page.says("<dd class=\"kept\">One\r\nTwo</dd>");
        // What is sent is still the id.
        page.says(&format!("name=\"category_id\" value=\"{id}\""));
        page.is_silent_of(&format!("<dd class=\"kept\">{id}"));
    }

    async fn passwords_are_asked_for_anew(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
        let page = ann.send_with("old", "/account/password", &fields).await;
        assert_eq!(page.status, 403);
        page.is_silent_of(PASSWORD);
        page.is_silent_of(NEW_PASSWORD);
        for name in ["current_password", "new_password"] {
            page.says(&format!("<input type=\"password\" id=\"f-{}\" name=\"{name}\" autocomplete", name.replace('_', "-")));
        }
        let token = page.hidden("form_token").to_owned();
        assert_eq!(ann.send_with(&token, "/account/password", &fields).await.to(), "/account");
    }

    async fn links_that_are_bad_are_told_at_once_and_not_used_up(backend: Backend) {
        let app = TestApp::start(backend).await;
        let mut browser = Browser::new(&app);
        browser.post("/register", &[("email", ANN), ("password", PASSWORD)]).await;
        let token = app.mailed_token(ANN, CONFIRM).await;
        let wrong = format!("{}A", &token[..token.len() - 1]);
        let wrong = if wrong == token { format!("{}B", &token[..token.len() - 1]) } else { wrong };
        for path in ["/verify?token=bad", "/reset?token=bad", &format!("/verify?token={wrong}"), &format!("/reset?token={token}")] {
            let page = browser.get(path).await;
            assert_eq!(page.status, 422, "{path}");
            page.says("This link is wrong");
            page.says("<title>Error: ");
        }
        for _ in 0..2 {
            let page = browser.get(&format!("/verify?token={token}")).await;
            assert_eq!((page.status, page.hidden("token")), (200, &*token));
            page.says("<title>Confirm");
        }
        // Before it is used, logging in says what is missing, and where to ask for a new link.
        browser.login(ANN, PASSWORD).await;
        let page = browser.get("/").await;
        page.says("is not confirmed yet");
        page.says("<a href=\"/account\">Send me a new link</a>");
        assert_eq!(browser.post("/verify", &[("token", &token)]).await.status, 403);
        browser.get("/account").await;
        assert_eq!(browser.post("/verify", &[("token", &token)]).await.to(), "/account");
    }
}
