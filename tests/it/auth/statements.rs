//! An address with an account and one without take as many SQL statements, so that the time is the same however far away the database
//! is; and what is wrong with a request costs no hash.

use std::sync::Arc;
use std::time::{Duration, Instant};

use emporium::app::{self, Modules};
use emporium::call::Role;
use emporium::clock::SystemClock;
use emporium::config::{Config, Secret};
use emporium::user::{EmailChange, Login, PasswordForgotten, Registration, TokenUse, UserError};
use tempfile::TempDir;

use super::*;
use crate::testapp::{Backend, on_both, test_config};
use crate::watch::Watch;

/// The modules without what works beside the requests.
struct Quiet {
    modules: Modules,
    watch: Watch,
    config: Config,
    _folder: TempDir,
}

impl Quiet {
    async fn start(backend: Backend) -> Quiet {
        let folder = TempDir::new().unwrap();
        let config = test_config(backend, &folder);
        let watch = Watch::start(&config);
        let modules = app::modules(&config, Arc::new(SystemClock)).await.unwrap();
        Quiet { modules, watch, config, _folder: folder }
    }

    async fn count(&self, work: impl Future<Output = ()>) -> Vec<String> {
        self.watch.take();
        work.await;
        self.watch.take()
    }
}

/// The token of the newest mail that waits to be sent.
pub(super) fn mailed_token(config: &Config) -> Option<String> {
    use diesel::prelude::*;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        body: String,
    }
    let sql = |schema| diesel::sql_query(format!("SELECT body FROM {schema}mails ORDER BY id DESC LIMIT 1"));
    let row: Row = match &config.user.database.url {
        DatabaseUrl::Sqlite(path) => {
            sql("").get_result(&mut diesel::SqliteConnection::establish(path.to_str().unwrap()).unwrap()).unwrap()
        }
        DatabaseUrl::Postgres(url) => {
            sql("users.").get_result(&mut diesel::PgConnection::establish(url).unwrap()).unwrap()
        }
    };
    Some(row.body.split_once("token=")?.1.lines().next()?.to_owned())
}

fn assert_as_many(what: &str, known: &[String], unknown: &[String]) {
    assert!(unknown.len() > 3, "{what}: nothing was seen: {unknown:#?}");
    assert_eq!(known.len(), unknown.len(), "{what}: {known:#?}\n{unknown:#?}");
}

fn registration(email: &str) -> Registration {
    Registration { email: email.into(), password: Secret::new(PASSWORD), name: "Ann".into() }
}

on_both! {
    async fn known_and_unknown_addresses_take_as_many_statements(backend: Backend) {
        let shop = Quiet::start(backend).await;
        let user = &shop.modules.user;
        let ann = user.create("test", registration(ANN), Role::Customer).await.unwrap().id;
        let right = || Login { email: ANN.into(), password: Secret::new(PASSWORD) };
        user.login(&from("192.0.2.1"), right()).await.unwrap();

        // Also from where Ann is logged in.
        for address in ["192.0.2.1", "192.0.2.2", ""] {
            let login = async |email: &str| {
                let login = Login { email: email.into(), password: Secret::new("not the password") };
                assert!(matches!(user.login(&from(address), login).await, Err(UserError::WrongCredentials)));
            };
            let known = shop.count(login(ANN)).await;
            assert_as_many("login", &known, &shop.count(login("nobody@example.com")).await);
        }

        let register = async |email: &str| user.register(&from("192.0.2.1"), registration(email)).await.unwrap();
        let verified = shop.count(register(ANN)).await;
        let unknown = shop.count(register("bob@example.com")).await;
        let unverified = shop.count(register("bob@example.com")).await;
        assert_as_many("registration", &verified, &unknown);
        assert_as_many("registration again", &unverified, &unknown);

        let forget = async |email: &str| {
            user.password_forgotten(&from("192.0.2.1"), PasswordForgotten { email: email.into() }).await.unwrap();
        };
        let known = shop.count(forget(ANN)).await;
        assert_as_many("reset", &known, &shop.count(forget("nobody@example.com")).await);

        let change = async |email: &str| {
            let change = EmailChange { email: email.into(), current_password: Secret::new(PASSWORD) };
            user.email_change(&from("192.0.2.1"), ann, change).await.unwrap();
        };
        let known = shop.count(change("bob@example.com")).await;
        assert!(mailed_token(&shop.config).is_none(), "the link to a taken address is mailed to nobody");
        assert_as_many("change of address", &known, &shop.count(change("free@example.com")).await);
        user.email_verify(&from("192.0.2.1"), TokenUse { token: Secret::new(mailed_token(&shop.config).unwrap()) }).await.unwrap();
    }
}

/// Against a hash of thirty times the least work: a second or so.
#[tokio::test]
async fn what_is_wrong_with_a_registration_costs_no_hash() {
    let folder = TempDir::new().unwrap();
    let mut config = test_config(Backend::Sqlite, &folder);
    config.user.argon2_iterations = 60;
    let modules = app::modules(&config, Arc::new(SystemClock)).await.unwrap();
    let register = async |email: &str, password: &str, name: &str| -> (Duration, Result<(), UserError>) {
        let new = Registration { email: email.into(), password: Secret::new(password), name: name.into() };
        let start = Instant::now();
        let result = modules.user.register(&from("192.0.2.1"), new).await;
        (start.elapsed(), result)
    };
    let (hashed, result) = register(ANN, PASSWORD, "Ann").await;
    result.unwrap();
    for (email, password, name) in [("ann", PASSWORD, "Ann"), (ANN, PASSWORD, "A\u{7}"), (ANN, "password1234", "Ann")] {
        let mut refused = Duration::MAX;
        for _ in 0..3 {
            let (took, result) = register(email, password, name).await;
            assert!(matches!(&result, Err(UserError::Invalid(faults)) if faults.len() == 1), "{result:?}");
            refused = refused.min(took);
        }
        assert!(refused * 4 < hashed, "{email:?} {name:?}: {refused:?}, and {hashed:?} with a hash");
    }
}
