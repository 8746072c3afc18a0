//! The rules of what staff and admins do.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::LocalUser;
use super::account::{existing, lock, subject};
use super::faults::Faults;
use crate::call::{Call, Role, Version};
use crate::clock::{Id, Time};
use crate::db::{Connection, Lease};
use crate::error::Fault;
use crate::page::{self, Page};
use crate::user::email::Email;
use crate::user::store::profile::UserFilter;
use crate::user::{
    Admin, ApiKey, ApiKeyQuery, AuditEntry, AuditQuery, CreatedApiKey, NewApiKey, Profile, UserError, UserPatch,
    UserQuery,
};
use crate::user::{store, token};

/// So many rows of a table are forgotten in one transaction, so that nobody waits long for it.
const TIDY_BATCH: i64 = 1_000;
/// And so many times in a row before others get the thread.
const TIDY_ROUNDS: u32 = 100;
/// So many of a token's first characters are kept to tell the keys apart: too few to help to guess it.
const HINT_LENGTH: usize = 8;
/// What is to end later than that is meant never to end.
const KEY_LIFE_YEARS_MAX: u32 = 100;
const KEY_LIFE_SECONDS_MAX: u32 = KEY_LIFE_YEARS_MAX * 365 * 24 * 3_600;

/// Why a program is refused.
pub(super) const PERSON_ONLY: &str = "Roles and the accounts of admins are changed by a person, not with an API key.";

#[async_trait]
impl Admin for LocalUser {
    async fn user_list(&self, query: UserQuery) -> Result<Page<Profile>, UserError> {
        let mut faults = Faults::default();
        faults.text("q", query.q.as_deref().unwrap_or_default(), 200);
        let email = query.email.as_deref().map(|email| Email::read(email, "email")).transpose();
        faults.note(&email);
        let limit = faults.limit(query.limit);
        faults.done()?;
        let email = email?.map(|email| email.norm);
        let text = query.q.filter(|text| !text.is_empty());
        let id = text.as_deref().and_then(written_id);
        let filter = UserFilter {
            text: text.filter(|_| id.is_none()),
            id,
            role: query.role,
            disabled: query.disabled,
            before: position(query.cursor.as_deref())?,
        };
        let users = self.db.read(move |conn| {
            let mut filter = filter;
            if let Some(email) = email {
                let owner = store::user::user_id_by_email(conn, &email)?;
                let Some(owner) = owner.filter(|owner| filter.id.is_none_or(|id| id == *owner)) else {
                    return Ok(vec![]);
                };
                filter.id = Some(owner);
            }
            Ok::<_, UserError>(store::profile::user_list(conn, &filter, limit + 1)?)
        });
        Ok(Page::cut(users.await?, limit, |user| user.id))
    }

    async fn user_update(
        &self,
        call: &Call,
        user: Id,
        expected: Option<Version>,
        patch: UserPatch,
    ) -> Result<Profile, UserError> {
        let call = call.clone();
        if patch.disabled == Some(true) && call.actor == subject(user) {
            return Err(UserError::Conflict(Fault::OwnAccount));
        }
        let now = self.clock.now();
        self.db
            .write(move |conn| {
                let may_end_an_admin =
                    patch.disabled == Some(true) || patch.role.is_some_and(|role| role != Role::Admin);
                let other_admin = !may_end_an_admin || store::profile::admin_lock_others(conn, user)?;
                let before = lock(conn, user, expected)?;
                if is_program(&call.actor) && (patch.role.is_some() || before.role == Role::Admin) {
                    return Err(UserError::Forbidden(PERSON_ONLY));
                }
                if before.role == Role::Admin && !before.disabled && !other_admin {
                    return Err(UserError::Conflict(Fault::LastAdmin));
                }
                let role = patch.role.unwrap_or(before.role);
                let disabled = patch.disabled.unwrap_or(before.disabled);
                if (role, disabled) == (before.role, before.disabled) {
                    return Ok(before);
                }
                store::profile::user_update(conn, &before, role, disabled, now)?;
                user_audit(conn, &call, &before, role, disabled, now)?;
                if disabled || role != Role::Admin {
                    keys_revoke(conn, &call, user, now)?;
                }
                existing(conn, user)
            })
            .await
    }

    async fn api_key_list(&self, query: ApiKeyQuery) -> Result<Page<ApiKey>, UserError> {
        let mut faults = Faults::default();
        let limit = faults.limit(query.limit);
        faults.done()?;
        let before = position(query.cursor.as_deref())?;
        let keys = self.db.read(move |conn| Ok::<_, UserError>(store::api_key::api_key_list(conn, before, limit + 1)?));
        Ok(Page::cut(keys.await?, limit, |key| key.id))
    }

    async fn api_keys(&self, keys: Vec<Id>) -> Result<Vec<ApiKey>, UserError> {
        if keys.len() > page::LIMIT_MAX as usize {
            let fault = Fault::TooMany { count: keys.len(), max: page::LIMIT_MAX as usize };
            return Err(UserError::invalid("keys", fault));
        }
        self.db.read(move |conn| Ok(store::api_key::api_keys_by_id(conn, &keys)?)).await
    }

    async fn api_key_create(&self, call: &Call, created_by: Id, new: NewApiKey) -> Result<CreatedApiKey, UserError> {
        let now = self.clock.now();
        check_key(&new, now)?;
        let call = call.clone();
        let token = token::token(token::API_KEY);
        let key = ApiKey {
            id: Id::new(now),
            name: new.name,
            hint: token.chars().take(HINT_LENGTH).collect(),
            scopes: new.scopes,
            created_by,
            created_at: now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        let (hash, row) = (token::hash(&token), key.clone());
        let request = call.key.as_ref().map(|key| token::hash(&key.key));
        self.db
            .write(move |conn| {
                // The keys of an admin who goes are revoked: none may come after that.
                let maker = lock(conn, row.created_by, None)?;
                if maker.role != Role::Admin || maker.disabled {
                    return Err(UserError::Forbidden("Keys are made by admins."));
                }
                // The token cannot be told again: nobody keeps it.
                if let Some(request) = &request
                    && store::api_key::api_key_is_made(conn, row.created_by, request)?
                {
                    return Err(UserError::AlreadyMade);
                }
                store::api_key::api_key_insert(conn, &row, &hash, request.as_deref())?;
                let data = json!({ "name": row.name, "scopes": row.scopes });
                key_audit(conn, &call, "api_key.created", row.id, data, now)
            })
            .await?;
        Ok(CreatedApiKey { token, key })
    }

    async fn api_key_revoke(&self, call: &Call, id: Id) -> Result<bool, UserError> {
        let now = self.clock.now();
        let call = call.clone();
        self.db
            .write(move |conn| {
                if store::api_key::api_key_revoke(conn, id, now)? {
                    key_audit(conn, &call, "api_key.revoked", id, json!({}), now)?;
                    return Ok(true);
                }
                // One that is revoked already is there too.
                Ok(store::api_key::api_key_exists(conn, id)?)
            })
            .await
    }

    async fn audit_list(&self, query: AuditQuery) -> Result<Page<AuditEntry>, UserError> {
        let mut faults = Faults::default();
        faults.text("subject", query.subject.as_deref().unwrap_or_default(), 200);
        let limit = faults.limit(query.limit);
        faults.done()?;
        let before = position(query.cursor.as_deref())?;
        let entries = self.db.read(move |conn| {
            Ok::<_, UserError>(store::audit::audit_list(conn, query.subject.as_deref(), before, limit + 1)?)
        });
        Ok(Page::cut(entries.await?, limit, |entry| entry.id))
    }

    async fn tidy(&self) -> Result<u64, UserError> {
        Ok(self.db.leased("tidying", |lease| self.tidy_all(lease)).await?.unwrap_or(0))
    }
}

impl LocalUser {
    async fn tidy_all(&self, lease: Lease) -> Result<u64, UserError> {
        let now = self.clock.now();
        let mut total = 0;
        let failures = now.minus_seconds(self.config.throttle.forget_hours * 3_600);
        let old: [(store::tidy::Forget, Time); 4] = [
            (store::tidy::sessions, now),
            (store::tidy::one_time_tokens, now),
            (store::tidy::throttle, failures),
            (store::tidy::rate_counts, now.minus_seconds(120)),
        ];
        for (forget, end) in old {
            for _ in 0..TIDY_ROUNDS {
                let count = self.db.write(move |conn| {
                    lease.fence(conn)?;
                    Ok::<_, UserError>(forget(conn, end, TIDY_BATCH)?)
                });
                let count = count.await?;
                total += count as u64;
                if (count as i64) < TIDY_BATCH {
                    break;
                }
            }
        }
        Ok(total)
    }
}

/// The place where a list goes on.
fn position(cursor: Option<&str>) -> Result<Option<Id>, UserError> {
    cursor.map(|cursor| page::position(cursor).ok_or(UserError::InvalidCursor)).transpose()
}

/// The id that this text is, written as ids are: 32 digits alone may be a part of an address.
fn written_id(text: &str) -> Option<Id> {
    let text = text.trim();
    text.parse::<Id>().ok().filter(|id| id.to_string().eq_ignore_ascii_case(text))
}

/// Notes what somebody did to a user.
fn user_audit(
    conn: &mut Connection,
    call: &Call,
    before: &Profile,
    role: Role,
    disabled: bool,
    now: Time,
) -> Result<(), UserError> {
    let subject = subject(before.id);
    if role != before.role {
        let data = json!({ "from": before.role, "to": role });
        store::audit::audit_insert(conn, call, "user.role_changed", &subject, &data, now)?;
    }
    if disabled != before.disabled {
        let action = if disabled { "user.disabled" } else { "user.enabled" };
        store::audit::audit_insert(conn, call, action, &subject, &json!({}), now)?;
    }
    Ok(())
}

/// Is this actor an API key?
pub(super) fn is_program(actor: &str) -> bool {
    actor.starts_with("key:")
}

/// Ends the keys that a person made, who is no admin any more; each is noted.
pub(super) fn keys_revoke(conn: &mut Connection, call: &Call, user: Id, now: Time) -> Result<(), UserError> {
    let ended = store::api_key::api_key_revoke_all(conn, user, now)?;
    let subjects: Vec<String> = ended.iter().map(|key| format!("key:{key}")).collect();
    Ok(store::audit::audit_insert_all(conn, call, "api_key.revoked", &subjects, now)?)
}

/// Notes what somebody did to an API key.
fn key_audit(
    conn: &mut Connection,
    call: &Call,
    action: &str,
    key: Id,
    data: Value,
    now: Time,
) -> Result<(), UserError> {
    Ok(store::audit::audit_insert(conn, call, action, &format!("key:{key}"), &data, now)?)
}

fn check_key(new: &NewApiKey, now: Time) -> Result<(), UserError> {
    let mut faults = Faults::default();
    faults.required("/name", &new.name, 100);
    if new.scopes.is_empty() {
        faults.add("/scopes", Fault::NoScope);
    }
    for (index, scope) in new.scopes.iter().enumerate() {
        if new.scopes[..index].contains(scope) {
            faults.add(&format!("/scopes/{index}"), Fault::Repeated);
        }
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        faults.add("/expires_at", Fault::NotInFuture);
    }
    if new.expires_at.is_some_and(|end| end > now.plus_seconds(KEY_LIFE_SECONDS_MAX)) {
        faults.add("/expires_at", Fault::TooFarInFuture { years: KEY_LIFE_YEARS_MAX });
    }
    faults.done()
}
