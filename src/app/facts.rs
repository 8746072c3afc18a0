//! What the page about the system shows: the configuration in force, and how everything stands at this moment.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::background::Board;
use super::{Modules, inventory, user};
use crate::clock::{SharedClock, Time};
use crate::config::{Config, DatabaseConfig, DatabaseUrl, MailDelivery};
use crate::db::{Database, Migrations};
use crate::web::system::{DatabaseFacts, Facts, ModuleFacts, PoolFacts, ServerFacts, System, WorkFacts};

/// A database that takes longer to answer is shown as one that does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// Work that each process does for itself.
const PROCESS_WORK: [&str; 1] = ["rates of clients"];

/// This process.
pub(super) struct Running {
    config: Config,
    modules: Modules,
    board: Board,
    clock: SharedClock,
    started_at: Time,
}

impl Running {
    pub(super) fn new(config: &Config, modules: &Modules, board: Board, clock: SharedClock) -> Self {
        let (config, modules, started_at) = (config.clone(), modules.clone(), clock.now());
        Running { config, modules, board, clock, started_at }
    }

    /// All background work; it has the names of its leases.
    fn work(&self) -> Vec<WorkFacts> {
        let mut works = self.board.read();
        for work in &mut works {
            let of_each = PROCESS_WORK.contains(&work.name);
            work.is_here = of_each || self.modules.databases.iter().any(|db| db.holds(work.name));
        }
        works
    }

    /// How a module runs that is at this place.
    async fn module(
        &self,
        name: &'static str,
        place: &'static str,
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
        ModuleFacts { name, place, shares: None, database }
    }
}

#[async_trait]
impl System for Running {
    async fn facts(&self) -> Facts {
        let Modules { inventory, user, databases: [inventory_db, user_db] } = &self.modules;
        let (inventory_config, user_config) = (&self.config.inventory.database, &self.config.user.database);
        let (inventory, mut user) = tokio::join!(
            self.module("inventory", inventory.place(), inventory_db, &inventory::MIGRATIONS, inventory_config),
            self.module("user", user.place(), user_db, &user::MIGRATIONS, user_config),
        );
        user.shares = user_config.is_same_file(inventory_config).then_some(inventory.name);
        // A plain struct with text keys, which always serialises.
        let settings = settings(&serde_json::to_value(&self.config).unwrap_or_default());
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
            replicas: about(&settings, "replicas"),
            caches: about(&settings, "cache"),
            work: self.work(),
            mail,
            mail_to,
            limits: limits(&settings),
        }
    }
}

/// What the system has given this process of its memory; `None` where it does not tell.
async fn memory() -> Option<i64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1_024)
}

/// All settings by their keys, as `inventory.database.pool_size`; those in lists by their numbers.
fn settings(config: &Value) -> Vec<(String, Value)> {
    fn collect(value: &Value, key: &str, found: &mut Vec<(String, Value)>) {
        let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| collect(value, &below(name), found)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(n, value)| collect(value, &below(&n.to_string()), found));
            }
            value => found.push((key.to_owned(), value.clone())),
        }
    }
    let mut found = Vec::new();
    collect(config, "", &mut found);
    found
}

/// The settings that are numbers.
fn limits(settings: &[(String, Value)]) -> Vec<(String, i64)> {
    settings.iter().filter_map(|(key, value)| Some((key.clone(), value.as_i64()?))).collect()
}

/// The settings of a part of the configuration, wherever it stands; addresses and secrets are masked as the configuration writes them.
fn about(settings: &[(String, Value)], part: &str) -> Vec<(String, String)> {
    let own = settings.iter().filter(|(key, _)| key.split('.').any(|name| name == part));
    own.map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_configured_is_told_and_nothing_else() {
        let config = json!({ "cache": { "url": "redis://cache", "ttl_ms": 5 }, "inventory": { "database": { "replicas": ["a", "b"] } } });
        let settings = settings(&config);
        let told =
            |part| about(&settings, part).into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        assert_eq!(told("cache"), ["cache.ttl_ms=5", "cache.url=redis://cache"]);
        assert_eq!(told("replicas"), ["inventory.database.replicas.0=a", "inventory.database.replicas.1=b"]);
        assert_eq!(limits(&settings), [("cache.ttl_ms".to_owned(), 5)]);
        // Of what this stage has not there is no setting.
        let today = Config::parse(crate::config::DEFAULT, Default::default()).unwrap();
        let today = super::settings(&serde_json::to_value(today).unwrap());
        assert!(about(&today, "cache").is_empty() && about(&today, "replicas").is_empty());
        assert_eq!(about(&today, "locale"), [("web.locale".to_owned(), "en-US".to_owned())]);
    }
}
