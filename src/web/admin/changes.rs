//! The log of changes: who changed what in the catalogue, and who did what with orders.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::Value;

use super::names::{Named, Names};
use crate::clock::{Id, Time};
use crate::http::{ApiResult, path_id};
use crate::inventory::{Change, ChangeQuery, FieldChange, Money};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PATH: &str = "/admin/changes";
const PAGE: u32 = 50;
/// So many are shown on the page of the thing itself.
const SHOWN_MAX: u32 = 10;

/// A change as it is shown.
pub(super) struct Entry {
    pub(super) at: Time,
    pub(super) action: String,
    /// What the thing was called then, an order by its number; and its page, but for an entry that tells of its end.
    pub(super) subject: String,
    pub(super) path: Option<String>,
    pub(super) actor: Named,
    pub(super) fields: Vec<Field>,
}

/// A value that was changed.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) sku: Option<String>,
    /// What it was and what it is; `None` where that is not kept, or says nothing to a reader.
    pub(super) values: Option<(String, String)>,
}

/// The last changes of a product or an order.
pub(super) async fn history(shell: &Shell, subject: Id) -> ApiResult<Vec<Entry>> {
    let query = ChangeQuery { subject: Some(subject), cursor: None, limit: Some(SHOWN_MAX) };
    entries(shell, shell.site.inventory.change_list(query).await?.items).await
}

/// The changes, with the names of those who made them.
async fn entries(shell: &Shell, changes: Vec<Change>) -> ApiResult<Vec<Entry>> {
    let names = Names::of(shell, changes.iter().map(|change| change.actor.as_str())).await?;
    let entry = |change: Change| Entry {
        at: change.created_at,
        action: shell.word("action", change.action.replace('.', "-")),
        path: path_of(&change),
        actor: names.named(shell, &change.actor),
        fields: change.fields.into_iter().map(|field| told(shell, field)).collect(),
        // All orders of the shop's own checkout have one reference.
        subject: if change.action.starts_with("reservation.") { change.subject_id.to_string() } else { change.subject },
    };
    Ok(changes.into_iter().map(entry).collect())
}

fn path_of(change: &Change) -> Option<String> {
    let Change { subject_id, subject, .. } = change;
    match change.action.split_once('.')? {
        (_, "deleted") => None,
        ("product", _) => Some(format!("/admin/products/{subject_id}")),
        ("category", _) => Some(format!("/admin/categories/{subject_id}")),
        ("location", _) => Some(format!("/admin/locations/{subject}")),
        _ => Some(format!("/admin/orders/{subject_id}")),
    }
}

fn told(shell: &Shell, change: FieldChange) -> Field {
    let FieldChange { field, sku, from, to } = change;
    let values = match (&from, &to) {
        (Value::Null, Value::Null) => None,
        _ => text(shell, &field, &from).zip(text(shell, &field, &to)),
    };
    Field { name: shell.word("change", &field), sku, values }
}

/// A value as staff read it; `None` where they would read an id or a structure.
fn text(shell: &Shell, field: &str, value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(shell.t("goods-empty")),
        Value::String(_) if field.ends_with("_id") => None,
        Value::String(status) if field == "status" => Some(shell.word("product", status)),
        Value::String(text) if text.is_empty() => Some(shell.t("goods-empty")),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            Some(number.as_i64().map_or_else(|| number.to_string(), |number| shell.number(number)))
        }
        Value::Bool(yes) => Some(shell.t(if *yes { "goods-yes" } else { "goods-no" })),
        Value::Array(items) if items.is_empty() => Some(shell.t("goods-empty")),
        Value::Array(items) => {
            items.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|items| items.join(", "))
        }
        Value::Object(_) => serde_json::from_value::<Money>(value.clone()).ok().map(|price| shell.money(&price)),
    }
}

#[derive(Template)]
#[template(path = "admin/changes.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// What the log is asked for, as it is called now.
    subject: Option<String>,
    entries: Vec<Entry>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let mut form = Form::of_query(&request);
    let subject: Option<Id> = form.optional("subject").map(|id| path_id(&id)).transpose()?;
    let query = ChangeQuery { subject, cursor: form.optional("cursor"), limit: Some(PAGE) };
    let (mut changes, mut next_cursor) = (vec![], None);
    match shell.site.inventory.change_list(query).await {
        Ok(page) => (changes, next_cursor) = (page.items, page.next_cursor),
        Err(error) => form.refuse(error)?,
    }
    let entries = entries(&shell, changes).await?;
    let page = Page {
        shell: &shell,
        subject: subject.and_then(|_| entries.first().map(|entry| entry.subject.clone())),
        entries,
        first: form.optional("cursor").map(|_| address(PATH, &form, &["cursor"], None)),
        next: next_cursor.map(|cursor| address(PATH, &form, &["cursor"], Some(("cursor", &cursor)))),
        form: &form,
    };
    shell.form(&form, &page)
}
