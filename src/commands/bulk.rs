//! Products in and out: import, export, sample.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};

use emporium::app;
use emporium::call::Call;
use emporium::clock::SystemClock;
use emporium::config::Config;
use emporium::inventory::{
    self, Bulk, BulkFormat, ImportEnd, ImportOptions, ImportProgress, ImportReport, ImportWatch, InventoryError,
    LocalInventory, RowFault,
};

use super::operate::must_be_there;
use crate::Failure;

/// The module in this process, its database up to date. Its background work belongs to the shop that serves.
pub(crate) async fn open(config: &Config) -> Result<Arc<LocalInventory>, Failure> {
    app::modules(config, Arc::new(SystemClock)).await?;
    let [db, _] = app::databases(config)?;
    Ok(inventory::local(db, Arc::new(SystemClock), config.inventory.clone()))
}

/// Imports a file; tells each fault on standard error and the sums on standard output. Exit code 1 when a row was left out.
pub(crate) async fn import(
    config: Config,
    path: &Path,
    dry_run: bool,
    location: Option<String>,
) -> Result<ExitCode, Failure> {
    let options = ImportOptions { format: format(path)?, dry_run, location };
    let failed = |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(|error| failed(&error))?;
    let bytes = file.metadata().map_err(|error| failed(&error))?.len();
    let inventory = open(&config).await?;
    let mut watch = Terminal::new(bytes);
    let (end, progress) =
        inventory.import(&Call::by("cli"), &options, file, &mut watch).await.map_err(|error| failed(&error))?;
    watch.bar.finish_and_clear();
    summary(&progress.report);
    match end {
        ImportEnd::Complete | ImportEnd::Stopped if progress.report.rows_failed == 0 => Ok(ExitCode::SUCCESS),
        ImportEnd::Complete | ImportEnd::Stopped => Ok(ExitCode::FAILURE),
        ImportEnd::Unreadable(fault) => Err(failed(&told(&fault))),
        ImportEnd::Broken(error) => Err(failed(&error)),
    }
}

fn format(path: &Path) -> Result<BulkFormat, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(BulkFormat::Csv),
        Some("jsonl") => Ok(BulkFormat::Jsonl),
        _ => Err(Failure::Other(format!("{}: the name must end in .csv or .jsonl", path.display()))),
    }
}

/// A progress bar, where there is a terminal, and the faults.
struct Terminal {
    bar: ProgressBar,
}

impl Terminal {
    fn new(bytes: u64) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {percent}%  {bytes}/{total_bytes}  {eta} left  {msg}");
        let bar = ProgressBar::new(bytes).with_style(style.expect("the template is a good one"));
        Terminal { bar }
    }
}

#[async_trait]
impl ImportWatch for Terminal {
    async fn batch(&mut self, progress: &ImportProgress, faults: Vec<RowFault>) -> Result<bool, InventoryError> {
        self.bar.suspend(|| faults.iter().for_each(|fault| eprintln!("{}", told(fault))));
        self.bar.set_position(progress.bytes);
        let report = &progress.report;
        self.bar.set_message(format!("{} SKUs", report.skus_created + report.skus_updated));
        Ok(true)
    }
}

/// A fault for people, and behind it its code and arguments for programs.
fn told(fault: &RowFault) -> String {
    match fault.arguments.is_empty() {
        true => format!("{fault} ({})", fault.code),
        false => format!("{fault} ({} {})", fault.code, serde_json::Value::from(fault.arguments.clone())),
    }
}

fn summary(report: &ImportReport) {
    if report.dry_run {
        println!("Nothing was changed: this was a dry run. It would have been:");
    }
    println!(
        "{} products created, {} updated, {} unchanged; {} SKUs created, {} updated; {} stock rows changed; {} rows left out.",
        report.products_created,
        report.products_updated,
        report.products_unchanged,
        report.skus_created,
        report.skus_updated,
        report.stock_changed,
        report.rows_failed
    );
    if !report.columns_ignored.is_empty() {
        println!("Columns that are not known and were ignored: {}.", report.columns_ignored.join(", "));
    }
}

/// Writes all products into a file, which gets its name when it is whole.
pub(crate) async fn export(config: Config, path: &Path) -> Result<ExitCode, Failure> {
    let format = format(path)?;
    let failed = |error: &dyn std::fmt::Display| Failure::Other(format!("{}: {error}", path.display()));
    must_be_there(&config)?;
    let inventory = open(&config).await?;
    let partial = path.with_extension("partial");
    let mut file = BufWriter::new(File::create(&partial).map_err(|error| failed(&error))?);
    let mut after = None;
    loop {
        let chunk = inventory.export_chunk(format, after).await.map_err(|error| failed(&error))?;
        file.write_all(&chunk.bytes).map_err(|error| failed(&error))?;
        after = chunk.next;
        if after.is_none() {
            break;
        }
    }
    let file = file.into_inner().map_err(|error| failed(&error))?;
    file.sync_all().and_then(|()| std::fs::rename(&partial, path)).map_err(|error| failed(&error))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a made-up catalogue to standard output.
pub(crate) fn sample(skus: u64, seed: u64) -> Result<ExitCode, Failure> {
    match emporium::sample::write(skus, seed, BufWriter::new(io::stdout().lock())) {
        // Whoever reads may stop reading.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
