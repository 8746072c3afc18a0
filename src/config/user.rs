//! Settings of the user module.

use serde::{Deserialize, Serialize};

use super::{Check, DatabaseConfig};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    pub migrate_on_start: bool,
    pub session_days_max: u32,
    pub session_idle_days: u32,
    pub staff_session_hours_max: u32,
    pub staff_session_idle_minutes: u32,
    pub password_length_min: u32,
    pub argon2_memory_kib: u32,
    pub argon2_iterations: u32,
    pub argon2_lanes: u32,
    pub hash_threads: u32,
    pub hash_queue_max: u32,
    pub verify_link_seconds: u32,
    pub reset_link_seconds: u32,
    pub throttle: ThrottleConfig,
    pub database: DatabaseConfig,
}

/// What guessing passwords, and having mails sent, costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThrottleConfig {
    /// Failures at one account from one IP address before there is a delay; from then on it doubles with each.
    pub account_ip_failures_free: u32,
    /// From one IP address, at any accounts: the delay doubles with each so many failures.
    pub ip_failures_step: u32,
    /// At one account, from any IP addresses: the delay doubles with each so many failures.
    pub account_failures_step: u32,
    /// After so many failures in a row an account takes log-ins from where its owner has been only, or after a reset.
    pub account_failures_max: u32,
    pub delay_seconds_max: u32,
    /// Mails that strangers may have sent to one address before there is a delay; from then on it doubles with each.
    pub mails_free: u32,
    /// From one IP address, to any addresses: the delay doubles with each so many mails.
    pub ip_mails_step: u32,
    /// After so many hours in which nothing failed, all is forgotten.
    pub forget_hours: u32,
}

impl UserConfig {
    pub(super) fn validate(&self, check: &mut Check) {
        check.range("user.session_days_max", self.session_days_max, 1, 365);
        check.range("user.session_idle_days", self.session_idle_days, 1, self.session_days_max);
        check.range("user.staff_session_hours_max", self.staff_session_hours_max, 1, 24 * 30);
        let minutes = self.staff_session_hours_max.saturating_mul(60);
        check.range("user.staff_session_idle_minutes", self.staff_session_idle_minutes, 2, minutes);
        check.range("user.password_length_min", self.password_length_min, 8, 64);
        check.range("user.argon2_memory_kib", self.argon2_memory_kib, 19_456, 4_194_304);
        check.range("user.argon2_iterations", self.argon2_iterations, 2, 100);
        check.range("user.argon2_lanes", self.argon2_lanes, 1, 64);
        check.range("user.hash_threads", self.hash_threads, 0, 256);
        check.range("user.hash_queue_max", self.hash_queue_max, 1, 10_000);
        check.range("user.verify_link_seconds", self.verify_link_seconds, 300, 604_800);
        check.range("user.reset_link_seconds", self.reset_link_seconds, 300, 86_400);
        self.throttle.validate(check);
        self.database.validate("user.database", check);
    }
}

impl ThrottleConfig {
    fn validate(&self, check: &mut Check) {
        const MAX: u32 = 1_000_000;
        let key = |name: &str| format!("user.throttle.{name}");
        check.range(&key("account_ip_failures_free"), self.account_ip_failures_free, 1, MAX);
        check.range(&key("ip_failures_step"), self.ip_failures_step, 1, MAX);
        check.range(&key("account_failures_step"), self.account_failures_step, 1, MAX);
        check.range(&key("account_failures_max"), self.account_failures_max, 1, MAX);
        check.range(&key("delay_seconds_max"), self.delay_seconds_max, 1, 86_400);
        check.range(&key("mails_free"), self.mails_free, 1, MAX);
        check.range(&key("ip_mails_step"), self.ip_mails_step, 1, MAX);
        check.range(&key("forget_hours"), self.forget_hours, 1, 24 * 30);
    }
}
