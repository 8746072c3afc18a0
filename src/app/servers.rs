//! The two HTTP servers: the public one, with all routes and pages, and the internal one.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::{Compress, from_fn};
use actix_web::web::Redirect;
use actix_web::{App, HttpServer, web};
use utoipa::openapi::OpenApi;
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config as DocsConfig, SwaggerUi};

use super::health::healthz;
use super::{Modules, StartError, waiting};
use crate::clock::Time;
use crate::config::{Config, ServerConfig};
use crate::error::{ErrorCode, FieldError};
use crate::http::ProblemBody;
use crate::http::browser::SecureHeaders;
use crate::http::gate::{Access, Gate, Rule, gate};
use crate::http::health::{Meters, Readiness, livez, metrics, readyz};
use crate::http::observe::{Deadline, observe};
use crate::http::shed::{Door, shed};
use crate::http::traffic::Traffic;
use crate::inventory::{self, BulkFormat, ProductSort, ReservationSummary, ScarceSku, StockSummary};
use crate::kept::Kept;
use crate::user;
use crate::web::system::System;
use crate::web::{self as pages, Site};

/// The two addresses, bound: nobody else can take them, and whoever connects waits until requests are taken.
pub struct Listeners {
    pub(super) public: TcpListener,
    pub(super) internal: TcpListener,
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

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

pub(super) fn public_server(
    config: &Config,
    modules: &Modules,
    site: web::Data<Site>,
    traffic: web::Data<Traffic>,
    gate_data: web::Data<Gate>,
    readiness: Readiness,
    listener: TcpListener,
) -> Result<actix_web::dev::Server, StartError> {
    let server = config.server.clone();
    let deadline = Deadline(Duration::from_millis(u64::from(server.request_timeout_ms)));
    let modules = modules.clone();
    let show = web::Data::from(pages::show(site.clone()));
    let secure = web::Data::new(SecureHeaders::of(&server));
    let app_config = config.server.clone();
    let door = Door::new(modules.databases.clone(), show.clone(), secure.clone(), traffic.clone());
    let door = web::Data::new(door);
    let orders: Arc<dyn user::routes::Orders> = Arc::new(waiting::Waiting(modules.inventory.clone()));
    let document = web::Data::new(openapi());
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
            .app_data(door.clone())
            .app_data(figures.clone())
            .app_data(document.clone())
            .app_data(gate_data.clone())
            .app_data(web::Data::new(readiness.clone()))
            .app_data(web::Data::new(deadline))
            .app_data(web::Data::new(app_config.clone()))
            .app_data(web::PayloadConfig::new(app_config.body_max_bytes as usize))
            .into_utoipa_app()
            .configure(api)
            .split_for_parts();
        app.configure(pages::configure)
            .service(SwaggerUi::new("/docs/{_:.*}").config(DocsConfig::from("/openapi.json")))
            .route("/docs", web::get().to(async || Redirect::to("/docs/")))
            .route("/openapi.json", web::get().to(async |document: web::Data<OpenApi>| web::Json(document)))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .wrap(from_fn(gate))
            .wrap(Compress::default())
            .wrap(from_fn(observe))
            .wrap(from_fn(shed))
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

pub(super) fn internal_server(
    meters: web::Data<Meters>,
    system: web::Data<dyn System>,
    readiness: Readiness,
    listener: TcpListener,
) -> Result<actix_web::dev::Server, StartError> {
    let builder = HttpServer::new(move || {
        App::new()
            .app_data(meters.clone())
            .app_data(system.clone())
            .app_data(web::Data::new(readiness.clone()))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/healthz", web::get().to(healthz))
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
pub fn openapi() -> OpenApi {
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

/// Who may use which route: the whole access table.
pub fn rules() -> Vec<Rule> {
    let own = ["/livez", "/readyz", "/docs", "/docs/{_:.*}", "/openapi.json"];
    let mut rules: Vec<Rule> = own.map(|path| ("GET", path, Access::Public)).to_vec();
    rules.extend(inventory::routes::rules());
    rules.extend(user::routes::rules());
    rules.extend(pages::rules());
    rules
}
