//! The database's server is stopped, or dies, and starts again: while it is away nobody hangs, and when it is back so is the shop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use reqwest::Method;

use crate::servers::{Server, Supplied, delivery};
use crate::testapp::read;

/// No request may take longer.
const DEADLINE: Duration = Duration::from_secs(3);
/// So soon the shop serves again.
const PROMISE: Duration = Duration::from_secs(2);

/// An answer, and when it was asked for and given.
struct Answer {
    is_write: bool,
    asked: Instant,
    given: Instant,
    status: u16,
}

/// Asks without a pause until it is told to stop.
async fn ask(shop: Arc<Supplied>, n: usize, stop: Arc<AtomicBool>) -> Vec<Answer> {
    let mut answers = vec![];
    while !stop.load(SeqCst) {
        let (asked, is_write) = (Instant::now(), n.is_multiple_of(2));
        let (status, says_when, body) = if is_write {
            let key = format!("{n}-{}", uuid::Uuid::new_v4());
            shop.send("stock/adjustments", &key, &delivery(n % 4, 1, "more")).await
        } else {
            let answer = shop.app.request(Method::GET, "/api/v1/categories").send().await.unwrap();
            let says_when = answer.headers().contains_key("retry-after");
            let (status, body) = read(answer).await;
            (status, says_when, body)
        };
        assert!(status == 200 || (status, says_when) == (503, true), "{status}: {body}");
        answers.push(Answer { is_write, asked, given: Instant::now(), status });
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_server_is_down_all_get_503_and_when_it_is_up_again_they_are_served_within_2_s() {
    let mut server = Server::start();
    let request_timeout_ms = DEADLINE.as_millis() as u32;
    let url = server.url("emporium", "shop");
    let shop = Supplied::start(&url, |config| config.server.request_timeout_ms = request_timeout_ms).await;
    let shop = Arc::new(shop);
    for dies in [false, true, false, true] {
        let stop = Arc::new(AtomicBool::new(false));
        let asking: Vec<_> = (0..8).map(|n| tokio::spawn(ask(shop.clone(), n, stop.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        if dies {
            server.kill()
        } else {
            server.stop()
        }
        let down = Instant::now();
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let start = Instant::now();
        server.up();
        let up = Instant::now();
        tokio::time::sleep(PROMISE + Duration::from_millis(500)).await;
        stop.store(true, SeqCst);
        let mut answers = vec![];
        for asker in asking {
            answers.extend(asker.await.unwrap());
        }
        let longest = answers.iter().map(|answer| answer.given - answer.asked).max().unwrap();
        assert!(longest <= DEADLINE + Duration::from_millis(500), "a request took {longest:?}");
        let meanwhile = answers.iter().filter(|answer| answer.asked > down && answer.given < start);
        let told: Vec<u16> = meanwhile.map(|answer| answer.status).collect();
        assert!(told.len() >= 8 && told.iter().all(|status| *status == 503), "{told:?}");
        for is_write in [false, true] {
            let served = answers.iter().filter(|answer| answer.is_write == is_write && answer.status == 200);
            let first = served.filter(|answer| answer.given > up).map(|answer| answer.given).min();
            let after = first.expect("nobody was served") - up;
            println!("died: {dies}, write: {is_write}: longest {longest:?}, served again after {after:?}");
            assert!(after <= PROMISE, "served again only after {after:?}");
        }
    }
    let found = shop.app.shop.modules.inventory.stock_verify(&crate::testapp::call(), false).await.unwrap();
    assert_eq!(found.differences, []);
}
