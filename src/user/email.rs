//! E-mail addresses: which are taken, and the form under which they are one account.

use unicode_normalization::UnicodeNormalization;

use super::UserError;
use crate::error::Fault;

/// In bytes: what RFC 5321 lets a path have.
const LENGTH_MAX: usize = 254;

/// An address in both its forms.
pub(super) struct Email {
    /// As its owner writes it.
    pub shown: String,
    /// Under which it is unique.
    pub norm: String,
}

impl Email {
    /// Reads an address; `pointer` is its place in the request.
    pub(super) fn read(text: &str, pointer: &str) -> Result<Email, UserError> {
        let shown: String = text.trim().nfc().take(LENGTH_MAX + 1).collect();
        match is_address(&shown) {
            true => Ok(Email { norm: normalised(&shown), shown }),
            false => Err(fault(pointer)),
        }
    }

    /// Reads an address that somebody wants to have from now on: one to which the world can send mails. Accounts of before may have others.
    pub(super) fn read_new(text: &str, pointer: &str) -> Result<Email, UserError> {
        let email = Email::read(text, pointer)?;
        let (_, domain) = email.norm.rsplit_once('@').unwrap_or_default();
        let is_public = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
        if is_public { Ok(email) } else { Err(fault(pointer)) }
    }

    /// What comes before the `@`.
    pub(super) fn local_part(&self) -> &str {
        self.norm.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

/// The form under which an address that was read before is unique.
pub(super) fn normalised(shown: &str) -> String {
    shown.to_lowercase().nfc().collect()
}

fn fault(pointer: &str) -> UserError {
    UserError::invalid(pointer, Fault::Email { max: LENGTH_MAX })
}

fn is_address(text: &str) -> bool {
    let plain = |char: char| !char.is_whitespace() && !char.is_control() && !"<>()[],;:\\\"".contains(char);
    text.len() <= LENGTH_MAX && text.chars().all(plain) && text.parse::<lettre::Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_address_is_one_that_the_world_knows() {
        let is_new = |text: &str| Email::read_new(text, "/email").is_ok();
        assert!(is_new("ann@example.com") && is_new("ann@mail.example.co.uk") && is_new("ann@b\u{fc}cher.example"));
        for wrong in ["pia@x", "shop@localhost", "ann@example.", "ann@.com", "ann@example..com", "ann"] {
            assert!(!is_new(wrong), "{wrong:?}");
        }
        // Who has such a one already can still log in.
        assert!(Email::read("shop@localhost", "/email").is_ok());
    }

    #[test]
    fn one_person_is_one_address_however_it_is_written() {
        let norm = |text: &str| Email::read(text, "/email").map(|email| email.norm).ok();
        assert_eq!(norm(" Ann@Example.COM\n").as_deref(), Some("ann@example.com"));
        assert_eq!(norm("Jose\u{301}@example.com"), norm("jos\u{e9}@example.com"));
        assert_eq!(norm("shop@localhost").as_deref(), Some("shop@localhost"));
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in
            ["", "ann", "ann@", "@example.com", "a b@example.com", "a\0@example.com", "a@b@c", "a@x\r\nBcc:b@x", &long]
        {
            assert_eq!(norm(wrong), None, "{wrong:?}");
        }
    }
}
