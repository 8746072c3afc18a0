//! The line before a pool: so many callers have a connection each, the others wait by their rank, and where more come than can be
//! served ([`Delay`](super::delay::Delay)), those who came for the least are told at once.
//!
//! Under overload a row holds no more than will soon have their turn, and those who have waited for `overload_wait` are turned away
//! (Maurer, "Fail at Scale", ACM Queue 2015: controlled delay; its adaptive LIFO is for rows that grow long: here it served as many,
//! and the slowest of them later). Sales wait for as long as the pool's wait. So that nobody starves, one of [`SHARE`] turns is not
//! given by rank; and so that sales need not wait until slow searches end, one of [`KEPT`] is theirs alone (a bulkhead: Nygard,
//! "Release It!", 2018).

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::DbError;
use super::priority::{Priority, Rank};
use super::row::{Row, Waiter};
use crate::config::DatabaseConfig;

/// One of so many turns is kept for those of [`Priority::SHARED`], each in turn: while all buy, staff can still mend a price.
const SHARE: usize = 10;
/// One of so many turns at a time is for sales, and for what goes before them; of fewer turns none is.
const KEPT: u32 = 4;

/// How long one waits, and how many do.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// So many have their turn at the same time.
    pub(super) turns: u32,
    /// So many wait.
    pub(super) queue_max: usize,
    /// Everybody waits so long at most,
    pub(super) wait: Duration,
    /// and under overload those who are shed.
    pub(super) overload_wait: Duration,
}

impl Limits {
    /// Of a pool that is configured so.
    pub(super) fn of(config: &DatabaseConfig) -> Limits {
        Limits {
            turns: config.pool_size,
            queue_max: config.queue_max as usize,
            wait: Duration::from_millis(config.pool_wait_ms.into()),
            overload_wait: Duration::from_millis(config.overload_wait_ms.into()),
        }
    }
}

pub(super) struct Line {
    number: u32,
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    /// Turns that nobody has.
    free: u32,
    /// Turns that those have who come after sales.
    others: u32,
    /// How many turns were passed on.
    passed: usize,
    rows: [Row; Rank::COUNT],
}

/// The right to a connection; when it is dropped, the next in line has it.
pub(super) struct Turn {
    line: Option<Arc<Line>>,
    priority: Priority,
}

impl Line {
    pub(super) fn new(limits: Limits) -> Arc<Line> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let state = Mutex::new(State { free: limits.turns, others: 0, passed: 0, rows: Default::default() });
        Arc::new(Line { number: NEXT.fetch_add(1, Ordering::Relaxed), limits, state })
    }

    /// The rank that the work under way has here.
    pub(super) fn rank(&self) -> Rank {
        Rank::of_this(self.number)
    }

    /// Waits for a turn. [`DbError::Busy`]: too many wait, or it did not come in time.
    pub(super) async fn turn(self: &Arc<Self>, rank: Rank) -> Result<Turn, DbError> {
        let entered = self.lock().enter(rank, &self.limits, Instant::now());
        let turn = match entered {
            Entered::Goes => Turn { line: Some(self.clone()), priority: rank.priority },
            Entered::Waits(turn) => match tokio::time::timeout(self.limits.wait, turn).await {
                Ok(Ok(turn)) => turn,
                // Nobody gave it a turn in time, or it was turned away.
                Err(_) | Ok(Err(_)) => return Err(DbError::Busy),
            },
            Entered::IsFull => return Err(DbError::Busy),
        };
        Rank::had_turn(self.number);
        Ok(turn)
    }

    /// Would new work of this priority be turned away now?
    pub(super) fn sheds(&self, priority: Priority) -> bool {
        let rank = Rank { priority, is_new: true };
        let mut state = self.lock();
        let row = &mut state.rows[rank.row()];
        row.forget_gone();
        row.turns_away(rank, &self.limits)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(line) = self.line.take() else { return };
        let mut ended = self.priority;
        loop {
            let Some((priority, next)) = line.lock().leave(ended, &line.limits, Instant::now()) else { return };
            match next.turn.send(Turn { line: Some(line.clone()), priority }) {
                Ok(()) => return,
                // It has just given up.
                Err(mut turn) => turn.line = None,
            }
            ended = priority;
        }
    }
}

enum Entered {
    Goes,
    Waits(oneshot::Receiver<Turn>),
    IsFull,
}

impl State {
    fn waiting(&self) -> usize {
        self.rows.iter().map(|row| row.waiters.len()).sum()
    }

    fn enter(&mut self, rank: Rank, limits: &Limits, now: Instant) -> Entered {
        if self.free > 0 && self.may_go(rank.priority, limits) {
            self.free -= 1;
            self.goes(rank.priority);
            self.rows[rank.row()].delay.note(Duration::ZERO, limits.overload_wait, now);
            return Entered::Goes;
        }
        self.rows.iter_mut().for_each(Row::forget_gone);
        let is_full = self.waiting() >= limits.queue_max && rank.priority > Priority::Vital;
        if self.rows[rank.row()].turns_away(rank, limits) || (is_full && !self.turn_away_below(rank)) {
            return Entered::IsFull;
        }
        let (sender, receiver) = oneshot::channel();
        self.rows[rank.row()].waiters.push_back(Waiter { since: now, turn: sender });
        Entered::Waits(receiver)
    }

    /// Turns away the oldest of the least rank that is shed, if that is less than `rank`.
    fn turn_away_below(&mut self, rank: Rank) -> bool {
        let mut below = Rank::all().rev().take_while(|other| *other > rank).filter(|other| other.is_shed());
        below.any(|other| self.rows[other.row()].waiters.pop_front().is_some())
    }

    /// If a turn is free, may it be given to this priority?
    fn may_go(&self, priority: Priority, limits: &Limits) -> bool {
        priority <= Priority::Sale || self.others < limits.turns - limits.turns / KEPT
    }

    fn goes(&mut self, priority: Priority) {
        self.others += u32::from(priority > Priority::Sale);
    }

    /// A turn of this priority has ended: gives it to the next in line, or to nobody.
    fn leave(&mut self, ended: Priority, limits: &Limits, now: Instant) -> Option<(Priority, Waiter)> {
        self.others -= u32::from(ended > Priority::Sale);
        for rank in Rank::all() {
            let row = &mut self.rows[rank.row()];
            row.forget_gone();
            row.note(limits, now);
            if rank.is_shed() {
                row.shed(limits.overload_wait, now);
            }
        }
        self.passed += 1;
        let shared = Priority::SHARED[self.passed / SHARE % Priority::SHARED.len()];
        let is_shared = self.passed.is_multiple_of(SHARE);
        let is_first = |rank: &Rank| is_shared && rank.priority == shared;
        let mut ranks = Rank::all().filter(is_first).chain(Rank::all());
        let next = ranks.find_map(|rank| match self.may_go(rank.priority, limits) {
            true => Some((rank.priority, self.rows[rank.row()].next()?)),
            false => None,
        });
        match &next {
            Some((priority, _)) => self.goes(*priority),
            None => self.free += 1,
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use super::super::Priority::*;
    use super::*;

    const LIMITS: Limits =
        Limits { turns: 3, queue_max: 8, wait: Duration::from_secs(1), overload_wait: Duration::from_millis(14) };

    const LOOK: Rank = Rank { priority: Browse, is_new: true };

    /// Turns that others have from the start, for sales; and a clock.
    struct Bench {
        state: State,
        now: Instant,
        /// For whom those work who got their turns here, the first one to end first.
        going: VecDeque<Priority>,
        waiting: Vec<(&'static str, oneshot::Receiver<Turn>)>,
    }

    impl Bench {
        fn new() -> Bench {
            Bench {
                state: State { free: 0, others: 0, passed: 0, rows: Default::default() },
                now: Instant::now(),
                going: VecDeque::new(),
                waiting: vec![],
            }
        }

        fn pass(&mut self, ms: u64) {
            self.now += Duration::from_millis(ms);
        }

        fn enter(&mut self, name: &'static str, priority: Priority, is_new: bool) {
            match self.state.enter(Rank { priority, is_new }, &LIMITS, self.now) {
                Entered::Waits(turn) => self.waiting.push((name, turn)),
                Entered::Goes | Entered::IsFull => panic!("{name} does not wait"),
            }
        }

        /// Ends a turn: who goes next, and who was turned away.
        fn leave(&mut self) -> (Option<&'static str>, Vec<&'static str>) {
            let ended = self.going.pop_front().unwrap_or(Sale);
            let next = self.state.leave(ended, &LIMITS, self.now).map(|(priority, next)| {
                self.going.push_back(priority);
                drop(next.turn.send(Turn { line: None, priority }));
            });
            let (mut goes, mut refused) = (None, vec![]);
            self.waiting.retain_mut(|(name, turn)| match turn.try_recv() {
                Ok(_turn) => {
                    goes = Some(*name);
                    false
                }
                Err(oneshot::error::TryRecvError::Closed) => {
                    refused.push(*name);
                    false
                }
                Err(oneshot::error::TryRecvError::Empty) => true,
            });
            assert_eq!(next.is_some(), goes.is_some());
            (goes, refused)
        }

        /// Somebody waits at all times, and nobody for less than the target, for as long as it takes to be called overload.
        fn overload(&mut self, priority: Priority) {
            for _ in 0..30 {
                self.enter("flood", priority, true);
                self.pass(8);
                self.leave();
            }
        }
    }

    #[test]
    fn each_rank_goes_before_the_next() {
        let mut bench = Bench::new();
        bench.enter("search", Rest, true);
        bench.enter("look", Browse, true);
        bench.enter("next look", Browse, true);
        bench.enter("sale", Sale, true);
        bench.enter("look, begun", Browse, false);
        bench.enter("lease", Vital, true);
        bench.enter("sale, begun", Sale, false);
        let order: Vec<_> = (0..8).map(|_| bench.leave()).collect();
        let names = ["lease", "sale, begun", "sale", "look, begun", "look", "next look", "search"];
        assert_eq!(order[..7], names.map(|name| (Some(name), vec![])));
        assert_eq!((order[7].0, bench.state.free), (None, 1));
    }

    #[test]
    fn a_burst_is_served_whole_and_in_order() {
        let mut bench = Bench::new();
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        names.iter().for_each(|name| bench.enter(name, Browse, true));
        for name in names {
            bench.pass(10);
            assert_eq!(bench.leave(), (Some(name), vec![]));
        }
    }

    #[test]
    fn under_overload_few_wait_and_the_late_are_told() {
        let mut bench = Bench::new();
        bench.overload(Browse);
        bench.enter("late", Browse, true);
        bench.pass(10);
        bench.enter("old", Browse, true);
        bench.pass(6);
        bench.enter("new", Browse, true);
        bench.pass(6);
        let more = bench.state.enter(LOOK, &LIMITS, bench.now);
        assert!(matches!(more, Entered::IsFull), "as many wait as have a turn");
        assert_eq!(bench.leave(), (Some("old"), vec!["late"]));
        assert_eq!(bench.leave(), (Some("new"), vec![]));
        // Once nobody waits, it is over.
        assert_eq!(bench.leave(), (None, vec![]));
        bench.pass(300);
        assert!(matches!(bench.state.enter(LOOK, &LIMITS, bench.now), Entered::Goes));
        bench.enter("first", Browse, true);
        bench.enter("second", Browse, true);
        bench.pass(30);
        assert_eq!(bench.leave(), (Some("first"), vec![]));
    }

    #[test]
    fn overload_lasts_until_nobody_is_turned_away() {
        let mut bench = Bench::new();
        bench.overload(Browse);
        let is_overload = |bench: &Bench| bench.state.rows[LOOK.row()].delay.is_overload;
        // All who may wait are new, so nobody waits for long; but more come.
        for _ in 0..100 {
            while let Entered::Waits(turn) = bench.state.enter(LOOK, &LIMITS, bench.now) {
                bench.waiting.push(("look", turn));
            }
            for _ in 0..3 {
                bench.pass(1);
                bench.leave();
            }
            assert!(is_overload(&bench));
        }
        while bench.leave().0.is_some() {}
        bench.state.free = 0;
        for _ in 0..100 {
            bench.enter("look", Browse, true);
            bench.pass(3);
            assert_eq!(bench.leave(), (Some("look"), vec![]));
        }
        assert!(!is_overload(&bench));
    }

    #[test]
    fn a_sale_keeps_its_place_whatever_the_overload() {
        let mut bench = Bench::new();
        bench.overload(Sale);
        bench.enter("first", Sale, true);
        bench.enter("look, begun", Browse, false);
        bench.pass(500);
        bench.enter("second", Sale, true);
        assert_eq!(bench.leave(), (Some("first"), vec![]));
        assert_eq!(bench.leave(), (Some("second"), vec![]));
        assert_eq!(bench.leave(), (Some("look, begun"), vec![]));
    }

    #[test]
    fn others_are_told_while_sales_take_the_turns() {
        let mut bench = Bench::new();
        (0..4).for_each(|_| bench.enter("look", Browse, true));
        let is_told = |_| {
            bench.enter("sale", Sale, true);
            bench.pass(8);
            bench.leave().1.contains(&"look")
        };
        assert!((0..30).any(is_told), "those who look were never told that their turn will not come");
    }

    #[test]
    fn a_tenth_of_the_turns_is_not_for_those_who_buy() {
        let mut bench = Bench::new();
        let who = [("account", Account), ("look", Browse), ("staff", Rest), ("sale", Sale)];
        let mut had = BTreeMap::new();
        for _ in 0..90 {
            for (name, priority) in who {
                if bench.waiting.iter().all(|(waiting, _)| *waiting != name) {
                    bench.enter(name, priority, false);
                }
            }
            *had.entry(bench.leave().0).or_insert(0) += 1;
        }
        let expected = [("account", 3), ("look", 3), ("sale", 81), ("staff", 3)];
        assert_eq!(had, expected.map(|(name, count)| (Some(name), count)).into());
    }

    #[test]
    fn a_quarter_of_the_turns_is_for_those_who_buy() {
        let limits = Limits { turns: 4, ..LIMITS };
        let now = Instant::now();
        let mut state = State { free: 4, others: 0, passed: 0, rows: Default::default() };
        let enter = |state: &mut State, priority, is_new| state.enter(Rank { priority, is_new }, &limits, now);
        for priority in [Rest, Browse, Account] {
            assert!(matches!(enter(&mut state, priority, true), Entered::Goes));
        }
        let Entered::Waits(mut look) = enter(&mut state, Browse, true) else { panic!("it has the last turn") };
        let Entered::Waits(_begun) = enter(&mut state, Browse, false) else { panic!("it has the last turn") };
        assert!(matches!(enter(&mut state, Sale, true), Entered::Goes));
        assert!(state.leave(Sale, &limits, now).is_none(), "it stays theirs");
        assert!(matches!(enter(&mut state, Vital, true), Entered::Goes));
        // Where one of the others ends, the next goes.
        assert!(matches!(state.leave(Rest, &limits, now), Some((Browse, _))));
        let (priority, next) = state.leave(Account, &limits, now).unwrap();
        drop(next.turn.send(Turn { line: None, priority }));
        assert!(look.try_recv().is_ok());
        for ended in [Browse, Browse, Browse, Vital] {
            assert!(state.leave(ended, &limits, now).is_none());
        }
        assert_eq!((state.free, state.others), (4, 0));
    }

    #[test]
    fn a_full_line_makes_room_for_a_sale() {
        let mut bench = Bench::new();
        (0..7).for_each(|_| bench.enter("look", Browse, true));
        bench.enter("search", Rest, true);
        let enters = |bench: &mut Bench, priority| {
            let rank = Rank { priority, is_new: true };
            !matches!(bench.state.enter(rank, &LIMITS, bench.now), Entered::IsFull)
        };
        assert!(!enters(&mut bench, Rest));
        assert!(enters(&mut bench, Sale));
        assert_eq!(bench.state.waiting(), 8);
        let search = bench.waiting.pop().unwrap().1.try_recv();
        assert!(matches!(search, Err(oneshot::error::TryRecvError::Closed)), "the least was turned away");
        // Those who gave up take no room.
        bench.waiting.clear();
        assert!(enters(&mut bench, Rest));
        assert_eq!(bench.state.waiting(), 1);
        // What is vital is not much, and waits where nobody is turned away for it.
        (0..8).for_each(|_| bench.enter("sale", Sale, true));
        assert!(!enters(&mut bench, Sale));
        assert!(enters(&mut bench, Vital));
    }

    async fn poll<F: Future + Unpin>(mut future: F) -> std::task::Poll<F::Output> {
        std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut future).poll(context))).await
    }

    #[tokio::test]
    async fn a_turn_is_never_lost() {
        let line = Line::new(Limits { turns: 1, ..LIMITS });
        let first = line.turn(LOOK).await.unwrap();
        let mut gives_up = Box::pin(line.turn(LOOK));
        let mut waits = Box::pin(line.turn(LOOK));
        assert!(poll(&mut gives_up).await.is_pending());
        assert!(poll(&mut waits).await.is_pending());
        // It was given the turn, and is dropped before it looks.
        drop(first);
        drop(gives_up);
        let second = waits.await.unwrap();
        // One that has given up already is passed over.
        let mut gone = Box::pin(line.turn(LOOK));
        assert!(poll(&mut gone).await.is_pending());
        drop((gone, second));
        assert_eq!(line.lock().free, 1);
        let _third = line.turn(LOOK).await.unwrap();
        let patience = tokio::time::timeout(Duration::from_secs(5), line.turn(LOOK)).await;
        assert!(matches!(patience, Ok(Err(DbError::Busy))), "it waits for no longer than the limit");
    }
}
