//! Log-in and sessions.

use crate::call::{Caller, Role};
use crate::clock::{Id, Time};
use crate::user::email::Email;
use crate::user::service::LocalUser;
use crate::user::service::last_seen::LastSeen;
use crate::user::store::api_key::api_key_by_token;
use crate::user::store::audit::audit_insert;
use crate::user::store::session::{SessionRow, session_by_token, session_delete, session_insert, session_trim};
use crate::user::store::user::{user_id_by_email, user_with_password};
use crate::user::{Login, NewSession, Origin, UserError, password, token};

/// Of the rest, the oldest are ended.
const SESSIONS_MAX: i64 = 100;

const USER_AGENT_LENGTH_MAX: usize = 300;

impl LocalUser {
    /// See [`crate::user::Auth::authenticate`].
    pub(super) async fn caller_of_token(&self, token: &str) -> Result<Option<Caller>, UserError> {
        let now = self.clock.now();
        let hash = token::hash(token);
        if let Some(user) = token::session_user(token) {
            let found = self.db.read_primary(move |conn| Ok::<_, UserError>(session_by_token(conn, user, &hash, now)?));
            let Some((session, role)) = found.await? else { return Ok(None) };
            // The role may have risen since the session began.
            if now >= self.session_end_time(role, session.created_at)
                || now >= self.idle_end(role, session.last_seen_at)
            {
                return Ok(None);
            }
            if LastSeen::is_due(session.last_seen_at, now) {
                self.last_seen.session(user, session.id);
            }
            return Ok(Some(Caller::Person { user_id: user, session_id: session.id, role }));
        }
        if !token.starts_with(token::API_KEY) {
            return Ok(None);
        }
        let found = self.db.read_primary(move |conn| Ok::<_, UserError>(api_key_by_token(conn, &hash, now)?));
        let Some(key) = found.await? else { return Ok(None) };
        if key.last_used_at.is_none_or(|before| LastSeen::is_due(before, now)) {
            self.last_seen.api_key(key.id);
        }
        Ok(Some(Caller::Key { key_id: key.id, scopes: key.scopes }))
    }

    /// See [`crate::user::Auth::login`].
    pub(super) async fn session_create(&self, origin: &Origin, login: Login) -> Result<NewSession, UserError> {
        let email = Email::read(&login.email, "/email")?;
        if password::is_too_long(&login.password) {
            return Err(UserError::invalid("/password", "is longer than a password can be"));
        }
        let found = self.db.read_primary(move |conn| {
            let id = user_id_by_email(conn, &email.norm)?.unwrap_or(Id(uuid::Uuid::nil()));
            Ok::<_, UserError>(user_with_password(conn, id)?)
        });
        let found = found.await?;
        let stored = found.as_ref().map(|(_, hash)| hash.as_str());
        let checked = self.passwords.check(&login.password, stored).await?;
        let Some((user, _)) = found.filter(|(user, _)| checked.matches && user.disabled_at.is_none()) else {
            return Err(UserError::WrongCredentials);
        };
        let (now, token, generation) = (self.clock.now(), token::session_token(user.id), user.generation);
        let profile = user.profile()?;
        let row = SessionRow {
            user_id: profile.id,
            id: Id::new(now),
            user_agent: device_text(&origin.user_agent),
            address: origin.address.clone(),
            created_at: now,
            last_seen_at: now,
            expires_at: self.session_end_time(profile.role, now),
        };
        let (hash, actor) = (token::hash(&token), format!("user:{}", profile.id));
        let written = self.db.write(move |conn| {
            // Of the generation that was there when the password was right: one that is ended meanwhile is ended with the others.
            session_insert(conn, &row, &hash, generation)?;
            session_trim(conn, row.user_id, SESSIONS_MAX)?;
            let data = serde_json::json!({ "session": row.id });
            audit_insert(conn, &actor, "session.created", &actor, &data, &row.address, now)?;
            Ok::<_, UserError>(SessionRow { user_agent: row.user_agent.clone(), address: row.address.clone(), ..row })
        });
        let row = written.await?;
        let id = row.id;
        Ok(NewSession { token, session: row.session(Some(id)), user: profile })
    }

    /// Ends one session; gives whether there was one.
    pub(super) async fn session_remove(&self, actor: &str, user: Id, session: Id) -> Result<bool, UserError> {
        let (actor, now) = (actor.to_owned(), self.clock.now());
        let ended = self.db.write(move |conn| {
            let ended = session_delete(conn, user, session)?;
            if ended {
                let data = serde_json::json!({ "session": session });
                audit_insert(conn, &actor, "session.ended", &format!("user:{user}"), &data, "", now)?;
            }
            Ok(ended)
        });
        ended.await
    }

    /// When a session that began at `start` ends, whatever happens.
    fn session_end_time(&self, role: Role, start: Time) -> Time {
        start.plus_seconds(match role {
            Role::Customer => self.config.session_days_max * 86_400,
            Role::Staff | Role::Admin => self.config.staff_session_hours_max * 3_600,
        })
    }

    /// When a session ends that is not used after `last_seen`.
    fn idle_end(&self, role: Role, last_seen: Time) -> Time {
        last_seen.plus_seconds(match role {
            Role::Customer => self.config.session_idle_days * 86_400,
            Role::Staff | Role::Admin => self.config.staff_session_idle_minutes * 60,
        })
    }
}

/// What a device says of itself, fit to be kept and shown.
fn device_text(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(USER_AGENT_LENGTH_MAX).collect()
}
