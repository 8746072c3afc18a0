//! All stock in numbers: they are those of the lists.

use std::time::Duration;

use emporium::clock::Clock;
use emporium::inventory::*;

use super::Fixture;
use crate::seed;
use crate::testapp::{call, on_both};

impl Fixture {
    async fn summary(&self) -> StockSummary {
        self.inventory().stock_summary().await.unwrap()
    }

    /// The same numbers, from the lists that everybody is told.
    async fn listed(&mut self) -> StockSummary {
        let all = StockQuery { limit: Some(200), ..Default::default() };
        let levels = self.inventory().stock_list(all).await.unwrap().items;
        let sum = |counter: fn(&StockLevel) -> i64| levels.iter().map(counter).sum::<i64>();
        let mut value = 0;
        for level in &levels {
            let (sku, _) = self.inventory().sku_get(&level.sku).await.unwrap().unwrap();
            value += level.on_hand * sku.price.amount;
        }
        let products =
            self.inventory().product_list(ProductQuery { limit: Some(200), ..Default::default() }).await.unwrap();
        let mut codes = vec![];
        for product in products.items {
            codes.extend(self.inventory().product_get(ProductKey::Id(product.id)).await.unwrap().unwrap().skus);
        }
        let skus = codes.len() as i64;
        let told = self.inventory().availability(codes.into_iter().map(|sku| sku.code).collect()).await.unwrap();
        StockSummary {
            skus,
            on_hand: sum(|level| level.on_hand),
            reserved: sum(|level| level.reserved),
            allocated: sum(|level| level.allocated),
            incoming: sum(|level| level.incoming),
            value: Money { amount: value, currency: "USD".into() },
            low: self.scarce(Scarcity::Low).await.len() as i64,
            sold_out: told.iter().filter(|sku| sku.status == AvailabilityStatus::SoldOut).count() as i64,
        }
    }

    /// The codes of the scarce SKUs.
    async fn scarce(&self, scarcity: Scarcity) -> Vec<String> {
        let mut codes: Vec<String> = self.scarce_at(scarcity).await.into_iter().map(|(_, code, _)| code).collect();
        codes.sort();
        codes.dedup();
        codes
    }

    /// What is available of which SKU and where, asked for one by one.
    async fn scarce_at(&self, scarcity: Scarcity) -> Vec<(i64, String, String)> {
        let (mut rows, mut cursor) = (vec![], None);
        loop {
            let page = self.inventory().stock_scarce(scarcity, cursor, Some(1)).await.unwrap();
            let row = |row: ScarceSku| (row.available, row.offer.sku.code, row.location.unwrap_or_default());
            rows.extend(page.items.into_iter().map(row));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return rows;
            }
        }
    }

    async fn assert_summed(&mut self, low: i64, sold_out: i64) {
        let summary = self.summary().await;
        assert_eq!(summary, self.listed().await);
        assert_eq!((summary.low, summary.sold_out), (low, sold_out));
        assert_eq!(self.scarce(Scarcity::SoldOut).await.len() as i64, sold_out);
    }
}

on_both! {

async fn an_empty_shop_has_nothing(backend: Backend) {
    let f = Fixture::start(backend).await;
    let value = Money { amount: 0, currency: "USD".into() };
    let nothing = StockSummary { skus: 2, on_hand: 0, reserved: 0, allocated: 0, incoming: 0, value, low: 0, sold_out: 2 };
    assert_eq!(f.summary().await, nothing);
}

async fn the_scarcest_comes_first_with_its_location(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    seed::sku(&mut f.conn, "LOW", 0, Some(9));
    seed::sku(&mut f.conn, "BACK", 5, Some(0));
    for (sku, location, delta) in [("LOW", "EAST", 7), ("LOW", "WEST", 2), ("BACK", "WEST", 1), ("BACK", "EAST", 1), ("A", "WEST", 1)] {
        assert!(f.adjust(sku, location, delta).await.ok);
    }
    let row = Adjustment { counter: Counter::Safety, ..super::adjustment("BACK", "WEST", 4) };
    f.inventory().stock_adjust(&call(), super::all(vec![row])).await.unwrap();
    let row = Adjustment { counter: Counter::Safety, ..super::adjustment("A", "WEST", 3) };
    f.inventory().stock_adjust(&call(), super::all(vec![row])).await.unwrap();
    let row = |available, code: &str, location: &str| (available, code.to_owned(), location.to_owned());
    let low = [row(-3, "BACK", "WEST"), row(2, "LOW", "WEST"), row(7, "LOW", "EAST")];
    assert_eq!(f.scarce_at(Scarcity::Low).await, low);
    assert_eq!(f.summary().await.low, 2, "SKUs, wherever they are low");
    assert_eq!(f.scarce_at(Scarcity::SoldOut).await, [row(-2, "A", ""), row(0, "B", "")]);
    let forged = emporium::page::cursor(&(0, "\0", ""));
    let refused = f.inventory().stock_scarce(Scarcity::Low, Some(forged), None).await;
    assert!(matches!(refused, Err(InventoryError::InvalidCursor)), "{refused:?}");
}

async fn the_numbers_are_those_of_the_lists(backend: Backend) {
    let mut f = Fixture::start(backend).await;
    let low = seed::sku(&mut f.conn, "LOW", 0, Some(3));
    let back = seed::sku(&mut f.conn, "BACK", 2, Some(0));
    seed::sku(&mut f.conn, "NEVER", 9, None);
    seed::sku(&mut f.conn, "DRAFT", 0, Some(9));
    seed::execute(&mut f.conn, "UPDATE products SET status = 'draft' WHERE handle LIKE 'draft-%'");
    f.assert_summed(0, 3).await;
    for (sku, location, delta) in [
        ("A", "EAST", 3), ("A", "WEST", 4), ("LOW", "EAST", 5), ("LOW", "WEST", 3), ("BACK", "EAST", 1), ("DRAFT", "EAST", 1),
    ] {
        assert!(f.adjust(sku, location, delta).await.ok);
    }
    for counter in [Counter::Incoming, Counter::Safety] {
        let row = Adjustment { counter, ..super::adjustment("A", "WEST", 4) };
        f.inventory().stock_adjust(&call(), super::all(vec![row])).await.unwrap();
    }
    let price = Money { amount: 777, currency: "USD".into() };
    f.inventory().sku_update(&call(), "A", None, SkuPatch { price: Some(price), ..Default::default() }).await.unwrap();
    // LOW is low at WEST, a draft is not for sale; of B there is none.
    f.assert_summed(1, 1).await;
    assert_eq!((f.scarce(Scarcity::Low).await, f.scarce(Scarcity::SoldOut).await), (vec!["LOW".to_owned()], vec!["B".to_owned()]));

    // Holds count until their time, swept or not.
    let soon = f.app.clock.now().plus_seconds(60);
    seed::reservation(&mut f.conn, low, f.east, 2, "held", soon);
    seed::reservation(&mut f.conn, low, f.east, 3, "held", soon);
    let a = f.a;
    seed::reservation(&mut f.conn, a, f.east, 3, "held", soon);
    f.assert_summed(1, 2).await;
    assert_eq!(f.summary().await.reserved, 8);
    f.app.clock.advance(Duration::from_secs(60));
    f.assert_summed(1, 1).await;
    assert_eq!(f.summary().await.reserved, 0);
    assert_eq!(f.inventory().reservation_sweep(10).await.unwrap(), 3);
    let later = f.app.clock.now().plus_seconds(60);
    seed::reservation(&mut f.conn, low, f.east, 5, "committed", later);
    seed::reservation(&mut f.conn, back, f.east, 3, "committed", later);
    // BACK has promised all at EAST, and can promise more at WEST.
    f.assert_summed(2, 1).await;
    seed::execute(&mut f.conn, "UPDATE locations SET active = false WHERE code = 'WEST'");
    f.assert_summed(2, 3).await;
    seed::execute(&mut f.conn, "UPDATE locations SET active = false");
    // Nothing is low where nothing is sold from.
    f.assert_summed(0, 5).await;
}

}
