//! A person's list of addresses.

use actix_web::web::Path;
use askama::Template;

use super::address::{AddressForm, address_form, address_text, address_values, new_address};
use crate::call::Versioned;
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::{ApiResult, path_id};
use crate::user::{Address, NewAddress};
use crate::web::{Form, Shell};

/// An address as it is shown in the list.
struct Line {
    id: Id,
    version: String,
    text: String,
    /// Of what the buttons beside it are.
    name: String,
    is_default: bool,
}

#[derive(Template)]
#[template(path = "account/addresses.html")]
struct List<'a> {
    shell: &'a Shell,
    form: &'a Form,
    lines: Vec<Line>,
}

#[derive(Template)]
#[template(path = "account/address.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    fields: AddressForm<'a>,
    /// Where the form is sent.
    path: String,
    /// Of the address that is changed; empty for a new one.
    version: String,
    /// Of the default one the mark cannot be taken, only given to another.
    is_default: bool,
    /// What is there now, where somebody else was quicker.
    now: Option<String>,
}

pub(super) async fn list(shell: Shell) -> ApiResult {
    show_list(&shell, &Form::default()).await
}

async fn show_list(shell: &Shell, form: &Form) -> ApiResult {
    let addresses = shell.site.user.address_list(shell.person()?.id).await?;
    let lines = addresses.into_iter().map(|address| Line {
        id: address.id,
        version: address.version().to_string(),
        text: address_text(shell, &address.fields),
        name: format!("{}, {}", address.fields.name, address.fields.line1),
        is_default: address.is_default,
    });
    shell.form(form, &List { shell, form, lines: lines.collect() })
}

pub(super) async fn new_page(shell: Shell) -> ApiResult {
    show_new(&shell, &Form::default())
}

fn show_new(shell: &Shell, form: &Form) -> ApiResult {
    let page = Page {
        shell,
        form,
        fields: address_form(shell, form),
        path: "/account/addresses".to_owned(),
        version: String::new(),
        is_default: false,
        now: None,
    };
    shell.form(form, &page)
}

pub(super) async fn add(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    let new = new_address(&shell, &mut form);
    if form.is_good() {
        match shell.site.user.address_create(shell.call(), person.id, new).await {
            Ok(_) => return Ok(shell.go_saying("/account/addresses", "flash-address-added")),
            Err(error) => form.refuse(error)?,
        }
    }
    show_new(&shell, &form)
}

async fn find(shell: &Shell, id: &str) -> ApiResult<Address> {
    let missing = || Problem::new(ErrorCode::NotFound, "You have no address with this id.");
    let found = shell.site.user.address_get(shell.person()?.id, path_id(id)?).await?;
    Ok(found.ok_or_else(missing)?)
}

pub(super) async fn page(shell: Shell, id: Path<String>) -> ApiResult {
    let address = find(&shell, &id).await?;
    let form = Form::of(address_values(&address.fields));
    let version = address.version().to_string();
    show(&shell, &form, &address, version, None)
}

fn show(shell: &Shell, form: &Form, address: &Address, version: String, now: Option<String>) -> ApiResult {
    let page = Page {
        shell,
        form,
        fields: address_form(shell, form),
        path: format!("/account/addresses/{}", address.id),
        version,
        is_default: address.is_default,
        now,
    };
    shell.form(form, &page)
}

pub(super) async fn change(shell: Shell, id: Path<String>, mut form: Form) -> ApiResult {
    let (person, id) = (shell.person()?, path_id::<Id>(&id)?);
    let expected = form.version()?;
    let new = new_address(&shell, &mut form);
    if form.is_good() {
        match shell.site.user.address_update(shell.call(), person.id, id, Some(expected), new).await {
            Ok(_) => return Ok(shell.go_saying("/account/addresses", "flash-saved")),
            Err(error) => form.refuse(error)?,
        }
    }
    let address = find(&shell, &id.to_string()).await?;
    let (version, now) = match form.is_outdated() {
        true => {
            let shown = |(name, value): (&'static str, String)| match name {
                "country" => (name, value.clone(), shell.word(name, value)),
                _ => (name, value.clone(), value),
            };
            form.tell_now(&shell, address_values(&address.fields).into_iter().map(shown));
            (address.version(), Some(address_text(&shell, &address.fields)))
        }
        false => (expected, None),
    };
    show(&shell, &form, &address, version.to_string(), now)
}

pub(super) async fn make_default(shell: Shell, id: Path<String>, _: Form) -> ApiResult {
    let address = find(&shell, &id).await?;
    let (person, version) = (shell.person()?, address.version());
    let new = NewAddress::new(address.fields, true);
    shell.site.user.address_update(shell.call(), person.id, address.id, Some(version), new).await?;
    Ok(shell.go_saying("/account/addresses", "flash-saved"))
}

pub(super) async fn delete(shell: Shell, id: Path<String>, mut form: Form) -> ApiResult {
    let (person, id) = (shell.person()?, path_id(&id)?);
    let expected = form.version()?;
    // One that is gone already is what was asked for.
    if let Err(error) = shell.site.user.address_delete(shell.call(), person.id, id, Some(expected)).await {
        form.refuse(error)?;
        return show_list(&shell, &form).await;
    }
    Ok(shell.go_saying("/account/addresses", "flash-address-deleted"))
}
