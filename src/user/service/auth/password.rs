//! Passwords of people who have an account.

use crate::clock::Id;
use crate::config::Secret;
use crate::user::service::LocalUser;
use crate::user::store::user::{UserRow, user_with_password};
use crate::user::{Origin, UserError};

impl LocalUser {
    /// Makes sure that it is this person who asks for something grave: `WrongCredentials` where the password is wrong, which counts
    /// for the throttle as a failed log-in does. Gives the person.
    pub(in crate::user::service) async fn password_confirm(
        &self,
        _origin: &Origin,
        user: Id,
        password: &Secret,
    ) -> Result<UserRow, UserError> {
        let found = self.db.read_primary(move |conn| Ok::<_, UserError>(user_with_password(conn, user)?)).await?;
        let stored = found.as_ref().map(|(_, hash)| hash.as_str());
        let checked = self.passwords.check(password, stored).await?;
        found.filter(|_| checked.matches).map(|(user, _)| user).ok_or(UserError::WrongCredentials)
    }
}
