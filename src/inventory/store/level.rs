//! Reads of the counters. In every answer an expired hold counts as given back from its very moment on, swept or not.

use std::collections::HashMap;

use diesel::dsl::AsExprOf;
use diesel::expression::{SqlLiteral, UncheckedBind};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::unindexed;
use crate::clock::{Id, Time};
use crate::db::{Connection, MultiBackend, sql};
use crate::inventory::StockLevel;
use crate::inventory::schema::{locations, products, skus, stock};

/// Which levels shall be given: all, where nothing is said.
pub(in crate::inventory) struct LevelFilter {
    pub skus: Option<Vec<String>>,
    pub locations: Option<Vec<String>>,
    /// Only where what is available is at or below the SKU's threshold.
    pub low: bool,
    /// After this SKU code and location code.
    pub after: Option<(String, String)>,
}

/// What shoppers can get of a SKU at all active locations together.
pub(in crate::inventory) struct Sellable {
    pub sku: String,
    pub in_stock: i64,
    pub with_backorder: i64,
}

/// Units in holds of a stock row whose time has passed and which the sweeper has not yet tidied.
type Expired = SqlLiteral<BigInt, UncheckedBind<SqlLiteral<BigInt>, AsExprOf<Time, sql::Instant>>>;

fn expired(now: Time) -> Expired {
    diesel::dsl::sql::<BigInt>(
        "CAST(COALESCE((SELECT SUM(line.quantity) FROM reservation_lines line WHERE line.product_id = stock.product_id \
         AND line.sku_id = stock.sku_id AND line.location_id = stock.location_id AND line.state = 'held' \
         AND line.expires_at <= ",
    )
    .bind::<sql::Instant, _>(now)
    .sql("), 0) AS BIGINT)")
}

type LevelRow = (String, String, i64, i64, i64, i64, i64, i64, i64, i64);

fn level(row: LevelRow) -> StockLevel {
    let (sku, location, on_hand, reserved, allocated, safety, incoming, backorder, version, expired) = row;
    let reserved = reserved - expired;
    let available = on_hand - reserved - allocated - safety;
    StockLevel { sku, location, on_hand, reserved, allocated, safety, incoming, backorder, available, version }
}

/// At most `limit` levels by SKU code, then location code.
pub(in crate::inventory) fn level_list(
    conn: &mut Connection,
    filter: LevelFilter,
    limit: i64,
    now: Time,
) -> QueryResult<Vec<StockLevel>> {
    let of_sku = stock::product_id.eq(skus::product_id).and(stock::sku_id.eq(skus::id));
    let mut query = stock::table
        .inner_join(skus::table.on(of_sku))
        .inner_join(locations::table.on(stock::location_id.eq(locations::id)))
        .select((
            skus::code,
            locations::code,
            stock::on_hand,
            stock::reserved,
            stock::allocated,
            stock::safety,
            stock::incoming,
            stock::backorder,
            stock::version,
            expired(now),
        ))
        .order((skus::code, locations::code))
        .limit(limit)
        .into_boxed::<MultiBackend>();
    if let Some(codes) = filter.skus {
        query = query.filter(skus::code.eq_any(codes));
    }
    if let Some(codes) = filter.locations {
        query = query.filter(locations::code.eq_any(codes));
    }
    if let Some((sku, location)) = filter.after {
        // The first part is what an index can use.
        query = query.filter(skus::code.ge(sku.clone())).filter(skus::code.gt(sku).or(locations::code.gt(location)));
    }
    if filter.low {
        let available = || stock::on_hand - stock::reserved - stock::allocated - stock::safety;
        // Expired holds only add to what is available: most rows fall at the first condition, without a look at their holds.
        query = query
            .filter(available().nullable().le(skus::low_stock_threshold))
            .filter((available() + expired(now)).nullable().le(skus::low_stock_threshold));
    }
    Ok(query.load::<LevelRow>(conn)?.into_iter().map(level).collect())
}

/// What can be had of those of these SKUs whose product is active, in no order. At an active location without a stock row, that is
/// the SKU's backorder limit: a reservation makes the row.
pub(in crate::inventory) fn sellable_list(
    conn: &mut Connection,
    codes: &[String],
    now: Time,
) -> QueryResult<Vec<Sellable>> {
    let known: Vec<(Id, Id, String, i64)> = skus::table
        .inner_join(products::table.on(products::id.eq(skus::product_id)))
        .filter(skus::code.eq_any(codes))
        .filter(products::status.eq("active"))
        .select((skus::product_id, skus::id, skus::code, skus::backorder_limit))
        .load(conn)?;
    let product_ids: Vec<Id> = known.iter().map(|(product_id, ..)| *product_id).collect();
    let sku_ids: Vec<Id> = known.iter().map(|(_, sku_id, ..)| *sku_id).collect();
    let rows: Vec<(Id, i64, i64)> = stock::table
        .inner_join(locations::table.on(stock::location_id.eq(locations::id)))
        .filter(stock::product_id.eq_any(&product_ids))
        .filter(unindexed("stock.sku_id").eq_any(&sku_ids))
        .filter(locations::active.eq(true))
        .select((
            stock::sku_id,
            stock::on_hand - stock::reserved - stock::allocated - stock::safety + expired(now),
            stock::backorder,
        ))
        .load(conn)?;
    let active: i64 = locations::table.filter(locations::active.eq(true)).count().get_result(conn)?;
    let mut sums: HashMap<Id, (i64, i64, i64)> = HashMap::new();
    for (sku_id, available, backorder) in rows {
        // What one location has promised too much is not taken from another.
        let (places, in_stock, with_backorder) = sums.entry(sku_id).or_default();
        *places += 1;
        *in_stock += available.max(0);
        *with_backorder += (available + backorder).max(0);
    }
    let sellable = |(_, sku_id, sku, limit): (Id, Id, String, i64)| {
        let (places, in_stock, with_backorder) = sums.get(&sku_id).copied().unwrap_or_default();
        // A location that was made between the two reads counts for nothing.
        Sellable { sku, in_stock, with_backorder: with_backorder + limit * (active - places).max(0) }
    };
    Ok(known.into_iter().map(sellable).collect())
}
