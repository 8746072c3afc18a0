//! The outbox: events are written with their effect and get their place in the feed afterwards.

use diesel::prelude::*;
use serde::Serialize;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::JsonValue;
use crate::inventory::schema::outbox;

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
