//! How a connection is made: by the address's explicit scheme, with the settings that everything else relies on, and where an
//! address names several servers, to the one that takes writes now.
//!
//! Of several servers all are asked before one is believed, at the start and whenever a connection broke: a server that was the
//! primary, and comes back as if nothing had happened while another one has its place, takes writes that nobody will ever see. Each
//! promotion of PostgreSQL begins a new timeline; so of those that take writes, the one with the highest number is right.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::{CacheSize, SimpleConnection};
use diesel::r2d2::R2D2Connection;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Connection, DbError, moving};
use crate::config::{DatabaseConfig, DatabaseUrl, Pooler};

/// Opens connections for r2d2.
pub(super) struct Manager {
    name: &'static str,
    config: DatabaseConfig,
    read_only: bool,
    /// The servers that the address names, as host and port, and how each is reached.
    servers: Vec<(String, String)>,
    known: Mutex<Known>,
    pub(super) fault: Fault,
    pub(super) era: Arc<AtomicU64>,
}

/// Why the last try to connect failed; empty when it did not. The pool tells each fault to one of those who wait, the lane to all.
pub(super) type Fault = Arc<Mutex<String>>;

/// A connection in the pool, and whether it was seen to break.
pub(super) struct Pooled {
    pub(super) connection: Connection,
    /// Of the connections that were made before one of them broke none is used any more: all go to a server that is gone.
    pub(super) era: u64,
    pub(super) used: Instant,
    pub(super) broken: bool,
}

/// What is known of several servers.
#[derive(Default)]
struct Known {
    /// Which of them takes writes, since when it runs, and the era in which all were asked.
    primary: Option<(usize, String, u64)>,
    /// They belong together: copies of one. Empty: nothing is known.
    system: String,
    /// The highest that was seen.
    timeline: i64,
}

/// What a server says of itself.
#[derive(QueryableByName)]
struct About {
    #[diesel(sql_type = Text)]
    system: String,
    #[diesel(sql_type = Text)]
    started: String,
    #[diesel(sql_type = Bool)]
    is_standby: bool,
    /// Of a standby that of its last checkpoint.
    #[diesel(sql_type = BigInt)]
    timeline: i64,
}

const ABOUT: &str = "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,
    pg_postmaster_start_time()::text AS started,
    pg_is_in_recovery() AS is_standby,
    CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id::bigint FROM pg_control_checkpoint())
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END AS timeline";

type Answer = (usize, Result<(PgConnection, About), DbError>);

/// When a server has been promoted, the others have so long to say that another one was after it.
const ANSWER: Duration = Duration::from_secs(1);

impl Manager {
    pub(super) fn new(name: &'static str, config: &DatabaseConfig, read_only: bool) -> Self {
        Manager {
            name,
            config: config.clone(),
            read_only,
            servers: config.url.servers(),
            known: Mutex::default(),
            fault: Fault::default(),
            era: Arc::default(),
        }
    }

    /// How long it may take until the first connection is there, or none.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.config.connect_timeout_seconds) + 1)
    }

    fn sqlite(&self, path: &std::path::Path) -> Result<Connection, DbError> {
        let mut conn = SqliteConnection::establish(&path.to_string_lossy())
            .map_err(|error| DbError::Unavailable(format!("SQLite file {}: {error}", path.display())))?;
        conn.batch_execute(&format!("PRAGMA busy_timeout = {}", self.config.lock_timeout_ms))?;
        refuse_moved(&mut conn, path)?;
        // Readers have the system's cache behind them; the writer's own holds what a large transaction changes.
        let cache_kib = if self.read_only { 8_000 } else { 32_000 };
        // WAL lets readers go on while one writes; FULL makes every commit outlive a power cut. Of an import's pages most change
        // several times between two checkpoints of 64 MB, and are copied once.
        conn.batch_execute(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{cache_kib}; PRAGMA wal_autocheckpoint = 16000;
             PRAGMA query_only = {};",
            self.read_only
        ))?;
        Ok(Connection::Sqlite(conn))
    }

    /// A connection, and the era that it belongs to.
    fn postgres(&self) -> Result<(Connection, u64), DbError> {
        let era = self.era.load(Ordering::Relaxed);
        let (mut conn, era) = match &self.servers[..] {
            [(_, url)] => (establish(&postgres_url(url, &self.config))?, era),
            _ => self.primary(era)?,
        };
        match self.config.pooler {
            Pooler::None => {
                conn.batch_execute(&settings(self.name, &self.config, "SET"))?;
                speak_english(&mut conn, true)?;
            }
            Pooler::Transaction => {
                // A statement that one server process has prepared, another one does not know.
                conn.set_prepared_statement_cache_size(CacheSize::Disabled);
                speak_english(&mut conn, false)?;
            }
        }
        moving::refuse_moved(&mut conn, self.name)?;
        Ok((Connection::Postgres(conn), era))
    }

    /// A connection to the one of several servers that takes writes. Whoever comes meanwhile waits, and finds it known.
    fn primary(&self, era: u64) -> Result<(PgConnection, u64), DbError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((host, started, found_in)) = known.primary.take()
            && found_in == era
            && let Ok((conn, about)) = ask(&self.url(host))
            && !about.is_standby
            // One that was started again may have lost its place meanwhile.
            && (&about.system, about.timeline, &about.started) == (&known.system, known.timeline, &started)
        {
            known.primary = Some((host, started, era));
            return Ok((conn, era));
        }
        let before = known.timeline;
        let (host, conn, started) = known.choose(self.ask_all(), &self.servers, self.patience())?;
        // What is connected with a server of an older timeline must not write there any more.
        let is_new = before > 0 && known.timeline > before;
        let era = if is_new { self.era.fetch_add(1, Ordering::Relaxed) + 1 } else { era };
        known.primary = Some((host, started, era));
        Ok((conn, era))
    }

    fn url(&self, host: usize) -> String {
        // Which of them it is, is found out here.
        postgres_url(&self.servers[host].1, &self.config) + "&target_session_attrs=any"
    }

    /// Asks all servers at once; one that hangs does not hold up the others.
    fn ask_all(&self) -> Receiver<Answer> {
        let (sender, answers) = mpsc::channel();
        for host in 0..self.servers.len() {
            let (sender, url) = (sender.clone(), self.url(host));
            let asking = move || drop(sender.send((host, ask(&url))));
            // Where there is no thread, there is no answer.
            drop(std::thread::Builder::new().spawn(asking));
        }
        answers
    }
}

impl Known {
    /// Takes the newest of those that take writes.
    fn choose(
        &mut self,
        answers: Receiver<Answer>,
        servers: &[(String, String)],
        patience: Duration,
    ) -> Result<(usize, PgConnection, String), DbError> {
        let (start, before) = (Instant::now(), self.timeline);
        let (mut faults, mut primaries) = (vec![], vec![]);
        let mut silent: Vec<&str> = servers.iter().map(|(name, _)| &**name).collect();
        loop {
            // One that takes writes as ever may be an old primary; one on a new timeline is none.
            let is_promoted = |(_, _, about): &(usize, PgConnection, About)| before > 0 && about.timeline > before;
            let patience = if primaries.iter().any(is_promoted) { ANSWER } else { patience };
            // All have answered, or have had their time.
            let Ok((host, answer)) = answers.recv_timeout(patience.saturating_sub(start.elapsed())) else { break };
            let name = &servers[host].0;
            silent.retain(|other| other != name);
            match answer {
                Err(error) => faults.push(error.to_string()),
                Ok((_, about)) if !self.is_of_us(&about) => faults.push(format!(
                    "{name} is no copy of the same PostgreSQL: take it out of database.url, or start the shop anew if all is new"
                )),
                Ok((conn, about)) => {
                    self.timeline = self.timeline.max(about.timeline);
                    match about.is_standby {
                        true => faults.push(format!("{name} is a standby")),
                        false => primaries.push((host, conn, about)),
                    }
                }
            }
        }
        for name in silent {
            tracing::warn!("{name} does not answer, and is waited for each time that the primary is looked for");
            faults.push(format!("{name} does not answer"));
        }
        primaries.sort_by_key(|(host, _, about)| (-about.timeline, *host));
        let mut chosen = None;
        for (host, conn, About { timeline, started, .. }) in primaries {
            if timeline == self.timeline && chosen.is_none() {
                chosen = Some((host, conn, started));
                continue;
            }
            let fault = format!(
                "{} takes writes on timeline {timeline}, but timeline {} has begun elsewhere: it is an old primary, and nothing is \
                 written there; make it a standby of the new one (pg_rewind, pg_basebackup), or take it out of database.url",
                servers[host].0, self.timeline
            );
            tracing::error!("{fault}");
            faults.push(fault);
        }
        chosen.ok_or_else(|| DbError::Unavailable(faults.join("; ")))
    }

    fn is_of_us(&mut self, about: &About) -> bool {
        if self.system.is_empty() {
            self.system.clone_from(&about.system);
        }
        self.system == about.system
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
        moving::MOVED_FILE => Err(DbError::Unavailable(format!(
            "what was in {} was moved to another database: start with that one's configuration, or, to move back, name a file that \
             is not there yet. To open this one nevertheless, with what was in it then: sqlite3 FILE 'PRAGMA user_version = 0'",
            path.display()
        ))),
        _ => Ok(()),
    }
}

fn ask(url: &str) -> Result<(PgConnection, About), DbError> {
    let mut conn = establish(url)?;
    let about = diesel::sql_query(ABOUT).get_result(&mut conn)?;
    Ok((conn, about))
}

fn establish(url: &str) -> Result<PgConnection, DbError> {
    PgConnection::establish(url).map_err(|error| {
        let mut cause = error.to_string().trim().to_owned();
        if cause.contains("no pg_hba.conf entry") && cause.contains("no encryption") {
            cause.push_str(" (it may want TLS: see database.tls)");
        }
        DbError::Unavailable(cause)
    })
}

/// The address with what the other settings add, as libpq's URI parameters.
fn postgres_url(url: &str, config: &DatabaseConfig) -> String {
    let mut full = url.to_owned();
    let mut add = |key: &str, value: &str| {
        let joint = if full.contains('?') { '&' } else { '?' };
        // Writing to a String cannot fail.
        let _ = write!(full, "{joint}{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    };
    add("application_name", "emporium");
    add("connect_timeout", &config.connect_timeout_seconds.to_string());
    // A server that vanishes without a word is noticed: soon after it should have given up the longest statement by itself.
    let patience_ms = config.statement_timeout_ms.saturating_add(5_000);
    add("tcp_user_timeout", &patience_ms.to_string());
    for (key, value) in [("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3")] {
        add(key, value);
    }
    add("sslmode", config.tls.as_str());
    if let Some(path) = &config.tls_root_cert {
        add("sslrootcert", path);
    }
    if let Some(password) = config.password() {
        add("password", password);
    }
    full
}

/// What every statement relies on: `SET` for a connection, or `SET LOCAL` for a transaction.
fn settings(name: &str, config: &DatabaseConfig, set: &str) -> String {
    let statement = config.statement_timeout_ms;
    let all = [
        format!("search_path TO {name}"),
        format!("statement_timeout = {statement}"),
        format!("lock_timeout = {}", config.lock_timeout_ms),
        format!("idle_in_transaction_session_timeout = {statement}"),
        "timezone = 'UTC'".into(),
        "default_transaction_isolation = 'read committed'".into(),
        "client_min_messages = warning".into(),
    ];
    all.map(|setting| format!("{set} {setting};")).join(" ")
}

/// What begins a transaction on PostgreSQL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) write: String,
    /// `None`: what only reads needs no transaction.
    pub(super) read: Option<String>,
    /// What sees one moment from its beginning to its end.
    pub(super) snapshot: String,
}

impl Begin {
    /// Is there a pooler before the server, so that statements of one connection may meet several of its processes?
    pub(super) fn has_pooler(&self) -> bool {
        self.read.is_some()
    }

    pub(super) fn new(name: &'static str, config: &DatabaseConfig) -> Begin {
        let snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;";
        match config.pooler {
            Pooler::None => Begin { write: "BEGIN".into(), read: None, snapshot: snapshot.into() },
            Pooler::Transaction => {
                // In one message: what is set lasts as long as the transaction does, and is nobody else's.
                let settings = settings(name, config, "SET LOCAL");
                let begin = |mode| format!("BEGIN ISOLATION LEVEL READ COMMITTED, {mode}; {settings}");
                let (write, read) = (begin("READ WRITE"), begin("READ ONLY"));
                Begin { write, read: Some(read), snapshot: format!("{snapshot} {settings}") }
            }
        }
    }
}

/// Some errors of PostgreSQL are told apart by their English words.
fn speak_english(conn: &mut PgConnection, may_set: bool) -> Result<(), DbError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        lc_messages: String,
    }
    let Found { lc_messages } = diesel::sql_query("SHOW lc_messages").get_result(conn)?;
    if is_english(&lc_messages) {
        return Ok(());
    }
    let refused = match may_set {
        true => match conn.batch_execute("SET lc_messages = 'C'") {
            Ok(()) => return Ok(()),
            Err(error) => format!("refuses to change that ({error})"),
        },
        false => "what a pooler hands out must not be changed".to_owned(),
    };
    Err(DbError::Unavailable(format!(
        "the server speaks {lc_messages} and not English, and {refused}: \
         as its administrator, run ALTER ROLE ... SET lc_messages = 'C' for the role of this connection"
    )))
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
        let made = match &self.config.url {
            DatabaseUrl::Sqlite(path) => self.sqlite(path).map(|connection| (connection, 0)),
            DatabaseUrl::Postgres(_) => self.postgres(),
        }
        .map_err(Unreachable::from);
        let fault = made.as_ref().err().map(Unreachable::to_string);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault.unwrap_or_default();
        let (connection, era) = made?;
        Ok(Pooled { connection, era, used: Instant::now(), broken: false })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Unreachable> {
        Ok(pooled.connection.ping().map_err(DbError::from)?)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.used = Instant::now();
        pooled.broken || std::thread::panicking() || pooled.connection.is_broken()
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
