//! Orders: what was sold stays as it was, when they were placed, and their lists and numbers.

use std::time::Duration;

use emporium::call::Role;
use emporium::clock::{Clock, Time};
use emporium::error::{ErrorCode, Problem};
use emporium::inventory::*;
use reqwest::Method;
use serde_json::json;

use super::{Warehouse, lines, order};
use crate::seed;
use crate::testapp::{call, on_both, read};

fn money(amount: i64) -> Money {
    Money { amount, currency: "USD".into() }
}

/// Title, options and price of each line.
fn sold(reservation: &Reservation) -> Vec<(&str, Vec<&str>, i64)> {
    assert!(reservation.lines.iter().all(|line| line.unit_price.currency == "USD"));
    reservation
        .lines
        .iter()
        .map(|line| (&*line.title, line.options.iter().map(String::as_str).collect(), line.unit_price.amount))
        .collect()
}

/// A shirt in two sizes, SHIRT-S at 1900 and SHIRT-M at 2100, nine of each at EAST.
async fn shirt(shop: &Warehouse) {
    let sku =
        |code: &str, size: &str, amount| json!({ "code": code, "options": [size, "Red"], "price": money(amount) });
    let skus = [sku("SHIRT-S", "S", 1_900), sku("SHIRT-M", "M", 2_100)];
    let new =
        json!({ "title": "Shirt", "handle": "shirt", "status": "active", "options": ["Size", "Colour"], "skus": skus });
    shop.inventory.product_create(&call(), serde_json::from_value(new).unwrap()).await.unwrap();
    for sku in ["SHIRT-S", "SHIRT-M"] {
        shop.put(sku, "EAST", 9).await;
    }
}

async fn change_shirt(shop: &Warehouse) {
    let product = ProductPatch { title: Some("Blouse".into()), ..ProductPatch::default() };
    shop.inventory.product_update(&call(), "shirt".into(), None, product).await.unwrap();
    let sku =
        SkuPatch { price: Some(money(1)), options: Some(vec!["XS".into(), "Blue".into()]), ..SkuPatch::default() };
    shop.inventory.sku_update(&call(), "SHIRT-S", None, sku).await.unwrap();
}

async fn listed(shop: &Warehouse, query: ReservationQuery) -> Vec<ReservationState> {
    let page = shop.inventory.reservation_list(query).await.unwrap();
    page.items.iter().map(|reservation| reservation.state).collect()
}

async fn days(shop: &Warehouse, days: &[Time]) -> Vec<(i64, i64, i64)> {
    let found = shop.inventory.reservation_summary(days.to_vec()).await.unwrap().days;
    assert_eq!(found.iter().map(|day| day.from).collect::<Vec<_>>(), days[..days.len() - 1]);
    found.into_iter().map(|day| (day.orders, day.units, day.value.amount)).collect()
}

async fn states(shop: &Warehouse) -> Vec<i64> {
    use ReservationState::*;
    let now = shop.clock.now();
    let found = shop.inventory.reservation_summary(vec![now, now.plus_seconds(1)]).await.unwrap().states;
    assert_eq!(found.len(), 6);
    let all = [Held, Expired, Committed, Shipped, Released, Cancelled];
    all.iter().map(|state| found.iter().find(|(found, _)| found == state).unwrap().1).collect()
}

on_both! {
    async fn lines_keep_what_was_sold(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shirt(&shop).await;
        let before = [("Shirt", vec!["M", "Red"], 2_100), ("Shirt", vec!["S", "Red"], 1_900)];
        let held = shop.hold("ann", &[("SHIRT-S", "EAST", 2), ("SHIRT-M", "", 1)]).await.unwrap();
        assert_eq!(lines(&held), [("SHIRT-M", "EAST", 1, 0), ("SHIRT-S", "EAST", 2, 0)]);
        assert_eq!(sold(&held), before);
        change_shirt(&shop).await;
        assert_eq!(shop.get(held.id).await, held);
        // Also where the goods are taken again.
        for swept in [false, true] {
            let late = shop.hold("bob", &[("SHIRT-S", "EAST", 1)]).await.unwrap();
            assert_eq!(sold(&late), [("Blouse", vec!["XS", "Blue"], 1)]);
            let back = SkuPatch { price: Some(money(5)), ..SkuPatch::default() };
            shop.inventory.sku_update(&call(), "SHIRT-S", None, back).await.unwrap();
            shop.clock.set(late.expires_at);
            if swept {
                shop.inventory.reservation_sweep(10).await.unwrap();
            }
            let committed = shop.inventory.reservation_commit(&call(), late.id).await.unwrap().value;
            assert_eq!(committed.lines, late.lines);
            assert_eq!(shop.get(late.id).await.lines, late.lines);
            let again = SkuPatch { price: Some(money(1)), ..SkuPatch::default() };
            shop.inventory.sku_update(&call(), "SHIRT-S", None, again).await.unwrap();
        }
        let committed = shop.inventory.reservation_commit(&call(), held.id).await.unwrap().value;
        assert_eq!(sold(&committed), before);
        let shipped = shop.inventory.reservation_ship(&call(), held.id, Shipment::default()).await.unwrap().value;
        assert_eq!(sold(&shipped), before);
        let listed = shop.inventory.reservation_list(ReservationQuery::default()).await.unwrap().items;
        assert_eq!(sold(listed.last().unwrap()), before);
        let told = shop.inventory.events(EventQuery { after: None, limit: Some(200) }).await.unwrap();
        let shipped = told.iter().find(|event| event.kind == "reservation.shipped").unwrap();
        assert_eq!(shipped.data["lines"][1]["unit_price"], json!({ "amount": 1900, "currency": "USD" }));
        shop.assert_clean().await;
    }

    async fn orders_of_which_a_part_was_shipped_are_found(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shirt(&shop).await;
        let new = async |holder: &str, reference: &str, shipped: i64, is_cancelled: bool| {
            let new = NewReservation { reference: reference.into(), ..order(&[("SHIRT-S", "EAST", 1), ("SHIRT-M", "EAST", 1)]) };
            let id = shop.inventory.reserve(&call(), holder.into(), new).await.unwrap().value.id;
            shop.inventory.reservation_commit(&call(), id).await.unwrap();
            let lines = ["SHIRT-M", "SHIRT-S"].map(|sku| ShipmentLine { sku: sku.into(), location: "EAST".into(), quantity: 1 });
            let lines: Vec<_> = lines.into_iter().take(shipped as usize).collect();
            if !lines.is_empty() {
                shop.inventory.reservation_ship(&call(), id, Shipment { lines: Some(lines), version: None }).await.unwrap();
            }
            if is_cancelled {
                shop.inventory.reservation_cancel(&call(), id).await.unwrap();
            }
            id
        };
        let waits = new("ann", "a", 1, false).await;
        let was_cancelled = new("bob", "b", 1, true).await;
        let waits_too = new("bob", "a", 1, false).await;
        for (shipped, is_cancelled) in [(0, false), (2, false), (0, true)] {
            new("ann", "a", shipped, is_cancelled).await;
        }
        let found = async |query: ReservationQuery| {
            let (mut ids, mut cursor) = (vec![], None);
            loop {
                let query = ReservationQuery { partly_shipped: Some(true), limit: Some(1), cursor, ..query.clone() };
                let page = shop.inventory.reservation_list(query).await.unwrap();
                ids.extend(page.items.iter().map(|order| order.id));
                cursor = page.next_cursor;
                if cursor.is_none() {
                    return ids;
                }
            }
        };
        let any = ReservationQuery::default();
        let of = |state| ReservationQuery { state: Some(state), ..any.clone() };
        assert_eq!(found(any.clone()).await, [waits_too, was_cancelled, waits]);
        assert_eq!(found(of(ReservationState::Committed)).await, [waits_too, waits]);
        assert_eq!(found(of(ReservationState::Cancelled)).await, [was_cancelled]);
        assert_eq!(found(of(ReservationState::Shipped)).await, []);
        assert_eq!(found(ReservationQuery { ordered: Some(false), ..any.clone() }).await, []);
        assert_eq!(found(ReservationQuery { holder: Some("bob".into()), ..any.clone() }).await, [waits_too, was_cancelled]);
        assert_eq!(found(ReservationQuery { reference: Some("a".into()), ..any.clone() }).await, [waits_too, waits]);
        let all = ReservationQuery { partly_shipped: Some(false), ..any };
        assert_eq!(shop.inventory.reservation_list(all).await.unwrap().items.len(), 6);
    }

    async fn an_order_knows_when_it_was_placed(backend: Backend) {
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 9).await;
        let held = shop.hold("ann", &[("A", "EAST", 2)]).await.unwrap();
        assert_eq!(held.committed_at, None);
        shop.clock.advance(Duration::from_secs(60));
        let placed = shop.clock.now();
        let committed = shop.inventory.reservation_commit(&call(), held.id).await.unwrap().value;
        assert_eq!(committed.committed_at, Some(placed));
        shop.clock.advance(Duration::from_secs(60));
        let part = ShipmentLine { sku: "A".into(), location: "EAST".into(), quantity: 1 };
        let part = Shipment { lines: Some(vec![part]), version: None };
        let part = shop.inventory.reservation_ship(&call(), held.id, part).await.unwrap().value;
        assert_eq!((part.state, part.committed_at), (ReservationState::Committed, Some(placed)));
        let cancelled = shop.inventory.reservation_cancel(&call(), held.id).await.unwrap().value;
        assert_eq!((cancelled.state, cancelled.committed_at), (ReservationState::Cancelled, Some(placed)));
        assert_eq!(shop.get(held.id).await, cancelled);
        let late = shop.hold("ann", &[("A", "EAST", 2)]).await.unwrap();
        shop.clock.set(late.expires_at.plus_seconds(5));
        let committed = shop.inventory.reservation_commit(&call(), late.id).await.unwrap().value;
        assert_eq!(committed.committed_at, Some(late.expires_at.plus_seconds(5)));
        let released = shop.hold("ann", &[("A", "EAST", 2)]).await.unwrap();
        let released = shop.inventory.reservation_release(&call(), released.id).await.unwrap().value;
        assert_eq!(released.committed_at, None);
    }

    async fn orders_are_listed_apart_from_what_never_was_one(backend: Backend) {
        use ReservationState::*;
        let shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 99).await;
        let mut ids = vec![];
        for holder in ["ann", "bob"] {
            for _ in 0..6 {
                ids.push(shop.hold(holder, &[("A", "EAST", 1)]).await.unwrap().id);
            }
        }
        for ids in ids.chunks(6) {
            for id in &ids[1..4] {
                shop.inventory.reservation_commit(&call(), *id).await.unwrap();
            }
            shop.inventory.reservation_ship(&call(), ids[2], Shipment::default()).await.unwrap();
            shop.inventory.reservation_cancel(&call(), ids[3]).await.unwrap();
            shop.inventory.reservation_release(&call(), ids[4]).await.unwrap();
        }
        let query = |ordered, state| ReservationQuery {
            holder: Some("ann".into()), ordered, state, ..ReservationQuery::default()
        };
        assert_eq!(listed(&shop, query(Some(true), None)).await, [Cancelled, Shipped, Committed]);
        assert_eq!(listed(&shop, query(Some(false), None)).await, [Held, Released, Held]);
        assert_eq!(listed(&shop, query(None, None)).await.len(), 6);
        for state in [Held, Committed, Shipped, Released, Expired, Cancelled] {
            let all = listed(&shop, query(None, Some(state))).await;
            let (orders, others) = (listed(&shop, query(Some(true), Some(state))).await, listed(&shop, query(Some(false), Some(state))).await);
            let is_of_orders = matches!(state, Committed | Shipped | Cancelled);
            assert_eq!(if is_of_orders { (orders, others) } else { (others, orders) }, (all, vec![]), "{state}");
        }
        // Page by page, and over HTTP.
        let staff = shop.app.token("staff@example.com", Role::Staff).await;
        let (mut seen, mut path) = (vec![], "/api/v1/reservations?ordered=true&limit=2".to_owned());
        loop {
            let (status, page) = read(shop.app.request_as(&staff, Method::GET, &path).send().await.unwrap()).await;
            assert_eq!(status, 200, "{page}");
            for item in page["items"].as_array().unwrap() {
                assert!(item["committed_at"].is_string(), "{item}");
                assert_eq!((&item["lines"][0]["title"], &item["lines"][0]["unit_price"]["amount"]), (&json!("A thing"), &json!(1_000)));
                seen.push(item["id"].as_str().unwrap().to_owned());
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/reservations?ordered=true&limit=2&cursor={cursor}");
        }
        let orders: Vec<String> = [9, 8, 7, 3, 2, 1].map(|index| ids[index].to_string()).to_vec();
        assert_eq!(seen, orders);
        let wrong = shop.app.request_as(&staff, Method::GET, "/api/v1/reservations?ordered=maybe").send().await.unwrap();
        assert_eq!(wrong.status(), 422);
    }

    async fn a_summary_counts_states_and_days(backend: Backend) {
        let mut shop = Warehouse::start(backend).await;
        shop.put("A", "EAST", 99).await;
        shirt(&shop).await;
        let start = shop.clock.now();
        let at = |seconds| start.plus_seconds(seconds);
        let place = async |seconds, units| {
            shop.clock.set(at(seconds));
            let held = shop.hold("ann", &[("SHIRT-S", "EAST", units), ("A", "EAST", 1)]).await.unwrap();
            shop.inventory.reservation_commit(&call(), held.id).await.unwrap().value.id
        };
        place(0, 1).await;
        place(9, 2).await;
        let shipped = place(10, 1).await;
        let cancelled = place(11, 3).await;
        shop.inventory.reservation_ship(&call(), shipped, Shipment::default()).await.unwrap();
        shop.inventory.reservation_cancel(&call(), cancelled).await.unwrap();
        let held = shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
        assert_eq!(states(&shop).await, [1, 0, 2, 1, 0, 1]);
        shop.clock.set(held.expires_at);
        assert_eq!(states(&shop).await, [0, 1, 2, 1, 0, 1]);
        shop.inventory.reservation_sweep(10).await.unwrap();
        assert_eq!(states(&shop).await, [0, 1, 2, 1, 0, 1]);
        let held = shop.hold("ann", &[("A", "EAST", 1)]).await.unwrap();
        shop.inventory.reservation_release(&call(), held.id).await.unwrap();
        assert_eq!(states(&shop).await, [0, 1, 2, 1, 1, 1]);

        let (one, two) = ((1, 2, 2_900), (1, 3, 4_800));
        assert_eq!(days(&shop, &[at(0), at(10), at(20), at(30)]).await, [(2, 5, 7_700), one, (0, 0, 0)]);
        // From the first moment on, up to before the last.
        assert_eq!(days(&shop, &[at(0), at(9)]).await, [one]);
        assert_eq!(days(&shop, &[at(1), at(9), at(10)]).await, [(0, 0, 0), two]);
        // A later price is not that of the order.
        change_shirt(&shop).await;
        let each: Vec<Time> = (0..63).map(at).collect();
        let found = days(&shop, &each).await;
        assert_eq!((found.len(), found[0], found[9], found[10], found[11]), (62, one, two, one, (0, 0, 0)));

        for wrong in [vec![], vec![at(0)], (0..64).map(at).collect(), vec![at(1), at(1)], vec![at(2), at(1)],
            vec![Time::from_micros(i64::MIN), at(1)], vec![at(1), Time::from_micros(i64::MAX)]] {
            let error = shop.inventory.reservation_summary(wrong).await.unwrap_err();
            assert_eq!(Problem::from(error).code, ErrorCode::Validation);
        }
        // Of what was cancelled after a part was shipped, the part counts.
        let partly = place(40, 5).await;
        let part = ShipmentLine { sku: "SHIRT-S".into(), location: "EAST".into(), quantity: 2 };
        let part = Shipment { lines: Some(vec![part]), version: None };
        shop.inventory.reservation_ship(&call(), partly, part).await.unwrap();
        assert_eq!(days(&shop, &[at(40), at(41)]).await, [(1, 6, 1_005)]);
        shop.inventory.reservation_cancel(&call(), partly).await.unwrap();
        assert_eq!(days(&shop, &[at(40), at(41)]).await, [(1, 2, 2)]);
        let none = "SELECT COUNT(*) FROM reservations WHERE units = 0 AND state = 'cancelled'";
        assert_eq!(seed::number(&mut shop.conn, none), 1);
        // Nor does one count of which nothing was, if a process of the version before cancelled it and left its sums.
        let set = |units, was| format!("UPDATE reservations SET units = {units} WHERE units = {was} AND state = 'cancelled'");
        seed::execute(&mut shop.conn, &set(4, 0));
        assert_eq!(days(&shop, &[at(11), at(40), at(41)]).await, [(0, 0, 0), (1, 2, 2)]);
        seed::execute(&mut shop.conn, &set(0, 4));
        shop.assert_clean().await;
    }

    async fn no_sum_is_too_large(backend: Backend) {
        let shop = Warehouse::start_with(backend, |config| config.inventory.holder_units_max = 2_000_000_000).await;
        let costly = SkuPatch { price: Some(money(1_000_000_000_000)), ..SkuPatch::default() };
        shop.inventory.sku_update(&call(), "A", None, costly).await.unwrap();
        for _ in 0..2 {
            shop.put("A", "EAST", 1_000_000_000).await;
            let new = order(&[("A", "EAST", 1_000_000_000)]);
            let held = shop.inventory.reserve(&call(), "ann".into(), new).await.unwrap().value;
            shop.inventory.reservation_commit(&call(), held.id).await.unwrap();
            let all = shop.inventory.stock_summary().await.unwrap();
            assert_eq!((all.on_hand, all.value.amount), (1_000_000_000, i64::MAX));
            let now = shop.clock.now();
            let found = shop.inventory.reservation_summary(vec![now, now.plus_seconds(1)]).await.unwrap();
            assert_eq!(found.days[0].value.amount, i64::MAX);
            shop.inventory.reservation_ship(&call(), held.id, Shipment::default()).await.unwrap();
        }
    }
}
