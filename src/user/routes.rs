//! The public routes of the module: HTTP in, one call of the trait, HTTP out.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::call::Caller;
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::ApiError;
use crate::http::gate::{ClientAddress, Rule};
use crate::user::Origin;

mod account;
mod admin;
mod auth;
mod cart;
mod delivery;

pub use account::Orders;

/// Adds all routes of the module.
pub fn configure(config: &mut ServiceConfig) {
    account::configure(config);
    admin::configure(config);
    auth::configure(config);
    cart::configure(config);
    delivery::configure(config);
}

/// Who may use which of them.
pub fn rules() -> Vec<Rule> {
    [account::RULES, admin::RULES, auth::RULES, cart::RULES, delivery::RULES].concat()
}

/// Who is signed in, for routes that the access table keeps for people.
struct Person {
    id: Id,
    session: Id,
}

impl FromRequest for Person {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match request.extensions().get::<Caller>() {
            Some(Caller::Person { user_id, session_id, .. }) => Ok(Person { id: *user_id, session: *session_id }),
            _ => Err(Problem::new(ErrorCode::Unauthenticated, "This needs a person's token.").into()),
        })
    }
}

impl FromRequest for Origin {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let address = ClientAddress::text(&request.extensions());
        let user_agent = request.headers().get(header::USER_AGENT);
        let user_agent = user_agent.map_or(String::new(), |value| String::from_utf8_lossy(value.as_bytes()).into());
        ready(Ok(Origin { address, user_agent }))
    }
}

/// Says where the thing is that was just made.
fn locate(response: &mut HttpResponse, path: &str) {
    if let Ok(path) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
}
