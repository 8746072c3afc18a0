//! Uploads: a slow line may take its time, one that stands still is cut.

use std::time::Duration;

use emporium::call::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Backend, TestApp, location};
use crate::seed::{connect, number, quiet};
use crate::testapp::stage;

const LIMIT: Duration = Duration::from_millis(1_500);
/// What must come within the limit.
const PACE: usize = 16 * 1024;

async fn start() -> (TestApp, String) {
    let app = TestApp::start_with(Backend::any(), |config| {
        quiet(config);
        config.server.request_timeout_ms = LIMIT.as_millis() as u32;
    })
    .await;
    location(&app).await;
    let token = app.token("staff@shop.example", Role::Staff).await;
    (app, token)
}

/// A connection on which an import has begun; `framing` tells how its body is sent.
async fn open(app: &TestApp, token: &str, framing: &str) -> TcpStream {
    let mut line = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /api/v1/imports?format=csv HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {token}\r\nIdempotency-Key: a\r\n\
         {framing}\r\n\r\n"
    );
    line.write_all(head.as_bytes()).await.unwrap();
    line
}

/// All that the shop says before it closes the connection.
async fn answer(mut line: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut bytes = vec![];
    // HAProxy passes on what the shop says, and cuts who is silent after 60 s.
    let limit = if stage() == 3 { 90 } else { 30 };
    let end = timeout(Duration::from_secs(limit), line.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(end.is_ok(), "the connection stays open after {text:?}");
    text
}

#[track_caller]
fn assert_too_slow(app: &TestApp, answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    for left in ["jobs", "job_inputs"] {
        assert_eq!(number(&mut connect(app), &format!("SELECT COUNT(*) FROM {left}")), 0, "{left}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_stands_still_is_cut() {
    let (app, token) = start().await;
    let mut counted = open(&app, &token, "Content-Length: 10000000").await;
    // So much that a part of it is kept already.
    counted.write_all(&vec![b'\n'; 2_000_000]).await.unwrap();
    let mut chunked = open(&app, &token, "Transfer-Encoding: chunked").await;
    chunked.write_all(b"10\r\n0123456789abcdef\r\n10\r\n0123").await.unwrap();
    let (counted, chunked) = tokio::join!(answer(counted), answer(chunked));
    assert_too_slow(&app, &counted);
    assert_too_slow(&app, &chunked);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_single_bytes_is_cut() {
    let (app, token) = start().await;
    let line = open(&app, &token, "Content-Length: 1000000").await;
    let (reader, mut writer) = line.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"\n").await.is_ok() {
            sleep(LIMIT / 20).await;
        }
    });
    assert_too_slow(&app, &answer(reader).await);
    drip.abort();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_may_be_slow_as_long_as_it_goes_on() {
    let (app, token) = start().await;
    let body = format!("Handle,Title\n{}", "\n".repeat(5 * PACE));
    let framing = format!("Content-Length: {}\r\nConnection: close", body.len());
    let mut line = open(&app, &token, &framing).await;
    for piece in body.as_bytes().chunks(PACE) {
        line.write_all(piece).await.unwrap();
        sleep(LIMIT / 2).await;
    }
    let answer = answer(line).await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    app.stop().await;
}
