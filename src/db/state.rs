//! What a database server says of itself, for those who look after the shop.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;

use super::migrate::{applied, is_version, names};
use super::{Connection, DbError, Migrations};

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

/// So many connections the server gives to roles that are no administrators; `None`: as many as one wants.
pub(super) fn connections_max(conn: &mut Connection) -> Result<Option<i64>, DbError> {
    #[derive(QueryableByName)]
    struct Max {
        #[diesel(sql_type = BigInt)]
        max: i64,
    }
    let Connection::Postgres(conn) = conn else { return Ok(None) };
    // PostgreSQL 16 also keeps some for roles that are no administrators.
    let max =
        "SELECT current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
               - coalesce(current_setting('reserved_connections', true)::bigint, 0) AS max";
    let Max { max } = sql_query(max).get_result(conn)?;
    Ok(Some(max))
}

pub(super) fn server(conn: &mut Connection, migrations: &'static Migrations) -> Result<ServerState, DbError> {
    let about: About = match conn {
        Connection::Sqlite(conn) => {
            let about = "SELECT sqlite_version() AS version, file FROM pragma_database_list WHERE name = 'main'";
            let File { version, file } = sql_query(about).get_result(conn)?;
            let size = |path: String| std::fs::metadata(path).map_or(0, |about| about.len());
            // A disk is smaller than what an i64 counts.
            let bytes = (size(format!("{file}-wal")) + size(file)) as i64;
            About { version, bytes }
        }
        Connection::Postgres(conn) => {
            let about = "SELECT current_setting('server_version') AS version,
                         pg_database_size(current_database()) AS bytes";
            sql_query(about).get_result(conn)?
        }
    };
    let all = match conn {
        Connection::Sqlite(_) => names::<Sqlite>(&migrations.sqlite)?,
        Connection::Postgres(_) => names::<Pg>(&migrations.postgres)?,
    };
    let applied = applied(conn)?;
    let is_applied = |name: &String| applied.iter().any(|version| is_version(name, version));
    Ok(ServerState { version: about.version, bytes: about.bytes, migration: all.into_iter().rfind(is_applied) })
}
