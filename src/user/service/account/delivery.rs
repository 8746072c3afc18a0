//! Where a person's orders go.

use serde_json::json;

use super::{audit, check_address, lock};
use crate::call::Call;
use crate::clock::Id;
use crate::user::service::LocalUser;
use crate::user::store::delivery::{delivery_get, delivery_insert, delivery_update};
use crate::user::{AddressFields, UserError};

impl LocalUser {
    /// See [`crate::user::Account::delivery_set`].
    pub(super) async fn delivery_write(
        &self,
        call: &Call,
        user: Id,
        order: Id,
        address: AddressFields,
    ) -> Result<(), UserError> {
        check_address(&address)?;
        let (call, now) = (call.clone(), self.clock.now());
        let written = self.db.write(move |conn| {
            lock(conn, user, None)?;
            match delivery_get(conn, user, order)? {
                Some(before) if before == address => return Ok(()),
                Some(_) => delivery_update(conn, user, order, address.clone())?,
                None => delivery_insert(conn, user, order, address.clone())?,
            }
            audit(conn, &call, user, "delivery.set", json!({ "order": order }), now)
        });
        written.await
    }

    /// See [`crate::user::Account::delivery_get`].
    pub(super) async fn delivery_of(&self, user: Id, order: Id) -> Result<Option<AddressFields>, UserError> {
        self.db.read(move |conn| Ok(delivery_get(conn, user, order)?)).await
    }
}
