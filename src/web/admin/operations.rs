//! The admin pages about operations: the dashboard, orders, users, API keys, the logs, the system.

use actix_web::web::{ServiceConfig, get, post};

use super::{ADMIN, STAFF, SYSTEM, audit, changes, dashboard, keys, orders, system, users};
use crate::http::gate::Rule;

pub(super) const RULES: &[Rule] = &[
    ("GET", "/admin", STAFF),
    ("GET", "/admin/orders", STAFF),
    ("GET", "/admin/orders/{id}", STAFF),
    ("POST", "/admin/orders/{id}/{step}", STAFF),
    ("GET", "/admin/changes", STAFF),
    ("GET", "/admin/users", ADMIN),
    ("GET", "/admin/users/{id}", ADMIN),
    ("POST", "/admin/users/{id}", ADMIN),
    ("POST", "/admin/users/{id}/sessions", ADMIN),
    ("GET", "/admin/keys", ADMIN),
    ("POST", "/admin/keys", ADMIN),
    ("POST", "/admin/keys/{id}/revoke", ADMIN),
    ("GET", "/admin/audit", ADMIN),
    ("GET", SYSTEM, ADMIN),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin", get().to(dashboard::dashboard))
        .route("/admin/orders", get().to(orders::list))
        .route("/admin/orders/{id}", get().to(orders::order))
        .route("/admin/orders/{id}/{step}", post().to(orders::step))
        .route("/admin/changes", get().to(changes::list))
        .route("/admin/users", get().to(users::list))
        .route("/admin/users/{id}", get().to(users::user))
        .route("/admin/users/{id}", post().to(users::change))
        .route("/admin/users/{id}/sessions", post().to(users::end_sessions))
        .route("/admin/keys", get().to(keys::list))
        .route("/admin/keys", post().to(keys::create))
        .route("/admin/keys/{id}/revoke", post().to(keys::revoke))
        .route("/admin/audit", get().to(audit::list))
        .route(SYSTEM, get().to(system::system));
}
