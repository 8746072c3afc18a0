//! Reads of the ledger. It is written together with the counters, and nowhere else.

use diesel::prelude::*;
use serde_json::Value;

use super::stock::SkuRow;
use crate::clock::{Id, Time};
use crate::db::sql::JsonValue;
use crate::db::{Connection, MultiBackend};
use crate::inventory::schema::{locations, stock_ledger as ledger};
use crate::inventory::{Counters, LedgerEntry};

/// The place after an entry in the list: its time, location and number.
pub(in crate::inventory) type LedgerPosition = (Time, Id, i64);

#[derive(Queryable)]
struct LedgerRow {
    location_id: Id,
    location: String,
    seq: i64,
    kind: String,
    delta: (i64, i64, i64, i64, i64),
    after: (i64, i64, i64, i64, i64),
    reason: String,
    actor: String,
    reservation_id: Option<Id>,
    created_at: Time,
}

impl LedgerRow {
    fn entry(self, sku: &str) -> QueryResult<(LedgerPosition, LedgerEntry)> {
        let position = (self.created_at, self.location_id, self.seq);
        let entry = LedgerEntry {
            sku: sku.to_owned(),
            location: self.location,
            seq: self.seq,
            kind: JsonValue(Value::String(self.kind)).read("kind")?,
            delta: counters(self.delta),
            after: counters(self.after),
            reason: self.reason,
            actor: self.actor,
            reservation_id: self.reservation_id,
            created_at: self.created_at,
        };
        Ok((position, entry))
    }
}

fn counters((on_hand, reserved, allocated, safety, incoming): (i64, i64, i64, i64, i64)) -> Counters {
    Counters { on_hand, reserved, allocated, safety, incoming }
}

/// At most `limit` entries of a SKU, newest first, each with the place after it.
pub(in crate::inventory) fn ledger_list(
    conn: &mut Connection,
    sku: &SkuRow,
    location: Option<&str>,
    after: Option<LedgerPosition>,
    limit: i64,
) -> QueryResult<Vec<(LedgerPosition, LedgerEntry)>> {
    let mut query = ledger::table
        .inner_join(locations::table.on(locations::id.eq(ledger::location_id)))
        .filter(ledger::product_id.eq(sku.product_id))
        .filter(ledger::sku_id.eq(sku.sku_id))
        .select((
            ledger::location_id,
            locations::code,
            ledger::seq,
            ledger::kind,
            (
                ledger::on_hand_delta,
                ledger::reserved_delta,
                ledger::allocated_delta,
                ledger::safety_delta,
                ledger::incoming_delta,
            ),
            (
                ledger::on_hand_after,
                ledger::reserved_after,
                ledger::allocated_after,
                ledger::safety_after,
                ledger::incoming_after,
            ),
            ledger::reason,
            ledger::actor,
            ledger::reservation_id,
            ledger::created_at,
        ))
        .order((ledger::created_at.desc(), ledger::location_id.desc(), ledger::seq.desc()))
        .limit(limit)
        .into_boxed::<MultiBackend>();
    if let Some(code) = location {
        query = query.filter(locations::code.eq(code.to_owned()));
    }
    if let Some((time, place, number)) = after {
        let older_row = ledger::location_id.lt(place).or(ledger::location_id.eq(place).and(ledger::seq.lt(number)));
        // The first part is what an index can use.
        query = query.filter(ledger::created_at.le(time)).filter(ledger::created_at.lt(time).or(older_row));
    }
    let rows: Vec<LedgerRow> = query.load(conn)?;
    rows.into_iter().map(|row| row.entry(&sku.code)).collect()
}
