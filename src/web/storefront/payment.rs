//! THE PLACE of a payment provider.

use crate::http::ApiResult;
use crate::inventory::{Money, Reservation};
use crate::web::Shell;

/// Takes the money for an order whose goods are held; only when it gives `Ok` are they promised for good.
///
/// emporium has no payment module: this takes nothing, and the pages say so. Whoever connects a provider does it here. It may be
/// called again for the same order (a second click, a lost answer), so the order's id must be the provider's idempotency key; an error
/// leaves the goods held, so that the customer can try again while the time runs. The API lets customers commit what they hold, too
/// (`POST /api/v1/reservations/{id}/commit`, in `src/inventory/routes/reservation.rs`): with a provider, that route is for staff.
pub(super) async fn pay(_: &Shell, _: &Reservation, _: &Money) -> ApiResult<()> {
    Ok(())
}

/// Gives the money back: it was taken, and then the goods could not be promised, because the hold ran out while the provider was
/// asked. May be called again for the same order.
pub(super) async fn give_back(_: &Shell, _: &Reservation, _: &Money) -> ApiResult<()> {
    Ok(())
}
