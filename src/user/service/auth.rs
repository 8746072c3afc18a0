//! The rules of auth, by noun: here the door, in the files the work.

use async_trait::async_trait;

use super::LocalUser;
use crate::call::*;
use crate::clock::*;
use crate::user::*;

mod password;
mod registration;
mod session;

#[async_trait]
impl Auth for LocalUser {
    async fn authenticate(&self, token: &str) -> Result<Option<Caller>, UserError> {
        self.caller_of_token(token).await
    }

    async fn register(&self, origin: &Origin, new: Registration) -> Result<(), UserError> {
        todo!()
    }

    async fn create(&self, actor: &str, new: Registration, role: Role) -> Result<Profile, UserError> {
        self.account_create(actor, new, role).await
    }

    async fn email_verify(&self, used: TokenUse) -> Result<(), UserError> {
        todo!()
    }

    async fn login(&self, origin: &Origin, login: Login) -> Result<NewSession, UserError> {
        self.session_create(origin, login).await
    }

    async fn logout(&self, user: Id, session: Id) -> Result<(), UserError> {
        self.session_remove(&format!("user:{user}"), user, session).await.map(|_| ())
    }

    async fn session_list(&self, user: Id, current: Option<Id>) -> Result<Vec<Session>, UserError> {
        todo!()
    }

    async fn session_end(&self, actor: &str, user: Id, session: Id) -> Result<bool, UserError> {
        self.session_remove(actor, user, session).await
    }

    async fn session_end_all(&self, actor: &str, user: Id, except: Option<Id>) -> Result<u64, UserError> {
        todo!()
    }

    async fn password_change(
        &self,
        origin: &Origin,
        user: Id,
        session: Id,
        change: PasswordChange,
    ) -> Result<(), UserError> {
        todo!()
    }

    async fn email_change(&self, origin: &Origin, user: Id, change: EmailChange) -> Result<(), UserError> {
        todo!()
    }

    async fn password_forgotten(&self, origin: &Origin, forgotten: PasswordForgotten) -> Result<(), UserError> {
        todo!()
    }

    async fn password_reset(&self, origin: &Origin, reset: PasswordReset) -> Result<(), UserError> {
        todo!()
    }

    async fn mail_send_next(&self) -> Result<bool, UserError> {
        Ok(false)
    }
}
