//! How a module reaches its database.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Check, Secret};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    pub url: DatabaseUrl,
    /// The file that holds the password; read once, at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The role of `emporium migrate`, where it is another one: it makes the tables, and lets the role of `url` use them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The file that holds its password; read by `migrate` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_password_file: Option<PathBuf>,
    pub pool_size: u32,
    pub pool_wait_ms: u32,
    pub overload_wait_ms: u32,
    pub queue_max: u32,
    pub connect_timeout_seconds: u32,
    pub statement_timeout_ms: u32,
    pub lock_timeout_ms: u32,
    pub pooler: Pooler,
    pub tls: Tls,
    /// The file with the certificate authority that signed the server's certificate; must be there where `tls` verifies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_root_cert: Option<String>,
}

impl DatabaseConfig {
    /// Do both mean the same SQLite file?
    pub fn is_same_file(&self, other: &DatabaseConfig) -> bool {
        matches!(self.url, DatabaseUrl::Sqlite(_)) && self.url == other.url
    }

    pub fn password(&self) -> Option<&str> {
        self.password.as_ref().map(Secret::expose)
    }

    /// The same database as its owner reaches it, and the role that is to use what he makes; `None`: nobody but that role is named.
    pub fn as_owner(&self) -> Result<Option<(DatabaseConfig, String)>, String> {
        let (Some(owner), DatabaseUrl::Postgres(url)) = (&self.owner, &self.url) else { return Ok(None) };
        let Parts { scheme, login, hosts, rest } = Parts::of(url);
        let role = login.split(':').next().unwrap_or_default();
        if role.is_empty() {
            let unnamed = "database.url must name the role that uses the tables, as postgres://ROLE@...";
            return Err(format!("database.owner: {unnamed}"));
        }
        let owner = utf8_percent_encode(owner, NON_ALPHANUMERIC);
        let mut faults = vec![];
        let mut config = DatabaseConfig {
            url: DatabaseUrl::Postgres(format!("{scheme}://{owner}@{hosts}{rest}")),
            password: None,
            ..self.clone()
        };
        super::read_secret(
            "database.owner_password_file",
            &self.owner_password_file,
            &mut config.password,
            &mut faults,
        );
        match faults.first() {
            Some(fault) => Err(fault.to_string()),
            None => Ok(Some((config, percent_decode_str(role).decode_utf8_lossy().into_owned()))),
        }
    }

    pub(super) fn validate(&self, key: &str, check: &mut Check) {
        check.range(&format!("{key}.pool_size"), self.pool_size, 1, 1_000);
        check.range(&format!("{key}.pool_wait_ms"), self.pool_wait_ms, 1, 60_000);
        check.range(&format!("{key}.overload_wait_ms"), self.overload_wait_ms, 1, self.pool_wait_ms);
        check.range(&format!("{key}.queue_max"), self.queue_max, 1, 100_000);
        check.range(&format!("{key}.connect_timeout_seconds"), self.connect_timeout_seconds, 2, 60);
        check.range(&format!("{key}.statement_timeout_ms"), self.statement_timeout_ms, 100, 3_600_000);
        check.range(&format!("{key}.lock_timeout_ms"), self.lock_timeout_ms, 10, self.statement_timeout_ms);
        match &self.url {
            DatabaseUrl::Sqlite(_) => {
                check.that(&format!("{key}.pooler"), self.pooler == Pooler::None, "must be \"none\" for SQLite");
                check.that(&format!("{key}.tls"), self.tls == Tls::Disable, "must be \"disable\" for SQLite");
                check.that(&format!("{key}.password"), self.password.is_none(), "SQLite takes no password");
                check.that(&format!("{key}.owner"), self.owner.is_none(), "an SQLite file has no roles");
            }
            DatabaseUrl::Postgres(url) => {
                let message = "an @ in a user's name or password is written %40; or use password_file";
                check.that(&format!("{key}.url"), !Parts::of(url).login.contains('@'), message);
                let fault = self.root_cert_fault().unwrap_or_default();
                check.that(&format!("{key}.tls_root_cert"), fault.is_empty(), &fault);
            }
        }
    }

    /// Why a server's certificate cannot be verified with what is configured.
    fn root_cert_fault(&self) -> Option<String> {
        if !matches!(self.tls, Tls::VerifyCa | Tls::VerifyFull) {
            return None;
        }
        let allowed = "must be a file with the certificate authority in PEM form (-----BEGIN CERTIFICATE-----)";
        let tls = self.tls.as_str();
        let Some(path) = &self.tls_root_cert else {
            return Some(format!("is missing, and tls = \"{tls}\" needs it; {allowed}"));
        };
        match std::fs::read(path) {
            Err(error) => Some(format!("cannot read {path}: {error}; {allowed}")),
            Ok(bytes) if String::from_utf8_lossy(&bytes).contains("-----BEGIN CERTIFICATE-----") => None,
            Ok(_) => Some(format!("there is no certificate in {path}; {allowed}")),
        }
    }
}

/// What stands between the shop and the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooler {
    /// Nothing: a connection has a server process of its own, which keeps its settings and its prepared statements.
    None,
    /// PgBouncer in transaction mode: each transaction may meet another server process.
    Transaction,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Tls {
    pub fn as_str(self) -> &'static str {
        match self {
            Tls::Disable => "disable",
            Tls::Prefer => "prefer",
            Tls::Require => "require",
            Tls::VerifyCa => "verify-ca",
            Tls::VerifyFull => "verify-full",
        }
    }
}

/// Where a database is. The scheme must be written, so that a typo never makes an SQLite file of that name.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

impl fmt::Display for DatabaseUrl {
    /// With a password in the address masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseUrl::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) => f.write_str(&mask_password(url)),
        }
    }
}

/// An address of PostgreSQL in its parts, as libpq reads it: `postgres://LOGIN@HOST,HOST/DATABASE?PARAMETERS`.
struct Parts<'a> {
    scheme: &'a str,
    /// The role and perhaps its password, percent-coded; or nothing.
    login: &'a str,
    hosts: &'a str,
    /// From the slash on.
    rest: &'a str,
}

impl Parts<'_> {
    fn of(url: &str) -> Parts<'_> {
        let (scheme, all) = url.split_once("://").unwrap_or_default();
        let (authority, rest) = all.split_at(all.find(['/', '?']).unwrap_or(all.len()));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        Parts { scheme, login, hosts, rest }
    }
}

impl DatabaseUrl {
    /// The servers that a PostgreSQL address names, as host and port, and the address of each alone.
    pub fn servers(&self) -> Vec<(String, String)> {
        let DatabaseUrl::Postgres(url) = self else { return vec![] };
        let Parts { scheme, login, hosts, rest } = Parts::of(url);
        let at = if login.is_empty() { "" } else { "@" };
        let server = |host: &str| {
            // An IPv6 address has colons in its brackets.
            let has_port = host.rsplit(']').next().unwrap_or_default().contains(':');
            let name = if has_port { host.to_lowercase() } else { format!("{}:5432", host.to_lowercase()) };
            (name, format!("{scheme}://{login}{at}{host}{rest}"))
        };
        hosts.split(',').map(server).collect()
    }
}

fn mask_password(url: &str) -> String {
    let Some((head, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((login, host)) if login.contains(':') => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{head}://{user}:***@{host}")
        }
        _ => url.to_owned(),
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.trim_start_matches("//").is_empty() => {
                Ok(DatabaseUrl::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            // libpq would take it, and everything that shows an address would show it.
            Some(("postgres" | "postgresql", rest)) if rest.contains("password=") => {
                Err(serde::de::Error::custom("must not have a password among its parameters: use password_file"))
            }
            // Each server is asked by itself.
            Some(("postgres" | "postgresql", rest)) if several_among_parameters(rest) => Err(serde::de::Error::custom(
                "must name several hosts before the database: postgres://USER@HOST,HOST/DATABASE",
            )),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(DatabaseUrl::Postgres(text)),
            _ => Err(serde::de::Error::custom("must be sqlite:PATH or postgres://USER@HOST:PORT/DATABASE")),
        }
    }
}

fn several_among_parameters(url: &str) -> bool {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    let is_list = |text: &str| text.contains(',') || text.to_uppercase().contains("%2C");
    parameters.split('&').any(|parameter| parameter.starts_with("host") && is_list(parameter))
}

#[cfg(test)]
mod tests {
    use super::super::{Config, DEFAULT};
    use super::*;

    #[test]
    fn what_cannot_verify_a_server_is_a_fault() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            format!("tls_root_cert = {path:?}")
        };
        let faults = |inventory: &str, user: &str| {
            let text = DEFAULT.replace("sqlite:data/emporium.db", "postgres://shop@db/shop");
            let text = text.replacen("tls = \"disable\"", inventory, 1).replacen("tls = \"disable\"", user, 1);
            let faults = Config::parse(&text, Default::default()).err().unwrap_or_default();
            faults.iter().map(ToString::to_string).collect::<Vec<String>>()
        };
        let nowhere = format!("tls_root_cert = {:?}", folder.path().join("nowhere.pem"));
        let empty = file("empty.pem", "no certificate\n");
        let good = file("ca.pem", "# ours\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        for (setting, told) in [("", "is missing"), (&nowhere, "cannot read"), (&empty, "there is no certificate in")] {
            let [ca, full] = ["verify-ca", "verify-full"].map(|mode| format!("tls = \"{mode}\"\n{setting}"));
            let faults = faults(&ca, &full);
            assert_eq!(faults.len(), 2, "{faults:?}");
            assert!(
                faults[0].starts_with("inventory.database.tls_root_cert: ") && faults[0].contains(told),
                "{faults:?}"
            );
            assert!(faults[1].starts_with("user.database.tls_root_cert: ") && faults[1].contains(told), "{faults:?}");
        }
        let good = faults(&format!("tls = \"verify-full\"\n{good}"), "tls = \"require\"");
        assert!(good.is_empty(), "{good:?}");
    }

    #[test]
    fn a_password_in_an_address_is_masked() {
        let url: DatabaseUrl = serde_json::from_str("\"postgres://shop:secret@db:5432/shop\"").unwrap();
        assert_eq!(url.to_string(), "postgres://shop:***@db:5432/shop");
    }

    fn parsed(url: &str) -> Result<DatabaseConfig, Vec<String>> {
        let text = DEFAULT.replace("sqlite:data/emporium.db", url);
        let told = |faults: Vec<super::super::Fault>| faults.iter().map(ToString::to_string).collect();
        Config::parse(&text, Default::default()).map(|config| config.inventory.database).map_err(told)
    }

    #[test]
    fn an_address_may_name_several_servers() {
        let config = parsed("postgres://shop:a%40b@One,two:5433,[::1]/shop?target_session_attrs=read-write").unwrap();
        let servers = config.url.servers();
        let names: Vec<&str> = servers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["one:5432", "two:5433", "[::1]:5432"]);
        assert_eq!(servers[1].1, "postgres://shop:a%40b@two:5433/shop?target_session_attrs=read-write");
        assert!(config.url.to_string().starts_with("postgres://shop:***@One,two:5433,[::1]/"), "{}", config.url);
        for url in ["postgres:///shop?host=one,two", "postgres:///shop?hostaddr=::1%2c::2"] {
            let faults = parsed(url).unwrap_err();
            assert!(faults[0].contains("must name several hosts before the database"), "{faults:?}");
        }
    }

    #[test]
    fn the_owner_connects_to_the_same_place_and_names_are_percent_coded() {
        let owners = |url: &str| {
            let config = DatabaseConfig { owner: Some("the owner@shop".into()), ..parsed(url).unwrap() };
            config.as_owner().map(Option::unwrap)
        };
        let (owner, role) = owners("postgres://a%20role%2B:p%40ss@one,two:5433/shop?x=@").unwrap();
        assert_eq!(role, "a role+");
        let DatabaseUrl::Postgres(url) = owner.url else { panic!("no PostgreSQL") };
        assert_eq!(url, "postgres://the%20owner%40shop@one,two:5433/shop?x=@");
        assert!(owners("postgres://one/shop?x=@").unwrap_err().contains("must name the role"));
        // libpq would take the first @ for the end of the password.
        let faults = parsed("postgres://shop:p@ss@db/shop").unwrap_err();
        assert!(faults[0].starts_with("inventory.database.url: ") && faults[0].contains("%40"), "{faults:?}");
        assert!(!faults[0].contains("ss@db"), "{faults:?}");
    }

    #[test]
    fn a_file_has_no_pooler() {
        let text = DEFAULT.replacen("pooler = \"none\"", "pooler = \"transaction\"", 1);
        let faults = Config::parse(&text, Default::default()).unwrap_err();
        assert_eq!(faults[0].to_string(), "inventory.database.pooler: must be \"none\" for SQLite");
    }
}
