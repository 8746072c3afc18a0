//! The rules of stock.

use async_trait::async_trait;

use super::LocalInventory;
use crate::call::*;
use crate::clock::*;
use crate::inventory::*;
use crate::page::*;

#[async_trait]
impl Stock for LocalInventory {
    async fn stock_list(&self, query: StockQuery) -> Result<Page<StockLevel>, InventoryError> {
        todo!()
    }

    async fn availability(&self, skus: Vec<String>) -> Result<Vec<Availability>, InventoryError> {
        todo!()
    }

    async fn stock_adjust(
        &self,
        call: &Call,
        batch: StockBatch<Adjustment>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        todo!()
    }

    async fn stock_count(&self, call: &Call, batch: StockBatch<Count>) -> Result<Answer<BatchResult>, InventoryError> {
        todo!()
    }

    async fn stock_transfer(
        &self,
        call: &Call,
        batch: StockBatch<Transfer>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        todo!()
    }

    async fn stock_receive(
        &self,
        call: &Call,
        batch: StockBatch<Receipt>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        todo!()
    }

    async fn ledger(&self, sku: &str, query: LedgerQuery) -> Result<Option<Page<LedgerEntry>>, InventoryError> {
        todo!()
    }

    async fn stock_verify(&self, call: &Call, repair: bool) -> Result<Verification, InventoryError> {
        todo!()
    }

    async fn events(&self, query: EventQuery) -> Result<Vec<Event>, InventoryError> {
        todo!()
    }
}
