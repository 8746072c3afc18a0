//! The rules of stock: reads here, changes in `change` and `batch`, verifying in `verify`.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{LocalInventory, limit, position};
use crate::call::{Answer, Call};
use crate::clock::Id;
use crate::error::Fault;
use crate::inventory::store::event::{event_is_unplaced, event_list, event_place};
use crate::inventory::store::ledger::{LedgerPosition, ledger_list};
use crate::inventory::store::level::{LevelFilter, Sellable, level_list, sellable_list};
use crate::inventory::store::sku::had_stock;
use crate::inventory::store::stock::skus_by_code;
use crate::inventory::*;
use crate::page::Page;

mod batch;
mod change;
mod verify;

/// Up to so many units left are told to shoppers.
const FEW: i64 = 5;
/// At most so many events get their position at a time.
const PLACED_MAX: i64 = 1_000;

#[async_trait]
impl Stock for LocalInventory {
    async fn stock_list(&self, query: StockQuery) -> Result<Page<StockLevel>, InventoryError> {
        let limit = limit(query.limit)?;
        let after = position::<(String, String)>(query.cursor.as_deref())?;
        let texts = [&query.sku, &query.location].into_iter().flatten();
        if texts.chain(after.iter().flat_map(|(sku, location)| [sku, location])).any(|text| text.contains('\0')) {
            return Ok(Page { items: vec![], next_cursor: None });
        }
        let filter = LevelFilter {
            skus: query.sku.map(|sku| vec![sku]),
            locations: query.location.map(|location| vec![location]),
            low: query.low.unwrap_or_default(),
            after,
        };
        let now = self.clock.now();
        let rows = self.db.read(move |conn| Ok::<_, InventoryError>(level_list(conn, filter, limit + 1, now)?)).await?;
        Ok(Page::cut(rows, limit, |level| (level.sku.clone(), level.location.clone())))
    }

    async fn stock_at(&self, skus: Vec<String>, locations: Vec<String>) -> Result<Vec<StockLevel>, InventoryError> {
        let pairs = skus.len().saturating_mul(locations.len());
        if pairs > LEVELS_MAX {
            return Err(InventoryError::invalid("sku", Fault::TooMany { count: pairs, max: LEVELS_MAX }));
        }
        if pairs == 0 {
            return Ok(vec![]);
        }
        let storable = |codes: Vec<String>| Some(codes.into_iter().filter(|code| !code.contains('\0')).collect());
        let filter = LevelFilter { skus: storable(skus), locations: storable(locations), low: false, after: None };
        let now = self.clock.now();
        self.db.read(move |conn| Ok(level_list(conn, filter, LEVELS_MAX as i64, now)?)).await
    }

    async fn had_stock(&self, product: Id, sku: Option<Id>) -> Result<bool, InventoryError> {
        self.db.read(move |conn| Ok(had_stock(conn, product, sku)?)).await
    }

    async fn availability(&self, skus: Vec<String>) -> Result<Vec<Availability>, InventoryError> {
        if skus.len() > ROWS_MAX {
            return Err(InventoryError::invalid("sku", Fault::TooMany { count: skus.len(), max: ROWS_MAX }));
        }
        let now = self.clock.now();
        let codes: Vec<String> = skus.iter().filter(|code| !code.contains('\0')).cloned().collect();
        let found = self.db.read(move |conn| Ok::<_, InventoryError>(sellable_list(conn, &codes, now)?)).await?;
        let found: HashMap<&str, &Sellable> = found.iter().map(|sellable| (sellable.sku.as_str(), sellable)).collect();
        Ok(skus.iter().filter_map(|code| found.get(code.as_str()).copied().map(availability)).collect())
    }

    async fn stock_scarce(
        &self,
        scarcity: Scarcity,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<ScarceSku>, InventoryError> {
        self.list_scarce(scarcity, cursor, limit).await
    }

    async fn stock_summary(&self) -> Result<StockSummary, InventoryError> {
        self.summarise_stock().await
    }

    async fn stock_adjust(
        &self,
        call: &Call,
        batch: StockBatch<Adjustment>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        self.change(call, batch).await
    }

    async fn stock_count(&self, call: &Call, batch: StockBatch<Count>) -> Result<Answer<BatchResult>, InventoryError> {
        self.change(call, batch).await
    }

    async fn stock_transfer(
        &self,
        call: &Call,
        batch: StockBatch<Transfer>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        self.change(call, batch).await
    }

    async fn stock_receive(
        &self,
        call: &Call,
        batch: StockBatch<Receipt>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        self.change(call, batch).await
    }

    async fn ledger(&self, sku: &str, query: LedgerQuery) -> Result<Option<Page<LedgerEntry>>, InventoryError> {
        let limit = limit(query.limit)?;
        let after = position::<LedgerPosition>(query.cursor.as_deref())?;
        // A forged cursor may name a time that PostgreSQL cannot.
        if after.is_some_and(|(time, ..)| time.micros() < 0) {
            return Err(InventoryError::InvalidCursor);
        }
        let (code, location) = ([sku.to_owned()], query.location);
        let rows = self
            .db
            .read(move |conn| {
                let Some(sku) = skus_by_code(conn, &code)?.pop() else { return Ok(None) };
                if location.as_ref().is_some_and(|location| location.contains('\0')) {
                    return Ok(Some(vec![]));
                }
                let rows = ledger_list(conn, &sku, location.as_deref(), after, limit + 1)?;
                Ok::<_, InventoryError>(Some(rows))
            })
            .await?;
        Ok(rows.map(|rows| Page::cut(rows, limit, |(position, _)| *position).map(|(_, entry)| entry)))
    }

    async fn stock_verify(&self, call: &Call, repair: bool) -> Result<Verification, InventoryError> {
        self.verify(call, repair).await
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<Event>, InventoryError> {
        let limit = limit(query.limit)?;
        let after = query.after.unwrap_or_default();
        if after < 0 {
            return Err(InventoryError::invalid("after", Fault::EventPosition));
        }
        let (events, is_complete) = self
            .db
            .read_primary(move |conn| {
                let events = event_list(conn, after, limit)?;
                let is_complete = events.len() as i64 == limit || !event_is_unplaced(conn)?;
                Ok::<_, InventoryError>((events, is_complete))
            })
            .await?;
        if is_complete {
            return Ok(events);
        }
        self.db
            .write(move |conn| {
                event_place(conn, PLACED_MAX)?;
                Ok(event_list(conn, after, limit)?)
            })
            .await
    }
}

fn availability(sellable: &Sellable) -> Availability {
    let status = match sellable.in_stock {
        0 if sellable.with_backorder > 0 => AvailabilityStatus::Backorder,
        0 => AvailabilityStatus::SoldOut,
        1..=FEW => AvailabilityStatus::Few,
        _ => AvailabilityStatus::InStock,
    };
    let left = (status == AvailabilityStatus::Few).then_some(sellable.in_stock);
    Availability { sku: sellable.sku.clone(), status, left, orderable: Some(sellable.with_backorder) }
}
