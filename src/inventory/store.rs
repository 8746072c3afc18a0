//! All SQL of the module. Functions take a connection and never begin a transaction.

pub(super) mod event;
pub(super) mod idempotency;
pub(super) mod ledger;
pub(super) mod level;
pub(super) mod repair;
pub(super) mod stock;
pub(super) mod verify;
