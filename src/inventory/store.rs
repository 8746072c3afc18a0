//! All SQL of the module. Functions take a connection and never begin a transaction.

/// Adds many rows. On SQLite a statement of a fixed number of rows stays prepared, which one of any other length does not; PostgreSQL
/// takes them by COPY.
macro_rules! insert_many {
    ($conn:expr, $table:expr, $rows:expr) => {{
        let rows: &[_] = $rows;
        match $conn {
            $crate::db::Connection::Sqlite(conn) => {
                let (chunks, rest) = rows.as_chunks::<16>();
                for chunk in chunks {
                    diesel::insert_into($table).values(chunk).execute(conn)?;
                }
                for row in rest {
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
use insert_many;

pub(super) mod bulk;
pub(super) mod category;
pub(super) mod event;
pub(super) mod idempotency;
pub(super) mod job;
pub(super) mod location;
pub(super) mod product;
pub(super) mod search;
pub(super) mod sku;
pub(super) mod stock;
pub(super) mod stock_set;
pub(super) mod tidy;
