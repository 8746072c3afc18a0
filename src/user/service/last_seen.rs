//! Notes when sessions and API keys were last used: at most once a minute each, and never on a request's own time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Id, SharedClock, Time};
use crate::db::{Database, DbError};
use crate::user::store::api_key::api_key_touch;
use crate::user::store::session::session_touch;

/// What was used since the last note. The first entry starts a task, which writes until nothing is left: so there is one at a
/// time, and what comes in while it writes is written together.
pub(super) struct LastSeen {
    db: Database,
    clock: SharedClock,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    sessions: HashSet<(Id, Id)>,
    keys: HashSet<Id>,
    /// Is there a task that writes?
    writing: bool,
}

impl LastSeen {
    pub(super) fn new(db: Database, clock: SharedClock) -> Self {
        LastSeen { db, clock, used: Mutex::default() }
    }

    /// Has it been a minute since `before`?
    pub(super) fn is_due(before: Time, now: Time) -> bool {
        now.seconds_since(before) >= 60
    }

    pub(super) fn session(self: &Arc<Self>, user: Id, id: Id) {
        self.note(|used| used.sessions.insert((user, id)));
    }

    pub(super) fn api_key(self: &Arc<Self>, id: Id) {
        self.note(|used| used.keys.insert(id));
    }

    fn note(self: &Arc<Self>, add: impl FnOnce(&mut Used) -> bool) {
        let mut used = self.used();
        add(&mut used);
        if !std::mem::replace(&mut used.writing, true) {
            tokio::spawn(self.clone().write());
        }
    }

    async fn write(self: Arc<Self>) {
        loop {
            let (sessions, keys) = {
                let mut used = self.used();
                if used.sessions.is_empty() && used.keys.is_empty() {
                    used.writing = false;
                    return;
                }
                (std::mem::take(&mut used.sessions), std::mem::take(&mut used.keys))
            };
            if let Err(error) = self.write_batch(sessions, keys).await {
                tracing::warn!(%error, "cannot note when sessions were last used");
            }
        }
    }

    async fn write_batch(&self, sessions: HashSet<(Id, Id)>, keys: HashSet<Id>) -> Result<(), DbError> {
        let now = self.clock.now();
        let (users, ids): (Vec<Id>, Vec<Id>) = sessions.into_iter().unzip();
        let keys: Vec<Id> = keys.into_iter().collect();
        self.db
            .write(move |conn| {
                // SQLite takes 32,766 values a statement.
                for (users, ids) in users.chunks(10_000).zip(ids.chunks(10_000)) {
                    session_touch(conn, users, ids, now)?;
                }
                keys.chunks(10_000).try_for_each(|keys| api_key_touch(conn, keys, now))?;
                Ok(())
            })
            .await
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Nothing under the lock can panic half-way.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
