//! Counters set for many rows at once, by an import: the set-based sister of [`stock_change`](super::stock::stock_change), under the
//! same rules. Each change of a row raises its version by one and is in the ledger under it.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::event::events_insert;
use super::reservation::due_units;
use super::stock::{Levels, Place, low_stock, low_stock_seems};
use super::unindexed;
use crate::clock::{Id, Time};
use crate::db::{Connection, sql};
use crate::inventory::schema::{stock, stock_ledger};
use crate::inventory::{Counters, LedgerKind, Sku};

/// What a row's counters shall be: other than they are, and within the row's rules; its caller has seen to both.
pub(in crate::inventory) struct StockSet {
    pub(in crate::inventory) place: Place,
    /// `None`: the row is not there yet.
    pub(in crate::inventory) before: Option<Levels>,
    pub(in crate::inventory) after: Counters,
    /// The SKU's backorder limit, for a new row.
    pub(in crate::inventory) backorder: i64,
}

impl StockSet {
    fn delta(&self) -> Counters {
        let before = self.before.map(|levels| levels.counters).unwrap_or_default();
        Counters {
            on_hand: self.after.on_hand - before.on_hand,
            reserved: self.after.reserved - before.reserved,
            allocated: self.after.allocated - before.allocated,
            safety: self.after.safety - before.safety,
            incoming: self.after.incoming - before.incoming,
        }
    }

    /// The version after the change.
    fn version(&self) -> i64 {
        self.before.map_or(0, |levels| levels.version) + 1
    }
}

/// An import promises nothing, so it leaves those counters alone.
#[derive(Insertable)]
#[diesel(table_name = stock, treat_none_as_default_value = false)]
struct StockValues {
    product_id: Id,
    sku_id: Id,
    location_id: Id,
    on_hand: i64,
    safety: i64,
    incoming: i64,
    backorder: i64,
    version: i64,
}

impl From<&StockSet> for StockValues {
    fn from(set: &StockSet) -> Self {
        let (key, after) = (set.place.key, set.after);
        StockValues {
            product_id: key.product_id,
            sku_id: key.sku_id,
            location_id: key.location_id,
            on_hand: after.on_hand,
            safety: after.safety,
            incoming: after.incoming,
            backorder: set.backorder,
            version: set.version(),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = stock_ledger, treat_none_as_default_value = false)]
struct LedgerValues<'a> {
    product_id: Id,
    sku_id: Id,
    location_id: Id,
    seq: i64,
    kind: &'a str,
    on_hand_delta: i64,
    reserved_delta: i64,
    allocated_delta: i64,
    safety_delta: i64,
    incoming_delta: i64,
    on_hand_after: i64,
    reserved_after: i64,
    allocated_after: i64,
    safety_after: i64,
    incoming_after: i64,
    reason: &'a str,
    actor: &'a str,
    reservation_id: Option<Id>,
    created_at: Time,
}

impl<'a> LedgerValues<'a> {
    fn of(set: &StockSet, kind: &'a str, reason: &'a str, actor: &'a str, created_at: Time) -> Self {
        let (key, delta, after) = (set.place.key, set.delta(), set.after);
        LedgerValues {
            product_id: key.product_id,
            sku_id: key.sku_id,
            location_id: key.location_id,
            seq: set.version(),
            kind,
            on_hand_delta: delta.on_hand,
            reserved_delta: delta.reserved,
            allocated_delta: delta.allocated,
            safety_delta: delta.safety,
            incoming_delta: delta.incoming,
            on_hand_after: after.on_hand,
            reserved_after: after.reserved,
            allocated_after: after.allocated,
            safety_after: after.safety,
            incoming_after: after.incoming,
            reason,
            actor,
            reservation_id: None,
            created_at,
        }
    }
}

/// Sets the counters of rows, each at most once, and writes the ledger. False: one of them was changed since it was read; then the
/// caller's transaction must end without effect. One that was made since then is a unique violation.
pub(in crate::inventory) fn stock_set_many(
    conn: &mut Connection,
    sets: &[StockSet],
    reason: &str,
    actor: &str,
    now: Time,
) -> QueryResult<bool> {
    let (new, changed): (Vec<&StockSet>, Vec<&StockSet>) = sets.iter().partition(|set| set.before.is_none());
    let new: Vec<StockValues> = new.into_iter().map(StockValues::from).collect();
    insert_many!(conn, stock::table, &new);
    if update(conn, &changed)? != changed.len() {
        return Ok(false);
    }
    let kind = LedgerKind::Imported.to_string();
    let entries: Vec<LedgerValues> = sets.iter().map(|set| LedgerValues::of(set, &kind, reason, actor, now)).collect();
    insert_many!(conn, stock_ledger::table, &entries);
    tell_low_stock(conn, sets, now)?;
    Ok(true)
}

/// Writes the first stock rows of new products, at most 30,000 (SQLite takes 32,766 values), and the ledger, which a statement copies
/// from them.
pub(in crate::inventory) fn stock_open_many(
    conn: &mut Connection,
    sets: &[StockSet],
    reason: &str,
    actor: &str,
    now: Time,
) -> QueryResult<()> {
    let rows: Vec<StockValues> = sets.iter().map(StockValues::from).collect();
    insert_many!(conn, stock::table, &rows);
    let mut products: Vec<Id> = rows.iter().map(|row| row.product_id).collect();
    products.dedup();
    ledger_open(conn, &products, reason, actor, now)?;
    tell_low_stock(conn, sets, now)
}

/// The first entries of the ledger for all stock rows of products that had none before.
fn ledger_open(conn: &mut Connection, products: &[Id], reason: &str, actor: &str, now: Time) -> QueryResult<()> {
    let counters = || (stock::on_hand, stock::reserved, stock::allocated, stock::safety, stock::incoming);
    let entries = stock::table.filter(stock::product_id.eq_any(products)).select((
        (stock::product_id, stock::sku_id, stock::location_id, stock::version),
        LedgerKind::Imported.to_string().into_sql::<Text>(),
        counters(),
        counters(),
        (reason.into_sql::<Text>(), actor.into_sql::<Text>(), now.into_sql::<sql::Instant>()),
    ));
    diesel::insert_into(stock_ledger::table)
        .values(entries)
        .into_columns((
            (stock_ledger::product_id, stock_ledger::sku_id, stock_ledger::location_id, stock_ledger::seq),
            stock_ledger::kind,
            (
                stock_ledger::on_hand_delta,
                stock_ledger::reserved_delta,
                stock_ledger::allocated_delta,
                stock_ledger::safety_delta,
                stock_ledger::incoming_delta,
            ),
            (
                stock_ledger::on_hand_after,
                stock_ledger::reserved_after,
                stock_ledger::allocated_after,
                stock_ledger::safety_after,
                stock_ledger::incoming_after,
            ),
            (stock_ledger::reason, stock_ledger::actor, stock_ledger::created_at),
        ))
        .execute(conn)?;
    Ok(())
}

fn tell_low_stock(conn: &mut Connection, sets: &[StockSet], now: Time) -> QueryResult<()> {
    let low: Vec<&StockSet> = sets.iter().filter(|set| low_stock_seems(&set.place, &set.delta(), &set.after)).collect();
    let skus: BTreeSet<(Id, Id)> = low.iter().map(|set| (set.place.key.product_id, set.place.key.sku_id)).collect();
    let due = due_units(conn, &Vec::from_iter(skus), now)?;
    let events = low.iter().filter_map(|set| {
        let due = due.get(&set.place.key).copied().unwrap_or(0);
        Some((set.place.key.product_id, low_stock(&set.place, &set.delta(), &set.after, due)?))
    });
    events_insert(conn, "stock.low", events, now)
}

/// Writes rows that are at the version which was read; gives their number.
fn update(conn: &mut Connection, changed: &[&StockSet]) -> QueryResult<usize> {
    let mut written = 0;
    match conn {
        Connection::Sqlite(conn) => {
            for set in changed {
                let StockValues { product_id, sku_id, location_id, on_hand, safety, incoming, version, .. } =
                    StockValues::from(*set);
                let row = stock::table.find((product_id, sku_id, location_id)).filter(stock::version.eq(version - 1));
                let values = (
                    stock::on_hand.eq(on_hand),
                    stock::safety.eq(safety),
                    stock::incoming.eq(incoming),
                    stock::version.eq(version),
                );
                written += diesel::update(row).set(values).execute(conn)?;
            }
        }
        Connection::Postgres(conn) => {
            let column = |value: fn(&StockSet) -> i64| changed.iter().map(|set| value(set)).collect::<Vec<i64>>();
            let ids = |id: fn(&StockSet) -> Id| changed.iter().map(|set| id(set)).collect::<Vec<Id>>();
            written = diesel::sql_query(
                "UPDATE stock SET on_hand = new.on_hand, safety = new.safety, incoming = new.incoming, version = new.version
                 FROM unnest($1, $2, $3, $4, $5, $6, $7)
                      AS new (product_id, sku_id, location_id, on_hand, safety, incoming, version)
                 WHERE stock.product_id = new.product_id AND stock.sku_id = new.sku_id
                   AND stock.location_id = new.location_id AND stock.version = new.version - 1",
            )
            .bind::<Array<sql::Id>, _>(ids(|set| set.place.key.product_id))
            .bind::<Array<sql::Id>, _>(ids(|set| set.place.key.sku_id))
            .bind::<Array<sql::Id>, _>(ids(|set| set.place.key.location_id))
            .bind::<Array<BigInt>, _>(column(|set| set.after.on_hand))
            .bind::<Array<BigInt>, _>(column(|set| set.after.safety))
            .bind::<Array<BigInt>, _>(column(|set| set.after.incoming))
            .bind::<Array<BigInt>, _>(column(StockSet::version))
            .execute(conn)?;
        }
    }
    Ok(written)
}

/// Brings the stock of SKUs to a backorder limit; a check violation where more than that is promised.
pub(in crate::inventory) fn backorder_set_many(conn: &mut Connection, skus: &[&Sku], limit: i64) -> QueryResult<()> {
    for chunk in skus.chunks(10_000) {
        let (product_ids, ids): (Vec<Id>, Vec<Id>) = chunk.iter().map(|sku| (sku.product_id, sku.id)).unzip();
        let rows =
            stock::table.filter(stock::product_id.eq_any(product_ids)).filter(unindexed("stock.sku_id").eq_any(ids));
        diesel::update(rows).set(stock::backorder.eq(limit)).execute(conn)?;
    }
    Ok(())
}
