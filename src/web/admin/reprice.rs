//! A change of all prices of a table: by so many percent or by an amount, rounded. It is worked out on what stands in the form.

use super::goods::{amount_text, decimal, price};
use crate::inventory::{MONEY_MAX, Money};
use crate::money;
use crate::web::form::ungrouped;
use crate::web::{Form, Shell};

/// The choices of the form: the group of their words, and the words.
pub(super) const CHANGES: [(&str, &[&str]); 2] =
    [("prices-unit", &["percent", "amount"]), ("prices-round", &["none", "to99"])];

/// What shall be done to each price.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    /// Hundredths of a percent, or minor units.
    by: i64,
    is_percent: bool,
    /// To the nearest price that is one minor unit below a whole one, as 4.99.
    to_99: bool,
    /// Minor units in a whole one.
    whole: i64,
}

impl Change {
    /// The new price; `None`: it would be below 0 or too large to be one.
    fn of(self, price: i64) -> Option<i64> {
        let new = match self.is_percent {
            // Rounded to the nearest minor unit, halves up.
            true => (i128::from(price) * (10_000 + i128::from(self.by)) + 5_000).div_euclid(10_000),
            false => i128::from(price) + i128::from(self.by),
        };
        let whole = i128::from(self.whole);
        let new = match self.to_99 && new > 0 {
            true => ((new + 1 + whole / 2) / whole).max(1) * whole - 1,
            false => new,
        };
        i64::try_from(new).ok().filter(|new| (0..=MONEY_MAX).contains(new))
    }
}

/// The form with the changed prices of its first `rows` rows in the fields. What cannot be read, or cannot be so changed, stays and
/// is told.
pub(super) fn reprice(shell: &Shell, mut form: Form, rows: usize) -> Form {
    let Some(change) = read(shell, &mut form) else { return form };
    let currency = shell.site.currency.clone();
    let keeps_before = form.is_checked("change.before");
    let own: Vec<(String, String)> =
        form.all("sku.").take(rows).map(|(n, code)| (n.to_owned(), code.to_owned())).collect();
    for (n, code) in own {
        let name = format!("price.{n}");
        let old = typed_price(shell, &mut form, &name);
        let new = old.as_ref().map(|old| change.of(old.amount));
        if new == Some(None) {
            let [min, max] = [0, MONEY_MAX].map(|amount| amount_text(shell, amount));
            form.fault(&name, format!("{code}: {}", shell.t2("prices-change-impossible", "min", min, "max", max)));
        }
        let Some(Some(new)) = new else { continue };
        let text = |amount| decimal(&Money { amount, currency: currency.clone() });
        form.set(&name, text(new));
        // What was asked for until now, not what was typed meanwhile.
        let before = form.amount(&format!("was.{name}"), &currency).filter(|before| keeps_before && new < *before);
        if let Some(before) = before {
            form.set(&format!("compare.{n}"), text(before));
        }
        // What saving would refuse is told now.
        price(shell, &mut form, &format!("compare.{n}"));
    }
    // Filled in twice, it would be changed twice.
    form.set("change.by", String::new());
    form
}

/// A price that must be there.
pub(super) fn typed_price(shell: &Shell, form: &mut Form, name: &str) -> Option<Money> {
    if form.get(name).is_empty() {
        form.fault(name, shell.t("goods-price-missing"));
    }
    price(shell, form, name)
}

/// The change that the form asks for; what is wrong with it is told at its field.
fn read(shell: &Shell, form: &mut Form) -> Option<Change> {
    let decimals = money::decimals(&shell.site.currency);
    let is_percent = form.get("change.unit") != "amount";
    let to_99 = form.get("change.round") == "to99";
    let typed = form.text("change.by").replace('−', "-").replace('%', "");
    let (sign, number) = match typed.trim().strip_prefix('-') {
        Some(number) => (-1, number),
        None => (1, typed.trim().trim_start_matches('+')),
    };
    let number = match number.trim() {
        // Only rounded.
        "" if typed.is_empty() => Some(0),
        number => ungrouped(number).and_then(|text| money::parse(&text, if is_percent { 2 } else { decimals })),
    };
    let Some(number) = number.filter(|number| *number > 0 || to_99) else {
        form.fault("change.by", shell.t("prices-change-unreadable"));
        return None;
    };
    let whole = 10_i64.pow(if decimals == 0 { 2 } else { decimals });
    Some(Change { by: sign * number, is_percent, to_99, whole })
}

#[cfg(test)]
mod tests {
    use super::{Change, MONEY_MAX};

    #[test]
    fn prices_change_by_percent_or_amount_and_are_rounded() {
        let percent = |by, to_99| Change { by, is_percent: true, to_99, whole: 100 };
        let amount = |by, to_99| Change { by, is_percent: false, to_99, whole: 100 };
        for (change, old, new) in [
            (percent(1_000, false), 1_000, Some(1_100)),
            (percent(-1_250, false), 999, Some(874)),
            (percent(-10_000, false), 999, Some(0)),
            (percent(-10_001, false), 99_999, Some(-10)),
            (percent(1_000, true), 1_000, Some(1_099)),
            (percent(-1_000, true), 1_000, Some(899)),
            (percent(100, true), 1_000, Some(999)),
            (percent(-9_000, true), 100, Some(99)),
            (percent(-10_000, true), 100, Some(0)),
            (amount(-50, false), 1_000, Some(950)),
            (amount(49, true), 1_000, Some(1_099)),
            (amount(48, true), 1_000, Some(999)),
            (amount(-1_001, false), 1_000, Some(-1)),
            (amount(i64::MAX, false), 1, None),
            (amount(1, false), MONEY_MAX - 1, Some(MONEY_MAX)),
            (amount(1, false), MONEY_MAX, None),
            (percent(0, true), 1_010, Some(999)),
            (percent(i64::MAX, false), i64::MAX, None),
        ] {
            assert_eq!(change.of(old), new.filter(|new| *new >= 0), "{change:?} of {old}");
        }
    }
}
