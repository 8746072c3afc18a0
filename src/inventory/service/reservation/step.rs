//! What becomes of a hold: extended, committed, shipped, released, cancelled, expired.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::plan::Demand;
use super::reserve::sums;
use super::{Attempt, Done, Setback, shown, state_at};
use crate::call::Version;
use crate::clock::Id;
use crate::error::{Fault, FieldError};
use crate::inventory::service::catalogue::check_version;
use crate::inventory::store::change::changes_insert;
use crate::inventory::store::event::event_insert;
use crate::inventory::store::reservation::{
    ReservationLineRow, ReservationRow, reservation_line_ship, reservation_lines, reservation_lock, reservation_update,
};
use crate::inventory::store::stock::{Guard, StockKey, locations_active, skus_by_code, stock_level};
use crate::inventory::{
    Counters, FieldChange, InventoryError, LedgerKind, Reservation, ReservationLine, ReservationState, Shipment,
    Shortage,
};

/// The data of the events `reservation.*`.
#[derive(Serialize)]
struct EventData<'a> {
    id: Id,
    holder: &'a str,
    reference: &'a str,
    lines: &'a [ReservationLine],
}

/// Is it worth a note who did this? A shopper's own steps, and those of the program that sells to him, are what an order is made
/// of; what else is done with it somebody answers for.
fn is_noted(actor: &str, kind: &str, holder: &str) -> bool {
    let is_of_order = matches!(kind, "reservation.shipped" | "reservation.partly_shipped" | "reservation.cancelled");
    is_of_order || (actor.starts_with("user:") && actor != holder)
}

fn wrong(state: ReservationState, step: &'static str) -> InventoryError {
    InventoryError::WrongState { state, step }
}

impl Attempt<'_> {
    /// Tells of what became of a reservation, and what changed of it where somebody answers for that.
    pub(super) fn tell(
        &mut self,
        kind: &str,
        reservation: &Reservation,
        fields: Vec<FieldChange>,
    ) -> Result<(), InventoryError> {
        let Reservation { id, holder, reference, lines, .. } = reservation;
        event_insert(self.conn, kind, *id, &EventData { id: *id, holder, reference, lines }, self.now)?;
        self.note(kind, *id, holder, reference, fields)
    }

    fn note(
        &mut self,
        kind: &str,
        id: Id,
        holder: &str,
        reference: &str,
        fields: Vec<FieldChange>,
    ) -> Result<(), InventoryError> {
        if is_noted(self.actor, kind, holder) {
            changes_insert(self.conn, self.actor, kind, [(id, reference, fields)], self.now)?;
        }
        Ok(())
    }

    /// Locks the reservation: what is decided after this stays true until the transaction ends.
    fn locked(&mut self, id: Id) -> Result<(ReservationRow, Vec<ReservationLineRow>), InventoryError> {
        let row = reservation_lock(self.conn, id)?;
        let row = row.ok_or_else(|| InventoryError::NotFound { what: "reservation", name: id.to_string() })?;
        let lines = reservation_lines(self.conn, std::slice::from_ref(&row))?.remove(&id);
        Ok((row, lines.unwrap_or_default()))
    }

    /// Writes the new state of a locked reservation, and tells of it.
    fn enter(
        &mut self,
        row: &mut ReservationRow,
        lines: &[ReservationLineRow],
        state: ReservationState,
        kind: &str,
        fields: Vec<FieldChange>,
    ) -> Result<Reservation, InventoryError> {
        let from = std::mem::replace(&mut row.state, state);
        if state == ReservationState::Committed {
            row.committed_at.get_or_insert(self.now);
        }
        row.version += 1;
        row.updated_at = self.now;
        reservation_update(self.conn, row, from)?;
        let reservation = shown(row, lines, self.now);
        self.tell(kind, &reservation, fields)?;
        Ok(reservation)
    }

    /// Changes each line's stock row, in the order of the keys.
    fn shift_all(
        &mut self,
        id: Id,
        lines: &[ReservationLineRow],
        kind: LedgerKind,
        delta: fn(&ReservationLineRow) -> Counters,
    ) -> Result<(), InventoryError> {
        for line in lines {
            let delta = delta(line);
            if delta != Counters::default() {
                self.shift(&line.place, kind, id, delta)?;
            }
        }
        Ok(())
    }

    fn give_back(
        &mut self,
        row: &mut ReservationRow,
        lines: &[ReservationLineRow],
        state: ReservationState,
    ) -> Result<Reservation, InventoryError> {
        let (kind, event) = match state {
            ReservationState::Expired => (LedgerKind::Expired, "reservation.expired"),
            _ => (LedgerKind::Released, "reservation.released"),
        };
        let reservation = self.enter(row, lines, state, event, vec![])?;
        self.shift_all(row.id, lines, kind, |line| Counters { reserved: -line.quantity, ..Counters::default() })?;
        Ok(reservation)
    }

    /// Ends the hold if its time has passed.
    pub(super) fn expire(&mut self, id: Id) -> Result<bool, InventoryError> {
        let (mut row, lines) = self.locked(id)?;
        let is_due = row.state == ReservationState::Held && row.expires_at <= self.now;
        if is_due {
            self.give_back(&mut row, &lines, ReservationState::Expired)?;
        }
        Ok(is_due)
    }

    pub(super) fn extend(&mut self, id: Id, seconds: u32) -> Result<Done, Setback> {
        let (mut row, lines) = self.locked(id)?;
        match state_at(&row, self.now) {
            ReservationState::Held => {}
            ReservationState::Expired => {
                return Err(InventoryError::ReservationExpired { expired_at: row.expires_at, lines: vec![] }.into());
            }
            state => return Err(wrong(state, "be extended").into()),
        }
        let expires_at = self.now.plus_seconds(seconds).min(row.expires_max);
        if expires_at > row.expires_at {
            row.expires_at = expires_at;
            row.version += 1;
            row.updated_at = self.now;
            reservation_update(self.conn, &row, ReservationState::Held)?;
            self.note("reservation.extended", id, &row.holder, &row.reference, vec![])?;
        }
        Ok((shown(&row, &lines, self.now), None))
    }

    pub(super) fn commit(&mut self, id: Id) -> Result<Done, Setback> {
        let (mut row, lines) = self.locked(id)?;
        match state_at(&row, self.now) {
            ReservationState::Held => {}
            ReservationState::Expired => return self.commit_late(row, &lines),
            ReservationState::Committed | ReservationState::Shipped => {
                return Ok((shown(&row, &lines, self.now), None));
            }
            state => return Err(wrong(state, "be committed").into()),
        }
        let reservation = self.enter(&mut row, &lines, ReservationState::Committed, "reservation.committed", vec![])?;
        self.shift_all(id, &lines, LedgerKind::Committed, |line| Counters {
            reserved: -line.quantity,
            allocated: line.quantity,
            ..Counters::default()
        })?;
        Ok((reservation, Some("committed")))
    }

    /// The hold is over: takes the same goods from the same places once more.
    fn commit_late(&mut self, mut row: ReservationRow, lines: &[ReservationLineRow]) -> Result<Done, Setback> {
        if row.state == ReservationState::Held {
            self.give_back(&mut row, lines, ReservationState::Expired)?;
        }
        let demands = self.demands_again(lines)?;
        let expired_at = row.expires_at;
        // Each demand has one place, so what is planned is what the lines say.
        self.plan(&demands, false).map_err(|setback| match setback {
            Setback::Failed(InventoryError::OutOfStock(lines)) => {
                Setback::Failed(InventoryError::ReservationExpired { expired_at, lines })
            }
            other => other,
        })?;
        let reservation = self.enter(&mut row, lines, ReservationState::Committed, "reservation.committed", vec![])?;
        self.take(lines, LedgerKind::Committed, row.id, |units| Counters { allocated: units, ..Counters::default() })?;
        Ok((reservation, Some("committed")))
    }

    /// The goods of these lines once more. What is no longer for sale, or where, cannot be had.
    fn demands_again(&mut self, lines: &[ReservationLineRow]) -> Result<Vec<Demand>, InventoryError> {
        let codes: Vec<String> = lines.iter().map(|line| line.place.sku.clone()).collect();
        let skus = skus_by_code(self.conn, &codes)?.into_iter().filter(|sku| sku.status == "active");
        let skus: BTreeSet<Id> = skus.map(|sku| sku.sku_id).collect();
        let locations: BTreeSet<Id> = locations_active(self.conn)?.into_iter().map(|location| location.id).collect();
        let demand = |line: &ReservationLineRow| {
            let key = line.place.key;
            let is_for_sale = skus.contains(&key.sku_id) && locations.contains(&key.location_id);
            Demand {
                sku: line.place.sku.clone(),
                sold: line.sold.clone(),
                location: Some(line.place.location.clone()),
                quantity: line.quantity,
                places: if is_for_sale { vec![line.place.clone()] } else { vec![] },
                backorder: 0,
            }
        };
        Ok(lines.iter().map(demand).collect())
    }

    pub(super) fn release(&mut self, id: Id) -> Result<Done, Setback> {
        let (mut row, lines) = self.locked(id)?;
        let state = match (row.state, state_at(&row, self.now)) {
            (_, ReservationState::Held) => ReservationState::Released,
            (ReservationState::Held, ReservationState::Expired) => ReservationState::Expired,
            (_, ReservationState::Released | ReservationState::Expired) => {
                return Ok((shown(&row, &lines, self.now), None));
            }
            (_, state) => return Err(wrong(state, "be released").into()),
        };
        let outcome = if state == ReservationState::Expired { "expired" } else { "released" };
        Ok((self.give_back(&mut row, &lines, state)?, Some(outcome)))
    }

    pub(super) fn cancel(&mut self, id: Id) -> Result<Done, Setback> {
        let (mut row, lines) = self.locked(id)?;
        match state_at(&row, self.now) {
            ReservationState::Committed => {}
            ReservationState::Cancelled => return Ok((shown(&row, &lines, self.now), None)),
            state @ ReservationState::Held => return Err(wrong(state, "be cancelled: release it").into()),
            state => return Err(wrong(state, "be cancelled").into()),
        }
        (row.units, row.value) = sums(&lines, |line| line.shipped);
        let reservation = self.enter(&mut row, &lines, ReservationState::Cancelled, "reservation.cancelled", vec![])?;
        self.shift_all(id, &lines, LedgerKind::Cancelled, |line| Counters {
            allocated: line.shipped - line.quantity,
            ..Counters::default()
        })?;
        Ok((reservation, Some("cancelled")))
    }

    pub(super) fn ship(&mut self, id: Id, shipment: &Shipment) -> Result<Done, Setback> {
        let (mut row, mut lines) = self.locked(id)?;
        let expected = shipment.version.map(|number| Version { id, number });
        check_version(expected, Version { id, number: row.version })?;
        match state_at(&row, self.now) {
            ReservationState::Committed => {}
            ReservationState::Shipped if shipment.lines.is_none() => {
                return Ok((shown(&row, &lines, self.now), None));
            }
            state => return Err(wrong(state, "be shipped").into()),
        }
        let quantities = quantities(&lines, shipment)?;
        let mut fields = vec![];
        for line in &mut lines {
            let units = quantities.get(&line.place.key).copied().unwrap_or(0);
            if units > 0 {
                let sku = Some(line.place.sku.clone());
                let (from, to) = (line.shipped.into(), (line.shipped + units).into());
                fields.push(FieldChange { field: "shipped".to_owned(), sku, from, to });
                line.shipped += units;
                reservation_line_ship(self.conn, id, line.place.key, units)?;
            }
        }
        let (state, kind) = match lines.iter().all(|line| line.shipped == line.quantity) {
            true => (ReservationState::Shipped, "reservation.shipped"),
            false => (ReservationState::Committed, "reservation.partly_shipped"),
        };
        let reservation = self.enter(&mut row, &lines, state, kind, fields)?;
        self.hand_out(id, &lines, &quantities)?;
        Ok((reservation, Some("shipped")))
    }

    /// Takes shipped goods off the shelf. What was promised as backorder may not have come yet: then every such line is told.
    fn hand_out(
        &mut self,
        id: Id,
        lines: &[ReservationLineRow],
        quantities: &BTreeMap<StockKey, i64>,
    ) -> Result<(), InventoryError> {
        let mut shortages = Vec::new();
        for line in lines {
            let place = &line.place;
            let units = quantities.get(&place.key).copied().unwrap_or(0);
            if units == 0 {
                continue;
            }
            let delta = Counters { on_hand: -units, allocated: -units, ..Counters::default() };
            if self.stock_change(place, LedgerKind::Shipped, id, delta, Guard::None)?.is_none() {
                let levels = stock_level(self.conn, place.key)?;
                shortages.push(Shortage {
                    sku: place.sku.clone(),
                    location: Some(place.location.clone()),
                    requested: units,
                    available: levels.map_or(0, |levels| levels.counters.on_hand),
                });
            }
        }
        if shortages.is_empty() { Ok(()) } else { Err(InventoryError::OutOfStock(shortages)) }
    }
}

/// The units of a shipment by stock row: all that is left when it names no lines. Every line that is not in the reservation, or
/// names more than is left of it, is told.
fn quantities(lines: &[ReservationLineRow], shipment: &Shipment) -> Result<BTreeMap<StockKey, i64>, InventoryError> {
    let Some(wanted_lines) = &shipment.lines else {
        return Ok(lines.iter().map(|line| (line.place.key, line.quantity - line.shipped)).collect());
    };
    let by_name: BTreeMap<(&str, &str), &ReservationLineRow> =
        lines.iter().map(|line| ((line.place.sku.as_str(), line.place.location.as_str()), line)).collect();
    let mut quantities = BTreeMap::new();
    let mut faults = Vec::new();
    for (i, wanted) in wanted_lines.iter().enumerate() {
        let Some(line) = by_name.get(&(wanted.sku.as_str(), wanted.location.as_str())) else {
            faults.push(FieldError::new(format!("/lines/{i}"), Fault::NoSuchLine));
            continue;
        };
        let sum: &mut i64 = quantities.entry(line.place.key).or_default();
        // At most 1,000 quantities of at most a thousand million each.
        *sum += wanted.quantity;
        let left = line.quantity - line.shipped;
        if *sum > left {
            faults.push(FieldError::new(format!("/lines/{i}/quantity"), Fault::ShipsTooMuch { left }));
        }
    }
    if faults.is_empty() { Ok(quantities) } else { Err(InventoryError::Invalid(faults)) }
}
