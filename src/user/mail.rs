//! Sends mails: to an SMTP server, or, for trying things out, into a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use tokio::io::AsyncWriteExt;

use crate::clock::Id;
use crate::config::{MailConfig, MailDelivery, SmtpConfig, SmtpTls};
use crate::error::chain;

mod letter;

pub(super) use letter::{Letter, Letters};

/// A letter to somebody.
pub(super) struct Mail {
    pub id: Id,
    pub recipient: String,
    pub subject: String,
    pub body: String,
}

impl Mail {
    /// All of the recipient that may stand in the log.
    pub(super) fn domain(&self) -> &str {
        self.recipient.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// Why a mail cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MailError(String);

impl MailError {
    fn new(error: impl std::error::Error) -> Self {
        MailError(chain(&error))
    }
}

/// The way out.
pub(super) struct Mailer {
    from: Mailbox,
    delivery: Delivery,
}

enum Delivery {
    Folder(PathBuf),
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>, Duration),
}

impl Mailer {
    /// Connects to nothing yet.
    pub(super) fn new(config: &MailConfig) -> Result<Mailer, MailError> {
        let from = config.from.parse().map_err(MailError::new)?;
        let delivery = match &config.delivery {
            MailDelivery::Folder { path } => Delivery::Folder(path.clone()),
            MailDelivery::Smtp(smtp) => {
                let timeout = Duration::from_secs(u64::from(smtp.timeout_seconds));
                Delivery::Smtp(Box::new(transport(smtp, timeout)?), timeout)
            }
        };
        Ok(Mailer { from, delivery })
    }

    /// Sends a mail; returns once the other side has taken it.
    pub(super) async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = self.message(mail)?;
        match &self.delivery {
            Delivery::Folder(path) => write(path, mail, &message.formatted()).await.map_err(MailError::new),
            Delivery::Smtp(transport, timeout) => {
                let sent = tokio::time::timeout(*timeout, transport.send(message)).await;
                sent.map_err(|_| MailError("the server took too long".to_owned()))?.map_err(MailError::new)?;
                Ok(())
            }
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, MailError> {
        let to: lettre::Address = mail.recipient.parse().map_err(MailError::new)?;
        Message::builder()
            .from(self.from.clone())
            .to(to.into())
            // The same at each try, so that one that arrives twice can be told.
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .subject(&mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body(&mail.body))
            .map_err(MailError::new)
    }
}

/// As it stands, where the protocol allows it: encoded, a link of more than 76 characters is cut and cannot be read in the folder's files.
fn body(text: &str) -> Body {
    const LINE_LENGTH_MAX: usize = 998;
    match text.is_ascii() && text.lines().all(|line| line.len() <= LINE_LENGTH_MAX) {
        true => {
            let lines: String = text.lines().flat_map(|line| [line, "\r\n"]).collect();
            Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit)
        }
        false => Body::new(text.to_owned()),
    }
}

fn transport(config: &SmtpConfig, timeout: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let parameters = || TlsParameters::new(config.host.clone()).map_err(MailError::new);
    let tls = match config.tls {
        SmtpTls::None => Tls::None,
        SmtpTls::Starttls => Tls::Required(parameters()?),
        SmtpTls::Tls => Tls::Wrapper(parameters()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
        .port(config.port)
        .tls(tls)
        .timeout(Some(timeout));
    if let (Some(username), Some(password)) = (&config.username, &config.password) {
        builder = builder.credentials(Credentials::new(username.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
}

/// Under another name first: whoever looks into the folder sees whole mails only.
async fn write(folder: &Path, mail: &Mail, bytes: &[u8]) -> std::io::Result<()> {
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
    let (unfinished, path) = (folder.join(format!("{}.part", mail.id)), folder.join(format!("{}.eml", mail.id)));
    let mut file =
        tokio::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&unfinished).await?;
    file.write_all(bytes).await?;
    file.flush().await?;
    tokio::fs::rename(&unfinished, &path).await?;
    // The links in it open accounts: they stay out of the log.
    tracing::info!(domain = mail.domain(), path = %path.display(), subject = mail.subject, "mail written to the folder");
    Ok(())
}
