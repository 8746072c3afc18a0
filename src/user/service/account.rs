//! The rules of account.

use async_trait::async_trait;

use super::LocalUser;
use crate::call::*;
use crate::clock::*;
use crate::page::*;
use crate::user::*;

#[async_trait]
impl Account for LocalUser {
    async fn profile_get(&self, user: Id) -> Result<Option<Profile>, UserError> {
        todo!()
    }

    async fn profile_update(&self, user: Id, expected: Option<i64>, patch: ProfilePatch) -> Result<Profile, UserError> {
        todo!()
    }

    async fn address_list(&self, user: Id) -> Result<Vec<Address>, UserError> {
        todo!()
    }

    async fn address_get(&self, user: Id, id: Id) -> Result<Option<Address>, UserError> {
        todo!()
    }

    async fn address_create(&self, user: Id, new: NewAddress) -> Result<Address, UserError> {
        todo!()
    }

    async fn address_update(
        &self,
        user: Id,
        id: Id,
        expected: Option<i64>,
        new: NewAddress,
    ) -> Result<Address, UserError> {
        todo!()
    }

    async fn address_delete(&self, user: Id, id: Id, expected: Option<i64>) -> Result<bool, UserError> {
        todo!()
    }

    async fn personal_data(&self, user: Id) -> Result<Option<PersonalData>, UserError> {
        todo!()
    }

    async fn account_delete(&self, origin: &Origin, user: Id, deletion: AccountDeletion) -> Result<(), UserError> {
        todo!()
    }
}
