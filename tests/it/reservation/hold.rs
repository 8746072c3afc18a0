//! What may be held, and where it is taken from.

use emporium::inventory::*;

use super::{Warehouse, lines, order, short};
use crate::seed;
use crate::testapp::{call, on_both};

/// The pointers of the faults.
fn faults<T: std::fmt::Debug>(result: Result<T, InventoryError>) -> Vec<String> {
    match result.unwrap_err() {
        InventoryError::Invalid(faults) => faults.into_iter().map(|fault| fault.pointer).collect(),
        other => panic!("{other}"),
    }
}

on_both! {
    async fn lines_of_one_place_are_merged(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        let held = shop.hold("ann", &[("A", "EAST", 2), ("A", "EAST", 1)]).await.unwrap();
        assert_eq!(lines(&held), [("A", "EAST", 3, 0)]);
        assert_eq!(short(shop.hold("ann", &[("A", "EAST", 2), ("A", "EAST", 1)]).await), [("A".to_owned(), 3, 2)]);
        assert_eq!(shop.counters("A", "EAST").await, (5, 3, 0));
        assert_eq!(shop.get(held.id).await, held);
        shop.assert_clean().await;
    }

    async fn every_short_line_is_told_and_nothing_is_taken(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        shop.put("B", "EAST", 2).await;
        let wanted = [("A", "EAST", 5), ("B", "EAST", 3), ("C", "EAST", 1), ("C", "", 4)];
        let told = short(shop.hold("ann", &wanted).await);
        assert_eq!(told, [("B".to_owned(), 3, 2), ("C".to_owned(), 1, 0), ("C".to_owned(), 4, 0)]);
        assert_eq!(shop.counters("A", "EAST").await, (5, 0, 0));
        assert!(!shop.events().await.iter().any(|kind| kind.starts_with("reservation")));
        shop.assert_clean().await;
    }

    async fn a_part_is_held_where_that_is_asked(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 2).await;
        shop.put("B", "WEST", 9).await;
        let partly = NewReservation { allow_partial: true, ..order(&[("A", "", 5), ("B", "WEST", 4), ("C", "EAST", 1)]) };
        let held = shop.inventory.reserve(&call(), "ann".into(), partly.clone()).await.unwrap().value;
        assert_eq!(lines(&held), [("A", "EAST", 2, 0), ("B", "WEST", 4, 0)]);
        let told: Vec<_> = held.shortages.iter().map(|s| (s.sku.as_str(), s.requested, s.available)).collect();
        assert_eq!(told, [("A", 5, 2), ("C", 1, 0)]);
        let nothing = NewReservation { allow_partial: true, ..order(&[("A", "", 5), ("C", "", 1)]) };
        let told = short(shop.inventory.reserve(&call(), "ann".into(), nothing).await);
        assert_eq!(told, [("A".to_owned(), 5, 0), ("C".to_owned(), 1, 0)]);
        shop.assert_clean().await;
    }

    async fn one_location_is_better_than_several(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::location(&mut shop.conn, "NORTH");
        seed::execute(&mut shop.conn, "UPDATE locations SET priority = 5 WHERE code = 'EAST'");
        for (location, units) in [("EAST", 6), ("NORTH", 3), ("WEST", 4)] {
            shop.put("A", location, units).await;
        }
        // NORTH and WEST come first, but only EAST has all of it.
        let held = shop.hold("ann", &[("A", "", 5)]).await.unwrap();
        assert_eq!(lines(&held), [("A", "EAST", 5, 0)]);
        // Nobody has 7 now: the first ones give what they have.
        let held = shop.hold("ann", &[("A", "", 7)]).await.unwrap();
        assert_eq!(lines(&held), [("A", "NORTH", 3, 0), ("A", "WEST", 4, 0)]);
        assert_eq!(short(shop.hold("ann", &[("A", "", 2)]).await), [("A".to_owned(), 2, 1)]);
        // What is asked of one place and what may come from any share its stock.
        shop.put("A", "WEST", 2).await;
        let held = shop.hold("ann", &[("A", "", 1), ("A", "WEST", 2)]).await.unwrap();
        assert_eq!(lines(&held), [("A", "EAST", 1, 0), ("A", "WEST", 2, 0)]);
        shop.assert_clean().await;
    }

    async fn a_location_out_of_use_gives_nothing(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 5).await;
        seed::execute(&mut shop.conn, "UPDATE locations SET active = FALSE WHERE code = 'EAST'");
        assert_eq!(short(shop.hold("ann", &[("A", "", 1)]).await), [("A".to_owned(), 1, 0)]);
        assert_eq!(faults(shop.hold("ann", &[("A", "EAST", 1)]).await), ["/lines/0/location"]);
    }

    async fn safety_stock_is_kept_and_backorder_allowed(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::sku(&mut shop.conn, "LATER", 3, None);
        shop.put("A", "EAST", 5).await;
        shop.adjust("A", "EAST", Counter::Safety, 4).await;
        assert_eq!(short(shop.hold("ann", &[("A", "EAST", 2)]).await), [("A".to_owned(), 2, 1)]);
        // No stock row of LATER is there, and each location may promise 3.
        let held = shop.hold("ann", &[("LATER", "", 5)]).await.unwrap();
        assert_eq!(lines(&held), [("LATER", "EAST", 3, 0), ("LATER", "WEST", 2, 0)]);
        assert_eq!(short(shop.hold("ann", &[("LATER", "EAST", 1)]).await), [("LATER".to_owned(), 1, 0)]);
        // What has not come cannot be shipped.
        shop.inventory.reservation_commit(&call(), held.id).await.unwrap();
        shop.put("LATER", "EAST", 3).await;
        let told = short(shop.inventory.reservation_ship(&call(), held.id, Shipment::default()).await);
        assert_eq!(told, [("LATER".to_owned(), 2, 0)]);
        assert_eq!(shop.counters("LATER", "EAST").await, (3, 0, 3));
        shop.assert_clean().await;
    }

    async fn all_faults_are_told_at_once(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::sku(&mut shop.conn, "DRAFT", 0, None);
        seed::execute(&mut shop.conn, "UPDATE products SET status = 'draft' WHERE handle LIKE 'draft-%'");
        shop.put("A", "EAST", 1).await;
        let max = QUANTITY_MAX;
        let wanted = [
            ("A", "EAST", 0), ("A", "EAST", -1), ("A", "EAST", i64::MAX), ("A", "EAST", i64::MIN),
            ("B", "EAST", max), ("B", "EAST", 1),
        ];
        let new = NewReservation { hold_seconds: Some(0), reference: "a\u{7}".into(), ..order(&wanted) };
        let told = faults(shop.inventory.reserve(&call(), "two words".into(), new).await);
        let expected = ["/holder", "/reference", "/hold_seconds", "/lines/0/quantity", "/lines/1/quantity",
            "/lines/2/quantity", "/lines/3/quantity", "/lines/5/quantity"];
        assert_eq!(told, expected);
        let wanted = [("NONE", "EAST", 1), ("A", "NONE", 1), ("DRAFT", "", 1), ("NONE", "EAST", 1), ("A\0", "EAST\0", 1)];
        let told = faults(shop.hold("ann", &wanted).await);
        let expected = ["/lines/0/sku", "/lines/3/sku", "/lines/1/location", "/lines/2/sku", "/lines/4/sku", "/lines/4/location"];
        assert_eq!(told, expected);
        for lines in [vec![], vec![("A", "EAST", 1); LINES_MAX + 1]] {
            assert_eq!(faults(shop.hold("ann", &lines).await), ["/lines"]);
        }
        for holder in [String::new(), "x".repeat(101), "nul\0".into()] {
            assert_eq!(faults(shop.hold(&holder, &[("A", "EAST", 1)]).await), ["/holder"]);
        }
        let long = NewReservation { hold_seconds: Some(14_401), ..order(&[("A", "EAST", 1)]) };
        assert_eq!(faults(shop.inventory.reserve(&call(), "ann".into(), long).await), ["/hold_seconds"]);
        assert_eq!(shop.counters("A", "EAST").await, (1, 0, 0));
    }

    async fn low_stock_is_told_once(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        seed::sku(&mut shop.conn, "LOW", 0, Some(2));
        shop.put("LOW", "EAST", 5).await;
        for _ in 0..4 {
            shop.hold("ann", &[("LOW", "EAST", 1)]).await.unwrap();
        }
        let events = shop.events().await;
        assert_eq!(events.iter().filter(|kind| *kind == "stock.low").count(), 1, "{events:?}");
        assert_eq!(events.iter().position(|kind| kind == "stock.low"), Some(3), "{events:?}");
    }
}
