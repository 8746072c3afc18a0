//! The catalogue in sets: many products a statement, for import and export.

use std::collections::{BTreeSet, HashMap};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt};
use diesel::upsert::excluded;

use super::product::{ProductRow, ProductValues};
use super::sku::{SkuRow, SkuValues};
use super::unindexed;
use crate::clock::Id;
use crate::db::{Connection, sql};
use crate::inventory::schema::{categories, product_tags, products, skus, stock};
use crate::inventory::store::category::CategoryRow;
use crate::inventory::store::stock::{LEVELS, LevelValues, Levels, StockKey, levels};
use crate::inventory::{Category, Product, Sku};

/// Bound values a statement, below SQLite's limit of 32,766.
const BINDS: usize = 20_000;
/// Rows of an update on PostgreSQL, which takes 65,535 values a statement; a SKU has 20.
const UPDATE_ROWS: usize = 2_000;

/// The products of these handles, in no order, each with its tags and SKUs.
pub(in crate::inventory) fn products_by_handle(conn: &mut Connection, handles: &[&str]) -> QueryResult<Vec<Product>> {
    let mut rows = vec![];
    for chunk in handles.chunks(BINDS) {
        let found = products::table.filter(products::handle.eq_any(chunk)).select(ProductRow::as_select());
        rows.extend(found.load(conn)?);
    }
    whole(conn, rows)
}

/// The products of these ids, in no order, each with its tags and SKUs.
pub(in crate::inventory) fn products_by_id(conn: &mut Connection, ids: &[Id]) -> QueryResult<Vec<Product>> {
    let mut rows = vec![];
    for chunk in ids.chunks(BINDS) {
        let found = products::table.filter(products::id.eq_any(chunk)).select(ProductRow::as_select());
        rows.extend(found.load(conn)?);
    }
    whole(conn, rows)
}

/// The next products in the order of their handles, each with its tags and SKUs.
pub(in crate::inventory) fn products_after(
    conn: &mut Connection,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<Product>> {
    let rows = products::table
        .filter(products::handle.gt(after))
        .order(products::handle)
        .limit(limit)
        .select(ProductRow::as_select())
        .load(conn)?;
    whole(conn, rows)
}

fn whole(conn: &mut Connection, rows: Vec<ProductRow>) -> QueryResult<Vec<Product>> {
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let mut tags: HashMap<Id, Vec<String>> = HashMap::new();
    let mut skus: HashMap<Id, Vec<Sku>> = HashMap::new();
    for chunk in ids.chunks(BINDS) {
        let found = product_tags::table
            .filter(product_tags::product_id.eq_any(chunk))
            .order((product_tags::product_id, product_tags::tag))
            .select((product_tags::product_id, product_tags::tag));
        for (product, tag) in found.load::<(Id, String)>(conn)? {
            tags.entry(product).or_default().push(tag);
        }
        let found = skus::table
            .filter(skus::product_id.eq_any(chunk))
            .order((skus::product_id, skus::position, skus::id))
            .select(SkuRow::as_select());
        for row in found.load(conn)? {
            skus.entry(row.product_id).or_default().push(row.into());
        }
    }
    let product = |row: ProductRow| {
        let id = row.id;
        row.product(tags.remove(&id).unwrap_or_default(), skus.remove(&id).unwrap_or_default())
    };
    rows.into_iter().map(product).collect()
}

/// To which product each of these codes belongs; unknown ones are left out.
pub(in crate::inventory) fn sku_owners(conn: &mut Connection, codes: &[&str]) -> QueryResult<Vec<(String, Id)>> {
    let mut owners = vec![];
    for chunk in codes.chunks(BINDS) {
        let found = skus::table.filter(skus::code.eq_any(chunk)).select((skus::code, skus::product_id));
        owners.extend(found.load::<(String, Id)>(conn)?);
    }
    Ok(owners)
}

/// The counters of all SKUs of these products.
pub(in crate::inventory) fn stock_of_products(
    conn: &mut Connection,
    products: &[Id],
) -> QueryResult<Vec<(StockKey, Levels)>> {
    let mut all = vec![];
    for chunk in products.chunks(BINDS) {
        let rows: Vec<((Id, Id, Id), LevelValues)> = stock::table
            .filter(stock::product_id.eq_any(chunk))
            .select(((stock::product_id, stock::sku_id, stock::location_id), LEVELS))
            .load(conn)?;
        let level = |((product_id, sku_id, location_id), values)| {
            (StockKey { product_id, sku_id, location_id }, levels(values))
        };
        all.extend(rows.into_iter().map(level));
    }
    Ok(all)
}

/// The categories of these paths; unknown ones are left out.
pub(in crate::inventory) fn categories_by_path(conn: &mut Connection, paths: &[&str]) -> QueryResult<Vec<Category>> {
    let mut all = vec![];
    for chunk in paths.chunks(BINDS) {
        let found = categories::table.filter(categories::path.eq_any(chunk)).select(CategoryRow::as_select());
        all.extend(found.load(conn)?.into_iter().map(Category::from));
    }
    Ok(all)
}

/// The next categories in the order of their paths: each after its parent.
pub(in crate::inventory) fn categories_after(
    conn: &mut Connection,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<Category>> {
    let rows: Vec<CategoryRow> = categories::table
        .filter(categories::path.gt(after))
        .order(categories::path)
        .limit(limit)
        .select(CategoryRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Category::from).collect())
}

/// Writes these products' rows anew. Each carries the version after the change. False: one of them is not at the version before it,
/// and the transaction must end without effect.
pub(in crate::inventory) fn products_update(conn: &mut Connection, changed: &[&Product]) -> QueryResult<bool> {
    match conn {
        Connection::Sqlite(conn) => {
            for product in changed {
                let row = products::table.find(product.id).filter(products::version.eq(product.version - 1));
                if diesel::update(row).set(ProductValues::from(*product)).execute(conn)? == 0 {
                    return Ok(false);
                }
            }
        }
        Connection::Postgres(conn) => {
            // ON CONFLICT knows no such condition in diesel, so the rows are taken first; then nobody else changes them.
            let (ids, versions): (Vec<Id>, Vec<i64>) =
                changed.iter().map(|product| (product.id, product.version)).unzip();
            let taken = diesel::sql_query(
                "UPDATE products SET version = new.version FROM unnest($1, $2) AS new (id, version)
                 WHERE products.id = new.id AND products.version = new.version - 1",
            )
            .bind::<Array<sql::Id>, _>(ids)
            .bind::<Array<BigInt>, _>(versions)
            .execute(conn)?;
            if taken != changed.len() {
                return Ok(false);
            }
            let values: Vec<ProductValues> = changed.iter().map(|product| ProductValues::from(*product)).collect();
            for chunk in values.chunks(UPDATE_ROWS) {
                diesel::insert_into(products::table)
                    .values(chunk)
                    .on_conflict(products::id)
                    .do_update()
                    .set((
                        products::title.eq(excluded(products::title)),
                        products::description_html.eq(excluded(products::description_html)),
                        products::vendor.eq(excluded(products::vendor)),
                        products::product_type.eq(excluded(products::product_type)),
                        products::status.eq(excluded(products::status)),
                        products::category_id.eq(excluded(products::category_id)),
                        products::options.eq(excluded(products::options)),
                        products::attributes.eq(excluded(products::attributes)),
                        products::images.eq(excluded(products::images)),
                        products::seo_title.eq(excluded(products::seo_title)),
                        products::seo_description.eq(excluded(products::seo_description)),
                        products::price_min.eq(excluded(products::price_min)),
                        products::price_max.eq(excluded(products::price_max)),
                        products::updated_at.eq(excluded(products::updated_at)),
                    ))
                    .execute(conn)?;
            }
        }
    }
    Ok(true)
}

/// Writes these SKUs' rows anew; their products must have been written in this transaction, so that nobody else changes them.
pub(in crate::inventory) fn skus_update(conn: &mut Connection, changed: &[&Sku]) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(conn) => {
            for sku in changed {
                let row = skus::table.find((sku.product_id, sku.id));
                diesel::update(row).set(SkuValues::from(*sku)).execute(conn)?;
            }
        }
        Connection::Postgres(conn) => {
            let values: Vec<SkuValues> = changed.iter().map(|sku| SkuValues::from(*sku)).collect();
            for chunk in values.chunks(UPDATE_ROWS) {
                diesel::insert_into(skus::table)
                    .values(chunk)
                    .on_conflict((skus::product_id, skus::id))
                    .do_update()
                    .set((
                        skus::option1.eq(excluded(skus::option1)),
                        skus::option2.eq(excluded(skus::option2)),
                        skus::option3.eq(excluded(skus::option3)),
                        skus::price_amount.eq(excluded(skus::price_amount)),
                        skus::price_currency.eq(excluded(skus::price_currency)),
                        skus::compare_at_amount.eq(excluded(skus::compare_at_amount)),
                        skus::barcode.eq(excluded(skus::barcode)),
                        skus::weight_grams.eq(excluded(skus::weight_grams)),
                        skus::requires_shipping.eq(excluded(skus::requires_shipping)),
                        skus::taxable.eq(excluded(skus::taxable)),
                        skus::image_url.eq(excluded(skus::image_url)),
                        skus::backorder_limit.eq(excluded(skus::backorder_limit)),
                        skus::low_stock_threshold.eq(excluded(skus::low_stock_threshold)),
                        skus::version.eq(excluded(skus::version)),
                        skus::updated_at.eq(excluded(skus::updated_at)),
                    ))
                    .execute(conn)?;
            }
        }
    }
    Ok(())
}

/// Gives SKUs options that no other SKU has, until [`skus_update`] gives them their new ones: two that change places would meet
/// on the way otherwise.
pub(in crate::inventory) fn sku_options_free(conn: &mut Connection, skus: &[&Sku]) -> QueryResult<()> {
    for chunk in skus.chunks(BINDS / 2) {
        let (product_ids, ids): (Vec<Id>, Vec<Id>) = chunk.iter().map(|sku| (sku.product_id, sku.id)).unzip();
        let rows = skus::table.filter(skus::product_id.eq_any(product_ids)).filter(unindexed("skus.id").eq_any(ids));
        // Options are filled from the first on, so no SKU has its third alone.
        diesel::update(rows)
            .set((skus::option1.eq(""), skus::option2.eq(""), skus::option3.eq(skus::code)))
            .execute(conn)?;
    }
    Ok(())
}

/// The categories of these ids, and all above them.
pub(in crate::inventory) fn categories_with_parents(conn: &mut Connection, ids: &[Id]) -> QueryResult<Vec<Category>> {
    let mut all: Vec<Category> = vec![];
    for chunk in ids.chunks(BINDS) {
        let found = categories::table.filter(categories::id.eq_any(chunk)).select(CategoryRow::as_select());
        all.extend(found.load(conn)?.into_iter().map(Category::from));
    }
    let above: BTreeSet<String> = all
        .iter()
        .flat_map(|category| category.path.match_indices('/').map(|(at, _)| category.path[..at].to_owned()))
        .filter(|path| all.iter().all(|category| category.path != *path))
        .collect();
    let above: Vec<&str> = above.iter().map(String::as_str).collect();
    all.extend(categories_by_path(conn, &above)?);
    Ok(all)
}
