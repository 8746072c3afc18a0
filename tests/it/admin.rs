//! What staff and admins do: users, API keys, the audit log; and what they may not.

use std::time::Duration;

use emporium::call::{Call, Role};
use emporium::clock::{Clock, Id};
use emporium::config::Secret;
use emporium::user::{Registration, UserError, UserPatch};
use reqwest::Method;
use serde_json::{Value, json};

use crate::account::rows;
use crate::testapp::{PASSWORD, TestApp, call, on_both, read};

mod audit;

const USERS: &str = "/api/v1/users";
const KEYS: &str = "/api/v1/api-keys";
const AUDIT: &str = "/api/v1/audit-log";
const SCOPES: [&str; 9] = [
    "catalogue:read",
    "catalogue:write",
    "stock:read",
    "stock:write",
    "reservations:read",
    "reservations:write",
    "events:read",
    "users:read",
    "users:write",
];

/// Makes an account without logging it in; gives its id.
async fn person(app: &TestApp, email: &str, name: &str, role: Role) -> Id {
    let new = Registration { email: email.into(), password: Secret::new(PASSWORD), name: name.into() };
    app.shop.modules.user.create("test", new, role).await.unwrap().id
}

async fn get(app: &TestApp, token: &str, path: &str) -> (u16, Value) {
    read(app.request_as(token, Method::GET, path).send().await.unwrap()).await
}

async fn status(app: &TestApp, token: &str, method: Method, path: &str) -> u16 {
    app.request_as(token, method, path).send().await.unwrap().status().as_u16()
}

/// Changes a user, whichever version is there.
async fn patch(app: &TestApp, token: &str, user: Id, body: Value) -> (u16, Value) {
    let request = app.request_as(token, Method::PATCH, &format!("{USERS}/{user}")).header("If-Match", "*");
    read(request.json(&body).send().await.unwrap()).await
}

/// The tag of a version of a user.
fn tag(user: Id, version: i64) -> String {
    format!("\"{user}-{version}\"")
}

/// Makes an API key; gives its token and its id.
async fn key(app: &TestApp, token: &str, body: Value) -> (String, String) {
    let (code, made) = read(app.request_as(token, Method::POST, KEYS).json(&body).send().await.unwrap()).await;
    assert_eq!(code, 201, "{made}");
    (made["token"].as_str().unwrap().to_owned(), made["key"]["id"].as_str().unwrap().to_owned())
}

async fn own_id(app: &TestApp, token: &str) -> Id {
    get(app, token, "/api/v1/me").await.1["id"].as_str().unwrap().parse().unwrap()
}

fn texts<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    page["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

on_both! {
    async fn users_are_found_by_a_part_of_address_or_name(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        person(&app, "Ann_Lee@Example.com", "Ærlig Ørn", Role::Customer).await;
        person(&app, "annxlee@shop.test", "100% Ann", Role::Staff).await;
        let bob = person(&app, "bob@example.com", "Bob \\ Co", Role::Customer).await;
        patch(&app, &admin, bob, json!({ "disabled": true })).await;

        let found = async |query: &str| {
            let (code, page) = get(&app, &admin, &format!("{USERS}?{query}")).await;
            assert_eq!(code, 200, "{page}");
            texts(&page, "email").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let all = ["bob@example.com", "annxlee@shop.test", "Ann_Lee@Example.com", "root@example.com"];
        assert_eq!(found("").await, all, "newest first");
        assert_eq!(found("q=").await, all);
        assert_eq!(found("q=EXAMPLE.com").await, ["bob@example.com", "Ann_Lee@Example.com", "root@example.com"]);
        assert_eq!(found("q=%C3%A6RLIG").await, ["Ann_Lee@Example.com"]);
        assert_eq!(found("q=ann_").await, ["Ann_Lee@Example.com"], "_ is a character, not any character");
        assert_eq!(found("q=%25").await, ["annxlee@shop.test"], "% is a character, not any text");
        assert_eq!(found("q=%5C").await, ["bob@example.com"], "\\ is a character, not an escape");
        assert_eq!(found("q=nobody").await, [""; 0]);
        assert_eq!(found(&format!("q={bob}")).await, ["bob@example.com"]);
        assert_eq!(found(&format!("q=%20{}&role=customer", bob.to_string().to_uppercase())).await, ["bob@example.com"]);
        assert_eq!(found(&format!("q={bob}&role=staff")).await, [""; 0]);
        assert_eq!(found("q=019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d").await, [""; 0]);
        assert_eq!(found("email=%20ann_lee%40EXAMPLE.com").await, ["Ann_Lee@Example.com"]);
        assert_eq!(found("email=lee%40example.com").await, [""; 0], "a part is not an address");
        assert_eq!(found("email=bob%40example.com&role=staff").await, [""; 0]);
        assert_eq!(found(&format!("email=root%40example.com&q={bob}")).await, [""; 0]);
        let (code, problem) = get(&app, &admin, &format!("{USERS}?email=bob&q=a%00b")).await;
        assert_eq!((code, pointers(&problem)), (422, vec!["q", "email"]));
        assert_eq!(found("role=staff").await, ["annxlee@shop.test"]);
        assert_eq!(found("disabled=true").await, ["bob@example.com"]);
        assert_eq!(found("q=ann&disabled=false&role=customer").await, ["Ann_Lee@Example.com"]);

        // Pages: as long as asked for, without a gap or a repetition.
        let mut path = format!("{USERS}?limit=3");
        let answer = app.request_as(&admin, Method::GET, &path).send().await.unwrap();
        let link = answer.headers()["link"].to_str().unwrap().to_owned();
        let (_, page) = read(answer).await;
        path = format!("{path}&cursor={}", page["next_cursor"].as_str().unwrap());
        assert_eq!(link, format!("<{path}>; rel=\"next\""));
        let (_, rest) = get(&app, &admin, &path).await;
        assert_eq!([texts(&page, "email"), texts(&rest, "email")].concat(), all);
        assert_eq!(rest["next_cursor"], Value::Null);

        for (query, code) in [
            ("cursor=x", 400), ("limit=0", 422), ("limit=201", 422), ("limit=x", 422), ("role=king", 422), ("name=x", 400),
            ("q=%00", 422),
        ] {
            assert_eq!(get(&app, &admin, &format!("{USERS}?{query}")).await.0, code, "{query}");
        }
        assert_eq!(get(&app, &admin, &format!("{USERS}?q={}", "x".repeat(201))).await.0, 422);
        // A person who changes the name is found by the new one at once.
        let ann = app.login("Ann_Lee@example.com").await;
        let request = app.request_as(&ann, Method::PATCH, "/api/v1/me").header("If-Match", "*");
        assert_eq!(request.json(&json!({ "name": "Nina NEW" })).send().await.unwrap().status(), 200);
        assert_eq!(found("q=nina%20new").await, ["Ann_Lee@Example.com"]);
        assert_eq!(found("q=%C3%B8rn").await, [""; 0]);
        let digits = "0".repeat(32);
        person(&app, &format!("{digits}@relay.example"), "", Role::Staff).await;
        assert_eq!(found(&format!("q={digits}")).await, [format!("{digits}@relay.example")], "a part of an address");
    }

    async fn staff_look_and_admins_change(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let customer = app.token("ann@example.com", Role::Customer).await;
        let ann = own_id(&app, &customer).await;
        let path = format!("{USERS}/{ann}");
        for (token, expected) in [(&admin, 200), (&staff, 200), (&customer, 403)] {
            assert_eq!(status(&app, token, Method::GET, USERS).await, expected);
            assert_eq!(status(&app, token, Method::GET, &path).await, expected);
        }
        for token in [&staff, &customer] {
            assert_eq!(patch(&app, token, ann, json!({ "role": "admin" })).await.0, 403);
            for (method, path) in [
                (Method::GET, format!("{path}/sessions")),
                (Method::DELETE, format!("{path}/sessions")),
                (Method::DELETE, format!("{path}/sessions/{ann}")),
                (Method::GET, KEYS.to_owned()),
                (Method::POST, KEYS.to_owned()),
                (Method::DELETE, format!("{KEYS}/{ann}")),
                (Method::GET, AUDIT.to_owned()),
            ] {
                assert_eq!(status(&app, token, method.clone(), &path).await, 403, "{method} {path}");
            }
        }
        for path in [USERS, KEYS, AUDIT] {
            assert_eq!(app.request(Method::GET, path).send().await.unwrap().status(), 401);
        }
        for path in [format!("{USERS}/x"), format!("{USERS}/019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d")] {
            assert_eq!(status(&app, &admin, Method::GET, &path).await, 404);
            assert_eq!(status(&app, &admin, Method::GET, &format!("{path}/sessions")).await, 404);
            assert_eq!(status(&app, &admin, Method::DELETE, &format!("{path}/sessions")).await, 404);
            let change = app.request_as(&admin, Method::PATCH, &path).header("If-Match", "*").json(&json!({ "role": "staff" }));
            assert_eq!(change.send().await.unwrap().status(), 404);
        }
    }

    async fn a_role_counts_from_the_next_request(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let ann = own_id(&app, &token).await;
        let path = format!("{USERS}/{ann}");
        let body = json!({ "role": "staff" });
        assert_eq!(app.request_as(&admin, Method::PATCH, &path).json(&body).send().await.unwrap().status(), 428);
        let stale = app.request_as(&admin, Method::PATCH, &path).header("If-Match", tag(ann, 9)).json(&body);
        assert_eq!(stale.send().await.unwrap().status(), 412);
        assert_eq!(status(&app, &token, Method::GET, USERS).await, 403);
        let answer = app.request_as(&admin, Method::PATCH, &path).header("If-Match", tag(ann, 1)).json(&body).send().await.unwrap();
        assert_eq!(answer.headers()["etag"], tag(ann, 2));
        assert_eq!(read(answer).await.1["role"], "staff");
        assert_eq!(status(&app, &token, Method::GET, USERS).await, 200);
        let known = app.request_as(&admin, Method::GET, &path).header("If-None-Match", format!("W/{}", tag(ann, 2))).send().await.unwrap();
        assert_eq!(known.status(), 304);
        // The same again changes nothing and is no entry of the log.
        assert_eq!(patch(&app, &admin, ann, body).await.1["version"], 2);
        let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject=user:{ann}")).await;
        let entries: Vec<&Value> =
            log["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == "user.role_changed").collect();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0]["data"], json!({ "from": "customer", "to": "staff" }));
        assert_eq!(entries[0]["actor"], format!("user:{}", own_id(&app, &admin).await));
        for (wrong, at) in [
            (json!({ "role": "king" }), "/role"), (json!({ "email": "x@example.com" }), "/email"),
            (json!({ "role": null }), "/role"), (json!({ "disabled": null, "role": "staff" }), "/disabled"),
        ] {
            let (code, problem) = patch(&app, &admin, ann, wrong).await;
            assert_eq!((code, pointers(&problem)), (422, vec![at]));
        }
    }

    async fn who_is_disabled_is_out_at_once(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let ann = own_id(&app, &token).await;
        assert_eq!(patch(&app, &admin, ann, json!({ "disabled": true })).await.1["disabled"], true);
        assert_eq!(status(&app, &token, Method::GET, "/api/v1/me").await, 401);
        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        let login = app.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
        assert_eq!(login.status(), 403);
        assert_eq!(patch(&app, &admin, ann, json!({ "disabled": false })).await.1["disabled"], false);
        assert_eq!(status(&app, &token, Method::GET, "/api/v1/me").await, 401, "what was ended stays ended");
        let again = app.login("ann@example.com").await;
        assert_eq!(status(&app, &again, Method::GET, "/api/v1/me").await, 200);
        let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject=user:{ann}")).await;
        let actions = texts(&log, "action");
        assert!(actions.contains(&"user.disabled") && actions.contains(&"user.enabled"), "{actions:?}");
    }

    async fn an_admin_stays(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let root = own_id(&app, &admin).await;
        // One who is disabled does not count.
        let other = person(&app, "two@example.com", "", Role::Admin).await;
        assert_eq!(patch(&app, &admin, other, json!({ "disabled": true })).await.0, 200);
        for body in [json!({ "role": "customer" }), json!({ "disabled": true }), json!({ "role": "staff", "disabled": false })] {
            assert_eq!(patch(&app, &admin, root, body.clone()).await.0, 409, "{body}");
        }
        let patch_all = UserPatch { role: None, disabled: Some(true) };
        assert!(app.shop.modules.user.user_update(&call(), root, None, patch_all).await.is_err());
        assert_eq!(patch(&app, &admin, other, json!({ "disabled": false })).await.0, 200);
        assert_eq!(patch(&app, &admin, root, json!({ "disabled": true })).await.0, 409, "nobody disables himself");
        assert_eq!(patch(&app, &admin, root, json!({ "role": "customer" })).await.0, 200);
        assert_eq!(status(&app, &admin, Method::GET, USERS).await, 403);
    }

    async fn of_two_admins_who_go_at_once_one_stays(backend: Backend) {
        let app = TestApp::start(backend).await;
        let pair = [
            person(&app, "one@example.com", "", Role::Admin).await,
            person(&app, "two@example.com", "", Role::Admin).await,
        ];
        let user = &app.shop.modules.user;
        for round in 0..25 {
            let change = |id| {
                let (user, demote) = (user.clone(), UserPatch { role: Some(Role::Staff), disabled: None });
                let disable = UserPatch { role: None, disabled: Some(true) };
                let patch = if round % 2 == 0 { demote } else { disable };
                tokio::spawn(async move { user.user_update(&call(), id, None, patch).await.is_ok() })
            };
            let (first, second) = (change(pair[0]), change(pair[1]));
            let done = [first.await.unwrap(), second.await.unwrap()];
            assert_eq!(done.iter().filter(|done| **done).count(), 1, "round {round}: {done:?}");
            assert_eq!(rows(&app, "users", "role = 'admin' AND disabled_at IS NULL"), 1, "round {round}");
            for id in pair {
                let back = UserPatch { role: Some(Role::Admin), disabled: Some(false) };
                user.user_update(&call(), id, None, back).await.unwrap();
            }
        }
    }

    async fn an_admin_ends_sessions(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let phone = app.token("ann@example.com", Role::Customer).await;
        let laptop = app.login("ann@example.com").await;
        let bob = app.token("bob@example.com", Role::Customer).await;
        let ann = own_id(&app, &phone).await;
        let path = format!("{USERS}/{ann}/sessions");
        let (code, sessions) = get(&app, &admin, &path).await;
        assert_eq!((code, texts(&sessions, "id").len()), (200, 2));
        // Newest first.
        let newest = texts(&sessions, "id")[0].to_owned();
        let bobs = format!("{USERS}/{}/sessions/{newest}", own_id(&app, &bob).await);
        assert_eq!(status(&app, &admin, Method::DELETE, &bobs).await, 404, "it is not bob's");
        assert_eq!(status(&app, &admin, Method::DELETE, &format!("{path}/{newest}")).await, 204);
        assert_eq!(status(&app, &admin, Method::DELETE, &format!("{path}/{newest}")).await, 404);
        assert_eq!(status(&app, &laptop, Method::GET, "/api/v1/me").await, 401);
        assert_eq!(status(&app, &phone, Method::GET, "/api/v1/me").await, 200);
        let tablet = app.login("ann@example.com").await;
        let ended = read(app.request_as(&admin, Method::DELETE, &path).send().await.unwrap()).await;
        assert_eq!(ended, (200, json!({ "ended": 2 })));
        for token in [&phone, &tablet] {
            assert_eq!(status(&app, token, Method::GET, "/api/v1/me").await, 401);
        }
        assert_eq!(get(&app, &admin, &path).await.1["items"], json!([]));
        assert_eq!(status(&app, &bob, Method::GET, "/api/v1/me").await, 200);
        let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject=user:{ann}")).await;
        let ended = log["items"].as_array().unwrap().iter().filter(|entry| {
            entry["action"].as_str().unwrap().ends_with(".ended") && entry["actor"] != format!("user:{ann}")
        });
        assert_eq!(ended.count(), 2, "{log}");
    }

    async fn a_key_opens_what_its_scopes_say(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let ann = person(&app, "ann@example.com", "Ann", Role::Customer).await;
        let session = format!("{USERS}/{ann}/sessions/{ann}");
        for scope in SCOPES {
            let (token, id) = key(&app, &admin, json!({ "name": scope, "scopes": [scope] })).await;
            let reads = if scope == "users:read" { 200 } else { 403 };
            for path in [USERS.to_owned(), format!("{USERS}/{ann}"), format!("{USERS}/{ann}/sessions"), KEYS.to_owned(), AUDIT.to_owned()] {
                assert_eq!(status(&app, &token, Method::GET, &path).await, reads, "{scope} {path}");
            }
            let writes = scope == "users:write";
            for disabled in [true, false] {
                let code = patch(&app, &token, ann, json!({ "disabled": disabled })).await.0;
                assert_eq!(code, if writes { 200 } else { 403 }, "{scope}");
            }
            assert_eq!(status(&app, &token, Method::DELETE, &session).await, if writes { 404 } else { 403 }, "{scope}");
            assert_eq!(status(&app, &token, Method::DELETE, &format!("{USERS}/{ann}/sessions")).await, if writes { 200 } else { 403 });
            // Whatever its scopes: no roles, no keys, nobody's own things.
            assert_eq!(patch(&app, &token, ann, json!({ "role": "admin" })).await.0, 403, "{scope}");
            let (root, was) = (own_id(&app, &admin).await, json!({ "disabled": false }));
            assert_eq!(patch(&app, &token, root, was).await.0, 403, "{scope}: no admin's account");
            let body = json!({ "name": "more", "scopes": ["users:write"] });
            let more = app.request_as(&token, Method::POST, KEYS).json(&body).send().await.unwrap();
            assert_eq!(more.status(), 403, "{scope}");
            assert_eq!(status(&app, &token, Method::DELETE, &format!("{KEYS}/{id}")).await, 403, "{scope}");
            assert_eq!(status(&app, &token, Method::GET, "/api/v1/me").await, 403, "{scope}");
        }
        let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject=user:{ann}")).await;
        let disabled = log["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "user.disabled").unwrap();
        assert!(disabled["actor"].as_str().unwrap().starts_with("key:"), "{disabled}");
    }

    async fn a_key_is_shown_once_and_ends_at_once(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let root = own_id(&app, &admin).await;
        let end = app.clock.now().plus_seconds(600);
        let body = json!({ "name": "Warehouse", "scopes": ["users:read", "stock:write"], "expires_at": end });
        let answer = app.request_as(&admin, Method::POST, KEYS).json(&body).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let (code, made) = read(answer).await;
        let (token, entry) = (made["token"].as_str().unwrap().to_owned(), made["key"].clone());
        assert_eq!((code, &location), (201, &format!("{KEYS}/{}", entry["id"].as_str().unwrap())));
        assert!(token.starts_with("emk_") && token.len() == 47, "{token}");
        assert_eq!(entry["hint"], token[..8]);
        assert_eq!((&entry["created_by"], &entry["expires_at"]), (&json!(root), &json!(end)));
        assert_eq!(entry["scopes"], json!(["users:read", "stock:write"]));

        // Asked for twice under one key, it is made once, and its token is told to nobody else.
        let keyed = || app.request_as(&admin, Method::POST, KEYS).header("idempotency-key", "one").json(&json!({ "name": "Once", "scopes": ["users:read"] }));
        let (first, again) = (read(keyed().send().await.unwrap()).await, read(keyed().send().await.unwrap()).await);
        assert_eq!((first.0, again.0, &again.1["code"]), (201, 409, &json!("already_exists")));
        assert_eq!(rows(&app, "api_keys", "name = 'Once'"), 1);
        let gone = app.request_as(&admin, Method::DELETE, &format!("{KEYS}/{}", first.1["key"]["id"].as_str().unwrap()));
        assert_eq!(gone.send().await.unwrap().status(), 204);

        let (lasting, id) = key(&app, &admin, json!({ "name": "Lasting", "scopes": ["users:read"] })).await;
        let (_, list) = get(&app, &admin, &format!("{KEYS}?limit=1")).await;
        assert_eq!(texts(&list, "name"), ["Lasting"], "newest first");
        let (_, rest) = get(&app, &admin, &format!("{KEYS}?cursor={}", list["next_cursor"].as_str().unwrap())).await;
        assert_eq!(rest["items"][1], entry);
        assert!(!rest.to_string().contains(&token[8..]) && !rest.to_string().contains("hash"));
        assert_eq!(rows(&app, "api_keys", &format!("hint = '{token}' OR name = '{token}'")), 0);

        assert_eq!(status(&app, &token, Method::GET, USERS).await, 200);
        app.clock.advance(Duration::from_secs(601));
        assert_eq!(status(&app, &token, Method::GET, USERS).await, 401, "too old");
        assert_eq!(status(&app, &lasting, Method::GET, USERS).await, 200);
        let path = format!("{KEYS}/{id}");
        assert_eq!(status(&app, &admin, Method::DELETE, &path).await, 204);
        assert_eq!(status(&app, &lasting, Method::GET, USERS).await, 401, "revoked");
        assert_eq!(status(&app, &admin, Method::DELETE, &path).await, 204, "revoking twice is revoking");
        assert_eq!(status(&app, &admin, Method::DELETE, &format!("{KEYS}/{root}")).await, 404);
        assert_eq!(status(&app, &admin, Method::DELETE, &format!("{KEYS}/x")).await, 404);
        let (_, list) = get(&app, &admin, KEYS).await;
        assert!(list["items"][0]["revoked_at"].is_string());
        let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject=key:{id}")).await;
        assert_eq!(texts(&log, "action"), ["api_key.revoked", "api_key.created"]);
        assert!(texts(&log, "actor").iter().all(|actor| *actor == format!("user:{root}")));
    }

    async fn keys_end_with_the_admin_who_made_them(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let (kept, _) = key(&app, &admin, json!({ "name": "kept", "scopes": ["users:read"] })).await;
        for (n, how) in [json!({ "disabled": true }), json!({ "role": "staff" }), Value::Null].into_iter().enumerate() {
            let email = format!("admin{n}@example.com");
            let maker = app.token(&email, Role::Admin).await;
            let id = own_id(&app, &maker).await;
            let body = |name: &str| json!({ "name": name, "scopes": ["users:read"] });
            let keys = [key(&app, &maker, body("one")).await, key(&app, &maker, body("two")).await];
            if how.is_null() {
                let request = app.request_as(&maker, Method::DELETE, "/api/v1/me");
                let gone = request.json(&json!({ "current_password": PASSWORD })).send().await.unwrap();
                assert_eq!(gone.status(), 204);
            } else {
                assert_eq!(patch(&app, &admin, id, how.clone()).await.0, 200);
            }
            for (token, key) in &keys {
                assert_eq!(status(&app, token, Method::GET, USERS).await, 401, "{how}");
                let (_, log) = get(&app, &admin, &format!("{AUDIT}?subject=key:{key}")).await;
                assert_eq!(texts(&log, "action"), ["api_key.revoked", "api_key.created"], "{how}");
            }
            assert_eq!(status(&app, &kept, Method::GET, USERS).await, 200);
        }
    }

    async fn a_program_touches_no_admin(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        person(&app, "two@example.com", "", Role::Admin).await;
        let root = own_id(&app, &admin).await;
        let (token, id) = key(&app, &admin, json!({ "name": "key", "scopes": ["users:write"] })).await;
        let path = format!("{USERS}/{root}/sessions");
        let (_, sessions) = get(&app, &admin, &path).await;
        for path in [path.clone(), format!("{path}/{}", texts(&sessions, "id")[0])] {
            assert_eq!(status(&app, &token, Method::DELETE, &path).await, 403, "{path}");
        }
        // The rule is the service's, where the row is locked.
        let disable = UserPatch { role: None, disabled: Some(true) };
        let refused = app.shop.modules.user.user_update(&Call::by(format!("key:{id}")), root, None, disable).await;
        assert!(matches!(refused, Err(UserError::Forbidden(_))), "{refused:?}");
        assert_eq!(status(&app, &admin, Method::GET, USERS).await, 200);
    }

    async fn a_key_must_be_well_formed(backend: Backend) {
        let app = TestApp::start(backend).await;
        let admin = app.token("root@example.com", Role::Admin).await;
        let past = app.clock.now().minus_seconds(1);
        let far = "9999-01-01T00:00:00Z";
        for (body, expected) in [
            (json!({ "name": "", "scopes": [] }), vec!["/name", "/scopes"]),
            (json!({ "name": "n".repeat(101), "scopes": ["users:read"] }), vec!["/name"]),
            (json!({ "name": "n\n", "scopes": ["users:read", "users:read"] }), vec!["/name", "/scopes/1"]),
            (json!({ "name": "n", "scopes": ["users:fly"] }), vec!["/scopes/0"]),
            (json!({ "name": "n", "scopes": ["users:read"], "expires_at": past }), vec!["/expires_at"]),
            (json!({ "name": "n", "scopes": ["users:read"], "expires_at": far }), vec!["/expires_at"]),
            (json!({ "name": "n", "scopes": ["users:read"], "expires_at": "soon" }), vec!["/expires_at"]),
        ] {
            let (code, problem) = read(app.request_as(&admin, Method::POST, KEYS).json(&body).send().await.unwrap()).await;
            assert_eq!((code, pointers(&problem)), (422, expected), "{body}");
        }
        assert_eq!(get(&app, &admin, KEYS).await.1["items"], json!([]));
    }

    async fn what_is_past_its_time_is_forgotten(backend: Backend) {
        let app = TestApp::start(backend).await;
        app.token("ann@example.com", Role::Customer).await;
        let body = json!({ "email": "ann@example.com", "password": "not my password at all" });
        app.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
        let forgotten = json!({ "email": "ann@example.com" });
        app.request(Method::POST, "/api/v1/auth/password/forgot").json(&forgotten).send().await.unwrap();
        let user = &app.shop.modules.user;
        user.tidy().await.unwrap();
        let log = rows(&app, "audit_log", "1 = 1");
        for table in ["sessions", "one_time_tokens", "login_throttle"] {
            assert!(rows(&app, table, "1 = 1") > 0, "{table} is not tidied too early");
        }
        app.clock.advance(Duration::from_secs(60 * 86_400));
        // The shop's own tidying may have been first.
        user.tidy().await.unwrap();
        for table in ["sessions", "one_time_tokens", "login_throttle"] {
            assert_eq!(rows(&app, table, "1 = 1"), 0, "{table}");
        }
        assert_eq!(rows(&app, "audit_log", "1 = 1"), log, "the log stays");
        assert_eq!(rows(&app, "users", "1 = 1"), 1);
    }
}
