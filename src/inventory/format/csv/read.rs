//! Shopify's product CSV read: rows that stand together become one product.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;

use super::record::Records;
use super::{Column, OPTION_NAMES, OPTION_VALUES, is_known, split_tags, unguarded};
use crate::inventory::format::{
    CategoryPath, FAULTS_KEPT, ImportProduct, ImportSku, ImportStock, Item, Piece, ReadError, Source, money,
};
use crate::inventory::{Image, Money, NO_OPTION, ProductPatch, ProductStatus, RowFault, SKUS_MAX, SkuPatch};

/// So many unknown columns are told, and so much of the name of each.
const COLUMNS_TOLD: usize = 100;
const COLUMN_CHARACTERS_TOLD: usize = 100;
/// More are not kept of one product; the check of the product tells that there are too many.
const IMAGES_KEPT: usize = 1_000;
/// Rows of one product that are told when it is left out: more than it can have.
const ROWS_KEPT: usize = SKUS_MAX + IMAGES_KEPT;

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
    let fault = |line, column: Column, message: &str| {
        ReadError::Fault(RowFault { line, column: column.name().to_owned(), message: message.to_owned() })
    };
    if !records.advance()? {
        return Err(fault(1, Column::Handle, "the file is empty; its first row must name the columns"));
    }
    let mut header = Header { places: [None; Column::ALL.len()], width: records.len() };
    for index in 0..records.len() {
        let name = String::from_utf8_lossy(records.cell(index).unwrap_or_default());
        let found = Column::ALL.iter().find(|column| column.name().eq_ignore_ascii_case(name.trim()));
        if let Some(&column) = found
            && header.places[column as usize].replace(index).is_some()
        {
            return Err(fault(records.line(), column, "the file has this column twice"));
        }
    }
    match header.place(Column::Handle) {
        Some(_) => Ok(header),
        None => Err(fault(records.line(), Column::Handle, "the file has no such column; is it a product CSV?")),
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

    fn fault(&mut self, column: &str, message: impl Into<String>) {
        self.faults.push(RowFault { line: self.line(), column: column.to_owned(), message: message.into() });
    }

    /// Spreadsheets leave rows of nothing but commas.
    fn is_blank(&self) -> bool {
        (0..self.records.len()).all(|index| self.records.cell(index).is_some_and(<[u8]>::is_empty))
    }

    fn handle(&mut self) -> Option<String> {
        let handle = self.text(Column::Handle)?.trim().to_owned();
        if handle.is_empty() {
            self.fault(Column::Handle.name(), "must not be empty");
            return None;
        }
        Some(handle)
    }

    fn text(&mut self, column: Column) -> Option<String> {
        let cell = self.records.cell(self.header.place(column)?).unwrap_or_default();
        match std::str::from_utf8(cell) {
            Ok(text) => Some(unguarded(text).to_owned()),
            Err(_) => {
                self.fault(column.name(), "is not UTF-8");
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
            self.fault(column.name(), format!("{} is not a whole number from 0 on", shown(&text)));
        }
        number
    }

    fn price(&mut self, column: Column) -> Option<Money> {
        let text = self.filled(column)?;
        let decimals = money::decimals(self.currency);
        let amount = money::parse(&text, decimals);
        if amount.is_none() {
            let message = format!("{} is not a price: a number with at most {decimals} decimals", shown(&text));
            self.fault(column.name(), message);
        }
        Some(Money { amount: amount?, currency: self.currency.to_owned() })
    }

    fn flag(&mut self, column: Column) -> Option<bool> {
        let text = self.filled(column)?;
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.fault(column.name(), format!("{} is neither true nor false", shown(&text)));
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
                self.fault(Column::Status.name(), format!("{} is not one of active, draft, archived", shown(&text)));
                None
            }
        }
    }
}

/// What stands in a cell, for a message.
fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The rows of one product.
struct Group {
    product: ImportProduct,
    /// The names of its options in its first row; `None`: the file has no columns for them.
    options: Option<Vec<String>>,
    /// The file has columns for the values of options. Until the last row is read, each SKU has three; empty ones are none.
    has_values: bool,
    images: Vec<PlacedImage>,
    has_images: bool,
}

struct PlacedImage {
    position: i64,
    line: u64,
    image: Image,
}

impl Group {
    fn new(handle: String, line: u64) -> Self {
        let source =
            Source::Csv { line, category_column: Column::Type, lines: vec![], sku_lines: vec![], image_lines: vec![] };
        let product = ImportProduct {
            handle,
            values: ProductPatch::default(),
            category: None,
            skus: vec![],
            source,
            faults: vec![],
            fault_line: None,
        };
        Group { product, options: None, has_values: false, images: vec![], has_images: false }
    }

    /// Takes a row in. What is wrong in a SKU's own cells leaves out the SKU, anything else the product.
    fn add<R: Read>(&mut self, row: &mut Row<R>, is_first: bool) {
        if let Source::Csv { lines, .. } = &mut self.product.source
            && lines.len() < ROWS_KEPT
        {
            lines.push(row.line());
        }
        if row.records.len() != row.header.width {
            let message = format!("has {} cells; the header has {}", row.records.len(), row.header.width);
            row.fault("", message);
            // Of a later row nobody can tell what it is; but the product's own values stand in the first.
            return if is_first {
                self.is_faulty(row.line())
            };
        }
        if is_first {
            self.values(row);
            self.category(row);
        }
        self.options(row, is_first);
        let own = row.faults.len();
        self.sku(row);
        let with_sku = row.faults.len();
        self.image(row);
        if own > 0 || row.faults.len() > with_sku {
            self.is_faulty(row.line());
        }
    }

    /// The product is left out, because of this line.
    fn is_faulty(&mut self, line: u64) {
        self.product.fault_line = self.product.fault_line.or(Some(line));
    }

    fn values<R: Read>(&mut self, row: &mut Row<R>) {
        self.product.values = ProductPatch {
            title: row.text(Column::Title),
            description_html: row.text(Column::Body),
            vendor: row.text(Column::Vendor),
            product_type: row.text(Column::Type),
            status: row.status(),
            tags: row.text(Column::Tags).map(|cell| split_tags(&cell)),
            seo_title: row.text(Column::SeoTitle),
            seo_description: row.text(Column::SeoDescription),
            ..ProductPatch::default()
        };
    }

    /// The category: by our own column; else by the names that stand, with ` > ` between them, in one of Shopify's two.
    fn category<R: Read>(&mut self, row: &mut Row<R>) {
        let names_in = |text: Option<String>| -> Vec<String> {
            text.map_or(vec![], |text| text.split('>').map(|name| name.trim().to_owned()).collect())
        };
        let mut names = names_in(row.filled(Column::ProductCategory));
        if let Some(path) = row.text(Column::CategoryPath) {
            let path = path.trim().to_owned();
            names.retain(|_| !path.is_empty());
            if names.len() != path.split('/').count() {
                names.clear();
            }
            self.product.category = Some((!path.is_empty()).then_some(CategoryPath { path, names }));
            return self.category_column(Column::CategoryPath);
        }
        self.category_column(Column::ProductCategory);
        if names.is_empty() {
            self.category_column(Column::Type);
            let text = row.filled(Column::Type).filter(|text| text.contains(" > "));
            names = names_in(text);
            if let Some(name) = names.last() {
                self.product.values.product_type = Some(name.clone());
            }
        }
        if !names.is_empty() {
            self.product.category = Some(Some(CategoryPath { path: String::new(), names }));
        }
    }

    fn category_column(&mut self, column: Column) {
        if let Source::Csv { category_column, .. } = &mut self.product.source {
            *category_column = column;
        }
    }

    /// The names stand in the first row; where a later one has them, they must be the same.
    fn options<R: Read>(&mut self, row: &mut Row<R>, is_first: bool) {
        if row.header.place(Column::Option1Name).is_none() {
            return;
        }
        let names: Vec<String> = OPTION_NAMES.map(|column| row.filled(column).unwrap_or_default()).to_vec();
        let count = names.iter().take_while(|name| !name.is_empty()).count();
        if let Some(gap) = names.iter().skip(count).position(|name| !name.is_empty()) {
            row.fault(OPTION_NAMES[count + gap].name(), "has a name, but the option before it has none");
        }
        let names = names[..count].to_vec();
        if is_first {
            self.options = Some(names);
        } else if count > 0 && self.options.as_ref() != Some(&names) {
            row.fault(Column::Option1Name.name(), "differs from the names in the product's first row");
        }
    }

    fn sku<R: Read>(&mut self, row: &mut Row<R>) {
        let before = row.faults.len();
        self.has_values |= OPTION_VALUES.iter().any(|column| row.header.place(*column).is_some());
        let options: Vec<String> = OPTION_VALUES.map(|column| row.filled(column).unwrap_or_default()).to_vec();
        let code = row.filled(Column::Code).unwrap_or_default();
        let has_price = row.filled(Column::Price).is_some();
        if options.iter().all(String::is_empty) && code.is_empty() && !has_price {
            return;
        }
        let policy = row.filled(Column::Policy).map(|text| text.to_ascii_lowercase());
        if let Some(text) = policy.as_deref().filter(|text| !matches!(*text, "deny" | "continue")) {
            row.fault(Column::Policy.name(), format!("{} is neither deny nor continue", shown(text)));
        }
        let sku = ImportSku {
            code,
            code_is_made: false,
            values: SkuPatch {
                options: Some(options),
                price: row.price(Column::Price),
                compare_at_price: row.header.place(Column::CompareAtPrice).map(|_| row.price(Column::CompareAtPrice)),
                barcode: row.text(Column::Barcode),
                weight_grams: row.whole(Column::Grams),
                requires_shipping: row.flag(Column::RequiresShipping),
                taxable: row.flag(Column::Taxable),
                image_url: row.text(Column::VariantImage).map(|url| url.trim().to_owned()),
                backorder_limit: policy.as_deref().filter(|text| *text == "deny").map(|_| 0),
                ..SkuPatch::default()
            },
            sells_beyond: policy.as_deref() == Some("continue"),
            stock: stock(row),
            is_faulty: row.faults.len() > before,
        };
        // One beyond what is allowed is kept: it makes the check of the product tell that there are too many.
        if let Source::Csv { sku_lines, .. } = &mut self.product.source
            && self.product.skus.len() <= SKUS_MAX
        {
            sku_lines.push(row.line());
            self.product.skus.push(sku);
        }
    }

    fn image<R: Read>(&mut self, row: &mut Row<R>) {
        self.has_images |= row.header.place(Column::ImageSrc).is_some();
        let position = row.whole(Column::ImagePosition);
        let alt = row.text(Column::ImageAlt).unwrap_or_default();
        let Some(url) = row.filled(Column::ImageSrc) else { return };
        if self.images.len() < IMAGES_KEPT {
            let image = Image { url, alt, width: None, height: None };
            self.images.push(PlacedImage { position: position.unwrap_or(i64::MAX), line: row.line(), image });
        }
    }

    /// Now that all rows are known: an option for which no SKU has a value is none, whatever its name; and a value without a name
    /// is a fault.
    fn settle_options(&mut self) {
        let skus = &mut self.product.skus;
        if !self.has_values {
            skus.iter_mut().for_each(|sku| sku.values.options = None);
            self.product.values.options = self.options.take();
            return;
        }
        let has_value = |options: &Option<Vec<String>>, index: usize| {
            options.as_ref().and_then(|values| values.get(index)).is_some_and(|value| !value.is_empty())
        };
        let used = std::array::from_fn::<_, 3, _>(|index| skus.iter().any(|sku| has_value(&sku.values.options, index)));
        let last_used = used.iter().rposition(|used| *used).map_or(0, |last| last + 1);
        let kept: Vec<usize> = match &self.options {
            Some(names) => (0..names.len()).filter(|index| used[*index] || skus.is_empty()).collect(),
            None => (0..last_used).collect(),
        };
        let named = self.options.as_ref().map_or(last_used, Vec::len);
        let mut wrong = vec![];
        for (index, sku) in skus.iter_mut().enumerate() {
            let values = sku.values.options.take().unwrap_or_default();
            let is_none = named == 0 && values[0] == NO_OPTION.1;
            let nameless = (named..values.len()).find(|index| !(values[*index].is_empty() || is_none && *index == 0));
            if let Some(column) = nameless {
                wrong.push(format!("/skus/{index}/options/{column}"));
            }
            sku.values.options = Some(kept.iter().map(|index| values[*index].clone()).collect());
        }
        for pointer in wrong {
            self.product.fault(&pointer, "has a value, but the product's first row has no name for this option");
        }
        let names = self.options.take();
        self.product.values.options = names.map(|names| kept.iter().map(|index| names[*index].clone()).collect());
    }

    fn finish(mut self) -> Item {
        self.settle_options();
        if self.has_images {
            self.images.sort_by_key(|placed| placed.position);
            self.images = each_once(self.images);
            if let Source::Csv { image_lines, .. } = &mut self.product.source {
                *image_lines = self.images.iter().map(|placed| placed.line).collect();
            }
            self.product.values.images = Some(self.images.into_iter().map(|placed| placed.image).collect());
        }
        Item::Product(self.product)
    }
}

/// Many files repeat a picture in the row of each SKU, some of them at ever new positions: it is one, with what any row tells of it.
fn each_once(images: Vec<PlacedImage>) -> Vec<PlacedImage> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut once: Vec<PlacedImage> = vec![];
    for placed in images {
        match places.entry(placed.image.url.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(once.len());
                once.push(placed);
            }
            Entry::Occupied(entry) => {
                let first = &mut once[*entry.get()].image;
                if first.alt.is_empty() {
                    first.alt = placed.image.alt;
                }
            }
        }
    }
    once
}

fn stock<R: Read>(row: &mut Row<R>) -> Vec<ImportStock> {
    let on_hand = row.whole(Column::Quantity);
    let at_location = |on_hand| ImportStock {
        location: None,
        location_is_declared: false,
        on_hand: Some(on_hand),
        safety: None,
        incoming: None,
    };
    on_hand.map(at_location).into_iter().collect()
}
