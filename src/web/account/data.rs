//! What is kept about a person: in words, and as a file to take away.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, web};
use askama::Template;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::ReservationQuery;
use crate::page::LIMIT_MAX;
use crate::web::{Form, Shell, Site};

#[derive(Template)]
#[template(path = "account/data.html")]
struct Page<'a> {
    shell: &'a Shell,
}

pub(super) async fn page(shell: Shell) -> ApiResult {
    shell.form(&Form::default(), &Page { shell: &shell })
}

/// One JSON object: what the user module keeps, and the orders as its last member.
pub(super) async fn download(shell: Shell) -> ApiResult {
    let person = shell.person()?;
    let data = shell.site.user.personal_data(person.id).await?;
    let data = data.ok_or_else(|| Problem::busy("The account cannot be read now."))?;
    let mut beginning = json(&data)?;
    // In the place of its last brace.
    beginning.pop();
    beginning.push_str(",\"orders\":[");
    let beginning = stream::iter([Ok(web::Bytes::from(beginning))]);
    let file = HeaderValue::from_static("attachment; filename=\"my-data.json\"");
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((header::CONTENT_DISPOSITION, file))
        .streaming(beginning.chain(orders(shell.site.clone(), person.holder())).map_err(actix_web::Error::from)))
}

/// The orders, and the end of the document: a page at a time, so that however many there are, few are in memory.
fn orders(site: web::Data<Site>, holder: String) -> impl Stream<Item = ApiResult<web::Bytes>> {
    // Of each page its cursor, which the first one has not; at the end there is no page.
    stream::try_unfold(Some(None), move |page: Option<Option<String>>| {
        let (site, holder) = (site.clone(), holder.clone());
        async move {
            let Some(cursor) = page else { return Ok(None) };
            let mut between = if cursor.is_none() { "" } else { "," };
            let query = ReservationQuery {
                holder: Some(holder),
                cursor,
                limit: Some(LIMIT_MAX),
                ..ReservationQuery::default()
            };
            let found = site.inventory.reservation_list(query).await.inspect_err(|error| {
                tracing::error!(%error, "a download of a person's data was broken off");
            })?;
            let mut text = String::new();
            for order in &found.items {
                text.push_str(between);
                text.push_str(&json(order)?);
                between = ",";
            }
            if found.next_cursor.is_none() {
                text.push_str("]}");
            }
            Ok(Some((web::Bytes::from(text), found.next_cursor.map(Some))))
        }
    })
}

fn json(value: &impl Serialize) -> ApiResult<String> {
    let failed = |error: serde_json::Error| {
        tracing::error!(%error, "a person's data cannot be written");
        Problem::new(ErrorCode::Internal, "The data cannot be written.")
    };
    Ok(serde_json::to_string(value).map_err(failed)?)
}
