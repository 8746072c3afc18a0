//! How connections are made and shared: the r2d2 manager, and a lane: a pool with a bounded line of callers in front.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::r2d2::R2D2Connection;
use diesel::sql_types::{BigInt, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use metrics::Histogram;
use tracing::Span;
use url::form_urlencoded::byte_serialize;

use super::line::{Limits, Line, Turn};
use super::{Connection, DbError, Failure, Priority};
use crate::config::{DatabaseConfig, DatabaseUrl};

/// Opens connections for r2d2: by the address's explicit scheme, with the settings that everything else relies on.
pub(super) struct Manager {
    name: &'static str,
    config: DatabaseConfig,
    read_only: bool,
    fault: Fault,
    era: Arc<AtomicU64>,
}

/// Why the last try to connect failed; empty when it did not. The pool tells each fault to one of those who wait, the lane to all.
type Fault = Arc<Mutex<String>>;

/// A connection in the pool, and whether it was seen to break.
pub(super) struct Pooled {
    connection: Connection,
    /// Of the connections that were made before one of them broke none is used any more: all go to a server that is gone.
    era: u64,
    used: Instant,
    broken: bool,
}

impl Manager {
    pub(super) fn new(name: &'static str, config: &DatabaseConfig, read_only: bool) -> Self {
        Manager { name, config: config.clone(), read_only, fault: Fault::default(), era: Arc::default() }
    }

    fn sqlite(&self, path: &std::path::Path) -> Result<Connection, DbError> {
        let mut conn = SqliteConnection::establish(&path.to_string_lossy())
            .map_err(|error| DbError::Unavailable(format!("SQLite file {}: {error}", path.display())))?;
        refuse_moved(&mut conn, path)?;
        // Readers have the system's cache behind them; the writer's own holds what a large transaction changes.
        let cache_kib = if self.read_only { 8_000 } else { 32_000 };
        // WAL lets readers go on while one writes; FULL makes every commit outlive a power cut. Of an import's pages most change
        // several times between two checkpoints of 64 MB, and are copied once.
        conn.batch_execute(&format!(
            "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache_kib}; PRAGMA wal_autocheckpoint = 16000;
             PRAGMA query_only = {};",
            self.config.lock_timeout_ms, self.read_only
        ))?;
        Ok(Connection::Sqlite(conn))
    }

    fn postgres(&self, url: &str) -> Result<Connection, DbError> {
        let url = self.postgres_url(url)?;
        let mut conn =
            PgConnection::establish(&url).map_err(|error| DbError::Unavailable(error.to_string().trim().to_owned()))?;
        conn.batch_execute(&format!(
            "SET search_path TO {}; SET statement_timeout = {}; SET lock_timeout = {};
             SET idle_in_transaction_session_timeout = {}; SET timezone = 'UTC';
             SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning;",
            self.name, self.config.statement_timeout_ms, self.config.lock_timeout_ms, self.config.statement_timeout_ms
        ))?;
        speak_english(&mut conn)?;
        Ok(Connection::Postgres(conn))
    }

    /// The address with what the other settings add, as libpq's URI parameters.
    fn postgres_url(&self, url: &str) -> Result<String, DbError> {
        let mut full = url.to_owned();
        let mut add = |key: &str, value: &str| {
            let joint = if full.contains('?') { '&' } else { '?' };
            // A form writes a blank as '+', a libpq URI as "%20".
            let value = byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20");
            // Writing to a String cannot fail.
            let _ = write!(full, "{joint}{key}={value}");
        };
        add("application_name", "emporium");
        add("connect_timeout", &self.config.connect_timeout_seconds.to_string());
        // A server that vanishes without a word is noticed: soon after it should have given up the longest statement by itself.
        let patience_ms = self.config.statement_timeout_ms.saturating_add(5_000);
        add("tcp_user_timeout", &patience_ms.to_string());
        for (key, value) in [("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3")] {
            add(key, value);
        }
        add("sslmode", self.config.tls.as_str());
        if let Some(path) = &self.config.tls_root_cert {
            add("sslrootcert", path);
        }
        if let Some(password) = self.config.password() {
            add("password", password);
        }
        Ok(full)
    }
}

/// A file whose rows were moved to another database is opened no more: a shop that began with it by mistake would sell twice.
fn refuse_moved(conn: &mut SqliteConnection, path: &std::path::Path) -> Result<(), DbError> {
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = BigInt)]
        user_version: i64,
    }
    let version = diesel::sql_query("SELECT user_version FROM pragma_user_version").get_result::<Version>(conn)?;
    match version.user_version {
        super::moving::MOVED => Err(DbError::Unavailable(format!(
            "what was in {} was moved to another database: start with that one's configuration. To open the file nevertheless, \
             with what was in it then: sqlite3 FILE 'PRAGMA user_version = 0'",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// Some errors of PostgreSQL are told apart by their English words.
fn speak_english(conn: &mut PgConnection) -> Result<(), DbError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        lc_messages: String,
    }
    let Found { lc_messages } = diesel::sql_query("SHOW lc_messages").get_result(conn)?;
    if is_english(&lc_messages) {
        return Ok(());
    }
    conn.batch_execute("SET lc_messages = 'C'").map_err(|error| {
        DbError::Unavailable(format!(
            "the server speaks {lc_messages} and not English, and refuses to change that ({error}): \
             as its administrator, run ALTER ROLE ... SET lc_messages = 'C' for the role of this connection"
        ))
    })
}

/// Are messages in this locale English? Empty: the server's own, which is C where it names none.
fn is_english(locale: &str) -> bool {
    let language = locale.split(['.', '@', '-', '_', ' ']).next().unwrap_or_default();
    matches!(language, "" | "C" | "POSIX" | "en" | "English")
}

/// Why there is no connection: the cause alone, which goes into a [`DbError`] again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreachable(String);

impl From<DbError> for Unreachable {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(cause) | DbError::Lost(cause) => Unreachable(cause),
            other => Unreachable(other.to_string()),
        }
    }
}

impl r2d2::ManageConnection for Manager {
    type Connection = Pooled;
    type Error = Unreachable;

    fn connect(&self) -> Result<Pooled, Unreachable> {
        let era = self.era.load(Ordering::Relaxed);
        let connection = match &self.config.url {
            DatabaseUrl::Sqlite(path) => self.sqlite(path),
            DatabaseUrl::Postgres(url) => self.postgres(url),
        }
        .map_err(Unreachable::from);
        let fault = connection.as_ref().err().map(Unreachable::to_string);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault.unwrap_or_default();
        Ok(Pooled { connection: connection?, era, used: Instant::now(), broken: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Unreachable> {
        Ok(pooled.connection.ping().map_err(DbError::from)?)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.used = Instant::now();
        pooled.broken || std::thread::panicking() || pooled.connection.is_broken()
    }
}

/// An era lasts as long at least.
const ERA_MIN: Duration = Duration::from_secs(1);
/// A connection that lay idle as long is asked whether it is still there: after a pause of the server the first call finds a new one.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);

/// OpenTelemetry's name for the pool, as for the metrics themselves.
const POOL: &str = "db_client_connection_pool_name";

/// A pool and the line before it: so many callers run, so many wait for at most the pool's wait, the rest is told to come back.
pub(super) struct Lane {
    name: &'static str,
    /// Under which it stands in the metrics, as `inventory.primary`.
    pool_name: String,
    wait_seconds: Histogram,
    use_seconds: Histogram,
    pool: r2d2::Pool<Manager>,
    fault: Fault,
    era: Arc<AtomicU64>,
    /// When this era began; `None`: with the first connection.
    begun: Mutex<Option<Instant>>,
    line: Arc<Line>,
    wait: Duration,
}

/// How a lane stands at this moment.
#[derive(Clone, Copy, Debug)]
pub struct LaneState {
    pub lane: &'static str,
    /// At most so many connections.
    pub size: u32,
    pub idle: u32,
    pub used: u32,
    /// Callers who wait for a connection.
    pub waiting: u32,
}

impl Lane {
    pub(super) fn new(module: &'static str, lane: &'static str, manager: Manager, limits: Limits) -> Arc<Self> {
        let wait = limits.wait;
        let (fault, era) = (manager.fault.clone(), manager.era.clone());
        let pool = r2d2::Pool::builder()
            .max_size(limits.turns)
            .min_idle(Some(0))
            .connection_timeout(wait)
            // Asking each one before each use costs a third of all reads: [`Lane::connection`] asks those that lay idle.
            .test_on_check_out(false)
            .error_handler(Box::new(LogErrors(module)))
            .build_unchecked(manager);
        let pool_name = format!("{module}.{lane}");
        let histogram = |name| metrics::histogram!(name, POOL => pool_name.clone());
        Arc::new(Lane {
            name: lane,
            wait_seconds: histogram("db_client_connection_wait_time_seconds"),
            use_seconds: histogram("db_client_connection_use_time_seconds"),
            pool_name,
            pool,
            fault,
            era,
            begun: Mutex::default(),
            line: Line::new(limits),
            wait,
        })
    }

    /// Runs `work` with a connection on a thread where it may block.
    pub(super) async fn run<T, E, F>(self: &Arc<Self>, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    {
        let turn = self.admit().await?;
        let lane = self.clone();
        let span = Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            span.in_scope(|| lane.with_connection(work))
        });
        match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(DbError::Busy.into()),
            },
        }
    }

    pub(super) fn sheds(&self, priority: Priority) -> bool {
        self.line.sheds(priority)
    }

    async fn admit(&self) -> Result<Turn, DbError> {
        let start = Instant::now();
        let rank = self.line.rank();
        let turn = self.line.turn(rank).await;
        self.wait_seconds.record(start.elapsed().as_secs_f64());
        if turn.is_err() {
            let (pool, priority) = (self.pool_name.clone(), rank.priority.as_str());
            metrics::counter!("emporium_db_pool_refused_total", POOL => pool, "priority" => priority).increment(1);
        }
        turn
    }

    pub(super) fn with_connection<T, E: Failure>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut pooled = self.connection()?;
        let start = Instant::now();
        let result = work(&mut pooled.connection);
        self.use_seconds.record(start.elapsed().as_secs_f64());
        if let Err(error) = &result
            && error.db().is_some_and(DbError::is_of_connection)
        {
            pooled.broken = true;
            self.begin_era(pooled.era);
        }
        result
    }

    /// Gives up all connections of an era that are left: one era, however many of its connections break; and not again at once, so that
    /// a server to which one can connect, and no more, is not connected to without end.
    fn begin_era(&self, old: u64) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if old == self.era.load(Ordering::Relaxed) && begun.is_none_or(|begun| begun.elapsed() >= ERA_MIN) {
            self.era.store(old + 1, Ordering::Relaxed);
            *begun = Some(Instant::now());
        }
    }

    /// A connection of this era.
    fn connection(&self) -> Result<r2d2::PooledConnection<Manager>, DbError> {
        let mut end = Instant::now() + self.wait;
        loop {
            // There is a turn for each connection, so a wait here means that none can be made.
            let left = end.saturating_duration_since(Instant::now());
            let mut pooled = self.pool.get_timeout(left).map_err(|_timeout| self.unreachable())?;
            let is_of_today = pooled.era == self.era.load(Ordering::Relaxed);
            if is_of_today && (pooled.used.elapsed() < IDLE_TRUSTED || pooled.connection.ping().is_ok()) {
                return Ok(pooled);
            }
            pooled.broken = true;
            if is_of_today {
                self.begin_era(pooled.era);
                // However long it took to find out: a new one has its own time.
                end = Instant::now() + self.wait;
            }
        }
    }

    fn unreachable(&self) -> DbError {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waited = format!("no connection within {} ms", self.wait.as_millis());
        let cause = if fault.is_empty() { waited } else { format!("{waited}: {fault}") };
        DbError::Unavailable(cause)
    }

    pub(super) fn state(&self) -> LaneState {
        let state = self.pool.state();
        LaneState {
            lane: self.name,
            size: self.pool.max_size(),
            idle: state.idle_connections,
            used: state.connections.saturating_sub(state.idle_connections),
            waiting: u32::try_from(self.line.waiting()).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn report(&self) {
        let state = self.state();
        let pool = || self.pool_name.clone();
        for (name, count) in [("idle", state.idle), ("used", state.used)] {
            let gauge = metrics::gauge!("db_client_connections", POOL => pool(), "db_client_connection_state" => name);
            gauge.set(f64::from(count));
        }
        metrics::gauge!("db_client_connection_max", POOL => pool()).set(f64::from(state.size));
        metrics::gauge!("db_client_connection_pending_requests", POOL => pool()).set(f64::from(state.waiting));
    }
}

#[derive(Debug)]
struct LogErrors(&'static str);

impl r2d2::HandleError<Unreachable> for LogErrors {
    fn handle_error(&self, error: Unreachable) {
        tracing::warn!(module = self.0, %error, "cannot connect to the database");
    }
}

#[cfg(test)]
mod tests {
    use super::is_english;

    #[test]
    fn locales_that_speak_english_are_known() {
        for locale in ["", "C", "C.UTF-8", "POSIX", "en_US.utf8", "en-GB", "en", "English_United States.1252"] {
            assert!(is_english(locale), "{locale}");
        }
        for locale in ["de_DE.UTF-8", "fr_FR", "ca_ES.utf8", "German_Germany.1252"] {
            assert!(!is_english(locale), "{locale}");
        }
    }
}
