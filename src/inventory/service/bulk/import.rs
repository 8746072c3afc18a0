//! An import from its first byte to its last: a thread reads and checks, batch after batch is written meanwhile.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::batch::{self, Batch, Context, Outcome};
use super::job::JobHold;
use super::plan::HomeLocation;
use super::read::{Piece, read};
use crate::call::Call;
use crate::db::{Connection, DbError};
use crate::error::{Fault, FieldError};
use crate::inventory::format::ReadError;
use crate::inventory::service::LocalInventory;
use crate::inventory::store::location;
use crate::inventory::{BulkFormat, ImportOptions, ImportReport, InventoryError, JobState, RowFault};

/// Batches that are read ahead.
const READ_AHEAD: usize = 2;
/// How often a batch is tried as a whole, and then each of its products by itself.
const ATTEMPTS: u32 = 5;

/// How far an import is.
#[derive(Clone, Debug, Default)]
pub struct ImportProgress {
    /// Bytes of the input that are done.
    pub bytes: u64,
    pub rows: u64,
    /// Locations, categories and products of the input that are done, with those that have faults.
    pub items: u64,
    pub report: ImportReport,
}

/// Is told how an import goes.
#[async_trait]
pub trait ImportWatch: Send {
    /// Called after each batch, with its faults in the order of their lines. False: stop here.
    async fn batch(&mut self, progress: &ImportProgress, faults: Vec<RowFault>) -> Result<bool, InventoryError>;
}

/// How an import ended. What it had written by then stays.
#[derive(Debug)]
pub enum ImportEnd {
    Complete,
    /// The watch said so; or it is a job, and jobs are stopped, or somebody else has it.
    Stopped,
    /// From this row on the file is not in its format.
    Unreadable(RowFault),
    /// The input broke off.
    Broken(std::io::Error),
}

/// Who is told how an import goes.
pub(super) enum Log<'a> {
    Watch(&'a mut dyn ImportWatch),
    /// The job's row, in the same transaction as each batch: so no batch is written twice, however often the job is taken up.
    Job(&'a mut JobHold),
}

/// An import while it runs.
struct Run<'a> {
    inventory: &'a LocalInventory,
    context: Context,
    progress: ImportProgress,
    log: Log<'a>,
}

impl LocalInventory {
    /// Imports a file. Gives how it ended and what it did; `Conflict` or `NotFound` when it cannot begin.
    pub async fn import(
        &self,
        call: &Call,
        options: &ImportOptions,
        input: impl Read + Send + 'static,
        watch: &mut dyn ImportWatch,
    ) -> Result<(ImportEnd, ImportProgress), InventoryError> {
        self.import_from(ImportProgress::default(), call, options, input, Log::Watch(watch)).await
    }

    /// Imports what of a file is not yet done. It is read from its beginning: a row may be wrong because of one before it.
    pub(super) async fn import_from<'a>(
        &'a self,
        mut progress: ImportProgress,
        call: &Call,
        options: &ImportOptions,
        input: impl Read + Send + 'static,
        log: Log<'a>,
    ) -> Result<(ImportEnd, ImportProgress), InventoryError> {
        let context = Context {
            actor: call.actor.clone(),
            dry_run: options.dry_run,
            home: self.import_home(options).await?,
            made: Arc::default(),
        };
        let (sender, mut pieces) = mpsc::channel(READ_AHEAD);
        let (format, currency, start) = (options.format, self.config.currency.clone(), progress.items);
        let reading = tokio::task::spawn_blocking(move || read(input, format, &currency, start, &sender));
        progress.report.dry_run = options.dry_run;
        let mut run = Run { inventory: self, context, progress, log };
        let mut stopped = self.jobs_stopped.subscribe();
        loop {
            let piece = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped), if matches!(run.log, Log::Job(_)) => {
                    return Ok((ImportEnd::Stopped, run.progress));
                }
                piece = pieces.recv() => piece,
            };
            let Some(piece) = piece else { break };
            if !run.piece(piece).await? {
                return Ok((ImportEnd::Stopped, run.progress));
            }
        }
        let end = match reading.await {
            Ok(Ok(())) => ImportEnd::Complete,
            Ok(Err(ReadError::Io(error))) => ImportEnd::Broken(error),
            Ok(Err(ReadError::Fault(fault))) => ImportEnd::Unreadable(fault),
            Err(error) => ImportEnd::Broken(std::io::Error::other(error)),
        };
        Ok((end, run.progress))
    }

    /// Where quantities go that name no location: only a CSV has such.
    pub(super) async fn import_home(&self, options: &ImportOptions) -> Result<Option<HomeLocation>, InventoryError> {
        let wanted = options.location.clone();
        let locations = self.db.read_primary(|conn| Ok::<_, InventoryError>(location::location_list(conn)?)).await?;
        let home = locations.into_iter().find(|location| match &wanted {
            Some(wanted) => *wanted == location.code,
            None => location.active,
        });
        match (home, wanted) {
            (Some(home), _) => Ok(Some((home.code, home.id))),
            (None, Some(name)) => Err(InventoryError::NotFound { what: "location", name }),
            (None, None) if options.format == BulkFormat::Jsonl => Ok(None),
            (None, None) => Err(InventoryError::Conflict(Fault::NoLocation)),
        }
    }
}

impl Run<'_> {
    /// Writes a piece; where others keep changing what it changes, each of its products by itself. False: stop here.
    async fn piece(&mut self, piece: Piece) -> Result<bool, InventoryError> {
        let batch = Arc::new(piece.batch);
        let count = batch.products.len();
        let goal = piece.end;
        let faults = piece.faults.iter().flat_map(|(_, faults)| faults).cloned().collect();
        match self.step(&batch, 0..count, &goal, faults).await {
            Err(error) if is_race(&error) && count > 0 => {}
            result => return result,
        }
        let mut faults = piece.faults.into_iter().peekable();
        for (index, entry) in batch.products.iter().enumerate() {
            let goal = match index + 1 == count {
                true => goal.clone(),
                false => ImportProgress { items: entry.item, report: goal.report.clone(), ..self.progress.clone() },
            };
            let mut until_here = vec![];
            while let Some((_, faults)) = faults.next_if(|(item, _)| *item <= goal.items) {
                until_here.extend(faults);
            }
            let goes_on = match self.step(&batch, index..index + 1, &goal, until_here.clone()).await {
                Err(error) if is_race(&error) => {
                    let fault = entry.product.source.fault(FieldError::new("", Fault::ChangedByOthers));
                    until_here.extend(entry.product.left_out(fault.line, vec![fault]));
                    self.step(&batch, 0..0, &goal, until_here).await?
                }
                result => result?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes products of a batch; in a dry run, only tells what would be done. `goal` is how far the import is then, but for
    /// what its report counts. False: stop here.
    async fn step(
        &mut self,
        batch: &Arc<Batch>,
        range: Range<usize>,
        goal: &ImportProgress,
        faults: Vec<RowFault>,
    ) -> Result<bool, InventoryError> {
        let inventory = self.inventory;
        let (db, now) = (&inventory.db, inventory.clock.now());
        let (context, batch) = (self.context.clone(), batch.clone());
        let is_dry_run = context.dry_run;
        let write = move |conn: &mut Connection| batch::write(conn, &context, &batch, range.clone(), now);
        let planned = match is_dry_run {
            true => {
                let outcome = patiently(|| db.read_primary(write.clone())).await?;
                Arc::make_mut(&mut self.context.made).extend(outcome.made.iter().cloned());
                Some(outcome)
            }
            false => None,
        };
        let before = self.progress.clone();
        let columns_ignored = goal.report.columns_ignored.clone();
        let (bytes, rows, items) =
            (before.bytes.max(goal.bytes), before.rows.max(goal.rows), before.items.max(goal.items));
        let after = move |outcome: Outcome| {
            let mut all = outcome.faults;
            all.extend(faults.iter().cloned());
            all.sort_by_key(|fault| fault.line);
            let mut progress = ImportProgress { bytes, rows, items, report: before.report.clone() };
            add(&mut progress.report, &outcome.report);
            progress.report.columns_ignored.clone_from(&columns_ignored);
            progress.report.rows_failed += faulty_rows(&all);
            (progress, all)
        };
        match &mut self.log {
            Log::Watch(watch) => {
                let outcome = match planned {
                    Some(outcome) => outcome,
                    None => patiently(|| db.write(write.clone())).await?,
                };
                let faults;
                (self.progress, faults) = after(outcome);
                watch.batch(&self.progress, faults).await
            }
            Log::Job(hold) => {
                let (ours, next) = (hold.clone(), hold.next(now));
                let items = self.progress.items;
                let work = move |conn: &mut Connection| {
                    let mut held = next.clone();
                    held.state = ours.renew(conn, &next, items)?;
                    if held.state != Some(JobState::Running) {
                        return Ok((held, None));
                    }
                    let (progress, faults) = after(match &planned {
                        Some(outcome) => outcome.clone(),
                        None => write(conn)?,
                    });
                    held.note(conn, &progress, faults)?;
                    Ok((held, Some(progress)))
                };
                let (held, progress) = patiently(|| db.write(work.clone())).await?;
                **hold = held;
                let goes_on = progress.is_some() && !*inventory.jobs_stopped.borrow();
                self.progress = progress.unwrap_or_else(|| self.progress.clone());
                Ok(goes_on)
            }
        }
    }
}

/// Runs a transaction, several times if need be: a shop that is busy is no reason to give an import up.
pub(super) async fn patiently<T, R>(run: impl Fn() -> R) -> Result<T, InventoryError>
where
    R: Future<Output = Result<T, InventoryError>>,
{
    for attempt in 1..ATTEMPTS {
        match run().await {
            Err(error) if is_race(&error) || is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(50) * 2_u32.pow(attempt)).await;
            }
            result => return result,
        }
    }
    run().await
}

/// Somebody else changed, made or removed one of the things in the same moment.
fn is_race(error: &InventoryError) -> bool {
    let broken =
        |error: &DbError| error.is_unique_violation() || error.is_foreign_key_violation() || error.is_check_violation();
    matches!(error, InventoryError::Conflict(_)) || matches!(error, InventoryError::Db(error) if broken(error))
}

/// The database cannot just now.
pub(super) fn is_passing(error: &InventoryError) -> bool {
    matches!(error, InventoryError::Db(error) if error.is_passing())
}

fn add(report: &mut ImportReport, part: &ImportReport) {
    report.products_created += part.products_created;
    report.products_updated += part.products_updated;
    report.products_unchanged += part.products_unchanged;
    report.skus_created += part.skus_created;
    report.skus_updated += part.skus_updated;
    report.stock_changed += part.stock_changed;
    report.locations_changed += part.locations_changed;
    report.categories_changed += part.categories_changed;
}

/// A row may have several faults. They are in the order of the rows.
fn faulty_rows(faults: &[RowFault]) -> u64 {
    faults.chunk_by(|a, b| a.line == b.line).count() as u64
}
