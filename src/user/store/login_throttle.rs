//! Counts of failures, and until when the next try waits.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

use crate::clock::Time;
use crate::db::Connection;
use crate::db::sql;
use crate::user::schema::login_throttle;

/// Until when these counters let nobody through; the latest of them.
pub(in crate::user) fn throttle_blocked_until(conn: &mut Connection, keys: &[&[u8]]) -> QueryResult<Option<Time>> {
    let times: Vec<Time> = login_throttle::table
        .filter(login_throttle::key.eq_any(keys))
        .select(login_throttle::blocked_until)
        .load(conn)?;
    Ok(times.into_iter().max())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    failures: i64,
}

/// Counts one more, from the start again where the last was before `forget`. One statement, so that none is lost among many at a
/// time. Gives the count; `None` where the counter lets nobody through now.
pub(in crate::user) fn throttle_count(
    conn: &mut Connection,
    key: &[u8],
    now: Time,
    forget: Time,
) -> QueryResult<Option<i64>> {
    // A new row blocks nobody: neither now nor where another process's clock is a little behind. Both databases say it alike, but diesel's ON CONFLICT knows one backend at a time only.
    let count: Option<Count> = diesel::sql_query(
        "INSERT INTO login_throttle (key, failures, blocked_until, updated_at) VALUES ($1, 1, $2, $3)
         ON CONFLICT (key) DO UPDATE SET
             failures = CASE WHEN login_throttle.updated_at < $2 THEN 1 ELSE login_throttle.failures + 1 END,
             updated_at = excluded.updated_at
         WHERE login_throttle.blocked_until <= excluded.updated_at
         RETURNING failures",
    )
    .bind::<Binary, _>(key)
    .bind::<sql::Instant, _>(forget)
    .bind::<sql::Instant, _>(now)
    .get_result(conn)
    .optional()?;
    Ok(count.map(|count| count.failures))
}

/// Lets nobody through until `until`.
pub(in crate::user) fn throttle_block(conn: &mut Connection, key: &[u8], until: Time) -> QueryResult<()> {
    diesel::update(login_throttle::table.find(key)).set(login_throttle::blocked_until.eq(until)).execute(conn)?;
    Ok(())
}

/// Forgets these counters.
pub(in crate::user) fn throttle_clear(conn: &mut Connection, keys: &[&[u8]]) -> QueryResult<()> {
    diesel::delete(login_throttle::table.filter(login_throttle::key.eq_any(keys))).execute(conn)?;
    Ok(())
}
