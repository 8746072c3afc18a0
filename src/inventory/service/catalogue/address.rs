//! The addresses of all products on sale, for search engines.

use crate::clock::Id;
use crate::inventory::service::LocalInventory;
use crate::inventory::store::product::{product_address_mark, product_addresses};
use crate::inventory::{InventoryError, ProductAddress};

const ADDRESSES_MAX: u32 = 1_000;

impl LocalInventory {
    /// See [`crate::inventory::Catalogue::product_addresses`].
    pub(super) async fn list_addresses(
        &self,
        after: Option<Id>,
        limit: u32,
    ) -> Result<Vec<ProductAddress>, InventoryError> {
        let limit = limit.min(ADDRESSES_MAX).into();
        self.db.read(move |conn| Ok(product_addresses(conn, after, limit)?)).await
    }

    /// See [`crate::inventory::Catalogue::product_address_marks`].
    pub(super) async fn mark_addresses(&self, every: u32) -> Result<Vec<Id>, InventoryError> {
        let every = i64::from(every.max(1));
        let mut marks = vec![];
        // A transaction for each: none lasts long.
        loop {
            let after = marks.last().copied();
            match self.db.read(move |conn| Ok::<_, InventoryError>(product_address_mark(conn, after, every)?)).await? {
                Some(mark) => marks.push(mark),
                None => return Ok(marks),
            }
        }
    }
}
