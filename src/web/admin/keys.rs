//! API keys: what programs may do here.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::goods::key;
use super::names::Names;
use crate::call::Scope;
use crate::clock::{Id, Time};
use crate::error::{ErrorCode, Problem};
use crate::http::{ApiResult, path_id};
use crate::user::{ApiKey, ApiKeyQuery, NewApiKey, UserError};
use crate::web::{Form, Shell};

const PATH: &str = "/admin/keys";
const PAGE: u32 = 50;

const SCOPES: [Scope; 9] = [
    Scope::CatalogueRead,
    Scope::CatalogueWrite,
    Scope::StockRead,
    Scope::StockWrite,
    Scope::ReservationsRead,
    Scope::ReservationsWrite,
    Scope::EventsRead,
    Scope::UsersRead,
    Scope::UsersWrite,
];

/// A scope's name, as `stock:read`.
fn scope_name(scope: Scope) -> String {
    serde_json::to_value(scope).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn scope_word(shell: &Shell, scope: Scope) -> String {
    shell.word("scope", scope_name(scope).replace(':', "-"))
}

/// A key as it is shown.
struct Row {
    key: ApiKey,
    scopes: String,
    /// The address of the admin who made it, while he is there.
    maker: String,
    state: &'static str,
    is_open: bool,
}

#[derive(Template)]
#[template(path = "admin/keys.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// The field of each scope, and what it means.
    scopes: Vec<(String, String)>,
    rows: Vec<Row>,
    /// Against making one twice.
    key: String,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    show(&shell, &Form::default(), Form::of_query(&request).optional("cursor")).await
}

async fn show(shell: &Shell, form: &Form, cursor: Option<String>) -> ApiResult {
    let first = cursor.as_ref().map(|_| PATH.to_owned());
    let query = ApiKeyQuery { cursor, limit: Some(PAGE) };
    let page = shell.site.user.api_key_list(query).await?;
    let makers: Vec<String> = page.items.iter().map(|key| format!("user:{}", key.created_by)).collect();
    let names = Names::of(shell, makers.iter().map(String::as_str)).await?;
    let now = shell.site.clock.now();
    let row = |(key, maker): (ApiKey, &String)| {
        let state = state(&key, now);
        let scopes: Vec<String> = key.scopes.iter().map(|scope| scope_word(shell, *scope)).collect();
        let maker = names.named(shell, maker).name;
        Row { scopes: scopes.join(", "), maker, state, is_open: state == "active", key }
    };
    let rows = page.items.into_iter().zip(&makers).map(row).collect();
    let scopes = SCOPES.map(|scope| (format!("scopes.{}", scope_name(scope)), scope_word(shell, scope)));
    let next = page.next_cursor.map(|cursor| format!("{PATH}?cursor={cursor}"));
    shell.form(form, &Page { shell, form, scopes: scopes.to_vec(), rows, key: key(shell, form), first, next })
}

fn state(key: &ApiKey, now: Time) -> &'static str {
    match key {
        ApiKey { revoked_at: Some(_), .. } => "revoked",
        ApiKey { expires_at: Some(end), .. } if *end <= now => "expired",
        _ => "active",
    }
}

#[derive(Template)]
#[template(path = "admin/key.html")]
struct MadePage<'a> {
    shell: &'a Shell,
    key: &'a ApiKey,
    token: &'a str,
    scopes: String,
}

/// Makes a key. Its token stands on the answer, which no cache keeps, and nowhere else ever: sent again, the form makes nothing.
pub(super) async fn create(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    let scopes = SCOPES.iter().filter(|scope| form.is_checked(&format!("scopes.{}", scope_name(**scope))));
    let scopes: Vec<Scope> = scopes.copied().collect();
    let expires_at = form.optional("expires_at").and_then(|day| shell.site.format.end_of_day(&day));
    if expires_at.is_none() && form.optional("expires_at").is_some() {
        form.fault("expires_at", shell.t("apikey-no-day"));
        return show(&shell, &form, None).await;
    }
    let new = NewApiKey { name: form.text("name"), scopes, expires_at };
    let call = form.once(&shell)?;
    let made = match shell.site.user.api_key_create(&call, person.id, new).await {
        Ok(made) => made,
        Err(UserError::AlreadyMade) => return Ok(shell.go_saying(PATH, "flash-apikey-made-before")),
        Err(error) => {
            form.refuse(error)?;
            return show(&shell, &form, None).await;
        }
    };
    let scopes: Vec<String> = made.key.scopes.iter().map(|scope| scope_word(&shell, *scope)).collect();
    let page = MadePage { shell: &shell, key: &made.key, token: &made.token, scopes: scopes.join(", ") };
    shell.form(&Form::default(), &page)
}

pub(super) async fn revoke(shell: Shell, id: web::Path<String>, _: Form) -> ApiResult {
    let id: Id = path_id(&id)?;
    match shell.site.user.api_key_revoke(shell.call(), id).await? {
        true => Ok(shell.go_saying(PATH, "flash-apikey-revoked")),
        false => Err(Problem::new(ErrorCode::NotFound, format!("There is no key {id}.")).into()),
    }
}
