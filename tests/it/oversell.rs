//! Many buyers at once: nobody is sold what is not there, and nobody is refused what is.

use std::sync::Arc;

use emporium::app;
use emporium::clock::{Clock, SystemClock};
use emporium::db::Connection;
use emporium::error::Problem;
use emporium::inventory::*;

use crate::reservation::{Warehouse, order};
use crate::seed;
use crate::testapp::{Backend, TestApp, call, on_both};

mod market;

/// Holds the counters against the ledger and the reservations, by this test's own reckoning.
pub(crate) fn assert_consistent(conn: &mut Connection) {
    const OF_ROW: &str = "x.product_id = s.product_id AND x.sku_id = s.sku_id AND x.location_id = s.location_id";
    let sum = |what: &str, table: &str, state: &str| {
        format!("(SELECT COALESCE(SUM({what}), 0) FROM {table} x WHERE {OF_ROW} {state})")
    };
    let mut checks = vec![
        ("reserved", format!("s.reserved <> {}", sum("quantity", "reservation_lines", "AND x.state = 'held'"))),
        (
            "allocated",
            format!("s.allocated <> {}", sum("quantity - shipped", "reservation_lines", "AND x.state = 'committed'")),
        ),
        ("promised", "s.reserved + s.allocated > s.on_hand + s.backorder".to_owned()),
        ("version", format!("s.version <> {}", sum("1", "stock_ledger", ""))),
        ("ledger's end", format!("s.version <> (SELECT COALESCE(MAX(seq), 0) FROM stock_ledger x WHERE {OF_ROW})")),
    ];
    for counter in ["on_hand", "reserved", "allocated", "safety", "incoming"] {
        checks.push((counter, format!("s.{counter} <> {}", sum(&format!("{counter}_delta"), "stock_ledger", ""))));
    }
    for (what, wrong) in checks {
        let count = seed::number(conn, &format!("SELECT COUNT(*) FROM stock s WHERE {wrong}"));
        assert_eq!(count, 0, "{what} is wrong in {count} rows");
    }
    let strays = "SELECT COUNT(*) FROM reservation_lines l LEFT JOIN reservations r ON r.id = l.reservation_id
                  WHERE r.id IS NULL OR r.state <> l.state OR r.holder <> l.holder OR r.expires_at <> l.expires_at";
    assert_eq!(seed::number(conn, strays), 0, "lines do not follow their reservations");
    // Each step of a reservation is in the ledger once for each of its lines.
    let twice =
        "SELECT COUNT(*) FROM (SELECT 1 AS x FROM stock_ledger WHERE reservation_id IS NOT NULL AND kind <> 'shipped'
                 GROUP BY product_id, sku_id, location_id, reservation_id, kind HAVING COUNT(*) > 1) twice";
    assert_eq!(seed::number(conn, twice), 0, "a step was done twice");
}

/// No two transactions ever waited for each other: the order of locks is kept. Stops the shop, so that PostgreSQL counts all.
pub(crate) async fn assert_no_deadlock(app: TestApp) {
    let config = app.config.inventory.database.url.clone();
    if let emporium::config::DatabaseUrl::Sqlite(_) = config {
        return;
    }
    let mut conn = seed::connect(&app);
    app.stop().await;
    let others = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..200 {
        if seed::number(&mut conn, others) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(seed::number(&mut conn, deadlocks), 0, "transactions waited for each other");
}

/// Another process on the same database. SQLite is for one process only.
pub(crate) fn second_node(app: &TestApp) -> Arc<dyn Inventory> {
    match app.config.inventory.database.url {
        emporium::config::DatabaseUrl::Sqlite(_) => app.shop.modules.inventory.clone(),
        emporium::config::DatabaseUrl::Postgres(_) => {
            let [db, _] = app::databases(&app.config).unwrap();
            local(db, Arc::new(app.clock.clone()), app.config.inventory.clone())
        }
    }
}

fn nodes(shop: &Warehouse) -> [Arc<dyn Inventory>; 2] {
    [shop.inventory.clone(), second_node(&shop.app)]
}

/// Runs the same wish for each of `buyers` holders at once; gives how many got it. Who did not was told that there is nothing.
async fn rush(nodes: &[Arc<dyn Inventory>; 2], buyers: usize, wish: NewReservation) -> usize {
    let buyers: Vec<_> = (0..buyers)
        .map(|buyer| {
            let (inventory, wish) = (nodes[buyer % 2].clone(), wish.clone());
            tokio::spawn(async move { inventory.reserve(&call(), format!("buyer-{buyer}"), wish).await })
        })
        .collect();
    let mut got = 0;
    for buyer in buyers {
        match buyer.await.unwrap() {
            Ok(_) => got += 1,
            Err(InventoryError::OutOfStock(lines)) => assert!(lines.iter().all(|line| line.available < line.requested)),
            Err(other) => panic!("{}", Problem::from(other).detail),
        }
    }
    got
}

on_both! {
    async fn the_last_unit_is_sold_once(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        // One more is there that is not for sale, so that only the guard stands between the buyers and it.
        shop.put("A", "EAST", 1).await;
        shop.adjust("A", "EAST", Counter::Safety, 1).await;
        let nodes = nodes(&shop);
        for round in 0..100 {
            shop.put("A", "EAST", 1).await;
            assert_eq!(rush(&nodes, 2, order(&[("A", if round % 2 == 0 { "EAST" } else { "" }, 1)])).await, 1);
        }
        drop(nodes);
        assert_eq!(shop.stored("A", "EAST"), (101, 100, 0));
        assert_consistent(&mut shop.conn);
        assert_no_deadlock(shop.into_app()).await;
    }

    async fn a_spread_sells_all_there_is(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::location(&mut shop.conn, "NORTH");
        for (location, units) in [("EAST", 17), ("NORTH", 1), ("WEST", 12)] {
            shop.put("A", location, units).await;
            shop.put("B", location, 30).await;
        }
        // B's rows stand on either side of A's in the order of locks.
        assert_eq!(rush(&nodes(&shop), 40, order(&[("B", "WEST", 1), ("A", "", 1), ("B", "", 1)])).await, 30);
        assert_consistent(&mut shop.conn);
        assert_no_deadlock(shop.into_app()).await;
    }

    async fn ended_holds_are_sold_again_by_a_crowd(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 40).await;
        shop.put("B", "EAST", 40).await;
        // 40 holds that lie across each other, all over at the same moment, and nobody swept.
        for buyer in 0..40 {
            let wish = order(&[("A", "EAST", 1), ("B", "EAST", 1)]);
            shop.inventory.reserve(&call(), format!("early-{buyer}"), wish).await.unwrap();
        }
        shop.clock.advance(std::time::Duration::from_secs(901));
        shop.app.clock.advance(std::time::Duration::from_secs(901));
        assert_eq!(rush(&nodes(&shop), 60, order(&[("B", "EAST", 1), ("A", "", 1)])).await, 40);
        assert_eq!(shop.stored("A", "EAST"), (40, 40, 0));
        assert_consistent(&mut shop.conn);
        assert_no_deadlock(shop.into_app()).await;
    }

    async fn backorders_do_not_go_beyond_the_limit(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::sku(&mut shop.conn, "LATER", 10, None);
        // No stock row is there: many make it at once.
        assert_eq!(rush(&nodes(&shop), 30, order(&[("LATER", "", 1)])).await, 20);
        assert_eq!(shop.stored("LATER", "EAST"), (0, 10, 0));
        assert_consistent(&mut shop.conn);
        assert_no_deadlock(shop.into_app()).await;
    }

    async fn two_hundred_buyers(backend: Backend) {
        #[expect(clippy::disallowed_methods, reason = "a failed run can be repeated with its seed")]
        let seed = std::env::var("TEST_SEED");
        let seed = seed.ok().and_then(|text| text.parse().ok());
        market::run(backend, seed.unwrap_or_else(|| SystemClock.now().micros() as u64)).await;
    }
}

/// A limit that is lowered while somebody makes the first stock row by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_stock_row_has_the_limit_of_now() {
    let app = TestApp::start_with(Backend::Postgres, seed::quiet).await;
    let mut conn = seed::connect(&app);
    seed::sku(&mut conn, "A", 10, None);
    seed::location(&mut conn, "EAST");
    seed::execute(&mut conn, "BEGIN; UPDATE skus SET backorder_limit = 0; UPDATE stock SET backorder = 0");
    let inventory = app.shop.modules.inventory.clone();
    let buyer = tokio::spawn(async move { inventory.reserve(&call(), "buyer".into(), order(&[("A", "", 10)])).await });
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut looking = seed::connect(&app);
    while seed::number(&mut looking, waiting) == 0 && !buyer.is_finished() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    seed::execute(&mut conn, "COMMIT");
    assert!(matches!(buyer.await.unwrap(), Err(InventoryError::OutOfStock(_))));
    assert_consistent(&mut conn);
    assert_no_deadlock(app).await;
}
