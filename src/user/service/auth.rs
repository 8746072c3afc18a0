//! The rules of auth, by noun: here the door, in the files the work.

use async_trait::async_trait;

use super::LocalUser;
use crate::call::{Call, Caller, Role};
use crate::clock::{Id, Time};
use crate::config::Secret;
use crate::user::store::rate_count::rate_counts_add;
use crate::user::*;

mod attempt;
mod email;
mod outgoing;
mod password;
mod registration;
mod session;
mod setup;

#[async_trait]
impl Auth for LocalUser {
    async fn authenticate(&self, token: &str) -> Result<Option<Caller>, UserError> {
        self.caller_of_token(token).await
    }

    async fn register(&self, origin: &Origin, new: Registration) -> Result<(), UserError> {
        self.account_register(origin, new).await
    }

    async fn create(&self, actor: &str, new: Registration, role: Role) -> Result<Profile, UserError> {
        self.account_create(actor, new, role).await
    }

    async fn signing_key(&self) -> Result<SigningKey, UserError> {
        self.shop_secret().await
    }

    async fn setup_token(&self) -> Result<Option<String>, UserError> {
        self.first_token().await
    }

    async fn setup(&self, origin: &Origin, token: &Secret, new: Registration) -> Result<Profile, UserError> {
        self.first_admin(origin, token, new).await
    }

    async fn link_is_good(&self, link: Link, token: &Secret) -> Result<bool, UserError> {
        self.link_look(link, token).await
    }

    async fn email_verify(&self, origin: &Origin, used: TokenUse) -> Result<(), UserError> {
        self.email_confirm(origin, used).await
    }

    async fn email_verify_again(&self, origin: &Origin, user: Id) -> Result<(), UserError> {
        self.verify_link_again(origin, user).await
    }

    async fn login(&self, origin: &Origin, login: Login) -> Result<NewSession, UserError> {
        self.session_create(origin, login).await
    }

    async fn logout(&self, call: &Call, user: Id, session: Id) -> Result<(), UserError> {
        self.session_remove(call, user, session).await.map(|_| ())
    }

    async fn session_list(&self, user: Id, current: Option<Id>) -> Result<Vec<Session>, UserError> {
        self.sessions_of(user, current).await
    }

    async fn session_end(&self, call: &Call, user: Id, session: Id) -> Result<bool, UserError> {
        self.session_remove(call, user, session).await
    }

    async fn session_end_all(&self, call: &Call, user: Id, except: Option<Id>) -> Result<u64, UserError> {
        self.session_remove_all(call, user, except).await
    }

    async fn password_change(
        &self,
        origin: &Origin,
        user: Id,
        session: Id,
        change: PasswordChange,
    ) -> Result<(), UserError> {
        self.password_replace(origin, user, session, change).await
    }

    async fn email_change(&self, origin: &Origin, user: Id, change: EmailChange) -> Result<(), UserError> {
        self.email_replace(origin, user, change).await
    }

    async fn password_forgotten(&self, origin: &Origin, forgotten: PasswordForgotten) -> Result<(), UserError> {
        self.reset_ask(origin, forgotten).await
    }

    async fn password_reset(&self, origin: &Origin, reset: PasswordReset) -> Result<(), UserError> {
        self.reset_use(origin, reset).await
    }

    async fn rate_counts_add(&self, minute: Time, counts: Vec<(String, i64)>) -> Result<Vec<(String, i64)>, UserError> {
        self.db.write(move |conn| Ok(rate_counts_add(conn, minute, &counts)?)).await
    }

    async fn mail_send_next(&self) -> Result<bool, UserError> {
        self.mail_send_one().await
    }
}
