//! Public routes of where an order goes: for the person, and for those who ship.

use actix_web::{HttpResponse, get, put, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::Person;
use super::account::{OWN, not_found};
use crate::call::{Role, Scope};
use crate::clock::Id;
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Body, Change, Errors, NoParams, Params, path_id};
use crate::user::{AddressFields, User};

/// Who ships an order sees where it goes.
const SHIP: Access = Access::Role(Role::Staff, Some(Scope::ReservationsRead));

pub(super) const RULES: &[Rule] = &[
    ("GET", "/api/v1/me/orders/{order}/delivery", OWN),
    ("PUT", "/api/v1/me/orders/{order}/delivery", OWN),
    ("GET", "/api/v1/users/{user}/orders/{order}/delivery", SHIP),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(delivery_get).service(delivery_set).service(user_delivery_get);
}

/// A whole postal address. What is left out is empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDelivery {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    company: String,
    #[schema(min_length = 1, max_length = 200)]
    line1: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    line2: String,
    #[schema(min_length = 1, max_length = 200)]
    city: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    region: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    postal_code: String,
    /// ISO 3166-1 alpha-2, as `US`.
    #[schema(pattern = "^[A-Z]{2}$")]
    country: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    phone: String,
}

impl From<NewDelivery> for AddressFields {
    fn from(new: NewDelivery) -> Self {
        AddressFields {
            name: new.name,
            company: new.company,
            line1: new.line1,
            line2: new.line2,
            city: new.city,
            region: new.region,
            postal_code: new.postal_code,
            country: new.country,
            phone: new.phone,
        }
    }
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

/// Say where my order goes
///
/// The whole address; it replaces the one before.
#[utoipa::path(
    tag = "account",
    params(("order" = Id, Path, description = "The reservation's id")),
    request_body = NewDelivery,
    responses((status = 204, description = "The address is kept"), Errors),
    security(("token" = [])),
)]
#[put("/me/orders/{order}/delivery")]
async fn delivery_set(
    user: web::Data<dyn User>,
    change: Change,
    person: Person,
    path: web::Path<String>,
    _: Params<NoParams>,
    body: Body<NewDelivery>,
) -> ApiResult {
    user.delivery_set(&change.0, person.id, path_id(&path)?, body.0.into()).await?;
    Ok(HttpResponse::NoContent().finish())
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
