//! COMPOSITION ROOT: configuration -> each module -> HTTP server -> shutdown.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::Redirect;
use actix_web::{App, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::AppExt;

use crate::clock::{SharedClock, Time};
use crate::config::{Config, ServerConfig};
use crate::db::{Database, DbError, Migrations};
use crate::error::{ErrorCode, FieldError};
use crate::http::ProblemBody;
use crate::http::browser::SecureHeaders;
use crate::http::gate::{Access, Gate, Rule, gate};
use crate::http::health::{Draining, Meters, livez, metrics, readyz};
use crate::http::observe::{Deadline, observe};
use crate::http::traffic::Traffic;
use crate::inventory::{self, BulkFormat, Inventory, ProductSort, ReservationSummary, ScarceSku, StockSummary};
use crate::kept::Kept;
use crate::telemetry;
use crate::user::{self, User};
use crate::web::{self as pages, Site};

mod background;
pub mod deliveries;
mod facts;
mod waiting;

use background::Board;
use facts::Running;

/// Why the shop cannot start; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the {module} module's database: {source}")]
    Database { module: &'static str, source: DbError },
    #[error("the {module} module's database lacks migrations ({}): run `emporium migrate` first", pending.join(", "))]
    Pending { module: &'static str, pending: Vec<String> },
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
    /// The inventory's and the user module's.
    databases: [Database; 2],
}

/// Opens the databases, brings them up to date where the configuration says so, and builds each module.
pub async fn modules(config: &Config, clock: SharedClock) -> Result<Modules, StartError> {
    let [inventory_db, user_db] = databases(config)?;
    prepare("inventory", &inventory_db, &inventory::MIGRATIONS, config.inventory.migrate_on_start).await?;
    prepare("user", &user_db, &user::MIGRATIONS, config.user.migrate_on_start).await?;
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

/// The inventory's and the user module's database. Two modules in one SQLite file share its one writer.
pub fn databases(config: &Config) -> Result<[Database; 2], StartError> {
    let open =
        |module, config| Database::open(module, config).map_err(|source| StartError::Database { module, source });
    let inventory = open("inventory", &config.inventory.database)?;
    let user = match config.user.database.is_same_file(&config.inventory.database) {
        true => inventory.clone(),
        false => open("users", &config.user.database)?,
    };
    Ok([inventory, user])
}

async fn prepare(
    module: &'static str,
    db: &Database,
    migrations: &'static Migrations,
    migrate: bool,
) -> Result<(), StartError> {
    let failed = |source| StartError::Database { module, source };
    if migrate {
        for name in db.migrate(migrations).await.map_err(failed)? {
            tracing::info!(module, %name, "migration applied");
        }
        return Ok(());
    }
    match db.pending_migrations(migrations).await.map_err(failed)? {
        pending if pending.is_empty() => Ok(()),
        pending => Err(StartError::Pending { module, pending }),
    }
}

/// A running shop.
pub struct Shop {
    pub address: SocketAddr,
    pub internal_address: SocketAddr,
    pub modules: Modules,
    config: ServerConfig,
    draining: Draining,
    servers: [(ServerHandle, JoinHandle<std::io::Result<()>>); 2],
    background: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// The two addresses, bound: nobody else can take them, and whoever connects waits until requests are taken.
pub struct Listeners {
    public: TcpListener,
    internal: TcpListener,
    pub address: SocketAddr,
    pub internal_address: SocketAddr,
}

impl Listeners {
    pub fn bind(config: &ServerConfig) -> Result<Listeners, StartError> {
        let (public, address) = listen(config.listen)?;
        let (internal, internal_address) = listen(config.internal_listen)?;
        Ok(Listeners { public, internal, address, internal_address })
    }
}

/// Starts everything; returns once requests are taken. Nothing listens before the modules are there.
pub async fn start(config: Config, clock: SharedClock) -> Result<Shop, StartError> {
    let prometheus = telemetry::start_metrics();
    let modules = modules(&config, clock.clone()).await?;
    let listeners = Listeners::bind(&config.server)?;
    run(config, clock, prometheus, modules, listeners)
}

/// The same on addresses that are bound already.
pub async fn start_on(listeners: Listeners, config: Config, clock: SharedClock) -> Result<Shop, StartError> {
    let prometheus = telemetry::start_metrics();
    let modules = modules(&config, clock.clone()).await?;
    run(config, clock, prometheus, modules, listeners)
}

fn run(
    config: Config,
    clock: SharedClock,
    prometheus: PrometheusHandle,
    modules: Modules,
    listeners: Listeners,
) -> Result<Shop, StartError> {
    let Listeners { public, internal, address, internal_address } = listeners;
    let draining = Draining::default();
    let gate = web::Data::new(Gate::new(modules.user.clone(), rules(), &config.server));
    let (stop, stopped) = watch::channel(false);

    let board = Board::new(clock.clone());
    let traffic = web::Data::new(Traffic::new(clock.clone()));
    let system = Arc::new(Running::new(&config, &modules, board.clone(), clock.clone()));
    let site =
        web::Data::new(Site::new(modules.inventory.clone(), modules.user.clone(), system, clock.clone(), &config));
    let meters = web::Data::new(Meters { prometheus, databases: modules.databases.to_vec() });
    let public = public_server(&config, &modules, site.clone(), traffic, gate.clone(), draining.clone(), public)?;
    let internal = internal_server(meters, draining.clone(), internal)?;
    let mut background = background(&config, &modules, clock, site, gate, &board, &stopped);
    background.push(tokio::spawn(tell_of_setup(modules.user.clone(), config.server.public_url.clone())));
    if !address.ip().is_loopback() && config.server.public_url == ServerConfig::own_url(config.server.listen) {
        let url = &config.server.public_url;
        tracing::warn!(
            "server.public_url is the address of server.listen: links in mails, the sitemap and robots.txt begin with {url}"
        );
    }
    tracing::info!(%address, %internal_address, "emporium {} takes requests", env!("CARGO_PKG_VERSION"));
    let servers = [public, internal].map(|server| (server.handle(), tokio::spawn(server)));
    Ok(Shop { address, internal_address, modules, config: config.server, draining, servers, background, stop })
}

impl Shop {
    /// Stops as an operator wants it: not ready, then no new requests, then those in flight are finished within the limit.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.draining.begin();
        tokio::time::sleep(Duration::from_millis(u64::from(self.config.drain_ms))).await;
        // Nobody listens any more when all background work has ended by itself.
        let _ = self.stop.send(true);
        for (handle, server) in self.servers {
            handle.stop(true).await;
            if let Ok(Err(error)) = server.await {
                tracing::error!(%error, "the server ended with an error");
            }
        }
        let limit = Duration::from_secs(u64::from(self.config.shutdown_timeout_seconds));
        let end = tokio::time::Instant::now() + limit;
        for mut task in self.background {
            match tokio::time::timeout_at(end, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "background work ended with an error"),
                // A mail to a server that hangs, say: it is taken up again after the next start.
                Err(_) => task.abort(),
            }
        }
        tracing::info!("stopped");
    }
}

/// Tells the operator how to make the first admin, while there is none. Beside the start: it must not wait for a database that is down.
async fn tell_of_setup(user: Arc<dyn User>, public_url: String) {
    match user.setup_token().await {
        Ok(Some(token)) => {
            tracing::warn!("This shop has no admin yet: open {public_url}/setup?token={token} to make one");
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "cannot look whether there is an admin"),
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn public_server(
    config: &Config,
    modules: &Modules,
    site: web::Data<Site>,
    traffic: web::Data<Traffic>,
    gate_data: web::Data<Gate>,
    draining: Draining,
    listener: TcpListener,
) -> Result<actix_web::dev::Server, StartError> {
    let server = config.server.clone();
    let deadline = Deadline(Duration::from_millis(u64::from(server.request_timeout_ms)));
    let modules = modules.clone();
    let show = web::Data::from(pages::show(site.clone()));
    let secure = web::Data::new(SecureHeaders::of(&server));
    let app_config = config.server.clone();
    let orders: Arc<dyn user::routes::Orders> = Arc::new(waiting::Waiting(modules.inventory.clone()));
    let figures = web::Data::new(Kept::<(Time, StockSummary, Vec<ScarceSku>, ReservationSummary)>::default());
    let workers = match server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers as usize,
    };
    let builder = HttpServer::new(move || {
        let (app, _) = App::new()
            .app_data(web::Data::from(modules.inventory.clone()))
            .app_data(web::Data::from(modules.user.clone()))
            .app_data(web::Data::from(orders.clone()))
            .app_data(site.clone())
            .app_data(show.clone())
            .app_data(secure.clone())
            .app_data(traffic.clone())
            .app_data(figures.clone())
            .app_data(gate_data.clone())
            .app_data(web::Data::new(draining.clone()))
            .app_data(web::Data::new(deadline))
            .app_data(web::Data::new(app_config.clone()))
            .app_data(web::PayloadConfig::new(app_config.body_max_bytes as usize))
            .into_utoipa_app()
            .configure(api)
            .split_for_parts();
        app.configure(pages::configure)
            .service(docs())
            .route("/docs", web::get().to(async || Redirect::to("/docs/")))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .wrap(from_fn(gate))
            .wrap(Compress::default())
            .wrap(from_fn(observe))
    })
    .disable_signals()
    .keep_alive(Duration::from_secs(u64::from(server.keep_alive_seconds)))
    // A compressed answer is written in several pieces: the last one must not wait until the client has acknowledged the first (40 ms).
    .tcp_nodelay(true)
    .client_request_timeout(Duration::from_millis(u64::from(server.header_timeout_ms)))
    // actix's limit is for each worker.
    .max_connections((server.connections_max as usize).div_ceil(workers))
    .workers(workers)
    .shutdown_timeout(u64::from(server.shutdown_timeout_seconds));
    Ok(builder.listen(listener)?.run())
}

fn internal_server(
    meters: web::Data<Meters>,
    draining: Draining,
    listener: TcpListener,
) -> Result<actix_web::dev::Server, StartError> {
    let builder = HttpServer::new(move || {
        App::new()
            .app_data(meters.clone())
            .app_data(web::Data::new(draining.clone()))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
    });
    Ok(builder.disable_signals().workers(1).max_connections(100).shutdown_timeout(1).listen(listener)?.run())
}

/// All public routes of the API.
fn api(config: &mut utoipa_actix_web::service_config::ServiceConfig) {
    config.service(
        utoipa_actix_web::scope::scope("/api/v1")
            .configure(inventory::routes::configure)
            .configure(user::routes::configure),
    );
}

/// The document of all routes, generated from the code that answers them.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) = App::new().into_utoipa_app().configure(api).split_for_parts();
    document.info = utoipa::openapi::InfoBuilder::new()
        .title("emporium")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The API of an online shop: products, stock, reservations, and users."))
        .build();
    let bearer = utoipa::openapi::security::Http::new(utoipa::openapi::security::HttpAuthScheme::Bearer);
    let components = document.components.get_or_insert_with(Default::default);
    // Named only by parameters, and by the answers that all routes share: there the generator does not look.
    components.schemas.extend([
        (ProblemBody::name().into(), ProblemBody::schema()),
        (ErrorCode::name().into(), ErrorCode::schema()),
        (FieldError::name().into(), FieldError::schema()),
        (BulkFormat::name().into(), BulkFormat::schema()),
        (ProductSort::name().into(), ProductSort::schema()),
    ]);
    components.add_security_scheme("token", utoipa::openapi::security::SecurityScheme::Http(bearer));
    document
}

fn docs() -> utoipa_swagger_ui::SwaggerUi {
    utoipa_swagger_ui::SwaggerUi::new("/docs/{_:.*}").url("/openapi.json", openapi())
}

/// Who may use which route: the whole access table.
pub fn rules() -> Vec<Rule> {
    let own = ["/livez", "/readyz", "/docs", "/docs/{_:.*}", "/openapi.json"];
    let mut rules: Vec<Rule> = own.map(|path| ("GET", path, Access::Public)).to_vec();
    rules.extend(inventory::routes::rules());
    rules.extend(user::routes::rules());
    rules.extend(pages::rules());
    rules
}

/// Work that no request asks for.
fn background(
    config: &Config,
    modules: &Modules,
    clock: SharedClock,
    site: web::Data<Site>,
    gate: web::Data<Gate>,
    board: &Board,
    stopped: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let Modules { inventory, user, .. } = modules.clone();
    let sweep = Duration::from_millis(u64::from(config.inventory.sweep_interval_ms));
    let second = Duration::from_secs(1);
    let (inventory_sweep, inventory_jobs, inventory_orders) = (inventory.clone(), inventory.clone(), inventory.clone());
    let jobs_stopped = stopped.clone();
    let (user_mail, user_orders, inventory_tidy, user_tidy) = (user.clone(), user.clone(), inventory, user);
    vec![
        board.every(sweep, stopped, "sweep of expired holds", move || {
            let inventory = inventory_sweep.clone();
            async move { inventory.reservation_sweep(500).await.map(|count| count == 500) }
        }),
        board.every(second, stopped, "jobs", move || {
            let (inventory, mut stopped, site) = (inventory_jobs.clone(), jobs_stopped.clone(), site.clone());
            async move {
                let mut run = inventory.job_run_next();
                tokio::select! {
                    more = &mut run => {
                        // An import makes categories.
                        if matches!(more, Ok(true)) {
                            site.forget_menu();
                        }
                        return more;
                    }
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
                // A job takes long: what is left of it is for whoever asks next.
                inventory.jobs_stop().await;
                run.await
            }
        }),
        board.every(second, stopped, "mail", move || {
            let user = user_mail.clone();
            async move { user.mail_send_next().await }
        }),
        board.every(Duration::from_secs(60), stopped, "deliveries", move || {
            let (inventory, user, now) = (inventory_orders.clone(), user_orders.clone(), clock.now());
            async move {
                let more = deliveries::settle(&*inventory, &*user, now).await;
                if matches!(more, Ok(true)) {
                    // After an upgrade all there are are due, and checkouts write to the same databases.
                    tokio::time::sleep(second).await;
                }
                more
            }
        }),
        board.every(Duration::from_secs(60), stopped, "tidying", move || {
            let (inventory, user, gate) = (inventory_tidy.clone(), user_tidy.clone(), gate.clone());
            async move {
                gate.tidy();
                if let Err(error) = user.tidy().await {
                    tracing::warn!(%error, "tidying the user module failed");
                }
                // A full batch: there is more.
                inventory.tidy().await.map(|rows| rows >= 1_000)
            }
        }),
    ]
}
