//! The audit log: who did what to whom.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::Value;

use super::names::{Named, Names, user_with};
use crate::clock::Time;
use crate::http::ApiResult;
use crate::user::{AuditEntry, AuditQuery};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PATH: &str = "/admin/audit";
const PAGE: u32 = 50;

/// An entry as it is shown.
pub(super) struct Entry {
    pub(super) at: Time,
    pub(super) action: String,
    pub(super) actor: Named,
    pub(super) subject: Named,
    pub(super) address: String,
    pub(super) data: Vec<(String, String)>,
}

/// The entries, with the names of those whom they name.
pub(super) async fn entries(shell: &Shell, log: Vec<AuditEntry>) -> ApiResult<Vec<Entry>> {
    let names = log.iter().flat_map(|entry| [entry.actor.as_str(), entry.subject.as_str()]);
    let names = Names::of(shell, names).await?;
    let entry = |entry: AuditEntry| Entry {
        at: entry.created_at,
        action: shell.word("action", entry.action.replace('.', "-")),
        actor: names.named(shell, &entry.actor),
        subject: names.named(shell, &entry.subject),
        address: entry.address,
        data: details(shell, entry.data),
    };
    Ok(log.into_iter().map(entry).collect())
}

/// What an entry's data says, each with its value as a text. Of what did not change it says nothing.
fn details(shell: &Shell, data: Value) -> Vec<(String, String)> {
    let Value::Object(members) = data else { return vec![] };
    let text = |name: &str, value: Value| match (name, value) {
        ("role" | "from" | "to", Value::String(role)) => shell.word("people-role", role),
        ("scopes", Value::Array(scopes)) => {
            let scope = |scope: &Value| shell.word("scope", scope.as_str().unwrap_or_default().replace(':', "-"));
            scopes.iter().map(scope).collect::<Vec<_>>().join(", ")
        }
        (_, Value::String(text)) => text,
        (_, Value::Bool(_)) => String::new(),
        (_, other) => other.to_string(),
    };
    let members = members.into_iter().filter(|(_, value)| *value != Value::Bool(false));
    members.map(|(name, value)| (shell.word("detail", &name), text(&name, value))).collect()
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
    let mut subject = form.optional("subject");
    if let Some(email) = subject.take_if(|subject| subject.contains('@')) {
        subject = user_with(&shell, &email).await?;
        if subject.is_none() {
            form.fault("subject", shell.t("audit-nobody"));
        }
    }
    let (mut log, mut next_cursor) = (vec![], None);
    if form.is_good() {
        let query = AuditQuery { subject, cursor: form.optional("cursor"), limit: Some(PAGE) };
        match shell.site.user.audit_list(query).await {
            Ok(page) => (log, next_cursor) = (page.items, page.next_cursor),
            Err(error) => form.refuse(error)?,
        }
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
