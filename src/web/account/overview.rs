//! The account's first page: where everything is, and what is still to be done.

use askama::Template;

use super::own_profile;
use crate::http::ApiResult;
use crate::user::Profile;
use crate::web::{Form, Shell};

#[derive(Template)]
#[template(path = "account/overview.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    profile: Profile,
}

async fn show(shell: &Shell, form: &Form) -> ApiResult {
    shell.form(form, &Page { shell, form, profile: own_profile(shell).await? })
}

pub(super) async fn page(shell: Shell) -> ApiResult {
    show(&shell, &Form::default()).await
}

/// Mails the link that confirms the address once more.
pub(super) async fn verify_again(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    if let Err(error) = shell.site.user.email_verify_again(shell.origin(), person.id).await {
        form.refuse(error)?;
        return show(&shell, &form).await;
    }
    Ok(shell.go_saying("/account", "flash-verify-sent"))
}
