//! Both trees of migrations make the same tables and columns, and they obey the rules that let a table be distributed.

use std::collections::{BTreeMap, BTreeSet};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use emporium::clock::{Clock, SystemClock};
use emporium::db::sql;
use emporium::inventory::{Money, Reservation};

use crate::seed;
use crate::testapp::{Backend, TestApp, postgres};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    a: String,
    #[diesel(sql_type = Text)]
    b: String,
    #[diesel(sql_type = Text)]
    c: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Column -> (type as our code sees it, may it be NULL).
type Columns = BTreeMap<String, (String, bool)>;

/// Tables that exist in one dialect only, or whose columns differ: the full-text index.
const SEARCH: &[&str] = &["product_words", "product_index"];

/// On PostgreSQL alone: an SQLite file has one process.
const LEASES: &str = "leases";

fn is_compared(table: &str) -> bool {
    !table.starts_with("__diesel") && table != LEASES && !SEARCH.iter().any(|name| table.starts_with(name))
}

fn sqlite_tables(conn: &mut SqliteConnection) -> BTreeMap<String, Columns> {
    let sql = "SELECT m.name AS a, p.name AS b, lower(p.type) AS c, CASE WHEN p.\"notnull\" = 1 OR p.pk > 0 THEN 0 ELSE 1 END AS n
               FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).unwrap();
    collect(rows)
}

fn postgres_tables(conn: &mut PgConnection) -> BTreeMap<String, Columns> {
    let sql = "SELECT table_name::text AS a, column_name::text AS b, udt_name::text AS c,
                      CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END::bigint AS n
               FROM information_schema.columns WHERE table_schema IN ('inventory', 'users')";
    let rows: Vec<Row> = diesel::sql_query(sql).load(conn).unwrap();
    collect(rows)
}

fn collect(rows: Vec<Row>) -> BTreeMap<String, Columns> {
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for row in rows.into_iter().filter(|row| is_compared(&row.a)) {
        tables.entry(row.a).or_default().insert(row.b, (row.c, row.n == 1));
    }
    tables
}

/// SQLite's type for one of PostgreSQL's.
fn in_sqlite(postgres: &str) -> &'static str {
    match postgres {
        "uuid" | "bytea" => "blob",
        "int8" | "timestamptz" | "bool" => "integer",
        "text" | "jsonb" => "text",
        other => panic!("{other} is not a type that our tables use"),
    }
}

/// The modules share a file on SQLite, and in it the list of what was applied, which goes by version alone.
#[test]
fn no_two_migrations_have_the_same_version() {
    let folders = ["inventory", "user"].map(|module| std::fs::read_dir(format!("migrations/sqlite/{module}")).unwrap());
    let names = folders.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let versions: Vec<String> = names.map(|name| name.split('_').next().unwrap().to_owned()).collect();
    let different: std::collections::BTreeSet<&String> = versions.iter().collect();
    assert_eq!(different.len(), versions.len(), "{versions:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dialects_make_the_same_tables() {
    let sqlite = TestApp::start(Backend::Sqlite).await;
    let postgres = TestApp::start(Backend::Postgres).await;
    let path = sqlite.folder.path().join("emporium.db");
    let on_sqlite = sqlite_tables(&mut SqliteConnection::establish(&path.to_string_lossy()).unwrap());
    let url = match &postgres.config.inventory.database.url {
        emporium::config::DatabaseUrl::Postgres(url) => url.clone(),
        other => panic!("{other}"),
    };
    let mut on_postgres = postgres_tables(&mut PgConnection::establish(&url).unwrap());
    for (kind, _) in on_postgres.values_mut().flat_map(BTreeMap::values_mut) {
        *kind = in_sqlite(kind).to_owned();
    }
    assert!(on_postgres.len() > 20, "only {} tables were compared", on_postgres.len());
    assert_eq!(on_sqlite, on_postgres);
    sqlite.shop.stop().await;
    postgres.shop.stop().await;
}

/// The key by which each table would be distributed.
const DISTRIBUTED: &[(&str, &str)] = &[
    ("stock", "product_id"),
    ("stock_ledger", "product_id"),
    ("reservations", "id"),
    ("reservation_lines", "product_id"),
    ("holders", "holder"),
    ("idempotency_keys", "owner"),
    ("outbox", "aggregate_id"),
    ("changes", "subject_id"),
    ("jobs", "id"),
    ("job_errors", "job_id"),
    ("job_inputs", "job_id"),
    ("users", "id"),
    ("user_emails", "email_norm"),
    ("credentials", "user_id"),
    ("sessions", "user_id"),
    ("addresses", "user_id"),
    ("one_time_tokens", "user_id"),
    ("audit_log", "subject"),
    ("login_throttle", "key"),
    ("mails", "id"),
    ("rate_counts", "client"),
    ("cart_lines", "user_id"),
    ("deliveries", "user_id"),
];

/// Copied whole to every node: read much, written little, and looked up by other keys than one.
const REFERENCE: &[&str] = &[
    "categories",
    "locations",
    "products",
    "product_tags",
    "product_words",
    "former_handles",
    "former_paths",
    "skus",
    // One row, which makes the order of all events.
    "outbox_head",
    // Looked up by the token with each of its requests.
    "api_keys",
    // One row.
    "signing_keys",
    // One row for each work of the module, in both of their schemas.
    LEASES,
    LEASES,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_has_its_place() {
    let app = TestApp::start(Backend::Postgres).await;
    let mut conn = PgConnection::establish(&app.config.inventory.database.url.to_string()).unwrap();
    let sql = "SELECT t.relname::text AS a, '' AS b, '' AS c, 0::bigint AS n
               FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace
               WHERE t.relkind = 'r' AND s.nspname IN ('inventory', 'users') AND t.relname NOT LIKE '\\_\\_diesel%'
               ORDER BY 1";
    let rows: Vec<Row> = diesel::sql_query(sql).load(&mut conn).unwrap();
    let tables: Vec<&str> = rows.iter().map(|row| row.a.as_str()).collect();
    let mut listed: Vec<&str> = DISTRIBUTED.iter().map(|(table, _)| *table).chain(REFERENCE.iter().copied()).collect();
    listed.sort_unstable();
    assert_eq!(tables, listed, "each table is distributed or copied, and says which");

    // What a move to another database takes with it: all but what it makes anew, and who does which work.
    let moved = emporium::inventory::TABLES.iter().chain(emporium::user::TABLES);
    let mut moved: Vec<&str> = moved.map(|table| table.split(' ').next().unwrap()).collect();
    moved.extend(["product_words", LEASES, LEASES]);
    moved.sort_unstable();
    assert_eq!(moved, tables);

    // A key to another table: to a copied one, or, where both are distributed, from key to key.
    let sql = "SELECT c.conrelid::regclass::text AS a, c.confrelid::regclass::text AS b,
                      string_agg(here.attname || '=' || there.attname, ',')::text AS c, count(*) AS n
               FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS pair (here, there)
               JOIN pg_attribute here ON here.attrelid = c.conrelid AND here.attnum = pair.here
               JOIN pg_attribute there ON there.attrelid = c.confrelid AND there.attnum = pair.there
               WHERE c.contype = 'f' GROUP BY c.oid, 1, 2";
    let rows: Vec<Row> = diesel::sql_query(sql).load(&mut conn).unwrap();
    assert!(rows.len() > 10, "only {} foreign keys", rows.len());
    let key = |table: &str| {
        let table = table.rsplit('.').next().unwrap();
        DISTRIBUTED.iter().find(|(name, _)| *name == table).map(|(_, key)| *key)
    };
    for row in rows {
        let fits = match (key(&row.a), key(&row.b)) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(here), Some(there)) => row.c.split(',').any(|pair| pair == format!("{here}={there}")),
        };
        assert!(fits, "{} to {} by {}", row.a, row.b, row.c);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_unique_key_holds_the_distribution_key() {
    let app = TestApp::start(Backend::Postgres).await;
    let url = app.config.inventory.database.url.to_string();
    let mut conn = PgConnection::establish(&url).unwrap();
    let sql = "SELECT t.relname::text AS a, i.indexrelid::regclass::text AS b,
                      string_agg(att.attname, ',' ORDER BY att.attname)::text AS c, count(*) AS n
               FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace s ON s.oid = t.relnamespace
               JOIN pg_attribute att ON att.attrelid = t.oid AND att.attnum = ANY (i.indkey)
               WHERE i.indisunique AND s.nspname IN ('inventory', 'users') GROUP BY 1, 2";
    let rows: Vec<Row> = diesel::sql_query(sql).load(&mut conn).unwrap();
    for (table, key) in DISTRIBUTED {
        let keys: Vec<&Row> = rows.iter().filter(|row| row.a == *table).collect();
        assert!(!keys.is_empty(), "{table} has no key");
        for row in keys {
            let columns: BTreeSet<&str> = row.c.split(',').collect();
            assert!(columns.contains(key), "{} ({}) of {table} lacks {key}", row.b, row.c);
        }
    }
    let sql = "SELECT count(*) AS n, '' AS a, '' AS b, '' AS c FROM pg_trigger WHERE NOT tgisinternal";
    let triggers: Row = diesel::sql_query(sql).get_result(&mut conn).unwrap();
    assert_eq!(triggers.n, 0, "a distributed table takes no triggers");
    app.stop().await;
}

/// What its folder is called after the version, the statements that make it, and those that undo it.
struct Migration {
    name: String,
    up: String,
    down: String,
}

/// A module's migrations for a database, oldest first.
fn migrations(dialect: &str, module: &str) -> Vec<Migration> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect).join(module);
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let read = |folder: &std::path::PathBuf, file| std::fs::read_to_string(folder.join(file)).unwrap();
    let migration = |folder: &std::path::PathBuf| {
        let (_, name) = folder.file_name().unwrap().to_str().unwrap().split_once('_').unwrap();
        Migration { name: name.to_owned(), up: read(folder, "up.sql"), down: read(folder, "down.sql") }
    };
    folders.iter().map(migration).collect()
}

/// Applies those that come before the one with this name, and gives the statements that make that one.
fn apply_before(conn: &mut emporium::db::Connection, left: &mut impl Iterator<Item = Migration>, name: &str) -> String {
    for migration in left {
        if migration.name == name {
            return migration.up;
        }
        conn.batch_execute(&migration.up).unwrap();
    }
    panic!("no migration {name} is left")
}

#[test]
fn migrations_can_be_undone() {
    let mut on_postgres = PgConnection::establish(&postgres().database()).unwrap();
    let mut on_sqlite = SqliteConnection::establish(":memory:").unwrap();
    for module in ["inventory", "user"] {
        for _ in 0..2 {
            for Migration { up, .. } in migrations("postgres", module) {
                on_postgres.batch_execute(&up).unwrap();
            }
            for Migration { down, .. } in migrations("postgres", module).iter().rev() {
                on_postgres.batch_execute(down).unwrap();
            }
            for Migration { up, .. } in migrations("sqlite", module) {
                on_sqlite.batch_execute(&up).unwrap();
            }
            for Migration { down, .. } in migrations("sqlite", module).iter().rev() {
                on_sqlite.batch_execute(down).unwrap();
            }
        }
    }
}

/// The answer to a reservation of two `A`, as it was kept before lines had what was sold.
fn old_answer() -> serde_json::Value {
    let time = "2026-11-24T12:00:00.000000Z";
    let lines = serde_json::json!([
        { "sku": "A", "location": "EAST", "quantity": 2, "shipped": 0 },
        { "sku": "GONE", "location": "EAST", "quantity": 1, "shipped": 0 },
    ]);
    serde_json::json!({
        "id": "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d", "state": "held", "holder": "ann", "reference": "", "lines": lines,
        "expires_at": time, "expires_max": time, "version": 1, "created_at": time, "updated_at": time,
    })
}

#[test]
fn reservations_of_before_get_what_was_sold() {
    let mut on_sqlite = emporium::db::Connection::Sqlite(SqliteConnection::establish(":memory:").unwrap());
    on_sqlite.batch_execute("PRAGMA foreign_keys = ON").unwrap();
    let url = postgres().database();
    let mut on_postgres = emporium::db::Connection::Postgres(PgConnection::establish(&url).unwrap());
    on_postgres.batch_execute("CREATE SCHEMA inventory; SET search_path TO inventory").unwrap();
    for (conn, dialect) in [(&mut on_sqlite, "sqlite"), (&mut on_postgres, "postgres")] {
        let mut all = migrations(dialect, "inventory").into_iter();
        let orders = apply_before(conn, &mut all, "orders");
        let (a, east) = (seed::sku(conn, "A", 0, None), seed::location(conn, "EAST"));
        conn.batch_execute(
            "UPDATE products SET title = 'Shirt'; UPDATE skus SET option1 = 'S', option2 = 'Red';
             INSERT INTO stock (product_id, sku_id, location_id, on_hand)
             SELECT skus.product_id, skus.id, locations.id, 20 FROM skus CROSS JOIN locations",
        )
        .unwrap();
        let soon = SystemClock.now().plus_seconds(60);
        for (quantity, state) in [(1, "held"), (2, "committed"), (3, "committed"), (4, "committed")] {
            seed::reservation(conn, a, east, quantity, state, soon);
        }
        // The third has no entry in the ledger that says when; the fourth was cancelled.
        conn.batch_execute(
            "UPDATE stock_ledger SET kind = 'committed' WHERE seq IN (2, 4);
             UPDATE reservations SET state = 'cancelled' WHERE id = (SELECT reservation_id FROM stock_ledger WHERE seq = 4)",
        )
        .unwrap();
        for (key, answer) in [("reserve", old_answer()), ("adjust", serde_json::json!({ "done": 1 }))] {
            diesel::sql_query(
                "INSERT INTO idempotency_keys (owner, key, request_hash, response, created_at) VALUES ('ann', $1, $2, $3, $4)",
            )
            .bind::<Text, _>(key)
            .bind::<diesel::sql_types::Binary, _>(vec![0_u8])
            .bind::<sql::Json, _>(sql::JsonValue(answer))
            .bind::<sql::Instant, _>(soon)
            .execute(conn)
            .unwrap();
        }
        conn.batch_execute(&orders).unwrap();
        assert_filled(conn);
        let cancelled_orders = apply_before(conn, &mut all, "cancelled_orders");
        // Of what is cancelled, what was shipped stays sold.
        conn.batch_execute("UPDATE reservation_lines SET state = 'cancelled', shipped = 3 WHERE quantity = 4").unwrap();
        conn.batch_execute(&cancelled_orders).unwrap();
        let mut count =
            |condition: &str| seed::number(conn, &format!("SELECT COUNT(*) FROM reservations WHERE {condition}"));
        assert_eq!(count("units = 3 AND value = 3000 AND state = 'cancelled'"), 1);
        assert_eq!((count("units = 4"), count("units IN (1, 2, 3) AND value = 1000 * units")), (0, 4));
    }
}

#[test]
fn deliveries_of_before_are_kept_until_the_inventory_was_asked() {
    let mut on_sqlite = emporium::db::Connection::Sqlite(SqliteConnection::establish(":memory:").unwrap());
    on_sqlite.batch_execute("PRAGMA foreign_keys = ON").unwrap();
    let url = postgres().database();
    let mut on_postgres = emporium::db::Connection::Postgres(PgConnection::establish(&url).unwrap());
    for (conn, dialect) in [(&mut on_sqlite, "sqlite"), (&mut on_postgres, "postgres")] {
        let kept_deliveries = apply_before(conn, &mut migrations(dialect, "user").into_iter(), "kept_deliveries");
        let (id, later, time) = match dialect {
            "sqlite" => ("x'019345f07c1e7d3a9b512f1c8a0b6c5d'", "x'019345f07c1e7d3a9b512f1c8a0b6c5e'", "1"),
            _ => (
                "'019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d'",
                "'019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5e'",
                "'2026-11-24T12:00:00Z'",
            ),
        };
        let delivery = |order: &str| {
            format!(
                "INSERT INTO deliveries (user_id, order_id, name, company, line1, line2, city, region, postal_code, country, phone)
                 VALUES ({id}, {order}, 'Ann', 'c', '1 First St', 'l', 'Oslo', 'r', '0150', 'NO', '12');"
            )
        };
        conn.batch_execute(&format!(
            "INSERT INTO users (id, email, role, search_text, created_at, updated_at)
             VALUES ({id}, 'ann@example.com', 'customer', '', {time}, {time}); {}",
            delivery(id)
        ))
        .unwrap();
        conn.batch_execute(&kept_deliveries).unwrap();
        // A process of the version before goes on for a while, and says nothing of when it is due.
        conn.batch_execute(&delivery(later)).unwrap();
        conn.batch_execute("DELETE FROM users").unwrap();
        let mut count =
            |condition: &str| seed::number(conn, &format!("SELECT COUNT(*) FROM deliveries WHERE {condition}"));
        let whole =
            "name = 'Ann' AND company = 'c' AND line1 = '1 First St' AND line2 = 'l' AND city = 'Oslo' AND region = 'r'
                     AND postal_code = '0150' AND country = 'NO' AND phone = '12'";
        assert_eq!(count(whole), 2);
        assert_eq!(count(&format!("expires_at < {time}")), 2);
    }
}

/// What was wrong with a row, as it is kept.
#[derive(QueryableByName, PartialEq, Debug)]
struct KeptFault {
    #[diesel(sql_type = Text)]
    message: String,
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = sql::Json)]
    arguments: sql::JsonValue,
}

#[test]
fn faults_of_before_keep_their_words() {
    let mut on_sqlite = emporium::db::Connection::Sqlite(SqliteConnection::establish(":memory:").unwrap());
    let url = postgres().database();
    let mut on_postgres = emporium::db::Connection::Postgres(PgConnection::establish(&url).unwrap());
    for (conn, dialect) in [(&mut on_sqlite, "sqlite"), (&mut on_postgres, "postgres")] {
        let up = apply_before(conn, &mut migrations(dialect, "inventory").into_iter(), "coded_row_faults");
        let (id, time) = match dialect {
            "sqlite" => ("x'019345f07c1e7d3a9b512f1c8a0b6c5d'", "1"),
            _ => ("'019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d'", "'2026-11-24T12:00:00Z'"),
        };
        let fault = |seq, words: &str| {
            format!(
                "INSERT INTO job_errors (job_id, seq, line, column_name, message) VALUES ({id}, {seq}, 2, 'Title', '{words}');"
            )
        };
        conn.batch_execute(&format!(
            "INSERT INTO jobs (id, kind, state, actor, params, result, created_at)
             VALUES ({id}, 'import', 'failed', 'staff', '{{}}', '{{}}', {time}); {}",
            fault(0, "is \"odd\" \\ äöü")
        ))
        .unwrap();
        conn.batch_execute(&up).unwrap();
        // A process of the version before goes on for a while, and knows of no codes.
        conn.batch_execute(&fault(1, "is late")).unwrap();
        let kept: Vec<KeptFault> =
            diesel::sql_query("SELECT message, code, arguments FROM job_errors ORDER BY seq").load(conn).unwrap();
        let other = |message: &str, arguments| KeptFault {
            message: message.to_owned(),
            code: "other".to_owned(),
            arguments: sql::JsonValue(arguments),
        };
        let odd = "is \"odd\" \\ äöü";
        let expected = [other(odd, serde_json::json!({ "words": odd })), other("is late", serde_json::json!({}))];
        assert_eq!(kept, expected, "{dialect}");
    }
}

fn assert_filled(conn: &mut emporium::db::Connection) {
    let mut count = |condition: &str| seed::number(conn, &format!("SELECT COUNT(*) FROM {condition}"));
    let sold = "title = 'Shirt' AND option1 = 'S' AND option2 = 'Red' AND option3 = '' AND price_amount = 1000
                AND price_currency = 'USD'";
    assert_eq!(count(&format!("reservation_lines WHERE {sold}")), 4);
    assert_eq!(count("reservations WHERE value = 1000 * units"), 4);
    for (units, placed) in [
        (1, "committed_at IS NULL AND state = 'held'"),
        (2, "committed_at = (SELECT created_at FROM stock_ledger WHERE reservation_id = reservations.id)"),
        (3, "committed_at = updated_at"),
        (
            4,
            "committed_at = (SELECT created_at FROM stock_ledger WHERE reservation_id = reservations.id) AND state = 'cancelled'",
        ),
    ] {
        assert_eq!(count(&format!("reservations WHERE units = {units} AND {placed}")), 1, "{units}: {placed}");
    }
    #[derive(QueryableByName)]
    struct Kept {
        #[diesel(sql_type = sql::Json)]
        response: sql::JsonValue,
    }
    let kept: Vec<Kept> = diesel::sql_query("SELECT response FROM idempotency_keys ORDER BY key").load(conn).unwrap();
    assert_eq!(kept[0].response.0, serde_json::json!({ "done": 1 }));
    let answer: Reservation = serde_json::from_value(kept[1].response.0.clone()).unwrap();
    let usd = |amount, currency: &str| Money { amount, currency: currency.into() };
    let lines: Vec<_> =
        answer.lines.into_iter().map(|line| (line.sku, line.title, line.options, line.unit_price)).collect();
    assert_eq!(
        lines,
        [
            ("A".into(), "Shirt".into(), vec!["S".into(), "Red".into()], usd(1_000, "USD")),
            // Its code has changed since, so nobody knows what it is.
            ("GONE".to_owned(), String::new(), vec![], usd(0, "")),
        ]
    );
}
