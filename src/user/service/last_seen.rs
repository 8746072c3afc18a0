//! Notes when sessions and API keys were last used: at most once a minute each, and never on a request's own time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::{Id, Time};
use crate::db::{Database, DbError};
use crate::user::store::api_key::api_key_touch;
use crate::user::store::session::session_touch;

/// What was used since the last note. The first entry starts a task, which writes until nothing is left: so there is one at a
/// time, and what comes in while it writes is written together.
pub(super) struct LastSeen {
    db: Database,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    sessions: HashSet<(Id, Id)>,
    keys: HashSet<Id>,
    /// When the last of them was.
    at: Option<Time>,
    /// Is there a task that writes?
    writing: bool,
}

impl LastSeen {
    pub(super) fn new(db: Database) -> Self {
        LastSeen { db, used: Mutex::default() }
    }

    /// Has it been a minute since `before`?
    pub(super) fn is_due(before: Time, now: Time) -> bool {
        now.seconds_since(before) >= 60
    }

    pub(super) fn session(self: &Arc<Self>, user: Id, id: Id, now: Time) {
        self.note(now, |used| used.sessions.insert((user, id)));
    }

    pub(super) fn api_key(self: &Arc<Self>, id: Id, now: Time) {
        self.note(now, |used| used.keys.insert(id));
    }

    fn note(self: &Arc<Self>, now: Time, add: impl FnOnce(&mut Used) -> bool) {
        let mut used = self.used();
        add(&mut used);
        used.at = used.at.max(Some(now));
        if !std::mem::replace(&mut used.writing, true) {
            tokio::spawn(self.clone().write());
        }
    }

    async fn write(self: Arc<Self>) {
        loop {
            let (sessions, keys, at) = {
                let mut used = self.used();
                let Some(at) = used.at.take() else {
                    used.writing = false;
                    return;
                };
                (std::mem::take(&mut used.sessions), std::mem::take(&mut used.keys), at)
            };
            if let Err(error) = self.write_batch(sessions, keys, at).await {
                tracing::warn!(%error, "cannot note when sessions were last used");
            }
        }
    }

    async fn write_batch(&self, sessions: HashSet<(Id, Id)>, keys: HashSet<Id>, at: Time) -> Result<(), DbError> {
        let (users, ids): (Vec<Id>, Vec<Id>) = sessions.into_iter().unzip();
        let keys: Vec<Id> = keys.into_iter().collect();
        self.db
            .write(move |conn| {
                // SQLite takes 32,766 values a statement.
                for (users, ids) in users.chunks(10_000).zip(ids.chunks(10_000)) {
                    session_touch(conn, users, ids, at)?;
                }
                keys.chunks(10_000).try_for_each(|keys| api_key_touch(conn, keys, at))?;
                Ok(())
            })
            .await
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Nothing under the lock can panic half-way.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
