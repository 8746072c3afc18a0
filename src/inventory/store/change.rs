//! The log of changes: it only grows.

use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::sql::JsonValue;
use crate::db::{Connection, MultiBackend};
use crate::inventory::schema::changes;
use crate::inventory::{Change, FIELDS_MAX, FieldChange};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = changes, treat_none_as_default_value = false)]
struct ChangeRow {
    subject_id: Id,
    id: Id,
    action: String,
    subject: String,
    actor: String,
    fields: JsonValue,
    created_at: Time,
}

/// What a change is about: the thing's id, what it is called, and what changed of it.
pub(in crate::inventory) type Changed<'a> = (Id, &'a str, Vec<FieldChange>);

/// Notes what `actor` did to each of many things, in the caller's transaction. What has many fields takes several rows.
pub(in crate::inventory) fn changes_insert<'a>(
    conn: &mut Connection,
    actor: &str,
    action: &str,
    things: impl IntoIterator<Item = Changed<'a>>,
    now: Time,
) -> QueryResult<()> {
    let row = |subject_id, subject: &str, fields: &[FieldChange]| ChangeRow {
        subject_id,
        id: Id::new(now),
        action: action.to_owned(),
        subject: subject.to_owned(),
        actor: actor.to_owned(),
        fields: JsonValue::of(&fields),
        created_at: now,
    };
    let mut rows = vec![];
    for (subject_id, subject, fields) in things {
        match fields.as_slice() {
            [] => rows.push(row(subject_id, subject, &[])),
            fields => rows.extend(fields.chunks(FIELDS_MAX).map(|fields| row(subject_id, subject, fields))),
        }
    }
    insert_many!(conn, changes::table, &rows);
    Ok(())
}

/// Newest first, at most `limit`; only of `subject` and older than `before`, where they are named.
pub(in crate::inventory) fn change_list(
    conn: &mut Connection,
    subject: Option<Id>,
    before: Option<Id>,
    limit: i64,
) -> QueryResult<Vec<Change>> {
    let mut query = changes::table
        .select(ChangeRow::as_select())
        .order(changes::id.desc())
        .limit(limit)
        .into_boxed::<MultiBackend>();
    if let Some(subject) = subject {
        query = query.filter(changes::subject_id.eq(subject));
    }
    if let Some(before) = before {
        query = query.filter(changes::id.lt(before));
    }
    let rows: Vec<ChangeRow> = query.load(conn)?;
    rows.into_iter().map(change).collect()
}

fn change(row: ChangeRow) -> QueryResult<Change> {
    Ok(Change {
        id: row.id,
        action: row.action,
        actor: row.actor,
        subject_id: row.subject_id,
        subject: row.subject,
        fields: row.fields.read("changes.fields")?,
        created_at: row.created_at,
    })
}
