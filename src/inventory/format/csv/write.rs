//! Shopify's product CSV written.

use super::{Column, OPTION_NAMES, OPTION_VALUES, guarded, join_tags};
use crate::inventory::{NO_OPTION, Product, ProductStatus, Sku};
use crate::money;

/// A product and what its columns need beside it.
pub(in crate::inventory) struct ExportRow<'a> {
    pub(in crate::inventory) product: &'a Product,
    pub(in crate::inventory) category_path: &'a str,
    pub(in crate::inventory) category_names: Vec<&'a str>,
    /// What is on hand of each SKU, in their order, at the location that an import takes by itself.
    pub(in crate::inventory) on_hand: Vec<Option<i64>>,
}

/// The row of column names.
pub(in crate::inventory) fn header(out: &mut Vec<u8>) {
    row(out, |column| column.name().to_owned());
}

/// The rows of a product.
pub(in crate::inventory) fn product(out: &mut Vec<u8>, export: &ExportRow) {
    let product = export.product;
    for index in 0..product.skus.len().max(product.images.len()).max(1) {
        row(out, |column| {
            let mut cell = match column {
                Column::Handle => product.handle.clone(),
                _ if index == 0 => first_cell(export, column),
                _ => String::new(),
            };
            if let Some(sku) = product.skus.get(index) {
                cell += &sku_cell(sku, export.on_hand.get(index).copied().flatten(), column);
            }
            if let Some(image) = product.images.get(index) {
                match column {
                    Column::ImageSrc => cell += &image.url,
                    Column::ImagePosition => cell += &(index + 1).to_string(),
                    Column::ImageAlt => cell += &image.alt,
                    _ => {}
                }
            }
            guarded(&cell)
        });
    }
}

fn row(out: &mut Vec<u8>, cell: impl Fn(Column) -> String) {
    let mut writer = csv::Writer::from_writer(out);
    // Writing to memory cannot fail.
    let _ = writer.write_record(Column::ALL.iter().map(|column| cell(*column)));
    let _ = writer.flush();
}

/// What only the first row of a product has.
fn first_cell(export: &ExportRow, column: Column) -> String {
    let product = export.product;
    if let Some(index) = OPTION_NAMES.iter().position(|name| *name == column) {
        let is_told = index == 0 && product.options.is_empty() && !product.skus.is_empty();
        let none = if is_told { NO_OPTION.0 } else { "" };
        return product.options.get(index).map_or(none, String::as_str).to_owned();
    }
    match column {
        Column::Title => product.title.clone(),
        Column::Body => product.description_html.clone(),
        Column::Vendor => product.vendor.clone(),
        Column::ProductCategory => export.category_names.join(" > "),
        Column::Type => product.product_type.clone(),
        Column::Tags => join_tags(&product.tags),
        Column::Published => (product.status == ProductStatus::Active).to_string(),
        Column::SeoTitle => product.seo_title.clone(),
        Column::SeoDescription => product.seo_description.clone(),
        Column::Status => status(product.status).to_owned(),
        Column::CategoryPath => export.category_path.to_owned(),
        _ => String::new(),
    }
}

fn status(status: ProductStatus) -> &'static str {
    match status {
        ProductStatus::Active => "active",
        ProductStatus::Draft => "draft",
        ProductStatus::Archived => "archived",
    }
}

fn sku_cell(sku: &Sku, on_hand: Option<i64>, column: Column) -> String {
    if let Some(index) = OPTION_VALUES.iter().position(|value| *value == column) {
        let none = if index == 0 && sku.options.is_empty() { NO_OPTION.1 } else { "" };
        return sku.options.get(index).map_or(none, String::as_str).to_owned();
    }
    let price = |money: &crate::inventory::Money| money::format(money.amount, money::decimals(&money.currency));
    match column {
        Column::Code => sku.code.clone(),
        Column::Grams => sku.weight_grams.to_string(),
        Column::Tracker => "shopify".to_owned(),
        Column::Quantity => on_hand.map(|on_hand| on_hand.to_string()).unwrap_or_default(),
        Column::Policy => if sku.backorder_limit > 0 { "continue" } else { "deny" }.to_owned(),
        Column::Fulfillment => "manual".to_owned(),
        Column::Price => price(&sku.price),
        Column::CompareAtPrice => sku.compare_at_price.as_ref().map(price).unwrap_or_default(),
        Column::RequiresShipping => sku.requires_shipping.to_string(),
        Column::Taxable => sku.taxable.to_string(),
        Column::Barcode => sku.barcode.clone(),
        Column::VariantImage => sku.image_url.clone(),
        _ => String::new(),
    }
}
