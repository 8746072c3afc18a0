//! Making a hold.

use std::collections::HashMap;

use super::plan::Demand;
use super::request::{Request, Wanted};
use super::{Attempt, Done, Setback, shown};
use crate::clock::Id;
use crate::error::{Fault, FieldError};
use crate::inventory::store::reservation::{
    ReservationLineRow, ReservationRow, holder_due, holder_lock, holder_units, reservation_insert,
};
use crate::inventory::store::stock::{LocationRow, Place, SkuRow, locations_active, locations_by_code, skus_by_code};
use crate::inventory::{Counters, InventoryError, LedgerKind, ReservationState};

/// At most so many holds are ended before an attempt begins again.
const DUE_MAX: i64 = 64;

impl Attempt<'_> {
    pub(super) fn reserve(&mut self, request: &Request) -> Result<Done, Setback> {
        holder_lock(self.conn, &request.holder, self.now)?;
        let demands = self.demands(request)?;
        if !request.allow_partial {
            self.check_cap(request, request.units())?;
        }
        let plan = self.plan(&demands, request.allow_partial)?;
        if request.allow_partial {
            self.check_cap(request, plan.units())?;
        }
        let lines = plan.lines(&demands);
        let row = self.header(request, &lines);
        // The stock rows come last: others wait for them, so they are kept for as short a time as can be.
        reservation_insert(self.conn, &row, &lines)?;
        let mut reservation = shown(&row, &lines, self.now);
        self.tell("reservation.held", &reservation, vec![])?;
        self.take(&lines, LedgerKind::Reserved, row.id, |units| Counters { reserved: units, ..Counters::default() })?;
        reservation.shortages = plan.shortages(&demands);
        let outcome = if reservation.shortages.is_empty() { "held" } else { "partial" };
        Ok((reservation, Some(outcome)))
    }

    /// Finds what the lines name. Every line that names nothing, or nothing for sale, is told.
    fn demands(&mut self, request: &Request) -> Result<Vec<Demand>, Setback> {
        let lines = &request.lines;
        let codes: Vec<String> = lines.iter().map(|line| line.sku.clone()).collect();
        let skus = skus_by_code(self.conn, &codes)?;
        let skus: HashMap<&str, &SkuRow> = skus.iter().map(|sku| (sku.code.as_str(), sku)).collect();
        let codes: Vec<String> = lines.iter().filter_map(|line| line.location.clone()).collect();
        let named = if codes.is_empty() { vec![] } else { locations_by_code(self.conn, &codes)? };
        let named: HashMap<&str, &LocationRow> = named.iter().map(|row| (row.code.as_str(), row)).collect();
        let any = lines.iter().any(|line| line.location.is_none());
        let any = if any { locations_active(self.conn)? } else { vec![] };
        let mut faults = Vec::new();
        let mut demands = Vec::with_capacity(lines.len());
        for line in lines {
            let sku = sku_for_sale(line, &skus, &mut faults);
            let locations = match &line.location {
                None => any.iter().collect(),
                Some(code) => location_in_use(line, code, &named, &mut faults).into_iter().collect::<Vec<_>>(),
            };
            let Some(sku) = sku else { continue };
            demands.push(Demand {
                sku: sku.code.clone(),
                sold: sku.sold.clone(),
                location: line.location.clone(),
                quantity: line.quantity,
                places: locations.into_iter().map(|location| Place::new(sku, location)).collect(),
                backorder: sku.backorder_limit,
            });
        }
        if faults.is_empty() { Ok(demands) } else { Err(InventoryError::Invalid(faults).into()) }
    }

    /// May the holder hold so many more units?
    fn check_cap(&mut self, request: &Request, units: i64) -> Result<(), Setback> {
        let (holder, max) = (&request.holder, request.holder_units_max);
        if holder_units(self.conn, holder, None)? + units <= max {
            return Ok(());
        }
        let units = holder_units(self.conn, holder, Some(self.now))? + units;
        if units > max {
            return Err(InventoryError::HolderLimit { holder: holder.clone(), units, max }.into());
        }
        Err(Setback::Due(holder_due(self.conn, holder, self.now, DUE_MAX)?))
    }

    fn header(&self, request: &Request, lines: &[ReservationLineRow]) -> ReservationRow {
        let mut product_ids: Vec<Id> = lines.iter().map(|line| line.place.key.product_id).collect();
        product_ids.dedup();
        let (units, value) = sums(lines, |line| line.quantity);
        ReservationRow {
            id: Id::new(self.now),
            holder: request.holder.clone(),
            state: ReservationState::Held,
            reference: request.reference.clone(),
            product_ids,
            expires_at: self.now.plus_seconds(request.hold_seconds),
            expires_max: self.now.plus_seconds(request.hold_total_seconds),
            committed_at: None,
            units,
            value,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        }
    }
}

/// So many units of each line: their sum, and what they cost.
pub(super) fn sums(lines: &[ReservationLineRow], units: fn(&ReservationLineRow) -> i64) -> (i64, i64) {
    let value = |line: &ReservationLineRow| i128::from(units(line)) * i128::from(line.sold.price.amount);
    // Only prices and quantities that no shop has make more than an i64 holds.
    let value = i64::try_from(lines.iter().map(value).sum::<i128>()).unwrap_or(i64::MAX);
    (lines.iter().map(units).sum(), value)
}

fn sku_for_sale<'a>(
    line: &Wanted,
    skus: &HashMap<&str, &'a SkuRow>,
    faults: &mut Vec<FieldError>,
) -> Option<&'a SkuRow> {
    let fault = match skus.get(line.sku.as_str()) {
        Some(sku) if sku.status == "active" => return Some(sku),
        Some(_) => Fault::NotForSale,
        None => Fault::NoSuchSku,
    };
    faults.extend(line.lines.iter().map(|i| FieldError::new(format!("/lines/{i}/sku"), fault.clone())));
    None
}

fn location_in_use<'a>(
    line: &Wanted,
    code: &str,
    locations: &HashMap<&str, &'a LocationRow>,
    faults: &mut Vec<FieldError>,
) -> Option<&'a LocationRow> {
    let fault = match locations.get(code) {
        Some(location) if location.active => return Some(location),
        Some(_) => Fault::LocationNotInUse,
        None => Fault::NoSuchLocation,
    };
    faults.extend(line.lines.iter().map(|i| FieldError::new(format!("/lines/{i}/location"), fault.clone())));
    None
}
