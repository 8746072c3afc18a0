//! emporium's own format: one JSON object a line, a location, a category or a product with its SKUs and their stock.
//!
//! Members may be left out, but for those that name the thing; what is left out stays as it is in the shop.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    CHARACTERS_TOLD, CategoryPath, ImportCategory, ImportLocation, ImportProduct, ImportSku, ImportStock, Item, Piece,
    ROW_BYTES_MAX, ReadError, Source, WORDS_TOLD, is_utf16, shown,
};
use crate::call::some_or_null;
use crate::error::{Fault, FieldError, json_pointer};
use crate::inventory::{Image, LocationAddress, Money, ProductPatch, ProductStatus, RowFault, SkuPatch};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::inventory) struct LocationLine {
    #[serde(rename = "type")]
    pub(in crate::inventory) kind: LocationKind,
    pub(in crate::inventory) code: String,
    pub(in crate::inventory) name: Option<String>,
    pub(in crate::inventory) address: Option<LocationAddress>,
    pub(in crate::inventory) priority: Option<i64>,
    pub(in crate::inventory) active: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::inventory) struct CategoryLine {
    #[serde(rename = "type")]
    pub(in crate::inventory) kind: CategoryKind,
    pub(in crate::inventory) path: String,
    pub(in crate::inventory) name: Option<String>,
    pub(in crate::inventory) position: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::inventory) struct ProductLine {
    #[serde(rename = "type")]
    pub(in crate::inventory) kind: ProductKind,
    pub(in crate::inventory) handle: String,
    pub(in crate::inventory) title: Option<String>,
    pub(in crate::inventory) description_html: Option<String>,
    pub(in crate::inventory) vendor: Option<String>,
    pub(in crate::inventory) product_type: Option<String>,
    pub(in crate::inventory) status: Option<ProductStatus>,
    /// Its path; null: none.
    #[serde(default, deserialize_with = "some_or_null")]
    pub(in crate::inventory) category: Option<Option<String>>,
    pub(in crate::inventory) tags: Option<Vec<String>>,
    pub(in crate::inventory) options: Option<Vec<String>>,
    pub(in crate::inventory) attributes: Option<BTreeMap<String, String>>,
    pub(in crate::inventory) images: Option<Vec<Image>>,
    pub(in crate::inventory) seo_title: Option<String>,
    pub(in crate::inventory) seo_description: Option<String>,
    #[serde(default)]
    pub(in crate::inventory) skus: Vec<SkuLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::inventory) struct SkuLine {
    #[serde(default)]
    pub(in crate::inventory) code: String,
    pub(in crate::inventory) options: Option<Vec<String>>,
    pub(in crate::inventory) price: Option<Money>,
    #[serde(default, deserialize_with = "some_or_null")]
    pub(in crate::inventory) compare_at_price: Option<Option<Money>>,
    pub(in crate::inventory) barcode: Option<String>,
    pub(in crate::inventory) weight_grams: Option<i64>,
    pub(in crate::inventory) requires_shipping: Option<bool>,
    pub(in crate::inventory) taxable: Option<bool>,
    pub(in crate::inventory) image_url: Option<String>,
    pub(in crate::inventory) backorder_limit: Option<i64>,
    #[serde(default, deserialize_with = "some_or_null")]
    pub(in crate::inventory) low_stock_threshold: Option<Option<i64>>,
    #[serde(default)]
    pub(in crate::inventory) stock: Vec<StockLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::inventory) struct StockLine {
    pub(in crate::inventory) location: String,
    pub(in crate::inventory) on_hand: Option<i64>,
    pub(in crate::inventory) safety: Option<i64>,
    pub(in crate::inventory) incoming: Option<i64>,
}

// The words that `type` can be; one type for each, so that a line's struct takes only its own.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::inventory) enum LocationKind {
    Location,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::inventory) enum CategoryKind {
    Category,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::inventory) enum ProductKind {
    Product,
}

/// Writes a line.
pub(in crate::inventory) fn write(out: &mut Vec<u8>, line: &impl Serialize) {
    // Our lines are plain structs with text keys, and writing to memory does not fail.
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

/// Reads a JSONL file.
pub(in crate::inventory) struct Reader<R> {
    input: BufReader<R>,
    line: u64,
    bytes: u64,
    rows: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Reader<R> {
    pub(in crate::inventory) fn new(input: R) -> Self {
        Reader { input: BufReader::with_capacity(64 * 1024, input), line: 0, bytes: 0, rows: 0, buffer: vec![] }
    }

    /// Reads the next line into the buffer; gives its length in the file, which is more than the buffer's where it is too long.
    fn read_line(&mut self) -> Result<usize, ReadError> {
        self.buffer.clear();
        self.line += 1;
        let limit = ROW_BYTES_MAX as u64 + 1;
        let mut length = (&mut self.input).take(limit).read_until(b'\n', &mut self.buffer)?;
        if length > ROW_BYTES_MAX {
            length += skip_line(&mut self.input)?;
        }
        self.bytes += length as u64;
        Ok(length)
    }

    fn unreadable(&self, fault: Fault) -> ReadError {
        ReadError::Fault(RowFault::new(self.line, "", fault))
    }
}

/// Reads on to the end of the line; gives the number of bytes.
fn skip_line(input: &mut impl BufRead) -> Result<usize, ReadError> {
    let mut skipped = 0;
    loop {
        let bytes = input.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |end| end + 1);
        let is_done = end.is_some() || bytes.is_empty();
        input.consume(count);
        skipped += count;
        if is_done {
            return Ok(skipped);
        }
    }
}

impl<R: Read> super::Reader for Reader<R> {
    fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        loop {
            let length = self.read_line()?;
            if length == 0 {
                return Ok(None);
            }
            let mut bytes = self.buffer.as_slice();
            if self.line == 1 {
                bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            }
            let bytes = bytes.trim_ascii();
            if bytes.is_empty() {
                continue;
            }
            self.rows += 1;
            let is_first = self.rows == 1;
            let piece = match length > ROW_BYTES_MAX {
                true => Err(of_line(Fault::LongLine { mib: ROW_BYTES_MAX / 1024 / 1024 })),
                false => parse(bytes, self.line),
            };
            return match piece {
                Ok(item) => Ok(Some(Ok(item))),
                // What does not begin with a JSON object is another format, and a fault for each line would say less.
                Err(_) if is_first && is_utf16(bytes) => Err(self.unreadable(Fault::Utf16)),
                Err(_) if is_first && bytes[0] != b'{' => Err(self.unreadable(Fault::NotJsonl)),
                Err(wrong) => Ok(Some(Err(vec![RowFault::of(self.line, wrong)]))),
            };
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn rows(&self) -> u64 {
        self.rows
    }
}

/// What is wrong with a line as a whole.
fn of_line(fault: Fault) -> FieldError {
    FieldError::new("", fault)
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

fn parse(bytes: &[u8], line: u64) -> Result<Item, FieldError> {
    let text = std::str::from_utf8(bytes).map_err(|_| of_line(Fault::NotUtf8))?;
    match kind(text)?.as_ref() {
        "product" => Ok(Item::Product(product(read(text)?, line))),
        "category" => {
            let CategoryLine { path, name, position, .. } = read(text)?;
            Ok(Item::Category(ImportCategory { line, path, name, position }))
        }
        "location" => {
            let LocationLine { code, name, address, priority, active, .. } = read(text)?;
            Ok(Item::Location(ImportLocation { line, code, name, address, priority, active }))
        }
        other => Err(FieldError::new("/type", Fault::LineType { text: shown(other, CHARACTERS_TOLD) })),
    }
}

/// The line's `type`. It mostly stands first: then it is read without a look at the rest.
fn kind(text: &str) -> Result<Cow<'_, str>, FieldError> {
    let first = text.strip_prefix("{\"type\":\"").and_then(|rest| rest.split_once('"'));
    match first {
        Some((kind, _)) if !kind.contains('\\') => Ok(Cow::Borrowed(kind)),
        _ => Ok(read::<KindOnly>(text)?.0.into()),
    }
}

/// [`Kind`] without a borrow, as [`read`] gives what it reads away.
struct KindOnly(String);

impl<'de> Deserialize<'de> for KindOnly {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Kind::deserialize(deserializer).map(|Kind { kind }| KindOnly(kind.into_owned()))
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, FieldError> {
    // Telling the path costs time, so a line is only read with it when something is wrong.
    serde_json::from_str(text).or_else(|_| {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let pointer = shown(&json_pointer(error.path()), WORDS_TOLD);
            match error.inner().classify() {
                serde_json::error::Category::Data => {
                    FieldError::new(pointer, Fault::WrongMember { words: words(error.inner()) })
                }
                _ => not_json(error.inner()),
            }
        })?;
        reader.end().map_err(|error| not_json(&error))?;
        Ok(value)
    })
}

fn not_json(error: &serde_json::Error) -> FieldError {
    of_line(Fault::NotJson { words: words(error), column: error.column() })
}

/// What the reader of JSON says, without the place: a line is read by itself.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    shown(text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words), WORDS_TOLD)
}

fn product(line: ProductLine, number: u64) -> ImportProduct {
    let category = line.category.map(|path| path.map(|path| CategoryPath { path, names: vec![] }));
    ImportProduct {
        handle: line.handle,
        values: ProductPatch {
            title: line.title,
            description_html: line.description_html,
            vendor: line.vendor,
            product_type: line.product_type,
            status: line.status,
            tags: line.tags,
            options: line.options,
            attributes: line.attributes,
            images: line.images,
            seo_title: line.seo_title,
            seo_description: line.seo_description,
            ..ProductPatch::default()
        },
        category,
        skus: line.skus.into_iter().map(sku).collect(),
        source: Source::Jsonl { line: number },
        faults: vec![],
        fault_line: None,
    }
}

fn sku(line: SkuLine) -> ImportSku {
    let stock = |line: StockLine| ImportStock {
        location: Some(line.location),
        location_is_declared: false,
        on_hand: line.on_hand,
        safety: line.safety,
        incoming: line.incoming,
    };
    ImportSku {
        code: line.code,
        code_is_made: false,
        values: SkuPatch {
            options: line.options,
            price: line.price,
            compare_at_price: line.compare_at_price,
            barcode: line.barcode,
            weight_grams: line.weight_grams,
            requires_shipping: line.requires_shipping,
            taxable: line.taxable,
            image_url: line.image_url,
            backorder_limit: line.backorder_limit,
            low_stock_threshold: line.low_stock_threshold,
            ..SkuPatch::default()
        },
        sells_beyond: false,
        stock: line.stock.into_iter().map(stock).collect(),
        is_faulty: false,
    }
}
