//! Nodes that are made new, and nodes that die, while shoppers read and buy.

use super::*;

const CLIENTS: usize = 12;

/// Half of the clients keep their connection.
fn keeps(client: usize) -> bool {
    client.is_multiple_of(2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_are_made_new_five_times_and_no_request_fails() {
    let mut cluster = Cluster::start().await;
    let load = cluster.load(CLIENTS, Duration::from_millis(20), keeps);
    for node in (0..3).cycle().take(5 * 3) {
        cluster.nodes[node].signal("TERM");
        cluster.until(node, "NOLB").await;
        let last = &mut cluster.nodes[node];
        assert_eq!(tokio::task::block_in_place(|| last.wait()).code(), Some(0));
        tokio::task::block_in_place(|| cluster.start_again(node));
        cluster.until(node, "UP").await;
    }
    let visits = load.end().await;
    assert!(visits.answered > 1_000 && visits.failed.is_empty(), "{:?}", visits.failed);
    cluster.assert_bought(&visits);
}

/// A node that was killed and was gone at these times.
struct Death {
    name: String,
    before: Instant,
    after: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_ten_times_fails_at_most_what_it_was_doing() {
    let mut cluster = Cluster::start().await;
    let load = cluster.load(CLIENTS, Duration::ZERO, keeps);
    let mut deaths = Vec::new();
    for node in (0..3).cycle().take(10) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = Instant::now();
        cluster.nodes[node].signal("KILL");
        let killed = &mut cluster.nodes[node];
        tokio::task::block_in_place(|| killed.wait());
        deaths.push(Death { name: format!("node{}", node + 1), before, after: Instant::now() });
        cluster.until(node, "DOWN").await;
        tokio::task::block_in_place(|| cluster.start_again(node));
        cluster.until(node, "UP").await;
    }
    let visits = load.end().await;
    assert!(visits.answered > 1_000);
    let served = cluster.balancer.served();
    for failed in &visits.failed {
        // It was on its way when a node died, and it was with that node.
        let death = deaths.iter().find(|death| failed.from <= death.after && failed.to >= death.before);
        let death = death.unwrap_or_else(|| panic!("nobody died during {failed:?}"));
        let (client, _) = failed.id.split_once('-').unwrap();
        match served.get(&failed.id) {
            Some(nodes) => assert!(nodes.contains(&death.name), "{failed:?} was with {nodes:?}, not {}", death.name),
            // On a connection that was used before, HAProxy hangs up as the node did, and its log is silent.
            None => assert!(keeps(client.parse().unwrap()), "the balancer's log does not know {failed:?}"),
        }
    }
    println!("{} failed at {} deaths", visits.failed.len(), deaths.len());
    cluster.assert_bought(&visits);
}
