//! The traits of the module and the types that go through them, by noun.

pub(super) mod account;
pub(super) mod admin;
pub(super) mod auth;
