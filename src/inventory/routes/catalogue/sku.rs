//! Routes of single SKUs.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use url::form_urlencoded::byte_serialize;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{cacheable, created, may_see};
use crate::call::Caller;
use crate::http::{ApiResult, Body, Change, Keyed, MaybeKeyed, NoParams, Params, answer, expected_version, versioned};
use crate::inventory::{Inventory, InventoryError, NewSku, PriceBatch, PriceResult, ProductKey, Sku, SkuPatch};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(create).service(read).service(update).service(remove).service(set_prices);
}

/// Add a SKU to a product
#[utoipa::path(
    tag = "catalogue",
    request_body = NewSku,
    params(
        ("product" = String, Path, description = "Its id or its handle"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeated with the same one, the call makes nothing new")
    ),
    responses(
        (status = 201, body = Sku, headers(
            ("Location" = String),
            ("ETag" = String),
            ("Idempotent-Replayed" = Option<String>, description = "`true`: it was there already")
        )),
        crate::http::Errors
    ),
    security(("token" = []))
)]
#[post("/products/{product}/skus")]
async fn create(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    key: web::Path<String>,
    _: Params<NoParams>,
    new: MaybeKeyed<NewSku>,
) -> ApiResult {
    let made = inventory.sku_create(&new.call, ProductKey::from(key.as_str()), new.body).await?;
    let code: String = byte_serialize(made.value.code.as_bytes()).collect();
    Ok(created(&request, &format!("skus/{code}"), &made))
}

/// Get a SKU
///
/// Shoppers see those of active products only.
#[utoipa::path(
    tag = "catalogue",
    params(("code" = String, Path), ("If-None-Match" = Option<String>, Header)),
    responses(
        (status = 200, body = Sku, headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "It is as the client has it"),
        crate::http::Errors
    ),
    security((), ("token" = []))
)]
#[get("/skus/{code}")]
async fn read(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    code: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let unknown = || InventoryError::NotFound { what: "SKU", name: code.to_string() };
    let found = inventory.sku_get(&code).await?.filter(|(_, status)| may_see(&caller, *status));
    let (sku, _) = found.ok_or_else(unknown)?;
    Ok(cacheable(&caller, versioned(&request, StatusCode::OK, &sku)))
}

/// Change a SKU
#[utoipa::path(
    tag = "catalogue",
    request_body = SkuPatch,
    params(("code" = String, Path), ("If-Match" = String, Header, description = "The ETag of what is changed")),
    responses((status = 200, body = Sku, headers(("ETag" = String))), crate::http::Errors),
    security(("token" = []))
)]
#[patch("/skus/{code}")]
async fn update(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    code: web::Path<String>,
    _: Params<NoParams>,
    patch: Body<SkuPatch>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    let sku = inventory.sku_update(&change.0, &code, expected, patch.0).await?;
    Ok(versioned(&request, StatusCode::OK, &sku))
}

/// Delete a SKU
///
/// Refused (409) when it ever had stock.
#[utoipa::path(
    tag = "catalogue",
    params(("code" = String, Path), ("If-Match" = String, Header, description = "The ETag of what is deleted")),
    responses((status = 204), crate::http::Errors),
    security(("token" = []))
)]
#[delete("/skus/{code}")]
async fn remove(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    change: Change,
    code: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult {
    let expected = expected_version(&request)?;
    inventory.sku_delete(&change.0, &code, expected).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Set the prices of many SKUs
///
/// Of any products, in one transaction: all rows are done, or none. When some cannot be done (`version_mismatch`, or `validation`),
/// the problem's `rows` tells of each of them its `row`, `code` and `detail`. A SKU that has these prices already stays as it is.
#[utoipa::path(
    tag = "catalogue",
    request_body = PriceBatch,
    params(("Idempotency-Key" = String, Header, description = "Names this call: repeated, it gives the first answer")),
    responses((status = 200, body = PriceResult), crate::http::Errors),
    security(("token" = []))
)]
#[post("/prices")]
async fn set_prices(inventory: web::Data<dyn Inventory>, _: Params<NoParams>, keyed: Keyed<PriceBatch>) -> ApiResult {
    Ok(answer(StatusCode::OK, &inventory.prices_set(&keyed.call, keyed.body).await?))
}
