//! Public routes of stock, its ledger and the events.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::call::{Role, Scope};
use crate::error::{ErrorCode, Problem};
use crate::http::gate::{Access, Rule};
use crate::http::{ApiResult, Errors, Keyed, NoParams, Params, answer, page};
use crate::inventory::*;
use crate::page::Page;

const READ: Access = Access::Role(Role::Staff, Some(Scope::StockRead));
const WRITE: Access = Access::Role(Role::Staff, Some(Scope::StockWrite));

pub(super) const RULES: &[Rule] = &[
    ("GET", "/api/v1/availability", Access::Public),
    ("GET", "/api/v1/change-log", Access::Role(Role::Staff, None)),
    ("GET", "/api/v1/events", Access::Role(Role::Staff, Some(Scope::EventsRead))),
    ("GET", "/api/v1/skus/{sku}/availability", Access::Public),
    ("GET", "/api/v1/stock", READ),
    ("GET", "/api/v1/stock/{sku}/ledger", READ),
    ("POST", "/api/v1/stock/adjustments", WRITE),
    ("POST", "/api/v1/stock/counts", WRITE),
    ("POST", "/api/v1/stock/receipts", WRITE),
    ("POST", "/api/v1/stock/transfers", WRITE),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(stock_list)
        .service(stock_adjust)
        .service(stock_count)
        .service(stock_transfer)
        .service(stock_receive)
        .service(ledger)
        .service(sku_availability)
        .service(availability)
        .service(changes)
        .service(events);
}

/// The counters, by SKU code and location code.
#[utoipa::path(
    get, tag = "stock", params(StockQuery), security(("token" = [])),
    responses((status = 200, body = Page<StockLevel>), Errors)
)]
#[get("/stock")]
async fn stock_list(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    Params(query): Params<StockQuery>,
) -> ApiResult {
    let levels = inventory.stock_list(query).await?;
    Ok(page(&request, &levels, levels.next_cursor.as_deref()))
}

/// Adds to counters or takes from them.
#[utoipa::path(
    post, tag = "stock", request_body = StockBatch<Adjustment>, security(("token" = [])),
    params(("Idempotency-Key" = String, Header, description = "Names this call: repeated, it gives the first answer")),
    responses((status = 200, body = BatchResult), Errors)
)]
#[post("/stock/adjustments")]
async fn stock_adjust(
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    keyed: Keyed<StockBatch<Adjustment>>,
) -> ApiResult {
    Ok(answer(StatusCode::OK, &inventory.stock_adjust(&keyed.call, keyed.body).await?))
}

/// Sets counters to what was counted, where they are what was expected.
#[utoipa::path(
    post, tag = "stock", request_body = StockBatch<Count>, security(("token" = [])),
    params(("Idempotency-Key" = String, Header, description = "Names this call: repeated, it gives the first answer")),
    responses((status = 200, body = BatchResult), Errors)
)]
#[post("/stock/counts")]
async fn stock_count(
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    keyed: Keyed<StockBatch<Count>>,
) -> ApiResult {
    Ok(answer(StatusCode::OK, &inventory.stock_count(&keyed.call, keyed.body).await?))
}

/// Moves goods that are not promised from one location to another.
#[utoipa::path(
    post, tag = "stock", request_body = StockBatch<Transfer>, security(("token" = [])),
    params(("Idempotency-Key" = String, Header, description = "Names this call: repeated, it gives the first answer")),
    responses((status = 200, body = BatchResult), Errors)
)]
#[post("/stock/transfers")]
async fn stock_transfer(
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    keyed: Keyed<StockBatch<Transfer>>,
) -> ApiResult {
    Ok(answer(StatusCode::OK, &inventory.stock_transfer(&keyed.call, keyed.body).await?))
}

/// Takes in goods that have come.
#[utoipa::path(
    post, tag = "stock", request_body = StockBatch<Receipt>, security(("token" = [])),
    params(("Idempotency-Key" = String, Header, description = "Names this call: repeated, it gives the first answer")),
    responses((status = 200, body = BatchResult), Errors)
)]
#[post("/stock/receipts")]
async fn stock_receive(
    inventory: web::Data<dyn Inventory>,
    _: Params<NoParams>,
    keyed: Keyed<StockBatch<Receipt>>,
) -> ApiResult {
    Ok(answer(StatusCode::OK, &inventory.stock_receive(&keyed.call, keyed.body).await?))
}

/// Every change of a SKU's counters, newest first.
#[utoipa::path(
    get, tag = "stock", params(("sku" = String, Path, description = "The SKU's code"), LedgerQuery),
    security(("token" = [])), responses((status = 200, body = Page<LedgerEntry>), Errors)
)]
#[get("/stock/{sku}/ledger")]
async fn ledger(
    request: HttpRequest,
    inventory: web::Data<dyn Inventory>,
    sku: web::Path<String>,
    Params(query): Params<LedgerQuery>,
) -> ApiResult {
    let entries = inventory.ledger(&sku, query).await?.ok_or_else(|| no_sku(&sku))?;
    Ok(page(&request, &entries, entries.next_cursor.as_deref()))
}

/// Can a SKU be bought?
#[utoipa::path(
    get, tag = "stock", params(("sku" = String, Path, description = "The SKU's code")),
    responses((status = 200, body = Availability), Errors)
)]
#[get("/skus/{sku}/availability")]
async fn sku_availability(
    inventory: web::Data<dyn Inventory>,
    sku: web::Path<String>,
    _: Params<NoParams>,
) -> ApiResult<web::Json<Availability>> {
    let found = inventory.availability(vec![sku.to_string()]).await?.pop();
    Ok(web::Json(for_shoppers(found.ok_or_else(|| no_sku(&sku))?)))
}

fn for_shoppers(found: Availability) -> Availability {
    Availability { orderable: None, ..found }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AvailabilityQuery {
    /// 1 to 100 codes, separated by commas.
    sku: String,
}

#[derive(Serialize, ToSchema)]
struct AvailabilityList {
    /// In the order of the codes asked for; what cannot be bought by anybody is left out.
    items: Vec<Availability>,
}

/// Which of these SKUs can be bought?
#[utoipa::path(
    get, tag = "stock", params(AvailabilityQuery), responses((status = 200, body = AvailabilityList), Errors)
)]
#[get("/availability")]
async fn availability(
    inventory: web::Data<dyn Inventory>,
    Params(query): Params<AvailabilityQuery>,
) -> ApiResult<web::Json<AvailabilityList>> {
    let codes: Vec<String> = query.sku.split(',').filter(|code| !code.is_empty()).map(str::to_owned).collect();
    if !(1..=100).contains(&codes.len()) {
        let message = format!("names {} SKUs; must be from 1 to 100, separated by commas", codes.len());
        return Err(InventoryError::invalid("sku", message).into());
    }
    let found = inventory.availability(codes).await?;
    Ok(web::Json(AvailabilityList { items: found.into_iter().map(for_shoppers).collect() }))
}

/// Who changed products, categories and locations, and who shipped or cancelled orders, newest first. Changes of stock are in the
/// ledger of each SKU.
#[utoipa::path(
    get, tag = "events", params(ChangeQuery), security(("token" = [])),
    responses((status = 200, body = Page<Change>), Errors)
)]
#[get("/change-log")]
async fn changes(
    inventory: web::Data<dyn Inventory>,
    Params(query): Params<ChangeQuery>,
) -> ApiResult<web::Json<Page<Change>>> {
    Ok(web::Json(inventory.change_list(query).await?))
}

#[derive(Serialize, ToSchema)]
struct EventFeed {
    items: Vec<Event>,
    /// Ask again with `after=` this for what follows.
    after: i64,
}

/// What has happened, oldest first, for other systems: ask again and again for what comes after the last event seen.
#[utoipa::path(
    get, tag = "events", params(EventQuery), security(("token" = [])),
    responses((status = 200, body = EventFeed), Errors)
)]
#[get("/events")]
async fn events(
    inventory: web::Data<dyn Inventory>,
    Params(query): Params<EventQuery>,
) -> ApiResult<web::Json<EventFeed>> {
    let seen = query.after.unwrap_or_default();
    let items = inventory.events(query).await?;
    let after = items.last().map_or(seen, |event| event.position);
    Ok(web::Json(EventFeed { items, after }))
}

fn no_sku(code: &str) -> Problem {
    Problem::new(ErrorCode::NotFound, format!("There is no SKU {code:?}."))
}
