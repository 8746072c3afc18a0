//! Jobs: an import that is kept in the database until it is done, whoever does it.

use std::io::{self, Cursor, Read};

use tokio::sync::mpsc;

use super::import::{ImportEnd, ImportProgress, Log, is_passing, patiently};
use crate::call::{Answer, Call};
use crate::clock::{Id, Time};
use crate::db::{Connection, DbError, Failure, Lease};
use crate::error::Fault;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::{LocalInventory, limit, position};
use crate::inventory::store::job::{self as store, Claim, JobEnd};
use crate::inventory::{
    ImportOptions, ImportReport, InventoryError, Job, JobQuery, JobState, PIECE_BYTES_MAX, RowFault,
};
use crate::page::Page;

const WORK: &str = "jobs";
/// A running job is given up for dead when nothing was heard of it for so long.
const ALIVE_SECONDS: u32 = 10;
/// More faults of a job are counted, but not kept.
const FAULTS_KEPT: i64 = 10_000;
/// Pieces of an input that are removed in one transaction.
const PIECES_FORGOTTEN: i64 = 16;
/// Pieces that are read ahead.
const PIECES_AHEAD: usize = 1;

impl LocalInventory {
    pub(super) async fn begin_import(&self, call: &Call, options: ImportOptions) -> Result<Id, InventoryError> {
        self.import_home(&options).await.map_err(|error| match error {
            InventoryError::NotFound { .. } => InventoryError::invalid("location", Fault::NoSuchLocation),
            other => other,
        })?;
        let (now, actor) = (self.clock.now(), call.actor.clone());
        let id = Id::new(now);
        self.db.write(move |conn| Ok::<_, InventoryError>(store::job_insert(conn, id, &actor, &options, now)?)).await?;
        Ok(id)
    }

    pub(super) async fn add_to_import(&self, import: Id, seq: i64, bytes: Vec<u8>) -> Result<(), InventoryError> {
        if bytes.len() > PIECE_BYTES_MAX {
            return Err(InventoryError::invalid("", format!("a piece has at most {PIECE_BYTES_MAX} bytes")));
        }
        let now = self.clock.now();
        let added = self
            .db
            .write(move |conn| match store::job_is_coming(conn, import, now)? {
                true => Ok(store::input_insert(conn, import, seq, &bytes)?),
                false => Err(unknown_job(import)),
            })
            .await;
        match added {
            // The same piece again: its first answer was lost.
            Err(error) if error.db().is_some_and(DbError::is_unique_violation) => Ok(()),
            result => result,
        }
    }

    pub(super) async fn start_import(&self, call: &Call, import: Id) -> Result<Answer<Job>, InventoryError> {
        let (call, hours, now) = (call.clone(), self.config.idempotency_hours, self.clock.now());
        let queue = move |conn: &mut Connection| store::job_queue(conn, import)?.ok_or_else(|| unknown_job(import));
        self.db.write_keyed(call.key.is_some(), move |conn| once(conn, &call, hours, now, queue)).await
    }

    pub(super) async fn forget_import(&self, import: Id) -> Result<(), InventoryError> {
        let now = self.clock.now();
        let forget = move |conn: &mut Connection| {
            if !store::job_is_coming(conn, import, now)? {
                return Ok::<_, InventoryError>(false);
            }
            let pieces = store::input_delete(conn, import, PIECES_FORGOTTEN)?;
            if pieces == 0 {
                store::job_delete(conn, import)?;
            }
            Ok(pieces > 0)
        };
        while self.db.write(forget).await? {}
        Ok(())
    }

    pub(super) async fn get_job(&self, id: Id) -> Result<Option<Job>, InventoryError> {
        self.db.read_primary(move |conn| Ok(store::job_get(conn, id)?)).await
    }

    pub(super) async fn list_jobs(&self, query: JobQuery) -> Result<Page<Job>, InventoryError> {
        let limit = limit(query.limit)?;
        let before: Option<Id> = position(query.cursor.as_deref())?;
        let jobs = self.db.read_primary(move |conn| Ok::<_, InventoryError>(store::job_list(conn, before, limit + 1)?));
        Ok(Page::cut(jobs.await?, limit, |job| job.id))
    }

    pub(super) async fn list_job_faults(
        &self,
        id: Id,
        query: JobQuery,
    ) -> Result<Option<Page<RowFault>>, InventoryError> {
        let limit = limit(query.limit)?;
        let after = position(query.cursor.as_deref())?.unwrap_or(-1);
        let faults = self.db.read_primary(move |conn| match store::job_get(conn, id)? {
            Some(_) => Ok::<_, InventoryError>(Some(store::fault_list(conn, id, after, limit + 1)?)),
            None => Ok(None),
        });
        Ok(faults.await?.map(|faults| Page::cut(faults, limit, |(seq, _)| *seq).map(|(_, fault)| fault)))
    }

    pub(super) async fn cancel_job(&self, id: Id) -> Result<Option<Job>, InventoryError> {
        let now = self.clock.now();
        let cancelled = self.db.write(move |conn| Ok::<_, InventoryError>(store::job_cancel(conn, id, now)?)).await?;
        match cancelled {
            Some(job) => {
                // Whoever runs a job removes its input when he sees that it is cancelled.
                if job.started_at.is_none() {
                    self.forget_input(id).await?;
                    count_end(JobState::Cancelled);
                }
                Ok(Some(job))
            }
            None => match self.get_job(id).await? {
                Some(job) if job.state != JobState::Cancelled => Err(InventoryError::Conflict(Fault::JobEnded)),
                job => Ok(job),
            },
        }
    }

    async fn forget_input(&self, id: Id) -> Result<(), InventoryError> {
        let remove = move |conn: &mut _| Ok::<_, InventoryError>(store::input_delete(conn, id, PIECES_FORGOTTEN)?);
        while self.db.write(remove).await? > 0 {}
        Ok(())
    }

    pub(super) async fn run_next_job(&self) -> Result<bool, InventoryError> {
        if *self.jobs_stopped.borrow() {
            return Ok(false);
        }
        let more = self.db.leased(WORK, |lease| self.run_job(lease)).await?.unwrap_or(false);
        if *self.jobs_stopped.borrow() {
            // Another one goes on at once.
            self.db.leases_release(Some(WORK)).await?;
        }
        Ok(more)
    }

    async fn run_job(&self, lease: Lease) -> Result<bool, InventoryError> {
        let now = self.clock.now();
        let held_until = now.plus_seconds(ALIVE_SECONDS);
        let claimed = self.db.write(move |conn| {
            lease.fence(conn)?;
            Ok::<_, InventoryError>(store::job_claim(conn, now, held_until)?)
        });
        let Some(Claim { job, options, items, faults }) = claimed.await? else { return Ok(false) };
        tracing::info!(job = %job.id, actor = %job.actor, bytes = job.total, items, "import begins");
        let mut hold = JobHold { id: job.id, held_until, faults, state: Some(JobState::Running) };
        let mut progress = ImportProgress { report: job.report.clone(), ..ImportProgress::default() };
        (progress.bytes, progress.items) = (u64::try_from(job.done).unwrap_or(0), u64::try_from(items).unwrap_or(0));
        if options.dry_run && items > 0 {
            // It has changed nothing, and what it remembered is lost.
            progress = self.restart(&mut hold, lease).await?;
        }
        let input = self.job_input(&job);
        let result = self.import_from(progress, &Call::by(&job.actor), &options, input, Log::Job(&mut hold)).await;
        let (held_until, cancelled) = (hold.held_until, hold.state == Some(JobState::Cancelled));
        let end = match result {
            Ok((ImportEnd::Complete, _)) => JobEnd::new(JobState::Succeeded, ""),
            Ok((ImportEnd::Unreadable(fault), _)) => JobEnd::unreadable(fault),
            Ok((ImportEnd::Broken(error), _)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                JobEnd::new(JobState::Failed, "the input is not whole")
            }
            Ok((ImportEnd::Stopped, _)) if cancelled => JobEnd::new(JobState::Cancelled, ""),
            // Jobs are stopped.
            Ok((ImportEnd::Stopped, _)) if hold.state == Some(JobState::Running) => {
                self.hand_back(job.id, held_until).await?;
                return Ok(false);
            }
            // Somebody else has the job now.
            Ok((ImportEnd::Stopped, _)) => return Ok(true),
            // The job is taken up again when nothing was heard of it for long enough.
            Ok((ImportEnd::Broken(error), _)) => {
                let words = format!("The input of job {} cannot be read: {error}", job.id);
                return Err(InventoryError::Conflict(words.into()));
            }
            Err(error) if is_passing(&error) => return Err(error),
            Err(InventoryError::Db(error)) => JobEnd::new(JobState::Failed, error.problem().detail),
            Err(error) => JobEnd::new(JobState::Failed, error.to_string()),
        };
        tracing::info!(job = %job.id, state = ?end.state, message = %end.message, "import ends");
        self.end_job(job.id, held_until, end).await?;
        Ok(true)
    }

    async fn restart(&self, hold: &mut JobHold, lease: Lease) -> Result<ImportProgress, InventoryError> {
        let progress = ImportProgress {
            report: ImportReport { dry_run: true, ..ImportReport::default() },
            ..ImportProgress::default()
        };
        let (id, report) = (hold.id, progress.report.clone());
        let restart = move |conn: &mut _| {
            lease.fence(conn)?;
            Ok::<_, InventoryError>(store::job_restart(conn, id, &report)?)
        };
        patiently(|| self.db.write(restart.clone())).await?;
        hold.faults = 0;
        Ok(progress)
    }

    /// Lets go of a job, so that nobody needs to wait until its runner is taken for dead.
    async fn hand_back(&self, id: Id, held_until: Time) -> Result<(), InventoryError> {
        let hand_back = move |conn: &mut _| Ok::<_, InventoryError>(store::job_hand_back(conn, id, held_until)?);
        if patiently(|| self.db.write(hand_back)).await? {
            tracing::info!(job = %id, "import is handed back");
        }
        Ok(())
    }

    async fn end_job(&self, id: Id, held_until: Time, end: JobEnd) -> Result<(), InventoryError> {
        let (now, state) = (self.clock.now(), end.state);
        if state != JobState::Cancelled {
            let end = move |conn: &mut _| Ok::<_, InventoryError>(store::job_end(conn, id, held_until, &end, now)?);
            if !patiently(|| self.db.write(end.clone())).await? {
                return Ok(());
            }
        }
        count_end(state);
        self.forget_input(id).await
    }

    /// The input, read from the database piece by piece while it is imported.
    fn job_input(&self, job: &Job) -> JobInput {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let (db, id) = (self.db.clone(), job.id);
        tokio::spawn(async move {
            for seq in 0.. {
                let get = move |conn: &mut _| Ok::<_, InventoryError>(store::input_get(conn, id, seq)?);
                let piece = patiently(|| db.read_primary(get)).await;
                let is_last = !matches!(piece, Ok(Some(_)));
                let wanted = match piece.transpose() {
                    Some(piece) => sender.send(piece).await.is_ok(),
                    None => false,
                };
                if is_last || !wanted {
                    return;
                }
            }
        });
        JobInput { pieces, piece: Cursor::default(), left: u64::try_from(job.total).unwrap_or(0) }
    }
}

fn unknown_job(id: Id) -> InventoryError {
    InventoryError::NotFound { what: "import that waits for its input", name: id.to_string() }
}

fn count_end(state: JobState) {
    metrics::counter!("emporium_jobs_total", "kind" => "import", "outcome" => store::state_text(state)).increment(1);
}

/// A job that is ours, and what was last heard of it.
#[derive(Clone)]
pub(super) struct JobHold {
    id: Id,
    held_until: Time,
    /// The number of faults that are kept.
    faults: i64,
    /// `None`: it is no longer ours.
    pub(super) state: Option<JobState>,
}

impl JobHold {
    /// The hold when it is renewed now.
    pub(super) fn next(&self, now: Time) -> JobHold {
        JobHold { held_until: now.plus_seconds(ALIVE_SECONDS), ..self.clone() }
    }

    /// Renews the hold, if it still is one and `items` things of the file are done; gives the job's state.
    pub(super) fn renew(
        &self,
        conn: &mut Connection,
        next: &JobHold,
        items: u64,
    ) -> Result<Option<JobState>, InventoryError> {
        let items = i64::try_from(items).unwrap_or(i64::MAX);
        Ok(store::job_hold(conn, self.id, self.held_until, next.held_until, items)?)
    }

    /// Writes how far the job is, and new faults of it.
    pub(super) fn note(
        &mut self,
        conn: &mut Connection,
        progress: &ImportProgress,
        mut faults: Vec<RowFault>,
    ) -> Result<(), InventoryError> {
        faults.truncate(usize::try_from(FAULTS_KEPT - self.faults).unwrap_or(0));
        store::faults_insert(conn, self.id, self.faults, &faults)?;
        self.faults += faults.len() as i64;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        store::job_progress(conn, self.id, number(progress.bytes), number(progress.items), &progress.report)?;
        Ok(())
    }
}

/// Reads an input whose pieces come through a channel.
struct JobInput {
    pieces: mpsc::Receiver<Result<Vec<u8>, InventoryError>>,
    piece: Cursor<Vec<u8>>,
    /// Bytes that are yet to be read.
    left: u64,
}

impl Read for JobInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() || self.left == 0 {
                self.left = self.left.saturating_sub(count as u64);
                return Ok(count);
            }
            self.piece = match self.pieces.blocking_recv() {
                Some(Ok(bytes)) => Cursor::new(bytes),
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
}
