//! The shop's users as admins see them: who they are, what they may do, where they are logged in.

use actix_web::{HttpRequest, web};
use askama::Template;
use serde_json::Value;

use super::audit::{Entry, entries};
use super::goods::asks_nothing;
use crate::call::{Role, Version, Versioned};
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::{ApiResult, path_id};
use crate::user::{AuditQuery, Profile, Session, UserPatch, UserQuery};
use crate::web::account::device::device;
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PATH: &str = "/admin/users";
const PAGE: u32 = 50;
/// So many of the newest entries of the audit log stand on a user's page.
const ENTRIES: u32 = 20;

const ROLES: [Role; 3] = [Role::Customer, Role::Staff, Role::Admin];

/// A role's name in data and forms.
fn role_name(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn role_of(name: &str) -> Option<Role> {
    serde_json::from_value(Value::String(name.to_owned())).ok()
}

fn roles(shell: &Shell) -> Vec<(String, String)> {
    ROLES.map(|role| (role_name(role), shell.word("people-role", role_name(role)))).to_vec()
}

#[derive(Template)]
#[template(path = "admin/users.html")]
struct ListPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    roles: Vec<(String, String)>,
    states: Vec<(String, String)>,
    /// Each with the word for his role.
    rows: Vec<(Profile, String)>,
    first: Option<String>,
    next: Option<String>,
    /// Nothing was asked for.
    is_whole: bool,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let mut form = Form::of_query(&request);
    let query = UserQuery {
        q: form.optional("q"),
        email: None,
        role: role_of(form.get("role")),
        disabled: match form.get("state") {
            "active" => Some(false),
            "disabled" => Some(true),
            _ => None,
        },
        cursor: form.optional("cursor"),
        limit: Some(PAGE),
    };
    let (mut users, mut next_cursor) = (vec![], None);
    match shell.site.user.user_list(query).await {
        Ok(page) => (users, next_cursor) = (page.items, page.next_cursor),
        Err(error) => form.refuse(error)?,
    }
    let any = || (String::new(), shell.t("listing-any"));
    let states = ["active", "disabled"].map(|state| (state.to_owned(), shell.word("people-state", state)));
    let rows = users.into_iter().map(|user| {
        let role = shell.word("people-role", role_name(user.role));
        (user, role)
    });
    let page = ListPage {
        shell: &shell,
        roles: [vec![any()], roles(&shell)].concat(),
        states: [vec![any()], states.to_vec()].concat(),
        rows: rows.collect(),
        first: form.optional("cursor").map(|_| address(PATH, &form, &["cursor"], None)),
        next: next_cursor.map(|cursor| address(PATH, &form, &["cursor"], Some(("cursor", &cursor)))),
        is_whole: asks_nothing(&form),
        form: &form,
    };
    shell.form(&form, &page)
}

#[derive(Template)]
#[template(path = "admin/user.html")]
struct UserPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// The form of the role, with what was typed or what is there.
    chosen: Form,
    user: &'a Profile,
    version: Version,
    role: String,
    roles: Vec<(String, String)>,
    /// Each with what the device is called.
    sessions: Vec<(String, Session)>,
    entries: Vec<Entry>,
}

pub(super) async fn user(shell: Shell, id: web::Path<String>) -> ApiResult {
    show(&shell, path_id(&id)?, &Form::default()).await
}

async fn show(shell: &Shell, id: Id, form: &Form) -> ApiResult {
    let found = shell.site.user.profile_get(id).await?;
    let user = found.ok_or_else(|| Problem::new(ErrorCode::NotFound, format!("There is no user {id}.")))?;
    let own = shell.person.filter(|person| person.id == id).map(|person| person.session);
    let query = AuditQuery { subject: Some(format!("user:{id}")), limit: Some(ENTRIES), ..AuditQuery::default() };
    let (sessions, log) = tokio::try_join!(shell.site.user.session_list(id, own), shell.site.user.audit_list(query))?;
    let chosen = if form.is_checked("role") { form.clone() } else { Form::of([("role", role_name(user.role))]) };
    let page = UserPage {
        shell,
        form,
        chosen,
        version: user.version(),
        role: shell.word("people-role", role_name(user.role)),
        roles: roles(shell),
        sessions: sessions.into_iter().map(|session| (device(shell, &session.user_agent), session)).collect(),
        entries: entries(shell, log.items).await?,
        user: &user,
    };
    shell.form(form, &page)
}

/// Changes what a user may do: the form names a role, or whether he is disabled.
pub(super) async fn change(shell: Shell, id: web::Path<String>, mut form: Form) -> ApiResult {
    let id: Id = path_id(&id)?;
    let bad = || Problem::new(ErrorCode::BadRequest, "The form is not whole: load its page again.");
    let expected = form.version()?;
    let disabled = form.optional("disabled").map(|word| word == "true");
    let role = form.optional("role").map(|name| role_of(&name).ok_or_else(bad)).transpose()?;
    let patch = UserPatch { role, disabled };
    if let Err(error) = shell.site.user.user_update(shell.call(), id, Some(expected), patch).await {
        form.refuse(error)?;
        return show(&shell, id, &form).await;
    }
    let flash = match disabled {
        Some(true) => "flash-people-disabled",
        Some(false) => "flash-people-enabled",
        None => "flash-people-role",
    };
    let is_own = shell.person.is_some_and(|person| person.id == id);
    // Who is no admin any more may not see the page that he was on.
    let path = match role {
        Some(Role::Staff) if is_own => "/admin".to_owned(),
        Some(Role::Customer) if is_own => "/".to_owned(),
        _ => format!("{PATH}/{id}"),
    };
    Ok(shell.go_saying(path, flash))
}

/// Ends one session of a user, or all of them: of one's own all others.
pub(super) async fn end_sessions(shell: Shell, id: web::Path<String>, form: Form) -> ApiResult {
    let id: Id = path_id(&id)?;
    let path = format!("{PATH}/{id}");
    if form.get("session") == "all" {
        let own = shell.person.filter(|person| person.id == id).map(|person| person.session);
        shell.site.user.session_end_all(shell.call(), id, own).await?;
        return Ok(shell.go_saying(path, "flash-people-sessions-ended"));
    }
    // One that has ended meanwhile is as it shall be.
    shell.site.user.session_end(shell.call(), id, path_id(form.get("session"))?).await?;
    Ok(shell.go_saying(path, "flash-people-session-ended"))
}
