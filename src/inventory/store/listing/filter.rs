//! The filters of a list as conditions in SQL, and how a page of what they find is best come by.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::clock::Time;
use crate::db::Connection;
use crate::inventory::ProductStatus;
use crate::inventory::store::search::{Terms, found};
use crate::inventory::store::statement::Statement;

/// What a filter finds is sorted when it is less than this; otherwise the products are walked in their order until a page is full.
/// The databases cannot choose well: they do not know how many products a value of a filter has.
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

/// Has the stock row `s` something to sell now? An expired hold counts no longer, though the sweeper may not have come yet; it can
/// only make a difference where something is reserved.
const SELLABLE: &str = "s.location_id IN (SELECT id FROM locations WHERE active)
    AND (s.on_hand - s.reserved - s.allocated - s.safety + s.backorder > 0
         OR (s.reserved > 0 AND s.on_hand - s.allocated - s.safety + s.backorder > 0
             AND s.on_hand - s.reserved - s.allocated - s.safety + s.backorder + coalesce((
                 SELECT sum(r.quantity) FROM reservation_lines r
                 WHERE r.product_id = s.product_id AND r.sku_id = s.sku_id AND r.location_id = s.location_id
                   AND r.state = 'held' AND r.expires_at <= ?), 0) > 0))";

/// May a SKU of the product `p` be promised at an active location where it has no stock row yet?
const PROMISED: &str = "EXISTS (SELECT 1 FROM skus k, locations l WHERE k.product_id = p.id AND k.backorder_limit > 0 AND l.active
    AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.product_id = k.product_id AND s.sku_id = k.id AND s.location_id = l.id))";

/// Appends the condition that the product `p` has something to sell now, after `joint`.
pub(super) fn add_in_stock(select: &mut Statement, joint: &str, now: Time) {
    let stocked = format!("EXISTS (SELECT 1 FROM stock s WHERE s.product_id = p.id AND {SELLABLE})");
    select.add(&format!("{joint} ({stocked} OR {PROMISED})"), [now.into()]);
}

/// A filter that a facet leaves out, so that it shows the other choices.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Omit {
    Category,
    Vendor,
    Tag,
    Price,
    Stock,
}

/// How a page is come by.
#[derive(Clone, Copy, Default)]
pub(super) struct Plan {
    /// Sort what the filters find, instead of walking the products in their order.
    pub(super) gather: bool,
    /// Begin with the products of the tag, instead of looking at each product's tags.
    pub(super) by_tag: bool,
}

impl Plan {
    /// A column of which an index knows the order. To gather, it stands in a subquery, which hides it from the database's eyes.
    pub(super) fn column(self, column: &str) -> String {
        match self.gather {
            true => format!("(SELECT {column})"),
            false => column.to_owned(),
        }
    }
}

/// A filter, and what had to be looked up for it.
pub(in crate::inventory) struct Listing<'a> {
    pub(super) filter: &'a Filter,
    /// Is there a category of the filter's path? An unknown one holds nothing.
    category_exists: bool,
    pub(super) found: Option<Statement>,
    pub(super) now: Time,
}

impl<'a> Listing<'a> {
    /// Looks up what the filter needs; `now` decides which holds have expired.
    pub(in crate::inventory) fn new(conn: &mut Connection, filter: &'a Filter, now: Time) -> QueryResult<Self> {
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

    /// Asks of each filter that has an index how many products it finds, up to [`FEW`].
    pub(super) fn plan(&self, conn: &mut Connection) -> QueryResult<Plan> {
        let Filter { category, vendor, tag, .. } = self.filter;
        let mut probes = Vec::new();
        let mut probe = |name, add: &dyn Fn(&mut Statement)| {
            let mut select = Statement::default();
            add(&mut select);
            select.add("LIMIT ?", [FEW.into()]);
            probes.push((name, select));
        };
        if let Some(found) = &self.found {
            probe("q", &|select| select.add_statement("SELECT product_id FROM (", found, ") AS found"));
        }
        if category.is_some() {
            probe("category", &|select| {
                select.add("SELECT p.id FROM products p WHERE TRUE", []);
                self.add_category(select);
            });
        }
        if let Some(vendor) = vendor {
            probe("vendor", &|select| {
                select.add("SELECT p.id FROM products p WHERE p.vendor = ?", [vendor.as_str().into()]);
            });
        }
        if let Some(tag) = tag {
            probe("tag", &|select| {
                select.add("SELECT t.product_id FROM product_tags t WHERE t.tag = ?", [tag.as_str().into()]);
            });
        }
        if probes.is_empty() {
            return Ok(Plan::default());
        }
        let mut select = Statement::default();
        for (index, (name, probe)) in probes.iter().enumerate() {
            let union = if index == 0 { "" } else { "UNION ALL" };
            let before = format!("{union} SELECT '{name}' AS value, count(*) AS count FROM (");
            select.add_statement(&before, probe, ") AS few");
        }
        let mut few = self.kept(select).load::<ValueCount>(conn)?;
        few.retain(|row| row.count < FEW);
        Ok(Plan { gather: !few.is_empty(), by_tag: few.iter().any(|row| row.value == "tag") })
    }

    /// A statement of this list, kept ready where a list has at most one filter: the most that is asked for, in few forms.
    pub(super) fn kept(&self, select: Statement) -> Statement {
        let Filter { terms: _, category, vendor, tag, price_min, price_max, in_stock, status: _ } = self.filter;
        let filters = [
            category.is_some(),
            vendor.is_some(),
            tag.is_some(),
            price_min.is_some(),
            price_max.is_some(),
            in_stock.is_some(),
        ];
        match filters.iter().filter(|is_there| **is_there).count() {
            0 | 1 => select.kept(),
            _ => select,
        }
    }

    pub(super) fn add_found(&self, select: &mut Statement) {
        if let Some(found) = &self.found {
            select.add_statement("AND p.id IN (SELECT product_id FROM (", found, ") AS found)");
        }
    }

    fn add_category(&self, select: &mut Statement) {
        match &self.filter.category {
            Some(path) if self.category_exists => select.add(
                "AND p.category_id IN (SELECT id FROM categories WHERE path = ? OR (path >= ? AND path < ?))",
                // '0' is the character after '/'.
                [path.as_str().into(), format!("{path}/").into(), format!("{path}0").into()],
            ),
            Some(_) => select.add("AND FALSE", []),
            None => {}
        }
    }

    pub(super) fn add_filters(&self, select: &mut Statement, plan: Plan, omit: Option<Omit>) {
        let Filter { vendor, tag, .. } = self.filter;
        if omit != Some(Omit::Category) {
            self.add_category(select);
        }
        if let Some(vendor) = vendor.as_ref().filter(|_| omit != Some(Omit::Vendor)) {
            select.add("AND p.vendor = ?", [vendor.as_str().into()]);
        }
        if let Some(tag) = tag.as_ref().filter(|_| omit != Some(Omit::Tag)) {
            let condition = match plan.by_tag {
                true => "AND p.id IN (SELECT t.product_id FROM product_tags t WHERE t.tag = ?)",
                false => "AND EXISTS (SELECT 1 FROM product_tags t WHERE t.product_id = p.id AND t.tag = ?)",
            };
            select.add(condition, [tag.as_str().into()]);
        }
    }

    pub(super) fn add_price_and_stock(&self, select: &mut Statement, omit: Option<Omit>) {
        if omit != Some(Omit::Price) {
            self.add_price(select, "AND");
        }
        if let Some(in_stock) = self.filter.in_stock.filter(|_| omit != Some(Omit::Stock)) {
            let not = if in_stock { "" } else { "NOT" };
            add_in_stock(select, &format!("AND {not}"), self.now);
        }
    }

    /// A SKU's price lies within both bounds. One bound alone is told by the product's own lowest and highest price; of two, those
    /// tell which products need no look at their SKUs.
    pub(super) fn add_price(&self, select: &mut Statement, joint: &str) {
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
}

/// The number that a statement gives as `count`.
pub(super) fn count(conn: &mut Connection, select: Statement) -> QueryResult<i64> {
    // An aggregate without groups gives one row.
    Ok(select.load::<Count>(conn)?.pop().map_or(0, |row| row.count))
}

#[derive(QueryableByName)]
pub(super) struct Count {
    #[diesel(sql_type = BigInt)]
    pub(super) count: i64,
}

#[derive(QueryableByName)]
pub(super) struct ValueCount {
    #[diesel(sql_type = Text)]
    pub(super) value: String,
    #[diesel(sql_type = BigInt)]
    pub(super) count: i64,
}
