//! The jobs, their inputs and their faults.
//!
//! A job whose `total` is NULL is still being sent: nobody sees it and nobody runs it. `alive_until` is renewed by whoever runs a
//! job, and only by him who knows its last value: so a runner that was given up for dead cannot go on beside its successor.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::{self, JsonValue};
use crate::inventory::schema::{job_errors, job_inputs, jobs};
use crate::inventory::{ImportOptions, ImportReport, Job, JobState, RowFault};

#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs)]
struct JobRow {
    id: Id,
    kind: String,
    state: String,
    actor: String,
    total: Option<i64>,
    done: i64,
    result: JsonValue,
    message: String,
    fault: Option<JsonValue>,
    created_at: Time,
    started_at: Option<Time>,
    finished_at: Option<Time>,
}

impl JobRow {
    fn job(self) -> QueryResult<Job> {
        Ok(Job {
            id: self.id,
            kind: self.kind,
            state: state_of(&self.state)?,
            total: self.total.unwrap_or_default(),
            done: self.done,
            report: self.result.read("jobs.result")?,
            message: self.message,
            fault: self.fault.map(|fault| fault.read("jobs.fault")).transpose()?,
            actor: self.actor,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        })
    }
}

const QUEUED: &str = "queued";
const RUNNING: &str = "running";
const CANCELLED: &str = "cancelled";

/// The word for a state in its column.
pub(in crate::inventory) fn state_text(state: JobState) -> &'static str {
    match state {
        JobState::Queued => QUEUED,
        JobState::Running => RUNNING,
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Cancelled => CANCELLED,
    }
}

fn state_of(text: &str) -> QueryResult<JobState> {
    let all = [JobState::Queued, JobState::Running, JobState::Succeeded, JobState::Failed, JobState::Cancelled];
    let found = all.into_iter().find(|state| state_text(*state) == text);
    found.ok_or_else(|| diesel::result::Error::DeserializationError(format!("jobs.state: {text:?}").into()))
}

/// Makes a job whose input is yet to come.
pub(in crate::inventory) fn job_insert(
    conn: &mut Connection,
    id: Id,
    actor: &str,
    options: &ImportOptions,
    now: Time,
) -> QueryResult<()> {
    let report = ImportReport { dry_run: options.dry_run, ..ImportReport::default() };
    diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(id),
            jobs::kind.eq("import"),
            jobs::state.eq(QUEUED),
            jobs::actor.eq(actor),
            jobs::params.eq(JsonValue::of(options)),
            jobs::result.eq(JsonValue::of(&report)),
            jobs::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes that the job's input is still coming; false: there is no such job, or its input is whole.
pub(in crate::inventory) fn job_is_coming(conn: &mut Connection, id: Id, now: Time) -> QueryResult<bool> {
    let open = jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq(QUEUED)).filter(jobs::total.is_null());
    Ok(diesel::update(open).set(jobs::alive_until.eq(Some(now))).execute(conn)? == 1)
}

/// Adds a piece of the input. A piece that is there already is a unique violation.
pub(in crate::inventory) fn input_insert(conn: &mut Connection, id: Id, seq: i64, bytes: &[u8]) -> QueryResult<()> {
    diesel::insert_into(job_inputs::table)
        .values((job_inputs::job_id.eq(id), job_inputs::seq.eq(seq), job_inputs::bytes.eq(bytes)))
        .execute(conn)?;
    Ok(())
}

pub(in crate::inventory) fn input_get(conn: &mut Connection, id: Id, seq: i64) -> QueryResult<Option<Vec<u8>>> {
    job_inputs::table.find((id, seq)).select(job_inputs::bytes).first(conn).optional()
}

/// Removes at most `limit` pieces of the input; gives their number.
pub(in crate::inventory) fn input_delete(conn: &mut Connection, id: Id, limit: i64) -> QueryResult<usize> {
    let seqs: Vec<i64> = job_inputs::table
        .filter(job_inputs::job_id.eq(id))
        .order(job_inputs::seq)
        .limit(limit)
        .select(job_inputs::seq)
        .load(conn)?;
    diesel::delete(job_inputs::table.filter(job_inputs::job_id.eq(id)).filter(job_inputs::seq.eq_any(seqs)))
        .execute(conn)
}

/// The input is whole: the job may be run. `None`: there is no such job that waits for its input.
pub(in crate::inventory) fn job_queue(conn: &mut Connection, id: Id) -> QueryResult<Option<Job>> {
    #[derive(QueryableByName)]
    struct Size {
        #[diesel(sql_type = BigInt)]
        bytes: i64,
    }
    let size: Size = diesel::sql_query(
        "SELECT CAST(COALESCE(SUM(octet_length(bytes)), 0) AS bigint) AS bytes FROM job_inputs WHERE job_id = $1",
    )
    .bind::<sql::Id, _>(id)
    .get_result(conn)?;
    let open = jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq(QUEUED)).filter(jobs::total.is_null());
    match diesel::update(open).set(jobs::total.eq(size.bytes)).execute(conn)? {
        0 => Ok(None),
        _ => job_get(conn, id),
    }
}

pub(in crate::inventory) fn job_get(conn: &mut Connection, id: Id) -> QueryResult<Option<Job>> {
    let row: Option<JobRow> = jobs::table
        .filter(jobs::id.eq(id))
        .filter(jobs::total.is_not_null())
        .select(JobRow::as_select())
        .first(conn)
        .optional()?;
    row.map(JobRow::job).transpose()
}

/// The newest jobs before the one of this id.
pub(in crate::inventory) fn job_list(conn: &mut Connection, before: Option<Id>, limit: i64) -> QueryResult<Vec<Job>> {
    let mut query = jobs::table.filter(jobs::total.is_not_null()).into_boxed();
    if let Some(before) = before {
        query = query.filter(jobs::id.lt(before));
    }
    let rows: Vec<JobRow> = query.order(jobs::id.desc()).limit(limit).select(JobRow::as_select()).load(conn)?;
    rows.into_iter().map(JobRow::job).collect()
}

/// A job that was taken, and how far an earlier run of it came.
pub(in crate::inventory) struct Claim {
    pub(in crate::inventory) job: Job,
    pub(in crate::inventory) options: ImportOptions,
    /// Things of the file that are done.
    pub(in crate::inventory) items: i64,
    /// Faults that are kept.
    pub(in crate::inventory) faults: i64,
}

/// Takes the oldest job that waits, or one whose runner is dead; it is ours until `alive_until`. What an earlier run has written
/// stays. `None`: there is nothing to do, or somebody else was quicker.
pub(in crate::inventory) fn job_claim(
    conn: &mut Connection,
    now: Time,
    alive_until: Time,
) -> QueryResult<Option<Claim>> {
    let waiting = jobs::state.eq(QUEUED).and(jobs::total.is_not_null());
    let dead = jobs::state.eq(RUNNING).and(jobs::alive_until.assume_not_null().lt(now));
    let next: Option<(Id, String, Option<Time>)> = jobs::table
        .filter(waiting.or(dead))
        .order(jobs::id)
        .select((jobs::id, jobs::state, jobs::alive_until))
        .first(conn)
        .optional()?;
    let Some((id, state, seen)) = next else { return Ok(None) };
    let mut unclaimed = diesel::update(jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq(state)))
        .set((jobs::state.eq(RUNNING), jobs::alive_until.eq(Some(alive_until)), jobs::started_at.eq(Some(now))))
        .into_boxed();
    if let Some(seen) = seen {
        unclaimed = unclaimed.filter(jobs::alive_until.eq(seen));
    }
    if unclaimed.execute(conn)? == 0 {
        return Ok(None);
    }
    let (row, params, items): (JobRow, JsonValue, i64) =
        jobs::table.find(id).select((JobRow::as_select(), jobs::params, jobs::items)).first(conn)?;
    let faults = job_errors::table.filter(job_errors::job_id.eq(id)).count().get_result(conn)?;
    Ok(Some(Claim { job: row.job()?, options: params.read("jobs.params")?, items, faults }))
}

/// Forgets what an earlier run of a job has written of it.
pub(in crate::inventory) fn job_restart(conn: &mut Connection, id: Id, report: &ImportReport) -> QueryResult<()> {
    diesel::delete(job_errors::table.filter(job_errors::job_id.eq(id))).execute(conn)?;
    diesel::update(jobs::table.filter(jobs::id.eq(id)))
        .set((jobs::done.eq(0), jobs::items.eq(0), jobs::failed.eq(0), jobs::result.eq(JsonValue::of(report))))
        .execute(conn)?;
    Ok(())
}

/// Goes on holding a job until `next`, if it is ours and no more of it is done than we know; nobody else changes its row until the
/// transaction ends. Gives its state: a cancelled job must stop. `None`: it is no longer ours.
pub(in crate::inventory) fn job_hold(
    conn: &mut Connection,
    id: Id,
    held_until: Time,
    next: Time,
    items: i64,
) -> QueryResult<Option<JobState>> {
    let ours =
        jobs::table.filter(jobs::id.eq(id)).filter(jobs::alive_until.eq(held_until)).filter(jobs::items.eq(items));
    let state: Option<String> = diesel::update(ours)
        .set(jobs::alive_until.eq(Some(next)))
        .returning(jobs::state)
        .get_result(conn)
        .optional()?;
    state.as_deref().map(state_of).transpose()
}

/// Writes how far a job is, in bytes and in things of its file.
pub(in crate::inventory) fn job_progress(
    conn: &mut Connection,
    id: Id,
    done: i64,
    items: i64,
    report: &ImportReport,
) -> QueryResult<()> {
    diesel::update(jobs::table.filter(jobs::id.eq(id)))
        .set((
            jobs::done.eq(done),
            jobs::items.eq(items),
            jobs::failed.eq(report.rows_failed as i64),
            jobs::result.eq(JsonValue::of(report)),
        ))
        .execute(conn)?;
    Ok(())
}

/// How a job ended.
#[derive(Clone)]
pub(in crate::inventory) struct JobEnd {
    pub(in crate::inventory) state: JobState,
    pub(in crate::inventory) message: String,
    pub(in crate::inventory) fault: Option<RowFault>,
}

impl JobEnd {
    pub(in crate::inventory) fn new(state: JobState, message: impl Into<String>) -> Self {
        JobEnd { state, message: message.into(), fault: None }
    }

    /// From this row on the file could not be read.
    pub(in crate::inventory) fn unreadable(fault: RowFault) -> Self {
        JobEnd { fault: Some(fault.clone()), ..JobEnd::new(JobState::Failed, fault.to_string()) }
    }
}

/// Ends a job that runs and is ours.
pub(in crate::inventory) fn job_end(
    conn: &mut Connection,
    id: Id,
    held_until: Time,
    end: &JobEnd,
    now: Time,
) -> QueryResult<bool> {
    let ours =
        jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq(RUNNING)).filter(jobs::alive_until.eq(held_until));
    let ended = diesel::update(ours)
        .set((
            jobs::state.eq(state_text(end.state)),
            jobs::message.eq(&end.message),
            jobs::fault.eq(end.fault.as_ref().map(JsonValue::of)),
            jobs::finished_at.eq(Some(now)),
        ))
        .execute(conn)?;
    Ok(ended > 0)
}

/// Makes a job that runs and is ours one that waits. What is done of it stays.
pub(in crate::inventory) fn job_hand_back(conn: &mut Connection, id: Id, held_until: Time) -> QueryResult<bool> {
    let ours =
        jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq(RUNNING)).filter(jobs::alive_until.eq(held_until));
    let waiting = (jobs::state.eq(QUEUED), jobs::alive_until.eq(None::<Time>), jobs::started_at.eq(None::<Time>));
    Ok(diesel::update(ours).set(waiting).execute(conn)? == 1)
}

/// Cancels a job that waits or runs, also one whose input is still being sent. `None`: there is no such job.
pub(in crate::inventory) fn job_cancel(conn: &mut Connection, id: Id, now: Time) -> QueryResult<Option<Job>> {
    let unfinished = jobs::table.filter(jobs::id.eq(id)).filter(jobs::state.eq_any([QUEUED, RUNNING]));
    // One whose input is not whole is seen from now on.
    let values = (jobs::state.eq(CANCELLED), jobs::finished_at.eq(Some(now)));
    if diesel::update(unfinished).set(values).execute(conn)? == 0 {
        return Ok(None);
    }
    let open = jobs::table.filter(jobs::id.eq(id)).filter(jobs::total.is_null());
    diesel::update(open).set(jobs::total.eq(0)).execute(conn)?;
    job_get(conn, id)
}

/// Removes a job that nothing refers to.
pub(in crate::inventory) fn job_delete(conn: &mut Connection, id: Id) -> QueryResult<()> {
    diesel::delete(jobs::table.filter(jobs::id.eq(id))).execute(conn)?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = job_errors, treat_none_as_default_value = false)]
struct FaultValues<'a> {
    job_id: Id,
    seq: i64,
    line: i64,
    column_name: &'a str,
    message: &'a str,
    code: &'a str,
    arguments: JsonValue,
}

/// Adds faults of a job, of which `first` is the number of the first.
pub(in crate::inventory) fn faults_insert(
    conn: &mut Connection,
    job_id: Id,
    first: i64,
    faults: &[RowFault],
) -> QueryResult<()> {
    let values: Vec<FaultValues> = (first..)
        .zip(faults)
        .map(|(seq, fault)| FaultValues {
            job_id,
            seq,
            line: fault.line as i64,
            column_name: &fault.column,
            message: &fault.message,
            code: &fault.code,
            arguments: JsonValue::of(&fault.arguments),
        })
        .collect();
    insert_many!(conn, job_errors::table, &values);
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = job_errors)]
struct FaultRow {
    seq: i64,
    line: i64,
    column_name: String,
    message: String,
    code: String,
    arguments: JsonValue,
}

impl FaultRow {
    fn fault(self) -> QueryResult<(i64, RowFault)> {
        let fault = RowFault {
            line: i64::max(self.line, 0) as u64,
            column: self.column_name,
            code: self.code,
            message: self.message,
            arguments: self.arguments.read("job_errors.arguments")?,
        };
        Ok((self.seq, fault))
    }
}

/// The faults after the one of number `after`, with their numbers.
pub(in crate::inventory) fn fault_list(
    conn: &mut Connection,
    job_id: Id,
    after: i64,
    limit: i64,
) -> QueryResult<Vec<(i64, RowFault)>> {
    let rows: Vec<FaultRow> = job_errors::table
        .filter(job_errors::job_id.eq(job_id))
        .filter(job_errors::seq.gt(after))
        .order(job_errors::seq)
        .limit(limit)
        .select(FaultRow::as_select())
        .load(conn)?;
    rows.into_iter().map(FaultRow::fault).collect()
}
