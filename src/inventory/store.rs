//! All SQL of the module. Functions take a connection and never begin a transaction.

pub(super) mod category;
pub(super) mod event;
pub(super) mod idempotency;
pub(super) mod location;
pub(super) mod product;
pub(super) mod search;
pub(super) mod sku;
pub(super) mod stock;
