//! Registration, the first admin, log-in, sessions, passwords, and the one-time tokens that are mailed.

use std::fmt;

use async_trait::async_trait;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

use crate::call::{Call, Caller, Role};
use crate::clock::{Id, Time};
use crate::config::Secret;
use crate::user::{Profile, UserError};

/// Where a request comes from, for the throttle and for the person's list of sessions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The client's IP address; empty when unknown.
    pub address: String,
    /// At most 300 characters are kept.
    pub user_agent: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    #[schema(format = "email")]
    pub email: String,
    /// 12 to 128 characters by default, any characters; not a common one.
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub email: String,
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
}

/// A new session. The token is told here once.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct NewSession {
    /// Send it as `Authorization: Bearer TOKEN`.
    pub token: String,
    pub session: Session,
    pub user: Profile,
}

/// A device on which somebody is logged in.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Session {
    pub id: Id,
    pub user_agent: String,
    pub address: String,
    pub created_at: Time,
    pub last_seen_at: Time,
    pub expires_at: Time,
    /// The session that asks.
    pub current: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    pub current_password: Secret,
    #[schema(value_type = String, format = Password)]
    pub new_password: Secret,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailChange {
    #[schema(format = "email")]
    pub email: String,
    #[schema(value_type = String, format = Password)]
    pub current_password: Secret,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordForgotten {
    pub email: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// From the mail.
    #[schema(value_type = String)]
    pub token: Secret,
    #[schema(value_type = String, format = Password)]
    pub new_password: Secret,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenUse {
    /// From the mail.
    #[schema(value_type = String)]
    pub token: Secret,
}

/// What a link that was mailed is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Link {
    /// To prove an address.
    Address,
    /// To set a new password.
    Password,
}

/// The secret of the whole shop, the same in every process: 32 random bytes. It signs nothing itself; each use has a key derived
/// from it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    pub(in crate::user) fn new(secret: [u8; 32]) -> Self {
        SigningKey(secret)
    }

    /// The key for one purpose, as `cookie`: HMAC-SHA256 of its name. Who knows it knows no other purpose's.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose).finalize().into_bytes().into()
    }

    /// Is this what [`SigningKey::derive`] gives? How long it takes does not tell how much of it is right.
    pub fn is_derived(&self, purpose: &str, key: &[u8]) -> bool {
        self.mac(purpose).verify_slice(key).is_ok()
    }

    fn mac(&self, purpose: &str) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.chain_update(purpose)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who somebody is. What is told, and how long it takes, is the same for an address with an account and one without.
#[async_trait]
pub trait Auth: Send + Sync {
    /// Who holds this token (of a session or an API key); `None` when it is unknown, ended or too old. Felt at once when it ends.
    async fn authenticate(&self, token: &str) -> Result<Option<Caller>, UserError>;
    /// Mails the address: a link to verify it, or, where it is an account's and verified, that somebody tried. `Throttled` by address.
    async fn register(&self, origin: &Origin, new: Registration) -> Result<(), UserError>;
    /// Makes an account that is verified at once, for the command line and the demo; `Conflict` where there is one.
    async fn create(&self, actor: &str, new: Registration, role: Role) -> Result<Profile, UserError>;
    /// The shop's secret; made when it is first asked for, and kept in the database.
    async fn signing_key(&self) -> Result<SigningKey, UserError>;
    /// What allows to make the first admin: the same from every process and at every start. `None` once there is an admin, disabled or not.
    async fn setup_token(&self) -> Result<Option<String>, UserError>;
    /// Makes the first admin, verified at once. `TokenInvalid`; `Conflict` where there is an admin already, of two at once for the
    /// second, and where the address has an account.
    async fn setup(&self, origin: &Origin, token: &Secret, new: Registration) -> Result<Profile, UserError>;
    /// Would the token of this link be taken now? Asking does not use it up.
    async fn link_is_good(&self, link: Link, token: &Secret) -> Result<bool, UserError>;
    /// Proves an address (after registration or a change of address).
    async fn email_verify(&self, origin: &Origin, used: TokenUse) -> Result<(), UserError>;
    /// Mails the link to verify the address once more; nothing where it is verified. `Throttled` by address.
    async fn email_verify_again(&self, origin: &Origin, user: Id) -> Result<(), UserError>;
    /// `WrongCredentials`; `Throttled`; `Disabled` to whoever has the right password of an account that is disabled. One that is not
    /// verified may log in.
    async fn login(&self, origin: &Origin, login: Login) -> Result<NewSession, UserError>;
    /// Ends this one session.
    async fn logout(&self, call: &Call, user: Id, session: Id) -> Result<(), UserError>;
    /// Newest first; `current` marks the one that asks.
    async fn session_list(&self, user: Id, current: Option<Id>) -> Result<Vec<Session>, UserError>;
    /// Gives whether there was one. `Forbidden` to a program, where it is an admin's.
    async fn session_end(&self, call: &Call, user: Id, session: Id) -> Result<bool, UserError>;
    /// Ends all of a person's sessions but `except`; gives how many. `Forbidden` to a program, where it is an admin.
    async fn session_end_all(&self, call: &Call, user: Id, except: Option<Id>) -> Result<u64, UserError>;
    /// Ends all other sessions. `WrongCredentials` when the current password is wrong; counts for the throttle.
    async fn password_change(
        &self,
        origin: &Origin,
        user: Id,
        session: Id,
        change: PasswordChange,
    ) -> Result<(), UserError>;
    /// Mails a link to the new address (it counts from its use) and a notice to the old one.
    async fn email_change(&self, origin: &Origin, user: Id, change: EmailChange) -> Result<(), UserError>;
    /// Mails a link where there is an account. Never blocked by failed log-ins, yet limited by address.
    async fn password_forgotten(&self, origin: &Origin, forgotten: PasswordForgotten) -> Result<(), UserError>;
    /// Sets the password and ends all sessions; logs nobody in.
    async fn password_reset(&self, origin: &Origin, reset: PasswordReset) -> Result<(), UserError>;
    /// Counts requests of clients in the minute that begins at `minute`, which came to the caller's process: each client once, in the
    /// order of their names. Gives for each how many there are, of all processes together.
    async fn rate_counts_add(&self, minute: Time, counts: Vec<(String, i64)>) -> Result<Vec<(String, i64)>, UserError>;
    /// Sends the next mail that is due; gives whether there was one.
    async fn mail_send_next(&self) -> Result<bool, UserError>;
}
