//! `LocalUser`: the rules, and every transaction.

use std::sync::Arc;

use crate::clock::SharedClock;
use crate::config::UserConfig;
use crate::db::Database;

mod account;
mod admin;
mod auth;

/// The module in this process, on its own database.
pub struct LocalUser {
    db: Database,
    clock: SharedClock,
    config: UserConfig,
}

/// Makes the module's local form.
pub fn local(db: Database, clock: SharedClock, config: UserConfig) -> Arc<LocalUser> {
    Arc::new(LocalUser { db, clock, config })
}
