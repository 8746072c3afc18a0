//! Rows that a test puts into the database by itself, past the shop.

use diesel::Connection as _;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{PgConnection, SqliteConnection};
use emporium::clock::{Id, Time};
use emporium::config::{Config, DatabaseUrl};
use emporium::db::{Connection, sql};

use crate::testapp::TestApp;

/// Nobody sweeps, and a slow machine is no error.
pub(crate) fn quiet(config: &mut Config) {
    config.inventory.sweep_interval_ms = 3_600_000;
    config.inventory.database.pool_wait_ms = 30_000;
    config.inventory.database.lock_timeout_ms = 30_000;
}

/// A connection of the test's own to the shop's database.
pub(crate) fn connect(app: &TestApp) -> Connection {
    connect_to(&app.config)
}

/// The same by the shop's configuration.
pub(crate) fn connect_to(config: &Config) -> Connection {
    match &config.inventory.database.url {
        DatabaseUrl::Sqlite(path) => {
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON").unwrap();
            Connection::Sqlite(conn)
        }
        DatabaseUrl::Postgres(url) => {
            let mut conn = PgConnection::establish(url).unwrap();
            conn.batch_execute("SET search_path TO inventory").unwrap();
            Connection::Postgres(conn)
        }
    }
}

/// Runs statements that both databases understand.
pub(crate) fn execute(conn: &mut Connection, statements: &str) {
    conn.batch_execute(statements).unwrap();
}

pub(crate) fn number(conn: &mut Connection, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let row: Row = diesel::sql_query(format!("SELECT CAST(({query}) AS BIGINT) AS n")).get_result(conn).unwrap();
    row.n
}

fn now() -> Time {
    use emporium::clock::{Clock, SystemClock};
    SystemClock.now()
}

pub(crate) fn location(conn: &mut Connection, code: &str) -> Id {
    let id = Id::new(now());
    diesel::sql_query(
        "INSERT INTO locations (id, code, name, address, priority, active, version, created_at, updated_at)
         VALUES ($1, $2, 'A place', $3, 0, $4, 1, $5, $6)",
    )
    .bind::<sql::Id, _>(id)
    .bind::<Text, _>(code)
    .bind::<sql::Json, _>(sql::JsonValue(serde_json::json!({})))
    .bind::<diesel::sql_types::Bool, _>(true)
    .bind::<sql::Instant, _>(now())
    .bind::<sql::Instant, _>(now())
    .execute(conn)
    .unwrap();
    id
}

/// An active product with one SKU; gives the product's id and the SKU's.
pub(crate) fn sku(conn: &mut Connection, code: &str, backorder: i64, low: Option<i64>) -> (Id, Id) {
    let (product, sku) = (Id::new(now()), Id::new(now()));
    diesel::sql_query(
        "INSERT INTO products (id, handle, title, status, options, attributes, images, created_at, updated_at)
         VALUES ($1, $2, 'A thing', 'active', $3, $4, $5, $6, $7)",
    )
    .bind::<sql::Id, _>(product)
    .bind::<Text, _>(format!("{}-{product}", code.to_lowercase()))
    .bind::<sql::Json, _>(sql::JsonValue(serde_json::json!([])))
    .bind::<sql::Json, _>(sql::JsonValue(serde_json::json!({})))
    .bind::<sql::Json, _>(sql::JsonValue(serde_json::json!([])))
    .bind::<sql::Instant, _>(now())
    .bind::<sql::Instant, _>(now())
    .execute(conn)
    .unwrap();
    diesel::sql_query(
        "INSERT INTO skus (product_id, id, code, position, price_amount, price_currency, backorder_limit,
                           low_stock_threshold, created_at, updated_at)
         VALUES ($1, $2, $3, 0, 1000, 'USD', $4, $5, $6, $7)",
    )
    .bind::<sql::Id, _>(product)
    .bind::<sql::Id, _>(sku)
    .bind::<Text, _>(code)
    .bind::<BigInt, _>(backorder)
    .bind::<Nullable<BigInt>, _>(low)
    .bind::<sql::Instant, _>(now())
    .bind::<sql::Instant, _>(now())
    .execute(conn)
    .unwrap();
    (product, sku)
}

/// A reservation of one line, with its counters and its ledger entry, as the shop itself writes it.
/// `state` is `held` or `committed`.
pub(crate) fn reservation(
    conn: &mut Connection,
    (product, sku): (Id, Id),
    location: Id,
    quantity: i64,
    state: &str,
    expires_at: Time,
) -> Id {
    let id = Id::new(now());
    diesel::sql_query(
        "INSERT INTO reservations (id, holder, state, product_ids, expires_at, expires_max, created_at, updated_at)
         VALUES ($1, 'somebody', $2, $3, $4, $5, $6, $7)",
    )
    .bind::<sql::Id, _>(id)
    .bind::<Text, _>(state)
    .bind::<sql::Json, _>(sql::JsonValue(serde_json::json!([product])))
    .bind::<sql::Instant, _>(expires_at)
    .bind::<sql::Instant, _>(expires_at)
    .bind::<sql::Instant, _>(now())
    .bind::<sql::Instant, _>(now())
    .execute(conn)
    .unwrap();
    let counter = if state == "held" { "reserved" } else { "allocated" };
    diesel::sql_query(format!(
        "UPDATE stock SET {counter} = {counter} + $1, version = version + 1
         WHERE product_id = $2 AND sku_id = $3 AND location_id = $4"
    ))
    .bind::<BigInt, _>(quantity)
    .bind::<sql::Id, _>(product)
    .bind::<sql::Id, _>(sku)
    .bind::<sql::Id, _>(location)
    .execute(conn)
    .unwrap();
    diesel::sql_query(
        "INSERT INTO reservation_lines
             (product_id, reservation_id, sku_id, location_id, quantity, shipped, holder, state, expires_at)
         VALUES ($1, $2, $3, $4, $5, 0, 'somebody', $6, $7)",
    )
    .bind::<sql::Id, _>(product)
    .bind::<sql::Id, _>(id)
    .bind::<sql::Id, _>(sku)
    .bind::<sql::Id, _>(location)
    .bind::<BigInt, _>(quantity)
    .bind::<Text, _>(state)
    .bind::<sql::Instant, _>(expires_at)
    .execute(conn)
    .unwrap();
    diesel::sql_query(format!(
        "INSERT INTO stock_ledger (product_id, sku_id, location_id, seq, kind, {counter}_delta, on_hand_after,
                                   reserved_after, allocated_after, safety_after, incoming_after, actor,
                                   reservation_id, created_at)
         SELECT product_id, sku_id, location_id, version, 'reserved', $1, on_hand, reserved, allocated, safety,
                incoming, 'test', $2, $3
         FROM stock WHERE product_id = $4 AND sku_id = $5 AND location_id = $6"
    ))
    .bind::<BigInt, _>(quantity)
    .bind::<sql::Id, _>(id)
    .bind::<sql::Instant, _>(now())
    .bind::<sql::Id, _>(product)
    .bind::<sql::Id, _>(sku)
    .bind::<sql::Id, _>(location)
    .execute(conn)
    .unwrap();
    id
}
