//! Batches of changes. All places are locked in the order of their keys; then the rows are done in their own order. A row is
//! decided before anything of it is written, so one that is refused leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::{Effect, Row, form_faults};
use crate::call::{Answer, Call};
use crate::clock::{Id, Time};
use crate::db::{Connection, DbError};
use crate::error::Fault;
use crate::error::Problem;
use crate::inventory::service::LocalInventory;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::reservation::{ATTEMPTS, Setback};
use crate::inventory::store::reservation::{due_lines, due_units};
use crate::inventory::store::stock::{
    Change, Levels, LocationRow, Place, SkuRow, StockKey, locations_by_code, skus_by_code, stock_change, stock_ensure,
    stock_forget, stock_levels, stock_lock,
};
use crate::inventory::*;

/// A row whose form is right and whose codes are known.
struct Plan {
    steps: Vec<Step>,
    reason: String,
}

/// What a row does to one place.
struct Step {
    place: Place,
    /// Of the SKU: for a place that has no stock row yet.
    backorder: i64,
    effect: Effect,
}

impl LocalInventory {
    pub(super) async fn change<R: Row>(
        &self,
        call: &Call,
        batch: StockBatch<R>,
    ) -> Result<Answer<BatchResult>, InventoryError> {
        if !(1..=ROWS_MAX).contains(&batch.rows.len()) {
            let fault = Fault::WrongCount { count: batch.rows.len(), min: 1, max: ROWS_MAX };
            return Err(InventoryError::invalid("/rows", fault));
        }
        let hours = self.config.idempotency_hours;
        for _ in 0..ATTEMPTS {
            let (call, batch, clock) = (call.clone(), batch.clone(), self.clock.clone());
            let keyed = call.key.is_some();
            let attempt = move |conn: &mut Connection| {
                let now = clock.now();
                once(conn, &call, hours, now, |conn| apply(conn, &call.actor, &batch, now))
            };
            match self.db.write_keyed(keyed, attempt).await {
                Ok(answer) => {
                    if !answer.replayed {
                        let kind = ("kind", R::NAME);
                        metrics::counter!("emporium_stock_changes_total", &[kind]).increment(answer.value.done as u64);
                    }
                    return Ok(answer);
                }
                Err(Setback::Failed(error)) => return Err(error),
                Err(Setback::Raced) => {}
                Err(Setback::Due(ids)) => {
                    for id in ids {
                        self.expire(id, None).await?;
                    }
                }
            }
        }
        Err(DbError::Timeout(format!("no result after {ATTEMPTS} attempts at these stock rows")).into())
    }
}

fn apply<R: Row>(conn: &mut Connection, actor: &str, batch: &StockBatch<R>, now: Time) -> Result<BatchResult, Setback> {
    let plans = plans(conn, &batch.rows)?;
    let mut board = Board::lock(conn, plans.iter().flatten(), now)?;
    let mut rows = Vec::with_capacity(plans.len());
    for (row, plan) in plans.into_iter().enumerate() {
        let result = match plan.map_err(Setback::Failed).and_then(|plan| decide(conn, plan, &board, now)) {
            Ok((plan, deltas)) => {
                let levels = write(conn, actor, &plan, &deltas, &mut board, now)?;
                RowResult { row, ok: true, levels, error: None }
            }
            Err(Setback::Failed(error)) if batch.atomic => {
                return Err(InventoryError::Row { row, error: Box::new(error) }.into());
            }
            Err(Setback::Failed(error)) => RowResult { row, ok: false, levels: vec![], error: Some(row_error(error)) },
            Err(setback) => return Err(setback),
        };
        rows.push(result);
    }
    stock_forget(conn, &board.unused())?;
    let done = rows.iter().filter(|row| row.ok).count();
    Ok(BatchResult { done, failed: rows.len() - done, rows })
}

/// Checks the form of all rows and looks up their codes, all at once.
fn plans<R: Row>(conn: &mut Connection, rows: &[R]) -> Result<Vec<Result<Plan, InventoryError>>, InventoryError> {
    let mut sku_codes: Vec<String> = rows.iter().map(|row| row.sku().to_owned()).collect();
    let mut location_codes: Vec<String> =
        rows.iter().flat_map(|row| row.effects()).map(|(_, code, _)| code.to_owned()).collect();
    for codes in [&mut sku_codes, &mut location_codes] {
        codes.sort_unstable();
        codes.dedup();
    }
    let skus = skus_by_code(conn, &sku_codes)?;
    let skus: HashMap<&str, &SkuRow> = skus.iter().map(|sku| (sku.code.as_str(), sku)).collect();
    let locations = locations_by_code(conn, &location_codes)?;
    let locations: HashMap<&str, &LocationRow> =
        locations.iter().map(|location| (location.code.as_str(), location)).collect();
    Ok(rows.iter().map(|row| plan(row, &skus, &locations)).collect())
}

fn plan<R: Row>(
    row: &R,
    skus: &HashMap<&str, &SkuRow>,
    locations: &HashMap<&str, &LocationRow>,
) -> Result<Plan, InventoryError> {
    let faults = form_faults(row);
    if !faults.is_empty() {
        return Err(InventoryError::Invalid(faults));
    }
    let sku = skus.get(row.sku()).ok_or_else(|| InventoryError::invalid("/sku", Fault::NoSuchSku))?;
    let step = |(pointer, code, effect): (&str, &str, Effect)| {
        let unknown = || InventoryError::invalid(pointer, Fault::NoSuchLocation);
        let location = locations.get(code).ok_or_else(unknown)?;
        Ok(Step { place: Place::new(sku, location), backorder: sku.backorder_limit, effect })
    };
    let steps = row.effects().into_iter().map(step).collect::<Result<_, InventoryError>>()?;
    Ok(Plan { steps, reason: row.reason().to_owned() })
}

/// The places of a batch, locked, as they are at this point of it.
struct Board {
    levels: BTreeMap<StockKey, Levels>,
    /// What holds whose time has passed still keep there. Nobody ends one while its stock row is locked.
    due: BTreeMap<StockKey, i64>,
}

impl Board {
    fn lock<'a>(
        conn: &mut Connection,
        plans: impl Iterator<Item = &'a Plan>,
        now: Time,
    ) -> Result<Board, InventoryError> {
        let places: BTreeMap<StockKey, i64> =
            plans.flat_map(|plan| &plan.steps).map(|step| (step.place.key, step.backorder)).collect();
        let rows: Vec<(StockKey, i64)> = places.iter().map(|(key, backorder)| (*key, *backorder)).collect();
        stock_ensure(conn, &rows)?;
        stock_lock(conn, &Vec::from_iter(places.keys().copied()))?;
        let mut skus: Vec<(Id, Id)> = places.keys().map(|key| (key.product_id, key.sku_id)).collect();
        skus.dedup();
        let mut levels = stock_levels(conn, &skus)?;
        levels.retain(|key, _| places.contains_key(key));
        let due = due_units(conn, &skus, now)?;
        Ok(Board { levels, due })
    }

    /// Rows that were made for this batch and that no row of it changed.
    fn unused(&self) -> Vec<StockKey> {
        self.levels.iter().filter(|(_, levels)| levels.version == 0).map(|(key, _)| *key).collect()
    }

    /// The counters as everybody is told them: without holds whose time has passed.
    fn shown(&self, place: &Place, levels: &Levels) -> StockLevel {
        let due = self.due.get(&place.key).copied().unwrap_or(0);
        let Counters { on_hand, reserved, allocated, safety, incoming } = levels.counters;
        StockLevel {
            sku: place.sku.clone(),
            location: place.location.clone(),
            on_hand,
            reserved: reserved - due,
            allocated,
            safety,
            incoming,
            backorder: levels.backorder,
            available: levels.available() + due,
            version: levels.version,
        }
    }
}

/// The changes that a row makes to its places; [`Setback::Failed`]: why it may not. Promises whose time has passed are no reason:
/// all of them are ended first, so that one more attempt is enough.
fn decide(conn: &mut Connection, plan: Plan, board: &Board, now: Time) -> Result<(Plan, Vec<Counters>), Setback> {
    let mut deltas = Vec::with_capacity(plan.steps.len());
    for Step { place, effect, .. } in &plan.steps {
        let levels = board.levels.get(&place.key).ok_or(Setback::Raced)?;
        match effect.delta(place, levels) {
            Err(InventoryError::StockPromised { .. }) if board.due.contains_key(&place.key) => {
                let lines = due_lines(conn, board.due.keys().copied(), now)?;
                let ids: BTreeSet<Id> = lines.iter().map(|line| line.reservation_id).collect();
                return Err(Setback::Due(ids.into_iter().collect()));
            }
            delta => deltas.push(delta?),
        }
    }
    Ok((plan, deltas))
}

/// Writes what was decided; gives the counters of the row's places after it. The rows are locked, so what was decided still holds.
fn write(
    conn: &mut Connection,
    actor: &str,
    plan: &Plan,
    deltas: &[Counters],
    board: &mut Board,
    now: Time,
) -> Result<Vec<StockLevel>, Setback> {
    let mut shown = Vec::with_capacity(deltas.len());
    for (Step { place, effect, .. }, delta) in plan.steps.iter().zip(deltas) {
        let (delta, guard, kind, reason) = (*delta, effect.guard(), effect.kind(), plan.reason.as_str());
        let change = Change { delta, guard, kind, reason, actor, reservation_id: None };
        let after = stock_change(conn, place, &change, now)?.ok_or(Setback::Raced)?;
        board.levels.insert(place.key, after);
        shown.push(board.shown(place, &after));
    }
    Ok(shown)
}

fn row_error(error: InventoryError) -> RowError {
    let problem = Problem::from(error);
    let faults: Vec<String> =
        problem.errors.iter().map(|fault| format!("{}: {}", fault.pointer, fault.message)).collect();
    let detail = if faults.is_empty() { problem.detail } else { faults.join("; ") };
    RowError { code: problem.code.code().to_owned(), detail, errors: problem.errors }
}
