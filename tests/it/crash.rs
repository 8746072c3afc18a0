//! The promise of stage 0: what was acknowledged survives `kill -9`, and a call repeated with its key happens once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::Connection as _;
use diesel::prelude::*;
use diesel::sql_types::Text;
use emporium::db::Connection;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, emporium, run, text};
use crate::seed;
use crate::testapp::{PASSWORD, read};

const ROUNDS: u64 = 20;
const WORKERS: u64 = 8;

/// A call with its key.
struct Keyed {
    path: String,
    key: String,
    body: Value,
}

/// What was acknowledged of a reservation: its version, and the states in which it may be.
struct Known {
    version: i64,
    states: Vec<&'static str>,
}

/// What one worker knows: what was acknowledged, and the call whose answer never came.
#[derive(Default)]
struct Seen {
    reservations: BTreeMap<String, Known>,
    deliveries: Vec<String>,
    unanswered: Option<Keyed>,
}

/// What there is to buy, and the number of the next visit.
struct Market {
    skus: Vec<String>,
    location: String,
    visits: AtomicU64,
}

struct Shop {
    process: Process,
    http: Client,
    token: String,
    answered: AtomicU64,
}

impl Shop {
    fn start(folder: &TempDir, token: &str) -> Shop {
        let process = Process::start(&mut emporium(folder.path()));
        Shop { process, http: Client::new(), token: token.to_owned(), answered: AtomicU64::new(0) }
    }

    /// Sends a keyed call; `None` when the connection broke.
    async fn call(&self, call: &Keyed) -> Option<(u16, Value)> {
        let request = self.http.request(Method::POST, self.process.url(&call.path)).bearer_auth(&self.token);
        let answer = request.header("idempotency-key", &call.key).json(&call.body).send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.json().await.ok()?;
        Some((status, body))
    }

    /// The same for a worker, who remembers a call without an answer.
    async fn send(&self, seen: &mut Seen, path: String, key: String, body: Value) -> Option<(u16, Value)> {
        let call = Keyed { path, key, body };
        let answer = self.call(&call).await;
        match answer {
            Some(_) => _ = self.answered.fetch_add(1, Ordering::Relaxed),
            None => seen.unanswered = Some(call),
        }
        answer
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(self.process.url(path)).bearer_auth(&self.token);
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// Goes to the shop until the connection breaks.
async fn buy(shop: Arc<Shop>, market: Arc<Market>) -> Seen {
    let mut seen = Seen::default();
    while visit(&shop, &market, &mut seen).await.is_some() {}
    seen
}

/// A delivery, or a reservation and what becomes of it; `None` when the connection broke.
async fn visit(shop: &Shop, market: &Market, seen: &mut Seen) -> Option<()> {
    let n = market.visits.fetch_add(1, Ordering::Relaxed);
    let sku = &market.skus[n as usize % market.skus.len()];
    if n % 7 == 6 {
        let key = format!("delivery-{n}");
        let rows = json!([{ "sku": sku, "location": market.location, "delta": 5, "reason": key }]);
        let body = json!({ "atomic": true, "rows": rows });
        let (status, body) = shop.send(seen, "/api/v1/stock/adjustments".into(), key.clone(), body).await?;
        assert_eq!(status, 200, "{body}");
        seen.deliveries.push(key);
        return Some(());
    }
    // The last is left until its time has passed.
    let steps: &[(&str, &str)] = match n % 6 {
        0 => &[("release", "released")],
        1 => &[("commit", "committed")],
        2 => &[("commit", "committed"), ("ship", "shipped")],
        3 => &[("commit", "committed"), ("cancel", "cancelled")],
        4 => &[("extend", "held")],
        _ => &[],
    };
    let seconds = if steps.is_empty() { 1 + n % 2 } else { 3_600 };
    let key = format!("buyer-{n}");
    let body = json!({ "holder": key, "hold_seconds": seconds, "lines": [{ "sku": sku, "quantity": 1 }] });
    let (status, held) = shop.send(seen, "/api/v1/reservations".into(), key, body).await?;
    if status != 201 {
        assert_eq!(status, 409, "{held}");
        return Some(());
    }
    let id = held["id"].as_str().unwrap().to_owned();
    let states = if steps.is_empty() { vec!["held", "expired"] } else { vec!["held"] };
    seen.reservations.insert(id.clone(), Known { version: 1, states });
    for (step, state) in steps {
        seen.reservations.get_mut(&id).unwrap().states.push(state);
        let body = if *step == "extend" { json!({ "hold_seconds": 7_200 }) } else { json!({}) };
        let path = format!("/api/v1/reservations/{id}/{step}");
        let (status, body) = shop.send(seen, path, format!("{step}-{n}"), body).await?;
        if (*step, status) == ("ship", 409) {
            // What was promised as backorder has not come yet.
            continue;
        }
        assert_eq!((status, body["state"].as_str()), (200, Some(*state)), "{step}: {body}");
        let version = body["version"].as_i64().unwrap();
        seen.reservations.insert(id.clone(), Known { version, states: vec![state] });
    }
    Some(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let (token, market) = open(&folder).await;
    let market = Arc::new(market);
    let (mut acknowledged, mut repeated) = (0, BTreeMap::new());
    for round in 0..ROUNDS {
        let shop = Arc::new(Shop::start(&folder, &token));
        let buyers: Vec<_> = (0..WORKERS).map(|_| tokio::spawn(buy(shop.clone(), market.clone()))).collect();
        // Not always at the same point of the load, however quick the machine is.
        let start = Instant::now();
        while shop.answered.load(Ordering::Relaxed) <= 40 + round {
            assert!(start.elapsed() < Duration::from_secs(120), "the shop does not answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        shop.process.signal("KILL");
        let mut seen = Vec::new();
        for buyer in buyers {
            seen.push(buyer.await.unwrap());
        }
        drop(shop);
        acknowledged += check(&folder, &token, seen, &mut repeated).await;
    }
    println!("{acknowledged} acknowledged effects; calls repeated: {repeated:?}");
    assert!(repeated.len() > 1, "no step was cut: the kills came too late");
    let ended = seed::number(&mut database(&folder), "SELECT COUNT(*) FROM reservations WHERE state = 'expired'");
    assert!(ended > 0, "no hold ended by itself");
}

/// A shop with goods; gives a token of its staff.
async fn open(folder: &TempDir) -> (String, Market) {
    let sample = run(folder.path(), &["sample", "--skus", "60", "--seed", "3"]).stdout;
    std::fs::write(folder.path().join("goods.jsonl"), &sample).unwrap();
    std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
    assert!(run(folder.path(), &["import", "goods.jsonl"]).status.success());
    let made = run(folder.path(), &["user", "create-admin", "boss@example.com", "--password-file", "password"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let mut shop = Shop::start(folder, "");
    let body = json!({ "email": "boss@example.com", "password": PASSWORD });
    let login = shop.http.post(shop.process.url("/api/v1/auth/login")).json(&body);
    let (status, body) = read(login.send().await.unwrap()).await;
    assert_eq!(status, 200, "{body}");
    shop.token = body["token"].as_str().unwrap().to_owned();
    let stock = shop.get("/api/v1/stock?limit=1").await;
    let location = stock["items"][0]["location"].as_str().unwrap().to_owned();
    (shop.token.clone(), Market { skus: codes(&text(&sample)), location, visits: AtomicU64::new(0) })
}

/// After a crash: everything acknowledged is there, repeated calls happen once, the file is whole and the counters are right.
/// Gives the number of acknowledged effects, and counts in `repeated` the calls that were repeated.
async fn check(folder: &TempDir, token: &str, seen: Vec<Seen>, repeated: &mut BTreeMap<String, usize>) -> usize {
    let shop = Shop::start(folder, token);
    let (mut reservations, mut deliveries) = (0, Vec::new());
    for worker in seen {
        for (id, known) in &worker.reservations {
            let now = shop.get(&format!("/api/v1/reservations/{id}")).await;
            let state = now["state"].as_str().unwrap();
            assert!(known.states.contains(&state), "{id} was acknowledged as {:?} and is {now}", known.states);
            assert!(now["version"].as_i64().unwrap() >= known.version, "{id} has lost a step: {now}");
            reservations += 1;
        }
        deliveries.extend(worker.deliveries);
        if let Some(call) = worker.unanswered {
            if repeat(&shop, &call).await == 200 && call.key.starts_with("delivery") {
                deliveries.push(call.key.clone());
            }
            let kind = call.key.split('-').next().unwrap_or_default().to_owned();
            *repeated.entry(kind).or_default() += 1;
        }
    }
    shop.process.signal("KILL");
    drop(shop);
    let verified = run(folder.path(), &["stock", "verify"]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    assert_whole(folder, &deliveries);
    reservations + deliveries.len()
}

/// Sends a call twice, whatever became of it before the crash: it is answered alike, and has its effect once. Gives the status.
async fn repeat(shop: &Shop, call: &Keyed) -> u16 {
    let (status, first) = shop.call(call).await.unwrap();
    let (again, second) = shop.call(call).await.unwrap();
    assert_eq!(status, again, "{first} {second}");
    if status >= 300 {
        assert_eq!(status, 409, "{first}");
    } else {
        assert_eq!(first, second);
    }
    if call.path == "/api/v1/reservations" {
        let held = shop.get(&format!("/api/v1/reservations?holder={}", call.key)).await;
        assert_eq!(held["items"].as_array().unwrap().len(), usize::from(status == 201), "{}: {held}", call.key);
    } else if status == 200 && call.path.starts_with("/api/v1/reservations/") {
        let now = shop.get(&format!("/api/v1/reservations/{}", first["id"].as_str().unwrap())).await;
        assert_eq!((&now["state"], &now["version"]), (&first["state"], &first["version"]), "{}", call.key);
    }
    status
}

fn database(folder: &TempDir) -> Connection {
    let path = folder.path().join("emporium.db");
    Connection::Sqlite(SqliteConnection::establish(path.to_str().unwrap()).unwrap())
}

/// The surviving file itself: it is whole, has the deliveries, and no effect twice.
fn assert_whole(folder: &TempDir, deliveries: &[String]) {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        integrity_check: String,
    }
    let mut conn = database(folder);
    let found: Vec<Found> = diesel::sql_query("PRAGMA integrity_check").load(&mut conn).unwrap();
    assert_eq!(found.iter().map(|found| found.integrity_check.as_str()).collect::<Vec<_>>(), ["ok"]);
    let twice = "SELECT COUNT(*) FROM (SELECT 1 FROM stock_ledger WHERE reservation_id IS NOT NULL
                 GROUP BY product_id, sku_id, location_id, reservation_id, kind HAVING COUNT(*) > 1)";
    assert_eq!(seed::number(&mut conn, twice), 0, "a step was done twice");
    let twice = "SELECT COUNT(*) FROM (SELECT 1 FROM stock_ledger WHERE kind = 'adjusted'
                 GROUP BY reason HAVING COUNT(*) > 1)";
    assert_eq!(seed::number(&mut conn, twice), 0, "a delivery was done twice");
    let reasons = deliveries.iter().map(|reason| format!("'{reason}'")).collect::<Vec<_>>().join(", ");
    let there = format!("SELECT COUNT(*) FROM stock_ledger WHERE reason IN ({reasons})");
    assert_eq!(seed::number(&mut conn, &there), deliveries.len() as i64, "a delivery is lost");
}

/// The SKU codes of a sample.
fn codes(sample: &str) -> Vec<String> {
    let lines = sample.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let products = lines.filter(|line| line["type"] == "product");
    products
        .flat_map(|product| product["skus"].as_array().unwrap().clone())
        .map(|sku| sku["code"].as_str().unwrap().to_owned())
        .collect()
}
