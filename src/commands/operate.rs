//! Commands of the operator: check, migrate, backup, verify, the first admin, the API document.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use rand::TryRngCore;

use emporium::app;
use emporium::call::{Call, Role};
use emporium::clock::SystemClock;
use emporium::config::{Config, DatabaseUrl, Secret};
use emporium::db::{Database, Migrations};
use emporium::inventory;
use emporium::user::{self, Registration, UserError, UserPatch, UserQuery};

use crate::Failure;

/// The configuration was read without a fault; shows it when asked to.
pub(crate) fn check(config: Config, print: bool) -> Result<ExitCode, Failure> {
    match print {
        true => print!("{}", toml::to_string(&config).map_err(|error| Failure::Other(error.to_string()))?),
        false => println!("The configuration is good."),
    }
    Ok(ExitCode::SUCCESS)
}

/// Applies the migrations that are missing, or only names them.
pub(crate) async fn migrate(config: Config, status: bool) -> Result<ExitCode, Failure> {
    if status {
        must_be_there(&config)?;
    }
    // As their owner, where one is named.
    let mut as_owner = config.clone();
    let mut users = [None, None];
    for (database, user) in [&mut as_owner.inventory.database, &mut as_owner.user.database].into_iter().zip(&mut users)
    {
        if !status && let Some((owners, role)) = database.as_owner().map_err(Failure::Other)? {
            (*database, *user) = (owners, Some(role));
        }
    }
    let [inventory_db, user_db] = app::databases(&as_owner)?;
    let modules: [(&str, Database, &'static Migrations); 2] =
        [("inventory", inventory_db, &inventory::MIGRATIONS), ("user", user_db, &user::MIGRATIONS)];
    let mut missing = 0;
    for ((module, db, migrations), user) in modules.into_iter().zip(users) {
        let failed = |error| Failure::Other(format!("the {module} module's database: {error}"));
        let names = match status {
            true => db.pending_migrations(migrations).await.map_err(failed)?,
            false => db.migrate_for(migrations, user.as_deref()).await.map_err(failed)?,
        };
        let word = if status { "missing" } else { "applied" };
        names.iter().for_each(|name| println!("{module}: {word} {name}"));
        if names.is_empty() {
            println!("{module}: up to date");
        }
        missing += names.len();
    }
    Ok(if status && missing > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Copies the SQLite file while others use it.
pub(crate) async fn backup(config: Config, file: &Path) -> Result<ExitCode, Failure> {
    if let DatabaseUrl::Postgres(_) = config.inventory.database.url {
        return Err(Failure::Other("PostgreSQL has better tools for this: use pg_dump, or pg_basebackup.".into()));
    }
    if !config.user.database.is_same_file(&config.inventory.database) {
        return Err(Failure::Other("the modules have two databases; a backup of one file cannot hold both".into()));
    }
    must_be_there(&config)?;
    let [inventory_db, _] = app::databases(&config)?;
    let failed = |error: emporium::db::DbError| Failure::Other(format!("the backup failed: {error}"));
    let bytes = inventory_db.backup(file.to_owned()).await.map_err(failed)?;
    println!("{} ({bytes} bytes) is a whole, checked copy.", file.display());
    Ok(ExitCode::SUCCESS)
}

/// Opening an SQLite file makes it; who only looks, perhaps from the wrong folder, must not take an empty one for his own.
pub(crate) fn must_be_there(config: &Config) -> Result<(), Failure> {
    for database in [&config.inventory.database, &config.user.database] {
        if let DatabaseUrl::Sqlite(path) = &database.url
            && !path.exists()
        {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            return Err(Failure::Other(format!(
                "there is no database at {}: run this in the folder that the shop runs in, \
                 or name the shop's configuration with --config FILE",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Holds the counters against the ledger; prints each difference.
pub(crate) async fn verify(config: Config, repair: bool) -> Result<ExitCode, Failure> {
    must_be_there(&config)?;
    emporium::telemetry::start_log(&config.log);
    let modules = app::modules(&config, Arc::new(SystemClock)).await?;
    let result = modules.inventory.stock_verify(&Call::by("cli"), repair).await;
    let result = result.map_err(|error| Failure::Other(error.to_string()))?;
    for difference in &result.differences {
        println!(
            "{} at {}: {} is {}, should be {} ({})",
            difference.sku,
            difference.location,
            difference.what,
            difference.is,
            difference.should_be,
            difference.because
        );
    }
    println!("{} stock rows checked, {} difference(s).", result.checked, result.differences.len());
    if result.repaired {
        println!("They are mended; the ledger tells how.");
    }
    Ok(if result.differences.is_empty() || result.repaired { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes an admin; makes up a password where none is given.
pub(crate) async fn create_admin(
    config: Config,
    email: String,
    password_file: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let password = match password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::Other(format!("cannot read {}: {error}", path.display())))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        None => made_up_password()?,
    };
    let modules = app::modules(&config, Arc::new(SystemClock)).await?;
    let new = Registration { email: email.clone(), password: Secret::new(&password), name: String::new() };
    match modules.user.create("cli", new, Role::Admin).await {
        Err(UserError::Conflict(_)) => return promote(&modules, &email).await,
        made => made.map_err(user_failure)?,
    };
    match password_file {
        Some(_) => println!("{email} may now do everything."),
        None => println!("{email} may now do everything. The password, which is not shown again: {password}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Somebody who has an account already keeps it, and its password.
async fn promote(modules: &app::Modules, email: &str) -> Result<ExitCode, Failure> {
    let query = UserQuery { q: Some(email.trim().to_owned()), ..UserQuery::default() };
    let found = modules.user.user_list(query).await.map_err(user_failure)?.items;
    let Some(user) = found.iter().find(|user| user.email.eq_ignore_ascii_case(email.trim())) else {
        return Err(Failure::Other(format!("{email} has an account under another spelling: give it as it is shown")));
    };
    let patch = UserPatch { role: Some(Role::Admin), ..UserPatch::default() };
    modules.user.user_update(&Call::by("cli"), user.id, None, patch).await.map_err(user_failure)?;
    println!("{email} had an account and may now do everything; the password is as it was.");
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn user_failure(error: UserError) -> Failure {
    match error {
        UserError::Invalid(faults) => {
            let faults: Vec<String> =
                faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect();
            Failure::Other(faults.join("; "))
        }
        other => Failure::Other(other.to_string()),
    }
}

/// 20 characters of 32: 100 bits.
pub(crate) fn made_up_password() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    let failed = |error| Failure::Other(format!("the system gives no random numbers: {error}"));
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).map_err(failed)?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect())
}

/// Prints the document of the API.
pub(crate) fn openapi() -> Result<ExitCode, Failure> {
    let json = app::openapi().to_pretty_json().map_err(|error| Failure::Other(error.to_string()))?;
    println!("{json}");
    Ok(ExitCode::SUCCESS)
}
