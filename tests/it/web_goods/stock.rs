//! Prices and counts in tables, and a SKU's stock.

use super::*;

pub(super) async fn set(app: &TestApp, sku: &str, location: &str, expected: i64, counted: i64) {
    let (sku, location, reason) = (sku.into(), location.into(), "somebody else".into());
    let row = Count { sku, location, counter: Counter::OnHand, expected, counted, reason };
    app.shop.modules.inventory.stock_count(&call(), StockBatch { atomic: true, rows: vec![row] }).await.unwrap();
}

/// The level of a SKU at a location, as the list of stock has it.
pub(super) async fn level(app: &TestApp, sku: &str, location: &str) -> StockLevel {
    let query = StockQuery { sku: Some(sku.into()), location: Some(location.into()), ..StockQuery::default() };
    app.shop.modules.inventory.stock_list(query).await.unwrap().items.remove(0)
}

on_both! {
    async fn an_adjustment_that_is_sent_twice_is_done_once(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let (page, path) = ("/admin/stock/A%231", "/admin/stock/A%231/adjust");
        let form = staff.get(page).await.form(path).set("adjust.delta", "5").set("adjust.reason", "Found <some>");
        for _ in 0..2 {
            assert_eq!(staff.post_well(path, &form).await, page);
        }
        assert_eq!(on_hand(&app, "A#1", "MAIN").await, 5);
        let seen = staff.get(page).await;
        seen.has("Found &#60;some&#62;").has("(+5)").has("Adjusted");
        assert_eq!(seen.html.matches("(+5)").count(), 1);

        let wrong = seen.form(path).set("adjust.delta", "-6").set("adjust.reason", "Lost");
        let refused = staff.post(path, &wrong).await;
        assert_eq!(refused.status, 422);
        refused.has("id=\"f-adjust-delta-fault\"").has("value=\"-6\"").has("Change: You cannot take 6: only 5 are on hand.");
        let refused = staff.post(path, &wrong.set("adjust.reason", "").set("adjust.delta", "x")).await;
        refused.has("id=\"f-adjust-reason-fault\"").has("Please enter a whole number.");
        assert_eq!(on_hand(&app, "A#1", "MAIN").await, 5);
    }

    async fn a_form_without_its_key_does_nothing(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let path = "/admin/stock/B/adjust";
        let adjust = staff.get("/admin/stock/B").await.form(path).set("adjust.delta", "5").set("adjust.reason", "Found");
        let prices = staff.get("/admin/products/mug/prices").await.form("/admin/products/mug/prices");
        let prices = prices.clone().set(&format!("price.{}", prices.number("sku.", "B")), "21");
        for key in ["", "k"] {
            assert_eq!(staff.post(path, &adjust.clone().set("key", key)).await.status, 400);
            let refused = staff.post("/admin/products/mug/prices", &prices.clone().set("key", key)).await;
            assert_eq!(refused.status, 400);
        }
        assert_eq!((on_hand(&app, "B", "MAIN").await, product(&app, "mug").await.skus[1].price.amount), (0, 2_000));
    }

    async fn a_form_has_a_bounded_number_of_fields_and_tells_a_bounded_number_of_faults(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        set(&app, "B", "MAIN", 0, 1).await;
        let form = staff.get("/admin/stock").await.form("/admin/stock");
        let filled = |count: usize| {
            let mut form = form.clone();
            while form.0.len() + 1 < count {
                let n = 1_000 + form.0.len();
                form.0.extend([(format!("shelf.{n}"), "B/MAIN".to_owned()), (format!("counted.{n}"), "x".to_owned())]);
            }
            while form.0.len() < count {
                form.0.push(("more".into(), String::new()));
            }
            form
        };
        let told = staff.post("/admin/stock", &filled(form.0.len() + 50)).await;
        assert_eq!(told.status, 422);
        let faults = told.html.split_once("id=\"faults\"").unwrap().1.split("</div>").next().unwrap();
        assert_eq!(faults.matches("<li>").count(), 20, "{faults}");
        assert!(faults.contains("and 5 more"), "{faults}");
        assert_eq!(staff.post("/admin/stock", &filled(5_000)).await.status, 422);
        let refused = staff.post("/admin/stock", &filled(5_001)).await;
        assert_eq!(refused.status, 413);
        refused.has("That is too large.");
    }

    async fn goods_are_received_transferred_and_counted(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let seen = staff.get("/admin/stock/B").await;
        let incoming = seen.form("/admin/stock/B/adjust").set("adjust.counter", "incoming").set("adjust.delta", "6");
        staff.post_well("/admin/stock/B/adjust", &incoming.set("adjust.reason", "Ordered")).await;
        let receive = seen.form("/admin/stock/B/receive").set("receive.quantity", "4").set("receive.reason", "Delivery");
        staff.post_well("/admin/stock/B/receive", &receive).await;
        let level_now = level(&app, "B", "MAIN").await;
        assert_eq!((level_now.on_hand, level_now.incoming), (4, 2));

        let transfer = seen.form("/admin/stock/B/transfer").set("transfer.quantity", "3").set("transfer.reason", "Move");
        assert_eq!((transfer.get("transfer.from"), transfer.get("transfer.to")), ("MAIN", "WEST"));
        let refused = staff.post("/admin/stock/B/transfer", &transfer.clone().set("transfer.to", "MAIN")).await;
        assert_eq!(refused.status, 422);
        refused.has("id=\"f-transfer-to-fault\"");
        staff.post_well("/admin/stock/B/transfer", &transfer).await;
        assert_eq!((on_hand(&app, "B", "MAIN").await, on_hand(&app, "B", "WEST").await), (1, 3));

        let form = staff.get("/admin/stock/B").await.form("/admin/stock/B");
        let counted = form.clone().set(&format!("counted.{}", form.number("shelf.", "B/WEST")), "2");
        let refused = staff.post("/admin/stock/B", &counted.clone().set("reason", "")).await;
        assert_eq!(refused.status, 422);
        staff.post_well("/admin/stock/B", &counted).await;
        assert_eq!(on_hand(&app, "B", "WEST").await, 2);
        let ledger = staff.get("/admin/stock/B?location=WEST").await;
        ledger.has("Counted").has("Transferred in").has("(−1)");
        assert!(!ledger.html.contains("Delivery"), "that was at another location");
    }

    async fn the_list_of_stock_is_counted_row_by_row(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        set(&app, "A#1", "MAIN", 0, 1).await;
        set(&app, "B", "MAIN", 0, 2).await;
        set(&app, "B", "WEST", 0, 3).await;
        let path = "/admin/stock?location=MAIN";
        let seen = staff.get(path).await;
        assert!(!seen.html.contains("value=\"B/WEST\""));
        let form = seen.form(path);
        let edit = form.clone()
            .set(&format!("counted.{}", form.number("shelf.", "A#1/MAIN")), "10")
            .set(&format!("counted.{}", form.number("shelf.", "B/MAIN")), "20");
        set(&app, "A#1", "MAIN", 1, 5).await;
        let told = staff.post(path, &edit).await;
        assert_eq!(told.status, 422);
        told.has("A#1, MAIN: The stock has changed").has("now 5").has(">Saved<");
        assert_eq!((on_hand(&app, "A#1", "MAIN").await, on_hand(&app, "B", "MAIN").await), (5, 20));
        assert_eq!(staff.post_well(path, &told.form(path)).await, path);
        assert_eq!(on_hand(&app, "A#1", "MAIN").await, 10);
    }
}
