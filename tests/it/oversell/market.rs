//! 200 buyers against 50 SKUs and a hot one for 20 seconds: they hold, extend, commit, release, cancel, ship, walk away, come
//! late, and call twice. Everything they were told is then held against what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emporium::call::{Answer, Call, IdempotencyKey};
use emporium::clock::Id;
use emporium::db::DbError;
use emporium::error::Problem;
use emporium::inventory::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{assert_consistent, assert_no_deadlock, second_node};
use crate::reservation::order;
use crate::seed;
use crate::testapp::{Backend, TestApp, call};

const BUYERS: u64 = 200;
const COLD: usize = 50;
const HOT_UNITS: i64 = 100;
const LASTS: Duration = Duration::from_secs(20);

type Told = Result<Answer<Reservation>, InventoryError>;

struct Buyer {
    inventory: Arc<dyn Inventory>,
    rng: StdRng,
    name: String,
    calls: u32,
    /// The last state of each reservation that the shop told.
    history: BTreeMap<Id, Reservation>,
    /// How often each thing happened.
    seen: BTreeMap<&'static str, u32>,
}

/// What a buyer asks of the shop.
#[derive(Clone)]
enum Ask {
    Reserve(String, NewReservation),
    Extend(Id, u32),
    Commit(Id),
    Release(Id),
    Cancel(Id),
    Ship(Id),
}

impl Ask {
    async fn once(&self, shop: &dyn Inventory, call: &Call) -> Told {
        match self {
            Ask::Reserve(holder, new) => shop.reserve(call, holder.clone(), new.clone()).await,
            Ask::Extend(id, seconds) => {
                shop.reservation_extend(call, *id, Extension { hold_seconds: Some(*seconds) }).await
            }
            Ask::Commit(id) => shop.reservation_commit(call, *id).await,
            Ask::Release(id) => shop.reservation_release(call, *id).await,
            Ask::Cancel(id) => shop.reservation_cancel(call, *id).await,
            Ask::Ship(id) => shop.reservation_ship(call, *id, Shipment::default()).await,
        }
    }

    /// Asks until the shop is not too busy to answer.
    async fn answered(&self, shop: &dyn Inventory, call: &Call) -> Told {
        loop {
            match self.once(shop, call).await {
                Err(InventoryError::Db(DbError::Busy | DbError::Timeout(_)) | InventoryError::KeyInUse) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                told => return told,
            }
        }
    }
}

impl Buyer {
    /// A call of its own key.
    fn call(&mut self) -> Call {
        self.calls += 1;
        let key = format!("{}-{}", self.name, self.calls);
        Call { key: Some(IdempotencyKey { key, request_hash: vec![1; 32] }), ..Call::by(&self.name) }
    }

    fn count(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Asks once, one after the other, or twice at the same time: the answers must be one.
    async fn ask(&mut self, ask: Ask) -> Told {
        let call = self.call();
        let inventory = self.inventory.clone();
        let one = || ask.answered(&*inventory, &call);
        let told = match self.rng.random_range(0..10) {
            0 | 1 => {
                let (first, second) = tokio::join!(one(), one());
                match (first, second) {
                    (Ok(first), Ok(second)) => {
                        assert_eq!(first.value, second.value);
                        assert!(first.replayed != second.replayed);
                        Ok(first)
                    }
                    // A refusal is not kept: the second may have been luckier.
                    (Ok(told), Err(_)) | (Err(_), Ok(told)) => Ok(told),
                    (Err(error), Err(_)) => Err(error),
                }
            }
            2 => match one().await {
                Ok(first) => {
                    let again = one().await.unwrap();
                    assert!(again.replayed);
                    assert_eq!(again.value, first.value);
                    Ok(first)
                }
                refused => refused,
            },
            _ => one().await,
        };
        if let Ok(answer) = &told {
            self.history.insert(answer.value.id, answer.value.clone());
        }
        told
    }

    fn wish(&mut self) -> NewReservation {
        let rng = &mut self.rng;
        let place = |rng: &mut StdRng| ["", "", "EAST", "WEST"][rng.random_range(0..4)];
        let cold: Vec<String> =
            (0..rng.random_range(0..4)).map(|_| format!("COLD-{:02}", rng.random_range(0..COLD))).collect();
        let mut lines: Vec<_> = cold.iter().map(|sku| (sku.as_str(), place(rng), rng.random_range(1..4))).collect();
        if lines.is_empty() || rng.random_bool(0.3) {
            lines.push(("HOT", place(rng), rng.random_range(1..3)));
        }
        if rng.random_bool(0.2) {
            lines.push(lines[0]);
        }
        NewReservation {
            hold_seconds: Some(rng.random_range(1..3)),
            allow_partial: rng.random_bool(0.2),
            ..order(&lines)
        }
    }

    async fn round(&mut self) {
        let (wish, name) = (self.wish(), self.name.clone());
        let held = self.ask(Ask::Reserve(name, wish)).await;
        let held = match held {
            Ok(held) => held.value,
            Err(InventoryError::OutOfStock(lines)) => {
                assert!(lines.iter().all(|line| line.available < line.requested), "{lines:?}");
                return self.count("out of stock");
            }
            Err(other) => panic!("{}", Problem::from(other).detail),
        };
        let id = held.id;
        match self.rng.random_range(0..100) {
            0..25 => self.commit(id).await,
            25..40 => {
                let seconds = self.rng.random_range(1..5);
                match self.ask(Ask::Extend(id, seconds)).await {
                    Ok(_) => self.count("extended"),
                    Err(InventoryError::ReservationExpired { .. }) => self.count("extended too late"),
                    Err(other) => panic!("{}", Problem::from(other).detail),
                }
                self.commit(id).await;
            }
            40..60 => {
                let released = self.ask(Ask::Release(id)).await.unwrap();
                let over = [ReservationState::Released, ReservationState::Expired];
                assert!(over.contains(&released.value.state));
                self.count("released");
            }
            60..75 => {
                // Comes back when the hold is over.
                tokio::time::sleep(Duration::from_millis(self.rng.random_range(900..2_500))).await;
                self.commit(id).await;
            }
            75..85 => self.count("walked away"),
            85..93 => {
                self.commit(id).await;
                self.after_commit("cancelled", Ask::Cancel(id), id).await;
            }
            _ => {
                self.commit(id).await;
                self.after_commit("shipped", Ask::Ship(id), id).await;
            }
        }
    }

    async fn commit(&mut self, id: Id) {
        match self.ask(Ask::Commit(id)).await {
            Ok(committed) => {
                assert_eq!(committed.value.state, ReservationState::Committed);
                self.count(if committed.value.version > 2 { "committed late" } else { "committed" });
            }
            Err(InventoryError::ReservationExpired { lines, .. }) => {
                assert!(!lines.is_empty() && lines.iter().all(|line| line.available < line.requested), "{lines:?}");
                self.count("lost");
            }
            Err(other) => panic!("{}", Problem::from(other).detail),
        }
    }

    async fn after_commit(&mut self, what: &'static str, ask: Ask, id: Id) {
        if self.history[&id].state == ReservationState::Committed {
            match self.ask(ask).await {
                Ok(_) => self.count(what),
                // Of what was promised beyond the stock some has not come yet.
                Err(InventoryError::OutOfStock(lines)) if what == "shipped" => {
                    assert!(lines.iter().all(|line| line.available < line.requested), "{lines:?}");
                    self.count("waits for goods");
                }
                Err(other) => panic!("{}", Problem::from(other).detail),
            }
        }
    }

    /// Buys the hot thing until there is none, and keeps what it gets.
    async fn buy_out(&mut self) {
        let name = self.name.clone();
        loop {
            let wish = order(&[("HOT", "", 1)]);
            match self.ask(Ask::Reserve(name.clone(), wish)).await {
                Ok(held) => self.commit(held.value.id).await,
                Err(InventoryError::OutOfStock(_)) => return,
                Err(other) => panic!("{}", Problem::from(other).detail),
            }
        }
    }
}

/// Moves goods to and fro and checks the shelves while the buyers are at it.
async fn clerk(inventory: Arc<dyn Inventory>, mut rng: StdRng, end: Instant) {
    while Instant::now() < end {
        let mut rows = Vec::new();
        for _ in 0..rng.random_range(1..5) {
            let (from, to) = if rng.random_bool(0.5) { ("EAST", "WEST") } else { ("WEST", "EAST") };
            let sku =
                if rng.random_bool(0.2) { "HOT".into() } else { format!("COLD-{:02}", rng.random_range(0..COLD)) };
            let reason = "to and fro".into();
            rows.push(Transfer { sku, from: from.into(), to: to.into(), quantity: rng.random_range(1..3), reason });
        }
        match inventory.stock_transfer(&call(), StockBatch { atomic: false, rows }).await {
            Ok(_) | Err(InventoryError::Db(DbError::Busy | DbError::Timeout(_))) => {}
            Err(other) => panic!("{}", Problem::from(other).detail),
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(5..50))).await;
    }
}

async fn stocked(backend: Backend, rng: &mut StdRng) -> TestApp {
    let app = TestApp::start_with(backend, |config| config.inventory.sweep_interval_ms = 200).await;
    let mut conn = seed::connect(&app);
    let mut rows = Vec::new();
    let mut delivery = |sku: &str, location: &str, delta| {
        let (sku, location) = (sku.to_owned(), location.to_owned());
        rows.push(Adjustment { sku, location, counter: Counter::OnHand, delta, reason: "delivery".into() });
    };
    seed::location(&mut conn, "EAST");
    seed::location(&mut conn, "WEST");
    seed::sku(&mut conn, "HOT", 0, Some(10));
    delivery("HOT", "EAST", HOT_UNITS - 40);
    delivery("HOT", "WEST", 40);
    for sku in 0..COLD {
        let sku = format!("COLD-{sku:02}");
        seed::sku(&mut conn, &sku, if rng.random_bool(0.2) { 5 } else { 0 }, None);
        for location in ["EAST", "WEST"] {
            delivery(&sku, location, rng.random_range(5..60));
        }
    }
    app.shop.modules.inventory.stock_adjust(&call(), StockBatch { atomic: true, rows }).await.unwrap();
    app
}

pub(super) async fn run(backend: Backend, seed: u64) {
    println!("TEST_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let app = stocked(backend, &mut rng).await;
    let nodes = [app.shop.modules.inventory.clone(), second_node(&app)];
    let end = Instant::now() + LASTS;
    let clerk = tokio::spawn(clerk(nodes[1].clone(), StdRng::seed_from_u64(rng.random()), end));
    let buyers: Vec<_> = (0..BUYERS)
        .map(|n| {
            let mut buyer = Buyer {
                inventory: nodes[(n % 2) as usize].clone(),
                rng: StdRng::seed_from_u64(rng.random()),
                name: format!("buyer-{n}"),
                calls: 0,
                history: BTreeMap::new(),
                seen: BTreeMap::new(),
            };
            tokio::spawn(async move {
                while Instant::now() < end {
                    buyer.round().await;
                    tokio::time::sleep(Duration::from_millis(buyer.rng.random_range(0..100))).await;
                }
                buyer
            })
        })
        .collect();
    let mut idle = Vec::new();
    for buyer in buyers {
        idle.push(buyer.await.unwrap());
    }
    clerk.await.unwrap();
    // Whatever is still held is over now; from here on everybody keeps what he gets.
    app.clock.advance(Duration::from_secs(60));
    let buyers: Vec<_> = idle
        .into_iter()
        .map(|mut buyer| {
            tokio::spawn(async move {
                buyer.buy_out().await;
                buyer
            })
        })
        .collect();
    let mut done = Vec::new();
    for buyer in buyers {
        done.push(buyer.await.unwrap());
    }
    judge(app, done).await;
}

async fn judge(app: TestApp, buyers: Vec<Buyer>) {
    let inventory = app.shop.modules.inventory.clone();
    while inventory.reservation_sweep(1_000).await.unwrap() > 0 {}
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut sold = 0;
    for buyer in buyers {
        for (what, count) in &buyer.seen {
            *seen.entry(what).or_default() += count;
        }
        for (id, told) in &buyer.history {
            let stored = inventory.reservation_get(*id).await.unwrap().unwrap();
            match told.state {
                ReservationState::Held => assert_eq!(stored.state, ReservationState::Expired, "{id}"),
                state => assert_eq!((stored.state, stored.version), (state, told.version), "{id}"),
            }
            assert_eq!(stored.lines, told.lines, "{id}");
            if matches!(stored.state, ReservationState::Committed | ReservationState::Shipped) {
                sold += stored.lines.iter().filter(|line| line.sku == "HOT").map(|line| line.quantity).sum::<i64>();
            }
        }
    }
    println!("{seen:?}");
    assert_eq!(sold, HOT_UNITS, "as the buyers were told");
    let mut conn = seed::connect(&app);
    let hot = "FROM stock WHERE sku_id = (SELECT id FROM skus WHERE code = 'HOT')";
    let stored = seed::number(&mut conn, &format!("SELECT {HOT_UNITS} - SUM(on_hand) + SUM(allocated) {hot}"));
    assert_eq!(stored, HOT_UNITS, "as it is stored");
    assert_eq!(seed::number(&mut conn, &format!("SELECT SUM(reserved) {hot}")), 0);
    assert_consistent(&mut conn);
    assert_eq!(inventory.stock_verify(&call(), false).await.unwrap().differences, vec![]);
    for what in ["committed", "committed late", "extended", "released", "walked away", "cancelled", "shipped"] {
        assert!(seen.get(what).is_some_and(|count| *count > 0), "nobody {what}");
    }
    drop((conn, inventory));
    assert_no_deadlock(app).await;
}
