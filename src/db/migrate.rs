//! Migrations: each is one transaction of the one process that holds their lease, so that however many start at once, each step
//! happens once.

use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use super::lease::{self, Lease};
use super::{Connection, Database, DbError, pause, sql};

/// A module's migrations, in both dialects.
pub struct Migrations {
    pub sqlite: EmbeddedMigrations,
    pub postgres: EmbeddedMigrations,
}

const WORK: &str = "migrations";
/// Each step waits for its locks no longer than other statements, since all others wait behind it, and is tried again so often.
const ATTEMPTS: u32 = 5;

impl Database {
    /// Applies what is missing of a module's migrations; gives their names. While another process does so, it waits.
    pub async fn migrate(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        self.migrate_for(migrations, None).await
    }

    /// The same by the tables' owner: also lets `user` use all of them, and change none of their forms.
    pub async fn migrate_for(
        &self,
        migrations: &'static Migrations,
        user: Option<&str>,
    ) -> Result<Vec<String>, DbError> {
        self.prepare(user).await?;
        let mut applied = vec![];
        while !self.pending_migrations(migrations).await?.is_empty() {
            let result = self.leased(WORK, |lease| self.migrate_all(migrations, lease)).await;
            // Whoever mends what failed need not wait for the lease's end; where this fails too, the first error says more.
            drop(self.leases_release(Some(WORK)).await);
            match result {
                Ok(Some(names)) => applied.extend(names),
                Ok(None) | Err(DbError::Fenced(_) | DbError::Timeout(_)) => {
                    tracing::info!(module = self.name, "another process migrates; waiting for it");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(applied)
    }

    async fn migrate_all(&self, migrations: &'static Migrations, lease: Lease) -> Result<Vec<String>, DbError> {
        let mut applied = vec![];
        let mut attempt = 1;
        loop {
            match self.write(move |conn| step(conn, migrations, lease)).await {
                Ok(Some(name)) => {
                    applied.push(name);
                    attempt = 1;
                }
                Ok(None) => return Ok(applied),
                Err(DbError::Migration(cause)) if cause.contains("lock timeout") && attempt < ATTEMPTS => {
                    tracing::warn!(module = self.name, %cause, "a migration waits for a lock; it is tried again");
                    tokio::time::sleep(pause(attempt) * 50).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The module's schema and its table of leases, where they are not there yet, and who may use what is in it.
    async fn prepare(&self, user: Option<&str>) -> Result<(), DbError> {
        let (name, grants) = (self.name, user.map(|user| grants(self.name, user)).unwrap_or_default());
        let mut attempt = 1;
        loop {
            let grants = grants.clone();
            match self.write(move |conn| make_schema(conn, name, &grants)).await {
                // Another process makes them at the same moment, which IF NOT EXISTS does not know of.
                Err(DbError::Query(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(DbError::Query(error)) if error.to_string().contains("permission denied for database") => {
                    return Err(DbError::Migration(format!(
                        "{error}: its role may make no schema there. GRANT CREATE ON DATABASE … TO it, or name one that may as database.owner"
                    )));
                }
                result => return result,
            }
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    /// The names of the migrations that are not yet applied. It changes nothing, and needs no right to.
    pub async fn pending_migrations(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        self.read_primary(|conn| migrations.pending(conn)).await
    }
}

impl Migrations {
    /// Is this the version of one of them?
    pub(super) fn have(&'static self, version: &str) -> Result<bool, DbError> {
        Ok(names::<Sqlite>(&self.sqlite)?.iter().any(|name| is_version(name, version)))
    }

    /// The names of those that are not yet applied.
    pub(super) fn pending(&'static self, conn: &mut Connection) -> Result<Vec<String>, DbError> {
        let applied = applied(conn)?;
        let mut names = match conn {
            Connection::Sqlite(_) => names::<Sqlite>(&self.sqlite)?,
            Connection::Postgres(_) => names::<Pg>(&self.postgres)?,
        };
        names.retain(|name| !applied.iter().any(|version| is_version(name, version)));
        Ok(names)
    }
}

fn make_schema(conn: &mut Connection, name: &str, grants: &str) -> Result<(), DbError> {
    let Connection::Postgres(conn) = conn else { return Ok(()) };
    // Who may make nothing finds what its owner has made.
    let found: Option<u32> = diesel::select(sql::to_regclass(format!("{name}.leases"))).get_result(conn)?;
    if found.is_some() {
        return if grants.is_empty() { Ok(()) } else { Ok(conn.batch_execute(grants)?) };
    }
    // The rights first: no table is ever seen without.
    Ok(conn.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {name}; {grants} {}", lease::TABLE))?)
}

/// What a role needs to use the tables of a schema: those that are there, and from the moment that they are there, all others.
fn grants(schema: &str, role: &str) -> String {
    let role = role.replace('"', "\"\"");
    let rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON";
    format!(
        "GRANT USAGE ON SCHEMA {schema} TO \"{role}\"; {rights} ALL TABLES IN SCHEMA {schema} TO \"{role}\";
         ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} {rights} TABLES TO \"{role}\";"
    )
}

/// Applies the first migration that is missing; gives its name.
fn step(conn: &mut Connection, migrations: &'static Migrations, lease: Lease) -> Result<Option<String>, DbError> {
    lease.fence(conn)?;
    match conn {
        Connection::Sqlite(conn) => apply_next(conn, &migrations.sqlite),
        Connection::Postgres(conn) => {
            // A large table takes its time.
            conn.batch_execute("SET LOCAL statement_timeout = 0")?;
            apply_next(conn, &migrations.postgres)
        }
    }
}

fn apply_next<DB: Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: &'static EmbeddedMigrations,
) -> Result<Option<String>, DbError> {
    let pending: Vec<Box<dyn Migration<DB>>> = conn.pending_migrations(Borrowed(source)).map_err(failed)?;
    let Some(next) = pending.first() else { return Ok(None) };
    conn.run_migration(next).map_err(failed)?;
    Ok(Some(next.name().to_string()))
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// The versions that are applied, in no order: on SQLite those of both modules.
pub(super) fn applied(conn: &mut Connection) -> Result<Vec<String>, DbError> {
    const TABLE: &str = "__diesel_schema_migrations";
    let is_there = match conn {
        Connection::Sqlite(conn) => {
            let table = format!("SELECT name AS version FROM sqlite_master WHERE name = '{TABLE}'");
            !sql_query(table).load::<Applied>(conn)?.is_empty()
        }
        Connection::Postgres(conn) => {
            let table: Option<u32> = diesel::select(sql::to_regclass(TABLE)).get_result(conn)?;
            table.is_some()
        }
    };
    if !is_there {
        return Ok(vec![]);
    }
    let applied: Vec<Applied> = sql_query(format!("SELECT version FROM {TABLE}")).load(conn)?;
    Ok(applied.into_iter().map(|applied| applied.version).collect())
}

/// Has the migration of this name this version? `2026-11-24-000001_inventory` has `20261124000001`.
pub(super) fn is_version(name: &str, version: &str) -> bool {
    let beginning = name.split('_').next().unwrap_or_default();
    beginning.bytes().filter(|byte| *byte != b'-').eq(version.bytes())
}

/// The names of a module's migrations, in their order.
pub(super) fn names<DB: Backend>(source: &'static EmbeddedMigrations) -> Result<Vec<String>, DbError> {
    let all: Vec<Box<dyn Migration<DB>>> = Borrowed(source).migrations().map_err(failed)?;
    let mut names: Vec<String> = all.iter().map(|migration| migration.name().to_string()).collect();
    names.sort_unstable();
    Ok(names)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> DbError {
    DbError::Migration(error.to_string())
}

/// Diesel takes a source by value; ours stay where they are.
struct Borrowed(&'static EmbeddedMigrations);

impl<DB: Backend> MigrationSource<DB> for Borrowed {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<DB>>>> {
        self.0.migrations()
    }
}
