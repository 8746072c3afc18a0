//! What an order is to whoever looks at it, customer or staff: its state, its goods in a few words, and what it costs.

use super::Shell;
use crate::inventory::{Money, Reservation, ReservationLine, ReservationState};

/// The state in a word; the texts have it for each group. Of a committed order a part may have gone, and of a cancelled one too.
pub(in crate::web) fn state(order: &Reservation) -> String {
    match order.state {
        ReservationState::Committed if is_begun(order) => "partly-shipped".to_owned(),
        _ if is_partly_cancelled(order) => "partly-cancelled".to_owned(),
        state => state.to_string(),
    }
}

/// How the style sheet shows the state.
pub(in crate::web) fn kind(order: &Reservation) -> &'static str {
    match order.state {
        ReservationState::Shipped => "good",
        ReservationState::Committed | ReservationState::Held => "warn",
        _ if is_partly_cancelled(order) => "warn",
        _ => "bad",
    }
}

/// Was a part of it shipped, and the rest given back?
pub(in crate::web) fn is_partly_cancelled(order: &Reservation) -> bool {
    order.state == ReservationState::Cancelled && is_begun(order)
}

fn is_begun(order: &Reservation) -> bool {
    order.lines.iter().any(|line| line.shipped > 0)
}

/// What was ordered, each product once.
pub(in crate::web) fn titles(order: &Reservation) -> Vec<&str> {
    let mut titles = Vec::new();
    for line in &order.lines {
        if !titles.contains(&&*line.title) {
            titles.push(&*line.title);
        }
    }
    titles
}

/// So many units of a line stay sold: of an order that was cancelled after a part of it was shipped, what was shipped.
pub(in crate::web) fn sold(order: &Reservation, line: &ReservationLine) -> i64 {
    if is_partly_cancelled(order) { line.shipped } else { line.quantity }
}

/// What so many units of a line cost.
pub(in crate::web) fn cost(line: &ReservationLine, quantity: i64) -> Money {
    Money { amount: line.unit_price.amount.saturating_mul(quantity), ..line.unit_price.clone() }
}

/// What the order costs.
pub(in crate::web) fn total(shell: &Shell, order: &Reservation) -> Money {
    let lines = order.lines.iter().map(|line| cost(line, sold(order, line)).amount);
    let currency = order.lines.first().map_or(&shell.site.currency, |line| &line.unit_price.currency);
    Money { amount: lines.fold(0, i64::saturating_add), currency: currency.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An order with lines of these products, each with the units and how many of them were shipped.
    fn order(state: ReservationState, lines: &[(&str, i64, i64)]) -> Reservation {
        let time = "2026-11-24T12:00:00.000000Z";
        let line = |(title, quantity, shipped): &(&str, i64, i64)| {
            let price = serde_json::json!({ "amount": 100, "currency": "USD" });
            serde_json::json!({ "sku": title, "location": "MAIN", "quantity": quantity, "shipped": shipped, "title": title,
                "options": [], "unit_price": price })
        };
        let lines: Vec<_> = lines.iter().map(line).collect();
        let order = serde_json::json!({ "id": "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d", "state": state, "holder": "ann",
            "reference": "", "lines": lines, "expires_at": time, "expires_max": time, "committed_at": time, "version": 1,
            "created_at": time, "updated_at": time });
        serde_json::from_value(order).unwrap()
    }

    #[test]
    fn each_product_is_named_once() {
        let order = order(ReservationState::Committed, &[("A", 1, 0), ("B", 1, 0), ("A", 1, 0)]);
        assert_eq!(titles(&order), ["A", "B"]);
    }

    #[test]
    fn what_was_shipped_in_part_is_told_from_the_rest() {
        use ReservationState::*;
        for (of, shipped, word, units) in [
            (Committed, 0, "committed", 5),
            (Committed, 2, "partly-shipped", 5),
            (Shipped, 5, "shipped", 5),
            (Cancelled, 0, "cancelled", 5),
            (Cancelled, 2, "partly-cancelled", 2),
        ] {
            let order = order(of, &[("A", 5, shipped)]);
            assert_eq!((&*state(&order), sold(&order, &order.lines[0])), (word, units));
        }
    }
}
