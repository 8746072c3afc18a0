//! How guessing is slowed down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use emporium::app;
use emporium::call::Role;
use emporium::config::Secret;
use emporium::user::{Login, NewSession, UserError};
use reqwest::Method;
use serde_json::json;

use super::*;
use crate::testapp::{TestApp, TestClock, on_both};

const WRONG: &str = "not the password";

async fn login(app: &TestApp, address: &str, email: &str, password: &str) -> Result<NewSession, UserError> {
    let login = Login { email: email.into(), password: Secret::new(password) };
    app.shop.modules.user.login(&from(address), login).await
}

fn seconds(result: Result<NewSession, UserError>) -> u64 {
    match result {
        Err(UserError::Throttled { seconds }) => seconds,
        other => panic!("{other:?}"),
    }
}

/// Fails until the next try waits for 32 seconds: long enough for a slow machine. The first failures are free, then there are delays of
/// 1, 2, 4, 8 and 16 seconds. `attempt` gives a status.
async fn fail(app: &TestApp, attempt: impl AsyncFn() -> u16) {
    for delay in [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16] {
        app.clock.advance(Duration::from_secs(delay));
        assert_eq!(attempt().await, 401);
    }
}

on_both! {
    async fn after_some_failures_the_next_try_waits(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.user.throttle.ip_failures_step = 1_000).await;
        app.token(ANN, Role::Customer).await;
        // An address without an account is treated alike.
        for (email, found) in [("nobody@example.com", 401), (ANN, 200)] {
            fail(&app, async || app.try_login(email, WRONG).await.0).await;
            let body = json!({ "email": email, "password": PASSWORD });
            let answer = app.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 429);
            let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((20..=32).contains(&wait), "{wait}");
            app.clock.advance(Duration::from_secs(wait));
            assert_eq!(app.try_login(email, PASSWORD).await.0, found);
        }
        // Success cleared it.
        fail(&app, async || app.try_login(ANN, WRONG).await.0).await;
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 429);
        let keys = app.number("SELECT count(*) AS n FROM {}login_throttle WHERE length(key) <> 32");
        assert_eq!(keys, 0, "hashes only");
    }

    async fn a_restart_forgets_nothing(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        fail(&app, async || app.try_login(ANN, WRONG).await.0).await;
        let app = app.restart().await;
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 429);
        app.clock.advance(Duration::from_secs(32));
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 200);
    }

    async fn many_tries_at_a_time_are_worth_no_more_than_in_a_row(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let start = Instant::now();
        let tries = (0..30).map(|_| login(&app, "192.0.2.1", ANN, WRONG));
        let results = futures_util::future::join_all(tries).await;
        let wrong = results.iter().filter(|result| matches!(result, Err(UserError::WrongCredentials))).count();
        let throttled = results.iter().filter(|result| matches!(result, Err(UserError::Throttled { .. }))).count();
        assert_eq!(wrong + throttled, 30);
        // Six, and one more after a second, where the machine takes so long.
        assert!((6..=6 + start.elapsed().as_secs() as usize).contains(&wrong), "{wrong}");
    }

    async fn an_ip_address_waits_whatever_accounts_it_tries(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.user.throttle.ip_failures_step = 2).await;
        app.token(ANN, Role::Customer).await;
        let guess = async |from: u64, to: u64| {
            for n in from..to {
                app.clock.advance(Duration::from_secs(20));
                let result = login(&app, "192.0.2.1", &format!("person{n}@example.com"), WRONG).await;
                assert!(matches!(result, Err(UserError::WrongCredentials)), "{result:?}");
            }
        };
        guess(0, 10).await;
        assert!((10..=16).contains(&seconds(login(&app, "192.0.2.1", ANN, PASSWORD).await)));
        login(&app, "192.0.2.2", ANN, PASSWORD).await.unwrap();
        // Nor does an account of one's own clear that.
        app.clock.advance(Duration::from_secs(16));
        login(&app, "192.0.2.1", ANN, PASSWORD).await.unwrap();
        guess(10, 12).await;
        assert!((20..=32).contains(&seconds(login(&app, "192.0.2.1", ANN, PASSWORD).await)));
    }

    async fn nobody_locks_the_owner_out(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let home = "198.51.100.7";
        login(&app, home, ANN, PASSWORD).await.unwrap();
        for n in 0..100 {
            let result = login(&app, &format!("192.0.2.{}", n / 4), ANN, WRONG).await;
            assert!(matches!(result, Err(UserError::WrongCredentials)), "{n} {result:?}");
            app.clock.advance(Duration::from_secs(10));
        }
        // A hundred failures in a row are the end, from any address that is not known.
        assert!(seconds(login(&app, "203.0.113.9", ANN, PASSWORD).await) > 86_000);
        // The owner asks for a new password nevertheless, and gets in.
        let (status, _) = app.post("/api/v1/auth/password/forgot", json!({ "email": ANN })).await;
        assert_eq!(status, 202);
        let token = app.mailed_token(ANN, "Set a new password").await;
        login(&app, home, ANN, PASSWORD).await.unwrap();
        let body = json!({ "token": token, "new_password": OTHER_PASSWORD });
        assert_eq!(app.post("/api/v1/auth/password/reset", body).await.0, 204);
        login(&app, "203.0.113.9", ANN, OTHER_PASSWORD).await.unwrap();
    }

    async fn registrations_of_my_address_do_not_stop_my_reset(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let ask = async |path: &str| app.post(path, json!({ "email": ANN, "password": PASSWORD })).await.0;
        let forgot = async || app.post("/api/v1/auth/password/forgot", json!({ "email": ANN })).await.0;
        for _ in 0..4 {
            assert_eq!(ask("/api/v1/auth/register").await, 202);
        }
        assert_eq!(ask("/api/v1/auth/register").await, 429);
        assert_eq!(forgot().await, 202);
        // Nor do a stranger's resets: whoever is refused has a link that works.
        for delay in [0, 0, 0, 60, 120, 240, 480, 960, 1_800, 1_800] {
            app.clock.advance(Duration::from_secs(delay));
            assert_eq!(forgot().await, 202);
        }
        app.clock.advance(Duration::from_secs(1_700));
        assert_eq!(forgot().await, 429);
        let token = app.mailed_token(ANN, "Set a new password").await;
        let body = json!({ "token": token, "new_password": OTHER_PASSWORD });
        assert_eq!(app.post("/api/v1/auth/password/reset", body).await.0, 204);
        assert_eq!(forgot().await, 202, "a reset clears the count");
    }

    async fn an_owner_is_known_from_the_whole_ipv6_network(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.user.throttle.account_failures_max = 2).await;
        app.token(ANN, Role::Customer).await;
        login(&app, "2001:db8::1", ANN, PASSWORD).await.unwrap();
        for n in 0..2 {
            login(&app, &format!("192.0.2.{n}"), ANN, WRONG).await.unwrap_err();
        }
        assert!(seconds(login(&app, "2001:db8:0:1::1", ANN, PASSWORD).await) > 86_000);
        login(&app, "2001:db8::2", ANN, PASSWORD).await.unwrap();
    }

    async fn a_first_failure_blocks_nobody_whose_clock_is_behind(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token(ANN, Role::Customer).await;
        let behind = app::start(app.config.clone(), Arc::new(TestClock::default())).await.unwrap();
        app.clock.advance(Duration::from_secs(60));
        login(&app, "192.0.2.1", ANN, WRONG).await.unwrap_err();
        let login = Login { email: ANN.into(), password: Secret::new(PASSWORD) };
        behind.modules.user.login(&from("192.0.2.1"), login).await.unwrap();
        behind.stop().await;
    }

    async fn a_wrong_password_counts_wherever_it_is_asked_for(backend: Backend) {
        let app = TestApp::start(backend).await;
        let session = app.token(ANN, Role::Customer).await;
        let body = json!({ "current_password": WRONG, "new_password": OTHER_PASSWORD });
        fail(&app, async || app.post_as(&session, "/api/v1/me/password", body.clone()).await.0).await;
        let body = json!({ "current_password": PASSWORD, "new_password": OTHER_PASSWORD });
        assert_eq!(app.post_as(&session, "/api/v1/me/password", body).await.0, 429);
        let body = json!({ "current_password": PASSWORD, "email": "ann@new.example" });
        assert_eq!(app.post_as(&session, "/api/v1/me/email", body).await.0, 429);
        assert_eq!(app.try_login(ANN, PASSWORD).await.0, 429);
    }

    async fn failures_are_forgotten_after_a_day(backend: Backend) {
        let app = TestApp::start(backend).await;
        fail(&app, async || app.try_login(ANN, WRONG).await.0).await;
        app.clock.advance(Duration::from_secs(86_401));
        fail(&app, async || app.try_login(ANN, WRONG).await.0).await;
    }
}
