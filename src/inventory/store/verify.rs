//! What `stock verify` reads, product by product: the counters, what the ledger makes of them, and what the reservations say.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};
use uuid::Uuid;

use super::stock::StockKey;
use crate::clock::Id;
use crate::db::{Connection, sql};
use crate::inventory::Counters;
use crate::inventory::schema::{locations, skus, stock};

/// Products from one id to another, both included.
#[derive(Clone, Copy)]
pub(in crate::inventory) struct Products {
    pub first: Id,
    pub last: Id,
}

impl Products {
    pub(in crate::inventory) const ALL: Products = Products { first: Id(Uuid::nil()), last: Id(Uuid::max()) };
}

/// A stock row as three sources see it.
pub(in crate::inventory) struct Examined {
    pub key: StockKey,
    pub sku: String,
    pub location: String,
    /// `None`: there is a ledger but no row.
    pub stock: Option<StockState>,
    pub ledger: LedgerState,
    pub lines: LineState,
}

pub(in crate::inventory) struct StockState {
    pub counters: Counters,
    pub backorder: i64,
    /// The SKU's, which `backorder` copies.
    pub backorder_limit: i64,
    pub version: i64,
}

/// The ledger of a stock row, added up.
#[derive(Default)]
pub(in crate::inventory) struct LedgerState {
    pub sums: Counters,
    pub entries: i64,
    /// The highest `seq`.
    pub newest: i64,
    /// Entries whose balance is not the balance before them and their change.
    pub broken: i64,
    pub first_broken: i64,
}

/// The reservation lines of a stock row, added up.
#[derive(Default)]
pub(in crate::inventory) struct LineState {
    pub reserved: i64,
    pub allocated: i64,
    /// Lines without a reservation.
    pub orphans: i64,
    /// Lines whose state, holder or time is not their reservation's.
    pub strays: i64,
}

/// Lets each statement of this transaction take as long as it needs. SQLite knows no limit.
pub(in crate::inventory) fn unhurried(conn: &mut Connection) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(_) => Ok(()),
        Connection::Postgres(conn) => conn.batch_execute("SET LOCAL statement_timeout = 0"),
    }
}

/// The first of `all` with about `rows` stock rows, and what is left after them.
pub(in crate::inventory) fn products_split(
    conn: &mut Connection,
    all: Products,
    rows: i64,
) -> QueryResult<(Products, Option<Products>)> {
    let last: Option<Id> = stock::table
        .filter(stock::product_id.between(all.first, all.last))
        .order(stock::product_id)
        .select(stock::product_id)
        .offset(rows)
        .first(conn)
        .optional()?;
    Ok(match last {
        Some(last) if last < all.last => {
            let next = Id(Uuid::from_u128(last.0.as_u128() + 1));
            (Products { first: all.first, last }, Some(Products { first: next, last: all.last }))
        }
        _ => (all, None),
    })
}

/// Everything about the stock rows of these products, in the order of their keys.
pub(in crate::inventory) fn examine(conn: &mut Connection, products: Products) -> QueryResult<Vec<Examined>> {
    let mut found = BTreeMap::new();
    for (key, sku, location, stock) in stock_states(conn, products)? {
        let (ledger, lines) = Default::default();
        found.insert(key, Examined { key, sku, location, stock: Some(stock), ledger, lines });
    }
    for (key, state) in ledger_states(conn, products)? {
        examined(conn, &mut found, key)?.ledger = state;
    }
    for (key, state) in line_states(conn, products)? {
        examined(conn, &mut found, key)?.lines = state;
    }
    Ok(found.into_values().collect())
}

/// What is known of a key; one that has no stock row gets its place here.
fn examined<'a>(
    conn: &mut Connection,
    found: &'a mut BTreeMap<StockKey, Examined>,
    key: StockKey,
) -> QueryResult<&'a mut Examined> {
    Ok(match found.entry(key) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => {
            let (sku, location) = names(conn, key)?;
            let (ledger, lines) = Default::default();
            entry.insert(Examined { key, sku, location, stock: None, ledger, lines })
        }
    })
}

fn stock_states(conn: &mut Connection, products: Products) -> QueryResult<Vec<(StockKey, String, String, StockState)>> {
    type Row = ((Id, Id, Id), String, String, (i64, i64, i64, i64, i64), (i64, i64), i64);
    let rows: Vec<Row> = stock::table
        .inner_join(skus::table.on(stock::product_id.eq(skus::product_id).and(stock::sku_id.eq(skus::id))))
        .inner_join(locations::table.on(stock::location_id.eq(locations::id)))
        .filter(stock::product_id.between(products.first, products.last))
        .select((
            (stock::product_id, stock::sku_id, stock::location_id),
            skus::code,
            locations::code,
            (stock::on_hand, stock::reserved, stock::allocated, stock::safety, stock::incoming),
            (stock::backorder, skus::backorder_limit),
            stock::version,
        ))
        .load(conn)?;
    let state = |(key, sku, location, counters, (backorder, backorder_limit), version): Row| {
        let (product_id, sku_id, location_id) = key;
        let (on_hand, reserved, allocated, safety, incoming) = counters;
        let counters = Counters { on_hand, reserved, allocated, safety, incoming };
        let key = StockKey { product_id, sku_id, location_id };
        (key, sku, location, StockState { counters, backorder, backorder_limit, version })
    };
    Ok(rows.into_iter().map(state).collect())
}

#[derive(QueryableByName)]
struct LedgerRow {
    #[diesel(sql_type = sql::Id)]
    product_id: Id,
    #[diesel(sql_type = sql::Id)]
    sku_id: Id,
    #[diesel(sql_type = sql::Id)]
    location_id: Id,
    #[diesel(sql_type = BigInt)]
    on_hand: i64,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    allocated: i64,
    #[diesel(sql_type = BigInt)]
    safety: i64,
    #[diesel(sql_type = BigInt)]
    incoming: i64,
    #[diesel(sql_type = BigInt)]
    entries: i64,
    #[diesel(sql_type = BigInt)]
    newest: i64,
    #[diesel(sql_type = BigInt)]
    broken: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    first_broken: Option<i64>,
}

fn ledger_states(conn: &mut Connection, products: Products) -> QueryResult<Vec<(StockKey, LedgerState)>> {
    let rows: Vec<LedgerRow> = diesel::sql_query(
        "SELECT product_id, sku_id, location_id,
                CAST(SUM(on_hand_delta) AS BIGINT) AS on_hand, CAST(SUM(reserved_delta) AS BIGINT) AS reserved,
                CAST(SUM(allocated_delta) AS BIGINT) AS allocated, CAST(SUM(safety_delta) AS BIGINT) AS safety,
                CAST(SUM(incoming_delta) AS BIGINT) AS incoming,
                COUNT(*) AS entries, MAX(seq) AS newest,
                COUNT(CASE WHEN broken THEN seq END) AS broken, MIN(CASE WHEN broken THEN seq END) AS first_broken
         FROM (
             SELECT product_id, sku_id, location_id, seq,
                    on_hand_delta, reserved_delta, allocated_delta, safety_delta, incoming_delta,
                    on_hand_after <> on_hand_delta + COALESCE(LAG(on_hand_after) OVER w, 0)
                    OR reserved_after <> reserved_delta + COALESCE(LAG(reserved_after) OVER w, 0)
                    OR allocated_after <> allocated_delta + COALESCE(LAG(allocated_after) OVER w, 0)
                    OR safety_after <> safety_delta + COALESCE(LAG(safety_after) OVER w, 0)
                    OR incoming_after <> incoming_delta + COALESCE(LAG(incoming_after) OVER w, 0) AS broken
             FROM stock_ledger WHERE product_id BETWEEN $1 AND $2
             WINDOW w AS (PARTITION BY product_id, sku_id, location_id ORDER BY seq)
         ) entry
         GROUP BY product_id, sku_id, location_id",
    )
    .bind::<sql::Id, _>(products.first)
    .bind::<sql::Id, _>(products.last)
    .load(conn)?;
    let state = |row: LedgerRow| {
        let LedgerRow { product_id, sku_id, location_id, on_hand, reserved, allocated, safety, incoming, .. } = row;
        let sums = Counters { on_hand, reserved, allocated, safety, incoming };
        let LedgerRow { entries, newest, broken, first_broken, .. } = row;
        let first_broken = first_broken.unwrap_or_default();
        (StockKey { product_id, sku_id, location_id }, LedgerState { sums, entries, newest, broken, first_broken })
    };
    Ok(rows.into_iter().map(state).collect())
}

#[derive(QueryableByName)]
struct LineRow {
    #[diesel(sql_type = sql::Id)]
    product_id: Id,
    #[diesel(sql_type = sql::Id)]
    sku_id: Id,
    #[diesel(sql_type = sql::Id)]
    location_id: Id,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    allocated: i64,
    #[diesel(sql_type = BigInt)]
    orphans: i64,
    #[diesel(sql_type = BigInt)]
    strays: i64,
}

fn line_states(conn: &mut Connection, products: Products) -> QueryResult<Vec<(StockKey, LineState)>> {
    // Reservations are keyed by their own id, not by product: they are gathered first, as a partitioned database must.
    let rows: Vec<LineRow> = diesel::sql_query(
        "WITH head AS MATERIALIZED (
             SELECT id, state, holder, expires_at FROM reservations
             WHERE id IN (SELECT reservation_id FROM reservation_lines WHERE product_id BETWEEN $1 AND $2)
         )
         SELECT line.product_id, line.sku_id, line.location_id,
                CAST(COALESCE(SUM(CASE WHEN line.state = 'held' THEN line.quantity END), 0) AS BIGINT) AS reserved,
                CAST(COALESCE(SUM(CASE WHEN line.state = 'committed' THEN line.quantity - line.shipped END), 0) AS BIGINT)
                    AS allocated,
                COUNT(CASE WHEN head.id IS NULL THEN 1 END) AS orphans,
                COUNT(CASE WHEN line.state <> head.state OR line.holder <> head.holder
                             OR line.expires_at <> head.expires_at THEN 1 END) AS strays
         FROM reservation_lines line LEFT JOIN head ON head.id = line.reservation_id
         WHERE line.product_id BETWEEN $1 AND $2
         GROUP BY line.product_id, line.sku_id, line.location_id",
    )
    .bind::<sql::Id, _>(products.first)
    .bind::<sql::Id, _>(products.last)
    .load(conn)?;
    let state = |row: LineRow| {
        let LineRow { product_id, sku_id, location_id, reserved, allocated, orphans, strays } = row;
        (StockKey { product_id, sku_id, location_id }, LineState { reserved, allocated, orphans, strays })
    };
    Ok(rows.into_iter().map(state).collect())
}

/// The codes of a key that has no row; ids where even these are gone.
fn names(conn: &mut Connection, key: StockKey) -> QueryResult<(String, String)> {
    let sku: Option<String> =
        skus::table.find((key.product_id, key.sku_id)).select(skus::code).first(conn).optional()?;
    let location: Option<String> =
        locations::table.find(key.location_id).select(locations::code).first(conn).optional()?;
    Ok((sku.unwrap_or_else(|| key.sku_id.to_string()), location.unwrap_or_else(|| key.location_id.to_string())))
}
