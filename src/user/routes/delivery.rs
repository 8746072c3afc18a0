//! Public routes of where an order goes: for the person, and for those who ship. It is set in the checkout alone, which knows
//! whether the order is still to be placed.

use actix_web::{HttpResponse, get, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::Person;
use super::account::{OWN, not_found};
use crate::call::{Role, Scope};
use crate::clock::Id;
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Errors, NoParams, Params, path_id};
use crate::user::{AddressFields, User};

/// Who ships an order sees where it goes.
const SHIP: Access = Access::Role(Role::Staff, Some(Scope::ReservationsRead));

pub(super) const RULES: &[Rule] = &[
    ("GET", "/api/v1/me/orders/{order}/delivery", OWN),
    ("GET", "/api/v1/users/{user}/orders/{order}/delivery", SHIP),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(delivery_get).service(user_delivery_get);
}

/// Read where my order goes
#[utoipa::path(
    tag = "account",
    params(("order" = Id, Path, description = "The reservation's id")),
    responses((status = 200, body = AddressFields), Errors),
    security(("token" = [])),
)]
#[get("/me/orders/{order}/delivery")]
async fn delivery_get(
    user: web::Data<dyn User>,
    person: Person,
    path: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    answer(&**user, person.id, path_id(&path)?).await
}

/// Read where a user's order goes
///
/// For staff, and for programs that ship.
#[utoipa::path(
    tag = "admin",
    params(
        ("user" = Id, Path, description = "The user's id"),
        ("order" = Id, Path, description = "The reservation's id"),
    ),
    responses((status = 200, body = AddressFields), Errors),
    security(("token" = [])),
)]
#[get("/users/{user}/orders/{order}/delivery")]
async fn user_delivery_get(
    user: web::Data<dyn User>,
    path: web::Path<(String, String)>,
    _: Params<NoParams>,
) -> ApiResult {
    answer(&**user, path_id(&path.0)?, path_id(&path.1)?).await
}

async fn answer(user: &dyn User, owner: Id, order: Id) -> ApiResult {
    let address = user.delivery_get(owner, order).await?.ok_or_else(|| not_found("address of the order", order))?;
    Ok(HttpResponse::Ok().json(address))
}
