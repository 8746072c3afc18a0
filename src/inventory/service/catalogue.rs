//! The rules of catalogue.

use async_trait::async_trait;

use super::LocalInventory;
use crate::call::*;
use crate::clock::*;
use crate::inventory::*;
use crate::page::*;

#[async_trait]
impl Catalogue for LocalInventory {
    async fn category_list(&self) -> Result<Vec<Category>, InventoryError> {
        todo!()
    }

    async fn category_get(&self, id: Id) -> Result<Option<Category>, InventoryError> {
        todo!()
    }

    async fn category_create(&self, call: &Call, new: NewCategory) -> Result<Category, InventoryError> {
        todo!()
    }

    async fn category_update(
        &self,
        call: &Call,
        id: Id,
        expected: Option<i64>,
        patch: CategoryPatch,
    ) -> Result<Category, InventoryError> {
        todo!()
    }

    async fn category_delete(&self, call: &Call, id: Id, expected: Option<i64>) -> Result<(), InventoryError> {
        todo!()
    }

    async fn location_list(&self) -> Result<Vec<Location>, InventoryError> {
        todo!()
    }

    async fn location_get(&self, code: &str) -> Result<Option<Location>, InventoryError> {
        todo!()
    }

    async fn location_create(&self, call: &Call, new: NewLocation) -> Result<Location, InventoryError> {
        todo!()
    }

    async fn location_update(
        &self,
        call: &Call,
        code: &str,
        expected: Option<i64>,
        patch: LocationPatch,
    ) -> Result<Location, InventoryError> {
        todo!()
    }

    async fn product_list(&self, query: ProductQuery) -> Result<ProductPage, InventoryError> {
        todo!()
    }

    async fn product_get(&self, key: ProductKey) -> Result<Option<Product>, InventoryError> {
        todo!()
    }

    async fn product_create(&self, call: &Call, new: NewProduct) -> Result<Product, InventoryError> {
        todo!()
    }

    async fn product_update(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<i64>,
        patch: ProductPatch,
    ) -> Result<Product, InventoryError> {
        todo!()
    }

    async fn product_delete(&self, call: &Call, key: ProductKey, expected: Option<i64>) -> Result<(), InventoryError> {
        todo!()
    }

    async fn sku_get(&self, code: &str) -> Result<Option<Sku>, InventoryError> {
        todo!()
    }

    async fn sku_create(&self, call: &Call, product: ProductKey, new: NewSku) -> Result<Sku, InventoryError> {
        todo!()
    }

    async fn sku_update(
        &self,
        call: &Call,
        code: &str,
        expected: Option<i64>,
        patch: SkuPatch,
    ) -> Result<Sku, InventoryError> {
        todo!()
    }

    async fn sku_delete(&self, call: &Call, code: &str, expected: Option<i64>) -> Result<(), InventoryError> {
        todo!()
    }
}
