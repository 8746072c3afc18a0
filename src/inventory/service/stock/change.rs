//! The four kinds of rows that change stock: their form, and what each does to the counters of a place.

use crate::error::{Fault, FieldError};
use crate::inventory::service::validate::{is_location_code, is_sku_code};
use crate::inventory::store::stock::{Guard, Levels, Place};
use crate::inventory::*;

/// A row of a batch.
pub(super) trait Row: Clone + Send + Sync + 'static {
    /// The name of this kind in the metrics.
    const NAME: &'static str;

    fn sku(&self) -> &str;
    fn reason(&self) -> &str;
    /// What happens at which location; a location's field beside it.
    fn effects(&self) -> Vec<(&'static str, &str, Effect)>;
    /// What is wrong with the row's own values, beside the codes and the reason.
    fn faults(&self) -> Vec<FieldError>;
}

/// What a row does to a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    Add { counter: Counter, delta: i64 },
    Set { counter: Counter, expected: i64, counted: i64 },
    Leave { quantity: i64 },
    Arrive { quantity: i64 },
    Receive { quantity: i64 },
}

impl Row for Adjustment {
    const NAME: &'static str = "adjusted";

    fn sku(&self) -> &str {
        &self.sku
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn effects(&self) -> Vec<(&'static str, &str, Effect)> {
        vec![("/location", &self.location, Effect::Add { counter: self.counter, delta: self.delta })]
    }

    fn faults(&self) -> Vec<FieldError> {
        match self.delta {
            0 => vec![FieldError::new("/delta", Fault::NoChange)],
            delta => range("/delta", delta, -QUANTITY_MAX),
        }
    }
}

impl Row for Count {
    const NAME: &'static str = "counted";

    fn sku(&self) -> &str {
        &self.sku
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn effects(&self) -> Vec<(&'static str, &str, Effect)> {
        let Count { counter, expected, counted, .. } = *self;
        vec![("/location", &self.location, Effect::Set { counter, expected, counted })]
    }

    fn faults(&self) -> Vec<FieldError> {
        [range("/expected", self.expected, 0), range("/counted", self.counted, 0)].concat()
    }
}

impl Row for Transfer {
    const NAME: &'static str = "transferred";

    fn sku(&self) -> &str {
        &self.sku
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn effects(&self) -> Vec<(&'static str, &str, Effect)> {
        let quantity = self.quantity;
        vec![("/from", &self.from, Effect::Leave { quantity }), ("/to", &self.to, Effect::Arrive { quantity })]
    }

    fn faults(&self) -> Vec<FieldError> {
        let mut faults = range("/quantity", self.quantity, 1);
        if self.from == self.to {
            faults.push(FieldError::new("/to", Fault::SameLocation));
        }
        faults
    }
}

impl Row for Receipt {
    const NAME: &'static str = "received";

    fn sku(&self) -> &str {
        &self.sku
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn effects(&self) -> Vec<(&'static str, &str, Effect)> {
        vec![("/location", &self.location, Effect::Receive { quantity: self.quantity })]
    }

    fn faults(&self) -> Vec<FieldError> {
        range("/quantity", self.quantity, 1)
    }
}

/// Of a reason, in characters.
const REASON_MAX: usize = 200;

fn range(pointer: &str, value: i64, min: i64) -> Vec<FieldError> {
    match (min..=QUANTITY_MAX).contains(&value) {
        true => vec![],
        false => vec![FieldError::new(pointer, Fault::OutOfRange { value, min, max: QUANTITY_MAX })],
    }
}

/// All that is wrong with a row's form.
pub(super) fn form_faults(row: &impl Row) -> Vec<FieldError> {
    let mut faults = vec![];
    if !is_sku_code(row.sku()) {
        faults.push(FieldError::new("/sku", Fault::NoSuchSku));
    }
    for (pointer, location, _) in row.effects() {
        if !is_location_code(location) {
            faults.push(FieldError::new(pointer, Fault::NoSuchLocation));
        }
    }
    faults.extend(row.faults());
    let reason = row.reason();
    if reason.trim().is_empty() || reason.chars().count() > REASON_MAX || reason.chars().any(char::is_control) {
        faults.push(FieldError::new("/reason", Fault::Reason { max: REASON_MAX }));
    }
    faults
}

impl Effect {
    pub(super) fn kind(self) -> LedgerKind {
        match self {
            Effect::Add { .. } => LedgerKind::Adjusted,
            Effect::Set { .. } => LedgerKind::Counted,
            Effect::Leave { .. } => LedgerKind::TransferredOut,
            Effect::Arrive { .. } => LedgerKind::TransferredIn,
            Effect::Receive { .. } => LedgerKind::Received,
        }
    }

    /// What the database shall check once more at the moment of the change.
    pub(super) fn guard(self) -> Guard {
        match self {
            Effect::Set { counter, expected, .. } => Guard::Is(counter, expected),
            _ => Guard::None,
        }
    }

    /// The change that it makes to these counters, or why it may not.
    pub(super) fn delta(self, place: &Place, levels: &Levels) -> Result<Counters, InventoryError> {
        let is = &levels.counters;
        let (delta, pointer) = match self {
            Effect::Add { counter, delta } => (one(counter, delta), "/delta"),
            Effect::Set { counter, expected, counted } => {
                let actual = of(is, counter);
                if actual != expected {
                    let (sku, location) = (place.sku.clone(), place.location.clone());
                    return Err(InventoryError::CountMismatch { sku, location, expected, actual });
                }
                (one(counter, counted - actual), "/counted")
            }
            Effect::Leave { quantity } => (one(Counter::OnHand, -quantity), "/quantity"),
            Effect::Arrive { quantity } => (one(Counter::OnHand, quantity), "/quantity"),
            Effect::Receive { quantity } => {
                let incoming = -is.incoming.min(quantity);
                (Counters { on_hand: quantity, incoming, ..Counters::default() }, "/quantity")
            }
        };
        for (name, is, delta) in [
            ("on_hand", is.on_hand, delta.on_hand),
            ("safety", is.safety, delta.safety),
            ("incoming", is.incoming, delta.incoming),
        ] {
            if is + delta < 0 {
                let fault = Fault::TakesTooMuch { counter: name.to_owned(), quantity: -delta, there: is };
                return Err(InventoryError::invalid(pointer, fault));
            }
            if is + delta > QUANTITY_MAX {
                let counter = name.to_owned();
                let fault = Fault::AddsTooMuch { counter, quantity: delta, there: is, max: QUANTITY_MAX };
                return Err(InventoryError::invalid(pointer, fault));
            }
        }
        // Goods that are there are promised first: those cannot be moved elsewhere, though backorders would cover them here.
        let backorder = if matches!(self, Effect::Leave { .. }) { 0 } else { levels.backorder };
        let promised = is.reserved + is.allocated;
        if delta.on_hand < 0 && promised > is.on_hand + delta.on_hand + backorder {
            let (sku, location) = (place.sku.clone(), place.location.clone());
            return Err(InventoryError::StockPromised { sku, location, promised });
        }
        Ok(delta)
    }
}

fn one(counter: Counter, delta: i64) -> Counters {
    let mut counters = Counters::default();
    match counter {
        Counter::OnHand => counters.on_hand = delta,
        Counter::Safety => counters.safety = delta,
        Counter::Incoming => counters.incoming = delta,
    }
    counters
}

fn of(counters: &Counters, counter: Counter) -> i64 {
    match counter {
        Counter::OnHand => counters.on_hand,
        Counter::Safety => counters.safety,
        Counter::Incoming => counters.incoming,
    }
}
