//! How mails go out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Secret};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// As `Shop <shop@example.com>`.
    pub from: String,
    pub delivery: MailDelivery,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MailDelivery {
    /// Each mail becomes a file: for trying things out.
    Folder {
        path: PathBuf,
    },
    Smtp(SmtpConfig),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The file that holds the password; read once, at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    pub timeout_seconds: u32,
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// Not at all: for a server on the same machine.
    None,
    /// From the STARTTLS command on; a server without it gets no mail.
    Starttls,
    /// From the first byte on.
    Tls,
}

/// A delivery that the environment sets (`keys`) takes the place of the file's other one.
pub(super) fn choose(value: &mut Value, keys: &[String]) {
    let set = |name: &str| keys.iter().any(|key| key.starts_with(&format!("mail.delivery.{name}.")));
    let other = match (set("folder"), set("smtp")) {
        (true, false) => "smtp",
        (false, true) => "folder",
        _ => return,
    };
    if let Some(Value::Object(deliveries)) = value.pointer_mut("/mail/delivery") {
        deliveries.remove(other);
    }
}

impl MailConfig {
    pub(super) fn validate(&self, check: &mut Check) {
        let from = self.from.parse::<lettre::message::Mailbox>();
        check.that("mail.from", from.is_ok(), "must be an e-mail address, as `Shop <shop@example.com>`");
        match &self.delivery {
            MailDelivery::Folder { path } => {
                let named = !path.as_os_str().is_empty();
                check.that("mail.delivery.folder.path", named, "must name a folder");
            }
            MailDelivery::Smtp(smtp) => smtp.validate(check),
        }
    }
}

impl SmtpConfig {
    fn validate(&self, check: &mut Check) {
        let host = url::Host::parse(&self.host).is_ok();
        check.that("mail.delivery.smtp.host", host, "must be a host name or an IP address");
        check.that("mail.delivery.smtp.port", self.port > 0, "must be from 1 to 65535");
        check.range("mail.delivery.smtp.timeout_seconds", self.timeout_seconds, 1, 120);
        check.that(
            "mail.delivery.smtp.username",
            self.username.is_some() == self.password.is_some(),
            "username and password (or password_file) go together: give both or none",
        );
        check.that(
            "mail.delivery.smtp.tls",
            self.password.is_none() || self.tls != SmtpTls::None,
            "must be \"starttls\" or \"tls\": a password is not sent in the clear",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, DEFAULT};

    fn smtp(settings: &str) -> String {
        let (head, _) = DEFAULT.split_once("[mail.delivery.folder]").unwrap();
        format!("{head}[mail.delivery.smtp]\nhost = \"mail.example.com\"\nport = 587\ntimeout_seconds = 30\n{settings}")
    }

    #[test]
    fn a_mail_servers_password_comes_from_a_file_and_is_not_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let settings = format!("tls = \"starttls\"\nusername = \"shop\"\npassword_file = {:?}", file.path());
        let config = Config::parse(&smtp(&settings), Default::default()).unwrap();
        let super::MailDelivery::Smtp(smtp) = &config.mail.delivery else { panic!("{:?}", config.mail) };
        assert_eq!(smtp.password.as_ref().unwrap().expose(), "hunter2");
        assert!(!toml::to_string(&config).unwrap().contains("hunter2"));
    }

    #[test]
    fn the_environment_chooses_the_delivery() {
        let key = |name: &str| format!("EMPORIUM__MAIL__DELIVERY__{name}");
        let variables = [
            ("SMTP__HOST", "mail.example.com"),
            ("SMTP__PORT", "587"),
            ("SMTP__TLS", "starttls"),
            ("SMTP__USERNAME", "42"),
            ("SMTP__PASSWORD", "1e3"),
            ("SMTP__TIMEOUT_SECONDS", "30"),
        ];
        let variables = variables.map(|(name, value)| (key(name), value.to_owned()));
        let config = Config::parse(DEFAULT, variables.clone().into()).unwrap();
        let super::MailDelivery::Smtp(server) = &config.mail.delivery else { panic!("{:?}", config.mail) };
        assert_eq!((server.port, server.username.as_deref()), (587, Some("42")));
        assert_eq!(server.password.as_ref().unwrap().expose(), "1e3");

        let folder = (key("FOLDER__PATH"), "mails".to_owned());
        let config = Config::parse(&smtp("tls = \"none\""), [folder.clone()].into()).unwrap();
        assert!(matches!(config.mail.delivery, super::MailDelivery::Folder { .. }));

        let both = variables.into_iter().chain([folder]).collect();
        let faults = Config::parse(DEFAULT, both).unwrap_err();
        assert!(faults[0].to_string().starts_with("mail.delivery: must be one of"), "{faults:?}");
    }

    #[test]
    fn faults_of_mail_are_told() {
        let text = smtp("tls = \"none\"\npassword = \"hunter2\"").replace("emporium <shop@localhost>", "the shop");
        let faults = Config::parse(&text, Default::default()).unwrap_err();
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["mail.from", "mail.delivery.smtp.username", "mail.delivery.smtp.tls"]);
        let faults = Config::parse(&smtp("tls = \"maybe\""), Default::default()).unwrap_err();
        assert!(faults[0].to_string().contains("mail.delivery.smtp.tls"), "{faults:?}");
    }
}
