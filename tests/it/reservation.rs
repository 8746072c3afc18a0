//! Reservations: what may be held, what becomes of a hold, and who may do it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use emporium::call::{Call, IdempotencyKey};
use emporium::clock::{Clock, Id, SystemClock, Time};
use emporium::config::Config;
use emporium::db::Connection;
use emporium::inventory::*;

use crate::seed;
use crate::testapp::{Backend, TestApp, call};

mod api;
mod cap;
mod expiry;
mod hold;
mod key;
mod order;
mod step;

/// A clock that stands still until it is told to move.
#[derive(Clone)]
pub(crate) struct Frozen(Arc<AtomicI64>);

impl Frozen {
    pub(crate) fn set(&self, time: Time) {
        self.0.store(time.micros(), Ordering::SeqCst);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
    }
}

impl Clock for Frozen {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A shop where nobody sweeps, with SKUs A, B and C and locations EAST and WEST, and a second way into its inventory whose
/// clock stands still.
pub(crate) struct Warehouse {
    pub(crate) app: TestApp,
    pub(crate) conn: Connection,
    pub(crate) clock: Frozen,
    pub(crate) inventory: Arc<LocalInventory>,
}

impl Warehouse {
    pub(crate) async fn start(backend: Backend) -> Warehouse {
        Warehouse::start_with(backend, |_| {}).await
    }

    pub(crate) async fn start_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Warehouse {
        let app = TestApp::start_with(backend, |config| {
            seed::quiet(config);
            change(config);
        })
        .await;
        let mut conn = seed::connect(&app);
        for sku in ["A", "B", "C"] {
            seed::sku(&mut conn, sku, 0, None);
        }
        for location in ["EAST", "WEST"] {
            seed::location(&mut conn, location);
        }
        let clock = Frozen(Arc::new(AtomicI64::new(SystemClock.now().micros())));
        let [db, _] = app.shop.modules.databases.clone();
        let inventory = local(db, Arc::new(clock.clone()), app.config.inventory.clone());
        Warehouse { app, conn, clock, inventory }
    }

    /// The shop alone; all other ways into its database are closed.
    pub(crate) fn into_app(self) -> TestApp {
        self.app
    }

    /// Adds to what is on hand.
    pub(crate) async fn put(&self, sku: &str, location: &str, units: i64) {
        self.adjust(sku, location, Counter::OnHand, units).await;
    }

    pub(crate) async fn adjust(&self, sku: &str, location: &str, counter: Counter, delta: i64) {
        let (sku, location) = (sku.to_owned(), location.to_owned());
        let row = Adjustment { sku, location, counter, delta, reason: "delivery".into() };
        let batch = StockBatch { atomic: true, rows: vec![row] };
        self.inventory.stock_adjust(&call(), batch).await.unwrap();
    }

    pub(crate) async fn hold(&self, holder: &str, lines: &[(&str, &str, i64)]) -> Result<Reservation, InventoryError> {
        self.inventory.reserve(&call(), holder.into(), order(lines)).await.map(|answer| answer.value)
    }

    pub(crate) async fn get(&self, id: Id) -> Reservation {
        self.inventory.reservation_get(id).await.unwrap().unwrap()
    }

    /// On hand, reserved and allocated as everybody is told them.
    pub(crate) async fn counters(&self, sku: &str, location: &str) -> (i64, i64, i64) {
        let query = StockQuery { sku: Some(sku.into()), location: Some(location.into()), ..Default::default() };
        let level = self.inventory.stock_list(query).await.unwrap().items.pop();
        level.map_or((0, 0, 0), |level| (level.on_hand, level.reserved, level.allocated))
    }

    /// On hand, reserved and allocated as they are stored.
    pub(crate) fn stored(&mut self, sku: &str, location: &str) -> (i64, i64, i64) {
        let [on_hand, reserved, allocated] = ["on_hand", "reserved", "allocated"].map(|counter| {
            let query = format!(
                "SELECT {counter} FROM stock WHERE sku_id = (SELECT id FROM skus WHERE code = '{sku}')
                 AND location_id = (SELECT id FROM locations WHERE code = '{location}')"
            );
            seed::number(&mut self.conn, &query)
        });
        (on_hand, reserved, allocated)
    }

    /// The kinds of all events so far, oldest first.
    pub(crate) async fn events(&self) -> Vec<String> {
        let events = self.inventory.events(EventQuery { after: None, limit: Some(200) }).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    pub(crate) async fn assert_clean(&self) {
        let found = self.inventory.stock_verify(&call(), false).await.unwrap();
        assert_eq!(found.differences, vec![]);
    }
}

/// Lines of SKU, location (empty: any) and quantity.
pub(crate) fn order(lines: &[(&str, &str, i64)]) -> NewReservation {
    let line = |(sku, location, quantity): &(&str, &str, i64)| NewReservationLine {
        sku: (*sku).to_owned(),
        location: (!location.is_empty()).then(|| (*location).to_owned()),
        quantity: *quantity,
    };
    NewReservation {
        lines: lines.iter().map(line).collect(),
        hold_seconds: None,
        allow_partial: false,
        holder: None,
        reference: String::new(),
    }
}

/// The lines as SKU, location, quantity and shipped.
pub(crate) fn lines(reservation: &Reservation) -> Vec<(&str, &str, i64, i64)> {
    let lines = reservation.lines.iter();
    lines.map(|line| (line.sku.as_str(), line.location.as_str(), line.quantity, line.shipped)).collect()
}

/// The shortages of "out of stock" as SKU, requested and available.
pub(crate) fn short<T: std::fmt::Debug>(result: Result<T, InventoryError>) -> Vec<(String, i64, i64)> {
    match result.unwrap_err() {
        InventoryError::OutOfStock(lines) => lines.into_iter().map(|l| (l.sku, l.requested, l.available)).collect(),
        other => panic!("{other}"),
    }
}

/// A call with a key.
pub(crate) fn keyed(key: &str, hash: u8) -> Call {
    Call { key: Some(IdempotencyKey { key: key.into(), request_hash: vec![hash; 32] }), ..call() }
}
