//! `LocalUser`: the rules, and every transaction.

use std::sync::Arc;

use crate::clock::SharedClock;
use crate::config::{MailConfig, UserConfig};
use crate::db::Database;
use crate::user::password::Passwords;

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
    passwords: Passwords,
    last_seen: Arc<LastSeen>,
}

/// Makes the module's local form. Links in mails begin with `public_url`.
pub fn local(
    db: Database,
    clock: SharedClock,
    config: UserConfig,
    mail: MailConfig,
    public_url: String,
) -> Arc<LocalUser> {
    let _ = (mail, public_url);
    Arc::new(LocalUser {
        passwords: Passwords::new(&config),
        last_seen: Arc::new(LastSeen::new(db.clone(), clock.clone())),
        db,
        clock,
        config,
    })
}
