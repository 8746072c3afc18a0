//! `TestApp`: a shop of its own for each test, on loopback ports that the system picks, with a database of its own.
//!
//! `on_both!` runs each test on SQLite and on PostgreSQL. One PostgreSQL server is started for the whole run, in a temporary
//! folder, and ends with it; each test gets a database there. With `EMPORIUM_TEST_STAGE` a shop on PostgreSQL is several nodes.

#![expect(clippy::disallowed_methods, reason = "tests read their switches from the environment")]

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use emporium::app::{self, Shop};
use emporium::call::{Call, Role};
use emporium::clock::{Clock, SystemClock, Time};
use emporium::config::{Config, DEFAULT, DatabaseUrl, MailDelivery, Secret};
use emporium::user::Registration;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;

mod nodes;

use nodes::Nodes;
pub(crate) use nodes::stage;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Runs each `async fn name(backend)` once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($(async fn $name:ident($backend:ident: Backend) $body:block)*) => {
        $(async fn $name($backend: $crate::testapp::Backend) $body)*
        mod sqlite { $crate::testapp::on_backend! { Sqlite $($name)* } }
        mod postgres { $crate::testapp::on_backend! { Postgres $($name)* } }
    };
}

macro_rules! on_backend {
    ($backend:ident $($name:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            super::$name($crate::testapp::Backend::$backend).await
        })*
    };
}
pub(crate) use on_backend;
pub(crate) use on_both;

/// The system's clock, which a test can put forward and stop.
#[derive(Clone, Default)]
pub(crate) struct TestClock {
    ahead: Arc<AtomicI64>,
    /// Where it stands; 0: it goes.
    stopped: Arc<AtomicI64>,
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let is_stopped = self.stopped.load(Ordering::SeqCst) != 0;
        let clock = if is_stopped { &self.stopped } else { &self.ahead };
        clock.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(self.now().micros(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Time {
        match self.stopped.load(Ordering::SeqCst) {
            0 => Time::from_micros(SystemClock.now().micros() + self.ahead.load(Ordering::SeqCst)),
            stopped => Time::from_micros(stopped),
        }
    }
}

pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct TestApp {
    /// Where customers come in.
    pub(crate) address: SocketAddr,
    /// The shop; one of its nodes where it has several.
    pub(crate) shop: Shop,
    nodes: Nodes,
    pub(crate) clock: TestClock,
    pub(crate) config: Config,
    pub(crate) folder: TempDir,
    pub(crate) http: reqwest::Client,
}

impl TestApp {
    pub(crate) async fn start(backend: Backend) -> TestApp {
        TestApp::start_with(backend, |_| {}).await
    }

    /// Starts a shop whose configuration the test has changed.
    pub(crate) async fn start_with(backend: Backend, change: impl FnOnce(&mut Config)) -> TestApp {
        let is_many = backend == Backend::Postgres && stage() > 1;
        TestApp::start_nodes(backend, change, is_many).await
    }

    /// Starts a shop that is one process at each stage: for what a process has for itself.
    pub(crate) async fn start_alone(backend: Backend, change: impl FnOnce(&mut Config)) -> TestApp {
        TestApp::start_nodes(backend, change, false).await
    }

    async fn start_nodes(backend: Backend, change: impl FnOnce(&mut Config), is_many: bool) -> TestApp {
        let folder = TempDir::new().unwrap();
        let mut config = test_config(backend, &folder);
        change(&mut config);
        if std::env::var("TEST_LOG").is_ok() {
            emporium::telemetry::start_log(&config.log);
        }
        if is_many {
            nodes::prepare(&mut config).await;
        }
        TestApp::open(config, TestClock::default(), folder).await
    }

    async fn open(config: Config, clock: TestClock, folder: TempDir) -> TestApp {
        let shop = app::start(config.clone(), Arc::new(clock.clone())).await.unwrap();
        let nodes = Nodes::beside(&shop, &config, &clock).await;
        TestApp { address: nodes.address, shop, nodes, clock, config, folder, http: reqwest::Client::new() }
    }

    /// Stops all of it and starts it anew on the same database.
    pub(crate) async fn restart(self) -> TestApp {
        self.nodes.stop(self.shop).await;
        TestApp::open(self.config, self.clock, self.folder).await
    }

    /// Stops all of it in order.
    pub(crate) async fn stop(self) {
        self.nodes.stop(self.shop).await;
    }

    /// A request to the public address; `path` from the root, as `/api/v1/products`.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// A request with a token.
    pub(crate) fn request_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(token)
    }

    /// Makes an account of this role and logs it in; gives the token.
    pub(crate) async fn token(&self, email: &str, role: Role) -> String {
        let new = Registration { email: email.into(), password: Secret::new(PASSWORD), name: "Test Person".into() };
        self.shop.modules.user.create("test", new, role).await.unwrap();
        self.login(email).await
    }

    pub(crate) async fn login(&self, email: &str) -> String {
        let body = serde_json::json!({ "email": email, "password": PASSWORD });
        let answer = self.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
        let (status, body) = read(answer).await;
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }
}

/// A connection of the test's own to a shop's database, to look behind the API or to break something.
pub(crate) struct Raw(emporium::db::Connection);

impl TestApp {
    pub(crate) fn diesel(&self) -> Raw {
        Raw::connect(&self.config)
    }

    /// What all shops of this test run have counted.
    pub(crate) async fn metrics(&self) -> String {
        let metrics = self.http.get(format!("http://{}/metrics", self.shop.internal_address)).send().await.unwrap();
        metrics.text().await.unwrap()
    }
}

impl Raw {
    pub(crate) fn connect(config: &Config) -> Raw {
        use diesel::Connection;
        Raw(match &config.inventory.database.url {
            DatabaseUrl::Sqlite(path) => {
                emporium::db::Connection::Sqlite(diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap())
            }
            DatabaseUrl::Postgres(url) => {
                emporium::db::Connection::Postgres(diesel::PgConnection::establish(url).unwrap())
            }
        })
    }

    /// Runs statements; tables of PostgreSQL are named with their schema.
    pub(crate) fn batch(&mut self, sql: &str) {
        use diesel::connection::SimpleConnection;
        self.0.batch_execute(sql).unwrap();
    }
}

/// Who answers for what a test does through a trait.
pub(crate) fn call() -> Call {
    Call::by("test")
}

/// The status and the JSON body of an answer (null where there is none).
pub(crate) async fn read(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Stage 0 with free ports, a database of its own, and limits that a test does not meet by accident.
pub(crate) fn test_config(backend: Backend, folder: &TempDir) -> Config {
    let mut config = Config::parse(DEFAULT, Default::default()).unwrap();
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.internal_listen = "127.0.0.1:0".parse().unwrap();
    config.server.workers = 2;
    config.server.rate_limit_per_minute = 1_000_000;
    config.server.rate_limit_burst = 1_000_000;
    config.server.shutdown_timeout_seconds = 5;
    config.mail.delivery = MailDelivery::Folder { path: folder.path().join("mail") };
    let url = match backend {
        Backend::Sqlite => DatabaseUrl::Sqlite(folder.path().join("emporium.db")),
        Backend::Postgres => DatabaseUrl::Postgres(postgres().database()),
    };
    for database in [&mut config.inventory.database, &mut config.user.database] {
        database.url = url.clone();
        // Many tests at once make a slow machine.
        (database.pool_wait_ms, database.overload_wait_ms) = (10_000, 10_000);
    }
    config
}

/// A PostgreSQL server that lives as long as the test run.
pub(crate) struct Postgres {
    port: u16,
    databases: AtomicU32,
    _folder: TempDir,
}

/// The server, started at its first use.
pub(crate) fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start(None))
}

impl Postgres {
    /// Starts a server; it finds the locales that were made in the folder beside its own.
    pub(crate) fn start(locales: Option<&Path>) -> Postgres {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("emporium-postgres-").tempdir().unwrap();
        let data = folder.path().join("data");
        let user = server_user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        let as_user = |program: &str| {
            let mut command = Command::new(programs.join(program));
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made = as_user("initdb")
            .args(["--username=emporium", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(&data)
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // A shell between us and the server: it stops the server when our end of its input closes, however we end.
        let mut guard = Command::new("sh");
        if let Some((uid, gid)) = user {
            guard.uid(uid).gid(gid);
        }
        if let Some(locales) = locales {
            guard.env("LOCPATH", locales);
        }
        let child = guard
            .arg("-c")
            .arg(
                "\"$0\" -D \"$1\" -p \"$2\" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
                  -c max_connections=500 -c shared_buffers=64MB >\"$1/log\" 2>&1 & read -r _; kill -INT $!; wait; rm -rf \"$1\"",
            )
            .arg(programs.join("postgres"))
            .arg(&data)
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // Its input stays open until this process ends.
        std::mem::forget(child);
        let server = Postgres { port, databases: AtomicU32::new(0), _folder: folder };
        let start = Instant::now();
        while server.execute("SELECT 1").is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Makes an empty database; gives its address.
    pub(crate) fn database(&self) -> String {
        let name = format!("shop{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.url("emporium", &name)
    }

    /// The address at which a role finds a database.
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn execute(&self, sql: &str) -> diesel::QueryResult<()> {
        use diesel::connection::{Connection, SimpleConnection};
        let url = self.url("emporium", "postgres");
        let mut conn = diesel::PgConnection::establish(&url)
            .map_err(|error| diesel::result::Error::QueryBuilderError(error.to_string().into()))?;
        conn.batch_execute(sql)
    }
}

/// The folder of PostgreSQL's programs.
pub(crate) fn programs() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = found.map(|entry| entry.path().join("bin")).collect();
    folders.retain(|folder| folder.join("initdb").exists());
    folders.sort();
    folders.pop().expect("PostgreSQL's server is not installed; scripts/test.sh installs it")
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
pub(crate) fn server_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().ok()
    };
    match id(&["-u"]) {
        Some(0) => Some((id(&["-u", "postgres"]).expect("no user postgres"), id(&["-g", "postgres"]).unwrap())),
        _ => None,
    }
}
