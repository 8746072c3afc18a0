//! COMPOSITION ROOT: configuration -> each module -> HTTP server -> shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::SharedClock;
use crate::config::{Config, ServerConfig};
use crate::db::{Database, DbError};
use crate::http::gate::Gate;
use crate::http::health::{Meters, Phase, Readiness};
use crate::http::traffic::Traffic;
use crate::inventory::{self, Inventory};
use crate::telemetry;
use crate::user::{self, User};
use crate::web::Site;
use crate::web::system::System;

mod background;
mod databases;
pub mod deliveries;
mod facts;
mod health;
mod servers;
mod waiting;
mod work;

use background::Board;
pub use databases::databases;
use facts::Running;
pub use servers::{Listeners, openapi, rules};
use servers::{internal_server, public_server};

/// Why the shop cannot start; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the {module} module's database: {source}")]
    Database { module: &'static str, source: DbError },
    #[error("the {module} module's database lacks migrations ({}): run `emporium migrate` first", pending.join(", "))]
    Pending { module: &'static str, pending: Vec<String> },
    #[error(
        "{nodes} processes (server.nodes) with pools of {pools} connections need {needed} of them, and the {module} module's server \
         gives {allowed} (max_connections without those for its administrators): make the pools smaller, or raise max_connections"
    )]
    Connections { module: &'static str, nodes: u32, pools: u32, needed: i64, allowed: i64 },
    #[error("mail.delivery: {0}")]
    Mail(#[from] user::MailError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the server cannot start: {0}")]
    Server(#[from] std::io::Error),
}

/// The modules of this process.
#[derive(Clone)]
pub struct Modules {
    pub inventory: Arc<dyn Inventory>,
    pub user: Arc<dyn User>,
    /// The inventory's and the user module's, whose leases are this process's.
    pub databases: [Database; 2],
}

/// Opens the databases, brings them up to date where the configuration says so, and builds each module.
pub async fn modules(config: &Config, clock: SharedClock) -> Result<Modules, StartError> {
    let modules = open(config, clock)?;
    databases::prepare(config, &modules.databases).await?;
    Ok(modules)
}

/// Builds each module on its database, without a look at it.
fn open(config: &Config, clock: SharedClock) -> Result<Modules, StartError> {
    let [inventory_db, user_db] = databases(config)?;
    Ok(Modules {
        inventory: inventory::local(inventory_db.clone(), clock.clone(), config.inventory.clone()),
        user: user::local(
            user_db.clone(),
            clock,
            config.user.clone(),
            &config.mail,
            &config.server.public_url,
            &config.web,
        )?,
        databases: [inventory_db, user_db],
    })
}

/// A running shop.
pub struct Shop {
    pub address: SocketAddr,
    pub internal_address: SocketAddr,
    pub modules: Modules,
    config: ServerConfig,
    readiness: Readiness,
    servers: [(ServerHandle, JoinHandle<std::io::Result<()>>); 2],
    background: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// Starts everything; returns once requests are taken. Nothing listens before the modules are there.
pub async fn start(config: Config, clock: SharedClock) -> Result<Shop, StartError> {
    let prometheus = telemetry::start_metrics();
    let (modules, phase) = begin(&config, clock.clone()).await?;
    let listeners = Listeners::bind(&config.server)?;
    run(config, clock, prometheus, modules, phase, listeners)
}

/// The same on addresses that are bound already.
pub async fn start_on(listeners: Listeners, config: Config, clock: SharedClock) -> Result<Shop, StartError> {
    let prometheus = telemetry::start_metrics();
    let (modules, phase) = begin(&config, clock.clone()).await?;
    run(config, clock, prometheus, modules, phase, listeners)
}

/// The modules. A single process that cannot use its databases says so and ends; one of several waits for them, while others sell.
/// Also for what only an administrator mends, as too few connections: found now or, after a wait, later, it is said and mended in the
/// same way.
async fn begin(config: &Config, clock: SharedClock) -> Result<(Modules, Phase), StartError> {
    let modules = open(config, clock)?;
    match databases::prepare(config, &modules.databases).await {
        Ok(()) => Ok((modules, Phase::Ready)),
        Err(StartError::Database { .. } | StartError::Pending { .. } | StartError::Connections { .. })
            if config.server.nodes > 1 =>
        {
            Ok((modules, Phase::Waiting))
        }
        Err(error) => Err(error),
    }
}

fn run(
    config: Config,
    clock: SharedClock,
    prometheus: PrometheusHandle,
    modules: Modules,
    phase: Phase,
    listeners: Listeners,
) -> Result<Shop, StartError> {
    let Listeners { public, internal, address, internal_address } = listeners;
    let readiness = Readiness::new(phase);
    let gate = web::Data::new(Gate::new(modules.user.clone(), rules(), &config.server, clock.clone()));
    let (stop, stopped) = watch::channel(false);

    let board = Board::new(clock.clone(), readiness.clone());
    let traffic = web::Data::new(Traffic::new(clock.clone()));
    let system: Arc<dyn System> = Arc::new(Running::new(&config, &modules, board.clone(), clock.clone()));
    let site = Site::new(modules.inventory.clone(), modules.user.clone(), system.clone(), clock.clone(), &config);
    let site = web::Data::new(site);
    let meters = web::Data::new(Meters { prometheus, databases: modules.databases.to_vec() });
    let public = public_server(&config, &modules, site.clone(), traffic, gate.clone(), readiness.clone(), public)?;
    let internal = internal_server(meters, system.into(), readiness.clone(), internal)?;
    let mut background = work::start(&config, &modules, clock, site, gate, &board, &stopped);
    let beginning = begin_work(&config, &modules, phase, readiness.clone(), stopped);
    background.push(tokio::spawn(beginning));
    if !address.ip().is_loopback() && config.server.public_url == ServerConfig::own_url(config.server.listen) {
        let url = &config.server.public_url;
        tracing::warn!(
            "server.public_url is the address of server.listen: links in mails, the sitemap and robots.txt begin with {url}"
        );
    }
    tracing::info!(%address, %internal_address, "emporium {} takes requests", env!("CARGO_PKG_VERSION"));
    let servers = [public, internal].map(|server| (server.handle(), tokio::spawn(server)));
    Ok(Shop { address, internal_address, modules, config: config.server, readiness, servers, background, stop })
}

impl Shop {
    /// Stops as an operator wants it: not ready, then no new requests, then those in flight are finished within the limit.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.readiness.advance(Phase::Draining);
        tokio::time::sleep(Duration::from_millis(u64::from(self.config.drain_ms))).await;
        // Nobody listens any more when all background work has ended by itself.
        let _ = self.stop.send(true);
        let limit = Duration::from_secs(u64::from(self.config.shutdown_timeout_seconds));
        let end = tokio::time::Instant::now() + limit;
        for (handle, server) in self.servers {
            handle.stop(true).await;
            if let Ok(Err(error)) = server.await {
                tracing::error!(%error, "the server ended with an error");
            }
        }
        for mut task in self.background {
            match tokio::time::timeout_at(end, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "background work ended with an error"),
                // A mail to a server that hangs, say: it is taken up again after the next start.
                Err(_) => task.abort(),
            }
        }
        for db in &self.modules.databases {
            if let Err(error) = db.leases_release(None).await {
                tracing::warn!(%error, "others take this process's work over only when its leases end");
            }
        }
        tracing::info!("stopped");
    }
}

/// Waits for the databases, where it must; then tells the operator what there is to do. Beside the start: it must not wait for a
/// database that is down.
fn begin_work(
    config: &Config,
    modules: &Modules,
    phase: Phase,
    readiness: Readiness,
    mut stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    let (config, databases, user) = (config.clone(), modules.databases.clone(), modules.user.clone());
    async move {
        if phase == Phase::Waiting {
            tokio::select! {
                () = databases::wait(&config, &databases, &readiness) => {}
                _ = stopped.changed() => return,
            }
        }
        tell_of_setup(user, config.server.public_url).await;
    }
}

/// Tells the operator how to make the first admin, while there is none.
async fn tell_of_setup(user: Arc<dyn User>, public_url: String) {
    match user.setup_token().await {
        Ok(Some(token)) => {
            tracing::warn!("This shop has no admin yet: open {public_url}/setup?token={token} to make one");
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "cannot look whether there is an admin"),
    }
}
