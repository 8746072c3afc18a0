//! THE DOOR of the user module: who somebody is and what he may do.
//!
//! Everybody holds an `Arc<dyn User>`; what stands in `door/` is all that the module shows.

use crate::call::Version;
use crate::db::{DbError, Failure, Migrations};
use crate::error::{ErrorCode, Fault, FieldError, Problem};

mod door;
mod email;
mod mail;
mod password;
pub mod routes;
mod schema;
mod service;
mod store;
mod throttle;
mod token;

pub use door::account::*;
pub use door::admin::*;
pub use door::auth::*;
pub use mail::MailError;
pub use service::{LocalUser, local};

/// The module as others see it.
pub trait User: Auth + Account + Admin {
    /// Where it runs; `local`: in this process.
    fn place(&self) -> &'static str;
}

/// The module's tables, in both dialects.
pub static MIGRATIONS: Migrations = Migrations {
    sqlite: diesel_migrations::embed_migrations!("migrations/sqlite/user"),
    postgres: diesel_migrations::embed_migrations!("migrations/postgres/user"),
};

/// All tables, the parents first: as they are moved to another database.
pub const TABLES: &[&str] = &[
    "users",
    "user_emails",
    "credentials",
    "sessions",
    "one_time_tokens",
    "addresses",
    "cart_lines",
    "deliveries",
    "api_keys",
    "audit_log",
    "login_throttle",
    "mails",
    "rate_counts",
    "signing_keys",
];

/// All that can go wrong in this module. Absence is not among it: what looks for one thing gives `Option`.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// What a change names is not there.
    #[error("there is no {what} {name:?}")]
    NotFound { what: &'static str, name: String },
    #[error("some values are not allowed: {0:?}")]
    Invalid(Vec<FieldError>),
    #[error("the cursor cannot be read")]
    InvalidCursor,
    /// The address or the password is wrong: which one is not told, nor whether the account is there.
    #[error("the address or the password is wrong")]
    WrongCredentials,
    /// The password is right, and the account disabled. Nobody else is told.
    #[error("this account is disabled; write to the shop")]
    Disabled,
    /// Too many failures; in so many seconds the next try is looked at.
    #[error("too many attempts; wait {seconds} s")]
    Throttled { seconds: u64 },
    /// A one-time token that is wrong, used or too old.
    #[error("the token is wrong, used or too old")]
    TokenInvalid,
    #[error("version {expected} was expected, {actual} is there")]
    VersionMismatch { expected: Version, actual: Version },
    /// As disabling oneself or the last admin.
    #[error("{0}")]
    Conflict(Fault),
    /// It was made under this request's key before, and what was told then is told once.
    #[error("this was made already, and its secret was told once")]
    AlreadyMade,
    /// What takes a person and not an API key.
    #[error("{0}")]
    Forbidden(&'static str),
    /// All password threads are in use.
    #[error("too many log-ins at once")]
    Busy,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for UserError {
    fn from(error: diesel::result::Error) -> Self {
        UserError::Db(error.into())
    }
}

impl Failure for UserError {
    fn db(&self) -> Option<&DbError> {
        match self {
            UserError::Db(error) => Some(error),
            _ => None,
        }
    }
}

impl UserError {
    /// One value that is not allowed; `pointer` as in [`FieldError`].
    pub fn invalid(pointer: impl Into<String>, fault: impl Into<Fault>) -> Self {
        UserError::Invalid(vec![FieldError::new(pointer, fault)])
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        let detail = error.to_string();
        match error {
            UserError::NotFound { .. } => Problem::new(ErrorCode::NotFound, detail),
            UserError::Invalid(errors) => Problem::validation(errors),
            UserError::InvalidCursor => Problem::new(ErrorCode::InvalidCursor, detail),
            UserError::WrongCredentials => Problem::new(ErrorCode::WrongCredentials, detail),
            UserError::Disabled => Problem::new(ErrorCode::AccountDisabled, detail),
            UserError::Throttled { seconds } => Problem::new(ErrorCode::TooManyRequests, detail).retry_after(seconds),
            UserError::TokenInvalid => Problem::new(ErrorCode::TokenInvalid, detail),
            UserError::VersionMismatch { actual, .. } => {
                Problem::new(ErrorCode::VersionMismatch, detail).with("version", actual.number)
            }
            UserError::Conflict(fault) => Problem::conflict(&fault),
            UserError::AlreadyMade => Problem::new(ErrorCode::AlreadyExists, detail),
            UserError::Forbidden(_) => Problem::new(ErrorCode::Forbidden, detail),
            UserError::Busy => Problem::busy(detail),
            UserError::Db(error) => error.problem(),
        }
    }
}

impl From<UserError> for crate::http::ApiError {
    fn from(error: UserError) -> Self {
        crate::http::ApiError(error.into())
    }
}
