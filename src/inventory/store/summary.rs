//! All stock and all reservations in a few numbers.
//!
//! Values are added up as doubles: these are exact up to 2^53, and a sum beyond what an integer holds is no error.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Text};

use crate::clock::Time;
use crate::db::Connection;
use crate::inventory::store::reservation::StateColumn;
use crate::inventory::store::statement::Statement;
use crate::inventory::{Money, OrderDay, ReservationState, STATE_COUNT_MAX, Scarcity, StockSummary};

/// What holds whose time has passed still keep, by stock row: to be joined to the stock row `s`.
const DUE: &str = "LEFT JOIN (
        SELECT product_id, sku_id, location_id, CAST(SUM(quantity) AS BIGINT) AS units FROM reservation_lines
        WHERE state = 'held' AND reservation_id IN (SELECT id FROM reservations WHERE state = 'held' AND expires_at <= ?)
        GROUP BY product_id, sku_id, location_id
    ) AS due ON due.product_id = s.product_id AND due.sku_id = s.sku_id AND due.location_id = s.location_id";

const AVAILABLE: &str = "s.on_hand - s.reserved - s.allocated - s.safety + COALESCE(due.units, 0)";

const OPEN: &str = "(SELECT id FROM locations WHERE active)";

#[derive(QueryableByName)]
struct StockRow {
    #[diesel(sql_type = BigInt)]
    skus: i64,
    #[diesel(sql_type = BigInt)]
    on_hand: i64,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    allocated: i64,
    #[diesel(sql_type = BigInt)]
    incoming: i64,
    #[diesel(sql_type = Double)]
    value: f64,
    #[diesel(sql_type = BigInt)]
    low: i64,
    #[diesel(sql_type = BigInt)]
    sold_out: i64,
}

/// All stock, at one moment.
pub(in crate::inventory) fn stock_summary(
    conn: &mut Connection,
    currency: &str,
    now: Time,
) -> QueryResult<StockSummary> {
    let mut select = Statement::default();
    select.add("SELECT totals.*, (SELECT COUNT(*) FROM skus) AS skus,", []);
    select.add_statement("(SELECT COUNT(DISTINCT code) FROM (", &low(now), ") AS few) AS low,");
    select.add_statement("(SELECT COUNT(*) FROM (", &sold_out(now), ") AS gone) AS sold_out");
    let totals = format!(
        "FROM (
             SELECT CAST(COALESCE(SUM(s.on_hand), 0) AS BIGINT) AS on_hand,
                    CAST(COALESCE(SUM(s.reserved), 0) - COALESCE(SUM(due.units), 0) AS BIGINT) AS reserved,
                    CAST(COALESCE(SUM(s.allocated), 0) AS BIGINT) AS allocated,
                    CAST(COALESCE(SUM(s.incoming), 0) AS BIGINT) AS incoming,
                    COALESCE(SUM(CAST(s.on_hand AS DOUBLE PRECISION) * k.price_amount), 0.0) AS value
             FROM stock s CROSS JOIN skus k {DUE}
             WHERE k.product_id = s.product_id AND k.id = s.sku_id
         ) AS totals"
    );
    select.add(&totals, [now.into()]);
    // An aggregate without groups gives one row.
    let row = select.kept().load::<StockRow>(conn)?.pop().ok_or(diesel::result::Error::NotFound)?;
    let StockRow { skus, on_hand, reserved, allocated, incoming, value, low, sold_out } = row;
    let value = money(value, currency);
    Ok(StockSummary { skus, on_hand, reserved, allocated, incoming, value, low, sold_out })
}

/// A scarce SKU: where it is low, with what is available there; or sold out, at no location in particular.
#[derive(QueryableByName)]
pub(in crate::inventory) struct ScarceRow {
    #[diesel(sql_type = BigInt)]
    pub(in crate::inventory) available: i64,
    #[diesel(sql_type = Text)]
    pub(in crate::inventory) code: String,
    /// A location's code, or empty.
    #[diesel(sql_type = Text)]
    pub(in crate::inventory) location: String,
}

/// The scarce SKUs after this one, the scarcest first.
pub(in crate::inventory) fn scarce_skus(
    conn: &mut Connection,
    scarcity: Scarcity,
    after: &ScarceRow,
    limit: i64,
    now: Time,
) -> QueryResult<Vec<ScarceRow>> {
    let scarce = match scarcity {
        Scarcity::Low => low(now),
        Scarcity::SoldOut => sold_out(now),
    };
    let mut select = Statement::default();
    select.add_statement("SELECT available, code, location FROM (", &scarce, ") AS scarce");
    let ScarceRow { available, code, location } = after;
    select.add(
        "WHERE (available, code, location) > (?, ?, ?) ORDER BY available, code, location LIMIT ?",
        [(*available).into(), code.as_str().into(), location.as_str().into(), limit.into()],
    );
    select.kept().load(conn)
}

/// The SKUs of active products of which, at a location, no more is available than their threshold; each such location is a row.
fn low(now: Time) -> Statement {
    let mut select = Statement::default();
    let codes = format!(
        "SELECT k.code, l.code AS location, {AVAILABLE} AS available
         FROM stock s CROSS JOIN skus k CROSS JOIN products p CROSS JOIN locations l {DUE}
         WHERE k.product_id = s.product_id AND k.id = s.sku_id AND p.id = k.product_id AND p.status = 'active'
           AND l.id = s.location_id AND l.active
           AND {AVAILABLE} <= k.low_stock_threshold"
    );
    select.add(&codes, [now.into()]);
    select
}

/// The SKUs of active products that are sold out: those with stock rows at active locations, none of which has anything
/// left, and those without such rows. What may be promised at an active location without a stock row is not sold out.
fn sold_out(now: Time) -> Statement {
    let mut select = Statement::default();
    let none_left = format!(
        "SELECT k.code, '' AS location, one.available FROM (
             SELECT s.product_id, s.sku_id, COUNT(*) AS places, CAST(SUM({AVAILABLE}) AS BIGINT) AS available
             FROM stock s {DUE}
             WHERE s.location_id IN {OPEN}
             GROUP BY s.product_id, s.sku_id HAVING MAX({AVAILABLE} + s.backorder) <= 0
         ) AS one
         JOIN skus k ON k.product_id = one.product_id AND k.id = one.sku_id JOIN products p ON p.id = k.product_id
         WHERE p.status = 'active'
           AND NOT (k.backorder_limit > 0 AND one.places < (SELECT COUNT(*) FROM locations WHERE active))"
    );
    let nowhere = format!(
        "UNION ALL SELECT k.code, '', 0 FROM skus k
            WHERE k.product_id IN (SELECT id FROM products WHERE status = 'active')
              AND NOT EXISTS (SELECT 1 FROM stock s
                              WHERE s.product_id = k.product_id AND s.sku_id = k.id AND s.location_id IN {OPEN})
              AND NOT (k.backorder_limit > 0 AND (SELECT COUNT(*) FROM locations WHERE active) > 0)"
    );
    select.add(&none_left, [now.into()]);
    select.add(&nowhere, []);
    select
}

#[derive(QueryableByName)]
struct StateRow {
    #[diesel(sql_type = Text, deserialize_as = StateColumn)]
    state: ReservationState,
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The reservations by state; a hold whose time has passed is expired. Counts go up to [`STATE_COUNT_MAX`].
pub(in crate::inventory) fn reservation_states(
    conn: &mut Connection,
    now: Time,
) -> QueryResult<Vec<(ReservationState, i64)>> {
    let mut select = Statement::default();
    let held = "SELECT 'held' AS state, COUNT(*) AS count FROM (
                    SELECT 1 FROM reservations WHERE state = 'held' AND expires_at > ? LIMIT ?) AS counted";
    select.add(held, [now.into(), STATE_COUNT_MAX.into()]);
    let expired = "UNION ALL SELECT 'expired', COUNT(*) FROM (
                       SELECT 1 FROM (SELECT 1 FROM reservations WHERE state = 'held' AND expires_at <= ?
                                      UNION ALL SELECT 1 FROM reservations WHERE state = 'expired') AS ended LIMIT ?) AS counted";
    select.add(expired, [now.into(), STATE_COUNT_MAX.into()]);
    use ReservationState::{Cancelled, Committed, Released, Shipped};
    for state in [Committed, Shipped, Released, Cancelled] {
        let one = format!(
            "UNION ALL SELECT '{state}', COUNT(*) FROM (SELECT 1 FROM reservations WHERE state = '{state}' LIMIT ?) AS counted"
        );
        select.add(&one, [STATE_COUNT_MAX.into()]);
    }
    let rows = select.kept().load::<StateRow>(conn)?;
    Ok(rows.into_iter().map(|row| (row.state, row.count)).collect())
}

#[derive(QueryableByName)]
struct DayRow {
    #[diesel(sql_type = BigInt)]
    day: i64,
    #[diesel(sql_type = BigInt)]
    orders: i64,
    #[diesel(sql_type = BigInt)]
    units: i64,
    #[diesel(sql_type = Double)]
    value: f64,
}

/// The orders between each two neighbours of `days`: of those that are cancelled, what was shipped before. One of which nothing was is
/// none, also where its units are still those that were ordered: processes of an older version cancel without changing them.
pub(in crate::inventory) fn order_days(
    conn: &mut Connection,
    days: &[Time],
    currency: &str,
) -> QueryResult<Vec<OrderDay>> {
    let mut select = Statement::default();
    for (day, times) in days.windows(2).enumerate() {
        // All of it stands in indices, and few orders are in the second.
        let one = format!(
            "{} SELECT CAST({day} AS BIGINT) AS day, COUNT(*) AS orders, CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units,
                       COALESCE(SUM(CAST(value AS DOUBLE PRECISION)), 0.0) AS value
             FROM reservations WHERE committed_at >= ? AND committed_at < ? AND units > 0
               AND (state <> 'cancelled' OR id IN (SELECT reservation_id FROM reservation_lines
                                                   WHERE state = 'cancelled' AND shipped > 0))",
            if day == 0 { "" } else { "UNION ALL" }
        );
        select.add(&one, [times[0].into(), times[1].into()]);
    }
    let mut rows = select.load::<DayRow>(conn)?;
    rows.sort_by_key(|row| row.day);
    let day = |(from, row): (&Time, DayRow)| {
        let DayRow { orders, units, value, .. } = row;
        OrderDay { from: *from, orders, units, value: money(value, currency) }
    };
    Ok(days.iter().zip(rows).map(day).collect())
}

fn money(amount: f64, currency: &str) -> Money {
    // What is beyond an i64 becomes the largest one.
    Money { amount: amount as i64, currency: currency.to_owned() }
}
