//! Public routes of what a person keeps here: profile, addresses, the data as a whole, the account's end.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put, web};
use async_trait::async_trait;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Person, locate};
use crate::call::Role;
use crate::clock::Id;
use crate::error::{Fault, Problem};
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Body, Change, Errors, NoParams, Params, expected_version, path_id, versioned};
use crate::page::Page;
use crate::user::{AccountDeletion, Address, NewAddress, Origin, PersonalData, Profile, ProfilePatch, User, UserError};

/// What these routes must know of orders, which this module does not keep: who puts the shop together has them asked for.
#[async_trait]
pub trait Orders: Send + Sync {
    /// Do orders of this person wait to be shipped? Without the account nobody would know where to send them.
    async fn is_waiting(&self, user: Id) -> Result<bool, Problem>;
}

/// A person's own things take a person: no API key opens them.
pub(super) const OWN: Access = Access::Role(Role::Customer, None);

pub(super) const RULES: &[Rule] = &[
    ("GET", "/api/v1/me", OWN),
    ("PATCH", "/api/v1/me", OWN),
    ("DELETE", "/api/v1/me", OWN),
    ("GET", "/api/v1/me/data", OWN),
    ("GET", "/api/v1/me/addresses", OWN),
    ("POST", "/api/v1/me/addresses", OWN),
    ("GET", "/api/v1/me/addresses/{address}", OWN),
    ("PUT", "/api/v1/me/addresses/{address}", OWN),
    ("DELETE", "/api/v1/me/addresses/{address}", OWN),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(profile_get)
        .service(profile_update)
        .service(account_delete)
        .service(personal_data)
        .service(address_list)
        .service(address_create)
        .service(address_get)
        .service(address_update)
        .service(address_delete);
}

/// Read my profile
#[utoipa::path(
    tag = "account",
    params(("If-None-Match" = Option<String>, Header, description = "An ETag that you have")),
    responses(
        (status = 200, body = Profile, headers(("ETag" = String))),
        (status = 304, description = "You have this version"),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/me")]
async fn profile_get(
    user: web::Data<dyn User>,
    request: HttpRequest,
    person: Person,
    _: Params<NoParams>,
) -> ApiResult {
    let profile = user.profile_get(person.id).await?.ok_or_else(|| not_found("user", person.id))?;
    Ok(versioned(&request, StatusCode::OK, &profile))
}

/// Change my profile
#[utoipa::path(
    tag = "account",
    params(("If-Match" = String, Header, description = "The ETag of what you change, or *")),
    request_body = ProfilePatch,
    responses((status = 200, body = Profile, headers(("ETag" = String))), Errors),
    security(("token" = [])),
)]
#[patch("/me")]
async fn profile_update(
    user: web::Data<dyn User>,
    request: HttpRequest,
    change: Change,
    person: Person,
    _: Params<NoParams>,
    body: Body<ProfilePatch>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    let profile = user.profile_update(&change.0, person.id, expected, body.0).await?;
    Ok(versioned(&request, StatusCode::OK, &profile))
}

/// Delete my account
///
/// For good: profile, addresses, cart, password and sessions go. What was ordered and where it went stays with the shop, which must be
/// able to prove it. While orders wait to be shipped it is refused: 409 with the reason `orders_waiting`.
#[utoipa::path(
    tag = "account",
    request_body = AccountDeletion,
    responses((status = 204, description = "The account is gone"), Errors),
    security(("token" = [])),
)]
#[delete("/me")]
async fn account_delete(
    user: web::Data<dyn User>,
    orders: web::Data<dyn Orders>,
    person: Person,
    origin: Origin,
    _: Params<NoParams>,
    body: Body<AccountDeletion>,
) -> ApiResult {
    if orders.is_waiting(person.id).await? {
        return Err(Problem::conflict(&Fault::OrdersWaiting).into());
    }
    user.account_delete(&origin, person.id, body.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Take my data
///
/// What is kept about me as a user, as a file: profile, addresses, cart, where my orders went, sessions, and what was done to the
/// account. My reservations are at `GET /api/v1/reservations`.
#[utoipa::path(
    tag = "account",
    responses(
        (status = 200, body = PersonalData, headers(("Content-Disposition" = String, description = "A file's name"))),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/me/data")]
async fn personal_data(user: web::Data<dyn User>, person: Person, _: Params<NoParams>) -> ApiResult {
    let data = user.personal_data(person.id).await?.ok_or_else(|| not_found("user", person.id))?;
    let file = (header::CONTENT_DISPOSITION, "attachment; filename=\"personal-data.json\"");
    Ok(HttpResponse::Ok().insert_header(file).json(data))
}

/// List my addresses
///
/// The default first, then newest first; all on one page.
#[utoipa::path(
    tag = "account",
    responses((status = 200, body = Page<Address>), Errors),
    security(("token" = [])),
)]
#[get("/me/addresses")]
async fn address_list(user: web::Data<dyn User>, person: Person, _: Params<NoParams>) -> ApiResult {
    let items = user.address_list(person.id).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}

/// Add an address
///
/// At most 50 are kept; the first one becomes the default.
#[utoipa::path(
    tag = "account",
    request_body = NewAddress,
    responses(
        (status = 201, body = Address, headers(
            ("Location" = String, description = "The address's path"),
            ("ETag" = String),
        )),
        Errors,
    ),
    security(("token" = [])),
)]
#[post("/me/addresses")]
async fn address_create(
    user: web::Data<dyn User>,
    request: HttpRequest,
    change: Change,
    person: Person,
    _: Params<NoParams>,
    body: Body<NewAddress>,
) -> ApiResult {
    let address = user.address_create(&change.0, person.id, body.0).await?;
    let mut response = versioned(&request, StatusCode::CREATED, &address);
    locate(&mut response, &format!("/api/v1/me/addresses/{}", address.id));
    Ok(response)
}

/// Read an address
#[utoipa::path(
    tag = "account",
    params(
        ("address" = Id, Path, description = "The address's id"),
        ("If-None-Match" = Option<String>, Header, description = "An ETag that you have"),
    ),
    responses(
        (status = 200, body = Address, headers(("ETag" = String))),
        (status = 304, description = "You have this version"),
        Errors,
    ),
    security(("token" = [])),
)]
#[get("/me/addresses/{address}")]
async fn address_get(
    user: web::Data<dyn User>,
    request: HttpRequest,
    person: Person,
    path: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let id: Id = path_id(&path)?;
    let address = user.address_get(person.id, id).await?.ok_or_else(|| not_found("address", id))?;
    Ok(versioned(&request, StatusCode::OK, &address))
}

/// Change an address
///
/// The whole of it: what is left out becomes empty.
#[utoipa::path(
    tag = "account",
    params(
        ("address" = Id, Path, description = "The address's id"),
        ("If-Match" = String, Header, description = "The ETag of what you change, or *"),
    ),
    request_body = NewAddress,
    responses((status = 200, body = Address, headers(("ETag" = String))), Errors),
    security(("token" = [])),
)]
#[put("/me/addresses/{address}")]
async fn address_update(
    user: web::Data<dyn User>,
    request: HttpRequest,
    change: Change,
    person: Person,
    path: web::Path<String>,
    _: Params<NoParams>,
    body: Body<NewAddress>,
) -> ApiResult {
    let id: Id = path_id(&path)?;
    let expected = expected_version(&request)?;
    let address = user.address_update(&change.0, person.id, id, expected, body.0).await?;
    Ok(versioned(&request, StatusCode::OK, &address))
}

/// Remove an address
///
/// When the default goes, the newest one left becomes the default.
#[utoipa::path(
    tag = "account",
    params(
        ("address" = Id, Path, description = "The address's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of what you remove, if it must be just that"),
    ),
    responses((status = 204, description = "The address is gone"), Errors),
    security(("token" = [])),
)]
#[delete("/me/addresses/{address}")]
async fn address_delete(
    user: web::Data<dyn User>,
    request: HttpRequest,
    change: Change,
    person: Person,
    path: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let id: Id = path_id(&path)?;
    let expected = match request.headers().contains_key(header::IF_MATCH) {
        true => expected_version(&request)?,
        false => None,
    };
    if !user.address_delete(&change.0, person.id, id, expected).await? {
        return Err(not_found("address", id).into());
    }
    Ok(HttpResponse::NoContent().finish())
}

pub(super) fn not_found(what: &'static str, id: Id) -> UserError {
    UserError::NotFound { what, name: id.to_string() }
}
