//! A hold counts until `expires_at` and not a microsecond longer, swept or not.

use std::time::Duration;

use emporium::inventory::*;

use super::{Warehouse, order, short};
use crate::seed;
use crate::testapp::{call, on_both};
use emporium::clock::{Clock, Time};

fn just_before(time: Time) -> Time {
    Time::from_micros(time.micros() - 1)
}

on_both! {
    async fn a_hold_ends_exactly_at_its_time(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 3).await;
        let held = shop.hold("ann", &[("A", "EAST", 3)]).await.unwrap();
        shop.clock.set(just_before(held.expires_at));
        assert_eq!(shop.get(held.id).await.state, ReservationState::Held);
        assert_eq!(shop.counters("A", "EAST").await, (3, 3, 0));
        assert_eq!(short(shop.hold("bob", &[("A", "EAST", 1)]).await), [("A".to_owned(), 1, 0)]);
        assert_eq!(shop.inventory.reservation_sweep(10).await.unwrap(), 0);

        shop.clock.set(held.expires_at);
        assert_eq!(shop.get(held.id).await.state, ReservationState::Expired);
        assert_eq!(shop.counters("A", "EAST").await, (3, 0, 0));
        assert_eq!(shop.stored("A", "EAST"), (3, 3, 0));
        // What could be had tells the same, and the refusal leaves the hold to the sweeper.
        assert_eq!(short(shop.hold("bob", &[("A", "EAST", 4)]).await), [("A".to_owned(), 4, 3)]);
        assert_eq!(shop.stored("A", "EAST"), (3, 3, 0));
        shop.hold("bob", &[("A", "EAST", 2)]).await.unwrap();
        assert_eq!(shop.stored("A", "EAST"), (3, 2, 0));
        assert_eq!(shop.inventory.reservation_sweep(10).await.unwrap(), 0);
        let events = shop.events().await;
        assert_eq!(events, ["reservation.held", "reservation.expired", "reservation.held"]);
        shop.assert_clean().await;
    }

    async fn a_part_takes_what_ended_holds_give_back(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 2).await;
        shop.put("A", "WEST", 2).await;
        let held = shop.hold("ann", &[("A", "EAST", 2), ("A", "WEST", 1)]).await.unwrap();
        shop.clock.set(held.expires_at);
        let partly = NewReservation { allow_partial: true, ..order(&[("A", "", 9)]) };
        let held = shop.inventory.reserve(&call(), "bob".into(), partly).await.unwrap().value;
        assert_eq!(held.shortages[0].available, 4);
        assert_eq!(super::lines(&held), [("A", "EAST", 2, 0), ("A", "WEST", 2, 0)]);
        shop.assert_clean().await;
    }

    async fn the_sweeper_gives_each_hold_back_once(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 40).await;
        for _ in 0..20 {
            shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
        }
        let kept = shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
        let longer = Extension { hold_seconds: Some(3_600) };
        shop.inventory.reservation_extend(&call(), kept.id, longer).await.unwrap();
        shop.clock.set(kept.expires_at);
        assert_eq!(shop.inventory.reservation_sweep(5).await.unwrap(), 5);
        let sweepers: Vec<_> = (0..6)
            .map(|_| {
                let inventory = shop.inventory.clone();
                tokio::spawn(async move { inventory.reservation_sweep(100).await.unwrap() })
            })
            .collect();
        let mut swept = 0;
        for sweeper in sweepers {
            swept += sweeper.await.unwrap();
        }
        assert_eq!(swept, 15);
        assert_eq!(shop.stored("A", "EAST"), (40, 1, 0));
        assert_eq!(shop.get(kept.id).await.state, ReservationState::Held);
        shop.assert_clean().await;
    }

    async fn extending_goes_to_the_ceiling_and_never_back(backend: Backend) {
        let shop = Warehouse::start_with(backend, |config| config.inventory.hold_total_seconds_max = 20_000).await;
        shop.put("A", "EAST", 1).await;
        let held = shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
        assert_eq!(held.expires_at, held.created_at.plus_seconds(900));
        assert_eq!(held.expires_max, held.created_at.plus_seconds(20_000));
        let extend = async |seconds| {
            let by = Extension { hold_seconds: seconds };
            shop.inventory.reservation_extend(&call(), held.id, by).await.map(|answer| answer.value)
        };
        let shorter = extend(Some(10)).await.unwrap();
        assert_eq!((shorter.expires_at, shorter.version), (held.expires_at, 1));
        shop.clock.advance(Duration::from_secs(100));
        assert_eq!(extend(None).await.unwrap().expires_at, held.created_at.plus_seconds(1_000));
        let longest = extend(Some(14_400)).await.unwrap();
        assert_eq!((longest.expires_at, longest.version), (held.created_at.plus_seconds(14_500), 3));
        shop.clock.set(just_before(longest.expires_at));
        let last = extend(Some(14_400)).await.unwrap();
        assert_eq!(last.expires_at, held.expires_max);
        for wrong in [0, 14_401] {
            assert!(matches!(extend(Some(wrong)).await, Err(InventoryError::Invalid(_))));
        }
        shop.clock.set(last.expires_at);
        assert!(matches!(extend(None).await, Err(InventoryError::ReservationExpired { .. })));
        shop.inventory.reservation_sweep(10).await.unwrap();
        assert!(matches!(extend(None).await, Err(InventoryError::ReservationExpired { .. })));
        shop.assert_clean().await;
    }

    async fn a_late_commit_takes_the_goods_again(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 2).await;
        for swept in [false, true] {
            let held = shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
            shop.clock.set(held.expires_at);
            if swept {
                assert_eq!(shop.inventory.reservation_sweep(10).await.unwrap(), 1);
            }
            let committed = shop.inventory.reservation_commit(&call(), held.id).await.unwrap().value;
            assert_eq!((committed.state, committed.version), (ReservationState::Committed, 3));
            assert_eq!(shop.get(held.id).await, committed);
        }
        assert_eq!(shop.stored("A", "EAST"), (2, 0, 2));
        let events = shop.events().await;
        assert_eq!(events[..3], ["reservation.held", "reservation.expired", "reservation.committed"]);
        shop.assert_clean().await;
    }

    async fn a_late_commit_is_refused_when_the_goods_are_gone(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 2).await;
        shop.put("B", "EAST", 1).await;
        let first = shop.hold("ann", &[("A", "EAST", 2), ("B", "EAST", 1)]).await.unwrap();
        shop.clock.set(first.expires_at);
        let second = shop.hold("bob", &[("A", "EAST", 1)]).await.unwrap();
        let refused = shop.inventory.reservation_commit(&call(), first.id).await.unwrap_err();
        let InventoryError::ReservationExpired { expired_at, lines } = refused else { panic!("{refused}") };
        assert_eq!(expired_at, first.expires_at);
        let told: Vec<_> = lines.iter().map(|line| (line.sku.as_str(), line.requested, line.available)).collect();
        assert_eq!(told, [("A", 2, 1)]);
        assert_eq!(shop.stored("B", "EAST"), (1, 0, 0));
        // Once the other hold is over too, the goods are there again, though nobody swept.
        shop.clock.set(second.expires_at);
        let committed = shop.inventory.reservation_commit(&call(), first.id).await.unwrap().value;
        assert_eq!(committed.state, ReservationState::Committed);
        assert_eq!(shop.stored("A", "EAST"), (2, 0, 2));
        assert_eq!(shop.get(second.id).await.state, ReservationState::Expired);
        shop.assert_clean().await;
    }

    async fn a_late_commit_takes_nothing_that_is_no_longer_sold(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        let held = shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
        shop.clock.set(held.expires_at);
        for (close, open) in [
            ("UPDATE locations SET active = false WHERE code = 'EAST'", "UPDATE locations SET active = true"),
            ("UPDATE products SET status = 'archived'", "UPDATE products SET status = 'active'"),
        ] {
            seed::execute(&mut shop.conn, close);
            let refused = shop.inventory.reservation_commit(&call(), held.id).await.unwrap_err();
            let InventoryError::ReservationExpired { lines, .. } = refused else { panic!("{refused}") };
            assert_eq!(lines.iter().map(|line| (line.requested, line.available)).collect::<Vec<_>>(), [(1, 0)]);
            seed::execute(&mut shop.conn, open);
        }
        shop.inventory.reservation_commit(&call(), held.id).await.unwrap();
        shop.assert_clean().await;
    }

    async fn more_holds_than_one_attempt_ends_make_way(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        let new = seed::sku(&mut shop.conn, "NEW", 0, None);
        let place = seed::location(&mut shop.conn, "NORTH");
        shop.put("NEW", "NORTH", 300).await;
        let expires_at = shop.clock.now();
        seed::execute(&mut shop.conn, "BEGIN");
        for _ in 0..300 {
            seed::reservation(&mut shop.conn, new, place, 1, "held", expires_at);
        }
        seed::execute(&mut shop.conn, "COMMIT");
        shop.hold("ann", &[("NEW", "", 300)]).await.unwrap();
        assert_eq!(shop.stored("NEW", "NORTH"), (300, 300, 0));
        shop.assert_clean().await;
    }

    async fn stock_is_not_low_by_holds_that_are_over(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::sku(&mut shop.conn, "LOW", 0, Some(3));
        shop.put("LOW", "EAST", 10).await;
        let held = shop.hold("ann", &[("LOW", "EAST", 6)]).await.unwrap();
        shop.clock.set(held.expires_at);
        // 8 are left, though 2 by the stored counters.
        shop.hold("bob", &[("LOW", "EAST", 2)]).await.unwrap();
        assert_eq!(shop.events().await, ["reservation.held", "reservation.held"]);
        // 3 are left.
        shop.hold("bob", &[("LOW", "EAST", 5)]).await.unwrap();
        assert_eq!(shop.events().await[2..], ["reservation.expired", "reservation.held", "stock.low"]);
    }

    async fn lists_show_a_hold_as_expired_at_once(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let mut ids = Vec::new();
        for holder in ["ann", "bob", "ann", "ann"] {
            ids.push(shop.hold(holder, &[("A", "EAST", 1)]).await.unwrap().id);
        }
        shop.inventory.reservation_extend(&call(), ids[2], Extension { hold_seconds: Some(5_000) }).await.unwrap();
        let list = async |query: ReservationQuery| {
            let page = shop.inventory.reservation_list(query).await.unwrap();
            (page.items.iter().map(|item| item.id).collect::<Vec<_>>(), page.next_cursor)
        };
        let all = |state| ReservationQuery { state: Some(state), ..Default::default() };
        assert_eq!(list(all(ReservationState::Held)).await.0, [ids[3], ids[2], ids[1], ids[0]]);
        shop.clock.set(shop.get(ids[0]).await.expires_at);
        assert_eq!(list(all(ReservationState::Held)).await.0, [ids[2]]);
        assert_eq!(list(all(ReservationState::Expired)).await.0, [ids[3], ids[1], ids[0]]);
        shop.inventory.reservation_sweep(1).await.unwrap();
        assert_eq!(list(all(ReservationState::Expired)).await.0, [ids[3], ids[1], ids[0]]);
        let mut query = ReservationQuery { holder: Some("ann".into()), limit: Some(2), ..Default::default() };
        let (page, cursor) = list(query.clone()).await;
        assert_eq!(page, [ids[3], ids[2]]);
        query.cursor = cursor;
        assert_eq!(list(query).await, (vec![ids[0]], None));
        let forged = ReservationQuery { cursor: Some("no".into()), ..Default::default() };
        assert!(matches!(shop.inventory.reservation_list(forged).await, Err(InventoryError::InvalidCursor)));
    }
}
