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
