//! The SKUs.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::inventory::schema::{products, skus, stock, stock_ledger};
use crate::inventory::store::product::status_of;
use crate::inventory::{Money, OPTIONS_MAX, ProductStatus, Sku};

/// SQLite takes 32,766 values a statement.
const CODES_PER_SELECT: usize = 20_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = skus)]
pub(in crate::inventory) struct SkuRow {
    pub(super) product_id: Id,
    pub(super) id: Id,
    pub(super) code: String,
    pub(super) option1: String,
    pub(super) option2: String,
    pub(super) option3: String,
    pub(super) position: i64,
    pub(super) price_amount: i64,
    pub(super) price_currency: String,
    pub(super) compare_at_amount: Option<i64>,
    pub(super) barcode: String,
    pub(super) weight_grams: i64,
    pub(super) requires_shipping: bool,
    pub(super) taxable: bool,
    pub(super) image_url: String,
    pub(super) backorder_limit: i64,
    pub(super) low_stock_threshold: Option<i64>,
    pub(super) version: i64,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
}

impl From<SkuRow> for Sku {
    fn from(row: SkuRow) -> Self {
        let price = |amount| Money { amount, currency: row.price_currency.clone() };
        Sku {
            id: row.id,
            product_id: row.product_id,
            code: row.code,
            options: option_list([row.option1, row.option2, row.option3]),
            position: row.position,
            price: price(row.price_amount),
            compare_at_price: row.compare_at_amount.map(price),
            barcode: row.barcode,
            weight_grams: row.weight_grams,
            requires_shipping: row.requires_shipping,
            taxable: row.taxable,
            image_url: row.image_url,
            backorder_limit: row.backorder_limit,
            low_stock_threshold: row.low_stock_threshold,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// All columns of a SKU, for writing.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = skus, primary_key(product_id, id), treat_none_as_default_value = false, treat_none_as_null = true)]
pub(super) struct SkuValues<'a> {
    product_id: Id,
    id: Id,
    code: &'a str,
    option1: &'a str,
    option2: &'a str,
    option3: &'a str,
    position: i64,
    price_amount: i64,
    price_currency: &'a str,
    compare_at_amount: Option<i64>,
    barcode: &'a str,
    weight_grams: i64,
    requires_shipping: bool,
    taxable: bool,
    image_url: &'a str,
    backorder_limit: i64,
    low_stock_threshold: Option<i64>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl<'a> From<&'a Sku> for SkuValues<'a> {
    fn from(sku: &'a Sku) -> Self {
        let [option1, option2, option3] = option_columns(&sku.options);
        SkuValues {
            product_id: sku.product_id,
            id: sku.id,
            code: &sku.code,
            option1,
            option2,
            option3,
            position: sku.position,
            price_amount: sku.price.amount,
            price_currency: &sku.price.currency,
            compare_at_amount: sku.compare_at_price.as_ref().map(|price| price.amount),
            barcode: &sku.barcode,
            weight_grams: sku.weight_grams,
            requires_shipping: sku.requires_shipping,
            taxable: sku.taxable,
            image_url: &sku.image_url,
            backorder_limit: sku.backorder_limit,
            low_stock_threshold: sku.low_stock_threshold,
            version: sku.version,
            created_at: sku.created_at,
            updated_at: sku.updated_at,
        }
    }
}

/// The values in the columns. None is empty, so the first empty column ends them.
pub(super) fn option_list(columns: [String; OPTIONS_MAX]) -> Vec<String> {
    columns.into_iter().take_while(|value| !value.is_empty()).collect()
}

/// Undoes [`option_list`].
pub(super) fn option_columns(options: &[String]) -> [&str; OPTIONS_MAX] {
    std::array::from_fn(|index| options.get(index).map_or("", String::as_str))
}

/// Adds SKUs, of one product or of many. A code that is taken, or a choice of options that the product has already, is a unique
/// violation.
pub(in crate::inventory) fn skus_insert<'a>(
    conn: &mut Connection,
    new: impl IntoIterator<Item = &'a Sku>,
) -> QueryResult<()> {
    let values: Vec<SkuValues> = new.into_iter().map(SkuValues::from).collect();
    insert_many!(conn, skus::table, &values);
    Ok(())
}

/// Which of these codes are taken in the shop.
pub(in crate::inventory) fn sku_codes_taken(conn: &mut Connection, codes: &[&str]) -> QueryResult<Vec<String>> {
    let mut taken = vec![];
    for chunk in codes.chunks(CODES_PER_SELECT) {
        let found = skus::table.filter(skus::code.eq_any(chunk)).select(skus::code).order(skus::code);
        taken.extend(found.load::<String>(conn)?);
    }
    Ok(taken)
}

pub(in crate::inventory) fn sku_by_code(conn: &mut Connection, code: &str) -> QueryResult<Option<Sku>> {
    let row = skus::table.filter(skus::code.eq(code)).select(SkuRow::as_select()).first(conn).optional()?;
    Ok(row.map(Sku::from))
}

/// The SKUs of these codes, in no order; unknown codes are left out.
pub(in crate::inventory) fn skus_of_codes(conn: &mut Connection, codes: &[String]) -> QueryResult<Vec<Sku>> {
    let mut skus = vec![];
    for chunk in codes.chunks(CODES_PER_SELECT) {
        let rows = skus::table.filter(skus::code.eq_any(chunk)).select(SkuRow::as_select()).load(conn)?;
        skus.extend(rows.into_iter().map(Sku::from));
    }
    Ok(skus)
}

/// How many SKUs each of these products has; one that has none is left out.
pub(in crate::inventory) fn sku_counts(conn: &mut Connection, products: &[Id]) -> QueryResult<HashMap<Id, usize>> {
    let rows: Vec<(Id, i64)> = skus::table
        .filter(skus::product_id.eq_any(products))
        .group_by(skus::product_id)
        .select((skus::product_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(rows.into_iter().map(|(product, count)| (product, count as usize)).collect())
}

/// The codes of these products' SKUs, each product's in their order.
pub(in crate::inventory) fn sku_codes(conn: &mut Connection, products: &[Id]) -> QueryResult<HashMap<Id, Vec<String>>> {
    let rows: Vec<(Id, String)> = skus::table
        .filter(skus::product_id.eq_any(products))
        .order((skus::product_id, skus::position, skus::id))
        .select((skus::product_id, skus::code))
        .load(conn)?;
    let mut codes: HashMap<Id, Vec<String>> = HashMap::new();
    for (product, code) in rows {
        codes.entry(product).or_default().push(code);
    }
    Ok(codes)
}

/// The SKU of a code, with its product's status.
pub(in crate::inventory) fn sku_with_status(
    conn: &mut Connection,
    code: &str,
) -> QueryResult<Option<(Sku, ProductStatus)>> {
    let found = skus::table
        .inner_join(products::table.on(products::id.eq(skus::product_id)))
        .filter(skus::code.eq(code))
        .select((SkuRow::as_select(), products::status))
        .first::<(SkuRow, String)>(conn)
        .optional()?;
    found.map(|(row, status)| Ok((Sku::from(row), status_of(&status)?))).transpose()
}

/// A product's SKUs in their order.
pub(in crate::inventory) fn skus_of_product(conn: &mut Connection, product: Id) -> QueryResult<Vec<Sku>> {
    let rows = skus::table
        .filter(skus::product_id.eq(product))
        .order((skus::position, skus::id))
        .select(SkuRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Sku::from).collect())
}

/// Writes all of a SKU anew, except its ids.
pub(in crate::inventory) fn sku_replace(conn: &mut Connection, sku: &Sku) -> QueryResult<()> {
    diesel::update(skus::table.find((sku.product_id, sku.id))).set(SkuValues::from(sku)).execute(conn)?;
    Ok(())
}

/// Removes a SKU; a foreign key violation while it has stock.
pub(in crate::inventory) fn sku_delete(conn: &mut Connection, product: Id, sku: Id) -> QueryResult<()> {
    diesel::delete(skus::table.find((product, sku))).execute(conn)?;
    Ok(())
}

/// Was there ever stock of the product, or of one SKU of it? Reservations need no look: they only hold stock.
pub(in crate::inventory) fn had_stock(conn: &mut Connection, product: Id, sku: Option<Id>) -> QueryResult<bool> {
    let mut counters = stock::table.filter(stock::product_id.eq(product)).select(stock::version).into_boxed();
    let mut changes =
        stock_ledger::table.filter(stock_ledger::product_id.eq(product)).select(stock_ledger::seq).into_boxed();
    if let Some(sku) = sku {
        counters = counters.filter(stock::sku_id.eq(sku));
        changes = changes.filter(stock_ledger::sku_id.eq(sku));
    }
    let counter: Option<i64> = counters.first(conn).optional()?;
    let change: Option<i64> = changes.first(conn).optional()?;
    Ok(counter.is_some() || change.is_some())
}

/// Brings the SKU's stock to its backorder limit; a check violation where more than that is promised.
pub(in crate::inventory) fn stock_backorder_set(conn: &mut Connection, sku: &Sku) -> QueryResult<()> {
    let rows = stock::table.filter(stock::product_id.eq(sku.product_id)).filter(stock::sku_id.eq(sku.id));
    diesel::update(rows).set(stock::backorder.eq(sku.backorder_limit)).execute(conn)?;
    Ok(())
}
