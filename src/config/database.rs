//! How a module reaches its database.

use std::fmt;
use std::path::PathBuf;

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
        let unnamed = || "database.owner: database.url must name the role that uses the tables, as postgres://ROLE@...";
        let (scheme, rest) = url.split_once("://").ok_or_else(unnamed)?;
        let (login, place) = rest.split_once('@').ok_or_else(unnamed)?;
        let mut faults = vec![];
        let mut config = DatabaseConfig {
            url: DatabaseUrl::Postgres(format!("{scheme}://{owner}@{place}")),
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
            None => Ok(Some((config, login.split(':').next().unwrap_or_default().to_owned()))),
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
        match self.url {
            DatabaseUrl::Sqlite(_) => {
                check.that(&format!("{key}.tls"), self.tls == Tls::Disable, "must be \"disable\" for SQLite");
                check.that(&format!("{key}.password"), self.password.is_none(), "SQLite takes no password");
                check.that(&format!("{key}.owner"), self.owner.is_none(), "an SQLite file has no roles");
            }
            DatabaseUrl::Postgres(_) if matches!(self.tls, Tls::VerifyCa | Tls::VerifyFull) => {
                let fault = self.root_cert_fault().unwrap_or_default();
                check.that(&format!("{key}.tls_root_cert"), fault.is_empty(), &fault);
            }
            DatabaseUrl::Postgres(_) => {}
        }
    }

    /// Why a server's certificate cannot be verified with what is configured.
    fn root_cert_fault(&self) -> Option<String> {
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
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(DatabaseUrl::Postgres(text)),
            _ => Err(serde::de::Error::custom("must be sqlite:PATH or postgres://USER@HOST:PORT/DATABASE")),
        }
    }
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
}
