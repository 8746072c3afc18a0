//! Stock: look-ups of SKUs and locations, the counters, and [`stock_change`], the one way in which a counter changes.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::Array;
use serde::Serialize;

use super::event::event_insert;
use super::reservation::due_units;
use super::sku::option_list;
use super::unindexed;
use crate::clock::{Id, Time};
use crate::db::{Connection, MultiBackend, sql};
use crate::inventory::schema::{locations, products, skus, stock, stock_ledger};
use crate::inventory::{Counter, Counters, LedgerKind, Money, QUANTITY_MAX};

/// Names a stock row. Rows are locked in this order everywhere, so that no two transactions wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::inventory) struct StockKey {
    pub(in crate::inventory) product_id: Id,
    pub(in crate::inventory) sku_id: Id,
    pub(in crate::inventory) location_id: Id,
}

/// What stock needs to know of a SKU.
#[derive(Clone, Debug)]
pub(in crate::inventory) struct SkuRow {
    pub(in crate::inventory) product_id: Id,
    pub(in crate::inventory) sku_id: Id,
    pub(in crate::inventory) code: String,
    pub(in crate::inventory) backorder_limit: i64,
    pub(in crate::inventory) low_stock_threshold: Option<i64>,
    /// The product's: `draft`, `active` or `archived`.
    pub(in crate::inventory) status: String,
    pub(in crate::inventory) sold: Sold,
}

/// What people buy when they buy a SKU, as it is at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::inventory) struct Sold {
    /// The product's.
    pub(in crate::inventory) title: String,
    pub(in crate::inventory) options: Vec<String>,
    pub(in crate::inventory) price: Money,
}

/// The title, the options, the price's amount and its currency.
pub(super) type SoldValues = (String, (String, String, String), i64, String);

impl From<SoldValues> for Sold {
    fn from((title, (option1, option2, option3), amount, currency): SoldValues) -> Self {
        Sold { title, options: option_list([option1, option2, option3]), price: Money { amount, currency } }
    }
}

/// What stock needs to know of a location.
#[derive(Clone, Debug, Queryable)]
pub(in crate::inventory) struct LocationRow {
    pub(in crate::inventory) id: Id,
    pub(in crate::inventory) code: String,
    pub(in crate::inventory) active: bool,
}

/// A stock row by its key and by the names that people know.
#[derive(Clone, Debug)]
pub(in crate::inventory) struct Place {
    pub(in crate::inventory) key: StockKey,
    pub(in crate::inventory) sku: String,
    pub(in crate::inventory) location: String,
    pub(in crate::inventory) low_stock_threshold: Option<i64>,
}

impl Place {
    pub(in crate::inventory) fn new(sku: &SkuRow, location: &LocationRow) -> Self {
        Place {
            key: StockKey { product_id: sku.product_id, sku_id: sku.sku_id, location_id: location.id },
            sku: sku.code.clone(),
            location: location.code.clone(),
            low_stock_threshold: sku.low_stock_threshold,
        }
    }
}

/// The counters of a stock row as they stand in the database: holds whose time has passed are still in `reserved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inventory) struct Levels {
    pub(in crate::inventory) counters: Counters,
    pub(in crate::inventory) backorder: i64,
    pub(in crate::inventory) version: i64,
}

impl Levels {
    /// What may be sold of the goods that are there; can be below 0.
    pub(in crate::inventory) fn available(&self) -> i64 {
        net(&self.counters)
    }
}

/// What these counters, or changes of them, mean for what is available.
fn net(counters: &Counters) -> i64 {
    counters.on_hand - counters.reserved - counters.allocated - counters.safety
}

/// What must hold at the moment of a change, beside the rules of the row itself.
#[derive(Clone, Copy, Debug)]
pub(in crate::inventory) enum Guard {
    None,
    /// So many units can still be promised: available and backorder together.
    Available(i64),
    /// The counter is what the caller believes.
    Is(Counter, i64),
}

/// A change of a stock row's counters, and what the ledger says of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::inventory) struct Change<'a> {
    pub(in crate::inventory) delta: Counters,
    pub(in crate::inventory) guard: Guard,
    pub(in crate::inventory) kind: LedgerKind,
    pub(in crate::inventory) reason: &'a str,
    pub(in crate::inventory) actor: &'a str,
    pub(in crate::inventory) reservation_id: Option<Id>,
}

/// The SKUs of these codes, in no order; unknown codes are left out.
pub(in crate::inventory) fn skus_by_code(conn: &mut Connection, codes: &[String]) -> QueryResult<Vec<SkuRow>> {
    type Row = ((Id, Id), String, i64, Option<i64>, String, SoldValues);
    let mut rows = Vec::with_capacity(codes.len());
    for codes in storable(codes).chunks(BINDS) {
        let found: Vec<Row> = skus::table
            .inner_join(products::table.on(products::id.eq(skus::product_id)))
            .filter(skus::code.eq_any(codes))
            .select((
                (skus::product_id, skus::id),
                skus::code,
                skus::backorder_limit,
                skus::low_stock_threshold,
                products::status,
                (
                    products::title,
                    (skus::option1, skus::option2, skus::option3),
                    skus::price_amount,
                    skus::price_currency,
                ),
            ))
            .load(conn)?;
        let row = |((product_id, sku_id), code, backorder_limit, low_stock_threshold, status, sold): Row| SkuRow {
            product_id,
            sku_id,
            code,
            backorder_limit,
            low_stock_threshold,
            status,
            sold: sold.into(),
        };
        rows.extend(found.into_iter().map(row));
    }
    Ok(rows)
}

/// The locations of these codes, active or not, in no order; unknown codes are left out.
pub(in crate::inventory) fn locations_by_code(
    conn: &mut Connection,
    codes: &[String],
) -> QueryResult<Vec<LocationRow>> {
    let mut rows = Vec::with_capacity(codes.len());
    for codes in storable(codes).chunks(BINDS) {
        let found = locations::table
            .filter(locations::code.eq_any(codes))
            .select((locations::id, locations::code, locations::active))
            .load::<LocationRow>(conn)?;
        rows.extend(found);
    }
    Ok(rows)
}

/// The active locations, in the order in which a reservation is spread over them.
pub(in crate::inventory) fn locations_active(conn: &mut Connection) -> QueryResult<Vec<LocationRow>> {
    locations::table
        .filter(locations::active.eq(true))
        .order((locations::priority, locations::code))
        .select((locations::id, locations::code, locations::active))
        .load(conn)
}

/// Bound values a statement, well below SQLite's limit of 32,766.
pub(super) const BINDS: usize = 10_000;

/// Without what no row can have: PostgreSQL takes no text with a NUL in it.
fn storable(codes: &[String]) -> Vec<&str> {
    codes.iter().map(String::as_str).filter(|code| !code.contains('\0')).collect()
}

pub(super) type LevelColumns = (
    stock::on_hand,
    stock::reserved,
    stock::allocated,
    stock::safety,
    stock::incoming,
    stock::backorder,
    stock::version,
);
pub(super) type LevelValues = (i64, i64, i64, i64, i64, i64, i64);

pub(super) const LEVELS: LevelColumns = (
    stock::on_hand,
    stock::reserved,
    stock::allocated,
    stock::safety,
    stock::incoming,
    stock::backorder,
    stock::version,
);

pub(super) fn levels((on_hand, reserved, allocated, safety, incoming, backorder, version): LevelValues) -> Levels {
    Levels { counters: Counters { on_hand, reserved, allocated, safety, incoming }, backorder, version }
}

/// The counters of all locations of these SKUs, by key; what has no row is left out.
pub(in crate::inventory) fn stock_levels(
    conn: &mut Connection,
    skus: &[(Id, Id)],
) -> QueryResult<BTreeMap<StockKey, Levels>> {
    let mut all = BTreeMap::new();
    for skus in skus.chunks(BINDS / 2) {
        let (product_ids, sku_ids): (Vec<Id>, Vec<Id>) = skus.iter().copied().unzip();
        let rows: Vec<((Id, Id, Id), LevelValues)> = stock::table
            .filter(stock::product_id.eq_any(product_ids))
            .filter(unindexed("stock.sku_id").eq_any(sku_ids))
            .select(((stock::product_id, stock::sku_id, stock::location_id), LEVELS))
            .load(conn)?;
        all.extend(rows.into_iter().map(|((product_id, sku_id, location_id), values)| {
            (StockKey { product_id, sku_id, location_id }, levels(values))
        }));
    }
    Ok(all)
}

/// The counters of one row.
pub(in crate::inventory) fn stock_level(conn: &mut Connection, key: StockKey) -> QueryResult<Option<Levels>> {
    let values = stock::table
        .find((key.product_id, key.sku_id, key.location_id))
        .select(LEVELS)
        .first::<LevelValues>(conn)
        .optional()?;
    Ok(values.map(levels))
}

/// Makes the rows that are not there yet, all counters 0. With each key, the SKU's `backorder_limit` as the transaction read it.
/// Rows that another transaction is just making are waited for, in the order of the keys.
pub(in crate::inventory) fn stock_ensure(conn: &mut Connection, rows: &[(StockKey, i64)]) -> QueryResult<()> {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows.dedup_by_key(|(key, _)| *key);
    let mut skus: Vec<(Id, Id)> = rows.iter().map(|(key, _)| (key.product_id, key.sku_id)).collect();
    skus.dedup();
    let there = stock_levels(conn, &skus)?;
    rows.retain(|(key, _)| !there.contains_key(key));
    limits_lock(conn, &mut rows)?;
    for rows in rows.chunks(BINDS / 4) {
        let values: Vec<_> = rows
            .iter()
            .map(|(key, backorder)| {
                (
                    stock::product_id.eq(key.product_id),
                    stock::sku_id.eq(key.sku_id),
                    stock::location_id.eq(key.location_id),
                    stock::backorder.eq(*backorder),
                )
            })
            .collect();
        match conn {
            Connection::Sqlite(conn) => {
                diesel::insert_into(stock::table).values(values).on_conflict_do_nothing().execute(conn)?
            }
            Connection::Postgres(conn) => {
                diesel::insert_into(stock::table).values(values).on_conflict_do_nothing().execute(conn)?
            }
        };
    }
    Ok(())
}

/// Reads the limits once more and keeps them from changing until the transaction ends: whoever changes one brings it to the rows
/// that are there, and cannot see one that is only being made. A transaction on SQLite already has the database to itself.
fn limits_lock(conn: &mut Connection, rows: &mut [(StockKey, i64)]) -> QueryResult<()> {
    let Connection::Postgres(conn) = conn else { return Ok(()) };
    for rows in rows.chunks_mut(BINDS) {
        let (product_ids, sku_ids): (Vec<Id>, Vec<Id>) =
            rows.iter().map(|(key, _)| (key.product_id, key.sku_id)).unzip();
        let limits: Vec<(Id, i64)> = skus::table
            .filter(skus::product_id.eq_any(product_ids))
            .filter(skus::id.eq_any(sku_ids))
            .order((skus::product_id, skus::id))
            .select((skus::id, skus::backorder_limit))
            .for_share()
            .load(conn)?;
        let limits: BTreeMap<Id, i64> = limits.into_iter().collect();
        for (key, limit) in rows {
            // A SKU that is gone is told by the foreign key.
            *limit = limits.get(&key.sku_id).copied().unwrap_or(*limit);
        }
    }
    Ok(())
}

/// Removes those of these rows that never had a change: they were made for one that was refused.
pub(in crate::inventory) fn stock_forget(conn: &mut Connection, keys: &[StockKey]) -> QueryResult<()> {
    for key in keys {
        let row = stock::table.find((key.product_id, key.sku_id, key.location_id));
        diesel::delete(row.filter(stock::version.eq(0))).execute(conn)?;
    }
    Ok(())
}

/// Keeps the rows from changing until the transaction ends; they are locked in the order of their keys. A transaction on SQLite
/// already has the database to itself.
pub(in crate::inventory) fn stock_lock(conn: &mut Connection, keys: &[StockKey]) -> QueryResult<()> {
    let Connection::Postgres(conn) = conn else { return Ok(()) };
    let ids = |id: fn(&StockKey) -> Id| keys.iter().map(id).collect::<Vec<Id>>();
    diesel::sql_query(
        "SELECT FROM stock
         WHERE (product_id, sku_id, location_id) IN (SELECT * FROM unnest($1, $2, $3))
         ORDER BY product_id, sku_id, location_id FOR NO KEY UPDATE OF stock",
    )
    .bind::<Array<sql::Id>, _>(ids(|key| key.product_id))
    .bind::<Array<sql::Id>, _>(ids(|key| key.sku_id))
    .bind::<Array<sql::Id>, _>(ids(|key| key.location_id))
    .execute(conn)?;
    Ok(())
}

/// Changes a row's counters and writes the ledger: THE way in which a counter changes. `None`: there is no such row, the guard
/// does not hold, or the change would break the row's rules (no counter below 0 or beyond [`QUANTITY_MAX`], nothing promised that
/// is neither there nor allowed as backorder); then nothing was done, and the transaction can go on. Tells of stock that became low.
pub(in crate::inventory) fn stock_change(
    conn: &mut Connection,
    place: &Place,
    change: &Change,
    now: Time,
) -> QueryResult<Option<Levels>> {
    let Some(after) = update(conn, place.key, &change.delta, change.guard)? else { return Ok(None) };
    ledger_insert(conn, place.key, change, &after, now)?;
    tell_low_stock(conn, place, &change.delta, &after, now)?;
    Ok(Some(after))
}

fn update(conn: &mut Connection, key: StockKey, delta: &Counters, guard: Guard) -> QueryResult<Option<Levels>> {
    let row = stock::table.find((key.product_id, key.sku_id, key.location_id));
    // The row's rules, so that a change that breaks them is refused here and does not abort the transaction in a CHECK.
    let statement = diesel::update(row)
        .set((
            stock::on_hand.eq(stock::on_hand + delta.on_hand),
            stock::reserved.eq(stock::reserved + delta.reserved),
            stock::allocated.eq(stock::allocated + delta.allocated),
            stock::safety.eq(stock::safety + delta.safety),
            stock::incoming.eq(stock::incoming + delta.incoming),
            stock::version.eq(stock::version + 1),
        ))
        .filter((stock::on_hand + delta.on_hand).between(0, QUANTITY_MAX))
        .filter((stock::reserved + delta.reserved).ge(0))
        .filter((stock::allocated + delta.allocated).ge(0))
        .filter((stock::safety + delta.safety).between(0, QUANTITY_MAX))
        .filter((stock::incoming + delta.incoming).between(0, QUANTITY_MAX))
        .filter(
            (stock::reserved + stock::allocated + (delta.reserved + delta.allocated))
                .le(stock::on_hand + stock::backorder + delta.on_hand),
        )
        .into_boxed::<MultiBackend>();
    let statement = match guard {
        Guard::None => statement,
        Guard::Available(units) => statement
            .filter((stock::on_hand - stock::reserved - stock::allocated - stock::safety + stock::backorder).ge(units)),
        Guard::Is(Counter::OnHand, value) => statement.filter(stock::on_hand.eq(value)),
        Guard::Is(Counter::Safety, value) => statement.filter(stock::safety.eq(value)),
        Guard::Is(Counter::Incoming, value) => statement.filter(stock::incoming.eq(value)),
    };
    Ok(statement.returning(LEVELS).get_result::<LevelValues>(conn).optional()?.map(levels))
}

fn ledger_insert(conn: &mut Connection, key: StockKey, change: &Change, after: &Levels, now: Time) -> QueryResult<()> {
    let (delta, counters) = (&change.delta, &after.counters);
    diesel::insert_into(stock_ledger::table)
        .values((
            (
                stock_ledger::product_id.eq(key.product_id),
                stock_ledger::sku_id.eq(key.sku_id),
                stock_ledger::location_id.eq(key.location_id),
                stock_ledger::seq.eq(after.version),
                stock_ledger::kind.eq(change.kind.to_string()),
            ),
            (
                stock_ledger::on_hand_delta.eq(delta.on_hand),
                stock_ledger::reserved_delta.eq(delta.reserved),
                stock_ledger::allocated_delta.eq(delta.allocated),
                stock_ledger::safety_delta.eq(delta.safety),
                stock_ledger::incoming_delta.eq(delta.incoming),
            ),
            (
                stock_ledger::on_hand_after.eq(counters.on_hand),
                stock_ledger::reserved_after.eq(counters.reserved),
                stock_ledger::allocated_after.eq(counters.allocated),
                stock_ledger::safety_after.eq(counters.safety),
                stock_ledger::incoming_after.eq(counters.incoming),
            ),
            (
                stock_ledger::reason.eq(change.reason),
                stock_ledger::actor.eq(change.actor),
                stock_ledger::reservation_id.eq(change.reservation_id),
                stock_ledger::created_at.eq(now),
            ),
        ))
        .execute(conn)?;
    Ok(())
}

/// The data of `stock.low`.
#[derive(Serialize)]
pub(super) struct LowStock<'a> {
    pub(super) sku: &'a str,
    pub(super) location: &'a str,
    pub(super) available: i64,
    pub(super) threshold: i64,
}

fn tell_low_stock(
    conn: &mut Connection,
    place: &Place,
    delta: &Counters,
    after: &Levels,
    now: Time,
) -> QueryResult<()> {
    if !low_stock_seems(place, delta, &after.counters) {
        return Ok(());
    }
    let due = due_units(conn, &[(place.key.product_id, place.key.sku_id)], now)?.remove(&place.key);
    match low_stock(place, delta, &after.counters, due.unwrap_or(0)) {
        Some(data) => event_insert(conn, "stock.low", place.key.product_id, &data, now),
        None => Ok(()),
    }
}

/// Has a change made stock low? Perhaps, as long as nobody has looked for holds whose time has passed: they only add to what is
/// available, before the change and after it.
pub(super) fn low_stock_seems(place: &Place, delta: &Counters, after: &Counters) -> bool {
    net(delta) < 0 && place.low_stock_threshold.is_some_and(|threshold| net(after) <= threshold)
}

/// What is told when a change has made stock low; `due`: the units of holds whose time has passed.
pub(super) fn low_stock<'a>(place: &'a Place, delta: &Counters, after: &Counters, due: i64) -> Option<LowStock<'a>> {
    let threshold = place.low_stock_threshold?;
    let available = net(after) + due;
    let before = available - net(delta);
    let (sku, location) = (place.sku.as_str(), place.location.as_str());
    (before > threshold && available <= threshold).then_some(LowStock { sku, location, available, threshold })
}
