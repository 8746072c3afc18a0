//! `LocalInventory`: the rules, and every transaction.

use std::sync::Arc;

use checks::Checks;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::clock::SharedClock;
use crate::config::InventoryConfig;
use crate::db::Database;
use crate::inventory::{Inventory, InventoryError};
use crate::page;

mod bulk;
mod catalogue;
mod change;
mod checks;
mod html;
mod idempotency;
mod listing;
mod reservation;
mod stock;
mod summary;
mod validate;

pub use bulk::{ImportEnd, ImportProgress, ImportWatch};

/// The module in this process, on its own database.
pub struct LocalInventory {
    db: Database,
    clock: SharedClock,
    config: InventoryConfig,
    checks: Checks,
    /// No job is run any more.
    jobs_stopped: watch::Sender<bool>,
}

/// Makes the module's local form.
pub fn local(db: Database, clock: SharedClock, config: InventoryConfig) -> Arc<LocalInventory> {
    let jobs_stopped = watch::Sender::new(false);
    Arc::new(LocalInventory { db, clock, config, checks: Checks::default(), jobs_stopped })
}

impl Inventory for LocalInventory {
    fn place(&self) -> &'static str {
        "local"
    }
}

/// The size of a page.
fn limit(limit: Option<u32>) -> Result<i64, InventoryError> {
    page::limit(limit).map_err(|fault| InventoryError::Invalid(vec![fault]))
}

/// The position after which a page begins, where the client has a cursor.
fn position<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, InventoryError> {
    cursor.map(|cursor| page::position(cursor).ok_or(InventoryError::InvalidCursor)).transpose()
}
