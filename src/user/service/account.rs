//! The rules of what a person keeps here: profile, addresses, the data as a whole, the account's end; in the files cart and deliveries.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::LocalUser;
use super::faults::Faults;
use crate::call::{Call, Role, Version, Versioned};
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::error::Fault;
use crate::page::LIMIT_MAX;
use crate::user::email::normalised;
use crate::user::store;
use crate::user::store::user::UserRow;
use crate::user::{
    ADDRESSES_MAX, Account, AccountDeletion, Address, AddressFields, Auth, CartLine, NewAddress, OrderFate, Origin,
    PersonalData, Profile, ProfilePatch, UserError,
};

mod cart;
mod delivery;

/// At most so many entries of the audit log go into a person's data; the newest.
const AUDIT_ENTRIES_MAX: i64 = 10_000;
/// And so many deliveries.
const DELIVERIES_MAX: i64 = 10_000;

#[async_trait]
impl Account for LocalUser {
    async fn profile_get(&self, user: Id) -> Result<Option<Profile>, UserError> {
        self.db.read(move |conn| find(conn, user)).await
    }

    async fn profile_list(&self, users: Vec<Id>) -> Result<Vec<Profile>, UserError> {
        if users.len() > LIMIT_MAX as usize {
            let fault = Fault::TooMany { count: users.len(), max: LIMIT_MAX as usize };
            return Err(UserError::invalid("users", fault));
        }
        self.db.read(move |conn| Ok(store::profile::profiles_by_id(conn, &users)?)).await
    }

    async fn profile_update(
        &self,
        call: &Call,
        user: Id,
        expected: Option<Version>,
        patch: ProfilePatch,
    ) -> Result<Profile, UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                let before = lock(conn, user, expected)?;
                let mut faults = Faults::default();
                faults.text("/name", patch.name.as_deref().unwrap_or_default(), 200);
                let phone = patch.phone.as_deref().unwrap_or_default();
                faults.phone("/phone", phone, 50, phone.trim() == before.phone);
                faults.done()?;
                // Without the blanks around them, as at registration.
                let name = patch.name.as_deref().unwrap_or(&before.name).trim();
                let phone = patch.phone.as_deref().unwrap_or(&before.phone).trim();
                if (name, phone) == (before.name.as_str(), before.phone.as_str()) {
                    return Ok(before);
                }
                store::profile::profile_update(conn, &before, name, phone, now)?;
                let changed = json!({ "name": name != before.name, "phone": phone != before.phone });
                audit(conn, &call, user, "profile.updated", changed, now)?;
                existing(conn, user)
            })
            .await
    }

    async fn address_list(&self, user: Id) -> Result<Vec<Address>, UserError> {
        self.db.read(move |conn| Ok(store::address::address_list(conn, user)?)).await
    }

    async fn address_get(&self, user: Id, id: Id) -> Result<Option<Address>, UserError> {
        self.db.read(move |conn| Ok(store::address::address_get(conn, user, id)?)).await
    }

    async fn address_create(&self, call: &Call, user: Id, new: NewAddress) -> Result<Address, UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                let fields = new.clone().into_fields();
                // The person's row is locked, so that two calls at once neither pass the limit nor both set the default.
                lock(conn, user, None)?;
                check_address(conn, user, &fields)?;
                let count = store::address::address_count(conn, user)?;
                if count >= ADDRESSES_MAX as i64 {
                    return Err(UserError::Conflict(Fault::AddressesFull { max: ADDRESSES_MAX as i64 }));
                }
                if new.is_default {
                    store::address::address_default_clear(conn, user, now)?;
                }
                let address = Address {
                    id: Id::new(now),
                    fields,
                    is_default: new.is_default || count == 0,
                    version: 1,
                    created_at: now,
                    updated_at: now,
                };
                store::address::address_insert(conn, user, &address)?;
                audit(conn, &call, user, "address.created", json!({ "address": address.id }), now)?;
                Ok(address)
            })
            .await
    }

    async fn address_update(
        &self,
        call: &Call,
        user: Id,
        id: Id,
        expected: Option<Version>,
        new: NewAddress,
    ) -> Result<Address, UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                let fields = new.clone().into_fields();
                lock(conn, user, None)?;
                check_address(conn, user, &fields)?;
                let before = store::address::address_get(conn, user, id)?
                    .ok_or_else(|| UserError::NotFound { what: "address", name: id.to_string() })?;
                check_version(expected, before.version())?;
                if new.is_default && !before.is_default {
                    store::address::address_default_clear(conn, user, now)?;
                }
                let address = Address {
                    fields,
                    is_default: new.is_default || before.is_default,
                    version: before.version + 1,
                    updated_at: now,
                    ..before
                };
                store::address::address_update(conn, user, &address)?;
                audit(conn, &call, user, "address.updated", json!({ "address": id }), now)?;
                Ok(address)
            })
            .await
    }

    async fn address_delete(
        &self,
        call: &Call,
        user: Id,
        id: Id,
        expected: Option<Version>,
    ) -> Result<bool, UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                lock(conn, user, None)?;
                let Some(before) = store::address::address_get(conn, user, id)? else { return Ok(false) };
                check_version(expected, before.version())?;
                store::address::address_delete(conn, user, id)?;
                if before.is_default {
                    store::address::address_default_newest(conn, user, now)?;
                }
                audit(conn, &call, user, "address.deleted", json!({ "address": id }), now)?;
                Ok(true)
            })
            .await
    }

    async fn cart_get(&self, user: Id) -> Result<Vec<CartLine>, UserError> {
        self.cart_of(user).await
    }

    async fn cart_add(&self, user: Id, lines: Vec<CartLine>) -> Result<Vec<CartLine>, UserError> {
        self.cart_put(user, lines).await
    }

    async fn cart_set(&self, user: Id, lines: Vec<CartLine>) -> Result<Vec<CartLine>, UserError> {
        self.cart_change(user, lines).await
    }

    async fn delivery_set(&self, call: &Call, user: Id, order: Id, address: AddressFields) -> Result<(), UserError> {
        self.delivery_write(call, user, order, address).await
    }

    async fn delivery_get(&self, user: Id, order: Id) -> Result<Option<AddressFields>, UserError> {
        self.delivery_of(user, order).await
    }

    async fn delivery_keep(&self, user: Id, order: Id) -> Result<(), UserError> {
        self.delivery_placed(user, order).await
    }

    async fn deliveries_due(&self, now: Time, limit: u32) -> Result<Vec<(Id, Id)>, UserError> {
        self.deliveries_open(now, limit).await
    }

    async fn deliveries_settle(&self, now: Time, fates: Vec<(Id, Id, OrderFate)>) -> Result<(), UserError> {
        self.deliveries_end(now, fates).await
    }

    async fn personal_data(&self, user: Id) -> Result<Option<PersonalData>, UserError> {
        let sessions = self.session_list(user, None).await?;
        self.db
            .read(move |conn| {
                let Some(profile) = find(conn, user)? else { return Ok(None) };
                let subject = subject(user);
                let mut audit_log = store::audit::audit_list(conn, Some(&subject), None, AUDIT_ENTRIES_MAX)?;
                // From where others acted is theirs.
                audit_log.iter_mut().filter(|entry| entry.actor != subject).for_each(|entry| entry.address.clear());
                Ok(Some(PersonalData {
                    profile,
                    addresses: store::address::address_list(conn, user)?,
                    cart: store::cart::cart_list(conn, user)?.into_iter().map(|(line, _)| line).collect(),
                    deliveries: store::delivery::delivery_list(conn, user, DELIVERIES_MAX)?,
                    sessions,
                    audit_log,
                }))
            })
            .await
    }

    async fn account_delete(&self, origin: &Origin, user: Id, deletion: AccountDeletion) -> Result<(), UserError> {
        let attempt = self.attempt_begin(origin, user).await?;
        let proof = self.attempt_prove(attempt, &deletion.current_password).await?;
        let (call, now) = (own_call(user, &origin.address), self.clock.now());
        self.db
            .write(move |conn| {
                let other_admin = store::profile::admin_lock_others(conn, user)?;
                let before = proof.hold(conn, now)?.profile()?;
                if before.role == Role::Admin && !before.disabled && !other_admin {
                    return Err(UserError::Conflict(Fault::LastAdmin));
                }
                super::admin::keys_revoke(conn, &call, user, now)?;
                store::delivery::deliveries_expire(conn, user, now)?;
                store::profile::user_delete(conn, &before, &normalised(&before.email))?;
                audit(conn, &call, user, "account.deleted", json!({}), now)?;
                Ok(store::audit::audit_scrub(conn, &subject(user))?)
            })
            .await
    }
}

/// The name under which the audit log knows a person.
pub(super) fn subject(user: Id) -> String {
    format!("user:{user}")
}

/// What somebody does to his own things, from this IP address.
pub(super) fn own_call(user: Id, address: &str) -> Call {
    Call::by(subject(user)).from(address)
}

/// The person's profile, where there is such a person.
fn find(conn: &mut Connection, user: Id) -> Result<Option<Profile>, UserError> {
    let row = store::user::user_by_id(conn, user)?;
    Ok(row.map(UserRow::profile).transpose()?)
}

/// The profile of a person who must be there.
pub(super) fn existing(conn: &mut Connection, user: Id) -> Result<Profile, UserError> {
    known(store::user::user_by_id(conn, user)?, user)
}

fn known(row: Option<UserRow>, user: Id) -> Result<Profile, UserError> {
    let row = row.ok_or_else(|| UserError::NotFound { what: "user", name: user.to_string() })?;
    Ok(row.profile()?)
}

/// Keeps the person's row to this transaction and reads it. `expected` is what the caller saw.
pub(super) fn lock(conn: &mut Connection, user: Id, expected: Option<Version>) -> Result<Profile, UserError> {
    let profile = known(store::profile::user_lock(conn, user)?, user)?;
    check_version(expected, profile.version())?;
    Ok(profile)
}

fn check_version(expected: Option<Version>, actual: Version) -> Result<(), UserError> {
    match expected {
        Some(expected) if expected != actual => Err(UserError::VersionMismatch { expected, actual }),
        _ => Ok(()),
    }
}

/// Notes what was done to a person's own things. Only ids and names of fields go in: no personal data.
fn audit(conn: &mut Connection, call: &Call, user: Id, action: &str, data: Value, now: Time) -> Result<(), UserError> {
    Ok(store::audit::audit_insert(conn, call, action, &subject(user), &data, now)?)
}

/// Is it an address that this person may have? A phone number of one that is kept already is good enough for the next.
fn check_address(conn: &mut Connection, user: Id, address: &AddressFields) -> Result<(), UserError> {
    let mut faults = Faults::default();
    for (pointer, value) in [("/name", &address.name), ("/line1", &address.line1), ("/city", &address.city)] {
        faults.required(pointer, value, 200);
    }
    let optional = [
        ("/company", &address.company),
        ("/line2", &address.line2),
        ("/region", &address.region),
        ("/postal_code", &address.postal_code),
    ];
    for (pointer, value) in optional {
        faults.text(pointer, value, 200);
    }
    let is_known = store::address::address_list(conn, user)?.iter().any(|kept| kept.fields.phone == address.phone);
    faults.phone("/phone", &address.phone, 200, is_known);
    if address.country.len() != 2 || !address.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        faults.add("/country", Fault::Country);
    }
    faults.done()
}
