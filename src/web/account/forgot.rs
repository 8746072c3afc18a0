//! A forgotten password: asking for a link, and setting a new password with it.

use actix_web::HttpRequest;
use askama::Template;

use super::password_hint;
use crate::config::Secret;
use crate::error::ErrorCode;
use crate::http::ApiResult;
use crate::http::cookie::SESSION;
use crate::user::{Link, PasswordForgotten, PasswordReset, UserError};
use crate::web::{Form, Shell};

#[derive(Template)]
#[template(path = "account/forgot.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
}

pub(super) async fn page(shell: Shell, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    shell.form(&form, &Page { shell: &shell, form: &form })
}

pub(super) async fn forgot(shell: Shell, mut form: Form) -> ApiResult {
    let forgotten = PasswordForgotten { email: form.text("email") };
    if let Err(error) = shell.site.user.password_forgotten(shell.origin(), forgotten).await {
        form.refuse(error)?;
        return shell.form(&form, &Page { shell: &shell, form: &form });
    }
    Ok(shell.go("/forgot/sent"))
}

#[derive(Template)]
#[template(path = "account/forgotten.html")]
struct Sent<'a> {
    shell: &'a Shell,
}

/// The same whether or not the address has an account.
pub(super) async fn sent(shell: Shell) -> ApiResult {
    shell.html(&Sent { shell: &shell })
}

#[derive(Template)]
#[template(path = "account/reset.html")]
struct Reset<'a> {
    shell: &'a Shell,
    form: &'a Form,
    hint: String,
    /// The link is of no use: the form is not shown again.
    is_wrong: bool,
}

fn show(shell: &Shell, form: &Form) -> ApiResult {
    let is_wrong = form.problem().is_some_and(|problem| problem.code == ErrorCode::TokenInvalid);
    shell.form(form, &Reset { shell, form, hint: password_hint(shell), is_wrong })
}

pub(super) async fn reset_page(shell: Shell, request: HttpRequest) -> ApiResult {
    let mut form = Form::of_query(&request);
    if !shell.site.user.link_is_good(Link::Password, &Secret::new(form.get("token"))).await? {
        form.refuse(UserError::TokenInvalid)?;
    }
    show(&shell, &form)
}

pub(super) async fn reset(shell: Shell, mut form: Form) -> ApiResult {
    let reset =
        PasswordReset { token: Secret::new(form.get("token")), new_password: Secret::new(form.raw("new_password")) };
    if let Err(error) = shell.site.user.password_reset(shell.origin(), reset).await {
        form.refuse(error)?;
        return show(&shell, &form);
    }
    // All of the person's sessions have ended. One of somebody else, whom this browser had logged in, ends here.
    if let Some(person) = shell.person {
        shell.site.user.logout(shell.call(), person.id, person.session).await?;
    }
    let mut response = shell.go_saying("/login", "flash-password-reset");
    let _ = response.add_cookie(&shell.site.cookies.clear(SESSION));
    Ok(response)
}
