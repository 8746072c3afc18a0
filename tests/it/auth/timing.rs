//! An address with an account and one without take the same time: medians within 10 %.

use std::time::{Duration, Instant};

use emporium::call::Role;
use emporium::config::{Config, Secret};
use emporium::user::{Login, PasswordForgotten, Registration};

use super::*;
use crate::testapp::{TestApp, on_both};

/// Of log-in and registration, which take as long as a hash; a reset takes much less and can be measured more often.
const SAMPLES: usize = 41;
const SAMPLES_OF_RESET: usize = 401;

/// Measures both in turn. A machine that does other things can spoil a measurement, so it is made up to three times.
async fn assert_alike<F: Future<Output = ()>>(
    what: &str,
    samples: usize,
    known: impl Fn(usize) -> F,
    unknown: impl Fn(usize) -> F,
) {
    let mut seen = vec![];
    for round in 0..3 {
        let (mut of_known, mut of_unknown) = (vec![], vec![]);
        for sample in round * samples..(round + 1) * samples {
            let start = Instant::now();
            known(sample).await;
            of_known.push(start.elapsed());
            let start = Instant::now();
            unknown(sample).await;
            of_unknown.push(start.elapsed());
        }
        let (known, unknown) = (median(of_known), median(of_unknown));
        seen.push((known, unknown));
        if known.abs_diff(unknown) * 10 <= known.max(unknown) {
            return;
        }
    }
    panic!("{what}: medians of known and unknown addresses: {seen:?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// So that neither the throttle nor a busy machine ends the measurement.
fn patient(config: &mut Config) {
    config.inventory.database.pool_wait_ms = 10_000;
    config.user.database.pool_wait_ms = 10_000;
    let throttle = &mut config.user.throttle;
    throttle.account_ip_failures_free = 1_000_000;
    throttle.ip_failures_step = 1_000_000;
    throttle.account_failures_step = 1_000_000;
    throttle.account_failures_max = 1_000_000;
    throttle.mails_free = 1_000_000;
    throttle.ip_mails_step = 1_000_000;
}

on_both! {
    async fn login_registration_and_reset_take_the_same_time(backend: Backend) {
        let app = TestApp::start_with(backend, patient).await;
        app.token(ANN, Role::Customer).await;
        let user = &app.shop.modules.user;
        let login = async |email: &str| {
            let login = Login { email: email.into(), password: Secret::new("not the password") };
            user.login(&from("192.0.2.1"), login).await.unwrap_err();
        };
        assert_alike("login", SAMPLES, |_| login(ANN), |_| login("nobody@example.com")).await;

        let register = async |email: String| {
            let new = Registration { email, password: Secret::new(PASSWORD), name: String::new() };
            user.register(&from("192.0.2.1"), new).await.unwrap();
        };
        let unknown = |n| register(format!("person{n}@example.com"));
        assert_alike("registration", SAMPLES, |_| register(ANN.to_owned()), unknown).await;

        let forget = async |email: String| {
            user.password_forgotten(&from("192.0.2.1"), PasswordForgotten { email }).await.unwrap();
        };
        let unknown = |_| forget("nobody@example.com".to_owned());
        assert_alike("reset", SAMPLES_OF_RESET, |_| forget(ANN.to_owned()), unknown).await;
    }
}
