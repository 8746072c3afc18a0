//! Routes of the category tree.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{cacheable, created};
use crate::call::Caller;
use crate::clock::Id;
use crate::http::{ApiResult, Body, Change, MaybeKeyed, NoParams, Params, expected_version, path_id, versioned};
use crate::inventory::{Category, CategoryPatch, Inventory, InventoryError, NewCategory};
use crate::page::Page;

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(list).service(create).service(read).service(update).service(remove);
}

/// List all categories
///
/// The whole tree on one page: parents before their children, siblings in their order.
#[utoipa::path(
    tag = "catalogue",
    responses(
        (status = 200, body = Page<Category>, headers(("Cache-Control" = String))),
        crate::http::Errors
    )
)]
#[get("/categories")]
async fn list(inventory: web::Data<dyn Inventory>, caller: Caller, _: Params<NoParams>) -> ApiResult {
    let page = Page { items: inventory.category_list().await?, next_cursor: None };
    Ok(cacheable(&caller, HttpResponse::Ok().json(page)))
}

/// Create a category
#[utoipa::path(
    tag = "catalogue",
    request_body = NewCategory,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeated with the same one, the call makes nothing new")),
    responses(
        (status = 201, body = Category, headers(
            ("Location" = String),
            ("ETag" = String),
            ("Idempotent-Replayed" = Option<String>, description = "`true`: it was there already")
        )),
        crate::http::Errors
    ),
    security(("token" = []))
)]
#[post("/categories")]
async fn create(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    new: MaybeKeyed<NewCategory>,
) -> ApiResult {
    let made = inventory.category_create(&new.call, new.body).await?;
    Ok(created(&request, &format!("categories/{}", made.value.id), &made))
}

/// Get a category
#[utoipa::path(
    tag = "catalogue",
    params(("id" = Id, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Category, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "It is as the client has it"),
        crate::http::Errors
    )
)]
#[get("/categories/{id}")]
async fn read(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    id: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let id: Id = path_id(&id)?;
    let unknown = || InventoryError::NotFound { what: "category", name: id.to_string() };
    let category = inventory.category_get(id).await?.ok_or_else(unknown)?;
    Ok(cacheable(&caller, versioned(&request, StatusCode::OK, &category)))
}

/// Change, move or rename a category
///
/// Moving or renaming changes the paths of all categories below it.
#[utoipa::path(
    tag = "catalogue",
    request_body = CategoryPatch,
    params(("id" = Id, Path), ("If-Match" = String, Header, description = "The ETag of what is changed")),
    responses((status = 200, body = Category, headers(("ETag" = String))), crate::http::Errors),
    security(("token" = []))
)]
#[patch("/categories/{id}")]
async fn update(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    id: web::Path<String>,
    _: Params<NoParams>,
    patch: Body<CategoryPatch>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    let category = inventory.category_update(&change.0, path_id(&id)?, expected, patch.0).await?;
    Ok(versioned(&request, StatusCode::OK, &category))
}

/// Delete a category
///
/// Refused (409) while it has categories or products in it.
#[utoipa::path(
    tag = "catalogue",
    params(("id" = Id, Path), ("If-Match" = String, Header, description = "The ETag of what is deleted")),
    responses((status = 204), crate::http::Errors),
    security(("token" = []))
)]
#[delete("/categories/{id}")]
async fn remove(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    id: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    inventory.category_delete(&change.0, path_id(&id)?, expected).await?;
    Ok(HttpResponse::NoContent().finish())
}
