//! The table of all errors a client can meet: a stable code, its HTTP status, and whether the same call may succeed later.
//!
//! Each module has one error enum; each of its variants names one code here; HTTP and internal calls know only the codes.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod fault;

pub use fault::Fault;
pub(crate) use fault::schema as fault_code;

macro_rules! error_codes {
    ($($variant:ident $code:literal $status:literal $retry:literal $title:literal;)*) => {
        /// A stable word for what went wrong. Clients may match on [`ErrorCode::code`]; it never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $($variant,)* }

        impl ErrorCode {
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The word, in snake_case.
            pub fn code(self) -> &'static str { match self { $(ErrorCode::$variant => $code,)* } }

            /// The HTTP status.
            pub fn status(self) -> u16 { match self { $(ErrorCode::$variant => $status,)* } }

            /// May the same call, sent again later, succeed without anybody changing anything?
            pub fn may_retry(self) -> bool { match self { $(ErrorCode::$variant => $retry,)* } }

            /// A short text for people, the same for each occurrence.
            pub fn title(self) -> &'static str { match self { $(ErrorCode::$variant => $title,)* } }
        }
    };
}

error_codes! {
    //  variant            code                          status retry  title
    BadRequest            "bad_request"                    400  false  "The request cannot be read";
    UnknownParameter      "unknown_parameter"              400  false  "A parameter is not known here";
    InvalidCursor         "invalid_cursor"                 400  false  "The cursor is not one of ours";
    IdempotencyKeyMissing "idempotency_key_missing"        400  false  "This call needs an Idempotency-Key header";
    Unauthenticated       "unauthenticated"                401  false  "Sign in first";
    WrongCredentials      "wrong_credentials"              401  false  "The address or the password is wrong";
    AccountDisabled       "account_disabled"               403  false  "This account is disabled";
    Forbidden             "forbidden"                      403  false  "You may not do this";
    FormOutdated          "form_outdated"                  403  false  "The form comes from an older page";
    NotFound              "not_found"                      404  false  "There is no such thing";
    Draining              "draining"                       404  true   "This process is stopping";
    MethodNotAllowed      "method_not_allowed"             405  false  "This address does not take this method";
    RequestTimeout        "request_timeout"                408  true   "The request came too slowly";
    Conflict              "conflict"                       409  false  "The request conflicts with what is there";
    AlreadyExists         "already_exists"                 409  false  "There is one already";
    OutOfStock            "out_of_stock"                   409  true   "There is not enough in stock";
    HolderLimit           "holder_limit"                   409  true   "This holder holds too many units";
    ReservationExpired    "reservation_expired"            409  false  "The reservation has expired and its goods are gone";
    WrongState            "wrong_state"                    409  false  "Its state does not allow this";
    CountMismatch         "count_mismatch"                 409  false  "The stock is not what was expected";
    StockPromised         "stock_promised"                 409  false  "These units are promised to reservations";
    IdempotencyKeyInUse   "idempotency_key_in_use"         409  true   "A call with this key is still running";
    VersionMismatch       "version_mismatch"               412  false  "It is not at the version that was named";
    PayloadTooLarge       "payload_too_large"              413  false  "The request is too large";
    UnsupportedMediaType  "unsupported_media_type"         415  false  "The content type is not taken here";
    Validation            "validation"                     422  false  "Some values are not allowed";
    IdempotencyKeyReused  "idempotency_key_reused"         422  false  "This key was used for another request";
    TokenInvalid          "token_invalid"                  422  false  "The token is wrong, used or too old";
    VersionRequired       "version_required"               428  false  "This call needs an If-Match header";
    TooManyRequests       "too_many_requests"              429  true   "Too many requests";
    HeadersTooLarge       "headers_too_large"              431  false  "The request headers are too large";
    Internal              "internal"                       500  false  "Something went wrong on our side";
    Busy                  "busy"                           503  true   "The shop is too busy right now";
    Unavailable           "unavailable"                    503  true   "A part of the shop cannot be reached right now";
    OutcomeUnknown        "outcome_unknown"                503  false  "Nobody knows yet whether it happened";
    Timeout               "timeout"                        503  true   "The request took too long and was given up";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One value that is not allowed, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the request's body, as `/lines/0/quantity`; for a query parameter, its name.
    pub pointer: String,
    #[schema(schema_with = fault_code)]
    pub code: String,
    /// What is wrong and what is allowed, in English.
    pub message: String,
    /// The numbers and words of the message, by their names.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    pub arguments: serde_json::Map<String, serde_json::Value>,
}

impl FieldError {
    /// A text is a fault without a code of its own.
    pub fn new(pointer: impl Into<String>, fault: impl Into<Fault>) -> Self {
        let fault = fault.into();
        let (code, message) = (fault.code().to_owned(), fault.to_string());
        FieldError { pointer: pointer.into(), code, message, arguments: fault.arguments() }
    }
}

/// What a caller is told of an error, in any form of transport: the body of RFC 9457 without what HTTP adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    pub code: ErrorCode,
    /// What happened in this case, for people.
    pub detail: String,
    /// The values that are not allowed, when that is what happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Members of this problem's own, as `lines` of `out_of_stock`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Seconds after which to try again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
}

impl Problem {
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Problem { code, detail: detail.into(), errors: vec![], extra: Default::default(), retry_after_seconds: None }
    }

    pub fn validation(errors: Vec<FieldError>) -> Self {
        Problem { errors, ..Problem::new(ErrorCode::Validation, "Some values are not allowed; see errors.") }
    }

    /// What stands in the way of a change; `reason` is its code.
    pub fn conflict(fault: &Fault) -> Self {
        let problem = Problem::new(ErrorCode::Conflict, fault.to_string()).with("reason", fault.code());
        match fault.arguments() {
            none if none.is_empty() => problem,
            arguments => problem.with("arguments", arguments),
        }
    }

    pub fn with(mut self, member: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(serde_json::Value::Null);
        self.extra.insert(member.to_owned(), value);
        self
    }

    /// Too much is asked for now. When to come back is not the same for all, so that they do not come back together.
    pub fn busy(detail: impl Into<String>) -> Self {
        Problem::new(ErrorCode::Busy, detail).retry_after(rand::random_range(1..=3))
    }

    /// A change may have been made, or not.
    pub fn outcome_unknown() -> Self {
        let detail = "It may have happened: send it again with the same Idempotency-Key, or look before you repeat it.";
        Problem::new(ErrorCode::OutcomeUnknown, detail).retry_after(1)
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }
}

/// The JSON Pointer of the place where serde stopped.
pub fn json_pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("/{index}")),
            Segment::Map { key } => text.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// The causes of an error, outermost first, on one line: for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
