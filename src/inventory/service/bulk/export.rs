//! Export: all products with their stock, a piece at a time.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::import::patiently;
use crate::clock::Id;
use crate::db::Connection;
use crate::inventory::format::csv::{self, ExportRow};
use crate::inventory::format::jsonl::{
    self, CategoryKind, CategoryLine, LocationKind, LocationLine, ProductKind, ProductLine, SkuLine, StockLine,
};
use crate::inventory::service::catalogue::product::words;
use crate::inventory::service::{LocalInventory, position};
use crate::inventory::store::search::words_put;
use crate::inventory::store::stock::Levels;
use crate::inventory::store::{bulk, location};
use crate::inventory::{BulkFormat, Category, ExportChunk, InventoryError, Location, Product, Sku};
use crate::page;

/// Products of a piece.
const PRODUCTS: i64 = 200;
/// Categories of a piece.
const CATEGORIES: i64 = 1_000;

/// Where an export goes on: after the category of this path, or the product of this handle.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Position {
    Category(String),
    Product(String),
}

impl LocalInventory {
    pub(super) async fn export(
        &self,
        format: BulkFormat,
        after: Option<String>,
    ) -> Result<ExportChunk, InventoryError> {
        let after: Option<Position> = position(after.as_deref())?;
        let part = move |conn: &mut Connection| match (&after, format) {
            (None, BulkFormat::Csv) => Ok(csv_start()),
            (None, BulkFormat::Jsonl) => locations(conn),
            (Some(Position::Category(after)), _) => categories(conn, after),
            (Some(Position::Product(after)), _) => products(conn, format, after),
        };
        patiently(|| self.db.read(part.clone())).await
    }
}

fn chunk(bytes: Vec<u8>, next: Option<Position>) -> ExportChunk {
    ExportChunk { bytes, next: next.map(|position| page::cursor(&position)) }
}

fn csv_start() -> ExportChunk {
    let mut bytes = vec![];
    csv::header(&mut bytes);
    chunk(bytes, Some(Position::Product(String::new())))
}

fn locations(conn: &mut Connection) -> Result<ExportChunk, InventoryError> {
    let mut bytes = vec![];
    for location in location::location_list(conn)? {
        let Location { code, name, address, priority, active, .. } = location;
        let line = LocationLine {
            kind: LocationKind::Location,
            code,
            name: Some(name),
            address: Some(address),
            priority: Some(priority),
            active: Some(active),
        };
        jsonl::write(&mut bytes, &line);
    }
    Ok(chunk(bytes, Some(Position::Category(String::new()))))
}

fn categories(conn: &mut Connection, after: &str) -> Result<ExportChunk, InventoryError> {
    let categories = bulk::categories_after(conn, after, CATEGORIES)?;
    let next = match categories.last() {
        Some(last) if categories.len() as i64 == CATEGORIES => Position::Category(last.path.clone()),
        _ => Position::Product(String::new()),
    };
    let mut bytes = vec![];
    for Category { path, name, position, .. } in categories {
        let line = CategoryLine { kind: CategoryKind::Category, path, name: Some(name), position: Some(position) };
        jsonl::write(&mut bytes, &line);
    }
    Ok(chunk(bytes, Some(next)))
}

impl LocalInventory {
    /// See [`crate::inventory::Bulk::words_rebuild`].
    pub(super) async fn rebuild_words(&self, after: String) -> Result<Option<String>, InventoryError> {
        let work = move |conn: &mut _| {
            let products = bulk::products_after(conn, &after, PRODUCTS)?;
            let all: Vec<_> = products.iter().map(|product| (product.id, words(product))).collect();
            words_put(conn, &all)?;
            let is_last = (products.len() as i64) < PRODUCTS;
            Ok(products.last().filter(|_| !is_last).map(|last| last.handle.clone()))
        };
        self.db.write(work).await
    }
}

/// What is known beside the products of a piece.
struct Context {
    locations: Vec<Location>,
    /// The counters of a SKU, by location.
    stock: HashMap<Id, HashMap<Id, Levels>>,
    paths: HashMap<Id, String>,
    /// By path.
    names: HashMap<String, String>,
}

fn products(conn: &mut Connection, format: BulkFormat, after: &str) -> Result<ExportChunk, InventoryError> {
    let products = bulk::products_after(conn, after, PRODUCTS)?;
    let last = products.last().filter(|_| products.len() as i64 == PRODUCTS);
    let next = last.map(|last| Position::Product(last.handle.clone()));
    let context = context(conn, &products)?;
    let mut bytes = vec![];
    for product in &products {
        match format {
            BulkFormat::Csv => csv::product(&mut bytes, &csv_row(product, &context)),
            BulkFormat::Jsonl => jsonl::write(&mut bytes, &product_line(product, &context)),
        }
    }
    Ok(chunk(bytes, next))
}

fn context(conn: &mut Connection, products: &[Product]) -> Result<Context, InventoryError> {
    let mut locations = location::location_list(conn)?;
    // The first active one is the one to which a CSV's quantities go.
    locations.sort_by(|a, b| (a.priority, &a.code).cmp(&(b.priority, &b.code)));
    let ids: Vec<Id> = products.iter().map(|product| product.id).collect();
    let mut stock: HashMap<Id, HashMap<Id, Levels>> = HashMap::new();
    for (key, levels) in bulk::stock_of_products(conn, &ids)? {
        stock.entry(key.sku_id).or_default().insert(key.location_id, levels);
    }
    let mut ids: Vec<Id> = products.iter().filter_map(|product| product.category_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let categories = bulk::categories_with_parents(conn, &ids)?;
    let paths = categories.iter().map(|category| (category.id, category.path.clone())).collect();
    let names = categories.into_iter().map(|category| (category.path, category.name)).collect();
    Ok(Context { locations, stock, paths, names })
}

impl Context {
    fn path(&self, product: &Product) -> Option<&str> {
        product.category_id.and_then(|id| self.paths.get(&id)).map(String::as_str)
    }
}

fn csv_row<'a>(product: &'a Product, context: &'a Context) -> ExportRow<'a> {
    let path = context.path(product).unwrap_or_default();
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let names = ends.filter_map(|end| context.names.get(&path[..end])).map(String::as_str).collect();
    let on_hand = |sku: &Sku| {
        let home = context.locations.iter().find(|location| location.active)?;
        let levels = context.stock.get(&sku.id)?.get(&home.id)?;
        Some(levels.counters.on_hand)
    };
    ExportRow {
        product,
        category_path: path,
        category_names: names,
        on_hand: product.skus.iter().map(on_hand).collect(),
    }
}

fn product_line(product: &Product, context: &Context) -> ProductLine {
    ProductLine {
        kind: ProductKind::Product,
        handle: product.handle.clone(),
        title: Some(product.title.clone()),
        description_html: Some(product.description_html.clone()),
        vendor: Some(product.vendor.clone()),
        product_type: Some(product.product_type.clone()),
        status: Some(product.status),
        category: Some(context.path(product).map(str::to_owned)),
        tags: Some(product.tags.clone()),
        options: Some(product.options.clone()),
        attributes: Some(product.attributes.clone()),
        images: Some(product.images.clone()),
        seo_title: Some(product.seo_title.clone()),
        seo_description: Some(product.seo_description.clone()),
        skus: product.skus.iter().map(|sku| sku_line(sku, context)).collect(),
    }
}

fn sku_line(sku: &Sku, context: &Context) -> SkuLine {
    let stock = |location: &Location| {
        let counters = context.stock.get(&sku.id)?.get(&location.id)?.counters;
        Some(StockLine {
            location: location.code.clone(),
            on_hand: Some(counters.on_hand),
            safety: Some(counters.safety),
            incoming: Some(counters.incoming),
        })
    };
    SkuLine {
        code: sku.code.clone(),
        options: Some(sku.options.clone()),
        price: Some(sku.price.clone()),
        compare_at_price: Some(sku.compare_at_price.clone()),
        barcode: Some(sku.barcode.clone()),
        weight_grams: Some(sku.weight_grams),
        requires_shipping: Some(sku.requires_shipping),
        taxable: Some(sku.taxable),
        image_url: Some(sku.image_url.clone()),
        backorder_limit: Some(sku.backorder_limit),
        low_stock_threshold: Some(sku.low_stock_threshold),
        stock: context.locations.iter().filter_map(stock).collect(),
    }
}
