//! A clean stop hands a job back: whoever asks next goes on with it at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use emporium::app;
use emporium::inventory::{Bulk, BulkFormat, JobState, PIECE_BYTES_MAX};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SEVERAL_BATCHES, job, pieces, start};
use crate::bulk::{Local, options, sample_of};
use crate::process::{Process, emporium, run, text};
use crate::testapp::{PASSWORD, call, on_both, read};

fn products(file: &[u8]) -> u64 {
    file.split(|byte| *byte == b'\n').filter(|line| line.starts_with(br#"{"type":"product"#)).count() as u64
}

/// Runs a job until it has written its first batch, and stops it there; gives what the run gave.
async fn stopped_under_way(local: &Local, file: &[u8]) -> emporium::clock::Id {
    let id = start(local, options(BulkFormat::Jsonl), file).await;
    let stop = async {
        while job(local, id).await.done == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        local.inventory.jobs_stop().await;
    };
    let (ran, ()) = tokio::join!(local.inventory.job_run_next(), stop);
    assert!(!ran.unwrap());
    id
}

on_both! {
    async fn a_job_that_is_stopped_is_handed_back(backend: Backend) {
        let local = Local::open(backend).await;
        let file = sample_of(SEVERAL_BATCHES);
        assert!(file.len() > 2 * PIECE_BYTES_MAX);
        let id = stopped_under_way(&local, &file).await;
        let left = job(&local, id).await;
        assert_eq!((left.state, left.started_at), (JobState::Queued, None));
        assert!(left.done > 0 && left.done < left.total, "{left:?}");
        assert!(!local.inventory.job_run_next().await.unwrap(), "who is stopped runs nothing");
        // No time passes until somebody else has it.
        let [db, _] = app::databases(&local.config).unwrap();
        let other = emporium::inventory::local(db, Arc::new(local.clock.clone()), local.config.inventory.clone());
        assert!(other.job_run_next().await.unwrap());
        let done = job(&local, id).await;
        assert_eq!((done.state, done.done), (JobState::Succeeded, done.total));
        let report = (done.report.products_created, done.report.products_updated, done.report.products_unchanged);
        assert_eq!(report, (products(&file), 0, 0), "nothing is done twice");
        local.verify().await;
    }

    async fn a_job_that_was_handed_back_can_be_cancelled(backend: Backend) {
        let local = Local::open(backend).await;
        let id = stopped_under_way(&local, &sample_of(SEVERAL_BATCHES)).await;
        let cancelled = local.inventory.job_cancel(&call(), id).await.unwrap().unwrap();
        assert_eq!((cancelled.state, pieces(&local)), (JobState::Cancelled, 0));
    }
}

/// The shop's answer about a job.
async fn told(process: &Process, token: &str, place: &str) -> Value {
    let answer = Client::new().get(process.url(place)).bearer_auth(token).send().await.unwrap();
    let (status, job) = read(answer).await;
    assert_eq!(status, 200, "{job}");
    job
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_with_an_import_at_once() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
    let made = run(folder.path(), &["user", "create-admin", "boss@example.com", "--password-file", "password"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let mut shop = Process::start(&mut emporium(folder.path()));
    let login = Client::new().post(shop.url("/api/v1/auth/login"));
    let login = login.json(&json!({ "email": "boss@example.com", "password": PASSWORD })).send().await.unwrap();
    let token = read(login).await.1["token"].as_str().unwrap().to_owned();
    let file = sample_of(SEVERAL_BATCHES);
    let request = Client::new().post(shop.url("/api/v1/imports?format=jsonl")).bearer_auth(&token);
    let answer = request.header("idempotency-key", "k").body(file.clone()).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    while told(&shop, &token, &place).await["done"] == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shop.signal("TERM");
    assert!(shop.wait().success());

    let again = Instant::now();
    let shop = Process::start(&mut emporium(folder.path()));
    let before = told(&shop, &token, &place).await;
    assert!(before["done"].as_i64() < before["total"].as_i64(), "the import was over before the stop: {before}");
    let mut now = before.clone();
    while now["done"] == before["done"] {
        assert!(again.elapsed() < Duration::from_secs(25), "the import waits for its runner to be dead: {now}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        now = told(&shop, &token, &place).await;
    }
    while !matches!(now["state"].as_str(), Some("succeeded" | "failed")) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        now = told(&shop, &token, &place).await;
    }
    assert_eq!((&now["state"], &now["report"]["products_created"]), (&json!("succeeded"), &json!(products(&file))));
}
