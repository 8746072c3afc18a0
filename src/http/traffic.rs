//! What this process answered in the last hour, minute by minute: for the dashboard, where no metrics server is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{SharedClock, Time};

/// So many minutes are kept.
pub const MINUTES: usize = 60;
const MINUTE_MICROS: i64 = 60_000_000;

/// Latencies are kept in steps: each begins where it is this much longer than at the beginning of the one before.
const STEP: f64 = 1.2;
/// The first step ends here, the last one begins at 30 s: together they are told to within a tenth.
const SHORTEST_MS: f64 = 0.1;
const STEPS: usize = 72;

/// The ring; one for the whole server. Health checks and files are not counted.
pub struct Traffic {
    clock: SharedClock,
    ring: Mutex<Box<[Slot; MINUTES]>>,
}

/// What is kept of one minute.
#[derive(Clone, Copy)]
struct Slot {
    /// Minutes since 1970.
    minute: i64,
    errors: u32,
    steps: [u32; STEPS],
}

const EMPTY: Slot = Slot { minute: i64::MIN, errors: 0, steps: [0; STEPS] };

/// One minute, as told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minute {
    pub from: Time,
    pub requests: i64,
    /// Answers of 500 and above.
    pub errors: i64,
    /// So long half of the answers took at most, and 95 of 100, in milliseconds; `None` without requests.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
}

impl Traffic {
    pub fn new(clock: SharedClock) -> Self {
        Traffic { clock, ring: Mutex::new(Box::new([EMPTY; MINUTES])) }
    }

    /// Counts an answer.
    pub fn record(&self, status: u16, took: Duration) {
        let minute = minute(self.clock.now());
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut ring[minute.rem_euclid(MINUTES as i64) as usize];
        if slot.minute != minute {
            *slot = Slot { minute, ..EMPTY };
        }
        slot.errors = slot.errors.saturating_add(u32::from(status >= 500));
        let count = &mut slot.steps[step(took)];
        *count = count.saturating_add(1);
    }

    /// The last hour, the oldest minute first; the last one is still running.
    pub fn hour(&self) -> Vec<Minute> {
        let last = minute(self.clock.now());
        let ring = **self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |minute: i64| {
            let slot = &ring[minute.rem_euclid(MINUTES as i64) as usize];
            if slot.minute == minute { slot.told() } else { Slot { minute, ..EMPTY }.told() }
        };
        (last - MINUTES as i64 + 1..=last).map(at).collect()
    }
}

fn minute(time: Time) -> i64 {
    time.micros().div_euclid(MINUTE_MICROS)
}

fn step(took: Duration) -> usize {
    let ratio = took.as_secs_f64() * 1_000.0 / SHORTEST_MS;
    // A shorter one gives a number below 0, which becomes 0.
    let step = ratio.max(f64::MIN_POSITIVE).log(STEP).ceil() as usize;
    step.min(STEPS - 1)
}

impl Slot {
    fn told(&self) -> Minute {
        let requests: i64 = self.steps.iter().map(|count| i64::from(*count)).sum();
        Minute {
            from: Time::from_micros(self.minute.saturating_mul(MINUTE_MICROS)),
            requests,
            errors: self.errors.into(),
            p50_ms: self.quantile(requests, 50),
            p95_ms: self.quantile(requests, 95),
        }
    }

    /// The middle of the step in which the request is that `percent` of all are not slower than.
    fn quantile(&self, requests: i64, percent: i64) -> Option<f64> {
        let rank = (requests * percent + 99) / 100;
        let mut seen = 0;
        let is_there = |count: &u32| {
            seen += i64::from(*count);
            seen >= rank
        };
        let step = self.steps.iter().position(is_there).filter(|_| requests > 0)?;
        Some(SHORTEST_MS * STEP.powf(step as f64 - 0.5))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::clock::Clock;

    /// Minutes since 1970 that a test sets.
    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Time {
            Time::from_micros(self.0.load(Ordering::SeqCst) * MINUTE_MICROS + 1)
        }
    }

    fn traffic(minute: i64) -> (Arc<Hand>, Traffic) {
        let hand = Arc::new(Hand(AtomicI64::new(minute)));
        (hand.clone(), Traffic::new(hand))
    }

    #[test]
    fn each_minute_has_its_own_numbers() {
        let (hand, traffic) = traffic(1_000);
        traffic.record(200, Duration::from_millis(10));
        traffic.record(503, Duration::from_millis(10));
        hand.0.store(1_002, Ordering::SeqCst);
        traffic.record(404, Duration::from_millis(10));
        let hour = traffic.hour();
        assert_eq!(hour.len(), MINUTES);
        let counts: Vec<_> = hour[57..].iter().map(|minute| (minute.requests, minute.errors)).collect();
        assert_eq!(counts, [(2, 1), (0, 0), (1, 0)]);
        assert_eq!(hour[57].from, Time::from_micros(1_000 * MINUTE_MICROS));
        assert_eq!(hour[58].p50_ms, None);
        assert_eq!(hour.iter().map(|minute| minute.requests).sum::<i64>(), 3);
    }

    #[test]
    fn what_is_older_than_an_hour_is_forgotten() {
        let (hand, traffic) = traffic(1_000);
        traffic.record(200, Duration::from_millis(10));
        hand.0.store(1_059, Ordering::SeqCst);
        assert_eq!(traffic.hour()[0].requests, 1);
        hand.0.store(1_060, Ordering::SeqCst);
        assert!(traffic.hour().iter().all(|minute| minute.requests == 0));
        // The same place in the ring, another hour.
        traffic.record(200, Duration::from_millis(10));
        assert_eq!(traffic.hour()[59].requests, 1);
        // A clock that is set back counts there, and shows nothing of the future.
        hand.0.store(1_030, Ordering::SeqCst);
        traffic.record(200, Duration::from_millis(10));
        assert_eq!(traffic.hour().iter().map(|minute| minute.requests).sum::<i64>(), 1);
    }

    #[test]
    fn latencies_are_told_to_within_a_tenth() {
        let (_, traffic) = traffic(7);
        for n in 1..=100 {
            traffic.record(200, Duration::from_millis(n));
        }
        let last = traffic.hour()[59];
        for (told, true_ms) in [(last.p50_ms, 50.0), (last.p95_ms, 95.0)] {
            let error = (told.unwrap() / true_ms - 1.0_f64).abs();
            assert!(error < 0.1, "{told:?} for {true_ms}");
        }
    }

    #[test]
    fn no_latency_is_too_short_or_too_long() {
        assert_eq!(step(Duration::ZERO), 0);
        assert_eq!(step(Duration::from_nanos(1)), 0);
        assert_eq!(step(Duration::from_secs(86_400)), STEPS - 1);
        assert!(SHORTEST_MS * STEP.powi(STEPS as i32 - 2) >= 30_000.0);
        let (_, traffic) = traffic(7);
        traffic.record(200, Duration::ZERO);
        assert!(traffic.hour()[59].p95_ms.unwrap() <= 0.1);
    }
}
