//! What all public routes share: reading requests strictly, telling errors by RFC 9457, versions and keys.

use std::fmt;

use actix_web::dev::{Extensions, Payload, ServiceRequest};
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use futures_util::future::{LocalBoxFuture, Ready, ready};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoResponses, ToSchema};

use crate::call::{Answer, Call, Caller, IdempotencyKey, Version, Versioned};
use crate::error::{ErrorCode, Fault, FieldError, Problem, json_pointer};

pub mod browser;
pub mod cookie;
pub mod gate;
pub mod health;
pub mod observe;
pub mod pace;
mod priority;
mod rate;
pub mod shed;
mod strict;
pub mod traffic;
mod unread;

/// The path by which a request finds its route: percent-decoded. What is decided before the route is reached must be decided by this
/// one: `/%61dmin` leads where `/admin` does.
pub fn routed_path(request: &ServiceRequest) -> &str {
    request.match_info().as_str()
}

/// The pattern of the route that the request will reach; `None` where there is none.
pub fn routed_pattern(request: &ServiceRequest) -> Option<String> {
    #[derive(Clone)]
    struct Found(Option<String>);
    // Two layers ask, and to look through all routes is not cheap.
    let found = request.extensions().get::<Found>().cloned();
    let Found(pattern) = found.unwrap_or_else(|| {
        let found = Found(request.resource_map().match_pattern(routed_path(request)));
        request.extensions_mut().insert(found.clone());
        found
    });
    pattern
}

/// What a handler gives when it fails. The answer's body is written by [`observe`], which knows the request.
#[derive(Debug)]
pub struct ApiError(pub Problem);

pub type ApiResult<T = HttpResponse> = Result<T, ApiError>;

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        ApiError(problem)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(self.0.clone());
        response
    }
}

/// The body of every error (RFC 9457, `application/problem+json`).
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `urn:emporium:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What happened in this case.
    pub detail: String,
    /// The path that was asked for.
    pub instance: String,
    /// A stable word; clients may match on it.
    #[schema(value_type = ErrorCode)]
    pub code: String,
    /// The values that are not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Under this id the request stands in the shop's log, unless it was turned away (`busy`): of those only the number is told.
    pub request_id: String,
    #[serde(flatten)]
    #[schema(additional_properties)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

impl ProblemBody {
    /// The body of a problem with the request for `path`, under whose `id` it stands in the log.
    fn of(problem: Problem, path: &str, id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:emporium:problem:{}", problem.code),
            title: problem.code.title().to_owned(),
            status: problem.code.status(),
            detail: problem.detail,
            instance: path.to_owned(),
            code: problem.code.code().to_owned(),
            errors: problem.errors,
            request_id: id.to_owned(),
            extra: problem.extra,
        }
    }
}

/// The answers that any route may give beside its own.
#[derive(IntoResponses)]
pub enum Errors {
    #[response(status = 400, description = "The request cannot be read", content_type = "application/problem+json")]
    BadRequest(ProblemBody),
    #[response(status = 401, description = "Sign in first", content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    #[response(status = 403, description = "Not allowed for this caller", content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    #[response(status = 404, description = "There is no such thing", content_type = "application/problem+json")]
    NotFound(ProblemBody),
    #[response(status = 409, description = "Conflicts with what is there", content_type = "application/problem+json")]
    Conflict(ProblemBody),
    #[response(status = 412, description = "Changed by somebody else", content_type = "application/problem+json")]
    VersionMismatch(ProblemBody),
    #[response(status = 413, description = "Too large", content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    #[response(status = 415, description = "Content type not taken", content_type = "application/problem+json")]
    MediaType(ProblemBody),
    #[response(status = 422, description = "Some values are not allowed", content_type = "application/problem+json")]
    Validation(ProblemBody),
    #[response(status = 428, description = "If-Match is missing", content_type = "application/problem+json")]
    VersionRequired(ProblemBody),
    #[response(status = 429, description = "Too many requests", content_type = "application/problem+json")]
    TooManyRequests(ProblemBody),
    #[response(status = 503, description = "Too busy; see Retry-After", content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Who answers for a request: the caller whom the gate left with it.
fn actor(extensions: &Extensions) -> String {
    extensions.get::<Caller>().unwrap_or(&Caller::Anonymous).actor()
}

/// Who answers for a request, and from where it came.
fn call(extensions: &Extensions) -> Call {
    Call::by(actor(extensions)).from(gate::ClientAddress::text(extensions))
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Anonymous)))
    }
}

/// A JSON body. Wrong JSON is 400; JSON of the wrong form is 422 and points at the value.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let bytes = body_bytes(&request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            Ok(Body(json_body(&request, &bytes)?))
        })
    }
}

/// The raw body, within the limit for JSON bodies.
pub fn body_bytes(request: &HttpRequest, payload: &mut Payload) -> LocalBoxFuture<'static, ApiResult<web::Bytes>> {
    let bytes = web::Bytes::from_request(request, payload);
    Box::pin(async move {
        bytes.await.map_err(|error| {
            let code = match error.as_response_error().status_code() {
                StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::PayloadTooLarge,
                _ => ErrorCode::BadRequest,
            };
            ApiError(Problem::new(code, error.to_string()))
        })
    })
}

fn json_body<T: DeserializeOwned>(request: &HttpRequest, bytes: &[u8]) -> Result<T, Problem> {
    if !request.content_type().eq_ignore_ascii_case("application/json") {
        let detail = "This address takes JSON: send Content-Type: application/json.";
        return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
    }
    read_json(bytes)
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(strict::Strict(&mut reader)).map_err(|error| {
        let inner = error.inner();
        if inner.classify() != serde_json::error::Category::Data {
            return Problem::new(ErrorCode::BadRequest, format!("The body is not valid JSON: {inner}"));
        }
        let text = inner.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        let pointer = json_pointer(error.path());
        Problem::validation(vec![match missing(message) {
            Some(field) => FieldError::new(format!("{pointer}/{field}"), Fault::Missing),
            None => FieldError::new(pointer, plain(message)),
        }])
    })?;
    reader
        .end()
        .map_err(|error| Problem::new(ErrorCode::BadRequest, format!("The body is not valid JSON: {error}")))?;
    Ok(value)
}

/// What a library says of a value, in words for those who do not know Rust.
fn plain(message: &str) -> Fault {
    const WORDS: &[(&str, &str)] = &[
        ("invalid digit found in string", "must be a whole number"),
        ("number too large to fit in target type", "is too large"),
        ("provided string was not `true` or `false`", "must be true or false"),
        ("expected a string", "expected a text"),
        ("expected i64", "expected a whole number"),
        ("expected u64", "expected a whole number of 0 or more"),
        ("expected u32", "expected a whole number of 0 or more"),
        ("expected struct ", "expected an object: "),
        (", expected a sequence", ", expected a list"),
    ];
    if message.starts_with("UUID parsing failed") {
        return Fault::Malformed { words: "is not an id: ids are UUIDs".to_owned() };
    }
    let words = WORDS.iter().fold(message.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
    Fault::Malformed { words }
}

/// The field that is missing, when that is what a library says.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// The query's parameters. T denies unknown fields, so that a mistyped filter is told and not ignored.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let query = url::form_urlencoded::parse(request.query_string().as_bytes());
        let read = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(query));
        ready(read.map(Params).map_err(|error| {
            let (name, text) = (error.path().to_string(), error.inner().to_string());
            let problem = match text.contains("unknown field") {
                true => Problem::new(ErrorCode::UnknownParameter, format!("The query is wrong: {text}")),
                false => Problem::validation(vec![match missing(&text) {
                    Some(name) => FieldError::new(name, Fault::Missing),
                    None => FieldError::new(name.trim_matches('.'), plain(&text)),
                }]),
            };
            problem.into()
        }))
    }
}

/// For routes that take no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// A segment of the path: an id, a code, a handle. One that cannot be read names nothing, so it is 404.
pub fn path_id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(ErrorCode::NotFound, format!("There is nothing with the id {text:?}.")))
}

/// What goes with a change that the client may repeat at will: who asked, and from where.
pub struct Change(pub Call);

impl FromRequest for Change {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Change(call(&request.extensions()))))
    }
}

/// A JSON body and the `Idempotency-Key` that must come with it, for calls that change stock.
/// The key: 1 to 255 visible ASCII characters (draft-ietf-httpapi-idempotency-key-header-07).
pub struct Keyed<T> {
    pub call: Call,
    pub body: T,
}

impl<T: DeserializeOwned + 'static> FromRequest for Keyed<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let bytes = body_bytes(&request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            let key = Some(request_key(&request, &bytes)?);
            // A call without parameters may come without a body.
            let body = if bytes.is_empty() { read_json(b"{}")? } else { json_body(&request, &bytes)? };
            Ok(Keyed { call: Call { key, ..call(&request.extensions()) }, body })
        })
    }
}

/// A JSON body, and the `Idempotency-Key` where the client sends one, for calls that make something: repeated with the key, such a
/// call makes it once.
pub struct MaybeKeyed<T> {
    pub call: Call,
    pub body: T,
}

impl<T: DeserializeOwned + 'static> FromRequest for MaybeKeyed<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let bytes = body_bytes(&request, payload);
        Box::pin(async move {
            let bytes = bytes.await?;
            let has_key = request.headers().contains_key(IDEMPOTENCY_KEY);
            let key = has_key.then(|| request_key(&request, &bytes)).transpose()?;
            let body = json_body(&request, &bytes)?;
            Ok(MaybeKeyed { call: Call { key, ..call(&request.extensions()) }, body })
        })
    }
}

/// The key that comes with a request, and what it stands for.
fn request_key(request: &HttpRequest, body: &[u8]) -> Result<IdempotencyKey, Problem> {
    let key = idempotency_key(request)?;
    let mut hash = Sha256::new();
    hash.update(request.method().as_str());
    hash.update([0]);
    hash.update(request.path());
    hash.update([0]);
    hash.update(body);
    Ok(IdempotencyKey { key, request_hash: hash.finalize().to_vec() })
}

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The `Idempotency-Key` that must come with a call.
pub fn idempotency_key(request: &HttpRequest) -> Result<String, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else {
        let detail = "Send an Idempotency-Key header, for example a new UUID; repeat it when you repeat the call.";
        return Err(Problem::new(ErrorCode::IdempotencyKeyMissing, detail));
    };
    let key = value.to_str().unwrap_or_default().trim_matches('"');
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = "Idempotency-Key must be 1 to 255 visible ASCII characters.";
        return Err(Problem::new(ErrorCode::BadRequest, detail));
    }
    Ok(key.to_owned())
}

/// Answers a keyed call; a repetition carries `Idempotent-Replayed: true`.
pub fn answer<T: Serialize>(status: StatusCode, answer: &Answer<T>) -> HttpResponse {
    let mut response = HttpResponse::build(status).json(&answer.value);
    mark_replayed(&mut response, answer.replayed);
    response
}

/// Says of an answer that it is the first one again, if it is.
pub fn mark_replayed(response: &mut HttpResponse, replayed: bool) {
    if replayed {
        let name = header::HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, header::HeaderValue::from_static("true"));
    }
}

/// Answers with a thing and its strong ETag; 304 when the client has it (`If-None-Match`). The tag names the thing too, so that no
/// other one that got its handle or code meanwhile is taken for it.
pub fn versioned<T: Serialize + Versioned>(request: &HttpRequest, status: StatusCode, value: &T) -> HttpResponse {
    let tag = format!("\"{}\"", value.version());
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_read = matches!(*request.method(), actix_web::http::Method::GET | actix_web::http::Method::HEAD);
    if is_read && known.is_some_and(|known| known == "*" || known.split(',').any(|known| weak(known) == tag)) {
        return HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish();
    }
    HttpResponse::build(status).insert_header((header::ETAG, tag)).json(value)
}

/// If-None-Match compares weakly (RFC 9110 §13.1.2), and a compressing proxy may have weakened our tag.
fn weak(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

/// The thing and the version of it that the client changes (`If-Match`): none is 428, anything but one of our tags is 412. `*` is
/// any version of whatever is there.
pub fn expected_version(request: &HttpRequest) -> Result<Option<Version>, Problem> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        let detail = "Send If-Match with the ETag of what you change, so that nobody else's change is lost.";
        return Err(Problem::new(ErrorCode::VersionRequired, detail));
    };
    let value = value.to_str().unwrap_or_default().trim();
    if value == "*" {
        return Ok(None);
    }
    let version = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(Version::read);
    version.map(Some).ok_or_else(|| Problem::new(ErrorCode::VersionMismatch, "If-Match is not an ETag of this thing."))
}

/// Answers with a page, and says in `Link` (RFC 8288) where the next one is.
pub fn page<T: Serialize>(request: &HttpRequest, page: &T, next_cursor: Option<&str>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(cursor) = next_cursor {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            if key != "cursor" {
                query.append_pair(&key, &value);
            }
        }
        let query = query.append_pair("cursor", cursor).finish();
        response.insert_header((header::LINK, format!("<{}?{query}>; rel=\"next\"", request.path())));
    }
    response.json(page)
}
