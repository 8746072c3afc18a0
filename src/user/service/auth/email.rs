//! Proving an address, and changing it.

use crate::call::Call;
use crate::clock::{Id, Time};
use crate::config::Secret;
use crate::db::Connection;
use crate::error::Fault;
use crate::user::email::{Email, normalised};
use crate::user::service::LocalUser;
use crate::user::service::account::own_call;
use crate::user::service::auth::attempt::{self, NOBODY};
use crate::user::store::audit::audit_insert;
use crate::user::store::mail::mail_insert;
use crate::user::store::one_time_token::{
    OneTimeToken, Purpose, one_time_token_delete, one_time_token_is_good, one_time_token_replace, one_time_token_take,
};
use crate::user::store::profile::user_lock;
use crate::user::store::user::{
    UserRow, user_by_id, user_email_claim, user_email_delete, user_email_set, user_id_by_email, user_verify,
};
use crate::user::throttle::Counter;
use crate::user::{EmailChange, Link, Origin, TokenUse, UserError, token};

impl LocalUser {
    /// See [`crate::user::Auth::link_is_good`].
    pub(super) async fn link_look(&self, link: Link, token: &Secret) -> Result<bool, UserError> {
        let Some(id) = token::person(token::ONE_TIME, token.expose()) else { return Ok(false) };
        let (token, now) = (token::hash(token.expose()), self.clock.now());
        let purposes: &[Purpose] = match link {
            Link::Address => &[Purpose::Verify, Purpose::ChangeEmail],
            Link::Password => &[Purpose::Reset],
        };
        let looked = self.db.read_primary(move |conn| {
            for purpose in purposes {
                if one_time_token_is_good(conn, id, &token, *purpose, now)? {
                    return Ok::<_, UserError>(true);
                }
            }
            Ok(false)
        });
        looked.await
    }

    /// See [`crate::user::Auth::email_verify`].
    pub(super) async fn email_confirm(&self, origin: &Origin, used: TokenUse) -> Result<(), UserError> {
        let id = token::person(token::ONE_TIME, used.token.expose()).ok_or(UserError::TokenInvalid)?;
        let (token, now) = (token::hash(used.token.expose()), self.clock.now());
        let call = own_call(id, &origin.address);
        let written = self.db.write(move |conn| {
            // Nobody changes the name, the address or the password, or deletes the account, meanwhile.
            let user = user_lock(conn, id)?.ok_or(UserError::TokenInvalid)?;
            if let Some(proved) = one_time_token_take(conn, id, &token, Purpose::Verify, now)? {
                return verify(conn, &call, &user, &proved, now);
            }
            let email = one_time_token_take(conn, id, &token, Purpose::ChangeEmail, now)?;
            change(conn, &call, user, &email.ok_or(UserError::TokenInvalid)?, now)
        });
        written.await
    }

    /// See [`crate::user::Auth::email_verify_again`].
    pub(super) async fn verify_link_again(&self, origin: &Origin, user: Id) -> Result<(), UserError> {
        let (config, now) = (self.config.clone(), self.clock.now());
        let (letters, address) = (self.letters.clone(), origin.address.clone());
        let token = token::personal(token::ONE_TIME, user, &token::random());
        let written = self.db.write(move |conn| {
            let row = user_lock(conn, user)?;
            let row = row.ok_or_else(|| UserError::NotFound { what: "user", name: user.to_string() })?;
            if row.email_verified_at.is_some() {
                return Ok(());
            }
            attempt::count(conn, &Counter::of_mail(&normalised(&row.email), &address), &config, now)?;
            let verify = OneTimeToken {
                user,
                hash: token::hash(&token),
                purpose: Purpose::Verify,
                email: row.email.clone(),
                expires_at: now.plus_seconds(config.verify_link_seconds),
            };
            one_time_token_replace(conn, &verify, now)?;
            let letter = letters.verify(&token, config.verify_link_seconds);
            Ok(mail_insert(conn, &row.email, &letter, now)?)
        });
        written.await
    }

    /// See [`crate::user::Auth::email_change`].
    pub(super) async fn email_replace(&self, origin: &Origin, user: Id, change: EmailChange) -> Result<(), UserError> {
        let email = Email::read_new(&change.email, "/email")?;
        let attempt = self.attempt_begin(origin, user).await?;
        if attempt.found.as_ref().is_some_and(|(row, _)| normalised(&row.email) == email.norm) {
            return Err(UserError::invalid("/email", Fault::SameEmail));
        }
        let proof = self.attempt_prove(attempt, &change.current_password).await?;
        let counters = Counter::of_mail(&email.norm, &origin.address);
        let (config, now) = (self.config.clone(), self.clock.now());
        let token = token::personal(token::ONE_TIME, user, &token::random());
        let letters = self.letters.clone();
        let written = self.db.write(move |conn| {
            let row = proof.hold(conn, now)?;
            attempt::count(conn, &counters, &config, now)?;
            mail_insert(conn, &row.email, &letters.email_change_asked(), now)?;
            // Whether the address is free is told to whoever reads its mails, and to nobody else: both ways take the same
            // statements, and where it is not free the token is mailed to nobody.
            let owner = user_id_by_email(conn, &email.norm)?;
            let owner = user_by_id(conn, owner.unwrap_or(NOBODY))?;
            let proof = OneTimeToken {
                user,
                hash: token::hash(&token),
                purpose: Purpose::ChangeEmail,
                // Never somebody else's: the mails to it go with this account.
                email: owner.as_ref().map_or(&email.shown, |_| &row.email).clone(),
                expires_at: now.plus_seconds(config.verify_link_seconds),
            };
            one_time_token_replace(conn, &proof, now)?;
            let (recipient, letter) = match &owner {
                Some(owner) => (&owner.email, letters.address_taken()),
                None => (&email.shown, letters.change_email(&token, config.verify_link_seconds)),
            };
            Ok(mail_insert(conn, recipient, &letter, now)?)
        });
        written.await
    }
}

/// The address that somebody registered with is proved, if it still is the account's.
fn verify(conn: &mut Connection, call: &Call, user: &UserRow, proved: &str, now: Time) -> Result<(), UserError> {
    if normalised(&user.email) != normalised(proved) {
        return Err(UserError::TokenInvalid);
    }
    user_verify(conn, user.id, now)?;
    Ok(audit_insert(conn, call, "email.verified", &call.actor, &serde_json::json!({}), now)?)
}

/// Puts a proved address in the place of the old one.
fn change(conn: &mut Connection, call: &Call, user: UserRow, email: &str, now: Time) -> Result<(), UserError> {
    if !user_email_claim(conn, &normalised(email), user.id, now)? {
        // Somebody else has got it since the link was sent.
        return Err(UserError::TokenInvalid);
    }
    user_email_delete(conn, &normalised(&user.email))?;
    user_email_set(conn, &user, email, now)?;
    // Links that were sent to the old address open nothing any more.
    one_time_token_delete(conn, user.id, &[Purpose::Verify, Purpose::Reset])?;
    Ok(audit_insert(conn, call, "email.changed", &call.actor, &serde_json::json!({}), now)?)
}
