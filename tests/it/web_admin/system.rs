//! The page about the system: real values, also on a bad day.

use std::time::{Duration, Instant};

use emporium::call::Role;
use emporium::config::{Config, DatabaseUrl};

use super::Visitor;
use crate::testapp::{Backend, TestApp, on_both, postgres};

on_both! {
    async fn the_system_is_shown_as_it_is(backend: Backend) {
        // The page is about the process that answers.
        let app = TestApp::start_alone(backend, |config| config.inventory.database.pool_size = 3).await;
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        app.clock.advance(Duration::from_secs(3 * 3_600 + 5 * 60));
        admin.login("root@example.com").await;
        // Each work has run once the start is a moment ago.
        let start = Instant::now();
        let page = loop {
            let page = admin.page("/admin/system").await;
            let work = page.between("aria-labelledby=\"work\"", "</table>");
            if work.matches("<td>None</td><td class=\"n\">").count() == 0 {
                break page;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{work}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let (kind, stage) = match backend {
            Backend::Sqlite => ("SQLite", "0 <code>config/0-single-box.toml</code>"),
            Backend::Postgres => ("PostgreSQL", "1 <code>config/1-separate-db.toml</code>"),
        };
        let url = app.config.inventory.database.url.to_string();
        page.says(&format!("{kind} <code>{url}</code>"));
        page.says(stage);
        page.says(&format!("emporium {}", env!("CARGO_PKG_VERSION")));
        page.says("3 h 5 min");
        // The memory of this process, in the unit that fits it.
        assert!(page.has(" MiB</dd>") || page.has(" GiB</dd>"), "{}", page.body);
        page.says("_coded_row_faults</code>");
        page.says("_rate_counts</code>");
        page.says("<code>inventory.holder_units_max</code></th><td class=\"n\">500</td>");
        page.says("Files in a folder, not sent");
        assert_eq!(page.body.matches(">Up</span>").count(), 2);
        page.says("<dt>Replicas</dt><dd>None configured</dd>");
        page.says("<dt>Cache</dt><dd>None configured</dd>");
        assert_eq!(page.body.matches("<dd>In this process</dd>").count(), 2);
        // One file is told once, with the log beside it.
        let user = page.between("id=\"h-user\"", "</section>");
        assert_eq!(user.contains("In the same file, with the same connections: Inventory module"), matches!(backend, Backend::Sqlite));
        assert_eq!(user.contains("<table>"), matches!(backend, Backend::Postgres), "{user}");
        if let DatabaseUrl::Sqlite(file) = &app.config.inventory.database.url {
            let length = |ending: &str| std::fs::metadata(format!("{}{ending}", file.display())).unwrap().len();
            let told = page.between("<dt>Size</dt><dd>", "<").to_owned();
            let (number, unit) = told.split_once(' ').unwrap();
            let unit = if unit == "MiB" { 1_048_576.0 } else { 1_024.0 };
            let (told, log) = (number.parse::<f64>().unwrap() * unit, length("-wal"));
            // Work goes on meanwhile.
            assert!(log > 0 && (told - (length("") + log) as f64).abs() < 110_000.0, "{told} {log}");
        }
        let pools = page.between("aria-label=\"Connections: Inventory module\"", "</table>");
        assert!(pools.contains("<td class=\"n\">3</td>"), "{pools}");
        for work in ["Giving back expired holds", "Imports", "Sending mail", "Tidying"] {
            page.says(&format!("<th scope=\"row\">{work}</th>"));
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_down_is_shown_as_down() {
    // The users' database is another one: without it nobody can be known.
    let url = postgres().database();
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    let split = |config: &mut Config| {
        config.inventory.database.url = DatabaseUrl::Postgres(url.clone());
        config.inventory.database.pool_wait_ms = 250;
    };
    let app = TestApp::start_with(Backend::Sqlite, split).await;
    let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
    postgres().execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).unwrap();
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    postgres().execute(&cut).unwrap();
    // What the menu was is known for a while; after that it cannot be asked for.
    app.clock.advance(Duration::from_secs(60));
    // Each connection in the pool is found broken once.
    for _ in 0..=app.config.inventory.database.pool_size {
        admin.page("/admin/system").await;
    }
    let page = admin.page("/admin/system").await;
    let inventory = page.between("id=\"h-inventory\"", "</section>");
    assert!(
        inventory.contains(">Down</span>") && inventory.contains("not currently accepting connections"),
        "{inventory}"
    );
    let user = page.between("id=\"h-user\"", "</section>");
    assert!(user.contains(">Up</span>") && user.contains("SQLite"), "{user}");
    page.says("They cannot be asked for now.");
    let work = page.between("aria-labelledby=\"work\"", "</table>");
    assert!(work.contains("the database cannot be reached"), "{work}");
    assert_eq!(admin.get("/admin").await.status, 503);
    app.stop().await;
}
