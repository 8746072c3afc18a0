//! Mails to a real SMTP server, Debian's python3-aiosmtpd.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emporium::config::SmtpConfig;
use serde_json::json;

use super::*;
use crate::testapp::{Backend, TestApp, on_both};

/// A server that puts mails into a maildir; ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    async fn start(port: u16, maildir: &Path) -> Server {
        let has_it = |python: &&str| {
            let imported = Command::new(python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
            imported.is_ok_and(|status| status.success())
        };
        let python = ["python3", "/usr/bin/python3"].into_iter().find(has_it);
        let python = python.expect("python3-aiosmtpd is not installed; scripts/test.sh installs it");
        let address = format!("127.0.0.1:{port}");
        let child = Command::new(python)
            .args(["-m", "aiosmtpd", "-n", "-l", &address, "-c", "aiosmtpd.handlers.Mailbox"])
            .arg(maildir)
            .spawn()
            .unwrap();
        let start = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "the SMTP server did not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Server(child)
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn start(backend: Backend, port: u16) -> TestApp {
    TestApp::start_with(backend, |config| {
        config.mail.from = "The Shop <shop@example.com>".into();
        config.mail.delivery = MailDelivery::Smtp(SmtpConfig {
            host: "127.0.0.1".into(),
            port,
            tls: emporium::config::SmtpTls::None,
            username: None,
            password: None,
            password_file: None,
            timeout_seconds: 10,
        });
    })
    .await
}

/// Sends until nothing is due and `waiting` mails are left, which also waits for what the shop itself is sending.
async fn send_until(app: &TestApp, waiting: &str) {
    let start = Instant::now();
    while app.shop.modules.user.mail_send_next().await.unwrap() || app.number(waiting) != 1 {
        assert!(start.elapsed() < Duration::from_secs(30), "{waiting}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

on_both! {
    async fn a_mail_waits_for_its_server_and_arrives(backend: Backend) {
        let port = free_port();
        let app = start(backend, port).await;
        // Nobody waits for the server, which is not there yet.
        let (status, _) = app.post("/api/v1/auth/register", json!({ "email": ANN, "password": PASSWORD })).await;
        assert_eq!(status, 202);
        send_until(&app, "SELECT count(*) AS n FROM {}mails WHERE attempts = 1").await;

        let maildir = app.folder.path().join("maildir");
        let _server = Server::start(port, &maildir).await;
        app.clock.advance(Duration::from_secs(180));
        send_until(&app, "SELECT count(*) + 1 AS n FROM {}mails").await;
        let mails: Vec<_> = std::fs::read_dir(maildir.join("new")).unwrap().collect();
        assert_eq!(mails.len(), 1);
        let mail = std::fs::read_to_string(mails[0].as_ref().unwrap().path()).unwrap();
        assert!(mail.contains("From: \"The Shop\" <shop@example.com>"), "{mail}");
        assert!(mail.contains("To: ann@example.com"), "{mail}");
        let token = mail.split_once("/verify?token=").unwrap().1.lines().next().unwrap();
        let (status, _) = app.post("/api/v1/auth/email/verify", json!({ "token": token })).await;
        assert_eq!(status, 204);
    }

    async fn a_mail_that_never_arrives_is_given_up_after_a_day(backend: Backend) {
        let app = start(backend, free_port()).await;
        app.post("/api/v1/auth/register", json!({ "email": ANN, "password": PASSWORD })).await;
        for attempt in 1..10 {
            send_until(&app, &format!("SELECT count(*) AS n FROM {{}}mails WHERE attempts = {attempt}")).await;
            app.clock.advance(Duration::from_secs(180 << (attempt - 1)));
        }
        send_until(&app, "SELECT count(*) + 1 AS n FROM {}mails").await;
    }
}
