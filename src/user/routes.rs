//! The public routes of the module: HTTP in, one call of the trait, HTTP out.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::http::gate::Rule;

mod account;
mod admin;
mod auth;

/// Adds all routes of the module.
pub fn configure(config: &mut ServiceConfig) {
    account::configure(config);
    admin::configure(config);
    auth::configure(config);
}

/// Who may use which of them.
pub fn rules() -> Vec<Rule> {
    [account::RULES, admin::RULES, auth::RULES].concat()
}
