//! Public routes of a person's cart.

use actix_web::{HttpResponse, get, post, put, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Person;
use super::account::OWN;
use crate::http::gate::Rule;
use crate::http::{ApiResult, Body, Errors, NoParams, Params};
use crate::user::{CartLine, User};

pub(super) const RULES: &[Rule] =
    &[("GET", "/api/v1/me/cart", OWN), ("POST", "/api/v1/me/cart/lines", OWN), ("PUT", "/api/v1/me/cart/lines", OWN)];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(cart_get).service(cart_add).service(cart_set);
}

/// The lines of a cart.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Cart {
    #[schema(max_items = 100)]
    lines: Vec<CartLine>,
}

/// Read my cart
///
/// In the order in which the lines were added. Whether there are such SKUs, and at what price, tells `GET /api/v1/products`.
#[utoipa::path(
    tag = "account",
    responses((status = 200, body = Cart), Errors),
    security(("token" = [])),
)]
#[get("/me/cart")]
async fn cart_get(user: web::Data<dyn User>, person: Person, _: Params<NoParams>) -> ApiResult {
    Ok(HttpResponse::Ok().json(Cart { lines: user.cart_get(person.id).await? }))
}

/// Put into my cart
///
/// Adds up with what is there, each line to at most 999; gives the whole cart, of at most 100 lines.
#[utoipa::path(
    tag = "account",
    request_body = Cart,
    responses((status = 200, body = Cart), Errors),
    security(("token" = [])),
)]
#[post("/me/cart/lines")]
async fn cart_add(user: web::Data<dyn User>, person: Person, _: Params<NoParams>, body: Body<Cart>) -> ApiResult {
    Ok(HttpResponse::Ok().json(Cart { lines: user.cart_add(person.id, body.0.lines).await? }))
}

/// Change my cart
///
/// Sets the quantities of these lines, 0 removes; other lines stay. Gives the whole cart.
#[utoipa::path(
    tag = "account",
    request_body = Cart,
    responses((status = 200, body = Cart), Errors),
    security(("token" = [])),
)]
#[put("/me/cart/lines")]
async fn cart_set(user: web::Data<dyn User>, person: Person, _: Params<NoParams>, body: Body<Cart>) -> ApiResult {
    Ok(HttpResponse::Ok().json(Cart { lines: user.cart_set(person.id, body.0.lines).await? }))
}
