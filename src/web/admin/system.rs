//! The process as it runs: stage, modules and their databases, background work, limits. All of it as it is at this moment.

use askama::Template;

use crate::http::ApiResult;
use crate::inventory::{Job, JobQuery};
use crate::web::Shell;
use crate::web::system::{Facts, WorkFacts};

/// So many of the newest jobs are shown.
const JOBS: u32 = 5;

#[derive(Template)]
#[template(path = "admin/system.html")]
struct Page<'a> {
    shell: &'a Shell,
    facts: &'a Facts,
    uptime: String,
    memory: Option<String>,
    /// `None`: they cannot be asked for now.
    jobs: Option<Vec<Job>>,
}

pub(super) async fn system(shell: Shell) -> ApiResult {
    let jobs = shell.site.inventory.job_list(JobQuery { limit: Some(JOBS), ..JobQuery::default() });
    let (facts, jobs) = tokio::join!(shell.site.system.facts(), jobs);
    let page = Page {
        shell: &shell,
        uptime: duration(&shell, facts.now.seconds_since(facts.started_at)),
        memory: facts.memory_bytes.map(|bytes| size(&shell, bytes)),
        jobs: jobs.ok().map(|page| page.items),
        facts: &facts,
    };
    shell.html(&page)
}

/// As `3 d 4 h`, in the two largest units.
fn duration(shell: &Shell, seconds: u64) -> String {
    // No process runs for so many years that this would not fit.
    let minutes = (seconds / 60) as i64;
    match minutes {
        0..60 => shell.t2("system-minutes", "minutes", minutes, "seconds", (seconds % 60) as i64),
        60..1_440 => shell.t2("system-hours", "hours", minutes / 60, "minutes", minutes % 60),
        _ => shell.t2("system-days", "days", minutes / 1_440, "hours", minutes / 60 % 24),
    }
}

/// As `12.3 MiB`.
fn size(shell: &Shell, bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1_024.0 && unit + 1 < UNITS.len() {
        amount /= 1_024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{} {}", shell.number(bytes), UNITS[0]),
        _ => format!("{amount:.1} {}", UNITS[unit]),
    }
}

impl Page<'_> {
    fn size(&self, bytes: &i64) -> String {
        size(self.shell, *bytes)
    }

    fn took(&self, work: &WorkFacts) -> String {
        format!("{:.1} ms", work.took.as_secs_f64() * 1_000.0)
    }

    fn interval(&self, work: &WorkFacts) -> String {
        format!("{} s", work.interval.as_secs_f64())
    }

    fn state(&self, job: &Job) -> String {
        let state = serde_json::to_value(job.state).ok();
        self.shell.word("system-job", state.as_ref().and_then(|state| state.as_str()).unwrap_or_default())
    }
}
