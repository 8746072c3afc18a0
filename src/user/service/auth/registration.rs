//! How accounts come to be.

use crate::call::Role;
use crate::clock::Id;
use crate::config::Secret;
use crate::error::FieldError;
use crate::user::email::Email;
use crate::user::service::LocalUser;
use crate::user::store::audit::audit_insert;
use crate::user::store::user::{NewUser, user_insert};
use crate::user::{Profile, Registration, UserError};

const NAME_LENGTH_MAX: usize = 200;

impl LocalUser {
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
        let mut own = vec![name.to_owned()];
        own.extend(name.split_whitespace().map(str::to_owned));
        if let Some(email) = email {
            own.extend([email.shown.clone(), email.norm.clone(), email.local_part().to_owned()]);
        }
        self.passwords.hash_new(password, own).await?.map_err(|message| UserError::invalid(pointer, message))
    }
}
