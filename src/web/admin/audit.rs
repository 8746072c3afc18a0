//! The audit log: who did what to whom.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::Value;

use super::orders::people;
use super::users::user_of;
use crate::clock::{Id, Time};
use crate::http::ApiResult;
use crate::user::{AuditEntry, AuditQuery};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PATH: &str = "/admin/audit";
const PAGE: u32 = 50;

/// Somebody or something that an entry names.
pub(super) struct Named {
    /// The e-mail address of a user who is there; otherwise as the log has it.
    pub(super) name: String,
    pub(super) user: Option<Id>,
}

/// An entry as it is shown.
pub(super) struct Entry {
    pub(super) at: Time,
    pub(super) action: String,
    pub(super) actor: Named,
    pub(super) subject: Named,
    pub(super) address: String,
    pub(super) data: Vec<(String, String)>,
}

/// The entries, with the addresses of the users whom they name.
pub(super) async fn entries(shell: &Shell, log: Vec<AuditEntry>) -> ApiResult<Vec<Entry>> {
    let names = log.iter().flat_map(|entry| [entry.actor.as_str(), entry.subject.as_str()]);
    let people = people(shell, names).await?;
    let named = |name: &str| {
        let user = people.get(name);
        let shown = user.map_or(name, |user| &user.email);
        Named { name: shown.to_owned(), user: user_of(name).filter(|_| user.is_some()) }
    };
    let entry = |entry: AuditEntry| Entry {
        at: entry.created_at,
        action: shell.word("action", entry.action.replace('.', "-")),
        actor: named(&entry.actor),
        subject: named(&entry.subject),
        address: entry.address,
        data: data(entry.data),
    };
    Ok(log.into_iter().map(entry).collect())
}

/// The members of an entry's data, each with its value as a text.
fn data(data: Value) -> Vec<(String, String)> {
    let Value::Object(members) = data else { return vec![] };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    members.into_iter().map(|(name, value)| (name, text(value))).collect()
}

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    entries: Vec<Entry>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let mut form = Form::of_query(&request);
    let query = AuditQuery { subject: form.optional("subject"), cursor: form.optional("cursor"), limit: Some(PAGE) };
    let (mut log, mut next_cursor) = (vec![], None);
    match shell.site.user.audit_list(query).await {
        Ok(page) => (log, next_cursor) = (page.items, page.next_cursor),
        Err(error) => form.refuse(error)?,
    }
    let page = Page {
        shell: &shell,
        entries: entries(&shell, log).await?,
        first: form.optional("cursor").map(|_| address(PATH, &form, &["cursor"], None)),
        next: next_cursor.map(|cursor| address(PATH, &form, &["cursor"], Some(("cursor", &cursor)))),
        form: &form,
    };
    shell.form(&form, &page)
}
