//! The first run: from a shop without an admin to one with an admin.

use super::Visitor;
use crate::testapp::{PASSWORD, TestApp, on_both};

on_both! {
    async fn the_first_admin_is_made_with_the_token_and_only_once(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.shop.modules.user.setup_token().await.unwrap().unwrap();
        let mut guest = Visitor::guest(&app);
        let home = guest.page("/").await;
        home.says("This shop has no admin yet.");
        home.says("emporium user create-admin");
        home.is_silent_of(&token);
        assert_eq!(home.header("cache-control"), "no-store");

        for path in ["/setup", "/setup?token=", "/setup?token=wrong"] {
            let page = guest.page(path).await;
            page.says("The address with the one-time token stands in the log");
            page.is_silent_of("name=\"password\"");
            page.is_silent_of(&token);
            assert_eq!(page.has("This token is not the shop’s."), path.ends_with("wrong"));
        }
        let page = guest.page(&format!("/setup?token={token}")).await;
        assert_eq!((page.hidden("token"), page.header("cache-control")), (token.clone(), "no-store"));

        let form = |token, password| [("token", token), ("email", "root@example.com"), ("name", "Root"), ("password", password)];
        let refused = guest.post("/setup", &form("wrong", PASSWORD)).await;
        assert_eq!(refused.status, 422);
        refused.says("This token is not the shop’s.");
        let refused = guest.post("/setup", &form(&token, "short")).await;
        assert_eq!(refused.status, 422);
        refused.says("id=\"f-password-fault\"");
        refused.says("value=\"root@example.com\"");
        refused.is_silent_of("value=\"short\"");
        assert!(app.shop.modules.user.setup_token().await.unwrap().is_some());

        let done = guest.post("/setup", &form(&token, PASSWORD)).await;
        assert_eq!((done.status, done.to()), (303, "/login?next=/admin"), "{}", done.body);
        guest.page("/login?next=/admin").await.says("The shop is set up.");
        let again = guest.post("/setup", &form(&token, PASSWORD)).await;
        assert_eq!(again.status, 409);
        again.says("This shop has an admin already.");
        guest.page(&format!("/setup?token={token}")).await.says("This shop has an admin already.");

        let home = Visitor::guest(&app).page("/").await;
        home.is_silent_of("This shop has no admin yet.");
        assert_eq!(home.header("cache-control"), "public, max-age=60");
        guest.login("root@example.com").await;
        guest.page("/admin").await.says("There are no products yet.");
        app.stop().await;
    }
}
