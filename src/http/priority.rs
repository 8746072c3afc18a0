//! Which requests go before which, when the shop cannot serve all of them.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::web::Bytes;

use super::routed_path;
use crate::db::{Priority, Ticket};

/// The beginnings of paths; what begins with none of them is [`Priority::Rest`].
const SALES: [&str; 8] = [
    "/cart",
    "/checkout",
    "/login",
    "/logout",
    "/api/v1/auth/login",
    "/api/v1/auth/logout",
    "/api/v1/me/cart",
    "/api/v1/reservations",
];
const ACCOUNTS: [&str; 8] =
    ["/account", "/orders", "/register", "/verify", "/forgot", "/reset", "/api/v1/auth", "/api/v1/me"];
/// To be read; who changes goods can wait.
const GOODS: [&str; 6] =
    ["/products", "/categories", "/api/v1/products", "/api/v1/categories", "/api/v1/skus", "/api/v1/availability"];

/// The priority of a request. Searches are dear, and who exports or administers can do it later.
pub(super) fn priority(request: &ServiceRequest) -> Priority {
    let path = routed_path(request);
    let begins = |beginnings: &[&str]| {
        let has =
            |beginning: &str| path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        beginnings.iter().any(|beginning| has(beginning))
    };
    let is_search = || url::form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, _)| name == "q");
    if begins(&SALES) {
        Priority::Sale
    } else if begins(&ACCOUNTS) {
        Priority::Account
    } else if request.method().is_safe() && (path == "/" || begins(&GOODS)) && !is_search() {
        Priority::Browse
    } else {
        Priority::Rest
    }
}

/// Has the answer's body made by this ticket too, where it is made piece by piece while it is sent.
pub(super) fn streamed<B: MessageBody + 'static>(
    response: ServiceResponse<EitherBody<B>>,
    ticket: Ticket,
) -> ServiceResponse<EitherBody<B>> {
    response.map_body(|_, body| match body.size() {
        BodySize::Stream => EitherBody::right(BoxBody::new(Streamed { body: body.boxed(), ticket })),
        _ => body,
    })
}

struct Streamed {
    body: BoxBody,
    ticket: Ticket,
}

impl MessageBody for Streamed {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Streamed { body, ticket } = self.get_mut();
        ticket.hold_once(|| body.as_pin_mut().poll_next(context))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_balancers_file_has_the_same_paths() {
        let file = include_str!("../../config/haproxy.cfg");
        let sales = format!("acl is_sale path_reg ^({})(/|$)\n", SALES.join("|"));
        assert!(file.contains(&sales), "config/haproxy.cfg does not say {sales}");
        let goods = format!("acl is_look path / /search {}\n", GOODS.join(" "));
        let below = format!("acl is_look path_beg {}\n", GOODS.map(|beginning| format!("{beginning}/")).join(" "));
        assert!(file.contains(&goods) && file.contains(&below), "config/haproxy.cfg does not say {goods}and {below}");
    }

    #[test]
    fn a_sale_goes_before_a_look_around() {
        let of =
            |method: Method, address: &str| priority(&TestRequest::with_uri(address).method(method).to_srv_request());
        for (method, address, expected) in [
            (Method::POST, "/checkout/7/place", Priority::Sale),
            (Method::GET, "/%63art", Priority::Sale),
            (Method::POST, "/login", Priority::Sale),
            (Method::POST, "/api/v1/reservations", Priority::Sale),
            (Method::PUT, "/api/v1/me/cart/lines", Priority::Sale),
            (Method::POST, "/register", Priority::Account),
            (Method::GET, "/api/v1/me", Priority::Account),
            (Method::GET, "/orders/7", Priority::Account),
            (Method::GET, "/", Priority::Browse),
            (Method::GET, "/products/cart", Priority::Browse),
            (Method::GET, "/api/v1/products?limit=20", Priority::Browse),
            (Method::GET, "/api/v1/products?limit=20&q=tea", Priority::Rest),
            (Method::POST, "/api/v1/products", Priority::Rest),
            (Method::GET, "/search", Priority::Rest),
            (Method::GET, "/cartoons", Priority::Rest),
            (Method::GET, "/admin/orders", Priority::Rest),
            (Method::GET, "/api/v1/exports/products.csv", Priority::Rest),
        ] {
            assert_eq!(of(method.clone(), address), expected, "{method} {address}");
        }
    }
}
