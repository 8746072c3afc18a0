//! The outermost layer: gives each request its id, its deadline, one line in the log and its place in the metrics,
//! and writes every error as a problem (RFC 9457).

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tracing::Instrument;
use uuid::Uuid;

use super::{ApiError, ProblemBody};
use crate::call::Caller;
use crate::error::{ErrorCode, Problem};

/// How long a request may take before it is answered with 503.
#[derive(Clone, Copy)]
pub struct Deadline(pub Duration);

/// The id under which a request stands in the log: the client's `X-Request-Id` where it is a sensible one, a new UUID otherwise.
#[derive(Clone)]
pub struct RequestId(pub String);

/// The middleware.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let start = Instant::now();
    let id = request_id(request.headers());
    let trace = trace_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let deadline = request.app_data::<web::Data<Deadline>>().map_or(Duration::from_secs(30), |deadline| deadline.0);
    let http_request = request.request().clone();
    let span = tracing::info_span!("request", request_id = %id, trace_id = %trace);

    let outcome = tokio::time::timeout(deadline, next.call(request)).instrument(span.clone()).await;
    let response = match outcome {
        Ok(Ok(response)) => response.map_into_left_body(),
        Ok(Err(error)) => {
            ServiceResponse::new(http_request.clone(), HttpResponse::from_error(error)).map_into_right_body()
        }
        Err(_) => {
            let problem =
                Problem::new(ErrorCode::Timeout, "It may have happened nevertheless: ask before you repeat it.");
            let response = HttpResponse::from_error(ApiError(problem.retry_after(1)));
            ServiceResponse::new(http_request.clone(), response).map_into_right_body()
        }
    };
    let mut response = span.in_scope(|| write_problem(response, &id));
    add_headers(response.headers_mut(), &id, &trace);
    record(&http_request, response.status(), start.elapsed(), &id, &trace);
    Ok(response)
}

/// An error's answer gets its body here: from the problem that a handler left, or, for what actix refused, from the status.
fn write_problem<B: MessageBody + 'static>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
    id: &str,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "application/problem+json");
    let problem = response.response().extensions().get::<Problem>().cloned();
    if is_problem {
        return response;
    }
    let problem = problem.unwrap_or_else(|| {
        if status.is_server_error() {
            tracing::error!(%status, error = ?response.response().error(), "unexpected error");
        }
        problem_of_status(status)
    });
    let path = response.request().path().to_owned();
    let old_headers = response.headers().clone();
    let mut answer = HttpResponse::build(StatusCode::from_u16(problem.code.status()).unwrap_or(status));
    for (name, value) in
        old_headers.iter().filter(|(name, _)| *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH)
    {
        answer.append_header((name.clone(), value.clone()));
    }
    if let Some(seconds) = problem.retry_after_seconds {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if problem.code.status() == 401 {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    let body = ProblemBody {
        kind: format!("urn:emporium:problem:{}", problem.code),
        title: problem.code.title().to_owned(),
        status: problem.code.status(),
        detail: problem.detail,
        instance: path,
        code: problem.code.code().to_owned(),
        errors: problem.errors,
        request_id: id.to_owned(),
        extra: problem.extra,
    };
    let json = serde_json::to_vec(&body).unwrap_or_default();
    let answer = answer.content_type("application/problem+json").body(json);
    ServiceResponse::new(response.into_parts().0, answer).map_into_right_body()
}

fn problem_of_status(status: StatusCode) -> Problem {
    let (code, detail) = match status.as_u16() {
        404 => (ErrorCode::NotFound, "There is nothing at this address."),
        405 => (ErrorCode::MethodNotAllowed, "See the Allow header and /docs."),
        413 => (ErrorCode::PayloadTooLarge, "Send less at a time."),
        415 => (ErrorCode::UnsupportedMediaType, "See /docs for what this address takes."),
        431 => (ErrorCode::HeadersTooLarge, "Send fewer or shorter headers."),
        400..=499 => (ErrorCode::BadRequest, "The request cannot be read."),
        _ => (ErrorCode::Internal, "The error has been logged with this request's id."),
    };
    Problem::new(code, detail)
}

fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    let good = |text: &&str| {
        (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    given.filter(good).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// The trace's id from a valid `traceparent` (W3C Trace Context), a new one otherwise.
fn trace_id(headers: &HeaderMap) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let id = given.and_then(|text| {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        let valid = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
        (valid && trace.bytes().any(|byte| byte != b'0') && parent.bytes().any(|byte| byte != b'0'))
            .then(|| trace.to_owned())
    });
    id.unwrap_or_else(|| Uuid::new_v4().simple().to_string())
}

fn add_headers(headers: &mut HeaderMap, id: &str, trace: &str) {
    let span = &Uuid::new_v4().simple().to_string()[..16];
    let trace = format!("00-{trace}-{span}-01");
    for (name, value) in [("x-request-id", id), ("traceparent", &trace), ("x-content-type-options", "nosniff")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    // What nobody marked as fit for a cache may be personal.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn record(request: &HttpRequest, status: StatusCode, took: Duration, id: &str, trace: &str) {
    // Paths that match no route share one label: a scan of random paths must not fill the metrics.
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known.to_owned(),
        _ => "_OTHER".to_owned(),
    };
    let user = request.extensions().get::<Caller>().map_or_else(|| Caller::Anonymous.actor(), Caller::actor);
    let labels = [("method", method.clone()), ("route", route.clone()), ("status", status.as_u16().to_string())];
    metrics::histogram!("http_server_request_duration_seconds", &labels).record(took.as_secs_f64());
    tracing::info!(
        target: "emporium::access",
        %method, %route, status = status.as_u16(), ms = took.as_secs_f64() * 1_000.0,
        request_id = id, trace_id = trace, %user, "{method} {route} {}", status.as_u16()
    );
}
