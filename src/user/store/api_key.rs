//! API keys.

use diesel::prelude::*;

use crate::call::Scope;
use crate::clock::{Id, Time};
use crate::db::sql::JsonValue;
use crate::db::{Connection, MultiBackend};
use crate::user::ApiKey;
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

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: Id,
    name: String,
    hint: String,
    scopes: JsonValue,
    created_by: Id,
    created_at: Time,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
    last_used_at: Option<Time>,
}

impl ApiKeyRow {
    fn key(self) -> QueryResult<ApiKey> {
        Ok(ApiKey {
            id: self.id,
            name: self.name,
            hint: self.hint,
            scopes: self.scopes.read("api_keys.scopes")?,
            created_by: self.created_by,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        })
    }
}

/// Newest first, at most `limit`; only those that are older than `before`, where it is named.
pub(in crate::user) fn api_key_list(conn: &mut Connection, before: Option<Id>, limit: i64) -> QueryResult<Vec<ApiKey>> {
    let mut query = api_keys::table
        .select(ApiKeyRow::as_select())
        .order(api_keys::id.desc())
        .limit(limit)
        .into_boxed::<MultiBackend>();
    if let Some(before) = before {
        query = query.filter(api_keys::id.lt(before));
    }
    let rows: Vec<ApiKeyRow> = query.load(conn)?;
    rows.into_iter().map(ApiKeyRow::key).collect()
}

/// Those of these keys that are there.
pub(in crate::user) fn api_keys_by_id(conn: &mut Connection, keys: &[Id]) -> QueryResult<Vec<ApiKey>> {
    let keys = api_keys::table.filter(api_keys::id.eq_any(keys)).select(ApiKeyRow::as_select());
    keys.load(conn)?.into_iter().map(ApiKeyRow::key).collect()
}

/// Did this person ask for a key under this request's before?
pub(in crate::user) fn api_key_is_made(conn: &mut Connection, created_by: Id, request: &[u8]) -> QueryResult<bool> {
    let made = api_keys::table.filter(api_keys::created_by.eq(created_by)).filter(api_keys::request_key.eq(request));
    diesel::select(diesel::dsl::exists(made)).get_result(conn)
}

/// Writes a new key; `request`: under which it was asked for, where that may be sent twice.
pub(in crate::user) fn api_key_insert(
    conn: &mut Connection,
    key: &ApiKey,
    token_hash: &[u8],
    request: Option<&[u8]>,
) -> QueryResult<()> {
    diesel::insert_into(api_keys::table)
        .values((
            api_keys::id.eq(key.id),
            api_keys::name.eq(&key.name),
            api_keys::token_hash.eq(token_hash),
            api_keys::hint.eq(&key.hint),
            api_keys::scopes.eq(JsonValue::of(&key.scopes)),
            api_keys::created_by.eq(key.created_by),
            api_keys::created_at.eq(key.created_at),
            api_keys::expires_at.eq(key.expires_at),
            api_keys::request_key.eq(request),
        ))
        .execute(conn)?;
    Ok(())
}

/// Ends a key for good; false when there is none that is not revoked yet.
pub(in crate::user) fn api_key_revoke(conn: &mut Connection, id: Id, now: Time) -> QueryResult<bool> {
    let key = api_keys::table.find(id).filter(api_keys::revoked_at.is_null());
    Ok(diesel::update(key).set(api_keys::revoked_at.eq(now)).execute(conn)? > 0)
}

/// Ends all keys that a person made; gives which were not ended before.
pub(in crate::user) fn api_key_revoke_all(conn: &mut Connection, created_by: Id, now: Time) -> QueryResult<Vec<Id>> {
    let keys = api_keys::table.filter(api_keys::created_by.eq(created_by)).filter(api_keys::revoked_at.is_null());
    diesel::update(keys).set(api_keys::revoked_at.eq(now)).returning(api_keys::id).get_results(conn)
}

pub(in crate::user) fn api_key_exists(conn: &mut Connection, id: Id) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(api_keys::table.find(id))).get_result(conn)
}
