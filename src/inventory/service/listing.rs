//! Lists of products: what may be asked for, and cursors that belong to one query.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::LocalInventory;
use super::validate::Faults;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::error::Fault;
use crate::inventory::store::listing::filter::{Filter, Listing};
use crate::inventory::store::listing::offer::offers;
use crate::inventory::store::listing::{Key, Place};
use crate::inventory::store::search::Terms;
use crate::inventory::store::sku::{sku_codes, sku_counts};
use crate::inventory::{Facets, InventoryError, MONEY_MAX, ProductPage, ProductQuery, ProductSort, SkuOffer};
use crate::page::{Page, cursor, limit, position};

const QUERY_MAX: usize = 200;
const QUERY_WORDS_MAX: usize = 20;
/// Longer than any vendor, tag or path that can be kept.
const CATEGORY_MAX: usize = 4_000;
const VALUE_MAX: usize = 255;
/// 9999-12-31T23:59:59.999999Z: both databases keep all moments from 1970 to it.
pub(super) const MICROS_MAX: i64 = 253_402_300_799_999_999;

/// More products than a shop has.
const SEEN_MAX: i64 = 1_000_000_000;

impl LocalInventory {
    /// A page of products, and their facets where they are asked for.
    pub(super) async fn list_products(&self, mut query: ProductQuery) -> Result<ProductPage, InventoryError> {
        let (limit, sort) = check(&mut query)?;
        let hash = hash(&query, sort);
        let after = match query.cursor.as_deref() {
            Some(cursor) => Some(read_cursor(cursor, &hash, sort).ok_or(InventoryError::InvalidCursor)?),
            None => None,
        };
        let with_facets = query.facets == Some(true);
        let filter = filter(query);
        if filter.terms.as_ref().is_some_and(|terms| terms.len() == 0) {
            let facets = with_facets.then(Facets::default);
            return Ok(ProductPage { items: vec![], next_cursor: None, facets });
        }
        let (now, currency) = (self.clock.now(), self.config.currency.clone());
        let (hits, facets) = self
            .db
            .read(move |conn| {
                let listing = Listing::new(conn, &filter, now)?;
                let hits = listing.page(conn, sort, after.as_ref(), limit + 1, &currency)?;
                let facets = with_facets.then(|| listing.facets(conn)).transpose()?;
                Ok::<_, InventoryError>((hits, facets))
            })
            .await?;
        let page = Page::cut(hits, limit, |hit| Cursor::new(&hash, &hit.place));
        let items = page.items.into_iter().map(|hit| hit.summary).collect();
        Ok(ProductPage { items, next_cursor: page.next_cursor, facets })
    }
}

/// Where a list of SKUs goes on: in the products after this cursor's, behind so many SKUs of the first of them.
type SkuPosition = (Option<String>, usize);

impl LocalInventory {
    /// A page of the SKUs of the products that a query finds.
    pub(super) async fn list_skus(&self, mut query: ProductQuery) -> Result<Page<SkuOffer>, InventoryError> {
        let (limit, sort) = check(&mut query)?;
        let hash = hash(&query, sort);
        let (from, told): SkuPosition = match query.cursor.as_deref() {
            Some(cursor) => position(cursor).ok_or(InventoryError::InvalidCursor)?,
            None => (None, 0),
        };
        let read = |cursor| read_cursor(cursor, &hash, sort).ok_or(InventoryError::InvalidCursor);
        let after = from.as_deref().map(read).transpose()?;
        let filter = filter(query);
        if filter.terms.as_ref().is_some_and(|terms| terms.len() == 0) {
            return Ok(Page { items: vec![], next_cursor: None });
        }
        let (now, currency) = (self.clock.now(), self.config.currency.clone());
        self.db
            .read(move |conn| {
                // Products with one SKU are the most of them, so that a page is not more products.
                let hits = Listing::new(conn, &filter, now)?.page(conn, sort, after.as_ref(), limit + 1, &currency)?;
                let at = |hit: usize| match hit {
                    0 => from.clone(),
                    _ => Some(cursor(&Cursor::new(&hash, &hits[hit - 1].place))),
                };
                let wanted = told.saturating_add(limit as usize + 1);
                let products: Vec<Id> = hits.iter().map(|hit| hit.summary.id).collect();
                let mut codes = first_codes(conn, &products, wanted)?;
                codes.drain(..told.min(codes.len()));
                let next = match codes.get(limit as usize) {
                    Some(next) => Some((at(next.product), next.number)),
                    None => (hits.len() as i64 > limit).then(|| (at(hits.len()), 0)),
                };
                codes.truncate(limit as usize);
                let codes: Vec<String> = codes.into_iter().map(|place| place.code).collect();
                let found = offers(conn, &codes, &currency, now)?;
                let mut found: HashMap<String, SkuOffer> =
                    found.into_iter().map(|offer| (offer.sku.code.clone(), offer)).collect();
                let items = codes.iter().filter_map(|code| found.remove(code)).collect();
                Ok(Page { items, next_cursor: next.map(|next| cursor(&next)) })
            })
            .await
    }
}

/// A SKU in a list of products: which product's, and its number among those of the product.
struct SkuPlace {
    product: usize,
    number: usize,
    code: String,
}

/// The first SKUs of these products, product by product: at least `count`, where there are so many.
fn first_codes(conn: &mut Connection, products: &[Id], count: usize) -> Result<Vec<SkuPlace>, InventoryError> {
    let counts = sku_counts(conn, products)?;
    let mut sum = 0;
    let is_before = |id: &&Id| {
        let is_needed = sum < count;
        sum += counts.get(*id).copied().unwrap_or(0);
        is_needed
    };
    let needed: Vec<Id> = products.iter().take_while(is_before).copied().collect();
    let mut codes = sku_codes(conn, &needed)?;
    let places = needed.iter().enumerate().flat_map(|(product, id)| {
        let own = codes.remove(id).unwrap_or_default();
        own.into_iter().enumerate().map(move |(number, code)| SkuPlace { product, number, code })
    });
    Ok(places.collect())
}

/// Tells all that is not allowed; gives the page's size and order.
fn check(query: &mut ProductQuery) -> Result<(i64, ProductSort), InventoryError> {
    let mut faults = Faults::default();
    let limit = limit(query.limit).unwrap_or_else(|error| {
        faults.add(&error.pointer, error.message);
        0
    });
    let texts = [
        ("category", &mut query.category, CATEGORY_MAX),
        ("vendor", &mut query.vendor, VALUE_MAX),
        ("tag", &mut query.tag, VALUE_MAX),
    ];
    for (name, text, max) in texts {
        if let Some(text) = text {
            faults.line(name, text, max);
        }
    }
    for (name, price) in [("price_min", query.price_min), ("price_max", query.price_max)] {
        if let Some(price) = price {
            faults.range(name, price, 0, MONEY_MAX);
        }
    }
    if let (Some(min), Some(max)) = (query.price_min, query.price_max)
        && min > max
    {
        faults.add("price_max", Fault::PriceOrder { value: max, min });
    }
    if let Some(q) = &query.q {
        let (length, words) = (q.chars().count(), Terms::of(q).len());
        if length > QUERY_MAX {
            faults.add("q", Fault::TooLong { length, max: QUERY_MAX });
        } else if words > QUERY_WORDS_MAX {
            faults.add("q", Fault::TooManyWords { count: words, max: QUERY_WORDS_MAX });
        }
    }
    let default = if query.q.is_some() { ProductSort::Relevance } else { ProductSort::Newest };
    let sort = query.sort.unwrap_or(default);
    if sort == ProductSort::Relevance && query.q.is_none() {
        faults.add("sort", Fault::SortNeedsWords);
    }
    faults.finish()?;
    Ok((limit, sort))
}

fn filter(query: ProductQuery) -> Filter {
    Filter {
        terms: query.q.as_deref().map(Terms::of),
        category: query.category,
        vendor: query.vendor,
        tag: query.tag,
        price_min: query.price_min,
        price_max: query.price_max,
        in_stock: query.in_stock,
        status: query.status,
    }
}

/// Names a query's filters and order: a cursor of another query would skip products without a word.
fn hash(query: &ProductQuery, sort: ProductSort) -> String {
    let ProductQuery { q, category, vendor, tag, price_min, price_max, in_stock, status, .. } = query;
    // Plain values always serialise.
    let text = serde_json::to_vec(&(q, category, vendor, tag, price_min, price_max, in_stock, status, sort));
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text.unwrap_or_default())[..9])
}

/// What a cursor holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    #[serde(rename = "h")]
    hash: String,
    id: Id,
    /// A time's microseconds, a price, or by relevance the number of products up to this place.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none", default)]
    number: Option<i64>,
    /// A title.
    #[serde(rename = "t", skip_serializing_if = "Option::is_none", default)]
    text: Option<String>,
}

impl Cursor {
    fn new(hash: &str, place: &Place) -> Self {
        let (number, text) = match &place.key {
            Key::Time(time) => (Some(time.micros()), None),
            Key::Price(number) | Key::Seen(number) => (Some(*number), None),
            Key::Text(text) => (None, Some(text.clone())),
        };
        Cursor { hash: hash.to_owned(), id: place.id, number, text }
    }
}

/// The place that a cursor of this query names. Cursors carry no rights, so they are not signed; but a forged one must not hold
/// what a database cannot take.
fn read_cursor(cursor: &str, hash: &str, sort: ProductSort) -> Option<Place> {
    let cursor: Cursor = position(cursor)?;
    let key = match (sort, cursor.number, cursor.text) {
        (ProductSort::Newest | ProductSort::Oldest, Some(micros @ 0..=MICROS_MAX), None) => {
            Key::Time(Time::from_micros(micros))
        }
        (ProductSort::Title | ProductSort::TitleDescending, None, Some(title)) if !title.contains('\0') => {
            Key::Text(title)
        }
        (ProductSort::Price | ProductSort::PriceDescending, Some(price), None) => Key::Price(price),
        (ProductSort::Relevance, Some(seen @ 1..=SEEN_MAX), None) => Key::Seen(seen),
        _ => return None,
    };
    (cursor.hash == hash).then_some(Place { id: cursor.id, key })
}
