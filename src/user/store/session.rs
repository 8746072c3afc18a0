//! Sessions. One of another generation than its person's is ended, whatever else stands in its row.

use diesel::prelude::*;

use crate::call::Role;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::Session;
use crate::user::schema::{sessions, users};
use crate::user::store::user::role_of;

/// A row of `sessions`.
#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub(in crate::user) struct SessionRow {
    pub user_id: Id,
    pub id: Id,
    pub user_agent: String,
    pub address: String,
    pub created_at: Time,
    pub last_seen_at: Time,
    pub expires_at: Time,
}

impl SessionRow {
    /// As the person sees it, who asks from the session `current`.
    pub(in crate::user) fn session(&self, current: Option<Id>) -> Session {
        Session {
            current: Some(self.id) == current,
            id: self.id,
            user_agent: self.user_agent.clone(),
            address: self.address.clone(),
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            expires_at: self.expires_at,
        }
    }
}

/// Writes a session.
pub(in crate::user) fn session_insert(
    conn: &mut Connection,
    row: &SessionRow,
    token_hash: &[u8],
    generation: i64,
) -> QueryResult<()> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::user_id.eq(row.user_id),
            sessions::id.eq(row.id),
            sessions::token_hash.eq(token_hash),
            sessions::generation.eq(generation),
            sessions::user_agent.eq(&row.user_agent),
            sessions::address.eq(&row.address),
            sessions::created_at.eq(row.created_at),
            sessions::last_seen_at.eq(row.last_seen_at),
            sessions::expires_at.eq(row.expires_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// This person's session with this token and the person's role; `None` when it was ended, has expired, or the person is disabled.
pub(in crate::user) fn session_by_token(
    conn: &mut Connection,
    user: Id,
    token_hash: &[u8],
    now: Time,
) -> QueryResult<Option<(SessionRow, Role)>> {
    let row: Option<(SessionRow, String)> = sessions::table
        .inner_join(users::table.on(users::id.eq(sessions::user_id)))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::token_hash.eq(token_hash))
        .filter(sessions::generation.eq(users::generation))
        .filter(sessions::expires_at.gt(now))
        .filter(users::disabled_at.is_null())
        .select((SessionRow::as_select(), users::role))
        .first(conn)
        .optional()?;
    row.map(|(session, role)| Ok((session, role_of(&role)?))).transpose()
}

/// A person's sessions of this generation that have not expired, newest first.
pub(in crate::user) fn session_list(
    conn: &mut Connection,
    user: Id,
    generation: i64,
    now: Time,
) -> QueryResult<Vec<SessionRow>> {
    sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::generation.eq(generation))
        .filter(sessions::expires_at.gt(now))
        .order(sessions::id.desc())
        .select(SessionRow::as_select())
        .load(conn)
}

/// The IP addresses from which this person has logged in.
pub(in crate::user) fn session_addresses(conn: &mut Connection, user: Id) -> QueryResult<Vec<String>> {
    sessions::table.filter(sessions::user_id.eq(user)).select(sessions::address).distinct().load(conn)
}

/// Notes that these sessions of these persons were used.
pub(in crate::user) fn session_touch(conn: &mut Connection, users: &[Id], ids: &[Id], now: Time) -> QueryResult<()> {
    diesel::update(sessions::table.filter(sessions::user_id.eq_any(users)).filter(sessions::id.eq_any(ids)))
        .set(sessions::last_seen_at.eq(now))
        .execute(conn)?;
    Ok(())
}

/// Ends a session; gives whether there was one.
pub(in crate::user) fn session_delete(conn: &mut Connection, user: Id, id: Id) -> QueryResult<bool> {
    Ok(diesel::delete(sessions::table.find((user, id))).execute(conn)? > 0)
}

/// Ends all of a person's sessions but `except`; gives how many.
pub(in crate::user) fn session_delete_all(conn: &mut Connection, user: Id, except: Option<Id>) -> QueryResult<u64> {
    // A new generation also ends what another transaction is about to write.
    let generation: Option<i64> = diesel::update(users::table.find(user))
        .set(users::generation.eq(users::generation + 1))
        .returning(users::generation)
        .get_result(conn)
        .optional()?;
    let all = || sessions::table.filter(sessions::user_id.eq(user));
    let Some((kept, generation)) = except.zip(generation) else {
        return Ok(diesel::delete(all()).execute(conn)? as u64);
    };
    diesel::update(all().filter(sessions::id.eq(kept)).filter(sessions::generation.eq(generation - 1)))
        .set(sessions::generation.eq(generation))
        .execute(conn)?;
    Ok(diesel::delete(all().filter(sessions::id.ne(kept))).execute(conn)? as u64)
}

/// Ends a person's oldest sessions so that at most `keep` stay.
pub(in crate::user) fn session_trim(conn: &mut Connection, user: Id, keep: i64) -> QueryResult<()> {
    // Ids rise with time.
    let newest_to_go: Option<Id> = sessions::table
        .filter(sessions::user_id.eq(user))
        .order(sessions::id.desc())
        .offset(keep)
        .select(sessions::id)
        .first(conn)
        .optional()?;
    if let Some(id) = newest_to_go {
        diesel::delete(sessions::table.filter(sessions::user_id.eq(user)).filter(sessions::id.le(id))).execute(conn)?;
    }
    Ok(())
}
