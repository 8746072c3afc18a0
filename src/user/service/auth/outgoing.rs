//! Sending what was written to be mailed: apart from every request, so that nobody waits for a mail server.

use crate::db::Lease;
use crate::user::UserError;
use crate::user::mail::Mail;
use crate::user::service::LocalUser;
use crate::user::store::mail::{mail_claim, mail_delete, mail_due};

/// After so many tries, which with the waits between them take a day, a mail is given up.
const ATTEMPTS_MAX: i64 = 10;

/// Before the second try; doubled before each further one. Longer than sending can take, so that no two processes send the same.
const WAIT_SECONDS: u32 = 180;

impl LocalUser {
    /// See [`crate::user::Auth::mail_send_next`].
    pub(super) async fn mail_send_one(&self) -> Result<bool, UserError> {
        Ok(self.db.leased("mail", |lease| self.mail_send(lease)).await?.unwrap_or(false))
    }

    async fn mail_send(&self, lease: Lease) -> Result<bool, UserError> {
        let now = self.clock.now();
        let claimed = self.db.write(move |conn| {
            lease.fence(conn)?;
            let Some((mail, attempts)) = mail_due(conn, now)? else { return Ok(None) };
            let wait = WAIT_SECONDS << attempts.clamp(0, ATTEMPTS_MAX);
            let claimed = mail_claim(conn, mail.id, attempts, now.plus_seconds(wait))?;
            Ok::<_, UserError>(Some((mail, attempts + 1, claimed)))
        });
        let Some((mail, attempt, claimed)) = claimed.await? else { return Ok(false) };
        if claimed && self.mail_try(&mail, attempt).await {
            self.db.write(move |conn| Ok::<_, UserError>(mail_delete(conn, mail.id)?)).await?;
        }
        Ok(true)
    }

    /// Tries to send; gives whether this mail is done with.
    async fn mail_try(&self, mail: &Mail, attempt: i64) -> bool {
        if mail.recipient.is_empty() {
            // Written where there is no account, for the time it takes.
            return true;
        }
        let sent = self.mailer.send(mail).await;
        let outcome = match &sent {
            Ok(()) => "sent",
            Err(_) if attempt < ATTEMPTS_MAX => "failed",
            Err(_) => "given_up",
        };
        metrics::counter!("emporium_mails_total", "outcome" => outcome).increment(1);
        let (id, domain) = (mail.id, mail.domain());
        match sent {
            Ok(()) => true,
            Err(error) if attempt < ATTEMPTS_MAX => {
                tracing::warn!(%id, domain, attempt, %error, "cannot send a mail; it is tried again");
                false
            }
            Err(error) => {
                tracing::error!(%id, domain, attempt, %error, "a mail is given up");
                true
            }
        }
    }
}
