//! The one test binary. Everything starts through [`testapp::TestApp`], which runs the same `app::start` as the binary.

mod account;
mod admin;
mod auth;
mod testapp;
