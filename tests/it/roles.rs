//! The least that a module needs of PostgreSQL: its owner migrates, its own role uses its tables, and neither sees the other module.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use emporium::app;
use emporium::call::Role;
use emporium::clock::SystemClock;
use emporium::config::{DatabaseUrl, Secret};
use emporium::user::Registration;
use tempfile::TempDir;

use crate::outside::Outside;
use crate::process::{emporium, text};
use crate::servers::Server;
use crate::testapp::{Backend, PASSWORD, Postgres, test_config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_migrates_and_a_role_for_each_module_uses_its_tables_alone() {
    let server = Postgres::start(None);
    for statement in [
        "CREATE ROLE shop_owner LOGIN",
        "CREATE ROLE shop_inventory LOGIN",
        "CREATE ROLE shop_user LOGIN",
        "CREATE DATABASE shop",
        "GRANT CREATE ON DATABASE shop TO shop_owner",
    ] {
        server.execute(statement).unwrap();
    }
    let folder = TempDir::new().unwrap();
    let roles = [("INVENTORY", server.url("shop_inventory", "shop")), ("USER", server.url("shop_user", "shop"))];
    let migrate = |owner: &str| {
        let mut command = emporium(folder.path());
        for (module, url) in &roles {
            command.env(format!("EMPORIUM__{module}__DATABASE__URL"), url);
            command.env(format!("EMPORIUM__{module}__MIGRATE_ON_START"), "false");
            command.env(format!("EMPORIUM__{module}__DATABASE__OWNER"), owner);
        }
        command.arg("migrate").output().unwrap()
    };
    let output = migrate("shop_inventory");
    assert!(!output.status.success() && text(&output.stderr).contains("GRANT CREATE ON DATABASE"), "{output:?}");
    for _ in 0..2 {
        let output = migrate("shop_owner");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }

    let mut config = test_config(Backend::Sqlite, &folder);
    (config.inventory.migrate_on_start, config.user.migrate_on_start) = (false, false);
    config.inventory.database.url = DatabaseUrl::Postgres(roles[0].1.clone());
    config.user.database.url = DatabaseUrl::Postgres(roles[1].1.clone());
    let shop = app::start(config, Arc::new(SystemClock)).await.unwrap();
    let admin = Registration { email: "boss@example.com".into(), password: Secret::new(PASSWORD), name: String::new() };
    shop.modules.user.create("test", admin, Role::Admin).await.unwrap();
    Outside::new(vec![format!("http://{}", shop.address)], "boss@example.com", PASSWORD).walk().await;
    shop.stop().await;

    for ((_, url), refused) in roles.iter().zip([
        ["DROP TABLE inventory.products", "CREATE TABLE inventory.mine (n int)", "SELECT * FROM users.users"],
        ["ALTER TABLE users.users ADD COLUMN n int", "DROP TABLE users.leases", "SELECT * FROM inventory.products"],
    ]) {
        let mut conn = PgConnection::establish(url).unwrap();
        for statement in refused {
            let told = conn.batch_execute(statement).unwrap_err().to_string();
            assert!(told.contains("must be owner") || told.contains("permission denied"), "{statement}: {told}");
        }
    }
}

/// A process that runs while a new version migrates must be able to use each table from the moment that it sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_table_is_ever_seen_that_its_role_may_not_use() {
    let server = Server::start();
    for statement in [
        "CREATE ROLE \"the owner\" LOGIN",
        "CREATE ROLE \"a shop\" LOGIN",
        "GRANT CREATE ON DATABASE shop TO \"the owner\"",
    ] {
        server.execute(statement);
    }
    let folder = TempDir::new().unwrap();
    let mut command = emporium(folder.path());
    for module in ["INVENTORY", "USER"] {
        command.env(format!("EMPORIUM__{module}__DATABASE__URL"), server.url("a%20shop", "shop"));
        command.env(format!("EMPORIUM__{module}__MIGRATE_ON_START"), "false");
        command.env(format!("EMPORIUM__{module}__DATABASE__OWNER"), "the owner");
    }
    let mut child = command.arg("migrate").spawn().unwrap();
    let tables = |may: &str| {
        server.text(&format!(
            "SELECT count(*)::text AS text FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace
             WHERE t.relkind = 'r' AND s.nspname IN ('inventory', 'users') AND {may}"
        ))
    };
    let mut seen = 0;
    while child.try_wait().unwrap().is_none() {
        let forbidden = tables("NOT has_table_privilege('a shop', t.oid, 'SELECT, INSERT, UPDATE, DELETE')");
        assert_eq!(forbidden, "0", "tables that are there and may not be used");
        seen += u32::from(tables("true") != "0");
    }
    assert!(child.wait().unwrap().success());
    assert!(seen > 0, "it was too quick to see anything");
    // The second module's tables, and all rights of each.
    let all = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    let all = all.map(|right| format!("has_table_privilege('a shop', t.oid, '{right}')")).join(" AND ");
    assert_eq!(tables(&all), tables("true"));
}
