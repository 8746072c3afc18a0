//! What a database server says of itself, for those who look after the shop.

use diesel::backend::Backend;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::EmbeddedMigrations;

use super::{Borrowed, Connection, DbError, Migrations, migration_error};

/// A server as it answered.
#[derive(Clone, Debug)]
pub struct ServerState {
    pub version: String,
    /// The database's size; of SQLite the file's, with its write-ahead log.
    pub bytes: i64,
    /// The newest migration that is applied; `None`: none is.
    pub migration: Option<String>,
}

#[derive(QueryableByName)]
struct About {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// SQLite's version and the file of the database.
#[derive(QueryableByName)]
struct File {
    #[diesel(sql_type = Text)]
    version: String,
    #[diesel(sql_type = Text)]
    file: String,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

pub(super) fn server(conn: &mut Connection, migrations: &'static Migrations) -> Result<ServerState, DbError> {
    const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations";
    let (about, applied): (About, Vec<Applied>) = match conn {
        Connection::Sqlite(conn) => {
            let about = "SELECT sqlite_version() AS version, file FROM pragma_database_list WHERE name = 'main'";
            let File { version, file } = sql_query(about).get_result(conn)?;
            let size = |path: String| std::fs::metadata(path).map_or(0, |about| about.len());
            // A disk is smaller than what an i64 counts.
            let bytes = (size(format!("{file}-wal")) + size(file)) as i64;
            (About { version, bytes }, sql_query(APPLIED).load(conn)?)
        }
        Connection::Postgres(conn) => {
            let about = "SELECT current_setting('server_version') AS version,
                         pg_database_size(current_database()) AS bytes";
            (sql_query(about).get_result(conn)?, sql_query(APPLIED).load(conn)?)
        }
    };
    let migration = match conn {
        Connection::Sqlite(_) => newest::<Sqlite>(&migrations.sqlite, &applied)?,
        Connection::Postgres(_) => newest::<Pg>(&migrations.postgres, &applied)?,
    };
    Ok(ServerState { version: about.version, bytes: about.bytes, migration })
}

/// The last of a module's migrations that is applied: two modules may share the table of those that are.
fn newest<DB: Backend>(source: &'static EmbeddedMigrations, applied: &[Applied]) -> Result<Option<String>, DbError> {
    let all: Vec<Box<dyn Migration<DB>>> = Borrowed(source).migrations().map_err(migration_error)?;
    let is_applied = |version: String| applied.iter().any(|applied| applied.version == version);
    let names = all.iter().map(|migration| migration.name()).filter(|name| is_applied(name.version().to_string()));
    // Their names begin with their dates.
    Ok(names.map(ToString::to_string).max())
}
