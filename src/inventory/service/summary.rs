//! Numbers over all stock and all reservations, for those who look after the shop.

use std::collections::HashMap;

use super::LocalInventory;
use super::listing::MICROS_MAX;
use super::validate::Faults;
use crate::clock::Time;
use crate::error::Fault;
use crate::inventory::store::listing::offer::offers;
use crate::inventory::store::summary as store;
use crate::inventory::{DAYS_MAX, InventoryError, ReservationSummary, ScarceSku, Scarcity, SkuOffer, StockSummary};
use crate::page::Page;

impl LocalInventory {
    pub(super) async fn summarise_stock(&self) -> Result<StockSummary, InventoryError> {
        let (currency, now) = (self.config.currency.clone(), self.clock.now());
        self.db.read(move |conn| Ok(store::stock_summary(conn, &currency, now)?)).await
    }

    pub(super) async fn list_scarce(
        &self,
        scarcity: Scarcity,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<ScarceSku>, InventoryError> {
        let limit = super::limit(limit)?;
        let after: Option<(i64, String, String)> = super::position(cursor.as_deref())?;
        let (available, code, location) = after.unwrap_or((i64::MIN, String::new(), String::new()));
        if [&code, &location].iter().any(|text| text.contains('\0')) {
            return Err(InventoryError::InvalidCursor);
        }
        let after = store::ScarceRow { available, code, location };
        let (currency, now) = (self.config.currency.clone(), self.clock.now());
        self.db
            .read(move |conn| {
                let rows = store::scarce_skus(conn, scarcity, &after, limit + 1, now)?;
                let place = |row: &store::ScarceRow| (row.available, row.code.clone(), row.location.clone());
                let rows = Page::cut(rows, limit, place);
                let mut codes: Vec<String> = rows.items.iter().map(|row| row.code.clone()).collect();
                codes.sort_unstable();
                codes.dedup();
                let found = offers(conn, &codes, &currency, now)?;
                let found: HashMap<&str, &SkuOffer> = found.iter().map(|offer| (&*offer.sku.code, offer)).collect();
                let scarce = |row: store::ScarceRow| {
                    let offer = (*found.get(&*row.code)?).clone();
                    let location = Some(row.location).filter(|location| !location.is_empty());
                    Some(ScarceSku { offer, location, available: row.available })
                };
                let items = rows.items.into_iter().filter_map(scarce).collect();
                Ok::<_, InventoryError>(Page { items, next_cursor: rows.next_cursor })
            })
            .await
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
