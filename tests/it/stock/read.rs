//! The list of stock, availability, and the ledger.

use std::time::Duration;

use emporium::clock::Clock;
use emporium::error::{ErrorCode, Problem};
use emporium::inventory::*;
use serde_json::json;

use super::{Fixture, adjustment, all};
use crate::seed;
use crate::testapp::{call, on_both};

on_both! {

async fn the_list_has_pages_and_filters(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    seed::sku(&mut f.conn, "LOW", 0, Some(3));
    let low = |sku: &str, location: &str, delta| adjustment(sku, location, delta);
    let rows = vec![
        low("LOW", "EAST", 3), low("LOW", "WEST", 4), low("A", "WEST", 1), low("A", "EAST", 1), low("B", "EAST", 1),
    ];
    f.inventory().stock_adjust(&call(), all(rows)).await.unwrap();
    let names = |page: &[StockLevel]| {
        page.iter().map(|level| format!("{}@{}", level.sku, level.location)).collect::<Vec<_>>()
    };
    let mut seen = vec![];
    let mut cursor = None;
    loop {
        let query = StockQuery { cursor, limit: Some(2), ..Default::default() };
        let page = f.inventory().stock_list(query).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(names(&page.items));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["A@EAST", "A@WEST", "B@EAST", "LOW@EAST", "LOW@WEST"]);
    let list = async |query| names(&f.inventory().stock_list(query).await.unwrap().items);
    let query = StockQuery { location: Some("WEST".into()), ..Default::default() };
    assert_eq!(list(query).await, ["A@WEST", "LOW@WEST"]);
    let query = StockQuery { low: Some(true), ..Default::default() };
    assert_eq!(list(query).await, ["LOW@EAST"]);
    let none = StockQuery { sku: Some("A\0".into()), ..Default::default() };
    assert_eq!(list(none).await, [""; 0]);
    for (limit, cursor) in [(Some(0), None), (Some(201), None), (None, Some("nonsense".to_owned()))] {
        let query = StockQuery { limit, cursor, ..Default::default() };
        let status = Problem::from(f.inventory().stock_list(query).await.unwrap_err()).code.status();
        assert!(status == 422 || status == 400);
    }
}

async fn levels_of_many_skus_at_many_places(backend: Backend) {
    let f = Fixture::start(backend).await;
    let rows = vec![adjustment("A", "WEST", 1), adjustment("A", "EAST", 2), adjustment("B", "EAST", 3)];
    f.inventory().stock_adjust(&call(), all(rows)).await.unwrap();
    let at = async |skus: &[&str], locations: &[&str]| {
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        let levels = f.inventory().stock_at(codes(skus), codes(locations)).await.unwrap();
        levels.iter().map(|level| (level.sku.clone() + "@" + &level.location, level.on_hand)).collect::<Vec<_>>()
    };
    let told = |name: &str, on_hand| (name.to_owned(), on_hand);
    let all = [told("A@EAST", 2), told("A@WEST", 1), told("B@EAST", 3)];
    assert_eq!(at(&["B", "A", "NONE", "\0"], &["WEST", "EAST", "\0"]).await, all);
    assert_eq!(at(&["A", "B"], &["WEST"]).await, [told("A@WEST", 1)]);
    assert_eq!(at(&[], &["WEST"]).await, []);
    assert_eq!(at(&["A"], &[]).await, []);
    let many = |count: usize| vec!["A".to_owned(); count];
    let refused = f.inventory().stock_at(many(101), many(100)).await.unwrap_err();
    assert!(matches!(refused, InventoryError::Invalid(_)));
    assert_eq!(f.inventory().stock_at(many(100), many(100)).await.unwrap(), []);
}

async fn low_counts_expired_holds_as_given_back(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let low = seed::sku(&mut f.conn, "LOW", 0, Some(3));
    f.adjust("LOW", "EAST", 5).await;
    seed::reservation(&mut f.conn, low, f.east, 2, "held", f.app.clock.now().plus_seconds(60));
    let query = || StockQuery { low: Some(true), ..Default::default() };
    let listed = f.inventory().stock_list(query()).await.unwrap().items;
    assert_eq!(listed.iter().map(|level| (level.reserved, level.available)).collect::<Vec<_>>(), [(2, 3)]);
    f.app.clock.advance(Duration::from_secs(60));
    assert_eq!(f.inventory().stock_list(query()).await.unwrap().items, vec![]);
}

async fn availability_tells_shoppers_what_they_can_buy(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let back = seed::sku(&mut f.conn, "BACK", 2, None);
    seed::sku(&mut f.conn, "NEVER", 9, None);
    seed::sku(&mut f.conn, "DRAFT", 0, None);
    for (sku, location, delta) in [
        ("A", "EAST", 3), ("A", "WEST", 3), ("B", "EAST", 2), ("B", "WEST", 3), ("BACK", "EAST", 1), ("DRAFT", "EAST", 9),
    ] {
        assert!(f.adjust(sku, location, delta).await.ok);
    }
    seed::execute(&mut f.conn, "UPDATE products SET status = 'draft' WHERE handle LIKE 'draft-%'");
    let ask = async |f: &Fixture, skus: &[&str]| {
        let skus = skus.iter().map(|sku| sku.to_string()).collect();
        let found = f.inventory().availability(skus).await.unwrap();
        found.into_iter().map(|one| (one.sku, one.status, one.left)).collect::<Vec<_>>()
    };
    use AvailabilityStatus::*;
    let found = ask(&f, &["BACK", "NONE", "B", "DRAFT", "A\0", "A", "NEVER"]).await;
    assert_eq!(found, [
        ("BACK".into(), Few, Some(1)), ("B".into(), Few, Some(5)), ("A".into(), InStock, None), ("NEVER".into(), Backorder, None),
    ]);
    let later = f.app.clock.now().plus_seconds(60);
    seed::reservation(&mut f.conn, back, f.east, 2, "committed", later);
    assert_eq!(ask(&f, &["BACK"]).await, [("BACK".into(), Backorder, None)]);
    seed::reservation(&mut f.conn, back, f.east, 1, "committed", later);
    // WEST has no stock row yet and can still promise 2.
    assert_eq!(ask(&f, &["BACK"]).await, [("BACK".into(), Backorder, None)]);
    seed::execute(&mut f.conn, "UPDATE locations SET active = false WHERE code = 'WEST'");
    let found = f.inventory().availability(vec!["A".into()]).await.unwrap();
    assert_eq!((found[0].status, found[0].left), (Few, Some(3)));
    assert_eq!(ask(&f, &["BACK", "NEVER"]).await, [("BACK".into(), SoldOut, None), ("NEVER".into(), Backorder, None)]);
    seed::execute(&mut f.conn, "UPDATE locations SET active = false");
    assert_eq!(ask(&f, &["NEVER"]).await, [("NEVER".into(), SoldOut, None)]);
    let error = f.inventory().availability(vec!["A".into(); 1_001]).await.unwrap_err();
    assert_eq!(Problem::from(error).code, ErrorCode::Validation);
}

async fn the_ledger_has_pages_newest_first(backend: Backend) {
    let f = Fixture::start(backend).await;
    for n in 1..=4 {
        let rows = vec![adjustment("A", "WEST", n), adjustment("A", "EAST", n), adjustment("A", "EAST", n)];
        f.inventory().stock_adjust(&call(), all(rows)).await.unwrap();
        f.app.clock.advance(Duration::from_secs(1));
    }
    f.adjust("B", "EAST", 1).await;
    let mut seen = vec![];
    let mut cursor = None;
    loop {
        let query = LedgerQuery { cursor, limit: Some(5), ..Default::default() };
        let page = f.inventory().ledger("A", query).await.unwrap().unwrap();
        seen.extend(page.items.into_iter().map(|entry| (entry.delta.on_hand, entry.location, entry.seq)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let east = |n: i64, seq| (n, "EAST".to_owned(), seq);
    let west = |n: i64, seq| (n, "WEST".to_owned(), seq);
    let expected: Vec<_> = (1..=4).rev().flat_map(|n| [west(n, n), east(n, 2 * n), east(n, 2 * n - 1)]).collect();
    assert_eq!(seen, expected);
    let query = LedgerQuery { location: Some("WEST".into()), ..Default::default() };
    assert_eq!(f.inventory().ledger("A", query).await.unwrap().unwrap().items.len(), 4);
    let query = LedgerQuery { location: Some("NOWHERE".into()), ..Default::default() };
    assert_eq!(f.inventory().ledger("A", query).await.unwrap().unwrap().items.len(), 0);
    for forged in [json!(["-200000-01-01T00:00:00Z", f.east, 1]), json!(["+262000-01-01T00:00:00Z", f.east, i64::MIN]), json!([1])] {
        let query = LedgerQuery { cursor: Some(emporium::page::cursor(&forged)), ..Default::default() };
        let status = f.inventory().ledger("A", query).await.map_or_else(|error| Problem::from(error).code.status(), |_| 200);
        assert!(status == 200 || status == 400, "{forged} {status}");
    }
    assert!(f.inventory().ledger("NONE", LedgerQuery::default()).await.unwrap().is_none());
    assert!(f.inventory().ledger("A\0", LedgerQuery::default()).await.unwrap().is_none());
}

}
