//! Forgets what is past its time, a bounded number of rows at a time. The audit log is kept.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::clock::Time;
use crate::db::{Connection, sql};

/// Deletes at most so many rows of a table that were over at a time; gives how many.
pub(in crate::user) type Forget = fn(&mut Connection, Time, i64) -> QueryResult<usize>;

/// Sessions that ended before `end`.
pub(in crate::user) fn sessions(conn: &mut Connection, end: Time, limit: i64) -> QueryResult<usize> {
    // By the primary key, in which the id alone does not come first.
    diesel::sql_query(
        "DELETE FROM sessions WHERE (user_id, id) IN \
         (SELECT user_id, id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    )
    .bind::<sql::Instant, _>(end)
    .bind::<BigInt, _>(limit)
    .execute(conn)
}

/// One-time tokens that ended before `end`.
pub(in crate::user) fn one_time_tokens(conn: &mut Connection, end: Time, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM one_time_tokens WHERE (user_id, token_hash) IN \
         (SELECT user_id, token_hash FROM one_time_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
    )
    .bind::<sql::Instant, _>(end)
    .bind::<BigInt, _>(limit)
    .execute(conn)
}

/// Counts of requests in minutes that began before `end`.
pub(in crate::user) fn rate_counts(conn: &mut Connection, end: Time, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM rate_counts WHERE (client, minute) IN \
         (SELECT client, minute FROM rate_counts WHERE minute <= $1 ORDER BY minute LIMIT $2)",
    )
    .bind::<sql::Instant, _>(end)
    .bind::<BigInt, _>(limit)
    .execute(conn)
}

/// What the throttle knows of those who did not fail, and were not to wait, after `end`.
pub(in crate::user) fn throttle(conn: &mut Connection, end: Time, limit: i64) -> QueryResult<usize> {
    diesel::sql_query(
        "DELETE FROM login_throttle WHERE key IN (SELECT key FROM login_throttle \
         WHERE updated_at <= $1 AND blocked_until <= $2 ORDER BY updated_at LIMIT $3)",
    )
    .bind::<sql::Instant, _>(end)
    .bind::<sql::Instant, _>(end)
    .bind::<BigInt, _>(limit)
    .execute(conn)
}
