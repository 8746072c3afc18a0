//! What the pages about goods share: keys against doing a thing twice, what is there now, words, prices and addresses.

use serde::Serialize;

use crate::call::Versioned;
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::inventory::{Category, Location, MONEY_MAX, Money};
use crate::money;
use crate::web::{Form, Shell};

/// A value that somebody else has changed meanwhile: the field's name, and what is there now.
pub(super) struct Now {
    pub(super) label: String,
    pub(super) value: String,
}

/// The values of `now` that are not what was typed. `fields` are the names of the fields with the keys of their labels.
pub(super) fn differences(shell: &Shell, typed: &Form, now: &Form, fields: &[(&str, &str)]) -> Vec<Now> {
    let is_conflict = typed.problem().is_some_and(|problem| problem.code == ErrorCode::VersionMismatch);
    let differs = |name: &str| is_conflict && lines(typed, name) != lines(now, name);
    let now = |(name, label): &(&str, &str)| Now { label: shell.t(label), value: now.text(name) };
    fields.iter().filter(|(name, _)| differs(name)).map(now).collect()
}

/// A text of several lines with the ends of lines as they are kept: browsers send others.
pub(super) fn lines(form: &Form, name: &str) -> String {
    form.get(name).replace("\r\n", "\n")
}

/// The version for the form's next showing. It stays the one that the form was made from, until the conflict with what is there now
/// was shown.
pub(super) fn version(form: &Form, now: &impl Versioned) -> String {
    form.optional("version").filter(|_| !form.is_outdated()).unwrap_or_else(|| now.version().to_string())
}

/// The key for the form's next showing: a new one, except while it may still be done under the old one.
pub(super) fn key(shell: &Shell, form: &Form) -> String {
    let is_running = form.problem().is_some_and(|problem| problem.code == ErrorCode::IdempotencyKeyInUse);
    match form.optional("key").filter(|_| is_running) {
        Some(key) => key,
        None => Id::new(shell.site.clock.now()).to_string(),
    }
}

/// The word under which serde knows a value, as `active`.
pub(super) fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What serde knows under this word.
pub(super) fn of_word<T: serde::de::DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(word.into()).ok()
}

/// A choice of these words, each with its name in the group.
pub(super) fn choices(shell: &Shell, group: &str, words: &[&str]) -> Vec<(String, String)> {
    words.iter().map(|word| ((*word).to_owned(), shell.word(group, word))).collect()
}

/// A price as it is typed.
pub(super) fn decimal(price: &Money) -> String {
    money::format(price.amount.max(0), money::decimals(&price.currency))
}

pub(super) fn optional_decimal(price: Option<&Money>) -> String {
    price.map_or(String::new(), decimal)
}

/// A price that was typed. One that is more than the module takes is told here, as the locale writes amounts.
pub(super) fn price(shell: &Shell, form: &mut Form, name: &str) -> Option<Money> {
    let amount = form.amount(name, &shell.site.currency)?;
    if amount > MONEY_MAX {
        form.fault(name, shell.t1("goods-price-most", "max", amount_text(shell, MONEY_MAX)));
        return None;
    }
    Some(Money { amount, currency: shell.site.currency.clone() })
}

/// An amount in minor units as the locale writes it.
pub(super) fn amount_text(shell: &Shell, amount: i64) -> String {
    shell.money(Money { amount, currency: shell.site.currency.clone() })
}

/// Does the form of a list filter nothing? Then what is not there is nowhere.
pub(super) fn asks_nothing(sieve: &Form) -> bool {
    sieve.all("").all(|(_, value)| value.is_empty())
}

/// A code as a part of an address.
pub(super) fn segment(code: &str) -> String {
    url::form_urlencoded::byte_serialize(code.as_bytes()).collect()
}

/// The address of a product's page. One whose handle is another page's name is found by its id.
pub(super) fn product_address(handle: &str, id: Id) -> String {
    match handle {
        "new" => format!("/admin/products/{id}"),
        _ => format!("/admin/products/{handle}"),
    }
}

/// All categories as a choice, by path, behind the one of no category; the value is the id.
pub(super) fn category_choices(shell: &Shell, categories: &[Category]) -> Vec<(String, String)> {
    let mut choices = vec![(String::new(), shell.t("goods-none"))];
    choices.extend(categories.iter().map(|category| (category.id.to_string(), category.path.clone())));
    choices
}

/// Locations as a choice; the value is the code.
pub(super) fn location_choices(locations: &[Location]) -> Vec<(String, String)> {
    locations.iter().map(|location| (location.code.clone(), format!("{} ({})", location.name, location.code))).collect()
}

/// Changes where a problem's faults stand: `name` gives the field for a pointer.
pub(super) fn at_fields(error: impl Into<Problem>, name: impl Fn(&str) -> Option<String>) -> Problem {
    let mut problem = error.into();
    for fault in &mut problem.errors {
        if let Some(name) = name(&fault.pointer) {
            fault.pointer = name;
        }
    }
    problem
}

/// Amounts stand in the price's own field.
pub(super) fn at_prices(error: impl Into<Problem>) -> Problem {
    let name = |pointer: &str| pointer.strip_suffix("/amount").or(pointer.strip_suffix("/currency")).map(str::to_owned);
    at_fields(error, name)
}
