//! The traits of the module and the types that go through them, by noun.

pub mod bulk;
pub mod catalogue;
pub mod reservation;
pub mod stock;
