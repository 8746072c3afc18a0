//! From a plan to goods: reads what the stock rows offer, plans, and changes the rows, all within one attempt.

use std::collections::BTreeMap;

use diesel::QueryResult;
use diesel::result::Error as DieselError;

use super::plan::{Demand, Plan, Supply, in_the_way};
use super::{Attempt, Setback};
use crate::clock::Id;
use crate::inventory::store::reservation::{ReservationLineRow, due_lines, due_units};
use crate::inventory::store::stock::{
    Change, Guard, Levels, Place, StockKey, stock_change, stock_ensure, stock_levels, stock_lock,
};
use crate::inventory::{Counters, InventoryError, LedgerKind};

impl Attempt<'_> {
    /// Plans the demands from what is there now and makes the stock rows that the plan needs. `OutOfStock` when they cannot be
    /// met, or not even in part where `partly` is allowed.
    pub(super) fn plan(&mut self, demands: &[Demand], partly: bool) -> Result<Plan, Setback> {
        let mut skus: Vec<(Id, Id)> = demands.iter().filter_map(Demand::sku_key).collect();
        skus.sort_unstable();
        skus.dedup();
        let mut levels = stock_levels(self.conn, &skus)?;
        if self.lock_first {
            levels = self.lock(demands, &skus, &levels)?;
        }
        let plan = Plan::new(demands, &Supply::new(demands, &levels));
        let plan = match plan.is_complete(demands) {
            true => plan,
            false => self.plan_again(demands, &skus, partly)?,
        };
        self.ensure(demands, &levels, |key| plan.takes.contains_key(key))?;
        Ok(plan)
    }

    /// The supply is short, unless holds whose time has passed make the difference.
    fn plan_again(&mut self, demands: &[Demand], skus: &[(Id, Id)], partly: bool) -> Result<Plan, Setback> {
        // In this order: a hold that is ended between the two reads is counted twice, and never not at all.
        let due = due_units(self.conn, skus, self.now)?;
        let levels = stock_levels(self.conn, skus)?;
        let supply = Supply::new(demands, &levels);
        let plan = Plan::new(demands, &supply);
        if plan.is_complete(demands) {
            return Ok(plan);
        }
        let best = Plan::new(demands, &supply.with_due(&due));
        if best.units() > plan.units() && (partly || best.is_complete(demands)) {
            let missing = supply.missing(&best);
            let lines = due_lines(self.conn, missing.keys().copied(), self.now)?;
            return Err(Setback::Due(in_the_way(&missing, &lines)));
        }
        if partly && plan.units() > 0 {
            return Ok(plan);
        }
        Err(InventoryError::OutOfStock(best.shortages(demands)).into())
    }

    /// Locks all rows that may give something, so that what is read of them stays true.
    fn lock(
        &mut self,
        demands: &[Demand],
        skus: &[(Id, Id)],
        levels: &BTreeMap<StockKey, Levels>,
    ) -> Result<BTreeMap<StockKey, Levels>, Setback> {
        self.ensure(demands, levels, |_| true)?;
        let places = demands.iter().flat_map(|demand| &demand.places);
        let mut keys: Vec<StockKey> = places.map(|place| place.key).collect();
        keys.sort_unstable();
        keys.dedup();
        stock_lock(self.conn, &keys)?;
        Ok(stock_levels(self.conn, skus)?)
    }

    /// Makes the rows that are wanted, not there, and able to give something: promises.
    fn ensure(
        &mut self,
        demands: &[Demand],
        levels: &BTreeMap<StockKey, Levels>,
        wanted: impl Fn(&StockKey) -> bool,
    ) -> Result<(), Setback> {
        let mut rows = Vec::new();
        for demand in demands.iter().filter(|demand| demand.backorder > 0) {
            let keys = demand.places.iter().map(|place| place.key);
            let missing = keys.filter(|key| wanted(key) && !levels.contains_key(key));
            rows.extend(missing.map(|key| (key, demand.backorder)));
        }
        if !rows.is_empty() {
            stock_ensure(self.conn, &rows)?;
        }
        Ok(())
    }

    /// Takes the goods of a reservation's lines, which are in the order of the keys; `Raced` when a row has not enough any more.
    pub(super) fn take(
        &mut self,
        lines: &[ReservationLineRow],
        kind: LedgerKind,
        reservation_id: Id,
        delta: fn(i64) -> Counters,
    ) -> Result<(), Setback> {
        for ReservationLineRow { place, quantity, .. } in lines {
            let guard = Guard::Available(*quantity);
            self.stock_change(place, kind, reservation_id, delta(*quantity), guard)?.ok_or(Setback::Raced)?;
        }
        Ok(())
    }

    /// Moves what a reservation has already: no row can refuse that.
    pub(super) fn shift(
        &mut self,
        place: &Place,
        kind: LedgerKind,
        reservation_id: Id,
        delta: Counters,
    ) -> Result<(), InventoryError> {
        match self.stock_change(place, kind, reservation_id, delta, Guard::None)? {
            Some(_) => Ok(()),
            None => {
                let Place { sku, location, .. } = place;
                let text = format!("{sku} at {location} does not hold what reservation {reservation_id} has");
                Err(DieselError::QueryBuilderError(text.into()).into())
            }
        }
    }

    pub(super) fn stock_change(
        &mut self,
        place: &Place,
        kind: LedgerKind,
        reservation_id: Id,
        delta: Counters,
        guard: Guard,
    ) -> QueryResult<Option<Levels>> {
        let reservation_id = Some(reservation_id);
        let change = Change { delta, guard, kind, reason: "", actor: self.actor, reservation_id };
        stock_change(self.conn, place, &change, self.now)
    }
}
