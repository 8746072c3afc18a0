//! Changing a password, and setting a new one after it was forgotten.

use crate::clock::Id;
use crate::config::Secret;
use crate::user::email::{Email, normalised};
use crate::user::service::LocalUser;
use crate::user::service::account::own_call;
use crate::user::service::auth::attempt;
use crate::user::store::audit::audit_insert;
use crate::user::store::mail::mail_insert;
use crate::user::store::one_time_token::{
    OneTimeToken, Purpose, one_time_token_delete, one_time_token_is_good, one_time_token_replace, one_time_token_take,
};
use crate::user::store::profile::user_lock;
use crate::user::store::session::session_delete_all;
use crate::user::store::user::{UserRow, password_set, user_by_id, user_id_by_email, user_verify};
use crate::user::throttle::Counter;
use crate::user::{Origin, PasswordChange, PasswordForgotten, PasswordReset, UserError, token};

/// A new password makes these links worthless: somebody else may have asked for them, who knew the old one.
const KILLED: &[Purpose] = &[Purpose::Reset, Purpose::ChangeEmail];

impl LocalUser {
    /// See [`crate::user::Auth::password_change`].
    pub(super) async fn password_replace(
        &self,
        origin: &Origin,
        user: Id,
        session: Id,
        change: PasswordChange,
    ) -> Result<(), UserError> {
        let attempt = self.attempt_begin(origin, user).await?;
        if let Some((row, _)) = &attempt.found {
            self.new_password_of(row, &change.new_password).await?;
        }
        let proof = self.attempt_prove(attempt, &change.current_password).await?;
        let hash = self.passwords.hash(&change.new_password).await?;
        let (call, letter) = (own_call(user, &origin.address), self.letters.password_changed());
        let now = self.clock.now();
        let written = self.db.write(move |conn| {
            let row = proof.hold(conn, now)?;
            password_set(conn, user, &hash, now)?;
            let ended = session_delete_all(conn, user, Some(session))?;
            one_time_token_delete(conn, user, KILLED)?;
            mail_insert(conn, &row.email, &letter, now)?;
            let data = serde_json::json!({ "sessions_ended": ended });
            Ok(audit_insert(conn, &call, "password.changed", &call.actor, &data, now)?)
        });
        written.await
    }

    /// See [`crate::user::Auth::password_forgotten`].
    pub(super) async fn reset_ask(&self, origin: &Origin, forgotten: PasswordForgotten) -> Result<(), UserError> {
        let email = Email::read(&forgotten.email, "/email")?;
        let counters = Counter::of_reset(&email.norm, &origin.address);
        let (config, now, secret) = (self.config.clone(), self.clock.now(), token::random());
        let (letters, nobody) = (self.letters.clone(), nobody(&email.norm));
        let written = self.db.write(move |conn| {
            attempt::count(conn, &counters, &config, now)?;
            // Where there is no account the same statements write a token that nobody has and a mail that nobody gets: so
            // both take the same time. A mail goes to the address as it stands in the account, never as it was asked for, and to none
            // that is deleted meanwhile, or disabled: its owner has nothing of a new password.
            let id = user_id_by_email(conn, &email.norm)?.unwrap_or(nobody);
            let recipient = user_lock(conn, id)?.filter(|user| user.disabled_at.is_none());
            let recipient = recipient.map_or(String::new(), |user| user.email);
            let token = token::personal(token::ONE_TIME, id, &secret);
            let reset = OneTimeToken {
                user: id,
                hash: token::hash(&token),
                purpose: Purpose::Reset,
                email: recipient,
                expires_at: now.plus_seconds(config.reset_link_seconds),
            };
            one_time_token_replace(conn, &reset, now)?;
            let letter = letters.reset(&token, config.reset_link_seconds);
            Ok(mail_insert(conn, &reset.email, &letter, now)?)
        });
        written.await
    }

    /// See [`crate::user::Auth::password_reset`].
    pub(super) async fn reset_use(&self, origin: &Origin, reset: PasswordReset) -> Result<(), UserError> {
        let id = token::person(token::ONE_TIME, reset.token.expose()).ok_or(UserError::TokenInvalid)?;
        let (token, now) = (token::hash(reset.token.expose()), self.clock.now());
        let looked_up = token.clone();
        let found = self.db.read_primary(move |conn| {
            match one_time_token_is_good(conn, id, &looked_up, Purpose::Reset, now)? {
                true => Ok::<_, UserError>(user_by_id(conn, id)?),
                false => Ok(None),
            }
        });
        let user = found.await?.ok_or(UserError::TokenInvalid)?;
        if user.disabled_at.is_some() {
            // Who has the link could set a password, and be told with it.
            return Err(UserError::Disabled);
        }
        // A password that is not taken must not cost the token.
        self.new_password_of(&user, &reset.new_password).await?;
        let hash = self.passwords.hash(&reset.new_password).await?;
        let (call, letter) = (own_call(id, &origin.address), self.letters.password_changed());
        let now = self.clock.now();
        let written = self.db.write(move |conn| {
            // The person first, then the throttle, then the tokens: everybody locks them in this order.
            let user = user_lock(conn, id)?.ok_or(UserError::TokenInvalid)?;
            if user.disabled_at.is_some() {
                // Since the first look.
                return Err(UserError::Disabled);
            }
            let account = normalised(&user.email);
            attempt::forget(conn, &Counter::of_login(&account, &call.address, false))?;
            attempt::forget(conn, &Counter::of_reset(&account, &call.address))?;
            let proved = one_time_token_take(conn, id, &token, Purpose::Reset, now)?.ok_or(UserError::TokenInvalid)?;
            password_set(conn, id, &hash, now)?;
            let ended = session_delete_all(conn, id, None)?;
            one_time_token_delete(conn, id, KILLED)?;
            if normalised(&proved) == account {
                user_verify(conn, id, now)?;
            }
            mail_insert(conn, &user.email, &letter, now)?;
            let data = serde_json::json!({ "sessions_ended": ended });
            Ok(audit_insert(conn, &call, "password.reset", &call.actor, &data, now)?)
        });
        written.await
    }

    /// Looks whether this person may have this new password.
    async fn new_password_of(&self, user: &UserRow, password: &Secret) -> Result<(), UserError> {
        let email = Email::read(&user.email, "/email").ok();
        self.new_password_check(password, email.as_ref(), &user.name, "/new_password").await
    }
}

/// An id that no person has, the same each time for an address: so its older token is replaced as a person's is.
fn nobody(account: &str) -> Id {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&token::hash(account)[..16]);
    Id(uuid::Uuid::from_bytes(bytes))
}
