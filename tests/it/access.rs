//! The access table: every route stands in it, and each is called without rights, with a customer's and with staff's.

use std::collections::BTreeSet;

use emporium::app;
use emporium::call::Role;
use emporium::http::gate::{Access, Rule};
use reqwest::Method;
use serde_json::json;

use crate::testapp::{Backend, TestApp, read};

/// All routes of the API document, as (method, pattern).
fn documented() -> BTreeSet<(String, String)> {
    let document = serde_json::to_value(app::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            routes.insert((method.to_uppercase(), path.clone()));
        }
    }
    routes
}

#[test]
fn the_table_and_the_routes_are_the_same() {
    let table: BTreeSet<(String, String)> = app::rules()
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .filter(|(_, path)| path.starts_with("/api/"))
        .collect();
    assert_eq!(
        table.len(),
        app::rules().iter().filter(|(_, path, _)| path.starts_with("/api/")).count(),
        "a row stands twice"
    );
    assert_eq!(table, documented());
}

/// The rules of the API, or those of the pages.
fn rules(of_api: bool) -> Vec<Rule> {
    app::rules().into_iter().filter(|(_, path, _)| path.starts_with("/api/") == of_api).collect()
}

/// Fills a pattern with values that name nothing.
fn fill(pattern: &str) -> String {
    pattern
        .split('/')
        .map(|part| if part.starts_with('{') { "019a0000-0000-7000-8000-000000000000" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// The path as it is, and with the first letter of each part percent-encoded, which leads to the same route.
fn spellings(path: &str) -> [String; 2] {
    let encoded = |part: &str| match part.as_bytes().first() {
        Some(first) if first.is_ascii_alphanumeric() => format!("%{first:02X}{}", &part[1..]),
        _ => part.to_owned(),
    };
    [path.to_owned(), path.split('/').map(encoded).collect::<Vec<_>>().join("/")]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_refuses_who_may_not_use_it() {
    let app = TestApp::start(Backend::any()).await;
    let customer = app.token("customer@example.com", Role::Customer).await;
    let staff = app.token("staff@example.com", Role::Staff).await;
    let admin = app.token("admin@example.com", Role::Admin).await;
    let mut refused = 0;
    for (method, pattern, access) in rules(true) {
        let method: Method = method.parse().unwrap();
        for path in spellings(&fill(pattern)) {
            let callers = [(None, None), (Some(&customer), Some(Role::Customer)), (Some(&staff), Some(Role::Staff))];
            for (token, role) in callers {
                let may = match access {
                    Access::Public => true,
                    Access::Role(needed, _) => role.is_some_and(|role| role >= needed),
                };
                if may && pattern == "/api/v1/auth/logout" {
                    continue;
                }
                let mut request = app.request(method.clone(), &path);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let (status, body) = read(request.json(&json!({})).send().await.unwrap()).await;
                if may {
                    assert!(status != 401 && status != 403, "{method} {pattern} as {role:?}: {status} {body}");
                    continue;
                }
                let expected = if token.is_none() { (401, "unauthenticated") } else { (403, "forbidden") };
                assert_eq!((status, body["code"].as_str().unwrap()), expected, "{method} {pattern} as {role:?}");
                refused += 1;
            }
            if !matches!(access, Access::Public) && pattern != "/api/v1/auth/logout" {
                let request = app.request_as(&admin, method.clone(), &path).json(&json!({}));
                let (status, body) = read(request.send().await.unwrap()).await;
                assert!(status != 401 && status != 403, "{method} {pattern} as an admin: {status} {body}");
            }
        }
    }
    assert!(refused > 50, "only {refused} calls were refused");
    app.stop().await;
}

/// Pages know people by their cookie, and tell who may not see them before they look at a form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_refuses_who_may_not_see_it() {
    let app = TestApp::start(Backend::any()).await;
    let mut people = vec![(String::new(), None)];
    for (email, role) in [("customer", Role::Customer), ("staff", Role::Staff), ("admin", Role::Admin)] {
        people.push((app.token(&format!("{email}@example.com"), role).await, Some(role)));
    }
    let mut refused = 0;
    for (method, pattern, access) in rules(false) {
        let Access::Role(needed, _) = access else { continue };
        let paths = spellings(&fill(pattern));
        for ((token, role), path) in people.iter().flat_map(|person| paths.iter().map(move |path| (person, path))) {
            let request = app.request(method.parse().unwrap(), path);
            let request = request.header("origin", format!("http://{}", app.address));
            let answer = request.header("cookie", format!("session={token}")).send().await.unwrap();
            let (status, body) = read(answer).await;
            let is_told = body["detail"].as_str().is_some_and(|detail| detail.starts_with("This needs "));
            match role {
                Some(role) if *role >= needed => assert!(!is_told, "{method} {pattern} as {role:?}: {status} {body}"),
                Some(role) => assert!(is_told && status == 403, "{method} {pattern} as {role:?}: {status} {body}"),
                None => assert!(is_told && status == 401, "{method} {pattern} as nobody: {status} {body}"),
            }
            refused += usize::from(is_told);
        }
    }
    assert!(refused > 50, "only {refused} calls were refused");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_may_do_what_its_scopes_say_and_no_more() {
    let app = TestApp::start(Backend::any()).await;
    let admin = app.token("admin@example.com", Role::Admin).await;
    let scopes: BTreeSet<String> = app::rules()
        .iter()
        .filter_map(|(_, _, access)| match access {
            Access::Role(_, Some(scope)) => Some(serde_json::to_value(scope).unwrap().as_str().unwrap().to_owned()),
            _ => None,
        })
        .collect();
    assert!(scopes.len() >= 8, "{scopes:?}");
    for scope in &scopes {
        let body = json!({ "name": scope, "scopes": [scope] });
        let answer = app.request_as(&admin, Method::POST, "/api/v1/api-keys").json(&body).send().await.unwrap();
        let (status, key) = read(answer).await;
        assert_eq!(status, 201, "{key}");
        let token = key["token"].as_str().unwrap();
        for (method, pattern, access) in rules(true) {
            let Access::Role(_, needed) = access else { continue };
            let may = needed.is_some_and(|needed| serde_json::to_value(needed).unwrap() == scope.as_str());
            let request = app.request_as(token, method.parse().unwrap(), &fill(pattern)).json(&json!({}));
            let status = request.send().await.unwrap().status().as_u16();
            assert_eq!(status != 403, may, "{method} {pattern} with {scope}: {status}");
        }
    }
    app.stop().await;
}
