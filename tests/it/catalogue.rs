//! The catalogue over HTTP: categories, locations, products and SKUs, by noun; here is what their tests share.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use emporium::call::Role;
use emporium::db::{Database, DbError};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::testapp::{Backend, TestApp};

mod category;
mod key;
mod location;
mod offer;
mod price;
mod product;
mod sku;
mod validation;

/// The id of nothing.
const NOBODY: &str = "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d";

/// A shop and somebody of its staff.
struct Staffed {
    app: TestApp,
    token: String,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    /// The body of an answer with this status.
    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// A problem of this status and code.
    #[track_caller]
    fn expect_problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        self.body
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn reply(request: RequestBuilder) -> Reply {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
}

impl Staffed {
    async fn start(backend: Backend) -> Staffed {
        let app = TestApp::start(backend).await;
        let token = app.token("staff@shop.example", Role::Staff).await;
        Staffed { app, token }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request_as(&self.token, method, &format!("/api/v1/{path}"))
    }

    async fn get(&self, path: &str) -> Reply {
        reply(self.request(Method::GET, path)).await
    }

    async fn get_as_shopper(&self, path: &str) -> Reply {
        reply(self.app.request(Method::GET, &format!("/api/v1/{path}"))).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        reply(self.request(Method::POST, path).json(&body)).await
    }

    /// The tag of this version of what is at the path; of nothing, where nothing is.
    async fn tag(&self, path: &str, version: i64) -> String {
        let id = self.get(path).await.body["id"].as_str().unwrap_or(NOBODY).to_owned();
        format!("\"{id}-{version}\"")
    }

    async fn patch(&self, path: &str, version: i64, body: Value) -> Reply {
        let tag = self.tag(path, version).await;
        reply(self.request(Method::PATCH, path).header("If-Match", tag).json(&body)).await
    }

    /// Changes what is there, whatever its version.
    async fn patch_any(&self, path: &str, body: Value) -> Reply {
        reply(self.request(Method::PATCH, path).header("If-Match", "*").json(&body)).await
    }

    async fn delete(&self, path: &str, version: i64) -> Reply {
        let tag = self.tag(path, version).await;
        reply(self.request(Method::DELETE, path).header("If-Match", tag)).await
    }

    /// The module's database, for what no route shows or does yet.
    fn database(&self) -> Database {
        Database::open("inventory", &self.app.config.inventory.database).unwrap()
    }

    async fn execute(&self, sql: &'static str) {
        let done = self.database().write(move |conn| Ok::<_, DbError>(diesel::sql_query(sql).execute(conn)?)).await;
        done.unwrap();
    }

    /// The number that a query gives as `n`.
    async fn number(&self, sql: &'static str) -> Option<i64> {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = diesel::sql_types::Nullable<BigInt>)]
            n: Option<i64>,
        }
        let query = move |conn: &mut _| Ok::<_, DbError>(diesel::sql_query(sql).get_result::<Number>(conn)?);
        self.database().read_primary(query).await.unwrap().n
    }

    /// Gives a SKU stock at a location, as a stock movement would.
    async fn stock(&self, sql_condition: &'static str) {
        self.execute(
            "INSERT INTO locations (id, code, name, address, created_at, updated_at)
                      SELECT id, 'main', 'Main', '{}', created_at, updated_at FROM skus WHERE code = 'A-1'",
        )
        .await;
        self.execute(sql_condition).await;
    }
}

/// The tag of a thing as it was told.
fn tag(thing: &Value) -> String {
    format!("\"{}-{}\"", thing["id"].as_str().unwrap(), thing["version"])
}

/// A valid SKU.
fn sku(code: &str, options: &[&str], amount: i64) -> Value {
    json!({ "code": code, "options": options, "price": { "amount": amount, "currency": "USD" } })
}

/// A valid, active product of two SKUs.
fn shirt() -> Value {
    json!({
        "title": "Plain Shirt", "status": "active", "vendor": "Weavers", "tags": ["shirts", "cotton"], "options": ["Size"],
        "skus": [sku("A-1", &["S"], 1900), sku("A-2", &["M"], 2100)],
    })
}

/// The pointers of a validation problem.
#[track_caller]
fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}
