//! Tokens that are mailed and work once.

use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::schema::one_time_tokens;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::user) enum Purpose {
    Verify,
    Reset,
    ChangeEmail,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Verify => "verify",
            Purpose::Reset => "reset",
            Purpose::ChangeEmail => "change_email",
        }
    }
}

/// A token, of which the hash is kept.
pub(in crate::user) struct OneTimeToken {
    pub user: Id,
    pub hash: Vec<u8>,
    pub purpose: Purpose,
    /// The address that is proved by using it.
    pub email: String,
    pub expires_at: Time,
}

/// Writes a token in place of an older one of the same person and purpose.
pub(in crate::user) fn one_time_token_replace(
    conn: &mut Connection,
    token: &OneTimeToken,
    now: Time,
) -> QueryResult<()> {
    one_time_token_delete(conn, token.user, &[token.purpose])?;
    diesel::insert_into(one_time_tokens::table)
        .values((
            one_time_tokens::user_id.eq(token.user),
            one_time_tokens::token_hash.eq(&token.hash),
            one_time_tokens::purpose.eq(token.purpose.as_str()),
            one_time_tokens::email.eq(&token.email),
            one_time_tokens::created_at.eq(now),
            one_time_tokens::expires_at.eq(token.expires_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Would this token of a person be taken?
pub(in crate::user) fn one_time_token_is_good(
    conn: &mut Connection,
    user: Id,
    hash: &[u8],
    purpose: Purpose,
    now: Time,
) -> QueryResult<bool> {
    let good = one_time_tokens::table
        .find((user, hash))
        .filter(one_time_tokens::purpose.eq(purpose.as_str()))
        .filter(one_time_tokens::expires_at.gt(now));
    diesel::select(diesel::dsl::exists(good)).get_result(conn)
}

/// Uses a token of a person, and gives the address that it proves: it is gone with this very statement, so of two who use it at a
/// time one gets it.
pub(in crate::user) fn one_time_token_take(
    conn: &mut Connection,
    user: Id,
    hash: &[u8],
    purpose: Purpose,
    now: Time,
) -> QueryResult<Option<String>> {
    diesel::delete(
        one_time_tokens::table
            .filter(one_time_tokens::user_id.eq(user))
            .filter(one_time_tokens::token_hash.eq(hash))
            .filter(one_time_tokens::purpose.eq(purpose.as_str()))
            .filter(one_time_tokens::expires_at.gt(now)),
    )
    .returning(one_time_tokens::email)
    .get_result(conn)
    .optional()
}

/// Makes a person's tokens of these purposes worthless.
pub(in crate::user) fn one_time_token_delete(conn: &mut Connection, user: Id, purposes: &[Purpose]) -> QueryResult<()> {
    let purposes = purposes.iter().map(|purpose| purpose.as_str());
    diesel::delete(
        one_time_tokens::table
            .filter(one_time_tokens::user_id.eq(user))
            .filter(one_time_tokens::purpose.eq_any(purposes)),
    )
    .execute(conn)?;
    Ok(())
}
