//! All SQL of the module. Functions take a connection and never begin a transaction.

use diesel::expression::SqlLiteral;

use crate::db::sql;

/// Adds many rows. On SQLite by one statement that stays prepared: it is called, not sent, so a row at a time costs nothing more. To
/// PostgreSQL by COPY.
macro_rules! insert_many {
    ($conn:expr, $table:expr, $rows:expr) => {{
        let rows: &[_] = $rows;
        match $conn {
            $crate::db::Connection::Sqlite(conn) => {
                for row in rows {
                    diesel::insert_into($table).values(row).execute(conn)?;
                }
            }
            $crate::db::Connection::Postgres(conn) => {
                if !rows.is_empty() {
                    diesel::copy_from($table).from_insertable(rows).execute(conn)?;
                }
            }
        }
    }};
}

/// A column as no index knows it. Of two `IN` with many values SQLite would look each up with each of the other in the index that
/// has both; so the first finds the rows, and this one is compared.
fn unindexed(column: &str) -> SqlLiteral<sql::Id> {
    diesel::dsl::sql(&format!("coalesce({column}, {column})"))
}

pub(super) mod bulk;
pub(super) mod category;
pub(super) mod change;
pub(super) mod event;
pub(super) mod former;
pub(super) mod idempotency;
pub(super) mod job;
pub(super) mod ledger;
pub(super) mod level;
pub(super) mod listing;
pub(super) mod location;
pub(super) mod partly;
pub(super) mod product;
pub(super) mod repair;
pub(super) mod reservation;
pub(super) mod search;
pub(super) mod sku;
mod statement;
pub(super) mod stock;
pub(super) mod stock_set;
pub(super) mod summary;
pub(super) mod tidy;
pub(super) mod verify;
