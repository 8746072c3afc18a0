//! Devices: where a person is logged in, and logging them out.

use actix_web::web::Path;
use askama::Template;

use super::device::device;
use crate::clock::Id;
use crate::http::cookie::SESSION;
use crate::http::{ApiResult, path_id};
use crate::user::Session;
use crate::web::{Form, Shell};

struct Line {
    device: String,
    session: Session,
}

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct Page<'a> {
    shell: &'a Shell,
    lines: Vec<Line>,
}

pub(super) async fn list(shell: Shell) -> ApiResult {
    let person = shell.person()?;
    let sessions = shell.site.user.session_list(person.id, Some(person.session)).await?;
    let lines = sessions.into_iter().map(|session| Line { device: device(&shell, &session.user_agent), session });
    let page = Page { shell: &shell, lines: lines.collect() };
    shell.form(&Form::default(), &page)
}

/// Ends one session. One that is gone already is what was asked for.
pub(super) async fn end(shell: Shell, id: Path<String>, _: Form) -> ApiResult {
    let (person, id) = (shell.person()?, path_id::<Id>(&id)?);
    shell.site.user.session_end(shell.call(), person.id, id).await?;
    if id != person.session {
        return Ok(shell.go_saying("/account/sessions", "flash-session-ended"));
    }
    let mut response = shell.go_saying("/", "flash-logged-out");
    let _ = response.add_cookie(&shell.site.cookies.clear(SESSION));
    Ok(response)
}

pub(super) async fn end_others(shell: Shell, _: Form) -> ApiResult {
    let person = shell.person()?;
    shell.site.user.session_end_all(shell.call(), person.id, Some(person.session)).await?;
    Ok(shell.go_saying("/account/sessions", "flash-sessions-ended"))
}
