//! The public list of products: filters, search and facets.

use actix_web::{HttpRequest, get, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::catalogue::{cacheable, may_see_all};
use crate::call::Caller;
use crate::error::{ErrorCode, Problem};
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Params, page};
use crate::inventory::{Inventory, ProductPage, ProductQuery, ProductStatus};

pub(super) const RULES: &[Rule] = &[("GET", "/api/v1/products", Access::Public)];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(list);
}

/// List and search products
///
/// All filters must hold. Staff see products of every status, or of the one they ask for; others see active products only.
#[utoipa::path(
    tag = "catalogue",
    params(ProductQuery),
    responses(
        (status = 200, body = ProductPage, headers(("Link" = String), ("Cache-Control" = String))),
        crate::http::Errors
    ),
    security((), ("token" = []))
)]
#[get("/products")]
async fn list(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    query: Params<ProductQuery>,
) -> ApiResult {
    let mut query = query.0;
    if !may_see_all(&caller) {
        if query.status.is_some_and(|status| status != ProductStatus::Active) {
            return Err(Problem::new(ErrorCode::Forbidden, "Only staff see products that are not active.").into());
        }
        query.status = Some(ProductStatus::Active);
    }
    let products = inventory.product_list(query).await?;
    Ok(cacheable(&caller, page(&request, &products, products.next_cursor.as_deref())))
}
