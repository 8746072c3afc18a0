//! Stock by SKU and location, its ledger, and the events.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::call::{Answer, Call};
use crate::clock::{Id, Time};
use crate::error::FieldError;
use crate::inventory::{InventoryError, Money, SkuOffer};
use crate::page::Page;

/// At most so many rows a call.
pub const ROWS_MAX: usize = 1_000;
/// At most so many levels are told at once.
pub const LEVELS_MAX: usize = 10_000;
/// No counter and no quantity goes beyond.
pub const QUANTITY_MAX: i64 = 1_000_000_000;

/// The counters of a SKU at a location, with expired holds already counted as given back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StockLevel {
    pub sku: String,
    pub location: String,
    /// What is physically there. Falls when goods ship, not when they are ordered.
    pub on_hand: i64,
    /// Held for reservations that are not committed.
    pub reserved: i64,
    /// Promised to committed reservations and not yet shipped.
    pub allocated: i64,
    /// Kept back from sale.
    pub safety: i64,
    /// On its way to us.
    pub incoming: i64,
    /// Units that may be promised beyond what is there.
    pub backorder: i64,
    /// `on_hand - reserved - allocated - safety`; below 0 when safety was raised or more than is there is promised.
    pub available: i64,
    /// The number of its changes so far: the `seq` of its newest ledger row.
    pub version: i64,
}

/// Can a SKU be bought? Shoppers are told no exact stock beyond `few`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    pub sku: String,
    pub status: AvailabilityStatus,
    /// The number of units left, when `few`.
    pub left: Option<i64>,
    /// So many can be ordered, those beyond the stock included. The public API does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub orderable: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AvailabilityStatus {
    InStock,
    /// At most 5 are left in all active locations together.
    Few,
    /// None is there, but it may be ordered.
    Backorder,
    SoldOut,
}

/// Which counter an adjustment changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counter {
    #[default]
    OnHand,
    Safety,
    Incoming,
}

/// Add to a counter, or take from it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    pub sku: String,
    pub location: String,
    #[serde(default)]
    pub counter: Counter,
    /// Not 0.
    pub delta: i64,
    /// Why: 1 to 200 characters; stands in the ledger.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Set a counter to what was counted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    pub sku: String,
    pub location: String,
    #[serde(default)]
    pub counter: Counter,
    /// What the counter was when counting began; another value there is refused.
    pub expected: i64,
    /// What it shall be.
    pub counted: i64,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Move goods from one location to another.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    pub sku: String,
    pub from: String,
    pub to: String,
    pub quantity: i64,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Goods that were incoming have come: `incoming` falls (to 0 at the lowest) and `on_hand` rises.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub sku: String,
    pub location: String,
    pub quantity: i64,
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// Up to 1,000 rows, done in order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StockBatch<T> {
    /// `true`: all rows or none. `false`: each row by itself.
    #[serde(default)]
    pub atomic: bool,
    #[schema(min_items = 1, max_items = 1000)]
    pub rows: Vec<T>,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowResult {
    pub row: usize,
    pub ok: bool,
    /// The counters after the change; for a transfer those of both places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<StockLevel>,
    /// Why not: the code and the detail of a problem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RowError>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowError {
    pub code: String,
    pub detail: String,
    /// The values that are not allowed, by their places in the row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    pub done: usize,
    pub failed: usize,
    pub rows: Vec<RowResult>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StockQuery {
    pub sku: Option<String>,
    pub location: Option<String>,
    /// `true`: only where what is available is at or below the SKU's threshold.
    pub low: Option<bool>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerKind {
    Adjusted,
    Counted,
    Received,
    TransferredOut,
    TransferredIn,
    Reserved,
    Committed,
    Released,
    Expired,
    Shipped,
    Cancelled,
    Imported,
    /// Written by `stock verify --repair`: brings a counter to what it should be.
    Repaired,
}

impl fmt::Display for LedgerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).unwrap_or_default();
        f.write_str(name.as_str().unwrap_or_default())
    }
}

/// One change of a SKU's counters at a location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    pub sku: String,
    pub location: String,
    /// 1, 2, 3 … without a gap for each SKU and location.
    pub seq: i64,
    pub kind: LedgerKind,
    /// What was added to each counter.
    pub delta: Counters,
    /// The counters after it.
    pub after: Counters,
    pub reason: String,
    pub actor: String,
    pub reservation_id: Option<Id>,
    pub created_at: Time,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counters {
    pub on_hand: i64,
    pub reserved: i64,
    pub allocated: i64,
    pub safety: i64,
    pub incoming: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerQuery {
    /// One location; all when absent.
    pub location: Option<String>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// Something that happened, for other systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub id: Id,
    /// Its place in the feed: rises, may skip; ask for what comes after it.
    pub position: i64,
    /// As `reservation.committed`, `product.updated`, `stock.low`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The id of the product or the reservation that it is about.
    pub subject: Id,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    pub created_at: Time,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// The position of the last event seen; 0 or absent: from the oldest that is kept.
    pub after: Option<i64>,
    pub limit: Option<u32>,
}

/// One thing in which the counters, the ledger and the reservations disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub sku: String,
    pub location: String,
    /// As `on_hand` or `version`.
    pub what: String,
    pub is: i64,
    pub should_be: i64,
    /// What tells what it should be.
    pub because: String,
}

/// What `stock verify` found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Rows of SKU and location that were checked.
    pub checked: i64,
    pub differences: Vec<Difference>,
    /// Was repairing asked for, and is nothing left that differs?
    pub repaired: bool,
}

/// All stock in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockSummary {
    /// In the shop, with stock or without.
    pub skus: i64,
    /// The counters of all locations, with expired holds already counted as given back.
    pub on_hand: i64,
    pub reserved: i64,
    pub allocated: i64,
    pub incoming: i64,
    /// What is on hand at today's prices, in the shop's currency; exact up to 2^53 minor units.
    pub value: Money,
    /// SKUs that are [`Scarcity::Low`], and those that are [`Scarcity::SoldOut`].
    pub low: i64,
    pub sold_out: i64,
}

/// Why a SKU of an active product wants new goods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scarcity {
    /// At a location what is available is at or below its threshold.
    Low,
    /// Nothing can be had at any active location, not even as backorder.
    SoldOut,
}

/// A SKU that wants new goods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScarceSku {
    pub offer: SkuOffer,
    /// The code of the location where it is low; `None`: it is sold out at all of them.
    pub location: Option<String>,
    /// What is available there, or at all active locations.
    pub available: i64,
}

/// The counters. Each change is in the ledger; each takes the caller's idempotency key, and a repeated call gives the first answer.
/// A quantity is at most [`QUANTITY_MAX`].
#[async_trait]
pub trait Stock: Send + Sync {
    async fn stock_list(&self, query: StockQuery) -> Result<Page<StockLevel>, InventoryError>;
    /// The levels of these SKUs at these locations, by SKU code, then location code; where there never was stock, there is none.
    /// Unknown codes are left out. At most [`LEVELS_MAX`] pairs of a SKU and a location.
    async fn stock_at(&self, skus: Vec<String>, locations: Vec<String>) -> Result<Vec<StockLevel>, InventoryError>;
    /// Was there ever stock of the product, or of one SKU of it? What had some cannot be deleted.
    async fn had_stock(&self, product: Id, sku: Option<Id>) -> Result<bool, InventoryError>;
    /// For shoppers, in the order of `skus`; unknown codes are left out. At most 1,000 codes.
    async fn availability(&self, skus: Vec<String>) -> Result<Vec<Availability>, InventoryError>;
    /// The SKUs that are scarce, each location where one is low by itself: those of which the fewest are available first, then by code
    /// and location. At most `limit` a page, as in other lists.
    async fn stock_scarce(
        &self,
        scarcity: Scarcity,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<Page<ScarceSku>, InventoryError>;
    async fn stock_summary(&self) -> Result<StockSummary, InventoryError>;
    /// With `atomic`, the first row that fails is the call's error, as [`InventoryError::Row`]. Never makes what is promised more than what is there.
    async fn stock_adjust(
        &self,
        call: &Call,
        batch: StockBatch<Adjustment>,
    ) -> Result<Answer<BatchResult>, InventoryError>;
    async fn stock_count(&self, call: &Call, batch: StockBatch<Count>) -> Result<Answer<BatchResult>, InventoryError>;
    async fn stock_transfer(
        &self,
        call: &Call,
        batch: StockBatch<Transfer>,
    ) -> Result<Answer<BatchResult>, InventoryError>;
    async fn stock_receive(
        &self,
        call: &Call,
        batch: StockBatch<Receipt>,
    ) -> Result<Answer<BatchResult>, InventoryError>;
    /// Newest first. `None`: no such SKU.
    async fn ledger(&self, sku: &str, query: LedgerQuery) -> Result<Option<Page<LedgerEntry>>, InventoryError>;
    /// Holds the counters against the ledger and the reservations; `repair` mends what differs, in one transaction, and gives what
    /// was found before it. Each difference is a warning in the log.
    async fn stock_verify(&self, call: &Call, repair: bool) -> Result<Verification, InventoryError>;
    /// Oldest first; never misses an event that was committed late.
    async fn events(&self, query: EventQuery) -> Result<Vec<Event>, InventoryError>;
}
