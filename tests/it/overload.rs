//! More requests than the shop can serve: sales go through, who only looks is told at once, and it is over when the load is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use emporium::call::Role;
use emporium::config::DatabaseConfig;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::balancer::Balancer;
use crate::http::until_the_end;
use crate::seed;
use crate::testapp::{Backend, TestApp, on_both, read};

/// A shop with one connection, and a thing that never runs out; and a staff member's token.
async fn narrow(backend: Backend) -> (TestApp, String) {
    shop_of_one(backend, |database| {
        database.pool_size = 1;
        database.overload_wait_ms = 20;
        // A sale may wait, as long as the machine is slow.
        database.pool_wait_ms = 60_000;
    })
    .await
}

/// A shop of one thing that never runs out; and a staff member's token.
async fn shop_of_one(backend: Backend, change: impl FnOnce(&mut DatabaseConfig)) -> (TestApp, String) {
    let app = TestApp::start_alone(backend, |config| {
        seed::quiet(config);
        change(&mut config.inventory.database);
    })
    .await;
    let staff = app.token("staff@example.com", Role::Staff).await;
    let sku = json!({ "code": "A", "price": { "amount": 100, "currency": "USD" } });
    let rows = json!([{ "sku": "A", "location": "MAIN", "delta": 1_000_000, "reason": "first" }]);
    for (path, body) in [
        ("products", json!({ "title": "A", "handle": "a", "status": "active", "skus": [sku] })),
        ("locations", json!({ "code": "MAIN", "name": "Main" })),
        ("stock/adjustments", json!({ "rows": rows })),
    ] {
        let request = app.request_as(&staff, Method::POST, &format!("/api/v1/{path}")).header("idempotency-key", path);
        let (status, body) = read(request.json(&body).send().await.unwrap()).await;
        assert!(status < 300, "{path}: {body}");
    }
    (app, staff)
}

on_both! {
async fn sales_go_through_while_those_who_look_are_told_to_come_back(backend: Backend) {
    let (app, staff) = narrow(backend).await;
    let app = Arc::new(app);
    let ends = Arc::new(AtomicBool::new(false));
    let (served, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let lookers: Vec<_> = (0..64)
        .map(|n| {
            let (app, ends, served, refused) = (app.clone(), ends.clone(), served.clone(), refused.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    let path = if n % 2 == 0 { "/products/a" } else { "/api/v1/products/a" };
                    let answer = app.request(Method::GET, path).header("accept", "text/html").send().await.unwrap();
                    match answer.status() {
                        StatusCode::OK => served.fetch_add(1, Ordering::SeqCst),
                        StatusCode::SERVICE_UNAVAILABLE => {
                            let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
                            let (wait, id) = (header("retry-after"), header("x-request-id"));
                            assert!((1..=3).contains(&wait.parse::<u32>().unwrap()), "{wait}");
                            let text = answer.text().await.unwrap();
                            assert!(text.contains(&id), "the id is not told: {text}");
                            assert!(text.contains("\"busy\"") || text.contains("The shop is very busy"), "{text}");
                            refused.fetch_add(1, Ordering::SeqCst)
                        }
                        status => panic!("{status}"),
                    };
                }
            })
        })
        .collect();
    let start = Instant::now();
    let mut sales = 0;
    // Until there was overload, and some sales in it.
    while sales < 30 || refused.load(Ordering::SeqCst) < 100 {
        assert!(start.elapsed() < Duration::from_secs(120), "nobody was turned away");
        let body = json!({ "lines": [{ "sku": "A", "quantity": 1 }] });
        let sale = app.request_as(&staff, Method::POST, "/api/v1/reservations");
        let (status, body) =
            read(sale.header("idempotency-key", format!("sale-{sales}")).json(&body).send().await.unwrap()).await;
        assert_eq!(status, 201, "a sale was turned away: {body}");
        sales += 1;
    }
    assert!(served.load(Ordering::SeqCst) > 0, "those who look were not served at all");
    // Who is turned away with half of a body on the way gives his place up.
    let mut told = 0;
    while told < 3 {
        assert!(start.elapsed() < Duration::from_secs(120), "no body was turned away");
        let unfinished = "Host: shop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
        let answer = until_the_end(&app, &format!("GET /products/a HTTP/1.1\r\n{unfinished}")).await;
        told += usize::from(answer.contains("\"busy\""));
    }
    ends.store(true, Ordering::SeqCst);
    for looker in lookers {
        looker.await.unwrap();
    }

    // The load is gone, and with it the overload.
    for _ in 0..20 {
        assert_eq!(app.request(Method::GET, "/products/a").send().await.unwrap().status(), 200);
    }
    let metrics = app.metrics().await;
    for counter in ["emporium_db_pool_refused_total", "emporium_requests_refused_total"] {
        let is_counted = |line: &str| line.starts_with(counter) && line.contains("priority=\"browse\"");
        assert!(metrics.lines().any(is_counted), "{counter}: what is shed is counted");
    }
    Arc::into_inner(app).unwrap().shop.stop().await;
}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_does_not_wait_for_searches_that_do_not_end() {
    let (app, staff) = shop_of_one(Backend::Postgres, |database| {
        (database.pool_size, database.pool_wait_ms, database.lock_timeout_ms) = (4, 3_000, 9_000);
    })
    .await;
    let mut holder = app.diesel();
    holder.batch("BEGIN; LOCK TABLE inventory.product_words IN ACCESS EXCLUSIVE MODE");
    // More than there are connections.
    let search = |_| tokio::spawn(app.request(Method::GET, "/api/v1/products?q=a").send());
    let searches: Vec<_> = (0..8).map(search).collect();
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut looking = seed::connect(&app);
    let start = Instant::now();
    while seed::number(&mut looking, waiting) < 3 {
        assert!(start.elapsed() < Duration::from_secs(60), "the searches never came to the lock");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for n in 0..3 {
        let body = json!({ "lines": [{ "sku": "A", "quantity": 1 }] });
        let sale =
            app.request_as(&staff, Method::POST, "/api/v1/reservations").header("idempotency-key", n.to_string());
        let (status, body) = read(sale.json(&body).send().await.unwrap()).await;
        assert_eq!(status, 201, "{body}");
    }
    holder.batch("ROLLBACK");
    for search in searches {
        let status = search.await.unwrap().unwrap().status();
        assert!(status == 200 || status == 503, "{status}");
    }
    app.shop.stop().await;
}

/// Many who look around, through a balancer; and who told them that there is no room.
struct Crowd {
    ends: Arc<AtomicBool>,
    by_node: Arc<AtomicUsize>,
    by_balancer: Arc<AtomicUsize>,
    lookers: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn gather(balancer: &Balancer) -> Crowd {
        let (ends, by_node, by_balancer) = <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let look = |_| {
            let (http, url) = (balancer.client(), balancer.url("/products/a"));
            let (ends, by_node, by_balancer) = (ends.clone(), by_node.clone(), by_balancer.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    let answer = http.get(&url).header("accept", "text/html").send().await.unwrap();
                    if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
                        let is_page = answer.headers()["content-type"] == "text/html; charset=utf-8";
                        assert!(is_page && answer.headers().contains_key("retry-after"), "{:?}", answer.headers());
                        let is_of_node = answer.headers().contains_key("emporium-refused");
                        by_node.fetch_add(usize::from(is_of_node), Ordering::SeqCst);
                        // The balancer has a page of its own.
                        let is_of_balancer = answer.text().await.unwrap().contains("The shop cannot answer right now");
                        by_balancer.fetch_add(usize::from(is_of_balancer), Ordering::SeqCst);
                    }
                }
            })
        };
        let lookers = (0..64).map(look).collect();
        Crowd { ends, by_node, by_balancer, lookers }
    }

    fn told(&self) -> (usize, usize) {
        (self.by_node.load(Ordering::SeqCst), self.by_balancer.load(Ordering::SeqCst))
    }

    async fn leave(self) {
        self.ends.store(true, Ordering::SeqCst);
        for looker in self.lookers {
            looker.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_balancer_turns_away_those_for_whom_its_nodes_have_no_room() {
    let (app, staff) = narrow(Backend::Postgres).await;
    let balancer = Balancer::start(&[app.address; 3], &[]).await;
    let crowd = Crowd::gather(&balancer);
    let (start, http) = (Instant::now(), balancer.client());
    let mut sales = 0;
    while sales < 30 || crowd.told().0 < 20 || crowd.told().1 < 20 {
        assert!(start.elapsed() < Duration::from_secs(120), "by the nodes, by the balancer: {:?}", crowd.told());
        let body = json!({ "holder": format!("buyer-{sales}"), "lines": [{ "sku": "A", "quantity": 1 }] });
        let sale = http.post(balancer.url("/api/v1/reservations")).header("idempotency-key", format!("sale-{sales}"));
        let (status, body) = read(sale.bearer_auth(&staff).json(&body).send().await.unwrap()).await;
        assert_eq!(status, 201, "a sale was turned away: {body}");
        // Whether there is room for who has an account, the nodes know.
        let account = http.get(balancer.url("/api/v1/me")).bearer_auth(&staff).send().await.unwrap();
        assert!(account.status() == 200 || account.headers().contains_key("emporium-refused"), "{account:?}");
        sales += 1;
    }
    let (by_node, by_balancer) = crowd.told();
    let counted: usize = balancer.figure("BACKEND", "hrsp_5xx").await[0].parse().unwrap();
    assert!(counted >= by_node + by_balancer, "the balancer counts {counted} of {by_node} and {by_balancer}");
    assert!(!balancer.log().contains("<NOSRV>"), "a line for each costs what is saved");
    crowd.leave().await;
    // The load is gone, and with it the overload; the balancer's 10 ms pass.
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..20 {
        assert_eq!(http.get(balancer.url("/products/a")).send().await.unwrap().status(), 200);
    }
    app.shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_no_room_does_not_close_the_others() {
    let (narrow, _) = narrow(Backend::Postgres).await;
    // It has no such product, and says so.
    let wide = TestApp::start_alone(Backend::Postgres, |_| ()).await;
    let balancer = Balancer::start(&[narrow.address, wide.address, wide.address], &[]).await;
    let crowd = Crowd::gather(&balancer);
    let start = Instant::now();
    while crowd.told().0 < 100 {
        assert!(start.elapsed() < Duration::from_secs(120), "the narrow node turned {} away", crowd.told().0);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(crowd.told().1, 0, "turned away by the balancer, though two nodes had room");
    crowd.leave().await;
    narrow.shop.stop().await;
    wide.shop.stop().await;
}
