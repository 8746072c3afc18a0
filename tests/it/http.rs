//! What every route shares: problems, ids, limits, headers, health, metrics.

use std::time::Duration;

use emporium::call::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::testapp::{Backend, TestApp, on_both, read};

on_both! {
    async fn an_error_is_a_problem_with_the_requests_id(backend: Backend) {
        let app = TestApp::start(backend).await;
        let answer = app
            .request(Method::GET, "/api/v1/products/no-such-thing")
            .header("x-request-id", "my-request.1")
            .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["x-request-id"], "my-request.1");
        assert!(answer.headers()["traceparent"].to_str().unwrap().starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let (status, body) = read(answer).await;
        assert_eq!(status, 404);
        assert_eq!(body["code"], "not_found");
        assert_eq!(body["type"], "urn:emporium:problem:not_found");
        assert_eq!(body["status"], 404);
        assert_eq!(body["instance"], "/api/v1/products/no-such-thing");
        assert_eq!(body["request_id"], "my-request.1");
        app.stop().await;
    }

    async fn what_no_route_takes_is_a_problem_too(backend: Backend) {
        let app = TestApp::start(backend).await;
        for (method, path, body, expected) in [
            (Method::GET, "/nowhere", "", 404),
            (Method::GET, "/api/v1/nowhere", "", 404),
            (Method::DELETE, "/api/v1/products", "", 405),
            (Method::GET, "/api/v1/products?colour=red", "", 400),
            (Method::GET, "/api/v1/products?limit=abc", "", 422),
            (Method::GET, "/api/v1/products?limit=0", "", 422),
            (Method::GET, "/api/v1/products?cursor=forged", "", 400),
            (Method::POST, "/api/v1/auth/login", "{", 400),
            (Method::POST, "/api/v1/auth/login", "{\"email\": 5}", 422),
            (Method::POST, "/api/v1/auth/login", "{}", 422),
        ] {
            let request = app.request(method.clone(), path).header("content-type", "application/json").body(body);
            let answer = request.send().await.unwrap();
            let kind = answer.headers()["content-type"].clone();
            let (status, problem) = read(answer).await;
            assert_eq!((status, kind.to_str().unwrap()), (expected, "application/problem+json"), "{method} {path} {problem}");
            assert_eq!(problem["status"], expected);
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_in_plain_words_and_where() {
    let app = TestApp::start(Backend::any()).await;
    let token = app.token("staff@shop.example", Role::Staff).await;
    let told = async |request: reqwest::RequestBuilder| -> Vec<(String, String)> {
        let (status, problem) = read(request.send().await.unwrap()).await;
        assert_eq!((status, &problem["code"]), (422, &json!("validation")), "{problem}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = problem["errors"].as_array().unwrap();
        errors.iter().map(|error| (text(&error["pointer"]), text(&error["message"]))).collect()
    };
    for (query, name, message) in [
        ("limit=abc", "limit", "must be a whole number"),
        ("price_min=x", "price_min", "must be a whole number"),
        ("in_stock=yes", "in_stock", "must be true or false"),
    ] {
        let errors = told(app.request(Method::GET, &format!("/api/v1/products?{query}"))).await;
        assert_eq!(errors, [(name.to_owned(), message.to_owned())]);
    }
    for (body, pointer, message) in [
        (json!({}), "/title", "must be there"),
        (json!(["A"]), "", "invalid type: sequence, expected an object"),
        (json!({ "title": "A", "skus": [["A"]] }), "/skus/0", "invalid type: sequence, expected an object"),
        (
            json!({ "title": "A", "skus": [{ "code": "A", "price": [1450, "USD"] }] }),
            "/skus/0/price",
            "expected an amount",
        ),
        (json!({ "title": 5 }), "/title", "invalid type: integer `5`, expected a text"),
        (json!({ "title": "A", "category_id": "toys" }), "/category_id", "is not an id: ids are UUIDs"),
        (
            json!({ "title": "A", "skus": [{ "code": "A", "price": 14.5 }] }),
            "/skus/0/price",
            "expected an amount in the",
        ),
    ] {
        let request = app.request_as(&token, Method::POST, "/api/v1/products").json(&body);
        let errors = told(request).await;
        assert!(errors.len() == 1 && errors[0].0 == pointer && errors[0].1.contains(message), "{errors:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_has_a_code_and_what_its_text_needs() {
    let app = TestApp::start(Backend::any()).await;
    let token = app.token("admin@shop.example", Role::Admin).await;
    let title = "x".repeat(301);
    let request = app.request_as(&token, Method::POST, "/api/v1/products").json(&json!({ "title": title }));
    let (_, problem) = read(request.send().await.unwrap()).await;
    let told = json!([{ "pointer": "/title", "code": "too_long", "arguments": { "length": 301, "max": 300 },
        "message": "has 301 characters; at most 300 are allowed" }]);
    assert_eq!(problem["errors"], told, "{problem}");
    // What stands in the way of a change is told so, too.
    let (_, me) = read(app.request_as(&token, Method::GET, "/api/v1/me").send().await.unwrap()).await;
    let path = format!("/api/v1/users/{}", me["id"].as_str().unwrap());
    let request =
        app.request_as(&token, Method::PATCH, &path).header("if-match", "*").json(&json!({ "role": "staff" }));
    let (status, problem) = read(request.send().await.unwrap()).await;
    assert_eq!(
        (status, &problem["code"], &problem["reason"]),
        (409, &json!("conflict"), &json!("last_admin")),
        "{problem}"
    );
    let (_, document) = read(app.request(Method::GET, "/openapi.json").send().await.unwrap()).await;
    let codes = document["components"]["schemas"]["FieldError"]["properties"]["code"]["enum"].as_array().unwrap();
    assert!(codes.contains(&json!("too_long")) && codes.contains(&json!("last_admin")), "{codes:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_401_and_says_how() {
    let app = TestApp::start(Backend::any()).await;
    for header in ["Bearer nonsense", "Bearer ", "Basic dXNlcjpwYXNz", "ems_abc", "Bearer ems_\u{e9}"] {
        let request = app.request(Method::GET, "/api/v1/products").header("authorization", header.as_bytes());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(read(answer).await.0, 401, "{header}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_too_fast_is_told_to_wait() {
    let app = TestApp::start_with(Backend::Sqlite, |config| {
        config.server.rate_limit_per_minute = 60;
        config.server.rate_limit_burst = 5;
    })
    .await;
    for left in (0..5).rev() {
        let answer = app.request(Method::GET, "/api/v1/categories").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["ratelimit-policy"], "\"default\";q=60;w=60");
        let expected = format!("\"default\";r={left};");
        let header = answer.headers()["ratelimit"].to_str().unwrap().to_owned();
        assert!(header.starts_with(&expected), "{header} does not begin with {expected}");
    }
    let answer = app.request(Method::GET, "/api/v1/categories").send().await.unwrap();
    assert!(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let (status, body) = read(answer).await;
    assert_eq!((status, body["code"].as_str().unwrap()), (429, "too_many_requests"));
    app.stop().await;
}

/// Whose requests count together: one who shows `address` in X-Forwarded-For, seen through `proxies`.
async fn left_after_two(proxies: &[&str], first: &str, second: &str) -> u16 {
    let app = TestApp::start_with(Backend::Sqlite, |config| {
        config.server.rate_limit_burst = 1;
        config.server.rate_limit_per_minute = 1;
        config.server.trusted_proxies = proxies.iter().map(|address| address.parse().unwrap()).collect();
    })
    .await;
    let mut status = 0;
    for address in [first, second] {
        let request = app.request(Method::GET, "/api/v1/categories").header("x-forwarded-for", address);
        status = request.send().await.unwrap().status().as_u16();
    }
    app.stop().await;
    status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forwarded_address_is_believed_from_trusted_proxies_only() {
    assert_eq!(left_after_two(&[], "192.0.2.1", "192.0.2.2").await, 429);
    assert_eq!(left_after_two(&["127.0.0.1"], "192.0.2.1", "192.0.2.2").await, 200);
    assert_eq!(left_after_two(&["127.0.0.0/8"], "192.0.2.1", "192.0.2.2").await, 200);
    // Clients in the proxies' network are told apart, too.
    assert_eq!(left_after_two(&["127.0.0.0/8"], "127.0.0.7", "127.0.0.8").await, 200);
    assert_eq!(left_after_two(&["127.0.0.0/8"], "192.0.2.1, 127.0.0.7", "192.0.2.1, 127.0.0.8").await, 429);
    assert_eq!(left_after_two(&["127.0.0.1"], "192.0.2.1", "192.0.2.1").await, 429);
    // What the client itself wrote stands to the left of what the proxy wrote.
    assert_eq!(left_after_two(&["127.0.0.1"], "198.51.100.7, 192.0.2.1", "198.51.100.8, 192.0.2.1").await, 429);
    assert_eq!(left_after_two(&["127.0.0.1", "10.0.0.1"], "192.0.2.1, 10.0.0.1", "192.0.2.2, 10.0.0.1").await, 200);
    assert_eq!(left_after_two(&["127.0.0.1"], "nonsense", "192.0.2.2, nonsense").await, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_to_everybody_at_any_rate() {
    let app = TestApp::start_with(Backend::any(), |config| {
        config.server.rate_limit_burst = 1;
        config.server.rate_limit_per_minute = 1;
    })
    .await;
    for path in ["/livez", "/readyz", "/readyz"] {
        let request = app.request(Method::GET, path).bearer_auth("ems_wrong");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let head = app.request(Method::HEAD, "/api/v1/categories").send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.headers().contains_key("ratelimit") && head.bytes().await.unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_beyond_the_limit_is_413() {
    let app = TestApp::start(Backend::any()).await;
    let body = format!("{{\"email\": \"{}\"}}", "x".repeat(app.config.server.body_max_bytes as usize));
    let request = app.request(Method::POST, "/api/v1/auth/login").header("content-type", "application/json").body(body);
    assert_eq!(read(request.send().await.unwrap()).await.0, 413);
    let request = app.request(Method::POST, "/api/v1/auth/login").body("email=x");
    assert_eq!(read(request.send().await.unwrap()).await.0, 415);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_beyond_its_deadline_is_503() {
    let app = TestApp::start_with(Backend::Postgres, |config| {
        config.server.request_timeout_ms = 300;
        config.inventory.database.lock_timeout_ms = 5_000;
    })
    .await;
    let staff = app.token("staff@shop.example", Role::Staff).await;
    let mut holder = app.diesel();
    holder.batch("BEGIN; LOCK TABLE inventory.categories IN ACCESS EXCLUSIVE MODE");
    let answer = app.request(Method::GET, "/api/v1/categories").send().await.unwrap();
    assert!(answer.headers().contains_key("retry-after"));
    let (status, body) = read(answer).await;
    assert_eq!((status, body["code"].as_str().unwrap()), (503, "timeout"));
    // What was to be changed may be changed later.
    let change = app.request_as(&staff, Method::POST, "/api/v1/categories").json(&json!({ "name": "Mugs" }));
    let (status, body) = read(change.send().await.unwrap()).await;
    assert_eq!((status, body["code"].as_str().unwrap()), (503, "outcome_unknown"));
    holder.batch("ROLLBACK");
    assert_eq!(app.request(Method::GET, "/api/v1/categories").send().await.unwrap().status(), 200);
    let metrics = app.metrics().await;
    let labels = "http_route=\"/api/v1/categories\",http_response_status_code=\"503\",url_scheme=\"http\",error_type=\"timeout\"";
    assert!(metrics.contains(labels), "{labels} is not in\n{metrics}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ready_turns_first_and_requests_in_flight_are_finished() {
    let app = TestApp::start_alone(Backend::Postgres, |config| config.server.drain_ms = 1_000).await;
    let (address, internal) = (app.address, app.shop.internal_address);
    let mut holder = app.diesel();
    holder.batch("BEGIN; LOCK TABLE inventory.categories IN ACCESS EXCLUSIVE MODE");
    let slow = tokio::spawn(app.request(Method::GET, "/api/v1/categories").send());
    let status = |url: String| async move { reqwest::get(url).await.unwrap().status().as_u16() };
    assert_eq!(status(format!("http://{address}/readyz")).await, 200);
    let stopping = tokio::spawn(app.stop());
    while status(format!("http://{internal}/readyz")).await == 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(status(format!("http://{address}/readyz")).await, 404);
    // Whoever comes nevertheless is served, and told to come back on another connection.
    let answer = reqwest::get(format!("http://{address}/openapi.json")).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["connection"].to_str().unwrap()), (200, "close"));
    assert_eq!(status(format!("http://{address}/livez")).await, 200);
    holder.batch("ROLLBACK");
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    stopping.await.unwrap();
    assert!(reqwest::get(format!("http://{address}/livez")).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_are_internal_and_bounded() {
    let app = TestApp::start(Backend::Sqlite).await;
    for n in 0..50 {
        app.request(Method::GET, &format!("/scan/{n}")).send().await.unwrap();
    }
    app.request(Method::GET, "/api/v1/categories").send().await.unwrap();
    assert_eq!(app.request(Method::GET, "/metrics").send().await.unwrap().status(), 404);
    let text = app.metrics().await;
    for part in [
        "http_server_request_duration_seconds_bucket{http_request_method=\"GET\",http_route=\"/api/v1/categories\",\
         http_response_status_code=\"200\",url_scheme=\"http\",le=\"0.005\"}",
        "db_client_connections{db_client_connection_pool_name=\"inventory.read\",db_client_connection_state=\"idle\"}",
        "db_client_connection_wait_time_seconds_count{db_client_connection_pool_name=\"inventory.read\"}",
        "http_route=\"unmatched\"",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("/scan/"), "paths that match no route must share one label");
    app.stop().await;
}

/// A cache may keep what everybody sees, may keep nothing that one caller sees without asking again, and mixes up no callers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caches_are_told_what_they_may_keep() {
    let app = TestApp::start(Backend::any()).await;
    let staff = app.token("staff@shop.example", Role::Staff).await;
    let post = async |path: &str, body: Value| {
        let (status, body) = read(app.request_as(&staff, Method::POST, path).json(&body).send().await.unwrap()).await;
        assert_eq!(status, 201, "{body}");
        body
    };
    let category = post("/api/v1/categories", json!({ "name": "Mugs" })).await;
    post("/api/v1/locations", json!({ "code": "MAIN", "name": "Main" })).await;
    let skus = json!([{ "code": "MUG", "price": { "amount": 1200, "currency": "USD" } }]);
    post("/api/v1/products", json!({ "title": "Mug", "status": "active", "skus": skus })).await;
    let category = format!("/api/v1/categories/{}", category["id"].as_str().unwrap());
    let (anybody, own, nothing) = (Some("public, max-age=60"), Some("private, no-cache"), Some("no-store"));
    for (path, for_anybody, for_staff) in [
        ("/api/v1/products", anybody, own),
        ("/api/v1/products/mug", anybody, own),
        ("/api/v1/skus/MUG", anybody, own),
        ("/api/v1/categories", anybody, own),
        (&category, anybody, own),
        ("/api/v1/locations/MAIN", None, own),
        ("/api/v1/locations", None, nothing),
        // What is in stock is asked for each time; what is of a person is not kept.
        ("/api/v1/availability?sku=MUG", nothing, nothing),
        ("/api/v1/skus/MUG/availability", nothing, nothing),
        ("/api/v1/me", None, nothing),
    ] {
        let anonymous = app.request(Method::GET, path);
        for (request, expected) in [(anonymous, for_anybody), (app.request_as(&staff, Method::GET, path), for_staff)] {
            let answer = request.header("accept-encoding", "gzip").send().await.unwrap();
            let headers = answer.headers();
            let vary: Vec<&str> = headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
            let varies = vary.iter().any(|value| value.eq_ignore_ascii_case("authorization"));
            let status = if expected.is_some() { 200 } else { 401 };
            let kept = headers["cache-control"].to_str().unwrap();
            assert_eq!((answer.status().as_u16(), kept), (status, expected.unwrap_or("no-store")), "{path}");
            assert_eq!(varies, kept != "no-store" || headers.contains_key("etag"), "{path} {vary:?}");
            if headers.contains_key("content-encoding") {
                assert!(vary.iter().any(|value| value.eq_ignore_ascii_case("accept-encoding")), "{path} {vary:?}");
            }
        }
    }
    let known = app.request(Method::GET, "/api/v1/products/mug").header("if-none-match", "*").send().await.unwrap();
    assert_eq!((known.status().as_u16(), &known.headers()["vary"]), (304, &"authorization".parse().unwrap()));
    app.stop().await;
}

/// Sends this on a connection of its own; gives what comes until the other side closes it.
pub(crate) async fn until_the_end(app: &TestApp, request: &str) -> String {
    let mut line = TcpStream::connect(app.address).await.unwrap();
    line.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let end = tokio::time::timeout(Duration::from_secs(30), line.read_to_string(&mut answer)).await;
    assert!(end.is_ok(), "the connection stays open after {request}");
    answer
}

/// Whoever begins a body in chunks and stands still gets his answer, and gives his place up. Others keep their connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_not_finished_ends_its_connection() {
    let app = TestApp::start_with(Backend::Sqlite, |config| config.server.request_timeout_ms = 500).await;
    let chunked = "Host: shop\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
    for (request, status) in [
        // It is not waited for, it is waited for in vain, nobody may send it.
        (format!("GET /livez HTTP/1.1\r\n{chunked}"), "200 OK"),
        (format!("POST /api/v1/auth/login HTTP/1.1\r\n{chunked}"), "503 Service Unavailable"),
        (format!("POST /api/v1/products HTTP/1.1\r\n{chunked}"), "401 Unauthorized"),
    ] {
        let answer = until_the_end(&app, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    let whole = format!("POST /api/v1/auth/login HTTP/1.1\r\n{chunked}0\r\n\r\n");
    let last = "GET /livez HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    let mut line = TcpStream::connect(app.address).await.unwrap();
    line.write_all(format!("{whole}{whole}{last}").as_bytes()).await.unwrap();
    let mut answers = String::new();
    line.read_to_string(&mut answers).await.unwrap();
    let count = |status: &str| answers.matches(&format!("HTTP/1.1 {status}")).count();
    assert_eq!((count("422 "), count("200 ")), (2, 1), "{answers}");
    app.stop().await;
}
