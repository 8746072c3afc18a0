//! The outermost layer: gives each request its id, its deadline, one line in the log and its place in the metrics,
//! and writes every error as a problem (RFC 9457).

use std::borrow::Cow;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpResponse};
use metrics::Label;
use tracing::Instrument;
use uuid::Uuid;

use super::browser::{Asked, SecureHeaders, Show, Shown, is_file, is_page};
use super::health::{Phase, Readiness};
use super::traffic::Traffic;
use super::unread::Rest;
use super::{ApiError, ProblemBody, routed_path, routed_pattern};
use crate::error::{ErrorCode, Problem};

/// An upload takes as long as its line is slow: here the route itself sees to it that it goes on ([`super::pace`]).
const UPLOADS: [&str; 2] = ["/api/v1/imports", "/admin/imports"];

/// How long a request may take before it is answered with 503; and for how long an upload may stand still.
#[derive(Clone, Copy)]
pub struct Deadline(pub Duration);

/// Under which a request is counted.
pub(super) struct Kind {
    method: &'static str,
    /// The route's pattern. Paths that match none share one label: a scan of random paths must not fill the metrics.
    route: Cow<'static, str>,
    scheme: &'static str,
}

impl Kind {
    fn of(request: &ServiceRequest) -> Kind {
        Kind::on(request, routed_pattern(request).map_or(Cow::Borrowed("unmatched"), Cow::Owned))
    }

    /// Of a request whose route is not looked for.
    pub(super) fn refused(request: &ServiceRequest) -> Kind {
        Kind::on(request, Cow::Borrowed("refused"))
    }

    fn on(request: &ServiceRequest, route: Cow<'static, str>) -> Kind {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = METHODS.into_iter().find(|method| *method == request.method().as_str());
        Kind {
            method: method.unwrap_or("_OTHER"),
            route,
            scheme: request.app_data::<Data<SecureHeaders>>().map_or("http", |secure| secure.scheme()),
        }
    }

    pub(super) fn count(&self, status: StatusCode, error: Option<ErrorCode>, took: Duration) {
        let mut labels = vec![
            Label::from_static_parts("http_request_method", self.method),
            Label::new("http_route", self.route.clone()),
            Label::new("http_response_status_code", status.as_u16().to_string()),
            Label::from_static_parts("url_scheme", self.scheme),
        ];
        if let Some(code) = error.filter(|_| status.is_server_error()) {
            labels.push(Label::from_static_parts("error_type", code.code()));
        }
        metrics::histogram!("http_server_request_duration_seconds", labels).record(took.as_secs_f64());
    }
}

/// What is known of a request before it is given away.
struct Seen {
    kind: Kind,
    is_safe: bool,
    path: String,
    /// By which the route is found: the path without percent-encoding.
    routed: String,
    /// For people, in a browser that asked for a page.
    asked: Option<Asked>,
    show: Option<Data<Show>>,
    secure: Option<Data<SecureHeaders>>,
    /// Where it is counted; health checks and files are not.
    traffic: Option<Data<Traffic>>,
    readiness: Option<Data<Readiness>>,
    id: String,
    trace: String,
    start: Instant,
}

impl Seen {
    fn of(request: &ServiceRequest) -> Seen {
        let is_counted = !matches!(routed_path(request), "/livez" | "/readyz") && !is_file(routed_path(request));
        Seen {
            kind: Kind::of(request),
            is_safe: request.method().is_safe(),
            path: request.path().to_owned(),
            routed: routed_path(request).to_owned(),
            asked: asked(request),
            show: request.app_data::<Data<Show>>().cloned(),
            secure: request.app_data::<Data<SecureHeaders>>().cloned(),
            traffic: request.app_data::<Data<Traffic>>().filter(|_| is_counted).cloned(),
            readiness: request.app_data::<Data<Readiness>>().cloned(),
            id: request_id(request.headers()),
            trace: trace_id(request.headers()),
            start: Instant::now(),
        }
    }
}

impl Seen {
    /// A process that stops keeps no connection for another request.
    fn part(&self, head: &mut ResponseHead) {
        if self.readiness.as_ref().is_some_and(|readiness| readiness.phase() == Phase::Draining) {
            head.set_connection_type(ConnectionType::Close);
        }
    }
}

/// Does a browser ask for a page?
pub(super) fn asks_for_page(request: &ServiceRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    is_page(routed_path(request)) && accept.is_some_and(|accept| accept.contains("text/html"))
}

fn asked(request: &ServiceRequest) -> Option<Asked> {
    asks_for_page(request).then(|| Asked {
        is_read: request.method().is_safe(),
        address: address(request),
        caller: None,
    })
}

fn address(request: &ServiceRequest) -> String {
    request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// Left with an answer of 4xx whose handler wrote its page itself, as a form with its faults.
pub struct Written;

/// The middleware.
pub async fn observe<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let mut seen = Seen::of(&request);
    // What answers GET answers HEAD (RFC 9110 §9.3.2); the server sends no body then, since it read the method itself.
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let deadline = request.app_data::<Data<Deadline>>().map_or(Duration::from_secs(30), |deadline| deadline.0);
    let rest = Rest::of(&mut request);
    let span = tracing::error_span!("request", request_id = %seen.id, trace_id = %seen.trace);

    let call = next.call(request).instrument(span.clone());
    let outcome = match seen.kind.method == "POST" && UPLOADS.contains(&&*seen.kind.route) {
        true => Ok(call.await),
        false => tokio::time::timeout(deadline, call).await,
    };
    let _inside = span.enter();
    let error = match outcome {
        Ok(Ok(response)) => {
            if let Some(asked) = &mut seen.asked {
                asked.caller = response.request().extensions().get().cloned();
            }
            let response = finish(response, &seen);
            return Ok(match rest {
                Some(rest) => response.map_body(|_, body| EitherBody::right(rest.held_by(body))),
                None => response,
            });
        }
        Ok(Err(error)) => error,
        Err(_) => ApiError(given_up(&seen)).into(),
    };
    // A layer gave up before there was an answer, and the request is gone: its answer travels as an error.
    let mut response = problem_response(error.error_response(), &seen);
    add_headers(response.headers_mut(), &seen);
    seen.part(response.head_mut());
    record(&seen, &response, "unknown");
    if let Some(rest) = rest {
        response = response.map_body(|_, body| rest.held_by(body));
    }
    Err(InternalError::from_response(error, response).into())
}

fn finish<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    seen: &Seen,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let user = super::actor(&response.request().extensions());
    let written = response.response().extensions().contains::<Written>();
    let mut response = if (status.is_client_error() || status.is_server_error()) && !written {
        let (request, response) = response.into_parts();
        ServiceResponse::new(request, problem_response(response, seen)).map_into_right_body()
    } else {
        response.map_into_left_body()
    };
    add_headers(response.headers_mut(), seen);
    seen.part(response.response_mut().head_mut());
    record(seen, response.response(), &user);
    response
}

/// An error's answer gets its body here: from the problem that a handler left, or, for what actix refused, from the status.
fn problem_response<B: MessageBody>(response: HttpResponse<B>, seen: &Seen) -> HttpResponse {
    let problem = response.extensions().get::<Problem>().cloned().unwrap_or_else(|| {
        if response.status().is_server_error() {
            tracing::error!(status = %response.status(), error = ?response.error(), "unexpected error");
        }
        problem_of_status(response.status())
    });
    let mut answer = HttpResponse::build(StatusCode::from_u16(problem.code.status()).unwrap_or(response.status()));
    let of_body = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING];
    let describes_body = |name: &HeaderName| of_body.contains(name);
    for (name, value) in response.headers().iter().filter(|(name, _)| !describes_body(name)) {
        answer.append_header((name.clone(), value.clone()));
    }
    if let Some(seconds) = problem.retry_after_seconds {
        answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
    }
    if problem.code == ErrorCode::RequestTimeout {
        answer.force_close();
    }
    if problem.code.status() == 401 && seen.asked.is_none() {
        answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    answer.extensions_mut().insert(problem.code);
    let body = ProblemBody::of(problem, &seen.path, &seen.id);
    if let (Some(asked), Some(show)) = (&seen.asked, &seen.show) {
        return match show(asked, &body) {
            Shown::Page(page) => answer.content_type("text/html; charset=utf-8").body(page),
            Shown::Elsewhere(address) => {
                answer.status(StatusCode::SEE_OTHER).insert_header((header::LOCATION, address)).finish()
            }
        };
    }
    // The body is plain data with text keys, which always serialises.
    answer.content_type("application/problem+json").body(serde_json::to_vec(&body).unwrap_or_default())
}

/// Of a request that took too long.
fn given_up(seen: &Seen) -> Problem {
    match seen.is_safe {
        true => Problem::new(ErrorCode::Timeout, "Try again shortly.").retry_after(1),
        false => Problem::outcome_unknown(),
    }
}

fn problem_of_status(status: StatusCode) -> Problem {
    let (code, detail) = match status.as_u16() {
        404 => (ErrorCode::NotFound, "There is nothing at this address."),
        405 => (ErrorCode::MethodNotAllowed, "See the Allow header and /docs."),
        413 => (ErrorCode::PayloadTooLarge, "Send less at a time."),
        415 => (ErrorCode::UnsupportedMediaType, "See /docs for what this address takes."),
        431 => (ErrorCode::HeadersTooLarge, "Send fewer or shorter headers."),
        400..=499 => (ErrorCode::BadRequest, "The request cannot be read."),
        503 => (ErrorCode::Unavailable, "Try again shortly."),
        _ => (ErrorCode::Internal, "The error has been logged with this request's id."),
    };
    Problem::new(code, detail)
}

/// The id under which the request stands in the log: the client's `X-Request-Id` where it is a sensible one, a new UUID otherwise.
pub(super) fn request_id(headers: &HeaderMap) -> String {
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

fn add_headers(headers: &mut HeaderMap, seen: &Seen) {
    let span = &Uuid::new_v4().simple().to_string()[..16];
    let trace = format!("00-{}-{span}-01", seen.trace);
    for (name, value) in [("x-request-id", &*seen.id), ("traceparent", &*trace), ("x-content-type-options", "nosniff")]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(secure) = &seen.secure {
        secure.add(&seen.routed, headers);
    }
    // Who asks decides what is answered: a cache may not give one caller's answer to another.
    let depends =
        !is_file(&seen.routed) && [header::ETAG, header::CACHE_CONTROL].iter().any(|name| headers.contains_key(name));
    if depends {
        let by = if is_page(&seen.routed) { "cookie" } else { "authorization" };
        headers.append(header::VARY, HeaderValue::from_static(by));
    }
    // What nobody marked as fit for a cache may be personal.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn record<B>(seen: &Seen, response: &HttpResponse<B>, user: &str) {
    let (status, took) = (response.status().as_u16(), seen.start.elapsed());
    if let Some(traffic) = &seen.traffic {
        traffic.record(status, took);
    }
    seen.kind.count(response.status(), response.extensions().get().copied(), took);
    let (method, route, ms) = (seen.kind.method, &seen.kind.route, took.as_secs_f64() * 1_000.0);
    const LOG: &str = "emporium::access";
    // A balancer asks each second, several times.
    match matches!(&*seen.routed, "/livez" | "/readyz") {
        true => tracing::debug!(target: LOG, %method, %route, status, ms, user, "{method} {route} {status}"),
        false => tracing::info!(target: LOG, %method, %route, status, ms, user, "{method} {route} {status}"),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_error_loses_what_was_said_of_the_body_that_it_replaces() {
        let request = TestRequest::get().uri("/somewhere").to_srv_request();
        let refused = HttpResponse::InternalServerError()
            .insert_header((header::CONTENT_ENCODING, "gzip"))
            .insert_header((header::CONTENT_TYPE, "text/plain"))
            .insert_header((header::ALLOW, "GET"))
            .body("something");
        let answer = problem_response(refused, &Seen::of(&request));
        assert!(!answer.headers().contains_key(header::CONTENT_ENCODING));
        let value = |name| answer.headers().get(name).map(HeaderValue::as_bytes);
        assert_eq!(value(header::CONTENT_TYPE), Some(&b"application/problem+json"[..]));
        assert_eq!(value(header::ALLOW), Some(&b"GET"[..]));
    }
}
