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

/// Measures both in turn, each first as often as the other. A machine that does other things at the same time spreads the samples, so
/// there are up to six rounds, and all that was measured counts.
async fn assert_alike<F: Future<Output = ()>>(
    what: &str,
    samples: usize,
    known: impl Fn(usize) -> F,
    unknown: impl Fn(usize) -> F,
) {
    let mut times = [vec![], vec![]];
    for sample in 0..6 * samples {
        for kind in [sample % 2, 1 - sample % 2] {
            let start = Instant::now();
            match kind {
                0 => known(sample).await,
                _ => unknown(sample).await,
            }
            times[kind].push(start.elapsed());
        }
        let [known, unknown] = times.each_ref().map(|times| median(times));
        if (sample + 1) % samples == 0 && known.abs_diff(unknown) * 10 <= known.max(unknown) {
            return;
        }
    }
    panic!("{what}: medians of known and unknown addresses: {:?}", times.each_ref().map(|times| median(times)));
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
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
