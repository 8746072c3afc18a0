//! What the shop gives to browsers and must know again: signed, so that nobody else can write it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use rand::RngCore;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

use crate::clock::Id;
use crate::user::SigningKey;

/// The keys of this shop's pages, one for each purpose.
pub(in crate::web) struct Keys {
    cookie: [u8; 32],
    form: [u8; 32],
}

impl Keys {
    pub(in crate::web) fn of(key: &SigningKey) -> Keys {
        Keys { cookie: key.derive("web cookie"), form: key.derive("web form") }
    }

    /// A cookie's value: anybody can read it, nobody can change it.
    pub(in crate::web) fn seal(&self, value: &impl Serialize) -> String {
        // Plain lists of texts and numbers, which always serialise.
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default());
        let seal = URL_SAFE_NO_PAD.encode(mac(&self.cookie, text.as_bytes()).finalize().into_bytes());
        format!("{text}.{seal}")
    }

    /// What was sealed; `None` for what was not, or is no longer of this form.
    pub(in crate::web) fn open<T: DeserializeOwned>(&self, sealed: &str) -> Option<T> {
        let (text, seal) = sealed.split_once('.')?;
        mac(&self.cookie, text.as_bytes()).verify_slice(&URL_SAFE_NO_PAD.decode(seal).ok()?).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    /// The token that goes with each form of a session. It is masked anew each time: what is the same on each page could be guessed
    /// from the sizes of compressed answers (BREACH).
    pub(in crate::web) fn form_token(&self, session: Id) -> String {
        let mut token = [0_u8; 64];
        rand::rng().fill_bytes(&mut token[..32]);
        let plain = mac(&self.form, session.0.as_bytes()).finalize().into_bytes();
        for n in 0..32 {
            token[32 + n] = token[n] ^ plain[n];
        }
        URL_SAFE_NO_PAD.encode(token)
    }

    pub(in crate::web) fn is_form_token(&self, session: Id, token: &str) -> bool {
        let Ok(Ok(token)) = URL_SAFE_NO_PAD.decode(token).map(<[u8; 64]>::try_from) else { return false };
        let plain: [u8; 32] = std::array::from_fn(|n| token[n] ^ token[32 + n]);
        mac(&self.form, session.0.as_bytes()).verify_slice(&plain).is_ok()
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("32 bytes are a key");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn keys(byte: u8) -> Keys {
        Keys { cookie: [byte; 32], form: [byte; 32] }
    }

    #[test]
    fn a_cookie_is_read_as_it_was_written_and_not_when_it_was_changed() {
        let sealed = keys(1).seal(&vec![("MUG-1", 2)]);
        assert_eq!(keys(1).open::<Vec<(String, i64)>>(&sealed), Some(vec![("MUG-1".to_owned(), 2)]));
        assert_eq!(keys(2).open::<Vec<(String, i64)>>(&sealed), None);
        let forged = keys(2).seal(&vec![("MUG-1", 9)]);
        let mixed = format!("{}.{}", forged.split_once('.').unwrap().0, sealed.split_once('.').unwrap().1);
        assert_eq!(keys(1).open::<Vec<(String, i64)>>(&mixed), None);
        for other in ["", ".", "a.b", "ä.ö"] {
            assert_eq!(keys(1).open::<Vec<(String, i64)>>(other), None);
        }
    }

    #[test]
    fn a_form_token_is_its_sessions_and_looks_new_each_time() {
        let now = Time::from_micros(1_790_000_000_000_000);
        let (session, other) = (Id::new(now), Id::new(now));
        let token = keys(1).form_token(session);
        assert_ne!(token, keys(1).form_token(session));
        assert!(keys(1).is_form_token(session, &token));
        assert!(!keys(1).is_form_token(other, &token));
        assert!(!keys(2).is_form_token(session, &token));
        assert!(!keys(1).is_form_token(session, ""));
    }
}
