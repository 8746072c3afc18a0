//! Public routes of reservations. A customer holds for himself and sees what is his; staff and programs may hold for anybody.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::call::{Caller, Role, Scope};
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Errors, Keyed, NoParams, Params, answer, page, path_id};
use crate::inventory::{Extension, Inventory, NewReservation, Reservation, ReservationQuery, Shipment};
use crate::page::Page;

const READ: Access = Access::Role(Role::Customer, Some(Scope::ReservationsRead));
const WRITE: Access = Access::Role(Role::Customer, Some(Scope::ReservationsWrite));

pub(super) const RULES: &[Rule] = &[
    ("POST", "/api/v1/reservations", WRITE),
    ("GET", "/api/v1/reservations", READ),
    ("GET", "/api/v1/reservations/{id}", READ),
    ("POST", "/api/v1/reservations/{id}/extend", WRITE),
    ("POST", "/api/v1/reservations/{id}/commit", WRITE),
    ("POST", "/api/v1/reservations/{id}/ship", Access::Role(Role::Staff, Some(Scope::ReservationsWrite))),
    ("POST", "/api/v1/reservations/{id}/release", WRITE),
    ("POST", "/api/v1/reservations/{id}/cancel", WRITE),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(reserve)
        .service(list)
        .service(get)
        .service(extend)
        .service(commit)
        .service(ship)
        .service(release)
        .service(cancel);
}

/// May the caller hold for others and see what others hold?
fn is_for_anybody(caller: &Caller) -> bool {
    !matches!(caller, Caller::Person { role: Role::Customer, .. })
}

/// The holder that the caller may name; himself where he names none.
fn holder(caller: &Caller, named: Option<String>) -> Result<String, Problem> {
    match named {
        Some(named) if named != caller.actor() && !is_for_anybody(caller) => {
            Err(Problem::new(ErrorCode::Forbidden, "You may hold and see reservations for yourself only."))
        }
        Some(named) => Ok(named),
        None => Ok(caller.actor()),
    }
}

/// The reservation, if the caller may know of it. Its holder never changes, so this stays true for the step that follows.
async fn visible(inventory: &dyn Inventory, caller: &Caller, id: &str) -> ApiResult<Reservation> {
    let id: Id = path_id(id)?;
    let reservation = inventory.reservation_get(id).await?;
    let own = reservation.filter(|found| is_for_anybody(caller) || found.holder == caller.actor());
    Ok(own.ok_or_else(|| Problem::new(ErrorCode::NotFound, format!("There is no reservation {id}.")))?)
}

/// Hold goods.
///
/// All lines or none, unless `allow_partial`. `out_of_stock` tells in `lines` what was requested and what could be had.
#[utoipa::path(
    tag = "Reservations",
    params(("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same for a repeated call")),
    request_body = NewReservation,
    responses(
        (status = 201, description = "Held until `expires_at`", body = Reservation, headers(
            ("Location" = String, description = "Where the reservation is"),
        )),
        Errors,
    ),
    security(("token" = [])),
)]
#[post("/reservations")]
async fn reserve(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    keyed: Keyed<NewReservation>,
) -> ApiResult {
    let holder = holder(&caller, keyed.body.holder.clone())?;
    let made = inventory.reserve(&keyed.call, holder, keyed.body).await?;
    let location = header::HeaderValue::from_str(&format!("/api/v1/reservations/{}", made.value.id));
    let mut response = answer(StatusCode::CREATED, &made);
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// List reservations, newest first. A customer sees his own.
#[utoipa::path(
    tag = "Reservations",
    params(ReservationQuery),
    responses((status = 200, body = Page<Reservation>), Errors),
    security(("token" = [])),
)]
#[get("/reservations")]
async fn list(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    Params(mut query): Params<ReservationQuery>,
) -> ApiResult {
    if !is_for_anybody(&caller) && query.partly_shipped.is_some() {
        return Err(Problem::new(ErrorCode::Forbidden, "partly_shipped is for staff.").into());
    }
    if !is_for_anybody(&caller) || query.holder.is_some() {
        query.holder = Some(holder(&caller, query.holder)?);
    }
    let found = inventory.reservation_list(query).await?;
    Ok(page(&request, &found, found.next_cursor.as_deref()))
}

/// One reservation.
#[utoipa::path(
    tag = "Reservations",
    params(("id" = Id, Path)),
    responses((status = 200, body = Reservation), Errors),
    security(("token" = [])),
)]
#[get("/reservations/{id}")]
async fn get(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    id: web::Path<String>,
) -> ApiResult {
    // No ETag: a hold expires without a new version.
    Ok(HttpResponse::Ok().json(visible(&**inventory, &caller, &id).await?))
}

/// Hold for longer: `hold_seconds` from now, never beyond `expires_max`, never shorter than before.
#[utoipa::path(
    tag = "Reservations",
    params(
        ("id" = Id, Path),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same for a repeated call"),
    ),
    request_body = Extension,
    responses((status = 200, body = Reservation), Errors),
    security(("token" = [])),
)]
#[post("/reservations/{id}/extend")]
async fn extend(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    id: web::Path<String>,
    keyed: Keyed<Extension>,
) -> ApiResult {
    let id = visible(&**inventory, &caller, &id).await?.id;
    Ok(answer(StatusCode::OK, &inventory.reservation_extend(&keyed.call, id, keyed.body).await?))
}

/// Promise the goods for good. After `expires_at` they are taken again, or the answer is `reservation_expired`.
#[utoipa::path(
    tag = "Reservations",
    params(
        ("id" = Id, Path),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same for a repeated call"),
    ),
    responses((status = 200, body = Reservation), Errors),
    security(("token" = [])),
)]
#[post("/reservations/{id}/commit")]
async fn commit(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    id: web::Path<String>,
    keyed: Keyed<NoParams>,
) -> ApiResult {
    let id = visible(&**inventory, &caller, &id).await?.id;
    Ok(answer(StatusCode::OK, &inventory.reservation_commit(&keyed.call, id).await?))
}

/// Ship a committed reservation: the lines that are named, or all that is left.
#[utoipa::path(
    tag = "Reservations",
    params(
        ("id" = Id, Path),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same for a repeated call"),
    ),
    request_body = Shipment,
    responses((status = 200, body = Reservation), Errors),
    security(("token" = [])),
)]
#[post("/reservations/{id}/ship")]
async fn ship(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    id: web::Path<String>,
    keyed: Keyed<Shipment>,
) -> ApiResult {
    let id = visible(&**inventory, &caller, &id).await?.id;
    Ok(answer(StatusCode::OK, &inventory.reservation_ship(&keyed.call, id, keyed.body).await?))
}

/// Give a hold back.
#[utoipa::path(
    tag = "Reservations",
    params(
        ("id" = Id, Path),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same for a repeated call"),
    ),
    responses((status = 200, body = Reservation), Errors),
    security(("token" = [])),
)]
#[post("/reservations/{id}/release")]
async fn release(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    id: web::Path<String>,
    keyed: Keyed<NoParams>,
) -> ApiResult {
    let id = visible(&**inventory, &caller, &id).await?.id;
    Ok(answer(StatusCode::OK, &inventory.reservation_release(&keyed.call, id).await?))
}

/// Cancel what was committed. What is shipped stays shipped; the rest is given back.
#[utoipa::path(
    tag = "Reservations",
    params(
        ("id" = Id, Path),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same for a repeated call"),
    ),
    responses((status = 200, body = Reservation), Errors),
    security(("token" = [])),
)]
#[post("/reservations/{id}/cancel")]
async fn cancel(
    inventory: web::Data<dyn Inventory>,
    caller: Caller,
    _: Params<NoParams>,
    id: web::Path<String>,
    keyed: Keyed<NoParams>,
) -> ApiResult {
    let id = visible(&**inventory, &caller, &id).await?.id;
    Ok(answer(StatusCode::OK, &inventory.reservation_cancel(&keyed.call, id).await?))
}
