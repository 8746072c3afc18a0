//! emporium: an online shop in one binary. The rooms, in reading order.

// The composition root and what it reads.
pub mod app;
pub mod config;

// The business modules, each behind its door.
pub mod inventory;
pub mod user;

// The pages, which know the two doors only.
pub mod web;

// What they share.
pub mod call;
pub mod clock;
pub mod db;
pub mod error;
pub mod http;
pub mod kept;
pub mod money;
pub mod page;
pub mod telemetry;
mod texts;

// For trials.
pub mod sample;
