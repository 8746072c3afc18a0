//! Which addresses are those of orders: the user module keeps them, and the inventory alone knows what was ordered.

use crate::inventory::{Inventory, Reservation, ReservationState};
use crate::user::{OrderFate, User};

/// So many at a time. Few checkouts are left after the address, so each is looked up by itself.
const BATCH: u32 = 100;

/// Keeps the addresses of what was ordered, however it was, and forgets those of checkouts that were left; gives whether there may be more.
pub async fn settle(
    inventory: &dyn Inventory,
    user: &dyn User,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let due = user.deliveries_due(BATCH).await?;
    for (person, order) in &due {
        let fate = fate(inventory.reservation_get(*order).await?);
        user.delivery_settle(*person, *order, fate).await?;
    }
    Ok(due.len() == BATCH as usize)
}

fn fate(order: Option<Reservation>) -> OrderFate {
    match order {
        Some(order) if order.committed_at.is_some() => OrderFate::Placed,
        Some(order) if order.state == ReservationState::Held => OrderFate::Open,
        _ => OrderFate::Ended,
    }
}
