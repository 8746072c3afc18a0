//! `LocalUser`: the rules, and every transaction.

use std::sync::{Arc, OnceLock};

use crate::clock::SharedClock;
use crate::config::{MailConfig, UserConfig, WebConfig};
use crate::db::Database;
use crate::user::mail::{Letters, Mailer};
use crate::user::password::Passwords;
use crate::user::{MailError, SigningKey, User};

mod account;
mod admin;
mod auth;
mod faults;
mod last_seen;

use last_seen::LastSeen;

/// The module in this process, on its own database.
pub struct LocalUser {
    db: Database,
    clock: SharedClock,
    config: UserConfig,
    letters: Arc<Letters>,
    passwords: Passwords,
    mailer: Mailer,
    last_seen: Arc<LastSeen>,
    /// Known once it was asked for: it never changes.
    signing_key: OnceLock<SigningKey>,
}

/// Makes the module's local form. Mails are in the language and the name of the shop of `web`, and their links begin with `public_url`.
pub fn local(
    db: Database,
    clock: SharedClock,
    config: UserConfig,
    mail: &MailConfig,
    public_url: &str,
    web: &WebConfig,
) -> Result<Arc<LocalUser>, MailError> {
    Ok(Arc::new(LocalUser {
        letters: Arc::new(Letters::new(web, public_url)),
        passwords: Passwords::new(&config),
        mailer: Mailer::new(mail)?,
        last_seen: Arc::new(LastSeen::new(db.clone())),
        signing_key: OnceLock::new(),
        db,
        clock,
        config,
    }))
}

impl User for LocalUser {
    fn place(&self) -> &'static str {
        "local"
    }
}
