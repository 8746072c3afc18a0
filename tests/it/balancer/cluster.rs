//! Three processes on one PostgreSQL behind the balancer, and the clients of a load. `load` measures how it is shared; in `restarts`
//! the shopper feels neither that a node is stopped nor that one dies.

use super::*;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use emporium::config::{Config, DEFAULT, DatabaseUrl};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::process::Process;
use crate::seed;
use crate::testapp::{PASSWORD, postgres};

mod load;
mod restarts;

/// The processes, each with `config/3-balanced.toml`.
struct Cluster {
    nodes: Vec<Process>,
    place: Place,
    balancer: Balancer,
    token: String,
}

/// What this machine has differently from the file.
struct Place {
    folder: TempDir,
    database: String,
}

impl Place {
    fn emporium(&self, listen: SocketAddr) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emporium"));
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/3-balanced.toml");
        command.current_dir(self.folder.path()).arg("--config").arg(file);
        for module in ["INVENTORY", "USER"] {
            let key = |name: &str| format!("EMPORIUM__{module}__DATABASE__{name}");
            command.env(key("URL"), &self.database).env(key("TLS"), "disable").env(key("PASSWORD_FILE"), "password");
            command.env(key("OWNER"), "emporium").env(key("OWNER_PASSWORD_FILE"), "password");
            // Many tests at once make a slow machine.
            command.env(key("POOL_WAIT_MS"), "10000").env(key("OVERLOAD_WAIT_MS"), "10000");
        }
        command
            .env("EMPORIUM__SERVER__LISTEN", listen.to_string())
            .env("EMPORIUM__SERVER__INTERNAL_LISTEN", "127.0.0.1:0")
            .env("EMPORIUM__SERVER__TRUSTED_PROXIES", "127.0.0.1")
            .env("EMPORIUM__SERVER__RATE_LIMIT_PER_MINUTE", "1000000")
            .env("EMPORIUM__SERVER__RATE_LIMIT_BURST", "1000000");
        command
    }
}

impl Cluster {
    async fn start() -> Cluster {
        let place = Place { folder: TempDir::new().unwrap(), database: postgres().database() };
        std::fs::write(place.folder.path().join("password"), PASSWORD).unwrap();
        let addresses = [free_address(), free_address(), free_address()];
        for arguments in
            [&["migrate"][..], &["user", "create-admin", "boss@example.com", "--password-file", "password"]]
        {
            let output = place.emporium(addresses[0]).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
        }
        let nodes = addresses.iter().map(|address| Process::start(&mut place.emporium(*address))).collect();
        let balancer = Balancer::start(&addresses, &[]).await;
        let mut cluster = Cluster { nodes, place, balancer, token: String::new() };
        let login = json!({ "email": "boss@example.com", "password": PASSWORD });
        let session = cluster.made("auth/login", login).await;
        cluster.token = session["token"].as_str().unwrap().to_owned();
        let product = json!({ "title": "Mug", "handle": "mug", "status": "active",
            "skus": [{ "code": "MUG", "price": { "amount": 1450, "currency": "USD" } }] });
        cluster.made("products", product).await;
        cluster.made("locations", json!({ "code": "MAIN", "name": "Main" })).await;
        let rows = json!([{ "sku": "MUG", "location": "MAIN", "delta": 1_000_000, "reason": "first" }]);
        cluster.made("stock/adjustments", json!({ "rows": rows })).await;
        cluster
    }

    async fn made(&self, path: &str, body: Value) -> Value {
        let request = self.balancer.client().post(self.balancer.url(&format!("/api/v1/{path}")));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let (status, answer) = read(request.header("idempotency-key", path).json(&body).send().await.unwrap()).await;
        assert!(status < 300, "{path}: {answer}");
        answer
    }

    fn start_again(&mut self, node: usize) {
        let listen = self.nodes[node].address.parse().unwrap();
        self.nodes[node] = Process::start(&mut self.place.emporium(listen));
    }

    async fn requests(&self) -> Vec<f64> {
        self.balancer.of_nodes("stot").await.iter().map(|count| count.parse().unwrap()).collect()
    }

    async fn until(&self, node: usize, status: &str) {
        let start = Instant::now();
        while !self.balancer.of_nodes("status").await[node].starts_with(status) {
            assert!(start.elapsed() < Duration::from_secs(60), "node {node} is not {status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Sends so many clients in; they go on until they are called back, and wait so long after each request. Some keep their
    /// connection, the others make one for each request.
    fn load(&self, clients: usize, pause: Duration, keeps: impl Fn(usize) -> bool) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..clients).map(|number| {
            let http = self.balancer.client_at([127, 0, 0, 1].into(), if keeps(number) { 1 } else { 0 });
            let (url, token) = (self.balancer.url("/api/v1"), self.token.clone());
            tokio::spawn(Visitor { number, http, url, token, pause }.stay(stop.clone()))
        });
        Load { clients: clients.collect(), stop }
    }
}

/// A client with a connection of its own: of six requests it reads with three, buys with two, and changes something without a key
/// with one.
struct Visitor {
    number: usize,
    http: Client,
    url: String,
    token: String,
    pause: Duration,
}

/// A request that was not answered as it should be.
#[derive(Debug)]
struct Failed {
    id: String,
    from: Instant,
    to: Instant,
    #[expect(dead_code, reason = "shown when a test fails")]
    what: String,
}

/// What became of a visitor's requests.
#[derive(Default)]
struct Visits {
    answered: usize,
    /// Keys of the reservations, each of which was acknowledged in the end.
    bought: Vec<String>,
    failed: Vec<Failed>,
}

impl Visitor {
    async fn stay(self, stop: Arc<AtomicBool>) -> Visits {
        let mut visits = Visits::default();
        for n in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("{}-{n}", self.number);
            match n % 6 {
                2 | 5 => {
                    // Whoever does not know what became of it asks again, with the same key.
                    let start = Instant::now();
                    while !self.visit(&mut visits, self.reservation(&id), &id, 201).await {
                        assert!(start.elapsed() < Duration::from_secs(60), "{id}: nobody knows what became of it");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    visits.bought.push(id);
                }
                4 => {
                    let rename = self.http.patch(format!("{}/me", self.url)).json(&json!({ "name": id }));
                    self.visit(&mut visits, rename.header("if-match", "*"), &id, 200).await;
                }
                _ => {
                    let question = self.http.get(format!("{}/products/mug", self.url));
                    self.visit(&mut visits, question, &id, 200).await;
                }
            }
            tokio::time::sleep(self.pause).await;
        }
        visits
    }

    fn reservation(&self, key: &str) -> RequestBuilder {
        let body = json!({ "holder": key, "lines": [{ "sku": "MUG", "quantity": 1 }] });
        self.http.post(format!("{}/reservations", self.url)).header("idempotency-key", key).json(&body)
    }

    /// Sends it; was it answered so?
    async fn visit(&self, visits: &mut Visits, request: RequestBuilder, id: &str, expected: u16) -> bool {
        let from = Instant::now();
        let told = match request.bearer_auth(&self.token).header("x-request-id", id).send().await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                answer.bytes().await.map(|_| status)
            }
            Err(error) => Err(error),
        };
        let is_right = matches!(told, Ok(status) if status == expected);
        if is_right {
            visits.answered += 1;
        } else {
            visits.failed.push(Failed { id: id.to_owned(), from, to: Instant::now(), what: format!("{told:?}") });
        }
        is_right
    }
}

struct Load {
    clients: Vec<tokio::task::JoinHandle<Visits>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Calls all back; gives what became of all their requests.
    async fn end(self) -> Visits {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Visits::default();
        for client in self.clients {
            let visits = client.await.unwrap();
            all.answered += visits.answered;
            all.bought.extend(visits.bought);
            all.failed.extend(visits.failed);
        }
        println!("{} answered, {} bought, {} failed", all.answered, all.bought.len(), all.failed.len());
        all
    }
}

impl Cluster {
    /// Each key has bought once.
    fn assert_bought(&self, visits: &Visits) {
        let mut config = Config::parse(DEFAULT, Default::default()).unwrap();
        config.inventory.database.url = DatabaseUrl::Postgres(self.place.database.clone());
        let mut conn = seed::connect_to(&config);
        let bought = visits.bought.len() as i64;
        for counted in [
            "SELECT count(*) FROM reservations",
            "SELECT count(DISTINCT holder) FROM reservations",
            "SELECT count(*) FROM reservation_lines",
            "SELECT sum(reserved) FROM stock",
            "SELECT sum(reserved_delta) FROM stock_ledger",
        ] {
            assert_eq!(seed::number(&mut conn, counted), bought, "{counted}");
        }
    }
}

impl Balancer {
    /// By its log: the nodes that had each request, known by its id, last.
    fn served(&self) -> HashMap<String, Vec<String>> {
        let log = self.log();
        let mut served: HashMap<String, Vec<String>> = HashMap::new();
        for line in log.lines() {
            // "… nodes/node2 0/0/0/5/6 200 812 ---- 3/0 {4-17} GET /api/…"
            let Some((_, rest)) = line.split_once(" nodes/") else { continue };
            let (Some(node), Some((_, id))) = (rest.split(' ').next(), rest.split_once('{')) else { continue };
            served.entry(id.split('}').next().unwrap().to_owned()).or_default().push(node.to_owned());
        }
        served
    }
}
