//! All SQL of the module. Functions take a connection and never begin a transaction.

pub(super) mod api_key;
pub(super) mod audit;
pub(super) mod session;
pub(super) mod user;
