//! What `stock verify --repair` writes. Beside `stock_change` this alone sets counters: to a value instead of by a difference,
//! because here the counters and the ledger no longer say the same.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::stock::StockKey;
use crate::clock::{Id, Time};
use crate::db::{Connection, sql};
use crate::inventory::schema::{locations, skus, stock, stock_ledger};
use crate::inventory::{Counters, LedgerKind};

/// A ledger entry that repairing adds.
pub(in crate::inventory) struct Repair {
    pub key: StockKey,
    pub seq: i64,
    pub delta: Counters,
    pub after: Counters,
    pub reason: String,
}

/// Numbers that are missing in the ledger of a stock row.
pub(in crate::inventory) struct Gap {
    /// The first number that is missing.
    pub first: i64,
    /// The number after them that is there.
    pub end: i64,
    /// The balance before the gap.
    pub before: Counters,
    /// What the lost entries changed, by the balances on both sides.
    pub lost: Counters,
}

/// Keeps every other change away from a product's stock and its SKUs' limits until the transaction ends. On SQLite nobody else
/// writes anyway.
pub(in crate::inventory) fn product_lock(conn: &mut Connection, product_id: Id) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(_) => Ok(()),
        Connection::Postgres(conn) => {
            // In the order in which a change of a SKU takes them.
            let limits = skus::table.filter(skus::product_id.eq(product_id)).select(skus::backorder_limit);
            limits.order(skus::id).for_share().execute(conn)?;
            let rows = stock::table.filter(stock::product_id.eq(product_id)).select(stock::version);
            // Lines that are being added to the rows are no change of them.
            rows.order((stock::sku_id, stock::location_id)).for_no_key_update().execute(conn)?;
            Ok(())
        }
    }
}

/// Makes each line of a product say what its reservation says, and removes lines that have none.
pub(in crate::inventory) fn lines_mend(conn: &mut Connection, product_id: Id) -> QueryResult<()> {
    diesel::sql_query(
        "WITH head AS MATERIALIZED (
             SELECT id, state, holder, expires_at FROM reservations
             WHERE id IN (SELECT reservation_id FROM reservation_lines WHERE product_id = $1)
         )
         UPDATE reservation_lines SET state = head.state, holder = head.holder, expires_at = head.expires_at
         FROM head
         WHERE reservation_lines.product_id = $1 AND head.id = reservation_lines.reservation_id
           AND (reservation_lines.state <> head.state OR reservation_lines.holder <> head.holder
                OR reservation_lines.expires_at <> head.expires_at)",
    )
    .bind::<sql::Id, _>(product_id)
    .execute(conn)?;
    diesel::sql_query(
        "WITH head AS MATERIALIZED (
             SELECT id FROM reservations
             WHERE id IN (SELECT reservation_id FROM reservation_lines WHERE product_id = $1)
         )
         DELETE FROM reservation_lines WHERE product_id = $1 AND reservation_id NOT IN (SELECT id FROM head)",
    )
    .bind::<sql::Id, _>(product_id)
    .execute(conn)?;
    Ok(())
}

/// Makes the row of a key that has only a ledger; its counters are set afterwards. Does nothing where the SKU or the location is gone.
pub(in crate::inventory) fn stock_remake(conn: &mut Connection, key: StockKey) -> QueryResult<()> {
    let backorder: Option<i64> =
        skus::table.find((key.product_id, key.sku_id)).select(skus::backorder_limit).first(conn).optional()?;
    let location: Option<Id> = locations::table.find(key.location_id).select(locations::id).first(conn).optional()?;
    let (Some(backorder), Some(_)) = (backorder, location) else { return Ok(()) };
    diesel::insert_into(stock::table)
        .values((
            stock::product_id.eq(key.product_id),
            stock::sku_id.eq(key.sku_id),
            stock::location_id.eq(key.location_id),
            stock::backorder.eq(backorder),
        ))
        .execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
struct GapRow {
    #[diesel(sql_type = BigInt)]
    previous: i64,
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    on_hand_before: i64,
    #[diesel(sql_type = BigInt)]
    reserved_before: i64,
    #[diesel(sql_type = BigInt)]
    allocated_before: i64,
    #[diesel(sql_type = BigInt)]
    safety_before: i64,
    #[diesel(sql_type = BigInt)]
    incoming_before: i64,
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
}

/// The gaps in a key's ledger, oldest first, at most `limit`.
pub(in crate::inventory) fn ledger_gaps(conn: &mut Connection, key: StockKey, limit: i64) -> QueryResult<Vec<Gap>> {
    let rows: Vec<GapRow> = diesel::sql_query(
        "SELECT previous, seq, on_hand_before, reserved_before, allocated_before, safety_before, incoming_before,
                on_hand_after - on_hand_delta - on_hand_before AS on_hand,
                reserved_after - reserved_delta - reserved_before AS reserved,
                allocated_after - allocated_delta - allocated_before AS allocated,
                safety_after - safety_delta - safety_before AS safety,
                incoming_after - incoming_delta - incoming_before AS incoming
         FROM (
             SELECT stock_ledger.*,
                    COALESCE(LAG(seq) OVER w, 0) AS previous,
                    COALESCE(LAG(on_hand_after) OVER w, 0) AS on_hand_before,
                    COALESCE(LAG(reserved_after) OVER w, 0) AS reserved_before,
                    COALESCE(LAG(allocated_after) OVER w, 0) AS allocated_before,
                    COALESCE(LAG(safety_after) OVER w, 0) AS safety_before,
                    COALESCE(LAG(incoming_after) OVER w, 0) AS incoming_before
             FROM stock_ledger WHERE product_id = $1 AND sku_id = $2 AND location_id = $3
             WINDOW w AS (ORDER BY seq)
         ) entry
         WHERE seq > previous + 1 ORDER BY seq LIMIT $4",
    )
    .bind::<sql::Id, _>(key.product_id)
    .bind::<sql::Id, _>(key.sku_id)
    .bind::<sql::Id, _>(key.location_id)
    .bind::<BigInt, _>(limit)
    .load(conn)?;
    let gap = |row: GapRow| Gap {
        first: row.previous + 1,
        end: row.seq,
        before: Counters {
            on_hand: row.on_hand_before,
            reserved: row.reserved_before,
            allocated: row.allocated_before,
            safety: row.safety_before,
            incoming: row.incoming_before,
        },
        lost: Counters {
            on_hand: row.on_hand,
            reserved: row.reserved,
            allocated: row.allocated,
            safety: row.safety,
            incoming: row.incoming,
        },
    };
    Ok(rows.into_iter().map(gap).collect())
}

/// Sets each balance in a key's ledger to the sum of the changes up to it.
pub(in crate::inventory) fn balances_mend(conn: &mut Connection, key: StockKey) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE stock_ledger SET on_hand_after = total.on_hand, reserved_after = total.reserved,
                allocated_after = total.allocated, safety_after = total.safety, incoming_after = total.incoming
         FROM (
             SELECT product_id, sku_id, location_id, seq,
                    CAST(SUM(on_hand_delta) OVER w AS BIGINT) AS on_hand,
                    CAST(SUM(reserved_delta) OVER w AS BIGINT) AS reserved,
                    CAST(SUM(allocated_delta) OVER w AS BIGINT) AS allocated,
                    CAST(SUM(safety_delta) OVER w AS BIGINT) AS safety,
                    CAST(SUM(incoming_delta) OVER w AS BIGINT) AS incoming
             FROM stock_ledger WHERE product_id = $1 AND sku_id = $2 AND location_id = $3
             WINDOW w AS (ORDER BY seq)
         ) total
         WHERE stock_ledger.product_id = total.product_id AND stock_ledger.sku_id = total.sku_id
           AND stock_ledger.location_id = total.location_id AND stock_ledger.seq = total.seq
           AND (on_hand_after <> total.on_hand OR reserved_after <> total.reserved
                OR allocated_after <> total.allocated OR safety_after <> total.safety
                OR incoming_after <> total.incoming)",
    )
    .bind::<sql::Id, _>(key.product_id)
    .bind::<sql::Id, _>(key.sku_id)
    .bind::<sql::Id, _>(key.location_id)
    .execute(conn)?;
    Ok(())
}

/// Writes the entry of a repair.
pub(in crate::inventory) fn repair_insert(
    conn: &mut Connection,
    repair: &Repair,
    actor: &str,
    now: Time,
) -> QueryResult<()> {
    let Repair { key, seq, delta, after, reason } = repair;
    diesel::insert_into(stock_ledger::table)
        .values((
            stock_ledger::product_id.eq(key.product_id),
            stock_ledger::sku_id.eq(key.sku_id),
            stock_ledger::location_id.eq(key.location_id),
            stock_ledger::seq.eq(seq),
            stock_ledger::kind.eq(LedgerKind::Repaired.to_string()),
            (
                stock_ledger::on_hand_delta.eq(delta.on_hand),
                stock_ledger::reserved_delta.eq(delta.reserved),
                stock_ledger::allocated_delta.eq(delta.allocated),
                stock_ledger::safety_delta.eq(delta.safety),
                stock_ledger::incoming_delta.eq(delta.incoming),
            ),
            (
                stock_ledger::on_hand_after.eq(after.on_hand),
                stock_ledger::reserved_after.eq(after.reserved),
                stock_ledger::allocated_after.eq(after.allocated),
                stock_ledger::safety_after.eq(after.safety),
                stock_ledger::incoming_after.eq(after.incoming),
            ),
            stock_ledger::reason.eq(reason),
            stock_ledger::actor.eq(actor),
            stock_ledger::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Sets the counters and the version to what a repair's entry says and the backorder to the SKU's limit, and writes the entry.
pub(in crate::inventory) fn stock_repair(
    conn: &mut Connection,
    repair: &Repair,
    backorder: i64,
    actor: &str,
    now: Time,
) -> QueryResult<()> {
    let Repair { key, seq, after, .. } = repair;
    diesel::update(stock::table.find((key.product_id, key.sku_id, key.location_id)))
        .set((
            stock::on_hand.eq(after.on_hand),
            stock::reserved.eq(after.reserved),
            stock::allocated.eq(after.allocated),
            stock::safety.eq(after.safety),
            stock::incoming.eq(after.incoming),
            stock::backorder.eq(backorder),
            stock::version.eq(seq),
        ))
        .execute(conn)?;
    repair_insert(conn, repair, actor, now)
}
