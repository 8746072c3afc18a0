//! Import, export, jobs and tidying; here is what goes through the door.

use async_trait::async_trait;

use super::LocalInventory;
use crate::call::{Answer, Call};
use crate::clock::Id;
use crate::inventory::store::tidy::{Ages, tidy};
use crate::inventory::*;
use crate::page::Page;

mod batch;
mod export;
mod import;
mod job;
mod plan;
mod prepare;
mod read;

pub use import::{ImportEnd, ImportProgress, ImportWatch};

const DAY: u32 = 86_400;
/// Ended jobs are kept so many days.
const JOBS_DAYS: u32 = 30;
/// An input of which nothing has come for so long will not come any more. A piece is kept at a time: at the pace that an upload must
/// hold, it takes 64 times `request_timeout_ms`, which is eleven hours at most.
const UPLOAD_SECONDS: u32 = 43_200;
/// Rows of each table that one call takes away.
const TIDY_ROWS: i64 = 1_000;

#[async_trait]
impl Bulk for LocalInventory {
    async fn import_begin(&self, call: &Call, options: ImportOptions) -> Result<Id, InventoryError> {
        self.begin_import(call, options).await
    }

    async fn import_add(&self, import: Id, seq: i64, bytes: Vec<u8>) -> Result<(), InventoryError> {
        self.add_to_import(import, seq, bytes).await
    }

    async fn import_start(&self, call: &Call, import: Id) -> Result<Answer<Job>, InventoryError> {
        self.start_import(call, import).await
    }

    async fn import_forget(&self, import: Id) -> Result<(), InventoryError> {
        self.forget_import(import).await
    }

    async fn job_get(&self, id: Id) -> Result<Option<Job>, InventoryError> {
        self.get_job(id).await
    }

    async fn job_list(&self, query: JobQuery) -> Result<Page<Job>, InventoryError> {
        self.list_jobs(query).await
    }

    async fn job_faults(&self, id: Id, query: JobQuery) -> Result<Option<Page<RowFault>>, InventoryError> {
        self.list_job_faults(id, query).await
    }

    async fn job_cancel(&self, _: &Call, id: Id) -> Result<Option<Job>, InventoryError> {
        self.cancel_job(id).await
    }

    async fn job_run_next(&self) -> Result<bool, InventoryError> {
        self.run_next_job().await
    }

    async fn jobs_stop(&self) {
        self.jobs_stopped.send_replace(true);
    }

    async fn words_rebuild(&self, after: String) -> Result<Option<String>, InventoryError> {
        self.rebuild_words(after).await
    }

    async fn export_chunk(&self, format: BulkFormat, after: Option<String>) -> Result<ExportChunk, InventoryError> {
        self.export(format, after).await
    }

    async fn tidy(&self) -> Result<u64, InventoryError> {
        let now = self.clock.now();
        let ages = Ages {
            now,
            keys: now.minus_seconds(self.config.idempotency_hours * 3_600),
            events: now.minus_seconds(self.config.events_days * DAY),
            holders: now.minus_seconds(DAY),
            jobs: now.minus_seconds(JOBS_DAYS * DAY),
            uploads: now.minus_seconds(UPLOAD_SECONDS),
        };
        let tidied = self.db.leased("tidying", |lease| {
            self.db.write(move |conn| {
                lease.fence(conn)?;
                Ok::<_, InventoryError>(tidy(conn, &ages, TIDY_ROWS)?)
            })
        });
        Ok(tidied.await?.unwrap_or(0))
    }
}
