//! How accounts come to be.

use std::sync::Arc;

use crate::call::Role;
use crate::clock::{Id, Time};
use crate::config::Secret;
use crate::db::Connection;
use crate::error::FieldError;
use crate::user::email::Email;
use crate::user::mail::Letter;
use crate::user::service::LocalUser;
use crate::user::service::auth::attempt;
use crate::user::store::audit::audit_insert;
use crate::user::store::mail::mail_insert;
use crate::user::store::one_time_token::{OneTimeToken, Purpose, one_time_token_replace};
use crate::user::store::user::{NewUser, user_by_id, user_id_by_email, user_insert};
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
        let new = Arc::new(self.new_user(new, Role::Customer, false).await?);
        match self.registration_write(origin, new.clone()).await {
            // Somebody else has just registered with the same address: then there is an account now.
            Err(UserError::Db(error)) if error.is_unique_violation() => self.registration_write(origin, new).await,
            result => result,
        }
    }

    async fn registration_write(&self, origin: &Origin, new: Arc<NewUser>) -> Result<(), UserError> {
        let (config, now) = (self.config.clone(), self.clock.now());
        let counters = Counter::of_mail(&new.email_norm, &origin.address);
        let (public_url, address) = (self.public_url.clone(), origin.address.clone());
        let token = token::token("");
        let written = self.db.write(move |conn| {
            attempt::count(conn, &counters, &config, now)?;
            if let Some(id) = user_id_by_email(conn, &new.email_norm)? {
                return already_registered(conn, id, &public_url, now);
            }
            user_insert(conn, &new, now)?;
            let verify = OneTimeToken {
                hash: token::hash(&token),
                user: new.id,
                purpose: Purpose::Verify,
                email: new.email.clone(),
                expires_at: now.plus_seconds(config.verify_link_seconds),
            };
            one_time_token_replace(conn, &verify, now)?;
            let letter = Letter::verify(&public_url, &token, config.verify_link_seconds);
            mail_insert(conn, &new.email, &letter, now)?;
            let actor = format!("user:{}", new.id);
            Ok(audit_insert(conn, &actor, "user.registered", &actor, &serde_json::json!({}), &address, now)?)
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
        let actor = actor.to_owned();
        let created = self.db.write(move |conn| {
            let profile = user_insert(conn, &new, now)?.profile()?;
            let data = serde_json::json!({ "role": profile.role });
            audit_insert(conn, &actor, "user.created", &format!("user:{}", profile.id), &data, "", now)?;
            Ok(profile)
        });
        created.await.map_err(|error| match error {
            UserError::Db(error) if error.is_unique_violation() => {
                UserError::Conflict("There is an account with this address.".to_owned())
            }
            error => error,
        })
    }

    /// Checks all of a registration and hashes the password.
    async fn new_user(&self, new: Registration, role: Role, verified: bool) -> Result<NewUser, UserError> {
        let mut errors = Vec::new();
        let email = Email::read(&new.email, "/email");
        let name = new.name.trim().to_owned();
        if name.chars().nth(NAME_LENGTH_MAX).is_some() || name.chars().any(char::is_control) {
            let message = format!("must be at most {NAME_LENGTH_MAX} characters, none of them a control character");
            errors.push(FieldError::new("/name", message));
        }
        let hash = self.new_password_hash(&new.password, email.as_ref().ok(), &name, "/password").await;
        let (email, hash) = match (email, hash) {
            (Ok(email), Ok(hash)) if errors.is_empty() => (email, hash),
            (email, hash) => {
                for result in [email.err(), hash.err()] {
                    match result {
                        Some(UserError::Invalid(more)) => errors.extend(more),
                        Some(error) => return Err(error),
                        None => {}
                    }
                }
                return Err(UserError::Invalid(errors));
            }
        };
        Ok(NewUser {
            id: Id::new(self.clock.now()),
            email: email.shown,
            email_norm: email.norm,
            name,
            role,
            verified,
            password_hash: hash,
        })
    }

    /// Hashes a new password for somebody with this address and name.
    pub(super) async fn new_password_hash(
        &self,
        password: &Secret,
        email: Option<&Email>,
        name: &str,
        pointer: &str,
    ) -> Result<String, UserError> {
        let mut own = vec![name.to_owned(), letters(name)];
        own.extend(name.split_whitespace().map(str::to_owned));
        if let Some(email) = email {
            let local = email.local_part();
            own.extend([email.norm.clone(), local.to_owned(), letters(local)]);
        }
        self.passwords.hash_new(password, own).await?.map_err(|message| UserError::invalid(pointer, message))
    }
}

/// `alice.smith` as people put it into a password.
fn letters(text: &str) -> String {
    text.chars().filter(|char| char.is_alphabetic()).collect()
}

/// Tells a person who has an account, at the address as it stands there.
fn already_registered(conn: &mut Connection, id: Id, public_url: &str, now: Time) -> Result<(), UserError> {
    if let Some(user) = user_by_id(conn, id)? {
        mail_insert(conn, &user.email, &Letter::already_registered(public_url), now)?;
    }
    Ok(())
}
