//! A form without its session's token: nothing is done, nothing that was typed is lost, and the person is asked to send it again.
//!
//! The gate has let it in, so a page of this shop sent it; only the page was older than the log-in. Whoever wants that sees what is
//! sent, and where to, and presses a button that no other site can lay anything over (`frame-ancestors`).

use actix_web::error::InternalError;
use actix_web::http::header;
use actix_web::{Error, FromRequest, HttpRequest};
use askama::Template;

use super::Shell;
use super::form::{Form, Input, OUTDATED, TOKEN, label};
use super::shell::local;
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::ApiError;

/// So many values are shown, and so much of each. All are sent.
const SHOWN: usize = 30;
const SHOWN_CHARS: usize = 200;
/// What pages put into their forms themselves.
const MACHINE: [&str; 6] = [TOKEN, "key", "version", "token", "next", "from"];

/// Of the pages' selects, whose values are words: by the fields' last words, the groups of texts that name the values.
const CHOICES: [(&str, &str); 4] =
    [("status", "product"), ("role", "people-role"), ("counter", "counter"), ("country", "country")];

/// In the frame of the pages that the form belongs to.
#[derive(Template)]
#[template(path = "again.html")]
struct ShopPage<'a> {
    shell: &'a Shell,
    sent: Sent<'a>,
}

#[derive(Template)]
#[template(path = "admin/again.html")]
struct AdminPage<'a> {
    shell: &'a Shell,
    sent: Sent<'a>,
}

/// What is sent, and the button that does so.
#[derive(Template)]
#[template(path = "again-form.html")]
struct Sent<'a> {
    shell: &'a Shell,
    address: String,
    /// Where to go instead.
    back: &'static str,
    /// The names and values that are sent as they are.
    hidden: Vec<(&'a str, &'a str)>,
    /// What of them people have typed, by the fields' labels.
    shown: Vec<(String, String)>,
    /// How many more there are.
    more: usize,
    /// Who is logged in now: the form may be somebody else's.
    email: String,
    /// No page carries these back: they are typed anew.
    passwords: Vec<Input>,
}

impl askama::filters::HtmlSafe for Sent<'_> {}

/// The answer to a form without the token.
pub(super) async fn ask(request: &HttpRequest, mut form: Form) -> Error {
    let outdated = || ApiError(Problem::new(ErrorCode::FormOutdated, OUTDATED));
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/html")) {
        return outdated().into();
    }
    let shell = match Shell::extract(request).await {
        Ok(shell) => shell,
        Err(error) => return error.into(),
    };
    form.refuse_outdated();
    let person = match shell.person() {
        Ok(person) => shell.site.user.profile_get(person.id).await.map_err(ApiError::from),
        Err(error) => Err(error),
    };
    let email = match person {
        Ok(person) => person.map_or(String::new(), |person| person.email),
        Err(error) => return error.into(),
    };
    let is_admin = shell.address.split(['/', '?']).nth(1) == Some("admin");
    let sent = sent(&shell, &form, email, if is_admin { "/admin" } else { "/" });
    let page = match is_admin {
        true => shell.form(&form, &AdminPage { shell: &shell, sent }),
        false => shell.form(&form, &ShopPage { shell: &shell, sent }),
    };
    match page {
        Ok(response) => InternalError::from_response(outdated(), response).into(),
        Err(error) => error.into(),
    }
}

fn sent<'a>(shell: &'a Shell, form: &'a Form, email: String, back: &'static str) -> Sent<'a> {
    let is_password = |name: &str| name.ends_with("password");
    let fill = |name: &str| if name.starts_with("new") { "new-password" } else { "current-password" };
    let field = |name: &str| form.input(name, label(shell, name)).kind("password").auto(fill(name)).required();
    let hidden: Vec<(&str, &str)> = form.fields().filter(|(name, _)| *name != TOKEN && !is_password(name)).collect();
    let typed = |(name, value): &&(&str, &str)| !MACHINE.contains(name) && !value.trim().is_empty();
    let cut = |value: &str| match value.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    };
    let shown = hidden
        .iter()
        .filter(typed)
        .take(SHOWN)
        .map(|(name, value)| (label(shell, name), cut(&said(shell, name, value))));
    Sent {
        shell,
        address: local(&shell.address),
        back,
        email,
        shown: shown.collect(),
        more: hidden.iter().filter(typed).count().saturating_sub(SHOWN),
        passwords: form.fields().map(|(name, _)| name).filter(|name| is_password(name)).map(field).collect(),
        hidden,
    }
}

/// A value as its page shows it: ids and codes say nothing to people.
fn said(shell: &Shell, name: &str, value: &str) -> String {
    if let Ok(id) = value.parse::<Id>() {
        let category = shell.menu.iter().find(|category| category.id == id);
        return category.map_or_else(|| shell.t("again-as-chosen"), |category| category.path.clone());
    }
    match CHOICES.iter().find(|(field, _)| name.rsplit('.').next() == Some(field)) {
        Some((_, group)) => shell.word(group, value),
        None => value.to_owned(),
    }
}
