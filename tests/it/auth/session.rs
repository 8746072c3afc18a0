//! Log-in and sessions.

use std::time::Duration;

use emporium::call::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::*;
use crate::testapp::{TestApp, on_both, read};

const HOUR: Duration = Duration::from_secs(3_600);

async fn sessions(app: &TestApp, token: &str) -> Vec<Value> {
    let (status, body) = read(app.request_as(token, Method::GET, "/api/v1/me/sessions").send().await.unwrap()).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["next_cursor"], Value::Null);
    body["items"].as_array().unwrap().clone()
}

/// Uses a session and waits until that is noted.
async fn use_session(app: &TestApp, token: &str) {
    let started = std::time::Instant::now();
    let before = app.number("SELECT count(*) AS n FROM {}sessions WHERE last_seen_at > created_at");
    assert_eq!(before, 0);
    assert!(app.is_live(token).await);
    while app.number("SELECT count(*) AS n FROM {}sessions WHERE last_seen_at > created_at") == 0 {
        assert!(started.elapsed() < Duration::from_secs(10), "never noted");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

on_both! {
    async fn logging_out_is_felt_by_the_very_next_request_and_on_this_device_only(backend: Backend) {
        let app = TestApp::start(backend).await;
        let phone = app.token(ANN, Role::Customer).await;
        let laptop = app.login("  ANN@Example.com ").await;
        assert_eq!(app.post_as(&phone, "/api/v1/auth/logout", json!({})).await.0, 204);
        assert!(!app.is_live(&phone).await);
        assert_eq!(app.post_as(&phone, "/api/v1/auth/logout", json!({})).await.0, 401);
        assert!(app.is_live(&laptop).await);
        assert_eq!((app.audited("session.created"), app.audited("session.ended")), (2, 1));
    }

    async fn a_person_sees_and_ends_sessions(backend: Backend) {
        let app = TestApp::start(backend).await;
        let tokens = [app.token(ANN, Role::Customer).await, app.login(ANN).await, app.login(ANN).await];
        let other = app.token("bob@example.com", Role::Customer).await;
        let list = sessions(&app, &tokens[1]).await;
        assert_eq!(list.len(), 3);
        assert_eq!(list.iter().map(|one| one["current"] == true).collect::<Vec<_>>(), [false, true, false]);
        assert!(list.iter().all(|one| one["address"] == "127.0.0.1"));
        assert!(!list[0].to_string().contains(&tokens[2]));

        let end = async |token: &str, id: &str| {
            let path = format!("/api/v1/me/sessions/{id}");
            app.request_as(token, Method::DELETE, &path).send().await.unwrap().status().as_u16()
        };
        let newest = list[0]["id"].as_str().unwrap();
        assert_eq!(end(&other, newest).await, 404);
        assert_eq!(end(&tokens[1], "no-id").await, 404);
        assert!(app.is_live(&tokens[2]).await);
        assert_eq!(end(&tokens[1], newest).await, 204);
        assert!(!app.is_live(&tokens[2]).await);
        assert_eq!(end(&tokens[1], newest).await, 404);

        let answer = app.request_as(&tokens[1], Method::DELETE, "/api/v1/me/sessions").send().await.unwrap();
        assert_eq!(read(answer).await, (200, json!({ "ended": 1 })));
        assert!(!app.is_live(&tokens[0]).await);
        assert!(app.is_live(&tokens[1]).await);
        assert!(app.is_live(&other).await);
        assert_eq!(app.audited("sessions.ended"), 1);
    }

    async fn sessions_end_when_they_are_idle_and_when_they_are_old(backend: Backend) {
        let app = TestApp::start(backend).await;
        let customer = app.token(ANN, Role::Customer).await;
        app.clock.advance(HOUR * 24 * 13);
        use_session(&app, &customer).await;
        app.clock.advance(HOUR * 24 * 13);
        assert!(app.is_live(&customer).await);
        app.clock.advance(HOUR * 24 * 5);
        assert!(!app.is_live(&customer).await, "older than 30 days");
        let customer = app.login(ANN).await;
        app.clock.advance(HOUR * 24 * 14);
        assert!(!app.is_live(&customer).await, "idle for 14 days");
    }

    async fn sessions_of_staff_end_sooner(backend: Backend) {
        let app = TestApp::start(backend).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        app.clock.advance(HOUR / 3);
        use_session(&app, &staff).await;
        app.clock.advance(HOUR / 3);
        assert!(app.is_live(&staff).await);
        app.clock.advance(HOUR / 2);
        assert!(!app.is_live(&staff).await, "idle for 30 minutes");
        // Whoever becomes an admin has an admin's session from then on.
        let customer = app.token(ANN, Role::Customer).await;
        app.clock.advance(HOUR);
        assert!(app.is_live(&customer).await);
        app.sql("UPDATE {}users SET role = 'admin'");
        app.clock.advance(HOUR * 12);
        assert!(!app.is_live(&customer).await);
    }

    async fn what_is_no_token_of_ours_is_nobody(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token(ANN, Role::Customer).await;
        let mut forged = token.clone().into_bytes();
        // The last of the secret's characters: the person is named rightly.
        let last = forged.len() - 1;
        forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
        for wrong in [String::from_utf8(forged).unwrap(), token.to_uppercase(), "ems_".into(), "emk_x".into(), "x".repeat(6_000)] {
            let answer = app.request_as(&wrong, Method::GET, "/api/v1/me/sessions").send().await.unwrap();
            assert_eq!(answer.status(), 401, "{wrong}");
            assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        }
        assert_eq!(app.number("SELECT count(*) AS n FROM {}sessions WHERE length(token_hash) <> 32"), 0);
    }

    async fn a_person_has_at_most_a_hundred_sessions(backend: Backend) {
        let app = TestApp::start(backend).await;
        let oldest = app.token(ANN, Role::Customer).await;
        for _ in 0..99 {
            app.login(ANN).await;
        }
        assert!(app.is_live(&oldest).await);
        let newest = app.login(ANN).await;
        assert!(!app.is_live(&oldest).await);
        assert_eq!(sessions(&app, &newest).await.len(), 100);
    }

    async fn unknown_and_wrong_look_alike(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let mut answers = vec![];
        for email in [ANN, "nobody@example.com"] {
            let (status, mut body) = app.try_login(email, "not the password").await;
            body["request_id"].take();
            answers.push((status, body));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0].0, 401);
    }

    async fn only_who_has_the_password_is_told_that_an_account_is_disabled(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let forgotten = json!({ "email": ANN });
        app.post("/api/v1/auth/password/forgot", forgotten.clone()).await;
        let link = app.mailed_token(ANN, "Set a new password").await;
        app.sql("UPDATE {}users SET disabled_at = created_at, generation = 2");
        let (status, body) = app.try_login(ANN, PASSWORD).await;
        assert_eq!((status, code(&body)), (403, "account_disabled"));
        let wrong = app.try_login(ANN, "not the password").await;
        let unknown = app.try_login("nobody@example.com", "not the password").await;
        let plain = |(status, body): (u16, Value)| (status, code(&body).to_owned(), body["detail"].clone());
        assert_eq!(plain(wrong.clone()), plain(unknown));
        assert_eq!(wrong.0, 401);
        // A link of before sets nothing, and a new one is not sent; the answer does not tell.
        let reset = json!({ "token": link, "new_password": "quite another password" });
        let (status, body) = app.post("/api/v1/auth/password/reset", reset).await;
        assert_eq!((status, code(&body)), (403, "account_disabled"));
        let sent = app.mails().await.len();
        app.clock.advance(Duration::from_secs(3_600));
        assert_eq!(app.post("/api/v1/auth/password/forgot", forgotten.clone()).await, (202, Value::Null));
        assert_eq!(app.mails().await.len(), sent);
        // The right password does not buy more tries than a wrong one.
        let mut answers = vec![];
        for _ in 0..12 {
            answers.push(app.try_login(ANN, PASSWORD).await.0);
        }
        assert_eq!(answers.last(), Some(&429), "{answers:?}");
        app.sql("UPDATE {}users SET disabled_at = NULL");
        app.post("/api/v1/auth/password/forgot", forgotten).await;
        assert_eq!(app.mails().await.len(), sent + 1);
    }

    async fn bad_input_is_told(backend: Backend) {
        let app = TestApp::start(backend).await;
        let huge = "x".repeat(1_000_000);
        let long = format!("{}@example.com", "a".repeat(250));
        for (email, password, at) in [
            (ANN, huge.as_str(), "/password"),
            (&huge, PASSWORD, "/email"),
            (&long, PASSWORD, "/email"),
            ("a\0@example.com", PASSWORD, "/email"),
            ("", "", "/email"),
        ] {
            let (status, body) = app.try_login(email, password).await;
            assert_eq!((status, code(&body), pointer(&body)), (422, "validation", at));
        }
        let (status, body) = app.post("/api/v1/auth/login", json!({ "email": ANN, "password": 7 })).await;
        assert_eq!((status, pointer(&body)), (422, "/password"));
        let (status, body) = app.post("/api/v1/auth/login?next=x", json!({})).await;
        assert_eq!((status, code(&body)), (400, "unknown_parameter"));
        let body = app.try_login(ANN, "a\0b").await.1;
        assert_eq!(code(&body), "wrong_credentials");
    }
}
