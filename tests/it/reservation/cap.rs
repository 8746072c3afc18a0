//! One holder may hold so many units and no more.

use std::time::Duration;

use emporium::inventory::*;

use super::Warehouse;
use crate::testapp::{call, on_both};

on_both! {
    async fn a_holder_holds_no_more_than_the_cap(backend: Backend) {
        let shop = Warehouse::start_with(backend, |config| config.inventory.holder_units_max = 10).await;
        shop.put("A", "EAST", 100).await;
        let first = shop.hold("ann", &[("A", "EAST", 4), ("A", "", 2)]).await.unwrap();
        let refused = shop.hold("ann", &[("A", "EAST", 5)]).await.unwrap_err();
        assert!(matches!(refused, InventoryError::HolderLimit { units: 11, max: 10, .. }), "{refused}");
        shop.hold("bob", &[("A", "EAST", 10)]).await.unwrap();
        shop.clock.advance(Duration::from_secs(1));
        let second = shop.hold("ann", &[("A", "EAST", 4)]).await.unwrap();
        // What is committed is no hold; what is over is none either, though nobody swept.
        shop.inventory.reservation_commit(&call(), second.id).await.unwrap();
        shop.hold("ann", &[("A", "EAST", 4)]).await.unwrap();
        assert!(shop.hold("ann", &[("A", "EAST", 1)]).await.is_err());
        shop.clock.set(first.expires_at);
        shop.hold("ann", &[("A", "EAST", 6)]).await.unwrap();
        assert_eq!(shop.get(first.id).await.state, ReservationState::Expired);
        let late = shop.inventory.reservation_extend(&call(), first.id, Extension::default()).await;
        assert!(matches!(late, Err(InventoryError::ReservationExpired { .. })));
        shop.assert_clean().await;
    }

    async fn the_cap_holds_when_many_come_at_once(backend: Backend) {
        let shop = Warehouse::start_with(backend, |config| config.inventory.holder_units_max = 10).await;
        for sku in ["A", "B", "C"] {
            shop.put(sku, "EAST", 100).await;
        }
        for round in 0..20 {
            let tries: Vec<_> = (0..12)
                .map(|i| {
                    let (inventory, sku) = (shop.inventory.clone(), ["A", "B", "C"][i % 3]);
                    let wish = super::order(&[(sku, "EAST", 2)]);
                    tokio::spawn(async move { inventory.reserve(&call(), format!("holder-{round}"), wish).await })
                })
                .collect();
            let mut held = 0;
            for result in tries {
                match result.await.unwrap() {
                    Ok(_) => held += 1,
                    Err(error) => assert!(matches!(error, InventoryError::HolderLimit { .. }), "{error}"),
                }
            }
            assert_eq!(held, 5, "round {round}");
        }
        shop.assert_clean().await;
    }
}
