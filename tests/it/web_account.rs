//! The account's pages, as a browser without scripts sees them.

use std::time::Duration;

use emporium::call::Role;
use emporium::clock::{Clock, Id};
use emporium::user::{NewAddress, NewApiKey, UserPatch, UserQuery};

use crate::testapp::{PASSWORD, TestApp, call, on_both};

mod again;
mod browser;
mod gate;
mod keeping;
mod proof;

use browser::Browser;

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";
const NEW_PASSWORD: &str = "mountain river lamp seven";
const CONFIRM: &str = "Please confirm your address";

impl TestApp {
    async fn id(&self, email: &str) -> Id {
        let query = UserQuery { q: Some(email.to_owned()), ..Default::default() };
        self.shop.modules.user.user_list(query).await.unwrap().items[0].id
    }

    /// The ids of a person's sessions, the newest first.
    async fn sessions(&self, email: &str) -> Vec<Id> {
        let sessions = self.shop.modules.user.session_list(self.id(email).await, None).await.unwrap();
        sessions.into_iter().map(|session| session.id).collect()
    }
}

on_both! {
    async fn an_account_lives_from_registering_to_its_end(backend: Backend) {
        let app = TestApp::start(backend).await;
        let mut browser = Browser::new(&app);
        browser.get("/register?next=/cart").await.says("At least 12 characters");
        let fields = [("email", ANN), ("password", PASSWORD), ("name", "Ann"), ("next", "/cart")];
        let sent = browser.post("/register", &fields).await;
        assert_eq!((sent.status, sent.to()), (303, "/register/sent?next=%2Fcart"));
        browser.get("/register/sent?next=%2Fcart").await.says("href=\"/login?next=/cart\"");

        // Who has not confirmed the address may log in, and is told.
        browser.login(ANN, PASSWORD).await;
        browser.get("/account").await.says("is not confirmed yet");
        let token = app.mailed_token(ANN, CONFIRM).await;
        let page = browser.get(&format!("/verify?token={token}")).await;
        assert_eq!((page.status, page.hidden("token")), (200, &*token));
        browser.get("/account").await.says("is not confirmed yet");
        let done = browser.post("/verify", &[("token", &token)]).await;
        assert_eq!((done.status, done.to()), (303, "/account"));
        let page = browser.get("/account").await;
        page.says("your address is confirmed");
        page.is_silent_of("is not confirmed yet");
        browser.get("/account").await.is_silent_of("your address is confirmed");

        let version = browser.get("/account/profile").await.hidden("version").to_owned();
        let fields = [("name", "Ann Example"), ("phone", "12345"), ("version", &*version)];
        let saved = browser.post("/account/profile", &fields).await;
        assert_eq!((saved.status, saved.to()), (303, "/account"));
        browser.get("/account/profile").await.says("value=\"Ann Example\"");

        let mut phone = Browser::new(&app);
        phone.user_agent = "Mozilla/5.0 (Android 14; Mobile; rv:133.0) Gecko/133.0 Firefox/133.0";
        phone.login(ANN, PASSWORD).await;
        let devices = browser.get("/account/sessions").await;
        for text in ["Firefox on Android", "curl/8.5.0", "This device", "127.0.0.1", "Log out all other devices"] {
            devices.says(text);
        }
        let change = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
        assert_eq!(browser.post("/account/password", &change).await.to(), "/account");
        browser.get("/account").await.says("Your password is changed");
        assert_eq!(phone.get("/account").await.to(), "/login?next=%2Faccount");

        assert_eq!(phone.post("/forgot", &[("email", ANN)]).await.to(), "/forgot/sent");
        let token = app.mailed_token(ANN, "Set a new password").await;
        let page = browser.get(&format!("/reset?token={token}")).await;
        assert_eq!((page.status, page.hidden("token")), (200, &*token));
        assert_eq!(page.headers["referrer-policy"], "strict-origin");
        page.is_silent_of(&format!("token={token}"));
        let reset = browser.post("/reset", &[("token", &token), ("new_password", PASSWORD)]).await;
        assert_eq!((reset.status, reset.to(), browser.is_logged_in()), (303, "/login", false));
        browser.get("/login").await.says("Your new password is set");
        assert_eq!(browser.login(ANN, NEW_PASSWORD).await.status, 401);
        assert_eq!(browser.login(ANN, PASSWORD).await.to(), "/account");

        browser.get("/account/delete").await.says("Nobody can bring the account back");
        let deleted = browser.post("/account/delete", &[("current_password", PASSWORD), ("sure", "true")]).await;
        assert_eq!((deleted.status, deleted.to(), browser.is_logged_in()), (303, "/", false));
        browser.get("/").await.says("Your account is deleted");
        assert_eq!(browser.login(ANN, PASSWORD).await.status, 401);
    }

    async fn a_device_that_was_logged_out_is_sent_to_log_in(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        app.token(BOB, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let (mut phone, mut bob) = (Browser::of(&app, ANN).await, Browser::of(&app, BOB).await);
        let sessions = app.sessions(ANN).await;
        assert_eq!(sessions.len(), 3);
        // The newest is the phone's. Nobody ends somebody else's.
        let path = format!("/account/sessions/{}/end", sessions[0]);
        assert_eq!(bob.post(&path, &[]).await.status, 303);
        assert_eq!(phone.get("/account").await.status, 200);
        assert_eq!(ann.post(&path, &[]).await.to(), "/account/sessions");
        ann.get("/account/sessions").await.says("That device is logged out");
        assert_eq!(phone.get("/account/addresses").await.to(), "/login?next=%2Faccount%2Faddresses");
        phone.get("/login?next=%2Faccount%2Faddresses").await;
        assert!(!phone.is_logged_in(), "the cookie is cleared");

        let mut phone = Browser::of(&app, ANN).await;
        assert_eq!(ann.post("/account/sessions/end", &[]).await.to(), "/account/sessions");
        assert_eq!((ann.get("/account").await.status, phone.get("/account").await.status), (200, 303));
        let own = app.sessions(ANN).await;
        assert_eq!(own.len(), 1);
        assert_eq!(ann.post(&format!("/account/sessions/{}/end", own[0]), &[]).await.to(), "/");
        assert!(!ann.is_logged_in());
        assert_eq!(bob.post("/account/sessions/nothing/end", &[]).await.status, 404);
    }

    async fn logging_in_again_ends_the_session_before(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        app.token(BOB, Role::Customer).await;
        let mut browser = Browser::of(&app, ANN).await;
        assert_eq!(app.sessions(ANN).await.len(), 2);
        browser.login(BOB, PASSWORD).await;
        browser.get("/account").await.says(BOB);
        assert_eq!(app.sessions(ANN).await.len(), 1);
    }

    async fn who_is_disabled_is_told_so_after_the_right_password(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let patch = UserPatch { disabled: Some(true), ..UserPatch::default() };
        app.shop.modules.user.user_update(&call(), app.id(ANN).await, None, patch).await.unwrap();
        let mut ann = Browser::new(&app);
        let page = ann.post("/login", &[("email", ANN), ("password", PASSWORD)]).await;
        assert_eq!((page.status, ann.is_logged_in()), (403, false));
        page.says("This account is disabled");
        page.says("please write to the shop");
        let page = ann.post("/login", &[("email", ANN), ("password", "not the password")]).await;
        assert_eq!(page.status, 401);
        page.says("The address or the password is wrong.");
        assert_eq!(ann.post("/forgot", &[("email", ANN)]).await.to(), "/forgot/sent");
    }

    async fn nobody_is_sent_to_another_site(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let elsewhere =
            ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)"];
        for next in elsewhere {
            let mut browser = Browser::new(&app);
            let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
            for path in ["/login", "/register", "/register/sent"] {
                let page = browser.get(&format!("{path}?next={encoded}")).await;
                page.is_silent_of("evil");
                page.is_silent_of("alert");
            }
            let fields = [("email", ANN), ("password", PASSWORD), ("next", next)];
            assert_eq!(browser.post("/login", &fields).await.to(), "/", "{next}");
            assert_eq!(browser.get(&format!("/login?next={encoded}")).await.to(), "/", "{next}");
        }
    }
}
