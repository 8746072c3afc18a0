//! The log of changes, and what there is to say of one.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::{LocalInventory, limit, position};
use crate::clock::Id;
use crate::inventory::store::change as store;
use crate::inventory::{Change, ChangeLog, ChangeQuery, FieldChange, InventoryError, Product, Sku};
use crate::page::Page;

/// A longer value is not kept, in bytes of JSON.
const VALUE_MAX: usize = 200;

/// What says nothing of its own: the thing itself, and what changes with everything.
const UNTOLD: &[&str] = &["id", "product_id", "version", "created_at", "updated_at", "skus"];

#[async_trait]
impl ChangeLog for LocalInventory {
    async fn change_list(&self, query: ChangeQuery) -> Result<Page<Change>, InventoryError> {
        let limit = limit(query.limit)?;
        let before = position::<Id>(query.cursor.as_deref())?;
        let changes = self
            .db
            .read(move |conn| Ok::<_, InventoryError>(store::change_list(conn, query.subject, before, limit + 1)?))
            .await?;
        Ok(Page::cut(changes, limit, |change| change.id))
    }
}

/// What differs of a product and its SKUs.
pub(super) fn product_fields(old: &Product, new: &Product) -> Vec<FieldChange> {
    let mut fields = fields(old, new);
    let mut before: HashMap<Id, &Sku> = old.skus.iter().map(|sku| (sku.id, sku)).collect();
    for sku in &new.skus {
        match before.remove(&sku.id) {
            Some(old) => fields.extend(sku_fields(old, sku)),
            None => fields.push(sku_change(&sku.code, Value::Null, sku.code.as_str().into())),
        }
    }
    let gone = old.skus.iter().filter(|sku| before.contains_key(&sku.id));
    fields.extend(gone.map(|sku| sku_change(&sku.code, sku.code.as_str().into(), Value::Null)));
    fields
}

/// What differs of a SKU.
pub(super) fn sku_fields(old: &Sku, new: &Sku) -> Vec<FieldChange> {
    if old == new {
        return vec![];
    }
    let of_sku = |field| FieldChange { sku: Some(new.code.clone()), ..field };
    fields(old, new).into_iter().map(of_sku).collect()
}

fn sku_change(code: &str, from: Value, to: Value) -> FieldChange {
    FieldChange { field: "sku".to_owned(), sku: Some(code.to_owned()), from, to }
}

/// What differs of two forms of a thing.
pub(super) fn fields(old: &impl Serialize, new: &impl Serialize) -> Vec<FieldChange> {
    let (Ok(Value::Object(mut old)), Ok(Value::Object(new))) = (serde_json::to_value(old), serde_json::to_value(new))
    else {
        return vec![];
    };
    let mut fields = vec![];
    for (field, to) in new {
        let from = old.remove(&field).unwrap_or_default();
        if from == to || UNTOLD.contains(&field.as_str()) {
            continue;
        }
        let is_kept = [&from, &to].iter().all(|value| value.to_string().len() <= VALUE_MAX);
        let (from, to) = if is_kept { (from, to) } else { Default::default() };
        fields.push(FieldChange { field, sku: None, from, to });
    }
    fields
}
