//! Pages of lists: their size and their cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Fault, FieldError};

/// The largest number of things on one page.
pub const LIMIT_MAX: u32 = 200;
pub const LIMIT_DEFAULT: u32 = 50;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Ask again with `cursor=` this for what follows; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of `rows`, of which one more than `limit` was asked for: that one only tells that more follows.
    /// `position` names the place after a row.
    pub fn cut<P: Serialize>(mut rows: Vec<T>, limit: i64, position: impl Fn(&T) -> P) -> Self {
        let more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(|last| cursor(&position(last)));
        Page { items: rows, next_cursor }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

/// How many things a page shall have: 1 to [`LIMIT_MAX`], [`LIMIT_DEFAULT`] where the client does not say.
pub fn limit(limit: Option<u32>) -> Result<i64, FieldError> {
    match limit.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(i64::from(limit)),
        other => {
            let fault = Fault::OutOfRange { value: other.into(), min: 1, max: LIMIT_MAX.into() };
            Err(FieldError::new("limit", fault))
        }
    }
}

/// Writes a cursor: where a list goes on, opaque to clients.
pub fn cursor(position: &impl Serialize) -> String {
    // Positions are plain structs and tuples, which always serialise.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}

/// Reads a cursor; `None` when it is not one of ours. It only names a position and carries no rights, so a forged one can do
/// no more than any other query.
pub fn position<T: DeserializeOwned>(cursor: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
