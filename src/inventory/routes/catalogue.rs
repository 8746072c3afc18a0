//! Public routes of the catalogue, by noun; here is what they share.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::call::{Answer, Caller, Role, Scope, Versioned};
use crate::http::gate::{Access, Rule};
use crate::http::{mark_replayed, versioned};
use crate::inventory::ProductStatus;

mod category;
mod location;
mod product;
mod sku;

const READ: Access = Access::Role(Role::Staff, Some(Scope::CatalogueRead));
const WRITE: Access = Access::Role(Role::Staff, Some(Scope::CatalogueWrite));

pub(super) const RULES: &[Rule] = &[
    ("GET", "/api/v1/categories", Access::Public),
    ("POST", "/api/v1/categories", WRITE),
    ("GET", "/api/v1/categories/{id}", Access::Public),
    ("PATCH", "/api/v1/categories/{id}", WRITE),
    ("DELETE", "/api/v1/categories/{id}", WRITE),
    ("GET", "/api/v1/locations", READ),
    ("POST", "/api/v1/locations", WRITE),
    ("GET", "/api/v1/locations/{code}", READ),
    ("PATCH", "/api/v1/locations/{code}", WRITE),
    ("POST", "/api/v1/prices", WRITE),
    ("POST", "/api/v1/products", WRITE),
    ("GET", "/api/v1/products/{product}", Access::Public),
    ("PATCH", "/api/v1/products/{product}", WRITE),
    ("DELETE", "/api/v1/products/{product}", WRITE),
    ("POST", "/api/v1/products/{product}/skus", WRITE),
    ("GET", "/api/v1/skus/{code}", Access::Public),
    ("PATCH", "/api/v1/skus/{code}", WRITE),
    ("DELETE", "/api/v1/skus/{code}", WRITE),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    category::configure(config);
    location::configure(config);
    product::configure(config);
    sku::configure(config);
}

/// Answers with a new thing and where it is: `place` is its address below `/api/v1`.
fn created<T: Serialize + Versioned>(request: &HttpRequest, place: &str, made: &Answer<T>) -> HttpResponse {
    let mut response = versioned(request, StatusCode::CREATED, &made.value);
    mark_replayed(&mut response, made.replayed);
    // Handles and ids are plain ASCII, and codes are encoded.
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/{place}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Shoppers see active products only.
fn may_see(caller: &Caller, status: ProductStatus) -> bool {
    status == ProductStatus::Active || may_see_all(caller)
}

pub(super) fn may_see_all(caller: &Caller) -> bool {
    caller.may(Role::Staff, Some(Scope::CatalogueRead))
}

/// What everybody sees, caches may keep for a minute. What is asked for with a token must be asked for again each time.
pub(super) fn cacheable(caller: &Caller, mut response: HttpResponse) -> HttpResponse {
    let value = match caller {
        Caller::Anonymous => "public, max-age=60",
        _ => "private, no-cache",
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    response
}
