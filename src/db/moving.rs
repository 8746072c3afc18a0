//! Moves the rows of a module's tables to another database, of either kind: all of them in one transaction there, or none.
//!
//! A row travels as a JSON array. Each database writes and reads it by expressions that follow from the column's type, of which our
//! tables have six (`tests/it/schema.rs` holds both kinds to the same columns). Afterwards both sides are held against each other, row
//! by row, by a digest that does not depend on the order.

use std::cell::RefCell;
use std::collections::BTreeMap;

use diesel::connection::{DefaultLoadingMode, SimpleConnection};
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use r2d2::PooledConnection;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::connect::Manager;
use super::{Connection, Database, DbError, Migrations, migrate, sql, transaction};

/// A statement writes rows of together so many bytes, or so many rows.
const BATCH_BYTES: usize = 2 << 20;
const BATCH_ROWS: usize = 1_000;
/// `PRAGMA user_version` of an SQLite file whose rows were moved elsewhere.
pub(super) const MOVED_FILE: i64 = 0x6d6f_7665;
/// On PostgreSQL, the lease that nobody has again.
const MOVED: &str = "moved";

/// How many rows of a table were moved.
pub struct MovedTable {
    pub table: &'static str,
    pub rows: i64,
}

/// What a move did.
pub enum Move {
    Done(Vec<MovedTable>),
    /// All of it was there already, row by row.
    WasDone,
}

/// Where two tables agree, these do.
#[derive(Default, PartialEq)]
struct Contents {
    rows: i64,
    digest: u128,
}

/// A database whose rows are to be moved: nobody else uses it until this is dropped.
pub struct Seized(PooledConnection<Manager>);

/// These block, as they are for a command that does nothing else.
impl Database {
    /// Moves the rows of `tables`, given with the parents first, from `source` to this database, where they must be empty: each is a
    /// table's name, and may have an ORDER BY after it. `filled` are those in which the migrations leave rows; these are replaced.
    /// [`DbError::Move`] says what is in the way.
    pub fn move_from(
        &self,
        source: &mut Seized,
        tables: &'static [&'static str],
        filled: &'static [&'static str],
    ) -> Result<Move, DbError> {
        let from = RefCell::new(&mut source.0.connection);
        let work = |to: &mut Connection| move_all(&mut from.borrow_mut(), to, tables, filled);
        self.writers.with_connection(|to| transaction(to, &self.begin.write, &work))
    }

    /// Keeps everybody else from this database and from its `tables`. [`DbError::Move`]: somebody uses it, or `migrations` are not
    /// exactly those that were applied.
    pub fn seize(&self, tables: &[&str], migrations: &[&'static Migrations]) -> Result<Seized, DbError> {
        if self.begin.has_pooler() {
            return Err(in_the_way(
                "the old database must be reached past its pooler: url and pooler of its configuration",
            ));
        }
        let mut pooled = self.writers.connection()?;
        // When it is dropped, what it holds ends with it.
        pooled.broken = true;
        must_be_migrated(&mut pooled.connection, migrations)?;
        let seized = match &mut pooled.connection {
            Connection::Sqlite(conn) => seize_file(conn),
            Connection::Postgres(conn) => seize_tables(conn, self.name, tables),
        };
        seized.map_err(|error| match error {
            DbError::Timeout(_) => in_the_way("another process uses the old database: stop the shop first"),
            error => error,
        })?;
        Ok(Seized(pooled))
    }
}

impl Seized {
    /// Says in the database that its rows have gone elsewhere: from now on no shop opens it.
    pub fn mark_moved(mut self) -> Result<(), DbError> {
        match &mut self.0.connection {
            Connection::Sqlite(conn) => conn.batch_execute(&format!("PRAGMA user_version = {MOVED_FILE}; COMMIT"))?,
            Connection::Postgres(conn) => conn.batch_execute(&format!(
                "INSERT INTO leases (name, holder, epoch, held_until) VALUES ('{MOVED}', 'emporium move', 1, 'infinity'); COMMIT"
            ))?,
        }
        Ok(())
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn must_be_migrated(conn: &mut Connection, migrations: &[&'static Migrations]) -> Result<(), DbError> {
    for migrations in migrations {
        if !migrations.pending(conn)?.is_empty() {
            return Err(in_the_way("the old database lacks migrations: run `emporium migrate` there first"));
        }
    }
    for version in migrate::applied(conn)? {
        let mut is_known = false;
        for migrations in migrations {
            is_known |= migrations.have(&version)?;
        }
        if !is_known {
            return Err(in_the_way(format!(
                "the old database was migrated by a newer emporium ({version} is not known to this one): move it with that one"
            )));
        }
    }
    Ok(())
}

fn seize_file(conn: &mut SqliteConnection) -> Result<(), DbError> {
    // Only who is alone can leave the write-ahead log.
    Ok(conn.batch_execute("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")?)
}

/// Who connects from now on waits, and finds at last that all has gone elsewhere; who was there before would not look.
fn seize_tables(conn: &mut PgConnection, schema: &str, tables: &[&str]) -> Result<(), DbError> {
    let names: Vec<&str> = tables.iter().map(|table| name_of(table)).collect();
    conn.batch_execute(
        "SET application_name = 'emporium move'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0",
    )?;
    // A shop that is open is not even held up.
    must_be_alone(conn)?;
    conn.batch_execute(&format!("BEGIN; LOCK TABLE leases, {} IN ACCESS EXCLUSIVE MODE", names.join(", ")))?;
    must_be_alone(conn)?;
    // Another one may have moved them while this one waited.
    must_not_be_moved(conn, schema)
}

fn must_be_alone(conn: &mut PgConnection) -> Result<(), DbError> {
    let others = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database()
                  AND usename = current_user AND application_name <> 'emporium move'";
    let Count { count } = sql_query(others).get_result(conn)?;
    match count {
        0 => Ok(()),
        n => Err(in_the_way(format!("{n} other connections use the old database: stop the shop first"))),
    }
}

/// Refuses a database on PostgreSQL whose rows were moved elsewhere: a shop that goes on with it by mistake would sell twice. While they
/// are moved it waits, for as long as for any lock.
pub(super) fn refuse_moved(conn: &mut PgConnection, schema: &str) -> Result<(), DbError> {
    let leases: Option<u32> = diesel::select(sql::to_regclass(format!("{schema}.leases"))).get_result(conn)?;
    if leases.is_some() { must_not_be_moved(conn, schema) } else { Ok(()) }
}

fn must_not_be_moved(conn: &mut PgConnection, schema: &str) -> Result<(), DbError> {
    let moved = sql_query(format!("SELECT count(*) AS count FROM {schema}.leases WHERE name = '{MOVED}'"));
    match moved.get_result(conn)? {
        Count { count: 0 } => Ok(()),
        _ => Err(DbError::Unavailable(format!(
            "what was here was moved to another database: start with that one's configuration, or, to move back, make this one anew. \
             To open it nevertheless, with what was in it then: DELETE FROM {schema}.leases WHERE name = '{MOVED}'"
        ))),
    }
}

/// Without the order in which its rows come.
fn name_of(table: &str) -> &str {
    table.split(' ').next().unwrap_or(table)
}

fn in_the_way(text: impl Into<String>) -> DbError {
    DbError::Move(text.into())
}

fn move_all(
    from: &mut Connection,
    to: &mut Connection,
    tables: &'static [&'static str],
    filled: &[&str],
) -> Result<Move, DbError> {
    if let Connection::Postgres(to) = to {
        to.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")?;
    }
    let types = types(from, to)?;
    let mut plans = vec![];
    for table in tables {
        let name = name_of(table);
        let columns = types
            .get(name)
            .ok_or_else(|| in_the_way(format!("{name}: there is no such table; run `emporium migrate`")))?;
        plans.push(Plan { name, of: table, columns });
    }
    let mut is_empty = true;
    for plan in plans.iter().filter(|plan| !filled.contains(&plan.name)) {
        is_empty &= count(to, plan.name)? == 0;
    }
    if !is_empty {
        return was_done(from, to, &plans);
    }
    for name in filled {
        execute(to, &format!("DELETE FROM {name}"))?;
    }
    let mut moved = vec![];
    for plan in &plans {
        plan.copy(from, to)?;
        let (there, here) = (plan.contents(from)?, plan.contents(to)?);
        if there != here {
            return Err(in_the_way(format!("{}: what arrived is not what was sent; nothing was moved", plan.name)));
        }
        moved.push(MovedTable { table: plan.name, rows: here.rows });
    }
    Ok(Move::Done(moved))
}

/// Somebody moved it before, or has begun to use the target.
fn was_done(from: &mut Connection, to: &mut Connection, plans: &[Plan<'_>]) -> Result<Move, DbError> {
    for plan in plans {
        if plan.contents(from)? != plan.contents(to)? {
            let text = format!(
                "the new database has rows of its own (see {}), and a move needs an empty one: make it anew (a file that is not \
                 there yet; on PostgreSQL drop and create it, and `emporium migrate`)",
                plan.name
            );
            return Err(in_the_way(text));
        }
    }
    Ok(Move::WasDone)
}

/// Each table's columns and their types, by PostgreSQL's names: of the one of both that is PostgreSQL.
fn types(from: &mut Connection, to: &mut Connection) -> Result<BTreeMap<String, Vec<(String, String)>>, DbError> {
    #[derive(QueryableByName)]
    struct Column {
        #[diesel(sql_type = Text)]
        of: String,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        kind: String,
    }
    let ((Connection::Postgres(conn), _) | (_, Connection::Postgres(conn))) = (from, to) else {
        return Err(in_the_way("one SQLite file is copied to another by `emporium backup`"));
    };
    let columns = "SELECT table_name::text AS of, column_name::text AS name, udt_name::text AS kind
                   FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY ordinal_position";
    let mut types: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for Column { of, name, kind } in sql_query(columns).load(conn)? {
        types.entry(of).or_default().push((name, kind));
    }
    Ok(types)
}

fn execute(conn: &mut Connection, sql: &str) -> Result<usize, DbError> {
    Ok(match conn {
        Connection::Sqlite(conn) => sql_query(sql).execute(conn)?,
        Connection::Postgres(conn) => sql_query(sql).execute(conn)?,
    })
}

fn count(conn: &mut Connection, table: &str) -> Result<i64, DbError> {
    let count = sql_query(format!("SELECT count(*) AS count FROM {table}"));
    let Count { count } = match conn {
        Connection::Sqlite(conn) => count.get_result(conn)?,
        Connection::Postgres(conn) => count.get_result(conn)?,
    };
    Ok(count)
}

/// A table, and how its rows travel.
struct Plan<'a> {
    name: &'static str,
    /// The name, and the order in which the rows come.
    of: &'static str,
    columns: &'a [(String, String)],
}

impl Plan<'_> {
    fn copy(&self, from: &mut Connection, to: &mut Connection) -> Result<(), DbError> {
        let insert = self.insert(to);
        let mut write = |rows: &str| -> Result<(), DbError> {
            let insert = sql_query(&insert).bind::<Text, _>(format!("[{rows}]"));
            match to {
                Connection::Sqlite(to) => insert.execute(to)?,
                Connection::Postgres(to) => insert.execute(to)?,
            };
            Ok(())
        };
        let (mut batch, mut rows) = (String::new(), 0);
        self.each(from, |row| {
            if rows > 0 {
                batch.push(',');
            }
            batch.push_str(row);
            rows += 1;
            if rows == BATCH_ROWS || batch.len() > BATCH_BYTES {
                write(&batch)?;
                (batch, rows) = (String::new(), 0);
            }
            Ok(())
        })?;
        if rows > 0 { write(&batch) } else { Ok(()) }
    }

    fn contents(&self, conn: &mut Connection) -> Result<Contents, DbError> {
        let mut contents = Contents::default();
        self.each(conn, |row| {
            let row: Value =
                serde_json::from_str(row).map_err(|error| in_the_way(format!("{}: {error}", self.name)))?;
            let hash = Sha256::digest(sorted(row).to_string());
            let (half, _) = hash.split_at(16);
            contents.rows += 1;
            contents.digest =
                contents.digest.wrapping_add(half.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte)));
            Ok(())
        })?;
        Ok(contents)
    }

    /// Gives each row, as a JSON array.
    fn each(&self, conn: &mut Connection, mut take: impl FnMut(&str) -> Result<(), DbError>) -> Result<(), DbError> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            row: String,
        }
        let select = sql_query(self.select(conn));
        let mut take = |row: QueryResult<Row>| take(&row?.row);
        match conn {
            Connection::Sqlite(conn) => select.load_iter::<Row, DefaultLoadingMode>(conn)?.try_for_each(&mut take),
            Connection::Postgres(conn) => select.load_iter::<Row, PgRowByRowLoadingMode>(conn)?.try_for_each(&mut take),
        }
    }

    fn select(&self, conn: &Connection) -> String {
        let columns = |write: fn(&str, &str) -> String| {
            let columns: Vec<String> =
                self.columns.iter().map(|(name, kind)| write(&format!("\"{name}\""), kind)).collect();
            columns.join(", ")
        };
        match conn {
            Connection::Sqlite(_) => format!("SELECT json_array({}) AS \"row\" FROM {}", columns(from_sqlite), self.of),
            Connection::Postgres(_) => {
                format!("SELECT jsonb_build_array({})::text AS \"row\" FROM {}", columns(from_postgres), self.of)
            }
        }
    }

    fn insert(&self, conn: &Connection) -> String {
        let names: Vec<String> = self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let values = |read: fn(usize, &str) -> String| {
            let values: Vec<String> = self.columns.iter().enumerate().map(|(n, (_, kind))| read(n, kind)).collect();
            values.join(", ")
        };
        let (values, rows) = match conn {
            Connection::Sqlite(_) => (values(to_sqlite), "json_each(?)"),
            Connection::Postgres(_) => (values(to_postgres), "jsonb_array_elements($1::jsonb) AS value"),
        };
        format!("INSERT INTO {} ({}) SELECT {values} FROM {rows}", self.name, names.join(", "))
    }
}

fn from_sqlite(column: &str, kind: &str) -> String {
    match kind {
        "uuid" | "bytea" => format!("iif({column} IS NULL, NULL, lower(hex({column})))"),
        "jsonb" => format!("json({column})"),
        _ => column.to_owned(),
    }
}

fn from_postgres(column: &str, kind: &str) -> String {
    match kind {
        "uuid" => format!("replace({column}::text, '-', '')"),
        "bytea" => format!("encode({column}, 'hex')"),
        // Microseconds since 1970, as SQLite has them.
        "timestamptz" => format!("(extract(epoch FROM {column}) * 1000000)::bigint"),
        "bool" => format!("{column}::int"),
        _ => column.to_owned(),
    }
}

fn to_sqlite(n: usize, kind: &str) -> String {
    match kind {
        "uuid" | "bytea" => format!("unhex(value ->> '$[{n}]')"),
        "jsonb" => format!("nullif(value -> '$[{n}]', 'null')"),
        _ => format!("value ->> '$[{n}]'"),
    }
}

fn to_postgres(n: usize, kind: &str) -> String {
    match kind {
        "uuid" => format!("(value ->> {n})::uuid"),
        "bytea" => format!("decode(value ->> {n}, 'hex')"),
        // Exact: a double holds all whole numbers up to 2^53, and these end at 2^51.
        "timestamptz" => format!("timestamptz 'epoch' + (value ->> {n})::bigint * interval '1 microsecond'"),
        "bool" => format!("(value ->> {n})::int::bool"),
        "int8" => format!("(value ->> {n})::bigint"),
        "jsonb" => format!("nullif(value -> {n}, 'null')"),
        _ => format!("value ->> {n}"),
    }
}

/// With the members of all objects in the order of their names: a jsonb keeps none.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let members: BTreeMap<String, Value> = map.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(members.into_iter().collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        value => value,
    }
}
