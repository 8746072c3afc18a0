//! The commands.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use emporium::clock::SystemClock;
use emporium::config::Config;
use emporium::{app, telemetry};

/// The back end of an online shop.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file; without one, stage 0: one process, one SQLite file.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            return ExitCode::from(2);
        }
    };
    telemetry::start_log(&config.log);
    match app::start(config, Arc::new(SystemClock)).await {
        Ok(shop) => {
            let _ = tokio::signal::ctrl_c().await;
            shop.stop().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
