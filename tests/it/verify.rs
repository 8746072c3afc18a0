//! `stock verify`: finds each way in which counters, ledger and reservations can disagree, and repairs it.

use emporium::clock::{Clock, Id};
use emporium::config::Config;
use emporium::db::Connection;
use emporium::inventory::*;

use crate::seed;
use crate::testapp::{Backend, TestApp, call, on_both};

/// A shop in which A at EAST has 20 units, 5 of them held and 3 promised, and B has 10; 5 ledger entries and more.
struct Fixture {
    app: TestApp,
    conn: Connection,
    held: Id,
}

impl Fixture {
    async fn start(backend: Backend) -> Fixture {
        Fixture::start_with(backend, |_| {}).await
    }

    async fn start_with(backend: Backend, change: fn(&mut Config)) -> Fixture {
        let app = TestApp::start_with(backend, |config| {
            seed::quiet(config);
            change(config);
        })
        .await;
        let mut conn = seed::connect(&app);
        let a = seed::sku(&mut conn, "A", 0, None);
        seed::sku(&mut conn, "B", 0, None);
        let east = seed::location(&mut conn, "EAST");
        let row = |sku: &str, counter, delta| Adjustment {
            sku: sku.into(),
            location: "EAST".into(),
            counter,
            delta,
            reason: "start".into(),
        };
        let rows = vec![
            row("A", Counter::OnHand, 12),
            row("A", Counter::OnHand, 8),
            row("A", Counter::Safety, 1),
            row("A", Counter::Incoming, 4),
            row("B", Counter::OnHand, 10),
        ];
        app.shop.modules.inventory.stock_adjust(&call(), StockBatch { atomic: true, rows }).await.unwrap();
        let later = app.clock.now().plus_seconds(600);
        let held = seed::reservation(&mut conn, a, east, 5, "held", later);
        seed::reservation(&mut conn, a, east, 3, "committed", later);
        Fixture { app, conn, held }
    }

    async fn verify(&self, repair: bool) -> Verification {
        self.app.shop.modules.inventory.stock_verify(&call(), repair).await.unwrap()
    }

    /// Runs a statement that no rule of the database stops.
    fn break_it(&mut self, statement: &str) {
        match &mut self.conn {
            Connection::Sqlite(_) => seed::execute(
                &mut self.conn,
                &format!("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; {statement}"),
            ),
            Connection::Postgres(_) => {
                seed::execute(&mut self.conn, &format!("SET session_replication_role = replica; {statement}"))
            }
        }
    }

    /// Breaks A's stock, expects these findings (what, is, should be), repairs it, and expects these counters afterwards.
    async fn mends(&mut self, statement: &str, expected: &[(&str, i64, i64)], after: Counters) {
        assert_eq!(self.verify(false).await.differences, vec![]);
        self.break_it(statement);
        let found = self.verify(false).await;
        assert!(!found.repaired);
        let told: Vec<_> = found.differences.iter().map(|d| (d.what.as_str(), d.is, d.should_be)).collect();
        assert_eq!(told, expected, "{statement}");
        assert!(found.differences.iter().all(|d| d.sku == "A" && d.location == "EAST"));
        let repaired = self.verify(true).await;
        assert!(repaired.repaired, "{statement}");
        assert_eq!(repaired.differences, found.differences);
        assert_eq!(self.verify(false).await.differences, vec![], "{statement}");
        assert_eq!(self.counters().await, after, "{statement}");
    }

    async fn counters(&self) -> Counters {
        let query = StockQuery { sku: Some("A".into()), ..Default::default() };
        let level = self.app.shop.modules.inventory.stock_list(query).await.unwrap().items.remove(0);
        let StockLevel { on_hand, reserved, allocated, safety, incoming, .. } = level;
        Counters { on_hand, reserved, allocated, safety, incoming }
    }

    async fn newest(&self) -> LedgerEntry {
        let page = self.app.shop.modules.inventory.ledger("A", LedgerQuery::default()).await.unwrap().unwrap();
        page.items.into_iter().max_by_key(|entry| entry.seq).unwrap()
    }
}

const GOOD: Counters = Counters { on_hand: 20, reserved: 5, allocated: 3, safety: 1, incoming: 4 };
const A: &str = "sku_id = (SELECT id FROM skus WHERE code = 'A')";

on_both! {

async fn a_sound_shop_has_no_differences(backend: Backend) {
    let f = Fixture::start(backend).await;
    let found = f.verify(false).await;
    assert_eq!(found, Verification { checked: 2, differences: vec![], repaired: false });
    let before = f.newest().await;
    assert!(f.verify(true).await.repaired);
    assert_eq!(f.newest().await, before);
}

async fn counters_follow_the_ledger(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    for (counter, is, should_be) in [("on_hand", 23, 20), ("safety", 3, 1), ("incoming", 0, 4)] {
        f.mends(&format!("UPDATE stock SET {counter} = {is} WHERE {A}"), &[(counter, is, should_be)], GOOD).await;
        let entry = f.newest().await;
        assert_eq!((entry.kind, entry.delta, entry.after), (LedgerKind::Repaired, Counters::default(), GOOD));
        assert_eq!(entry.actor, "test");
        assert!(entry.reason.contains(&format!("{counter} {is}")), "{}", entry.reason);
    }
}

async fn promises_follow_the_reservations(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let by_both = |counter, is, should_be| [(counter, is, should_be), (counter, is, should_be)];
    f.mends(&format!("UPDATE stock SET reserved = 2 WHERE {A}"), &by_both("reserved", 2, 5), GOOD).await;
    f.mends(&format!("UPDATE stock SET allocated = 4 WHERE {A}"), &by_both("allocated", 4, 3), GOOD).await;
    // The line is what the shopper was given: counters and ledger follow it.
    let statement = format!("UPDATE reservation_lines SET quantity = 6 WHERE state = 'held' AND {A}");
    let after = Counters { reserved: 6, ..GOOD };
    f.mends(&statement, &[("reserved", 5, 6)], after).await;
    assert_eq!(f.newest().await.delta, Counters { reserved: 1, ..Counters::default() });
    let statement = format!("UPDATE reservation_lines SET shipped = 1 WHERE state = 'committed' AND {A}");
    f.mends(&statement, &[("allocated", 3, 2)], Counters { allocated: 2, ..after }).await;
}

async fn lines_follow_their_reservation(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let differ = ("reservation lines that differ", 1, 0);
    let statement = "UPDATE reservation_lines SET state = 'released' WHERE state = 'held'";
    f.mends(statement, &[("reserved", 5, 0), differ], GOOD).await;
    let statement = "UPDATE reservation_lines SET holder = 'nobody' WHERE state = 'held'";
    f.mends(statement, &[differ], GOOD).await;
    let statement = "UPDATE reservation_lines SET expires_at = (SELECT created_at FROM products LIMIT 1) WHERE state = 'held'";
    f.mends(statement, &[differ], GOOD).await;
    let held = f.held;
    let id = match backend {
        Backend::Sqlite => format!("X'{}'", held.0.simple()),
        Backend::Postgres => format!("'{held}'"),
    };
    let statement = format!("DELETE FROM reservations WHERE id = {id}");
    f.mends(&statement, &[("reservation lines without a reservation", 1, 0)], Counters { reserved: 0, ..GOOD }).await;
}

async fn the_version_follows_the_ledger(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.mends(&format!("UPDATE stock SET version = 4 WHERE {A}"), &[("version", 4, 6)], GOOD).await;
    f.mends(&format!("UPDATE stock SET version = 9 WHERE {A}"), &[("version", 9, 7)], GOOD).await;
    // The shop goes on with the next number.
    let row = Adjustment {
        sku: "A".into(), location: "EAST".into(), counter: Counter::OnHand, delta: 1, reason: "go on".into(),
    };
    f.app.shop.modules.inventory.stock_adjust(&call(), StockBatch { atomic: true, rows: vec![row] }).await.unwrap();
    assert_eq!(f.verify(false).await.differences, vec![]);
}

async fn wrong_balances_are_added_up_again(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let statement = format!("UPDATE stock_ledger SET on_hand_after = 99, incoming_after = 7 WHERE seq = 3 AND {A}");
    // The entry itself and the one that builds on it.
    f.mends(&statement, &[("wrong ledger balances", 2, 0)], GOOD).await;
    let statement = format!("UPDATE stock_ledger SET on_hand_delta = 5 WHERE seq = 2 AND {A}");
    f.mends(&statement, &[("on_hand", 20, 17), ("wrong ledger balances", 1, 0)], Counters { on_hand: 17, ..GOOD }).await;
}

async fn lost_ledger_entries_are_filled_in(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let statement = format!("DELETE FROM stock_ledger WHERE seq IN (2, 3) AND {A}");
    let expected = [
        ("on_hand", 20, 12), ("safety", 1, 0), ("ledger entries", 4, 6), ("wrong ledger balances", 1, 0),
    ];
    f.mends(&statement, &expected, GOOD).await;
    let statement = format!("DELETE FROM stock_ledger WHERE seq = 1 AND {A}");
    let expected = [("on_hand", 20, 8), ("ledger entries", 5, 6), ("wrong ledger balances", 1, 0)];
    f.mends(&statement, &expected, GOOD).await;
    // The newest entries are lost: only the counters still know what they did.
    let statement = format!("DELETE FROM stock_ledger WHERE seq >= 4 AND {A}");
    let expected = [("reserved", 5, 0), ("allocated", 3, 0), ("incoming", 4, 0), ("version", 6, 3)];
    f.mends(&statement, &expected, GOOD).await;
}

async fn a_lost_stock_row_is_made_again(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.mends(&format!("DELETE FROM stock WHERE {A}"), &[("stock rows", 0, 1)], GOOD).await;
    // Where even the SKU is gone there is nothing to make a row of: that is told, and stays.
    f.break_it(&format!("DELETE FROM reservation_lines WHERE {A}; DELETE FROM stock WHERE {A}; DELETE FROM skus WHERE code = 'A'"));
    let found = f.verify(true).await;
    assert_eq!((found.differences.len(), found.repaired), (1, false));
}

async fn promised_goods_are_on_hand_after_a_repair(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let statement = format!("UPDATE stock_ledger SET on_hand_delta = -9, on_hand_after = 3 WHERE seq = 2 AND {A}");
    let expected = [("on_hand", 20, 3), ("wrong ledger balances", 1, 0)];
    f.mends(&statement, &expected, Counters { on_hand: 8, ..GOOD }).await;
    assert_eq!(f.newest().await.delta.on_hand, 5);
}

async fn the_backorder_follows_the_sku(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.mends(&format!("UPDATE stock SET backorder = 7 WHERE {A}"), &[("backorder", 7, 0)], GOOD).await;
    assert!(f.newest().await.reason.contains("backorder 7"));
    f.mends("UPDATE skus SET backorder_limit = 4 WHERE code = 'A'", &[("backorder", 0, 4)], GOOD).await;
    // More is promised than the limit lets: the goods must be there, and somebody must count.
    let statement = format!("UPDATE stock_ledger SET on_hand_delta = -12, on_hand_after = 0 WHERE seq = 2 AND {A}; \
         UPDATE stock SET on_hand = 0, backorder = 8 WHERE {A}");
    f.break_it(&statement);
    assert!(f.verify(true).await.repaired);
    assert_eq!(f.counters().await.on_hand, 4);
}

async fn a_gap_too_large_to_be_a_lost_entry_is_left_and_told(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    f.break_it(&format!("UPDATE stock_ledger SET seq = 1000000000000 WHERE seq = 6 AND {A}"));
    let found = f.verify(true).await;
    assert!(!found.repaired);
    assert!(found.differences.iter().any(|d| d.what == "ledger entries"));
}

async fn more_products_than_one_step_takes_are_all_checked(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let codes: Vec<String> = (0..1_200).map(|n| format!("S{n:04}")).collect();
    seed::execute(&mut f.conn, "BEGIN");
    for code in &codes {
        seed::sku(&mut f.conn, code, 0, None);
    }
    seed::execute(&mut f.conn, "COMMIT");
    for codes in codes.chunks(600) {
        let row = |code: &String| Receipt {
            sku: code.clone(), location: "EAST".into(), quantity: 1, reason: "start".into(),
        };
        let rows = codes.iter().map(row).collect();
        f.app.shop.modules.inventory.stock_receive(&call(), StockBatch { atomic: true, rows }).await.unwrap();
    }
    f.break_it("UPDATE stock SET incoming = 5 WHERE sku_id IN (SELECT id FROM skus WHERE code IN ('S0007', 'S1191'))");
    let found = f.verify(true).await;
    assert_eq!((found.checked, found.differences.len(), found.repaired), (1_202, 2, true));
    assert_eq!(f.verify(false).await, Verification { checked: 1_202, differences: vec![], repaired: false });
}

async fn a_shop_at_work_has_no_differences_and_can_be_repaired(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let inventory = f.app.shop.modules.inventory.clone();
            tokio::spawn(async move {
                for n in 0..40 {
                    let line = |sku: &str| NewReservationLine { sku: sku.into(), location: None, quantity: 1 };
                    let new = NewReservation {
                        lines: vec![line("A"), line("B")],
                        hold_seconds: None,
                        allow_partial: false,
                        holder: None,
                        reference: String::new(),
                    };
                    let held = inventory.reserve(&call(), format!("writer-{writer}"), new).await.unwrap().value;
                    if n % 2 == 0 {
                        inventory.reservation_commit(&call(), held.id).await.unwrap();
                        inventory.reservation_cancel(&call(), held.id).await.unwrap();
                    } else {
                        inventory.reservation_release(&call(), held.id).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(f.verify(false).await.differences, vec![]);
    }
    f.break_it(&format!("UPDATE stock SET safety = 2 WHERE {A}"));
    let found = f.verify(true).await;
    // A writer that came in between has built on what was broken.
    assert!((1..=2).contains(&found.differences.len()) && found.repaired, "{found:?}");
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(f.verify(false).await.differences, vec![]);
    assert_eq!(f.counters().await, GOOD);
}

}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verifying_may_take_longer_than_other_statements() {
    let mut f =
        Fixture::start_with(Backend::Postgres, |config| config.inventory.database.statement_timeout_ms = 1_000).await;
    f.break_it(&format!("UPDATE stock SET safety = 2 WHERE {A}"));
    for (repair, mode) in [(false, "ACCESS EXCLUSIVE"), (true, "SHARE")] {
        // What is read, and what is written, cannot be had for a while.
        seed::execute(&mut f.conn, &format!("BEGIN; LOCK TABLE stock_ledger IN {mode} MODE"));
        let inventory = f.app.shop.modules.inventory.clone();
        let verifying = tokio::spawn(async move { inventory.stock_verify(&call(), repair).await });
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        assert!(!verifying.is_finished());
        seed::execute(&mut f.conn, "COMMIT");
        assert_eq!(verifying.await.unwrap().unwrap().repaired, repair);
    }
}
