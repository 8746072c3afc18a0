//! The commands, run as an operator runs them.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::balancer::free_address;
use crate::process::{Process, emporium, run, text};

#[test]
fn check_tells_every_fault_at_once_and_exits_with_2() {
    let folder = TempDir::new().unwrap();
    let good = run(folder.path(), &["check"]);
    assert!(good.status.success(), "{}", text(&good.stderr));

    let file = folder.path().join("shop.toml");
    let broken = include_str!("../../config/0-single-box.toml")
        .replace("workers = 0", "wrokers = 0")
        .replace("currency = \"USD\"", "currency = \"dollars\"")
        .replace("tls = \"disable\"", "tls = \"maybe\"");
    std::fs::write(&file, broken).unwrap();
    for command in [&["check"][..], &["serve"], &["migrate"], &["stock", "verify"]] {
        let output = emporium(folder.path()).arg("--config").arg(&file).args(command).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {told}");
        for key in ["server.wrokers", "inventory.currency", "inventory.database.tls", "user.database.tls"] {
            assert!(told.contains(key), "{key} is not in {told}");
        }
    }
    assert!(!folder.path().join("emporium.db").exists(), "a faulty configuration must not start anything");
}

#[test]
fn check_prints_the_values_in_force_without_secrets() {
    let folder = TempDir::new().unwrap();
    let output = emporium(folder.path())
        .args(["check", "--print"])
        .env("EMPORIUM__SERVER__WORKERS", "7")
        .env("EMPORIUM__INVENTORY__DATABASE__URL", "postgres://shop:hunter2@db/shop")
        .env("EMPORIUM__USER__DATABASE__URL", "postgres://shop@db/shop")
        .env("EMPORIUM__USER__DATABASE__PASSWORD", "hunter3")
        .output()
        .unwrap();
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(printed.contains("workers = 7") && printed.contains("postgres://shop:***@db/shop"), "{printed}");
    assert!(!printed.contains("hunter"), "{printed}");
}

#[test]
fn migrate_says_what_is_missing_and_serve_refuses_until_it_ran() {
    let folder = TempDir::new().unwrap();
    let nothing = run(folder.path(), &["migrate", "--status"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("there is no database at"), "{}", text(&nothing.stderr));
    std::fs::write(folder.path().join("emporium.db"), "").unwrap();
    let missing = run(folder.path(), &["migrate", "--status"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stdout).contains("inventory: missing"), "{}", text(&missing.stdout));

    let refused = emporium(folder.path()).env("EMPORIUM__INVENTORY__MIGRATE_ON_START", "false").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("run `emporium migrate` first"), "{}", text(&refused.stderr));

    let migrated = run(folder.path(), &["migrate"]);
    assert!(migrated.status.success());
    assert_eq!(text(&migrated.stdout), text(&missing.stdout).replace("missing", "applied"), "other names");
    let again = run(folder.path(), &["migrate", "--status"]);
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), "inventory: up to date\nuser: up to date\n");
}

#[test]
fn who_only_looks_makes_no_database() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("data/emporium.db");
    let url = format!("sqlite:{}", file.display());
    for command in
        [&["stock", "verify"][..], &["backup", "copy.db"], &["export", "goods.csv"], &["migrate", "--status"]]
    {
        let output = emporium(folder.path())
            .env("EMPORIUM__INVENTORY__DATABASE__URL", &url)
            .env("EMPORIUM__USER__DATABASE__URL", &url)
            .args(command)
            .output()
            .unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {told}");
        assert!(told.contains(&format!("there is no database at {}", file.display())), "{command:?}: {told}");
        assert!(told.contains("--config"), "{command:?}: {told}");
        let made: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert!(made.is_empty(), "{command:?} made {made:?}");
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_holds_data_of_people_is_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let url = format!("sqlite:{}", data.join("emporium.db").display());
    let shop = |arguments: &[&str]| {
        let mut command = emporium(folder.path());
        command
            .env("EMPORIUM__INVENTORY__DATABASE__URL", &url)
            .env("EMPORIUM__USER__DATABASE__URL", &url)
            .env("EMPORIUM__MAIL__DELIVERY__FOLDER__PATH", folder.path().join("mail"))
            .args(arguments);
        command
    };
    let process = Process::start(&mut shop(&[]));
    assert_eq!(mode(&data), 0o700);
    for file in ["emporium.db", "emporium.db-wal", "emporium.db-shm"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    register(&process);
    mails(&folder.path().join("mail"));
    assert_eq!(mode(&folder.path().join("mail")), 0o700);
    for mail in std::fs::read_dir(folder.path().join("mail")).unwrap() {
        assert_eq!(mode(&mail.unwrap().path()), 0o600);
    }
    assert!(shop(&["backup", "copy.db"]).output().unwrap().status.success());
    assert_eq!(mode(&folder.path().join("copy.db")), 0o600);
    drop(process);

    // What is there keeps what its owner gave it.
    for (path, bits) in [(&data, 0o750), (&data.join("emporium.db"), 0o640)] {
        std::fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
        assert!(shop(&["migrate"]).output().unwrap().status.success());
        assert_eq!(mode(path), bits);
    }
}

/// Has a mail sent to a new customer.
fn register(process: &Process) {
    let url = process.url("/api/v1/auth/register");
    let body = serde_json::json!({ "email": "me@example.com", "password": "a long enough phrase 7", "name": "Me" });
    let status = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { reqwest::Client::new().post(url).json(&body).send().await.unwrap().status() });
    assert_eq!(status, 202);
}

/// Waits for mails in a folder; gives their text.
fn mails(folder: &Path) -> String {
    let start = std::time::Instant::now();
    loop {
        let files = std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
        let whole = files.filter(|path| path.extension().is_some_and(|ending| ending == "eml"));
        let text: String = whole.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        if !text.is_empty() {
            return text;
        }
        assert!(start.elapsed().as_secs() < 30, "no mail comes");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_demo_whose_port_is_taken_tells_only_that() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = emporium(folder.path()).arg("demo").env("EMPORIUM__SERVER__LISTEN", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    assert!(text(&output.stderr).contains(&format!("cannot listen on {address}")), "{}", text(&output.stderr));
    assert!(!folder.path().join("emporium-demo").exists());
}

#[test]
fn links_in_the_demos_mails_lead_to_the_demo() {
    for public_url in [None, Some("http://shop.example")] {
        let folder = TempDir::new().unwrap();
        let mut command = emporium(folder.path());
        command.arg("demo").envs(public_url.map(|url| ("EMPORIUM__SERVER__PUBLIC_URL", url)));
        let process = Process::start(&mut command);
        register(&process);
        let text = mails(&folder.path().join("emporium-demo/mail"));
        let address = public_url.map_or_else(|| format!("http://{}", process.address), str::to_owned);
        assert!(text.contains(&format!("{address}/")), "{address} is not in {text}");
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_told_once() {
    let folder = TempDir::new().unwrap();
    let output = emporium(folder.path())
        .arg("migrate")
        .env("EMPORIUM__INVENTORY__DATABASE__URL", "postgres://shop@127.0.0.1:1/shop")
        .output()
        .unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.matches("the database cannot be reached").count(), 1, "{told}");
    assert_eq!(told.matches("refused").count(), 1, "{told}");
}

#[test]
fn a_port_in_use_is_told_and_nothing_panics() {
    let folder = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = emporium(folder.path()).env("EMPORIUM__SERVER__LISTEN", &address).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains(&format!("cannot listen on {address}")) && !told.contains("panicked"), "{told}");
}

#[test]
fn a_signal_stops_it_gracefully() {
    for name in ["TERM", "INT"] {
        let folder = TempDir::new().unwrap();
        let mut process = Process::start(&mut emporium(folder.path()));
        process.signal(name);
        assert_eq!(process.wait().code(), Some(0), "SIG{name}");
    }
}

#[test]
fn health_tells_whether_it_is_alive_and_whether_it_takes_requests() {
    let folder = TempDir::new().unwrap();
    let internal = free_address().to_string();
    let command = || {
        let mut command = emporium(folder.path());
        // At all addresses, as in a container.
        command.env("EMPORIUM__SERVER__INTERNAL_LISTEN", internal.replace("127.0.0.1", "0.0.0.0"));
        command.env("EMPORIUM__SERVER__DRAIN_MS", "5000");
        command
    };
    let health = |arguments: &[&str]| command().arg("health").args(arguments).output().unwrap();
    let nobody = health(&[]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains(&internal), "{}", text(&nobody.stderr));
    let mut process = Process::start(&mut command());
    assert!(health(&[]).status.success() && health(&["--ready"]).status.success());
    process.signal("TERM");
    let start = std::time::Instant::now();
    while health(&["--ready"]).status.success() {
        assert!(start.elapsed().as_secs() < 4, "it is still ready");
    }
    assert!(health(&[]).status.success(), "who finishes what there is is alive");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn the_demo_is_a_shop_with_goods_and_accounts() {
    let folder = TempDir::new().unwrap();
    let start = || {
        let mut command = emporium(folder.path());
        command.args(["demo", "--folder", "shop"]);
        Process::start(&mut command)
    };
    let first = start();
    let accounts = std::fs::read_to_string(folder.path().join("shop/accounts.txt")).unwrap();
    assert_eq!(accounts.lines().count(), 3, "{accounts}");
    drop(first);
    drop(start());
    assert_eq!(accounts, std::fs::read_to_string(folder.path().join("shop/accounts.txt")).unwrap());
    let database = format!("sqlite:{}", folder.path().join("shop/emporium.db").display());
    let output = emporium(folder.path())
        .env("EMPORIUM__INVENTORY__DATABASE__URL", &database)
        .env("EMPORIUM__USER__DATABASE__URL", &database)
        .args(["export", "goods.jsonl"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let goods = std::fs::read_to_string(folder.path().join("goods.jsonl")).unwrap();
    let count = |word: &str| goods.matches(word).count();
    assert!(count("\"type\":\"product\"") >= 60 && count("\"type\":\"category\"") >= 10);
    assert!(count("\"options\"") >= 60 + 150 && count("\"type\":\"location\"") == 2, "{}", count("\"options\""));
}

#[test]
fn the_first_admin_is_made_on_the_command_line() {
    let folder = TempDir::new().unwrap();
    let made = run(folder.path(), &["user", "create-admin", "boss@example.com"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("not shown again: "));
    let twice = run(folder.path(), &["user", "create-admin", "boss@example.com"]);
    assert!(twice.status.success() && text(&twice.stdout).contains("had an account"), "{}", text(&twice.stderr));

    let password = folder.path().join("password");
    std::fs::write(&password, "short\n").unwrap();
    let weak = run(folder.path(), &["user", "create-admin", "two@example.com", "--password-file", "password"]);
    assert_eq!(weak.status.code(), Some(1));
    assert!(text(&weak.stderr).contains("password"), "{}", text(&weak.stderr));
}

/// All that a shop logs from its start to its end.
fn logged(mut command: Command) -> String {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("takes requests") {
        assert_ne!(log.read_line(&mut seen).unwrap(), 0, "the process ended before it took requests:\n{seen}");
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    log.read_to_string(&mut seen).unwrap();
    assert!(child.wait().unwrap().success(), "{seen}");
    seen
}

#[test]
fn a_shop_without_an_admin_says_how_to_make_one() {
    let folder = TempDir::new().unwrap();
    let told = || {
        let mut command = emporium(folder.path());
        command.env("EMPORIUM__SERVER__PUBLIC_URL", "https://shop.example");
        let log = logged(command);
        let (_, token) = log.split_once("This shop has no admin yet: open https://shop.example/setup?token=")?;
        Some(token.split_once(" to make one").unwrap().0.to_owned())
    };
    let token = told().unwrap();
    assert_eq!(token.len(), 43, "{token}");
    assert_eq!(told().unwrap(), token, "the same at every start");
    assert!(run(folder.path(), &["user", "create-admin", "boss@example.com"]).status.success());
    assert_eq!(told(), None);

    let mut demo = emporium(folder.path());
    demo.arg("demo");
    assert!(!logged(demo).contains("no admin"), "the demo has one");
}

#[test]
fn import_export_and_sample_are_a_round_trip() {
    let folder = TempDir::new().unwrap();
    let sample = run(folder.path(), &["sample", "--skus", "500", "--seed", "7"]);
    assert!(sample.status.success());
    assert_eq!(sample.stdout, run(folder.path(), &["sample", "--skus", "500", "--seed", "7"]).stdout);
    assert_ne!(sample.stdout, run(folder.path(), &["sample", "--skus", "500", "--seed", "8"]).stdout);
    std::fs::write(folder.path().join("goods.jsonl"), &sample.stdout).unwrap();

    let dry = run(folder.path(), &["import", "goods.jsonl", "--dry-run"]);
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    let imported = run(folder.path(), &["import", "goods.jsonl"]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    assert!(text(&imported.stdout).contains("500 SKUs created"), "{}", text(&imported.stdout));

    for format in ["jsonl", "csv"] {
        let (first, second) = (format!("first.{format}"), format!("second.{format}"));
        assert!(run(folder.path(), &["export", &first]).status.success());
        let again = run(folder.path(), &["import", &first]);
        assert!(again.status.success(), "{}", text(&again.stderr));
        let told = text(&again.stdout);
        assert!(told.contains("0 products created") && told.contains("0 updated"), "{told}");
        assert!(run(folder.path(), &["export", &second]).status.success());
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        assert!(read(&first) == read(&second), "export, import, export differ in {format}");
        assert!(read(&first).len() > 10_000);
    }
    let verified = run(folder.path(), &["stock", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    assert!(text(&verified.stdout).contains(" 0 difference(s)"));
}

#[test]
fn a_bad_row_is_told_with_line_and_column_and_the_exit_code_says_so() {
    let folder = TempDir::new().unwrap();
    let sample = text(&run(folder.path(), &["sample", "--skus", "20", "--seed", "1"]).stdout);
    let broken = sample.replacen("\"amount\":", "\"amount\":-", 1);
    let line = broken.lines().position(|line| line.contains("\"amount\":-")).unwrap() + 1;
    std::fs::write(folder.path().join("goods.jsonl"), broken).unwrap();
    let output = run(folder.path(), &["import", "goods.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains(&format!("line {line}")) && told.contains("price/amount"), "{told}");
    assert!(told.contains(" (out_of_range {\"max\":") && told.contains(",\"value\":-"), "{told}");
    let unknown = run(folder.path(), &["import", "goods.xlsx"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_fresh_shop_gets_its_location_by_import() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("goods.csv"), "Handle,Title,Variant Price,Variant Inventory Qnt\na,A,1,2\n")
        .unwrap();
    let early = run(folder.path(), &["import", "goods.csv"]);
    assert_eq!(early.status.code(), Some(1));
    let told = text(&early.stderr);
    assert!(told.contains("POST /api/v1/locations"), "{told}");
    // What it says is to be written works as it stands.
    let line = &told[told.find('{').unwrap()..=told.rfind('}').unwrap()];
    std::fs::write(folder.path().join("locations.jsonl"), line).unwrap();
    for file in ["locations.jsonl", "goods.csv"] {
        let output = run(folder.path(), &["import", file]);
        assert!(output.status.success(), "{file}: {}", text(&output.stderr));
        let told = text(&output.stdout);
        assert_eq!(
            told.contains("Columns that are not known and were ignored: Variant Inventory Qnt."),
            file == "goods.csv"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole() {
    let folder = TempDir::new().unwrap();
    let sample = run(folder.path(), &["sample", "--skus", "300", "--seed", "1"]).stdout;
    std::fs::write(folder.path().join("goods.jsonl"), sample).unwrap();
    assert!(run(folder.path(), &["import", "goods.jsonl"]).status.success());
    let mut command = emporium(folder.path());
    command.env("EMPORIUM__USER__THROTTLE__IP_MAILS_STEP", "1000000");
    let process = Process::start(&mut command);
    let register = process.url("/api/v1/auth/register");
    let (started, mut load) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let http = reqwest::Client::new();
        for n in 0.. {
            let body =
                serde_json::json!({ "email": format!("p{n}@example.com"), "password": "a long enough phrase 7" });
            let Ok(answer) = http.post(&register).json(&body).send().await else { return };
            assert_eq!(answer.status(), 202);
            let _ = started.try_send(());
        }
    });
    load.recv().await.expect("there is no load");
    let path = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || run(&path, &["backup", "copy.db"])).await.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let again = run(folder.path(), &["backup", "copy.db"]);
    assert_eq!(again.status.code(), Some(1), "a backup must not overwrite");
    drop(process);

    let restored = TempDir::new().unwrap();
    std::fs::copy(folder.path().join("copy.db"), restored.path().join("emporium.db")).unwrap();
    let verified = run(restored.path(), &["stock", "verify"]);
    assert!(verified.status.success() && text(&verified.stdout).contains("stock rows checked, 0 difference(s)"));
}

#[test]
fn backup_of_postgres_names_the_tool() {
    let folder = TempDir::new().unwrap();
    let output = emporium(folder.path())
        .args(["backup", "copy.db"])
        .env("EMPORIUM__INVENTORY__DATABASE__URL", "postgres://shop@127.0.0.1:1/shop")
        .env("EMPORIUM__USER__DATABASE__URL", "postgres://shop@127.0.0.1:1/shop")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("pg_dump"), "{}", text(&output.stderr));
}

#[test]
fn the_api_document_is_printed() {
    let folder = TempDir::new().unwrap();
    let output = run(folder.path(), &["openapi"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["paths"]["/api/v1/products"]["get"].is_object());
}
