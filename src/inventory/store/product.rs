//! The products and their tags.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::clock::{Id, Time};
use crate::db::sql::JsonValue;
use crate::db::{Connection, MultiBackend};
use crate::inventory::schema::{product_tags, products};
use crate::inventory::store::former::handles_taken_again;
use crate::inventory::store::sku::{skus_insert, skus_of_product};
use crate::inventory::{Product, ProductAddress, ProductKey, ProductStatus, Sku};

#[derive(Queryable, Selectable)]
#[diesel(table_name = products)]
pub(in crate::inventory) struct ProductRow {
    pub(super) id: Id,
    pub(super) handle: String,
    pub(super) title: String,
    pub(super) description_html: String,
    pub(super) vendor: String,
    pub(super) product_type: String,
    pub(super) status: String,
    pub(super) category_id: Option<Id>,
    pub(super) options: JsonValue,
    pub(super) attributes: JsonValue,
    pub(super) images: JsonValue,
    pub(super) seo_title: String,
    pub(super) seo_description: String,
    pub(super) version: i64,
    pub(super) created_at: Time,
    pub(super) updated_at: Time,
}

impl ProductRow {
    /// The product of this row, its tags and its SKUs.
    pub(super) fn product(self, tags: Vec<String>, skus: Vec<Sku>) -> QueryResult<Product> {
        Ok(Product {
            id: self.id,
            handle: self.handle,
            title: self.title,
            description_html: self.description_html,
            vendor: self.vendor,
            product_type: self.product_type,
            status: status_of(&self.status)?,
            category_id: self.category_id,
            tags,
            options: self.options.read("products.options")?,
            attributes: self.attributes.read("products.attributes")?,
            images: self.images.read("products.images")?,
            seo_title: self.seo_title,
            seo_description: self.seo_description,
            skus,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The word for a status in its column.
pub(in crate::inventory) fn status_text(status: ProductStatus) -> &'static str {
    match status {
        ProductStatus::Draft => "draft",
        ProductStatus::Active => "active",
        ProductStatus::Archived => "archived",
    }
}

/// Reads the status column.
pub(in crate::inventory) fn status_of(text: &str) -> QueryResult<ProductStatus> {
    match text {
        "draft" => Ok(ProductStatus::Draft),
        "active" => Ok(ProductStatus::Active),
        "archived" => Ok(ProductStatus::Archived),
        other => Err(diesel::result::Error::DeserializationError(format!("products.status: {other:?}").into())),
    }
}

/// The addresses of active products, by id, from the one after `after` on.
pub(in crate::inventory) fn product_addresses(
    conn: &mut Connection,
    after: Option<Id>,
    limit: i64,
) -> QueryResult<Vec<ProductAddress>> {
    let mut query = products::table
        .filter(products::status.eq(status_text(ProductStatus::Active)))
        .select((products::id, products::handle, products::updated_at))
        .order(products::id)
        .limit(limit)
        .into_boxed::<MultiBackend>();
    if let Some(after) = after {
        query = query.filter(products::id.gt(after));
    }
    let rows: Vec<(Id, String, Time)> = query.load(conn)?;
    Ok(rows.into_iter().map(|(id, handle, updated_at)| ProductAddress { id, handle, updated_at }).collect())
}

/// The id of the `every`th active product after `after`, if there are more behind it.
pub(in crate::inventory) fn product_address_mark(
    conn: &mut Connection,
    after: Option<Id>,
    every: i64,
) -> QueryResult<Option<Id>> {
    let mut query = products::table
        .filter(products::status.eq(status_text(ProductStatus::Active)))
        .select(products::id)
        .order(products::id)
        .offset(every - 1)
        .limit(2)
        .into_boxed::<MultiBackend>();
    if let Some(after) = after {
        query = query.filter(products::id.gt(after));
    }
    let ids: Vec<Id> = query.load(conn)?;
    Ok(ids.first().copied().filter(|_| ids.len() == 2))
}

/// All columns of a product, for writing.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = products, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(super) struct ProductValues<'a> {
    id: Id,
    handle: &'a str,
    title: &'a str,
    description_html: &'a str,
    vendor: &'a str,
    product_type: &'a str,
    status: &'static str,
    category_id: Option<Id>,
    options: JsonValue,
    attributes: JsonValue,
    images: JsonValue,
    seo_title: &'a str,
    seo_description: &'a str,
    price_min: Option<i64>,
    price_max: Option<i64>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl<'a> From<&'a Product> for ProductValues<'a> {
    fn from(product: &'a Product) -> Self {
        let prices = || product.skus.iter().map(|sku| sku.price.amount);
        ProductValues {
            id: product.id,
            handle: &product.handle,
            title: &product.title,
            description_html: &product.description_html,
            vendor: &product.vendor,
            product_type: &product.product_type,
            status: status_text(product.status),
            category_id: product.category_id,
            options: JsonValue::of(&product.options),
            attributes: JsonValue::of(&product.attributes),
            images: JsonValue::of(&product.images),
            seo_title: &product.seo_title,
            seo_description: &product.seo_description,
            price_min: prices().min(),
            price_max: prices().max(),
            version: product.version,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = product_tags, treat_none_as_default_value = false)]
struct TagValues<'a> {
    product_id: Id,
    tag: &'a str,
}

/// Adds products with their tags and SKUs. A handle or a code that is taken is a unique violation, a category that is not there a
/// foreign key violation.
pub(in crate::inventory) fn products_insert(conn: &mut Connection, new: &[Product]) -> QueryResult<()> {
    let values: Vec<ProductValues> = new.iter().map(ProductValues::from).collect();
    insert_many!(conn, products::table, &values);
    let on_sale = new.iter().filter(|product| product.status == ProductStatus::Active);
    handles_taken_again(conn, on_sale.map(|product| &*product.handle))?;
    tags_insert(conn, new)?;
    skus_insert(conn, new.iter().flat_map(|product| &product.skus))
}

/// Gives products, which have none, their tags.
pub(in crate::inventory) fn tags_insert<'a>(
    conn: &mut Connection,
    products: impl IntoIterator<Item = &'a Product>,
) -> QueryResult<()> {
    let values: Vec<TagValues> = products
        .into_iter()
        .flat_map(|product| product.tags.iter().map(|tag| TagValues { product_id: product.id, tag }))
        .collect();
    insert_many!(conn, product_tags::table, &values);
    Ok(())
}

/// Takes away all tags of products.
pub(in crate::inventory) fn tags_delete(conn: &mut Connection, products: &[Id]) -> QueryResult<()> {
    diesel::delete(product_tags::table.filter(product_tags::product_id.eq_any(products))).execute(conn)?;
    Ok(())
}

/// A product, its tags and its SKUs: three statements.
pub(in crate::inventory) fn product_get(conn: &mut Connection, key: &ProductKey) -> QueryResult<Option<Product>> {
    // The product's row comes first: when somebody changes the product meanwhile, what is newer than its version tells is given
    // under the old version, and never what is old under the new one, which caches would keep.
    let row = products::table.filter(named(key)).select(ProductRow::as_select()).first(conn).optional()?;
    row.map(|row| whole(conn, row)).transpose()
}

/// Takes the product for a change: its version rises by one, and nobody else changes it or its SKUs until the transaction ends.
pub(in crate::inventory) fn product_claim(
    conn: &mut Connection,
    key: &ProductKey,
    now: Time,
) -> QueryResult<Option<Product>> {
    diesel::update(products::table.filter(named(key)))
        .set((products::version.eq(products::version + 1), products::updated_at.eq(now)))
        .execute(conn)?;
    product_get(conn, key)
}

/// Writes all of a product's row anew, except its id; with the lowest and the highest price of its SKUs.
pub(in crate::inventory) fn product_replace(conn: &mut Connection, product: &Product) -> QueryResult<()> {
    diesel::update(products::table.find(product.id)).set(ProductValues::from(product)).execute(conn)?;
    Ok(())
}

/// Removes a product with its tags and SKUs; a foreign key violation while one of them has stock.
pub(in crate::inventory) fn product_delete(conn: &mut Connection, id: Id) -> QueryResult<()> {
    diesel::delete(products::table.find(id)).execute(conn)?;
    Ok(())
}

/// Which of these handles are taken.
pub(in crate::inventory) fn handles_taken(conn: &mut Connection, handles: &[String]) -> QueryResult<Vec<String>> {
    products::table.filter(products::handle.eq_any(handles)).select(products::handle).load(conn)
}

type Condition<'a> = Box<dyn BoxableExpression<products::table, MultiBackend, SqlType = Bool> + 'a>;

fn named(key: &ProductKey) -> Condition<'_> {
    match key {
        ProductKey::Id(id) => Box::new(products::id.eq(*id)),
        ProductKey::Handle(handle) => Box::new(products::handle.eq(handle)),
    }
}

fn whole(conn: &mut Connection, row: ProductRow) -> QueryResult<Product> {
    let tags = product_tags::table
        .filter(product_tags::product_id.eq(row.id))
        .order(product_tags::tag)
        .select(product_tags::tag)
        .load(conn)?;
    let skus = skus_of_product(conn, row.id)?;
    row.product(tags, skus)
}
