//! Is this process alive, is it ready, how does it do: `/livez`, `/readyz` and `/metrics`. Local facts only: a database that is down
//! for all processes must not make a balancer take all of them away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;

use super::ApiResult;
use crate::db::Database;
use crate::error::{ErrorCode, Problem};

/// Does this process take requests? Not before its databases are as it needs them, and not when it is told to stop.
#[derive(Clone)]
pub struct Readiness {
    phase: Arc<watch::Sender<Phase>>,
    was_ready: Arc<AtomicBool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The databases cannot be reached, or lack migrations.
    Waiting,
    Ready,
    /// It was told to stop.
    Draining,
}

impl Readiness {
    pub fn new(phase: Phase) -> Self {
        let was_ready = Arc::new(AtomicBool::new(phase == Phase::Ready));
        Readiness { phase: Arc::new(watch::Sender::new(phase)), was_ready }
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Does it serve those who come? Once it was ready, until its end.
    pub fn serves(&self) -> bool {
        self.was_ready.load(Ordering::Acquire)
    }

    /// Goes on to a later phase.
    pub fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_later = *phase < to;
            if is_later && to == Phase::Ready {
                self.was_ready.store(true, Ordering::Release);
            }
            *phase = to.max(*phase);
            is_later
        });
    }

    /// Returns once the databases were as they should be; never, where the process stops before.
    pub async fn ready(&self) {
        // The sender is ours, so it is there.
        let _ = self.phase.subscribe().wait_for(|phase| *phase == Phase::Ready).await;
    }
}

/// The process runs.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// The process takes new requests: 404 from the moment it was told to stop, by which HAProxy's `http-check disable-on-404` knows that
/// it goes away in order, and is to finish what it has; 503 while it waits for its databases to be made ready.
pub async fn readyz(readiness: web::Data<Readiness>) -> ApiResult {
    match readiness.phase() {
        Phase::Waiting => Err(not_yet().into()),
        Phase::Ready => Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ready\n")),
        Phase::Draining => {
            Err(Problem::new(ErrorCode::Draining, "It finishes what it has; send new requests to another.").into())
        }
    }
}

/// Why a process that waits for its databases takes no requests.
pub fn not_yet() -> Problem {
    let detail = "This process waits until its databases are there and migrated; try again shortly.";
    Problem::new(ErrorCode::Unavailable, detail).retry_after(1)
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
