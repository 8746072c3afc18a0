//! Lists of products: what may be asked for, and what is told.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::clock::{Id, Time};
use crate::inventory::{Image, Money, ProductStatus};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ProductSort {
    /// Newest first: by `created_at`, then by id.
    #[default]
    #[serde(rename = "-created_at")]
    Newest,
    #[serde(rename = "created_at")]
    Oldest,
    #[serde(rename = "title")]
    Title,
    #[serde(rename = "-title")]
    TitleDescending,
    /// By the product's lowest price.
    #[serde(rename = "price")]
    Price,
    #[serde(rename = "-price")]
    PriceDescending,
    /// Best match first; with `q` only.
    #[serde(rename = "relevance")]
    Relevance,
}

/// Which products, in which order. All filters must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProductQuery {
    /// Words that must all be there, in any order; the last one may be a beginning. At most 200 characters.
    pub q: Option<String>,
    /// A category's path: products of it and of all below it.
    pub category: Option<String>,
    pub vendor: Option<String>,
    pub tag: Option<String>,
    /// Minor units: products with a SKU at this price or above.
    pub price_min: Option<i64>,
    /// Minor units: products with a SKU at this price or below.
    pub price_max: Option<i64>,
    /// `true`: only products with something to sell now; `false`: only sold-out ones.
    pub in_stock: Option<bool>,
    /// Staff only; others see active products.
    pub status: Option<ProductStatus>,
    pub sort: Option<ProductSort>,
    /// `true`: count the products by category, vendor, tag and price too.
    pub facets: Option<bool>,
    pub cursor: Option<String>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A product in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProductSummary {
    pub id: Id,
    pub handle: String,
    pub title: String,
    pub vendor: String,
    pub status: ProductStatus,
    pub category_id: Option<Id>,
    /// The first image.
    pub image: Option<Image>,
    /// The lowest and the highest price of its SKUs; null without SKUs.
    pub price_min: Option<Money>,
    pub price_max: Option<Money>,
    /// Can anything of it be bought now?
    pub in_stock: bool,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProductPage {
    pub items: Vec<ProductSummary>,
    /// Ask again with `cursor=` this for what follows; null at the end.
    pub next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
}

/// How many products of the whole answer have which value. Each facet leaves out its own filter, so that it shows the other choices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Facets {
    /// By category path, each with all below it; at most 200, the most frequent first.
    pub categories: Vec<FacetCount>,
    /// At most 100.
    pub vendors: Vec<FacetCount>,
    /// At most 100.
    pub tags: Vec<FacetCount>,
    /// The lowest and the highest price in the answer, in minor units.
    pub price_min: Option<i64>,
    pub price_max: Option<i64>,
    pub in_stock: i64,
    pub total: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FacetCount {
    pub value: String,
    pub count: i64,
}
