//! The rules of bulk.

use async_trait::async_trait;

use super::LocalInventory;
use crate::call::*;
use crate::clock::*;
use crate::inventory::*;
use crate::page::*;

#[async_trait]
impl Bulk for LocalInventory {
    async fn import_start(&self, call: &Call, options: ImportOptions, input: Vec<u8>) -> Result<Job, InventoryError> {
        todo!()
    }

    async fn job_get(&self, id: Id) -> Result<Option<Job>, InventoryError> {
        todo!()
    }

    async fn job_list(&self, query: JobQuery) -> Result<Page<Job>, InventoryError> {
        todo!()
    }

    async fn job_faults(&self, id: Id, query: JobQuery) -> Result<Option<Page<RowFault>>, InventoryError> {
        todo!()
    }

    async fn job_cancel(&self, call: &Call, id: Id) -> Result<Option<Job>, InventoryError> {
        todo!()
    }

    async fn job_run_next(&self) -> Result<bool, InventoryError> {
        todo!()
    }

    async fn export_chunk(&self, format: BulkFormat, after: Option<String>) -> Result<ExportChunk, InventoryError> {
        todo!()
    }

    async fn tidy(&self) -> Result<u64, InventoryError> {
        todo!()
    }
}
