//! An import from its first byte to its last: one thread reads and checks, batch after batch is written meanwhile.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::batch::{self, Batch, Context, Outcome};
use super::plan::HomeLocation;
use super::prepare::Preparer;
use crate::call::Call;
use crate::db::{Connection, DbError};
use crate::inventory::format::{Item, ReadError, Reader, csv, jsonl};
use crate::inventory::service::LocalInventory;
use crate::inventory::store::location;
use crate::inventory::{BulkFormat, ImportOptions, ImportReport, InventoryError, RowFault};

/// A batch is written when so many SKUs and products are together: others who want to write wait for a tenth of a second at most.
const BATCH_WEIGHT: usize = 2_000;
/// Or when they came from so many bytes.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Or when so many faults are together.
const BATCH_FAULTS: usize = 1_000;
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
    /// The watch said so.
    Stopped,
    /// From this row on the file is not in its format.
    Unreadable(RowFault),
    /// The input broke off.
    Broken(std::io::Error),
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
        let context =
            Context { actor: call.actor.clone(), dry_run: options.dry_run, home: self.import_home(options).await? };
        let (sender, mut pieces) = mpsc::channel(READ_AHEAD);
        let (format, currency) = (options.format, self.config.currency.clone());
        let reading = tokio::task::spawn_blocking(move || read(input, format, &currency, &sender));
        let mut progress = ImportProgress::default();
        progress.report.dry_run = options.dry_run;
        while let Some(piece) = pieces.recv().await {
            let mut outcome = self.write_batch(&context, Arc::new(piece.batch)).await?;
            outcome.faults.extend(piece.faults);
            outcome.faults.sort_by_key(|fault| fault.line);
            (progress.bytes, progress.rows) = (piece.bytes, piece.rows);
            add(&mut progress.report, &outcome.report);
            progress.report.rows_failed += faulty_rows(&outcome.faults);
            if !watch.batch(&progress, outcome.faults).await? {
                return Ok((ImportEnd::Stopped, progress));
            }
        }
        let end = match reading.await {
            Ok(Ok(())) => ImportEnd::Complete,
            Ok(Err(ReadError::Io(error))) => ImportEnd::Broken(error),
            Ok(Err(ReadError::Fault(fault))) => {
                progress.report.rows_failed += 1;
                watch.batch(&progress, vec![fault.clone()]).await?;
                ImportEnd::Unreadable(fault)
            }
            Err(error) => ImportEnd::Broken(std::io::Error::other(error)),
        };
        Ok((end, progress))
    }

    /// Where quantities go that name no location: only a CSV has such.
    pub(super) async fn import_home(&self, options: &ImportOptions) -> Result<Option<HomeLocation>, InventoryError> {
        let wanted = options.location.clone();
        let locations = self.db.read_primary(|conn| Ok::<_, InventoryError>(location::location_list(conn)?)).await?;
        let home = locations.into_iter().find(|location| wanted.as_ref().is_none_or(|wanted| *wanted == location.code));
        match (home, wanted) {
            (Some(home), _) => Ok(Some((home.code, home.id))),
            (None, Some(name)) => Err(InventoryError::NotFound { what: "location", name }),
            (None, None) if options.format == BulkFormat::Jsonl => Ok(None),
            (None, None) => Err(InventoryError::Conflict(
                "There is no location yet to which the quantities could go: make one first.".to_owned(),
            )),
        }
    }

    /// Writes a batch; where others keep changing what it changes, each of its products by itself.
    async fn write_batch(&self, context: &Context, batch: Arc<Batch>) -> Result<Outcome, InventoryError> {
        let count = batch.products.len();
        match self.write_range(context, &batch, 0..count).await {
            Err(error) if is_race(&error) && count > 1 => {}
            result => return result,
        }
        let mut total = Outcome::default();
        for index in 0..count {
            let outcome = self.write_range(context, &batch, index..index + 1).await?;
            add(&mut total.report, &outcome.report);
            total.faults.extend(outcome.faults);
        }
        Ok(total)
    }

    /// Writes products of a batch; in a dry run, only tells what would be done.
    async fn write_range(
        &self,
        context: &Context,
        batch: &Arc<Batch>,
        range: Range<usize>,
    ) -> Result<Outcome, InventoryError> {
        let (context, batch, now) = (context.clone(), batch.clone(), self.clock.now());
        let is_dry_run = context.dry_run;
        let work = move |conn: &mut Connection| batch::write(conn, &context, &batch, range.clone(), now);
        match is_dry_run {
            true => patiently(|| self.db.read_primary(work.clone())).await,
            false => patiently(|| self.db.write(work.clone())).await,
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

/// The database cannot just now. To write a batch again does no harm where it was written after all.
pub(super) fn is_passing(error: &InventoryError) -> bool {
    matches!(error, InventoryError::Db(DbError::Busy | DbError::Timeout(_) | DbError::Unavailable { .. }))
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

/// What the reading thread gives to the writer.
#[derive(Default)]
struct Piece {
    batch: Batch,
    faults: Vec<RowFault>,
    bytes: u64,
    rows: u64,
}

fn read(input: impl Read, format: BulkFormat, currency: &str, sender: &mpsc::Sender<Piece>) -> Result<(), ReadError> {
    match format {
        BulkFormat::Csv => read_with(csv::Reader::new(input, currency)?, currency, sender),
        BulkFormat::Jsonl => read_with(jsonl::Reader::new(input), currency, sender),
    }
}

/// Reads to the end, or until nobody wants more.
fn read_with(mut reader: impl Reader, currency: &str, sender: &mpsc::Sender<Piece>) -> Result<(), ReadError> {
    let mut preparer = Preparer::new(currency);
    let mut piece = Piece::default();
    let (mut weight, mut start) = (0, 0);
    loop {
        let next = reader.next();
        // What was read before a row that ends it all is written nevertheless.
        let is_end = !matches!(next, Ok(Some(_)));
        let item = match next {
            Ok(Some(item)) => Some(item.and_then(|item| preparer.prepare(item))),
            Ok(None) => None,
            Err(error) => {
                send(piece, &reader, sender);
                return Err(error);
            }
        };
        // Locations and categories hold for the products after them, not for those before.
        let is_new_start =
            matches!(item, Some(Ok(Item::Location(_) | Item::Category(_)))) && !piece.batch.products.is_empty();
        let is_full =
            weight >= BATCH_WEIGHT || piece.faults.len() >= BATCH_FAULTS || reader.bytes() - start >= BATCH_BYTES;
        if is_end || is_new_start || is_full {
            if !send(std::mem::take(&mut piece), &reader, sender) {
                return Ok(());
            }
            (weight, start) = (0, reader.bytes());
        }
        weight += 1;
        match item {
            Some(Ok(Item::Location(location))) => piece.batch.locations.push(location),
            Some(Ok(Item::Category(category))) => piece.batch.categories.push(category),
            Some(Ok(Item::Product(product))) => {
                weight += product.skus.len();
                piece.batch.products.push(product);
            }
            Some(Err(faults)) => piece.faults.extend(faults),
            None => return Ok(()),
        }
    }
}

/// Gives false when nobody wants it.
fn send(piece: Piece, reader: &impl Reader, sender: &mpsc::Sender<Piece>) -> bool {
    sender.blocking_send(Piece { bytes: reader.bytes(), rows: reader.rows(), ..piece }).is_ok()
}
