//! Checks of what people send; all faults of a request are told at once.

use crate::error::{Fault, FieldError};
use crate::page;
use crate::user::UserError;

/// The faults found so far.
#[derive(Default)]
pub(super) struct Faults(Vec<FieldError>);

impl Faults {
    pub(super) fn add(&mut self, pointer: &str, fault: impl Into<Fault>) {
        self.0.push(FieldError::new(pointer, fault));
    }

    /// A text of at most `max` characters; empty (or missing) is fine.
    pub(super) fn text(&mut self, pointer: &str, value: &str, max: usize) {
        let length = value.chars().count();
        if length > max {
            self.add(pointer, Fault::TooLong { length, max });
        }
        // PostgreSQL cannot keep NUL, and the others would only spoil labels and logs.
        if value.chars().any(char::is_control) {
            self.add(pointer, Fault::ControlCharacter);
        }
    }

    /// A text that must say something.
    pub(super) fn required(&mut self, pointer: &str, value: &str, max: usize) {
        if value.trim().is_empty() {
            self.add(pointer, Fault::Empty);
        }
        self.text(pointer, value, max);
    }

    /// A phone number, or none; `is_known`: it was taken before, so it is taken again.
    pub(super) fn phone(&mut self, pointer: &str, value: &str, max: usize, is_known: bool) {
        self.text(pointer, value, max);
        if !is_known && !value.trim().is_empty() && !is_phone(value) {
            self.add(pointer, Fault::Phone { min: PHONE_DIGITS_MIN });
        }
    }

    /// The faults that another check found, if it did.
    pub(super) fn note<T>(&mut self, checked: &Result<T, UserError>) {
        if let Err(UserError::Invalid(found)) = checked {
            self.0.extend_from_slice(found);
        }
    }

    /// The size of a page.
    pub(super) fn limit(&mut self, limit: Option<u32>) -> i64 {
        page::limit(limit).unwrap_or_else(|fault| {
            self.0.push(fault);
            0
        })
    }

    /// Ends the checks: an error when there is a fault.
    pub(super) fn done(self) -> Result<(), UserError> {
        if self.0.is_empty() { Ok(()) } else { Err(UserError::Invalid(self.0)) }
    }
}

const PHONE_DIGITS_MIN: usize = 5;

/// Digits, what people put between them, and an extension.
fn is_phone(text: &str) -> bool {
    let text = text.to_lowercase();
    let is_sign = |c: char| c.is_ascii_digit() || (c.is_whitespace() && !c.is_control()) || "+().-/".contains(c);
    let mut words = text.split(is_sign).filter(|word| !word.is_empty());
    let digits = text.chars().filter(char::is_ascii_digit).count();
    digits >= PHONE_DIGITS_MIN && words.all(|word| matches!(word, "x" | "ext"))
}

#[cfg(test)]
mod tests {
    use super::is_phone;

    #[test]
    fn a_phone_number_is_told_from_other_texts() {
        for good in ["12345", "+47 22 33 44 55", "(020) 7946-0958", "030/1234.567", "555-0100 ext. 22", "5550100x3"] {
            assert!(is_phone(good), "{good}");
        }
        for wrong in ["", "1234", "not a phone <b>", "call 12345", "12345\t6", "+1 555 0100;", "xext", "12345 extra"] {
            assert!(!is_phone(wrong), "{wrong}");
        }
    }
}
