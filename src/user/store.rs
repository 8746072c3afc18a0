//! All SQL of the module. Functions take a connection and never begin a transaction.

pub(super) mod address;
pub(super) mod api_key;
pub(super) mod audit;
pub(super) mod cart;
pub(super) mod delivery;
pub(super) mod login_throttle;
pub(super) mod mail;
pub(super) mod one_time_token;
pub(super) mod profile;
pub(super) mod rate_count;
pub(super) mod session;
pub(super) mod signing_key;
pub(super) mod tidy;
pub(super) mod user;
