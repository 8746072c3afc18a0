//! `/healthz`, on the internal listener: is every part there that the process needs? For people and for alarms, in the draft "Health
//! Check Response Format for HTTP APIs" (draft-inadarei-api-health-check-06). Never for a balancer: a database that is down is down for
//! all processes, and must not make it take all of them away.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::clock::Time;
use crate::db::{Priority, Ticket};
use crate::http::health::{Phase, Readiness};
use crate::web::system::{Facts, ModuleFacts, System, WorkFacts};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Pass,
    /// It serves; but somebody should look.
    Warn,
    /// Requests are refused.
    Fail,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    status: Status,
    release_id: &'static str,
    stage: i64,
    /// By part and by what is told of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<String, [Check; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    status: Status,
    component_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Time>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
}

/// 200, or 503 where a part is missing; with `?verbose`, which one.
pub(super) async fn healthz(
    request: HttpRequest,
    system: web::Data<dyn System>,
    readiness: web::Data<Readiness>,
) -> HttpResponse {
    // A line that is full of sales is no database that is missing.
    let facts = Ticket::new(Priority::Vital).hold(system.facts()).await;
    let mut checks = checks(&facts, readiness.phase());
    let status = checks.values().map(|[check]| check.status).max().unwrap_or(Status::Pass);
    if !url::form_urlencoded::parse(request.query_string().as_bytes()).any(|(name, _)| name == "verbose") {
        checks.clear();
    }
    let mut answer = match status {
        Status::Pass | Status::Warn => HttpResponse::Ok(),
        Status::Fail => HttpResponse::ServiceUnavailable(),
    };
    let health = Health { status, release_id: facts.version, stage: facts.stage.number, checks };
    answer.insert_header(("cache-control", "no-store"));
    // Plain data with text keys, which always serialises.
    answer.content_type("application/health+json").body(serde_json::to_vec(&health).unwrap_or_default())
}

fn checks(facts: &Facts, phase: Phase) -> BTreeMap<String, [Check; 1]> {
    let database = |module: &ModuleFacts| (format!("{}:database", module.name), [of_database(module)]);
    let work = |work: &WorkFacts| (format!("{}:last run", work.name), [of_work(work)]);
    let mut checks: BTreeMap<_, _> = facts.modules.iter().map(database).collect();
    checks.extend(facts.work.iter().filter(|work| work.is_here).map(work));
    checks.insert("process:phase".to_owned(), [of_phase(phase)]);
    checks
}

fn of_phase(phase: Phase) -> Check {
    let (status, name) = match phase {
        Phase::Waiting => (Status::Fail, "waiting"),
        Phase::Ready => (Status::Pass, "ready"),
        Phase::Draining => (Status::Warn, "draining"),
    };
    Check { status, component_type: "system", observed_value: Some(name.to_owned()), time: None, output: None }
}

/// Its newest migration.
fn of_database(module: &ModuleFacts) -> Check {
    let component_type = "datastore";
    match &module.database.server {
        Ok(server) => {
            let observed_value = Some(server.migration.clone());
            Check { status: Status::Pass, component_type, observed_value, time: None, output: None }
        }
        Err(error) => {
            let output = if error.is_empty() { "it does not answer in time" } else { error };
            let output = Some(output.to_owned());
            Check { status: Status::Fail, component_type, observed_value: None, time: None, output }
        }
    }
}

/// How it went the last time.
fn of_work(work: &WorkFacts) -> Check {
    let failed = work.last_error.as_ref().filter(|(at, _)| Some(*at) == work.last_run);
    let status = if failed.is_some() { Status::Warn } else { Status::Pass };
    let output = failed.map(|(_, error)| error.clone());
    Check { status, component_type: "component", observed_value: None, time: work.last_run, output }
}
