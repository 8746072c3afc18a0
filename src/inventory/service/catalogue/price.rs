//! Prices of many SKUs in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::check_version;
use crate::call::{Answer, Call, Version, Versioned};
use crate::clock::{Id, Time};
use crate::db::{Connection, DbError};
use crate::error::Fault;
use crate::inventory::service::LocalInventory;
use crate::inventory::service::catalogue::product::EventData;
use crate::inventory::service::change::sku_fields;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::reservation::{ATTEMPTS, Setback};
use crate::inventory::service::validate::{self, Faults};
use crate::inventory::store::bulk;
use crate::inventory::store::change::changes_insert;
use crate::inventory::store::event::events_insert;
use crate::inventory::store::sku::sku_counts;
use crate::inventory::{
    FieldChange, InventoryError, PriceBatch, PriceChange, PriceResult, Product, ROWS_MAX, Sku, SkuPrice,
};

/// Why rows cannot be done.
type RowErrors = Vec<(usize, InventoryError)>;

/// A change of a price needs the whole of its product. So many SKUs are loaded at most, while nobody else writes on SQLite.
const SKUS_LOADED_MAX: usize = 20_000;

impl LocalInventory {
    pub(super) async fn set_prices(
        &self,
        call: &Call,
        batch: PriceBatch,
    ) -> Result<Answer<PriceResult>, InventoryError> {
        if !(1..=ROWS_MAX).contains(&batch.rows.len()) {
            let fault = Fault::WrongCount { count: batch.rows.len(), min: 1, max: ROWS_MAX };
            return Err(InventoryError::invalid("/rows", fault));
        }
        refuse(form_faults(&batch.rows, &self.config.currency))?;
        let hours = self.config.idempotency_hours;
        for _ in 0..ATTEMPTS {
            let (call, batch, now) = (call.clone(), batch.clone(), self.clock.now());
            let keyed = call.key.is_some();
            let attempt = move |conn: &mut Connection| {
                once(conn, &call, hours, now, |conn| apply(conn, &call.actor, &batch.rows, now))
            };
            match self.db.write_keyed(keyed, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(Setback::Failed(error)) => return Err(error),
                // Somebody changed one of the products between our look at it and our change.
                Err(Setback::Raced | Setback::Due(_)) => {}
            }
        }
        Err(DbError::Timeout(format!("no result after {ATTEMPTS} attempts at these products")).into())
    }
}

fn refuse(errors: RowErrors) -> Result<(), InventoryError> {
    match errors.is_empty() {
        true => Ok(()),
        false => Err(InventoryError::Rows(errors)),
    }
}

/// What is wrong with the rows themselves.
fn form_faults(rows: &[PriceChange], currency: &str) -> RowErrors {
    let mut seen = HashSet::new();
    let error = |(n, row): (usize, &PriceChange)| {
        let mut faults = Faults::default();
        faults.sku_code("/sku", &row.sku);
        if !seen.insert(row.sku.clone()) {
            faults.add("/sku", Fault::InAnotherRow);
        }
        validate::sku::money("/price", &row.price, currency, &mut faults);
        if let Some(price) = &row.compare_at_price {
            validate::sku::money("/compare_at_price", price, currency, &mut faults);
        }
        faults.finish().err().map(|error| (n, error))
    };
    rows.iter().enumerate().filter_map(error).collect()
}

/// Looks at the products of all rows, and writes those that change: the products first, which nobody else changes from then on.
fn apply(conn: &mut Connection, actor: &str, rows: &[PriceChange], now: Time) -> Result<PriceResult, Setback> {
    let codes: Vec<&str> = rows.iter().map(|row| row.sku.as_str()).collect();
    let owners: HashMap<String, Id> = bulk::sku_owners(conn, &codes)?.into_iter().collect();
    let mut ids: Vec<Id> = owners.values().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    let count = sku_counts(conn, &ids)?.values().sum();
    if count > SKUS_LOADED_MAX {
        return Err(InventoryError::invalid("/rows", Fault::TooManySkus { count, max: SKUS_LOADED_MAX }).into());
    }
    let mut products: BTreeMap<Id, Product> =
        bulk::products_by_id(conn, &ids)?.into_iter().map(|product| (product.id, product)).collect();
    let places: HashMap<String, (Id, usize)> = products
        .values()
        .flat_map(|product| product.skus.iter().enumerate().map(|(n, sku)| (sku.code.clone(), (product.id, n))))
        .collect();
    let mut errors = RowErrors::new();
    let mut changed: Vec<(Id, usize)> = vec![];
    let mut fields: HashMap<Id, Vec<FieldChange>> = HashMap::new();
    let mut done = Vec::with_capacity(rows.len());
    for (n, row) in rows.iter().enumerate() {
        let Some((id, at)) = places.get(&row.sku).copied() else {
            errors.push((n, InventoryError::invalid("/sku", Fault::NoSuchSku)));
            continue;
        };
        let Some(sku) = products.get_mut(&id).and_then(|product| product.skus.get_mut(at)) else { continue };
        let old = sku.clone();
        match set(sku, row, now) {
            Ok(false) => {}
            Ok(true) => {
                changed.push((id, at));
                fields.entry(id).or_default().extend(sku_fields(&old, sku));
            }
            Err(error) => errors.push((n, error)),
        }
        done.push(told(sku));
    }
    refuse(errors)?;
    let touched: HashSet<Id> = changed.iter().map(|(id, _)| *id).collect();
    products.retain(|id, _| touched.contains(id));
    for product in products.values_mut() {
        (product.version, product.updated_at) = (product.version + 1, now);
    }
    if !bulk::products_update(conn, &products.values().collect::<Vec<_>>())? {
        return Err(Setback::Raced);
    }
    let skus: Vec<&Sku> = changed.iter().filter_map(|(id, at)| products.get(id)?.skus.get(*at)).collect();
    bulk::skus_update(conn, &skus)?;
    let events = products.values().map(|product| (product.id, EventData::from(product)));
    events_insert(conn, "product.updated", events, now)?;
    let changes = products
        .values()
        .map(|product| (product.id, product.handle.as_str(), fields.remove(&product.id).unwrap_or_default()));
    changes_insert(conn, actor, "product.updated", changes, now)?;
    Ok(PriceResult { changed: changed.len(), rows: done })
}

/// Gives the SKU its new prices; false: it has them already.
fn set(sku: &mut Sku, row: &PriceChange, now: Time) -> Result<bool, InventoryError> {
    if sku.price == row.price && sku.compare_at_price == row.compare_at_price {
        return Ok(false);
    }
    check_version(Some(Version { id: sku.id, number: row.version }), sku.version())?;
    (sku.price, sku.compare_at_price) = (row.price.clone(), row.compare_at_price.clone());
    (sku.version, sku.updated_at) = (sku.version + 1, now);
    Ok(true)
}

fn told(sku: &Sku) -> SkuPrice {
    SkuPrice {
        sku: sku.code.clone(),
        version: sku.version,
        price: sku.price.clone(),
        compare_at_price: sku.compare_at_price.clone(),
    }
}
