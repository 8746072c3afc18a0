//! The database of a module: SQLite or PostgreSQL behind one connection type, and the one place where blocking meets async.
//!
//! [`Database::read`], [`Database::read_primary`] and [`Database::write`] say at the call site where a query goes and whether its
//! answer may be stale. `write` is one transaction. Each of them takes a place in a bounded line before it takes a thread, so that a
//! database that is slow or down costs callers a quick [`DbError`] and never a pile of threads.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, TransactionManager};
use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::error::{ErrorCode, Problem};

mod backup;
mod connect;
mod connection;
mod delay;
mod lease;
mod line;
mod migrate;
mod moving;
mod pool;
mod priority;
mod row;
pub mod sql;
mod state;

use connect::{Begin, Manager};
pub use connection::{AnyConnection as Connection, MultiBackend};
pub use lease::Lease;
use lease::Leases;
use line::Limits;
pub use migrate::Migrations;
pub use moving::{Move, MovedTable, Seized};
use pool::Lane;
pub use pool::LaneState;
pub use priority::{Priority, Ticket};
pub use state::ServerState;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// Nothing was sent: all connections stayed in use for longer than the pool's wait.
    #[error("all connections to the database are in use")]
    Busy,
    /// Nothing was changed: there is no connection, and none can be made; or the disk takes nothing.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The connection broke before anything was committed. Nothing was changed.
    #[error("the connection to the database broke: {0}")]
    Lost(String),
    /// The server takes no writes: it has become a standby, or its administrator wants it so. Nothing was changed.
    #[error("the database takes no writes: {0}")]
    ReadOnly(String),
    /// The connection broke when COMMIT was under way: the change may have happened.
    #[error("the connection to the database broke at the commit, so nobody knows whether the change happened: {0}")]
    OutcomeUnknown(String),
    /// A statement or a lock took longer than its limit; nothing was changed.
    #[error("the database took too long: {0}")]
    Timeout(String),
    /// Another process does this work now; nothing was changed.
    #[error("the {0} have gone to another process")]
    Fenced(&'static str),
    #[error("a migration failed: {0}")]
    Migration(String),
    #[error("{0}")]
    Backup(String),
    /// Why rows cannot be moved to another database.
    #[error("{0}")]
    Move(String),
    #[error("a database query failed: {0}")]
    Query(#[source] DieselError),
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, info) = &error else {
            return match error {
                DieselError::BrokenTransactionManager => DbError::Lost("its transaction is broken".into()),
                other => DbError::Query(other),
            };
        };
        let message = info.message();
        match kind {
            DatabaseErrorKind::ReadOnlyTransaction => DbError::ReadOnly(message.to_owned()),
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                DbError::Lost(message.trim().to_owned())
            }
            _ if message.contains("canceling statement due to") => DbError::Timeout(message.to_owned()),
            _ if message.contains("terminating connection") || message.contains("the database system is") => {
                DbError::Lost(message.to_owned())
            }
            // SQLite's words: another process kept the write lock for longer than the busy timeout; the disk is full or failing.
            _ if message == "database is locked" => DbError::Timeout(message.to_owned()),
            _ if message == "database or disk is full" || message == "disk I/O error" => {
                DbError::Unavailable(message.to_owned())
            }
            _ => DbError::Query(error),
        }
    }
}

impl DbError {
    /// What a client is told; the cause goes to the log, here and only here.
    pub fn problem(&self) -> Problem {
        match self {
            DbError::Busy => Problem::busy("All database connections are in use; try again shortly."),
            DbError::Unavailable(_) | DbError::Lost(_) | DbError::ReadOnly(_) => {
                tracing::error!(error = %self, "database unavailable");
                Problem::new(ErrorCode::Unavailable, "The database cannot be reached; try again shortly.")
                    .retry_after(1)
            }
            DbError::OutcomeUnknown(_) => {
                tracing::error!(error = %self, "the outcome of a change is unknown");
                Problem::outcome_unknown()
            }
            DbError::Timeout(_) => {
                tracing::warn!(error = %self, "database timeout");
                Problem::new(ErrorCode::Timeout, "The database took too long; try again shortly.").retry_after(1)
            }
            DbError::Query(_) | DbError::Fenced(_) | DbError::Migration(_) | DbError::Backup(_) | DbError::Move(_) => {
                tracing::error!(error = %self, "database query failed");
                Problem::new(ErrorCode::Internal, "The error has been logged with this request's id.")
            }
        }
    }

    /// Was the statement refused by a UNIQUE or PRIMARY KEY constraint?
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, DbError::Query(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
    }

    /// Was the statement refused by a FOREIGN KEY constraint?
    pub fn is_foreign_key_violation(&self) -> bool {
        matches!(self, DbError::Query(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)))
    }

    /// Was the statement refused by a CHECK constraint?
    pub fn is_check_violation(&self) -> bool {
        matches!(self, DbError::Query(DieselError::DatabaseError(DatabaseErrorKind::CheckViolation, _)))
    }

    /// May the same transaction be run again at once? Yes where nothing of it remains (a deadlock, a serialization failure, a
    /// connection that broke before COMMIT; once more where the server takes no writes, as another may have its place); `keyed`:
    /// also where nobody knows, as it finds out by its key.
    fn may_be_run_again(&self, keyed: bool, attempt: u32) -> bool {
        match self {
            DbError::Lost(_) => true,
            DbError::ReadOnly(_) => attempt == 1,
            DbError::OutcomeUnknown(_) => keyed,
            DbError::Query(DieselError::DatabaseError(kind, info)) => {
                matches!(kind, DatabaseErrorKind::SerializationFailure) || info.message().contains("deadlock detected")
            }
            _ => false,
        }
    }

    /// Says it what became of the work? An error that passes does not: it is the database that could not.
    pub fn is_passing(&self) -> bool {
        matches!(self, DbError::Busy | DbError::Timeout(_)) || self.is_of_connection()
    }

    /// Was it the connection that failed, and not the statement?
    fn is_of_connection(&self) -> bool {
        matches!(self, DbError::Unavailable(_) | DbError::Lost(_) | DbError::ReadOnly(_) | DbError::OutcomeUnknown(_))
    }
}

/// The database of one module. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    /// The module's name; on PostgreSQL also its schema.
    name: &'static str,
    readers: Arc<Lane>,
    writers: Arc<Lane>,
    begin: Arc<Begin>,
    /// `None`: no other process works on it.
    leases: Option<Arc<Leases>>,
}

impl Database {
    /// Prepares the pools; connects when first used, except that an SQLite file is made if it is not there.
    pub fn open(name: &'static str, config: &DatabaseConfig) -> Result<Self, DbError> {
        let manager = |read_only| Manager::new(name, config, read_only);
        let limits = Limits::of(config);
        let (readers, writers) = match &config.url {
            DatabaseUrl::Sqlite(path) => {
                make_private(path).map_err(|error| {
                    DbError::Unavailable(format!("cannot make the SQLite file {}: {error}", path.display()))
                })?;
                // SQLite lets one connection write at a time: writers wait their turn here, in order, instead of polling a lock.
                // So this wait is the wait for the lock.
                let lock_timeout = Duration::from_millis(config.lock_timeout_ms.into());
                // And who has come that far is not sent away: one commit may take as long as the disk.
                let alone = Limits { turns: 1, wait: lock_timeout, overload_wait: lock_timeout, ..limits };
                (Lane::new(name, "read", manager(true), limits), Lane::new(name, "write", manager(false), alone))
            }
            DatabaseUrl::Postgres(_) => {
                let lane = Lane::new(name, "primary", manager(false), limits);
                (lane.clone(), lane)
            }
        };
        let is_shared = matches!(config.url, DatabaseUrl::Postgres(_));
        let leases = is_shared.then(|| Arc::new(Leases::new()));
        Ok(Database { name, readers, writers, begin: Arc::new(Begin::new(name, config)), leases })
    }

    /// Runs queries whose answer may be stale, where there are replicas.
    pub async fn read<T, E, F>(&self, query: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        self.look(query).await
    }

    /// Runs queries that must see every finished write.
    pub async fn read_primary<T, E, F>(&self, query: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        self.look(query).await
    }

    /// The same, where all queries together see one moment, however long they take.
    pub async fn read_snapshot<T, E, F>(&self, query: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let begin = self.begin.clone();
        self.readers.run(move |conn| in_look(conn, &begin.snapshot, query)).await
    }

    async fn look<T, E, F>(&self, query: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let begin = self.begin.clone();
        let run = move |conn: &mut Connection| match (&conn, &begin.read) {
            (Connection::Postgres(_), Some(begin)) => in_look(conn, begin, query),
            _ => query(conn),
        };
        self.readers.run(run).await
    }

    /// Runs one transaction: committed when `work` gives `Ok`, undone when it gives `Err`. `work` is run again, up to three times
    /// in all, when nothing of it remains: after a deadlock, or where the connection broke before COMMIT. So it must do nothing but
    /// database work. Where the connection broke at COMMIT, it is [`DbError::OutcomeUnknown`].
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: Fn(&mut Connection) -> Result<T, E> + Send + Sync + 'static,
    {
        self.transaction(false, work).await
    }

    /// The same for `work` whose first act is to take an idempotency key, if `keyed`: where nobody knows whether it was committed,
    /// it is run again, and finds its key or does its work.
    pub async fn write_keyed<T, E, F>(&self, keyed: bool, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: Fn(&mut Connection) -> Result<T, E> + Send + Sync + 'static,
    {
        self.transaction(keyed, work).await
    }

    async fn transaction<T, E, F>(&self, keyed: bool, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: Fn(&mut Connection) -> Result<T, E> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        // What nobody knows stays so, whatever keeps a later attempt from finding out.
        let mut unknown = None;
        let mut attempt = 1;
        loop {
            let (begin, this) = (self.begin.clone(), work.clone());
            let result = self.writers.run(move |conn| transaction(conn, &begin.write, &*this)).await;
            let cause = result.as_ref().err().and_then(Failure::db);
            let again = attempt < ATTEMPTS && cause.is_some_and(|cause| cause.may_be_run_again(keyed, attempt));
            let is_passing = cause.is_some_and(DbError::is_passing);
            let is_unknown = matches!(cause, Some(DbError::OutcomeUnknown(_)));
            if !again {
                return match unknown {
                    Some(unknown) if is_passing => Err(unknown),
                    _ => result,
                };
            }
            if is_unknown {
                unknown = result.err();
            }
            metrics::counter!("emporium_db_transaction_retries_total").increment(1);
            tokio::time::sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    /// Copies an SQLite database into a new file while it is in use; gives the copy's size in bytes.
    pub async fn backup(&self, file: std::path::PathBuf) -> Result<u64, DbError> {
        self.writers.run(move |conn| backup::backup(conn, &file)).await
    }

    /// What the server says of itself now, and the newest of `migrations` that is applied there.
    pub async fn server(&self, migrations: &'static Migrations) -> Result<ServerState, DbError> {
        self.look(move |conn| state::server(conn, migrations)).await
    }

    /// So many connections the server gives to all processes together; `None`: it sets no limit.
    pub async fn connections_max(&self) -> Result<Option<i64>, DbError> {
        self.look(state::connections_max).await
    }

    /// Would a new call of this priority that reads be turned away now? Asked before anything is done for it.
    pub fn sheds(&self, priority: Priority) -> bool {
        self.readers.sheds(priority)
    }

    /// Tells the metrics how the pools stand.
    pub fn report(&self) {
        self.lanes().for_each(Lane::report);
    }

    /// How the pools stand.
    pub fn state(&self) -> Vec<LaneState> {
        self.lanes().map(Lane::state).collect()
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        let writers = (!Arc::ptr_eq(&self.readers, &self.writers)).then_some(&*self.writers);
        std::iter::once(&*self.readers).chain(writers)
    }
}

/// Makes an SQLite file, and its folder, where they are not there: for the owner's eyes only, since they hold what is known of
/// people. SQLite gives the files beside it the same permissions.
fn make_private(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A module's error enum, as this file sees it: it can hold a [`DbError`] and show it.
pub trait Failure: From<DbError> + From<DieselError> + Send + 'static {
    fn db(&self) -> Option<&DbError>;
}

impl Failure for DbError {
    fn db(&self) -> Option<&DbError> {
        Some(self)
    }
}

const ATTEMPTS: u32 = 3;
/// The longest pause before the second attempt; each further one doubles.
const PAUSE_MS: u64 = 20;

/// How long to wait after the attempt of this number: anything up to a bound, so that those who met do not meet again
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, "full jitter").
fn pause(attempt: u32) -> Duration {
    Duration::from_micros(rand::random_range(0..=(PAUSE_MS * 1_000) << (attempt - 1)))
}

fn transaction<T, E: Failure>(
    conn: &mut Connection,
    begin: &str,
    work: &dyn Fn(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    match conn {
        // IMMEDIATE takes the write lock at once: taken later, it fails when another process wrote in between.
        Connection::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")?,
        Connection::Postgres(conn) => AnsiTransactionManager::begin_transaction_sql(conn, begin)?,
    }
    match work(conn) {
        Ok(value) => match Manages::commit_transaction(conn).map_err(DbError::from) {
            Ok(()) => Ok(value),
            // It was sent, and perhaps done.
            Err(DbError::Lost(cause)) => Err(DbError::OutcomeUnknown(cause).into()),
            Err(error) => Err(error.into()),
        },
        Err(error) => {
            // The work's own error says more than that of a failed rollback, which marks the connection as broken.
            let _ = Manages::rollback_transaction(conn);
            Err(error)
        }
    }
}

/// Runs in a transaction what changes nothing.
fn in_look<T, E: Failure>(
    conn: &mut Connection,
    begin: &str,
    query: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    match conn {
        Connection::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN")?,
        Connection::Postgres(conn) => AnsiTransactionManager::begin_transaction_sql(conn, begin)?,
    }
    let result = query(conn);
    // Where it fails, the connection is marked as broken, and what was read is right all the same.
    let _ = Manages::rollback_transaction(conn);
    result
}

type Manages = <Connection as diesel::Connection>::TransactionManager;
