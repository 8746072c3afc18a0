//! Who did something, or whose it is: people by their addresses, programs by their keys' names, the shop by itself. However many a
//! page names, the user module is asked once for the people and once for the keys.

use std::collections::BTreeMap;

use crate::clock::Id;
use crate::http::ApiResult;
use crate::page::LIMIT_MAX;
use crate::user::{ApiKey, Profile, UserError, UserQuery};
use crate::web::Shell;

/// Somebody or something as a page names it.
pub(super) struct Named {
    pub(super) name: String,
    /// The page of the user, for those who may see it.
    pub(super) path: Option<String>,
    /// It is written as programs write it.
    pub(super) is_raw: bool,
    /// As programs write it, where the name does not tell it from others: of an account that was deleted.
    pub(super) mark: String,
}

impl Named {
    fn told(name: String) -> Named {
        Named { name, path: None, is_raw: false, mark: String::new() }
    }
}

/// Those whom a page names.
pub(super) struct Names {
    people: BTreeMap<Id, Profile>,
    keys: BTreeMap<Id, ApiKey>,
}

/// The user whom an actor, a subject or a holder names: `user:ID`.
pub(super) fn user_of(name: &str) -> Option<Id> {
    name.strip_prefix("user:")?.parse().ok()
}

fn key_of(name: &str) -> Option<Id> {
    name.strip_prefix("key:")?.parse().ok()
}

impl Names {
    /// Those who are behind these actors, subjects or holders.
    pub(super) async fn of<'a>(shell: &Shell, names: impl Iterator<Item = &'a str> + Clone) -> ApiResult<Names> {
        let mut found = Names { people: BTreeMap::new(), keys: BTreeMap::new() };
        for ids in distinct(names.clone().filter_map(user_of)).chunks(LIMIT_MAX as usize) {
            let people = shell.site.user.profile_list(ids.to_vec()).await?;
            found.people.extend(people.into_iter().map(|person| (person.id, person)));
        }
        for ids in distinct(names.filter_map(key_of)).chunks(LIMIT_MAX as usize) {
            let keys = shell.site.user.api_keys(ids.to_vec()).await?;
            found.keys.extend(keys.into_iter().map(|key| (key.id, key)));
        }
        Ok(found)
    }

    pub(super) fn person(&self, user: Id) -> Option<&Profile> {
        self.people.get(&user)
    }

    /// Who did something, or to whom it was done.
    pub(super) fn named(&self, shell: &Shell, name: &str) -> Named {
        if let Some(known) = self.known(shell, name) {
            return known;
        }
        if user_of(name).is_some() {
            return Named { mark: name.to_owned(), ..Named::told(shell.t("who-deleted")) };
        }
        match shell.site.texts.find(&format!("who-{name}"), &[]) {
            Some(text) => Named::told(text),
            None => Named { is_raw: true, ..Named::told(name.to_owned()) },
        }
    }

    /// Whose an order is. What a program calls its shopper is nobody's name here, also where it is `system`.
    pub(super) fn holder(&self, shell: &Shell, holder: &str) -> Named {
        match self.known(shell, holder) {
            Some(known) => known,
            None if user_of(holder).is_some() => Named::told(shell.t("who-deleted-customer")),
            None => Named { is_raw: true, ..Named::told(holder.to_owned()) },
        }
    }

    /// A person or a key that is there.
    fn known(&self, shell: &Shell, name: &str) -> Option<Named> {
        if let Some(person) = user_of(name).and_then(|user| self.person(user)) {
            let path = shell.is_admin().then(|| format!("/admin/users/{}", person.id));
            return Some(Named { path, ..Named::told(person.email.clone()) });
        }
        let key = key_of(name).and_then(|key| self.keys.get(&key))?;
        Some(Named::told(shell.t1("who-key", "name", &key.name)))
    }
}

fn distinct(ids: impl Iterator<Item = Id>) -> Vec<Id> {
    let mut ids: Vec<Id> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The name `user:ID` of whoever has this address, however it is written; `None`: nobody.
pub(super) async fn user_with(shell: &Shell, email: &str) -> ApiResult<Option<String>> {
    let query = UserQuery { email: Some(email.to_owned()), ..UserQuery::default() };
    match shell.site.user.user_list(query).await {
        Ok(found) => Ok(found.items.first().map(|user| format!("user:{}", user.id))),
        // What is no address nobody has.
        Err(UserError::Invalid(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
