//! For scripts/bench.sh: requests that come at their own times, however long the answers take, as those of a crowd do ("open loop").
//!
//! `flood PORT[,PORT...] SECONDS FILE`; several ports are asked in turn. Each line of the file is a kind of request, with tabs between:
//! how many a second, its name, method, path, token and JSON body (both may be empty); `{n}` is a number that no other request has.
//! Prints for each kind: its name, how many were sent a second, answered with 2xx, refused (429, 503), answered otherwise or not at all;
//! and of the first the median and the 99th percentile of the time in ms from when it was to be sent.

use std::io::{Error, Result};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More are not under way at a time: a crowd's machine is not the one that is measured.
const FLYING_MAX: usize = 4_000;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Kind {
    rate: f64,
    name: String,
    request: String,
    body: String,
}

impl Kind {
    fn read(line: &str) -> Option<Kind> {
        let mut cells = line.split('\t');
        let (rate, name, method, path) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        let token = cells.next().filter(|token| !token.is_empty());
        let token = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
        let request = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: */*\r\n{token}");
        Some(Kind {
            rate: rate.parse().ok()?,
            name: name.into(),
            request,
            body: cells.next().unwrap_or_default().into(),
        })
    }

    /// The bytes of the request of this number.
    fn bytes(&self, number: &str) -> Vec<u8> {
        let body = self.body.replace("{n}", number);
        let head = self.request.replace("{n}", number);
        match body.is_empty() {
            true => format!("{head}\r\n"),
            false => format!(
                "{head}content-type: application/json\r\nidempotency-key: {number}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        }
        .into_bytes()
    }
}

/// What became of the requests of a kind.
#[derive(Default)]
struct Tally {
    sent: u64,
    refused: u64,
    failed: u64,
    ok_ms: Vec<f64>,
}

/// Where requests go, and the connections that wait there for the next one.
struct Target {
    port: u16,
    idle: Mutex<Vec<TcpStream>>,
}

/// Sends a request; gives the status of the answer, which is read whole.
async fn ask(target: &Target, request: &[u8]) -> Result<u16> {
    let kept = target.idle.lock().unwrap().pop();
    let mut stream = match kept {
        Some(stream) => stream,
        None => TcpStream::connect(("127.0.0.1", target.port)).await?,
    };
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let mut answer = Vec::with_capacity(8_192);
    let head = loop {
        if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        more(&mut stream, &mut answer).await?;
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let status =
        text.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(|| Error::other(text.clone()))?;
    let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    match header("content-length: ").and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) => {
            while answer.len() < head + length {
                more(&mut stream, &mut answer).await?;
            }
        }
        None => {
            while !answer.ends_with(b"0\r\n\r\n") {
                more(&mut stream, &mut answer).await?;
            }
        }
    }
    if header("connection: close").is_none() {
        target.idle.lock().unwrap().push(stream);
    }
    Ok(status)
}

async fn more(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<()> {
    match stream.read_buf(answer).await? {
        0 => Err(Error::other("the connection ended within the answer")),
        _ => Ok(()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, ports, seconds, file] = &arguments[..] else {
        return Err(Error::other("usage: flood PORT[,PORT...] SECONDS FILE"));
    };
    let target = |port: &str| port.parse().map(|port| Target { port, idle: Mutex::default() });
    let targets: Arc<Vec<Target>> =
        Arc::new(ports.split(',').map(target).collect::<std::result::Result<_, _>>().map_err(Error::other)?);
    let seconds: f64 = seconds.parse().map_err(Error::other)?;
    let text = std::fs::read_to_string(file)?;
    let kinds: Vec<Kind> = text.lines().filter_map(Kind::read).collect();
    let tallies: Arc<Vec<Mutex<Tally>>> = Arc::new(kinds.iter().map(|_| Mutex::default()).collect());
    let flying = Arc::new(());
    let run = std::process::id();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        for (k, kind) in kinds.iter().enumerate() {
            let due = (start.elapsed().as_secs_f64() * kind.rate) as u64;
            let mut sent = tallies[k].lock().unwrap().sent;
            while sent < due {
                sent += 1;
                let at = start + Duration::from_secs_f64(sent as f64 / kind.rate);
                if Arc::strong_count(&flying) > FLYING_MAX {
                    tallies[k].lock().unwrap().failed += 1;
                    continue;
                }
                let request = kind.bytes(&format!("{run}-{k}-{sent}"));
                let (targets, tallies, flying) = (targets.clone(), tallies.clone(), flying.clone());
                tokio::spawn(async move {
                    let target = &targets[sent as usize % targets.len()];
                    let answer = tokio::time::timeout(PATIENCE, ask(target, &request)).await;
                    let took_ms = at.elapsed().as_secs_f64() * 1_000.0;
                    let mut tally = tallies[k].lock().unwrap();
                    match answer {
                        Ok(Ok(200..=299)) => tally.ok_ms.push(took_ms),
                        Ok(Ok(429 | 503)) => tally.refused += 1,
                        _ => tally.failed += 1,
                    }
                    drop(flying);
                });
            }
            tallies[k].lock().unwrap().sent = sent;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while Arc::strong_count(&flying) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (kind, tally) in kinds.iter().zip(tallies.iter()) {
        let mut tally = tally.lock().unwrap();
        tally.ok_ms.sort_by(f64::total_cmp);
        let ok_ms = &tally.ok_ms;
        let at = |share: f64| ok_ms.get((ok_ms.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        let rate = |count: u64| count as f64 / seconds;
        println!(
            "{}\t{:.0}\t{:.0}\t{:.0}\t{:.0}\t{:.1}\t{:.1}",
            kind.name,
            rate(tally.sent),
            rate(ok_ms.len() as u64),
            rate(tally.refused),
            rate(tally.failed),
            at(0.5),
            at(0.99)
        );
    }
    Ok(())
}
