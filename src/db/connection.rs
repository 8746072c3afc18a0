//! The connection type, in a file of its own because the derive claims the name `Connection`.

use diesel::{PgConnection, SqliteConnection};

/// A connection to either database. Where the two differ, a store function matches the variant.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}
