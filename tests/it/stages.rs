//! Every file under `config/` starts a shop, and the same walk passes at each stage.

use std::sync::Arc;

use emporium::app;
use emporium::call::Role;
use emporium::clock::SystemClock;
use emporium::config::{Config, DatabaseUrl, MailDelivery, Secret, Tls};
use emporium::user::Registration;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::testapp::{PASSWORD, postgres, read};

struct Walk {
    http: Client,
    address: String,
}

impl Walk {
    fn request(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}/api/v1{path}", self.address));
        let request = request.header("idempotency-key", uuid::Uuid::now_v7().to_string());
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    async fn call(&self, token: &str, method: Method, path: &str, body: Value, expected: u16) -> Value {
        let answer = self.request(token, method.clone(), path).json(&body).send().await.unwrap();
        let (status, body) = read(answer).await;
        assert_eq!(status, expected, "{method} {path}: {body}");
        body
    }

    async fn login(&self, email: &str) -> String {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.call("", Method::POST, "/auth/login", body, 200).await;
        answer["token"].as_str().unwrap().to_owned()
    }
}

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
        let shop = app::start(config, Arc::new(SystemClock)).await.unwrap();
        let admin =
            Registration { email: "boss@example.com".into(), password: Secret::new(PASSWORD), name: String::new() };
        shop.modules.user.create("test", admin, Role::Admin).await.unwrap();
        let walk = Walk { http: Client::new(), address: shop.address.to_string() };
        walk_the_shop(&walk).await;
        shop.stop().await;
    }
}

/// Stock a product; register, log in, browse, reserve, commit, ship; and find the counters right.
async fn walk_the_shop(walk: &Walk) {
    let boss = walk.login("boss@example.com").await;
    walk.call(&boss, Method::POST, "/locations", json!({ "code": "MAIN", "name": "Main" }), 201).await;
    let product = json!({
        "title": "Blue Mug", "status": "active", "options": [],
        "skus": [{ "code": "MUG", "price": { "amount": 1200, "currency": "USD" } }],
    });
    walk.call(&boss, Method::POST, "/products", product, 201).await;
    let stock = json!({ "rows": [{ "sku": "MUG", "location": "MAIN", "delta": 3, "reason": "first delivery" }] });
    walk.call(&boss, Method::POST, "/stock/adjustments", stock, 200).await;

    walk.call("", Method::POST, "/auth/register", json!({ "email": "eve@example.com", "password": PASSWORD }), 202)
        .await;
    let eve = walk.login("eve@example.com").await;
    let found = walk.call("", Method::GET, "/products?q=mug&in_stock=true", json!({}), 200).await;
    assert_eq!(found["items"][0]["handle"], "blue-mug", "{found}");
    let lines = json!({ "lines": [{ "sku": "MUG", "quantity": 2 }] });
    let held = walk.call(&eve, Method::POST, "/reservations", lines.clone(), 201).await;
    let short = walk.call(&eve, Method::POST, "/reservations", lines, 409).await;
    assert_eq!(short["lines"][0]["available"], 1, "{short}");
    let id = held["id"].as_str().unwrap();
    walk.call(&eve, Method::POST, &format!("/reservations/{id}/commit"), json!({}), 200).await;
    walk.call(&boss, Method::POST, &format!("/reservations/{id}/ship"), json!({}), 200).await;
    let levels = walk.call(&boss, Method::GET, "/stock?sku=MUG", json!({}), 200).await;
    let level = &levels["items"][0];
    assert_eq!(
        (&level["on_hand"], &level["reserved"], &level["allocated"]),
        (&json!(1), &json!(0), &json!(0)),
        "{level}"
    );
}
