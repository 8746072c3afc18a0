//! A try to prove with a password who one is, and what it costs to fail.

use crate::clock::{Id, Time};
use crate::config::{Secret, UserConfig};
use crate::db::Connection;
use crate::user::email::normalised;
use crate::user::password::Checked;
use crate::user::service::LocalUser;
use crate::user::store::login_throttle::{throttle_block, throttle_blocked_until, throttle_clear, throttle_count};
use crate::user::store::session::session_addresses;
use crate::user::store::user::{UserRow, user_by_id, user_with_password};
use crate::user::throttle::{Counter, network};
use crate::user::{Origin, UserError};

/// An id that nobody has.
pub(super) const NOBODY: Id = Id(uuid::Uuid::nil());

/// What is known before the password is looked at.
pub(super) struct Attempt {
    /// The person and the stored hash; `None` where there is no such account.
    pub found: Option<(UserRow, String)>,
    pub counters: Vec<Counter>,
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
    Ok(Attempt { found, counters })
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

/// Ends a try whose password was right. What failed since it began holds for it too, so that many tries at a time are worth no more
/// than one after the other.
pub(super) fn succeed(conn: &mut Connection, counters: &[Counter], now: Time) -> Result<(), UserError> {
    refuse_blocked(conn, counters, now)?;
    forget(conn, counters)
}

/// Clears what a right password, or a reset one, clears.
pub(super) fn forget(conn: &mut Connection, counters: &[Counter]) -> Result<(), UserError> {
    let cleared = counters.iter().filter(|counter| counter.is_cleared_by_success());
    let keys: Vec<&[u8]> = cleared.map(|counter| counter.key.as_slice()).collect();
    Ok(throttle_clear(conn, &keys)?)
}

impl LocalUser {
    /// Looks at the password of a try.
    pub(super) async fn attempt_check(&self, attempt: &Attempt, password: &Secret) -> Result<Checked, UserError> {
        self.passwords.check(password, attempt.found.as_ref().map(|(_, hash)| hash.as_str())).await
    }

    /// Ends a try that failed; gives the error that says so.
    pub(super) async fn attempt_fail(&self, counters: Vec<Counter>) -> UserError {
        let (config, now) = (self.config.clone(), self.clock.now());
        let counted = self.db.write(move |conn| count(conn, &counters, &config, now));
        counted.await.err().unwrap_or(UserError::WrongCredentials)
    }

    /// Makes sure that it is this person who asks for something grave: `WrongCredentials` where the password is wrong, which counts
    /// as a failed log-in does. Gives the person.
    pub(in crate::user::service) async fn password_confirm(
        &self,
        origin: &Origin,
        user: Id,
        password: &Secret,
    ) -> Result<UserRow, UserError> {
        let (address, now) = (origin.address.clone(), self.clock.now());
        let attempt = self.db.read_primary(move |conn| {
            let account = user_by_id(conn, user)?;
            let account = account.map_or(String::new(), |row| normalised(&row.email));
            begin(conn, Some(user), &account, &address, now)
        });
        let attempt = attempt.await?;
        let checked = self.attempt_check(&attempt, password).await?;
        let Some((row, _)) = attempt.found.filter(|_| checked.matches) else {
            return Err(self.attempt_fail(attempt.counters).await);
        };
        let now = self.clock.now();
        self.db.write(move |conn| succeed(conn, &attempt.counters, now)).await?;
        Ok(row)
    }
}
