//! `LocalInventory`: the rules, and every transaction.

use std::sync::Arc;

use checks::Checks;

use crate::clock::SharedClock;
use crate::config::InventoryConfig;
use crate::db::Database;

mod bulk;
mod catalogue;
mod checks;
mod html;
mod idempotency;
mod listing;
mod reservation;
mod stock;
mod validate;

pub use bulk::{ImportEnd, ImportProgress, ImportWatch};

/// The module in this process, on its own database.
pub struct LocalInventory {
    db: Database,
    clock: SharedClock,
    config: InventoryConfig,
    checks: Checks,
}

/// Makes the module's local form.
pub fn local(db: Database, clock: SharedClock, config: InventoryConfig) -> Arc<LocalInventory> {
    Arc::new(LocalInventory { db, clock, config, checks: Checks::default() })
}
