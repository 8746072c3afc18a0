//! The thread of an import that reads its input, checks it and cuts it into batches.

use std::io::Read;

use tokio::sync::mpsc;

use super::batch::{Batch, BatchProduct};
use super::import::ImportProgress;
use super::prepare::{Prepared, Preparer};
use crate::inventory::format::{Item, Piece as Next, ReadError, Reader, csv, jsonl};
use crate::inventory::{BulkFormat, ImportReport, RowFault};

/// A batch is written when so many SKUs and products are together: others who want to write to SQLite wait a quarter of a second for
/// it. Smaller ones take longer in all, for each writes most pages of the indexes anew.
const BATCH_WEIGHT: usize = 8_000;
/// Or when they came from so many bytes.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Or when so many faults are together.
const BATCH_FAULTS: usize = 1_000;

/// What the reading thread gives to the writer.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) batch: Batch,
    /// In the order of the file: the number of a thing among all, from 1, and its faults.
    pub(super) faults: Vec<(u64, Vec<RowFault>)>,
    /// How far the import is behind this piece; its report tells no more than the columns that are ignored.
    pub(super) end: ImportProgress,
}

/// Reads an input to its end, or until nobody wants more. The first `start` things are only checked, for those behind them.
pub(super) fn read(
    input: impl Read,
    format: BulkFormat,
    currency: &str,
    start: u64,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), ReadError> {
    let mut cutter = Cutter {
        preparer: Preparer::new(currency),
        start,
        bytes: 0,
        rows: 0,
        items: 0,
        columns_ignored: vec![],
        piece: Piece::default(),
        weight: 0,
        faults: 0,
        sender,
    };
    match format {
        BulkFormat::Csv => match csv::Reader::new(input, currency) {
            Ok(reader) => cutter.read(reader),
            Err(error) => cutter.fail(error),
        },
        BulkFormat::Jsonl => cutter.read(jsonl::Reader::new(input)),
    }
}

struct Cutter<'a> {
    preparer: Preparer,
    start: u64,
    /// What has been read, with the thing that is at hand.
    bytes: u64,
    rows: u64,
    /// Things that have been read.
    items: u64,
    columns_ignored: Vec<String>,
    piece: Piece,
    /// Of the piece, for the database.
    weight: usize,
    /// Of the piece.
    faults: usize,
    sender: &'a mpsc::Sender<Piece>,
}

impl Cutter<'_> {
    fn read(&mut self, mut reader: impl Reader) -> Result<(), ReadError> {
        self.columns_ignored = reader.columns_ignored().to_vec();
        let mut begin = 0;
        loop {
            let next = reader.next();
            (self.bytes, self.rows) = (reader.bytes(), reader.rows());
            // Locations and categories hold for the products after them, not for those before.
            let is_new_start = matches!(next, Ok(Some(Ok(Item::Location(_) | Item::Category(_)))))
                && !self.piece.batch.products.is_empty();
            let is_full =
                self.weight >= BATCH_WEIGHT || self.faults >= BATCH_FAULTS || self.bytes - begin >= BATCH_BYTES;
            if is_new_start || is_full {
                if !self.send() {
                    return Ok(());
                }
                begin = self.bytes;
            }
            match next {
                Ok(Some(next)) => self.take(next),
                Ok(None) => {
                    self.send();
                    return Ok(());
                }
                Err(error) => return self.fail(error),
            }
        }
    }

    fn take(&mut self, next: Next) {
        self.items += 1;
        self.weight += 1;
        let prepared = next.and_then(|item| self.preparer.prepare(item));
        if let Ok(Prepared::Product(product, ..)) = &prepared {
            self.weight += product.skus.len();
        }
        if self.items <= self.start {
            return;
        }
        let batch = &mut self.piece.batch;
        match prepared {
            Ok(Prepared::Location(location)) => batch.locations.push(location),
            Ok(Prepared::Category(category)) => batch.categories.push(category),
            Ok(Prepared::Product(product, words, faults)) => {
                batch.products.push(BatchProduct { product, words, item: self.items });
                self.tell(faults);
            }
            Err(faults) => self.tell(faults),
        }
    }

    /// Notes what is wrong with the thing at hand.
    fn tell(&mut self, faults: Vec<RowFault>) {
        if !faults.is_empty() {
            self.faults += faults.len();
            self.piece.faults.push((self.items, faults));
        }
    }

    /// What was read before a row that ends it all is written nevertheless.
    fn fail(&mut self, error: ReadError) -> Result<(), ReadError> {
        if let ReadError::Fault(fault) = &error {
            self.items += 1;
            if self.items > self.start {
                self.tell(vec![fault.clone()]);
            }
        }
        self.send();
        Err(error)
    }

    /// Gives false when nobody wants it.
    fn send(&mut self) -> bool {
        (self.weight, self.faults) = (0, 0);
        let (bytes, rows, items) = (self.bytes, self.rows, self.items);
        let piece = std::mem::take(&mut self.piece);
        let report = ImportReport { columns_ignored: self.columns_ignored.clone(), ..ImportReport::default() };
        let end = ImportProgress { bytes, rows, items, report };
        self.sender.blocking_send(Piece { end, ..piece }).is_ok()
    }
}
