//! The e-mail address and the password: what one logs in with.

use askama::Template;

use super::{need_password, own_profile, password_hint, refuse_proved};
use crate::config::Secret;
use crate::http::ApiResult;
use crate::user::{EmailChange, PasswordChange, Profile};
use crate::web::{Form, Shell};

#[derive(Template)]
#[template(path = "account/email.html")]
struct Email<'a> {
    shell: &'a Shell,
    form: &'a Form,
    profile: Profile,
}

async fn show_email(shell: &Shell, form: &Form) -> ApiResult {
    shell.form(form, &Email { shell, form, profile: own_profile(shell).await? })
}

pub(super) async fn email_page(shell: Shell) -> ApiResult {
    show_email(&shell, &Form::default()).await
}

pub(super) async fn email(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    need_password(&shell, &mut form);
    if form.is_good() {
        let change =
            EmailChange { email: form.text("email"), current_password: Secret::new(form.raw("current_password")) };
        match shell.site.user.email_change(shell.origin(), person.id, change).await {
            Ok(()) => return Ok(shell.go_saying("/account", "flash-email-asked")),
            Err(error) => refuse_proved(&shell, &mut form, error)?,
        }
    }
    show_email(&shell, &form).await
}

#[derive(Template)]
#[template(path = "account/password.html")]
struct Password<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// For the browser's list of passwords.
    profile: Profile,
    hint: String,
}

async fn show_password(shell: &Shell, form: &Form) -> ApiResult {
    let page = Password { shell, form, profile: own_profile(shell).await?, hint: password_hint(shell) };
    shell.form(form, &page)
}

pub(super) async fn password_page(shell: Shell) -> ApiResult {
    show_password(&shell, &Form::default()).await
}

/// The session of this browser goes on, and its cookie with it; all others end.
pub(super) async fn password(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    need_password(&shell, &mut form);
    if form.is_good() {
        let change = PasswordChange {
            current_password: Secret::new(form.raw("current_password")),
            new_password: Secret::new(form.raw("new_password")),
        };
        match shell.site.user.password_change(shell.origin(), person.id, person.session, change).await {
            Ok(()) => return Ok(shell.go_saying("/account", "flash-password-changed")),
            Err(error) => refuse_proved(&shell, &mut form, error)?,
        }
    }
    show_password(&shell, &form).await
}
