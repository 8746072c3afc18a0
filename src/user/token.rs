//! Secret tokens: 256 random bits, of which only the SHA-256 is kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Id;

/// What a session's token begins with, an API key's, and one that is mailed.
pub(super) const SESSION: &str = "ems_";
pub(super) const API_KEY: &str = "emk_";
pub(super) const ONE_TIME: &str = "emo_";

/// A token that begins with `prefix` and names a person too, so that its row is found where that person's things are.
pub(super) fn personal(prefix: &str, user: Id, secret: &[u8; 32]) -> String {
    let mut bytes = [0; 48];
    bytes[..16].copy_from_slice(user.0.as_bytes());
    bytes[16..].copy_from_slice(secret);
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Whom a token names that begins with `prefix`; `None` when it has not the form of such a one.
pub(super) fn person(prefix: &str, token: &str) -> Option<Id> {
    let mut bytes = [0; 48];
    let length = URL_SAFE_NO_PAD.decode_slice(token.strip_prefix(prefix)?, &mut bytes).ok()?;
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
    fn a_personal_token_names_its_person_and_nothing_else_does() {
        let user = Id::new(SystemClock.now());
        let token = personal(SESSION, user, &random());
        assert_eq!(person(SESSION, &token), Some(user));
        assert_ne!(personal(SESSION, user, &random()), token);
        assert_eq!(person(ONE_TIME, &token), None);
        for wrong in ["", "ems_", "ems_AAAA", "ems_!", &token[4..], &token[..40], &format!("{token}AAAA")] {
            assert_eq!(person(SESSION, wrong), None, "{wrong}");
        }
    }
}
