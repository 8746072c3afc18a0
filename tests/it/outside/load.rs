//! A short load of readers and buyers: all are answered; how many and how soon is printed.

use super::*;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

const CLIENTS: usize = 16;

impl Outside {
    /// Sends clients in for so long. One in ten requests is a buyer's, who gives back what was held.
    pub(super) async fn load(self, lasts: Duration) {
        let boss = self.login(&self.admin.0, &self.admin.1).await;
        let (sku, location) = (format!("CUP-{}", self.tag).to_uppercase(), format!("C-{}", self.tag).to_uppercase());
        let price = json!({ "code": sku, "price": { "amount": 900, "currency": "USD" } });
        let handle = format!("cup-{}", self.tag);
        let product = json!({ "title": "Cup", "handle": handle, "status": "active", "skus": [price] });
        self.post(&boss, "/products", &product).await.expect(201);
        self.post(&boss, "/locations", &json!({ "code": location, "name": "Cups" })).await.expect(201);
        let row = json!({ "sku": sku, "location": location, "delta": 100_000, "reason": "delivery" });
        self.post(&boss, "/stock/adjustments", &json!({ "rows": [row] })).await.expect(200);
        let end = Instant::now() + lasts;
        let shop = Arc::new(self);
        let client = |number| {
            let (shop, boss, sku, handle) = (shop.clone(), boss.clone(), sku.clone(), handle.clone());
            tokio::spawn(async move { shop.client(&boss, &sku, &handle, number, end).await })
        };
        let clients = join_all((0..CLIENTS).map(client)).await;
        let mut took: Vec<Duration> = clients.into_iter().flat_map(Result::unwrap).collect();
        took.sort();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1_000.0;
        let rate = took.len() as f64 / lasts.as_secs_f64();
        println!(
            "{} requests in {} s ({rate:.0}/s) from {CLIENTS} clients, 0 errors; ms: p50 {:.1}, p99 {:.1}, max {:.1}",
            took.len(),
            lasts.as_secs(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }

    /// One client; gives how long each answer took. Any answer but the right one ends the test.
    async fn client(&self, boss: &str, sku: &str, handle: &str, client: usize, end: Instant) -> Vec<Duration> {
        let mut took = Vec::new();
        for n in 0.. {
            let start = Instant::now();
            if start >= end {
                break;
            }
            if n % 10 == client % 10 {
                let wish = json!({ "holder": format!("load-{}", self.tag), "lines": [{ "sku": sku, "quantity": 1 }] });
                let held = self.post(boss, "/reservations", &wish).await.expect(201);
                let path = format!("/reservations/{}/release", held["id"].as_str().unwrap());
                took.push(start.elapsed());
                let start = Instant::now();
                self.post(boss, &path, &json!({})).await.expect(200);
                took.push(start.elapsed());
                continue;
            }
            let answer = match n % 3 {
                0 => self.http.get(self.url("/")).send().await.unwrap(),
                1 => self.http.get(self.url(&format!("/products/{handle}"))).send().await.unwrap(),
                _ => self.request("", Method::GET, "/products?limit=20").send().await.unwrap(),
            };
            assert_eq!(answer.status(), 200, "{}", answer.url());
            answer.bytes().await.unwrap();
            took.push(start.elapsed());
        }
        took
    }
}
