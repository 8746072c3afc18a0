//! The audit log: who did what to whom.

use diesel::prelude::*;
use serde::Serialize;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::JsonValue;
use crate::user::schema::audit_log;

/// Notes an act in the caller's transaction. `subject` is `user:ID` or `key:ID`; `address` the caller's IP address, empty when unknown.
pub(in crate::user) fn audit_insert(
    conn: &mut Connection,
    actor: &str,
    action: &str,
    subject: &str,
    data: &impl Serialize,
    address: &str,
    now: Time,
) -> QueryResult<()> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(Id::new(now)),
            audit_log::actor.eq(actor),
            audit_log::action.eq(action),
            audit_log::subject.eq(subject),
            audit_log::data.eq(JsonValue::of(data)),
            audit_log::address.eq(address),
            audit_log::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}
