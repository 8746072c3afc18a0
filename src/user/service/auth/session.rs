//! Log-in and sessions.

use std::sync::Arc;

use crate::call::{Call, Caller, Role};
use crate::clock::{Id, Time};
use crate::config::Secret;
use crate::db::Connection;
use crate::error::Fault;
use crate::user::email::Email;
use crate::user::service::LocalUser;
use crate::user::service::account::{own_call, subject};
use crate::user::service::admin::{PERSON_ONLY, is_program};
use crate::user::service::auth::attempt;
use crate::user::service::last_seen::LastSeen;
use crate::user::store::api_key::api_key_by_token;
use crate::user::store::audit::audit_insert;
use crate::user::store::profile::user_lock;
use crate::user::store::session::{
    SessionRow, session_by_token, session_delete, session_delete_all, session_insert, session_list, session_trim,
};
use crate::user::store::user::{UserRow, role_of, user_by_id, user_id_by_email};
use crate::user::{Login, NewSession, Origin, Session, UserError, password, token};

/// So many a person; when there are more, the oldest ends.
const SESSIONS_MAX: i64 = 100;

const USER_AGENT_LENGTH_MAX: usize = 300;

impl LocalUser {
    /// See [`crate::user::Auth::authenticate`].
    pub(super) async fn caller_of_token(&self, token: &str) -> Result<Option<Caller>, UserError> {
        let now = self.clock.now();
        let hash = token::hash(token);
        if let Some(user) = token::person(token::SESSION, token) {
            let found = self.db.read_primary(move |conn| Ok::<_, UserError>(session_by_token(conn, user, &hash, now)?));
            let Some((session, role)) = found.await? else { return Ok(None) };
            if now >= self.session_end(role, &session) {
                return Ok(None);
            }
            if LastSeen::is_due(session.last_seen_at, now) {
                self.last_seen.session(user, session.id, now);
            }
            return Ok(Some(Caller::Person { user_id: user, session_id: session.id, role }));
        }
        if !token.starts_with(token::API_KEY) {
            return Ok(None);
        }
        let found = self.db.read_primary(move |conn| Ok::<_, UserError>(api_key_by_token(conn, &hash, now)?));
        let Some(key) = found.await? else { return Ok(None) };
        if key.last_used_at.is_none_or(|before| LastSeen::is_due(before, now)) {
            self.last_seen.api_key(key.id, now);
        }
        Ok(Some(Caller::Key { key_id: key.id, scopes: key.scopes }))
    }

    /// See [`crate::user::Auth::login`].
    pub(super) async fn session_create(&self, origin: &Origin, login: Login) -> Result<NewSession, UserError> {
        let account = Email::read(&login.email, "/email")?.norm;
        if password::is_too_long(&login.password) {
            return Err(UserError::invalid("/password", Fault::PasswordTooLong { max: password::LENGTH_MAX }));
        }
        let result = self.session_try(origin, account, &login.password).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(UserError::Disabled) => "disabled",
            Err(UserError::WrongCredentials) => "wrong",
            Err(UserError::Throttled { .. }) => "throttled",
            Err(UserError::Busy) => "busy",
            Err(_) => "error",
        };
        metrics::counter!("emporium_logins_total", "outcome" => outcome).increment(1);
        result
    }

    async fn session_try(&self, origin: &Origin, account: String, password: &Secret) -> Result<NewSession, UserError> {
        let (address, now) = (origin.address.clone(), self.clock.now());
        let begun = self.db.read_primary(move |conn| {
            let user = user_id_by_email(conn, &account)?;
            attempt::begin(conn, user, &account, &address, now)
        });
        let attempt = begun.await?;
        let proof = self.attempt_prove(attempt, password).await?;
        let now = self.clock.now();
        let token = token::personal(token::SESSION, proof.user.id, &token::random());
        let row = Arc::new(SessionRow {
            user_id: proof.user.id,
            id: Id::new(now),
            user_agent: device_text(&origin.user_agent),
            address: origin.address.clone(),
            created_at: now,
            last_seen_at: now,
            expires_at: self.session_end_time(role_of(&proof.user.role)?, now),
        });
        let (written, hash) = (row.clone(), token::hash(&token));
        let write = self.db.write(move |conn| {
            let user = proof.hold(conn, now)?;
            session_insert(conn, &written, &hash, user.generation)?;
            session_trim(conn, user.id, SESSIONS_MAX)?;
            let (call, data) = (own_call(user.id, &written.address), serde_json::json!({ "session": written.id }));
            audit_insert(conn, &call, "session.created", &call.actor, &data, now)?;
            Ok::<_, UserError>(user.profile()?)
        });
        let user = write.await?;
        Ok(NewSession { token, session: row.session(Some(row.id)), user })
    }

    /// See [`crate::user::Auth::session_list`].
    pub(super) async fn sessions_of(&self, user: Id, current: Option<Id>) -> Result<Vec<Session>, UserError> {
        let now = self.clock.now();
        let found = self.db.read_primary(move |conn| {
            let Some(user) = user_by_id(conn, user)? else { return Ok(None) };
            let rows = session_list(conn, user.id, user.generation, now)?;
            Ok::<_, UserError>(Some((user.profile()?.role, rows)))
        });
        let Some((role, rows)) = found.await? else { return Ok(vec![]) };
        let live = rows.iter().filter(|row| now < self.session_end(role, row));
        Ok(live.map(|row| row.session(current)).collect())
    }

    /// Ends one session; gives whether there was one.
    pub(super) async fn session_remove(&self, call: &Call, user: Id, session: Id) -> Result<bool, UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        let ended = self.db.write(move |conn| {
            refuse_program(conn, &call.actor, user)?;
            let ended = session_delete(conn, user, session)?;
            if ended {
                let data = serde_json::json!({ "session": session });
                audit_insert(conn, &call, "session.ended", &subject(user), &data, now)?;
            }
            Ok(ended)
        });
        ended.await
    }

    /// See [`crate::user::Auth::session_end_all`].
    pub(super) async fn session_remove_all(&self, call: &Call, user: Id, except: Option<Id>) -> Result<u64, UserError> {
        let (call, now) = (call.clone(), self.clock.now());
        let ended = self.db.write(move |conn| {
            refuse_program(conn, &call.actor, user)?;
            let ended = session_delete_all(conn, user, except)?;
            let data = serde_json::json!({ "ended": ended });
            audit_insert(conn, &call, "sessions.ended", &subject(user), &data, now)?;
            Ok(ended)
        });
        ended.await
    }

    /// When a session that begins at `start` ends even if it is used.
    fn session_end_time(&self, role: Role, start: Time) -> Time {
        start.plus_seconds(match role {
            Role::Customer => self.config.session_days_max * 86_400,
            Role::Staff | Role::Admin => self.config.staff_session_hours_max * 3_600,
        })
    }

    /// When this session ends if it is not used again. By the role of now, which may have risen since the session began.
    fn session_end(&self, role: Role, session: &SessionRow) -> Time {
        let idle_end = session.last_seen_at.plus_seconds(match role {
            Role::Customer => self.config.session_idle_days * 86_400,
            Role::Staff | Role::Admin => self.config.staff_session_idle_minutes * 60,
        });
        idle_end.min(self.session_end_time(role, session.created_at))
    }
}

/// A program logs no admin out.
fn refuse_program(conn: &mut Connection, actor: &str, user: Id) -> Result<(), UserError> {
    if !is_program(actor) {
        return Ok(());
    }
    let profile = user_lock(conn, user)?.map(UserRow::profile).transpose()?;
    match profile {
        Some(profile) if profile.role == Role::Admin => Err(UserError::Forbidden(PERSON_ONLY)),
        _ => Ok(()),
    }
}

/// What a device says of itself, fit to be kept and shown.
fn device_text(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(USER_AGENT_LENGTH_MAX).collect()
}
