//! How often a client may ask: a bucket of its own in each process, and, where there are several, a sum of them all.
//!
//! The sum is kept by the user module, minute by minute. Each process adds to it once a second and learns what the others counted: so
//! a client gets no more than one process gives in a minute (its bucket and what flows into it), and what the processes let pass in
//! the second before they know. While nobody can be asked, each goes by itself.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::clock::{SharedClock, Time};
use crate::config::ServerConfig;
use crate::db::DbError;
use crate::user::{User, UserError};

/// How many tokens one network may show for each request that one client may send: an office shares one address.
const CLIENTS_PER_NETWORK: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");
/// More clients a minute than these are counted by this process alone.
const SHARED_MAX: usize = 100_000;
/// So many are told to the others at a time.
const TOLD_MAX: usize = 5_000;
const MINUTE_MICROS: i64 = 60_000_000;

pub(super) struct Rate {
    clients: DefaultKeyedRateLimiter<String, StateInformationMiddleware>,
    /// By network, before a token is looked up: whoever guesses tokens must not keep the database busy.
    tokens: DefaultKeyedRateLimiter<String>,
    /// Where there are several processes.
    shared: Option<Shared>,
}

/// What is known of this minute's requests to all processes.
struct Shared {
    clock: SharedClock,
    minute_max: i64,
    counts: Mutex<Minute>,
}

#[derive(Default)]
struct Minute {
    begin: Option<Time>,
    clients: HashMap<String, Count>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// To all processes, as far as they have told.
    told: i64,
    /// To this one, since it told.
    new: i64,
}

impl Rate {
    pub(super) fn new(config: &ServerConfig, clock: SharedClock) -> Rate {
        // Both are checked to be at least 1.
        let per_minute = NonZeroU32::new(config.rate_limit_per_minute).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(config.rate_limit_burst).unwrap_or(NonZeroU32::MIN);
        let of_network = Quota::per_minute(per_minute.saturating_mul(CLIENTS_PER_NETWORK))
            .allow_burst(burst.saturating_mul(CLIENTS_PER_NETWORK));
        let minute_max = i64::from(config.rate_limit_per_minute) + i64::from(config.rate_limit_burst);
        Rate {
            clients: RateLimiter::keyed(Quota::per_minute(per_minute).allow_burst(burst)).with_middleware(),
            tokens: RateLimiter::keyed(of_network),
            shared: (config.nodes > 1).then(|| Shared { clock, minute_max, counts: Mutex::default() }),
        }
    }

    /// May this network show one more token?
    pub(super) fn takes_token(&self, network: &String) -> bool {
        self.tokens.check_key(network).is_ok()
    }

    /// Counts a request against its client. Gives the `RateLimit` header's value, or the seconds to wait.
    pub(super) fn count(&self, client: String) -> Result<String, u64> {
        let snapshot = self.clients.check_key(&client).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            wait.as_secs() + 1
        })?;
        let own = i64::from(snapshot.remaining_burst_capacity());
        let left = match &self.shared {
            Some(shared) => own.min(shared.count(client)?),
            None => own,
        };
        let refill = snapshot.quota().replenish_interval().as_secs_f64();
        Ok(format!("\"default\";r={left};t={}", refill.ceil()))
    }

    /// Tells the others what was asked of this process, and learns what was asked of them.
    pub(super) async fn share(&self, user: &dyn User) -> Result<(), UserError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let Some((minute, counts)) = shared.news() else { return Ok(()) };
        let told = counts.clone();
        let sums = match user.rate_counts_add(minute, counts).await {
            // They may have been added: better forgotten than counted twice.
            Err(UserError::Db(DbError::OutcomeUnknown(_))) => vec![],
            sums => sums?,
        };
        shared.learn(minute, &told, sums);
        Ok(())
    }

    /// Forgets clients that have been quiet; called from time to time so that the table stays small.
    pub(super) fn tidy(&self) {
        self.clients.retain_recent();
        self.clients.shrink_to_fit();
        self.tokens.retain_recent();
        self.tokens.shrink_to_fit();
    }
}

impl Shared {
    /// Counts a request; gives how many are left this minute, or the seconds to the next.
    fn count(&self, client: String) -> Result<i64, u64> {
        let now = self.clock.now();
        let begin = Time::from_micros(now.micros() - now.micros().rem_euclid(MINUTE_MICROS));
        let mut minute = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.begin != Some(begin) {
            *minute = Minute { begin: Some(begin), clients: HashMap::new() };
        }
        if minute.clients.len() >= SHARED_MAX && !minute.clients.contains_key(&client) {
            return Ok(i64::MAX);
        }
        let count = minute.clients.entry(client).or_default();
        let left = self.minute_max - count.told - count.new;
        if left <= 0 {
            return Err(begin.plus_seconds(60).seconds_since(now).max(1));
        }
        count.new += 1;
        Ok(left - 1)
    }

    /// What is to be told, in the order of the clients' names: of those who asked most, where they are many.
    fn news(&self) -> Option<(Time, Vec<(String, i64)>)> {
        let minute = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = minute.begin?;
        let new = minute.clients.iter().filter(|(_, count)| count.new > 0);
        let mut new: Vec<(&String, i64)> = new.map(|(client, count)| (client, count.new)).collect();
        if new.len() > TOLD_MAX {
            new.select_nth_unstable_by_key(TOLD_MAX, |(_, count)| std::cmp::Reverse(*count));
            new.truncate(TOLD_MAX);
        }
        let mut new: Vec<(String, i64)> = new.into_iter().map(|(client, count)| (client.clone(), count)).collect();
        new.sort_unstable();
        (!new.is_empty()).then_some((begin, new))
    }

    fn learn(&self, begin: Time, told: &[(String, i64)], sums: Vec<(String, i64)>) {
        let mut minute = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.begin != Some(begin) {
            return;
        }
        for (client, told) in told {
            minute.clients.entry(client.clone()).and_modify(|count| count.new -= told);
        }
        for (client, sum) in sums {
            minute.clients.entry(client).and_modify(|count| count.told = sum);
        }
    }
}
