//! SKUs with their products, for those who have only the codes.

use std::collections::HashMap;

use diesel::prelude::*;

use super::ProductRow;
use super::filter::add_in_stock;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::{self, JsonValue};
use crate::inventory::store::sku::skus_of_codes;
use crate::inventory::store::statement::Statement;
use crate::inventory::{ProductSummary, Sku, SkuOffer};

#[derive(QueryableByName)]
struct OfferedRow {
    #[diesel(embed)]
    product: ProductRow,
    #[diesel(sql_type = sql::Json)]
    options: JsonValue,
}

/// The SKUs of these codes with their products, in no order: two statements.
pub(in crate::inventory) fn offers(
    conn: &mut Connection,
    codes: &[String],
    currency: &str,
    now: Time,
) -> QueryResult<Vec<SkuOffer>> {
    let skus = skus_of_codes(conn, codes)?;
    let mut ids: Vec<Id> = skus.iter().map(|sku| sku.product_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let products = summaries(conn, &ids, currency, now)?;
    // One that went between the two statements has no offer.
    let offer = |sku: Sku| {
        let (product, options) = products.get(&sku.product_id)?.clone();
        Some(SkuOffer { sku, product, options })
    };
    Ok(skus.into_iter().filter_map(offer).collect())
}

/// These products as lists tell them, each with the names of its options.
fn summaries(
    conn: &mut Connection,
    ids: &[Id],
    currency: &str,
    now: Time,
) -> QueryResult<HashMap<Id, (ProductSummary, Vec<String>)>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut select = Statement::default();
    select.add(
        "SELECT p.id, p.handle, p.title, p.vendor, p.status, p.category_id, p.images, p.price_min, p.price_max, p.created_at,
                p.updated_at, p.options,",
        [],
    );
    add_in_stock(&mut select, "", now);
    select.add("AS in_stock FROM products p WHERE p.id IN (", []);
    for (index, id) in ids.iter().enumerate() {
        select.add(if index == 0 { "?" } else { ", ?" }, [(*id).into()]);
    }
    select.add(")", []);
    let rows = select.load::<OfferedRow>(conn)?;
    rows.into_iter()
        .map(|row| {
            let options = row.options.read("products.options")?;
            Ok((row.product.id, (row.product.summary(currency)?, options)))
        })
        .collect()
}
