//! Creating an account, and confirming its address.

use actix_web::HttpRequest;
use askama::Template;

use super::password_hint;
use crate::config::Secret;
use crate::http::ApiResult;
use crate::user::{Link, Registration, TokenUse, UserError};
use crate::web::shell::local;
use crate::web::{Form, Shell};

#[derive(Template)]
#[template(path = "account/register.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// Where to go after logging in.
    next: String,
    hint: String,
}

fn show(shell: &Shell, form: &Form) -> ApiResult {
    shell.form(form, &Page { shell, form, next: local(form.get("next")), hint: password_hint(shell) })
}

pub(super) async fn page(shell: Shell, request: HttpRequest) -> ApiResult {
    if shell.person.is_some() {
        return Ok(shell.go("/account"));
    }
    show(&shell, &Form::of_query(&request))
}

pub(super) async fn register(shell: Shell, mut form: Form) -> ApiResult {
    let registration = Registration {
        email: form.text("email"),
        password: Secret::new(form.raw("password")),
        name: form.text("name"),
    };
    if let Err(error) = shell.site.user.register(shell.origin(), registration).await {
        form.refuse(error)?;
        return show(&shell, &form);
    }
    let next = local(form.get("next"));
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Ok(shell.go(format!("/register/sent?next={next}")))
}

#[derive(Template)]
#[template(path = "account/registered.html")]
struct Sent<'a> {
    shell: &'a Shell,
    next: String,
}

/// The same whether or not the address had an account.
pub(super) async fn sent(shell: Shell, request: HttpRequest) -> ApiResult {
    let next = local(Form::of_query(&request).get("next"));
    shell.html(&Sent { shell: &shell, next })
}

#[derive(Template)]
#[template(path = "account/verify.html")]
struct Verify<'a> {
    shell: &'a Shell,
    form: &'a Form,
}

/// Only a button: programs that look through mails open their links, too.
pub(super) async fn verify_page(shell: Shell, request: HttpRequest) -> ApiResult {
    let mut form = Form::of_query(&request);
    if !shell.site.user.link_is_good(Link::Address, &Secret::new(form.get("token"))).await? {
        form.refuse(UserError::TokenInvalid)?;
    }
    shell.form(&form, &Verify { shell: &shell, form: &form })
}

pub(super) async fn verify(shell: Shell, mut form: Form) -> ApiResult {
    let used = TokenUse { token: Secret::new(form.get("token")) };
    if let Err(error) = shell.site.user.email_verify(shell.origin(), used).await {
        form.refuse(error)?;
        return shell.form(&form, &Verify { shell: &shell, form: &form });
    }
    // Who has something in the cart came here from the checkout.
    let path = match (shell.person.is_some(), shell.cart_count > 0) {
        (true, true) => "/cart",
        (true, false) => "/account",
        (false, true) => "/login?next=/cart",
        (false, false) => "/login",
    };
    Ok(shell.go_saying(path, "flash-verified"))
}
