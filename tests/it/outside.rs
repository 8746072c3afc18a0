//! The shop from outside: what customers, staff and programs do, through any addresses that lead to one shop. The same at each stage.
//!
//! `EMPORIUM_SHOP_URL=https://shop.example EMPORIUM_SHOP_ADMIN=email:password cargo test --test it outside::` walks through that
//! shop, and leaves its goods and customers there; several addresses, with commas, are used in turn. `EMPORIUM_SHOP_CA` names a file
//! with the authority of their certificates. Without these it walks through a shop of its own.

#![expect(clippy::disallowed_methods, reason = "tests read their switches from the environment")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use emporium::call::Role;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testapp::{Backend, PASSWORD, TestApp};

mod load;
mod pages;
mod walk;

/// A shop, known by its addresses alone.
pub(crate) struct Outside {
    http: Client,
    addresses: Vec<String>,
    next: AtomicUsize,
    admin: (String, String),
    /// In the names of all that this walk makes.
    tag: String,
}

/// What was answered.
struct Told {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Told {
    async fn of(request: RequestBuilder) -> Told {
        let answer: Response = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null);
        Told { status, headers, body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// A problem of RFC 9457, as all errors are.
    #[track_caller]
    fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.header("x-request-id"));
        self.body
    }
}

impl Outside {
    /// Of a shop at these addresses, whose admin logs in so.
    pub(crate) fn new(addresses: Vec<String>, email: &str, password: &str) -> Outside {
        let builder = Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(60));
        let builder = match std::env::var("EMPORIUM_SHOP_CA") {
            Ok(file) => builder.add_root_certificate(Certificate::from_pem(&std::fs::read(file).unwrap()).unwrap()),
            Err(_) => builder,
        };
        Outside {
            http: builder.build().unwrap(),
            addresses,
            next: AtomicUsize::new(0),
            admin: (email.to_owned(), password.to_owned()),
            tag: Uuid::now_v7().simple().to_string()[20..].to_owned(),
        }
    }

    /// The shop that the environment names.
    fn named() -> Option<Outside> {
        let addresses = std::env::var("EMPORIUM_SHOP_URL").ok()?;
        let admin = std::env::var("EMPORIUM_SHOP_ADMIN").expect("EMPORIUM_SHOP_ADMIN=email:password is missing");
        let (email, password) = admin.split_once(':').expect("EMPORIUM_SHOP_ADMIN is not email:password");
        let addresses = addresses.split(',').map(|address| address.trim_end_matches('/').to_owned());
        Some(Outside::new(addresses.collect(), email, password))
    }

    /// The next address in turn.
    fn url(&self, path: &str) -> String {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{path}", self.addresses[next % self.addresses.len()])
    }

    fn request(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(&format!("/api/v1{path}")));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    async fn get(&self, token: &str, path: &str) -> Told {
        Told::of(self.request(token, Method::GET, path)).await
    }

    /// With a key that nobody used before.
    async fn post(&self, token: &str, path: &str, body: &Value) -> Told {
        self.post_with_key(token, path, &Uuid::now_v7().to_string(), body).await
    }

    async fn post_with_key(&self, token: &str, path: &str, key: &str, body: &Value) -> Told {
        Told::of(self.request(token, Method::POST, path).header("idempotency-key", key).json(body)).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> String {
        let body = json!({ "email": email, "password": password });
        let session = self.post("", "/auth/login", &body).await.expect(200);
        session["token"].as_str().unwrap().to_owned()
    }

    /// Registers somebody; gives the address.
    async fn register(&self, name: &str) -> String {
        let email = format!("{name}-{}@example.com", self.tag);
        let body = json!({ "email": email, "password": PASSWORD, "name": name });
        self.post("", "/auth/register", &body).await.expect(202);
        email
    }

    async fn customer(&self, name: &str) -> String {
        let email = self.register(name).await;
        self.login(&email, PASSWORD).await
    }
}

/// The shop that is named, or one of this test's own, which is to be stopped.
async fn shop() -> (Outside, Option<TestApp>) {
    if let Some(shop) = Outside::named() {
        return (shop, None);
    }
    let app = TestApp::start(Backend::any()).await;
    app.token("boss@example.com", Role::Admin).await;
    let address = format!("http://{}", app.address);
    (Outside::new(vec![address], "boss@example.com", PASSWORD), Some(app))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shop_does_what_it_promises() {
    let (outside, own) = shop().await;
    outside.walk().await;
    if let Some(app) = own {
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_load_is_served() {
    let (outside, own) = shop().await;
    outside.load(Duration::from_secs(if own.is_some() { 1 } else { 10 })).await;
    if let Some(app) = own {
        app.stop().await;
    }
}
