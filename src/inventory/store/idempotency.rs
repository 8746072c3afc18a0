//! Idempotency keys: a key's row is there from the moment its call begins, with the answer once the call has ended.

use diesel::prelude::*;

use crate::call::IdempotencyKey;
use crate::clock::Time;
use crate::db::Connection;
use crate::db::sql::JsonValue;
use crate::inventory::schema::idempotency_keys;

#[derive(Queryable)]
pub(in crate::inventory) struct KeyRow {
    pub(in crate::inventory) request_hash: Vec<u8>,
    pub(in crate::inventory) response: Option<JsonValue>,
    pub(in crate::inventory) created_at: Time,
}

/// Takes the key for the caller's transaction; `false`: a call with it is there already. On PostgreSQL this waits for a
/// transaction that is just taking the same key, until that one ends or the lock timeout passes.
pub(in crate::inventory) fn key_insert(
    conn: &mut Connection,
    owner: &str,
    key: &IdempotencyKey,
    now: Time,
) -> QueryResult<bool> {
    let values = (
        idempotency_keys::owner.eq(owner),
        idempotency_keys::key.eq(&key.key),
        idempotency_keys::request_hash.eq(&key.request_hash),
        idempotency_keys::created_at.eq(now),
    );
    let insert = diesel::insert_into(idempotency_keys::table);
    let count = match conn {
        Connection::Sqlite(conn) => insert.values(values).on_conflict_do_nothing().execute(conn)?,
        Connection::Postgres(conn) => insert.values(values).on_conflict_do_nothing().execute(conn)?,
    };
    Ok(count == 1)
}

pub(in crate::inventory) fn key_get(conn: &mut Connection, owner: &str, key: &str) -> QueryResult<Option<KeyRow>> {
    idempotency_keys::table
        .find((owner, key))
        .select((idempotency_keys::request_hash, idempotency_keys::response, idempotency_keys::created_at))
        .first(conn)
        .optional()
}

/// Takes over a key whose time has passed; `false`: somebody else was quicker.
pub(in crate::inventory) fn key_replace(
    conn: &mut Connection,
    owner: &str,
    key: &IdempotencyKey,
    old: Time,
    now: Time,
) -> QueryResult<bool> {
    let row = idempotency_keys::table.find((owner, &key.key)).filter(idempotency_keys::created_at.eq(old));
    let count = diesel::update(row)
        .set((
            idempotency_keys::request_hash.eq(&key.request_hash),
            idempotency_keys::response.eq(None::<JsonValue>),
            idempotency_keys::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(count == 1)
}

pub(in crate::inventory) fn key_answer(
    conn: &mut Connection,
    owner: &str,
    key: &str,
    response: JsonValue,
) -> QueryResult<()> {
    diesel::update(idempotency_keys::table.find((owner, key)))
        .set(idempotency_keys::response.eq(Some(response)))
        .execute(conn)?;
    Ok(())
}
