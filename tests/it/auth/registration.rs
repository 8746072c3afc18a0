//! Registration and the proof of the address.

use std::time::Duration;

use emporium::call::Role;
use emporium::config::Secret;
use emporium::user::{Registration, UserError};
use reqwest::Method;
use serde_json::json;

use super::*;
use crate::testapp::{TestApp, on_both};

const CONFIRM: &str = "Please confirm your address";

async fn register(app: &TestApp, email: &str, password: &str) -> (u16, Value) {
    app.post("/api/v1/auth/register", json!({ "email": email, "password": password, "name": "Ann" })).await
}

async fn verify(app: &TestApp, token: &str) -> (u16, Value) {
    app.post("/api/v1/auth/email/verify", json!({ "token": token })).await
}

on_both! {
    async fn who_registers_confirms_the_address_once(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.server.public_url = "https://shop.example".into()).await;
        // The link leads to the shop, whatever the request says of where that is.
        let answer = app.request(Method::POST, "/api/v1/auth/register").header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .json(&json!({ "email": " Ann@Example.com", "password": PASSWORD })).send().await.unwrap();
        assert_eq!(answer.status(), 202);
        assert_eq!(answer.text().await.unwrap(), "");
        let mail = app.mail("Ann@Example.com", CONFIRM).await.unwrap();
        assert!(mail.contains("https://shop.example/verify?token="), "{mail}");
        assert!(!mail.contains("evil"), "{mail}");

        let (status, body) = app.try_login(ANN, PASSWORD).await;
        assert_eq!((status, &body["user"]["email_verified"]), (200, &json!(false)));
        assert_eq!(body["user"]["email"], "Ann@Example.com");
        assert_eq!(body["user"]["role"], "customer");
        let token = app.mailed_token("Ann@Example.com", CONFIRM).await;
        assert_eq!(verify(&app, &token).await.0, 204);
        let (status, body) = verify(&app, &token).await;
        assert_eq!((status, code(&body)), (422, "token_invalid"));
        let (_, body) = app.try_login(ANN, PASSWORD).await;
        assert_eq!((&body["user"]["email_verified"], &body["user"]["version"]), (&json!(true), &json!(2)));
        assert_eq!((app.audited("user.registered"), app.audited("email.verified")), (1, 1));
    }

    async fn a_known_address_gets_the_same_answer_and_another_mail(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        assert_eq!(register(&app, "ANN@example.com", OTHER_PASSWORD).await, (202, Value::Null));
        assert!(app.mail(ANN, "You have an account already").await.is_some());
        assert_eq!(app.mails().await.len(), 1);
        assert_eq!(app.try_login(ANN, OTHER_PASSWORD).await.0, 401);
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 200);
    }

    async fn who_registers_again_before_the_proof_gets_another_link(backend: Backend) {
        let app = TestApp::start(backend).await;
        assert_eq!(register(&app, "Ann@example.com", PASSWORD).await, (202, Value::Null));
        let first = app.mailed_token("Ann@example.com", CONFIRM).await;
        assert_eq!(register(&app, ANN, OTHER_PASSWORD).await, (202, Value::Null));
        // To the address as it stands in the account.
        let second = app.mailed_token("Ann@example.com", CONFIRM).await;
        assert_ne!(first, second);
        assert_eq!(code(&verify(&app, &first).await.1), "token_invalid", "the newest link counts");
        assert_eq!(verify(&app, &second).await.0, 204);
        // Nobody changes a password without knowing it.
        assert_eq!(app.try_login(ANN, OTHER_PASSWORD).await.0, 401);
        let (status, body) = app.try_login(ANN, PASSWORD).await;
        assert_eq!((status, &body["user"]["email_verified"]), (200, &json!(true)));
        assert_eq!(app.audited("registration.repeated"), 1);

        assert_eq!(register(&app, ANN, OTHER_PASSWORD).await, (202, Value::Null));
        let mail = app.mail("Ann@example.com", "You have an account already").await.unwrap();
        for page in ["/login", "/forgot"] {
            assert!(mail.contains(&format!("{}{page}\r\n", app.config.server.public_url)), "{mail}");
        }
        assert!(!mail.contains("token="), "{mail}");
        assert_eq!(app.mails().await.len(), 3);
    }

    async fn of_many_who_register_an_address_at_a_time_one_gets_it(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.user.throttle.mails_free = 100).await;
        let tries = (0..8).map(|_| register(&app, ANN, PASSWORD));
        let answers = futures_util::future::join_all(tries).await;
        assert!(answers.iter().all(|(status, _)| *status == 202), "{answers:?}");
        assert_eq!(app.number("SELECT count(*) AS n FROM {}users"), 1);
        assert_eq!(app.number("SELECT count(*) AS n FROM {}user_emails"), 1);
        let mails = app.mails().await;
        assert_eq!(mails.iter().filter(|mail| mail.contains("welcome to our shop!")).count(), 1);
        assert_eq!(mails.len(), 8);
        assert_eq!((app.audited("user.registered"), app.audited("registration.repeated")), (1, 7));
    }

    async fn a_link_that_is_too_old_or_forged_proves_nothing(backend: Backend) {
        let app = TestApp::start(backend).await;
        assert_eq!(register(&app, ANN, PASSWORD).await.0, 202);
        let token = app.mailed_token(ANN, CONFIRM).await;
        let reset = app.post("/api/v1/auth/password/reset", json!({ "token": token, "new_password": OTHER_PASSWORD })).await;
        assert_eq!(code(&reset.1), "token_invalid", "a token of another purpose");
        app.clock.advance(Duration::from_secs(86_400));
        for wrong in [token.as_str(), "", "\0", &"x".repeat(1_000_000)] {
            let (status, body) = verify(&app, wrong).await;
            assert_eq!((status, code(&body)), (422, "token_invalid"));
        }
        assert_eq!(app.number("SELECT count(*) AS n FROM {}users WHERE email_verified_at IS NOT NULL"), 0);
    }

    async fn all_that_is_wrong_is_told_at_once(backend: Backend) {
        let app = TestApp::start(backend).await;
        let body = json!({ "email": "ann", "password": "short", "name": "x\u{7}" });
        let (status, body) = app.post("/api/v1/auth/register", body).await;
        let mut pointers: Vec<_> = body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        assert_eq!((status, pointers), (422, vec!["/email", "/name", "/password"]));
        let (status, body) = register(&app, "pia@x", PASSWORD).await;
        assert_eq!((status, pointer(&body)), (422, "/email"), "no mail comes there");
        for password in ["password1234", "qwertyuiop12", "aaaaaaaaaaaa", "123456789012", ANN, &"x".repeat(1_000_000)] {
            let (status, body) = register(&app, ANN, password).await;
            assert_eq!((status, pointer(&body)), (422, "/password"), "{password:.20}");
        }
        assert_eq!(app.number("SELECT count(*) AS n FROM {}users"), 0);
    }

    async fn mails_to_one_address_are_limited(backend: Backend) {
        let app = TestApp::start(backend).await;
        for _ in 0..4 {
            assert_eq!(register(&app, ANN, PASSWORD).await.0, 202);
        }
        let answer = app.request(Method::POST, "/api/v1/auth/register").json(&json!({ "email": ANN, "password": PASSWORD }));
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "60");
        assert_eq!(register(&app, "bob@example.com", PASSWORD).await.0, 202);
        app.clock.advance(Duration::from_secs(60));
        assert_eq!(register(&app, ANN, PASSWORD).await.0, 202);
        assert_eq!(register(&app, ANN, PASSWORD).await.0, 429);
    }

    async fn the_command_line_makes_accounts(backend: Backend) {
        let app = TestApp::start(backend).await;
        let new = |password| Registration { email: ANN.into(), password: Secret::new(password), name: "Ann".into() };
        let user = &app.shop.modules.user;
        let refused = user.create("cli", new("short"), Role::Admin).await;
        assert!(matches!(refused, Err(UserError::Invalid(_))), "{refused:?}");
        let profile = user.create("cli", new(PASSWORD), Role::Admin).await.unwrap();
        assert!(profile.email_verified);
        assert_eq!(profile.role, Role::Admin);
        let again = user.create("cli", new(PASSWORD), Role::Admin).await;
        assert!(matches!(again, Err(UserError::Conflict(_))), "{again:?}");
        assert_eq!(app.audited("user.created"), 1);
    }
}
