//! How accounts come to be.

use crate::call::{Call, Caller, Role};
use crate::clock::Id;
use crate::config::Secret;
use crate::db::Connection;
use crate::error::Fault;
use crate::user::email::Email;
use crate::user::service::LocalUser;
use crate::user::service::account::{own_call, subject};
use crate::user::service::auth::attempt;
use crate::user::service::faults::Faults;
use crate::user::store::audit::audit_insert;
use crate::user::store::mail::mail_insert;
use crate::user::store::one_time_token::{OneTimeToken, Purpose, one_time_token_replace};
use crate::user::store::profile::user_lock;
use crate::user::store::user::{NewUser, UserRow, user_email_claim, user_id_by_email, user_insert};
use crate::user::throttle::Counter;
use crate::user::{Origin, Profile, Registration, UserError, token};

const NAME_LENGTH_MAX: usize = 200;

impl LocalUser {
    /// See [`crate::user::Auth::register`].
    pub(super) async fn account_register(&self, origin: &Origin, new: Registration) -> Result<(), UserError> {
        if let Ok(email) = Email::read(&new.email, "/email") {
            let (counters, now) = (Counter::of_mail(&email.norm, &origin.address), self.clock.now());
            self.db.read_primary(move |conn| attempt::refuse_blocked(conn, &counters, now)).await?;
        }
        // The password is hashed whether or not there is an account.
        let new = self.new_user(new, Role::Customer, false).await?;
        let (config, now) = (self.config.clone(), self.clock.now());
        let counters = Counter::of_mail(&new.email_norm, &origin.address);
        let (letters, address) = (self.letters.clone(), origin.address.clone());
        let secret = token::random();
        let written = self.db.write(move |conn| {
            attempt::count(conn, &counters, &config, now)?;
            // Both ways take as many statements, so that the time does not tell whether there is an account.
            let is_new = user_email_claim(conn, &new.email_norm, new.id, now)?;
            let user = match is_new {
                true => user_insert(conn, &new, now)?,
                false => owner(conn, &new.email_norm)?,
            };
            // Where the address is proved already this is mailed to nobody.
            let token = token::personal(token::ONE_TIME, user.id, &secret);
            let verify = OneTimeToken {
                user: user.id,
                hash: token::hash(&token),
                purpose: Purpose::Verify,
                email: user.email.clone(),
                expires_at: now.plus_seconds(config.verify_link_seconds),
            };
            one_time_token_replace(conn, &verify, now)?;
            let letter = match (is_new, user.email_verified_at) {
                (true, _) => letters.verify(&token, config.verify_link_seconds),
                (false, None) => letters.verify_again(&token, config.verify_link_seconds),
                (false, Some(_)) => letters.already_registered(),
            };
            mail_insert(conn, &user.email, &letter, now)?;
            let (call, action) = match is_new {
                true => (own_call(user.id, &address), "user.registered"),
                false => (Call::by(Caller::Anonymous.actor()).from(&address), "registration.repeated"),
            };
            Ok(audit_insert(conn, &call, action, &subject(user.id), &serde_json::json!({}), now)?)
        });
        written.await
    }

    /// See [`crate::user::Auth::create`].
    pub(super) async fn account_create(
        &self,
        actor: &str,
        new: Registration,
        role: Role,
    ) -> Result<Profile, UserError> {
        let (new, now) = (self.new_user(new, role, true).await?, self.clock.now());
        let call = Call::by(actor);
        let created = self.db.write(move |conn| {
            if !user_email_claim(conn, &new.email_norm, new.id, now)? {
                return Err(UserError::Conflict(Fault::AccountExists));
            }
            let profile = user_insert(conn, &new, now)?.profile()?;
            let data = serde_json::json!({ "role": profile.role });
            audit_insert(conn, &call, "user.created", &subject(profile.id), &data, now)?;
            Ok(profile)
        });
        created.await
    }

    /// Checks all of a registration, and hashes the password when nothing is wrong.
    pub(super) async fn new_user(&self, new: Registration, role: Role, verified: bool) -> Result<NewUser, UserError> {
        let name = new.name.trim().to_owned();
        let email = Email::read_new(&new.email, "/email");
        let password = self.new_password_check(&new.password, email.as_ref().ok(), &name, "/password").await;
        let mut faults = Faults::default();
        faults.note(&email);
        faults.note(&password);
        faults.text("/name", &name, NAME_LENGTH_MAX);
        faults.done()?;
        let (email, ()) = (email?, password?);
        Ok(NewUser {
            id: Id::new(self.clock.now()),
            email: email.shown,
            email_norm: email.norm,
            name,
            role,
            verified,
            password_hash: self.passwords.hash(&new.password).await?,
        })
    }

    /// Looks whether somebody with this address and name may have this new password.
    pub(super) async fn new_password_check(
        &self,
        password: &Secret,
        email: Option<&Email>,
        name: &str,
        pointer: &str,
    ) -> Result<(), UserError> {
        let mut own = vec![name.to_owned(), letters(name)];
        own.extend(name.split_whitespace().map(str::to_owned));
        if let Some(email) = email {
            let local = email.local_part();
            own.extend([email.norm.clone(), local.to_owned(), letters(local)]);
        }
        self.passwords.check_new(password, own).await?.map_err(|fault| UserError::invalid(pointer, fault))
    }
}

/// `alice.smith` as people put it into a password.
fn letters(text: &str) -> String {
    text.chars().filter(|char| char.is_alphabetic()).collect()
}

/// Who has this address. `Busy` where the account went just now: the next try finds the address free.
fn owner(conn: &mut Connection, email_norm: &str) -> Result<UserRow, UserError> {
    let id = user_id_by_email(conn, email_norm)?.ok_or(UserError::Busy)?;
    // Nobody deletes the account meanwhile: what is written of it now would stay.
    user_lock(conn, id)?.ok_or(UserError::Busy)
}
