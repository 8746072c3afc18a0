//! Who may pass: tells who is calling, keeps each client to its rate, and holds every route against the access table.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use serde_json::json;

use super::ApiError;
use super::browser::{is_file, is_own, is_page};
use super::cookie::{Cookies, SESSION};
use super::health::{Readiness, not_yet};
use super::priority::{priority, streamed};
use super::rate::Rate;
use super::{routed_path, routed_pattern};
use crate::call::{Caller, Role, Scope};
use crate::clock::SharedClock;
use crate::config::{Proxy, ServerConfig};
use crate::db::Ticket;
use crate::error::{ErrorCode, Problem};
use crate::user::{User, UserError};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Public,
    /// A person of this role or a higher one; or a program whose key has the scope, where one is named.
    Role(Role, Option<Scope>),
}

/// One row of the access table: a method, a route's pattern as actix knows it, and who may use it.
pub type Rule = (&'static str, &'static str, Access);

/// What the gate needs; one for the whole server.
pub struct Gate {
    user: Arc<dyn User>,
    rules: Vec<Rule>,
    rate: Rate,
    policy: String,
    public_url: String,
    cookies: Cookies,
    trusted_proxies: Vec<Proxy>,
}

/// From which address the request came; `None` where that is not known. Left with the request by the gate.
#[derive(Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The address that was left with a request; empty where it is not known.
    pub fn text(extensions: &Extensions) -> String {
        let address = extensions.get::<ClientAddress>().and_then(|address| address.0);
        address.map_or(String::new(), |address| address.to_string())
    }
}

impl Gate {
    pub fn new(user: Arc<dyn User>, rules: Vec<Rule>, config: &ServerConfig, clock: SharedClock) -> Self {
        Gate {
            user,
            rules,
            rate: Rate::new(config, clock),
            public_url: config.public_url.clone(),
            cookies: Cookies::of(config),
            policy: format!("\"default\";q={};w=60", config.rate_limit_per_minute),
            trusted_proxies: config.trusted_proxies.clone(),
        }
    }

    /// Forgets clients that have been quiet; called from time to time so that the table stays small.
    pub fn tidy(&self) {
        self.rate.tidy();
    }

    /// Tells the other processes how often clients asked, and learns it of them.
    pub async fn share(&self) -> Result<(), UserError> {
        self.rate.share(&*self.user).await
    }

    async fn identify(&self, request: &ServiceRequest) -> Result<Caller, Problem> {
        if is_page(routed_path(request)) {
            // A session that has ended is none: the page says what it takes.
            let Some(token) = self.cookies.read(request.request(), SESSION) else { return Ok(Caller::Anonymous) };
            let caller = self.user.authenticate(&token).await?;
            return Ok(caller.filter(|caller| caller.user_id().is_some()).unwrap_or(Caller::Anonymous));
        }
        let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let token = value.to_str().ok().and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let caller = match token {
            Some(token) => self.user.authenticate(token).await?,
            None => None,
        };
        caller.ok_or_else(|| {
            Problem::new(ErrorCode::Unauthenticated, "The token is unknown, ended or too old: sign in again.")
        })
    }

    fn authorize(&self, request: &ServiceRequest, caller: &Caller) -> Result<(), Error> {
        if is_page(routed_path(request)) && !request.method().is_safe() && !is_own(request.request(), &self.public_url)
        {
            let detail = "This form was not sent from a page of this shop, so nothing was done.";
            return Err(refuse(ErrorCode::Forbidden, detail));
        }
        let nothing = || match without_slash(request) {
            Some(address) => {
                let answer = HttpResponse::PermanentRedirect().insert_header((header::LOCATION, address)).finish();
                InternalError::from_response("the page has no slash at its end", answer).into()
            }
            None => refuse(ErrorCode::NotFound, "There is nothing at this address."),
        };
        let pattern = routed_pattern(request).ok_or_else(nothing)?;
        let of_pattern = self.rules.iter().filter(|(_, rule_pattern, _)| *rule_pattern == pattern);
        let allowed: Vec<&str> = of_pattern.clone().map(|(method, _, _)| *method).collect();
        let rule = of_pattern.clone().find(|(method, _, _)| *method == request.method().as_str());
        match rule {
            None if !allowed.is_empty() => {
                let answer =
                    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, allowed.join(", "))).finish();
                Err(InternalError::from_response("this method is not allowed here", answer).into())
            }
            // A route without a rule cannot be reached; a test sees to it that there is none.
            None => Err(nothing()),
            Some((_, _, Access::Public)) => Ok(()),
            Some((_, _, Access::Role(role, scope))) if caller.may(*role, *scope) => Ok(()),
            Some(_) if *caller == Caller::Anonymous => {
                Err(refuse(ErrorCode::Unauthenticated, "This needs a token: send Authorization: Bearer TOKEN."))
            }
            Some((_, _, Access::Role(role, scope))) => {
                let key =
                    scope.map_or(String::new(), |scope| format!(", or an API key with the scope {}", json!(scope)));
                Err(refuse(ErrorCode::Forbidden, format!("This needs the role {}{key}.", json!(role))))
            }
        }
    }
}

/// The address of the page that is there when the slash at the end is left out, as of `/cart/`. Only a path that a page's route knows
/// is given, so it never leads to another host, as `//host` would.
fn without_slash(request: &ServiceRequest) -> Option<String> {
    let routed = routed_path(request).strip_suffix('/').filter(|path| is_page(path) && request.method().is_safe())?;
    request.resource_map().match_pattern(routed).filter(|pattern| pattern != "/")?;
    let path =
        request.uri().path().strip_suffix('/').filter(|path| path.starts_with('/') && !path.starts_with("//"))?;
    Some(request.uri().query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
}

fn refuse(code: ErrorCode, detail: impl Into<String>) -> Error {
    ApiError(Problem::new(code, detail)).into()
}

/// What the gate found out about a request, and its refusal if there is one.
struct Passage {
    caller: Option<Caller>,
    rate: Option<String>,
    refusal: Option<Error>,
}

impl Gate {
    async fn judge(&self, request: &ServiceRequest, address: Option<IpAddr>) -> Passage {
        let network = client_network(address);
        let shows_token = match is_page(routed_path(request)) {
            true => self.cookies.read(request.request(), SESSION).is_some(),
            false => request.headers().contains_key(header::AUTHORIZATION),
        };
        if shows_token && !self.rate.takes_token(&network) {
            return Passage { caller: None, rate: None, refusal: Some(too_many(1)) };
        }
        let identified = self.identify(request).await;
        let client = match &identified {
            Ok(caller @ (Caller::Person { .. } | Caller::Key { .. })) => caller.actor(),
            // Whoever shows a wrong token is counted by address, like everybody unknown.
            _ => network,
        };
        let (rate, refusal) = match (self.rate.count(client), &identified) {
            (Err(wait), _) => (None, Some(too_many(wait))),
            (Ok(rate), Ok(caller)) => (Some(rate), self.authorize(request, caller).err()),
            (Ok(rate), Err(problem)) => (Some(rate), Some(ApiError(problem.clone()).into())),
        };
        Passage { caller: identified.ok(), rate, refusal }
    }

    /// The peer's address; where the peer is a trusted proxy, the last address in `X-Forwarded-For` that is none.
    fn client_address(&self, request: &ServiceRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        let trusted = |address: &IpAddr| self.trusted_proxies.iter().any(|proxy| proxy.has(*address));
        if !trusted(&peer) {
            return Some(peer);
        }
        let values = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        // What stands before something that is no address was not written by a proxy of ours.
        let hops = hops.iter().rev().map_while(|hop| hop.parse::<IpAddr>().ok()).map(|hop| hop.to_canonical());
        let mut hops = hops.peekable();
        // Who is in a trusted network himself is told by the nearest hop, which the proxy wrote.
        let nearest = hops.peek().copied().unwrap_or(peer);
        Some(hops.find(|hop| !trusted(hop)).unwrap_or(nearest))
    }
}

fn too_many(wait: u64) -> Error {
    metrics::counter!("emporium_rate_limited_total").increment(1);
    let problem = Problem::new(ErrorCode::TooManyRequests, format!("Wait {wait} s, then go on more slowly."));
    ApiError(problem.retry_after(wait)).into()
}

/// The middleware: identify, count, authorize; then the route. Health checks pass: they tell of this process alone; and so do
/// files, of which a page has many.
pub async fn gate<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let gate = request.app_data::<web::Data<Gate>>().cloned();
    let passes = |path: &str| matches!(path, "/livez" | "/readyz") || is_file(path);
    let Some(gate) = gate.filter(|_| !passes(routed_path(&request))) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    if request.app_data::<web::Data<Readiness>>().is_some_and(|readiness| !readiness.serves()) {
        return Ok(request.into_response(Error::from(ApiError(not_yet())).error_response()).map_into_right_body());
    }
    let ticket = Ticket::new(priority(&request));
    let response = ticket.clone().hold(pass(gate, request, next)).await?;
    Ok(streamed(response, ticket))
}

/// Judges a request, and lets it pass or not.
async fn pass<B: MessageBody>(
    gate: web::Data<Gate>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let address = gate.client_address(&request);
    request.extensions_mut().insert(ClientAddress(address));
    let is_page = is_page(routed_path(&request));
    let passage = gate.judge(&request, address).await;
    if let Some(caller) = passage.caller {
        request.extensions_mut().insert(caller);
    }
    let mut response = match passage.refusal {
        Some(refusal) => request.into_response(refusal.error_response()).map_into_right_body(),
        None => next.call(request).await?.map_into_left_body(),
    };
    // A page that caches may give to others tells nothing of this client.
    let is_public = is_page
        && response.headers().get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes().starts_with(b"public"));
    if is_public {
        return Ok(response);
    }
    let headers = [("ratelimit-policy", Some(&gate.policy)), ("ratelimit", passage.rate.as_ref())];
    for (name, value) in headers {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

/// Who is counted as one client; an IPv6 customer may not get a rate for each address.
fn client_network(address: Option<IpAddr>) -> String {
    address.map_or("unknown".to_owned(), crate::call::network)
}
