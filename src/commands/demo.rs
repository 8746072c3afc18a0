//! `emporium demo`: a shop to try, with goods and accounts.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;

use emporium::app::{self, Listeners};
use emporium::call::{Call, Role};
use emporium::clock::SystemClock;
use emporium::config::{Config, DEFAULT, DatabaseUrl, MailDelivery, Secret, ServerConfig};
use emporium::inventory::{BulkFormat, ImportOptions, ImportProgress, ImportWatch, InventoryError, RowFault};
use emporium::telemetry;
use emporium::user::{Registration, UserError};

use super::bulk::open;
use super::operate::{made_up_password, user_failure};
use crate::Failure;

const CATALOGUE: &[u8] = include_bytes!("../demo/catalogue.jsonl");

const ACCOUNTS: [(&str, &str, Role); 3] = [
    ("customer@demo.example", "Casey Customer", Role::Customer),
    ("staff@demo.example", "Sam Staff", Role::Staff),
    ("admin@demo.example", "Alex Admin", Role::Admin),
];

/// Serves a demo whose data is in `folder`, made there at the first start: stage 0 with the given addresses, whatever else the
/// configuration says. Links in its mails begin with the address that it listens on, unless another one is given.
pub(crate) async fn run(given: Config, folder: &Path) -> Result<ExitCode, Failure> {
    let mut config = Config::parse(DEFAULT, Default::default())?;
    config.server = given.server;
    config.log = given.log;
    config.web = given.web;
    if config.web.welcome == Config::parse(DEFAULT, Default::default())?.web.welcome {
        config.web.welcome =
            "Well-made things for the home, the desk, the kitchen, the garden and the trail.".to_owned();
    }
    let url = DatabaseUrl::Sqlite(folder.join("emporium.db"));
    config.inventory.database.url = url.clone();
    config.user.database.url = url;
    let mail = folder.join("mail");
    config.mail.delivery = MailDelivery::Folder { path: mail.clone() };
    if ![config.server.listen, config.server.internal_listen].iter().all(|address| address.ip().is_loopback()) {
        return Err(Failure::Other("the demo listens on loopback addresses only: its passwords are printed".into()));
    }
    // Before anything is made or told: another demo may be running.
    let listeners = Listeners::bind(&config.server)?;
    let address = listeners.address;
    if config.server.public_url == ServerConfig::own_url(config.server.listen) {
        // The port may have been left to the system.
        config.server.public_url = ServerConfig::own_url(address);
    }
    // The mails hold links that open accounts.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&mail);
    made.map_err(|error| Failure::Other(format!("cannot make {}: {error}", mail.display())))?;
    let accounts = fill(&config, folder).await?;
    println!("The demo shop is at http://{address}, its API at http://{address}/docs.");
    println!("Its data is in {}, the mails it sends in {}.\n", folder.display(), mail.display());
    print!("{accounts}");
    println!("\nStop it with Ctrl-C.");
    telemetry::start_log(&config.log);
    crate::until_stopped(app::start_on(listeners, config, Arc::new(SystemClock))).await
}

/// Makes goods and accounts where they are not there yet; gives the accounts with their passwords, for people.
async fn fill(config: &Config, folder: &Path) -> Result<String, Failure> {
    let file = folder.join("accounts.txt");
    if let Ok(accounts) = std::fs::read_to_string(&file) {
        return Ok(accounts);
    }
    let modules = app::modules(config, Arc::new(SystemClock)).await?;
    let options = ImportOptions { format: BulkFormat::Jsonl, dry_run: false, location: None };
    let inventory = open(config).await?;
    let imported = inventory.import(&Call::by("demo"), &options, CATALOGUE, &mut Faults).await;
    imported.map_err(|error| Failure::Other(format!("the sample catalogue cannot be imported: {error}")))?;

    let mut accounts = String::new();
    for (email, name, role) in ACCOUNTS {
        let password = made_up_password()?;
        let new = Registration { email: email.into(), password: Secret::new(&password), name: name.into() };
        match modules.user.create("demo", new, role).await {
            Ok(_) => accounts.push_str(&format!("  {email:<24} {password}\n")),
            Err(UserError::Conflict(_)) => accounts.push_str(&format!("  {email:<24} (has a password from before)\n")),
            Err(error) => return Err(user_failure(error)),
        }
    }
    keep(&file, &accounts).map_err(|error| Failure::Other(format!("cannot write {}: {error}", file.display())))?;
    Ok(accounts)
}

/// A test imports the catalogue, so nobody should ever read these.
struct Faults;

#[async_trait]
impl ImportWatch for Faults {
    async fn batch(&mut self, _: &ImportProgress, faults: Vec<RowFault>) -> Result<bool, InventoryError> {
        faults.iter().for_each(|fault| eprintln!("{fault}"));
        Ok(true)
    }
}

/// Only for the owner's eyes.
fn keep(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}
