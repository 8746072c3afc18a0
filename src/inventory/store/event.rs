//! The outbox: events are written with their effect and get their place in the feed afterwards.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde::Serialize;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::JsonValue;
use crate::inventory::Event;
use crate::inventory::schema::{outbox, outbox_head};

/// Writes an event about `subject` (a product or a reservation) into the caller's transaction.
pub(in crate::inventory) fn event_insert(
    conn: &mut Connection,
    kind: &str,
    subject: Id,
    data: &impl Serialize,
    now: Time,
) -> QueryResult<()> {
    diesel::insert_into(outbox::table)
        .values((
            outbox::aggregate_id.eq(subject),
            outbox::id.eq(Id::new(now)),
            outbox::kind.eq(kind),
            outbox::data.eq(JsonValue::of(data)),
            outbox::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
struct EventValues<'a> {
    aggregate_id: Id,
    id: Id,
    kind: &'a str,
    data: JsonValue,
    created_at: Time,
}

/// Writes one event about each of many subjects.
pub(in crate::inventory) fn events_insert<T: Serialize>(
    conn: &mut Connection,
    kind: &str,
    events: impl IntoIterator<Item = (Id, T)>,
    now: Time,
) -> QueryResult<()> {
    let event = |(subject, data)| EventValues {
        aggregate_id: subject,
        id: Id::new(now),
        kind,
        data: JsonValue::of(&data),
        created_at: now,
    };
    let values: Vec<EventValues> = events.into_iter().map(event).collect();
    insert_many!(conn, outbox::table, &values);
    Ok(())
}

/// The events after a position, in their order.
pub(in crate::inventory) fn event_list(conn: &mut Connection, after: i64, limit: i64) -> QueryResult<Vec<Event>> {
    let rows: Vec<(Id, Option<i64>, String, Id, JsonValue, Time)> = outbox::table
        .filter(outbox::position.gt(after))
        .order(outbox::position)
        .limit(limit)
        .select((outbox::id, outbox::position, outbox::kind, outbox::aggregate_id, outbox::data, outbox::created_at))
        .load(conn)?;
    let event = |(id, position, kind, subject, JsonValue(data), created_at)| {
        // The filter lets no row without a position through.
        let position = Option::unwrap_or_default(position);
        Event { id, position, kind, subject, data, created_at }
    };
    Ok(rows.into_iter().map(event).collect())
}

/// Are there events without a position?
pub(in crate::inventory) fn event_is_unplaced(conn: &mut Connection) -> QueryResult<bool> {
    let found: Option<Id> =
        outbox::table.filter(outbox::position.is_null()).select(outbox::id).limit(1).first(conn).optional()?;
    Ok(found.is_some())
}

/// Gives at most `limit` committed events the next positions, in the order of their ids.
///
/// One transaction at a time does this: the others wait for the head's row. So positions become visible in their order, and an
/// event that is committed late gets a position after all that was ever read.
pub(in crate::inventory) fn event_place(conn: &mut Connection, limit: i64) -> QueryResult<()> {
    let head = outbox_head::table.find("events");
    let last: i64 = diesel::update(head)
        .set(outbox_head::position.eq(outbox_head::position))
        .returning(outbox_head::position)
        .get_result(conn)?;
    let placed = diesel::sql_query(
        "WITH fresh AS MATERIALIZED (
             SELECT aggregate_id, id, ROW_NUMBER() OVER (ORDER BY id) AS place
             FROM (SELECT aggregate_id, id FROM outbox WHERE position IS NULL ORDER BY id LIMIT $1) oldest
         )
         UPDATE outbox SET position = $2 + fresh.place FROM fresh
         WHERE outbox.aggregate_id = fresh.aggregate_id AND outbox.id = fresh.id",
    )
    .bind::<BigInt, _>(limit)
    .bind::<BigInt, _>(last)
    .execute(conn)?;
    diesel::update(head).set(outbox_head::position.eq(last + placed as i64)).execute(conn)?;
    Ok(())
}
