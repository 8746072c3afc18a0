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
            false => Err(UserError::invalid(pointer, Fault::Email { max: LENGTH_MAX })),
        }
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

fn is_address(text: &str) -> bool {
    let plain = |char: char| !char.is_whitespace() && !char.is_control() && !"<>()[],;:\\\"".contains(char);
    text.len() <= LENGTH_MAX && text.chars().all(plain) && text.parse::<lettre::Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
