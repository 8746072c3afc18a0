//! The rules of auth.

use async_trait::async_trait;

use super::LocalUser;
use crate::call::*;
use crate::clock::*;
use crate::page::*;
use crate::user::*;

#[async_trait]
impl Auth for LocalUser {
    async fn authenticate(&self, token: &str) -> Result<Option<Caller>, UserError> {
        todo!()
    }

    async fn register(&self, origin: &Origin, new: Registration) -> Result<(), UserError> {
        todo!()
    }

    async fn create(&self, actor: &str, new: Registration, role: Role) -> Result<Profile, UserError> {
        todo!()
    }

    async fn email_verify(&self, used: TokenUse) -> Result<(), UserError> {
        todo!()
    }

    async fn login(&self, origin: &Origin, login: Login) -> Result<NewSession, UserError> {
        todo!()
    }

    async fn logout(&self, user: Id, session: Id) -> Result<(), UserError> {
        todo!()
    }

    async fn session_list(&self, user: Id, current: Option<Id>) -> Result<Vec<Session>, UserError> {
        todo!()
    }

    async fn session_end(&self, actor: &str, user: Id, session: Id) -> Result<bool, UserError> {
        todo!()
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
        todo!()
    }
}
