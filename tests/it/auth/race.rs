//! What is under way with a password ends when a new one is set, or the account is disabled or deleted, before it is written: as of two
//! processes on one database, of which one is held up between looking at the password and writing.

use std::sync::Arc;

use emporium::app::{self, Modules};
use emporium::call::Role;
use emporium::clock::{Id, SystemClock};
use emporium::config::Secret;
use emporium::user::{
    AccountDeletion, EmailChange, Login, PasswordChange, PasswordForgotten, PasswordReset, Registration, User,
    UserError, UserPatch,
};
use tempfile::TempDir;

use super::statements::mailed_token;
use super::*;
use crate::testapp::{Backend, call, on_both, test_config};
use crate::watch::Watch;

const NEWEST_PASSWORD: &str = "seven lamps by the river";
const HERE: &str = "192.0.2.1";

#[derive(Clone, Copy, Debug)]
enum UnderWay {
    Login,
    PasswordChange,
    EmailChange,
    Deletion,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    Reset,
    PasswordChange,
    Disabled,
    Deleted,
}

/// Somebody with an account and a session; gives the ids of both.
async fn person(user: &Arc<dyn User>, email: &str) -> (Id, Id) {
    let new = Registration { email: email.into(), password: Secret::new(PASSWORD), name: String::new() };
    user.create("test", new, Role::Customer).await.unwrap();
    let session = user.login(&from(HERE), login(email, PASSWORD)).await.unwrap();
    (session.user.id, session.session.id)
}

fn login(email: &str, password: &str) -> Login {
    Login { email: email.into(), password: Secret::new(password) }
}

impl UnderWay {
    async fn run(self, user: Arc<dyn User>, email: String, id: Id, session: Id) -> Result<(), UserError> {
        let (origin, current_password) = (from(HERE), Secret::new(PASSWORD));
        match self {
            UnderWay::Login => user.login(&origin, login(&email, PASSWORD)).await.map(|_| ()),
            UnderWay::PasswordChange => {
                let new_password = Secret::new(NEWEST_PASSWORD);
                user.password_change(&origin, id, session, PasswordChange { current_password, new_password }).await
            }
            UnderWay::EmailChange => {
                let email = format!("new.{email}");
                user.email_change(&origin, id, EmailChange { email, current_password }).await
            }
            UnderWay::Deletion => user.account_delete(&origin, id, AccountDeletion { current_password }).await,
        }
    }
}

impl Meanwhile {
    /// `token`: of a link to a new password.
    async fn run(self, user: &Arc<dyn User>, id: Id, session: Id, token: String) {
        let (origin, current_password) = (from(HERE), Secret::new(PASSWORD));
        let new_password = Secret::new(OTHER_PASSWORD);
        match self {
            Meanwhile::Reset => {
                user.password_reset(&origin, PasswordReset { token: Secret::new(token), new_password }).await.unwrap();
            }
            Meanwhile::PasswordChange => {
                let change = PasswordChange { current_password, new_password };
                user.password_change(&origin, id, session, change).await.unwrap();
            }
            Meanwhile::Disabled => {
                let patch = UserPatch { role: None, disabled: Some(true) };
                user.user_update(&call(), id, None, patch).await.unwrap();
            }
            Meanwhile::Deleted => {
                user.account_delete(&origin, id, AccountDeletion { current_password }).await.unwrap();
            }
        }
    }
}

/// Two shops on one database. Neither does anything that it is not asked for.
pub(super) async fn pair(backend: Backend) -> (Watch, [Modules; 2], emporium::config::Config, TempDir) {
    let folder = TempDir::new().unwrap();
    let mut config = test_config(backend, &folder);
    config.user.throttle.mails_free = 1_000;
    config.user.throttle.ip_mails_step = 1_000;
    let watch = Watch::start(&config);
    let held = app::modules(&config, Arc::new(SystemClock)).await.unwrap();
    let other = app::modules(&config, Arc::new(SystemClock)).await.unwrap();
    (watch, [held, other], config, folder)
}

on_both! {
    async fn what_was_under_way_with_an_old_password_is_refused(backend: Backend) {
        let (watch, [held, other], config, _folder) = pair(backend).await;
        let (held, other) = (held.user, other.user);
        let mut number = 0;
        for meanwhile in [Meanwhile::Reset, Meanwhile::PasswordChange, Meanwhile::Disabled, Meanwhile::Deleted] {
            for under_way in [UnderWay::Login, UnderWay::PasswordChange, UnderWay::EmailChange, UnderWay::Deletion] {
                let what = format!("{under_way:?} while {meanwhile:?}");
                number += 1;
                let email = format!("person{number}@example.com");
                let (id, session) = person(&other, &email).await;
                other.password_forgotten(&from(HERE), PasswordForgotten { email: email.clone() }).await.unwrap();
                let link = mailed_token(&config).unwrap();

                // The password has been found right when the first transaction begins.
                let mut stop = watch.hold("BEGIN");
                let task = tokio::spawn(under_way.run(held.clone(), email.clone(), id, session));
                stop.reached().await;
                meanwhile.run(&other, id, session, link).await;
                drop(stop);
                let result = task.await.unwrap();
                assert!(matches!(result, Err(UserError::WrongCredentials)), "{what}: {result:?}");

                let sessions = usize::from(meanwhile == Meanwhile::PasswordChange);
                assert_eq!(other.session_list(id, None).await.unwrap().len(), sessions, "{what}");
                assert_eq!(other.profile_get(id).await.unwrap().is_some(), meanwhile != Meanwhile::Deleted, "{what}");
                if matches!(meanwhile, Meanwhile::Reset | Meanwhile::PasswordChange) {
                    assert!(mailed_token(&config).is_none(), "{what}: a link was mailed");
                    other.login(&from(HERE), login(&email, OTHER_PASSWORD)).await.expect(&what);
                }
            }
        }
    }

    async fn a_link_under_way_is_worthless_once_the_password_is_another(backend: Backend) {
        let (watch, [held, other], config, _folder) = pair(backend).await;
        let (held, other) = (held.user, other.user);
        let all = [Meanwhile::Reset, Meanwhile::PasswordChange, Meanwhile::Disabled, Meanwhile::Deleted];
        for (number, meanwhile) in all.into_iter().enumerate() {
            let email = format!("person{number}@example.com");
            let (id, session) = person(&other, &email).await;
            other.password_forgotten(&from(HERE), PasswordForgotten { email: email.clone() }).await.unwrap();
            let link = mailed_token(&config).unwrap();
            let mut stop = watch.hold("BEGIN");
            let reset = PasswordReset { token: Secret::new(&link), new_password: Secret::new(NEWEST_PASSWORD) };
            let task = tokio::spawn({
                let held = held.clone();
                async move { held.password_reset(&from(HERE), reset).await }
            });
            stop.reached().await;
            meanwhile.run(&other, id, session, link).await;
            drop(stop);
            let result = task.await.unwrap();
            if meanwhile == Meanwhile::Disabled {
                assert!(matches!(result, Err(UserError::Disabled)), "{result:?}");
                let old = other.login(&from(HERE), login(&email, PASSWORD)).await;
                assert!(matches!(old, Err(UserError::Disabled)), "the password is as it was: {:?}", old.map(|_| ()));
                continue;
            }
            assert!(matches!(result, Err(UserError::TokenInvalid)), "{meanwhile:?}: {result:?}");
            if meanwhile != Meanwhile::Deleted {
                other.login(&from(HERE), login(&email, OTHER_PASSWORD)).await.unwrap();
            }
        }
    }

    async fn what_nothing_came_between_is_done(backend: Backend) {
        let (watch, [held, other], _, _folder) = pair(backend).await;
        let (held, other) = (held.user, other.user);
        for (number, under_way) in
            [UnderWay::Login, UnderWay::PasswordChange, UnderWay::EmailChange, UnderWay::Deletion].into_iter().enumerate()
        {
            let email = format!("person{number}@example.com");
            let (id, session) = person(&other, &email).await;
            let mut stop = watch.hold("BEGIN");
            let task = tokio::spawn(under_way.run(held.clone(), email.clone(), id, session));
            stop.reached().await;
            // Another device of the person's ends none of it.
            other.login(&from(HERE), login(&email, PASSWORD)).await.unwrap();
            drop(stop);
            task.await.unwrap().unwrap_or_else(|error| panic!("{under_way:?}: {error}"));
        }
    }
}
