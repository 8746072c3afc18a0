//! The rows of a CSV that become one product.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;

use super::{Row, told};
use crate::error::{Fault, FieldError};
use crate::inventory::format::csv::{Column, OPTION_NAMES, OPTION_VALUES, split_tags};
use crate::inventory::format::{CategoryPath, ImportProduct, ImportSku, ImportStock, Item, Source};
use crate::inventory::{Image, NO_OPTION, ProductPatch, SKUS_MAX, SkuPatch};

/// More are not kept of one product; the check of the product tells that there are too many.
const IMAGES_KEPT: usize = 1_000;
/// Rows of one product that are told when it is left out: more than it can have.
const ROWS_KEPT: usize = SKUS_MAX + IMAGES_KEPT;

/// The rows of one product.
pub(super) struct Group {
    pub(super) product: ImportProduct,
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
    pub(super) fn new(handle: String, line: u64) -> Self {
        let source = Source::Csv {
            line,
            category_column: Column::Type,
            lines: vec![],
            sku_lines: vec![],
            image_lines: vec![],
            option_columns: vec![],
        };
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
    pub(super) fn add<R: Read>(&mut self, row: &mut Row<R>, is_first: bool) {
        if let Source::Csv { lines, .. } = &mut self.product.source
            && lines.len() < ROWS_KEPT
        {
            lines.push(row.line());
        }
        if row.records.len() != row.header.width {
            row.fault("", Fault::CellCount { count: row.records.len(), columns: row.header.width });
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
            row.fault(OPTION_NAMES[count + gap].name(), Fault::OptionGap);
        }
        let names = names[..count].to_vec();
        if is_first {
            self.options = Some(names);
        } else if count > 0 && self.options.as_ref() != Some(&names) {
            row.fault(Column::Option1Name.name(), Fault::OptionsDiffer);
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
            row.fault(Column::Policy.name(), Fault::NotPolicy { text: told(text) });
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
            self.product.fault(FieldError::new(pointer, Fault::OptionNameless));
        }
        if let Source::Csv { option_columns, .. } = &mut self.product.source {
            option_columns.clone_from(&kept);
        }
        let names = self.options.take();
        self.product.values.options = names.map(|names| kept.iter().map(|index| names[*index].clone()).collect());
    }

    pub(super) fn finish(mut self) -> Item {
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
