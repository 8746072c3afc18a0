//! Registering, confirming, passwords: what is refused, and how it is told.

use super::*;

on_both! {
    async fn registering_tells_nothing_of_who_is_there(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut pages = vec![];
        for email in [ANN, "new@example.com"] {
            let mut browser = Browser::new(&app);
            let sent = browser.post("/register", &[("email", email), ("password", NEW_PASSWORD)]).await;
            assert_eq!(sent.status, 303);
            pages.push((sent.to().to_owned(), browser.get(sent.to()).await.body));
        }
        assert_eq!(pages[0], pages[1]);
        let mut browser = Browser::new(&app);
        for email in [ANN, "nobody@example.com"] {
            let sent = browser.post("/forgot", &[("email", email)]).await;
            assert_eq!((sent.status, sent.to()), (303, "/forgot/sent"));
        }
        assert!(app.mail(ANN, "You have an account already").await.is_some());
        assert!(app.mail("nobody@example.com", "Set a new password").await.is_none());
    }

    async fn what_cannot_be_registered_is_told_at_its_field(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.user.password_length_min = 14).await;
        let mut browser = Browser::new(&app);
        browser.get("/register").await.says("At least 14 characters");
        let fields = [("email", "nonsense"), ("password", "short-Secret"), ("name", "<b>Ann</b>")];
        let page = browser.post("/register", &fields).await;
        assert_eq!(page.status, 422);
        assert!(page.has_fault("email") && page.has_fault("password") && !page.has_fault("name"));
        page.says("value=\"nonsense\"");
        page.is_silent_of("short-Secret");
        page.is_silent_of("<b>");
        assert_eq!(page.headers["cache-control"], "no-store");
        let page = browser.post("/forgot", &[("email", "nonsense")]).await;
        assert!(page.status == 422 && page.has_fault("email"));
        let page = browser.post("/login", &[("email", ANN), ("password", PASSWORD)]).await;
        assert_eq!(page.status, 401);
        page.says("The address or the password is wrong.");
    }

    async fn a_link_works_once_and_tells_what_to_do_when_it_does_not(backend: Backend) {
        let app = TestApp::start(backend).await;
        let mut browser = Browser::new(&app);
        browser.post("/register", &[("email", ANN), ("password", PASSWORD)]).await;
        let token = app.mailed_token(ANN, CONFIRM).await;
        assert_eq!(browser.post("/verify", &[("token", &token)]).await.to(), "/login");
        browser.get("/login").await.says("your address is confirmed");
        for page in [
            browser.post("/verify", &[("token", &token)]).await,
            browser.post("/verify", &[("token", "nonsense")]).await,
            browser.get("/verify").await,
        ] {
            assert_eq!(page.status, 422);
            page.says("just log in");
            page.is_silent_of("action=\"/verify\"");
        }
        browser.post("/forgot", &[("email", ANN)]).await;
        let token = app.mailed_token(ANN, "Set a new password").await;
        // A password that is not taken does not cost the link.
        let page = browser.post("/reset", &[("token", &token), ("new_password", "short")]).await;
        assert!(page.status == 422 && page.has_fault("new_password"), "{page:?}");
        assert_eq!(page.hidden("token"), token);
        assert_eq!(browser.post("/reset", &[("token", &token), ("new_password", NEW_PASSWORD)]).await.to(), "/login");
        for page in [
            browser.post("/reset", &[("token", &token), ("new_password", PASSWORD)]).await,
            browser.get("/reset").await,
        ] {
            assert_eq!(page.status, 422);
            page.says("href=\"/forgot\"");
            page.is_silent_of("action=\"/reset\"");
        }
        assert_eq!(browser.login(ANN, NEW_PASSWORD).await.to(), "/account");
    }

    async fn a_reset_logs_out_whoever_is_logged_in_here(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        app.token(BOB, Role::Customer).await;
        let mut browser = Browser::of(&app, BOB).await;
        let before = app.sessions(BOB).await.len();
        browser.post("/forgot", &[("email", ANN)]).await;
        let token = app.mailed_token(ANN, "Set a new password").await;
        browser.post("/reset", &[("token", &token), ("new_password", NEW_PASSWORD)]).await;
        assert!(!browser.is_logged_in());
        assert_eq!(app.sessions(BOB).await.len(), before - 1, "no session is left that nobody can end");
    }

    async fn a_new_link_can_be_asked_for_until_one_is_used(backend: Backend) {
        let app = TestApp::start(backend).await;
        let mut browser = Browser::new(&app);
        browser.post("/register", &[("email", ANN), ("password", PASSWORD)]).await;
        let first = app.mailed_token(ANN, CONFIRM).await;
        browser.login(ANN, PASSWORD).await;
        browser.get("/account").await.says("Send me a new link");
        assert_eq!(browser.post("/account/verify", &[]).await.to(), "/account");
        browser.get("/account").await.says("A mail with a new link is on its way");
        let second = app.mailed_token(ANN, CONFIRM).await;
        assert_ne!(first, second);
        assert_eq!(browser.post("/verify", &[("token", &first)]).await.status, 422);
        // Nobody fills a mailbox.
        browser.post("/account/verify", &[]).await;
        browser.post("/account/verify", &[]).await;
        let page = browser.post("/account/verify", &[]).await;
        assert!(page.status == 429 && page.headers.contains_key("retry-after"), "{page:?}");
        page.says("tried too often");
        let newest = app.mailed_token(ANN, CONFIRM).await;
        assert_eq!(browser.post("/verify", &[("token", &newest)]).await.status, 303);
        app.clock.advance(Duration::from_secs(7_200));
        assert_eq!(browser.post("/account/verify", &[]).await.to(), "/account");
        assert_eq!(app.mailed_token(ANN, CONFIRM).await, newest, "there is nothing to confirm any more");
    }

    async fn the_address_and_the_password_take_the_current_password(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut ann = Browser::of(&app, ANN).await;
        let (wrong, right) = (("current_password", "wrong horse battery staple"), ("current_password", PASSWORD));
        for password in [wrong, ("current_password", "")] {
            let page = ann.post("/account/email", &[("email", "new@example.com"), password]).await;
            assert!(page.status == 422 && page.has_fault("current_password"), "{page:?}");
            page.says("value=\"new@example.com\"");
            let page = ann.post("/account/password", &[("new_password", NEW_PASSWORD), password]).await;
            assert!(page.status == 422 && page.has_fault("current_password"), "{page:?}");
        }
        let page = ann.post("/account/email", &[("email", ANN), right]).await;
        assert!(page.status == 422 && page.has_fault("email"));
        let page = ann.post("/account/password", &[("new_password", "short"), right]).await;
        assert!(page.status == 422 && page.has_fault("new_password"));

        assert_eq!(ann.post("/account/email", &[("email", "new@example.com"), right]).await.to(), "/account");
        ann.get("/account/email").await.says("Your address is ann@example.com");
        let token = app.mailed_token("new@example.com", "Please confirm your new address").await;
        assert_eq!(ann.post("/verify", &[("token", &token)]).await.to(), "/account");
        ann.get("/account/email").await.says("Your address is new@example.com");
    }
}
