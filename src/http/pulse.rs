//! The pulse of a thread that answers requests: what is due on it waits for so long before it has its turn. It tells of overload where
//! the process's own work is what takes the time, and no line forms before a database.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::db::Priority;

/// No thread beats more exactly than this.
const TIMERS: Duration = Duration::from_millis(5);
const BEAT: Duration = Duration::from_millis(20);
/// Late for so long: no burst, but overload. And so long it lasts after the last who was turned away.
const INTERVAL: Duration = Duration::from_millis(100);

/// That of the thread it was made on.
pub struct Pulse(Rc<RefCell<State>>);

struct State {
    overload_wait: Duration,
    /// How late the last beat was.
    late: Duration,
    /// Since when each beat was later than half of `overload_wait`.
    late_since: Option<Instant>,
    overload_until: Option<Instant>,
}

impl Pulse {
    /// Begins to feel it, for as long as this is kept. `overload_wait`: as that of a line before a database.
    pub fn feel(overload_wait: Duration) -> Pulse {
        let state = State { overload_wait, late: Duration::ZERO, late_since: None, overload_until: None };
        let pulse = Pulse(Rc::new(RefCell::new(state)));
        let felt = Rc::downgrade(&pulse.0);
        actix_web::rt::spawn(async move {
            let mut due = Instant::now();
            while let Some(state) = felt.upgrade() {
                let now = Instant::now();
                state.borrow_mut().beat(now.saturating_duration_since(due), now);
                due = now + BEAT;
                tokio::time::sleep_until(due.into()).await;
            }
        });
        pulse
    }

    /// Is new work of this priority to be turned away now? Under overload the thread is kept as little late as a line is kept short;
    /// who has an account is let in for longer than who has none.
    pub(super) fn sheds(&self, priority: Priority) -> bool {
        self.0.borrow_mut().sheds(priority, Instant::now())
    }
}

impl State {
    fn beat(&mut self, late: Duration, now: Instant) {
        self.late = late;
        if late <= self.overload_wait / 2 {
            self.late_since = None;
        } else if now.saturating_duration_since(*self.late_since.get_or_insert(now - late)) >= INTERVAL {
            self.overload_until = Some(now + INTERVAL);
        }
    }

    fn sheds(&mut self, priority: Priority, now: Instant) -> bool {
        let bearable = match priority {
            Priority::Vital | Priority::Sale => return false,
            Priority::Account => self.overload_wait / 5,
            Priority::Browse | Priority::Rest => self.overload_wait / 10,
        };
        let sheds = self.late > bearable.max(TIMERS) && self.overload_until.is_some_and(|until| now < until);
        if sheds {
            self.overload_until = Some(now + INTERVAL);
        }
        sheds
    }
}

#[cfg(test)]
mod tests {
    use Priority::{Account, Browse, Rest, Sale};

    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    fn sheds(pulse: &Pulse) -> [bool; 4] {
        [Sale, Account, Browse, Rest].map(|priority| pulse.sheds(priority))
    }

    #[test]
    fn a_burst_is_no_overload_and_what_lasts_is() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut state = State { overload_wait: WAIT, late: Duration::ZERO, late_since: None, overload_until: None };
        let mut sheds = |late, now, priority| {
            state.beat(Duration::from_millis(late), at(now));
            state.sheds(priority, at(now))
        };
        assert!(!sheds(90, 200, Browse));
        assert!(!sheds(0, 300, Browse));
        assert!(!sheds(60, 400, Browse));
        assert!(sheds(60, 480, Browse), "late for 140 ms");
        // It is kept short then, and not only below what counts as overload.
        assert!(sheds(11, 500, Browse));
        assert!(!sheds(11, 510, Account));
        assert!(!sheds(9, 520, Browse));
        assert!(sheds(30, 590, Account));
        assert!(!sheds(90, 600, Sale));
        // For an interval nobody was turned away: it is over.
        assert!(!sheds(0, 640, Browse));
        assert!(!sheds(30, 700, Browse));
    }

    #[actix_web::test]
    async fn a_thread_that_has_no_time_is_felt() {
        let pulse = Pulse::feel(WAIT);
        let end = Instant::now() + Duration::from_secs(10);
        while sheds(&pulse) != [false, true, true, true] {
            assert!(Instant::now() < end, "a thread that is 150 ms late each time is not called late");
            std::thread::sleep(Duration::from_millis(150));
            tokio::task::yield_now().await;
        }
        while sheds(&pulse) != [false; 4] {
            assert!(Instant::now() < end, "it never ends");
            tokio::time::sleep(BEAT).await;
        }
    }
}
