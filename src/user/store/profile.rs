//! Users as people change them and as staff look for them.

use diesel::prelude::*;

use crate::call::Role;
use crate::clock::{Id, Time};
use crate::db::{Connection, MultiBackend};
use crate::user::Profile;
use crate::user::schema::{mails, one_time_tokens, user_emails, users};
use crate::user::store::user::{COLUMNS, UserRow, role_text, search_text};

/// At most so many other admins are looked at to see whether one stays.
const ADMINS_LOCKED_MAX: i64 = 20;

/// Which users are looked for.
#[derive(Default)]
pub(in crate::user) struct UserFilter {
    pub id: Option<Id>,
    /// A part of the address or the name.
    pub text: Option<String>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    /// Only those that are older than this one.
    pub before: Option<Id>,
}

/// Newest first, at most `limit`.
pub(in crate::user) fn user_list(conn: &mut Connection, filter: &UserFilter, limit: i64) -> QueryResult<Vec<Profile>> {
    let mut query = users::table.select(COLUMNS).order(users::id.desc()).limit(limit).into_boxed::<MultiBackend>();
    if let Some(id) = filter.id {
        query = query.filter(users::id.eq(id));
    }
    if let Some(text) = &filter.text {
        query = query.filter(users::search_text.like(containing(text)).escape('\\'));
    }
    if let Some(role) = filter.role {
        query = query.filter(users::role.eq(role_text(role)));
    }
    match filter.disabled {
        Some(true) => query = query.filter(users::disabled_at.is_not_null()),
        Some(false) => query = query.filter(users::disabled_at.is_null()),
        None => {}
    }
    if let Some(before) = filter.before {
        query = query.filter(users::id.lt(before));
    }
    let rows: Vec<UserRow> = query.load(conn)?;
    rows.into_iter().map(UserRow::profile).collect()
}

/// Those of these users who are there.
pub(in crate::user) fn profiles_by_id(conn: &mut Connection, users: &[Id]) -> QueryResult<Vec<Profile>> {
    let rows: Vec<UserRow> = users::table.filter(users::id.eq_any(users)).select(COLUMNS).load(conn)?;
    rows.into_iter().map(UserRow::profile).collect()
}

/// The LIKE pattern of texts that contain `text`, as `search_text` is written: in lower case.
fn containing(text: &str) -> String {
    let text = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{text}%")
}

/// Keeps the person's row, if there is one, to this transaction until it ends, and gives it as it stands then.
pub(in crate::user) fn user_lock(conn: &mut Connection, user: Id) -> QueryResult<Option<UserRow>> {
    let row = users::table.find(user).select(COLUMNS);
    match conn {
        // Not FOR UPDATE: that would also hold up whoever only refers to the row, as a new address does.
        Connection::Postgres(conn) => row.for_no_key_update().first(conn).optional(),
        // The transaction has the whole file already.
        Connection::Sqlite(conn) => row.first(conn).optional(),
    }
}

/// Is somebody an admin, disabled or not?
pub(in crate::user) fn admin_exists(conn: &mut Connection) -> QueryResult<bool> {
    let admin = users::table.filter(users::role.eq(role_text(Role::Admin))).select(users::id).limit(1);
    Ok(admin.first::<Id>(conn).optional()?.is_some())
}

/// Keeps the rows of `user` and of other admins to this transaction, and tells whether one of the others is an admin who is not
/// disabled. Until the transaction ends none of them can be demoted, disabled or deleted by another one.
///
/// The rows are locked one by one in the order of their ids, the same for everybody: so of two transactions that want to remove
/// the last two admins the second one waits for the first, and then sees what it left. A query over several rows would lock them in
/// any order, and Citus refuses it.
pub(in crate::user) fn admin_lock_others(conn: &mut Connection, user: Id) -> QueryResult<bool> {
    let mut ids: Vec<Id> = users::table
        .filter(users::role.eq(role_text(Role::Admin)))
        .filter(users::disabled_at.is_null())
        .filter(users::id.ne(user))
        .order(users::id)
        .limit(ADMINS_LOCKED_MAX)
        .select(users::id)
        .load(conn)?;
    ids.push(user);
    ids.sort_unstable();
    let mut other = false;
    for id in ids {
        // What was read before the lock may be over.
        let row = user_lock(conn, id)?.filter(|row| id != user && row.disabled_at.is_none());
        other |= row.is_some_and(|row| row.role == role_text(Role::Admin));
    }
    Ok(other)
}

/// Writes the person's own part of the profile.
pub(in crate::user) fn profile_update(
    conn: &mut Connection,
    before: &Profile,
    name: &str,
    phone: &str,
    now: Time,
) -> QueryResult<()> {
    diesel::update(users::table.find(before.id))
        .set((
            users::name.eq(name),
            users::phone.eq(phone),
            users::search_text.eq(search_text(&before.email, name)),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Writes what an admin decides. Whoever becomes disabled loses all sessions: their generation is over.
pub(in crate::user) fn user_update(
    conn: &mut Connection,
    before: &Profile,
    role: Role,
    disabled: bool,
    now: Time,
) -> QueryResult<()> {
    let generations = i64::from(disabled && !before.disabled);
    diesel::update(users::table.find(before.id))
        .set((
            users::role.eq(role_text(role)),
            users::generation.eq(users::generation + generations),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)?;
    if disabled != before.disabled {
        diesel::update(users::table.find(before.id))
            .set(users::disabled_at.eq(disabled.then_some(now)))
            .execute(conn)?;
    }
    Ok(())
}

/// Removes the person: the account, what hangs on it, and the mails that still wait to be sent. Password, sessions and postal
/// addresses go with the row of `users`. `email_norm` is the address as `user_emails` has it.
pub(in crate::user) fn user_delete(conn: &mut Connection, user: &Profile, email_norm: &str) -> QueryResult<()> {
    // An address that was to become the person's stands only in a token.
    let tokens = one_time_tokens::table.filter(one_time_tokens::user_id.eq(user.id));
    let mut recipients: Vec<String> = diesel::delete(tokens).returning(one_time_tokens::email).get_results(conn)?;
    recipients.push(user.email.clone());
    diesel::delete(mails::table.filter(mails::recipient.eq_any(recipients))).execute(conn)?;
    let address = user_emails::table.find(email_norm).filter(user_emails::user_id.eq(user.id));
    diesel::delete(address).execute(conn)?;
    diesel::delete(users::table.find(user.id)).execute(conn)?;
    Ok(())
}
