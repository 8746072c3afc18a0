//! Public routes of auth.

use actix_web::{HttpResponse, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::Person;
use crate::call::Role;
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Body, NoParams, Params};
use crate::user::{Login, NewSession, Origin, User};

pub(super) const RULES: &[Rule] = &[
    ("POST", "/api/v1/auth/login", Access::Public),
    ("POST", "/api/v1/auth/logout", Access::Role(Role::Customer, None)),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(login).service(logout);
}

/// Log in
///
/// An unknown address and a wrong password get the same answer. After some failures there is a growing delay (429).
#[utoipa::path(tag = "auth", responses((status = 200, body = NewSession), crate::http::Errors))]
#[post("/auth/login")]
async fn login(
    user: web::Data<dyn User>,
    origin: Origin,
    _: Params<NoParams>,
    body: Body<Login>,
) -> ApiResult<web::Json<NewSession>> {
    Ok(web::Json(user.login(&origin, body.0).await?))
}

/// Log out
///
/// Ends the session whose token is sent, on this device only.
#[utoipa::path(tag = "auth", responses((status = 204), crate::http::Errors), security(("token" = [])))]
#[post("/auth/logout")]
async fn logout(user: web::Data<dyn User>, person: Person, _: Params<NoParams>) -> ApiResult {
    user.logout(person.id, person.session).await?;
    Ok(HttpResponse::NoContent().finish())
}
