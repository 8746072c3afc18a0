//! The move from one database to another.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use emporium::app;
use emporium::call::Call;
use emporium::clock::SystemClock;
use emporium::config::Config;
use emporium::db::{DbError, Migrations, Move, Seized};
use emporium::inventory::Inventory;
use emporium::{inventory, user};

use super::operate::must_be_there;
use crate::Failure;

/// Moves everything from the databases of the configuration `old` to those of `config`, whose tables are there and empty.
pub(crate) async fn move_all(config: Config, old: &Path) -> Result<ExitCode, Failure> {
    let old = Config::of_file(old)?;
    must_be_there(&old)?;
    emporium::telemetry::start_log(&config.log);
    if old.inventory.database.url == config.inventory.database.url || old.user.database.url == config.user.database.url
    {
        return Err(Failure::Other("both configurations name the same database of a module: nothing was moved".into()));
    }
    // Looks whether the new ones are migrated, too.
    let modules = app::modules(&config, Arc::new(SystemClock)).await?;
    let [inventory_db, user_db] = &modules.databases;
    let [old_inventory, old_user] = app::databases(&old)?;
    let (inventory_steps, user_steps) = (&inventory::MIGRATIONS, &user::MIGRATIONS);
    let is_one_file = old.user.database.is_same_file(&old.inventory.database);
    let steps: &[&'static Migrations] = if is_one_file { &[inventory_steps, user_steps] } else { &[inventory_steps] };
    let seized = old_inventory.seize(inventory::TABLES, steps);
    let mut inventory_rows = seized.map_err(|error| failed("inventory", &error))?;
    let mut user_rows = match is_one_file {
        true => None,
        false => Some(old_user.seize(user::TABLES, &[user_steps]).map_err(|error| failed("user", &error))?),
    };
    let moved = inventory_db.move_from(&mut inventory_rows, inventory::TABLES, inventory::TABLES_FILLED);
    tell("inventory", moved)?;
    let rows = user_rows.as_mut().unwrap_or(&mut inventory_rows);
    tell("user", user_db.move_from(rows, user::TABLES, &[]))?;
    finish(&*modules.inventory).await.map_err(|error| Failure::Other(error.to_string()))?;
    for (module, rows) in [("inventory", Some(inventory_rows)), ("user", user_rows)] {
        rows.map_or(Ok(()), Seized::mark_moved).map_err(|error| failed(module, &error))?;
    }
    println!("Everything is there as it was. Start the shop with the new configuration.");
    Ok(ExitCode::SUCCESS)
}

fn failed(module: &str, error: &DbError) -> Failure {
    Failure::Other(format!("the {module} module's data: {error}"))
}

fn tell(module: &str, moved: Result<Move, DbError>) -> Result<(), Failure> {
    match moved.map_err(|error| failed(module, &error))? {
        Move::Done(tables) => {
            tables.iter().for_each(|moved| println!("{module}: {} rows of {}", moved.rows, moved.table));
        }
        Move::WasDone => println!("{module}: was moved before"),
    }
    Ok(())
}

/// Makes what does not travel, and looks at the stock.
async fn finish(inventory: &dyn Inventory) -> Result<(), inventory::InventoryError> {
    let mut after = Some(String::new());
    while let Some(start) = after {
        after = inventory.words_rebuild(start).await?;
    }
    let checked = inventory.stock_verify(&Call::by("cli"), false).await?;
    match checked.differences.len() {
        0 => println!("All {} counters of stock agree with the ledger.", checked.checked),
        n => println!("{n} counters of stock differ from the ledger, as they did before: see `emporium stock verify`."),
    }
    Ok(())
}
