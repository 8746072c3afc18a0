//! Which orders wait to be shipped: asked of the inventory for the user module, whose account must not end meanwhile.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Id;
use crate::error::Problem;
use crate::inventory::Inventory;
use crate::user::routes::Orders;

pub(super) struct Waiting(pub(super) Arc<dyn Inventory>);

#[async_trait]
impl Orders for Waiting {
    async fn is_waiting(&self, user: Id) -> Result<bool, Problem> {
        Ok(self.0.order_waits(&format!("user:{user}")).await?)
    }
}
