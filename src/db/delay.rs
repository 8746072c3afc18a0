//! Is there overload? It is told by how long the oldest of a row waits: when for a whole [`INTERVAL`] nobody waited less than half of
//! `overload_wait`, the line does not come from a burst but from more callers than connections (CoDel: Nichols and Jacobson,
//! "Controlling Queue Delay", ACM Queue 2012; the half as in Meta's folly, whose 5 and 10 ms are for programs and not for people).

use std::time::{Duration, Instant};

pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// The least delay of an interval, and whether there is overload: from when the last one's was too long, until an interval in which
/// nobody had to be turned away.
#[derive(Default)]
pub(super) struct Delay {
    interval: Option<Interval>,
    pub(super) is_overload: bool,
    pub(super) has_refused: bool,
    /// How many who had waited had their turn, in this interval and in the last one.
    pub(super) served: usize,
    pub(super) served_last: usize,
}

struct Interval {
    end: Instant,
    least: Duration,
}

impl Delay {
    /// Somebody waits, or goes, who has waited for `delay`.
    pub(super) fn note(&mut self, delay: Duration, overload_wait: Duration, now: Instant) {
        match &mut self.interval {
            Some(interval) if now < interval.end => interval.least = interval.least.min(delay),
            last => {
                // Of one that ended long ago nothing is known any more.
                let known = last.as_ref().filter(|interval| now < interval.end + INTERVAL);
                let is_slow = |interval: &Interval| interval.least > overload_wait / 2;
                self.is_overload = known.is_some_and(|last| is_slow(last) || (self.is_overload && self.has_refused));
                self.has_refused = false;
                self.served_last = std::mem::take(&mut self.served);
                *last = Some(Interval { end: now + INTERVAL, least: delay });
            }
        }
    }
}
