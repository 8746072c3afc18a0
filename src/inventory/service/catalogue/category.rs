//! The category tree.

use std::collections::HashMap;

use super::{check_version, explain};
use crate::call::{Answer, Call, Version, Versioned};
use crate::clock::Id;
use crate::db::{Connection, DbError};
use crate::error::Fault;
use crate::inventory::service::LocalInventory;
use crate::inventory::service::change::fields;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::validate::{self, Faults};
use crate::inventory::store::change::changes_insert;
use crate::inventory::store::{category as store, former};
use crate::inventory::{Category, CategoryPatch, FieldChange, InventoryError, NewCategory, QUANTITY_MAX};

pub(in crate::inventory::service) const CATEGORIES_MAX: i64 = 10_000;
pub(in crate::inventory::service) const DEPTH_MAX: i64 = 10;
pub(in crate::inventory::service) const NAME_MAX: usize = 200;

impl LocalInventory {
    pub(super) async fn list_categories(&self) -> Result<Vec<Category>, InventoryError> {
        let categories = self.db.read(|conn| Ok::<_, InventoryError>(store::category_list(conn)?)).await?;
        Ok(in_order(categories))
    }

    pub(super) async fn get_category(&self, id: Id) -> Result<Option<Category>, InventoryError> {
        self.db.read(move |conn| Ok(store::category_get(conn, id)?)).await
    }

    pub(super) async fn moved_category(&self, path: &str) -> Result<Option<String>, InventoryError> {
        if !path.split('/').all(validate::is_slug) {
            return Ok(None);
        }
        let path = path.to_owned();
        self.db.read(move |conn| Ok(former::path_now(conn, &path)?)).await
    }

    pub(super) async fn create_category(
        &self,
        call: &Call,
        mut new: NewCategory,
    ) -> Result<Answer<Category>, InventoryError> {
        let mut faults = Faults::default();
        faults.required_line("/name", &mut new.name, NAME_MAX);
        faults.range("/position", new.position, -QUANTITY_MAX, QUANTITY_MAX);
        let slug = match new.slug.take() {
            Some(slug) => {
                faults.slug("/slug", &slug);
                slug
            }
            None => {
                let slug = validate::slug_of(&new.name);
                if !new.name.is_empty() && !validate::is_slug(&slug) {
                    faults.add("/slug", Fault::NoSlug);
                }
                slug
            }
        };
        faults.finish()?;
        let now = self.clock.now();
        let category = Category {
            id: Id::new(now),
            parent_id: new.parent_id,
            path: slug.clone(),
            slug,
            name: new.name,
            position: new.position,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let (call, hours) = (call.clone(), self.config.idempotency_hours);
        self.db
            .write_keyed(call.key.is_some(), move |conn| {
                once(conn, &call, hours, now, |conn| insert(conn, &call.actor, category.clone()))
            })
            .await
    }

    pub(super) async fn update_category(
        &self,
        call: &Call,
        id: Id,
        expected: Option<Version>,
        mut patch: CategoryPatch,
    ) -> Result<Category, InventoryError> {
        let mut faults = Faults::default();
        if let Some(name) = &mut patch.name {
            faults.required_line("/name", name, NAME_MAX);
        }
        if let Some(slug) = &patch.slug {
            faults.slug("/slug", slug);
        }
        faults.range("/position", patch.position.unwrap_or(0), -QUANTITY_MAX, QUANTITY_MAX);
        faults.finish()?;
        let (actor, now) = (call.actor.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                store::tree_lock(conn)?;
                let old = claimed(conn, id, expected)?;
                let CategoryPatch { parent_id, slug, name, position } = patch.clone();
                let mut category = Category {
                    parent_id: parent_id.unwrap_or(old.parent_id),
                    slug: slug.unwrap_or_else(|| old.slug.clone()),
                    name: name.unwrap_or_else(|| old.name.clone()),
                    position: position.unwrap_or(old.position),
                    version: old.version + 1,
                    updated_at: now,
                    ..old.clone()
                };
                category.path = path_of(conn, &category)?;
                let moves = category.path != old.path;
                if moves {
                    check_place(conn, &category, &old.path)?;
                    former::paths_left(conn, &old.path, now)?;
                }
                write_path(store::category_replace(conn, category.clone()), &category)?;
                if moves {
                    store::paths_move(conn, &old.path, &category.path, now)?;
                    former::paths_taken_again(conn, &category.path)?;
                }
                category_log(conn, &actor, "category.updated", &category, fields(&old, &category))?;
                Ok(category)
            })
            .await
    }

    pub(super) async fn delete_category(
        &self,
        call: &Call,
        id: Id,
        expected: Option<Version>,
    ) -> Result<(), InventoryError> {
        let (actor, now) = (call.actor.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                store::tree_lock(conn)?;
                let category = Category { updated_at: now, ..claimed(conn, id, expected)? };
                explain(store::category_delete(conn, id), DbError::is_foreign_key_violation, || {
                    InventoryError::Conflict(Fault::CategoryInUse { category: category.path.clone() })
                })?;
                category_log(conn, &actor, "category.deleted", &category, vec![])
            })
            .await
    }
}

/// Parents before their children, siblings by position and name.
fn in_order(mut categories: Vec<Category>) -> Vec<Category> {
    // The last one is taken from a list first.
    categories.sort_by(|a, b| (b.position, &b.name, b.id).cmp(&(a.position, &a.name, a.id)));
    let mut children: HashMap<Option<Id>, Vec<Category>> = HashMap::new();
    for category in categories {
        children.entry(category.parent_id).or_default().push(category);
    }
    let mut waiting = children.remove(&None).unwrap_or_default();
    let mut ordered = vec![];
    while let Some(category) = waiting.pop() {
        waiting.extend(children.remove(&Some(category.id)).unwrap_or_default());
        ordered.push(category);
    }
    ordered
}

fn insert(conn: &mut Connection, actor: &str, mut category: Category) -> Result<Category, InventoryError> {
    store::tree_lock(conn)?;
    if store::category_count(conn)? >= CATEGORIES_MAX {
        return Err(InventoryError::Conflict(Fault::CategoriesFull { max: CATEGORIES_MAX }));
    }
    category.path = path_of(conn, &category)?;
    check_depth(&category, 0)?;
    write_path(store::category_insert(conn, category.clone()), &category)?;
    category_log(conn, actor, "category.created", &category, vec![])?;
    Ok(category)
}

/// The category as it is there, whose version is the expected one.
fn claimed(conn: &mut Connection, id: Id, expected: Option<Version>) -> Result<Category, InventoryError> {
    let category = store::category_get(conn, id)?
        .ok_or_else(|| InventoryError::NotFound { what: "category", name: id.to_string() })?;
    check_version(expected, category.version())?;
    Ok(category)
}

fn path_of(conn: &mut Connection, category: &Category) -> Result<String, InventoryError> {
    let Some(parent_id) = category.parent_id else { return Ok(category.slug.clone()) };
    let parent = store::category_get(conn, parent_id)?
        .ok_or_else(|| InventoryError::invalid("/parent_id", Fault::NoSuchCategory))?;
    Ok(format!("{}/{}", parent.path, category.slug))
}

/// May what is at `old_path` go to where `category` says?
fn check_place(conn: &mut Connection, category: &Category, old_path: &str) -> Result<(), InventoryError> {
    if category.path.starts_with(&format!("{old_path}/")) {
        return Err(InventoryError::invalid("/parent_id", Fault::CategoryInItself));
    }
    check_depth(category, store::levels_below(conn, old_path)?)
}

fn check_depth(category: &Category, levels_below: i64) -> Result<(), InventoryError> {
    let depth = category.path.matches('/').count() as i64 + 1 + levels_below;
    match depth > DEPTH_MAX {
        true => {
            let fault = Fault::CategoryTooDeep { depth, max: DEPTH_MAX };
            Err(InventoryError::invalid("/parent_id", fault))
        }
        false => Ok(()),
    }
}

fn write_path(result: diesel::QueryResult<()>, category: &Category) -> Result<(), InventoryError> {
    explain(result, DbError::is_unique_violation, || InventoryError::AlreadyExists {
        what: "category",
        name: category.path.clone(),
    })
}

/// Notes who did what to a category.
pub(in crate::inventory::service) fn category_log(
    conn: &mut Connection,
    actor: &str,
    action: &str,
    category: &Category,
    fields: Vec<FieldChange>,
) -> Result<(), InventoryError> {
    let Category { id, ref path, updated_at, .. } = *category;
    Ok(changes_insert(conn, actor, action, [(id, path.as_str(), fields)], updated_at)?)
}
