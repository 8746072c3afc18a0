//! How connections are shared: a lane is a pool with a bounded line of callers in front.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::r2d2::R2D2Connection;
use metrics::Histogram;
use tracing::Span;

use super::connect::{Fault, Manager, Unreachable};
use super::line::{Limits, Line, Turn};
use super::{Connection, DbError, Failure, Priority};

/// An era lasts as long at least.
const ERA_MIN: Duration = Duration::from_secs(1);
/// A connection that lay idle as long is asked whether it is still there: after a pause of the server the first call finds a new one.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);
/// While a connection is wanted and none can be made, one try follows another within half of this.
const RETRY: Duration = Duration::from_millis(500);

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
    /// Until the first connection was there, a caller waits for as long as connecting may take: the start must not fail for its slowness.
    first_wait: Duration,
    is_first: AtomicBool,
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
        let (fault, era, first_wait) = (manager.fault.clone(), manager.era.clone(), wait.max(manager.patience()));
        let pool = r2d2::Pool::builder()
            .max_size(limits.turns)
            .min_idle(Some(0))
            // Each call brings its own wait: this is only for how soon a try follows another.
            .connection_timeout(wait.min(RETRY))
            // Asking each one before each use costs a third of all reads: [`Lane::connection`] asks those that lay idle.
            .test_on_check_out(false)
            .error_handler(Box::new(LogErrors { module, told: Mutex::default() }))
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
            first_wait,
            is_first: AtomicBool::new(true),
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
    pub(super) fn connection(&self) -> Result<r2d2::PooledConnection<Manager>, DbError> {
        let wait = if self.is_first.load(Ordering::Relaxed) { self.first_wait } else { self.wait };
        let mut end = Instant::now() + wait;
        loop {
            // There is a turn for each connection, so a wait here means that none can be made.
            let left = end.saturating_duration_since(Instant::now());
            let mut pooled = self.pool.get_timeout(left).map_err(|_timeout| self.unreachable(wait))?;
            self.is_first.store(false, Ordering::Relaxed);
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

    fn unreachable(&self, wait: Duration) -> DbError {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waited = wait.as_millis();
        DbError::Unavailable(match fault.is_empty() {
            true => format!("no connection within {waited} ms"),
            false => format!("{fault} (tried for {waited} ms)"),
        })
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

/// While a server is away a try follows another, some hundred a second: so often is told why, and another reason once a second.
const TOLD: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct LogErrors {
    module: &'static str,
    told: Mutex<Option<(Instant, String)>>,
}

impl r2d2::HandleError<Unreachable> for LogErrors {
    fn handle_error(&self, error: Unreachable) {
        let text = error.to_string();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = |last: &str| if last == text { TOLD } else { Duration::from_secs(1) };
        if told.as_ref().is_some_and(|(at, last)| at.elapsed() < pause(last)) {
            return;
        }
        tracing::warn!(module = self.module, error = %text, "cannot connect to the database");
        *told = Some((Instant::now(), text));
    }
}
