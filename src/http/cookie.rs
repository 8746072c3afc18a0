//! The cookies of pages: only for this host, never shown to scripts, never sent with another site's forms.
//!
//! Where the public address is HTTPS they carry the prefix `__Host-` (RFC 6265bis §4.1.3.2), which browsers grant to a secure
//! connection alone. A shop at a plain HTTP address, as on one's own machine, does without both.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::config::ServerConfig;

/// Holds a session's token.
pub const SESSION: &str = "session";

/// How this shop names and marks its cookies.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    secure: bool,
}

impl Cookies {
    pub fn of(config: &ServerConfig) -> Self {
        Cookies { secure: config.public_url.starts_with("https://") }
    }

    fn name(self, name: &str) -> String {
        if self.secure { format!("__Host-{name}") } else { name.to_owned() }
    }

    pub fn read(self, request: &HttpRequest, name: &str) -> Option<String> {
        request.cookie(&self.name(name)).map(|cookie| cookie.value().to_owned())
    }

    /// A cookie that lives for so many seconds.
    pub fn set(self, name: &str, value: impl Into<String>, seconds: i64) -> Cookie<'static> {
        Cookie::build(self.name(name), value.into())
            .path("/")
            .secure(self.secure)
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(Duration::seconds(seconds))
            .finish()
    }

    /// What makes a browser forget a cookie.
    pub fn clear(self, name: &str) -> Cookie<'static> {
        self.set(name, "", 0)
    }
}
