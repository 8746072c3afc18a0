//! The audit log: who did what to whom.

use diesel::prelude::*;
use serde::Serialize;

use crate::call::Call;
use crate::clock::{Id, Time};
use crate::db::sql::JsonValue;
use crate::db::{Connection, MultiBackend};
use crate::user::AuditEntry;
use crate::user::schema::audit_log;

/// Notes an act in the caller's transaction. `subject` is `user:ID` or `key:ID`.
pub(in crate::user) fn audit_insert(
    conn: &mut Connection,
    call: &Call,
    action: &str,
    subject: &str,
    data: &impl Serialize,
    now: Time,
) -> QueryResult<()> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(Id::new(now)),
            audit_log::actor.eq(&call.actor),
            audit_log::action.eq(action),
            audit_log::subject.eq(subject),
            audit_log::data.eq(JsonValue::of(data)),
            audit_log::address.eq(&call.address),
            audit_log::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes the same act to each of `subjects`, of which there is no more to say.
pub(in crate::user) fn audit_insert_all(
    conn: &mut Connection,
    call: &Call,
    action: &str,
    subjects: &[String],
    now: Time,
) -> QueryResult<()> {
    // Bounded: SQLite takes so many values a statement only.
    for subjects in subjects.chunks(1_000) {
        let rows = subjects.iter().map(|subject| {
            (
                audit_log::id.eq(Id::new(now)),
                audit_log::actor.eq(&call.actor),
                audit_log::action.eq(action),
                audit_log::subject.eq(subject),
                audit_log::data.eq(JsonValue(serde_json::json!({}))),
                audit_log::address.eq(&call.address),
                audit_log::created_at.eq(now),
            )
        });
        let rows: Vec<_> = rows.collect();
        match conn {
            Connection::Sqlite(conn) => diesel::insert_into(audit_log::table).values(rows).execute(conn)?,
            Connection::Postgres(conn) => diesel::insert_into(audit_log::table).values(rows).execute(conn)?,
        };
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct AuditRow {
    id: Id,
    actor: String,
    action: String,
    subject: String,
    data: JsonValue,
    address: String,
    created_at: Time,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        AuditEntry {
            id: row.id,
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            data: row.data.0,
            address: row.address,
            created_at: row.created_at,
        }
    }
}

/// Newest first, at most `limit`; only about `subject` and older than `before`, where they are named.
pub(in crate::user) fn audit_list(
    conn: &mut Connection,
    subject: Option<&str>,
    before: Option<Id>,
    limit: i64,
) -> QueryResult<Vec<AuditEntry>> {
    let mut query = audit_log::table
        .select(AuditRow::as_select())
        .order(audit_log::id.desc())
        .limit(limit)
        .into_boxed::<MultiBackend>();
    if let Some(subject) = subject {
        query = query.filter(audit_log::subject.eq(subject));
    }
    if let Some(before) = before {
        query = query.filter(audit_log::id.lt(before));
    }
    let rows: Vec<AuditRow> = query.load(conn)?;
    Ok(rows.into_iter().map(AuditEntry::from).collect())
}

/// Leaves of what is noted about a person, `user:ID`, only who did what, and when; also of what the person did to others.
pub(in crate::user) fn audit_scrub(conn: &mut Connection, person: &str) -> QueryResult<()> {
    diesel::update(audit_log::table.filter(audit_log::subject.eq(person)))
        .set((audit_log::data.eq(JsonValue(serde_json::json!({}))), audit_log::address.eq("")))
        .execute(conn)?;
    // Both conditions as the index has them, which knows only what is done to others: little.
    let others = audit_log::table.filter(audit_log::actor.eq(person)).filter(audit_log::actor.ne(audit_log::subject));
    diesel::update(others).set(audit_log::address.eq("")).execute(conn)?;
    Ok(())
}
