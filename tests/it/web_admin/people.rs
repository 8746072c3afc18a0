//! Users, API keys, and the audit log.

use emporium::call::{Call, Role, Scope};
use emporium::config::Secret;
use emporium::inventory::{Adjustment, Counter, StockBatch};
use emporium::user::{NewApiKey, ProfilePatch, Registration, UserPatch};
use reqwest::Method;

use super::{Visitor, held, ordered, stocked};
use crate::testapp::{Backend, PASSWORD, TestApp, call, on_both};

on_both! {
    async fn who_is_disabled_is_logged_out_with_the_next_click(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let (mut staff, id) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let user = format!("/admin/users/{id}");
        assert_eq!(staff.get("/admin").await.status, 200);

        let page = admin.page(&user).await;
        page.says("staff@example.com");
        page.says("holder=staff%40example.com");
        let done = admin.submit(&user, &["version"], &user, &[("disabled", "true")]).await;
        assert_eq!((done.status, done.to()), (303, &*user), "{}", done.body);
        let page = admin.page(&user).await;
        page.says("Its sessions have ended.");
        page.says("Not logged in anywhere.");
        page.says("Account disabled");
        assert_eq!(staff.get("/admin").await.to(), "/login?next=%2Fadmin");

        let done = admin.submit(&user, &["version"], &user, &[("disabled", "false")]).await;
        assert_eq!(done.status, 303);
        staff.login("staff@example.com").await;
        assert_eq!(staff.get("/admin").await.status, 200);
        let done = admin.submit(&user, &["version"], &user, &[("role", "customer")]).await;
        assert_eq!(done.status, 303);
        assert_eq!(staff.get("/admin").await.status, 403);
        app.stop().await;
    }

    async fn the_last_admin_stays_and_conflicts_are_shown(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut admin, root) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let own = format!("/admin/users/{root}");
        let refused = admin.submit(&own, &["version"], &own, &[("role", "staff")]).await;
        assert_eq!(refused.status, 409);
        refused.says("This is the last admin");
        // What was chosen stays chosen, beside what is there.
        refused.says("<option value=\"staff\" selected>");
        refused.says("Now: Admin");
        let refused = admin.submit(&own, &["version"], &own, &[("disabled", "true")]).await;
        assert_eq!(refused.status, 409);
        refused.says("You cannot disable yourself.");

        let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        let user = format!("/admin/users/{eve}");
        let page = admin.page(&user).await;
        let (version, token) = (page.hidden("version"), page.hidden("form_token"));
        let patch = UserPatch { role: Some(Role::Staff), ..UserPatch::default() };
        app.shop.modules.user.user_update(&Call::by("cli"), eve, None, patch).await.unwrap();
        let form = [("form_token", &*token), ("version", &*version), ("role", "admin")];
        let refused = admin.post(&user, &form).await;
        assert_eq!(refused.status, 412);
        refused.says("Somebody else has changed this");
        refused.says("Now: Staff");
        refused.says("<option value=\"admin\" selected>");
        for bad in [("role", "king"), ("version", "1")] {
            let form = [("form_token", &*token), bad];
            assert_eq!(admin.post(&user, &form).await.status, 400, "{bad:?}");
        }

        // With another admin there one may go, and is led to where he still may be.
        let done = admin.submit(&user, &["version"], &user, &[("role", "admin")]).await;
        assert_eq!(done.status, 303, "{}", done.body);
        let done = admin.submit(&own, &["version"], &own, &[("role", "staff")]).await;
        assert_eq!((done.status, done.to()), (303, "/admin"));
        assert_eq!(admin.get("/admin").await.status, 200);
        assert_eq!(admin.get(&own).await.status, 403);
        app.stop().await;
    }

    async fn sessions_are_ended_one_by_one_and_all(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut admin, root) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let (mut phone, eve) = Visitor::new(&app, "eve@example.com", Role::Staff).await;
        let session = app.shop.modules.user.session_list(eve, None).await.unwrap()[0].id.to_string();
        let mut laptop = Visitor::guest(&app);
        laptop.login("eve@example.com").await;
        let user = format!("/admin/users/{eve}");
        let sessions = format!("{user}/sessions");
        assert_eq!(admin.submit(&user, &[], &sessions, &[("session", &session)]).await.to(), user);
        assert_eq!(phone.get("/admin").await.status, 303);
        assert_eq!(laptop.get("/admin").await.status, 200);
        assert_eq!(admin.submit(&user, &[], &sessions, &[("session", "all")]).await.to(), user);
        assert_eq!(laptop.get("/admin").await.status, 303);

        // One's own session is not among those that end.
        let mut other = Visitor::guest(&app);
        other.login("root@example.com").await;
        let own = format!("/admin/users/{root}");
        admin.page(&own).await.says("This is you");
        admin.submit(&own, &[], &format!("{own}/sessions"), &[("session", "all")]).await;
        assert_eq!(other.get("/admin").await.status, 303);
        assert_eq!(admin.get("/admin").await.status, 200);
        app.stop().await;
    }

    async fn a_key_is_shown_once_and_works_until_it_is_revoked(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let refused = admin.submit("/admin/keys", &["key"], "/admin/keys", &[("name", " "), ("expires_at", "")]).await;
        assert_eq!(refused.status, 422);
        for fault in ["<a href=\"#f-name\">Name: Please fill this in.</a>", "Rights: Please choose at least one right.", "id=\"f-name-fault\"", "href=\"#f-scopes\""] {
            refused.says(fault);
        }
        let scope = ("scopes.stock:read", "true");
        for (day, told) in [("2020-01-01", "a day in the future"), ("soon", "must be a day"), ("9999-12-31", "within 100 years")] {
            let refused = admin.submit("/admin/keys", &["key"], "/admin/keys", &[("name", "Till"), scope, ("expires_at", day)]).await;
            assert_eq!(refused.status, 422, "{day}");
            refused.says(told);
            refused.says("value=\"Till\"");
            refused.says("id=\"f-expires-at-fault\"");
        }
        let page = admin.page("/admin/keys").await;
        let (form_token, key) = (page.hidden("form_token"), page.hidden("key"));
        let fields = [("form_token", &*form_token), ("key", &*key), ("name", "Till"), scope, ("expires_at", "2090-06-30")];
        let made = admin.post("/admin/keys", &fields).await;
        assert_eq!((made.status, made.header("cache-control")), (200, "no-store"));
        let token = made.between("class=\"token\" value=\"", "\"").to_owned();
        made.says("Jul 1, 2090, 12:00 AM");
        let status = async |path: &str| app.request_as(&token, Method::GET, path).send().await.unwrap().status().as_u16();
        assert_eq!(status("/api/v1/stock").await, 200);
        assert_eq!(status("/api/v1/users").await, 403);

        let page = admin.page("/admin/keys").await;
        page.says("Till");
        page.says("Read stock and its ledger");
        page.is_silent_of(&token);
        // Loaded again, the answer's page makes no second key, and the secret is not told again.
        let again = admin.post("/admin/keys", &fields).await;
        assert_eq!((again.status, again.to()), (303, "/admin/keys"));
        let page = admin.page("/admin/keys").await;
        page.says("This key was made already");
        page.is_silent_of(&token);
        assert_eq!(page.body.matches("/revoke\"").count(), 1);
        let revoke = page.between("action=\"/admin/keys/", "\"").to_owned();
        let done = admin.submit("/admin/keys", &[], &format!("/admin/keys/{revoke}"), &[]).await;
        assert_eq!((done.status, done.to()), (303, "/admin/keys"));
        admin.page("/admin/keys").await.says(">Revoked</span>");
        assert_eq!(status("/api/v1/stock").await, 401);
        let nobody = "/admin/keys/019a0000-0000-7000-8000-000000000000/revoke";
        assert_eq!(admin.submit("/admin/keys", &[], nobody, &[]).await.status, 404);
        app.stop().await;
    }

    async fn users_and_what_was_done_to_them_are_found(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
        let (_, max) = Visitor::new(&app, "max@example.com", Role::Staff).await;
        let patch = UserPatch { disabled: Some(true), ..UserPatch::default() };
        app.shop.modules.user.user_update(&Call::by("cli"), max, None, patch).await.unwrap();
        for (query, eves, maxs) in [
            ("", true, true),
            ("?q=EVE", true, false),
            ("?role=staff", false, true),
            ("?state=disabled", false, true),
            ("?state=active&role=customer", true, false),
            ("?q=nobody", false, false),
        ] {
            let page = admin.page(&format!("/admin/users{query}")).await;
            assert_eq!((page.has("eve@example.com"), page.has("max@example.com")), (eves, maxs), "{query}");
        }
        let refused = admin.get(&format!("/admin/users?q={}", "x".repeat(201))).await;
        assert_eq!(refused.status, 422);
        refused.says("id=\"f-q-fault\"");

        let page = admin.page("/admin/audit").await;
        page.says("Account disabled");
        page.says(&format!("<a href=\"/admin/users/{eve}\">eve@example.com</a>"));
        let page = admin.page(&format!("/admin/audit?subject=user%3A{max}")).await;
        page.says("The shop’s command line");
        page.says("Role: Staff");
        page.is_silent_of("eve@example.com");
        let page = admin.page("/admin/audit?subject=MAX%40example.com").await;
        page.says("Account disabled");
        page.says("value=\"MAX@example.com\"");
        page.is_silent_of("eve@example.com");
        let refused = admin.get("/admin/audit?subject=nobody%40example.com").await;
        assert_eq!(refused.status, 422);
        refused.says("Nobody has this address.");
        // What an account did is told in words.
        app.shop.modules.user.register(&Default::default(), registration("new@example.com")).await.unwrap();
        let patch = ProfilePatch { phone: Some("555 0100".into()), ..ProfilePatch::default() };
        app.shop.modules.user.profile_update(&Call::by(format!("user:{eve}")), eve, None, patch).await.unwrap();
        let page = admin.page("/admin/audit").await;
        page.says("<th scope=\"row\">Registered</th>");
        page.says("<td>Phone</td>");
        page.is_silent_of("<td>Name");
        assert_eq!(admin.get("/admin/users/019a0000-0000-7000-8000-000000000000").await.status, 404);
        app.stop().await;
    }

    async fn who_did_something_is_told_by_name(backend: Backend) {
        let app = TestApp::start(backend).await;
        stocked(&app).await;
        let (mut admin, root) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let (mut staff, id) = Visitor::new(&app, "staff@example.com", Role::Staff).await;
        let modules = &app.shop.modules;
        let new = NewApiKey { name: "Till <1>".into(), scopes: vec![Scope::StockWrite], expires_at: None };
        let key = modules.user.api_key_create(&call(), root, new).await.unwrap();
        let row = |actor: String, delta| {
            let row = Adjustment { sku: "MUG".into(), location: "MAIN".into(), counter: Counter::OnHand, delta, reason: "count".into() };
            let batch = StockBatch { atomic: true, rows: vec![row] };
            async move { modules.inventory.stock_adjust(&Call::by(actor), batch).await.unwrap() }
        };
        row(format!("user:{id}"), 1).await;
        row(format!("key:{}", key.key.id), 1).await;
        row("cli".to_owned(), 1).await;
        held(&app, id, "MUG", 1).await;
        app.clock.advance(std::time::Duration::from_secs(1_000));
        modules.inventory.reservation_sweep(10).await.unwrap();

        let page = admin.page("/admin/stock/MUG").await;
        page.says(&format!("<td><a href=\"/admin/users/{id}\">staff@example.com</a></td>"));
        for name in ["boss@example.com", "API key “Till &#60;1&#62;”", "<td>The shop’s command line</td>", "<td>The shop</td>"] {
            page.says(name);
        }
        page.is_silent_of("user:");
        page.is_silent_of("key:");
        let page = staff.page("/admin/stock/MUG").await;
        page.says("<td>staff@example.com</td>");
        page.is_silent_of("/admin/users/");

        let begun = staff.submit("/admin/imports", &[], "/admin/imports/sample", &[]).await;
        assert_eq!(begun.status, 303);
        for path in ["/admin/imports", begun.to()] {
            let page = admin.page(path).await;
            page.says("staff@example.com");
            page.is_silent_of("user:");
        }
        app.stop().await;
    }

    async fn a_device_is_called_what_its_owner_calls_it(backend: Backend) {
        let app = TestApp::start(backend).await;
        let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
        let eve = app.shop.modules.user.create("test", registration("eve@example.com"), Role::Customer).await.unwrap().id;
        let body = serde_json::json!({ "email": "eve@example.com", "password": PASSWORD });
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        let login = app.request(Method::POST, "/api/v1/auth/login").header("user-agent", chrome).json(&body);
        assert_eq!(login.send().await.unwrap().status(), 200);
        let page = admin.page(&format!("/admin/users/{eve}")).await;
        page.says("<th scope=\"row\">Chrome on Linux</th>");
        page.is_silent_of("AppleWebKit");
        app.stop().await;
    }
}

fn registration(email: &str) -> Registration {
    Registration { email: email.into(), password: Secret::new(PASSWORD), name: "Test Person".into() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_write_is_shown_as_text() {
    let app = TestApp::start(Backend::any()).await;
    stocked(&app).await;
    let (mut admin, _) = Visitor::new(&app, "root@example.com", Role::Admin).await;
    let (_, eve) = Visitor::new(&app, "eve@example.com", Role::Customer).await;
    let patch = emporium::user::ProfilePatch { name: Some("<b>Eve</b>".into()), ..Default::default() };
    app.shop.modules.user.profile_update(&Call::by("test"), eve, None, patch).await.unwrap();
    let order = ordered(&app, eve, "MUG", 1).await;
    for page in ["/admin/users", &*format!("/admin/users/{eve}"), &*format!("/admin/orders/{}", order.id)] {
        let page = admin.page(page).await;
        page.says("&#60;b&#62;Eve");
        page.is_silent_of("<b>Eve");
    }
    app.stop().await;
}
