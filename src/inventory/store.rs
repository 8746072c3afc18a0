//! All SQL of the module. Functions take a connection and never begin a transaction.

pub(super) mod category;
pub(super) mod event;
pub(super) mod idempotency;
pub(super) mod ledger;
pub(super) mod level;
pub(super) mod listing;
pub(super) mod location;
pub(super) mod product;
pub(super) mod repair;
pub(super) mod reservation;
pub(super) mod search;
pub(super) mod sku;
mod statement;
pub(super) mod stock;
pub(super) mod verify;
