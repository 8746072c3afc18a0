//! The shop as customers see it.

use actix_web::web::{ServiceConfig, get, post};

use crate::call::Role;
use crate::http::gate::{Access, Rule};

mod cart;
mod checkout;
mod choice;
mod home;
mod listing;
mod order;
mod payment;
mod product;

pub(in crate::web) use cart::merge;
pub(in crate::web) use checkout::REFERENCE as CHECKOUT;
pub(in crate::web) use listing::address;

const PERSON: Access = Access::Role(Role::Customer, None);

pub(super) const RULES: &[Rule] = &[
    ("GET", "/", Access::Public),
    ("GET", "/categories/{path:.*}", Access::Public),
    ("GET", "/search", Access::Public),
    ("GET", "/search/suggestions", Access::Public),
    ("GET", "/products/{handle}", Access::Public),
    ("GET", "/cart", Access::Public),
    ("POST", "/cart", Access::Public),
    ("POST", "/cart/lines", Access::Public),
    ("GET", "/checkout", Access::Public),
    ("POST", "/checkout", Access::Public),
    ("GET", "/checkout/{id}", PERSON),
    ("POST", "/checkout/{id}", PERSON),
    ("GET", "/checkout/{id}/review", PERSON),
    ("POST", "/checkout/{id}/extend", PERSON),
    ("POST", "/checkout/{id}/place", PERSON),
    ("POST", "/checkout/{id}/leave", PERSON),
    ("GET", "/orders", PERSON),
    ("GET", "/orders/{id}", PERSON),
    ("POST", "/orders/{id}/cancel", PERSON),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/", get().to(home::home))
        .route("/categories/{path:.*}", get().to(listing::category))
        .route("/search", get().to(listing::search))
        .route("/search/suggestions", get().to(listing::suggestions))
        .route("/products/{handle}", get().to(product::product))
        .route("/cart", get().to(cart::cart))
        .route("/cart", post().to(cart::change))
        .route("/cart/lines", post().to(cart::add))
        .route("/checkout", get().to(checkout::start))
        .route("/checkout", post().to(checkout::begin))
        .route("/checkout/{id}", get().to(checkout::address))
        .route("/checkout/{id}", post().to(checkout::set_address))
        .route("/checkout/{id}/review", get().to(checkout::review))
        .route("/checkout/{id}/extend", post().to(checkout::extend))
        .route("/checkout/{id}/place", post().to(checkout::place))
        .route("/checkout/{id}/leave", post().to(checkout::leave))
        .route("/orders", get().to(order::list))
        .route("/orders/{id}", get().to(order::order))
        .route("/orders/{id}/cancel", post().to(order::cancel));
}
