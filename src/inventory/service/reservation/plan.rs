//! Where the units of a reservation are to come from: plain computation over counters that were read before.

use std::collections::BTreeMap;

use crate::clock::Id;
use crate::inventory::Shortage;
use crate::inventory::store::reservation::{DueLine, ReservationLineRow};
use crate::inventory::store::stock::{Levels, Place, Sold, StockKey};

/// So many units of a SKU, from one of these places or from several.
pub(super) struct Demand {
    pub(super) sku: String,
    pub(super) sold: Sold,
    /// The location that was asked for.
    pub(super) location: Option<String>,
    pub(super) quantity: i64,
    /// The best first.
    pub(super) places: Vec<Place>,
    /// What may be promised at a place that has no stock row yet.
    pub(super) backorder: i64,
}

impl Demand {
    pub(super) fn sku_key(&self) -> Option<(Id, Id)> {
        self.places.first().map(|place| (place.key.product_id, place.key.sku_id))
    }
}

/// What a stock row can give: goods that are there (below 0 when more than that is promised or kept back), and promises beyond.
#[derive(Clone, Copy, Debug)]
struct Offer {
    goods: i64,
    backorder: i64,
}

impl Offer {
    fn all(&self) -> i64 {
        self.goods + self.backorder
    }
}

/// What all places of a reservation can give.
#[derive(Clone, Debug)]
pub(super) struct Supply(BTreeMap<StockKey, Offer>);

impl Supply {
    pub(super) fn new(demands: &[Demand], levels: &BTreeMap<StockKey, Levels>) -> Self {
        let mut supply = BTreeMap::new();
        for demand in demands {
            for place in &demand.places {
                let offer = match levels.get(&place.key) {
                    Some(levels) => Offer { goods: levels.available(), backorder: levels.backorder },
                    None => Offer { goods: 0, backorder: demand.backorder },
                };
                supply.insert(place.key, offer);
            }
        }
        Supply(supply)
    }

    /// With what holds whose time has passed still keep.
    pub(super) fn with_due(&self, due: &BTreeMap<StockKey, i64>) -> Self {
        let mut supply = self.0.clone();
        for (key, units) in due {
            if let Some(offer) = supply.get_mut(key) {
                offer.goods += units;
            }
        }
        Supply(supply)
    }

    /// What `plan` takes beyond this supply, by stock row.
    pub(super) fn missing(&self, plan: &Plan) -> BTreeMap<StockKey, i64> {
        let missing = |(key, units): (&StockKey, &i64)| (*key, self.0.get(key).map_or(0, |offer| units - offer.all()));
        plan.takes.iter().map(missing).filter(|(_, units)| *units > 0).collect()
    }
}

/// The oldest holds among `due` that must be ended before what is `missing` can be taken. A few more than needed, so that many
/// callers at a time do not end the same holds one by one.
pub(super) fn in_the_way(missing: &BTreeMap<StockKey, i64>, due: &[DueLine]) -> Vec<Id> {
    const AT_LEAST: usize = 32;
    let mut ids = Vec::new();
    for (key, units) in missing {
        let mut missing = *units;
        for line in due.iter().filter(|line| line.key == *key) {
            if missing <= 0 && ids.len() >= AT_LEAST {
                break;
            }
            missing -= line.quantity;
            ids.push(line.reservation_id);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// How many units come from where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Units by demand.
    pub(super) got: Vec<i64>,
    /// Units by stock row, in the order in which rows are locked.
    pub(super) takes: BTreeMap<StockKey, i64>,
}

impl Plan {
    /// Plans as much of each demand as the supply allows. What is asked of one place goes before what may come from any. For the
    /// latter: the first place whose goods are enough; else goods from several, the best places first; then promises beyond.
    pub(super) fn new(demands: &[Demand], supply: &Supply) -> Self {
        let mut plan = Plan { got: vec![0; demands.len()], takes: BTreeMap::new() };
        let mut left = supply.0.clone();
        let asked = demands.iter().enumerate().filter(|(_, demand)| demand.location.is_some());
        let any = demands.iter().enumerate().filter(|(_, demand)| demand.location.is_none());
        for (i, demand) in asked.chain(any) {
            plan.got[i] = plan.spread(demand, &mut left);
        }
        plan
    }

    fn spread(&mut self, demand: &Demand, left: &mut BTreeMap<StockKey, Offer>) -> i64 {
        let mut keys: Vec<StockKey> = demand.places.iter().map(|place| place.key).collect();
        let has_all = |key: &StockKey| left.get(key).is_some_and(|offer| offer.goods >= demand.quantity);
        if let Some(whole) = keys.iter().position(has_all) {
            keys = vec![keys[whole]];
        }
        let mut missing = demand.quantity;
        for offered in [|offer: &Offer| offer.goods, |offer: &Offer| offer.all()] {
            for key in &keys {
                let Some(offer) = left.get_mut(key) else { continue };
                let units = offered(offer).clamp(0, missing);
                if units > 0 {
                    offer.goods -= units;
                    missing -= units;
                    *self.takes.entry(*key).or_default() += units;
                }
            }
        }
        demand.quantity - missing
    }

    pub(super) fn units(&self) -> i64 {
        self.got.iter().sum()
    }

    /// The demands that are not met.
    pub(super) fn shortages(&self, demands: &[Demand]) -> Vec<Shortage> {
        let short = demands.iter().zip(&self.got).filter(|(demand, got)| demand.quantity > **got);
        short
            .map(|(demand, got)| Shortage {
                sku: demand.sku.clone(),
                location: demand.location.clone(),
                requested: demand.quantity,
                available: *got,
            })
            .collect()
    }

    pub(super) fn is_complete(&self, demands: &[Demand]) -> bool {
        demands.iter().zip(&self.got).all(|(demand, got)| demand.quantity == *got)
    }

    /// The takes as the lines of a reservation, in the order in which rows are locked.
    pub(super) fn lines(&self, demands: &[Demand]) -> Vec<ReservationLineRow> {
        let places = demands.iter().flat_map(|demand| demand.places.iter().map(move |place| (place, &demand.sold)));
        let places: BTreeMap<StockKey, (&Place, &Sold)> =
            places.map(|(place, sold)| (place.key, (place, sold))).collect();
        let line = |(key, units): (&StockKey, &i64)| {
            let (place, sold) = *places.get(key)?;
            Some(ReservationLineRow { place: place.clone(), sold: sold.clone(), quantity: *units, shipped: 0 })
        };
        self.takes.iter().filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{Counters, Money};
    use uuid::Uuid;

    fn key(location: u128) -> StockKey {
        StockKey { product_id: Id(Uuid::nil()), sku_id: Id(Uuid::nil()), location_id: Id(Uuid::from_u128(location)) }
    }

    fn demand(quantity: i64, location: Option<u128>) -> Demand {
        let place = |location: u128| Place {
            key: key(location),
            sku: "S".into(),
            location: location.to_string(),
            low_stock_threshold: None,
        };
        let places = location.map_or_else(|| vec![place(3), place(1), place(2)], |location| vec![place(location)]);
        let price = Money { amount: 1, currency: "USD".into() };
        let sold = Sold { title: "Shirt".into(), options: vec![], price };
        Demand { sku: "S".into(), sold, location: location.map(|id| id.to_string()), quantity, places, backorder: 0 }
    }

    /// `stock`: location, goods, backorder.
    fn plan(demands: &[Demand], stock: &[(u128, i64, i64)]) -> (Vec<i64>, Vec<(StockKey, i64)>) {
        let levels = stock.iter().map(|(location, on_hand, backorder)| {
            let counters = Counters { on_hand: *on_hand, ..Counters::default() };
            (key(*location), Levels { counters, backorder: *backorder, version: 1 })
        });
        let plan = Plan::new(demands, &Supply::new(demands, &levels.collect()));
        (plan.got, plan.takes.into_iter().collect())
    }

    #[test]
    fn one_place_that_has_all_comes_first() {
        let (got, takes) = plan(&[demand(5, None)], &[(3, 4, 0), (1, 3, 0), (2, 9, 0)]);
        assert_eq!((got, takes), (vec![5], vec![(key(2), 5)]));
    }

    #[test]
    fn else_the_best_places_give_what_they_have() {
        let (got, takes) = plan(&[demand(8, None)], &[(3, 4, 0), (1, 3, 0), (2, 6, 0)]);
        assert_eq!((got, takes), (vec![8], vec![(key(1), 3), (key(2), 1), (key(3), 4)]));
    }

    #[test]
    fn goods_go_before_promises() {
        let (got, takes) = plan(&[demand(8, None)], &[(3, 1, 5), (1, 2, 5), (2, -1, 5)]);
        assert_eq!((got, takes), (vec![8], vec![(key(1), 2), (key(3), 6)]));
    }

    #[test]
    fn a_row_is_never_planned_twice() {
        let demands = [demand(3, None), demand(4, Some(1))];
        assert_eq!(plan(&demands, &[(1, 5, 0)]), (vec![1, 4], vec![(key(1), 5)]));
    }

    #[test]
    fn what_is_owed_takes_from_the_backorder() {
        assert_eq!(plan(&[demand(9, Some(1))], &[(1, -2, 5)]), (vec![3], vec![(key(1), 3)]));
    }
}
