//! PostgreSQL servers of a test's own: they are stopped and killed, copied as standbys and promoted. And a shop that knows them.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};
use emporium::call::Role;
use emporium::config::{Config, DatabaseUrl};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::testapp::{Backend, TestApp, programs, read, server_user};

pub(crate) struct Server {
    pub(crate) port: u16,
    folder: TempDir,
    settings: Vec<String>,
    /// A shell that stops the server when our end of its input closes, however we end; `None`: the server is down.
    guard: Option<Child>,
}

impl Server {
    /// A new server with an empty database `shop`.
    pub(crate) fn start() -> Server {
        let mut server = Server::new();
        let mut make = server.program("initdb");
        make.args(["-U", "emporium", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"]).arg(server.data());
        assert!(make.status().unwrap().success(), "initdb failed");
        server.up();
        server.execute("CREATE DATABASE shop");
        server
    }

    /// A standby of another server.
    pub(crate) fn standby_of(primary: &Server) -> Server {
        let mut server = Server::new();
        server.follow(primary);
        server
    }

    fn new() -> Server {
        let folder = tempfile::Builder::new().prefix("emporium-server-").tempdir().unwrap();
        give(folder.path());
        Server { port: free_port(), folder, settings: vec![], guard: None }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@{}/{database}", self.name())
    }

    /// One of PostgreSQL's programs, as the user that may run it, and without words.
    fn program(&self, name: &str) -> Command {
        let mut command = as_server_user(&programs().join(name).to_string_lossy());
        command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts it with another setting.
    pub(crate) fn restart_with(&mut self, setting: &str) {
        self.stop();
        self.settings.push(setting.to_owned());
        self.up();
    }

    /// Starts it, at its old port; returns when it takes connections.
    pub(crate) fn up(&mut self) {
        let start = Instant::now();
        while PgConnection::establish(&self.url("emporium", "postgres")).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "PostgreSQL did not start");
            // One that was killed leaves processes behind, which take a moment to notice.
            if self.guard.as_mut().is_none_or(|guard| guard.try_wait().unwrap().is_some()) {
                self.guard = Some(self.guard());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn guard(&self) -> Child {
        let mut guard = as_server_user("sh");
        // The reader gets the input by another number: a shell gives what it starts in the background none.
        guard.arg("-c").arg(
            "exec 3<&0; \"$@\" >log 2>&1 3<&- & server=$!; { read -r _ <&3; kill -INT $server; } 2>/dev/null & wait $server",
        );
        guard.arg("sh").arg(programs().join("postgres")).arg("-D").arg(self.data());
        let port = format!("port={}", self.port);
        let settings = [
            &*port,
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=60",
            "shared_buffers=32MB",
            "wal_retrieve_retry_interval=200ms",
        ];
        for setting in settings.into_iter().chain(self.settings.iter().map(|setting| &**setting)) {
            guard.args(["-c", setting]);
        }
        guard.current_dir(self.folder.path()).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Stops it in order: "fast", as it is called.
    pub(crate) fn stop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            guard.wait().unwrap();
        }
    }

    /// Kills it, as a machine does that goes out: none of its processes has time for anything.
    pub(crate) fn kill(&mut self) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap();
        // The first one, before it can begin another; those that it has begun would finish what they are at.
        let children = format!("/proc/{pid}/task/{pid}/children");
        assert!(Command::new("kill").args(["-STOP", pid]).status().unwrap().success());
        let children = std::fs::read_to_string(children).unwrap();
        // One that has ended by itself meanwhile is no fault.
        let all = children.split_ascii_whitespace().chain([pid]);
        Command::new("kill").arg("-KILL").args(all).stderr(Stdio::null()).status().unwrap();
        self.stop();
    }

    /// Makes it a standby of `primary`, whatever it was.
    pub(crate) fn follow(&mut self, primary: &Server) {
        self.stop();
        let _ = std::fs::remove_dir_all(self.data());
        let mut copy = self.program("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-U", "emporium", "-R", "-c", "fast", "-N", "-p"]).arg(primary.port.to_string());
        assert!(copy.arg("-D").arg(self.data()).status().unwrap().success(), "pg_basebackup failed");
        self.up();
    }

    /// From now on nothing is acknowledged that a standby does not have.
    pub(crate) fn wait_for_standby(&self) {
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.execute("SELECT pg_reload_conf()");
        let start = Instant::now();
        while self.text("SELECT count(*)::text AS text FROM pg_stat_replication WHERE sync_state = 'sync'") != "1" {
            assert!(start.elapsed() < Duration::from_secs(30), "the standby does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes a standby a primary; returns when it takes writes.
    pub(crate) fn promote(&self) {
        self.execute("SELECT pg_promote()");
    }

    pub(crate) fn execute(&self, statement: &str) {
        self.connect("postgres").batch_execute(statement).unwrap();
    }

    /// What a query on the database `shop` gives as `text`.
    pub(crate) fn text(&self, query: &str) -> String {
        self.texts(query).pop().unwrap()
    }

    pub(crate) fn texts(&self, query: &str) -> Vec<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            text: String,
        }
        let rows: Vec<Row> = diesel::sql_query(query).load(&mut self.connect("shop")).unwrap();
        rows.into_iter().map(|row| row.text).collect()
    }

    fn connect(&self, database: &str) -> PgConnection {
        PgConnection::establish(&self.url("emporium", database)).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program as a user for whom PostgreSQL and PgBouncer run: not root, but the one that the package made.
pub(crate) fn as_server_user(program: &str) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command
}

/// Makes a file or folder that user's own.
pub(crate) fn give(path: &Path) {
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Both modules at this address, with the waits of the files under `config/`.
pub(crate) fn at(config: &mut Config, url: &str) {
    for database in [&mut config.inventory.database, &mut config.user.database] {
        database.url = DatabaseUrl::Postgres(url.to_owned());
        database.pool_wait_ms = 250;
    }
}

/// A shop at this address with some goods, and a staff member's token.
pub(crate) struct Supplied {
    pub(crate) app: TestApp,
    staff: String,
}

impl Supplied {
    pub(crate) async fn start(url: &str, change: impl FnOnce(&mut Config)) -> Supplied {
        let app = TestApp::start_with(Backend::Sqlite, |config| {
            at(config, url);
            config.inventory.holder_units_max = 1_000_000;
            change(config);
        })
        .await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let shop = Supplied { app, staff };
        let sku = |n| json!({ "code": format!("A{n}"), "price": { "amount": 100, "currency": "USD" } });
        for n in 0..4 {
            let product = json!({ "title": format!("A{n}"), "status": "active", "skus": [sku(n)] });
            shop.made("products", &format!("product-{n}"), product).await;
        }
        shop.made("locations", "location", json!({ "code": "MAIN", "name": "Main" })).await;
        for n in 0..4 {
            shop.made("stock/adjustments", &format!("stock-{n}"), delivery(n, 100_000, "first")).await;
        }
        shop
    }

    /// Sends a call with a key; gives the status, whether it says when to come back, and the body.
    pub(crate) async fn send(&self, path: &str, key: &str, body: &Value) -> (u16, bool, Value) {
        let request = self.app.request_as(&self.staff, Method::POST, &format!("/api/v1/{path}")).json(body);
        let answer = request.header("idempotency-key", key).send().await.unwrap();
        let says_when = answer.headers().contains_key("retry-after");
        let (status, body) = read(answer).await;
        (status, says_when, body)
    }

    pub(crate) async fn made(&self, path: &str, key: &str, body: Value) {
        let (status, _, body) = self.send(path, key, &body).await;
        assert!(status < 300, "{path}: {body}");
    }

    /// The same, again while the database is away; gives how long that took.
    pub(crate) async fn made_in_time(&self, path: &str, key: &str, body: Value) -> Duration {
        let start = Instant::now();
        loop {
            let (status, says_when, problem) = self.send(path, key, &body).await;
            if status < 300 {
                return start.elapsed();
            }
            assert_eq!((status, says_when), (503, true), "{problem}");
            assert!(start.elapsed() < Duration::from_secs(20), "{problem}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Goods of SKU `A…` come in.
pub(crate) fn delivery(n: usize, delta: i64, reason: &str) -> Value {
    json!({ "rows": [{ "sku": format!("A{n}"), "location": "MAIN", "delta": delta, "reason": reason }] })
}
