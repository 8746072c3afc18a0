//! Import, export, and the jobs that carry them.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::call::{Answer, Call};
use crate::clock::{Id, Time};
use crate::error::{Fault, FieldError, fault_code};
use crate::inventory::InventoryError;
use crate::page::Page;

/// The largest piece of an import's input.
pub const PIECE_BYTES_MAX: usize = 1024 * 1024;

/// The format of an import or an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkFormat {
    /// Shopify's product CSV.
    Csv,
    /// emporium's own: one JSON object a line.
    Jsonl,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportOptions {
    pub format: BulkFormat,
    /// Check everything, change nothing.
    pub dry_run: bool,
    /// Where quantities go that name no location; the active location with the lowest priority number when absent.
    pub location: Option<String>,
}

/// What is wrong with one row; the others are imported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowFault {
    /// Of the file, from 1.
    pub line: u64,
    /// The column's name (CSV) or the value's JSON Pointer (JSONL); empty: the row as a whole.
    pub column: String,
    #[schema(schema_with = fault_code)]
    pub code: String,
    /// What is wrong and what is allowed, in English.
    pub message: String,
    /// The numbers and words of the message, by their names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    pub arguments: Map<String, Value>,
}

impl RowFault {
    pub(in crate::inventory) fn new(line: u64, column: impl Into<String>, fault: Fault) -> Self {
        RowFault::of(line, FieldError::new(column, fault))
    }

    /// What is wrong with a value of this line; its pointer is the column.
    pub(in crate::inventory) fn of(line: u64, wrong: FieldError) -> Self {
        let FieldError { pointer, code, message, arguments } = wrong;
        RowFault { line, column: pointer, code, message, arguments }
    }
}

/// In English, on one line.
impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column.as_str() {
            "" => write!(f, "line {}: {}", self.line, self.message),
            column => write!(f, "line {}, {column}: {}", self.line, self.message),
        }
    }
}

/// How far an import is, or how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    pub dry_run: bool,
    pub products_created: u64,
    pub products_updated: u64,
    pub products_unchanged: u64,
    pub skus_created: u64,
    pub skus_updated: u64,
    /// SKUs at locations whose counters were set.
    pub stock_changed: u64,
    /// Created or updated.
    pub locations_changed: u64,
    /// Created or updated.
    pub categories_changed: u64,
    /// Rows that were left out: those with a fault, and those of a product that has one in its own values or no good SKU.
    pub rows_failed: u64,
    /// Columns of a CSV that the shop does not know, so that what stands in them was not imported: at most 100.
    pub columns_ignored: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

/// Work that outlives its request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    pub id: Id,
    /// `import`.
    pub kind: String,
    pub state: JobState,
    /// Bytes of the input: all, and done so far.
    pub total: i64,
    pub done: i64,
    pub report: ImportReport,
    /// Why it failed.
    pub message: String,
    /// Where its file could not be read on, if that is why it failed.
    pub fault: Option<RowFault>,
    pub actor: String,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// A piece of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportChunk {
    pub bytes: Vec<u8>,
    /// Ask again with this for what follows.
    pub next: Option<String>,
}

/// Products in and out in bulk. Products are matched by handle, SKUs by code; a row that changes nothing writes nothing.
#[async_trait]
pub trait Bulk: Send + Sync {
    /// Begins an import whose input is yet to be sent; gives the id of its job.
    async fn import_begin(&self, call: &Call, options: ImportOptions) -> Result<Id, InventoryError>;
    /// Keeps a piece of the input: of at most [`PIECE_BYTES_MAX`]; `seq` counts the pieces from 0.
    async fn import_add(&self, import: Id, seq: i64, bytes: Vec<u8>) -> Result<(), InventoryError>;
    /// The input is whole: queues its import. A repeated call gives the first job; this import waits on, and is yet to be
    /// forgotten.
    async fn import_start(&self, call: &Call, import: Id) -> Result<Answer<Job>, InventoryError>;
    /// Forgets an import that was not started, as if it had not been begun.
    async fn import_forget(&self, import: Id) -> Result<(), InventoryError>;
    async fn job_get(&self, id: Id) -> Result<Option<Job>, InventoryError>;
    /// Newest first.
    async fn job_list(&self, query: JobQuery) -> Result<Page<Job>, InventoryError>;
    /// In the order of the file; `None`: no such job. At most 10,000 faults are kept.
    async fn job_faults(&self, id: Id, query: JobQuery) -> Result<Option<Page<RowFault>>, InventoryError>;
    /// Stops a job that has not ended, after the batch that it is at; what is imported stays. `Conflict` for one that has ended.
    async fn job_cancel(&self, call: &Call, id: Id) -> Result<Option<Job>, InventoryError>;
    /// Runs the next queued job, and takes up one whose process died; gives whether there was one.
    async fn job_run_next(&self) -> Result<bool, InventoryError>;
    /// Runs no job any more, until the process ends. The one that runs is handed back after the batch that it is at: whoever asks
    /// next, in another process, goes on with it at once.
    async fn jobs_stop(&self);
    /// Makes the words anew by which some products are found, in the order of their handles from the one after `after` on; gives from
    /// which it goes on, `None` after the last. For when all products have come from another database.
    async fn words_rebuild(&self, after: String) -> Result<Option<String>, InventoryError>;
    /// A piece of all products with their stock, in the order of their handles; `after: None` begins (CSV: with the header).
    async fn export_chunk(&self, format: BulkFormat, after: Option<String>) -> Result<ExportChunk, InventoryError>;
    /// Forgets idempotency keys, events and finished jobs that are past their time: at most 1,000 rows of each table. Gives the
    /// largest number that went of one table: with 1,000 there may be more, so it is worth while to call again at once.
    async fn tidy(&self) -> Result<u64, InventoryError>;
}
