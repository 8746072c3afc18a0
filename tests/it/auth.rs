//! Accounts, log-in, sessions, passwords and mails. Over HTTP, where the trait is not what a test is about.

use std::time::Duration;

use emporium::config::{DatabaseUrl, MailDelivery};
use emporium::user::Origin;
use reqwest::Method;
use serde_json::{Value, json};

use crate::testapp::{PASSWORD, TestApp, read};

mod email;
mod outgoing;
mod password;
mod race;
mod registration;
mod session;
mod setup;
mod statements;
mod throttle;
mod timing;

const ANN: &str = "ann@example.com";
const OTHER_PASSWORD: &str = "mountain river lamp seven";

impl TestApp {
    /// Sends JSON; gives the status and the JSON of the answer.
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        read(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    async fn post_as(&self, token: &str, path: &str, body: Value) -> (u16, Value) {
        read(self.request_as(token, Method::POST, path).json(&body).send().await.unwrap()).await
    }

    async fn try_login(&self, email: &str, password: &str) -> (u16, Value) {
        self.post("/api/v1/auth/login", json!({ "email": email, "password": password })).await
    }

    /// Is this token somebody's?
    async fn is_live(&self, token: &str) -> bool {
        match self.request_as(token, Method::GET, "/api/v1/me/sessions").send().await.unwrap().status().as_u16() {
            200 => true,
            401 => false,
            other => panic!("{other}"),
        }
    }

    /// All mails in the folder, oldest first, once those that were written are sent.
    async fn mails(&self) -> Vec<String> {
        let MailDelivery::Folder { path } = &self.config.mail.delivery else { panic!("no folder") };
        // The shop sends too; what it has taken and not yet sent is awaited.
        while self.shop.modules.user.mail_send_next().await.unwrap()
            || self.number("SELECT count(*) AS n FROM {}mails") > 0
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let entries =
            std::fs::read_dir(path).map_or(vec![], |entries| entries.map(|entry| entry.unwrap().path()).collect());
        let mut paths: Vec<_> =
            entries.into_iter().filter(|path| path.extension().is_some_and(|end| end == "eml")).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// The newest mail to this address with this subject.
    pub(crate) async fn mail(&self, recipient: &str, subject: &str) -> Option<String> {
        let (to, subject) = (format!("To: {recipient}\r\n"), format!("Subject: {subject}\r\n"));
        self.mails().await.into_iter().rev().find(|mail| mail.contains(&to) && mail.contains(&subject))
    }

    /// The token in the link of the newest such mail.
    pub(crate) async fn mailed_token(&self, recipient: &str, subject: &str) -> String {
        let mail = self.mail(recipient, subject).await.unwrap_or_else(|| panic!("no mail {subject:?} to {recipient}"));
        mail.split_once("token=").unwrap().1.lines().next().unwrap().to_owned()
    }

    /// Runs SQL in the user module's database; `{}` stands before each table.
    fn sql(&self, sql: &str) {
        use diesel::connection::{Connection, SimpleConnection};
        match &self.config.user.database.url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                conn.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
                conn.batch_execute(&sql.replace("{}", "")).unwrap();
            }
            DatabaseUrl::Postgres(url) => {
                let mut conn = diesel::PgConnection::establish(url).unwrap();
                conn.batch_execute(&sql.replace("{}", "users.")).unwrap();
            }
        }
    }

    /// The number that SQL gives under the name `n`.
    fn number(&self, sql: &str) -> i64 {
        use diesel::prelude::*;
        #[derive(diesel::QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let row: Row = match &self.config.user.database.url {
            DatabaseUrl::Sqlite(path) => {
                let mut conn = diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap();
                diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut conn).unwrap();
                diesel::sql_query(sql.replace("{}", "")).get_result(&mut conn).unwrap()
            }
            DatabaseUrl::Postgres(url) => {
                let mut conn = diesel::PgConnection::establish(url).unwrap();
                diesel::sql_query(sql.replace("{}", "users.")).get_result(&mut conn).unwrap()
            }
        };
        row.n
    }

    /// How often this act stands in the audit log.
    fn audited(&self, action: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS n FROM {{}}audit_log WHERE action = '{action}'"))
    }
}

fn from(address: &str) -> Origin {
    Origin { address: address.to_owned(), user_agent: "test".to_owned() }
}

fn code(body: &Value) -> &str {
    body["code"].as_str().unwrap_or_default()
}

fn pointer(body: &Value) -> &str {
    body["errors"][0]["pointer"].as_str().unwrap_or_default()
}
