//! The files of import and export: one form for what a row of either format says, and where it stands in its file.
//!
//! What a file does not say (an absent column, an absent member) is `None` and stays as it is in the shop.

use std::collections::HashSet;
use std::io;

use crate::error::{Fault, FieldError};
use crate::inventory::{LocationAddress, ProductPatch, RowFault, SkuPatch};

pub(super) mod csv;
pub(super) mod jsonl;

/// The longest row of a file: room for a product of 2,048 SKUs with stock at many locations.
pub(super) const ROW_BYTES_MAX: usize = 8 * 1024 * 1024;

/// More faults are not told of one product.
const FAULTS_KEPT: usize = 20_000;

/// So much is told of what stands in a cell or a member.
const CHARACTERS_TOLD: usize = 40;
/// And of what the reader of JSON says and of a pointer: both may hold any words of the file.
const WORDS_TOLD: usize = 300;

/// A location as a file has it.
#[derive(Debug)]
pub(super) struct ImportLocation {
    pub(super) line: u64,
    pub(super) code: String,
    pub(super) name: Option<String>,
    pub(super) address: Option<LocationAddress>,
    pub(super) priority: Option<i64>,
    pub(super) active: Option<bool>,
}

/// A category as a file has it.
#[derive(Debug)]
pub(super) struct ImportCategory {
    pub(super) line: u64,
    pub(super) path: String,
    pub(super) name: Option<String>,
    pub(super) position: Option<i64>,
}

/// The category that a product names; made where it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CategoryPath {
    pub(super) path: String,
    /// The names of its levels, where the file tells them; as many as `path` has slugs, or none.
    pub(super) names: Vec<String>,
}

/// A product as a file has it.
#[derive(Clone, Debug)]
pub(super) struct ImportProduct {
    pub(super) handle: String,
    /// Its values, but for handle and category.
    pub(super) values: ProductPatch,
    pub(super) category: Option<Option<CategoryPath>>,
    pub(super) skus: Vec<ImportSku>,
    pub(super) source: Source,
    /// What has been found wrong with it and with its SKUs.
    pub(super) faults: Vec<RowFault>,
    /// Where a fault stands that leaves it out whole.
    pub(super) fault_line: Option<u64>,
}

impl ImportProduct {
    /// Notes that a value of it is wrong. In a CSV, what stands in a SKU's own row leaves out that SKU alone.
    pub(super) fn fault(&mut self, wrong: FieldError) {
        let sku = match (csv::item_of(&wrong.pointer), &self.source) {
            (("skus", Some(index)), Source::Csv { .. }) => self.skus.get_mut(index),
            _ => None,
        };
        let fault = self.source.fault(wrong);
        match sku {
            Some(sku) => sku.is_faulty = true,
            None => self.fault_line = self.fault_line.or(Some(fault.line)),
        }
        if self.faults.len() < FAULTS_KEPT {
            self.faults.push(fault);
        }
    }

    /// The product with its good SKUs, and the faults of the rows that are left out. An error: there is nothing to take, and what is
    /// wrong with which row.
    pub(super) fn sound(mut self) -> Result<(Self, Vec<RowFault>), Vec<RowFault>> {
        let faults = std::mem::take(&mut self.faults);
        let Some(first) = faults.iter().map(|fault| fault.line).min() else { return Ok((self, faults)) };
        let has_good_sku = self.skus.iter().any(|sku| !sku.is_faulty);
        if let Some(line) = self.fault_line.or((!has_good_sku).then_some(first)) {
            return Err(self.left_out(line, faults));
        }
        if let Source::Csv { lines, sku_lines, .. } = &mut self.source {
            let told: HashSet<u64> = faults.iter().map(|fault| fault.line).collect();
            lines.retain(|line| !told.contains(line));
            let mut skus = self.skus.iter();
            sku_lines.retain(|_| skus.next().is_some_and(|sku| !sku.is_faulty));
        }
        self.skus.retain(|sku| !sku.is_faulty);
        Ok((self, faults))
    }

    /// These faults, of which the one in `cause` leaves out the product whole, and one for each of its other rows.
    pub(super) fn left_out(&self, cause: u64, mut faults: Vec<RowFault>) -> Vec<RowFault> {
        if let Source::Csv { lines, .. } = &self.source {
            let told: HashSet<u64> = faults.iter().map(|fault| fault.line).collect();
            let others = lines.iter().filter(|line| !told.contains(line));
            faults.extend(others.map(|line| RowFault::new(*line, "", Fault::LeftOut { line: cause })));
        }
        faults
    }
}

#[derive(Clone, Debug)]
pub(super) struct ImportSku {
    pub(super) code: String,
    /// The file gives no code, so `code` was made; the SKU may be there under another one, with the same options.
    pub(super) code_is_made: bool,
    /// Its values, but for the code.
    pub(super) values: SkuPatch,
    /// CSV's policy `continue`: some backorder limit above 0.
    pub(super) sells_beyond: bool,
    pub(super) stock: Vec<ImportStock>,
    /// It is left out.
    pub(super) is_faulty: bool,
}

/// The counters of a SKU at a location; what is given is set.
#[derive(Clone, Debug)]
pub(super) struct ImportStock {
    /// `None`: the location of the whole import.
    pub(super) location: Option<String>,
    /// A row of the same file, before this one, makes this location.
    pub(super) location_is_declared: bool,
    pub(super) on_hand: Option<i64>,
    pub(super) safety: Option<i64>,
    pub(super) incoming: Option<i64>,
}

/// Where the values of a product stand in its file.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Jsonl {
        line: u64,
    },
    Csv {
        line: u64,
        category_column: csv::Column,
        /// All rows of it.
        lines: Vec<u64>,
        sku_lines: Vec<u64>,
        image_lines: Vec<u64>,
        /// For each of the product's options, the number of its columns from 0: an option without a value is none, so its columns
        /// are left out.
        option_columns: Vec<usize>,
    },
}

impl Source {
    /// Where in the file it is that a value of the product is wrong.
    pub(super) fn fault(&self, mut wrong: FieldError) -> RowFault {
        match self {
            Source::Jsonl { line } => {
                wrong.pointer = shown(&wrong.pointer, WORDS_TOLD);
                RowFault::of(*line, wrong)
            }
            Source::Csv { line, category_column, sku_lines, image_lines, option_columns, .. } => {
                let (list, index) = csv::item_of(&wrong.pointer);
                let lines = match list {
                    "skus" => sku_lines,
                    "images" => image_lines,
                    _ => &vec![],
                };
                let line = index.and_then(|index| lines.get(index)).unwrap_or(line);
                wrong.pointer = csv::column_of(&wrong.pointer, *category_column, option_columns).to_owned();
                RowFault::of(*line, wrong)
            }
        }
    }
}

/// What one or several rows say.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are products")]
pub(super) enum Item {
    Location(ImportLocation),
    Category(ImportCategory),
    Product(ImportProduct),
}

/// The next thing of a file: what it says, or what is wrong with its rows.
pub(super) type Piece = Result<Item, Vec<RowFault>>;

/// Why a file cannot be read on.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is not in its format.
    Fault(RowFault),
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

/// What a file says, for a fault: of a bounded length, and without what databases and terminals take badly.
fn shown(text: &str, max: usize) -> String {
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut shown: String = text.chars().take(max).map(plain).collect();
    if text.chars().nth(max).is_some() {
        shown.push('…');
    }
    shown
}

/// Does a file that begins so have two bytes for each character? Many programs then write a mark first; an ASCII character has one
/// byte of 0 in any case.
fn is_utf16(start: &[u8]) -> bool {
    matches!(start, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..])
}

/// Reads a file of either format.
pub(super) trait Reader {
    fn next(&mut self) -> Result<Option<Piece>, ReadError>;
    /// The bytes that have been read.
    fn bytes(&self) -> u64;
    /// The rows that have been read.
    fn rows(&self) -> u64;
    /// The names of columns that nobody knows, so that what stands in them is not read.
    fn columns_ignored(&self) -> &[String] {
        &[]
    }
}
