//! The pulse of a thread that answers requests: what is due on it waits for so long before it has its turn. It tells of overload where
//! the process's own work is what takes the time, and no line forms before a database.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::db::Priority;

/// No thread beats more exactly than this.
const TIMERS: Duration = Duration::from_millis(5);
const BEAT: Duration = Duration::from_millis(20);
/// Late for so long: no burst, but overload. And so long it lasts after the last who was turned away from a thread that was very late.
const INTERVAL: Duration = Duration::from_millis(100);

/// That of the thread it was made on.
pub struct Pulse(Rc<RefCell<State>>);

struct State {
    overload_wait: Duration,
    /// How late the last beat was, and when the next one is due.
    late: Duration,
    due: Instant,
    /// Since when each beat was later than half of `overload_wait`.
    late_since: Option<Instant>,
    overload_until: Option<Instant>,
}

impl Pulse {
    /// Begins to feel it, for as long as this is kept. `overload_wait`: as that of a line before a database.
    pub fn feel(overload_wait: Duration) -> Pulse {
        let pulse = Pulse(Rc::new(RefCell::new(State::new(overload_wait, Instant::now()))));
        let felt = Rc::downgrade(&pulse.0);
        actix_web::rt::spawn(async move {
            while let Some(state) = felt.upgrade() {
                let due = state.borrow_mut().beat(Instant::now());
                drop(state);
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
    fn new(overload_wait: Duration, now: Instant) -> State {
        State { overload_wait, late: Duration::ZERO, due: now, late_since: None, overload_until: None }
    }

    /// Gives when the next one is due.
    fn beat(&mut self, now: Instant) -> Instant {
        self.late = now.saturating_duration_since(self.due);
        match self.late_since {
            _ if self.late <= self.overload_wait / 2 => self.late_since = None,
            // One late beat is one pause, however long.
            None => self.late_since = Some(self.due),
            Some(since) if now - since >= INTERVAL => self.overload_until = Some(now + INTERVAL),
            Some(_) => {}
        }
        self.due = now + BEAT;
        self.due
    }

    fn sheds(&mut self, priority: Priority, now: Instant) -> bool {
        let bearable = match priority {
            Priority::Vital | Priority::Sale => return false,
            Priority::Account => self.overload_wait / 5,
            Priority::Browse | Priority::Rest => self.overload_wait / 10,
        };
        // A beat that is overdue tells of it before it comes.
        let late = self.late.max(now.saturating_duration_since(self.due));
        let sheds = late > bearable.max(TIMERS) && self.overload_until.is_some_and(|until| now < until);
        // Where it is always a little late, one overload must not last for ever.
        if sheds && late > self.overload_wait / 4 {
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
        let mut state = State::new(WAIT, start);
        // Each beat comes so many ms after it was due.
        let mut beat = |late| {
            let now = state.due + Duration::from_millis(late);
            state.beat(now);
            [Account, Browse].map(|priority| state.sheds(priority, now))
        };
        assert_eq!(beat(0), [false, false]);
        assert_eq!(beat(300), [false, false], "one pause");
        assert_eq!(beat(0), [false, false]);
        assert_eq!(beat(60), [false, false]);
        assert_eq!(beat(60), [true, true], "late for 140 ms");
        // It is kept short then, and not only below what counts as overload.
        assert_eq!(beat(15), [false, true]);
        assert_eq!(beat(30), [true, true]);
        assert_eq!(beat(9), [false, false]);
        // For an interval it was not very late: it is over.
        assert_eq!(beat(20), [false, true]);
        assert_eq!(beat(20), [false, false]);
        // What is overdue is late.
        assert_eq!([60, 60, 0].map(&mut beat), [[false; 2], [true; 2], [false; 2]]);
        assert!(!state.sheds(Browse, state.due));
        assert!(state.sheds(Browse, state.due + Duration::from_millis(11)));
        assert!(!state.sheds(Sale, state.due + Duration::from_secs(1)));
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
