//! Shopify's product CSV read: rows that stand together become one product.

use std::io::Read;

use group::Group;

use super::record::Records;
use super::{Column, is_known, unguarded};
use crate::error::Fault;
use crate::inventory::format::{CHARACTERS_TOLD, FAULTS_KEPT, Piece, ReadError, is_utf16, shown};
use crate::inventory::{Money, ProductStatus, RowFault};
use crate::money;

mod group;

/// So many unknown columns are told, and so much of the name of each.
const COLUMNS_TOLD: usize = 100;
const COLUMN_CHARACTERS_TOLD: usize = 100;

/// Reads a CSV file.
pub(in crate::inventory) struct Reader<R> {
    records: Records<R>,
    header: Header,
    columns_ignored: Vec<String>,
    currency: String,
    rows: u64,
    /// The product whose rows are being read.
    group: Option<Group>,
}

/// Where each known column stands.
struct Header {
    places: [Option<usize>; Column::ALL.len()],
    width: usize,
}

impl Header {
    fn place(&self, column: Column) -> Option<usize> {
        self.places[column as usize]
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header. Prices are in `currency`.
    pub(in crate::inventory) fn new(input: R, currency: &str) -> Result<Self, ReadError> {
        let mut records = Records::new(input);
        let header = read_header(&mut records)?;
        let columns_ignored = unknown_columns(&records);
        Ok(Reader { records, header, columns_ignored, currency: currency.to_owned(), rows: 0, group: None })
    }
}

fn read_header<R: Read>(records: &mut Records<R>) -> Result<Header, ReadError> {
    let wrong = |line, column: Column, fault| ReadError::Fault(RowFault::new(line, column.name(), fault));
    if !records.advance()? {
        return Err(wrong(1, Column::Handle, Fault::EmptyFile));
    }
    let mut header = Header { places: [None; Column::ALL.len()], width: records.len() };
    for index in 0..records.len() {
        let name = String::from_utf8_lossy(records.cell(index).unwrap_or_default());
        let found = Column::ALL.iter().find(|column| column.name().eq_ignore_ascii_case(name.trim()));
        if let Some(&column) = found
            && header.places[column as usize].replace(index).is_some()
        {
            return Err(wrong(records.line(), column, Fault::ColumnTwice));
        }
    }
    match header.place(Column::Handle) {
        Some(_) => Ok(header),
        None => Err(wrong(records.line(), Column::Handle, why_no_handle(records))),
    }
}

/// What is wrong with a header that, cut at its commas, names no handle. Spreadsheets write other separators in many countries, and
/// then a comma in prices; such files are not taken, as nobody could tell what `1.000` is in them.
fn why_no_handle<R: Read>(header: &Records<R>) -> Fault {
    let cells = || (0..header.len()).map(|index| header.cell(index).unwrap_or_default());
    if cells().next().is_some_and(is_utf16) {
        return Fault::Utf16;
    }
    let is_handle = |name: &str| name.trim_matches(['"', ' ']).eq_ignore_ascii_case(Column::Handle.name());
    let separator = [(';', "semicolons"), ('\t', "tabs")]
        .into_iter()
        .find(|(separator, _)| cells().any(|cell| String::from_utf8_lossy(cell).split(*separator).any(is_handle)));
    match separator {
        Some((_, name)) => Fault::NotByCommas { separator: name.to_owned() },
        None => Fault::NoColumn,
    }
}

/// The columns of the header that neither we nor Shopify know.
fn unknown_columns<R: Read>(header: &Records<R>) -> Vec<String> {
    (0..header.len())
        .map(|index| String::from_utf8_lossy(header.cell(index).unwrap_or_default()))
        .filter(|name| !name.trim().is_empty() && !is_known(name.trim()))
        .map(|name| name.trim().chars().filter(|c| !c.is_control()).take(COLUMN_CHARACTERS_TOLD).collect())
        .take(COLUMNS_TOLD)
        .collect()
}

impl<R: Read> super::super::Reader for Reader<R> {
    fn next(&mut self) -> Result<Option<Piece>, ReadError> {
        while self.records.advance()? {
            self.rows += 1;
            let mut faults = vec![];
            let mut row =
                Row { header: &self.header, records: &self.records, currency: &self.currency, faults: &mut faults };
            if row.is_blank() {
                continue;
            }
            let Some(handle) = row.handle() else { return Ok(Some(Err(faults))) };
            let goes_on = self.group.as_ref().is_some_and(|group| group.product.handle == handle);
            let done = if goes_on { None } else { self.group.replace(Group::new(handle, row.line())) };
            if let Some(group) = &mut self.group {
                group.add(&mut row, !goes_on);
                let room = FAULTS_KEPT.saturating_sub(group.product.faults.len());
                group.product.faults.extend(faults.into_iter().take(room));
            }
            if let Some(done) = done {
                return Ok(Some(Ok(done.finish())));
            }
        }
        Ok(self.group.take().map(|group| Ok(group.finish())))
    }

    fn bytes(&self) -> u64 {
        self.records.bytes()
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn columns_ignored(&self) -> &[String] {
        &self.columns_ignored
    }
}

/// The current row. What it reads is `None` where the column is absent, and where the cell is wrong: then there is a fault.
struct Row<'a, R> {
    header: &'a Header,
    records: &'a Records<R>,
    currency: &'a str,
    faults: &'a mut Vec<RowFault>,
}

impl<R: Read> Row<'_, R> {
    fn line(&self) -> u64 {
        self.records.line()
    }

    fn fault(&mut self, column: &str, fault: Fault) {
        self.faults.push(RowFault::new(self.line(), column, fault));
    }

    /// Spreadsheets leave rows of nothing but commas.
    fn is_blank(&self) -> bool {
        (0..self.records.len()).all(|index| self.records.cell(index).is_some_and(<[u8]>::is_empty))
    }

    fn handle(&mut self) -> Option<String> {
        let handle = self.text(Column::Handle)?.trim().to_owned();
        if handle.is_empty() {
            self.fault(Column::Handle.name(), Fault::Empty);
            return None;
        }
        Some(handle)
    }

    fn text(&mut self, column: Column) -> Option<String> {
        let cell = self.records.cell(self.header.place(column)?).unwrap_or_default();
        match std::str::from_utf8(cell) {
            Ok(text) => Some(unguarded(text).to_owned()),
            Err(_) => {
                self.fault(column.name(), Fault::NotUtf8);
                None
            }
        }
    }

    /// The cell without the blanks around it, if anything is there.
    fn filled(&mut self, column: Column) -> Option<String> {
        self.text(column).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn whole(&mut self, column: Column) -> Option<i64> {
        let text = self.filled(column)?;
        let number = money::parse(&text, 0);
        if number.is_none() {
            self.fault(column.name(), Fault::NotWhole { text: told(&text) });
        }
        number
    }

    fn price(&mut self, column: Column) -> Option<Money> {
        let text = self.filled(column)?;
        let decimals = money::decimals(self.currency);
        let amount = money::parse(&text, decimals);
        if amount.is_none() {
            self.fault(column.name(), Fault::NotPrice { text: told(&text), decimals });
        }
        Some(Money { amount: amount?, currency: self.currency.to_owned() })
    }

    fn flag(&mut self, column: Column) -> Option<bool> {
        let text = self.filled(column)?;
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.fault(column.name(), Fault::NotFlag { text: told(&text) });
                None
            }
        }
    }

    fn status(&mut self) -> Option<ProductStatus> {
        let published = self.flag(Column::Published);
        let Some(text) = self.filled(Column::Status) else {
            let is_told = self.header.place(Column::Status).or(self.header.place(Column::Published)).is_some();
            let status = if published == Some(true) { ProductStatus::Active } else { ProductStatus::Draft };
            return is_told.then_some(status);
        };
        match text.to_ascii_lowercase().as_str() {
            "active" => Some(ProductStatus::Active),
            "draft" => Some(ProductStatus::Draft),
            "archived" => Some(ProductStatus::Archived),
            _ => {
                self.fault(Column::Status.name(), Fault::NotStatus { text: told(&text) });
                None
            }
        }
    }
}

/// What stands in a cell, for a fault.
fn told(text: &str) -> String {
    shown(text, CHARACTERS_TOLD)
}
