//! The one test binary. Everything starts through [`testapp::TestApp`], which runs the same `app::start` as the binary.

mod auth;
mod catalogue;
mod events;
mod reservation;
mod seed;
mod stock;
mod testapp;
mod verify;
