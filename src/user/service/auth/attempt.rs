//! A try to prove with a password who one is, and what it costs to fail.

use serde_json::json;

use crate::call::{Call, Caller};
use crate::clock::{Id, Time};
use crate::config::{Secret, UserConfig};
use crate::db::Connection;
use crate::user::email::normalised;
use crate::user::service::LocalUser;
use crate::user::service::account::subject;
use crate::user::store::audit::audit_insert;
use crate::user::store::login_throttle::{throttle_block, throttle_blocked_until, throttle_clear, throttle_count};
use crate::user::store::profile::user_lock;
use crate::user::store::session::session_addresses;
use crate::user::store::user::{UserRow, password_rehash, user_by_id, user_with_password};
use crate::user::throttle::{Counter, network};
use crate::user::{Origin, UserError};

/// An id that nobody has.
pub(super) const NOBODY: Id = Id(uuid::Uuid::nil());

/// What is known before the password is looked at.
pub(in crate::user::service) struct Attempt {
    /// The person and the stored hash; `None` where there is no such account.
    pub found: Option<(UserRow, String)>,
    pub counters: Vec<Counter>,
    /// Where it comes from.
    address: String,
}

/// Begins a try at the account with this normalised address, which may not be there: then `user` is `None`, and as much is done.
/// `Throttled` where it comes too soon.
pub(super) fn begin(
    conn: &mut Connection,
    user: Option<Id>,
    account: &str,
    address: &str,
    now: Time,
) -> Result<Attempt, UserError> {
    let id = user.unwrap_or(NOBODY);
    let found = user_with_password(conn, id)?;
    let known = session_addresses(conn, id)?;
    let familiar = !address.is_empty() && known.iter().any(|known| network(known) == network(address));
    let counters = Counter::of_login(account, address, familiar);
    refuse_blocked(conn, &counters, now)?;
    Ok(Attempt { found, counters, address: address.to_owned() })
}

/// `Throttled` where one of these counters lets nobody through now.
pub(super) fn refuse_blocked(conn: &mut Connection, counters: &[Counter], now: Time) -> Result<(), UserError> {
    let keys: Vec<&[u8]> = counters.iter().map(|counter| counter.key.as_slice()).collect();
    match throttle_blocked_until(conn, &keys)? {
        Some(until) if until > now => Err(UserError::Throttled { seconds: until.seconds_since(now) }),
        _ => Ok(()),
    }
}

/// Counts one more of what costs something. `Throttled` where it came too soon: then nothing is counted.
pub(super) fn count(
    conn: &mut Connection,
    counters: &[Counter],
    config: &UserConfig,
    now: Time,
) -> Result<(), UserError> {
    refuse_blocked(conn, counters, now)?;
    let forget = now.minus_seconds(config.throttle.forget_hours * 3_600);
    for counter in counters {
        let Some(count) = throttle_count(conn, &counter.key, now, forget)? else {
            // Another one has just been counted.
            refuse_blocked(conn, counters, now)?;
            return Err(UserError::Throttled { seconds: 1 });
        };
        let delay = counter.delay_seconds(count, config);
        if delay > 0 {
            throttle_block(conn, &counter.key, now.plus_seconds(delay))?;
        }
    }
    Ok(())
}

/// Clears what a right password, or a reset one, clears.
pub(super) fn forget(conn: &mut Connection, counters: &[Counter]) -> Result<(), UserError> {
    let cleared = counters.iter().filter(|counter| counter.is_cleared_by_success());
    let keys: Vec<&[u8]> = cleared.map(|counter| counter.key.as_slice()).collect();
    Ok(throttle_clear(conn, &keys)?)
}

/// A password that was right when it was looked at. What is done in its name is one transaction, which begins with [`Proof::hold`].
pub(in crate::user::service) struct Proof {
    /// As the person was then.
    pub user: UserRow,
    counters: Vec<Counter>,
    /// The stored hash, and a stronger one of the same password.
    stronger: Option<(String, String)>,
}

impl Proof {
    /// Keeps the person's row to this transaction, gives it as it stands now, and ends the try. `WrongCredentials` where the person's
    /// generation is another one now: whoever set a new password, disabled the account or ended all sessions, ended what was under way, too.
    pub(in crate::user::service) fn hold(&self, conn: &mut Connection, now: Time) -> Result<UserRow, UserError> {
        let row = user_lock(conn, self.user.id)?.filter(|row| row.generation == self.user.generation);
        let row = row.ok_or(UserError::WrongCredentials)?;
        // What failed since the try began holds for it too, so that many tries at a time are worth no more than one after the other.
        refuse_blocked(conn, &self.counters, now)?;
        forget(conn, &self.counters)?;
        if let Some((stored, stronger)) = &self.stronger {
            password_rehash(conn, row.id, stored, stronger)?;
        }
        Ok(row)
    }
}

impl LocalUser {
    /// Begins a try of a person who is logged in and asks for something grave.
    pub(in crate::user::service) async fn attempt_begin(
        &self,
        origin: &Origin,
        user: Id,
    ) -> Result<Attempt, UserError> {
        let (address, now) = (origin.address.clone(), self.clock.now());
        let begun = self.db.read_primary(move |conn| {
            let account = user_by_id(conn, user)?;
            let account = account.map_or(String::new(), |row| normalised(&row.email));
            begin(conn, Some(user), &account, &address, now)
        });
        begun.await
    }

    /// Looks at the password of a try. `WrongCredentials` where it is wrong; `Disabled` where it is right, but the account disabled.
    /// Both are counted, and noted in the audit log.
    pub(in crate::user::service) async fn attempt_prove(
        &self,
        attempt: Attempt,
        password: &Secret,
    ) -> Result<Proof, UserError> {
        let Attempt { found, counters, address } = attempt;
        let subject = found.as_ref().map_or("nobody".to_owned(), |(user, _)| subject(user.id));
        let checked = self.passwords.check(password, found.as_ref().map(|(_, hash)| hash.as_str())).await?;
        let refused = match found.filter(|_| checked.matches) {
            Some((user, stored)) if user.disabled_at.is_none() => {
                return Ok(Proof { user, counters, stronger: checked.stronger.map(|stronger| (stored, stronger)) });
            }
            Some(_) => UserError::Disabled,
            None => UserError::WrongCredentials,
        };
        let (config, now) = (self.config.clone(), self.clock.now());
        let call = Call::by(Caller::Anonymous.actor()).from(address);
        let noted = self.db.write(move |conn| {
            count(conn, &counters, &config, now)?;
            Ok::<_, UserError>(audit_insert(conn, &call, "password.refused", &subject, &json!({}), now)?)
        });
        noted.await?;
        Err(refused)
    }
}
