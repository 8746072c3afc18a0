//! Routes of single products; lists and search are in `listing`.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{cacheable, created, may_see};
use crate::call::Caller;
use crate::http::{ApiResult, Body, Change, MaybeKeyed, NoParams, Params, expected_version, versioned};
use crate::inventory::{Inventory, InventoryError, NewProduct, Product, ProductKey, ProductPatch};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(create).service(read).service(update).service(remove);
}

/// Create a product, with its SKUs
///
/// The description is sanitised: scripts, styles, frames and event handlers are dropped.
#[utoipa::path(
    tag = "catalogue",
    request_body = NewProduct,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeated with the same one, the call makes nothing new")),
    responses(
        (status = 201, body = Product, headers(
            ("Location" = String),
            ("ETag" = String),
            ("Idempotent-Replayed" = Option<String>, description = "`true`: it was there already")
        )),
        crate::http::Errors
    ),
    security(("token" = []))
)]
#[post("/products")]
async fn create(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    new: MaybeKeyed<NewProduct>,
) -> ApiResult {
    let made = inventory.product_create(&new.call, new.body).await?;
    Ok(created(&request, &format!("products/{}", made.value.id), &made))
}

/// Get a product with its SKUs
///
/// Shoppers see active products only. A handle that the product had before is not found (the shop's pages lead from it to the new
/// one): who keeps products should keep their ids, which never change.
#[utoipa::path(
    tag = "catalogue",
    params(
        ("product" = String, Path, description = "Its id or its handle"),
        ("If-None-Match" = Option<String>, Header)
    ),
    responses(
        (status = 200, body = Product, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "It is as the client has it"),
        crate::http::Errors
    ),
    security((), ("token" = []))
)]
#[get("/products/{product}")]
async fn read(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    key: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let product = inventory.product_get(ProductKey::from(key.as_str())).await?;
    let product = product.filter(|product| may_see(&caller, product.status));
    let unknown = || InventoryError::NotFound { what: "product", name: key.to_string() };
    let product = product.ok_or_else(unknown)?;
    Ok(cacheable(&caller, versioned(&request, StatusCode::OK, &product)))
}

/// Change a product
#[utoipa::path(
    tag = "catalogue",
    request_body = ProductPatch,
    params(
        ("product" = String, Path, description = "Its id or its handle"),
        ("If-Match" = String, Header, description = "The ETag of what is changed")
    ),
    responses((status = 200, body = Product, headers(("ETag" = String))), crate::http::Errors),
    security(("token" = []))
)]
#[patch("/products/{product}")]
async fn update(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    key: web::Path<String>,
    _: Params<NoParams>,
    patch: Body<ProductPatch>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    let product = inventory.product_update(&change.0, ProductKey::from(key.as_str()), expected, patch.0).await?;
    Ok(versioned(&request, StatusCode::OK, &product))
}

/// Delete a product with its SKUs
///
/// Refused (409) when one of its SKUs ever had stock: archive it then.
#[utoipa::path(
    tag = "catalogue",
    params(
        ("product" = String, Path, description = "Its id or its handle"),
        ("If-Match" = String, Header, description = "The ETag of what is deleted")
    ),
    responses((status = 204), crate::http::Errors),
    security(("token" = []))
)]
#[delete("/products/{product}")]
async fn remove(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    key: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    inventory.product_delete(&change.0, ProductKey::from(key.as_str()), expected).await?;
    Ok(HttpResponse::NoContent().finish())
}
