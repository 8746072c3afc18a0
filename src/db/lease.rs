//! Leases: which of several equal processes does a work that is to be done once.
//!
//! A row of `leases` says who does it, until when, and in which epoch; a work that changes hands begins a new one. Whoever lost it
//! without noticing is stopped by [`Lease::fence`], in the transaction of each effect (Gray and Cheriton, "Leases", SOSP 1989;
//! "fencing tokens" in Kleppmann, "How to do distributed locking", 2016). The time is the database's: the only clock that all share.
//! An SQLite file has one process, which does everything.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Text};
use uuid::Uuid;

use super::{Connection, Database, DbError, Failure, Priority, Ticket};

/// Held leases are renewed so often, and those of others asked after.
const RENEW: Duration = Duration::from_secs(3);

/// The table; beside the migrations, which need it themselves.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS leases (
    name text PRIMARY KEY, holder text NOT NULL, epoch bigint NOT NULL, held_until timestamptz NOT NULL)";

/// A work that this process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    name: &'static str,
    epoch: i64,
    /// A database that lost its last moments can give an epoch twice.
    holder: Uuid,
}

impl Lease {
    /// One that is not renewed ends after this: then another process takes the work over.
    pub const SECONDS: u64 = 10;

    /// Keeps the work with this process until the transaction ends. [`DbError::Fenced`] where it has gone to another one.
    pub fn fence(&self, conn: &mut Connection) -> Result<(), DbError> {
        let Connection::Postgres(conn) = conn else { return Ok(()) };
        let ours = sql_query("SELECT epoch FROM leases WHERE name = $1 AND epoch = $2 AND holder = $3 FOR SHARE");
        let ours = ours.bind::<Text, _>(self.name).bind::<BigInt, _>(self.epoch);
        let ours = ours.bind::<Text, _>(self.holder.to_string()).execute(conn)?;
        if ours == 0 { Err(DbError::Fenced(self.name)) } else { Ok(()) }
    }
}

/// What this process knows of leases.
pub(super) struct Leases {
    /// Its name, which no other process has.
    holder: Uuid,
    known: Mutex<HashMap<&'static str, Known>>,
}

#[derive(Clone, Copy)]
struct Known {
    /// `None`: the work was another process's.
    lease: Option<Lease>,
    asked: Instant,
}

impl Leases {
    pub(super) fn new() -> Leases {
        Leases { holder: Uuid::new_v4(), known: Mutex::default() }
    }

    fn known(&self, name: &'static str) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }
}

impl Database {
    /// Does `work` if it is this process's, and goes on holding it meanwhile; `None`: another process does it.
    pub async fn leased<T, E: Failure, R>(
        &self,
        name: &'static str,
        work: impl FnOnce(Lease) -> R,
    ) -> Result<Option<T>, E>
    where
        R: Future<Output = Result<T, E>>,
    {
        let Some(lease) = self.lease(name).await? else { return Ok(None) };
        // Both go on at the same time: a database that is slow to renew holds up nothing but that.
        tokio::select! {
            result = work(lease) => result.map(Some),
            never = self.renew(name) => match never {},
        }
    }

    async fn renew(&self, name: &'static str) -> Infallible {
        loop {
            tokio::time::sleep(RENEW).await;
            // Where that fails, the work's effects find out.
            drop(self.lease(name).await);
        }
    }

    /// The lease of this name, if this process holds it or it is free; asked for at most every few seconds.
    pub async fn lease(&self, name: &'static str) -> Result<Option<Lease>, DbError> {
        let Some(leases) = self.leases.clone() else { return Ok(Some(Lease { name, epoch: 0, holder: Uuid::nil() })) };
        let before = leases.known(name);
        if let Some(known) = before.filter(|known| known.asked.elapsed() < RENEW) {
            return Ok(known.lease);
        }
        let asked = Instant::now();
        let (holder, old) = (leases.holder, before.and_then(|known| known.lease));
        let hold = self.write(move |conn| hold(conn, name, holder, old));
        let lease = Ticket::new(Priority::Vital).hold(hold).await?;
        if lease.is_some() && old != lease {
            tracing::info!(
                module = self.name,
                work = name,
                epoch = lease.map(|lease| lease.epoch),
                "this process does it from now on"
            );
        }
        leases.known.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Known { lease, asked });
        Ok(lease)
    }

    /// Was this work this process's when it last asked?
    pub fn holds(&self, name: &'static str) -> bool {
        let Some(leases) = &self.leases else { return true };
        leases.known(name).is_some_and(|known| known.lease.is_some())
    }

    /// Lets go of one lease, so that others need not wait for its end; `None`: of all.
    pub async fn leases_release(&self, name: Option<&'static str>) -> Result<(), DbError> {
        let Some(leases) = self.leases.clone() else { return Ok(()) };
        let is_kept = |known: &str| name.is_some_and(|name| name != known);
        leases.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|known, _| is_kept(known));
        let release = "UPDATE leases SET held_until = clock_timestamp() WHERE holder = $1 AND ($2 = '' OR name = $2)";
        self.write(move |conn| {
            let release =
                sql_query(release).bind::<Text, _>(leases.holder.to_string()).bind::<Text, _>(name.unwrap_or_default());
            release.execute(conn)?;
            Ok(())
        })
        .await
    }
}

#[derive(QueryableByName)]
struct Epoch {
    #[diesel(sql_type = BigInt)]
    epoch: i64,
}

#[derive(QueryableByName)]
struct IsFree {
    #[diesel(sql_type = Bool)]
    is_free: bool,
}

/// Renews the lease that was ours, or takes one that is free.
fn hold(conn: &mut Connection, name: &'static str, holder: Uuid, old: Option<Lease>) -> Result<Option<Lease>, DbError> {
    let (by, seconds) = (holder.to_string(), Lease::SECONDS);
    if let Some(old) = old {
        let renew = format!(
            "UPDATE leases SET held_until = clock_timestamp() + interval '{seconds} seconds'
             WHERE name = $1 AND holder = $2 AND epoch = $3"
        );
        let renew = sql_query(renew).bind::<Text, _>(name).bind::<Text, _>(&by).bind::<BigInt, _>(old.epoch);
        if renew.execute(conn)? == 1 {
            return Ok(Some(old));
        }
    }
    // Looked at first: an INSERT that meets a row writes to it, whatever its WHERE says.
    let look = sql_query("SELECT held_until < clock_timestamp() AS is_free FROM leases WHERE name = $1");
    let found: Option<IsFree> = look.bind::<Text, _>(name).get_result(conn).optional()?;
    if found.is_some_and(|found| !found.is_free) {
        return Ok(None);
    }
    let take = format!(
        "INSERT INTO leases (name, holder, epoch, held_until)
         VALUES ($1, $2, 1, clock_timestamp() + interval '{seconds} seconds')
         ON CONFLICT (name) DO UPDATE
         SET holder = excluded.holder, epoch = leases.epoch + 1, held_until = excluded.held_until
         WHERE leases.held_until < clock_timestamp() RETURNING epoch"
    );
    let taken: Option<Epoch> =
        sql_query(take).bind::<Text, _>(name).bind::<Text, _>(&by).get_result(conn).optional()?;
    Ok(taken.map(|Epoch { epoch }| Lease { name, epoch, holder }))
}
