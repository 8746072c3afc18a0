//! Those of one rank who wait: in their order, and under overload no more than have their turn soon.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::delay::{Delay, INTERVAL};
use super::line::{Limits, Turn};
use super::priority::Rank;

/// Those of one rank who wait, in the order in which they came.
#[derive(Default)]
pub(super) struct Row {
    pub(super) waiters: VecDeque<Waiter>,
    pub(super) delay: Delay,
}

pub(super) struct Waiter {
    pub(super) since: Instant,
    pub(super) turn: oneshot::Sender<Turn>,
}

impl Row {
    /// Those who gave up: all wait equally long, so they stand at the beginning.
    pub(super) fn forget_gone(&mut self) {
        while self.waiters.front().is_some_and(|waiter| waiter.turn.is_closed()) {
            self.waiters.pop_front();
        }
    }

    pub(super) fn note(&mut self, limits: &Limits, now: Instant) {
        if let Some(oldest) = self.waiters.front() {
            self.delay.note(now.saturating_duration_since(oldest.since), limits.overload_wait, now);
        }
    }

    pub(super) fn shed(&mut self, after: Duration, now: Instant) {
        let is_late = |waiter: &Waiter| now.saturating_duration_since(waiter.since) > after;
        while self.delay.is_overload && self.waiters.front().is_some_and(is_late) {
            self.waiters.pop_front();
            self.delay.has_refused = true;
        }
    }

    /// Under overload no more wait than will have a turn within a tenth of `overload_wait`, by what the last interval has served; the
    /// others are told at once, which costs the least.
    pub(super) fn turns_away(&mut self, rank: Rank, limits: &Limits) -> bool {
        let soon = self.delay.served_last as f64 * limits.overload_wait.as_secs_f64() / 10.0 / INTERVAL.as_secs_f64();
        let max = (soon as usize).max(limits.turns as usize);
        let is_full = rank.is_shed() && self.delay.is_overload && self.waiters.len() >= max;
        self.delay.has_refused |= is_full;
        is_full
    }

    pub(super) fn next(&mut self) -> Option<Waiter> {
        let next = self.waiters.pop_front();
        self.delay.served += usize::from(next.is_some());
        next
    }
}
