//! The rules of reservation.

use async_trait::async_trait;

use super::LocalInventory;
use crate::call::*;
use crate::clock::*;
use crate::inventory::*;
use crate::page::*;

#[async_trait]
impl Reservations for LocalInventory {
    async fn reserve(
        &self,
        call: &Call,
        holder: String,
        new: NewReservation,
    ) -> Result<Answer<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_get(&self, id: Id) -> Result<Option<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_list(&self, query: ReservationQuery) -> Result<Page<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_extend(
        &self,
        call: &Call,
        id: Id,
        by: Extension,
    ) -> Result<Answer<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_commit(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_ship(
        &self,
        call: &Call,
        id: Id,
        shipment: Shipment,
    ) -> Result<Answer<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_release(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_cancel(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError> {
        todo!()
    }

    async fn reservation_sweep(&self, limit: u32) -> Result<u32, InventoryError> {
        todo!()
    }
}
