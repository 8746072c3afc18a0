//! `emporium move`: from SQLite to PostgreSQL and back, with all that a shop has.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{Connection, SimpleConnection};
use emporium::clock::SystemClock;
use emporium::config::{Config, DEFAULT};
use emporium::inventory::{self, Catalogue};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::outside::Outside;
use crate::process::{Process, emporium, run, text};
use crate::testapp::{PASSWORD, postgres, read};

/// A configuration file like stage 0's, with this database.
fn file(folder: &Path, name: &str, url: &str) -> String {
    let path = folder.join(name);
    let migrates = if url.starts_with("sqlite") { "true" } else { "false" };
    let text = DEFAULT.replace("sqlite:data/emporium.db", url);
    let text = text.replace("migrate_on_start = true", &format!("migrate_on_start = {migrates}"));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a command with the databases at `url`.
fn with(folder: &Path, url: &str, arguments: &[&str]) -> Output {
    at(folder, url, arguments).output().unwrap()
}

fn at(folder: &Path, url: &str, arguments: &[&str]) -> Command {
    let mut command = emporium(folder);
    for module in ["INVENTORY", "USER"] {
        command.env(format!("EMPORIUM__{module}__DATABASE__URL"), url);
        command.env(format!("EMPORIUM__{module}__MIGRATE_ON_START"), url.starts_with("sqlite").to_string());
    }
    command.args(arguments);
    command
}

fn serve(folder: &Path, url: &str) -> Process {
    let mut command = emporium(folder);
    for module in ["INVENTORY", "USER"] {
        command.env(format!("EMPORIUM__{module}__DATABASE__URL"), url);
    }
    Process::start(&mut command)
}

/// All that can be read, as an administrator who logged in before sees it.
async fn seen(shop: &Process, token: &str) -> Vec<(String, Value)> {
    let http = reqwest::Client::new();
    let get = async |path: &str| {
        let request = http.request(Method::GET, shop.url(&format!("/api/v1/{path}"))).bearer_auth(token);
        let (status, body) = read(request.send().await.unwrap()).await;
        assert_eq!(status, 200, "{path}: {body}");
        (path.to_owned(), body)
    };
    let mut all = vec![];
    for path in [
        "products?limit=100",
        "products?q=mug",
        "products?q=linen&limit=100&sort=-created_at",
        "categories",
        "locations",
        "stock?limit=100",
        "reservations?limit=100",
        "events?limit=100",
        "users?limit=100",
        "audit-log?limit=100",
        "change-log?limit=100",
        "jobs",
        "me",
        "me/addresses",
        "api-keys",
    ] {
        all.push(get(path).await);
    }
    let parts = |path: &str, member: &str| -> Vec<String> {
        let (_, body) = all.iter().find(|(other, _)| other == path).unwrap();
        let items = body["items"].as_array().unwrap_or_else(|| panic!("{path}: {body}"));
        items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
    };
    let products = parts("products?limit=100", "handle").into_iter().map(|handle| format!("products/{handle}"));
    let users = parts("users?limit=100", "id").into_iter().map(|id| format!("users/{id}"));
    let orders = parts("reservations?limit=100", "id").into_iter().map(|id| format!("reservations/{id}"));
    let ledgers = parts("stock?limit=100", "sku").into_iter().map(|sku| format!("stock/{sku}/ledger?limit=100"));
    let paths: Vec<String> = products.chain(users).chain(orders).chain(ledgers).collect();
    assert!(paths.len() > 60, "there is too little to prove anything: {}", paths.len());
    for path in paths {
        all.push(get(&path).await);
    }
    let export = http.get(shop.url("/api/v1/exports/products.jsonl")).bearer_auth(token).send().await.unwrap();
    all.push(("export".to_owned(), export.text().await.unwrap().into()));
    all
}

fn fails(output: &Output, told: &str) {
    let errors = text(&output.stderr);
    assert!(output.status.code() == Some(1) && errors.contains(told), "{errors}{}", text(&output.stdout));
}

fn succeeds(output: &Output, told: &str) {
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains(told), "{said}{}", text(&output.stderr));
}

/// An SQLite shop that has lived a little, and is open.
async fn lived(folder: &Path) -> (Process, String) {
    let goods = run(folder, &["sample", "--skus", "120"]);
    std::fs::write(folder.join("goods.jsonl"), goods.stdout).unwrap();
    succeeds(&run(folder, &["import", "goods.jsonl"]), "");
    std::fs::write(folder.join("password"), PASSWORD).unwrap();
    succeeds(&run(folder, &["user", "create-admin", "root@example.com", "--password-file", "password"]), "");
    let shop = Process::start(&mut emporium(folder));
    let outside = Outside::new(vec![shop.url("")], "root@example.com", PASSWORD);
    outside.walk().await;
    let token = outside.login("root@example.com", PASSWORD).await;
    (shop, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_moves_to_postgres_and_back() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (mut shop, token) = lived(folder).await;
    let old = file(folder, "old.toml", &format!("sqlite:{}", folder.join("emporium.db").display()));
    let url = postgres().database();
    let there = |url: &str, from: &str| with(folder, url, &["move", "--from", from]);

    // Nothing is moved to tables that are not there, nor out from under a shop that is open; nothing is half done.
    fails(&there(&url, &old), "emporium migrate");
    succeeds(&with(folder, &url, &["migrate"]), "applied");
    fails(&there(&url, &old), "stop the shop first");
    let before = seen(&shop, &token).await;
    shop.signal("TERM");
    assert!(shop.wait().success());

    succeeds(&there(&url, &old), "Everything is there as it was.");
    fails(&run(folder, &["serve"]), "was moved to another database");
    fails(&there(&url, &old), "was moved to another database");
    let mut shop = serve(folder, &url);
    let after = seen(&shop, &token).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }

    // And back, into a file that is not there yet.
    let new = format!("sqlite:{}", folder.join("new.db").display());
    let from = file(folder, "from.toml", &url);
    fails(&there(&new, &from), "stop the shop first");
    fails(&there(&url, &from), "the same database");
    let pooled = std::fs::read_to_string(&from).unwrap().replace("pooler = \"none\"", "pooler = \"transaction\"");
    std::fs::write(folder.join("pooled.toml"), pooled).unwrap();
    fails(&there(&new, folder.join("pooled.toml").to_str().unwrap()), "past its pooler");
    shop.signal("TERM");
    assert!(shop.wait().success());
    succeeds(&there(&new, &from), "Everything is there as it was.");
    fails(&with(folder, &url, &["serve"]), "was moved to another database");
    fails(&there(&new, &from), "was moved to another database");
    let shop = serve(folder, &new);
    assert_eq!(seen(&shop, &token).await, before);
    succeeds(&with(folder, &new, &["stock", "verify"]), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_goes_on_where_it_was_broken_off_and_never_into_a_shop_that_has_begun() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (mut shop, _) = lived(folder).await;
    shop.signal("TERM");
    assert!(shop.wait().success());
    let old = file(folder, "old.toml", &format!("sqlite:{}", folder.join("emporium.db").display()));
    let url = postgres().database();
    succeeds(&with(folder, &url, &["migrate"]), "applied");
    let name = url.rsplit_once('/').unwrap().1;
    let there = |sql: &str| {
        diesel::PgConnection::establish(&postgres().url("emporium", name)).unwrap().batch_execute(sql).unwrap();
    };

    // The second module cannot be written: the first one is there whole, the second one not at all, and the old shop as it was.
    there(
        "ALTER TABLE users.mails ADD CONSTRAINT nothing_comes CHECK (id IS NULL); \
           ALTER TABLE users.sessions ADD CONSTRAINT none_either CHECK (user_id IS NULL)",
    );
    fails(&with(folder, &url, &["move", "--from", &old]), "the user module's data");
    let mut again = Process::start(&mut emporium(folder));
    again.signal("TERM");
    assert!(again.wait().success());
    there(
        "ALTER TABLE users.mails DROP CONSTRAINT nothing_comes; ALTER TABLE users.sessions DROP CONSTRAINT none_either",
    );
    succeeds(&with(folder, &url, &["move", "--from", &old]), "inventory: was moved before");

    // Into a shop that has begun, nothing is moved.
    let begun = postgres().database();
    let second = folder.join("second");
    std::fs::create_dir(&second).unwrap();
    succeeds(&run(&second, &["user", "create-admin", "other@example.com"]), "");
    let second_url = format!("sqlite:{}", second.join("emporium.db").display());
    let other = file(folder, "other.toml", &second_url);
    succeeds(&with(folder, &begun, &["migrate"]), "applied");
    succeeds(&with(folder, &begun, &["user", "create-admin", "root@example.com"]), "");
    fails(&with(folder, &begun, &["move", "--from", &other]), "needs an empty one");
    succeeds(&with(&second, &second_url, &["stock", "verify"]), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_rows_are_moved_nobody_begins_to_use_them() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let url = postgres().database();
    succeeds(&with(folder, &url, &["migrate"]), "applied");
    let config = Config::of_file(Path::new(&file(folder, "shop.toml", &url))).unwrap();
    let [inventory_db, _] = emporium::app::databases(&config).unwrap();
    let seized = inventory_db.seize(inventory::TABLES, &[&inventory::MIGRATIONS]).unwrap();
    let name = url.rsplit_once('/').unwrap().1;
    let mut other = diesel::PgConnection::establish(&postgres().url("emporium", name)).unwrap();
    other.batch_execute("SET lock_timeout = '50ms'").unwrap();
    let change = "UPDATE inventory.locations SET name = 'mine'";
    assert!(other.batch_execute(change).unwrap_err().to_string().contains("lock timeout"));
    drop(other);
    // Who begins meanwhile waits for it, and has no other answer.
    fails(&with(folder, &url, &["serve"]), "lock timeout");
    seized.mark_moved().unwrap();
    fails(&with(folder, &url, &["serve"]), "DELETE FROM inventory.leases WHERE name = 'moved'");
    // Also one that was open before, and had lost its connection.
    let found = inventory::local(inventory_db, Arc::new(SystemClock), config.inventory).location_list().await;
    assert!(format!("{found:?}").contains("was moved to another database"), "{found:?}");

    // What a newer version has made is not left behind unseen.
    let url = postgres().database();
    succeeds(&with(folder, &url, &["migrate"]), "applied");
    let newer = "INSERT INTO users.__diesel_schema_migrations VALUES ('20991231000001')";
    diesel::PgConnection::establish(&url).unwrap().batch_execute(newer).unwrap();
    let new = format!("sqlite:{}", folder.join("new.db").display());
    let from = file(folder, "from.toml", &url);
    fails(&with(folder, &new, &["move", "--from", &from]), "20991231000001 is not known to this one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_otherwise_than_it_was_sent_is_not_kept() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    succeeds(&run(folder, &["user", "create-admin", "root@example.com"]), "");
    let old = file(folder, "old.toml", &format!("sqlite:{}", folder.join("emporium.db").display()));
    let url = postgres().database();
    succeeds(&with(folder, &url, &["migrate"]), "applied");
    let mut there = diesel::PgConnection::establish(&url).unwrap();
    there
        .batch_execute(
            "CREATE FUNCTION users.other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := NEW.name || ''!''; RETURN NEW; END';
             CREATE TRIGGER other BEFORE INSERT ON users.users FOR EACH ROW EXECUTE FUNCTION users.other()",
        )
        .unwrap();
    let move_ = || with(folder, &url, &["move", "--from", &old]);
    fails(&move_(), "users: what arrived is not what was sent");
    there.batch_execute("DROP TRIGGER other ON users.users").unwrap();
    succeeds(&move_(), "user: 1 rows of users");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_anywhere_is_finished_by_the_next_one() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (mut shop, token) = lived(folder).await;
    let before = seen(&shop, &token).await;
    shop.signal("TERM");
    assert!(shop.wait().success());
    let old = file(folder, "old.toml", &format!("sqlite:{}", folder.join("emporium.db").display()));
    let url = postgres().database();
    succeeds(&with(folder, &url, &["migrate"]), "applied");
    // Each is killed later than the one before, until one has come to its end.
    let mut killed = 0;
    for n in 1.. {
        let mut command = at(folder, &url, &["move", "--from", &old]);
        let mut moving = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(n * 40)).await;
        moving.kill().unwrap();
        let output = moving.wait_with_output().unwrap();
        if output.status.success() || text(&output.stderr).contains("was moved to another database") {
            break;
        }
        assert_eq!(output.status.code(), None, "{}", text(&output.stderr));
        killed += 1;
    }
    assert!(killed >= 3, "it was too quick to be killed: {killed} times");
    let shop = serve(folder, &url);
    assert_eq!(seen(&shop, &token).await, before);
}
