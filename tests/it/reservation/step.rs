//! From one state to the next, and to no other.

use emporium::clock::{Clock, Id};
use emporium::inventory::*;

use super::{Warehouse, lines};
use crate::testapp::{call, on_both};

fn shipment(lines: &[(&str, &str, i64)]) -> Shipment {
    let line = |(sku, location, quantity): &(&str, &str, i64)| ShipmentLine {
        sku: (*sku).into(),
        location: (*location).into(),
        quantity: *quantity,
    };
    Shipment { lines: Some(lines.iter().map(line).collect()), version: None }
}

fn refused_in<T: std::fmt::Debug>(result: Result<T, InventoryError>) -> ReservationState {
    match result.unwrap_err() {
        InventoryError::WrongState { state, .. } => state,
        other => panic!("{other}"),
    }
}

on_both! {
    async fn the_way_of_an_order(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        shop.put("B", "EAST", 5).await;
        let held = shop.hold("ann", &[("A", "EAST", 3), ("B", "EAST", 2)]).await.unwrap();
        assert_eq!(shop.counters("A", "EAST").await, (5, 3, 0));
        let committed = shop.inventory.reservation_commit(&call(), held.id).await.unwrap().value;
        assert_eq!((committed.state, committed.version), (ReservationState::Committed, 2));
        assert_eq!(shop.counters("A", "EAST").await, (5, 0, 3));
        let part = shipment(&[("A", "EAST", 1), ("A", "EAST", 1)]);
        let part = shop.inventory.reservation_ship(&call(), held.id, part).await.unwrap().value;
        assert_eq!(part.state, ReservationState::Committed);
        assert_eq!(lines(&part), [("A", "EAST", 3, 2), ("B", "EAST", 2, 0)]);
        assert_eq!(shop.counters("A", "EAST").await, (3, 0, 1));
        let rest = shop.inventory.reservation_ship(&call(), held.id, Shipment::default()).await.unwrap().value;
        assert_eq!(rest.state, ReservationState::Shipped);
        assert_eq!(lines(&rest), [("A", "EAST", 3, 3), ("B", "EAST", 2, 2)]);
        assert_eq!(shop.counters("A", "EAST").await, (2, 0, 0));
        assert_eq!(shop.get(held.id).await, rest);
        let events = shop.events().await;
        let expected = ["held", "committed", "partly_shipped", "shipped"].map(|kind| format!("reservation.{kind}"));
        assert_eq!(events, expected);
        let ledger = shop.inventory.ledger("A", LedgerQuery::default()).await.unwrap().unwrap().items;
        let kinds: Vec<LedgerKind> = ledger.iter().rev().map(|entry| entry.kind).collect();
        use LedgerKind::{Adjusted, Committed, Reserved, Shipped};
        assert_eq!(kinds, [Adjusted, Reserved, Committed, Shipped, Shipped]);
        assert!(ledger[..4].iter().all(|entry| entry.reservation_id == Some(held.id)));
        shop.assert_clean().await;
    }

    async fn a_second_step_gives_what_is_there(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let [one, two, three] = [1, 2, 3].map(|units| (units, "EAST"));
        let mut ids = Vec::new();
        for (units, location) in [one, two, three] {
            ids.push(shop.hold("ann", &[("A", location, units)]).await.unwrap().id);
        }
        let first = shop.inventory.reservation_commit(&call(), ids[0]).await.unwrap();
        assert_eq!(shop.inventory.reservation_commit(&call(), ids[0]).await.unwrap(), first);
        let released = shop.inventory.reservation_release(&call(), ids[1]).await.unwrap();
        assert_eq!(released.value.state, ReservationState::Released);
        assert_eq!(shop.inventory.reservation_release(&call(), ids[1]).await.unwrap(), released);
        shop.inventory.reservation_commit(&call(), ids[2]).await.unwrap();
        let cancelled = shop.inventory.reservation_cancel(&call(), ids[2]).await.unwrap();
        assert_eq!(cancelled.value.state, ReservationState::Cancelled);
        assert_eq!(shop.inventory.reservation_cancel(&call(), ids[2]).await.unwrap(), cancelled);
        let shipped = shop.inventory.reservation_ship(&call(), ids[0], Shipment::default()).await.unwrap();
        assert_eq!(shop.inventory.reservation_ship(&call(), ids[0], Shipment::default()).await.unwrap(), shipped);
        assert_eq!(shop.inventory.reservation_commit(&call(), ids[0]).await.unwrap(), shipped);
        assert_eq!(shop.counters("A", "EAST").await, (8, 0, 0));
        shop.assert_clean().await;
    }

    async fn no_step_leads_out_of_order(backend: Backend) {
        use ReservationState::{Cancelled, Committed, Expired, Held, Released, Shipped};
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let inventory = &shop.inventory;
        let hold = async || shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap().id;
        let id = hold().await;
        assert_eq!(refused_in(inventory.reservation_cancel(&call(), id).await), Held);
        assert_eq!(refused_in(inventory.reservation_ship(&call(), id, Shipment::default()).await), Held);
        inventory.reservation_commit(&call(), id).await.unwrap();
        assert_eq!(refused_in(inventory.reservation_release(&call(), id).await), Committed);
        assert_eq!(refused_in(inventory.reservation_extend(&call(), id, Extension::default()).await), Committed);
        inventory.reservation_ship(&call(), id, Shipment::default()).await.unwrap();
        assert_eq!(refused_in(inventory.reservation_cancel(&call(), id).await), Shipped);
        assert_eq!(refused_in(inventory.reservation_release(&call(), id).await), Shipped);
        let more = shipment(&[("A", "EAST", 1)]);
        assert_eq!(refused_in(inventory.reservation_ship(&call(), id, more).await), Shipped);
        let id = hold().await;
        inventory.reservation_release(&call(), id).await.unwrap();
        assert_eq!(refused_in(inventory.reservation_commit(&call(), id).await), Released);
        assert_eq!(refused_in(inventory.reservation_cancel(&call(), id).await), Released);
        let id = hold().await;
        inventory.reservation_commit(&call(), id).await.unwrap();
        inventory.reservation_cancel(&call(), id).await.unwrap();
        assert_eq!(refused_in(inventory.reservation_commit(&call(), id).await), Cancelled);
        assert_eq!(refused_in(inventory.reservation_release(&call(), id).await), Cancelled);
        let id = hold().await;
        shop.clock.set(shop.get(id).await.expires_at);
        assert_eq!(refused_in(inventory.reservation_cancel(&call(), id).await), Expired);
        assert_eq!(refused_in(inventory.reservation_ship(&call(), id, Shipment::default()).await), Expired);
        // Releasing what is over ends it, and gives it as it is.
        let over = inventory.reservation_release(&call(), id).await.unwrap().value;
        assert_eq!(over.state, Expired);
        assert_eq!(inventory.reservation_release(&call(), id).await.unwrap().value, over);
        let unknown = inventory.reservation_commit(&call(), Id::new(shop.clock.now())).await;
        assert!(matches!(unknown, Err(InventoryError::NotFound { .. })));
        assert_eq!(shop.counters("A", "EAST").await, (8, 0, 0));
        shop.assert_clean().await;
    }

    async fn nothing_is_shipped_that_is_not_in_the_order(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let id = shop.hold("ann", &[("A", "EAST", 3)]).await.unwrap().id;
        shop.inventory.reservation_commit(&call(), id).await.unwrap();
        let wrong = [
            ("/lines/0/quantity", vec![("A", "EAST", 4)]),
            ("/lines/0/quantity", vec![("A", "EAST", 0)]),
            ("/lines/0/quantity", vec![("A", "EAST", i64::MAX)]),
            ("/lines/1/quantity", vec![("A", "EAST", 2), ("A", "EAST", 2)]),
            ("/lines/0", vec![("A", "WEST", 1)]),
            ("/lines/0", vec![("B", "EAST", 1)]),
        ];
        for (pointer, lines) in wrong {
            let refused = shop.inventory.reservation_ship(&call(), id, shipment(&lines)).await.unwrap_err();
            let InventoryError::Invalid(faults) = refused else { panic!("{refused}") };
            assert_eq!(faults[0].pointer, pointer);
        }
        assert_eq!(shop.counters("A", "EAST").await, (9, 0, 3));
    }

    async fn a_shipment_that_was_decided_on_another_version_is_refused(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let id = shop.hold("ann", &[("A", "EAST", 5)]).await.unwrap().id;
        let version = Some(shop.inventory.reservation_commit(&call(), id).await.unwrap().value.version);
        let two = || Shipment { version, ..shipment(&[("A", "EAST", 2)]) };
        shop.inventory.reservation_ship(&call(), id, two()).await.unwrap();
        for stale in [two(), Shipment { version, lines: None }] {
            let refused = shop.inventory.reservation_ship(&call(), id, stale).await.unwrap_err();
            let InventoryError::VersionMismatch { actual, .. } = refused else { panic!("{refused}") };
            assert_eq!((actual.id, Some(actual.number)), (id, version.map(|version| version + 1)));
        }
        assert_eq!(lines(&shop.get(id).await), [("A", "EAST", 5, 2)]);
        assert_eq!(shop.counters("A", "EAST").await, (7, 0, 3));
    }

    async fn cancelling_gives_back_what_is_not_shipped(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        shop.put("B", "EAST", 9).await;
        let id = shop.hold("ann", &[("A", "EAST", 3), ("B", "EAST", 2)]).await.unwrap().id;
        shop.inventory.reservation_commit(&call(), id).await.unwrap();
        let part = shipment(&[("A", "EAST", 1), ("B", "EAST", 2)]);
        shop.inventory.reservation_ship(&call(), id, part).await.unwrap();
        let cancelled = shop.inventory.reservation_cancel(&call(), id).await.unwrap().value;
        assert_eq!(lines(&cancelled), [("A", "EAST", 3, 1), ("B", "EAST", 2, 2)]);
        assert_eq!(shop.counters("A", "EAST").await, (8, 0, 0));
        assert_eq!(shop.counters("B", "EAST").await, (7, 0, 0));
        shop.assert_clean().await;
    }

    async fn two_that_step_at_once_do_it_once(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 200).await;
        for round in 0..20 {
            let id = shop.hold("ann", &[("A", "EAST", 2)]).await.unwrap().id;
            let steps: Vec<_> = (0..4)
                .map(|step| {
                    let inventory = shop.inventory.clone();
                    tokio::spawn(async move {
                        match step {
                            0 | 1 => inventory.reservation_commit(&call(), id).await,
                            _ => inventory.reservation_release(&call(), id).await,
                        }
                    })
                })
                .collect();
            let mut done = Vec::new();
            for step in steps {
                done.push(step.await.unwrap().is_ok());
            }
            // Whichever came first won, and its twin was told the same.
            assert!(done == [true, true, false, false] || done == [false, false, true, true], "round {round}: {done:?}");
        }
        let (on_hand, reserved, allocated) = shop.stored("A", "EAST");
        assert_eq!((on_hand, reserved, allocated % 2), (200, 0, 0));
        shop.assert_clean().await;
    }
}
