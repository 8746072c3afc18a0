//! The files of import and export: one form for what a row of either format says, and where it stands in its file.
//!
//! What a file does not say (an absent column, an absent member) is `None` and stays as it is in the shop.

use std::io;

use crate::inventory::{LocationAddress, ProductPatch, RowFault, SkuPatch};

pub(super) mod csv;
pub(super) mod jsonl;
mod money;

/// The longest row of a file: room for a product of 2,048 SKUs with stock at many locations.
pub(super) const ROW_BYTES_MAX: usize = 8 * 1024 * 1024;

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
#[derive(Debug)]
pub(super) struct ImportProduct {
    pub(super) handle: String,
    /// Its values, but for handle and category.
    pub(super) values: ProductPatch,
    pub(super) category: Option<Option<CategoryPath>>,
    pub(super) skus: Vec<ImportSku>,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) struct ImportSku {
    pub(super) code: String,
    /// The file gives no code, so `code` was made; the SKU may be there under another one, with the same options.
    pub(super) code_is_made: bool,
    /// Its values, but for the code.
    pub(super) values: SkuPatch,
    /// CSV's policy `continue`: some backorder limit above 0.
    pub(super) sells_beyond: bool,
    pub(super) stock: Vec<ImportStock>,
}

/// The counters of a SKU at a location; what is given is set.
#[derive(Debug)]
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
#[derive(Debug)]
pub(super) enum Source {
    Jsonl { line: u64 },
    Csv { line: u64, category_column: csv::Column, sku_lines: Vec<u64>, image_lines: Vec<u64> },
}

impl Source {
    /// A fault of the value at this JSON Pointer of the product.
    pub(super) fn fault(&self, pointer: &str, message: impl Into<String>) -> RowFault {
        let (line, column) = match self {
            Source::Jsonl { line } => (*line, pointer.to_owned()),
            Source::Csv { line, category_column, sku_lines, image_lines } => {
                let (list, index) = csv::item_of(pointer);
                let lines = match list {
                    "skus" => sku_lines,
                    "images" => image_lines,
                    _ => &vec![],
                };
                let line = index.and_then(|index| lines.get(index)).unwrap_or(line);
                (*line, csv::column_of(pointer, *category_column).to_owned())
            }
        };
        RowFault { line, column, message: message.into() }
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

/// Reads a file of either format.
pub(super) trait Reader {
    fn next(&mut self) -> Result<Option<Piece>, ReadError>;
    /// The bytes that have been read.
    fn bytes(&self) -> u64;
    /// The rows that have been read.
    fn rows(&self) -> u64;
}
