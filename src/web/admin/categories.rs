//! The tree of categories, and a category's page.

use actix_web::web::{self, ServiceConfig, get, post};
use askama::Template;

use super::STAFF;
use super::goods::{Now, category_choices, differences, key, version};
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::gate::Rule;
use crate::http::{ApiResult, path_id};
use crate::inventory::{Category, CategoryPatch, NewCategory, ProductQuery};
use crate::web::{Form, Shell};

pub(super) const RULES: &[Rule] = &[
    ("GET", "/admin/categories", STAFF),
    ("POST", "/admin/categories", STAFF),
    ("GET", "/admin/categories/{category}", STAFF),
    ("POST", "/admin/categories/{category}", STAFF),
    ("POST", "/admin/categories/{category}/delete", STAFF),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin/categories", get().to(tree))
        .route("/admin/categories", post().to(create))
        .route("/admin/categories/{category}", get().to(page))
        .route("/admin/categories/{category}", post().to(update))
        .route("/admin/categories/{category}/delete", post().to(delete));
}

const FIELDS: [(&str, &str); 3] = [("name", "goods-name"), ("slug", "category-slug"), ("position", "goods-position")];

/// A category in the tree: what is written behind its name.
struct Node<'a> {
    category: &'a Category,
    /// A list of its children begins.
    opens: bool,
    /// So many lists end.
    closes: usize,
}

#[derive(Template)]
#[template(path = "admin/categories.html")]
struct Tree<'a> {
    shell: &'a Shell,
    form: &'a Form,
    key: String,
    nodes: Vec<Node<'a>>,
    parents: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "admin/category.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    category: &'a Category,
    version: String,
    parents: Vec<(String, String)>,
    now: Vec<Now>,
    /// It has categories or products in it, so it cannot be deleted.
    is_kept: bool,
}

pub(super) async fn tree(shell: Shell) -> ApiResult {
    show_tree(&shell, &Form::of([("position", "0")])).await
}

pub(super) async fn create(shell: Shell, mut form: Form) -> ApiResult {
    let parent_id = parent(&shell, &mut form);
    let position = form.integer("position");
    if form.is_good() {
        let new = NewCategory { parent_id, slug: form.optional("slug"), name: form.text("name"), position };
        match shell.site.inventory.category_create(&form.once(&shell)?, new).await {
            Ok(_) => {
                shell.site.forget_menu();
                return Ok(shell.go_saying("/admin/categories", "flash-goods-saved"));
            }
            Err(error) => form.refuse(error)?,
        }
    }
    show_tree(&shell, &form).await
}

async fn show_tree(shell: &Shell, form: &Form) -> ApiResult {
    let categories = shell.site.inventory.category_list().await?;
    let depth = |category: &Category| category.path.matches('/').count();
    let node = |(n, category): (usize, &'_ Category)| {
        let next = categories.get(n + 1).map_or(0, depth);
        let own = depth(category);
        (next > own, own.saturating_sub(next))
    };
    let shapes: Vec<(bool, usize)> = categories.iter().enumerate().map(node).collect();
    let nodes = categories.iter().zip(shapes).map(|(category, (opens, closes))| Node { category, opens, closes });
    shell.form(
        form,
        &Tree {
            shell,
            form,
            key: key(shell, form),
            nodes: nodes.collect(),
            parents: parents(shell, &categories, None),
        },
    )
}

pub(super) async fn page(shell: Shell, id: web::Path<String>) -> ApiResult {
    let category = find(&shell, &id).await?;
    show(&shell, &form_of(&category), &category).await
}

async fn find(shell: &Shell, id: &str) -> ApiResult<Category> {
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no category {id:?}."));
    Ok(shell.site.inventory.category_get(path_id(id)?).await?.ok_or_else(missing)?)
}

pub(super) async fn update(shell: Shell, id: web::Path<String>, mut form: Form) -> ApiResult {
    let category = find(&shell, &id).await?;
    let parent_id = parent(&shell, &mut form);
    let position = form.integer("position");
    if form.is_good() {
        let patch = CategoryPatch {
            slug: form.optional("slug"),
            name: Some(form.text("name")),
            position: Some(position),
            parent_id: Some(parent_id),
        };
        match shell.site.inventory.category_update(shell.call(), category.id, Some(form.version()?), patch).await {
            Ok(_) => {
                shell.site.forget_menu();
                return Ok(shell.go_saying("/admin/categories", "flash-goods-saved"));
            }
            Err(error) => form.refuse(error)?,
        }
    }
    show(&shell, &form, &category).await
}

pub(super) async fn delete(shell: Shell, id: web::Path<String>, form: Form) -> ApiResult {
    match shell.site.inventory.category_delete(shell.call(), path_id(&id)?, Some(form.version()?)).await {
        Ok(()) => {
            shell.site.forget_menu();
            Ok(shell.go_saying("/admin/categories", "flash-category-deleted"))
        }
        Err(error) => {
            let category = find(&shell, &id).await?;
            let mut form = form_of(&category);
            form.refuse(error)?;
            show(&shell, &form, &category).await
        }
    }
}

async fn show(shell: &Shell, form: &Form, category: &Category) -> ApiResult {
    let categories = shell.site.inventory.category_list().await?;
    let mut now = differences(shell, form, &form_of(category), &FIELDS);
    for mut change in differences(shell, form, &form_of(category), &[("parent_id", "category-parent")]) {
        let parent = categories.iter().find(|other| Some(other.id) == category.parent_id);
        change.value = parent.map_or(shell.t("category-root"), |parent| parent.path.clone());
        now.push(change);
    }
    // Products of it and of all below it.
    let inside = ProductQuery { category: Some(category.path.clone()), limit: Some(1), ..ProductQuery::default() };
    let is_kept = categories.iter().any(|other| other.parent_id == Some(category.id))
        || !shell.site.inventory.product_list(inside).await?.items.is_empty();
    shell.form(
        form,
        &Page {
            shell,
            form,
            category,
            version: version(form, category),
            parents: parents(shell, &categories, Some(category)),
            now,
            is_kept,
        },
    )
}

fn form_of(category: &Category) -> Form {
    Form::of([
        ("name", category.name.clone()),
        ("slug", category.slug.clone()),
        ("position", category.position.to_string()),
        ("parent_id", category.parent_id.map_or(String::new(), |id| id.to_string())),
    ])
}

/// Where a category may stand: anywhere but within itself.
fn parents(shell: &Shell, categories: &[Category], category: Option<&Category>) -> Vec<(String, String)> {
    let is_within = |other: &Category| {
        category.is_some_and(|own| other.id == own.id || other.path.starts_with(&format!("{}/", own.path)))
    };
    let others: Vec<Category> = categories.iter().filter(|other| !is_within(other)).cloned().collect();
    let mut choices = category_choices(shell, &others);
    choices[0].1 = shell.t("category-root");
    choices
}

fn parent(shell: &Shell, form: &mut Form) -> Option<Id> {
    let id = form.optional("parent_id")?.parse().ok();
    if id.is_none() {
        form.fault("parent_id", shell.t("goods-wrong-choice"));
    }
    id
}
