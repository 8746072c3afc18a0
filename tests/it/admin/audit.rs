//! The audit log: who did what to whom, and from where.

use emporium::call::Role;
use reqwest::Method;
use serde_json::json;

use super::*;
use crate::testapp::{PASSWORD, TestApp, on_both};

on_both! {
    async fn the_audit_log_is_read_in_pages(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let ann = person(&app, "ann@example.com", "", Role::Customer).await;
        for disabled in [true, false, true] {
            patch(&app, &admin, ann, json!({ "disabled": disabled })).await;
        }
        let (mut path, mut actions) = (format!("{AUDIT}?limit=2&subject=user:{ann}"), vec![]);
        loop {
            let (code, page) = get(&app, &admin, &path).await;
            assert_eq!(code, 200, "{page}");
            actions.extend(texts(&page, "action").into_iter().map(str::to_owned));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("{AUDIT}?limit=2&subject=user:{ann}&cursor={cursor}");
        }
        assert_eq!(actions, ["user.disabled", "user.enabled", "user.disabled", "user.created"]);
        let (_, all) = get(&app, &admin, AUDIT).await;
        assert!(all["items"].as_array().unwrap().len() > 4, "the others' entries too");
        assert_eq!(get(&app, &admin, &format!("{AUDIT}?subject=user:x")).await.1["items"], json!([]));
        for (query, code) in [("cursor=x", 400), ("limit=0", 422), ("subject=%00", 422), ("actor=x", 400)] {
            assert_eq!(get(&app, &admin, &format!("{AUDIT}?{query}")).await.0, code, "{query}");
        }
    }

    async fn a_wrong_password_is_noted(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let ann = person(&app, "ann@example.com", "", Role::Customer).await;
        let refused = async |email: &str, password: &str, code: u16| {
            let body = json!({ "email": email, "password": password });
            let answer = app.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
            assert_eq!(answer.status(), code);
        };
        refused("ann@example.com", "not the password", 401).await;
        refused("none@example.com", "not the password", 401).await;
        patch(&app, &admin, ann, json!({ "disabled": true })).await;
        refused("ann@example.com", PASSWORD, 403).await;
        for (subject, times) in [(format!("user:{ann}"), 2), ("nobody".to_owned(), 1)] {
            let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject={subject}")).await;
            let tries: Vec<_> = log["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "password.refused").collect();
            assert_eq!(tries.len(), times, "{log}");
            assert!(tries.iter().all(|entry| entry["actor"] == "anonymous" && entry["address"] == "127.0.0.1"), "{log}");
        }
    }

    async fn each_act_is_noted_with_where_it_came_from(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        person(&app, "two@example.com", "", Role::Admin).await;
        let customer = app.token("ann@example.com", Role::Customer).await;
        let (root, ann) = (own_id(&app, &admin).await, own_id(&app, &customer).await);
        app.login("ann@example.com").await;
        let name = app.request_as(&customer, Method::PATCH, "/api/v1/me").header("If-Match", "*");
        assert_eq!(name.json(&json!({ "name": "Ann B" })).send().await.unwrap().status(), 200);
        assert_eq!(status(&app, &customer, Method::DELETE, "/api/v1/me/sessions").await, 200);
        patch(&app, &admin, ann, json!({ "role": "staff" })).await;
        assert_eq!(status(&app, &admin, Method::DELETE, &format!("{USERS}/{ann}/sessions")).await, 200);
        patch(&app, &admin, ann, json!({ "disabled": true })).await;
        let (_, id) = key(&app, &admin, json!({ "name": "n", "scopes": ["users:read"] })).await;
        assert_eq!(status(&app, &admin, Method::DELETE, &format!("{KEYS}/{id}")).await, 204);
        let (_, log) = get(&app, &admin, &format!("{AUDIT}?limit=200")).await;
        for entry in log["items"].as_array().unwrap() {
            // What the test itself did did not come over the network.
            let expected = if entry["actor"] == "test" { "" } else { "127.0.0.1" };
            assert_eq!(entry["address"], expected, "{entry}");
        }
        for action in ["user.role_changed", "sessions.ended", "user.disabled", "api_key.created", "api_key.revoked", "profile.updated"] {
            assert!(texts(&log, "action").contains(&action), "{action}");
        }
        // And forgotten with the person, also in what was done to others.
        let acts = format!("actor = 'user:{root}'");
        let before = rows(&app, "audit_log", &format!("{acts} AND address <> ''"));
        assert!(before > 5, "{before}");
        let gone = app.request_as(&admin, Method::DELETE, "/api/v1/me").json(&json!({ "current_password": PASSWORD }));
        assert_eq!(gone.send().await.unwrap().status(), 204);
        assert_eq!(rows(&app, "audit_log", &format!("{acts} AND address <> ''")), 0);
        assert!(rows(&app, "audit_log", &acts) > before);
        assert!(rows(&app, "audit_log", &format!("actor = 'user:{ann}' AND address <> ''")) > 0, "others stay");
    }
}
