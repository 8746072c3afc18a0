//! People: their accounts, addresses and passwords.

use diesel::prelude::*;

use crate::call::Role;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::Profile;
use crate::user::schema::{credentials, user_emails, users};

/// A row of `users`: [`COLUMNS`], for `select` and `returning`.
#[derive(Queryable)]
pub(in crate::user) struct UserRow {
    pub id: Id,
    pub email: String,
    pub name: String,
    pub phone: String,
    pub role: String,
    pub email_verified_at: Option<Time>,
    pub disabled_at: Option<Time>,
    pub generation: i64,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

#[rustfmt::skip]
type Columns = (
    users::id, users::email, users::name, users::phone, users::role, users::email_verified_at, users::disabled_at,
    users::generation, users::version, users::created_at, users::updated_at,
);

#[rustfmt::skip]
pub(in crate::user) const COLUMNS: Columns = (
    users::id, users::email, users::name, users::phone, users::role, users::email_verified_at, users::disabled_at,
    users::generation, users::version, users::created_at, users::updated_at,
);

impl UserRow {
    /// What the module shows of a person.
    pub(in crate::user) fn profile(self) -> QueryResult<Profile> {
        Ok(Profile {
            id: self.id,
            role: role_of(&self.role)?,
            email: self.email,
            email_verified: self.email_verified_at.is_some(),
            name: self.name,
            phone: self.phone,
            disabled: self.disabled_at.is_some(),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// A role as the column keeps it.
pub(in crate::user) fn role_text(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Staff => "staff",
        Role::Admin => "admin",
    }
}

/// The column's role.
pub(in crate::user) fn role_of(text: &str) -> QueryResult<Role> {
    let role = [Role::Customer, Role::Staff, Role::Admin].into_iter().find(|role| role_text(*role) == text);
    role.ok_or_else(|| diesel::result::Error::DeserializationError(format!("users.role: {text:?}").into()))
}

/// What the staff's search looks at; to be kept in step with the address and the name.
pub(in crate::user) fn search_text(email: &str, name: &str) -> String {
    format!("{email} {name}").to_lowercase()
}

/// A new account.
pub(in crate::user) struct NewUser {
    pub id: Id,
    pub email: String,
    pub email_norm: String,
    pub name: String,
    pub role: Role,
    pub verified: bool,
    pub password_hash: String,
}

/// Writes an account, whose address was claimed before.
pub(in crate::user) fn user_insert(conn: &mut Connection, new: &NewUser, now: Time) -> QueryResult<UserRow> {
    let row = diesel::insert_into(users::table)
        .values((
            users::id.eq(new.id),
            users::email.eq(&new.email),
            users::name.eq(&new.name),
            users::role.eq(role_text(new.role)),
            users::email_verified_at.eq(new.verified.then_some(now)),
            users::search_text.eq(search_text(&new.email, &new.name)),
            users::created_at.eq(now),
            users::updated_at.eq(now),
        ))
        .returning(COLUMNS)
        .get_result(conn)?;
    diesel::insert_into(credentials::table)
        .values((
            credentials::user_id.eq(new.id),
            credentials::password_hash.eq(&new.password_hash),
            credentials::changed_at.eq(now),
        ))
        .execute(conn)?;
    Ok(row)
}

/// Gives an address to a person; false where somebody has it. Of two who claim it at a time, the second waits for the first.
pub(in crate::user) fn user_email_claim(
    conn: &mut Connection,
    email_norm: &str,
    user: Id,
    now: Time,
) -> QueryResult<bool> {
    let row = (user_emails::email_norm.eq(email_norm), user_emails::user_id.eq(user), user_emails::created_at.eq(now));
    let insert = diesel::insert_into(user_emails::table).values(row).on_conflict_do_nothing();
    let claimed = match conn {
        Connection::Sqlite(conn) => insert.execute(conn)?,
        Connection::Postgres(conn) => insert.execute(conn)?,
    };
    Ok(claimed > 0)
}

pub(in crate::user) fn user_by_id(conn: &mut Connection, id: Id) -> QueryResult<Option<UserRow>> {
    users::table.find(id).select(COLUMNS).first(conn).optional()
}

/// Whose address this is.
pub(in crate::user) fn user_id_by_email(conn: &mut Connection, email_norm: &str) -> QueryResult<Option<Id>> {
    user_emails::table.find(email_norm).select(user_emails::user_id).first(conn).optional()
}

/// A person and the hash of the password.
pub(in crate::user) fn user_with_password(conn: &mut Connection, id: Id) -> QueryResult<Option<(UserRow, String)>> {
    users::table
        .inner_join(credentials::table.on(credentials::user_id.eq(users::id)))
        .filter(users::id.eq(id))
        .select((COLUMNS, credentials::password_hash))
        .first(conn)
        .optional()
}

/// Takes an address away from whoever has it.
pub(in crate::user) fn user_email_delete(conn: &mut Connection, email_norm: &str) -> QueryResult<()> {
    diesel::delete(user_emails::table.find(email_norm)).execute(conn)?;
    Ok(())
}

/// Notes that a person's address is proved.
pub(in crate::user) fn user_verify(conn: &mut Connection, id: Id, now: Time) -> QueryResult<()> {
    diesel::update(users::table.find(id).filter(users::email_verified_at.is_null()))
        .set((users::email_verified_at.eq(now), users::version.eq(users::version + 1), users::updated_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Gives a person another address, which is proved.
pub(in crate::user) fn user_email_set(
    conn: &mut Connection,
    user: &UserRow,
    email: &str,
    now: Time,
) -> QueryResult<()> {
    diesel::update(users::table.find(user.id))
        .set((
            users::email.eq(email),
            users::email_verified_at.eq(now),
            users::search_text.eq(search_text(email, &user.name)),
            users::version.eq(users::version + 1),
            users::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Sets a person's password.
pub(in crate::user) fn password_set(conn: &mut Connection, user: Id, hash: &str, now: Time) -> QueryResult<()> {
    diesel::update(credentials::table.find(user))
        .set((credentials::password_hash.eq(hash), credentials::changed_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// Keeps a stronger hash of the same password, unless another was set meanwhile.
pub(in crate::user) fn password_rehash(conn: &mut Connection, user: Id, old: &str, new: &str) -> QueryResult<()> {
    diesel::update(credentials::table.find(user).filter(credentials::password_hash.eq(old)))
        .set(credentials::password_hash.eq(new))
        .execute(conn)?;
    Ok(())
}
