//! The end of an account.

use askama::Template;

use super::{need_password, refuse_proved};
use crate::config::Secret;
use crate::error::{Fault, Problem};
use crate::http::ApiResult;
use crate::http::cookie::SESSION;
use crate::user::AccountDeletion;
use crate::web::{Form, Shell};

#[derive(Template)]
#[template(path = "account/delete.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// Orders wait to be shipped: the account is needed.
    is_waiting: bool,
}

/// Do orders of this person wait to be shipped?
async fn is_waiting(shell: &Shell) -> ApiResult<bool> {
    Ok(shell.site.inventory.order_waits(&shell.person()?.holder()).await?)
}

pub(super) async fn page(shell: Shell) -> ApiResult {
    let (form, is_waiting) = (Form::default(), is_waiting(&shell).await?);
    shell.form(&form, &Page { shell: &shell, form: &form, is_waiting })
}

pub(super) async fn delete(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    let is_waiting = is_waiting(&shell).await?;
    if is_waiting {
        form.refuse(Problem::conflict(&Fault::OrdersWaiting))?;
    } else {
        need_password(&shell, &mut form);
        if !form.is_checked("sure") {
            form.fault("sure", shell.t("delete-sure-missing"));
        }
    }
    if form.is_good() {
        let deletion = AccountDeletion { current_password: Secret::new(form.raw("current_password")) };
        match shell.site.user.account_delete(shell.origin(), person.id, deletion).await {
            Ok(()) => {
                let mut response = shell.go_saying("/", "flash-account-deleted");
                let _ = response.add_cookie(&shell.site.cookies.clear(SESSION));
                return Ok(response);
            }
            Err(error) => refuse_proved(&shell, &mut form, error)?,
        }
    }
    shell.form(&form, &Page { shell: &shell, form: &form, is_waiting })
}
