//! Products. A product with its SKUs is changed as one: whoever changes any of it takes the product first.

use serde::Serialize;

use super::{check_claimed, explain};
use crate::call::{Answer, Call, Version};
use crate::clock::{Id, Time};
use crate::db::{Connection, DbError};
use crate::error::{Fault, FieldError};
use crate::inventory::service::LocalInventory;
use crate::inventory::service::change::product_fields;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::validate::{self, Faults};
use crate::inventory::store::change::changes_insert;
use crate::inventory::store::event::event_insert;
use crate::inventory::store::former::{handle_left, handle_now, handles_taken_again};
use crate::inventory::store::search::{Words, words_delete, words_insert, words_put};
use crate::inventory::store::{product as store, sku};
use crate::inventory::{
    FieldChange, InventoryError, NewProduct, NewSku, Product, ProductKey, ProductPatch, ProductStatus, Sku,
};

/// How many handles are tried, as `shirt`, `shirt-2`, `shirt-3`, before one gets the product's id.
const HANDLES_TRIED: usize = 100;

impl LocalInventory {
    pub(super) async fn get_product(&self, key: ProductKey) -> Result<Option<Product>, InventoryError> {
        if !names_something(&key) {
            return Ok(None);
        }
        self.db.read(move |conn| Ok(store::product_get(conn, &key)?)).await
    }

    pub(super) async fn moved_product(&self, handle: &str) -> Result<Option<String>, InventoryError> {
        if !validate::is_slug(handle) {
            return Ok(None);
        }
        let handle = handle.to_owned();
        self.db.read(move |conn| Ok(handle_now(conn, &handle)?)).await
    }

    pub(super) async fn create_product(
        &self,
        call: &Call,
        mut new: NewProduct,
    ) -> Result<Answer<Product>, InventoryError> {
        let currency = self.config.currency.clone();
        let check = move || {
            let mut faults = Faults::default();
            validate::product::product(&mut new, &currency, &mut faults);
            faults.finish().map(|()| new)
        };
        let new = self.checks.run(check).await?;
        let now = self.clock.now();
        let product = first_version(new, now);
        let (call, hours) = (call.clone(), self.config.idempotency_hours);
        self.write_named(call.key.is_some(), move |conn, is_last_try| {
            once(conn, &call, hours, now, |conn| insert(conn, &call.actor, product.clone(), is_last_try))
        })
        .await
    }

    pub(super) async fn update_product(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<Version>,
        mut patch: ProductPatch,
    ) -> Result<Product, InventoryError> {
        let check = move || {
            let mut faults = Faults::default();
            validate::product::product_patch(&mut patch, &mut faults);
            faults.finish().map(|()| patch)
        };
        let patch = self.checks.run(check).await?;
        let (actor, now) = (call.actor.clone(), self.clock.now());
        self.write_named(false, move |conn, _| {
            let old = claim(conn, &key, now)?;
            check_claimed(expected, &old)?;
            let mut product =
                patched(old.clone(), patch.clone()).map_err(|wrong| InventoryError::Invalid(vec![wrong]))?;
            if product.handle != old.handle {
                check_handle(conn, &product.handle)?;
                handle_left(conn, &old.handle, product.id, now)?;
            }
            if product.status == ProductStatus::Active && (old.status, &old.handle) != (product.status, &product.handle)
            {
                handles_taken_again(conn, [&*product.handle])?;
            }
            if product.tags != old.tags {
                store::tags_delete(conn, &[product.id])?;
                store::tags_insert(conn, std::slice::from_ref(&product))?;
            }
            write_fewer_options(conn, &old, &mut product)?;
            save(conn, &actor, &old, &product)?;
            Ok(product)
        })
        .await
    }

    pub(super) async fn delete_product(
        &self,
        call: &Call,
        key: ProductKey,
        expected: Option<Version>,
    ) -> Result<(), InventoryError> {
        let (actor, now) = (call.actor.clone(), self.clock.now());
        self.db
            .write(move |conn| {
                let product = claim(conn, &key, now)?;
                check_claimed(expected, &product)?;
                let in_use = || InventoryError::Conflict(Fault::ProductHadStock { product: product.handle.clone() });
                if sku::had_stock(conn, product.id, None)? {
                    return Err(in_use());
                }
                words_delete(conn, &[product.id])?;
                explain(store::product_delete(conn, product.id), DbError::is_foreign_key_violation, in_use)?;
                tell(conn, &actor, "product.deleted", &product, vec![])
            })
            .await
    }
}

/// Adds a new product. One without a handle gets one; on the last try, one that nobody else can take.
fn insert(
    conn: &mut Connection,
    actor: &str,
    mut product: Product,
    is_last_try: bool,
) -> Result<Product, InventoryError> {
    let codes: Vec<&str> = product.skus.iter().map(|sku| sku.code.as_str()).collect();
    if let Some(name) = sku::sku_codes_taken(conn, &codes)?.pop() {
        return Err(InventoryError::AlreadyExists { what: "SKU", name });
    }
    match product.handle.is_empty() {
        true => product.handle = free_handle(conn, &product, is_last_try)?,
        false => check_handle(conn, &product.handle)?,
    }
    check_category(store::products_insert(conn, std::slice::from_ref(&product)))?;
    words_insert(conn, &[(product.id, words(&product))])?;
    tell(conn, actor, "product.created", &product, vec![])?;
    Ok(product)
}

/// Takes a product for a change: its version has risen, and nobody else changes it or its SKUs until the transaction ends.
pub(super) fn claim(conn: &mut Connection, key: &ProductKey, now: Time) -> Result<Product, InventoryError> {
    let product = match names_something(key) {
        true => store::product_claim(conn, key, now)?,
        false => None,
    };
    product.ok_or_else(|| InventoryError::NotFound {
        what: "product",
        name: match key {
            ProductKey::Id(id) => id.to_string(),
            ProductKey::Handle(handle) => handle.clone(),
        },
    })
}

/// Writes the SKUs that stay, where their product lost the only option, which said that there is none.
pub(super) fn write_fewer_options(
    conn: &mut Connection,
    old: &Product,
    product: &mut Product,
) -> Result<(), InventoryError> {
    if product.options.len() < old.options.len() {
        for sku in &mut product.skus {
            (sku.version, sku.updated_at) = (sku.version + 1, product.updated_at);
            sku::sku_replace(conn, sku)?;
        }
    }
    Ok(())
}

/// Writes what a change of a product, or of its SKUs, means for the product itself, and tells it.
pub(super) fn save(conn: &mut Connection, actor: &str, old: &Product, product: &Product) -> Result<(), InventoryError> {
    check_category(store::product_replace(conn, product))?;
    let words_now = words(product);
    if words_now != words(old) {
        words_put(conn, &[(product.id, words_now)])?;
    }
    tell(conn, actor, "product.updated", product, product_fields(old, product))
}

/// A new SKU of a product.
pub(super) fn first_sku_version(new: NewSku, product_id: Id, position: i64, now: Time) -> Sku {
    Sku {
        id: Id::new(now),
        product_id,
        code: new.code,
        options: new.options,
        position,
        price: new.price,
        compare_at_price: new.compare_at_price,
        barcode: new.barcode,
        weight_grams: new.weight_grams,
        requires_shipping: new.requires_shipping,
        taxable: new.taxable,
        image_url: new.image_url,
        backorder_limit: new.backorder_limit,
        low_stock_threshold: new.low_stock_threshold,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// The product of a valid [`NewProduct`]; its handle is empty where none is given.
fn first_version(new: NewProduct, now: Time) -> Product {
    let id = Id::new(now);
    let skus = (1..).zip(new.skus).map(|(position, sku)| first_sku_version(sku, id, position, now)).collect();
    Product {
        id,
        handle: new.handle.unwrap_or_default(),
        title: new.title,
        description_html: new.description_html,
        vendor: new.vendor,
        product_type: new.product_type,
        status: new.status,
        category_id: new.category_id,
        tags: new.tags,
        options: new.options,
        attributes: new.attributes,
        images: new.images,
        seo_title: new.seo_title,
        seo_description: new.seo_description,
        skus,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

/// The product with what the patch changes.
pub(in crate::inventory::service) fn patched(old: Product, patch: ProductPatch) -> Result<Product, FieldError> {
    let mut skus = old.skus;
    let mut options = patch.options.clone().unwrap_or(old.options);
    if patch.options.is_some() {
        let count = skus.first().map_or(options.len(), |sku| sku.options.len());
        validate::product::drop_no_option(&mut options, skus.iter_mut().map(|sku| &mut sku.options));
        if skus.iter().any(|sku| sku.options.len() != options.len()) {
            let fault = Fault::OptionNames { count: options.len(), kept: count };
            return Err(FieldError::new("/options", fault));
        }
    }
    Ok(Product {
        handle: patch.handle.unwrap_or(old.handle),
        title: patch.title.unwrap_or(old.title),
        description_html: patch.description_html.unwrap_or(old.description_html),
        vendor: patch.vendor.unwrap_or(old.vendor),
        product_type: patch.product_type.unwrap_or(old.product_type),
        status: patch.status.unwrap_or(old.status),
        category_id: patch.category_id.unwrap_or(old.category_id),
        tags: patch.tags.unwrap_or(old.tags),
        options,
        skus,
        attributes: patch.attributes.unwrap_or(old.attributes),
        images: patch.images.unwrap_or(old.images),
        seo_title: patch.seo_title.unwrap_or(old.seo_title),
        seo_description: patch.seo_description.unwrap_or(old.seo_description),
        ..old
    })
}

/// Text that can be no handle names no product, and need not trouble the database.
fn names_something(key: &ProductKey) -> bool {
    match key {
        ProductKey::Id(_) => true,
        ProductKey::Handle(handle) => validate::is_slug(handle),
    }
}

fn check_handle(conn: &mut Connection, handle: &str) -> Result<(), InventoryError> {
    match store::handles_taken(conn, &[handle.to_owned()])?.pop() {
        Some(name) => Err(InventoryError::AlreadyExists { what: "product", name }),
        None => Ok(()),
    }
}

/// A handle made from the title: the first that is free of `shirt`, `shirt-2`, `shirt-3` …; or one that nobody else can take.
fn free_handle(conn: &mut Connection, product: &Product, unique: bool) -> Result<String, InventoryError> {
    let mut base = validate::slug_of(&product.title);
    if !validate::is_slug(&base) {
        base = "product".to_owned();
    }
    let with_suffix = |suffix: &str| {
        let start = base[..base.len().min(validate::SLUG_MAX - suffix.len() - 1)].trim_end_matches('-');
        format!("{start}-{suffix}")
    };
    let with_id = with_suffix(&product.id.to_string());
    if unique {
        return Ok(with_id);
    }
    let mut handles = vec![base.clone()];
    handles.extend((2..=HANDLES_TRIED).map(|number| with_suffix(&number.to_string())));
    let taken = store::handles_taken(conn, &handles)?;
    let free = handles.into_iter().find(|handle| !taken.contains(handle));
    Ok(free.unwrap_or(with_id))
}

fn check_category(result: diesel::QueryResult<()>) -> Result<(), InventoryError> {
    explain(result, DbError::is_foreign_key_violation, || {
        InventoryError::invalid("/category_id", Fault::NoSuchCategory)
    })
}

/// What the product is found by.
pub(in crate::inventory::service) fn words(product: &Product) -> Words {
    let Product { title, vendor, product_type, tags, skus, description_html, .. } = product;
    let codes = skus.iter().map(|sku| sku.code.as_str());
    Words::of(title, vendor, product_type, tags.iter().map(String::as_str), codes, description_html)
}

/// What an event of a product tells of it.
#[derive(Serialize)]
pub(in crate::inventory::service) struct EventData<'a> {
    id: Id,
    handle: &'a str,
    version: i64,
    status: ProductStatus,
}

impl<'a> From<&'a Product> for EventData<'a> {
    fn from(product: &'a Product) -> Self {
        let Product { id, ref handle, version, status, .. } = *product;
        EventData { id, handle, version, status }
    }
}

/// Writes the event of a change, and who made it, into its transaction.
fn tell(
    conn: &mut Connection,
    actor: &str,
    kind: &str,
    product: &Product,
    fields: Vec<FieldChange>,
) -> Result<(), InventoryError> {
    let now = product.updated_at;
    event_insert(conn, kind, product.id, &EventData::from(product), now)?;
    Ok(changes_insert(conn, actor, kind, [(product.id, product.handle.as_str(), fields)], now)?)
}
