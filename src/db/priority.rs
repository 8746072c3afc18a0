//! How important a call to the database is: who goes before whom when connections are short, and who is turned away first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// For whom a call works, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// What must not wait for customers: who holds which lease.
    Vital,
    /// Checkout and log-in; and what no request asks for.
    Sale,
    /// Registration, and what a customer has of his own.
    Account,
    /// Pages and lists of goods.
    Browse,
    /// Search, administration, exports.
    Rest,
}

impl Priority {
    pub(super) const ALL: [Priority; 5] =
        [Priority::Vital, Priority::Sale, Priority::Account, Priority::Browse, Priority::Rest];
    /// Those of which sales and leases must not take every turn.
    pub(super) const SHARED: [Priority; 3] = [Priority::Account, Priority::Browse, Priority::Rest];

    /// As it stands in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Vital => "vital",
            Priority::Sale => "sale",
            Priority::Account => "account",
            Priority::Browse => "browse",
            Priority::Rest => "rest",
        }
    }
}

tokio::task_local! {
    static TICKET: Ticket;
}

/// What one piece of work is, and in which lines it has had its turn.
#[derive(Clone)]
pub struct Ticket {
    priority: Priority,
    /// A bit for each line, by its number.
    had: Arc<AtomicU64>,
}

impl Ticket {
    pub fn new(priority: Priority) -> Ticket {
        Ticket { priority, had: Arc::default() }
    }

    /// Does `work` by this ticket: all calls to a database that it makes itself, and not by another task.
    pub async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        TICKET.scope(self, work).await
    }

    /// The same for one poll of what is no future.
    pub fn hold_once<T>(&self, poll: impl FnOnce() -> T) -> T {
        TICKET.sync_scope(self.clone(), poll)
    }
}

/// The place that a call takes in a line. Work that has had a turn there goes before work of its priority that has not: what was begun
/// is finished, so that no work is done for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) priority: Priority,
    pub(super) is_new: bool,
}

impl Rank {
    pub(super) const COUNT: usize = Priority::ALL.len() * 2;

    /// That of the work under way, in the line of this number.
    pub(super) fn of_this(line: u32) -> Rank {
        let of_ticket = |ticket: &Ticket| Rank {
            priority: ticket.priority,
            is_new: ticket.had.load(Ordering::Relaxed) & bit(line) == 0,
        };
        TICKET.try_with(of_ticket).unwrap_or(Rank { priority: Priority::Sale, is_new: true })
    }

    /// Notes that the work under way has had its turn in the line of this number.
    pub(super) fn had_turn(line: u32) {
        // An error: work that no request asks for.
        let _ = TICKET.try_with(|ticket| ticket.had.fetch_or(bit(line), Ordering::Relaxed));
    }

    /// Its row, counted from the first that is served.
    pub(super) fn row(self) -> usize {
        self.priority as usize * 2 + usize::from(self.is_new)
    }

    pub(super) fn all() -> impl DoubleEndedIterator<Item = Rank> {
        Priority::ALL.into_iter().flat_map(|priority| [false, true].map(|is_new| Rank { priority, is_new }))
    }

    /// Is it turned away before its time where too many come? Not a sale, and not what was begun.
    pub(super) fn is_shed(self) -> bool {
        self.is_new && self.priority > Priority::Sale
    }
}

/// A shop has four lines; where tests run many shops, two lines of different shops may have the same bit.
fn bit(line: u32) -> u64 {
    1 << (line % u64::BITS)
}
