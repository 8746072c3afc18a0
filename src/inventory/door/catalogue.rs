//! Categories, products, SKUs and locations.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::call::{Answer, Call, Version, Versioned, patch, versioned};
use crate::clock::{Id, Time};
use crate::inventory::{InventoryError, PriceBatch, PriceResult, ProductPage, ProductQuery, ProductSummary};
use crate::page::Page;

/// At most so many SKUs a product.
pub const SKUS_MAX: usize = 2_048;
/// At most so many option names a product.
pub const OPTIONS_MAX: usize = 3;
/// An only option of this name, with this only value, is how Shopify says "no options"; it is kept as none.
pub const NO_OPTION: (&str, &str) = ("Title", "Default Title");

/// The largest amount, in minor units.
pub const MONEY_MAX: i64 = 1_000_000_000_000;

/// An amount in minor units (cents) and its ISO 4217 currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an amount in the currency's smallest unit and the currency, as {\"amount\": 1450, \"currency\": \"USD\"}"
)]
pub struct Money {
    #[schema(minimum = 0, example = 1999)]
    pub amount: i64,
    #[schema(example = "USD")]
    pub currency: String,
}

/// A node of the category tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    pub id: Id,
    pub parent_id: Option<Id>,
    /// The last part of `path`.
    pub slug: String,
    /// The slugs from the root, as `men/tops/jackets`.
    pub path: String,
    pub name: String,
    /// Among its siblings; they are sorted by it, then by name.
    pub position: i64,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCategory {
    pub parent_id: Option<Id>,
    /// Lower-case letters, digits and single hyphens; made from the name when absent.
    pub slug: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    #[serde(default)]
    pub position: i64,
}

patch! {
    /// What is absent stays. `parent_id: null` moves the category to the root.
    pub struct CategoryPatch {
        slug: String,
        name: String,
        position: i64,
    }
    or_null {
        parent_id: Id,
    }
}

/// A place that holds stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    pub id: Id,
    pub code: String,
    pub name: String,
    pub address: LocationAddress,
    /// A reservation that may be spread takes from the lowest number first.
    pub priority: i64,
    /// An inactive location sells nothing.
    pub active: bool,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LocationAddress {
    pub street: String,
    pub city: String,
    pub region: String,
    pub postal_code: String,
    /// ISO 3166-1 alpha-2; empty when not known.
    pub country: String,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLocation {
    /// 1 to 64 letters, digits, `-`, `_` or `.`; never changes.
    pub code: String,
    pub name: String,
    #[serde(default)]
    pub address: LocationAddress,
    #[serde(default)]
    pub priority: i64,
}

patch! {
    /// What is absent stays.
    pub struct LocationPatch {
        name: String,
        address: LocationAddress,
        priority: i64,
        active: bool,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    /// Not yet for shoppers.
    Draft,
    Active,
    /// No longer for shoppers.
    Archived,
}

/// A picture, by its address; the shop keeps no files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// `https://`, `http://` or a path of this site that begins with `/`; each at most once in a product.
    pub url: String,
    #[serde(default)]
    pub alt: String,
    /// Pixels, where known.
    #[serde(default)]
    pub width: Option<u32>,
    #[serde(default)]
    pub height: Option<u32>,
}

/// A product with all its SKUs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Product {
    pub id: Id,
    /// Its name in addresses; unique.
    pub handle: String,
    pub title: String,
    /// Sanitised HTML.
    pub description_html: String,
    pub vendor: String,
    pub product_type: String,
    pub status: ProductStatus,
    pub category_id: Option<Id>,
    pub tags: Vec<String>,
    /// The names of the options, as `["Size", "Colour"]`; each SKU has a value for each.
    pub options: Vec<String>,
    /// Free facts about it, as `{"Material": "Wool"}`.
    pub attributes: BTreeMap<String, String>,
    pub images: Vec<Image>,
    pub seo_title: String,
    pub seo_description: String,
    pub skus: Vec<Sku>,
    /// Rises with each change of the product or of one of its SKUs.
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What can be bought: one choice of a product's options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sku {
    pub id: Id,
    pub product_id: Id,
    /// Unique in the shop.
    pub code: String,
    /// One value for each of the product's options.
    pub options: Vec<String>,
    pub position: i64,
    pub price: Money,
    /// The former price, shown struck through.
    pub compare_at_price: Option<Money>,
    pub barcode: String,
    pub weight_grams: i64,
    pub requires_shipping: bool,
    pub taxable: bool,
    pub image_url: String,
    /// Units that may be promised at each location beyond what is there; 0: none.
    pub backorder_limit: i64,
    /// An event `stock.low` is sent when what is available at a location falls to this; null: never.
    pub low_stock_threshold: Option<i64>,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

versioned!(Category, Location, Product, Sku);

/// A SKU and its product, for those who have only its code: carts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkuOffer {
    pub sku: Sku,
    pub product: ProductSummary,
    /// The names of the product's options, for which the SKU has the values.
    pub options: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// Lower-case letters, digits and single hyphens, at most 200; made from the title when absent.
    pub handle: Option<String>,
    #[schema(min_length = 1, max_length = 300)]
    pub title: String,
    /// Sanitised before it is kept; at most 512 KiB.
    #[serde(default)]
    pub description_html: String,
    #[serde(default)]
    pub vendor: String,
    #[serde(default)]
    pub product_type: String,
    #[serde(default = "draft")]
    pub status: ProductStatus,
    pub category_id: Option<Id>,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub options: Vec<String>,
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    #[serde(default)]
    pub images: Vec<Image>,
    #[serde(default)]
    pub seo_title: String,
    #[serde(default)]
    pub seo_description: String,
    #[serde(default)]
    pub skus: Vec<NewSku>,
}

fn draft() -> ProductStatus {
    ProductStatus::Draft
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSku {
    /// 1 to 100 visible ASCII characters without blanks and `/`.
    pub code: String,
    #[serde(default)]
    pub options: Vec<String>,
    pub price: Money,
    pub compare_at_price: Option<Money>,
    #[serde(default)]
    pub barcode: String,
    #[serde(default)]
    pub weight_grams: i64,
    #[serde(default = "yes")]
    pub requires_shipping: bool,
    #[serde(default = "yes")]
    pub taxable: bool,
    #[serde(default)]
    pub image_url: String,
    #[serde(default)]
    pub backorder_limit: i64,
    pub low_stock_threshold: Option<i64>,
}

fn yes() -> bool {
    true
}

patch! {
    /// What is absent stays; lists and maps are replaced whole. `category_id: null` takes the product out of its category.
    pub struct ProductPatch {
        handle: String,
        title: String,
        description_html: String,
        vendor: String,
        product_type: String,
        status: ProductStatus,
        tags: Vec<String>,
        /// Only the names can change, not their number, while the product has SKUs.
        options: Vec<String>,
        attributes: BTreeMap<String, String>,
        images: Vec<Image>,
        seo_title: String,
        seo_description: String,
    }
    or_null {
        category_id: Id,
    }
}

patch! {
    /// What is absent stays. `compare_at_price: null` and `low_stock_threshold: null` take them away.
    pub struct SkuPatch {
        code: String,
        options: Vec<String>,
        position: i64,
        price: Money,
        barcode: String,
        weight_grams: i64,
        requires_shipping: bool,
        taxable: bool,
        image_url: String,
        backorder_limit: i64,
    }
    or_null {
        compare_at_price: Money,
        low_stock_threshold: i64,
    }
}

/// Names a product by its id or by its handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductKey {
    Id(Id),
    Handle(String),
}

impl From<&str> for ProductKey {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| ProductKey::Handle(text.to_owned()), ProductKey::Id)
    }
}

/// Under which address a product is found, for those who look through the whole shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductAddress {
    pub id: Id,
    pub handle: String,
    pub updated_at: Time,
}

/// Product descriptions. Every change gives [`InventoryError::Invalid`] with all values that are not allowed, and changes nothing then.
/// `expected` is what the caller saw: another version there, or another thing, is [`InventoryError::VersionMismatch`]; `None` changes
/// any. What makes something does it once for each key of a caller; without a key, each time.
#[async_trait]
pub trait Catalogue: Send + Sync {
    /// The whole tree, parents before their children, siblings in their order. At most 10,000 categories can be made.
    async fn category_list(&self) -> Result<Vec<Category>, InventoryError>;
    async fn category_get(&self, id: Id) -> Result<Option<Category>, InventoryError>;
    async fn category_create(&self, call: &Call, new: NewCategory) -> Result<Answer<Category>, InventoryError>;
    /// Moving or renaming changes the paths of all below, at once. Moving below itself is `Invalid`.
    async fn category_update(
        &self,
        call: &Call,
        id: Id,
        expected: Option<Version>,
        patch: CategoryPatch,
    ) -> Result<Category, InventoryError>;
    /// `Conflict` while it has children or products.
    async fn category_delete(&self, call: &Call, id: Id, expected: Option<Version>) -> Result<(), InventoryError>;

    /// The path of the category that had this path before, if nobody has it now. Moving a category moves all below it.
    async fn category_moved(&self, path: &str) -> Result<Option<String>, InventoryError>;

    /// By priority, then code. At most 10,000 locations can be made.
    async fn location_list(&self) -> Result<Vec<Location>, InventoryError>;
    async fn location_get(&self, code: &str) -> Result<Option<Location>, InventoryError>;
    async fn location_create(&self, call: &Call, new: NewLocation) -> Result<Answer<Location>, InventoryError>;
    async fn location_update(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
        patch: LocationPatch,
    ) -> Result<Location, InventoryError>;

    /// The addresses of products on sale, in the order of their ids, from the one after `after` on; at most 1,000.
    async fn product_addresses(&self, after: Option<Id>, limit: u32) -> Result<Vec<ProductAddress>, InventoryError>;
    /// The last id of each `every` of those, but for those at the end: where the parts of a long list begin.
    async fn product_address_marks(&self, every: u32) -> Result<Vec<Id>, InventoryError>;
    async fn product_list(&self, query: ProductQuery) -> Result<ProductPage, InventoryError>;
    async fn product_get(&self, key: ProductKey) -> Result<Option<Product>, InventoryError>;
    /// The handle of the product, of any status, that had this handle before, unless another one has been on sale under it since.
    async fn product_moved(&self, handle: &str) -> Result<Option<String>, InventoryError>;
    async fn product_create(&self, call: &Call, new: NewProduct) -> Result<Answer<Product>, InventoryError>;
    async fn product_update(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<Version>,
        patch: ProductPatch,
    ) -> Result<Product, InventoryError>;
    /// Only a product whose SKUs never had stock can go; `Conflict` otherwise: archive it.
    async fn product_delete(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<Version>,
    ) -> Result<(), InventoryError>;

    /// With its product's status.
    async fn sku_get(&self, code: &str) -> Result<Option<(Sku, ProductStatus)>, InventoryError>;
    /// In the order of `codes`, at most 1,000; unknown ones are left out. Of products of any status.
    async fn sku_offers(&self, codes: Vec<String>) -> Result<Vec<SkuOffer>, InventoryError>;
    /// The SKUs of the products that [`Catalogue::product_list`] gives, product by product in its order; the query's limit and
    /// cursor count SKUs here. A page may be short, where products have none.
    async fn sku_list(&self, query: ProductQuery) -> Result<Page<SkuOffer>, InventoryError>;
    async fn sku_create(&self, call: &Call, product: ProductKey, new: NewSku) -> Result<Answer<Sku>, InventoryError>;
    async fn sku_update(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
        patch: SkuPatch,
    ) -> Result<Sku, InventoryError>;
    /// Sets prices of SKUs of any products, in one transaction: all rows or none. [`InventoryError::Rows`] tells what is wrong with
    /// each row that cannot be done.
    async fn prices_set(&self, call: &Call, batch: PriceBatch) -> Result<Answer<PriceResult>, InventoryError>;
    /// Only a SKU that never had stock can go; `Conflict` otherwise.
    async fn sku_delete(&self, call: &Call, code: &str, expected: Option<Version>) -> Result<(), InventoryError>;
}
