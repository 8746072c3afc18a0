//! The promise of stage 0: what was acknowledged survives `kill -9`, and a call repeated with its key happens once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, emporium, run, text};
use crate::testapp::{PASSWORD, read};

const ROUNDS: usize = 20;
const WORKERS: u64 = 8;

/// What one worker knows: the acknowledged state of each reservation, and the call whose answer never came.
#[derive(Default)]
struct Seen {
    acknowledged: BTreeMap<String, &'static str>,
    unanswered: Option<(String, Value)>,
}

struct Shop {
    process: Process,
    http: Client,
    token: String,
}

impl Shop {
    /// Sends a keyed call; `None` when the connection broke.
    async fn call(&self, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.request(Method::POST, self.process.url(path)).bearer_auth(&self.token);
        let answer = request.header("idempotency-key", key).json(body).send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.json().await.ok()?;
        Some((status, body))
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(self.process.url(path)).bearer_auth(&self.token);
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

/// Reserves, commits and releases until the connection breaks.
async fn buy(shop: Arc<Shop>, skus: Arc<Vec<String>>, names: Arc<AtomicU64>) -> Seen {
    let mut seen = Seen::default();
    loop {
        let n = names.fetch_add(1, Ordering::Relaxed);
        let (key, sku) = (format!("buyer-{n}"), &skus[n as usize % skus.len()]);
        let body = json!({ "holder": key, "hold_seconds": 14_400, "lines": [{ "sku": sku, "quantity": 1 }] });
        let Some((status, held)) = shop.call("/api/v1/reservations", &key, &body).await else {
            seen.unanswered = Some((key, body));
            return seen;
        };
        if status != 201 {
            assert_eq!(status, 409, "{held}");
            continue;
        }
        let id = held["id"].as_str().unwrap().to_owned();
        seen.acknowledged.insert(id.clone(), "held");
        let (step, state) = if n.is_multiple_of(3) { ("release", "released") } else { ("commit", "committed") };
        match shop.call(&format!("/api/v1/reservations/{id}/{step}"), &format!("{step}-{n}"), &json!({})).await {
            Some((200, _)) => seen.acknowledged.insert(id, state),
            Some((status, body)) => panic!("{step}: {status} {body}"),
            None => return seen,
        };
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_survives_kill_9() {
    let folder = TempDir::new().unwrap();
    let sample = run(folder.path(), &["sample", "--skus", "60", "--seed", "3"]).stdout;
    std::fs::write(folder.path().join("goods.jsonl"), &sample).unwrap();
    std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
    assert!(run(folder.path(), &["import", "goods.jsonl"]).status.success());
    let made = run(folder.path(), &["user", "create-admin", "boss@example.com", "--password-file", "password"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let skus = Arc::new(codes(&text(&sample)));
    let names = Arc::new(AtomicU64::new(0));
    let mut token = String::new();
    let (mut acknowledged, mut repeated) = (0, 0);
    for round in 0..ROUNDS {
        let process = Process::start(&mut emporium(folder.path()));
        let http = Client::new();
        if token.is_empty() {
            let body = json!({ "email": "boss@example.com", "password": PASSWORD });
            let (status, body) =
                read(http.post(process.url("/api/v1/auth/login")).json(&body).send().await.unwrap()).await;
            assert_eq!(status, 200, "{body}");
            token = body["token"].as_str().unwrap().to_owned();
        }
        let shop = Arc::new(Shop { process, http, token: token.clone() });
        let buyers: Vec<_> =
            (0..WORKERS).map(|_| tokio::spawn(buy(shop.clone(), skus.clone(), names.clone()))).collect();
        // Not always at the same point: 150 to 530 ms into the load.
        tokio::time::sleep(Duration::from_millis(150 + 20 * round as u64)).await;
        shop.process.signal("KILL");
        let mut seen = Vec::new();
        for buyer in buyers {
            seen.push(buyer.await.unwrap());
        }
        drop(shop);
        (acknowledged, repeated) = check(&folder, &token, seen, (acknowledged, repeated)).await;
    }
    println!("{acknowledged} acknowledged effects, {repeated} calls repeated");
    assert!(acknowledged > 200, "only {acknowledged} effects were acknowledged: too few to tell");
    assert!(repeated > 0, "no call was cut: the kills came too late");
}

/// After a crash: everything acknowledged is there, repeated calls happen once, the file is whole and the counters are right.
async fn check(
    folder: &TempDir,
    token: &str,
    seen: Vec<Seen>,
    (mut acknowledged, mut repeated): (usize, usize),
) -> (usize, usize) {
    let shop =
        Shop { process: Process::start(&mut emporium(folder.path())), http: Client::new(), token: token.to_owned() };
    for worker in seen {
        for (id, state) in worker.acknowledged {
            let now = shop.get(&format!("/api/v1/reservations/{id}")).await;
            // A step whose answer was lost may have been taken.
            let taken = state == "held" && (now["state"] == "committed" || now["state"] == "released");
            assert!(now["state"] == state || taken, "{id} was acknowledged as {state} and is {now}");
            acknowledged += 1;
        }
        if let Some((key, body)) = worker.unanswered {
            let (status, first) = shop.call("/api/v1/reservations", &key, &body).await.unwrap();
            let (again, second) = shop.call("/api/v1/reservations", &key, &body).await.unwrap();
            assert_eq!(status, again, "{first} {second}");
            let held = shop.get(&format!("/api/v1/reservations?holder={key}")).await;
            let expected = if status == 201 { 1 } else { 0 };
            assert_eq!(held["items"].as_array().unwrap().len(), expected, "{key}: {held}");
            repeated += 1;
        }
    }
    shop.process.signal("KILL");
    drop(shop);
    let verified = run(folder.path(), &["stock", "verify"]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));
    // The backup checks the integrity of what it copied.
    let copy = folder.path().join("copy.db");
    let backup = run(folder.path(), &["backup", "copy.db"]);
    assert!(backup.status.success(), "{}", text(&backup.stderr));
    std::fs::remove_file(copy).unwrap();
    (acknowledged, repeated)
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
