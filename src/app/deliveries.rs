//! Which addresses are those of orders: the user module keeps them, and the inventory alone knows what was ordered.

use std::collections::BTreeMap;

use crate::clock::{Id, Time};
use crate::inventory::{Inventory, ReservationOutcome};
use crate::user::{OrderFate, User};

/// So many at a time.
const BATCH: u32 = 100;

/// A hold that has run out can still be committed, as staff do for a customer who comes back: so long after it its address is kept.
const LATE_SECONDS: u32 = 30 * 86_400;

/// Keeps the addresses of what was ordered, however it was, and forgets those of checkouts that were left: of one batch of those that
/// are due at `now`. Gives whether there may be more.
pub async fn settle(
    inventory: &dyn Inventory,
    user: &dyn User,
    now: Time,
) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let due = user.deliveries_due(now, BATCH).await?;
    let more = due.len() == BATCH as usize;
    if due.is_empty() {
        return Ok(false);
    }
    let orders = due.iter().map(|(_, order)| *order).collect();
    let outcomes: BTreeMap<Id, ReservationOutcome> =
        inventory.reservation_outcomes(orders).await?.into_iter().map(|outcome| (outcome.id, outcome)).collect();
    let fates = due.into_iter().map(|(person, order)| (person, order, fate(outcomes.get(&order), now))).collect();
    user.deliveries_settle(now, fates).await?;
    Ok(more)
}

fn fate(order: Option<&ReservationOutcome>, now: Time) -> OrderFate {
    match order {
        Some(order) if order.committed_at.is_some() => OrderFate::Placed,
        Some(order) if !order.released && now < order.expires_at.plus_seconds(LATE_SECONDS) => OrderFate::Open,
        _ => OrderFate::Ended,
    }
}
