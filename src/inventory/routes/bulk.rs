//! Public routes of bulk.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::http::gate::Rule;

pub(super) const RULES: &[Rule] = &[];

pub(super) fn configure(_config: &mut ServiceConfig) {}
