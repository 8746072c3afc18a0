//! A batch of an import: planned and written in one transaction, by a number of statements that does not depend on its size.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::plan::{HomeLocation, Known, Plan, plan};
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::error::Fault;
use crate::inventory::format::{ImportCategory, ImportLocation, ImportProduct};
use crate::inventory::service::catalogue::category::{CATEGORIES_MAX, category_log};
use crate::inventory::service::catalogue::location::{LOCATIONS_MAX, location_log};
use crate::inventory::service::catalogue::product::EventData;
use crate::inventory::service::change::{fields, product_fields};
use crate::inventory::store::change::changes_insert;
use crate::inventory::store::event::events_insert;
use crate::inventory::store::former::handles_taken_again;
use crate::inventory::store::search::{Words, words_insert, words_put};
use crate::inventory::store::stock_set::{StockSet, backorder_set_many, stock_open_many, stock_set_many};
use crate::inventory::store::{bulk, category, location, product, sku, stock};
use crate::inventory::{Category, ImportReport, InventoryError, Location, Product, ProductStatus, RowFault, Sku};

/// What stands in the ledger.
const REASON: &str = "import";

/// What is true for the whole import.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) actor: String,
    pub(super) dry_run: bool,
    pub(super) home: Option<HomeLocation>,
    /// The paths of the categories that a dry run would have made so far.
    pub(super) made: Arc<HashSet<String>>,
}

/// Things of a file that are written together: the locations first, then the categories, then the products.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) locations: Vec<ImportLocation>,
    pub(super) categories: Vec<ImportCategory>,
    pub(super) products: Vec<BatchProduct>,
}

pub(super) struct BatchProduct {
    pub(super) product: ImportProduct,
    /// What it is found by, if it is new.
    pub(super) words: Words,
    /// Its number among the things of the file, from 1.
    pub(super) item: u64,
}

/// What became of a batch.
#[derive(Clone, Default)]
pub(super) struct Outcome {
    pub(super) report: ImportReport,
    pub(super) faults: Vec<RowFault>,
    /// The paths of new categories.
    pub(super) made: Vec<String>,
}

/// Writes the locations, the categories and some of the products of a batch; in a dry run, only tells what would be done. The error
/// `Conflict` means that somebody else changed one of the things meanwhile: nothing was done, and the same again may succeed.
pub(super) fn write(
    conn: &mut Connection,
    context: &Context,
    batch: &Batch,
    range: Range<usize>,
    now: Time,
) -> Result<Outcome, InventoryError> {
    let mut outcome = Outcome::default();
    write_locations(conn, context, &batch.locations, now, &mut outcome)?;
    let products = &batch.products[range];
    let categories = write_categories(conn, context, wishes(&batch.categories, products), now, &mut outcome)?;
    let mut known = Known { categories, ..Known::default() };
    look_up(conn, products, &mut known)?;
    let mut plans = vec![];
    for BatchProduct { product, words, .. } in products {
        match plan(product, words, &known, context.home.as_ref(), now) {
            Ok((plan, faults)) => {
                plans.push(plan);
                outcome.faults.extend(faults);
            }
            Err(faults) => outcome.faults.extend(faults),
        }
    }
    count(&plans, &mut outcome.report);
    if !context.dry_run {
        write_products(conn, &context.actor, plans, now)?;
    }
    Ok(outcome)
}

/// Somebody else was quicker.
fn changed_meanwhile() -> InventoryError {
    InventoryError::Conflict("A product of the import was changed by somebody else at the same time.".into())
}

fn write_locations(
    conn: &mut Connection,
    context: &Context,
    lines: &[ImportLocation],
    now: Time,
    outcome: &mut Outcome,
) -> Result<(), InventoryError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut known: HashMap<String, Location> =
        location::location_list(conn)?.into_iter().map(|location| (location.code.clone(), location)).collect();
    for line in lines {
        let old = known.get(&line.code);
        if old.is_none() && known.len() as i64 >= LOCATIONS_MAX {
            outcome.faults.push(RowFault::new(line.line, "/code", Fault::LocationsFull { max: LOCATIONS_MAX }));
            continue;
        }
        let mut location = old.cloned().unwrap_or_else(|| new_location(&line.code, now));
        location.name = line.name.clone().unwrap_or(location.name);
        location.address = line.address.clone().unwrap_or(location.address);
        location.priority = line.priority.unwrap_or(location.priority);
        location.active = line.active.unwrap_or(location.active);
        if old == Some(&location) {
            continue;
        }
        outcome.report.locations_changed += 1;
        if old.is_some() {
            (location.version, location.updated_at) = (location.version + 1, now);
        }
        if !context.dry_run {
            match old {
                Some(old) => {
                    location::location_replace(conn, &location)?;
                    location_log(conn, &context.actor, "location.updated", &location, fields(old, &location))?;
                }
                None => {
                    location::location_insert(conn, &location)?;
                    location_log(conn, &context.actor, "location.created", &location, vec![])?;
                }
            }
        }
        known.insert(location.code.clone(), location);
    }
    Ok(())
}

fn new_location(code: &str, now: Time) -> Location {
    Location {
        id: Id::new(now),
        code: code.to_owned(),
        name: code.to_owned(),
        address: Default::default(),
        priority: 0,
        active: true,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// What a category shall be called; with its line where it has one.
#[derive(Default)]
struct Wish<'a> {
    line: Option<&'a ImportCategory>,
    /// From the row of a product: only for a category that is not there yet.
    name: Option<&'a str>,
}

/// Makes and renames categories; gives the ids of all that the batch names. A dry run gives new ones an id as well.
fn write_categories(
    conn: &mut Connection,
    context: &Context,
    wishes: BTreeMap<&str, Wish>,
    now: Time,
    outcome: &mut Outcome,
) -> Result<HashMap<String, Id>, InventoryError> {
    let paths: Vec<&str> = wishes.keys().copied().collect();
    let mut known = by_path(bulk::categories_by_path(conn, &paths)?);
    for (path, wish) in wishes.iter().filter(|(path, _)| context.made.contains(**path)) {
        known.entry((*path).to_owned()).or_insert_with(|| new_category(path, None, wish, now));
    }
    let is_change = |known: &HashMap<String, Category>| {
        wishes.iter().any(|(path, wish)| known.get(*path).is_none_or(|old| wished(old, wish) != *old))
    };
    if !is_change(&known) {
        return Ok(known.into_iter().map(|(path, category)| (path, category.id)).collect());
    }
    if !context.dry_run {
        category::tree_lock(conn)?;
        known = by_path(bulk::categories_by_path(conn, &paths)?);
    }
    let mut room = CATEGORIES_MAX - category::category_count(conn)? - context.made.len() as i64;
    for (path, wish) in &wishes {
        let old = known.get(*path);
        let parent = path.rsplit_once('/').map(|(parent, _)| known.get(parent).map(|parent| parent.id));
        let mut new = match (old, parent) {
            (Some(old), _) => wished(old, wish),
            // Where there was no room for a parent, there is none for its children.
            (None, parent) if room > 0 && parent != Some(None) => {
                room -= 1;
                new_category(path, parent.flatten(), wish, now)
            }
            (None, _) => continue,
        };
        if old == Some(&new) {
            continue;
        }
        outcome.report.categories_changed += 1;
        if old.is_some() {
            (new.version, new.updated_at) = (new.version + 1, now);
        }
        if !context.dry_run {
            match old {
                Some(old) => {
                    category::category_replace(conn, new.clone())?;
                    category_log(conn, &context.actor, "category.updated", &new, fields(old, &new))?;
                }
                None => {
                    category::category_insert(conn, new.clone())?;
                    category_log(conn, &context.actor, "category.created", &new, vec![])?;
                }
            }
        }
        if old.is_none() {
            outcome.made.push(new.path.clone());
        }
        known.insert(new.path.clone(), new);
    }
    Ok(known.into_iter().map(|(path, category)| (path, category.id)).collect())
}

fn by_path(categories: Vec<Category>) -> HashMap<String, Category> {
    categories.into_iter().map(|category| (category.path.clone(), category)).collect()
}

/// All categories that the batch names, with those above them; by path: a parent comes before its children.
fn wishes<'a>(categories: &'a [ImportCategory], products: &'a [BatchProduct]) -> BTreeMap<&'a str, Wish<'a>> {
    let mut wishes: BTreeMap<&str, Wish> = BTreeMap::new();
    let mut levels = |path: &'a str, names: &'a [String]| {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for (level, end) in ends.enumerate() {
            let wish = wishes.entry(&path[..end]).or_default();
            wish.name = wish.name.or(names.get(level).map(String::as_str));
        }
    };
    for category in products.iter().filter_map(|entry| entry.product.category.as_ref()?.as_ref()) {
        levels(&category.path, &category.names);
    }
    for line in categories {
        levels(&line.path, &[]);
    }
    for line in categories {
        wishes.entry(&line.path).or_default().line = Some(line);
    }
    wishes
}

/// The category with what its line says of it.
fn wished(old: &Category, wish: &Wish) -> Category {
    let line = wish.line;
    Category {
        name: line.and_then(|line| line.name.clone()).unwrap_or_else(|| old.name.clone()),
        position: line.and_then(|line| line.position).unwrap_or(old.position),
        ..old.clone()
    }
}

fn new_category(path: &str, parent_id: Option<Id>, wish: &Wish, now: Time) -> Category {
    let slug = path.rsplit('/').next().unwrap_or(path);
    let new = Category {
        id: Id::new(now),
        parent_id,
        slug: slug.to_owned(),
        path: path.to_owned(),
        name: wish.name.map_or_else(|| name_of(slug), str::to_owned),
        position: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    wished(&new, wish)
}

/// `home-garden` is called `Home garden` until somebody gives it a better name.
fn name_of(slug: &str) -> String {
    let mut name = slug.replace('-', " ");
    name[..1].make_ascii_uppercase();
    name
}

/// Asks for what the batch names.
fn look_up(conn: &mut Connection, products: &[BatchProduct], known: &mut Known) -> Result<(), InventoryError> {
    let handles: Vec<&str> = products.iter().map(|entry| entry.product.handle.as_str()).collect();
    let there = bulk::products_by_handle(conn, &handles)?;
    let ids: Vec<Id> = there.iter().map(|product| product.id).collect();
    known.products = there.into_iter().map(|product| (product.handle.clone(), product)).collect();
    let skus = || products.iter().flat_map(|entry| &entry.product.skus);
    let codes: Vec<&str> = skus().map(|sku| sku.code.as_str()).collect();
    known.owners = bulk::sku_owners(conn, &codes)?.into_iter().collect();
    for (key, levels) in bulk::stock_of_products(conn, &ids)? {
        known.stock.entry(key.sku_id).or_default().insert(key.location_id, levels);
    }
    let mut codes: Vec<String> = skus().flat_map(|sku| &sku.stock).filter_map(|stock| stock.location.clone()).collect();
    codes.sort_unstable();
    codes.dedup();
    known.locations =
        stock::locations_by_code(conn, &codes)?.into_iter().map(|location| (location.code, location.id)).collect();
    Ok(())
}

fn count(plans: &[Plan], report: &mut ImportReport) {
    for plan in plans {
        match plan.before {
            None => report.products_created += 1,
            Some(_) if plan.is_change() || !plan.stock.is_empty() => report.products_updated += 1,
            Some(_) => report.products_unchanged += 1,
        }
        report.skus_created += plan.new_skus.len() as u64;
        report.skus_updated += plan.changed_skus.len() as u64;
        report.stock_changed += plan.stock.len() as u64;
    }
}

fn write_products(conn: &mut Connection, actor: &str, plans: Vec<Plan>, now: Time) -> Result<(), InventoryError> {
    let (new, old): (Vec<Plan>, Vec<Plan>) = plans.into_iter().partition(|plan| plan.before.is_none());
    let (created, words, stock) = parts(new);
    product::products_insert(conn, &created)?;
    words_insert(conn, &words)?;
    events_insert(conn, "product.created", created.iter().map(|product| (product.id, EventData::from(product))), now)?;
    let changes = created.iter().map(|product| (product.id, product.handle.as_str(), vec![]));
    changes_insert(conn, actor, "product.created", changes, now)?;
    stock_open_many(conn, &stock, REASON, actor, now)?;
    let backorders = write_changes(conn, actor, &old, now)?;
    let stock: Vec<StockSet> = old.into_iter().flat_map(|plan| plan.stock).collect();
    if !stock_set_many(conn, &stock, REASON, actor, now)? {
        return Err(changed_meanwhile());
    }
    // A lower limit may only hold with the new counters.
    write_backorders(conn, backorders)
}

/// The new products, their words and their stock.
fn parts(plans: Vec<Plan>) -> (Vec<Product>, Vec<(Id, Words)>, Vec<StockSet>) {
    let mut products = Vec::with_capacity(plans.len());
    let mut words = Vec::with_capacity(plans.len());
    let mut stock = vec![];
    for plan in plans {
        words.extend(plan.words.map(|words| (plan.product.id, words)));
        products.push(plan.product);
        stock.extend(plan.stock);
    }
    (products, words, stock)
}

/// SKUs whose stock gets another backorder limit, by limit.
type Backorders = BTreeMap<i64, Vec<Sku>>;

/// Writes what changes of products that are there. Gives the backorder limits that fall, which are yet to be written.
fn write_changes(conn: &mut Connection, actor: &str, plans: &[Plan], now: Time) -> Result<Backorders, InventoryError> {
    let changed: Vec<&Plan> = plans.iter().filter(|plan| plan.is_change()).collect();
    // The products' rows come first: from then on nobody else changes them or their SKUs.
    if !bulk::products_update(conn, &changed.iter().map(|plan| &plan.product).collect::<Vec<_>>())? {
        return Err(changed_meanwhile());
    }
    let is_on_sale = |product: &Product| product.status == ProductStatus::Active;
    let put_on_sale = changed.iter().filter(|plan| is_on_sale(&plan.product) && !plan.before.is_some_and(is_on_sale));
    handles_taken_again(conn, put_on_sale.map(|plan| &*plan.product.handle))?;
    let retagged = |plan: &&&Plan| plan.before.is_some_and(|before| before.tags != plan.product.tags);
    let retagged: Vec<&Product> = changed.iter().filter(retagged).map(|plan| &plan.product).collect();
    product::tags_delete(conn, &retagged.iter().map(|product| product.id).collect::<Vec<_>>())?;
    product::tags_insert(conn, retagged)?;

    let changes: Vec<(&Sku, &Sku)> = changed.iter().flat_map(|plan| plan.changes()).collect();
    let moved: Vec<&Sku> =
        changes.iter().filter(|(old, new)| old.options != new.options).map(|(_, new)| *new).collect();
    bulk::sku_options_free(conn, &moved)?;
    bulk::skus_update(conn, &changes.iter().map(|(_, new)| *new).collect::<Vec<_>>())?;
    sku::skus_insert(
        conn,
        changed.iter().flat_map(|plan| plan.new_skus.iter().map(|index| &plan.product.skus[*index])),
    )?;

    let (mut rising, mut falling) = (Backorders::new(), Backorders::new());
    for (old, new) in changes {
        let limits = match new.backorder_limit - old.backorder_limit {
            0 => continue,
            1.. => &mut rising,
            _ => &mut falling,
        };
        limits.entry(new.backorder_limit).or_default().push(new.clone());
    }
    write_backorders(conn, rising)?;

    let words: Vec<(Id, Words)> =
        changed.iter().filter_map(|plan| Some((plan.product.id, plan.words.clone()?))).collect();
    words_put(conn, &words)?;
    let events = changed.iter().map(|plan| (plan.product.id, EventData::from(&plan.product)));
    events_insert(conn, "product.updated", events, now)?;
    let changes = changed.iter().map(|Plan { before, product, .. }| {
        (product.id, product.handle.as_str(), before.map_or(vec![], |before| product_fields(before, product)))
    });
    changes_insert(conn, actor, "product.updated", changes, now)?;
    Ok(falling)
}

fn write_backorders(conn: &mut Connection, backorders: Backorders) -> Result<(), InventoryError> {
    for (limit, skus) in backorders {
        backorder_set_many(conn, &skus.iter().collect::<Vec<_>>(), limit)?;
    }
    Ok(())
}
