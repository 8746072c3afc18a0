//! Prices of many SKUs at once.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::inventory::Money;

/// The prices that a SKU shall have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceChange {
    /// The SKU's code; each at most once.
    pub sku: String,
    /// The SKU's version that the caller saw. Another one there is refused, unless the SKU has these prices already.
    #[schema(minimum = 1)]
    pub version: i64,
    pub price: Money,
    /// The former price, shown struck through; absent or null: none.
    pub compare_at_price: Option<Money>,
}

/// Up to 1,000 rows, of any products. All of them are done, or none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceBatch {
    #[schema(min_items = 1, max_items = 1000)]
    pub rows: Vec<PriceChange>,
}

/// The SKUs as they are after the change, in the order of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PriceResult {
    /// So many of them were changed; the others had these prices already.
    pub changed: usize,
    pub rows: Vec<SkuPrice>,
}

/// Why a row cannot be done, in the problem of a refused batch: the code and the detail of its own problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowFailure {
    pub row: usize,
    pub code: String,
    pub detail: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SkuPrice {
    pub sku: String,
    pub version: i64,
    pub price: Money,
    pub compare_at_price: Option<Money>,
}
