//! THE DOOR of the inventory module: product descriptions, stock and reservations.
//!
//! Everybody holds an `Arc<dyn Inventory>`; what stands in `door/` is all that the module shows.

use crate::call::Version;
use crate::db::{DbError, Failure, Migrations};
use crate::error::{ErrorCode, Fault, FieldError, Problem};

mod door;
mod flow;
mod format;
pub mod routes;
mod schema;
mod service;
mod store;

pub use door::bulk::*;
pub use door::catalogue::*;
pub use door::change::*;
pub use door::listing::*;
pub use door::price::*;
pub use door::reservation::*;
pub use door::stock::*;
pub use flow::{ImportInput, export_stream};
pub use service::{ImportEnd, ImportProgress, ImportWatch, LocalInventory, local};

/// The module as others see it.
pub trait Inventory: Catalogue + Stock + Reservations + Bulk + ChangeLog {
    /// Where it runs; `local`: in this process.
    fn place(&self) -> &'static str;
}

/// The module's tables, in both dialects.
pub static MIGRATIONS: Migrations = Migrations {
    sqlite: diesel_migrations::embed_migrations!("migrations/sqlite/inventory"),
    postgres: diesel_migrations::embed_migrations!("migrations/postgres/inventory"),
};

/// All tables but those of the words by which products are found, the parents first: as they are moved to another database.
pub const TABLES: &[&str] = &[
    "categories ORDER BY path",
    "locations",
    "products",
    "product_tags",
    "former_handles",
    "former_paths",
    "skus",
    "stock",
    "stock_ledger",
    "holders",
    "reservations",
    "reservation_lines",
    "idempotency_keys",
    "outbox",
    "outbox_head",
    "changes",
    "jobs",
    "job_errors",
    "job_inputs",
];
/// Those that have rows from the start.
pub const TABLES_FILLED: &[&str] = &["outbox_head"];

/// All that can go wrong in this module. Absence is not among it: what looks for one thing gives `Option`.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// What a change names is not there.
    #[error("there is no {what} {name:?}")]
    NotFound { what: &'static str, name: String },
    #[error("some values are not allowed: {0:?}")]
    Invalid(Vec<FieldError>),
    #[error("the cursor cannot be read")]
    InvalidCursor,
    #[error("there is already a {what} {name:?}")]
    AlreadyExists { what: &'static str, name: String },
    /// The thing cannot be changed or removed while something else needs it.
    #[error("{0}")]
    Conflict(Fault),
    #[error("version {expected} was expected, {actual} is there")]
    VersionMismatch { expected: Version, actual: Version },
    /// Not enough for these lines; nothing was taken.
    #[error("out of stock: {0:?}")]
    OutOfStock(Vec<Shortage>),
    #[error("holder {holder:?} would hold {units} units; at most {max} are allowed")]
    HolderLimit { holder: String, units: i64, max: i64 },
    #[error("the reservation expired at {expired_at} and its goods are gone")]
    ReservationExpired { expired_at: crate::clock::Time, lines: Vec<Shortage> },
    /// The reservation is in a state from which this step does not go.
    #[error("the reservation is {state}, so it cannot {step}")]
    WrongState { state: ReservationState, step: &'static str },
    #[error("{sku} at {location}: {expected} were expected, {actual} are there")]
    CountMismatch { sku: String, location: String, expected: i64, actual: i64 },
    /// The change would leave less on hand than is promised.
    #[error("{sku} at {location}: {promised} units are promised to reservations")]
    StockPromised { sku: String, location: String, promised: i64 },
    /// What a row of a batch failed with that is done wholly or not at all.
    #[error("row {row}: {error}")]
    Row { row: usize, error: Box<InventoryError> },
    /// What is wrong with rows of a batch that is done wholly or not at all, each by its number; nothing was done.
    #[error("{} rows cannot be done, so none was", .0.len())]
    Rows(Vec<(usize, InventoryError)>),
    /// As many other checks run and wait as there may be.
    #[error("too many large texts are checked at once")]
    Busy,
    #[error("a call with this key is still running")]
    KeyInUse,
    #[error("this key was used for another request")]
    KeyReused,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for InventoryError {
    fn from(error: diesel::result::Error) -> Self {
        InventoryError::Db(error.into())
    }
}

impl Failure for InventoryError {
    fn db(&self) -> Option<&DbError> {
        match self {
            InventoryError::Db(error) => Some(error),
            InventoryError::Row { error, .. } => error.db(),
            _ => None,
        }
    }
}

impl InventoryError {
    /// One value that is not allowed; `pointer` as in [`FieldError`].
    pub fn invalid(pointer: impl Into<String>, fault: impl Into<Fault>) -> Self {
        InventoryError::Invalid(vec![FieldError::new(pointer, fault)])
    }
}

impl From<InventoryError> for Problem {
    fn from(error: InventoryError) -> Self {
        let detail = error.to_string();
        match error {
            InventoryError::NotFound { .. } => Problem::new(ErrorCode::NotFound, detail),
            InventoryError::Invalid(errors) => Problem::validation(errors),
            InventoryError::InvalidCursor => Problem::new(ErrorCode::InvalidCursor, detail),
            InventoryError::AlreadyExists { .. } => Problem::new(ErrorCode::AlreadyExists, detail),
            InventoryError::Conflict(fault) => Problem::conflict(&fault),
            InventoryError::VersionMismatch { actual, .. } => {
                Problem::new(ErrorCode::VersionMismatch, detail).with("version", actual.number)
            }
            InventoryError::OutOfStock(lines) => {
                Problem::new(ErrorCode::OutOfStock, "There is not enough of some lines; nothing was taken.")
                    .with("lines", lines)
            }
            InventoryError::HolderLimit { max, .. } => Problem::new(ErrorCode::HolderLimit, detail).with("max", max),
            InventoryError::ReservationExpired { lines, .. } => {
                Problem::new(ErrorCode::ReservationExpired, detail).with("lines", lines)
            }
            InventoryError::WrongState { state, .. } => {
                Problem::new(ErrorCode::WrongState, detail).with("state", state)
            }
            InventoryError::CountMismatch { actual, .. } => {
                Problem::new(ErrorCode::CountMismatch, detail).with("actual", actual)
            }
            InventoryError::StockPromised { .. } => Problem::new(ErrorCode::StockPromised, detail),
            InventoryError::Row { row, error } => {
                let mut problem = Problem::from(*error).with("row", row);
                problem.detail = format!("Row {row}: {}", problem.detail);
                for fault in &mut problem.errors {
                    fault.pointer = format!("/rows/{row}{}", fault.pointer);
                }
                problem
            }
            InventoryError::Rows(rows) => of_rows(rows, detail),
            InventoryError::Busy => Problem::busy(detail),
            InventoryError::KeyInUse => Problem::new(ErrorCode::IdempotencyKeyInUse, detail).retry_after(1),
            InventoryError::KeyReused => Problem::new(ErrorCode::IdempotencyKeyReused, detail),
            InventoryError::Db(error) => error.problem(),
        }
    }
}

/// The problem of several rows: each stands in its member `rows`. It is a validation problem where one of them is.
fn of_rows(rows: Vec<(usize, InventoryError)>, detail: String) -> Problem {
    let mut all = Problem::new(ErrorCode::Validation, detail);
    let (mut codes, mut told) = (vec![], vec![]);
    for (row, error) in rows {
        let mut problem = Problem::from(error);
        told.push(RowFailure { row, code: problem.code.code().to_owned(), detail: problem.detail });
        codes.push(problem.code);
        for fault in &mut problem.errors {
            fault.pointer = format!("/rows/{row}{}", fault.pointer);
        }
        all.errors.append(&mut problem.errors);
    }
    let is_validation = codes.contains(&ErrorCode::Validation);
    all.code = codes.first().copied().filter(|_| !is_validation).unwrap_or(ErrorCode::Validation);
    all.with("rows", told)
}

impl From<InventoryError> for crate::http::ApiError {
    fn from(error: InventoryError) -> Self {
        crate::http::ApiError(error.into())
    }
}
