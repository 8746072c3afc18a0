//! Secret tokens: 256 random bits, of which only the SHA-256 is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Id;

/// What a session's token begins with, and an API key's.
pub(super) const SESSION: &str = "ems_";
pub(super) const API_KEY: &str = "emk_";

/// A new token of a session. It names the person too, so that its row is found where that person's things are.
pub(super) fn session_token(user: Id) -> String {
    let mut bytes = [0; 48];
    bytes[..16].copy_from_slice(user.0.as_bytes());
    bytes[16..].copy_from_slice(&random());
    format!("{SESSION}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Whom a session's token names; `None` when it has not the form of one.
pub(super) fn session_user(token: &str) -> Option<Id> {
    let mut bytes = [0; 48];
    let length = URL_SAFE_NO_PAD.decode_slice(token.strip_prefix(SESSION)?, &mut bytes).ok()?;
    let user = Uuid::from_slice(bytes.get(..16)?).ok()?;
    (length == bytes.len()).then_some(Id(user))
}

/// A new token that begins with `prefix`.
pub(super) fn token(prefix: &str) -> String {
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random()))
}

/// What is kept of a token.
pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// 256 bits from the system's random source.
pub(super) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).expect("no token can be made without the system's random source");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn a_session_token_names_its_person_and_nothing_else_does() {
        let user = Id::new(SystemClock.now());
        let token = session_token(user);
        assert_eq!(session_user(&token), Some(user));
        assert_ne!(session_token(user), token);
        for wrong in ["", "ems_", "ems_AAAA", "ems_!", &token[4..], &token[..40], &format!("{token}AAAA")] {
            assert_eq!(session_user(wrong), None, "{wrong}");
        }
    }
}
