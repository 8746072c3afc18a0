//! Import jobs: their list with the form for a new one, a job's page, the sample catalogue; and exports.

use actix_web::web::{self, ServiceConfig, get, post};
use actix_web::{HttpRequest, HttpResponse, http::header};
use askama::Template;

use super::goods::{key, location_choices, word};
use super::names::{Named, Names};
use super::{STAFF, upload};
use crate::error::{ErrorCode, Problem};
use crate::http::gate::Rule;
use crate::http::{ApiResult, path_id};
use crate::inventory::{BulkFormat, ImportInput, ImportOptions, Job, JobQuery, JobState, RowFault, export_stream};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

pub(super) const RULES: &[Rule] = &[
    ("GET", "/admin/imports", STAFF),
    ("POST", "/admin/imports", STAFF),
    ("POST", "/admin/imports/sample", STAFF),
    ("GET", "/admin/imports/{import}", STAFF),
    ("POST", "/admin/imports/{import}/cancel", STAFF),
    ("GET", "/admin/export/products.csv", STAFF),
    ("GET", "/admin/export/products.jsonl", STAFF),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin/imports", get().to(list))
        .route("/admin/imports", post().to(upload::upload))
        .route("/admin/imports/sample", post().to(sample))
        .route("/admin/imports/{import}", get().to(page))
        .route("/admin/imports/{import}/cancel", post().to(cancel))
        .route("/admin/export/products.csv", get().to(export_csv))
        .route("/admin/export/products.jsonl", get().to(export_jsonl));
}

const PAGE: u32 = 25;
const SAMPLE: &[u8] = include_bytes!("../../demo/catalogue.jsonl");

/// A job as it is shown.
struct Shown {
    job: Job,
    actor: Named,
    /// `kind` is for the style sheet.
    kind: &'static str,
    state: String,
    has_ended: bool,
}

impl Shown {
    fn of(shell: &Shell, names: &Names, job: Job) -> Shown {
        let kind = match job.state {
            JobState::Succeeded => "good",
            JobState::Failed => "bad",
            JobState::Cancelled => "warn",
            JobState::Queued | JobState::Running => "",
        };
        let has_ended = !matches!(job.state, JobState::Queued | JobState::Running);
        Shown {
            kind,
            state: shell.word("job", word(&job.state)),
            has_ended,
            actor: names.named(shell, &job.actor),
            job,
        }
    }

    fn percent(&self) -> i64 {
        let (done, total) = (i128::from(self.job.done), i128::from(self.job.total.max(1)));
        (done * 100 / total).clamp(0, 100) as i64
    }

    /// Products and SKUs that were made or changed.
    fn changed(&self) -> i64 {
        let report = &self.job.report;
        [report.products_created, report.products_updated].into_iter().sum::<u64>() as i64
    }

    /// What the report counts, with the keys of its names.
    fn counts(&self) -> [(&'static str, i64); 9] {
        let report = &self.job.report;
        [
            ("products-created", report.products_created),
            ("products-updated", report.products_updated),
            ("products-unchanged", report.products_unchanged),
            ("skus-created", report.skus_created),
            ("skus-updated", report.skus_updated),
            ("stock-changed", report.stock_changed),
            ("categories-changed", report.categories_changed),
            ("locations-changed", report.locations_changed),
            ("rows-failed", report.rows_failed),
        ]
        .map(|(name, count)| (name, count as i64))
    }

    fn failed(&self) -> i64 {
        self.job.report.rows_failed as i64
    }
}

#[derive(Template)]
#[template(path = "admin/imports.html")]
struct List<'a> {
    shell: &'a Shell,
    form: &'a Form,
    key: String,
    locations: Vec<(String, String)>,
    jobs: Vec<Shown>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "admin/import.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    shown: Shown,
    faults: Vec<RowFault>,
    first: Option<String>,
    next: Option<String>,
}

impl Page<'_> {
    fn told(&self, fault: &RowFault) -> String {
        self.shell.site.texts.coded(&fault.code, &fault.arguments, &fault.message)
    }

    /// Why the job failed.
    fn failure(&self) -> String {
        let job = &self.shown.job;
        // Nothing that staff could mend in the file: the message is for the log's readers.
        let Some(fault) = &job.fault else { return self.shell.t1("job-other-fault", "text", &job.message) };
        let key = if fault.column.is_empty() { "job-line-fault" } else { "job-column-fault" };
        let fill = [
            ("line", (fault.line as i64).into()),
            ("column", fault.column.as_str().into()),
            ("text", self.told(fault).into()),
        ];
        self.shell.site.texts.say(key, &fill)
    }
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    show_list(&shell, &Form::default(), Form::of_query(&request).optional("cursor")).await
}

/// The list; with the form for a new import as it was refused.
pub(super) async fn show_list(shell: &Shell, form: &Form, cursor: Option<String>) -> ApiResult {
    let first = cursor.as_ref().map(|_| "/admin/imports".to_owned());
    let jobs = shell.site.inventory.job_list(JobQuery { cursor, limit: Some(PAGE) }).await?;
    let mut locations = vec![(String::new(), shell.t("import-location-first"))];
    locations.extend(location_choices(&shell.site.inventory.location_list().await?));
    let names = Names::of(shell, jobs.items.iter().map(|job| job.actor.as_str())).await?;
    let next = |cursor: String| address("/admin/imports", &Form::default(), &[], Some(("cursor", &cursor)));
    shell.form(
        form,
        &List {
            shell,
            form,
            key: key(shell, form),
            locations,
            jobs: jobs.items.into_iter().map(|job| Shown::of(shell, &names, job)).collect(),
            first,
            next: jobs.next_cursor.map(next),
        },
    )
}

pub(super) async fn page(shell: Shell, request: HttpRequest, id: web::Path<String>) -> ApiResult {
    show(&shell, &id, &Form::default(), Form::of_query(&request).optional("cursor")).await
}

async fn show(shell: &Shell, id: &str, form: &Form, cursor: Option<String>) -> ApiResult {
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no import {id:?}."));
    let job = shell.site.inventory.job_get(path_id(id)?).await?.ok_or_else(missing)?;
    let path = format!("/admin/imports/{}", job.id);
    let first = cursor.as_ref().map(|_| path.clone());
    let query = JobQuery { cursor, limit: Some(PAGE) };
    let faults = shell.site.inventory.job_faults(job.id, query).await?.ok_or_else(missing)?;
    let names = Names::of(shell, std::iter::once(&*job.actor)).await?;
    let next = |cursor: String| address(&path, &Form::default(), &[], Some(("cursor", &cursor)));
    shell.form(
        form,
        &Page {
            shell,
            form,
            shown: Shown::of(shell, &names, job),
            faults: faults.items,
            first,
            next: faults.next_cursor.map(next),
        },
    )
}

pub(super) async fn cancel(shell: Shell, id: web::Path<String>, mut form: Form) -> ApiResult {
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no import {id:?}."));
    match shell.site.inventory.job_cancel(shell.call(), path_id(&id)?).await {
        Ok(job) => {
            let job = job.ok_or_else(missing)?;
            Ok(shell.go_saying(format!("/admin/imports/{}", job.id), "flash-import-cancelled"))
        }
        Err(error) => {
            form.refuse(error)?;
            show(&shell, &id, &form, None).await
        }
    }
}

/// Imports the catalogue that comes with the shop. Done twice, the second time changes nothing.
pub(super) async fn sample(shell: Shell, _: Form) -> ApiResult {
    let inventory = &*shell.site.inventory;
    let options = ImportOptions { format: BulkFormat::Jsonl, dry_run: false, location: None };
    let import = inventory.import_begin(shell.call(), options).await?;
    let mut input = ImportInput::new(inventory, import);
    input.add(SAMPLE).await?;
    input.end().await?;
    let job = inventory.import_start(shell.call(), import).await?.value;
    Ok(shell.go(format!("/admin/imports/{}", job.id)))
}

pub(super) async fn export_csv(shell: Shell) -> ApiResult {
    export(&shell, BulkFormat::Csv, "text/csv; charset=utf-8", "products.csv").await
}

pub(super) async fn export_jsonl(shell: Shell) -> ApiResult {
    export(&shell, BulkFormat::Jsonl, "application/x-ndjson", "products.jsonl").await
}

async fn export(shell: &Shell, format: BulkFormat, content_type: &str, name: &str) -> ApiResult {
    let pieces = export_stream(shell.site.inventory.clone(), format).await?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let mut response = HttpResponse::Ok();
    response.content_type(content_type).insert_header((header::CONTENT_DISPOSITION, disposition));
    Ok(response.streaming(pieces))
}
