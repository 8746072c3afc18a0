//! The shop's secret: one row.

use diesel::prelude::*;

use crate::db::Connection;
use crate::user::schema::signing_keys;

const NAME: &str = "shop";

/// The secret; `None` before it was first asked for.
pub(in crate::user) fn signing_key_get(conn: &mut Connection) -> QueryResult<Option<Vec<u8>>> {
    signing_keys::table.find(NAME).select(signing_keys::secret).first(conn).optional()
}

/// Keeps this secret, unless there is one. Of two at a time the second waits for the first.
pub(in crate::user) fn signing_key_insert(conn: &mut Connection, secret: &[u8]) -> QueryResult<()> {
    let row = (signing_keys::name.eq(NAME), signing_keys::secret.eq(secret));
    let insert = diesel::insert_into(signing_keys::table).values(row).on_conflict_do_nothing();
    match conn {
        Connection::Sqlite(conn) => insert.execute(conn)?,
        Connection::Postgres(conn) => insert.execute(conn)?,
    };
    Ok(())
}

/// Keeps the secret's row to this transaction, so that one transaction at a time makes a first admin.
pub(in crate::user) fn signing_key_lock(conn: &mut Connection) -> QueryResult<()> {
    let row = diesel::update(signing_keys::table.find(NAME)).set(signing_keys::secret.eq(signing_keys::secret));
    row.execute(conn).map(|_| ())
}
