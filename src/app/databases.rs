//! The databases of the modules: opened, brought up to date or waited for, and held against what the configuration needs of them.

use std::time::Duration;

use super::StartError;
use crate::config::{Config, DatabaseConfig, Pooler};
use crate::db::{Database, Migrations};
use crate::http::health::{Phase, Readiness};
use crate::{inventory, user};

/// So often a process looks whether its databases are ready for it.
const LOOK: Duration = Duration::from_secs(1);

/// The inventory's and the user module's database. Two modules in one SQLite file share its one writer.
pub fn databases(config: &Config) -> Result<[Database; 2], StartError> {
    let open =
        |module, config| Database::open(module, config).map_err(|source| StartError::Database { module, source });
    let inventory = open("inventory", &config.inventory.database)?;
    let user = match config.user.database.is_same_file(&config.inventory.database) {
        true => inventory.clone(),
        false => open("users", &config.user.database)?,
    };
    Ok([inventory, user])
}

async fn prepare_one(
    module: &'static str,
    db: &Database,
    migrations: &'static Migrations,
    migrate: bool,
) -> Result<(), StartError> {
    let failed = |source| StartError::Database { module, source };
    if migrate {
        for name in db.migrate(migrations).await.map_err(failed)? {
            tracing::info!(module, %name, "migration applied");
        }
        return Ok(());
    }
    match db.pending_migrations(migrations).await.map_err(failed)? {
        pending if pending.is_empty() => Ok(()),
        pending => Err(StartError::Pending { module, pending }),
    }
}

/// Brings the databases up to date where the configuration says so.
pub(super) async fn prepare(config: &Config, [inventory_db, user_db]: &[Database; 2]) -> Result<(), StartError> {
    prepare_one("inventory", inventory_db, &inventory::MIGRATIONS, config.inventory.migrate_on_start).await?;
    prepare_one("user", user_db, &user::MIGRATIONS, config.user.migrate_on_start).await?;
    check_connections(config, [inventory_db, user_db]).await
}

/// Makes the process ready as soon as the databases are: another one migrates them, they come back, or their administrator gives
/// them more connections.
pub(super) async fn wait(config: &Config, databases: &[Database; 2], readiness: &Readiness) {
    let mut told = String::new();
    while let Err(error) = prepare(config, databases).await {
        let error = error.to_string();
        if error != told {
            tracing::warn!(%error, "not ready: waiting for the databases");
            told = error;
        }
        tokio::time::sleep(LOOK).await;
    }
    tracing::info!("ready");
    readiness.advance(Phase::Ready);
}

/// All processes together must not need more connections than a server gives: found out now, and not when the shop is full.
async fn check_connections(config: &Config, databases: [&Database; 2]) -> Result<(), StartError> {
    let configs = [("inventory", &config.inventory.database), ("user", &config.user.database)];
    for ((module, own), db) in configs.into_iter().zip(databases) {
        if own.pooler == Pooler::Transaction {
            // These are connections to the pooler, which has limits of its own.
            continue;
        }
        let Some(allowed) = db.connections_max().await.map_err(|source| StartError::Database { module, source })?
        else {
            continue;
        };
        let here = configs.iter().filter(|(_, other)| other.pooler == Pooler::None && share_server(own, other));
        let pools: u32 = here.map(|(_, other)| other.pool_size).sum();
        let needed = i64::from(config.server.nodes) * i64::from(pools);
        if needed > allowed {
            return Err(StartError::Connections { module, nodes: config.server.nodes, pools, needed, allowed });
        }
    }
    Ok(())
}

/// May both be on one server, as their addresses are written? Of several hosts any may be the one.
fn share_server(one: &DatabaseConfig, other: &DatabaseConfig) -> bool {
    let others = other.url.servers();
    one.url.servers().iter().any(|(name, _)| others.iter().any(|(other, _)| other == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_any_of_its_addresses() {
        let at = |hosts: &str| {
            let text =
                crate::config::DEFAULT.replace("sqlite:data/emporium.db", &format!("postgres://shop@{hosts}/shop"));
            Config::parse(&text, Default::default()).unwrap().user.database
        };
        for (one, other) in [("db", "db:5432"), ("DB", "db"), ("a,b", "b:5432,c"), ("[::1]", "[::1]:5432")] {
            assert!(share_server(&at(one), &at(other)), "{one} {other}");
        }
        for (one, other) in [("db", "db:5433"), ("a,b", "c"), ("[::1]", "[::2]")] {
            assert!(!share_server(&at(one), &at(other)), "{one} {other}");
        }
    }
}
