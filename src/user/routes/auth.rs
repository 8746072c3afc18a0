//! Public routes of auth.

use actix_web::{HttpResponse, delete, get, post, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Person;
use crate::call::Role;
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Body, Change, Errors, NoParams, Params, path_id};
use crate::page::Page;
use crate::user::{
    EmailChange, Login, NewSession, Origin, PasswordChange, PasswordForgotten, PasswordReset, Registration, Session,
    TokenUse, User,
};

const PERSON: Access = Access::Role(Role::Customer, None);

pub(super) const RULES: &[Rule] = &[
    ("POST", "/api/v1/auth/register", Access::Public),
    ("POST", "/api/v1/auth/login", Access::Public),
    ("POST", "/api/v1/auth/logout", PERSON),
    ("POST", "/api/v1/auth/email/verify", Access::Public),
    ("POST", "/api/v1/auth/password/forgot", Access::Public),
    ("POST", "/api/v1/auth/password/reset", Access::Public),
    ("GET", "/api/v1/me/sessions", PERSON),
    ("DELETE", "/api/v1/me/sessions", PERSON),
    ("DELETE", "/api/v1/me/sessions/{session}", PERSON),
    ("POST", "/api/v1/me/password", PERSON),
    ("POST", "/api/v1/me/email", PERSON),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(register)
        .service(login)
        .service(logout)
        .service(email_verify)
        .service(password_forgotten)
        .service(password_reset)
        .service(session_list)
        .service(session_end_others)
        .service(session_end)
        .service(password_change)
        .service(email_change);
}

type Users = web::Data<dyn User>;
type NoQuery = Params<NoParams>;

/// Register
///
/// The address gets a mail with a link to confirm it or, where an account has confirmed it already, a hint. The answer is the same.
#[utoipa::path(tag = "auth", request_body = Registration,
    responses((status = 202, description = "A mail is on its way"), Errors))]
#[post("/auth/register")]
async fn register(user: Users, origin: Origin, _: NoQuery, body: Body<Registration>) -> ApiResult {
    user.register(&origin, body.0).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Log in
///
/// An unknown address and a wrong password get the same answer. After some failures there is a growing delay (429).
#[utoipa::path(tag = "auth", request_body = Login, responses((status = 200, body = NewSession), Errors))]
#[post("/auth/login")]
async fn login(user: Users, origin: Origin, _: NoQuery, body: Body<Login>) -> ApiResult<web::Json<NewSession>> {
    Ok(web::Json(user.login(&origin, body.0).await?))
}

/// Log out
///
/// Ends the session whose token is sent, on this device only.
#[utoipa::path(tag = "auth", responses((status = 204), Errors), security(("token" = [])))]
#[post("/auth/logout")]
async fn logout(user: Users, change: Change, person: Person, _: NoQuery) -> ApiResult {
    user.logout(&change.0, person.id, person.session).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Confirm an address
///
/// With the token from the mail after a registration or a change of address. It works once.
#[utoipa::path(tag = "auth", request_body = TokenUse, responses((status = 204), Errors))]
#[post("/auth/email/verify")]
async fn email_verify(user: Users, origin: Origin, _: NoQuery, body: Body<TokenUse>) -> ApiResult {
    user.email_verify(&origin, body.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ask for a new password
///
/// Where there is an account, its address gets a mail with a link. The answer is the same where there is none.
#[utoipa::path(tag = "auth", request_body = PasswordForgotten,
    responses((status = 202, description = "If there is an account, a mail is on its way"), Errors))]
#[post("/auth/password/forgot")]
async fn password_forgotten(user: Users, origin: Origin, _: NoQuery, body: Body<PasswordForgotten>) -> ApiResult {
    user.password_forgotten(&origin, body.0).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Set a new password
///
/// With the token from the mail, which works once. Ends all sessions and logs nobody in.
#[utoipa::path(tag = "auth", request_body = PasswordReset, responses((status = 204), Errors))]
#[post("/auth/password/reset")]
async fn password_reset(user: Users, origin: Origin, _: NoQuery, body: Body<PasswordReset>) -> ApiResult {
    user.password_reset(&origin, body.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List my sessions
///
/// The devices on which I am logged in, newest first; all on one page.
#[utoipa::path(tag = "auth", responses((status = 200, body = Page<Session>), Errors), security(("token" = [])))]
#[get("/me/sessions")]
async fn session_list(user: Users, person: Person, _: NoQuery) -> ApiResult<web::Json<Page<Session>>> {
    let items = user.session_list(person.id, Some(person.session)).await?;
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// How many sessions were ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Ended {
    pub(super) ended: u64,
}

/// End my other sessions
///
/// All but the one that asks.
#[utoipa::path(tag = "auth", responses((status = 200, body = Ended), Errors), security(("token" = [])))]
#[delete("/me/sessions")]
async fn session_end_others(user: Users, change: Change, person: Person, _: NoQuery) -> ApiResult<web::Json<Ended>> {
    let ended = user.session_end_all(&change.0, person.id, Some(person.session)).await?;
    Ok(web::Json(Ended { ended }))
}

/// End one of my sessions
#[utoipa::path(tag = "auth", params(("session" = Id, Path, description = "A session's id")),
    responses((status = 204), Errors),
    security(("token" = [])))]
#[delete("/me/sessions/{session}")]
async fn session_end(user: Users, change: Change, person: Person, session: web::Path<String>, _: NoQuery) -> ApiResult {
    match user.session_end(&change.0, person.id, path_id(&session)?).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Problem::new(ErrorCode::NotFound, "You have no session with this id.").into()),
    }
}

/// Change my password
///
/// Ends all other sessions. A wrong current password counts as a failed log-in.
#[utoipa::path(tag = "auth", request_body = PasswordChange,
    responses((status = 204), Errors), security(("token" = [])))]
#[post("/me/password")]
async fn password_change(
    user: Users,
    person: Person,
    origin: Origin,
    _: NoQuery,
    body: Body<PasswordChange>,
) -> ApiResult {
    user.password_change(&origin, person.id, person.session, body.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Change my address
///
/// The new address gets a mail with a link, and counts once that is used; the old one gets a notice.
#[utoipa::path(tag = "auth", request_body = EmailChange,
    responses((status = 202, description = "A mail is on its way"), Errors), security(("token" = [])))]
#[post("/me/email")]
async fn email_change(user: Users, person: Person, origin: Origin, _: NoQuery, body: Body<EmailChange>) -> ApiResult {
    user.email_change(&origin, person.id, body.0).await?;
    Ok(HttpResponse::Accepted().finish())
}
