//! The traits of the module and the types that go through them, by noun.

pub(super) mod bulk;
pub(super) mod catalogue;
pub(super) mod change;
pub(super) mod listing;
pub(super) mod price;
pub(super) mod reservation;
pub(super) mod stock;
