//! Changing and resetting passwords.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emporium::app;
use emporium::call::Role;
use serde_json::json;

use super::*;
use crate::testapp::{TestApp, on_both};

const RESET: &str = "Set a new password";

async fn change(app: &TestApp, token: &str, old: &str, new: &str) -> (u16, Value) {
    app.post_as(token, "/api/v1/me/password", json!({ "current_password": old, "new_password": new })).await
}

async fn forgot(app: &TestApp, email: &str) -> (u16, Value) {
    app.post("/api/v1/auth/password/forgot", json!({ "email": email })).await
}

async fn reset(app: &TestApp, token: &str, password: &str) -> (u16, Value) {
    app.post("/api/v1/auth/password/reset", json!({ "token": token, "new_password": password })).await
}

on_both! {
    async fn a_change_ends_the_other_sessions(backend: Backend) {
        let app = TestApp::start(backend).await;
        let phone = app.token(ANN, Role::Customer).await;
        let laptop = app.login(ANN).await;
        let (status, body) = change(&app, &laptop, "not the password", OTHER_PASSWORD).await;
        assert_eq!((status, code(&body)), (401, "wrong_credentials"));
        for weak in ["short", "password1234", ANN, &"x".repeat(1_000_000)] {
            let (status, body) = change(&app, &laptop, PASSWORD, weak).await;
            assert_eq!((status, pointer(&body)), (422, "/new_password"));
        }
        assert!(app.is_live(&phone).await);

        assert_eq!(change(&app, &laptop, PASSWORD, OTHER_PASSWORD).await.0, 204);
        assert!(app.is_live(&laptop).await);
        assert!(!app.is_live(&phone).await);
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 401);
        assert_eq!(app.try_login(ANN, OTHER_PASSWORD).await.0, 200);
        assert!(app.mail(ANN, "Your password was changed").await.is_some());
        assert_eq!(app.audited("password.changed"), 1);
    }

    async fn a_forgotten_password_is_reset_through_the_mail(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.post("/api/v1/auth/register", json!({ "email": ANN, "password": PASSWORD })).await;
        let session = app.login(ANN).await;
        assert_eq!(forgot(&app, "Ann@Example.COM").await, (202, Value::Null));
        let token = app.mailed_token(ANN, RESET).await;
        // A password that is not taken does not cost the token.
        let (status, body) = reset(&app, &token, "password1234").await;
        assert_eq!((status, pointer(&body)), (422, "/new_password"));
        assert!(app.is_live(&session).await);

        assert_eq!(reset(&app, &token, OTHER_PASSWORD).await, (204, Value::Null));
        assert!(!app.is_live(&session).await);
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 401);
        let (status, body) = app.try_login(ANN, OTHER_PASSWORD).await;
        assert_eq!((status, &body["user"]["email_verified"]), (200, &json!(true)));
        assert!(app.mail(ANN, "Your password was changed").await.is_some());
        let (status, body) = reset(&app, &token, PASSWORD).await;
        assert_eq!((status, code(&body)), (422, "token_invalid"));
        assert_eq!(app.audited("password.reset"), 1);
    }

    async fn only_the_newest_link_works_and_not_for_long(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        forgot(&app, ANN).await;
        let first = app.mailed_token(ANN, RESET).await;
        forgot(&app, ANN).await;
        let second = app.mailed_token(ANN, RESET).await;
        assert_ne!(first, second);
        for wrong in [first.as_str(), "", "x", "\0", &"x".repeat(1_000_000)] {
            assert_eq!(code(&reset(&app, wrong, OTHER_PASSWORD).await.1), "token_invalid");
        }
        app.clock.advance(Duration::from_secs(1_800));
        assert_eq!(code(&reset(&app, &second, OTHER_PASSWORD).await.1), "token_invalid");
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 200);
    }

    async fn a_link_is_good_for_the_person_whom_it_names(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        app.token("bob@example.com", Role::Customer).await;
        forgot(&app, ANN).await;
        let anns = app.mailed_token(ANN, RESET).await;
        forgot(&app, "bob@example.com").await;
        let bobs = app.mailed_token("bob@example.com", RESET).await;
        assert!(anns.starts_with("emo_") && anns.len() == 68, "{anns}");
        // Sixteen bytes name the person; the rest is the secret.
        let [of_ann, of_bob] = [&anns, &bobs].map(|token| URL_SAFE_NO_PAD.decode(&token[4..]).unwrap());
        let mixed = format!("emo_{}", URL_SAFE_NO_PAD.encode([&of_bob[..16], &of_ann[16..]].concat()));
        assert_eq!(code(&reset(&app, &mixed, OTHER_PASSWORD).await.1), "token_invalid");
        assert_eq!(reset(&app, &anns, OTHER_PASSWORD).await.0, 204);
        assert_eq!(app.try_login("bob@example.com", PASSWORD).await.0, 200);
    }

    async fn of_many_who_use_a_link_at_a_time_one_does(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        forgot(&app, ANN).await;
        let token = app.mailed_token(ANN, RESET).await;
        let answers = futures_util::future::join_all((0..6).map(|_| reset(&app, &token, OTHER_PASSWORD))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 422, 422, 422, 422, 422]);
        assert_eq!(app.audited("password.reset"), 1);
    }

    async fn an_unknown_address_gets_the_same_answer_and_no_mail(backend: Backend) {
        let app = TestApp::start(backend).await;
        assert_eq!(forgot(&app, "nobody@example.com").await, (202, Value::Null));
        assert!(app.mails().await.is_empty());
        assert_eq!(pointer(&forgot(&app, "nobody").await.1), "/email");
    }

    async fn a_changed_password_kills_the_links_that_were_sent(backend: Backend) {
        let app = TestApp::start(backend).await;
        let session = app.token(ANN, Role::Customer).await;
        forgot(&app, ANN).await;
        let token = app.mailed_token(ANN, RESET).await;
        assert_eq!(change(&app, &session, PASSWORD, OTHER_PASSWORD).await.0, 204);
        assert_eq!(code(&reset(&app, &token, PASSWORD).await.1), "token_invalid");
    }

    async fn a_new_password_ends_a_pending_change_of_address(backend: Backend) {
        let app = TestApp::start(backend).await;
        let owner = app.token(ANN, Role::Customer).await;
        // Somebody who knows the old password asks for another address.
        let pending = async |password: &str| {
            let thief = app.try_login(ANN, password).await.1["token"].as_str().unwrap().to_owned();
            let body = json!({ "email": "thief@example.com", "current_password": password });
            assert_eq!(app.post_as(&thief, "/api/v1/me/email", body).await.0, 202);
            app.mailed_token("thief@example.com", "Please confirm your new address").await
        };
        let refused = async |token: &str| {
            let (status, body) = app.post("/api/v1/auth/email/verify", json!({ "token": token })).await;
            assert_eq!((status, code(&body)), (422, "token_invalid"));
        };
        let token = pending(PASSWORD).await;
        assert_eq!(change(&app, &owner, PASSWORD, OTHER_PASSWORD).await.0, 204);
        refused(&token).await;

        let token = pending(OTHER_PASSWORD).await;
        forgot(&app, ANN).await;
        assert_eq!(reset(&app, &app.mailed_token(ANN, RESET).await, PASSWORD).await.0, 204);
        refused(&token).await;
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 200);
    }

    async fn hashes_rise_with_the_settings(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let hashed = |part: &str| app.number(&format!("SELECT count(*) AS n FROM {{}}credentials WHERE password_hash LIKE '%{part}%'"));
        assert_eq!(hashed("m=19456,t=2,p=1"), 1);
        let mut config = app.config.clone();
        config.user.argon2_iterations = 3;
        let raised = app::start(config, Arc::new(app.clock.clone())).await.unwrap();
        let login = || serde_json::from_value(json!({ "email": ANN, "password": PASSWORD })).unwrap();
        raised.modules.user.login(&from(""), login()).await.unwrap();
        assert_eq!(hashed("m=19456,t=3,p=1"), 1);
        // A shop with the older settings leaves it, and can check it.
        app.login(ANN).await;
        assert_eq!(hashed("m=19456,t=3,p=1"), 1);
        raised.stop().await;
    }
}
