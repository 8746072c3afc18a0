//! Every file under `config/` starts a shop, and the same walk passes at each stage.

use std::sync::Arc;

use emporium::app;
use emporium::call::Role;
use emporium::clock::SystemClock;
use emporium::config::{Config, DatabaseUrl, MailDelivery, Secret, Tls};
use emporium::user::Registration;
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::outside::Outside;
use crate::testapp::{PASSWORD, postgres};

/// Adapts a stage's file to this machine: addresses, ports and files only.
fn adapt(config: &mut Config, folder: &TempDir) {
    let any = "127.0.0.1:0".parse().unwrap();
    (config.server.listen, config.server.internal_listen) = (any, any);
    config.mail.delivery = MailDelivery::Folder { path: folder.path().join("mail") };
    let url = match &config.inventory.database.url {
        DatabaseUrl::Sqlite(_) => DatabaseUrl::Sqlite(folder.path().join("emporium.db")),
        DatabaseUrl::Postgres(_) => DatabaseUrl::Postgres(postgres().database()),
    };
    for database in [&mut config.inventory.database, &mut config.user.database] {
        database.url = url.clone();
        (database.tls, database.tls_root_cert) = (Tls::Disable, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_starts_and_sells() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut stages: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    stages.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    stages.sort();
    assert!(stages.len() >= 2, "{stages:?}");
    for stage in stages {
        println!("{}", stage.display());
        let folder = TempDir::new().unwrap();
        // The secrets that the file names are not on this machine.
        let text = std::fs::read_to_string(&stage).unwrap();
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with("password_file")).collect();
        let text = text.join("\n").replace("tls = \"verify-full\"", "tls = \"require\"");
        let mut config = Config::parse(&text, Default::default()).unwrap();
        adapt(&mut config, &folder);
        if !config.inventory.migrate_on_start {
            let [inventory, user] = app::databases(&config).unwrap();
            inventory.migrate(&emporium::inventory::MIGRATIONS).await.unwrap();
            user.migrate(&emporium::user::MIGRATIONS).await.unwrap();
        }
        // From stage 2 on there are several processes, which have nothing in common but the file and the database.
        let processes = if stage.file_name().unwrap() < std::ffi::OsStr::new("2") { 1 } else { 3 };
        let mut shops = Vec::new();
        for _ in 0..processes {
            shops.push(app::start(config.clone(), Arc::new(SystemClock)).await.unwrap());
        }
        let admin =
            Registration { email: "boss@example.com".into(), password: Secret::new(PASSWORD), name: String::new() };
        shops[0].modules.user.create("test", admin, Role::Admin).await.unwrap();
        let addresses = shops.iter().map(|shop| format!("http://{}", shop.address)).collect();
        Outside::new(addresses, "boss@example.com", PASSWORD).walk().await;
        join_all(shops.into_iter().map(app::Shop::stop)).await;
    }
}
