//! SKUs. Each change is one of the product too.

use std::collections::HashMap;

use super::product::{claim, first_sku_version, save, write_fewer_options};
use super::{check_version, explain};
use crate::call::{Answer, Call, Version, Versioned};
use crate::clock::Time;
use crate::db::{Connection, DbError};
use crate::error::Fault;
use crate::inventory::service::LocalInventory;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::validate::{self, Faults};
use crate::inventory::store::listing::offer::offers;
use crate::inventory::store::sku as store;
use crate::inventory::{
    InventoryError, NewSku, Product, ProductKey, ProductStatus, ROWS_MAX, SKUS_MAX, Sku, SkuOffer, SkuPatch,
};

impl LocalInventory {
    pub(super) async fn get_sku(&self, code: &str) -> Result<Option<(Sku, ProductStatus)>, InventoryError> {
        if !validate::is_sku_code(code) {
            return Ok(None);
        }
        let code = code.to_owned();
        self.db.read(move |conn| Ok(store::sku_with_status(conn, &code)?)).await
    }

    pub(super) async fn offer_skus(&self, codes: Vec<String>) -> Result<Vec<SkuOffer>, InventoryError> {
        if codes.len() > ROWS_MAX {
            return Err(InventoryError::invalid("/codes", Fault::TooMany { count: codes.len(), max: ROWS_MAX }));
        }
        let known: Vec<String> = codes.iter().filter(|code| validate::is_sku_code(code)).cloned().collect();
        let (currency, now) = (self.config.currency.clone(), self.clock.now());
        let found = self.db.read(move |conn| Ok::<_, InventoryError>(offers(conn, &known, &currency, now)?)).await?;
        let found: HashMap<&str, &SkuOffer> = found.iter().map(|offer| (offer.sku.code.as_str(), offer)).collect();
        Ok(codes.iter().filter_map(|code| found.get(code.as_str()).copied().cloned()).collect())
    }

    pub(super) async fn create_sku(
        &self,
        call: &Call,
        key: ProductKey,
        mut new: NewSku,
    ) -> Result<Answer<Sku>, InventoryError> {
        let mut faults = Faults::default();
        validate::sku::sku(&mut new, &self.config.currency, &mut faults);
        faults.finish()?;
        let now = self.clock.now();
        let (call, hours) = (call.clone(), self.config.idempotency_hours);
        self.write_named(call.key.is_some(), move |conn, _| {
            once(conn, &call, hours, now, |conn| insert(conn, &call.actor, &key, new.clone(), now))
        })
        .await
    }

    pub(super) async fn update_sku(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
        mut patch: SkuPatch,
    ) -> Result<Sku, InventoryError> {
        let mut faults = Faults::default();
        validate::sku::sku_patch(&mut patch, &self.config.currency, &mut faults);
        faults.finish()?;
        let (actor, code, now) = (call.actor.clone(), code.to_owned(), self.clock.now());
        self.write_named(false, move |conn, _| {
            let (product, index) = claim_sku(conn, &code, expected, now)?;
            let old = &product.skus[index];
            let mut changed = product.clone();
            changed.skus[index] =
                Sku { version: old.version + 1, updated_at: now, ..patched(old.clone(), patch.clone()) };
            drop_no_option(&mut changed);
            let sku = changed.skus[index].clone();
            check_options(&changed, &sku)?;
            if sku.code != old.code {
                check_code(conn, &sku.code)?;
            }
            store::sku_replace(conn, &sku)?;
            if sku.backorder_limit != old.backorder_limit {
                explain(store::stock_backorder_set(conn, &sku), DbError::is_check_violation, || {
                    InventoryError::Conflict(Fault::BackorderPromised { max: sku.backorder_limit })
                })?;
            }
            save(conn, &actor, &product, &changed)?;
            Ok(sku)
        })
        .await
    }

    pub(super) async fn delete_sku(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
    ) -> Result<(), InventoryError> {
        let (actor, code, now) = (call.actor.clone(), code.to_owned(), self.clock.now());
        self.db
            .write(move |conn| {
                let (product, index) = claim_sku(conn, &code, expected, now)?;
                let mut changed = product.clone();
                let sku = changed.skus.remove(index);
                let in_use = || InventoryError::Conflict(Fault::SkuHadStock { sku: code.clone() });
                if store::had_stock(conn, sku.product_id, Some(sku.id))? {
                    return Err(in_use());
                }
                let deleted = store::sku_delete(conn, sku.product_id, sku.id);
                explain(deleted, DbError::is_foreign_key_violation, in_use)?;
                drop_no_option(&mut changed);
                write_fewer_options(conn, &product, &mut changed)?;
                save(conn, &actor, &product, &changed)
            })
            .await
    }
}

/// Adds a SKU behind the others of its product.
fn insert(conn: &mut Connection, actor: &str, key: &ProductKey, new: NewSku, now: Time) -> Result<Sku, InventoryError> {
    let old = claim(conn, key, now)?;
    if old.skus.len() >= SKUS_MAX {
        return Err(InventoryError::Conflict(Fault::SkusFull { product: old.handle.clone(), max: SKUS_MAX }));
    }
    let position = old.skus.iter().map(|sku| sku.position).max().unwrap_or(0) + 1;
    let mut product = old.clone();
    product.skus.push(first_sku_version(new, old.id, position, now));
    drop_no_option(&mut product);
    let sku = product.skus[old.skus.len()].clone();
    check_options(&product, &sku)?;
    check_code(conn, &sku.code)?;
    store::skus_insert(conn, [&sku])?;
    save(conn, actor, &old, &product)?;
    Ok(sku)
}

/// Takes the product of a SKU for a change; gives it and the SKU's place in it. The SKU's version is the expected one.
fn claim_sku(
    conn: &mut Connection,
    code: &str,
    expected: Option<Version>,
    now: Time,
) -> Result<(Product, usize), InventoryError> {
    let unknown = || InventoryError::NotFound { what: "SKU", name: code.to_owned() };
    if !validate::is_sku_code(code) {
        return Err(unknown());
    }
    let sku = store::sku_by_code(conn, code)?.ok_or_else(unknown)?;
    let product = claim(conn, &ProductKey::Id(sku.product_id), now)?;
    // Until the product was ours, the SKU could go or get another code.
    let index = product.skus.iter().position(|sku| sku.code == code).ok_or_else(unknown)?;
    check_version(expected, product.skus[index].version())?;
    Ok((product, index))
}

/// A change of one SKU may leave a product whose only option says that there is none.
fn drop_no_option(product: &mut Product) {
    validate::product::drop_no_option(&mut product.options, product.skus.iter_mut().map(|sku| &mut sku.options));
}

/// Has the SKU a value for each option of its product, and no other SKU the same ones?
fn check_options(product: &Product, sku: &Sku) -> Result<(), InventoryError> {
    let mut faults = Faults::default();
    validate::sku::option_count(&sku.options, &product.options, &mut faults);
    faults.finish()?;
    match product.skus.iter().any(|other| other.id != sku.id && other.options == sku.options) {
        true => Err(InventoryError::AlreadyExists { what: "SKU with the options", name: sku.options.join(" / ") }),
        false => Ok(()),
    }
}

fn check_code(conn: &mut Connection, code: &str) -> Result<(), InventoryError> {
    match store::sku_codes_taken(conn, &[code])?.pop() {
        Some(name) => Err(InventoryError::AlreadyExists { what: "SKU", name }),
        None => Ok(()),
    }
}

/// The SKU with what the patch changes.
pub(in crate::inventory::service) fn patched(old: Sku, patch: SkuPatch) -> Sku {
    Sku {
        code: patch.code.unwrap_or(old.code),
        options: patch.options.unwrap_or(old.options),
        position: patch.position.unwrap_or(old.position),
        price: patch.price.unwrap_or(old.price),
        compare_at_price: patch.compare_at_price.unwrap_or(old.compare_at_price),
        barcode: patch.barcode.unwrap_or(old.barcode),
        weight_grams: patch.weight_grams.unwrap_or(old.weight_grams),
        requires_shipping: patch.requires_shipping.unwrap_or(old.requires_shipping),
        taxable: patch.taxable.unwrap_or(old.taxable),
        image_url: patch.image_url.unwrap_or(old.image_url),
        backorder_limit: patch.backorder_limit.unwrap_or(old.backorder_limit),
        low_stock_threshold: patch.low_stock_threshold.unwrap_or(old.low_stock_threshold),
        ..old
    }
}
