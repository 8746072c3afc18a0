//! The values of a SKU.

use super::Faults;
use crate::error::Fault;
use crate::inventory::{MONEY_MAX, Money, NewSku, QUANTITY_MAX, SkuPatch};

const WEIGHT_MAX_GRAMS: i64 = 1_000_000_000;
const BARCODE_MAX: usize = 100;
/// Three of them and the product's id must fit into one row of an index of PostgreSQL (2,704 bytes).
const OPTION_VALUE_MAX: usize = 200;

/// Brings a new SKU into the form in which it is kept, and notes what is not allowed.
pub(in crate::inventory::service) fn sku(new: &mut NewSku, currency: &str, faults: &mut Faults) {
    faults.sku_code("/code", &new.code);
    option_values(&mut new.options, faults);
    money("/price", &new.price, currency, faults);
    if let Some(price) = &new.compare_at_price {
        money("/compare_at_price", price, currency, faults);
    }
    faults.line("/barcode", &mut new.barcode, BARCODE_MAX);
    faults.range("/weight_grams", new.weight_grams, 0, WEIGHT_MAX_GRAMS);
    image_url(&mut new.image_url, faults);
    faults.range("/backorder_limit", new.backorder_limit, 0, QUANTITY_MAX);
    faults.range("/low_stock_threshold", new.low_stock_threshold.unwrap_or(0), 0, QUANTITY_MAX);
}

/// The same for a change.
pub(in crate::inventory::service) fn sku_patch(patch: &mut SkuPatch, currency: &str, faults: &mut Faults) {
    if let Some(code) = &patch.code {
        faults.sku_code("/code", code);
    }
    if let Some(values) = &mut patch.options {
        option_values(values, faults);
    }
    faults.range("/position", patch.position.unwrap_or(0), 0, QUANTITY_MAX);
    if let Some(price) = &patch.price {
        money("/price", price, currency, faults);
    }
    if let Some(Some(price)) = &patch.compare_at_price {
        money("/compare_at_price", price, currency, faults);
    }
    if let Some(barcode) = &mut patch.barcode {
        faults.line("/barcode", barcode, BARCODE_MAX);
    }
    faults.range("/weight_grams", patch.weight_grams.unwrap_or(0), 0, WEIGHT_MAX_GRAMS);
    if let Some(url) = &mut patch.image_url {
        image_url(url, faults);
    }
    faults.range("/backorder_limit", patch.backorder_limit.unwrap_or(0), 0, QUANTITY_MAX);
    faults.range("/low_stock_threshold", patch.low_stock_threshold.flatten().unwrap_or(0), 0, QUANTITY_MAX);
}

/// A SKU has one value for each of its product's options.
pub(in crate::inventory::service) fn option_count(values: &[String], names: &[String], faults: &mut Faults) {
    if values.len() != names.len() {
        faults.add("/options", Fault::OptionCount { count: values.len(), options: names.len() });
    }
}

fn option_values(values: &mut [String], faults: &mut Faults) {
    faults.count("/options", values.len(), crate::inventory::OPTIONS_MAX);
    for (index, value) in values.iter_mut().enumerate() {
        faults.within(&format!("/options/{index}"), |faults| faults.required_line("", value, OPTION_VALUE_MAX));
    }
}

/// A price in the shop's currency.
pub(in crate::inventory::service) fn money(pointer: &str, money: &Money, currency: &str, faults: &mut Faults) {
    faults.within(pointer, |faults| {
        faults.range("/amount", money.amount, 0, MONEY_MAX);
        if money.currency != currency {
            faults.add("/currency", Fault::Currency { currency: currency.to_owned() });
        }
    });
}

/// Empty: none.
fn image_url(url: &mut String, faults: &mut Faults) {
    if !url.is_empty() {
        faults.image_url("/image_url", url);
    }
}
