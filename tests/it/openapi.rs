//! The API document: served, browsable without a network, and held against the running shop by schemathesis.

use std::process::Command;

use emporium::call::Role;
use emporium::error::ErrorCode;
use reqwest::Method;
use serde_json::{Value, json};

use crate::testapp::{Backend, TestApp, read};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_served_and_browsable_without_a_network() {
    let app = TestApp::start(Backend::any()).await;
    let (status, document) = read(app.request(Method::GET, "/openapi.json").send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(document, serde_json::to_value(emporium::app::openapi()).unwrap());
    let page = app.request(Method::GET, "/docs").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    assert!(!html.contains("https://") && !html.contains("//cdn"), "the page asks another host: {html}");
    assert_eq!(app.request(Method::GET, "/docs/swagger-ui-bundle.js").send().await.unwrap().status(), 200);
    app.stop().await;
}

#[test]
fn every_operation_is_described() {
    let document = serde_json::to_value(emporium::app::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty(), "{method} {path} says nothing");
            assert!(operation["tags"].as_array().is_some_and(|tags| tags.len() == 1), "{method} {path} has no tag");
            let good = operation["responses"].as_object().unwrap().keys().any(|status| status.starts_with('2'));
            assert!(good, "{method} {path} never succeeds");
        }
    }
}

/// What takes no body, beside all that is read or deleted.
const WITHOUT_BODY: &[&str] = &[
    "/api/v1/auth/logout",
    "/api/v1/jobs/{id}/cancel",
    "/api/v1/reservations/{id}/cancel",
    "/api/v1/reservations/{id}/commit",
    "/api/v1/reservations/{id}/release",
];

#[test]
fn every_body_is_described() {
    let document = serde_json::to_value(emporium::app::openapi()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["post", "put", "patch"] {
            let Some(operation) = item.get(method) else { continue };
            let is_told = operation.get("requestBody").is_some();
            assert_eq!(is_told, !WITHOUT_BODY.contains(&path.as_str()), "the body of {method} {path}");
        }
    }
}

#[test]
fn every_error_code_is_told() {
    let document = serde_json::to_value(emporium::app::openapi()).unwrap();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.code()).collect();
    assert_eq!(document["components"]["schemas"]["ErrorCode"]["enum"], json!(codes));
    assert_eq!(serde_json::to_value(ErrorCode::ALL).unwrap(), json!(codes));
}

#[test]
fn every_reference_resolves() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(reference)) => found.push(reference.trim_start_matches('#').to_owned()),
                _ => references(value, found),
            }),
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(emporium::app::openapi()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100, "only {} references were found", found.len());
    found.retain(|reference| document.pointer(reference).is_none());
    assert!(found.is_empty(), "{found:?}");
}

/// Something of each kind, so that the tester's calls find it.
async fn fill(app: &TestApp, token: &str) {
    let key = || uuid::Uuid::now_v7().to_string();
    let post = async |path: &str, body: Value| {
        let request = app.request_as(token, Method::POST, path).header("idempotency-key", key()).json(&body);
        let (status, answer) = read(request.send().await.unwrap()).await;
        assert!(status < 300, "{path}: {answer}");
        answer
    };
    post("/api/v1/locations", json!({ "code": "MAIN", "name": "Main" })).await;
    let category = post("/api/v1/categories", json!({ "name": "Mugs" })).await;
    let skus = json!([{ "code": "MUG", "price": { "amount": 1200, "currency": "USD" } }]);
    post(
        "/api/v1/products",
        json!({ "title": "Mug", "status": "active", "category_id": category["id"], "skus": skus }),
    )
    .await;
    let rows = json!([{ "sku": "MUG", "location": "MAIN", "delta": 1000, "reason": "first delivery" }]);
    post("/api/v1/stock/adjustments", json!({ "rows": rows })).await;
    post("/api/v1/reservations", json!({ "lines": [{ "sku": "MUG", "quantity": 1 }] })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "scripts/test.sh says where it installed the tester")]
async fn a_tester_finds_no_server_error_and_nothing_undocumented() {
    let program: String =
        std::env::var("SCHEMATHESIS").expect("SCHEMATHESIS does not name the program: run scripts/test.sh");
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let app = TestApp::start_with(backend, |config| {
            let throttle = &mut config.user.throttle;
            for limit in [
                &mut throttle.account_ip_failures_free,
                &mut throttle.ip_failures_step,
                &mut throttle.account_failures_step,
                &mut throttle.account_failures_max,
                &mut throttle.mails_free,
                &mut throttle.ip_mails_step,
            ] {
                *limit = 1_000_000;
            }
        })
        .await;
        let token = app.token("admin@example.com", Role::Admin).await;
        fill(&app, &token).await;
        let url = format!("http://{}/openapi.json", app.address);
        let (program, folder) = (program.clone(), app.folder.path().to_owned());
        let output = tokio::task::spawn_blocking(move || {
            Command::new(program)
                .current_dir(folder)
                .args(["run", &url, "--seed", "1", "--max-examples", "25", "--phases", "examples,coverage,fuzzing"])
                .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
                .args(["--checks", "response_headers_conformance,response_schema_conformance"])
                // It would end the tester's own session.
                .args(["--exclude-path", "/api/v1/auth/logout"])
                .args([
                    "--header",
                    &format!("Authorization: Bearer {token}"),
                    "--no-color",
                    "--suppress-health-check",
                    "all",
                ])
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{backend:?}\n{told}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains(" generated, ") && !told.contains("Unresolvable references"), "{told}");
        println!("{}", told.lines().find(|line| line.contains(" generated, ")).unwrap_or_default());
        app.stop().await;
    }
}
