//! Changing the address.

use emporium::call::Role;
use serde_json::json;

use super::*;
use crate::testapp::{TestApp, on_both};

const NEW: &str = "ann@new.example";
const CONFIRM: &str = "Please confirm your new address";

async fn change(app: &TestApp, token: &str, email: &str, password: &str) -> (u16, Value) {
    app.post_as(token, "/api/v1/me/email", json!({ "email": email, "current_password": password })).await
}

async fn verify(app: &TestApp, token: &str) -> (u16, Value) {
    app.post("/api/v1/auth/email/verify", json!({ "token": token })).await
}

on_both! {
    async fn an_address_changes_once_the_new_one_is_proved(backend: Backend) {
        let app = TestApp::start(backend).await;
        let session = app.token(ANN, Role::Customer).await;
        assert_eq!(code(&change(&app, &session, NEW, "not the password").await.1), "wrong_credentials");
        for wrong in ["ann", "ANN@example.com"] {
            assert_eq!(pointer(&change(&app, &session, wrong, PASSWORD).await.1), "/email");
        }
        app.post("/api/v1/auth/password/forgot", json!({ "email": ANN })).await;
        let reset = app.mailed_token(ANN, "Set a new password").await;

        assert_eq!(change(&app, &session, NEW, PASSWORD).await, (202, Value::Null));
        assert!(app.mail(ANN, "Your address is about to change").await.is_some());
        let token = app.mailed_token(NEW, CONFIRM).await;
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 200, "the old one counts until then");
        assert_eq!(app.try_login(NEW, PASSWORD).await.0, 401);

        assert_eq!(verify(&app, &token).await.0, 204);
        assert_eq!(code(&verify(&app, &token).await.1), "token_invalid");
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 401);
        let (status, body) = app.try_login(NEW, PASSWORD).await;
        assert_eq!((status, &body["user"]["email"]), (200, &json!(NEW)));
        assert_eq!(app.audited("email.changed"), 1);
        // What was mailed to the old address opens nothing any more, and the address is free.
        let body = json!({ "token": reset, "new_password": OTHER_PASSWORD });
        assert_eq!(code(&app.post("/api/v1/auth/password/reset", body).await.1), "token_invalid");
        app.token(ANN, Role::Customer).await;
    }

    async fn an_address_that_somebody_has_is_not_told(backend: Backend) {
        let app = TestApp::start(backend).await;
        let session = app.token(ANN, Role::Customer).await;
        app.token("bob@example.com", Role::Customer).await;
        assert_eq!(change(&app, &session, "Bob@example.com", PASSWORD).await, (202, Value::Null));
        assert!(app.mail("bob@example.com", "You have an account already").await.is_some());
        assert!(app.mail("bob@example.com", CONFIRM).await.is_none());
        // A token is there all the same, for the time it takes; nobody gets it, and it names nobody else's address.
        assert!(app.mails().await.iter().all(|mail| !mail.contains("token=")));
        assert_eq!(app.number("SELECT count(*) AS n FROM {}one_time_tokens WHERE email = 'ann@example.com'"), 1);
    }

    async fn who_gets_the_address_first_has_it(backend: Backend) {
        let app = TestApp::start(backend).await;
        let session = app.token(ANN, Role::Customer).await;
        assert_eq!(change(&app, &session, NEW, PASSWORD).await.0, 202);
        let token = app.mailed_token(NEW, CONFIRM).await;
        app.token(NEW, Role::Customer).await;
        let (status, body) = verify(&app, &token).await;
        assert_eq!((status, code(&body)), (422, "token_invalid"));
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 200);
    }
}
