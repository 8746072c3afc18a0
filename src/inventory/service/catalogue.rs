//! The rules of the catalogue, by noun; here is what they share.

use async_trait::async_trait;

use super::LocalInventory;
use crate::call::{Answer, Call, Version, Versioned};
use crate::clock::Id;
use crate::db::{Connection, DbError, Failure};
use crate::inventory::*;
use crate::page::Page;

mod address;
pub(super) mod category;
pub(super) mod location;
mod price;
pub(super) mod product;
pub(super) mod sku;

/// How often a change is tried that lost the race for a name.
const NAME_RACES: u32 = 3;

impl LocalInventory {
    /// Runs one transaction, in which names (handles, codes) are looked for before they are taken. When somebody else takes one of
    /// them just then, it is run again: now it sees which, and says so or takes another. `work` is told when it is run for the
    /// last time. `keyed`: its first act is to take the call's key.
    async fn write_named<T: Send + 'static>(
        &self,
        keyed: bool,
        work: impl Fn(&mut Connection, bool) -> Result<T, InventoryError> + Clone + Send + Sync + 'static,
    ) -> Result<T, InventoryError> {
        for _ in 1..NAME_RACES {
            let work = work.clone();
            match self.db.write_keyed(keyed, move |conn| work(conn, false)).await {
                Err(error) if error.db().is_some_and(DbError::is_unique_violation) => {}
                result => return result,
            }
        }
        self.db.write_keyed(keyed, move |conn| work(conn, true)).await
    }
}

/// Is what is there what the caller saw?
pub(super) fn check_version(expected: Option<Version>, actual: Version) -> Result<(), InventoryError> {
    match expected {
        Some(expected) if expected != actual => Err(InventoryError::VersionMismatch { expected, actual }),
        _ => Ok(()),
    }
}

/// The same for a thing that was claimed, by which its version has risen.
fn check_claimed(expected: Option<Version>, claimed: &impl Versioned) -> Result<(), InventoryError> {
    let Version { id, number } = claimed.version();
    check_version(expected, Version { id, number: number - 1 })
}

/// Tells a broken constraint in the caller's words; another error stays what it is.
fn explain(
    result: diesel::QueryResult<()>,
    broken: impl Fn(&DbError) -> bool,
    as_error: impl FnOnce() -> InventoryError,
) -> Result<(), InventoryError> {
    result.map_err(|error| match InventoryError::from(error) {
        InventoryError::Db(error) if broken(&error) => as_error(),
        other => other,
    })
}

#[async_trait]
impl Catalogue for LocalInventory {
    async fn category_list(&self) -> Result<Vec<Category>, InventoryError> {
        self.list_categories().await
    }

    async fn category_get(&self, id: Id) -> Result<Option<Category>, InventoryError> {
        self.get_category(id).await
    }

    async fn category_create(&self, call: &Call, new: NewCategory) -> Result<Answer<Category>, InventoryError> {
        self.create_category(call, new).await
    }

    async fn category_update(
        &self,
        call: &Call,
        id: Id,
        expected: Option<Version>,
        patch: CategoryPatch,
    ) -> Result<Category, InventoryError> {
        self.update_category(call, id, expected, patch).await
    }

    async fn category_delete(&self, call: &Call, id: Id, expected: Option<Version>) -> Result<(), InventoryError> {
        self.delete_category(call, id, expected).await
    }

    async fn category_moved(&self, path: &str) -> Result<Option<String>, InventoryError> {
        self.moved_category(path).await
    }

    async fn location_list(&self) -> Result<Vec<Location>, InventoryError> {
        self.list_locations().await
    }

    async fn location_get(&self, code: &str) -> Result<Option<Location>, InventoryError> {
        self.get_location(code).await
    }

    async fn location_create(&self, call: &Call, new: NewLocation) -> Result<Answer<Location>, InventoryError> {
        self.create_location(call, new).await
    }

    async fn location_update(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
        patch: LocationPatch,
    ) -> Result<Location, InventoryError> {
        self.update_location(call, code, expected, patch).await
    }

    async fn product_addresses(&self, after: Option<Id>, limit: u32) -> Result<Vec<ProductAddress>, InventoryError> {
        self.list_addresses(after, limit).await
    }

    async fn product_address_marks(&self, every: u32) -> Result<Vec<Id>, InventoryError> {
        self.mark_addresses(every).await
    }

    async fn product_list(&self, query: ProductQuery) -> Result<ProductPage, InventoryError> {
        self.list_products(query).await
    }

    async fn product_get(&self, key: ProductKey) -> Result<Option<Product>, InventoryError> {
        self.get_product(key).await
    }

    async fn product_moved(&self, handle: &str) -> Result<Option<String>, InventoryError> {
        self.moved_product(handle).await
    }

    async fn product_create(&self, call: &Call, new: NewProduct) -> Result<Answer<Product>, InventoryError> {
        self.create_product(call, new).await
    }

    async fn product_update(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<Version>,
        patch: ProductPatch,
    ) -> Result<Product, InventoryError> {
        self.update_product(call, key, expected, patch).await
    }

    async fn product_delete(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<Version>,
    ) -> Result<(), InventoryError> {
        self.delete_product(call, key, expected).await
    }

    async fn sku_get(&self, code: &str) -> Result<Option<(Sku, ProductStatus)>, InventoryError> {
        self.get_sku(code).await
    }

    async fn sku_offers(&self, codes: Vec<String>) -> Result<Vec<SkuOffer>, InventoryError> {
        self.offer_skus(codes).await
    }

    async fn sku_create(&self, call: &Call, product: ProductKey, new: NewSku) -> Result<Answer<Sku>, InventoryError> {
        self.create_sku(call, product, new).await
    }

    async fn sku_update(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
        patch: SkuPatch,
    ) -> Result<Sku, InventoryError> {
        self.update_sku(call, code, expected, patch).await
    }

    async fn sku_list(&self, query: ProductQuery) -> Result<Page<SkuOffer>, InventoryError> {
        self.list_skus(query).await
    }

    async fn prices_set(&self, call: &Call, batch: PriceBatch) -> Result<Answer<PriceResult>, InventoryError> {
        self.set_prices(call, batch).await
    }

    async fn sku_delete(&self, call: &Call, code: &str, expected: Option<Version>) -> Result<(), InventoryError> {
        self.delete_sku(call, code, expected).await
    }
}
