//! Orders of which a part was shipped, and the rest was not.

use diesel::prelude::*;

use super::reservation::{ReservationFilter, ReservationRow};
use super::statement::Statement;
use crate::clock::Id;
use crate::db::{Connection, sql};
use crate::inventory::ReservationState::{self, Cancelled, Committed};
use crate::inventory::schema::reservations;

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
}

/// Those that the filter lets through, newest first. They are found by their lines that were shipped: an index has these alone, in
/// this order, so that a page reads no more of them than it shows.
pub(in crate::inventory) fn partly_shipped_list(
    conn: &mut Connection,
    filter: &ReservationFilter,
    limit: i64,
) -> QueryResult<Vec<ReservationRow>> {
    let states = [Committed, Cancelled].into_iter().filter(|state| filter.state.is_none_or(|wanted| wanted == *state));
    let mut ids = vec![];
    for state in states {
        ids.extend(statement(filter, state, limit).load::<IdRow>(conn)?.into_iter().map(|row| row.id));
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    // One that was cancelled between the two statements is in both.
    ids.dedup();
    ids.truncate(limit as usize);
    reservations::table
        .filter(reservations::id.eq_any(ids))
        .select(ReservationRow::as_select())
        .order(reservations::id.desc())
        .load(conn)
}

/// The ids of those in this state. The state stands in the text, for the index is known by it.
fn statement(filter: &ReservationFilter, state: ReservationState, limit: i64) -> Statement {
    let mut select = Statement::default();
    select.add("SELECT DISTINCT l.reservation_id AS id FROM reservation_lines l", []);
    if filter.reference.is_some() {
        select.add("CROSS JOIN reservations r", []);
    }
    select.add(&format!("WHERE l.state = '{state}' AND l.shipped > 0"), []);
    if let Some(reference) = &filter.reference {
        // As in other lists no index shall know this column: all orders of the checkout have one word.
        let has_reference = "AND r.id = l.reservation_id AND coalesce(r.reference, r.reference) = ?";
        select.add(has_reference, [reference.as_str().into()]);
    }
    if let Some(holder) = &filter.holder {
        select.add("AND l.holder = ?", [holder.as_str().into()]);
    }
    if let Some(before) = filter.before {
        select.add("AND l.reservation_id < ?", [before.into()]);
    }
    select.add("ORDER BY l.reservation_id DESC LIMIT ?", [limit.into()]);
    select
}
