//! Jobs: imports over HTTP, their progress and their end, and what is tidied away.

use std::time::Duration;

use emporium::call::Role;
use emporium::clock::Id;
use emporium::inventory::{
    Bulk, BulkFormat, EventQuery, ImportOptions, InventoryError, Job, JobQuery, JobState, PIECE_BYTES_MAX, Stock,
    StockQuery,
};
use reqwest::Method;
use serde_json::Value;

use crate::bulk::{Local, data, options, sample_of};
use crate::seed::{connect, number, quiet};
use crate::testapp::{Backend, TestApp, call, on_both, read};

/// SKUs of which several batches are made, so that an import can be met under way.
const SEVERAL_BATCHES: u64 = 30_000;

mod stop;
mod upload;

/// Sends a file as the HTTP route does.
async fn start(local: &Local, options: ImportOptions, file: &[u8]) -> Id {
    let id = local.inventory.import_begin(&call(), options).await.unwrap();
    for (seq, piece) in file.chunks(PIECE_BYTES_MAX).enumerate() {
        local.inventory.import_add(id, seq as i64, piece.to_vec()).await.unwrap();
    }
    assert_eq!(local.inventory.import_start(&call(), id).await.unwrap().value.state, JobState::Queued);
    id
}

async fn job(local: &Local, id: Id) -> Job {
    local.inventory.job_get(id).await.unwrap().unwrap()
}

/// Runs a job until it has written its first batch, and drops it there.
async fn run_a_little(local: &Local, id: Id) {
    let running = local.inventory.job_run_next();
    let begun = async {
        while job(local, id).await.done == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        result = running => panic!("the job ended before it could be stopped: {result:?}"),
        () = begun => {}
    }
}

/// Runs a job whose runner is dead. The batch that was being written when it died may yet be written.
async fn take_up(local: &Local) {
    local.clock.advance(Duration::from_secs(31));
    for _ in 0..100 {
        if local.inventory.job_run_next().await.unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the job is not taken up again");
}

fn pieces(local: &Local) -> i64 {
    crate::seed::number(&mut crate::seed::connect_to(&local.config), "SELECT COUNT(*) FROM job_inputs")
}

/// The job at this address when it has ended.
async fn ended(app: &TestApp, token: &str, place: &str) -> Value {
    for _ in 0..1_000 {
        let (status, job) = read(app.request_as(token, Method::GET, place).send().await.unwrap()).await;
        assert_eq!(status, 200, "{job}");
        if !matches!(job["state"].as_str(), Some("queued" | "running")) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the job does not end");
}

/// A request for an import under a new key.
fn send(app: &TestApp, token: &str, query: &str) -> reqwest::RequestBuilder {
    let key = Id::new(emporium::clock::Clock::now(&app.clock)).to_string();
    app.request_as(token, Method::POST, &format!("/api/v1/imports{query}")).header("idempotency-key", key)
}

/// Sends so many bytes without telling beforehand how many; gives the answer's first line.
async fn status_of_chunked(app: &TestApp, token: &str, size: usize) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let mut connection = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /api/v1/imports?format=csv HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: a\r\n\
         Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&vec![b'x'; size]).await.unwrap();
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

async fn location(app: &TestApp) {
    let new = emporium::inventory::NewLocation {
        code: "MAIN".into(),
        name: "Main".into(),
        address: Default::default(),
        priority: 0,
    };
    app.shop.modules.inventory.location_create(&call(), new).await.unwrap();
}

on_both! {
    async fn a_file_is_imported_over_http(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        location(&app).await;
        let staff = app.token("staff@shop.example", Role::Staff).await;
        let post = |query: &str| send(&app, &staff, query);
        let answer = post("").header("content-type", "text/csv").body(data("luma.csv")).send().await.unwrap();
        let place = answer.headers()["location"].to_str().unwrap().to_owned();
        let (status, started) = read(answer).await;
        assert_eq!((status, started["state"].as_str()), (202, Some("queued")), "{started}");
        let done = ended(&app, &staff, &place).await;
        assert_eq!((done["state"].as_str(), done["message"].as_str()), (Some("succeeded"), Some("")), "{done}");
        assert_eq!(done["report"]["products_created"], 147);
        assert_eq!(done["done"], done["total"]);
        assert_eq!(done["report"]["columns_ignored"], serde_json::json!([]), "{done}");

        // With faults, told page by page.
        let rows: String = (0..5).map(|number| format!("p{number},P,1,x\n")).collect();
        let body = format!("Handle,Title,Variant Prize,Variant Price\n{rows}");
        let answer = post("?format=csv&dry_run=true").body(body).send().await.unwrap();
        let place = answer.headers()["location"].to_str().unwrap().to_owned();
        let done = ended(&app, &staff, &place).await;
        assert_eq!((done["state"].as_str(), &done["report"]["rows_failed"]), (Some("succeeded"), &Value::from(5)));
        assert_eq!(done["report"]["columns_ignored"], serde_json::json!(["Variant Prize"]), "{done}");
        let mut lines = vec![];
        let mut next = format!("{place}/faults?limit=2");
        loop {
            let (status, page) = read(app.request_as(&staff, Method::GET, &next).send().await.unwrap()).await;
            assert_eq!(status, 200, "{page}");
            lines.extend(page["items"].as_array().unwrap().iter().map(|fault| fault["line"].as_i64().unwrap()));
            let first = &page["items"][0];
            let told = serde_json::json!({
                "line": first["line"], "column": "Variant Price", "code": "not_price",
                "message": "\"x\" is not a price: a number with at most 2 decimals",
                "arguments": { "text": "x", "decimals": 2 },
            });
            assert_eq!(first, &told);
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{place}/faults?limit=2&cursor={cursor}");
        }
        assert_eq!(lines, [2, 3, 4, 5, 6]);
        let (_, jobs) = read(app.request_as(&staff, Method::GET, "/api/v1/jobs").send().await.unwrap()).await;
        assert_eq!(jobs["items"].as_array().unwrap().len(), 2);
        assert_eq!(jobs["items"][1]["id"], started["id"]);
    }

    async fn a_repeated_import_is_the_same_job(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        location(&app).await;
        let staff = app.token("staff@shop.example", Role::Staff).await;
        let post = async |key: &str, query: &str, body: &'static str| {
            let request = app.request_as(&staff, Method::POST, &format!("/api/v1/imports{query}"));
            let request = if key.is_empty() { request } else { request.header("idempotency-key", key) };
            let answer = request.body(body).send().await.unwrap();
            let replayed = answer.headers().contains_key("idempotent-replayed");
            let (status, body) = read(answer).await;
            (status, replayed, body)
        };
        let body = "Handle,Title,Variant Price\na,A,1\n";
        let (status, _, problem) = post("", "?format=csv", body).await;
        assert_eq!((status, &problem["code"]), (400, &Value::from("idempotency_key_missing")));
        let (status, replayed, first) = post("k", "?format=csv", body).await;
        assert_eq!((status, replayed), (202, false), "{first}");
        assert_eq!(post("k", "?format=csv", body).await, (202, true, first.clone()));
        for (query, body) in [("?format=csv", "Handle,Title,Variant Price\na,B,1\n"), ("?format=csv&dry_run=true", body)] {
            let (status, _, problem) = post("k", query, body).await;
            assert_eq!((status, &problem["code"]), (422, &Value::from("idempotency_key_reused")));
        }
        let (_, _, other) = post("l", "?format=csv", body).await;
        assert_ne!(other["id"], first["id"]);
        let (_, jobs) = read(app.request_as(&staff, Method::GET, "/api/v1/jobs").send().await.unwrap()).await;
        // Neither the replay nor what was refused is a job.
        assert_eq!(jobs["items"].as_array().unwrap().len(), 2, "{jobs}");
        assert_eq!(number(&mut connect(&app), "SELECT COUNT(*) FROM jobs"), 2);
    }

    async fn what_cannot_be_imported_is_refused_at_once(backend: Backend) {
        let app = TestApp::start_with(backend, |config| {
            quiet(config);
            config.server.import_max_bytes = 3_000_000;
        })
        .await;
        let staff = app.token("staff@shop.example", Role::Staff).await;
        let post = |query: &str| send(&app, &staff, query);
        let code = async |request: reqwest::RequestBuilder| {
            let (status, problem) = read(request.send().await.unwrap()).await;
            (status, problem["code"].as_str().unwrap_or_default().to_owned())
        };
        let refused = |status, code: &str| (status, code.to_owned());
        assert_eq!(code(post("?format=csv").body("Handle\n")).await, refused(409, "conflict"));
        location(&app).await;
        let large = "x".repeat(3_000_001);
        assert_eq!(code(post("?format=csv").body(large.clone())).await, refused(413, "payload_too_large"));
        assert_eq!(status_of_chunked(&app, &staff, 3_000_001).await, "HTTP/1.1 413 Payload Too Large");
        assert_eq!(code(post("").body("Handle\n")).await, refused(415, "unsupported_media_type"));
        assert_eq!(code(post("?format=xml").body("Handle\n")).await, refused(422, "validation"));
        assert_eq!(code(post("?formt=csv").body("Handle\n")).await, refused(400, "unknown_parameter"));
        let zipped = post("?format=csv").header("content-encoding", "gzip").body("Handle\n");
        assert_eq!(code(zipped).await, refused(415, "unsupported_media_type"));
        assert_eq!(code(post("?format=csv&location=NONE").body("Handle\n")).await, refused(422, "validation"));
        assert_eq!(code(app.request_as(&staff, Method::GET, "/api/v1/jobs/x")).await, refused(404, "not_found"));
        let unknown = format!("/api/v1/jobs/{}/cancel", Id::new(emporium::clock::Time::from_micros(1)));
        assert_eq!(code(app.request_as(&staff, Method::POST, &unknown)).await, refused(404, "not_found"));
        assert_eq!(code(app.request_as(&staff, Method::GET, "/api/v1/jobs?cursor=!")).await, refused(400, "invalid_cursor"));
        let customer = app.token("customer@shop.example", Role::Customer).await;
        for path in ["/api/v1/jobs", "/api/v1/exports/products.csv", "/api/v1/exports/products.jsonl"] {
            assert_eq!(code(app.request_as(&customer, Method::GET, path)).await, refused(403, "forbidden"));
        }
    }

    async fn a_file_of_another_format_fails_its_job(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        location(&app).await;
        let staff = app.token("staff@shop.example", Role::Staff).await;
        for (format, message) in [
            ("jsonl", "line 1: the file does not begin with a JSON object; is it JSONL?"),
            ("csv", "line 1, Handle: the file has no such column; is it a product CSV?"),
        ] {
            let post = send(&app, &staff, &format!("?format={format}"));
            let answer = post.body("a,b\n1,2\n").send().await.unwrap();
            let place = answer.headers()["location"].to_str().unwrap().to_owned();
            let done = ended(&app, &staff, &place).await;
            assert_eq!((done["state"].as_str(), done["message"].as_str()), (Some("failed"), Some(message)), "{done}");
        }
        for (file, code, message) in [
            ("", "empty_file", "line 1, Handle: the file is empty; its first row must name the columns"),
            ("Handle;Title\n", "not_by_commas", "line 1, Handle: the columns of the file seem to be separated by semicolons"),
        ] {
            let answer = send(&app, &staff, "?format=csv").body(file).send().await.unwrap();
            let place = answer.headers()["location"].to_str().unwrap().to_owned();
            let done = ended(&app, &staff, &place).await;
            assert!(done["message"].as_str().unwrap().starts_with(message), "{done}");
            assert_eq!((&done["fault"]["line"], &done["fault"]["code"]), (&Value::from(1), &Value::from(code)));
            let (_, faults) = read(app.request_as(&staff, Method::GET, &format!("{place}/faults")).send().await.unwrap()).await;
            assert_eq!(faults["items"], serde_json::json!([done["fault"]]));
        }
    }

    async fn any_words_of_a_file_can_be_kept(backend: Backend) {
        let local = Local::open(backend).await;
        let long = "x".repeat(1_000);
        let lines = [
            r#"{"type":"product","handle":"a","title":"A","t\u0000":1}"#.to_owned(),
            r#"{"type":"product","handle":"b","title":"B","attributes":{"b\u0000":"c"}}"#.to_owned(),
            r#"{"type":"product","handle":"c","title":"C","attributes":{"c\u0000":1}}"#.to_owned(),
            r#"{"type":"t\u0000"}"#.to_owned(),
            format!(r#"{{"type":"product","handle":"d","title":"D","{long}":1}}"#),
        ];
        let id = start(&local, options(BulkFormat::Jsonl), lines.join("\n").as_bytes()).await;
        assert!(local.inventory.job_run_next().await.unwrap());
        let done = job(&local, id).await;
        assert_eq!((done.state, done.message.as_str(), done.report.rows_failed), (JobState::Succeeded, "", 5));
        let faults = local.inventory.job_faults(id, JobQuery::default()).await.unwrap().unwrap().items;
        let told: Vec<_> = faults.iter().map(|fault| (fault.code.as_str(), fault.column.as_str())).collect();
        let long = format!("/{}…", &long[..299]);
        assert_eq!(told, [
            ("wrong_member", "/t\u{fffd}"),
            ("control_character", "/attributes/b\u{fffd}"),
            ("wrong_member", "/attributes/c\u{fffd}"),
            ("line_type", "/type"),
            ("wrong_member", &long),
        ]);
        assert_eq!(faults[3].arguments["text"], "t\u{fffd}");
        assert!(faults[4].message.chars().count() < 310, "{}", faults[4].message);
    }

    async fn exports_are_streamed(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        let staff = app.token("staff@shop.example", Role::Staff).await;
        let local = Local::beside(&app);
        local.import(BulkFormat::Jsonl, &sample_of(2_000)).await;
        for (path, content_type, format) in [
            ("products.csv", "text/csv; charset=utf-8", BulkFormat::Csv),
            ("products.jsonl", "application/x-ndjson", BulkFormat::Jsonl),
        ] {
            let request = app.request_as(&staff, Method::GET, &format!("/api/v1/exports/{path}"));
            let answer = request.send().await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, content_type));
            assert!(answer.text().await.unwrap() == local.export(format).await, "{path} differs");
        }
    }

    async fn a_job_that_was_interrupted_is_taken_up_again(backend: Backend) {
        let local = Local::open(backend).await;
        let file = sample_of(SEVERAL_BATCHES);
        assert!(file.len() > 2 * PIECE_BYTES_MAX);
        let products = file.split(|byte| *byte == b'\n').filter(|line| line.starts_with(br#"{"type":"product"#)).count();
        let with_fault = [b"{}\n", file.as_slice()].concat();
        let id = start(&local, options(BulkFormat::Jsonl), &with_fault).await;
        run_a_little(&local, id).await;
        let left = job(&local, id).await;
        assert_eq!(left.state, JobState::Running);
        assert!(left.done < left.total, "{left:?}");
        // Meanwhile goods come in.
        let before = local.inventory.stock_list(StockQuery::default()).await.unwrap().items[0].clone();
        local.come_in(&before.sku, &before.location, 7).await;
        // Whoever ran it may still live.
        assert!(!local.inventory.job_run_next().await.unwrap());
        take_up(&local).await;
        let done = job(&local, id).await;
        assert_eq!((done.state, done.done, done.message.as_str()), (JobState::Succeeded, done.total, ""));
        let report = (done.report.products_created, done.report.products_updated, done.report.products_unchanged);
        assert_eq!(report, (products as u64, 0, 0), "nothing is done twice");
        let on_hand = local.on_hand(&before.sku, &before.location).await;
        assert_eq!(on_hand, Some(before.on_hand + 7), "what was written stays as others have changed it");
        assert_eq!(done.report.rows_failed, 1);
        assert_eq!(local.inventory.job_faults(id, JobQuery::default()).await.unwrap().unwrap().items.len(), 1);
        assert_eq!(pieces(&local), 0);
        local.come_in(&before.sku, &before.location, -7).await;
        let (report, faults) = local.import(BulkFormat::Jsonl, &file).await;
        assert_eq!(faults, []);
        assert_eq!((report.products_created, report.products_updated, report.stock_changed), (0, 0, 0));
        local.verify().await;
        assert!(!local.inventory.job_run_next().await.unwrap());
    }

    async fn a_dry_run_that_was_interrupted_begins_anew(backend: Backend) {
        let local = Local::open(backend).await;
        let file = sample_of(SEVERAL_BATCHES);
        let dry_run = ImportOptions { dry_run: true, ..options(BulkFormat::Jsonl) };
        let id = start(&local, dry_run.clone(), &file).await;
        run_a_little(&local, id).await;
        take_up(&local).await;
        let whole = start(&local, dry_run, &file).await;
        assert!(local.inventory.job_run_next().await.unwrap());
        assert_eq!(job(&local, id).await.report, job(&local, whole).await.report);
        assert_eq!(job(&local, id).await.report.categories_changed, 13);
    }

    async fn a_job_can_be_cancelled(backend: Backend) {
        let local = Local::open(backend).await;
        let file = sample_of(SEVERAL_BATCHES);
        // Before it runs.
        let waiting = start(&local, options(BulkFormat::Jsonl), &file).await;
        let cancelled = local.inventory.job_cancel(&call(), waiting).await.unwrap().unwrap();
        assert_eq!(cancelled.state, JobState::Cancelled);
        assert_eq!(pieces(&local), 0);
        assert!(!local.inventory.job_run_next().await.unwrap());
        // While it runs.
        let id = start(&local, options(BulkFormat::Jsonl), &file).await;
        let cancel = async {
            while job(&local, id).await.done == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            local.inventory.job_cancel(&call(), id).await.unwrap().unwrap()
        };
        let (ran, cancelled) = tokio::join!(local.inventory.job_run_next(), cancel);
        assert!(ran.unwrap());
        assert_eq!(cancelled.state, JobState::Cancelled);
        let left = job(&local, id).await;
        assert_eq!(left.state, JobState::Cancelled);
        assert!(left.done < left.total && left.report.products_created > 0, "{left:?}");
        assert_eq!(pieces(&local), 0);
        local.verify().await;
        // Again is the same; a job that has ended cannot be cancelled.
        assert_eq!(local.inventory.job_cancel(&call(), id).await.unwrap().unwrap().state, JobState::Cancelled);
        let small = start(&local, options(BulkFormat::Jsonl), &sample_of(1)).await;
        assert!(local.inventory.job_run_next().await.unwrap());
        assert!(matches!(local.inventory.job_cancel(&call(), small).await, Err(InventoryError::Conflict(_))));
    }

    async fn an_input_is_only_taken_while_it_is_open(backend: Backend) {
        let local = Local::open(backend).await;
        let id = local.inventory.import_begin(&call(), options(BulkFormat::Jsonl)).await.unwrap();
        assert_eq!(local.inventory.job_get(id).await.unwrap(), None, "nobody sees it yet");
        assert!(!local.inventory.job_run_next().await.unwrap(), "nobody runs it yet");
        let piece = sample_of(3);
        local.inventory.import_add(id, 0, piece.clone()).await.unwrap();
        local.inventory.import_add(id, 0, piece.clone()).await.unwrap();
        let too_large = local.inventory.import_add(id, 1, vec![b' '; PIECE_BYTES_MAX + 1]).await;
        assert!(matches!(too_large, Err(InventoryError::Invalid(_))));
        let job = local.inventory.import_start(&call(), id).await.unwrap().value;
        assert_eq!(job.total, piece.len() as i64);
        assert!(matches!(local.inventory.import_add(id, 1, piece).await, Err(InventoryError::NotFound { .. })));
        assert!(matches!(local.inventory.import_start(&call(), id).await, Err(InventoryError::NotFound { .. })));
    }

    async fn what_is_past_its_time_is_tidied_away(backend: Backend) {
        let local = Local::open(backend).await;
        let id = start(&local, options(BulkFormat::Jsonl), b"{}\n").await;
        assert!(local.inventory.job_run_next().await.unwrap());
        assert_eq!(local.inventory.job_faults(id, JobQuery::default()).await.unwrap().unwrap().items.len(), 1);
        local.import(BulkFormat::Jsonl, &sample_of(50)).await;
        let placed = emporium::inventory::Stock::events(&*local.inventory, Default::default()).await.unwrap();
        assert!(!placed.is_empty());
        let open = local.inventory.import_begin(&call(), options(BulkFormat::Jsonl)).await.unwrap();
        local.inventory.import_add(open, 0, b"{}".to_vec()).await.unwrap();
        assert_eq!(local.inventory.tidy().await.unwrap(), 0);
        local.clock.advance(Duration::from_secs(43_300));
        local.inventory.tidy().await.unwrap();
        assert_eq!(job(&local, open).await.state, JobState::Cancelled);
        assert_eq!(pieces(&local), 0);
        // One that goes on is kept, however long it takes.
        let slow = local.inventory.import_begin(&call(), options(BulkFormat::Jsonl)).await.unwrap();
        for seq in 0..3 {
            local.inventory.import_add(slow, seq, b"{}\n".to_vec()).await.unwrap();
            local.clock.advance(Duration::from_secs(40_000));
            local.inventory.tidy().await.unwrap();
        }
        assert_eq!(local.inventory.import_start(&call(), slow).await.unwrap().value.total, 9);
        assert!(local.inventory.job_run_next().await.unwrap());
        local.clock.advance(Duration::from_secs(31 * 86_400));
        // More than a thousand events that are in the feed, and one of another table: the caller hears that there is more.
        local.import(BulkFormat::Jsonl, &sample_of(6_000)).await;
        let mut after = None;
        while let Some(last) = local.inventory.events(EventQuery { after, limit: None }).await.unwrap().last() {
            after = Some(last.position);
        }
        local.clock.advance(Duration::from_secs(31 * 86_400));
        assert_eq!(local.inventory.tidy().await.unwrap(), 1_000);
        while local.inventory.tidy().await.unwrap() >= 1_000 {}
        assert_eq!(local.inventory.tidy().await.unwrap(), 0);
        assert_eq!(local.inventory.job_list(JobQuery::default()).await.unwrap().items, []);
        let left = emporium::inventory::Stock::events(&*local.inventory, Default::default()).await.unwrap();
        assert_eq!(left, []);
    }
}
