//! The commands of the binary.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use emporium::app::{self, Shop, StartError};
use emporium::clock::SystemClock;
use emporium::config::{Config, Fault};
use emporium::telemetry;

mod commands;

/// Quicker than the C library's, and it gives memory back that many threads have used.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An online shop in one binary: its web site, products, stock, reservations and users.
///
/// Without a command it serves; without a configuration it is a whole shop on one box, with its data in ./data.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    /// The configuration: one of the files under config/, changed to your needs. Without one: config/0-single-box.toml.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the shop until SIGTERM or Ctrl-C (the default).
    Serve,
    /// Try it: a shop on this machine with a sample catalogue and accounts whose passwords are printed.
    Demo {
        /// Where the demo keeps its data; delete it to begin anew.
        #[arg(long, default_value = "emporium-demo", value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Check the configuration: every fault with its key and what is allowed. Exit code 2 if there is one.
    Check {
        /// Print the values in force, from file and environment, with secrets masked.
        #[arg(long)]
        print: bool,
    },
    /// Ask the shop that runs on this machine with this configuration whether it is alive. Exit code 1 if not.
    Health {
        /// Ask whether it takes new requests.
        #[arg(long)]
        ready: bool,
    },
    /// Bring the databases up to date. Safe to repeat.
    Migrate {
        /// Only say what is missing. Exit code 1 if something is.
        #[arg(long)]
        status: bool,
    },
    /// Move everything from the databases of another configuration to those of this one, as from an SQLite file to PostgreSQL.
    Move {
        /// The configuration with the old databases, whose shop must be stopped.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// Import products: Shopify's product CSV, or emporium's JSONL. Safe to repeat: what is the same stays.
    Import {
        /// The file; its name's ending (.csv, .jsonl) tells the format. Bad rows are told and left out.
        file: PathBuf,
        /// Check everything and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// The code of the location that gets quantities without one; without it, the one with the lowest priority number.
        #[arg(long, value_name = "CODE")]
        location: Option<String>,
    },
    /// Export all products with their stock; the file's ending (.csv, .jsonl) tells the format.
    Export {
        /// The file to write; one of that name is replaced when the new one is whole.
        file: PathBuf,
    },
    /// Write a made-up catalogue as JSONL to standard output; the same for the same seed.
    Sample {
        /// How many SKUs.
        #[arg(long, default_value_t = 1_000, value_name = "N")]
        skus: u64,
        /// Another number makes another catalogue.
        #[arg(long, default_value_t = 1, value_name = "N")]
        seed: u64,
    },
    /// Accounts.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Stock.
    Stock {
        #[command(subcommand)]
        command: StockCommand,
    },
    /// Copy the SQLite database, consistently, while the shop runs. For PostgreSQL, use pg_dump.
    Backup {
        /// The new file; it must not be there yet.
        file: PathBuf,
    },
    /// Print the OpenAPI document of the API.
    Openapi,
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make an account that may do everything; or let one that is there do everything.
    CreateAdmin {
        /// The address to log in with.
        email: String,
        /// Take the password from this file's first line; without it, one is made up and printed.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum StockCommand {
    /// Hold all counters against the ledger and the reservations. Exit code 1 if they differ.
    Verify {
        /// Mend what differs, in one transaction; each mend is in the ledger and in the log.
        #[arg(long)]
        repair: bool,
    },
}

/// Why a command failed, and the exit code.
enum Failure {
    /// A fault in the configuration: exit code 2.
    Config(Vec<Fault>),
    /// Anything else: exit code 1 with this text.
    Other(String),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Failure::Other(error.to_string())
    }
}

impl From<Vec<Fault>> for Failure {
    fn from(faults: Vec<Fault>) -> Self {
        Failure::Config(faults)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let file = arguments.config.as_deref();
    match run(arguments.command.unwrap_or(Command::Serve), file).await {
        Ok(code) => code,
        Err(Failure::Config(faults)) => {
            let name = file.map_or_else(|| "stage 0".into(), Path::to_string_lossy);
            eprintln!("The configuration ({name}, with the environment) has {} fault(s):", faults.len());
            faults.iter().for_each(|fault| eprintln!("  {fault}"));
            ExitCode::from(2)
        }
        Err(Failure::Other(message)) => {
            eprintln!("emporium: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, file: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = || Config::load(file);
    match command {
        Command::Serve => serve(config()?).await,
        Command::Demo { folder } => commands::demo::run(config()?, &folder).await,
        Command::Check { print } => commands::operate::check(config()?, print),
        Command::Health { ready } => commands::health::health(&config()?, ready),
        Command::Migrate { status } => commands::operate::migrate(config()?, status).await,
        Command::Move { from } => commands::moving::move_all(config()?, &from).await,
        Command::Backup { file } => commands::operate::backup(config()?, &file).await,
        Command::Openapi => commands::operate::openapi(),
        Command::Stock { command: StockCommand::Verify { repair } } => {
            commands::operate::verify(config()?, repair).await
        }
        Command::User { command: UserCommand::CreateAdmin { email, password_file } } => {
            commands::operate::create_admin(config()?, email, password_file.as_deref()).await
        }
        Command::Import { file, dry_run, location } => {
            commands::bulk::import(config()?, &file, dry_run, location).await
        }
        Command::Export { file } => commands::bulk::export(config()?, &file).await,
        Command::Sample { skus, seed } => commands::bulk::sample(skus, seed),
    }
}

async fn serve(config: Config) -> Result<ExitCode, Failure> {
    telemetry::start_log(&config.log);
    until_stopped(app::start(config, Arc::new(SystemClock))).await
}

/// Runs the shop that `start` gives until a signal stops it.
async fn until_stopped(start: impl Future<Output = Result<Shop, StartError>>) -> Result<ExitCode, Failure> {
    // Before the start, so that a signal during it is not lost.
    let stop = stop_signal().map_err(|error| Failure::Other(format!("cannot listen for signals: {error}")))?;
    let mut stop = std::pin::pin!(stop);
    let shop = tokio::select! {
        shop = start => shop?,
        // It waits for its database, or for another one that migrates: nothing has begun that must end in order.
        () = &mut stop => return Ok(ExitCode::SUCCESS),
    };
    stop.await;
    // Who asks twice is in a hurry.
    let again = stop_signal().map_err(|error| Failure::Other(format!("cannot listen for signals: {error}")))?;
    tokio::select! {
        () = shop.stop() => Ok(ExitCode::SUCCESS),
        () = again => Ok(ExitCode::FAILURE),
    }
}

/// Ends when the process is told to stop: SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
