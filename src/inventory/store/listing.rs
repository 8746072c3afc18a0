//! Pages of products: filtered, sorted, and continued after a row.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::{self, JsonValue};
use crate::inventory::store::product::{status_of, status_text};
use crate::inventory::store::search::{Terms, found};
use crate::inventory::store::statement::{Statement, Value};
use crate::inventory::{Image, Money, ProductSort, ProductStatus, ProductSummary};

pub(in crate::inventory) mod facet;

/// Filters that find fewer products than this are looked up first and sorted then; otherwise the products are walked in their order
/// until a page is full. The databases cannot know which is better: they do not know how many products a filter finds.
const FEW: i64 = 1_000;

/// Which products. All that is there must hold.
#[derive(Debug, Default)]
pub(in crate::inventory) struct Filter {
    pub(in crate::inventory) terms: Option<Terms>,
    /// A path; the category there and all below it.
    pub(in crate::inventory) category: Option<String>,
    pub(in crate::inventory) vendor: Option<String>,
    pub(in crate::inventory) tag: Option<String>,
    pub(in crate::inventory) price_min: Option<i64>,
    pub(in crate::inventory) price_max: Option<i64>,
    pub(in crate::inventory) in_stock: Option<bool>,
    pub(in crate::inventory) status: Option<ProductStatus>,
}

/// Where a page begins: after the product that has this id and this value of what the list is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::inventory) struct Place {
    pub(in crate::inventory) id: Id,
    pub(in crate::inventory) key: Key,
}

/// The value by which a list is sorted.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::inventory) enum Key {
    Time(Time),
    Text(String),
    /// A price, where products without one have [`NO_PRICE_LAST`] or [`NO_PRICE_LAST_DESCENDING`]; or a rank.
    Number(i64),
}

const NO_PRICE_LAST: i64 = i64::MAX;
const NO_PRICE_LAST_DESCENDING: i64 = -1;

/// A product of a page, and its place.
pub(in crate::inventory) struct Hit {
    pub(in crate::inventory) summary: ProductSummary,
    pub(in crate::inventory) place: Place,
}

/// A page of products: at most `limit` of those after `after`, in this order. Prices are in `currency`.
pub(in crate::inventory) fn product_page(
    conn: &mut Connection,
    filter: &Filter,
    sort: ProductSort,
    after: Option<&Place>,
    limit: i64,
    currency: &str,
    now: Time,
) -> QueryResult<Vec<Hit>> {
    let listing = Listing::new(conn, filter, now)?;
    let rows = listing.page(conn, sort, after, limit)?;
    let in_stock = match filter.in_stock {
        Some(in_stock) => rows.iter().filter(|_| in_stock).map(|row| row.id).collect(),
        None => in_stock(conn, rows.iter().map(|row| row.id), now)?,
    };
    rows.into_iter().map(|row| row.hit(sort, currency, &in_stock)).collect()
}

/// Which of these products have something to sell.
fn in_stock(conn: &mut Connection, ids: impl Iterator<Item = Id>, now: Time) -> QueryResult<HashSet<Id>> {
    let ids: Vec<Value> = ids.map(Value::Id).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let mut select = Statement::default();
    select.add("SELECT DISTINCT s.product_id FROM stock s WHERE s.product_id IN (", []);
    select.add_list(ids);
    select.add(&format!(") AND {SELLABLE}"), [now.into()]);
    Ok(select.load::<Stocked>(conn)?.into_iter().map(|row| row.product_id).collect())
}

/// Has the stock row `s` something to sell now? An expired hold counts no longer, though the sweeper may not have come yet; it can
/// only make a difference where something is reserved.
const SELLABLE: &str = "s.location_id IN (SELECT id FROM locations WHERE active)
    AND (s.on_hand - s.reserved - s.allocated - s.safety + s.backorder > 0
         OR (s.reserved > 0 AND s.on_hand - s.allocated - s.safety + s.backorder > 0
             AND s.on_hand - s.reserved - s.allocated - s.safety + s.backorder + coalesce((
                 SELECT sum(r.quantity) FROM reservation_lines r
                 WHERE r.product_id = s.product_id AND r.sku_id = s.sku_id AND r.location_id = s.location_id
                   AND r.state = 'held' AND r.expires_at <= ?), 0) > 0))";

/// A filter that a facet leaves out, so that it shows the other choices.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Omit {
    Category,
    Vendor,
    Tag,
    Price,
    Stock,
}

/// How the rows are come by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// In the order of the list, each held against the filters until the page is full.
    Walk,
    /// What the filters find, sorted afterwards. A column that would draw the database to an index of the order stands in a subquery.
    Gather,
    /// What the filters find, whatever the order.
    Count,
}

impl Plan {
    fn ordered(self, column: &str) -> String {
        match self {
            Plan::Gather => format!("(SELECT {column})"),
            Plan::Walk | Plan::Count => column.to_owned(),
        }
    }
}

/// A filter, and what had to be looked up for it.
struct Listing<'a> {
    filter: &'a Filter,
    /// Is there a category of the filter's path? An unknown one holds nothing.
    category_exists: bool,
    found: Option<Statement>,
    now: Time,
}

impl<'a> Listing<'a> {
    fn new(conn: &mut Connection, filter: &'a Filter, now: Time) -> QueryResult<Self> {
        let category_exists = match &filter.category {
            Some(path) => {
                let mut select = Statement::default();
                select.add("SELECT count(*) AS count FROM categories WHERE path = ?", [path.as_str().into()]);
                count(conn, select)? > 0
            }
            None => true,
        };
        let found = filter.terms.as_ref().map(|terms| found(conn, terms));
        Ok(Listing { filter, category_exists, found, now })
    }

    fn page(
        &self,
        conn: &mut Connection,
        sort: ProductSort,
        after: Option<&Place>,
        limit: i64,
    ) -> QueryResult<Vec<ProductRow>> {
        let after = self.moved(conn, sort, after)?;
        let plan = match sort {
            ProductSort::Relevance => Plan::Walk,
            _ => self.plan(conn)?,
        };
        // The indexes of the orders begin with the status: without one, each is walked by itself and the pages are merged.
        let statuses = match (self.filter.status, plan, sort) {
            (Some(status), ..) => vec![Some(status)],
            (None, Plan::Gather, _) | (None, _, ProductSort::Relevance) => vec![None],
            (None, ..) => [ProductStatus::Draft, ProductStatus::Active, ProductStatus::Archived].map(Some).to_vec(),
        };
        let mut select = Statement::default();
        for (index, status) in statuses.iter().enumerate() {
            let one = self.page_of_status(sort, after.as_ref(), limit, plan, *status);
            let before = if index == 0 { "SELECT * FROM (" } else { "UNION ALL SELECT * FROM (" };
            select.add_statement(before, &one, &format!(") AS part{index}"));
        }
        let Order { direction, .. } = Order::of(sort);
        select.add(&format!("ORDER BY sort_key {direction}, id {direction} LIMIT ?"), [limit.into()]);
        select.load(conn)
    }

    fn page_of_status(
        &self,
        sort: ProductSort,
        after: Option<&Place>,
        limit: i64,
        plan: Plan,
        status: Option<ProductStatus>,
    ) -> Statement {
        let Order { column, direction, past } = Order::of(sort);
        let column = plan.ordered(column);
        let mut select = Statement::default();
        let rank = if sort == ProductSort::Relevance { "found.rank" } else { "CAST(0 AS BIGINT)" };
        let columns = format!(
            "SELECT p.id, p.handle, p.title, p.vendor, p.status, p.category_id, p.images, p.price_min, p.price_max, p.created_at,
                    p.updated_at, {rank} AS rank, {column} AS sort_key FROM"
        );
        select.add(&columns, []);
        match &self.found {
            Some(found) if sort == ProductSort::Relevance => {
                select.add_statement("(", found, ") AS found JOIN products p ON p.id = found.product_id WHERE TRUE");
            }
            _ => {
                select.add("products p WHERE TRUE", []);
                self.add_found(&mut select);
            }
        }
        if let Some(status) = status {
            select.add(&format!("AND {} = ?", plan.ordered("p.status")), [status_text(status).into()]);
        }
        self.add_filters(&mut select, plan, None);
        self.add_price_and_stock(&mut select, None);
        if let Some(Place { id, key }) = after {
            let (first, second) = (Value::from(key.clone()), Value::from(key.clone()));
            select.add(
                &format!("AND {column} {past}= ? AND ({column} {past} ? OR p.id {past} ?)"),
                [first, second, (*id).into()],
            );
        }
        select.add(&format!("ORDER BY {column} {direction}, p.id {direction} LIMIT ?"), [limit.into()]);
        select
    }

    /// Ranks on SQLite depend on all products together, so they move when products come: the page goes on after the rank that its
    /// last product has now. If that product no longer matches, the rank that it had has to do.
    fn moved(&self, conn: &mut Connection, sort: ProductSort, after: Option<&Place>) -> QueryResult<Option<Place>> {
        let (ProductSort::Relevance, Some(after), Some(found)) = (sort, after, &self.found) else {
            return Ok(after.cloned());
        };
        let mut select = Statement::default();
        select.add_statement("SELECT rank AS count FROM (", found, ") AS found WHERE product_id = ");
        select.add("?", [after.id.into()]);
        let rank = select.load::<Count>(conn)?.pop();
        Ok(Some(Place { id: after.id, key: rank.map_or(after.key.clone(), |rank| Key::Number(rank.count)) }))
    }

    /// Asks how many products the filters find that have an index of their own.
    fn plan(&self, conn: &mut Connection) -> QueryResult<Plan> {
        let Filter { category, vendor, tag, .. } = self.filter;
        if self.found.is_none() && category.is_none() && vendor.is_none() && tag.is_none() {
            return Ok(Plan::Walk);
        }
        let mut select = Statement::default();
        select.add("SELECT count(*) AS count FROM (SELECT p.id FROM products p WHERE TRUE", []);
        self.add_found(&mut select);
        self.add_filters(&mut select, Plan::Count, None);
        select.add("LIMIT ?) AS few", [FEW.into()]);
        Ok(if count(conn, select)? < FEW { Plan::Gather } else { Plan::Walk })
    }

    fn add_found(&self, select: &mut Statement) {
        if let Some(found) = &self.found {
            select.add_statement("AND p.id IN (SELECT product_id FROM (", found, ") AS found)");
        }
    }

    fn add_filters(&self, select: &mut Statement, plan: Plan, omit: Option<Omit>) {
        let Filter { category, vendor, tag, .. } = self.filter;
        if let Some(path) = category.as_ref().filter(|_| omit != Some(Omit::Category)) {
            match self.category_exists {
                true => select.add(
                    "AND p.category_id IN (SELECT id FROM categories WHERE path = ? OR (path >= ? AND path < ?))",
                    // '0' is the character after '/'.
                    [path.as_str().into(), format!("{path}/").into(), format!("{path}0").into()],
                ),
                false => select.add("AND FALSE", []),
            }
        }
        if let Some(vendor) = vendor.as_ref().filter(|_| omit != Some(Omit::Vendor)) {
            select.add("AND p.vendor = ?", [vendor.as_str().into()]);
        }
        if let Some(tag) = tag.as_ref().filter(|_| omit != Some(Omit::Tag)) {
            let condition = match plan {
                Plan::Walk => "AND EXISTS (SELECT 1 FROM product_tags t WHERE t.product_id = p.id AND t.tag = ?)",
                _ => "AND p.id IN (SELECT t.product_id FROM product_tags t WHERE t.tag = ?)",
            };
            select.add(condition, [tag.as_str().into()]);
        }
    }

    fn add_price_and_stock(&self, select: &mut Statement, omit: Option<Omit>) {
        if omit != Some(Omit::Price) {
            self.add_price(select, "AND");
        }
        if let Some(in_stock) = self.filter.in_stock.filter(|_| omit != Some(Omit::Stock)) {
            let not = if in_stock { "" } else { "NOT" };
            self.add_stock(select, &format!("AND {not}"));
        }
    }

    /// A SKU's price lies within both bounds. One bound alone is told by the product's own lowest and highest price; of two, those
    /// tell which products need no look at their SKUs.
    fn add_price(&self, select: &mut Statement, joint: &str) {
        match (self.filter.price_min, self.filter.price_max) {
            (None, None) => {}
            (Some(min), None) => select.add(&format!("{joint} p.price_max >= ?"), [min.into()]),
            (None, Some(max)) => select.add(&format!("{joint} p.price_min <= ?"), [max.into()]),
            (Some(min), Some(max)) => select.add(
                &format!(
                    "{joint} (p.price_max >= ? AND p.price_min <= ? AND (p.price_min >= ? OR p.price_max <= ? OR EXISTS (
                         SELECT 1 FROM skus k WHERE k.product_id = p.id AND k.price_amount BETWEEN ? AND ?)))"
                ),
                [min.into(), max.into(), min.into(), max.into(), min.into(), max.into()],
            ),
        }
    }

    fn add_stock(&self, select: &mut Statement, joint: &str) {
        let exists = format!("{joint} EXISTS (SELECT 1 FROM stock s WHERE s.product_id = p.id AND {SELLABLE})");
        select.add(&exists, [self.now.into()]);
    }
}

/// How a sort is said in SQL: by the column, then by the id in the same direction; `past` compares a row with one before it.
struct Order {
    column: &'static str,
    direction: &'static str,
    past: &'static str,
}

impl Order {
    fn of(sort: ProductSort) -> Self {
        let ascending = |column| Order { column, direction: "ASC", past: ">" };
        let descending = |column| Order { column, direction: "DESC", past: "<" };
        match sort {
            ProductSort::Newest => descending("p.created_at"),
            ProductSort::Oldest => ascending("p.created_at"),
            ProductSort::Title => ascending("p.title"),
            ProductSort::TitleDescending => descending("p.title"),
            // The words of the indexes.
            ProductSort::Price => ascending("coalesce(p.price_min, 9223372036854775807)"),
            ProductSort::PriceDescending => descending("coalesce(p.price_min, -1)"),
            ProductSort::Relevance => descending("found.rank"),
        }
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Time(time) => time.into(),
            Key::Text(text) => text.into(),
            Key::Number(number) => number.into(),
        }
    }
}

fn count(conn: &mut Connection, select: Statement) -> QueryResult<i64> {
    // An aggregate without groups gives one row.
    Ok(select.load::<Count>(conn)?.pop().map_or(0, |row| row.count))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct Stocked {
    #[diesel(sql_type = sql::Id)]
    product_id: Id,
}

#[derive(QueryableByName)]
struct ProductRow {
    #[diesel(sql_type = sql::Id)]
    id: Id,
    #[diesel(sql_type = Text)]
    handle: String,
    #[diesel(sql_type = Text)]
    title: String,
    #[diesel(sql_type = Text)]
    vendor: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<sql::Id>)]
    category_id: Option<Id>,
    #[diesel(sql_type = sql::Json)]
    images: JsonValue,
    #[diesel(sql_type = Nullable<BigInt>)]
    price_min: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    price_max: Option<i64>,
    #[diesel(sql_type = sql::Instant)]
    created_at: Time,
    #[diesel(sql_type = sql::Instant)]
    updated_at: Time,
    #[diesel(sql_type = BigInt)]
    rank: i64,
}

impl ProductRow {
    fn hit(self, sort: ProductSort, currency: &str, in_stock: &HashSet<Id>) -> QueryResult<Hit> {
        let key = match sort {
            ProductSort::Newest | ProductSort::Oldest => Key::Time(self.created_at),
            ProductSort::Title | ProductSort::TitleDescending => Key::Text(self.title.clone()),
            ProductSort::Price => Key::Number(self.price_min.unwrap_or(NO_PRICE_LAST)),
            ProductSort::PriceDescending => Key::Number(self.price_min.unwrap_or(NO_PRICE_LAST_DESCENDING)),
            ProductSort::Relevance => Key::Number(self.rank),
        };
        let money = |amount| Money { amount, currency: currency.to_owned() };
        let images: Vec<Image> = self.images.read("products.images")?;
        let summary = ProductSummary {
            id: self.id,
            handle: self.handle,
            title: self.title,
            vendor: self.vendor,
            status: status_of(&self.status)?,
            category_id: self.category_id,
            image: images.into_iter().next(),
            price_min: self.price_min.map(money),
            price_max: self.price_max.map(money),
            in_stock: in_stock.contains(&self.id),
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        Ok(Hit { place: Place { id: self.id, key }, summary })
    }
}
