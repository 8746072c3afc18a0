//! A primary and its standby: the shop finds the one that takes writes, goes on when the other one has its place, and loses nothing
//! that it has acknowledged where replication is synchronous.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use emporium::app::{self, Shop};
use emporium::clock::SystemClock;
use serde_json::json;
use tempfile::TempDir;

use crate::process::{emporium, text};
use crate::servers::{Server, Supplied, at, delivery};
use crate::testapp::{Backend, call, test_config};
use crate::wire::Wire;

/// The address of two servers.
fn both(one: &Server, other: &Server, role: &str) -> String {
    format!("postgres://{role}@{},{}/shop?target_session_attrs=read-write", one.name(), other.name())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_servers_the_one_that_takes_writes_is_found_by_every_command() {
    let primary = Server::start();
    let standby = Server::standby_of(&primary);
    primary.wait_for_standby();
    for statement in ["CREATE ROLE shop LOGIN", "CREATE ROLE owner LOGIN", "GRANT CREATE ON DATABASE shop TO owner"] {
        primary.execute(statement);
    }
    for (one, other) in [(&standby, &primary), (&primary, &standby)] {
        let url = both(one, other, "shop");
        let folder = TempDir::new().unwrap();
        let run = |arguments: &[&str]| {
            let mut command = emporium(folder.path());
            for module in ["INVENTORY", "USER"] {
                command.env(format!("EMPORIUM__{module}__DATABASE__URL"), &url);
                command.env(format!("EMPORIUM__{module}__DATABASE__OWNER"), "owner");
                command.env(format!("EMPORIUM__{module}__MIGRATE_ON_START"), "false");
            }
            let output = command.args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            text(&output.stdout)
        };
        assert!(run(&["check", "--print"]).contains(&url));
        run(&["migrate"]);
        run(&["migrate", "--status"]);
        run(&["stock", "verify"]);

        let code = format!("L{}", one.port);
        opened(&url, &code).await.stop().await;
        // What is acknowledged is there too.
        let found = "SELECT code AS text FROM inventory.locations";
        assert!(standby.texts(found).contains(&code) || primary.texts(found).contains(&code));
    }
}

/// A shop at this address, where a location has just been made.
async fn opened(url: &str, location: &str) -> Shop {
    let folder = TempDir::new().unwrap();
    let mut config = test_config(Backend::Sqlite, &folder);
    at(&mut config, url);
    let shop = app::start(config, Arc::new(SystemClock)).await.unwrap();
    let (name, code) = (location.to_owned(), location.to_owned());
    let new = emporium::inventory::NewLocation { name, code, address: Default::default(), priority: 0 };
    shop.modules.inventory.location_create(&call(), new).await.unwrap();
    shop
}

/// Sixteen who write, and all that was acknowledged to them.
struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<Acknowledged>>,
    /// When something that was begun after [`Load::mark`] was acknowledged.
    mark: Arc<std::sync::Mutex<(Option<Instant>, Option<Instant>)>>,
}

#[derive(Default)]
struct Acknowledged {
    /// Ids of reservations, and reasons of adjustments.
    reservations: Vec<String>,
    adjustments: Vec<String>,
    /// Calls that had to be sent again.
    again: usize,
}

const WRITERS: usize = 16;

impl Load {
    fn start(shop: &Arc<Supplied>, round: usize) -> Load {
        let (stop, mark) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut load = Load { stop, writers: vec![], mark };
        for writer in 0..WRITERS {
            let (shop, stop, mark) = (shop.clone(), load.stop.clone(), load.mark.clone());
            load.writers.push(tokio::spawn(async move {
                let mut all = Acknowledged::default();
                for n in 0.. {
                    if stop.load(SeqCst) {
                        break;
                    }
                    let key = format!("round-{round}-writer-{writer}-{n}");
                    let begun = Instant::now();
                    write(&shop, writer, &key, &mut all).await;
                    let mut mark = mark.lock().unwrap();
                    if mark.0.is_some_and(|at| begun > at) && mark.1.is_none() {
                        mark.1 = Some(Instant::now());
                    }
                }
                all
            }));
        }
        load
    }

    /// Lets everybody finish what he has begun; gives what was acknowledged.
    async fn end(self) -> Acknowledged {
        self.stop.store(true, SeqCst);
        let mut all = Acknowledged::default();
        for writer in self.writers {
            let one = writer.await.unwrap();
            all.reservations.extend(one.reservations);
            all.adjustments.extend(one.adjustments);
            all.again += one.again;
        }
        all
    }
}

/// One write, sent again with the same key until somebody says what became of it.
async fn write(shop: &Supplied, writer: usize, key: &str, all: &mut Acknowledged) {
    let sku = writer % 4;
    let reservation = json!({ "lines": [{ "sku": format!("A{sku}"), "quantity": 1 }] });
    let (path, body) = match writer % 2 {
        0 => ("reservations", reservation),
        _ => ("stock/adjustments", delivery(sku, 1, key)),
    };
    let start = Instant::now();
    loop {
        let (status, says_when, answer) = shop.send(path, key, &body).await;
        match (status, says_when) {
            (201, _) => return all.reservations.push(answer["id"].as_str().unwrap().to_owned()),
            (200, _) => return all.adjustments.push(key.to_owned()),
            (503, true) => all.again += 1,
            _ => panic!("{status}, Retry-After {says_when}: {answer}"),
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{key} comes to no end: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All that was acknowledged is there, and once; and nothing else is.
fn assert_all_there(server: &Server, all: &Acknowledged) {
    let there = server.texts("SELECT id::text AS text FROM inventory.reservations");
    let ids: BTreeSet<&String> = there.iter().collect();
    let lost: Vec<&String> = all.reservations.iter().filter(|id| !ids.contains(id)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(there.len(), all.reservations.len(), "a reservation that nobody was told of");
    let mut there = server.texts("SELECT reason AS text FROM inventory.stock_ledger WHERE reason LIKE 'round-%'");
    let mut told = all.adjustments.clone();
    there.sort();
    told.sort();
    assert_eq!(there, told, "adjustments that are there, and that were acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_promotions_under_load_lose_nothing_and_double_nothing() {
    let mut primary = Server::start();
    let mut standby = Server::standby_of(&primary);
    primary.wait_for_standby();
    let shop = Arc::new(Supplied::start(&both(&primary, &standby, "emporium"), |_| {}).await);
    let (mut all, mut downtimes) = (Acknowledged::default(), vec![]);
    for round in 0..10 {
        let load = Load::start(&shop, round);
        tokio::time::sleep(Duration::from_millis(rand::random_range(400..800))).await;
        primary.kill();
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..300))).await;
        standby.promote();
        let promoted = Instant::now();
        load.mark.lock().unwrap().0 = Some(promoted);
        let again = loop {
            match load.mark.lock().unwrap().1 {
                Some(again) => break again - promoted,
                None => assert!(promoted.elapsed() < Duration::from_secs(20), "nobody writes again"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        downtimes.push(again);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let mark = load.mark.clone();
        let one = load.end().await;
        assert!(mark.lock().unwrap().1.is_some());
        println!(
            "round {round}: {} reservations, {} adjustments, {} sent again, written again {again:?} after the promotion",
            one.reservations.len(),
            one.adjustments.len(),
            one.again
        );
        all.reservations.extend(one.reservations);
        all.adjustments.extend(one.adjustments);
        assert_all_there(&standby, &all);
        let found = shop.app.shop.modules.inventory.stock_verify(&call(), false).await.unwrap();
        assert_eq!(found.differences, []);

        primary.follow(&standby);
        std::mem::swap(&mut primary, &mut standby);
        primary.wait_for_standby();
    }
    let longest = downtimes.into_iter().max().unwrap();
    assert!(longest <= Duration::from_secs(2), "written again only {longest:?} after a promotion");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_old_primary_that_comes_back_gets_no_write() {
    let mut old = Server::start();
    let new = Server::standby_of(&old);
    let url = both(&old, &new, "emporium");
    let shop = Supplied::start(&url, |_| {}).await;
    let reservation = json!({ "lines": [{ "sku": "A0", "quantity": 1 }] });
    shop.made("reservations", "before", reservation.clone()).await;
    while new.text("SELECT count(*)::text AS text FROM inventory.reservations") != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // All this happens before the shop looks again: the first server of its address takes writes as ever.
    old.kill();
    new.promote();
    old.up();
    let ours = "SELECT count(*)::text AS text FROM inventory.reservations";
    let took = shop.made_in_time("reservations", "after", reservation.clone()).await;
    println!("written again after {took:?}");
    assert_eq!((old.text(ours), new.text(ours)), ("1".into(), "2".into()));

    // One that starts anew knows as much.
    let other = opened(&url, "OTHER").await;
    let others = "SELECT count(*)::text AS text FROM inventory.locations WHERE code = 'OTHER'";
    assert_eq!((old.text(others), new.text(others)), ("0".into(), "1".into()));

    // Also alone it is not believed by who has seen the new one.
    let mut new = new;
    new.stop();
    for n in 0..10 {
        let (status, says_when, problem) = shop.send("reservations", &format!("alone-{n}"), &reservation).await;
        assert_eq!((status, says_when), (503, true), "{problem}");
    }
    let told = format!("{:?}", other.modules.inventory.location_list().await.unwrap_err());
    let name = old.name();
    for words in [&*format!("{name} takes writes on timeline 1, but timeline 2 has begun"), "pg_rewind"] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(old.text(ours), "1");

    // As a standby of the new one it is welcome.
    new.up();
    old.follow(&new);
    shop.made_in_time("reservations", "again", reservation).await;
    assert_eq!(new.text(ours), "3");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_primary_that_is_slow_to_answer_is_waited_for() {
    let old = Server::start();
    let new = Server::standby_of(&old);
    let url = both(&old, &new, "emporium");
    opened(&url, "BEFORE").await.stop().await;
    let here = "SELECT count(*)::text AS text FROM inventory.locations";
    let start = Instant::now();
    while new.text(here) != "1" {
        assert!(start.elapsed() < Duration::from_secs(30), "the standby does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    new.promote();
    // Everybody logs in there at the same moment; the old one has nothing to do.
    let wire = Wire::to(new.name().parse().unwrap());
    wire.slow_down(Duration::from_millis(1_500));
    let url = url.replace(&new.name(), &wire.address.to_string());
    opened(&url, "AFTER").await.stop().await;
    assert_eq!((old.text(here), new.text(here)), ("1".into(), "2".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_swallows_packets_keeps_nobody_from_the_other_one() {
    let server = Server::start();
    // Where nobody takes connections, and no more fit into the queue, the system drops who comes.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hole.local_addr().unwrap();
    let mut queue = vec![];
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
    }
    let url = format!("postgres://emporium@{address},{}/shop?target_session_attrs=read-write", server.name());
    let shop = opened(&url, "FIRST").await;
    // Once it is known who takes writes, the other one is not asked.
    let start = Instant::now();
    for n in 0..20 {
        let new = emporium::inventory::NewLocation {
            name: n.to_string(),
            code: format!("L{n}"),
            address: Default::default(),
            priority: 0,
        };
        shop.modules.inventory.location_create(&call(), new).await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(3), "each write waited for it");
    shop.stop().await;
}
