//! The shop's secret, and the first admin.

use std::sync::Arc;

use emporium::app::{self, Modules};
use emporium::call::Role;
use emporium::clock::SystemClock;
use emporium::config::{Config, Secret};
use emporium::user::{Profile, Registration, SigningKey, UserError, UserPatch};

use super::race::pair;
use super::*;
use crate::testapp::{Backend, Raw, call, on_both};

const HERE: &str = "192.0.2.1";

fn registration(email: &str, password: &str) -> Registration {
    Registration { email: email.into(), password: Secret::new(password), name: "Ann".into() }
}

async fn setup(modules: &Modules, token: &str, email: &str) -> Result<Profile, UserError> {
    modules.user.setup(&from(HERE), &Secret::new(token), registration(email, PASSWORD)).await
}

/// Runs SQL while nobody else does; `{}` stands before each table.
fn sql(config: &Config, sql: &str) {
    let schema = if matches!(config.user.database.url, DatabaseUrl::Postgres(_)) { "users." } else { "" };
    Raw::connect(config).batch(&sql.replace("{}", schema));
}

async fn another_process(config: &Config) -> Modules {
    app::modules(config, Arc::new(SystemClock)).await.unwrap()
}

fn derived(key: &SigningKey) -> [u8; 32] {
    key.derive("cookie")
}

on_both! {
    async fn the_secret_is_one_in_all_processes(backend: Backend) {
        let (watch, [one, two], config, _folder) = pair(backend).await;
        // One has found none and is about to make it; the other is quicker.
        let mut stop = watch.hold("BEGIN");
        let task = tokio::spawn({
            let user = one.user.clone();
            async move { user.signing_key().await }
        });
        stop.reached().await;
        let key = two.user.signing_key().await.unwrap();
        drop(stop);
        let late = task.await.unwrap().unwrap();
        assert_eq!(derived(&late), derived(&key));
        assert_eq!(derived(&another_process(&config).await.user.signing_key().await.unwrap()), derived(&key));

        for _ in 0..3 {
            sql(&config, "DELETE FROM {}signing_keys");
            let mut processes = Vec::new();
            for _ in 0..4 {
                processes.push(another_process(&config).await);
            }
            let asked = processes.iter().map(|modules| modules.user.signing_key());
            let keys = futures_util::future::try_join_all(asked).await.unwrap();
            assert!(keys.iter().all(|other| derived(other) == derived(&keys[0])));
            assert_ne!(derived(&keys[0]), derived(&key), "it is made up anew");
        }

        assert_ne!(key.derive("cookie"), key.derive("form"));
        assert_ne!(key.derive(""), [0; 32]);
        assert!(key.is_derived("form", &key.derive("form")));
        for wrong in [&key.derive("cookie")[..], &key.derive("form")[..31], b""] {
            assert!(!key.is_derived("form", wrong));
        }
        assert_eq!(format!("{key:?}"), "***");
        let sent: SigningKey = serde_json::from_str(&serde_json::to_string(&key).unwrap()).unwrap();
        assert_eq!(derived(&sent), derived(&key));
    }

    async fn the_bearer_of_the_token_makes_the_first_admin(backend: Backend) {
        let (_watch, [one, two], _, _folder) = pair(backend).await;
        let token = one.user.setup_token().await.unwrap().unwrap();
        assert_eq!(two.user.setup_token().await.unwrap().as_ref(), Some(&token));
        assert!(token.len() == 43 && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
        // A customer is no admin.
        one.user.create("test", registration(ANN, PASSWORD), Role::Customer).await.unwrap();
        assert_eq!(one.user.setup_token().await.unwrap().as_ref(), Some(&token));

        let mut forged = token.clone().into_bytes();
        forged[0] = if forged[0] == b'A' { b'B' } else { b'A' };
        for wrong in ["", "\0", "x", &token[..42], &format!("{token}="), &format!("{token}AAAA"), &String::from_utf8(forged).unwrap()] {
            let refused = setup(&one, wrong, "root@example.com").await;
            assert!(matches!(refused, Err(UserError::TokenInvalid)), "{wrong:?}: {refused:?}");
        }
        let weak = one.user.setup(&from(HERE), &Secret::new(&token), registration("root", "short")).await;
        let Err(UserError::Invalid(faults)) = weak else { panic!("{weak:?}") };
        assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), ["/email", "/password"]);
        let Err(UserError::Conflict(words)) = setup(&one, &token, "ANN@example.com").await else { panic!("the address is taken") };
        assert!(words.to_string().contains("emporium user create-admin"), "{words}");

        let admin = setup(&two, &token, "Root@example.com").await.unwrap();
        assert_eq!((admin.role, admin.email_verified, admin.email.as_str()), (Role::Admin, true, "Root@example.com"));
        let login = emporium::user::Login { email: "root@example.com".into(), password: Secret::new(PASSWORD) };
        assert_eq!(one.user.login(&from(HERE), login).await.unwrap().user, admin);
        let log = one.user.audit_list(Default::default()).await.unwrap().items;
        let entry = log.iter().find(|entry| entry.action == "shop.set_up").unwrap();
        let subject = format!("user:{}", admin.id);
        assert_eq!((&entry.subject, &entry.actor, entry.address.as_str()), (&subject, &subject, HERE));

        for modules in [&one, &two] {
            assert_eq!(modules.user.setup_token().await.unwrap(), None);
            let refused = setup(modules, &token, "two@example.com").await;
            assert!(matches!(refused, Err(UserError::Conflict(_))), "{refused:?}");
        }
    }

    async fn an_admin_who_is_disabled_is_an_admin(backend: Backend) {
        let (_watch, [one, _], config, _folder) = pair(backend).await;
        let token = one.user.setup_token().await.unwrap().unwrap();
        let made = one.user.create("test", registration(ANN, PASSWORD), Role::Admin).await.unwrap();
        sql(&config, "UPDATE {}users SET disabled_at = created_at");
        assert_eq!(one.user.setup_token().await.unwrap(), None);
        let refused = setup(&one, &token, "root@example.com").await;
        assert!(matches!(refused, Err(UserError::Conflict(_))), "{refused:?}");
        assert!(one.user.user_update(&call(), made.id, None, UserPatch { disabled: Some(false), role: None }).await.is_ok());
    }

    async fn of_two_first_admins_at_once_one_is_made(backend: Backend) {
        let (watch, [one, two], config, _folder) = pair(backend).await;
        let token = one.user.setup_token().await.unwrap().unwrap();
        let begin = |modules: &Modules, email: &'static str| {
            let (modules, token) = (modules.clone(), token.clone());
            tokio::spawn(async move { setup(&modules, &token, email).await })
        };
        // One has looked, and is held up before it writes.
        let mut stop = watch.hold("BEGIN");
        let late = begin(&one, "late@example.com");
        stop.reached().await;
        setup(&two, &token, "early@example.com").await.unwrap();
        drop(stop);
        let late = late.await.unwrap();
        assert!(matches!(late, Err(UserError::Conflict(_))), "{late:?}");

        // One has looked again, and written, and is not done; the other must wait for it.
        sql(&config, "DELETE FROM {}users; DELETE FROM {}user_emails");
        let (insert, waits) = match backend {
            Backend::Sqlite => ("INSERT INTO `credentials`", "BEGIN"),
            Backend::Postgres => ("INSERT INTO \"credentials\"", "UPDATE"),
        };
        let mut stop = watch.hold(insert);
        let first = begin(&one, "one@example.com");
        stop.reached().await;
        watch.take();
        let second = begin(&two, "two@example.com");
        while !second.is_finished() && !watch.take().iter().any(|statement| statement.starts_with(waits)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(stop);
        first.await.unwrap().unwrap();
        let second = second.await.unwrap();
        assert!(matches!(second, Err(UserError::Conflict(_))), "{second:?}");
        assert_eq!(one.user.user_list(Default::default()).await.unwrap().items.len(), 1);
    }
}
