//! Stock: changes one by one and in batches.

use std::time::Duration;

use emporium::call::{Call, IdempotencyKey};
use emporium::clock::{Clock, Id};
use emporium::db::Connection;
use emporium::error::{ErrorCode, Problem};
use emporium::inventory::*;

use crate::seed;
use crate::testapp::{Backend, TestApp, call, on_both};

mod read;
mod routes;
mod summary;

/// A shop with the SKUs A and B and the locations EAST and WEST, where nobody sweeps.
struct Fixture {
    app: TestApp,
    conn: Connection,
    a: (Id, Id),
    east: Id,
}

impl Fixture {
    async fn start(backend: Backend) -> Fixture {
        let app = TestApp::start_with(backend, seed::quiet).await;
        let mut conn = seed::connect(&app);
        let a = seed::sku(&mut conn, "A", 0, None);
        seed::sku(&mut conn, "B", 0, None);
        let east = seed::location(&mut conn, "EAST");
        seed::location(&mut conn, "WEST");
        Fixture { app, conn, a, east }
    }

    fn inventory(&self) -> &dyn Inventory {
        &*self.app.shop.modules.inventory
    }

    async fn adjust(&self, sku: &str, location: &str, delta: i64) -> RowResult {
        let rows = vec![adjustment(sku, location, delta)];
        let answer = self.inventory().stock_adjust(&call(), StockBatch { atomic: false, rows }).await.unwrap();
        answer.value.rows.into_iter().next().unwrap()
    }

    async fn level(&self, sku: &str, location: &str) -> Option<StockLevel> {
        let query = StockQuery { sku: Some(sku.into()), location: Some(location.into()), ..Default::default() };
        self.inventory().stock_list(query).await.unwrap().items.pop()
    }

    async fn ledger(&self, sku: &str) -> Vec<LedgerEntry> {
        let query = LedgerQuery { limit: Some(200), ..Default::default() };
        self.inventory().ledger(sku, query).await.unwrap().unwrap().items
    }

    async fn assert_clean(&self) {
        let found = self.inventory().stock_verify(&call(), false).await.unwrap();
        assert_eq!(found.differences, vec![]);
    }
}

fn adjustment(sku: &str, location: &str, delta: i64) -> Adjustment {
    let (sku, location, reason) = (sku.into(), location.into(), "found some".into());
    Adjustment { sku, location, counter: Counter::OnHand, delta, reason }
}

fn count(sku: &str, location: &str, expected: i64, counted: i64) -> Count {
    let (sku, location, reason) = (sku.into(), location.into(), "yearly count".into());
    Count { sku, location, counter: Counter::OnHand, expected, counted, reason }
}

fn transfer(sku: &str, from: &str, to: &str, quantity: i64) -> Transfer {
    Transfer { sku: sku.into(), from: from.into(), to: to.into(), quantity, reason: "needed there".into() }
}

fn each<T>(rows: Vec<T>) -> StockBatch<T> {
    StockBatch { atomic: false, rows }
}

fn all<T>(rows: Vec<T>) -> StockBatch<T> {
    StockBatch { atomic: true, rows }
}

fn keyed(key: &str, hash: u8) -> Call {
    Call { key: Some(IdempotencyKey { key: key.into(), request_hash: vec![hash; 32] }), ..call() }
}

fn code(row: &RowResult) -> &str {
    row.error.as_ref().map_or("", |error| &error.code)
}

on_both! {

async fn an_adjustment_changes_its_counter_and_stands_in_the_ledger(backend: Backend) {
    let f = Fixture::start(backend).await;
    assert!(f.adjust("A", "EAST", 10).await.ok);
    let of = |counter, delta| Adjustment { counter, ..adjustment("A", "EAST", delta) };
    let rows = vec![of(Counter::Safety, 2), of(Counter::Incoming, 5)];
    let result = f.inventory().stock_adjust(&call(), each(rows)).await.unwrap().value;
    assert_eq!((result.done, result.failed), (2, 0));
    let level = f.level("A", "EAST").await.unwrap();
    let expected = StockLevel {
        sku: "A".into(), location: "EAST".into(), on_hand: 10, reserved: 0, allocated: 0, safety: 2, incoming: 5,
        backorder: 0, available: 8, version: 3,
    };
    assert_eq!(level, expected);
    assert_eq!(result.rows[1].levels, vec![expected]);
    let ledger = f.ledger("A").await;
    assert_eq!(ledger.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(ledger[0].delta, Counters { incoming: 5, ..Default::default() });
    assert_eq!(ledger[0].after, Counters { on_hand: 10, safety: 2, incoming: 5, ..Default::default() });
    assert_eq!((ledger[2].kind, ledger[2].delta.on_hand), (LedgerKind::Adjusted, 10));
    assert_eq!((ledger[2].reason.as_str(), ledger[2].actor.as_str()), ("found some", "test"));
    f.assert_clean().await;
}

async fn a_refused_adjustment_leaves_nothing(backend: Backend) {
    let f = Fixture::start(backend).await;
    f.adjust("B", "EAST", 3).await;
    let with_reason = |reason: &str| Adjustment { reason: reason.into(), ..adjustment("A", "EAST", 1) };
    let cases = [
        (adjustment("A", "EAST", -1), "validation"),
        (adjustment("B", "EAST", -4), "validation"),
        (adjustment("B", "EAST", QUANTITY_MAX - 2), "validation"),
        (adjustment("B", "EAST", QUANTITY_MAX + 1), "validation"),
        (adjustment("B", "EAST", i64::MAX), "validation"),
        (adjustment("B", "EAST", i64::MIN), "validation"),
        (adjustment("B", "EAST", 0), "validation"),
        (adjustment("NONE", "EAST", 1), "validation"),
        (adjustment("A", "NOWHERE", 1), "validation"),
        (adjustment("A\0", "EAST", 1), "validation"),
        (adjustment("", "EAST", 1), "validation"),
        (adjustment(&"A".repeat(1_000), "EAST", 1), "validation"),
        (with_reason(""), "validation"),
        (with_reason("  "), "validation"),
        (with_reason("a\0b"), "validation"),
        (with_reason(&"x".repeat(201)), "validation"),
    ];
    let (rows, codes): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let result = f.inventory().stock_adjust(&call(), each(rows.clone())).await.unwrap().value;
    assert_eq!(result.rows.iter().map(code).collect::<Vec<_>>(), codes);
    assert_eq!((result.done, result.failed), (0, codes.len()));
    for (row, expected) in rows.into_iter().zip(codes) {
        let problem = Problem::from(f.inventory().stock_adjust(&call(), all(vec![row])).await.unwrap_err());
        assert_eq!(problem.code.code(), expected);
    }
    // A place that was only asked for has no row.
    let items = f.inventory().stock_list(StockQuery::default()).await.unwrap().items;
    assert_eq!(items.len(), 1);
    assert_eq!(f.level("B", "EAST").await.unwrap().on_hand, 3);
    assert_eq!(f.ledger("A").await, vec![]);
    assert!(f.adjust("A", "EAST", QUANTITY_MAX).await.ok);
    f.assert_clean().await;
}

async fn a_batch_has_1_to_1000_rows_in_any_order(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let refused = |rows| async {
        Problem::from(f.inventory().stock_adjust(&call(), each(rows)).await.unwrap_err()).errors[0].pointer.clone()
    };
    assert_eq!(refused(vec![]).await, "/rows");
    assert_eq!(refused(vec![adjustment("A", "EAST", 1); 1_001]).await, "/rows");
    for n in 0..20 {
        seed::sku(&mut f.conn, &format!("S{n:02}"), 0, None);
    }
    // Each SKU 50 times, now here and now there, and in each SKU's course one row that fails.
    let row = |n: usize| {
        let location = if n.is_multiple_of(3) { "EAST" } else { "WEST" };
        let delta = if (500..520).contains(&n) { -1_000 } else { 2 };
        adjustment(&format!("S{:02}", n * 7 % 20), location, delta)
    };
    let rows: Vec<_> = (0..1_000).map(row).collect();
    let result = f.inventory().stock_adjust(&call(), each(rows)).await.unwrap().value;
    assert_eq!((result.done, result.failed), (980, 20));
    assert!(result.rows.iter().enumerate().all(|(n, row)| row.row == n && row.ok != (500..520).contains(&n)));
    assert!(result.rows.iter().filter(|row| !row.ok).all(|row| code(row) == "validation"));
    assert_eq!(seed::number(&mut f.conn, "SELECT SUM(on_hand) FROM stock"), 980 * 2);
    assert_eq!(seed::number(&mut f.conn, "SELECT COUNT(*) FROM stock_ledger"), 980);
    f.assert_clean().await;
}

async fn an_atomic_batch_is_done_wholly_or_not_at_all(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.adjust("A", "EAST", 5).await;
    let rows = vec![
        adjustment("A", "EAST", 1),
        adjustment("B", "EAST", 1),
        adjustment("A", "EAST", -7),
        adjustment("NONE", "EAST", 1),
    ];
    let error = f.inventory().stock_adjust(&keyed("k", 1), all(rows.clone())).await.unwrap_err();
    let problem = Problem::from(error);
    assert_eq!(problem.code, ErrorCode::Validation);
    assert_eq!(problem.errors[0].pointer, "/rows/2/delta");
    assert!(problem.detail.starts_with("Row 2: "), "{}", problem.detail);
    assert_eq!(problem.extra["row"], 2);
    assert_eq!(f.level("A", "EAST").await.unwrap().on_hand, 5);
    assert_eq!(f.level("B", "EAST").await, None);
    assert_eq!(seed::number(&mut f.conn, "SELECT COUNT(*) FROM stock_ledger"), 1);
    // A refused call is not remembered; in the order of the rows the same place may be changed again and again.
    let rows = vec![adjustment("A", "EAST", 2), adjustment("A", "EAST", -7), adjustment("A", "EAST", 1)];
    let result = f.inventory().stock_adjust(&keyed("k", 2), all(rows)).await.unwrap().value;
    let on_hand: Vec<i64> = result.rows.iter().map(|row| row.levels[0].on_hand).collect();
    assert_eq!(on_hand, [7, 0, 1]);
    f.assert_clean().await;
}

async fn a_count_sets_what_was_expected_and_nothing_else(backend: Backend) {
    let f = Fixture::start(backend).await;
    f.adjust("A", "EAST", 5).await;
    let rows = vec![
        count("A", "EAST", 4, 9),
        count("A", "EAST", 5, 9),
        count("A", "EAST", 9, 9),
        count("A", "WEST", 0, 2),
        Count { counter: Counter::Safety, ..count("A", "EAST", 0, 3) },
        count("B", "EAST", 1, 2),
        count("A", "EAST", -1, 2),
        count("A", "EAST", 9, QUANTITY_MAX + 1),
    ];
    let result = f.inventory().stock_count(&call(), each(rows)).await.unwrap().value;
    let codes: Vec<&str> = result.rows.iter().map(code).collect();
    assert_eq!(codes, ["count_mismatch", "", "", "", "", "count_mismatch", "validation", "validation"]);
    let level = f.level("A", "EAST").await.unwrap();
    assert_eq!((level.on_hand, level.safety, level.version), (9, 3, 4));
    assert_eq!(f.level("A", "WEST").await.unwrap().on_hand, 2);
    assert_eq!(f.level("B", "EAST").await, None);
    let error = f.inventory().stock_count(&call(), all(vec![count("A", "EAST", 4, 1)])).await.unwrap_err();
    let problem = Problem::from(error);
    assert_eq!((problem.code, &problem.extra["actual"]), (ErrorCode::CountMismatch, &9.into()));
    assert_eq!(f.ledger("A").await.iter().filter(|entry| entry.kind == LedgerKind::Counted).count(), 4);
    f.assert_clean().await;
}

async fn a_transfer_moves_what_is_there_and_not_promised(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.adjust("A", "EAST", 10).await;
    let later = f.app.clock.now().plus_seconds(600);
    seed::reservation(&mut f.conn, f.a, f.east, 4, "held", later);
    seed::reservation(&mut f.conn, f.a, f.east, 1, "committed", later);
    let rows = vec![
        transfer("A", "EAST", "WEST", 6),
        transfer("A", "EAST", "WEST", 3),
        transfer("A", "EAST", "WEST", 11),
        transfer("A", "EAST", "EAST", 1),
        transfer("A", "WEST", "EAST", 0),
        transfer("A", "WEST", "EAST", 1),
        transfer("B", "WEST", "EAST", 1),
    ];
    let result = f.inventory().stock_transfer(&call(), each(rows)).await.unwrap().value;
    let codes: Vec<&str> = result.rows.iter().map(code).collect();
    assert_eq!(codes, ["stock_promised", "", "validation", "validation", "validation", "", "validation"]);
    let places: Vec<_> = result.rows[1].levels.iter().map(|level| (level.location.as_str(), level.on_hand)).collect();
    assert_eq!(places, [("EAST", 7), ("WEST", 3)]);
    assert_eq!((f.level("A", "EAST").await.unwrap().on_hand, f.level("A", "WEST").await.unwrap().on_hand), (8, 2));
    let kinds: Vec<_> = f.ledger("A").await.iter().map(|entry| (entry.kind, entry.delta.on_hand)).collect();
    assert!(kinds.contains(&(LedgerKind::TransferredOut, -3)) && kinds.contains(&(LedgerKind::TransferredIn, 3)));
    assert_eq!(f.inventory().stock_list(StockQuery::default()).await.unwrap().items.len(), 2);
    f.assert_clean().await;
}

async fn a_receipt_takes_from_incoming_what_is_there(backend: Backend) {
    let f = Fixture::start(backend).await;
    let incoming = Adjustment { counter: Counter::Incoming, ..adjustment("A", "EAST", 5) };
    f.inventory().stock_adjust(&call(), all(vec![incoming])).await.unwrap();
    let receipt = |quantity| Receipt {
        sku: "A".into(), location: "EAST".into(), quantity, reason: "lorry".into(),
    };
    let result = f.inventory().stock_receive(&call(), each(vec![receipt(3), receipt(4), receipt(-1)])).await.unwrap();
    let levels: Vec<_> = result.value.rows[..2].iter().map(|row| (row.levels[0].on_hand, row.levels[0].incoming)).collect();
    assert_eq!(levels, [(3, 2), (7, 0)]);
    assert_eq!(code(&result.value.rows[2]), "validation");
    let ledger = f.ledger("A").await;
    assert_eq!((ledger[0].kind, ledger[0].delta.on_hand, ledger[0].delta.incoming), (LedgerKind::Received, 4, -2));
    f.assert_clean().await;
}

async fn promised_goods_stay_until_their_hold_expires(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.adjust("A", "EAST", 10).await;
    let later = f.app.clock.now().plus_seconds(600);
    seed::reservation(&mut f.conn, f.a, f.east, 7, "held", later);
    assert_eq!(code(&f.adjust("A", "EAST", -4).await), "stock_promised");
    let error = f.inventory().stock_count(&call(), all(vec![count("A", "EAST", 10, 6)])).await.unwrap_err();
    let problem = Problem::from(error);
    assert_eq!(problem.code, ErrorCode::StockPromised);
    assert!(problem.detail.contains('7'), "{}", problem.detail);
    assert!(f.adjust("A", "EAST", -3).await.ok);
    let level = f.level("A", "EAST").await.unwrap();
    assert_eq!((level.on_hand, level.reserved, level.available), (7, 7, 0));
    // Nobody has swept, yet the hold is over to the moment: it no longer counts anywhere.
    f.app.clock.advance(Duration::from_secs(600));
    let level = f.level("A", "EAST").await.unwrap();
    assert_eq!((level.on_hand, level.reserved, level.available), (7, 0, 7));
    let available = f.inventory().availability(vec!["A".into()]).await.unwrap();
    assert_eq!(available[0].status, AvailabilityStatus::InStock);
    let row = f.adjust("A", "EAST", -7).await;
    assert!(row.ok, "{row:?}");
    assert_eq!((row.levels[0].on_hand, row.levels[0].reserved, row.levels[0].available), (0, 0, 0));
    f.assert_clean().await;
}

async fn a_repeated_call_gets_the_first_answer(backend: Backend) {
    let f = Fixture::start(backend).await;
    let rows = || each(vec![adjustment("A", "EAST", 5), adjustment("A", "EAST", -99)]);
    let first = f.inventory().stock_adjust(&keyed("k", 1), rows()).await.unwrap();
    assert!(!first.replayed);
    f.adjust("A", "EAST", 1).await;
    let again = f.inventory().stock_adjust(&keyed("k", 1), rows()).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.value, first.value);
    assert_eq!(f.level("A", "EAST").await.unwrap().on_hand, 6);
    let error = f.inventory().stock_adjust(&keyed("k", 2), rows()).await.unwrap_err();
    assert_eq!(Problem::from(error).code, ErrorCode::IdempotencyKeyReused);
    let (one, other) = (keyed("twice", 1), keyed("twice", 1));
    let (one, other) = tokio::join!(f.inventory().stock_adjust(&one, rows()), f.inventory().stock_adjust(&other, rows()));
    assert_ne!(one.unwrap().replayed, other.unwrap().replayed);
    assert_eq!(f.level("A", "EAST").await.unwrap().on_hand, 11);
}

async fn many_at_once_neither_lose_a_unit_nor_block_each_other(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    for sku in ["A", "B"] {
        f.adjust(sku, "EAST", 500).await;
        f.adjust(sku, "WEST", 500).await;
    }
    let tasks = (0..12).map(|task| {
        let inventory = f.app.shop.modules.inventory.clone();
        tokio::spawn(async move {
            for n in 0..8 {
                // Opposite directions, and the SKUs in opposite orders, in one batch.
                let (from, to) = if task % 2 == 0 { ("EAST", "WEST") } else { ("WEST", "EAST") };
                let (first, second) = if (task + n) % 3 == 0 { ("A", "B") } else { ("B", "A") };
                let rows = vec![transfer(first, from, to, 1), transfer(second, to, from, 2)];
                inventory.stock_transfer(&call(), all(rows)).await.unwrap();
                let rows = vec![adjustment(second, to, 1), adjustment(first, from, -1)];
                inventory.stock_adjust(&call(), all(rows)).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(seed::number(&mut f.conn, "SELECT SUM(on_hand) FROM stock"), 2_000);
    // Two starting entries a SKU; 96 times four halves of transfers and two adjustments.
    assert_eq!(seed::number(&mut f.conn, "SELECT COUNT(*) FROM stock_ledger"), 4 + 96 * 6);
    f.assert_clean().await;
}

}
