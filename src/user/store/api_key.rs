//! API keys.

use diesel::prelude::*;

use crate::call::Scope;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::JsonValue;
use crate::user::schema::api_keys;

/// A key that may be used.
pub(in crate::user) struct UsableKey {
    pub id: Id,
    pub scopes: Vec<Scope>,
    pub last_used_at: Option<Time>,
}

/// The key with this token, unless it is revoked or too old.
pub(in crate::user) fn api_key_by_token(
    conn: &mut Connection,
    token_hash: &[u8],
    now: Time,
) -> QueryResult<Option<UsableKey>> {
    let row: Option<(Id, JsonValue, Option<Time>)> = api_keys::table
        .filter(api_keys::token_hash.eq(token_hash))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(now)))
        .select((api_keys::id, api_keys::scopes, api_keys::last_used_at))
        .first(conn)
        .optional()?;
    row.map(|(id, scopes, last_used_at)| Ok(UsableKey { id, scopes: scopes.read("api_keys.scopes")?, last_used_at }))
        .transpose()
}

/// Notes that these keys were used.
pub(in crate::user) fn api_key_touch(conn: &mut Connection, ids: &[Id], now: Time) -> QueryResult<()> {
    diesel::update(api_keys::table.filter(api_keys::id.eq_any(ids)))
        .set(api_keys::last_used_at.eq(now))
        .execute(conn)?;
    Ok(())
}
