//! Public routes of staff and admins: users and their sessions, API keys, the audit log.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::auth::Ended;
use super::{Person, locate};
use crate::call::{Role, Scope};
use crate::clock::Id;
use crate::http::gate::{Access, Rule};
use crate::http::{
    ApiError, ApiResult, Body, Change, Errors, MaybeKeyed, NoParams, Params, expected_version, page, path_id, versioned,
};
use crate::page::Page;
use crate::user::{
    ApiKey, ApiKeyQuery, AuditEntry, AuditQuery, CreatedApiKey, NewApiKey, Profile, Session, User, UserError,
    UserPatch, UserQuery,
};

const READ: Access = Access::Role(Role::Admin, Some(Scope::UsersRead));
const WRITE: Access = Access::Role(Role::Admin, Some(Scope::UsersWrite));
/// What would let a program give itself more rights takes a person.
const PERSON: Access = Access::Role(Role::Admin, None);
const LOOK_UP: Access = Access::Role(Role::Staff, Some(Scope::UsersRead));

pub(super) const RULES: &[Rule] = &[
    ("GET", "/api/v1/users", LOOK_UP),
    ("GET", "/api/v1/users/{user}", LOOK_UP),
    ("PATCH", "/api/v1/users/{user}", WRITE),
    ("GET", "/api/v1/users/{user}/sessions", READ),
    ("DELETE", "/api/v1/users/{user}/sessions", WRITE),
    ("DELETE", "/api/v1/users/{user}/sessions/{session}", WRITE),
    ("GET", "/api/v1/api-keys", READ),
    ("POST", "/api/v1/api-keys", PERSON),
    ("DELETE", "/api/v1/api-keys/{key}", PERSON),
    ("GET", "/api/v1/audit-log", READ),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(user_list)
        .service(user_get)
        .service(user_update)
        .service(user_session_list)
        .service(user_session_end_all)
        .service(user_session_end)
        .service(api_key_list)
        .service(api_key_create)
        .service(api_key_revoke)
        .service(audit_list);
}

/// List users
///
/// Newest first. For staff.
#[utoipa::path(
    tag = "admin",
    params(UserQuery),
    responses(
        (status = 200, body = Page<Profile>, headers(("Link" = Option<String>, description = "The next page"))),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/users")]
async fn user_list(user: web::Data<dyn User>, request: HttpRequest, query: Params<UserQuery>) -> ApiResult {
    let users = user.user_list(query.0).await?;
    Ok(page(&request, &users, users.next_cursor.as_deref()))
}

/// Read a user
///
/// For staff.
#[utoipa::path(
    tag = "admin",
    params(
        ("user" = Id, Path, description = "The user's id"),
        ("If-None-Match" = Option<String>, Header, description = "An ETag that you have"),
    ),
    responses(
        (status = 200, body = Profile, headers(("ETag" = String))),
        (status = 304, description = "You have this version"),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/users/{user}")]
async fn user_get(
    user: web::Data<dyn User>,
    request: HttpRequest,
    path: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let profile = existing(&**user, path_id(&path)?).await?;
    Ok(versioned(&request, StatusCode::OK, &profile))
}

/// Change a user
///
/// The role, or whether the user is disabled, which ends all sessions. Roles, and the accounts of admins, are changed by a person
/// only, not with an API key.
#[utoipa::path(
    tag = "admin",
    params(
        ("user" = Id, Path, description = "The user's id"),
        ("If-Match" = String, Header, description = "The ETag of what you change, or *"),
    ),
    request_body = UserPatch,
    responses((status = 200, body = Profile, headers(("ETag" = String))), Errors),
    security(("token" = [])),
)]
#[patch("/users/{user}")]
async fn user_update(
    user: web::Data<dyn User>,
    request: HttpRequest,
    change: Change,
    path: web::Path<String>,
    _: Params<NoParams>,
    body: Body<UserPatch>,
) -> ApiResult {
    let id = path_id(&path)?;
    let expected = expected_version(&request)?;
    let profile = user.user_update(&change.0, id, expected, body.0).await?;
    Ok(versioned(&request, StatusCode::OK, &profile))
}

/// List a user's sessions
///
/// The devices on which the user is logged in, newest first; all on one page.
#[utoipa::path(
    tag = "admin",
    params(("user" = Id, Path, description = "The user's id")),
    responses((status = 200, body = Page<Session>), Errors),
    security(("token" = [])),
)]
#[get("/users/{user}/sessions")]
async fn user_session_list(user: web::Data<dyn User>, path: web::Path<String>, _: Params<NoParams>) -> ApiResult {
    let profile = existing(&**user, path_id(&path)?).await?;
    let items = user.session_list(profile.id, None).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}

/// End a user's sessions
#[utoipa::path(
    tag = "admin",
    params(("user" = Id, Path, description = "The user's id")),
    responses((status = 200, body = Ended), Errors),
    security(("token" = [])),
)]
#[delete("/users/{user}/sessions")]
async fn user_session_end_all(
    user: web::Data<dyn User>,
    change: Change,
    path: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let profile = existing(&**user, path_id(&path)?).await?;
    let ended = user.session_end_all(&change.0, profile.id, None).await?;
    Ok(HttpResponse::Ok().json(Ended { ended }))
}

/// End a user's session
#[utoipa::path(
    tag = "admin",
    params(
        ("user" = Id, Path, description = "The user's id"),
        ("session" = Id, Path, description = "The session's id"),
    ),
    responses((status = 204, description = "The session is ended"), Errors),
    security(("token" = [])),
)]
#[delete("/users/{user}/sessions/{session}")]
async fn user_session_end(
    user: web::Data<dyn User>,
    change: Change,
    path: web::Path<(String, String)>,
    _: Params<NoParams>,
) -> ApiResult {
    let (owner, session): (Id, Id) = (path_id(&path.0)?, path_id(&path.1)?);
    if !user.session_end(&change.0, owner, session).await? {
        return Err(not_found("session", session));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// List API keys
///
/// Newest first, those that are revoked or too old too.
#[utoipa::path(
    tag = "admin",
    params(ApiKeyQuery),
    responses(
        (status = 200, body = Page<ApiKey>, headers(("Link" = Option<String>, description = "The next page"))),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/api-keys")]
async fn api_key_list(user: web::Data<dyn User>, request: HttpRequest, query: Params<ApiKeyQuery>) -> ApiResult {
    let keys = user.api_key_list(query.0).await?;
    Ok(page(&request, &keys, keys.next_cursor.as_deref()))
}

/// Make an API key
///
/// Its token is told in this answer and never again: a repeated call with the same `Idempotency-Key` makes no second key and is told
/// `already_exists`. Such a key is kept for good.
#[utoipa::path(
    tag = "admin",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeated with the same one, the call makes nothing new")),
    request_body = NewApiKey,
    responses(
        (status = 201, body = CreatedApiKey, headers(("Location" = String, description = "The key's path"))),
        Errors,
    ),
    security(("token" = [])),
)]
#[post("/api-keys")]
async fn api_key_create(
    user: web::Data<dyn User>,
    person: Person,
    keyed: MaybeKeyed<NewApiKey>,
    _: Params<NoParams>,
) -> ApiResult {
    let created = user.api_key_create(&keyed.call, person.id, keyed.body).await?;
    let mut response = HttpResponse::Created().json(&created);
    locate(&mut response, &format!("/api/v1/api-keys/{}", created.key.id));
    Ok(response)
}

/// Revoke an API key
///
/// Its next request is refused. It stays in the list.
#[utoipa::path(
    tag = "admin",
    params(("key" = Id, Path, description = "The key's id")),
    responses((status = 204, description = "The key is revoked"), Errors),
    security(("token" = [])),
)]
#[delete("/api-keys/{key}")]
async fn api_key_revoke(
    user: web::Data<dyn User>,
    change: Change,
    path: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let id: Id = path_id(&path)?;
    if !user.api_key_revoke(&change.0, id).await? {
        return Err(not_found("API key", id));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Read the audit log
///
/// Who did what to whom, newest first.
#[utoipa::path(
    tag = "admin",
    params(AuditQuery),
    responses(
        (status = 200, body = Page<AuditEntry>, headers(("Link" = Option<String>, description = "The next page"))),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/audit-log")]
async fn audit_list(user: web::Data<dyn User>, request: HttpRequest, query: Params<AuditQuery>) -> ApiResult {
    let entries = user.audit_list(query.0).await?;
    Ok(page(&request, &entries, entries.next_cursor.as_deref()))
}

/// The user of this id; 404 where there is none.
async fn existing(user: &dyn User, id: Id) -> ApiResult<Profile> {
    user.profile_get(id).await?.ok_or_else(|| not_found("user", id))
}

fn not_found(what: &'static str, id: Id) -> ApiError {
    UserError::NotFound { what, name: id.to_string() }.into()
}
