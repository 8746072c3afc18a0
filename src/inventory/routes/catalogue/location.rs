//! Routes of the locations.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{cacheable, created};
use crate::call::Caller;
use crate::http::{ApiResult, Body, Change, MaybeKeyed, NoParams, Params, expected_version, versioned};
use crate::inventory::{Inventory, InventoryError, Location, LocationPatch, NewLocation};
use crate::page::Page;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(list).service(create).service(read).service(update);
}

/// List all locations
///
/// By priority, then code; all on one page.
#[utoipa::path(
    tag = "catalogue",
    responses((status = 200, body = Page<Location>), crate::http::Errors),
    security(("token" = []))
)]
#[get("/locations")]
async fn list(inventory: web::Data<dyn Inventory>, _: Params<NoParams>) -> ApiResult<web::Json<Page<Location>>> {
    Ok(web::Json(Page { items: inventory.location_list().await?, next_cursor: None }))
}

/// Create a location
#[utoipa::path(
    tag = "catalogue",
    request_body = NewLocation,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeated with the same one, the call makes nothing new")),
    responses(
        (status = 201, body = Location, headers(
            ("Location" = String),
            ("ETag" = String),
            ("Idempotent-Replayed" = Option<String>, description = "`true`: it was there already")
        )),
        crate::http::Errors
    ),
    security(("token" = []))
)]
#[post("/locations")]
async fn create(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    new: MaybeKeyed<NewLocation>,
) -> ApiResult {
    let made = inventory.location_create(&new.call, new.body).await?;
    Ok(created(&request, &format!("locations/{}", made.value.code), &made))
}

/// Get a location
#[utoipa::path(
    tag = "catalogue",
    params(("code" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Location, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "It is as the client has it"),
        crate::http::Errors
    ),
    security(("token" = []))
)]
#[get("/locations/{code}")]
async fn read(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    code: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let unknown = || InventoryError::NotFound { what: "location", name: code.to_string() };
    let location = inventory.location_get(&code).await?.ok_or_else(unknown)?;
    Ok(cacheable(&caller, versioned(&request, StatusCode::OK, &location)))
}

/// Change a location
///
/// `active: false` takes what it holds off sale.
#[utoipa::path(
    tag = "catalogue",
    request_body = LocationPatch,
    params(("code" = String, Path), ("If-Match" = String, Header, description = "The ETag of what is changed")),
    responses((status = 200, body = Location, headers(("ETag" = String))), crate::http::Errors),
    security(("token" = []))
)]
#[patch("/locations/{code}")]
async fn update(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    code: web::Path<String>,
    _: Params<NoParams>,
    patch: Body<LocationPatch>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    let location = inventory.location_update(&change.0, &code, expected, patch.0).await?;
    Ok(versioned(&request, StatusCode::OK, &location))
}
