//! What the page about the system shows: the configuration in force, and how everything stands at this moment.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::background::Board;
use super::{Modules, inventory, user};
use crate::clock::{SharedClock, Time};
use crate::config::{Config, DatabaseConfig, DatabaseUrl, MailDelivery};
use crate::db::{Database, Migrations};
use crate::web::system::{DatabaseFacts, Facts, ModuleFacts, PoolFacts, ServerFacts, System};

/// A database that takes longer to answer is shown as one that does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// This process.
pub(super) struct Running {
    config: Config,
    databases: [Database; 2],
    board: Board,
    clock: SharedClock,
    started_at: Time,
}

impl Running {
    pub(super) fn new(config: &Config, modules: &Modules, board: Board, clock: SharedClock) -> Self {
        let (config, databases, started_at) = (config.clone(), modules.databases.clone(), clock.now());
        Running { config, databases, board, clock, started_at }
    }

    /// How a module runs: all of them do in this process.
    async fn module(
        &self,
        name: &'static str,
        db: &Database,
        migrations: &'static Migrations,
        config: &DatabaseConfig,
    ) -> ModuleFacts {
        let server = match tokio::time::timeout(PATIENCE, db.server(migrations)).await {
            Ok(Ok(state)) => {
                let migration = state.migration.unwrap_or_default();
                Ok(ServerFacts { version: state.version, bytes: state.bytes, migration })
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(String::new()),
        };
        let pools = db.state().into_iter().map(|lane| PoolFacts {
            lane: lane.lane,
            size: lane.size.into(),
            idle: lane.idle.into(),
            used: lane.used.into(),
            waiting: lane.waiting.into(),
        });
        let kind = match config.url {
            DatabaseUrl::Sqlite(_) => "SQLite",
            DatabaseUrl::Postgres(_) => "PostgreSQL",
        };
        let database = DatabaseFacts { kind, address: config.url.to_string(), server, pools: pools.collect() };
        ModuleFacts { name, place: "local", database }
    }
}

#[async_trait]
impl System for Running {
    async fn facts(&self) -> Facts {
        let [inventory_db, user_db] = &self.databases;
        let (inventory, user) = tokio::join!(
            self.module("inventory", inventory_db, &inventory::MIGRATIONS, &self.config.inventory.database),
            self.module("user", user_db, &user::MIGRATIONS, &self.config.user.database),
        );
        let (mail, mail_to) = match &self.config.mail.delivery {
            MailDelivery::Folder { path } => ("folder", path.display().to_string()),
            MailDelivery::Smtp(smtp) => ("smtp", format!("{}:{}", smtp.host, smtp.port)),
        };
        Facts {
            version: env!("CARGO_PKG_VERSION"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            stage: self.config.stage(),
            started_at: self.started_at,
            now: self.clock.now(),
            memory_bytes: memory().await,
            modules: vec![inventory, user],
            work: self.board.read(),
            mail,
            mail_to,
            limits: limits(&self.config),
        }
    }
}

/// What the system has given this process of its memory; `None` where it does not tell.
async fn memory() -> Option<i64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1_024)
}

/// All settings that are numbers, by their keys.
fn limits(config: &Config) -> Vec<(String, i64)> {
    fn collect(value: &Value, key: &str, found: &mut Vec<(String, i64)>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                collect(value, &key, found);
            }),
            value => found.extend(value.as_i64().map(|number| (key.to_owned(), number))),
        }
    }
    let mut found = Vec::new();
    // A plain struct with text keys, which always serialises.
    collect(&serde_json::to_value(config).unwrap_or_default(), "", &mut found);
    found
}
