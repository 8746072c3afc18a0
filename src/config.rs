//! Every setting and its limits, and the only place that reads the environment.
//!
//! A file is one whole stage: no other file stands under it. Environment variables override single keys
//! (`EMPORIUM__SERVER__LISTEN`). A faulty file is told with all its faults at once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

mod database;
mod mail;
mod server;
mod stage;
mod user;
mod web;

pub use database::{DatabaseConfig, DatabaseUrl, Pooler, Tls};
pub use mail::{MailConfig, MailDelivery, SmtpConfig, SmtpTls};
pub use server::{Proxy, ServerConfig};
pub use stage::Stage;
pub use user::{ThrottleConfig, UserConfig};
pub use web::{Locale, WebConfig};

/// Stage 0, which runs when no file is named.
pub const DEFAULT: &str = include_str!("../config/0-single-box.toml");

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: ServerConfig,
    pub web: WebConfig,
    pub log: LogConfig,
    pub inventory: InventoryConfig,
    pub user: UserConfig,
    pub mail: MailConfig,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Auto,
    Human,
    Json,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventoryConfig {
    pub migrate_on_start: bool,
    pub currency: String,
    pub hold_seconds_default: u32,
    pub hold_seconds_max: u32,
    pub hold_total_seconds_max: u32,
    pub holder_units_max: u32,
    pub sweep_interval_ms: u32,
    pub idempotency_hours: u32,
    pub events_days: u32,
    pub database: DatabaseConfig,
}

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key's path, as `server.listen`; empty when the file as a whole cannot be read.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => f.write_str(&self.message),
            key => write!(f, "{key}: {}", self.message),
        }
    }
}

fn text_of(path: &Path) -> Result<String, Vec<Fault>> {
    std::fs::read_to_string(path).map_err(|error| vec![fault("", format!("cannot read {}: {error}", path.display()))])
}

impl Config {
    /// Reads the file (stage 0's where none is named) and the environment. An error is the list of all faults.
    pub fn load(file: Option<&Path>) -> Result<Config, Vec<Fault>> {
        let text = match file {
            None => DEFAULT.to_owned(),
            Some(path) => text_of(path)?,
        };
        #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
        let environment = std::env::vars().filter(|(key, _)| key.starts_with("EMPORIUM__")).collect();
        Config::parse(&text, environment)
    }

    /// Reads the file alone.
    pub fn of_file(path: &Path) -> Result<Config, Vec<Fault>> {
        Config::parse(&text_of(path)?, HashMap::new())
    }

    /// Reads a configuration from its text and `EMPORIUM__...` variables.
    pub fn parse(text: &str, environment: HashMap<String, String>) -> Result<Config, Vec<Fault>> {
        let value = read(text, environment).map_err(|error| vec![fault("", error.to_string())])?;
        let (config, mut faults) = deserialize(value);
        if let Some(mut config) = config {
            if config.server.public_url.is_empty() {
                if config.server.nodes > 1 {
                    let message = "must be set with server.nodes > 1: the processes listen at several addresses, and links lead to one";
                    faults.push(fault("server.public_url", message));
                }
                config.server.public_url = ServerConfig::own_url(config.server.listen);
            }
            config.read_secret_files(&mut faults);
            config.validate(&mut faults);
            if faults.is_empty() {
                return Ok(config);
            }
        }
        Err(faults)
    }

    fn read_secret_files(&mut self, faults: &mut Vec<Fault>) {
        for (key, database) in
            [("inventory.database", &mut self.inventory.database), ("user.database", &mut self.user.database)]
        {
            read_secret(&format!("{key}.password_file"), &database.password_file, &mut database.password, faults);
        }
        if let MailDelivery::Smtp(smtp) = &mut self.mail.delivery {
            read_secret("mail.delivery.smtp.password_file", &smtp.password_file, &mut smtp.password, faults);
        }
    }

    fn validate(&self, faults: &mut Vec<Fault>) {
        let mut check = Check(faults);
        self.server.validate(&mut check);
        if self.server.nodes > 1 {
            self.validate_cluster(&mut check);
        }
        for (module, database, migrate) in self.migrating() {
            let message = "must be false where database.owner is named: `emporium migrate` runs as the owner";
            check.that(&format!("{module}.migrate_on_start"), !migrate || database.owner.is_none(), message);
        }
        check.that(
            "log.level",
            self.log.level.parse::<tracing_subscriber::EnvFilter>().is_ok(),
            "must be error, warn, info, debug, trace, or tracing-subscriber directives as `info,emporium=debug`",
        );
        self.web.validate(&mut check);
        self.inventory.validate(&mut check);
        self.user.validate(&mut check);
        self.mail.validate(&mut check);
    }
}

impl Config {
    /// Each module's database, and whether a start migrates it.
    fn migrating(&self) -> [(&'static str, &DatabaseConfig, bool); 2] {
        [
            ("inventory", &self.inventory.database, self.inventory.migrate_on_start),
            ("user", &self.user.database, self.user.migrate_on_start),
        ]
    }

    /// What several processes cannot have.
    fn validate_cluster(&self, check: &mut Check) {
        for (module, database, migrate) in self.migrating() {
            let is_shared = matches!(database.url, DatabaseUrl::Postgres(_));
            let message = "is an SQLite file, which is on one machine and lets one process write at a time: \
                           with server.nodes > 1 it must be postgres://...";
            check.that(&format!("{module}.database.url"), is_shared, message);
            let message = "must be false with server.nodes > 1: run `emporium migrate` before a new version starts";
            check.that(&format!("{module}.migrate_on_start"), !migrate, message);
        }
    }
}

impl InventoryConfig {
    fn validate(&self, check: &mut Check) {
        let currency = &self.currency;
        check.that(
            "inventory.currency",
            currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()),
            "must be an ISO 4217 code of three capital letters, as USD",
        );
        check.range("inventory.hold_seconds_max", self.hold_seconds_max, 1, 14_400);
        check.range("inventory.hold_seconds_default", self.hold_seconds_default, 1, self.hold_seconds_max);
        check.range("inventory.hold_total_seconds_max", self.hold_total_seconds_max, self.hold_seconds_max, 604_800);
        check.range("inventory.holder_units_max", self.holder_units_max, 1, 1_000_000_000);
        check.range("inventory.sweep_interval_ms", self.sweep_interval_ms, 50, 3_600_000);
        check.range("inventory.idempotency_hours", self.idempotency_hours, 24, 24 * 30);
        check.range("inventory.events_days", self.events_days, 1, 3_650);
        self.database.validate("inventory.database", check);
    }
}

/// The settings that are lists: in the environment with commas between the values, and empty for none.
const LISTS: [&str; 1] = ["server.trusted_proxies"];

/// Last names of settings that are texts of any kind. They are taken as they are: the password 007 is not the number 7.
const TEXTS: [&str; 10] = [
    "shop_name",
    "welcome",
    "password",
    "password_file",
    "username",
    "host",
    "path",
    "tls_root_cert",
    "owner",
    "owner_password_file",
];

/// What the file says, and over it what the environment says.
fn read(text: &str, environment: HashMap<String, String>) -> Result<Value, config::ConfigError> {
    let mut builder = config::Config::builder().add_source(config::File::from_str(text, config::FileFormat::Toml));
    let (mut keys, mut others) = (Vec::new(), HashMap::new());
    for (variable, text) in environment {
        let key = variable.trim_start_matches("EMPORIUM__").to_lowercase().replace("__", ".");
        if LISTS.contains(&key.as_str()) {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            builder = builder.set_override(&key, items.map(str::to_owned).collect::<Vec<String>>())?;
        } else if TEXTS.contains(&key.rsplit('.').next().unwrap_or_default()) {
            builder = builder.set_override(&key, text)?;
        } else {
            others.insert(variable, text);
        }
        keys.push(key);
    }
    let others =
        config::Environment::with_prefix("EMPORIUM").prefix_separator("__").separator("__").source(Some(others));
    let mut value = builder.add_source(others.try_parsing(true)).build()?.try_deserialize()?;
    mail::choose(&mut value, &keys);
    Ok(value)
}

/// Collects what [`Config::validate`] finds.
struct Check<'a>(&'a mut Vec<Fault>);

impl Check<'_> {
    fn that(&mut self, key: &str, holds: bool, message: &str) {
        if !holds {
            self.0.push(fault(key, message));
        }
    }

    fn range(&mut self, key: &str, value: u32, min: u32, max: u32) {
        self.that(key, (min..=max).contains(&value), &format!("is {value}; must be from {min} to {max}"));
    }

    fn url(&mut self, key: &str, value: &str) {
        let good = url::Url::parse(value).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let message = "must be an address with http:// or https://, a host, and no query";
        self.that(key, good && !value.ends_with('/'), message);
    }
}

fn fault(key: &str, message: impl Into<String>) -> Fault {
    Fault { key: key.to_owned(), message: message.into() }
}

fn read_secret(key: &str, file: &Option<PathBuf>, secret: &mut Option<Secret>, faults: &mut Vec<Fault>) {
    let Some(path) = file else { return };
    if secret.is_some() {
        return faults.push(fault(key, "cannot stand beside the same setting without _file: keep one of them"));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => match text.trim_end_matches(['\r', '\n']) {
            "" => faults.push(fault(key, format!("{} is empty: must hold the password", path.display()))),
            password => *secret = Some(Secret::new(password)),
        },
        Err(error) => faults.push(fault(key, format!("cannot read {}: {error}", path.display()))),
    }
}

/// Serde stops at its first error. Here each one is noted, mended with stage 0's value, and the reading begun again, until
/// what is left can be read: so that all faults of form are told at once, and the values can be checked as well.
fn deserialize(mut value: Value) -> (Option<Config>, Vec<Fault>) {
    let mut defaults: Value = toml::from_str(DEFAULT).expect("the compiled-in file is tested");
    let mut faults = Vec::new();
    const FAULTS_MAX: usize = 100;
    while faults.len() < FAULTS_MAX {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(config) => return (Some(config), faults),
            Err(error) => error,
        };
        let message = error.inner().to_string();
        let mut path = error.path().to_string();
        if path == "." {
            path.clear();
        }
        let quoted = message.split('`').nth(1).unwrap_or_default().to_owned();
        if message.starts_with("missing field") || (message.starts_with("unknown field") && !path.ends_with(&quoted)) {
            path = if path.is_empty() { quoted } else { format!("{path}.{quoted}") };
        }
        let pointer = format!("/{}", path.replace('.', "/"));
        let default = defaults.pointer_mut(&pointer).map(Value::take).filter(|value| !value.is_null());
        let text = match message.split_once(" `") {
            Some(("missing field", _)) => match &default {
                Some(default) => format!("is missing; stage 0 has {default}"),
                None => "is missing".to_owned(),
            },
            Some(("unknown field", rest)) => {
                let allowed = rest.split_once("expected ").map_or("", |(_, allowed)| allowed);
                format!("is not a setting; known here: {}", allowed.trim_start_matches("one of "))
            }
            _ if path == "mail.delivery" && message.ends_with("a single key") => {
                "must be one of [mail.delivery.folder] and [mail.delivery.smtp]".to_owned()
            }
            _ => message.clone(),
        };
        faults.push(fault(&path, text));
        if !mend(&mut value, &path, default) {
            break;
        }
    }
    (None, faults)
}

/// Puts `default` at `path`, or takes away what is there. Gives false when there is no such place.
fn mend(value: &mut Value, path: &str, default: Option<Value>) -> bool {
    let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
    let Some(Value::Object(map)) = value.pointer_mut(&pointer) else { return false };
    match default {
        Some(default) => {
            map.insert(key.to_owned(), default);
            true
        }
        None => map.remove(key).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        Config::parse(text, Default::default()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_compiled_in_file_is_good() {
        Config::parse(DEFAULT, Default::default()).unwrap();
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_path() {
        let text = DEFAULT
            .replace("listen = \"127.0.0.1:8080\"", "listen = \"here\"")
            .replace("workers = 0", "wrokers = 0")
            .replace("currency = \"USD\"", "currency = \"dollars\"")
            .replace("hold_seconds_max = 14_400", "hold_seconds_max = -1")
            .replacen("url = \"sqlite:data/emporium.db\"", "url = \"postgress://x\"", 1);
        let faults = faults(&text);
        for key in [
            "server.listen:",
            "server.wrokers: is not a setting; known here:",
            "server.workers: is missing; stage 0 has 0",
            "inventory.currency: must be an ISO 4217 code",
            "inventory.hold_seconds_max:",
            "inventory.database.url: must be sqlite:PATH or postgres://",
        ] {
            assert!(faults.iter().any(|fault| fault.starts_with(key)), "{key} is not in {faults:#?}");
        }
        assert_eq!(faults.len(), 6, "{faults:#?}");
    }

    #[test]
    fn the_environment_overrides_single_keys() {
        let variables = [("EMPORIUM__SERVER__WORKERS", "3"), ("EMPORIUM__INVENTORY__DATABASE__PASSWORD", "007")];
        let variables = variables.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let text = DEFAULT.replace("sqlite:data/emporium.db", "postgres://shop@db/shop");
        let config = Config::parse(&text, variables.into()).unwrap();
        assert_eq!(config.server.workers, 3);
        assert_eq!(config.inventory.database.password(), Some("007"));
        assert!(!toml::to_string(&config).unwrap().contains("007"));
    }

    #[test]
    fn without_another_address_the_shop_is_where_it_listens() {
        for (listen, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("127.0.0.1:9090", "http://127.0.0.1:9090"),
            ("0.0.0.0:80", "http://127.0.0.1"),
            ("[::]:8080", "http://[::1]:8080"),
            ("192.0.2.7:1080", "http://192.0.2.7:1080"),
        ] {
            assert_eq!(with(&[("SERVER__LISTEN", listen)]).unwrap().server.public_url, url, "{listen}");
        }
        let given = [("SERVER__LISTEN", "127.0.0.1:9090"), ("SERVER__PUBLIC_URL", "https://shop.example")];
        assert_eq!(with(&given).unwrap().server.public_url, "https://shop.example");
    }

    fn with(variables: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
        let variables = variables.iter().map(|(key, value)| (format!("EMPORIUM__{key}"), (*value).to_owned()));
        Config::parse(DEFAULT, variables.collect())
    }

    #[test]
    fn lists_come_from_the_environment_and_nothing_else_with_commas_is_one() {
        let proxies = |text| with(&[("SERVER__TRUSTED_PROXIES", text)]).map(|config| config.server.trusted_proxies);
        let both: Vec<Proxy> = vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(proxies("10.0.0.1,::1").unwrap(), both);
        assert_eq!(proxies("10.0.0.1, ::1 ,").unwrap(), both);
        assert_eq!(proxies("10.0.0.1").unwrap(), both[..1]);
        assert_eq!(proxies("").unwrap(), both[..0]);
        let network = proxies("10.0.0.1/24").unwrap()[0];
        assert!(network.has("10.0.0.255".parse().unwrap()) && !network.has("10.0.1.0".parse().unwrap()));
        let wrong = &proxies("10.0.0.1,here").unwrap_err()[0];
        assert!(wrong.key.starts_with("server.trusted_proxies") && wrong.message.contains("10.0.0.0/24"), "{wrong:?}");

        let config = with(&[
            ("LOG__LEVEL", "warn,emporium=debug"),
            ("MAIL__FROM", "\"Shop, the\" <a@b.example>"),
            ("MAIL__DELIVERY__FOLDER__PATH", "007"),
        ]);
        let config = config.unwrap();
        assert_eq!(
            (config.log.level.as_str(), config.mail.from.as_str()),
            ("warn,emporium=debug", "\"Shop, the\" <a@b.example>")
        );
        assert!(matches!(config.mail.delivery, MailDelivery::Folder { path } if path == Path::new("007")));
    }

    #[test]
    fn every_list_is_known_as_one() {
        fn lists(value: &Value, key: &str, found: &mut Vec<String>) {
            match value {
                Value::Array(_) => found.push(key.trim_start_matches('.').to_owned()),
                Value::Object(map) => {
                    map.iter().for_each(|(name, value)| lists(value, &format!("{key}.{name}"), found))
                }
                _ => {}
            }
        }
        let mut found = Vec::new();
        lists(&toml::from_str(DEFAULT).unwrap(), "", &mut found);
        assert_eq!(found, LISTS);
    }

    #[test]
    fn an_empty_password_file_is_a_fault() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\n").unwrap();
        let postgres = DEFAULT.replace("sqlite:data/emporium.db", "postgres://shop@db/shop");
        let text =
            postgres.replace("tls = \"disable\"", &format!("tls = \"disable\"\npassword_file = {:?}", file.path()));
        let faults = faults(&text);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(
            faults[0].starts_with("inventory.database.password_file: ") && faults[0].contains("is empty"),
            "{faults:?}"
        );
    }
}
