//! The choice among a product's SKUs: the values of each option, and what a choice leads to. A product may have thousands of SKUs;
//! its page stays small, and asks the server again what another choice leads to.

use std::collections::HashSet;

use super::product::OPTIONS;
use crate::inventory::{Product, Sku};
use crate::web::Form;

/// Of more values of an option, a list is shown and not a button for each.
const BUTTONS_MAX: usize = 30;
/// Of more bytes of values, only those are shown that have the text that is looked for.
const VALUES_BYTES_MAX: usize = 4_000;
/// What the page writes around each value of a list.
const AROUND: usize = 30;

/// An option and its values.
pub(super) struct Choices {
    /// From 1 on.
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) values: Vec<Choice>,
    /// A list, and not buttons.
    pub(super) is_list: bool,
    /// So many values there are, where not all of them are shown.
    pub(super) all: Option<usize>,
    /// The text that shown values have.
    pub(super) find: String,
}

pub(super) struct Choice {
    pub(super) value: String,
    pub(super) is_chosen: bool,
    /// With the other values that are chosen there is such a SKU, and it can be had.
    pub(super) can_be_had: bool,
}

/// The values of a product's options, beside those of the chosen SKU.
pub(super) fn choices(product: &Product, sku: &Sku, form: &Form, can_be_had: impl Fn(&Sku) -> bool) -> Vec<Choices> {
    let option = |(n, name): (usize, &String)| {
        let fits = |other: &Sku| (0..sku.options.len()).all(|m| m == n || other.options.get(m) == sku.options.get(m));
        let (mut seen, mut had) = (HashSet::new(), HashSet::new());
        let mut all: Vec<&str> = vec![];
        for other in &product.skus {
            let Some(value) = other.options.get(n) else { continue };
            if seen.insert(value) {
                all.push(value);
            }
            if fits(other) && can_be_had(other) {
                had.insert(value.as_str());
            }
        }
        let chosen = sku.options.get(n).map_or("", String::as_str);
        let find = form.text(FINDS[n.min(FINDS.len() - 1)]);
        let (shown, is_cut) = shown(&all, chosen, &find);
        let choice = |value: &str| Choice {
            is_chosen: value == chosen,
            can_be_had: had.contains(value),
            value: value.to_owned(),
        };
        Choices {
            number: n + 1,
            name: name.clone(),
            is_list: is_cut || shown.len() > BUTTONS_MAX,
            all: is_cut.then_some(all.len()),
            values: shown.into_iter().map(choice).collect(),
            find,
        }
    };
    product.options.iter().enumerate().map(option).collect()
}

/// The values that the page has room for, the chosen one always among them; and whether some are left out.
fn shown<'a>(all: &[&'a str], chosen: &str, find: &str) -> (Vec<&'a str>, bool) {
    // Each stands there twice: as what is sent, and as what is read.
    let bytes = |value: &str| 2 * value.len() + AROUND;
    if all.iter().map(|value| bytes(value)).sum::<usize>() <= VALUES_BYTES_MAX {
        return (all.to_vec(), false);
    }
    let find = find.to_lowercase();
    let mut room = VALUES_BYTES_MAX.saturating_sub(bytes(chosen));
    let fits = |value: &&&str| {
        if **value == chosen {
            return true;
        }
        let is_wanted = value.to_lowercase().contains(&find) && room >= bytes(value);
        if is_wanted {
            room -= bytes(value);
        }
        is_wanted
    };
    (all.iter().filter(fits).copied().collect(), true)
}

/// The SKU that has what was changed of the options, and most of the others, where none has them all. What was changed is told by the
/// SKU that was shown when the choice was made.
pub(super) fn nearest<'a>(product: &'a Product, form: &Form, can_be_had: impl Fn(&Sku) -> bool) -> Option<&'a Sku> {
    let asked: Vec<&str> = OPTIONS.iter().take(product.options.len()).map(|name| form.get(name)).collect();
    let from = product.skus.iter().find(|sku| sku.code == form.get("option-from"));
    let is_changed = |n: usize| from.is_none_or(|from| from.options.get(n).is_none_or(|old| *old != asked[n]));
    let rank = |sku: &&Sku| {
        let same = || (0..asked.len()).filter(|n| sku.options.get(*n).is_some_and(|value| *value == asked[*n]));
        (same().filter(|n| is_changed(*n)).count(), can_be_had(sku), same().count())
    };
    // Of equal ones the first: the last from behind.
    let best = product.skus.iter().rev().max_by_key(rank)?;
    (rank(&best).0 > 0).then_some(best)
}

/// The names of the fields for what is looked for among an option's values.
const FINDS: [&str; 3] = ["option1-find", "option2-find", "option3-find"];
