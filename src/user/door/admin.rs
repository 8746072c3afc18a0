//! What staff and admins do: users, API keys, the audit log.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::call::{Call, Role, Scope, Version, patch};
use crate::clock::{Id, Time};
use crate::page::Page;
use crate::user::{Profile, UserError};

#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserQuery {
    /// A part of the address or the name; or an id.
    #[param(max_length = 200)]
    pub q: Option<String>,
    /// Exactly this address, however it is written: at most one user has it.
    #[param(max_length = 254)]
    pub email: Option<String>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub cursor: Option<String>,
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

patch! {
    /// What is absent stays.
    pub struct UserPatch {
        role: Role,
        /// `true` ends all sessions too.
        disabled: bool,
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: Id,
    pub name: String,
    /// The token's beginning.
    pub hint: String,
    pub scopes: Vec<Scope>,
    pub created_by: Id,
    pub created_at: Time,
    pub expires_at: Option<Time>,
    pub revoked_at: Option<Time>,
    /// To the minute.
    pub last_used_at: Option<Time>,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// At least one, and none twice.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Never, when absent; otherwise in the future.
    pub expires_at: Option<Time>,
}

/// A new key. The token is told here once.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct CreatedApiKey {
    pub token: String,
    pub key: ApiKey,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: Id,
    pub actor: String,
    pub action: String,
    pub subject: String,
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// The IP address that it came from; empty for what nobody asked over the network, and after the account's end.
    pub address: String,
    pub created_at: Time,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// As `user:ID`, `key:ID`; `nobody` for what was tried with an address that has no account.
    #[param(max_length = 200)]
    pub subject: Option<String>,
    pub cursor: Option<String>,
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApiKeyQuery {
    pub cursor: Option<String>,
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// What staff and admins do. Each change is in the audit log.
#[async_trait]
pub trait Admin: Send + Sync {
    /// Newest first.
    async fn user_list(&self, query: UserQuery) -> Result<Page<Profile>, UserError>;
    /// `Conflict` when nobody would be left who is an admin and not disabled; `Forbidden` to a program, where it concerns a role or an
    /// admin. The keys of whoever is no admin any more, or disabled, are revoked.
    async fn user_update(
        &self,
        call: &Call,
        user: Id,
        expected: Option<Version>,
        patch: UserPatch,
    ) -> Result<Profile, UserError>;
    /// Newest first.
    async fn api_key_list(&self, query: ApiKeyQuery) -> Result<Page<ApiKey>, UserError>;
    /// Those of them who are there, revoked or not, in any order: at most [`crate::page::LIMIT_MAX`].
    async fn api_keys(&self, keys: Vec<Id>) -> Result<Vec<ApiKey>, UserError>;
    /// `Forbidden` where `created_by` is no admin, or disabled. Asked twice under one key: `AlreadyMade`, for the token is told once.
    async fn api_key_create(&self, call: &Call, created_by: Id, new: NewApiKey) -> Result<CreatedApiKey, UserError>;
    /// Felt by the very next request. Gives whether there was such a key.
    async fn api_key_revoke(&self, call: &Call, id: Id) -> Result<bool, UserError>;
    /// Newest first.
    async fn audit_list(&self, query: AuditQuery) -> Result<Page<AuditEntry>, UserError>;
    /// Forgets what is past its time: sessions, one-time tokens, the throttle; gives the number of rows.
    async fn tidy(&self) -> Result<u64, UserError>;
}
