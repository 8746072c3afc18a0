//! The one test binary. Everything starts through [`testapp::TestApp`], which runs the same `app::start` as the binary, or through
//! [`process::Process`], which runs the binary itself.

mod access;
mod account;
mod admin;
mod auth;
mod browser;
mod bulk;
mod catalogue;
mod changes;
mod cli;
mod crash;
mod events;
mod faults;
mod http;
mod jobs;
mod journeys;
mod listing;
mod openapi;
mod oversell;
mod process;
mod reservation;
mod schema;
mod seed;
mod stages;
mod stock;
mod testapp;
mod tidy;
mod verify;
mod watch;
mod web;
mod web_account;
mod web_admin;
mod web_catalogue;
mod web_goods;
mod web_shop;
