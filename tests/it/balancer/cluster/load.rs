//! How the load is shared. These measure, and want the machine for themselves: scripts/test.sh runs them alone.

use super::*;

use std::sync::atomic::AtomicU64;

const CLIENTS: usize = 32;
/// After each request, so that the nodes are well below what they can do: beyond it the quicker one would rightly do more, and who
/// is quicker is not asked.
const PAUSE: Duration = Duration::from_millis(75);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_does_its_third() {
    let cluster = Cluster::start().await;
    let before = cluster.requests().await;
    let load = cluster.load(CLIENTS, PAUSE, |_| true);
    let start = Instant::now();
    let done = loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let done: Vec<f64> = cluster.requests().await.iter().zip(&before).map(|(now, before)| now - before).collect();
        if start.elapsed() >= Duration::from_secs(30) && done.iter().sum::<f64>() >= 10_000.0 {
            break done;
        }
        assert!(start.elapsed() < Duration::from_secs(180), "only {done:?} requests");
    };
    println!("in {:?}", start.elapsed());
    let visits = load.end().await;
    let third = done.iter().sum::<f64>() / 3.0;
    let parts: Vec<String> = done.iter().map(|own| format!("{:+.2} %", (own / third - 1.0) * 100.0)).collect();
    println!("{done:?}: {}", parts.join(", "));
    assert!(visits.failed.is_empty(), "{:?}", visits.failed);
    assert!(done.iter().all(|own| (own - third).abs() <= third * 0.05), "{done:?}");
    cluster.assert_bought(&visits);
}

/// How long each answer of a node takes beside the node's own work, and of the slow one.
const DELAY: Duration = Duration::from_millis(100);
const SLOW: Duration = Duration::from_millis(1_000);

/// Leads to a node, and holds each of its answers back for so long. HAProxy sends one request at a time on a connection.
async fn delayed(node: SocketAddr, delay: Duration) -> SocketAddr {
    async fn lead(mut balancer: TcpStream, mut node: TcpStream, delay: Duration) -> std::io::Result<()> {
        let (mut asked, mut told) = (vec![0; 16_384], vec![0; 16_384]);
        let mut is_new = false;
        loop {
            tokio::select! {
                count = balancer.read(&mut asked) => match count? {
                    0 => return Ok(()),
                    count => {
                        is_new = true;
                        node.write_all(&asked[..count]).await?;
                    }
                },
                count = node.read(&mut told) => match count? {
                    0 => return Ok(()),
                    count => {
                        if std::mem::take(&mut is_new) {
                            tokio::time::sleep(delay).await;
                        }
                        balancer.write_all(&told[..count]).await?;
                    }
                },
            }
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((balancer, _)) = listener.accept().await {
            tokio::spawn(async move { lead(balancer, TcpStream::connect(node).await?, delay).await });
        }
    });
    address
}

/// Clients that ask again as soon as they are answered; gives how many answers came in so long, once they are at it.
async fn answers(balancer: &Balancer, lasts: Duration) -> u64 {
    static ANSWERED: AtomicU64 = AtomicU64::new(0);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (http, url) = (balancer.client(), balancer.url("/api/v1/products/mug"));
            tokio::spawn(async move {
                loop {
                    let answer = http.get(&url).send().await.unwrap();
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.unwrap();
                    ANSWERED.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    tokio::time::sleep(SLOW * 3).await;
    let before = ANSWERED.load(Ordering::SeqCst);
    tokio::time::sleep(lasts).await;
    let count = ANSWERED.load(Ordering::SeqCst) - before;
    for client in clients {
        assert!(!client.is_finished(), "a request failed");
        client.abort();
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_node_gets_less_and_keeps_nobody_waiting() {
    let cluster = Cluster::start().await;
    let mut nodes = Vec::new();
    for (node, delay) in cluster.nodes.iter().zip([DELAY, DELAY, SLOW]) {
        nodes.push(delayed(node.address.parse().unwrap(), delay).await);
    }
    let ours = Balancer::start(&nodes, &[]).await;
    let other = Balancer::start(&nodes, &[("balance leastconn", "balance roundrobin".to_owned())]).await;
    // In turn, so that what else the machine does meets both.
    let (mut least, mut round) = (0, 0);
    for _ in 0..2 {
        least += answers(&ours, Duration::from_secs(6)).await;
        round += answers(&other, Duration::from_secs(6)).await;
    }
    let ratio = least as f64 / round as f64;
    println!(
        "leastconn {least}, roundrobin {round}: {ratio:.2} times; {:?} {:?}",
        ours.of_nodes("stot").await,
        other.of_nodes("stot").await
    );
    assert!(ratio >= 1.8, "leastconn {least}, roundrobin {round}");
}
