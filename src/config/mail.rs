//! How mails go out.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    #[serde(default, deserialize_with = "super::secret", skip_serializing_if = "Option::is_none")]
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
