//! What a client asks for, checked: all faults of a request are told at once.

use std::collections::BTreeMap;

use crate::config::InventoryConfig;
use crate::error::{Fault, FieldError};
use crate::inventory::{InventoryError, LINES_MAX, NewReservation, QUANTITY_MAX, ROWS_MAX, Shipment};

/// The longest holder and reference.
const TEXT_MAX: usize = 100;

/// A new reservation, its lines merged by SKU and location.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) holder: String,
    pub(super) lines: Vec<Wanted>,
    pub(super) hold_seconds: u32,
    pub(super) hold_total_seconds: u32,
    pub(super) holder_units_max: i64,
    pub(super) allow_partial: bool,
    pub(super) reference: String,
}

/// So many units of a SKU, from one location or from any.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) sku: String,
    pub(super) location: Option<String>,
    pub(super) quantity: i64,
    /// Which of the request's lines were merged to this.
    pub(super) lines: Vec<usize>,
}

impl Request {
    pub(super) fn check(holder: String, new: NewReservation, config: &InventoryConfig) -> Result<Self, InventoryError> {
        let mut faults = Vec::new();
        faults.extend(check_holder("/holder", &holder).err());
        faults.extend(check_reference("/reference", &new.reference).err());
        let hold_seconds = hold_seconds(new.hold_seconds, config).unwrap_or_else(|fault| {
            faults.push(fault);
            config.hold_seconds_default
        });
        let lines = merge(&new, &mut faults);
        if !faults.is_empty() {
            return Err(InventoryError::Invalid(faults));
        }
        Ok(Request {
            holder,
            lines,
            hold_seconds,
            hold_total_seconds: config.hold_total_seconds_max,
            holder_units_max: config.holder_units_max.into(),
            allow_partial: new.allow_partial,
            reference: new.reference,
        })
    }

    /// All units that are asked for: at most 100 lines of at most a thousand million each, so the sum is an i64.
    pub(super) fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }
}

fn merge(new: &NewReservation, faults: &mut Vec<FieldError>) -> Vec<Wanted> {
    if new.lines.is_empty() || new.lines.len() > LINES_MAX {
        let fault = Fault::WrongCount { count: new.lines.len(), min: 1, max: LINES_MAX };
        faults.push(FieldError::new("/lines", fault));
        return vec![];
    }
    let mut merged: Vec<Wanted> = Vec::new();
    let mut places: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for (i, line) in new.lines.iter().enumerate() {
        if !(1..=QUANTITY_MAX).contains(&line.quantity) {
            faults.push(quantity_fault(i, line.quantity));
            continue;
        }
        let place = (line.sku.as_str(), line.location.as_deref());
        let at = *places.entry(place).or_insert_with(|| {
            let (sku, location) = (line.sku.clone(), line.location.clone());
            merged.push(Wanted { sku, location, quantity: 0, lines: vec![] });
            merged.len() - 1
        });
        // The sum of 100 such quantities is an i64.
        merged[at].quantity += line.quantity;
        merged[at].lines.push(i);
    }
    for wanted in &merged {
        if let (Some(line), true) = (wanted.lines.last(), wanted.quantity > QUANTITY_MAX) {
            let fault = Fault::TooManyTogether { max: QUANTITY_MAX };
            faults.push(FieldError::new(format!("/lines/{line}/quantity"), fault));
        }
    }
    merged
}

fn quantity_fault(line: usize, value: i64) -> FieldError {
    FieldError::new(format!("/lines/{line}/quantity"), Fault::OutOfRange { value, min: 1, max: QUANTITY_MAX })
}

/// Is it a name that a holder may have?
pub(super) fn check_holder(pointer: &str, holder: &str) -> Result<(), FieldError> {
    let is_visible = |c: char| !c.is_control() && !c.is_whitespace();
    match holder.chars().count() {
        1..=TEXT_MAX if holder.chars().all(is_visible) => Ok(()),
        _ => Err(FieldError::new(pointer, Fault::Holder { max: TEXT_MAX })),
    }
}

/// Is it a reference that a reservation may have?
pub(super) fn check_reference(pointer: &str, reference: &str) -> Result<(), FieldError> {
    let length = reference.chars().count();
    if length > TEXT_MAX {
        return Err(FieldError::new(pointer, Fault::TooLong { length, max: TEXT_MAX }));
    }
    match reference.chars().any(char::is_control) {
        true => Err(FieldError::new(pointer, Fault::ControlCharacter)),
        false => Ok(()),
    }
}

/// How long a hold, or an extension of one, shall last.
pub(super) fn hold_seconds(asked: Option<u32>, config: &InventoryConfig) -> Result<u32, FieldError> {
    let max = config.hold_seconds_max;
    match asked {
        None => Ok(config.hold_seconds_default),
        Some(seconds) if (1..=max).contains(&seconds) => Ok(seconds),
        Some(other) => {
            let fault = Fault::OutOfRange { value: other.into(), min: 1, max: max.into() };
            Err(FieldError::new("/hold_seconds", fault))
        }
    }
}

/// The form of a shipment; whether its lines are in the reservation is seen in the transaction.
pub(super) fn check_shipment(shipment: &Shipment) -> Result<(), InventoryError> {
    let Some(lines) = &shipment.lines else { return Ok(()) };
    if lines.is_empty() || lines.len() > ROWS_MAX {
        let fault = Fault::WrongCount { count: lines.len(), min: 1, max: ROWS_MAX };
        return Err(InventoryError::invalid("/lines", fault));
    }
    let quantities = lines.iter().map(|line| line.quantity).enumerate();
    let faults: Vec<_> = quantities
        .filter(|(_, quantity)| !(1..=QUANTITY_MAX).contains(quantity))
        .map(|(line, quantity)| quantity_fault(line, quantity))
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(InventoryError::Invalid(faults)) }
}
