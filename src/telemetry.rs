//! Logs and metrics.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

use crate::config::{LogConfig, LogFormat};

/// Sends the log to standard error: for people on a terminal, as JSON lines otherwise.
pub fn start_log(config: &LogConfig) {
    // Checked with the configuration.
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let human = match config.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    // A second call, as from a test, changes nothing.
    let _ = match human {
        true => registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr)).try_init(),
        false => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_span_list(false)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
}

/// OpenTelemetry's buckets for `http.server.request.duration`, in seconds.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What is counted, and what it means. Names are those of OpenTelemetry's conventions as Prometheus writes them, where there are such
/// (<https://opentelemetry.io/docs/specs/semconv/>).
const ABOUT: &[(Kind, &str, &str)] = &[
    (Kind::Histogram, "http_server_request_duration_seconds", "How long requests took."),
    (Kind::Gauge, "db_client_connections", "Connections to a database, by pool and state."),
    (Kind::Gauge, "db_client_connection_max", "The most connections that a pool may have."),
    (Kind::Gauge, "db_client_connection_pending_requests", "Callers who wait for a connection."),
    (Kind::Histogram, "db_client_connection_wait_time_seconds", "How long callers waited for a connection."),
    (Kind::Histogram, "db_client_connection_use_time_seconds", "How long connections were held."),
    (
        Kind::Counter,
        "emporium_db_pool_refused_total",
        "Callers who got no connection: too many came, or it took too long.",
    ),
    (Kind::Counter, "emporium_db_transaction_retries_total", "Transactions that were run again."),
    (
        Kind::Counter,
        "emporium_requests_refused_total",
        "Requests turned away at the door, as too many of their kind came.",
    ),
    (Kind::Counter, "emporium_rate_limited_total", "Requests above their client's rate."),
    (Kind::Counter, "emporium_reservations_total", "Reservations, by what became of them."),
    (Kind::Counter, "emporium_stock_changes_total", "Changes of stock, by their kind."),
    (Kind::Counter, "emporium_jobs_total", "Jobs that ended, by how."),
    (Kind::Counter, "emporium_logins_total", "Log-ins, by their outcome."),
    (Kind::Counter, "emporium_mails_total", "Mails, by what became of them."),
];

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Begins to collect metrics; one recorder a process.
pub fn start_metrics() -> PrometheusHandle {
    static RECORDER: std::sync::OnceLock<PrometheusHandle> = std::sync::OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
                .expect("the list of buckets is not empty")
                .build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).expect("this is the only recorder");
            for (kind, name, about) in ABOUT {
                match kind {
                    Kind::Counter => metrics::describe_counter!(*name, *about),
                    Kind::Gauge => metrics::describe_gauge!(*name, *about),
                    Kind::Histogram => metrics::describe_histogram!(*name, *about),
                }
            }
            handle
        })
        .clone()
}
