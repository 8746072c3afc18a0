//! Is this process alive, is it ready, how does it do: `/livez`, `/readyz` and `/metrics`. Local facts only: a database that is down
//! for all processes must not make a balancer take all of them away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;

use super::ApiResult;
use crate::db::Database;
use crate::error::{ErrorCode, Problem};

/// Turned once, when the process begins to stop.
#[derive(Clone, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The process runs.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// The process takes new requests: 404 from the moment it was told to stop, by which HAProxy's `http-check disable-on-404` knows that
/// it goes away in order, and is to finish what it has.
pub async fn readyz(draining: web::Data<Draining>) -> ApiResult {
    match draining.has_begun() {
        false => Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")),
        true => Err(Problem::new(ErrorCode::Draining, "It finishes what it has; send new requests to another.").into()),
    }
}

/// What `/metrics` reads.
pub struct Meters {
    pub prometheus: PrometheusHandle,
    pub databases: Vec<Database>,
}

/// The Prometheus text format.
pub async fn metrics(meters: web::Data<Meters>) -> HttpResponse {
    meters.databases.iter().for_each(Database::report);
    meters.prometheus.run_upkeep();
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(meters.prometheus.render())
}
