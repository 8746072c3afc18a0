//! How many products have which value.

use std::cmp::Reverse;
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::filter::{Listing, Omit, Plan, ValueCount, add_in_stock, count};
use crate::db::Connection;
use crate::inventory::store::product::status_text;
use crate::inventory::store::statement::Statement;
use crate::inventory::{FacetCount, Facets};

const CATEGORIES_MAX: usize = 200;
const VALUES_MAX: i64 = 100;

impl Listing<'_> {
    /// The facets of all products that the filter finds.
    pub(in crate::inventory) fn facets(&self, conn: &mut Connection) -> QueryResult<Facets> {
        let Prices { price_min, price_max, total } = self.prices(conn)?;
        Ok(Facets {
            categories: self.categories(conn)?,
            vendors: self.vendors(conn)?,
            tags: self.tags(conn)?,
            price_min,
            price_max,
            in_stock: self.in_stock(conn)?,
            total,
        })
    }

    fn categories(&self, conn: &mut Connection) -> QueryResult<Vec<FacetCount>> {
        let mut select = Statement::default();
        select.add("SELECT c.path AS value, n.count FROM (SELECT p.category_id, count(*) AS count FROM products p", []);
        self.add_conditions(&mut select, Omit::Category);
        select.add("GROUP BY p.category_id) AS n JOIN categories c ON c.id = n.category_id", []);
        let mut counts: HashMap<String, i64> = HashMap::new();
        for ValueCount { value: path, count } in self.kept(select).load::<ValueCount>(conn)? {
            // Each part of a path is a category's own path: what is in one is in all above it.
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            for end in ends {
                *counts.entry(path[..end].to_owned()).or_default() += count;
            }
        }
        let mut facets: Vec<_> = counts.into_iter().map(|(value, count)| FacetCount { value, count }).collect();
        facets.sort_unstable_by(|a, b| (Reverse(a.count), &a.value).cmp(&(Reverse(b.count), &b.value)));
        facets.truncate(CATEGORIES_MAX);
        Ok(facets)
    }

    fn vendors(&self, conn: &mut Connection) -> QueryResult<Vec<FacetCount>> {
        let mut select = Statement::default();
        select.add("SELECT p.vendor AS value, count(*) AS count FROM products p", []);
        self.add_conditions(&mut select, Omit::Vendor);
        // No vendor is nothing to choose.
        select.add("AND p.vendor <> '' GROUP BY p.vendor ORDER BY count DESC, value LIMIT ?", [VALUES_MAX.into()]);
        counts(conn, self.kept(select))
    }

    fn tags(&self, conn: &mut Connection) -> QueryResult<Vec<FacetCount>> {
        let mut select = Statement::default();
        // Counting a column that only products_facets_idx has makes SQLite walk that index, in the order in which tags are kept.
        select.add("SELECT t.tag AS value, count(p.vendor) AS count FROM products p", []);
        select.add("JOIN product_tags t ON t.product_id = p.id", []);
        self.add_conditions(&mut select, Omit::Tag);
        select.add("GROUP BY t.tag ORDER BY count DESC, value LIMIT ?", [VALUES_MAX.into()]);
        counts(conn, self.kept(select))
    }

    /// The range of prices without the price filter, and the number of products with it.
    fn prices(&self, conn: &mut Connection) -> QueryResult<Prices> {
        let mut select = Statement::default();
        select.add("SELECT min(p.price_min) AS price_min, max(p.price_max) AS price_max, count(", []);
        match (self.filter.price_min, self.filter.price_max) {
            (None, None) => select.add("*", []),
            _ => {
                self.add_price(&mut select, "CASE WHEN");
                select.add("THEN 1 END", []);
            }
        }
        select.add(") AS total FROM products p", []);
        self.add_conditions(&mut select, Omit::Price);
        let empty = Prices { price_min: None, price_max: None, total: 0 };
        Ok(self.kept(select).load(conn)?.pop().unwrap_or(empty))
    }

    fn in_stock(&self, conn: &mut Connection) -> QueryResult<i64> {
        let mut select = Statement::default();
        // As for tags: stock is kept in the order of that index.
        select.add("SELECT count(p.vendor) AS count FROM products p", []);
        self.add_conditions(&mut select, Omit::Stock);
        add_in_stock(&mut select, "AND", self.now);
        count(conn, self.kept(select))
    }

    /// All filters but one.
    fn add_conditions(&self, select: &mut Statement, omit: Omit) {
        select.add("WHERE TRUE", []);
        match self.filter.status {
            Some(status) => select.add("AND p.status = ?", [status_text(status).into()]),
            // All there are: the index of the facets begins with the status.
            None => select.add("AND p.status IN ('draft', 'active', 'archived')", []),
        }
        self.add_found(select);
        self.add_filters(select, Plan { gather: false, by_tag: true }, Some(omit));
        self.add_price_and_stock(select, Some(omit));
    }
}

fn counts(conn: &mut Connection, select: Statement) -> QueryResult<Vec<FacetCount>> {
    let rows = select.load::<ValueCount>(conn)?;
    Ok(rows.into_iter().map(|ValueCount { value, count }| FacetCount { value, count }).collect())
}

#[derive(QueryableByName)]
struct Prices {
    #[diesel(sql_type = Nullable<BigInt>)]
    price_min: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    price_max: Option<i64>,
    #[diesel(sql_type = BigInt)]
    total: i64,
}
