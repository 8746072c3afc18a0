//! The rules of reservations: the transactions, and what is tried again.
//!
//! What must hold at every commit, on SQLite and under PostgreSQL's READ COMMITTED:
//!
//! 1. A row's `reserved` is the sum of the lines that are stored as `held`; its `allocated` the sum of what committed lines have not
//!    shipped. Counter, ledger, line and header change in one transaction.
//! 2. Nothing is promised that is not there: a take is one guarded UPDATE, which waits for whoever has the row and then judges
//!    its newest version. What was read before only makes the plan. A guard that refuses the plan undoes the whole attempt.
//! 3. A reservation changes only while its header row is locked, and what is decided of it is decided after the lock. Its holder
//!    and its lines' places and quantities never change.
//! 4. A hold counts for nothing from `expires_at` on. Whoever counts on that ends the hold first, in a transaction of its own
//!    ([`Setback::Due`]): ended, it cannot be extended or committed under our feet. Then the attempt begins again.
//! 5. Locks are taken in one order, so that no two transactions wait for each other: the idempotency key, the holder, ONE header,
//!    new stock rows by key, stock rows by key. This is why an attempt never ends somebody else's hold by itself.
//! 6. A holder's held units rise only while the holder's row is locked, and holds of his that were not counted have been ended.
//!
//! An answer of "out of stock" is true of one moment: holds whose time has passed are read first and the counters second, so that
//! one that is ended in between is counted twice, which costs another attempt, and never not at all.

use async_trait::async_trait;

use super::idempotency::once;
use super::{LocalInventory, position};
use crate::call::{Answer, Call};
use crate::clock::{Id, Time};
use crate::db::{Connection, DbError, Failure, Lease};
use crate::error::{Fault, FieldError};
use crate::inventory::store::partly::partly_shipped_list;
use crate::inventory::store::reservation::{
    ReservationFilter, ReservationLineRow, ReservationRow, reservation_get, reservation_lines, reservation_list,
    reservation_outcomes, reservations_due,
};
use crate::inventory::{
    Extension, InventoryError, NewReservation, Reservation, ReservationLine, ReservationOutcome, ReservationQuery,
    ReservationState, ReservationSummary, Reservations, Shipment,
};
use crate::page::{self, Page};

mod plan;
mod request;
mod reserve;
mod step;
mod take;

use request::Request;

/// Who ends holds whose time has passed.
const SYSTEM: &str = "system";

/// Attempts at one call. The second locks first and can hardly be raced; each further one is for holds that had to be ended.
pub(super) const ATTEMPTS: u32 = 16;

/// Why an attempt ended without an effect.
#[derive(Debug)]
pub(super) enum Setback {
    Failed(InventoryError),
    /// Only holds whose time has passed are in the way.
    Due(Vec<Id>),
    /// Somebody took what was planned.
    Raced,
}

impl<E: Into<InventoryError>> From<E> for Setback {
    fn from(error: E) -> Self {
        Setback::Failed(error.into())
    }
}

impl Failure for Setback {
    fn db(&self) -> Option<&DbError> {
        match self {
            Setback::Failed(error) => error.db(),
            _ => None,
        }
    }
}

/// One attempt at a call, within its transaction.
struct Attempt<'a> {
    conn: &'a mut Connection,
    actor: &'a str,
    now: Time,
    /// Lock the stock rows before reading them: an earlier attempt was raced.
    lock_first: bool,
}

/// What a call gives, and what of it is counted in the metrics; nothing, when there was nothing left to do.
type Done = (Reservation, Option<&'static str>);

impl LocalInventory {
    /// Runs `work` once for the call's key, in one transaction, and again when it was set back.
    async fn attempt<F>(&self, call: &Call, work: F) -> Result<Answer<Reservation>, InventoryError>
    where
        F: Fn(&mut Attempt) -> Result<Done, Setback> + Clone + Send + Sync + 'static,
    {
        let hours = self.config.idempotency_hours;
        let mut lock_first = false;
        for _ in 0..ATTEMPTS {
            let (call, clock, work) = (call.clone(), self.clock.clone(), work.clone());
            let keyed = call.key.is_some();
            let transaction = move |conn: &mut Connection| {
                let now = clock.now();
                let mut counted = None;
                let answer = once(conn, &call, hours, now, |conn| {
                    let (reservation, outcome) = work(&mut Attempt { conn, actor: &call.actor, now, lock_first })?;
                    counted = outcome;
                    Ok::<_, Setback>(reservation)
                })?;
                Ok::<_, Setback>((answer, counted))
            };
            match self.db.write_keyed(keyed, transaction).await {
                Ok((answer, counted)) => {
                    counted.inspect(|outcome| count(outcome));
                    return Ok(answer);
                }
                // A SKU or a stock row that was there when we looked is gone.
                Err(Setback::Failed(InventoryError::Db(error))) if error.is_foreign_key_violation() => {
                    lock_first = true;
                }
                Err(Setback::Failed(error)) => {
                    count_refusal(&error);
                    return Err(error);
                }
                Err(Setback::Raced) => lock_first = true,
                Err(Setback::Due(ids)) => {
                    for id in ids {
                        self.expire(id, None).await?;
                    }
                }
            }
        }
        Err(DbError::Timeout(format!("no result after {ATTEMPTS} attempts at these stock rows")).into())
    }

    /// Ends one hold if its time has passed; `false`: it has not, or somebody else ended it. Under `lease`, where it is background work.
    pub(super) async fn expire(&self, id: Id, lease: Option<Lease>) -> Result<bool, InventoryError> {
        let clock = self.clock.clone();
        let transaction = move |conn: &mut Connection| {
            lease.map_or(Ok(()), |lease| lease.fence(conn))?;
            let now = clock.now();
            Attempt { conn, actor: SYSTEM, now, lock_first: false }.expire(id)
        };
        let expired = self.db.write(transaction).await?;
        if expired {
            count("expired");
        }
        Ok(expired)
    }
}

impl LocalInventory {
    async fn sweep(&self, limit: u32, lease: Lease) -> Result<u32, InventoryError> {
        let now = self.clock.now();
        let due = self.db.read_primary(move |conn| Ok::<_, InventoryError>(reservations_due(conn, now, limit.into())?));
        let mut swept = 0;
        for id in due.await? {
            match self.expire(id, Some(lease)).await {
                Ok(expired) => swept += u32::from(expired),
                // One that cannot be ended must not keep the others.
                Err(InventoryError::Db(error @ (DbError::Query(_) | DbError::Timeout(_)))) => {
                    tracing::error!(%error, reservation = %id, "an expired hold could not be ended");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(swept)
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("emporium_reservations_total", "outcome" => outcome).increment(1);
}

fn count_refusal(error: &InventoryError) {
    match error {
        InventoryError::OutOfStock(_) => count("out_of_stock"),
        InventoryError::HolderLimit { .. }
        | InventoryError::ReservationExpired { .. }
        | InventoryError::WrongState { .. } => count("refused"),
        _ => {}
    }
}

/// The state as everybody is told it.
fn state_at(row: &ReservationRow, now: Time) -> ReservationState {
    match row.state {
        ReservationState::Held if row.expires_at <= now => ReservationState::Expired,
        state => state,
    }
}

/// Is a reservation in this state one that was committed? None in another state ever was.
fn is_of_orders(state: ReservationState) -> bool {
    matches!(state, ReservationState::Committed | ReservationState::Shipped | ReservationState::Cancelled)
}

/// A reservation as everybody is told it, its lines by SKU and location.
fn shown(row: &ReservationRow, lines: &[ReservationLineRow], now: Time) -> Reservation {
    let mut lines: Vec<ReservationLine> = lines
        .iter()
        .map(|line| ReservationLine {
            sku: line.place.sku.clone(),
            location: line.place.location.clone(),
            quantity: line.quantity,
            shipped: line.shipped,
            title: line.sold.title.clone(),
            options: line.sold.options.clone(),
            unit_price: line.sold.price.clone(),
        })
        .collect();
    lines.sort_by(|a, b| (&a.sku, &a.location).cmp(&(&b.sku, &b.location)));
    Reservation {
        id: row.id,
        state: state_at(row, now),
        holder: row.holder.clone(),
        reference: row.reference.clone(),
        lines,
        shortages: vec![],
        expires_at: row.expires_at,
        expires_max: row.expires_max,
        committed_at: row.committed_at,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// Adds the lines to reservations, with one query for all of them.
fn with_lines(conn: &mut Connection, rows: &[ReservationRow], now: Time) -> Result<Vec<Reservation>, InventoryError> {
    let lines = reservation_lines(conn, rows)?;
    Ok(rows.iter().map(|row| shown(row, lines.get(&row.id).map_or(&[], Vec::as_slice), now)).collect())
}

#[async_trait]
impl Reservations for LocalInventory {
    async fn reserve(
        &self,
        call: &Call,
        holder: String,
        new: NewReservation,
    ) -> Result<Answer<Reservation>, InventoryError> {
        let request = Request::check(holder, new, &self.config)?;
        self.attempt(call, move |attempt| attempt.reserve(&request)).await
    }

    async fn reservation_get(&self, id: Id) -> Result<Option<Reservation>, InventoryError> {
        let now = self.clock.now();
        // What a client may do with a reservation is decided from this, so it is never stale.
        self.db
            .read_primary(move |conn| {
                let row = reservation_get(conn, id)?;
                Ok(with_lines(conn, row.as_slice(), now)?.pop())
            })
            .await
    }

    async fn reservation_outcomes(&self, ids: Vec<Id>) -> Result<Vec<ReservationOutcome>, InventoryError> {
        if ids.len() > page::LIMIT_MAX as usize {
            let fault = Fault::TooMany { count: ids.len(), max: page::LIMIT_MAX as usize };
            return Err(InventoryError::Invalid(vec![FieldError::new("ids", fault)]));
        }
        // What is kept for an order is forgotten by this, so it is never stale.
        self.db.read_primary(move |conn| Ok(reservation_outcomes(conn, &ids)?)).await
    }

    async fn order_waits(&self, holder: &str) -> Result<bool, InventoryError> {
        let state = Some(ReservationState::Committed);
        let filter = ReservationFilter { holder: Some(holder.to_owned()), state, ..ReservationFilter::default() };
        let now = self.clock.now();
        // An account is deleted by this, so it is never stale.
        self.db.read_primary(move |conn| Ok(!reservation_list(conn, &filter, 1, now)?.is_empty())).await
    }

    async fn reservation_list(&self, query: ReservationQuery) -> Result<Page<Reservation>, InventoryError> {
        let limit = page::limit(query.limit);
        let holder = query.holder.as_deref().map_or(Ok(()), |holder| request::check_holder("holder", holder));
        let reference =
            query.reference.as_deref().map_or(Ok(()), |reference| request::check_reference("reference", reference));
        let faults = [limit.as_ref().err(), holder.as_ref().err(), reference.as_ref().err()];
        let faults: Vec<FieldError> = faults.into_iter().flatten().cloned().collect();
        let Ok(limit) = limit else { return Err(InventoryError::Invalid(faults)) };
        if !faults.is_empty() {
            return Err(InventoryError::Invalid(faults));
        }
        let before = position(query.cursor.as_deref())?;
        let ordered = match (query.ordered, query.state) {
            // A state tells it, too: that it is one in which only orders are, or none of them.
            (Some(ordered), Some(state)) if ordered != is_of_orders(state) => {
                return Ok(Page { items: vec![], next_cursor: None });
            }
            (ordered, None) => ordered,
            (_, Some(_)) => None,
        };
        let partly_shipped = query.partly_shipped.unwrap_or_default();
        // Only an order can be one.
        if partly_shipped && query.ordered == Some(false) {
            return Ok(Page { items: vec![], next_cursor: None });
        }
        let ReservationQuery { holder, reference, state, .. } = query;
        let filter = ReservationFilter { holder, reference, state, ordered, partly_shipped, before };
        let now = self.clock.now();
        self.db
            .read(move |conn| {
                let rows = match filter.partly_shipped {
                    true => partly_shipped_list(conn, &filter, limit + 1)?,
                    false => reservation_list(conn, &filter, limit + 1, now)?,
                };
                let rows = Page::cut(rows, limit, |row| row.id);
                let items = with_lines(conn, &rows.items, now)?;
                Ok(Page { items, next_cursor: rows.next_cursor })
            })
            .await
    }

    async fn reservation_summary(&self, days: Vec<Time>) -> Result<ReservationSummary, InventoryError> {
        self.summarise_reservations(days).await
    }

    async fn reservation_extend(
        &self,
        call: &Call,
        id: Id,
        by: Extension,
    ) -> Result<Answer<Reservation>, InventoryError> {
        let seconds = request::hold_seconds(by.hold_seconds, &self.config).map_err(|fault| vec![fault]);
        let seconds = seconds.map_err(InventoryError::Invalid)?;
        self.attempt(call, move |attempt| attempt.extend(id, seconds)).await
    }

    async fn reservation_commit(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError> {
        self.attempt(call, move |attempt| attempt.commit(id)).await
    }

    async fn reservation_ship(
        &self,
        call: &Call,
        id: Id,
        shipment: Shipment,
    ) -> Result<Answer<Reservation>, InventoryError> {
        request::check_shipment(&shipment)?;
        self.attempt(call, move |attempt| attempt.ship(id, &shipment)).await
    }

    async fn reservation_release(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError> {
        self.attempt(call, move |attempt| attempt.release(id)).await
    }

    async fn reservation_cancel(&self, call: &Call, id: Id) -> Result<Answer<Reservation>, InventoryError> {
        self.attempt(call, move |attempt| attempt.cancel(id)).await
    }

    async fn reservation_sweep(&self, limit: u32) -> Result<u32, InventoryError> {
        let swept = self.db.leased("sweep of expired holds", |lease| self.sweep(limit, lease)).await?;
        Ok(swept.unwrap_or(0))
    }
}
