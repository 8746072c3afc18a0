//! The database as it is on a bad day: busy, gone, and back again.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use emporium::app;
use emporium::clock::SystemClock;
use emporium::config::DatabaseUrl;
use emporium::inventory::{self, Catalogue, NewLocation};
use reqwest::Method;
use serde_json::Value;

use crate::testapp::{Backend, Postgres, Raw, TestApp, call, postgres, read, test_config};

fn location(code: String) -> NewLocation {
    NewLocation { name: code.clone(), code, address: Default::default(), priority: 0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_writers_on_sqlite_never_see_it_busy() {
    let app = TestApp::start(Backend::Sqlite).await;
    // Half of them as another process would be: with a writer of their own on the same file.
    let [other, _] = app::databases(&app.config).unwrap();
    let other = inventory::local(other, Arc::new(app.clock.clone()), app.config.inventory.clone());
    let mut writers = Vec::new();
    for writer in 0..64 {
        let (ours, other) = (app.shop.modules.inventory.clone(), other.clone());
        writers.push(tokio::spawn(async move {
            for n in 0..5 {
                let new = location(format!("L{writer}-{n}"));
                match writer % 2 {
                    0 => ours.location_create(&call(), new).await.unwrap(),
                    _ => other.location_create(&call(), new).await.unwrap(),
                };
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(app.shop.modules.inventory.location_list().await.unwrap().len(), 64 * 5);
    app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_is_told_at_once_and_not_queued_for_long() {
    let app = TestApp::start_with(Backend::Postgres, |config| {
        config.inventory.database.pool_size = 1;
        config.inventory.database.pool_wait_ms = 250;
        config.inventory.database.lock_timeout_ms = 9_000;
        config.inventory.sweep_interval_ms = 3_600_000;
    })
    .await;
    let mut holder = app.diesel();
    holder.batch("BEGIN; LOCK TABLE inventory.categories IN ACCESS EXCLUSIVE MODE");
    let first = tokio::spawn(app.request(Method::GET, "/api/v1/categories").send());
    // Until the first one has the only connection, the second one may get it; then it waits for the same lock.
    let answer = loop {
        let second = app.request(Method::GET, "/api/v1/products?limit=1").send().await.unwrap();
        if second.status() != 200 {
            break second;
        }
    };
    assert!(answer.headers().contains_key("retry-after"));
    let (status, body) = read(answer).await;
    assert_eq!((status, body["code"].as_str().unwrap()), (503, "busy"), "{body}");
    holder.batch("ROLLBACK");
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    app.shop.stop().await;
}

/// Runs a statement on the server, outside of the shop's database.
fn on_server(app: &TestApp, sql: &str) {
    let mut config = app.config.clone();
    let url = config.inventory.database.url.to_string();
    let (server, _) = url.rsplit_once('/').unwrap();
    config.inventory.database.url = emporium::config::DatabaseUrl::Postgres(format!("{server}/postgres"));
    Raw::connect(&config).batch(sql);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_503_and_its_return_is_felt() {
    let app = TestApp::start_with(Backend::Postgres, |config| config.inventory.database.pool_wait_ms = 250).await;
    let url = app.config.inventory.database.url.to_string();
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    let categories = || app.request(Method::GET, "/api/v1/categories").send();
    assert_eq!(categories().await.unwrap().status(), 200);
    assert_eq!(app.page("/login").send().await.unwrap().status(), 200);
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");

    // The server has cut all connections: one is found broken, and all are replaced.
    let all = || futures_util::future::join_all((0..app.config.inventory.database.pool_size).map(|_| categories()));
    assert!(all().await.into_iter().all(|answer| answer.unwrap().status() == 200));
    on_server(&app, &cut);
    let first = categories().await.unwrap().status();
    assert!(first == 200 || first == 503, "{first}");
    for _ in 0..app.config.inventory.database.pool_size {
        assert_eq!(categories().await.unwrap().status(), 200, "a connection to a server that is gone was used again");
    }

    on_server(&app, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    on_server(&app, &cut);
    for _ in 0..10 {
        let answer = categories().await.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        let (status, body) = read(answer).await;
        assert_eq!((status, body["code"].as_str().unwrap()), (503, "unavailable"), "{body}");
        assert!(!body.to_string().contains(&name), "the cause is for the log: {body}");
    }
    let page = app.page("/search").send().await.unwrap();
    assert!((page.status().as_u16(), page.headers().contains_key("retry-after")) == (503, true));
    let page = page.text().await.unwrap();
    assert!(page.contains("The shop is very busy") && !page.contains(&name), "{page}");
    // A page that needs no database is there.
    assert_eq!(app.page("/login").send().await.unwrap().status(), 200);
    let ready = reqwest::get(format!("http://{}/readyz", app.shop.internal_address)).await.unwrap();
    assert_eq!(ready.status(), 200, "a database that is down must not take every process out");

    on_server(&app, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    let mut tries = 0;
    while categories().await.unwrap().status() != 200 {
        tries += 1;
        assert!(tries < 100, "the shop does not find the database again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_gets_no_lock_is_tried_again() {
    let app = TestApp::start_with(Backend::Postgres, |config| {
        crate::seed::quiet(config);
        config.inventory.database.lock_timeout_ms = 100;
        config.inventory.database.statement_timeout_ms = 100;
    })
    .await;
    let version = "20261128000060";
    let mut conn = app.diesel();
    conn.batch("DROP INDEX inventory.reservation_lines_begun_idx");
    conn.batch(&format!("DELETE FROM inventory.__diesel_schema_migrations WHERE version = '{version}'"));
    conn.batch("BEGIN; LOCK TABLE inventory.reservation_lines IN ACCESS EXCLUSIVE MODE");
    let holder = tokio::task::spawn_blocking(move || {
        // Longer than one attempt waits, shorter than all.
        std::thread::sleep(std::time::Duration::from_millis(250));
        conn.batch("ROLLBACK");
    });
    let [database, _] = app::databases(&app.config).unwrap();
    let start = std::time::Instant::now();
    let applied = database.migrate(&inventory::MIGRATIONS).await.unwrap();
    assert!(start.elapsed().as_millis() >= 100, "nobody was in its way, so this proves nothing");
    assert!(applied.len() == 1 && applied[0].ends_with("partly_shipped"), "{applied:?}");
    holder.await.unwrap();
    app.shop.stop().await;
}

/// Errors of PostgreSQL are told apart by their English words: one that speaks German must be made to speak English, or say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_speaks_german_is_made_to_speak_english_or_refused() {
    let locales = tempfile::tempdir().unwrap();
    std::fs::set_permissions(locales.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let arguments = ["--no-archive", "-i", "de_DE", "-f", "UTF-8"];
    let made = Command::new("localedef").args(arguments).arg(locales.path().join("de_DE.UTF-8")).status();
    assert!(
        made.is_ok_and(|made| made.success()),
        "no localedef with sources: scripts/test.sh installs the package locales"
    );
    let server = Postgres::start(Some(locales.path()));
    for statement in [
        "CREATE ROLE german LOGIN",
        "CREATE ROLE master LOGIN SUPERUSER",
        "ALTER ROLE german SET lc_messages = 'de_DE.UTF-8'",
        "ALTER ROLE master SET lc_messages = 'de_DE.UTF-8'",
        "CREATE DATABASE german OWNER german",
        "CREATE DATABASE master OWNER master",
    ] {
        server.execute(statement).unwrap();
    }
    let mut german = diesel::PgConnection::establish(&server.url("german", "german")).unwrap();
    let told = german.batch_execute("SELECT 1/0").unwrap_err().to_string();
    assert_eq!(told, "Division durch Null", "the server speaks no German, so this test proves nothing");

    let start = async |role: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut config = test_config(Backend::Sqlite, &folder);
        for database in [&mut config.inventory.database, &mut config.user.database] {
            database.url = DatabaseUrl::Postgres(server.url(role, role));
            (database.pool_wait_ms, database.lock_timeout_ms) = (1_000, 200);
        }
        app::start(config, Arc::new(SystemClock)).await
    };
    let refused = start("german").await.err().expect("a role that may not change its language must be refused");
    let told = refused.to_string();
    assert!(told.contains("de_DE.UTF-8") && told.contains("ALTER ROLE"), "{told}");

    server.execute("ALTER ROLE german SET lc_messages = 'C'").unwrap();
    for role in ["german", "master"] {
        let shop = start(role).await.unwrap();
        let mut holder = diesel::PgConnection::establish(&server.url(role, role)).unwrap();
        holder.batch_execute("BEGIN; LOCK TABLE inventory.categories IN ACCESS EXCLUSIVE MODE").unwrap();
        let answer = reqwest::get(format!("http://{}/api/v1/categories", shop.address)).await.unwrap();
        let (status, body) = read(answer).await;
        assert_eq!((status, body["code"].as_str()), (503, Some("timeout")), "{role}");
        holder.batch_execute("ROLLBACK").unwrap();
        shop.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_names_the_part_that_is_missing() {
    let url = postgres().database();
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    let app = TestApp::start_alone(Backend::Sqlite, |config| {
        config.user.database.url = DatabaseUrl::Postgres(url.clone());
        config.user.database.pool_wait_ms = 250;
    })
    .await;
    let health = async |query: &str| {
        let answer = reqwest::get(format!("http://{}/healthz{query}", app.shop.internal_address)).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/health+json");
        read(answer).await
    };
    let (status, body) = health("").await;
    assert_eq!((status, body["stage"].as_i64(), body.get("checks")), (200, Some(1), None), "{body}");
    let (status, body) = health("?verbose").await;
    let is = |body: &Value, check: &str| body["checks"][check][0]["status"].as_str().unwrap().to_owned();
    assert_eq!((status, is(&body, "user:database"), is(&body, "process:phase")), (200, "pass".into(), "pass".into()));
    assert!(body["checks"]["mail:last run"].is_array(), "{body}");
    assert_eq!(app.request(Method::GET, "/healthz").send().await.unwrap().status(), 404, "it is for those inside");

    postgres().execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).unwrap();
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    postgres().execute(&cut).unwrap();
    let (status, body) = health("?verbose").await;
    assert_eq!((status, body["status"].as_str()), (503, Some("fail")), "{body}");
    assert_eq!((is(&body, "inventory:database"), is(&body, "user:database")), ("pass".into(), "fail".into()), "{body}");
    let output = body["checks"]["user:database"][0]["output"].as_str().unwrap();
    assert!(output.contains("not currently accepting connections") || output.contains("terminating"), "{output}");
    // The balancer is not told to take it away for that.
    assert_eq!(app.request(Method::GET, "/readyz").send().await.unwrap().status(), 200);
    postgres().execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).unwrap();
    let start = std::time::Instant::now();
    while health("").await.0 != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.stop().await;
}
