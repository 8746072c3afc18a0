//! Several equal processes on one PostgreSQL: whatever one of them knows holds for all, and what is to be done once is done by one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use emporium::app::{self, Shop, StartError};
use emporium::call::Role;
use emporium::clock::{Clock, SystemClock};
use emporium::config::{Config, DEFAULT, Secret};
use emporium::db::{Database, DbError};
use emporium::user::Registration;
use emporium::{inventory, user};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{emporium, text};
use crate::testapp::{Backend, PASSWORD, Raw, postgres, read, test_config};

/// Several nodes of one shop.
struct Cluster {
    config: Config,
    nodes: Vec<Shop>,
    http: reqwest::Client,
    _folder: TempDir,
}

fn cluster_config(nodes: u32) -> (Config, TempDir) {
    let folder = TempDir::new().unwrap();
    let mut config = test_config(Backend::Postgres, &folder);
    config.server.nodes = nodes;
    (config.inventory.migrate_on_start, config.user.migrate_on_start) = (false, false);
    (config, folder)
}

async fn migrate(config: &Config) {
    let [inventory_db, user_db] = app::databases(config).unwrap();
    inventory_db.migrate(&inventory::MIGRATIONS).await.unwrap();
    user_db.migrate(&user::MIGRATIONS).await.unwrap();
}

impl Cluster {
    async fn start(nodes: u32, change: impl FnOnce(&mut Config)) -> Cluster {
        let (mut config, _folder) = cluster_config(nodes);
        change(&mut config);
        migrate(&config).await;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut cluster = Cluster { config, nodes: vec![], http, _folder };
        for _ in 0..nodes {
            let shop = app::start(cluster.config.clone(), Arc::new(SystemClock)).await.unwrap();
            cluster.nodes.push(shop);
        }
        cluster
    }

    fn request(&self, node: usize, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.nodes[node].address))
    }

    async fn call(&self, node: usize, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(node, method, &format!("/api/v1/{path}")).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(&body) };
        read(request.send().await.unwrap()).await
    }

    async fn try_login(&self, node: usize, email: &str, password: &str) -> Response {
        let body = json!({ "email": email, "password": password });
        self.request(node, Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap()
    }

    async fn token(&self, email: &str, role: Role) -> String {
        let new = Registration { email: email.into(), password: Secret::new(PASSWORD), name: String::new() };
        self.nodes[0].modules.user.create("test", new, role).await.unwrap();
        let (status, body) = read(self.try_login(0, email, PASSWORD).await).await;
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }

    async fn stop(self) {
        for node in self.nodes {
            node.stop().await;
        }
    }
}

/// Tries until it gives something; panics after so many seconds.
async fn within<T>(seconds: u64, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(seconds), "not within {seconds} s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_on_one_node_has_ended_on_all() {
    let shop = Cluster::start(2, |_| {}).await;
    let staff = shop.token("staff@example.com", Role::Staff).await;
    let ann = shop.token("ann@example.com", Role::Customer).await;
    assert_eq!(shop.call(1, &ann, Method::GET, "me", Value::Null).await.0, 200);
    assert_eq!(shop.call(1, &ann, Method::POST, "auth/logout", Value::Null).await.0, 204);
    assert_eq!(shop.call(0, &ann, Method::GET, "me", Value::Null).await.0, 401);

    let admin = shop.token("admin@example.com", Role::Admin).await;
    let (_, me) = shop.call(1, &staff, Method::GET, "me", Value::Null).await;
    let path = format!("users/{}", me["id"].as_str().unwrap());
    let disable =
        shop.request(1, Method::PATCH, &format!("/api/v1/{path}")).bearer_auth(&admin).header("if-match", "*");
    assert_eq!(disable.json(&json!({ "disabled": true })).send().await.unwrap().status(), 200);
    assert_eq!(shop.call(0, &staff, Method::GET, "me", Value::Null).await.0, 401);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_forms_and_carts_go_from_node_to_node() {
    let shop = Cluster::start(2, |_| {}).await;
    let staff = shop.token("staff@example.com", Role::Staff).await;
    let sku = json!({ "code": "MUG", "price": { "amount": 100, "currency": "USD" }, "backorder_limit": 9 });
    let product = json!({ "title": "Mug", "handle": "mug", "status": "active", "skus": [sku] });
    assert_eq!(shop.call(0, &staff, Method::POST, "products", product).await.0, 201);
    let location = json!({ "code": "MAIN", "name": "Main" });
    assert_eq!(shop.call(1, &staff, Method::POST, "locations", location).await.0, 201);
    let form = |node: usize, path: &str, fields: &str, cookie: &str| {
        let request = shop.request(node, Method::POST, path).header("sec-fetch-site", "same-origin");
        let request = request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
        request.header("cookie", cookie).body(fields.to_owned()).send()
    };
    let cookie = |answer: &Response, name: &str| {
        let cookies = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned());
        let mut cookies = cookies.map(|cookie| cookie.split(';').next().unwrap().to_owned());
        cookies.find(|cookie| cookie.starts_with(name)).unwrap_or_else(|| panic!("no cookie {name}: {answer:?}"))
    };
    // A guest's cart, sealed by one node and opened by the other.
    let added = form(0, "/cart/lines", "product=mug&quantity=2", "").await.unwrap();
    let cart = cookie(&added, "cart=");
    let page =
        shop.request(1, Method::GET, "/cart").header("cookie", &cart).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Mug") && page.contains("value=\"2\""), "{page}");
    // Logged in at one, with a form of the other.
    shop.token("ann@example.com", Role::Customer).await;
    let login = format!("email=ann%40example.com&password={}&next=/account", PASSWORD.replace(' ', "+"));
    let session = cookie(&form(0, "/login", &login, &cart).await.unwrap(), "session=");
    let page = shop.request(1, Method::GET, "/account/profile").header("cookie", &session).send().await.unwrap();
    let page = page.text().await.unwrap();
    let value = |name: &str| {
        let rest = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let fields = format!("form_token={}&version={}&name=Ann+B", value("form_token"), value("version"));
    assert_eq!(form(0, "/account/profile", &fields, &session).await.unwrap().status(), 303);
    let cart = shop.request(1, Method::GET, "/cart").header("cookie", &session).send().await.unwrap();
    assert!(cart.text().await.unwrap().contains("value=\"2\""), "the guest's cart became the person's");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_and_a_wrong_password_count_on_every_node() {
    let shop = Cluster::start(3, |_| {}).await;
    let staff = shop.token("staff@example.com", Role::Staff).await;
    let product = json!({ "title": "Mug" });
    let mut ids = vec![];
    for node in 0..3 {
        let request = shop.request(node, Method::POST, "/api/v1/products").bearer_auth(&staff);
        let answer = request.header("idempotency-key", "once").json(&product).send().await.unwrap();
        assert_eq!(answer.headers().contains_key("idempotent-replayed"), node > 0);
        ids.push(read(answer).await.1["id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    shop.token("ann@example.com", Role::Customer).await;
    let mut refused = 0;
    for n in 0..7 {
        refused += u32::from(shop.try_login(n % 3, "ann@example.com", "wrong").await.status() == 429);
    }
    assert!(refused > 0, "two tries at each of three nodes are six tries");
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_one_rate_at_all_nodes_together() {
    let shop = Cluster::start(3, |config| {
        (config.server.rate_limit_per_minute, config.server.rate_limit_burst) = (1, 40);
    })
    .await;
    let staff = shop.token("staff@example.com", Role::Staff).await;
    let second = || SystemClock.now().micros() / 1_000_000 % 60;
    if second() > 40 {
        // What follows belongs into one minute.
        tokio::time::sleep(Duration::from_secs(61 - second() as u64)).await;
    }
    let ask = async |node: usize| shop.request(node, Method::GET, "/api/v1/products").send().await.unwrap();
    let mut passed = 0;
    for n in 0..75 {
        passed += u32::from(ask(n % 3).await.status() == 200);
    }
    for node in 0..3 {
        let refused = loop {
            let answer = ask(node).await;
            if answer.status() == 429 {
                break answer;
            }
            passed += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
    }
    // 41 in all, and what came before they knew of each other.
    assert!((41..110).contains(&passed), "{passed}; each node alone gives 41, and three 123");
    // Another client is not held up by this one.
    assert_eq!(shop.call(0, &staff, Method::GET, "me", Value::Null).await.0, 200);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_one_node_takes_is_run_and_seen_anywhere() {
    let shop = Cluster::start(3, |_| {}).await;
    let staff = shop.token("staff@example.com", Role::Staff).await;
    let location = json!({ "code": "MAIN", "name": "Main" });
    assert_eq!(shop.call(0, &staff, Method::POST, "locations", location).await.0, 201);
    for node in 0..3 {
        let csv = format!("Handle,Title,Variant SKU,Variant Price\nmug-{node},Mug,MUG-{node},4.50\n");
        let request = shop.request(node, Method::POST, "/api/v1/imports?format=csv").bearer_auth(&staff);
        let request = request.header("idempotency-key", format!("import-{node}")).header("content-type", "text/csv");
        let (status, job) = read(request.body(csv).send().await.unwrap()).await;
        assert_eq!(status, 202, "{job}");
        let path = format!("jobs/{}", job["id"].as_str().unwrap());
        let other = (node + 1) % 3;
        within(30, async || {
            let (_, job) = shop.call(other, &staff, Method::GET, &path, Value::Null).await;
            (job["state"] == "succeeded").then_some(())
        })
        .await;
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_has_one_doer_and_is_taken_over_when_he_is_gone() {
    let (config, _folder) = cluster_config(2);
    migrate(&config).await;
    let open = || app::databases(&config).unwrap()[0].clone();
    let (one, two): (Database, Database) = (open(), open());
    let lease = one.lease("sweep").await.unwrap().expect("nobody has it");
    assert_eq!(two.lease("sweep").await.unwrap(), None);
    assert!(one.holds("sweep") && !two.holds("sweep"));
    assert!(two.lease("mail").await.unwrap().is_some(), "each work has a lease of its own");

    // However long a work takes, it stays with its doer.
    let long = one.leased("sweep", |lease| async move {
        tokio::time::sleep(Duration::from_secs(12)).await;
        Ok::<_, DbError>(lease)
    });
    let watch = async {
        for _ in 0..11 {
            assert_eq!(two.lease("sweep").await.unwrap(), None);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (done, ()) = tokio::join!(long, watch);
    assert_eq!(done.unwrap(), Some(lease));

    // Its doer says nothing more: another one takes it over, and the old one's effects are refused.
    one.write(move |conn| lease.fence(conn)).await.unwrap();
    let taken = within(15, async || two.lease("sweep").await.unwrap()).await;
    let refused = one.write(move |conn| lease.fence(conn)).await;
    assert!(matches!(refused, Err(DbError::Fenced("sweep"))), "{refused:?}");
    two.write(move |conn| taken.fence(conn)).await.unwrap();

    // Who stops in order lets go at once.
    two.leases_release(None).await.unwrap();
    let again = within(5, async || one.lease("sweep").await.unwrap()).await;
    assert_ne!(again, lease, "a new epoch");
    let refused = two.write(move |conn| taken.fence(conn)).await;
    assert!(matches!(refused, Err(DbError::Fenced(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_comes_twice_is_no_lease() {
    let (config, _folder) = cluster_config(2);
    migrate(&config).await;
    let one: Database = app::databases(&config).unwrap()[0].clone();
    let lease = one.lease("sweep").await.unwrap().expect("nobody has it");
    // As after a failover that lost the last moments: another one has the same epoch.
    Raw::connect(&config).batch("UPDATE inventory.leases SET holder = 'another' WHERE name = 'sweep'");
    let refused = one.write(move |conn| lease.fence(conn)).await;
    assert!(matches!(refused, Err(DbError::Fenced("sweep"))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_waits_does_not_hold_up_the_work() {
    let (config, _folder) = cluster_config(2);
    migrate(&config).await;
    let one: Database = app::databases(&config).unwrap()[0].clone();
    let work = async |_| {
        let mut holder = Raw::connect(&config);
        holder.batch("BEGIN; LOCK TABLE inventory.leases");
        // It is renewed after 3 s, and waits for that lock.
        let (start, mut last, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
        while start.elapsed() < Duration::from_millis(5_500) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        holder.batch("ROLLBACK");
        Ok::<_, DbError>(longest)
    };
    let longest = one.leased("sweep", work).await.unwrap().expect("nobody has it");
    assert!(longest < Duration::from_secs(1), "the work stood still for {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_that_migrate_at_once_do_each_step_once() {
    let folder = TempDir::new().unwrap();
    let url = postgres().database();
    let migrate = || {
        let mut command = emporium(folder.path());
        for module in ["INVENTORY", "USER"] {
            command.env(format!("EMPORIUM__{module}__DATABASE__URL"), &url);
        }
        command.arg("migrate").stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let all: Vec<_> = (0..5).map(|_| migrate()).collect();
    let mut steps = vec![];
    for child in all {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        steps.extend(text(&output.stdout).lines().filter(|line| line.contains(": applied ")).map(str::to_owned));
    }
    let count = steps.len();
    steps.sort();
    steps.dedup();
    assert_eq!(steps.len(), count, "a step happened twice: {steps:?}");
    let files = |module: &str| std::fs::read_dir(format!("migrations/postgres/{module}")).unwrap().count();
    assert_eq!(count, files("inventory") + files("user"), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_database_is_too_old_waits_and_says_so() {
    let (config, _folder) = cluster_config(2);
    let shop = app::start(config.clone(), Arc::new(SystemClock)).await.unwrap();
    let get = async |path: &str| reqwest::get(format!("http://{}{path}", shop.address)).await.unwrap();
    assert_eq!(get("/livez").await.status(), 200);
    for path in ["/readyz", "/api/v1/products", "/"] {
        let answer = get(path).await;
        assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true), "{path}");
    }
    migrate(&config).await;
    within(10, async || (get("/readyz").await.status() == 200).then_some(())).await;
    assert_eq!(get("/api/v1/products").await.status(), 200);
    shop.stop().await;

    // Alone there is nobody to wait for.
    let (config, _folder) = cluster_config(1);
    let refused = app::start(config, Arc::new(SystemClock)).await.err();
    assert!(matches!(refused, Some(StartError::Pending { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_the_server_gives_keep_a_node_from_being_ready() {
    let (mut config, _folder) = cluster_config(100);
    migrate(&config).await;
    let told = "with pools of 8 connections need 800";
    // As with a database that is away or not migrated: one of several waits until it is mended, and is not ready.
    let shop = app::start(config.clone(), Arc::new(SystemClock)).await.unwrap();
    for _ in 0..3 {
        let ready = reqwest::get(format!("http://{}/readyz", shop.address)).await.unwrap();
        assert_eq!(ready.status(), 503);
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    shop.stop().await;
    let refused = app::modules(&config, Arc::new(SystemClock)).await.err().expect("must be refused").to_string();
    assert!(refused.contains(told) && refused.contains("max_connections"), "{refused}");
    config.server.nodes = 2;
    let shop = app::start(config.clone(), Arc::new(SystemClock)).await.unwrap();
    assert_eq!(reqwest::get(format!("http://{}/readyz", shop.address)).await.unwrap().status(), 200);
    shop.stop().await;
    // A single one ends.
    config.server.nodes = 1;
    config.inventory.database.pool_size = 600;
    let refused = app::start(config, Arc::new(SystemClock)).await.err();
    assert!(matches!(refused, Some(StartError::Connections { .. })), "{refused:?}");
}

#[test]
fn a_start_that_waits_for_anothers_migration_can_be_stopped() {
    let folder = TempDir::new().unwrap();
    let url = postgres().database();
    let mut config = test_config(Backend::Sqlite, &folder);
    config.inventory.database.url = emporium::config::DatabaseUrl::Postgres(url.clone());
    Raw::connect(&config).batch(
        "CREATE SCHEMA inventory; CREATE TABLE inventory.leases (
            name text PRIMARY KEY, holder text NOT NULL, epoch bigint NOT NULL, held_until timestamptz NOT NULL);
         INSERT INTO inventory.leases VALUES ('migrations', 'another', 1, now() + interval '1 hour')",
    );
    let mut command = emporium(folder.path());
    for module in ["INVENTORY", "USER"] {
        command.env(format!("EMPORIUM__{module}__DATABASE__URL"), &url);
    }
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let log = std::io::BufReader::new(child.stderr.take().unwrap());
    let waits = std::io::BufRead::lines(log).any(|line| line.unwrap().contains("another process migrates"));
    assert!(waits, "it does not wait");
    let asked = Instant::now();
    let killed = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    while child.try_wait().unwrap().is_none() {
        if asked.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("it goes on waiting");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_sqlite_file_in_a_cluster_is_refused_with_the_reason() {
    let text = DEFAULT.replace("nodes = 1 ", "nodes = 2 ");
    let faults = Config::parse(&text, Default::default()).unwrap_err();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for module in ["inventory", "user"] {
        let url = told.iter().find(|fault| fault.starts_with(&format!("{module}.database.url: "))).unwrap();
        assert!(url.contains("one process write at a time"), "{url}");
        assert!(told.iter().any(|fault| fault.starts_with(&format!("{module}.migrate_on_start: "))), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_about_the_system_says_which_process_does_what() {
    let shop = Cluster::start(2, |_| {}).await;
    let admin = shop.token("root@example.com", Role::Admin).await;
    let page = async |node: usize| {
        let request = shop.request(node, Method::GET, "/admin/system").header("cookie", format!("session={admin}"));
        request.send().await.unwrap().text().await.unwrap()
    };
    // What each says of these: in this process, or in another one.
    let told = async |node: usize| {
        let page = page(node).await;
        ["Giving back expired holds", "Imports", "Sending mail"].map(|work| {
            let row = page.split_once(&format!("<th scope=\"row\">{work}</th><td>")).expect(&page).1;
            row.split('<').next().unwrap().to_owned()
        })
    };
    within(20, async || {
        let (one, two) = (told(0).await, told(1).await);
        let one_does_it = |(a, b): (&String, &String)| {
            (a == "Yes" && b == "No, in another one") || (b == "Yes" && a == "No, in another one")
        };
        one.iter().zip(&two).all(one_does_it).then_some(())
    })
    .await;
    assert!(page(0).await.contains("<code>config/2-cluster.toml</code>"));
    shop.stop().await;
}
