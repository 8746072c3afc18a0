//! The log of changes: who changed what in the catalogue, and who did what with somebody's order.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::clock::{Id, Time};
use crate::inventory::InventoryError;
use crate::page::Page;

/// At most so many fields has an entry; a change of more has several.
pub const FIELDS_MAX: usize = 100;

/// What somebody did to a product, a category, a location or a reservation. Changes of stock are in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    pub id: Id,
    /// As `product.updated`, `category.deleted`, `reservation.shipped`.
    pub action: String,
    /// `user:ID`, `key:ID` or `cli`.
    pub actor: String,
    /// Of the product (also where one of its SKUs changed), the category, the location or the reservation.
    pub subject_id: Id,
    /// What it was called then: its handle, path, code or reference.
    pub subject: String,
    /// What changed of it; at most 100.
    pub fields: Vec<FieldChange>,
    pub created_at: Time,
}

/// One value that was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// Its name in the API, as `title`; `sku` where a SKU came or went.
    pub field: String,
    /// Of which SKU of the product; null: of the thing itself.
    pub sku: Option<String>,
    /// What it was and what it is. Both are null where one is longer than 200 bytes: that is not kept.
    pub from: Value,
    pub to: Value,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// Only of this product, category, location or reservation.
    pub subject: Option<Id>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

#[async_trait]
pub trait ChangeLog: Send + Sync {
    /// Newest first. It has all changes of products, categories and locations, also those by imports; of reservations all shipments
    /// and cancellations, and what a person did with somebody else's.
    async fn change_list(&self, query: ChangeQuery) -> Result<Page<Change>, InventoryError>;
}
