//! Logging in and out.

use actix_web::HttpRequest;
use askama::Template;

use crate::config::Secret;
use crate::http::ApiResult;
use crate::http::cookie::SESSION;
use crate::user::Login;
use crate::web::shell::local;
use crate::web::{Form, Shell, storefront};

#[derive(Template)]
#[template(path = "account/login.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// Where to go afterwards.
    next: String,
}

fn show(shell: &Shell, form: &Form) -> ApiResult {
    shell.form(form, &Page { shell, form, next: local(form.get("next")) })
}

pub(super) async fn page(shell: Shell, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    if shell.person.is_some() {
        return Ok(shell.go(local(form.get("next"))));
    }
    show(&shell, &form)
}

pub(super) async fn login(shell: Shell, mut form: Form) -> ApiResult {
    let login = Login { email: form.text("email"), password: Secret::new(form.raw("password")) };
    let session = match shell.site.user.login(shell.origin(), login).await {
        Ok(session) => session,
        Err(error) => {
            form.refuse(error)?;
            return show(&shell, &form);
        }
    };
    // The browser forgets the session that it had: nobody could end it there any more.
    if let Some(before) = shell.person {
        shell.site.user.logout(shell.call(), before.id, before.session).await?;
    }
    let seconds = session.session.expires_at.seconds_since(shell.site.clock.now()) as i64;
    let next = local(form.get("next"));
    let mut response = match session.user.email_verified {
        true => shell.go(next),
        false => shell.go_saying(next, "flash-unverified"),
    };
    let _ = response.add_cookie(&shell.site.cookies.set(SESSION, session.token, seconds));
    storefront::merge(&shell, session.user.id, &mut response).await?;
    Ok(response)
}

pub(super) async fn logout(shell: Shell, _: Form) -> ApiResult {
    let person = shell.person()?;
    shell.site.user.logout(shell.call(), person.id, person.session).await?;
    let mut response = shell.go_saying("/", "flash-logged-out");
    let _ = response.add_cookie(&shell.site.cookies.clear(SESSION));
    Ok(response)
}
