//! What a person keeps in the shop: profile, addresses, the data as a file, the account's end.

use diesel::prelude::*;
use emporium::call::Role;
use emporium::clock::{Clock, Id};
use emporium::config::{DatabaseUrl, MailDelivery, Secret, SmtpConfig, SmtpTls};
use emporium::user::{AddressFields, CartLine, Delivery, NewAddress, OrderFate, Registration};
use reqwest::Method;
use serde_json::{Value, json};

use crate::testapp::{Backend, PASSWORD, TestApp, call, on_both, read};

mod cart;
mod delivery;

const ME: &str = "/api/v1/me";
const ADDRESSES: &str = "/api/v1/me/addresses";

/// How many rows of one of the user module's tables meet the condition, seen behind the shop's back.
pub(crate) fn rows(app: &TestApp, table: &str, condition: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let query = |schema| diesel::sql_query(format!("SELECT count(*) AS count FROM {schema}{table} WHERE {condition}"));
    let count: Count = match &app.config.user.database.url {
        DatabaseUrl::Sqlite(path) => {
            query("").get_result(&mut SqliteConnection::establish(path.to_str().unwrap()).unwrap()).unwrap()
        }
        DatabaseUrl::Postgres(url) => query("users.").get_result(&mut PgConnection::establish(url).unwrap()).unwrap(),
    };
    count.count
}

fn address(line1: &str) -> Value {
    json!({ "name": "Ann Example", "line1": line1, "city": "Oslo", "postal_code": "0150", "country": "NO" })
}

fn path(address: &Value) -> String {
    format!("{ADDRESSES}/{}", address["id"].as_str().unwrap())
}

/// The tag of a version of a profile or an address.
fn tag(thing: &Value, version: i64) -> String {
    format!("\"{}-{version}\"", thing["id"].as_str().unwrap())
}

/// Adds an address; gives what the shop says of it.
async fn add(app: &TestApp, token: &str, body: Value) -> Value {
    let (status, made) = read(app.request_as(token, Method::POST, ADDRESSES).json(&body).send().await.unwrap()).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn list(app: &TestApp, token: &str) -> Vec<Value> {
    let (status, list) = read(app.request_as(token, Method::GET, ADDRESSES).send().await.unwrap()).await;
    assert_eq!(status, 200, "{list}");
    list["items"].as_array().unwrap().clone()
}

async fn status(app: &TestApp, token: &str, method: Method, path: &str) -> u16 {
    app.request_as(token, method, path).send().await.unwrap().status().as_u16()
}

/// A mail server that is not there, so that the mails wait.
fn nowhere() -> SmtpConfig {
    SmtpConfig {
        host: "127.0.0.1".into(),
        port: 1,
        tls: SmtpTls::None,
        username: None,
        password: None,
        password_file: None,
        timeout_seconds: 1,
    }
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

on_both! {
    async fn a_profile_is_changed_by_who_saw_it(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let answer = app.request_as(&token, Method::GET, ME).send().await.unwrap();
        let seen = answer.headers()["etag"].to_str().unwrap().to_owned();
        let (code, profile) = read(answer).await;
        assert_eq!((code, profile["email"].as_str(), profile["role"].as_str()), (200, Some("ann@example.com"), Some("customer")));

        let known = app.request_as(&token, Method::GET, ME).header("If-None-Match", &seen).send().await.unwrap();
        assert_eq!((known.status().as_u16(), known.text().await.unwrap().len()), (304, 0));

        let patch = |tag: Option<&str>, body: Value| {
            let request = app.request_as(&token, Method::PATCH, ME).json(&body);
            let request = tag.into_iter().fold(request, |request, tag| request.header("If-Match", tag));
            async move { read(request.send().await.unwrap()).await }
        };
        assert_eq!(patch(None, json!({ "name": "Ann B" })).await.0, 428);
        assert_eq!(patch(Some("\"v1\""), json!({ "name": "Ann B" })).await.0, 412);
        assert_eq!(patch(Some("nonsense"), json!({ "name": "Ann B" })).await.0, 412);
        let other = app.token("bob@example.com", Role::Customer).await;
        let (_, bob) = read(app.request_as(&other, Method::GET, ME).send().await.unwrap()).await;
        assert_eq!(patch(Some(&tag(&bob, 1)), json!({ "name": "Ann B" })).await.0, 412, "another person's tag");
        let (code, changed) = patch(Some(&seen), json!({ "name": "Ann B" })).await;
        assert_eq!((code, changed["name"].as_str(), changed["version"].as_i64()), (200, Some("Ann B"), Some(2)));
        let (code, problem) = patch(Some(&seen), json!({ "name": "Ann C" })).await;
        assert_eq!((code, problem["code"].as_str(), problem["version"].as_i64()), (412, Some("version_mismatch"), Some(2)));
        // What is absent stays, and what changes nothing makes no new version.
        let (code, changed) = patch(Some(&tag(&profile, 2)), json!({ "phone": "+47 123" })).await;
        assert_eq!((code, changed["name"].as_str(), changed["phone"].as_str()), (200, Some("Ann B"), Some("+47 123")));
        assert_eq!(patch(Some("*"), json!({ "phone": "+47 123" })).await.1["version"], 3);
        assert_eq!(patch(Some(&tag(&profile, 2)), json!({})).await.0, 412);
    }

    async fn a_profile_takes_only_what_it_can_keep(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        for (body, expected) in [
            (json!({ "name": "a\u{0}b", "phone": "1".repeat(51) }), vec!["/name", "/phone"]),
            (json!({ "name": "n".repeat(201) }), vec!["/name"]),
            (json!({ "name": 7 }), vec!["/name"]),
            (json!({ "name": null }), vec!["/name"]),
            (json!({ "phone": "not a phone <b>", "name": "a\u{0}b" }), vec!["/name", "/phone"]),
            (json!({ "phone": "1234" }), vec!["/phone"]),
            (json!({ "phone": null }), vec!["/phone"]),
            (json!({ "role": "admin" }), vec!["/role"]),
        ] {
            let request = app.request_as(&token, Method::PATCH, ME).header("If-Match", "*").json(&body);
            let (code, problem) = read(request.send().await.unwrap()).await;
            assert_eq!((code, pointers(&problem)), (422, expected), "{body}");
        }
        let (_, me) = read(app.request_as(&token, Method::GET, ME).send().await.unwrap()).await;
        assert_eq!((&me["name"], &me["version"]), (&json!("Test Person"), &json!(1)));
        // 200 characters, not bytes.
        let request = app.request_as(&token, Method::PATCH, ME).header("If-Match", "*");
        assert_eq!(request.json(&json!({ "name": "ø".repeat(200) })).send().await.unwrap().status(), 200);
        assert_eq!(app.request(Method::GET, ME).send().await.unwrap().status(), 401);
        assert_eq!(status(&app, &token, Method::GET, "/api/v1/me?limit=1").await, 400);
    }

    async fn one_address_is_the_default(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let first = add(&app, &token, address("1 First St")).await;
        assert_eq!(first["is_default"], true, "the first address is the default");
        let second = add(&app, &token, address("2 Second St")).await;
        assert_eq!(second["is_default"], false);
        let mut third = address("3 Third St");
        third["is_default"] = json!(true);
        let third = add(&app, &token, third).await;
        let order: Vec<Value> = list(&app, &token).await.iter().map(|address| address["id"].clone()).collect();
        assert_eq!(order, [third["id"].clone(), second["id"].clone(), first["id"].clone()]);

        // The first one lost the mark: that is another version.
        let put = |path: String, tag: Option<String>, body: Value| {
            let request = app.request_as(&token, Method::PUT, &path).json(&body);
            let request = tag.into_iter().fold(request, |request, tag| request.header("If-Match", tag));
            async move { read(request.send().await.unwrap()).await }
        };
        let mut body = address("1 First Street");
        assert_eq!(put(path(&first), None, body.clone()).await.0, 428);
        assert_eq!(put(path(&first), Some(tag(&first, 1)), body.clone()).await.0, 412);
        assert_eq!(put(path(&first), Some(tag(&third, 2)), body.clone()).await.0, 412, "the tag of another address");
        body["is_default"] = json!(true);
        let (code, changed) = put(path(&first), Some(tag(&first, 2)), body.clone()).await;
        assert_eq!((code, &changed["line1"], &changed["is_default"]), (200, &json!("1 First Street"), &json!(true)));
        body["is_default"] = json!(false);
        let (_, changed) = put(path(&first), Some("*".into()), body).await;
        assert_eq!(changed["is_default"], true, "the mark goes only where another address takes it");
        assert_eq!(list(&app, &token).await.iter().filter(|address| address["is_default"] == true).count(), 1);

        let known = app.request_as(&token, Method::GET, &path(&second)).header("If-None-Match", tag(&second, 1));
        assert_eq!(known.send().await.unwrap().status(), 304);
        let stale = app.request_as(&token, Method::DELETE, &path(&first)).header("If-Match", tag(&first, 1));
        assert_eq!(stale.send().await.unwrap().status(), 412);
        assert_eq!(status(&app, &token, Method::DELETE, &path(&first)).await, 204);
        let left = list(&app, &token).await;
        assert_eq!((&left[0]["id"], &left[0]["is_default"]), (&third["id"], &json!(true)), "the newest one left takes over");
        assert_eq!(status(&app, &token, Method::DELETE, &path(&first)).await, 404);
    }

    async fn addresses_are_their_owners_and_well_formed(backend: Backend) {
        let app = TestApp::start(backend).await;
        let ann = app.token("ann@example.com", Role::Customer).await;
        let bob = app.token("bob@example.com", Role::Admin).await;
        let answer = app.request_as(&ann, Method::POST, ADDRESSES).json(&address("1 First St")).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let etag = answer.headers()["etag"].clone();
        let (code, made) = read(answer).await;
        assert_eq!((code, &location, etag.to_str().unwrap()), (201, &path(&made), &*tag(&made, 1)));
        let (code, found) = read(app.request_as(&ann, Method::GET, &location).send().await.unwrap()).await;
        assert_eq!((code, found), (200, made));

        let put = app.request_as(&bob, Method::PUT, &location).header("If-Match", "*").json(&address("2"));
        assert_eq!(put.send().await.unwrap().status(), 404);
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(status(&app, &bob, method, &location).await, 404);
        }
        for wrong in ["x", "%00", "..%2f", "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d"] {
            assert_eq!(status(&app, &ann, Method::GET, &format!("{ADDRESSES}/{wrong}")).await, 404, "{wrong}");
        }
        let wrong = json!({ "name": " ", "line1": "", "line2": "a\tb", "city": "c".repeat(201), "country": "no" });
        let request = app.request_as(&ann, Method::POST, ADDRESSES).json(&wrong);
        let (code, problem) = read(request.send().await.unwrap()).await;
        assert_eq!((code, pointers(&problem)), (422, vec!["/name", "/line1", "/city", "/line2", "/country"]));
        assert_eq!(list(&app, &ann).await.len(), 1);
        assert_eq!(list(&app, &bob).await.len(), 0);
    }

    async fn at_most_fifty_addresses_and_one_default_however_many_calls_come_at_once(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let (_, me) = read(app.request_as(&token, Method::GET, ME).send().await.unwrap()).await;
        let user: Id = me["id"].as_str().unwrap().parse().unwrap();
        for number in 0..44 {
            let new: NewAddress = serde_json::from_value(address(&format!("{number} Long St"))).unwrap();
            app.shop.modules.user.address_create(&call(), user, new).await.unwrap();
        }
        let mut body = address("1 Last St");
        body["is_default"] = json!(true);
        let calls = (0..16).map(|_| app.request_as(&token, Method::POST, ADDRESSES).json(&body).send());
        let mut codes: Vec<u16> =
            futures_util::future::join_all(calls).await.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [vec![201; 6], vec![409; 10]].concat());
        let all = list(&app, &token).await;
        assert_eq!(all.len(), 50);
        assert_eq!(all.iter().filter(|address| address["is_default"] == true).count(), 1);
    }

    async fn a_person_gets_what_is_kept(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let home = add(&app, &token, address("1 First St")).await;
        let (_, me) = read(app.request_as(&token, Method::GET, ME).send().await.unwrap()).await;
        let user = &app.shop.modules.user;
        let ann: Id = me["id"].as_str().unwrap().parse().unwrap();
        let line = CartLine { sku: "MUG".into(), quantity: 2 };
        user.cart_add(ann, vec![line.clone()]).await.unwrap();
        let orders = [Id::new(app.clock.now()), Id::new(app.clock.now())];
        let to: AddressFields = serde_json::from_value(address("1 First St")).unwrap();
        for order in orders {
            user.delivery_set(&call(), ann, order, to.clone()).await.unwrap();
        }
        user.delivery_keep(ann, orders[0]).await.unwrap();
        let answer = app.request_as(&token, Method::GET, "/api/v1/me/data").send().await.unwrap();
        assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"personal-data.json\"");
        let (code, data) = read(answer).await;
        assert_eq!((code, &data["profile"]["email"], &data["addresses"]), (200, &json!("ann@example.com"), &json!([home])));
        assert_eq!(data["sessions"].as_array().unwrap().len(), 1);
        assert_eq!(data["cart"], json!([line]));
        let deliveries: Vec<Delivery> = serde_json::from_value(data["deliveries"].clone()).unwrap();
        // Kept for good, and for a day.
        let kept: Vec<_> = deliveries.iter().map(|one| (one.order, &one.address, one.expires_at.is_none())).collect();
        assert_eq!(kept, [(orders[1], &to, false), (orders[0], &to, true)]);
        let day = deliveries[0].expires_at.unwrap().seconds_since(app.clock.now());
        assert!((86_000..=86_400).contains(&day), "{day}");
        let actions: Vec<&str> =
            data["audit_log"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
        assert_eq!(actions[..3], ["delivery.set", "delivery.set", "address.created"]);
        assert!(actions.contains(&"session.created"), "{actions:?}");
        let text = data.to_string();
        assert!(!text.contains("argon2") && !text.contains("hash"), "no secret is among it");
        // What is not in it is elsewhere, and the document says where.
        let document = read(app.request(Method::GET, "/openapi.json").send().await.unwrap()).await.1;
        let description = document["paths"]["/api/v1/me/data"]["get"]["description"].as_str().unwrap();
        assert!(description.contains("`GET /api/v1/reservations`"), "{description}");
        let answer = app.request_as(&token, Method::GET, "/api/v1/reservations").send().await.unwrap();
        assert_eq!(read(answer).await, (200, json!({ "items": [], "next_cursor": null })));
    }

    async fn a_phone_number_of_before_is_taken_again(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let mut old = address("1 First St");
        old["phone"] = json!("ask Bob");
        let post = |body: &Value| app.request_as(&token, Method::POST, ADDRESSES).json(body).send();
        let (code, problem) = read(post(&old).await.unwrap()).await;
        assert_eq!((code, pointers(&problem)), (422, vec!["/phone"]));
        add(&app, &token, address("1 First St")).await;
        let mut raw = app.diesel();
        let schema = if backend == Backend::Postgres { "users." } else { "" };
        raw.batch(&format!("UPDATE {schema}users SET phone = 'ask Bob'; UPDATE {schema}addresses SET phone = 'ask Bob'"));
        let patch = |body: Value| app.request_as(&token, Method::PATCH, ME).header("if-match", "*").json(&body).send();
        assert_eq!(patch(json!({ "name": "Ann", "phone": "ask Bob" })).await.unwrap().status(), 200);
        assert_eq!(patch(json!({ "name": "Ann", "phone": "ask Eve" })).await.unwrap().status(), 422);
        assert_eq!(post(&old).await.unwrap().status(), 201);
        let ann = app.shop.modules.user.authenticate(&token).await.unwrap().unwrap().user_id().unwrap();
        let to: AddressFields = serde_json::from_value(old).unwrap();
        app.shop.modules.user.delivery_set(&call(), ann, ann, to.clone()).await.unwrap();
        let other = AddressFields { phone: "ask Eve".into(), ..to };
        assert!(app.shop.modules.user.delivery_set(&call(), ann, ann, other).await.is_err());
    }

    async fn a_deleted_account_leaves_nothing_of_the_person(backend: Backend) {
        let app = TestApp::start_with(backend, |config| config.mail.delivery = MailDelivery::Smtp(nowhere())).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        add(&app, &token, address("1 First St")).await;
        let (_, me) = read(app.request_as(&token, Method::GET, ME).send().await.unwrap()).await;
        let ann: Id = me["id"].as_str().unwrap().parse().unwrap();
        let line = CartLine { sku: "MUG".into(), quantity: 2 };
        app.shop.modules.user.cart_add(ann, vec![line]).await.unwrap();
        let to: AddressFields = serde_json::from_value(address("1 First St")).unwrap();
        let placed = Id::new(app.clock.now());
        for order in [ann, placed] {
            app.shop.modules.user.delivery_set(&call(), ann, order, to.clone()).await.unwrap();
        }
        app.shop.modules.user.delivery_keep(ann, placed).await.unwrap();
        let forgotten = json!({ "email": "ann@example.com" });
        let sent = app.request(Method::POST, "/api/v1/auth/password/forgot").json(&forgotten).send().await.unwrap();
        assert!(sent.status().is_success(), "{sent:?}");
        let change = json!({ "email": "new@example.com", "current_password": PASSWORD });
        let sent = app.request_as(&token, Method::POST, "/api/v1/me/email").json(&change).send().await.unwrap();
        assert!(sent.status().is_success(), "{sent:?}");
        for (table, condition) in [
            ("mails", "recipient = 'ann@example.com'"),
            ("mails", "recipient = 'new@example.com'"),
            ("one_time_tokens", "1 = 1"),
            ("cart_lines", "1 = 1"),
            ("deliveries", "1 = 1"),
            ("audit_log", "address <> ''"),
        ] {
            assert!(rows(&app, table, condition) > 0, "{table} has something to lose");
        }

        let delete = |token: &str, password: &str| {
            let body = json!({ "current_password": password });
            let request = app.request_as(token, Method::DELETE, ME).json(&body);
            async move { read(request.send().await.unwrap()).await }
        };
        let (code, problem) = delete(&token, "not my password at all").await;
        assert_eq!((code, problem["code"].as_str()), (401, Some("wrong_credentials")));
        assert_eq!(status(&app, &token, Method::GET, ME).await, 200);
        assert_eq!(delete(&token, PASSWORD).await.0, 204);
        assert_eq!(status(&app, &token, Method::GET, ME).await, 401);

        for table in [
            "users", "user_emails", "credentials", "sessions", "addresses", "one_time_tokens", "mails", "cart_lines",
        ] {
            assert_eq!(rows(&app, table, "1 = 1"), 0, "{table}");
        }
        // Where a placed order went the shop must be able to prove. Of the other one it is asked at once.
        let now = app.clock.now();
        assert_eq!(app.shop.modules.user.deliveries_due(now, 9).await.unwrap(), [(ann, ann)]);
        app.shop.modules.user.deliveries_settle(now, vec![(ann, ann, OrderFate::Ended)]).await.unwrap();
        assert_eq!(app.shop.modules.user.delivery_get(ann, placed).await.unwrap(), Some(to));
        assert_eq!(rows(&app, "deliveries", "1 = 1"), 1);
        // The audit log keeps who did what, by the bare id.
        assert!(rows(&app, "audit_log", "action = 'account.deleted'") == 1);
        assert_eq!(rows(&app, "audit_log", "address <> '' OR CAST(data AS text) <> '{}'"), 0);

        let body = json!({ "email": "ann@example.com", "password": PASSWORD });
        let login = app.request(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
        assert_eq!(login.status(), 401);
        // The address is free again.
        let again = app.token("ann@example.com", Role::Customer).await;
        assert_eq!(list(&app, &again).await.len(), 0);
    }

    async fn the_last_admin_stays(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("root@example.com", Role::Admin).await;
        let delete = |token: &str| {
            app.request_as(token, Method::DELETE, ME).json(&json!({ "current_password": PASSWORD })).send()
        };
        let (code, problem) = read(delete(&token).await.unwrap()).await;
        assert_eq!((code, problem["code"].as_str()), (409, Some("conflict")));
        let new = Registration { email: "two@example.com".into(), password: Secret::new(PASSWORD), name: String::new() };
        app.shop.modules.user.create("test", new, Role::Admin).await.unwrap();
        assert_eq!(delete(&token).await.unwrap().status(), 204);
    }
}
