//! What is different for requests of browsers: pages instead of JSON, cookies instead of tokens, and headers that keep other sites out.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::call::Caller;
use crate::config::ServerConfig;
use crate::http::ProblemBody;

/// Is this path one of the site's, and not one of the API's or of the health checks?
pub fn is_page(path: &str) -> bool {
    !path.starts_with("/api/") && !matches!(path, "/livez" | "/readyz" | "/openapi.json")
}

/// Is this path a file that is the same for everybody?
pub fn is_file(path: &str) -> bool {
    path.starts_with("/static/") || path.starts_with("/demo/")
}

/// Did a page of this shop send the request? Browsers say so in `Sec-Fetch-Site` (W3C Fetch Metadata); those that do not send
/// `Origin` with every form. Who says neither is no browser, and should use the API.
pub fn is_own(request: &HttpRequest, public_url: &str) -> bool {
    let value = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match (value("sec-fetch-site"), value("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            origin == public_url || (host.is_some() && host == value("host"))
        }
        (None, None) => false,
    }
}

/// How an error is shown to a person.
pub enum Shown {
    /// As this page.
    Page(String),
    /// By sending the browser elsewhere: to the page for logging in.
    Elsewhere(String),
}

/// Shows an error to a person; left with the server by what makes pages.
pub type Show = dyn Fn(&Asked, &ProblemBody) -> Shown + Send + Sync;

/// The request that failed.
pub struct Asked {
    pub is_read: bool,
    /// With its query.
    pub address: String,
    /// Who asks, where that was found out.
    pub caller: Option<Caller>,
}

/// Headers of every page (OWASP HTTP Headers Cheat Sheet); and of what is not a page those of OWASP's REST Security Cheat Sheet.
#[derive(Clone)]
pub struct SecureHeaders {
    page: Vec<(HeaderName, HeaderValue)>,
    hsts: bool,
}

/// Pages with a secret in their address: what they lead to, in this shop too, is told the host alone.
const HAVE_TOKENS: [&str; 3] = ["/reset", "/verify", "/setup"];

/// Swagger UI writes styles into its elements.
const DOCS_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

impl SecureHeaders {
    pub fn of(config: &ServerConfig) -> Self {
        let secure = config.public_url.starts_with("https://");
        // Pictures of products may be anywhere; nothing else may.
        let pictures = if secure { "https:" } else { "https: http:" };
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {pictures}; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
        );
        let headers = [
            ("content-security-policy", &*policy),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("origin-agent-cluster", "?1"),
            ("permissions-policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
            ("x-permitted-cross-domain-policies", "none"),
        ];
        let header = |(name, value): (&'static str, &str)| {
            HeaderValue::from_str(value).ok().map(|value| (HeaderName::from_static(name), value))
        };
        SecureHeaders { page: headers.into_iter().filter_map(header).collect(), hsts: secure }
    }

    /// How clients reach the shop: `http` or `https`, which the process itself does not see behind a balancer.
    pub fn scheme(&self) -> &'static str {
        if self.hsts { "https" } else { "http" }
    }

    pub fn add(&self, path: &str, headers: &mut HeaderMap) {
        if is_page(path) {
            for (name, value) in &self.page {
                headers.insert(name.clone(), value.clone());
            }
            // Not no-referrer: a form of such a page names no origin, and browsers without Fetch Metadata could not send it.
            if HAVE_TOKENS.contains(&path) {
                headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
            }
        } else {
            let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        if path == "/docs" || path.starts_with("/docs/") {
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
        }
        if self.hsts {
            // Without includeSubDomains: what else runs below this name is not the shop's to decide.
            let value = HeaderValue::from_static("max-age=31536000");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
    }
}
