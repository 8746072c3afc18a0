//! Repeated calls: one effect, one answer.

use std::time::Duration;

use emporium::inventory::*;

use super::{Warehouse, keyed, order};
use crate::seed;
use crate::testapp::{Backend, on_both};

on_both! {
    async fn a_repeated_call_gets_the_first_answer(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        let reserve = async |key: &str, hash| {
            shop.inventory.reserve(&keyed(key, hash), "ann".into(), order(&[("A", "EAST", 2)])).await
        };
        let first = reserve("k", 1).await.unwrap();
        assert!(!first.replayed);
        let again = reserve("k", 1).await.unwrap();
        assert_eq!((&again.value, again.replayed), (&first.value, true));
        assert!(matches!(reserve("k", 2).await, Err(InventoryError::KeyReused)));
        let other = emporium::call::Call { actor: "other".into(), ..keyed("k", 2) };
        let others = shop.inventory.reserve(&other, "ann".into(), order(&[("A", "EAST", 2)])).await.unwrap();
        assert_ne!(others.value.id, first.value.id);
        // A refused call leaves nothing: the same key may try again.
        assert!(matches!(reserve("later", 1).await, Err(InventoryError::OutOfStock(_))));
        shop.put("A", "EAST", 5).await;
        assert!(!reserve("later", 1).await.unwrap().replayed);
        // The first answer comes even after the thing has moved on.
        shop.inventory.reservation_release(&keyed("r", 1), first.value.id).await.unwrap();
        assert_eq!(reserve("k", 1).await.unwrap().value, first.value);
        // A key is forgotten after its time.
        let hours = shop.app.config.inventory.idempotency_hours;
        shop.clock.advance(Duration::from_secs(u64::from(hours) * 3_600 + 1));
        let fresh = reserve("k", 3).await.unwrap();
        assert!(!fresh.replayed && fresh.value.id != first.value.id);
        assert!(reserve("k", 3).await.unwrap().replayed);
        assert_eq!(seed::number(&mut shop.conn, "SELECT COUNT(*) FROM idempotency_keys WHERE key = 'k'"), 2);
        shop.assert_clean().await;
    }

    async fn twins_at_the_same_time_are_one(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 100).await;
        for round in 0..10 {
            let twins: Vec<_> = (0..4)
                .map(|_| {
                    let (inventory, call) = (shop.inventory.clone(), keyed(&format!("k{round}"), 1));
                    tokio::spawn(async move { inventory.reserve(&call, "ann".into(), order(&[("A", "EAST", 2)])).await })
                })
                .collect();
            let mut answers = Vec::new();
            for twin in twins {
                answers.push(twin.await.unwrap().unwrap());
            }
            assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
            assert!(answers.iter().all(|answer| answer.value == answers[0].value));
        }
        assert_eq!(shop.stored("A", "EAST"), (100, 20, 0));
        shop.assert_clean().await;
    }

}

/// On SQLite one transaction runs at a time, so there is never a key in use.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_in_use_is_told_after_the_lock_timeout() {
    let shop = Warehouse::start_with(Backend::Postgres, |config| config.inventory.database.lock_timeout_ms = 200).await;
    shop.put("A", "EAST", 5).await;
    let mut other = seed::connect(&shop.app);
    let open = |sql: &str, conn: &mut _| seed::execute(conn, sql);
    open("BEGIN", &mut other);
    let row = "INSERT INTO idempotency_keys (owner, key, request_hash, created_at) VALUES ('test', 'k', 'x', now())";
    open(row, &mut other);
    let reserve = async || shop.inventory.reserve(&keyed("k", 1), "ann".into(), order(&[("A", "EAST", 2)])).await;
    let refused = reserve().await.unwrap_err();
    assert!(matches!(refused, InventoryError::KeyInUse), "{refused}");
    let problem = emporium::error::Problem::from(refused);
    assert_eq!((problem.code.status(), problem.retry_after_seconds), (409, Some(1)));
    open("ROLLBACK", &mut other);
    assert!(!reserve().await.unwrap().replayed);
    shop.assert_clean().await;
}
