//! Calls that may be repeated: the effect happens once, and every repetition gets the first answer.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Answer, Call, IdempotencyKey};
use crate::clock::Time;
use crate::db::sql::JsonValue;
use crate::db::{Connection, DbError};
use crate::inventory::InventoryError;
use crate::inventory::store::idempotency::{key_answer, key_get, key_insert, key_replace};

/// Runs `work` in the caller's transaction, unless the call's key was used within the last `hours`: then gives that first answer
/// again. The answer is kept in the same transaction as the effect; an error undoes both, so a refused call may be tried again.
/// Must be the transaction's first act: the key's row is the first lock in the order of locks.
pub(super) fn once<T, E>(
    conn: &mut Connection,
    call: &Call,
    hours: u32,
    now: Time,
    work: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<Answer<T>, E>
where
    T: Serialize + DeserializeOwned,
    E: From<InventoryError>,
{
    let Some(key) = &call.key else { return Ok(Answer { value: work(conn)?, replayed: false }) };
    if let Some(value) = take(conn, &call.actor, key, hours, now)? {
        return Ok(Answer { value, replayed: true });
    }
    let value = work(conn)?;
    key_answer(conn, &call.actor, &key.key, JsonValue::of(&value)).map_err(InventoryError::from)?;
    Ok(Answer { value, replayed: false })
}

/// Takes the key; gives the first answer when the key was used before.
fn take<T: DeserializeOwned>(
    conn: &mut Connection,
    owner: &str,
    key: &IdempotencyKey,
    hours: u32,
    now: Time,
) -> Result<Option<T>, InventoryError> {
    let oldest = now.minus_seconds(hours.saturating_mul(3_600));
    // Again only when a row that was in the way is gone or renewed by the time it is read.
    for _ in 0..3 {
        if key_insert(conn, owner, key, now).map_err(still_running)? {
            return Ok(None);
        }
        let Some(row) = key_get(conn, owner, &key.key)? else { continue };
        if row.created_at < oldest {
            match key_replace(conn, owner, key, row.created_at, now).map_err(still_running)? {
                true => return Ok(None),
                false => continue,
            }
        }
        if row.request_hash != key.request_hash {
            return Err(InventoryError::KeyReused);
        }
        let response = row.response.ok_or(InventoryError::KeyInUse)?;
        return Ok(Some(response.read("idempotency_keys.response")?));
    }
    Err(InventoryError::KeyInUse)
}

/// Waited in vain for the transaction that has the key.
fn still_running(error: diesel::result::Error) -> InventoryError {
    match DbError::from(error) {
        DbError::Timeout(_) => InventoryError::KeyInUse,
        error => error.into(),
    }
}
