//! Reservations: `held -> committed -> shipped`, `held -> released | expired`, `committed -> cancelled`.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::call::{Answer, Call, some};
use crate::clock::{Id, Time};
use crate::inventory::{InventoryError, Money};
use crate::page::Page;

/// At most so many lines a reservation.
pub const LINES_MAX: usize = 100;
/// At most so many times a summary.
pub const DAYS_MAX: usize = 63;
/// A summary counts no more reservations of a state.
pub const STATE_COUNT_MAX: i64 = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// The goods are kept until `expires_at`.
    Held,
    /// They are promised for good and wait to be shipped.
    Committed,
    Shipped,
    /// Given back before it was committed.
    Released,
    /// Its time passed before it was committed.
    Expired,
    /// Given back after it was committed, but for what was shipped before: see the lines.
    Cancelled,
}

impl fmt::Display for ReservationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).unwrap_or_default();
        f.write_str(name.as_str().unwrap_or_default())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    pub id: Id,
    pub state: ReservationState,
    /// Whose hold it is: `user:ID`, or what a program calls its shopper.
    pub holder: String,
    /// The client's own word for it, as an order number.
    pub reference: String,
    pub lines: Vec<ReservationLine>,
    /// What could not be had, when `allow_partial` was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<Shortage>,
    pub expires_at: Time,
    /// No extension goes beyond.
    pub expires_max: Time,
    /// When the order was placed: when the reservation was committed. Null: never.
    pub committed_at: Option<Time>,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReservationLine {
    pub sku: String,
    pub location: String,
    pub quantity: i64,
    pub shipped: i64,
    /// The product's, and the SKU's values and price: as they were when the goods were reserved; a later change of the product
    /// does not touch them.
    pub title: String,
    pub options: Vec<String>,
    pub unit_price: Money,
}

/// A line that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shortage {
    pub sku: String,
    /// The location that was asked for; null: any.
    pub location: Option<String>,
    pub requested: i64,
    /// What could be had instead; 0 or more.
    pub available: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservation {
    /// 1 to 100; lines of the same SKU and location are added up.
    pub lines: Vec<NewReservationLine>,
    /// How long to hold; the shop's default when absent.
    pub hold_seconds: Option<u32>,
    /// `true`: take what there is and tell what is missing; out of stock only when there is nothing at all.
    #[serde(default)]
    pub allow_partial: bool,
    /// Whose hold it is, at most 100 characters: for staff and programs that reserve for somebody. A customer always holds for himself.
    pub holder: Option<String>,
    #[serde(default)]
    #[schema(max_length = 100)]
    pub reference: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservationLine {
    pub sku: String,
    /// Take it from here; absent: from any active location, from several if one has not enough.
    pub location: Option<String>,
    /// 1 or more.
    pub quantity: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// From now; the shop's default when absent. Never beyond `expires_max`, never shortens.
    pub hold_seconds: Option<u32>,
}

/// What is shipped now.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Shipment {
    /// All that is left when absent; an empty list is refused, so that a choice of nothing does not ship everything.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 1)]
    pub lines: Option<Vec<ShipmentLine>>,
    /// The reservation's version that the shipment was decided on. Another one there is `version_mismatch`, and nothing is shipped.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub version: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipmentLine {
    pub sku: String,
    pub location: String,
    pub quantity: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReservationQuery {
    /// Staff only; a customer sees his own.
    pub holder: Option<String>,
    /// The client's own word for it, as an order number: exactly this.
    #[param(max_length = 100)]
    pub reference: Option<String>,
    pub state: Option<ReservationState>,
    /// `true`: only what was committed at some time: orders. `false`: only what never was.
    pub ordered: Option<bool>,
    /// `true`: only orders of which a part was shipped, and the rest waits or was cancelled; `state` tells these two apart.
    pub partly_shipped: Option<bool>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// How far a reservation got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationOutcome {
    pub id: Id,
    /// When it became an order; it is one, or was, for good.
    pub committed_at: Option<Time>,
    /// It was given up before its time had passed, and will not become an order. Any other may, even after its time.
    pub released: bool,
    pub expires_at: Time,
}

/// Reservations in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReservationSummary {
    /// Each state once, as told at this moment. Of a state with more than [`STATE_COUNT_MAX`] reservations, that number.
    pub states: Vec<(ReservationState, i64)>,
    pub days: Vec<OrderDay>,
}

/// The orders that were placed from one moment until the next. Of one that is cancelled, what was shipped before counts; one of which
/// nothing was shipped is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderDay {
    pub from: Time,
    pub orders: i64,
    pub units: i64,
    /// At the prices of their lines, in the shop's currency; exact up to 2^53 minor units.
    pub value: Money,
}

/// Reservations. Every step takes the caller's idempotency key, and is idempotent by itself too: a step into the state that is
/// there already gives the reservation as it is. A hold stops counting at `expires_at` exactly, swept or not.
#[async_trait]
pub trait Reservations: Send + Sync {
    /// `OutOfStock` with each line's shortage and nothing taken, unless `allow_partial`; `HolderLimit`.
    /// `holder` is whom the caller may hold for, decided by who calls.
    async fn reserve(
        &self,
        call: &Call,
        holder: String,
        new: NewReservation,
    ) -> Result<Answer<Reservation>, InventoryError>;
    async fn reservation_get(&self, id: Id) -> Result<Option<Reservation>, InventoryError>;
    /// Those of them that are there, as they are at this moment, in any order: at most [`crate::page::LIMIT_MAX`].
    async fn reservation_outcomes(&self, ids: Vec<Id>) -> Result<Vec<ReservationOutcome>, InventoryError>;
    /// Does an order of this holder wait to be shipped, wholly or in part? As it is at this moment.
    async fn order_waits(&self, holder: &str) -> Result<bool, InventoryError>;
    /// Newest first.
    async fn reservation_list(&self, query: ReservationQuery) -> Result<Page<Reservation>, InventoryError>;
    /// The reservations by state, and the orders between each two neighbours of `days`: 2 to [`DAYS_MAX`] times, each later than the
    /// one before.
    async fn reservation_summary(&self, days: Vec<Time>) -> Result<ReservationSummary, InventoryError>;
    /// `ReservationExpired` when its time has passed.
    async fn reservation_extend(
        &self,
        call: &Call,
        id: Id,
        by: Extension,
    ) -> Result<Answer<Reservation>, InventoryError>;
    /// After its time the goods are taken again; `ReservationExpired` with the shortages when that fails.
    async fn reservation_commit(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError>;
    /// `on_hand` falls. `shipped` is reached when every line is shipped whole.
    async fn reservation_ship(
        &self,
        call: &Call,
        id: Id,
        shipment: Shipment,
    ) -> Result<Answer<Reservation>, InventoryError>;
    async fn reservation_release(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError>;
    /// What is shipped stays shipped; the rest is given back. `WrongState` when all is shipped.
    async fn reservation_cancel(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError>;
    /// Tidies holds whose time has passed, at most `limit`; gives how many.
    async fn reservation_sweep(&self, limit: u32) -> Result<u32, InventoryError>;
}
