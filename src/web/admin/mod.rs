//! The shop as staff and admins see it.

use actix_web::web::ServiceConfig;

use crate::call::Role;
use crate::http::gate::{Access, Rule};

mod audit;
mod categories;
mod changes;
mod chart;
mod counts;
mod dashboard;
mod goods;
mod imports;
mod keys;
mod ledger;
mod locations;
mod names;
mod operations;
mod orders;
mod prices;
mod product;
mod products;
mod reprice;
mod scarce;
mod skus;
mod stock;
mod system;
mod upload;
mod users;

pub(super) const STAFF: Access = Access::Role(Role::Staff, None);
pub(super) const ADMIN: Access = Access::Role(Role::Admin, None);

pub(super) const SYSTEM: &str = "/admin/system";

/// The rooms of the admin pages, in the order of the menu: path, and the key of its name; the last ones are for admins alone.
const MENU: [(&str, &str, Access); 12] = [
    ("/admin", "admin-dashboard", STAFF),
    ("/admin/orders", "admin-orders", STAFF),
    ("/admin/products", "admin-products", STAFF),
    ("/admin/categories", "admin-categories", STAFF),
    ("/admin/stock", "admin-stock", STAFF),
    ("/admin/locations", "admin-locations", STAFF),
    ("/admin/imports", "admin-imports", STAFF),
    ("/admin/changes", "admin-changes", STAFF),
    ("/admin/users", "admin-users", ADMIN),
    ("/admin/keys", "admin-keys", ADMIN),
    ("/admin/audit", "admin-audit", ADMIN),
    (SYSTEM, "admin-system", ADMIN),
];

pub(super) fn rules() -> Vec<Rule> {
    [products::RULES, categories::RULES, stock::RULES, locations::RULES, imports::RULES, operations::RULES].concat()
}

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .configure(products::configure)
        .configure(categories::configure)
        .configure(stock::configure)
        .configure(locations::configure)
        .configure(imports::configure)
        .configure(operations::configure);
}

/// The menu for somebody of this role; `here` is the path that is shown: path, the key of its name, is it the one that is shown?
pub(super) fn menu(role: Role, here: &str) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    let path = here.split('?').next().unwrap_or_default();
    let is_below = move |room: &str| path == room || (room != "/admin" && path.starts_with(&format!("{room}/")));
    let is_here = move |room: &str| {
        is_below(room) || (room == "/admin/products" && ["/admin/prices", "/admin/skus"].into_iter().any(is_below))
    };
    let may = move |access: Access| matches!(access, Access::Role(least, _) if role >= least);
    MENU.iter().filter(move |(_, _, access)| may(*access)).map(move |(room, name, _)| (*room, *name, is_here(room)))
}
