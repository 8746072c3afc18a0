//! Errors as pages: what happened, what to do, and the id under which it stands in the log.

use actix_web::web;
use askama::Template;

use super::shell::Person;
use super::{Shell, Site};
use crate::http::ProblemBody;
use crate::http::browser::{Asked, Shown};

#[derive(Template)]
#[template(path = "failure.html")]
struct Failure<'a> {
    shell: &'a Shell,
    status: u16,
    title: String,
    advice: String,
    detail: String,
    request_id: &'a str,
}

/// Shows an error to a person; who is not logged in where it takes that is sent to do so.
pub(super) fn show(site: &web::Data<Site>, asked: &Asked, problem: &ProblemBody) -> Shown {
    if problem.code == "unauthenticated" {
        let next: String = match asked.is_read {
            true => url::form_urlencoded::byte_serialize(asked.address.as_bytes()).collect(),
            false => "%2F".to_owned(),
        };
        return Shown::Elsewhere(format!("/login?next={next}"));
    }
    // A form's own address, which a reload or a bookmark asks for as if it were a page: the form is on the page above.
    if problem.code == "method_not_allowed" && asked.is_read {
        return Shown::Elsewhere(above(&asked.address));
    }
    let mut shell = Shell::bare(site.clone(), asked.address.clone());
    shell.menu = site.kept_menu();
    shell.person = asked.caller.as_ref().and_then(Person::of);
    let find = |key: String| shell.find1(&key, "n", 0_i64);
    // Of a page that was only asked for, some texts say nothing of forms.
    let of_reading = |what: &str| find(format!("failure-{what}-{}-read", problem.status)).filter(|_| asked.is_read);
    let of_code = |what: &str| find(format!("failure-{what}-{}", problem.code));
    let of_status = |what: &str| find(format!("failure-{what}-{}", problem.status));
    let said = |what: &str| of_code(what).or_else(|| of_reading(what)).or_else(|| of_status(what));
    let of_kind = || match problem.status {
        500.. => (shell.t("failure-title-500"), shell.t("failure-advice-500")),
        _ => (shell.t("failure-title-400"), shell.t("failure-advice-400")),
    };
    let (title, advice) = said("title").zip(said("advice")).unwrap_or_else(of_kind);
    // The problem's own words are for programs and for the log.
    let detail = match problem.status {
        409 | 413 | 422 => site.texts.problem(&problem.code, &problem.extra, 0).unwrap_or_default(),
        _ => String::new(),
    };
    let page =
        Failure { shell: &shell, status: problem.status, title, advice, detail, request_id: &problem.request_id };
    Shown::Page(page.render().unwrap_or_else(|_| format!("{}: {}", problem.title, problem.request_id)))
}

/// `/orders/1` of `/orders/1/cancel?a=b`.
fn above(address: &str) -> String {
    let path = address.split('?').next().unwrap_or_default();
    match path.rsplit_once('/') {
        Some((above, _)) if !above.is_empty() => above.to_owned(),
        _ => "/".to_owned(),
    }
}
