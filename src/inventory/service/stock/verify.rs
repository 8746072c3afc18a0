//! Holding the counters against the ledger and the reservations, and mending what differs.
//!
//! Which source is believed when they differ:
//! - **Reservations** say what a line is in (state, holder, time): a line only copies them. A line without a reservation can neither
//!   be shipped nor given back by anybody, so it goes.
//! - **Lines** say `reserved` and `allocated`: they are the promises that people were given.
//! - **The ledger's changes** say `on_hand`, `safety` and `incoming`: each is an act that somebody did, and a counter is their sum.
//!   Its balances are only their sums, so they are mended. Where numbers are missing in between, the balances on both sides tell
//!   what the lost entries did; where the counters' version tells of newer entries than the ledger has, the counters know best.
//! - **The SKU** says `backorder`: the row only copies its limit.
//! - Goods that are promised must be there: if by all this less is on hand than is promised, `on_hand` is raised to it, which is
//!   what the database demands; the warning in the log says that a count is due.

use crate::call::Call;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::inventory::service::LocalInventory;
use crate::inventory::store::repair::{self, Gap, Repair};
use crate::inventory::store::stock::StockKey;
use crate::inventory::store::verify::{self, Examined, Products};
use crate::inventory::{Counters, Difference, InventoryError, Verification};

/// So many stock rows at a time: the memory that verifying takes.
const ROWS: i64 = 1_000;
/// At most so many missing entries of one stock row are filled in; beyond, something else than a lost row has happened.
const GAPS_MAX: i64 = 1_000;

impl LocalInventory {
    pub(super) async fn verify(&self, call: &Call, repair: bool) -> Result<Verification, InventoryError> {
        let (mut found, products) = self.db.read_snapshot(check_all).await?;
        for difference in &found.differences {
            let Difference { sku, location, what, is, should_be, because } = difference;
            tracing::warn!(%sku, %location, %what, is, should_be, %because, "stock differs");
        }
        if repair {
            let (actor, now) = (call.actor.clone(), self.clock.now());
            let left = self.db.write(move |conn| mend_all(conn, &products, &actor, now)).await?;
            for Difference { sku, location, what, because, .. } in &left {
                tracing::warn!(%sku, %location, %what, %because, "stock cannot be repaired");
            }
            found.repaired = left.is_empty();
            tracing::warn!(differences = found.differences.len(), left = left.len(), "stock repaired");
        }
        Ok(found)
    }
}

/// Checks everything; gives the products that need mending too.
fn check_all(conn: &mut Connection) -> Result<(Verification, Vec<Id>), InventoryError> {
    verify::unhurried(conn)?;
    let mut found = Verification::default();
    let mut products: Vec<Id> = vec![];
    let mut rest = Some(Products::ALL);
    while let Some(all) = rest {
        let (some, next) = verify::products_split(conn, all, ROWS)?;
        for examined in verify::examine(conn, some)? {
            let differences = differences(&examined);
            if !differences.is_empty() && products.last() != Some(&examined.key.product_id) {
                products.push(examined.key.product_id);
            }
            found.checked += i64::from(examined.stock.is_some());
            found.differences.extend(differences);
        }
        rest = next;
    }
    Ok((found, products))
}

/// All in which the sources disagree about one stock row.
fn differences(examined: &Examined) -> Vec<Difference> {
    let Examined { ledger, lines, .. } = examined;
    let mut found = vec![];
    let mut expect = |what: &str, is: i64, should_be: i64, because: &str| {
        if is != should_be {
            let (sku, location) = (examined.sku.clone(), examined.location.clone());
            let (what, because) = (what.to_owned(), because.to_owned());
            found.push(Difference { sku, location, what, is, should_be, because });
        }
    };
    match &examined.stock {
        None => expect("stock rows", 0, 1, "there are ledger entries or reservation lines"),
        Some(stock) => {
            let (is, sums) = (stock.counters, ledger.sums);
            let because = "the sum of the ledger's changes";
            expect("on_hand", is.on_hand, sums.on_hand, because);
            expect("reserved", is.reserved, sums.reserved, because);
            expect("allocated", is.allocated, sums.allocated, because);
            expect("safety", is.safety, sums.safety, because);
            expect("incoming", is.incoming, sums.incoming, because);
            expect("reserved", is.reserved, lines.reserved, "the sum of its held reservation lines");
            expect("allocated", is.allocated, lines.allocated, "what its committed reservation lines have not shipped");
            expect("backorder", stock.backorder, stock.backorder_limit, "the SKU's backorder_limit");
            expect("version", stock.version, ledger.newest, "the seq of the newest ledger entry");
        }
    }
    expect("ledger entries", ledger.entries, ledger.newest, "their seq rises by 1 from 1");
    let because =
        format!("a balance is the one before it and the change; the first that is not has seq {}", ledger.first_broken);
    expect("wrong ledger balances", ledger.broken, 0, &because);
    expect("reservation lines without a reservation", lines.orphans, 0, "each line belongs to one");
    expect("reservation lines that differ", lines.strays, 0, "state, holder and time are those of the reservation");
    found
}

/// Mends these products; gives what still differs.
fn mend_all(conn: &mut Connection, products: &[Id], actor: &str, now: Time) -> Result<Vec<Difference>, InventoryError> {
    verify::unhurried(conn)?;
    let mut left = vec![];
    for product_id in products {
        let product = Products { first: *product_id, last: *product_id };
        repair::product_lock(conn, *product_id)?;
        repair::lines_mend(conn, *product_id)?;
        for examined in verify::examine(conn, product)? {
            mend_ledger(conn, &examined, actor, now)?;
            if examined.stock.is_none() {
                repair::stock_remake(conn, examined.key)?;
            }
        }
        for examined in verify::examine(conn, product)? {
            if let Some((repair, backorder)) = repair_of(&examined) {
                repair::stock_repair(conn, &repair, backorder, actor, now)?;
            }
        }
        left.extend(verify::examine(conn, product)?.iter().flat_map(differences));
    }
    Ok(left)
}

/// Fills in the numbers that are missing, then sets the balances right.
fn mend_ledger(conn: &mut Connection, examined: &Examined, actor: &str, now: Time) -> Result<(), InventoryError> {
    let (key, ledger) = (examined.key, &examined.ledger);
    let missing = ledger.newest - ledger.entries;
    if (1..=GAPS_MAX).contains(&missing) {
        for gap in repair::ledger_gaps(conn, key, GAPS_MAX)? {
            for entry in fill(key, &gap) {
                repair::repair_insert(conn, &entry, actor, now)?;
            }
        }
    }
    if missing != 0 || ledger.broken != 0 {
        repair::balances_mend(conn, key)?;
    }
    Ok(())
}

/// One entry for each missing number; the first stands for all that the lost ones did.
fn fill(key: StockKey, gap: &Gap) -> impl Iterator<Item = Repair> {
    let after = plus(gap.before, gap.lost);
    let (first, lost) = (gap.first, gap.lost);
    (first..gap.end).map(move |seq| Repair {
        key,
        seq,
        delta: if seq == first { lost } else { Counters::default() },
        after,
        reason: "This entry was lost; the balances around it tell what it did.".to_owned(),
    })
}

/// The entry that brings the counters and the ledger's sums to what both should be, and what the backorder should be; `None` when
/// they are.
fn repair_of(examined: &Examined) -> Option<(Repair, i64)> {
    let (stock, ledger, lines) = (examined.stock.as_ref()?, &examined.ledger, &examined.lines);
    let known = if stock.version > ledger.newest { stock.counters } else { ledger.sums };
    let promised = lines.reserved + lines.allocated;
    let should_be = Counters {
        on_hand: known.on_hand.max(promised - stock.backorder_limit).max(0),
        reserved: lines.reserved,
        allocated: lines.allocated,
        safety: known.safety.max(0),
        incoming: known.incoming.max(0),
    };
    let is_right = stock.counters == should_be && stock.backorder == stock.backorder_limit;
    if is_right && ledger.sums == should_be && stock.version == ledger.newest {
        return None;
    }
    let Counters { on_hand, reserved, allocated, safety, incoming } = stock.counters;
    let reason = format!(
        "The counters were on_hand {on_hand}, reserved {reserved}, allocated {allocated}, safety {safety}, incoming {incoming}, \
         backorder {}.",
        stock.backorder
    );
    let delta = minus(should_be, ledger.sums);
    let repair = Repair { key: examined.key, seq: ledger.newest + 1, delta, after: should_be, reason };
    Some((repair, stock.backorder_limit))
}

fn plus(a: Counters, b: Counters) -> Counters {
    Counters {
        on_hand: a.on_hand + b.on_hand,
        reserved: a.reserved + b.reserved,
        allocated: a.allocated + b.allocated,
        safety: a.safety + b.safety,
        incoming: a.incoming + b.incoming,
    }
}

fn minus(a: Counters, b: Counters) -> Counters {
    Counters {
        on_hand: a.on_hand - b.on_hand,
        reserved: a.reserved - b.reserved,
        allocated: a.allocated - b.allocated,
        safety: a.safety - b.safety,
        incoming: a.incoming - b.incoming,
    }
}
