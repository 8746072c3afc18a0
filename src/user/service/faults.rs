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
