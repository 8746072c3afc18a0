//! Pages of products: filtered, sorted, and continued after a row.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::{self, JsonValue};
use crate::inventory::store::product::{status_of, status_text};
use crate::inventory::store::statement::{Statement, Value};
use crate::inventory::{Image, Money, ProductSort, ProductStatus, ProductSummary};
use filter::{Count, Listing, Plan, add_in_stock};

mod facet;
pub(in crate::inventory) mod filter;
pub(in crate::inventory) mod offer;

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
    /// Products without a price have [`NO_PRICE_LAST`] or [`NO_PRICE_LAST_DESCENDING`].
    Price(i64),
    /// By relevance: so many products of the list come up to it.
    Seen(i64),
}

const NO_PRICE_LAST: i64 = i64::MAX;
const NO_PRICE_LAST_DESCENDING: i64 = -1;

/// A product of a page, and its place.
pub(in crate::inventory) struct Hit {
    pub(in crate::inventory) summary: ProductSummary,
    pub(in crate::inventory) place: Place,
}

/// Where a page begins.
struct Start {
    /// After the product of this id, which has this value of what the list is sorted by.
    after: Option<(Value, Id)>,
    /// After so many products.
    skip: i64,
}

impl Listing<'_> {
    /// A page: at most `limit` of the products after `after`, in this order. Prices are in `currency`.
    pub(in crate::inventory) fn page(
        &self,
        conn: &mut Connection,
        sort: ProductSort,
        after: Option<&Place>,
        limit: i64,
        currency: &str,
    ) -> QueryResult<Vec<Hit>> {
        let rows = self.rows(conn, sort, after, limit)?;
        let seen = match after {
            Some(Place { key: Key::Seen(seen), .. }) => *seen,
            _ => 0,
        };
        rows.into_iter().zip(seen + 1..).map(|(row, seen)| row.hit(sort, seen, currency)).collect()
    }

    fn rows(
        &self,
        conn: &mut Connection,
        sort: ProductSort,
        after: Option<&Place>,
        limit: i64,
    ) -> QueryResult<Vec<ProductRow>> {
        let start = self.start(conn, after)?;
        let plan = match sort {
            ProductSort::Relevance => Plan::default(),
            _ => self.plan(conn)?,
        };
        // The indexes of the orders begin with the status: without one, each is walked by itself and the pages are merged.
        let statuses = match (self.filter.status, plan, sort) {
            (Some(status), ..) => vec![Some(status)],
            (None, Plan { gather: true, .. }, _) | (None, _, ProductSort::Relevance) => vec![None],
            (None, ..) => [ProductStatus::Draft, ProductStatus::Active, ProductStatus::Archived].map(Some).to_vec(),
        };
        let mut select = Statement::default();
        select.add("SELECT p.*,", []);
        match self.filter.in_stock {
            Some(true) => select.add("TRUE", []),
            Some(false) => select.add("FALSE", []),
            None => add_in_stock(&mut select, "", self.now),
        }
        select.add("AS in_stock FROM (", []);
        for (index, status) in statuses.iter().enumerate() {
            let one = self.page_of_status(sort, &start, limit, plan, *status);
            let before = if index == 0 { "SELECT * FROM (" } else { "UNION ALL SELECT * FROM (" };
            select.add_statement(before, &one, &format!(") AS part{index}"));
        }
        let Order { direction, .. } = Order::of(sort);
        let order = format!("ORDER BY sort_key {direction}, id {direction}");
        select.add(&format!("{order} LIMIT ? OFFSET ?) AS p {order}"), [limit.into(), start.skip.into()]);
        match after {
            None => self.kept(select).load(conn),
            Some(_) => select.load(conn),
        }
    }

    fn page_of_status(
        &self,
        sort: ProductSort,
        start: &Start,
        limit: i64,
        plan: Plan,
        status: Option<ProductStatus>,
    ) -> Statement {
        let Order { column, direction, past } = Order::of(sort);
        let column = plan.column(column);
        let mut select = Statement::default();
        let columns = format!(
            "SELECT p.id, p.handle, p.title, p.vendor, p.status, p.category_id, p.images, p.price_min, p.price_max, p.created_at,
                    p.updated_at, {column} AS sort_key FROM"
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
            select.add(&format!("AND {} = ?", plan.column("p.status")), [status_text(status).into()]);
        }
        self.add_filters(&mut select, plan, None);
        self.add_price_and_stock(&mut select, None);
        if let (ProductSort::Price | ProductSort::PriceDescending, Some(max)) = (sort, self.filter.price_max) {
            // Says nothing new, but to the index of the order: where to begin, or to end.
            select.add(&format!("AND {column} <= ?"), [max.into()]);
        }
        match &start.after {
            // A rank is costly: this form needs it once.
            Some((rank, id)) if sort == ProductSort::Relevance => {
                select.add(&format!("AND ({column}, p.id) {past} (?, ?)"), [rank.clone(), (*id).into()]);
            }
            // Only in this form does SQLite look an expression up in its index.
            Some((key, id)) => select.add(
                &format!("AND {column} {past}= ? AND ({column} {past} ? OR p.id {past} ?)"),
                [key.clone(), key.clone(), (*id).into()],
            ),
            None => {}
        }
        select.add(&format!("ORDER BY {column} {direction}, p.id {direction} LIMIT ?"), [(limit + start.skip).into()]);
        select
    }

    /// Where the page begins. Ranks of SQLite depend on all products together, so they move whenever products come or go: a page by
    /// relevance goes on after the rank that its product has now, and by number where that product matches no longer. (It costs
    /// nothing to skip there: all that match must be ranked for each page.)
    fn start(&self, conn: &mut Connection, after: Option<&Place>) -> QueryResult<Start> {
        let Some(Place { id, key }) = after else { return Ok(Start { after: None, skip: 0 }) };
        let key = match key {
            Key::Time(time) => (*time).into(),
            Key::Text(text) => text.as_str().into(),
            Key::Price(price) => (*price).into(),
            Key::Seen(seen) => match self.rank(conn, *id)? {
                Some(rank) => rank.into(),
                None => return Ok(Start { after: None, skip: seen - 1 }),
            },
        };
        Ok(Start { after: Some((key, *id)), skip: 0 })
    }

    /// The rank of a product, if it matches.
    fn rank(&self, conn: &mut Connection, product: Id) -> QueryResult<Option<i64>> {
        let Some(found) = &self.found else { return Ok(None) };
        let mut select = Statement::default();
        select.add_statement("SELECT rank AS count FROM (", found, ") AS found WHERE product_id =");
        select.add("?", [product.into()]);
        Ok(select.load::<Count>(conn)?.pop().map(|rank| rank.count))
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
    #[diesel(sql_type = Bool)]
    in_stock: bool,
}

impl ProductRow {
    /// `seen`: the number of products of the list up to this one.
    fn hit(self, sort: ProductSort, seen: i64, currency: &str) -> QueryResult<Hit> {
        let key = match sort {
            ProductSort::Newest | ProductSort::Oldest => Key::Time(self.created_at),
            ProductSort::Title | ProductSort::TitleDescending => Key::Text(self.title.clone()),
            ProductSort::Price => Key::Price(self.price_min.unwrap_or(NO_PRICE_LAST)),
            ProductSort::PriceDescending => Key::Price(self.price_min.unwrap_or(NO_PRICE_LAST_DESCENDING)),
            ProductSort::Relevance => Key::Seen(seen),
        };
        Ok(Hit { place: Place { id: self.id, key }, summary: self.summary(currency)? })
    }

    /// The product as it is told.
    fn summary(self, currency: &str) -> QueryResult<ProductSummary> {
        let money = |amount| Money { amount, currency: currency.to_owned() };
        let images: Vec<Image> = self.images.read("products.images")?;
        Ok(ProductSummary {
            id: self.id,
            handle: self.handle,
            title: self.title,
            vendor: self.vendor,
            status: status_of(&self.status)?,
            category_id: self.category_id,
            image: images.into_iter().next(),
            price_min: self.price_min.map(money),
            price_max: self.price_max.map(money),
            in_stock: self.in_stock,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
