//! Lists of products: what may be asked for, and cursors that belong to one query.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::LocalInventory;
use super::validate::Faults;
use super::validate::sku::MONEY_MAX;
use crate::clock::{Id, Time};
use crate::error::Fault;
use crate::inventory::store::listing::filter::{Filter, Listing};
use crate::inventory::store::listing::{Key, Place};
use crate::inventory::store::search::Terms;
use crate::inventory::{Facets, InventoryError, ProductPage, ProductQuery, ProductSort};
use crate::page::{Page, limit, position};

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
