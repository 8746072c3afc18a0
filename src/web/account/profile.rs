//! Name and phone.

use askama::Template;

use super::own_profile;
use crate::call::Versioned;
use crate::http::ApiResult;
use crate::user::{Profile, ProfilePatch};
use crate::web::{Form, Shell};

#[derive(Template)]
#[template(path = "account/profile.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    version: String,
    /// What is there now, where somebody else was quicker.
    now: Option<Profile>,
}

pub(super) async fn page(shell: Shell) -> ApiResult {
    let profile = own_profile(&shell).await?;
    let version = profile.version().to_string();
    let form = Form::of([("name", profile.name), ("phone", profile.phone)]);
    shell.form(&form, &Page { shell: &shell, form: &form, version, now: None })
}

pub(super) async fn change(shell: Shell, mut form: Form) -> ApiResult {
    let person = shell.person()?;
    let mut version = form.text("version");
    let expected = form.version()?;
    let patch = ProfilePatch { name: Some(form.text("name")), phone: Some(form.text("phone")) };
    let Err(error) = shell.site.user.profile_update(shell.call(), person.id, Some(expected), patch).await else {
        return Ok(shell.go_saying("/account", "flash-saved"));
    };
    form.refuse(error)?;
    let mut now = None;
    if form.is_outdated() {
        let profile = own_profile(&shell).await?;
        version = profile.version().to_string();
        let there = [("name", &profile.name), ("phone", &profile.phone)];
        form.tell_now(&shell, there.map(|(name, value)| (name, value.clone(), value.clone())));
        now = Some(profile);
    }
    shell.form(&form, &Page { shell: &shell, form: &form, version, now })
}
