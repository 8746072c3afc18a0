//! Public routes of import, export and jobs.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, post, web};
use futures_util::StreamExt;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::call::{IdempotencyKey, Role, Scope};
use crate::clock::Id;
use crate::config::ServerConfig;
use crate::error::{ErrorCode, Problem};
use crate::http::gate::{Access, Rule};
use crate::http::observe::Deadline;
use crate::http::pace::Pace;
use crate::http::{ApiResult, Change, Errors, NoParams, Params, ProblemBody, answer, idempotency_key, page, path_id};
use crate::inventory::{
    BulkFormat, ImportInput, ImportOptions, Inventory, InventoryError, Job, JobQuery, RowFault, export_stream,
};
use crate::page::Page;

const READ: Access = Access::Role(Role::Staff, Some(Scope::CatalogueRead));
const WRITE: Access = Access::Role(Role::Staff, Some(Scope::CatalogueWrite));

pub(super) const RULES: &[Rule] = &[
    ("POST", "/api/v1/imports", WRITE),
    ("GET", "/api/v1/jobs", READ),
    ("GET", "/api/v1/jobs/{id}", READ),
    ("GET", "/api/v1/jobs/{id}/faults", READ),
    ("POST", "/api/v1/jobs/{id}/cancel", WRITE),
    ("GET", "/api/v1/exports/products.csv", READ),
    ("GET", "/api/v1/exports/products.jsonl", READ),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .service(import_start)
        .service(job_list)
        .service(job_get)
        .service(job_faults)
        .service(job_cancel)
        .service(export_csv)
        .service(export_jsonl);
}

const CSV: &str = "text/csv";
const JSONL: &str = "application/x-ndjson";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportParams {
    /// What the body is; where it is absent, the Content-Type tells: `text/csv` or `application/x-ndjson`.
    format: Option<BulkFormat>,
    /// `true`: check everything, change nothing.
    dry_run: Option<bool>,
    /// Where quantities of a CSV go; the active location with the lowest priority number when absent.
    location: Option<String>,
}

/// Imports products: Shopify's product CSV, or JSONL. The body is kept and imported by a job.
#[utoipa::path(
    tag = "bulk",
    params(
        ImportParams,
        ("Idempotency-Key" = String, Header, description = "A new one for each import; the same one to repeat the call")
    ),
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 202, body = Job, headers(
        ("Location" = String, description = "The job"),
        ("Idempotent-Replayed" = Option<String>, description = "`true`: the job was there already")
    )), (
        status = 408, description = "The body came too slowly", body = ProblemBody,
        content_type = "application/problem+json"
    ), Errors),
    security(("token" = []))
)]
#[post("/imports")]
async fn import_start(
    request: HttpRequest,
    Params(params): Params<ImportParams>,
    Change(mut call): Change,
    config: web::Data<ServerConfig>,
    patience: web::Data<Deadline>,
    inventory: web::Data<dyn Inventory>,
    body: web::Payload,
) -> ApiResult {
    let limit = config.import_max_bytes as usize;
    let format = format(&request, params.format)?;
    let told = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if told.is_some_and(|length: usize| length > limit) {
        return Err(too_large(limit).into());
    }
    let options = ImportOptions { format, dry_run: params.dry_run.unwrap_or(false), location: params.location };
    let key = idempotency_key(&request)?;
    let mut hash = Sha256::new_with_prefix(format!("POST imports {options:?}\0"));
    let import = inventory.import_begin(&call, options).await?;
    let started = match keep(&**inventory, import, body, Pace::new(patience.0), limit, &mut hash).await {
        Ok(()) => {
            call.key = Some(IdempotencyKey { key, request_hash: hash.finalize().to_vec() });
            inventory.import_start(&call, import).await.map_err(Problem::from)
        }
        Err(problem) => Err(problem),
    };
    if !started.as_ref().is_ok_and(|started| !started.replayed) {
        forget(&**inventory, import).await;
    }
    let started = started?;
    let job = &started.value;
    let mut response = answer(StatusCode::ACCEPTED, &started);
    // An id is plain ASCII.
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/jobs/{}", job.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn format(request: &HttpRequest, told: Option<BulkFormat>) -> Result<BulkFormat, Problem> {
    let refused = |detail| Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
    if request.headers().get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return refused("Send the file as it is, without a Content-Encoding.");
    }
    match (told, request.content_type()) {
        (Some(format), _) => Ok(format),
        (None, content_type) if content_type.eq_ignore_ascii_case(CSV) => Ok(BulkFormat::Csv),
        (None, content_type) if content_type.eq_ignore_ascii_case(JSONL) => Ok(BulkFormat::Jsonl),
        _ => refused("Send Content-Type: text/csv or application/x-ndjson, or say format=csv or format=jsonl."),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("An import has at most {limit} bytes: split the file."))
}

/// Keeps the body, piece by piece; adds it to the hash.
async fn keep(
    inventory: &dyn Inventory,
    import: Id,
    mut body: web::Payload,
    mut pace: Pace,
    limit: usize,
    hash: &mut Sha256,
) -> Result<(), Problem> {
    let mut input = ImportInput::new(inventory, import);
    while let Some(bytes) = pace.wait(body.next()).await? {
        let bytes = bytes.map_err(|error| {
            Problem::new(ErrorCode::BadRequest, format!("The body could not be read to its end: {error}"))
        })?;
        pace.came(bytes.len());
        if input.size() + bytes.len() > limit {
            return Err(too_large(limit));
        }
        hash.update(&bytes);
        input.add(&bytes).await?;
    }
    Ok(input.end().await?)
}

async fn forget(inventory: &dyn Inventory, import: Id) {
    // What cannot be forgotten now is forgotten by tidying.
    if let Err(error) = inventory.import_forget(import).await {
        tracing::warn!(%import, %error, "a refused import is kept for now");
    }
}

/// All jobs, newest first.
#[utoipa::path(
    tag = "bulk",
    params(JobQuery),
    responses((status = 200, body = Page<Job>), Errors),
    security(("token" = []))
)]
#[get("/jobs")]
async fn job_list(
    request: HttpRequest,
    Params(query): Params<JobQuery>,
    inventory: web::Data<dyn Inventory>,
) -> ApiResult {
    let jobs = inventory.job_list(query).await?;
    Ok(page(&request, &jobs, jobs.next_cursor.as_deref()))
}

/// A job: how far it is, or how it ended.
#[utoipa::path(
    tag = "bulk",
    params(("id" = Id, Path)),
    responses((status = 200, body = Job), Errors),
    security(("token" = []))
)]
#[get("/jobs/{id}")]
async fn job_get(id: web::Path<String>, _: Params<NoParams>, inventory: web::Data<dyn Inventory>) -> ApiResult {
    let job = inventory.job_get(path_id(&id)?).await?.ok_or_else(|| no_job(&id))?;
    Ok(HttpResponse::Ok().json(job))
}

fn no_job(id: &str) -> InventoryError {
    InventoryError::NotFound { what: "job", name: id.to_owned() }
}

/// What was wrong with which row, in the order of the file. At most 10,000 faults of a job are kept.
#[utoipa::path(
    tag = "bulk",
    params(("id" = Id, Path), JobQuery),
    responses((status = 200, body = Page<RowFault>), Errors),
    security(("token" = []))
)]
#[get("/jobs/{id}/faults")]
async fn job_faults(
    request: HttpRequest,
    id: web::Path<String>,
    Params(query): Params<JobQuery>,
    inventory: web::Data<dyn Inventory>,
) -> ApiResult {
    let faults = inventory.job_faults(path_id(&id)?, query).await?.ok_or_else(|| no_job(&id))?;
    Ok(page(&request, &faults, faults.next_cursor.as_deref()))
}

/// Stops a job that has not ended, after the batch that it is at. What it has imported stays.
#[utoipa::path(
    tag = "bulk",
    params(("id" = Id, Path)),
    responses((status = 200, body = Job), Errors),
    security(("token" = []))
)]
#[post("/jobs/{id}/cancel")]
async fn job_cancel(
    id: web::Path<String>,
    _: Params<NoParams>,
    Change(call): Change,
    inventory: web::Data<dyn Inventory>,
) -> ApiResult {
    let job = inventory.job_cancel(&call, path_id(&id)?).await?.ok_or_else(|| no_job(&id))?;
    Ok(HttpResponse::Ok().json(job))
}

/// All products in Shopify's product CSV, with what is on hand at the active location with the lowest priority number.
#[utoipa::path(
    tag = "bulk",
    responses((status = 200, body = String, content_type = "text/csv"), Errors),
    security(("token" = []))
)]
#[get("/exports/products.csv")]
async fn export_csv(_: Params<NoParams>, inventory: web::Data<dyn Inventory>) -> ApiResult {
    export(inventory, BulkFormat::Csv, "text/csv; charset=utf-8").await
}

/// All locations, categories and products with their stock, as JSONL.
#[utoipa::path(
    tag = "bulk",
    responses((status = 200, body = String, content_type = "application/x-ndjson"), Errors),
    security(("token" = []))
)]
#[get("/exports/products.jsonl")]
async fn export_jsonl(_: Params<NoParams>, inventory: web::Data<dyn Inventory>) -> ApiResult {
    export(inventory, BulkFormat::Jsonl, JSONL).await
}

/// The first piece is made before the answer begins, so that an error then is told as one; a later one breaks the answer off.
async fn export(inventory: web::Data<dyn Inventory>, format: BulkFormat, content_type: &str) -> ApiResult {
    let pieces = export_stream(inventory.into_inner(), format).await?;
    Ok(HttpResponse::Ok().content_type(content_type).streaming(pieces))
}
