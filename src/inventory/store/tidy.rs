//! Takes away rows that are past their time: a bounded number of each table a call.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::clock::Time;
use crate::db::{Connection, sql};

/// The time, and before which time what goes was made.
#[derive(Clone, Copy)]
pub(in crate::inventory) struct Ages {
    pub(in crate::inventory) now: Time,
    pub(in crate::inventory) keys: Time,
    pub(in crate::inventory) events: Time,
    pub(in crate::inventory) holders: Time,
    /// Of jobs that ended.
    pub(in crate::inventory) jobs: Time,
    /// Of jobs whose input is not whole: when something of it came last.
    pub(in crate::inventory) uploads: Time,
}

/// So many rows a piece of an input counts for: it is large, so fewer of them go at a time.
const PIECE_WEIGHT: i64 = 50;

/// Removes at most `limit` rows of each table; gives the largest number that went of one table: `limit` where there may be more.
pub(in crate::inventory) fn tidy(conn: &mut Connection, ages: &Ages, limit: i64) -> QueryResult<u64> {
    // A row of a holder is only there to be locked.
    let by_age = [
        (
            ages.keys,
            "DELETE FROM idempotency_keys WHERE (owner, key) IN
             (SELECT owner, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)",
        ),
        (
            ages.holders,
            "DELETE FROM holders WHERE holder IN
             (SELECT holder FROM holders WHERE touched_at < $1 ORDER BY touched_at LIMIT $2)",
        ),
        (
            ages.uploads,
            "UPDATE jobs SET state = 'cancelled', message = 'the input never became whole', total = 0,
                             finished_at = created_at
             WHERE id IN (SELECT id FROM jobs WHERE state = 'queued' AND total IS NULL AND COALESCE(alive_until, created_at) < $1
                          ORDER BY id LIMIT $2)",
        ),
        (
            ages.jobs,
            "DELETE FROM job_errors WHERE (job_id, seq) IN
             (SELECT job_errors.job_id, job_errors.seq FROM job_errors JOIN jobs ON jobs.id = job_errors.job_id
              WHERE jobs.finished_at < $1 ORDER BY job_errors.job_id, job_errors.seq LIMIT $2)",
        ),
        (
            ages.jobs,
            "DELETE FROM jobs WHERE id IN
             (SELECT id FROM jobs WHERE finished_at < $1
              AND NOT EXISTS (SELECT 1 FROM job_errors WHERE job_id = jobs.id)
              AND NOT EXISTS (SELECT 1 FROM job_inputs WHERE job_id = jobs.id) ORDER BY id LIMIT $2)",
        ),
    ];
    let mut most = 0;
    for (before, statement) in by_age {
        let rows =
            diesel::sql_query(statement).bind::<sql::Instant, _>(before).bind::<BigInt, _>(limit).execute(conn)?;
        most = most.max(rows);
    }
    // Events without a position are not yet in the feed. Only the oldest in it are looked at: they are in its order, not by age.
    let events = diesel::sql_query(
        "DELETE FROM outbox WHERE (aggregate_id, id) IN
         (SELECT aggregate_id, id FROM
          (SELECT aggregate_id, id, created_at FROM outbox WHERE position IS NOT NULL ORDER BY position LIMIT $1) AS oldest
          WHERE created_at < $2)",
    )
    .bind::<BigInt, _>(limit)
    .bind::<sql::Instant, _>(ages.events)
    .execute(conn)?;
    let pieces = diesel::sql_query(
        "DELETE FROM job_inputs WHERE (job_id, seq) IN
         (SELECT job_inputs.job_id, job_inputs.seq FROM job_inputs JOIN jobs ON jobs.id = job_inputs.job_id
          WHERE jobs.finished_at IS NOT NULL AND (jobs.alive_until IS NULL OR jobs.alive_until < $1)
          ORDER BY job_inputs.job_id, job_inputs.seq LIMIT $2)",
    )
    .bind::<sql::Instant, _>(ages.now)
    .bind::<BigInt, _>(limit / PIECE_WEIGHT)
    .execute(conn)?;
    Ok(most.max(events).max(pieces * PIECE_WEIGHT as usize) as u64)
}
