//! The shop's secret, and the first admin, who is made with a token that only the operator sees.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::result::Error::DeserializationError;

use crate::call::Role;
use crate::config::Secret;
use crate::error::Fault;
use crate::user::service::LocalUser;
use crate::user::service::account::{own_call, subject};
use crate::user::store::audit::audit_insert;
use crate::user::store::profile::admin_exists;
use crate::user::store::signing_key::{signing_key_get, signing_key_insert, signing_key_lock};
use crate::user::store::user::{user_email_claim, user_insert};
use crate::user::{Origin, Profile, Registration, SigningKey, UserError, token};

/// What the token is derived for.
const PURPOSE: &str = "setup";

impl LocalUser {
    /// See [`crate::user::Auth::signing_key`].
    pub(super) async fn shop_secret(&self) -> Result<SigningKey, UserError> {
        if let Some(secret) = self.signing_key.get() {
            return Ok(secret.clone());
        }
        // Nobody waits for anybody else: while the database is down, each finds that out at the same time.
        let secret = self.shop_secret_read().await?;
        Ok(self.signing_key.get_or_init(|| secret).clone())
    }

    async fn shop_secret_read(&self) -> Result<SigningKey, UserError> {
        let found = self.db.read_primary(|conn| Ok::<_, UserError>(signing_key_get(conn)?)).await?;
        let secret = match found {
            Some(secret) => secret,
            None => {
                let fresh = token::random();
                let kept = self.db.write(move |conn| {
                    signing_key_insert(conn, &fresh)?;
                    // Another process may have been first.
                    Ok::<_, UserError>(signing_key_get(conn)?)
                });
                kept.await?.ok_or(UserError::Busy)?
            }
        };
        let secret = secret.try_into().map_err(|_| DeserializationError("signing_keys.secret: not 32 bytes".into()))?;
        Ok(SigningKey::new(secret))
    }

    /// See [`crate::user::Auth::setup_token`].
    pub(super) async fn first_token(&self) -> Result<Option<String>, UserError> {
        if self.has_admin().await? {
            return Ok(None);
        }
        Ok(Some(URL_SAFE_NO_PAD.encode(self.shop_secret().await?.derive(PURPOSE))))
    }

    /// See [`crate::user::Auth::setup`].
    pub(super) async fn first_admin(
        &self,
        origin: &Origin,
        token: &Secret,
        new: Registration,
    ) -> Result<Profile, UserError> {
        let token = URL_SAFE_NO_PAD.decode(token.expose()).map_err(|_| UserError::TokenInvalid)?;
        if !self.shop_secret().await?.is_derived(PURPOSE, &token) {
            return Err(UserError::TokenInvalid);
        }
        // A token that has done its work costs no hash.
        if self.has_admin().await? {
            return Err(there_is_one());
        }
        let (new, now) = (self.new_user(new, Role::Admin, true).await?, self.clock.now());
        let call = own_call(new.id, &origin.address);
        let made = self.db.write(move |conn| {
            // Two at once: the second waits here for the first, and then sees its admin.
            signing_key_lock(conn)?;
            if admin_exists(conn)? {
                return Err(there_is_one());
            }
            if !user_email_claim(conn, &new.email_norm, new.id, now)? {
                return Err(UserError::Conflict(Fault::SetUpAddressTaken));
            }
            let profile = user_insert(conn, &new, now)?.profile()?;
            let data = serde_json::json!({ "role": profile.role });
            audit_insert(conn, &call, "shop.set_up", &subject(profile.id), &data, now)?;
            Ok(profile)
        });
        made.await
    }

    async fn has_admin(&self) -> Result<bool, UserError> {
        self.db.read_primary(|conn| Ok(admin_exists(conn)?)).await
    }
}

fn there_is_one() -> UserError {
    UserError::Conflict(Fault::SetUpAlready)
}
