//! Numbers over all stock and all reservations, for those who look after the shop.

use super::LocalInventory;
use super::listing::MICROS_MAX;
use super::validate::Faults;
use crate::clock::Time;
use crate::error::Fault;
use crate::inventory::store::summary as store;
use crate::inventory::{DAYS_MAX, InventoryError, ReservationSummary, StockSummary};

impl LocalInventory {
    pub(super) async fn summarise_stock(&self) -> Result<StockSummary, InventoryError> {
        let (currency, now) = (self.config.currency.clone(), self.clock.now());
        self.db.read(move |conn| Ok(store::stock_summary(conn, &currency, now)?)).await
    }

    pub(super) async fn summarise_reservations(&self, days: Vec<Time>) -> Result<ReservationSummary, InventoryError> {
        check_days(&days)?;
        let (currency, now) = (self.config.currency.clone(), self.clock.now());
        self.db
            .read(move |conn| {
                let states = store::reservation_states(conn, now)?;
                let days = store::order_days(conn, &days, &currency)?;
                Ok(ReservationSummary { states, days })
            })
            .await
    }
}

fn check_days(days: &[Time]) -> Result<(), InventoryError> {
    let mut faults = Faults::default();
    if !(2..=DAYS_MAX).contains(&days.len()) {
        faults.add("/days", Fault::WrongCount { count: days.len(), min: 2, max: DAYS_MAX });
        return faults.finish();
    }
    for (index, day) in days.iter().enumerate() {
        if !(0..=MICROS_MAX).contains(&day.micros()) {
            faults.add(&format!("/days/{index}"), "must be from 1970 to 9999");
        } else if index > 0 && days[index - 1] >= *day {
            faults.add(&format!("/days/{index}"), "must be later than the time before it");
        }
    }
    faults.finish()
}
