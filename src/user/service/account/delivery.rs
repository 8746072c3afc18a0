//! Where a person's orders go.

use serde_json::json;

use super::{audit, check_address, lock};
use crate::call::Call;
use crate::clock::{Id, Time};
use crate::user::service::LocalUser;
use crate::user::store::delivery as store;
use crate::user::{AddressFields, OrderFate, UserError};

/// So long after an address was set it is looked at whether it is that of an order.
const OPEN_SECONDS: u32 = 86_400;
/// The name of the work that looks.
const WORK: &str = "deliveries";

impl LocalUser {
    /// See [`crate::user::Account::delivery_set`].
    pub(super) async fn delivery_write(
        &self,
        call: &Call,
        user: Id,
        order: Id,
        address: AddressFields,
    ) -> Result<(), UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        let written = self.db.write(move |conn| {
            lock(conn, user, None)?;
            check_address(conn, user, &address)?;
            let before = store::delivery_get(conn, user, order)?;
            store::delivery_write(conn, user, order, address.clone(), now.plus_seconds(OPEN_SECONDS))?;
            if before.is_some_and(|before| before == address) {
                return Ok(());
            }
            audit(conn, &call, user, "delivery.set", json!({ "order": order }), now)
        });
        written.await
    }

    /// See [`crate::user::Account::delivery_get`].
    pub(super) async fn delivery_of(&self, user: Id, order: Id) -> Result<Option<AddressFields>, UserError> {
        // The checkout asks for what it has just set, and whether an order may be placed is decided from it: so it is never stale.
        self.db.read_primary(move |conn| Ok(store::delivery_get(conn, user, order)?)).await
    }

    /// See [`crate::user::Account::delivery_keep`].
    pub(super) async fn delivery_placed(&self, user: Id, order: Id) -> Result<(), UserError> {
        self.db.write(move |conn| Ok(store::delivery_keep(conn, user, order)?)).await
    }

    /// See [`crate::user::Account::deliveries_due`].
    pub(super) async fn deliveries_open(&self, now: Time, limit: u32) -> Result<Vec<(Id, Id)>, UserError> {
        match self.db.lease(WORK).await? {
            Some(_) => self.db.read_primary(move |conn| Ok(store::deliveries_due(conn, now, limit.into())?)).await,
            None => Ok(vec![]),
        }
    }

    /// See [`crate::user::Account::deliveries_settle`].
    pub(super) async fn deliveries_end(&self, now: Time, fates: Vec<(Id, Id, OrderFate)>) -> Result<(), UserError> {
        let of = |fate| fates.iter().filter(|one| one.2 == fate).map(|one| (one.0, one.1)).collect::<Vec<_>>();
        let (placed, open, ended) = (of(OrderFate::Placed), of(OrderFate::Open), of(OrderFate::Ended));
        let Some(lease) = self.db.lease(WORK).await? else { return Ok(()) };
        let settle = self.db.write(move |conn| {
            lease.fence(conn)?;
            store::deliveries_keep(conn, &placed, now)?;
            store::deliveries_put_off(conn, &open, now, now.plus_seconds(OPEN_SECONDS))?;
            Ok(store::deliveries_delete(conn, &ended, now)?)
        });
        settle.await
    }
}
