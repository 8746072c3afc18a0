//! Three processes on one PostgreSQL behind the balancer, under load: each does its part, and the shopper feels neither that one is
//! stopped nor that one dies.

use super::*;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use emporium::config::{Config, DEFAULT, DatabaseUrl};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::process::Process;
use crate::seed;
use crate::testapp::{PASSWORD, postgres};

const CLIENTS: usize = 12;

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
            command.env(key("POOL_WAIT_MS"), "10000");
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

    /// Sends the clients in; they go on until they are called back, and wait so long after each request.
    fn load(&self, pause: Duration) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|number| {
            let (http, url, token) = (self.balancer.client(), self.balancer.url("/api/v1"), self.token.clone());
            tokio::spawn(Visitor { number, http, url, token, pause }.stay(stop.clone()))
        });
        Load { clients: clients.collect(), stop }
    }
}

/// A client on a connection of its own, that reads and buys in turn.
struct Visitor {
    number: usize,
    http: Client,
    url: String,
    token: String,
    pause: Duration,
}

/// A request that was not answered as it should be.
#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
struct Failed {
    from: Instant,
    to: Instant,
    what: String,
}

/// What became of a visitor's requests.
#[derive(Default)]
struct Visits {
    answered: usize,
    /// Keys of the reservations that were acknowledged.
    bought: Vec<String>,
    failed: Vec<Failed>,
}

impl Visitor {
    fn reservation(&self, key: &str) -> RequestBuilder {
        let body = json!({ "holder": key, "lines": [{ "sku": "MUG", "quantity": 1 }] });
        let request = self.http.post(format!("{}/reservations", self.url)).bearer_auth(&self.token);
        request.header("idempotency-key", key).json(&body)
    }

    async fn stay(self, stop: Arc<AtomicBool>) -> Visits {
        let mut visits = Visits::default();
        for n in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = format!("{}-{n}", self.number);
            let (request, expected) = match n % 3 {
                2 => (self.reservation(&key), 201),
                _ => (self.http.get(format!("{}/products/mug", self.url)), 200),
            };
            let from = Instant::now();
            let told = match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    answer.bytes().await.map(|_| status)
                }
                Err(error) => Err(error),
            };
            match told {
                Ok(status) if status == expected => {
                    visits.answered += 1;
                    if expected == 201 {
                        visits.bought.push(key);
                    }
                }
                told => visits.failed.push(Failed { from, to: Instant::now(), what: format!("{told:?}") }),
            }
            tokio::time::sleep(self.pause).await;
        }
        visits
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
    /// Nothing was bought twice, and all that was acknowledged is there.
    fn assert_bought(&self, visits: &Visits) {
        let mut config = Config::parse(DEFAULT, Default::default()).unwrap();
        config.inventory.database.url = DatabaseUrl::Postgres(self.place.database.clone());
        let mut conn = seed::connect_to(&config);
        let rows = seed::number(&mut conn, "SELECT count(*) FROM reservations");
        let holders = seed::number(&mut conn, "SELECT count(DISTINCT holder) FROM reservations");
        let reserved = seed::number(&mut conn, "SELECT sum(reserved) FROM stock");
        assert_eq!((rows, holders), (reserved, reserved), "something was bought twice");
        let acknowledged = visits.bought.len() as i64;
        let unknown = visits.failed.len() as i64;
        assert!((acknowledged..=acknowledged + unknown).contains(&rows), "{rows} rows, {acknowledged} acknowledged");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_does_its_third() {
    let cluster = Cluster::start().await;
    let before = cluster.requests().await;
    // Not more than they can do: then the quicker one would rightly do more, and who is quicker is not this test's.
    let load = cluster.load(Duration::from_millis(60));
    let start = Instant::now();
    loop {
        let done: Vec<f64> = cluster.requests().await.iter().zip(&before).map(|(now, before)| now - before).collect();
        let all: f64 = done.iter().sum();
        if all >= 3_000.0 {
            println!("{done:?}");
            let third = all / 3.0;
            assert!(done.iter().all(|own| (own - third).abs() <= third * 0.05), "{done:?}");
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "only {all} requests");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let visits = load.end().await;
    assert!(visits.failed.is_empty(), "{:?}", visits.failed);
    cluster.assert_bought(&visits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_are_made_new_in_turn_and_no_request_fails() {
    let mut cluster = Cluster::start().await;
    let load = cluster.load(Duration::ZERO);
    for node in 0..3 {
        cluster.nodes[node].signal("TERM");
        cluster.until(node, "NOLB").await;
        let last = &mut cluster.nodes[node];
        assert_eq!(tokio::task::block_in_place(|| last.wait()).code(), Some(0));
        tokio::task::block_in_place(|| cluster.start_again(node));
        cluster.until(node, "UP").await;
    }
    let visits = load.end().await;
    assert!(visits.answered > 100 && visits.failed.is_empty(), "{:?}", visits.failed);
    cluster.assert_bought(&visits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_fails_at_most_what_it_was_doing() {
    let mut cluster = Cluster::start().await;
    let load = cluster.load(Duration::ZERO);
    let mut deaths = Vec::new();
    for node in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = Instant::now();
        cluster.nodes[node].signal("KILL");
        deaths.push((before, Instant::now()));
        cluster.until(node, "DOWN").await;
        tokio::task::block_in_place(|| cluster.start_again(node));
        cluster.until(node, "UP").await;
    }
    let visits = load.end().await;
    assert!(visits.answered > 100);
    for failed in &visits.failed {
        let in_flight = deaths.iter().any(|(before, after)| failed.from <= *after && failed.to >= *before);
        assert!(in_flight, "{failed:?}");
    }
    assert!(visits.failed.len() <= deaths.len() * CLIENTS, "{:?}", visits.failed);
    cluster.assert_bought(&visits);
}
