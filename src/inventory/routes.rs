//! The public routes of the module: HTTP in, one call of the trait, HTTP out.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::http::gate::Rule;

mod bulk;
mod catalogue;
mod listing;
mod reservation;
mod stock;

/// Adds all routes of the module.
pub fn configure(config: &mut ServiceConfig) {
    bulk::configure(config);
    catalogue::configure(config);
    listing::configure(config);
    reservation::configure(config);
    stock::configure(config);
}

/// Who may use which of them.
pub fn rules() -> Vec<Rule> {
    [bulk::RULES, catalogue::RULES, listing::RULES, reservation::RULES, stock::RULES].concat()
}
