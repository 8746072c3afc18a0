//! The rules of admin.

use async_trait::async_trait;

use super::LocalUser;
use crate::call::*;
use crate::clock::*;
use crate::page::*;
use crate::user::*;

#[async_trait]
impl Admin for LocalUser {
    async fn user_list(&self, query: UserQuery) -> Result<Page<Profile>, UserError> {
        todo!()
    }

    async fn user_update(
        &self,
        call: &Call,
        user: Id,
        expected: Option<i64>,
        patch: UserPatch,
    ) -> Result<Profile, UserError> {
        todo!()
    }

    async fn has_admin(&self) -> Result<bool, UserError> {
        todo!()
    }

    async fn api_key_list(&self, query: ApiKeyQuery) -> Result<Page<ApiKey>, UserError> {
        todo!()
    }

    async fn api_key_create(&self, call: &Call, created_by: Id, new: NewApiKey) -> Result<CreatedApiKey, UserError> {
        todo!()
    }

    async fn api_key_revoke(&self, call: &Call, id: Id) -> Result<bool, UserError> {
        todo!()
    }

    async fn audit_list(&self, query: AuditQuery) -> Result<Page<AuditEntry>, UserError> {
        todo!()
    }

    async fn tidy(&self) -> Result<u64, UserError> {
        todo!()
    }
}
