//! At stages 2 and 3 a test's shop is three equal nodes behind one address, and each request goes to another one than the last.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use emporium::app::{self, Shop};
use emporium::config::Config;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::{Backend, TestClock};
use crate::balancer::Balancer;

const NODES: u32 = 3;

/// The stage at which shops on PostgreSQL run: 1, or the 2 or 3 that `EMPORIUM_TEST_STAGE` says.
pub(crate) fn stage() -> u8 {
    static STAGE: OnceLock<u8> = OnceLock::new();
    *STAGE.get_or_init(|| {
        let stage = match std::env::var("EMPORIUM_TEST_STAGE").as_deref() {
            Err(_) => return 1,
            Ok("2") => 2,
            Ok("3") => 3,
            Ok(other) => panic!("EMPORIUM_TEST_STAGE is 2 or 3, not {other:?}"),
        };
        let way = if stage == 2 { "each connection goes to the next" } else { "HAProxy is in front of them" };
        // Not by eprintln!, which a test that passes keeps to itself.
        let told = format!("*** Stage {stage}: shops on PostgreSQL are {NODES} nodes; {way}. ***\n");
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        stage
    })
}

impl Backend {
    /// For what is the same on both databases and is looked at once: SQLite, and PostgreSQL at stages 2 and 3. A test that names
    /// SQLite is about one process.
    pub(crate) fn any() -> Backend {
        if stage() > 1 { Backend::Postgres } else { Backend::Sqlite }
    }
}

/// The nodes beside the first one, and the one address of all.
pub(crate) struct Nodes {
    pub(crate) address: SocketAddr,
    others: Vec<Shop>,
    balancer: Option<Balancer>,
}

/// Makes the database, and the configuration one of a cluster.
pub(super) async fn prepare(config: &mut Config) {
    let [inventory_db, user_db] = app::databases(config).unwrap();
    inventory_db.migrate(&emporium::inventory::MIGRATIONS).await.unwrap();
    user_db.migrate(&emporium::user::MIGRATIONS).await.unwrap();
    (config.inventory.migrate_on_start, config.user.migrate_on_start) = (false, false);
    config.server.nodes = NODES;
    match stage() {
        // Then each request makes a connection.
        2 => config.server.keep_alive_seconds = 0,
        _ => config.server.trusted_proxies.push("127.0.0.1".parse().unwrap()),
    }
}

impl Nodes {
    /// Starts the others. The first one was there before them, and so does the work that is to be done once.
    pub(super) async fn beside(first: &Shop, config: &Config, clock: &TestClock) -> Nodes {
        let mut nodes = Nodes { address: first.address, others: vec![], balancer: None };
        if config.server.nodes == 1 {
            return nodes;
        }
        let mut addresses = vec![first.address];
        for _ in 1..config.server.nodes {
            let shop = app::start(config.clone(), Arc::new(clock.clone())).await.unwrap();
            addresses.push(shop.address);
            nodes.others.push(shop);
        }
        if stage() == 2 {
            nodes.address = in_turn(addresses).await;
        } else {
            let plain = ("    http-request redirect scheme https code 308 unless { ssl_fc }\n", String::new());
            let balancer = Balancer::start(&addresses, &[plain]).await;
            nodes.address = balancer.plain;
            nodes.balancer = Some(balancer);
        }
        nodes
    }

    pub(super) async fn stop(self, first: Shop) {
        drop(self.balancer);
        futures_util::future::join_all([first].into_iter().chain(self.others).map(Shop::stop)).await;
    }
}

/// An address that leads each connection to the next node, as from the client itself.
async fn in_turn(nodes: Vec<SocketAddr>) -> SocketAddr {
    async fn lead(mut client: TcpStream, node: SocketAddr) -> std::io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((client.peer_addr()?.ip(), 0).into())?;
        let mut node = socket.connect(node).await?;
        tokio::io::copy_bidirectional(&mut client, &mut node).await?;
        Ok(())
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for node in nodes.into_iter().cycle() {
            let Ok((client, _)) = listener.accept().await else { return };
            tokio::spawn(lead(client, node));
        }
    });
    address
}
