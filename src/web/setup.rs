//! The first run: the first admin is made by whoever has the token that the process told in its log.

use actix_web::HttpRequest;
use actix_web::web::{ServiceConfig, get, post};
use askama::Template;
use sha2::{Digest, Sha256};

use super::{Form, Shell};
use crate::config::Secret;
use crate::http::ApiResult;
use crate::http::gate::{Access, Rule};
use crate::user::{Registration, UserError};

pub(super) const RULES: &[Rule] = &[("GET", "/setup", Access::Public), ("POST", "/setup", Access::Public)];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.route("/setup", get().to(page)).route("/setup", post().to(set_up));
}

/// What the page says.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// Where the token is.
    Token,
    /// Who shall be the first admin?
    Admin,
    /// There is one.
    Done,
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    step: Step,
    password_min: i64,
}

fn show(shell: &Shell, form: &Form, step: Step) -> ApiResult {
    shell.form(form, &Page { shell, form, step, password_min: shell.site.password_length_min.into() })
}

async fn page(shell: Shell, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    let step = match shell.site.user.setup_token().await? {
        None => Step::Done,
        Some(token) if is_same(&token, form.get("token")) => Step::Admin,
        Some(_) => Step::Token,
    };
    show(&shell, &form, step)
}

/// How long this takes does not tell how much of it is the same.
fn is_same(token: &str, given: &str) -> bool {
    Sha256::digest(token) == Sha256::digest(given)
}

async fn set_up(shell: Shell, mut form: Form) -> ApiResult {
    let token = Secret::new(form.get("token"));
    let new = Registration {
        email: form.text("email"),
        password: Secret::new(form.raw("password")),
        name: form.text("name"),
    };
    let step = match shell.site.user.setup(shell.origin(), &token, new).await {
        Ok(_) => return Ok(shell.go_saying("/login?next=/admin", "flash-set-up")),
        Err(error @ UserError::TokenInvalid) => {
            form.refuse(error)?;
            Step::Token
        }
        Err(error) => {
            form.refuse(error)?;
            if shell.site.has_admin().await? { Step::Done } else { Step::Admin }
        }
    };
    show(&shell, &form, step)
}
