//! How guessing is slowed down: what is counted, and how long the next try waits.
//!
//! Failed log-ins are counted by account and IP address, by IP address, and by account; an account is counted whether it is there
//! or not. The count of an account from everywhere would let anybody lock its owner out, so it grows gently and does not concern
//! IP addresses from which its owner is logged in; whoever is locked out nevertheless can reset the password, which clears it.
//! Mails that strangers cause are counted too, by recipient and by IP address, apart from the log-ins. Those with a link to a new
//! password have a count of their own, so that no other mail stops them, and wait no longer than the link before them works.

use sha2::{Digest, Sha256};

use crate::call;
use crate::config::UserConfig;

/// Mails are slower than log-ins: their first delay and their longest.
const MAIL_DELAY_SECONDS: u32 = 60;
const MAIL_DELAY_SECONDS_MAX: u32 = 3_600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    AccountIp,
    Ip,
    Account,
    /// Of an account, from where its owner is logged in.
    Familiar,
    Mail,
    Reset,
    IpMail,
}

/// One thing that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    kind: Kind,
    /// A hash, so that no address stands in the table.
    pub key: Vec<u8>,
}

impl Counter {
    fn new(kind: Kind, account: &str, network: &str) -> Counter {
        let mut hash = Sha256::new();
        for part in [format!("{kind:?}").as_str(), account, network] {
            hash.update(part);
            hash.update([0]);
        }
        Counter { kind, key: hash.finalize().to_vec() }
    }

    /// What a failed log-in counts for. `familiar`: the owner is logged in from this IP address.
    pub(super) fn of_login(account: &str, address: &str, familiar: bool) -> Vec<Counter> {
        let network = network(address);
        let mut counters = vec![Counter::new(Kind::AccountIp, account, &network)];
        if !network.is_empty() {
            counters.push(Counter::new(Kind::Ip, "", &network));
        }
        // There are as many counters either way, so that their number tells nobody in the same network that the owner is there.
        let kind = if familiar { Kind::Familiar } else { Kind::Account };
        counters.push(Counter::new(kind, account, ""));
        in_lock_order(counters)
    }

    /// What a mail that a stranger causes counts for.
    pub(super) fn of_mail(recipient: &str, address: &str) -> Vec<Counter> {
        Counter::of_kind_of_mail(Kind::Mail, recipient, address)
    }

    /// What a mail with a link to a new password counts for.
    pub(super) fn of_reset(recipient: &str, address: &str) -> Vec<Counter> {
        Counter::of_kind_of_mail(Kind::Reset, recipient, address)
    }

    fn of_kind_of_mail(kind: Kind, recipient: &str, address: &str) -> Vec<Counter> {
        let network = network(address);
        let mut counters = vec![Counter::new(kind, recipient, "")];
        if !network.is_empty() {
            counters.push(Counter::new(Kind::IpMail, "", &network));
        }
        in_lock_order(counters)
    }

    /// Does a right password, or a reset one, clear it? Not the count of an IP address, which its user could clear with an account of his own.
    pub(super) fn is_cleared_by_success(&self) -> bool {
        matches!(self.kind, Kind::AccountIp | Kind::Account | Kind::Familiar | Kind::Reset)
    }

    /// How long the next try waits after `count` of them.
    pub(super) fn delay_seconds(&self, count: i64, config: &UserConfig) -> u32 {
        let (reset_max, config) = (MAIL_DELAY_SECONDS_MAX.min(config.reset_link_seconds), &config.throttle);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let max = config.delay_seconds_max;
        match self.kind {
            Kind::AccountIp => doubled(1, count.saturating_sub(config.account_ip_failures_free), max),
            Kind::Ip => doubled(1, count / config.ip_failures_step.max(1), max),
            Kind::Account if count >= config.account_failures_max => config.forget_hours * 3_600,
            Kind::Account => doubled(1, count / config.account_failures_step.max(1), max),
            Kind::Familiar => 0,
            Kind::Mail => doubled(MAIL_DELAY_SECONDS, count.saturating_sub(config.mails_free), MAIL_DELAY_SECONDS_MAX),
            Kind::Reset => doubled(MAIL_DELAY_SECONDS, count.saturating_sub(config.mails_free), reset_max),
            Kind::IpMail => doubled(MAIL_DELAY_SECONDS, count / config.ip_mails_step.max(1), MAIL_DELAY_SECONDS_MAX),
        }
    }
}

/// 0, `first`, 2 `first`, 4 `first`, ...: at most `max`.
fn doubled(first: u32, steps: u32, max: u32) -> u32 {
    match steps {
        0 => 0,
        steps => 2_u32.checked_pow(steps - 1).and_then(|factor| factor.checked_mul(first)).unwrap_or(max).min(max),
    }
}

/// Rows are written in one order, so that two log-ins never wait for each other.
fn in_lock_order(mut counters: Vec<Counter>) -> Vec<Counter> {
    counters.sort_by(|a, b| a.key.cmp(&b.key));
    counters
}

/// Whom an IP address, empty when unknown, stands for.
pub(super) fn network(address: &str) -> String {
    address.parse().map_or_else(|_| address.to_owned(), call::network)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, DEFAULT};

    #[test]
    fn delays_grow_as_they_should() {
        let config = Config::parse(DEFAULT, Default::default()).unwrap().user;
        let delays = |kind, counts: &[i64]| -> Vec<u32> {
            let counter = Counter::new(kind, "ann@example.com", "192.0.2.1");
            counts.iter().map(|count| counter.delay_seconds(*count, &config)).collect()
        };
        assert_eq!(delays(Kind::AccountIp, &[1, 5, 6, 7, 15, 16, 1_000, i64::MAX]), [0, 0, 1, 2, 512, 900, 900, 900]);
        assert_eq!(delays(Kind::Ip, &[9, 10, 20, 39, 1_000]), [0, 1, 2, 4, 900]);
        assert_eq!(delays(Kind::Account, &[19, 20, 99, 100]), [0, 1, 8, 86_400]);
        assert_eq!(delays(Kind::Familiar, &[1, 1_000]), [0, 0]);
        assert_eq!(delays(Kind::Mail, &[3, 4, 5, 100]), [0, 60, 120, 3_600]);
        assert_eq!(delays(Kind::Reset, &[3, 4, 5, 100]), [0, 60, 120, 1_800]);
        assert_eq!(delays(Kind::IpMail, &[19, 20, 40]), [0, 60, 120]);
    }

    #[test]
    fn a_customers_ipv6_addresses_are_one() {
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(Counter::of_login("a", "", false).len(), 2);
        assert_eq!(Counter::of_login("a", "192.0.2.1", true).len(), 3);
    }
}
