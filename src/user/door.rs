//! The traits of the module and the types that go through them, by noun.

pub mod account;
pub mod admin;
pub mod auth;
