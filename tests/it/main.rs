//! The one test binary. Everything starts through [`testapp::TestApp`], which runs the same `app::start` as the binary, or through
//! [`process::Process`], which runs the binary itself.

mod access;
mod auth;
mod catalogue;
mod cli;
mod crash;
mod http;
mod listing;
mod openapi;
mod process;
mod schema;
mod stages;
mod testapp;
mod tidy;
