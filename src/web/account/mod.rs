//! Logging in and what a person keeps here: the account's pages.

use actix_web::web::{ServiceConfig, get, post};

use super::{Form, Shell};
use crate::call::Role;
use crate::error::Problem;
use crate::http::ApiResult;
use crate::http::gate::{Access, Rule};
use crate::user::{Profile, UserError};

pub(in crate::web) mod address;
mod addresses;
mod credentials;
mod data;
mod delete;
pub(in crate::web) mod device;
mod forgot;
mod login;
mod overview;
mod profile;
mod register;
mod sessions;

const PERSON: Access = Access::Role(Role::Customer, None);

pub(super) const RULES: &[Rule] = &[
    ("GET", "/login", Access::Public),
    ("POST", "/login", Access::Public),
    ("POST", "/logout", PERSON),
    ("GET", "/register", Access::Public),
    ("POST", "/register", Access::Public),
    ("GET", "/register/sent", Access::Public),
    ("GET", "/verify", Access::Public),
    ("POST", "/verify", Access::Public),
    ("GET", "/forgot", Access::Public),
    ("POST", "/forgot", Access::Public),
    ("GET", "/forgot/sent", Access::Public),
    ("GET", "/reset", Access::Public),
    ("POST", "/reset", Access::Public),
    ("GET", "/account", PERSON),
    ("POST", "/account/verify", PERSON),
    ("GET", "/account/profile", PERSON),
    ("POST", "/account/profile", PERSON),
    ("GET", "/account/email", PERSON),
    ("POST", "/account/email", PERSON),
    ("GET", "/account/password", PERSON),
    ("POST", "/account/password", PERSON),
    ("GET", "/account/addresses", PERSON),
    ("POST", "/account/addresses", PERSON),
    ("GET", "/account/addresses/new", PERSON),
    ("GET", "/account/addresses/{address}", PERSON),
    ("POST", "/account/addresses/{address}", PERSON),
    ("POST", "/account/addresses/{address}/default", PERSON),
    ("POST", "/account/addresses/{address}/delete", PERSON),
    ("GET", "/account/sessions", PERSON),
    ("POST", "/account/sessions/end", PERSON),
    ("POST", "/account/sessions/{session}/end", PERSON),
    ("GET", "/account/data", PERSON),
    ("GET", "/account/data.json", PERSON),
    ("GET", "/account/delete", PERSON),
    ("POST", "/account/delete", PERSON),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/login", get().to(login::page))
        .route("/login", post().to(login::login))
        .route("/logout", post().to(login::logout))
        .route("/register", get().to(register::page))
        .route("/register", post().to(register::register))
        .route("/register/sent", get().to(register::sent))
        .route("/verify", get().to(register::verify_page))
        .route("/verify", post().to(register::verify))
        .route("/forgot", get().to(forgot::page))
        .route("/forgot", post().to(forgot::forgot))
        .route("/forgot/sent", get().to(forgot::sent))
        .route("/reset", get().to(forgot::reset_page))
        .route("/reset", post().to(forgot::reset))
        .route("/account", get().to(overview::page))
        .route("/account/verify", post().to(overview::verify_again))
        .route("/account/profile", get().to(profile::page))
        .route("/account/profile", post().to(profile::change))
        .route("/account/email", get().to(credentials::email_page))
        .route("/account/email", post().to(credentials::email))
        .route("/account/password", get().to(credentials::password_page))
        .route("/account/password", post().to(credentials::password))
        .route("/account/addresses", get().to(addresses::list))
        .route("/account/addresses", post().to(addresses::add))
        .route("/account/addresses/new", get().to(addresses::new_page))
        .route("/account/addresses/{address}", get().to(addresses::page))
        .route("/account/addresses/{address}", post().to(addresses::change))
        .route("/account/addresses/{address}/default", post().to(addresses::make_default))
        .route("/account/addresses/{address}/delete", post().to(addresses::delete))
        .route("/account/sessions", get().to(sessions::list))
        .route("/account/sessions/end", post().to(sessions::end_others))
        .route("/account/sessions/{session}/end", post().to(sessions::end))
        .route("/account/data", get().to(data::page))
        .route("/account/data.json", get().to(data::download))
        .route("/account/delete", get().to(delete::page))
        .route("/account/delete", post().to(delete::delete));
}

/// The profile of who is logged in.
async fn own_profile(shell: &Shell) -> ApiResult<Profile> {
    let profile = shell.site.user.profile_get(shell.person()?.id).await?;
    // The session is there, so the person was, a moment ago.
    Ok(profile.ok_or_else(|| Problem::busy("The account cannot be read now."))?)
}

/// Takes in why a change was refused that takes the password: a wrong one is told at its field.
fn refuse_proved(shell: &Shell, form: &mut Form, error: UserError) -> ApiResult<()> {
    match error {
        UserError::WrongCredentials => {
            form.fault("current_password", shell.t("password-wrong"));
            Ok(())
        }
        error => form.refuse(error),
    }
}

/// Without a password nothing is tried: that would count as a wrong one.
fn need_password(shell: &Shell, form: &mut Form) {
    if form.raw("current_password").is_empty() {
        form.fault("current_password", shell.t("password-needed"));
    }
}

/// What a new password must be like.
fn password_hint(shell: &Shell) -> String {
    shell.t1("password-hint", "min", i64::from(shell.site.password_length_min))
}
