//! `config/haproxy.cfg` in front of three nodes: even load, a node that stops or dies, whose address is believed, and a full line.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::text;
use crate::testapp::{Backend, TestApp, read};

mod cluster;

/// An address that nobody listens at, and that the system gives to nobody by itself: what stops comes back at the same.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs at the same time begin at different places.
    NEXT.compare_exchange(0, 20_000 + (std::process::id() % 10_000) as u16, Ordering::SeqCst, Ordering::SeqCst).ok();
    loop {
        let port = NEXT.fetch_add(1, Ordering::SeqCst);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// HAProxy, as `config/haproxy.cfg` has it.
pub(crate) struct Balancer {
    child: Child,
    address: SocketAddr,
    pub(crate) plain: SocketAddr,
    figures: SocketAddr,
    certificate: Certificate,
    folder: TempDir,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian's place for it, which is in nobody's path but root's.
fn haproxy() -> Command {
    let path = "/usr/sbin/haproxy";
    assert!(Path::new(path).exists(), "HAProxy is not installed; scripts/test.sh installs it");
    Command::new(path)
}

/// The file as it stands, with other words in the place of some; each must be there.
fn adapted(words: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/haproxy.cfg");
    words.iter().fold(std::fs::read_to_string(path).unwrap(), |text, (word, other)| {
        assert!(text.contains(word), "config/haproxy.cfg does not say {word}");
        text.replace(word, other)
    })
}

/// Makes a certificate for this machine, with its key in the same file.
fn certificate(folder: &Path) -> String {
    let (key, made) = (folder.join("key.pem"), folder.join("shop.pem"));
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    std::fs::write(&made, text(&output.stdout) + &std::fs::read_to_string(key).unwrap()).unwrap();
    made.to_str().unwrap().to_owned()
}

impl Balancer {
    /// Starts it in front of these nodes, with other words in the place of some more.
    pub(crate) async fn start(nodes: &[SocketAddr], words: &[(&str, String)]) -> Balancer {
        let folder = TempDir::new().unwrap();
        let (address, plain, figures) = (free_address(), free_address(), free_address());
        let made = certificate(folder.path());
        let mut all = vec![
            ("bind :80\n", format!("bind {plain}\n")),
            ("bind :443 ", format!("bind {address} ")),
            ("/etc/haproxy/certificates/shop.pem", made.clone()),
            ("127.0.0.1:8404", figures.to_string()),
            ("    user haproxy\n    group haproxy\n", String::new()),
        ];
        let names = ["node1:8080", "node2:8080", "node3:8080"];
        all.extend(names.into_iter().zip(nodes).map(|(name, node)| (name, node.to_string())));
        all.extend_from_slice(words);
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, adapted(&all)).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = haproxy().arg("-db").arg("-f").arg(&file).stdout(log).spawn().unwrap();
        let certificate = Certificate::from_pem(&std::fs::read(made).unwrap()).unwrap();
        let balancer = Balancer { child, address, plain, figures, certificate, folder };
        let (start, http) = (Instant::now(), balancer.client());
        while http.get(balancer.url("/readyz")).send().await.map_or(0, |answer| answer.status().as_u16()) != 200 {
            assert!(start.elapsed() < Duration::from_secs(30), "the balancer does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        balancer
    }

    /// A client with connections of its own.
    pub(crate) fn client(&self) -> Client {
        self.client_at([127, 0, 0, 1].into(), usize::MAX)
    }

    /// The same at another address, which keeps so many connections at most.
    fn client_at(&self, address: IpAddr, kept: usize) -> Client {
        let builder = Client::builder().add_root_certificate(self.certificate.clone()).pool_max_idle_per_host(kept);
        builder.local_address(address).timeout(Duration::from_secs(60)).build().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// One of the balancer's figures of each node.
    async fn of_nodes(&self, name: &str) -> Vec<String> {
        self.figure("node", name).await
    }

    /// The same of the lines that begin so.
    pub(crate) async fn figure(&self, beginning: &str, name: &str) -> Vec<String> {
        let table = reqwest::get(format!("http://{}/;csv", self.figures)).await.unwrap().text().await.unwrap();
        let mut rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let column = rows.next().unwrap().iter().position(|title| *title == name).unwrap();
        rows.filter(|row| row[0] == "nodes" && row[1].starts_with(beginning))
            .map(|row| row[column].to_owned())
            .collect()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// How many requests are with the nodes or wait for one.
    async fn in_line(&self) -> u32 {
        self.figure("BACKEND", "scur").await[0].parse().unwrap()
    }
}

#[test]
fn haproxy_takes_the_file_as_it_stands() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, adapted(&[("/etc/haproxy/certificates/shop.pem", certificate(folder.path()))])).unwrap();
    let output = haproxy().args(["-c", "-f"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    // Nobody on this machine has the nodes' names.
    let said = text(&output.stderr);
    let warnings = said.lines().filter(|line| line.contains("WARNING") && !line.contains("could not resolve address"));
    assert_eq!(warnings.count(), 0, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_http_leads_to_https() {
    let app = TestApp::start(Backend::Sqlite).await;
    let balancer = Balancer::start(&[app.shop.address; 3], &[]).await;
    let plain = balancer.plain;
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(format!("http://{plain}/cart")).send().await.unwrap();
    assert_eq!(answer.status(), 308);
    assert_eq!(answer.headers()["location"], format!("https://{plain}/cart"));
    drop(balancer);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_of_its_address_reaches_no_node() {
    let mut apps = Vec::new();
    for _ in 0..3 {
        let change = |config: &mut emporium::config::Config| {
            (config.server.rate_limit_burst, config.server.rate_limit_per_minute) = (1, 1);
            config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
        };
        apps.push(TestApp::start_with(Backend::Sqlite, change).await);
    }
    let nodes: Vec<SocketAddr> = apps.iter().map(|app| app.shop.address).collect();
    let balancer = Balancer::start(&nodes, &[]).await;
    let (url, own, other) =
        (balancer.url("/api/v1/categories"), balancer.client(), balancer.client_at([127, 0, 0, 2].into(), 1));
    let mut told = Vec::new();
    for n in 0..9 {
        let forged = own.get(&url).header("x-forwarded-for", format!("192.0.2.{n}")).header("x-request-id", "mine");
        let answer = forged.send().await.unwrap();
        assert_eq!(answer.headers()["x-request-id"], "mine");
        told.push(answer.status().as_u16());
    }
    // Each of the nodes lets one request of a client pass, whoever it claims to be.
    told.sort();
    assert_eq!(told, [[200; 3], [429; 3], [429; 3]].concat());
    // Another address is another client.
    assert_eq!(other.get(&url).send().await.unwrap().status(), 200);
    // Nor can it have the shop's words about its query shown as a page.
    let path = "/%61pi/v1/categories?%3Cb%3E=1";
    let answer = balancer.client_at([127, 0, 0, 3].into(), 1).get(balancer.url(path)).header("accept", "text/html");
    let answer = answer.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (400, "application/problem+json")
    );
    drop(balancer);
    for app in apps {
        app.stop().await;
    }
}

/// What a node does that is ready and gives no answer.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Silent,
    HangsUp,
}

/// Starts such a node; gives its address. Counts what it is asked.
async fn faulty_node(fault: Fault, asked: &'static AtomicU16) -> SocketAddr {
    async fn serve(mut client: TcpStream, fault: Fault, asked: &AtomicU16) {
        let mut head = [0; 4096];
        while let Ok(1..) = client.read(&mut head).await {
            if head.starts_with(b"GET /readyz") {
                let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
                continue;
            }
            asked.fetch_add(1, Ordering::SeqCst);
            if fault == Fault::HangsUp {
                return;
            }
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, fault, asked));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_may_be_repeated_is_sent_again() {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(faulty_node(Fault::HangsUp, &ASKED).await);
    }
    let balancer = Balancer::start(&nodes, &[]).await;
    let url = balancer.url("/api/v1/reservations");
    // Each on a connection of its own: on one that was used before, HAProxy hangs up as the node did.
    for (what, request, times) in [
        ("a change", balancer.client().post(&url), 1),
        ("a change with a key", balancer.client().post(&url).header("idempotency-key", "mine"), 3),
        ("a question", balancer.client().get(&url), 3),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 502, "{what}");
        assert_eq!(ASKED.swap(0, Ordering::SeqCst), times, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_finds_the_line_full_or_waits_too_long_is_told_to_come_back() {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(faulty_node(Fault::Silent, &ASKED).await);
    }
    let words = [
        ("maxconn 128", "maxconn 1".to_owned()),
        ("queue(nodes) ge 256", "queue(nodes) ge 2".to_owned()),
        ("queue(nodes) ge 384", "queue(nodes) ge 3".to_owned()),
        ("timeout queue 5s", "timeout queue 3s".to_owned()),
    ];
    let balancer = Balancer::start(&nodes, &words).await;
    let ask_for = |path: &str| tokio::spawn(balancer.client().get(balancer.url(path)).send());
    let ask = || ask_for("/products/mug");
    let refused = async |answer: reqwest::Response| {
        let head = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((answer.status().as_u16(), &*head("content-type")), (503, "application/problem+json"));
        assert!(head("retry-after").parse::<u32>().unwrap() > 0 && head("x-request-id").len() == 36);
        let (_, problem): (u16, Value) = read(answer).await;
        assert_eq!((&problem["status"], &problem["code"]), (&503.into(), &"busy".into()));
    };
    // Three are held by the nodes, two wait, and one more who is about to buy.
    let mut waiting = Vec::new();
    for n in 1..=6 {
        waiting.push(if n == 6 { ask_for("/cart") } else { ask() });
        let start = Instant::now();
        while balancer.in_line().await != n {
            assert!(start.elapsed() < Duration::from_secs(3), "request {n} did not come in");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let start = Instant::now();
    refused(ask().await.unwrap().unwrap()).await;
    let page = balancer.client().get(balancer.url("/products/mug")).header("accept", "text/html,*/*;q=0.8").send();
    let page = page.await.unwrap();
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].to_str().unwrap()),
        (503, "text/html; charset=utf-8")
    );
    let page = page.text().await.unwrap();
    assert!(page.contains("<h1>The shop cannot answer right now</h1>") && page.contains("\"code\":\"busy\""), "{page}");
    refused(ask_for("/cart").await.unwrap().unwrap()).await;
    assert!(start.elapsed() < Duration::from_secs(2), "they had to wait");
    for told in waiting.drain(3..) {
        refused(told.await.unwrap().unwrap()).await;
    }
    assert!(waiting.iter().all(|held| !held.is_finished()));
    assert_eq!(ASKED.load(Ordering::SeqCst), 3);
}
