//! The places that hold stock.

use actix_web::web::{self, ServiceConfig, get, post};
use askama::Template;

use super::STAFF;
use super::goods::{Now, differences, key, version};
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::http::gate::Rule;
use crate::inventory::{Location, LocationAddress, LocationPatch, NewLocation};
use crate::web::{Form, Shell};

pub(super) const RULES: &[Rule] = &[
    ("GET", "/admin/locations", STAFF),
    ("POST", "/admin/locations", STAFF),
    ("GET", "/admin/locations/{location}", STAFF),
    ("POST", "/admin/locations/{location}", STAFF),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin/locations", get().to(list))
        .route("/admin/locations", post().to(create))
        .route("/admin/locations/{location}", get().to(page))
        .route("/admin/locations/{location}", post().to(update));
}

const FIELDS: [(&str, &str); 10] = [
    ("name", "goods-name"),
    ("priority", "location-priority"),
    ("active", "location-active"),
    ("address.street", "location-street"),
    ("address.city", "location-city"),
    ("address.region", "location-region"),
    ("address.postal_code", "location-postal-code"),
    ("address.country", "location-country"),
    ("address.latitude", "location-latitude"),
    ("address.longitude", "location-longitude"),
];

#[derive(Template)]
#[template(path = "admin/locations.html")]
struct List<'a> {
    shell: &'a Shell,
    form: &'a Form,
    key: String,
    locations: Vec<Location>,
}

#[derive(Template)]
#[template(path = "admin/location.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    location: &'a Location,
    version: String,
    now: Vec<Now>,
}

pub(super) async fn list(shell: Shell) -> ApiResult {
    show_list(&shell, &Form::of([("priority", "0")])).await
}

pub(super) async fn create(shell: Shell, mut form: Form) -> ApiResult {
    let address = address(&shell, &mut form);
    let priority = form.integer("priority");
    if form.is_good() {
        let new = NewLocation { code: form.text("code"), name: form.text("name"), address, priority };
        match shell.site.inventory.location_create(&form.once(&shell)?, new).await {
            Ok(_) => return Ok(shell.go_saying("/admin/locations", "flash-goods-saved")),
            Err(error) => form.refuse(error)?,
        }
    }
    show_list(&shell, &form).await
}

async fn show_list(shell: &Shell, form: &Form) -> ApiResult {
    let locations = shell.site.inventory.location_list().await?;
    shell.form(form, &List { shell, form, key: key(shell, form), locations })
}

pub(super) async fn page(shell: Shell, code: web::Path<String>) -> ApiResult {
    let location = find(&shell, &code).await?;
    show(&shell, &form_of(&location), &location)
}

async fn find(shell: &Shell, code: &str) -> ApiResult<Location> {
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no location {code:?}."));
    Ok(shell.site.inventory.location_get(code).await?.ok_or_else(missing)?)
}

pub(super) async fn update(shell: Shell, code: web::Path<String>, mut form: Form) -> ApiResult {
    let location = find(&shell, &code).await?;
    let address = address(&shell, &mut form);
    let priority = form.integer("priority");
    if form.is_good() {
        let patch = LocationPatch {
            name: Some(form.text("name")),
            address: Some(address),
            priority: Some(priority),
            active: Some(form.is_checked("active")),
        };
        match shell.site.inventory.location_update(shell.call(), &code, Some(form.version()?), patch).await {
            Ok(_) => return Ok(shell.go_saying("/admin/locations", "flash-goods-saved")),
            Err(error) => form.refuse(error)?,
        }
    }
    show(&shell, &form, &location)
}

fn show(shell: &Shell, form: &Form, location: &Location) -> ApiResult {
    let mut now = differences(shell, form, &form_of(location), &FIELDS);
    for change in now.iter_mut().filter(|change| change.label == shell.t("location-active")) {
        change.value = shell.t(if location.active { "goods-yes" } else { "goods-no" });
    }
    shell.form(form, &Page { shell, form, location, version: version(form, location), now })
}

fn form_of(location: &Location) -> Form {
    let address = &location.address;
    let degrees = |degrees: Option<f64>| degrees.map_or(String::new(), |degrees| degrees.to_string());
    let mut values = vec![
        ("name", location.name.clone()),
        ("priority", location.priority.to_string()),
        ("address.street", address.street.clone()),
        ("address.city", address.city.clone()),
        ("address.region", address.region.clone()),
        ("address.postal_code", address.postal_code.clone()),
        ("address.country", address.country.clone()),
        ("address.latitude", degrees(address.latitude)),
        ("address.longitude", degrees(address.longitude)),
    ];
    values.extend(location.active.then(|| ("active", "true".to_owned())));
    Form::of(values)
}

fn address(shell: &Shell, form: &mut Form) -> LocationAddress {
    let mut degrees = |name: &str| {
        let degrees = form.optional(name)?.parse::<f64>().ok().filter(|degrees| degrees.is_finite());
        if degrees.is_none() {
            form.fault(name, shell.t("location-no-number"));
        }
        degrees
    };
    let (latitude, longitude) = (degrees("address.latitude"), degrees("address.longitude"));
    LocationAddress {
        street: form.text("address.street"),
        city: form.text("address.city"),
        region: form.text("address.region"),
        postal_code: form.text("address.postal_code"),
        country: form.text("address.country").to_uppercase(),
        latitude,
        longitude,
    }
}
