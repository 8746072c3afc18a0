//! Behind PgBouncer in transaction mode, where each transaction may meet another process of the server: the shop does what it
//! always does, and neither leaves anything on a connection nor minds what others left there.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};
use emporium::app::{self, Shop};
use emporium::call::Role;
use emporium::clock::SystemClock;
use emporium::config::{Config, Pooler, Secret};
use emporium::user::Registration;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::outside::Outside;
use crate::process::{emporium, text};
use crate::servers::{Server, Supplied, as_server_user, at, free_port, give};
use crate::testapp::{Backend, PASSWORD, call, read, test_config};

/// A PgBouncer of the test's own, with so many connections to the server.
struct Bouncer {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Bouncer {
    fn start(server: &Server, pool: u32) -> Bouncer {
        let program = PathBuf::from("/usr/sbin/pgbouncer");
        assert!(program.exists(), "PgBouncer is not installed; scripts/test.sh installs it");
        let (folder, port) = (tempfile::Builder::new().prefix("emporium-pgbouncer-").tempdir().unwrap(), free_port());
        give(folder.path());
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("users"), "\"emporium\" \"\"\n\"shop\" \"\"\n").unwrap();
        let mut settings = std::fs::File::create(file("pgbouncer.ini")).unwrap();
        // What the README says of it, besides the addresses.
        write!(
            settings,
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = users\npool_mode = transaction\n\
             default_pool_size = {pool}\nmax_client_conn = 200\nserver_login_retry = 1\nquery_wait_timeout = 5\n",
            server.port
        )
        .unwrap();
        let mut command = as_server_user(&program.to_string_lossy());
        command.arg("pgbouncer.ini").current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let bouncer = Bouncer { port, process: command.spawn().unwrap(), _folder: folder };
        let start = Instant::now();
        while PgConnection::establish(&bouncer.url("emporium")).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "PgBouncer did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        bouncer
    }

    fn url(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/shop", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pooled(config: &mut Config) {
    for database in [&mut config.inventory.database, &mut config.user.database] {
        database.pooler = Pooler::Transaction;
        database.pool_size = 8;
        database.pool_wait_ms = 5_000;
    }
}

/// Two processes of one shop, whose tables `emporium migrate` has made by way of the pooler.
async fn two_processes(bouncer: &Bouncer, folder: &TempDir) -> [Shop; 2] {
    let mut command = emporium(folder.path());
    for module in ["INVENTORY", "USER"] {
        command.env(format!("EMPORIUM__{module}__DATABASE__URL"), bouncer.url("shop"));
        command.env(format!("EMPORIUM__{module}__DATABASE__OWNER"), "emporium");
        command.env(format!("EMPORIUM__{module}__DATABASE__POOLER"), "transaction");
        command.env(format!("EMPORIUM__{module}__MIGRATE_ON_START"), "false");
    }
    let output = command.arg("migrate").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut config = test_config(Backend::Sqlite, folder);
    at(&mut config, &bouncer.url("shop"));
    pooled(&mut config);
    (config.inventory.migrate_on_start, config.user.migrate_on_start) = (false, false);
    config.server.nodes = 2;
    let start = || app::start(config.clone(), Arc::new(SystemClock));
    [start().await.unwrap(), start().await.unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_whole_shop_lives_behind_a_pooler() {
    let server = Server::start();
    server.execute("CREATE ROLE shop LOGIN");
    let (bouncer, folder) = (Bouncer::start(&server, 4), TempDir::new().unwrap());
    let shops = two_processes(&bouncer, &folder).await;
    let admin = Registration { email: "boss@example.com".into(), password: Secret::new(PASSWORD), name: String::new() };
    shops[0].modules.user.create("test", admin, Role::Admin).await.unwrap();
    let addresses: Vec<String> = shops.iter().map(|shop| format!("http://{}", shop.address)).collect();
    Outside::new(addresses.clone(), "boss@example.com", PASSWORD).walk().await;

    let http = reqwest::Client::new();
    let ask = async |method: Method, path: &str, token: &str, body: String, kind: &str| {
        let request = http.request(method, format!("{}/api/v1/{path}", addresses[0]));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let request = request.header("idempotency-key", format!("key-{path}")).header("content-type", kind);
        read(request.body(body).send().await.unwrap()).await
    };
    let login = json!({ "email": "boss@example.com", "password": PASSWORD }).to_string();
    let (_, session) = ask(Method::POST, "auth/login", "", login, "application/json").await;
    let token = session["token"].as_str().unwrap().to_owned();

    // An import: COPY, and a job that one of the processes takes.
    let rows: String = (0..200).map(|n| format!("cup-{n},Cup,active,CUP-{n},4.50,7\n")).collect();
    let csv = format!("Handle,Title,Status,Variant SKU,Variant Price,Variant Inventory Qty\n{rows}");
    let (status, job) = ask(Method::POST, "imports?format=csv", &token, csv, "text/csv").await;
    assert_eq!(status, 202, "{job}");
    let path = format!("jobs/{}", job["id"].as_str().unwrap());
    let until = async |path: &str, is_so: &dyn Fn(&Value) -> bool| {
        let start = Instant::now();
        loop {
            let (_, found) = ask(Method::GET, path, &token, String::new(), "text/plain").await;
            if is_so(&found) {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{found}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let job = until(&path, &|job| job["state"] == "succeeded").await;
    assert_eq!(job["progress"]["failed"].as_i64().unwrap_or_default(), 0, "{job}");

    // A hold that runs out is tidied by the one that has the lease.
    let order = json!({ "lines": [{ "sku": "CUP-7", "quantity": 2 }], "hold_seconds": 1 }).to_string();
    let (status, held) = ask(Method::POST, "reservations", &token, order, "application/json").await;
    assert_eq!(status, 201, "{held}");
    until("stock?sku=CUP-7", &|levels| levels["items"][0]["reserved"] == 0).await;
    let sweepers = shops.iter().filter(|shop| shop.modules.databases[0].holds("sweep of expired holds")).count();
    assert_eq!(sweepers, 1);
    let found = shops[0].modules.inventory.stock_verify(&call(), false).await.unwrap();
    assert_eq!(found.differences, []);
    for shop in shops {
        shop.stop().await;
    }
}

#[derive(QueryableByName)]
struct Said {
    #[diesel(sql_type = Text)]
    said: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_stays_on_a_connection_and_what_others_left_there_does_no_harm() {
    let server = Server::start();
    // All share one connection to the server.
    let bouncer = Bouncer::start(&server, 1);
    let shop = Supplied::start(&bouncer.url("emporium"), pooled).await;
    let mut other = PgConnection::establish(&bouncer.url("emporium")).unwrap();
    let settings = ["search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    let state = "SELECT concat_ws(' ', current_setting('search_path'), current_setting('statement_timeout'),
        current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),
        current_setting('transaction_read_only'), (SELECT count(*) FROM pg_prepared_statements)) AS said";
    let mut look = |before: &str| {
        if !before.is_empty() {
            other.batch_execute(before).unwrap();
        }
        diesel::sql_query(state).get_result::<Said>(&mut other).unwrap().said
    };
    let untouched = "\"$user\", public 0 0 0 off 0";
    assert_eq!(look(""), untouched, "the tables were made, and goods put in");
    // Somebody else is not as careful.
    let spoilt = "SET search_path TO nowhere; SET statement_timeout = '3s'; SET lock_timeout = 1;
                  SET default_transaction_read_only = on; SET default_transaction_isolation = serializable;
                  SET timezone = 'Asia/Tokyo'";
    for n in 0..20 {
        look(spoilt);
        let order = json!({ "lines": [{ "sku": "A0", "quantity": 1 }] });
        shop.made("reservations", &format!("order-{n}"), order).await;
        let answer = shop.app.request(Method::GET, "/api/v1/products").send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let reset: String = settings.iter().map(|setting| format!("RESET {setting};")).collect();
    assert_eq!(look(&format!("RESET default_transaction_read_only; {reset}")), untouched);
    assert_eq!(server.text("SELECT count(*)::text AS text FROM inventory.reservations"), "20");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_servers_restart_behind_a_pooler_is_503_and_no_more() {
    let mut server = Server::start();
    let bouncer = Bouncer::start(&server, 4);
    let shop = Supplied::start(&bouncer.url("emporium"), |config| {
        pooled(config);
        config.inventory.database.pool_wait_ms = 250;
    })
    .await;
    let order = json!({ "lines": [{ "sku": "A0", "quantity": 1 }] });
    for (round, dies) in [(0, false), (1, true)] {
        shop.made("reservations", &format!("before-{round}"), order.clone()).await;
        if dies {
            server.kill()
        } else {
            server.stop()
        }
        for n in 0..3 {
            let (status, says_when, body) = shop.send("reservations", &format!("down-{round}-{n}"), &order).await;
            assert_eq!((status, says_when), (503, true), "{body}");
        }
        server.up();
        let took = shop.made_in_time("reservations", &format!("after-{round}"), order.clone()).await;
        println!("served again after {took:?}");
        // PgBouncer itself tries again each second (server_login_retry).
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    assert_eq!(server.text("SELECT count(*)::text AS text FROM inventory.reservations"), "4");
}
