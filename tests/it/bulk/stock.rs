//! What an import does to stock, and that it writes only what differs.

use emporium::inventory::{
    self, BulkFormat, Catalogue, ImportOptions, NewReservation, NewReservationLine, Reservations, Stock,
};

use super::{Local, assert_told, money, options};
use crate::testapp::{call, on_both};

on_both! {
    async fn quantities_go_to_the_first_active_location(backend: Backend) {
        let local = Local::open(backend).await;
        local.location("CLOSED", 0).await;
        local.location("OPEN", 5).await;
        let closed = inventory::LocationPatch { active: Some(false), ..Default::default() };
        local.inventory.location_update(&call(), "CLOSED", None, closed).await.unwrap();
        let file = "Handle,Title,Variant SKU,Variant Inventory Qty,Variant Price\na,A,A,5,1\n";
        local.import_well(BulkFormat::Csv, file.as_bytes()).await;
        assert_eq!((local.on_hand("A", "OPEN").await, local.on_hand("A", "CLOSED").await), (Some(5), None));
        let export = local.export(BulkFormat::Csv).await;
        assert_eq!(local.import_well(BulkFormat::Csv, export.as_bytes()).await.products_unchanged, 1);
        assert!(export.contains(",5,"), "{export}");
    }

    async fn only_what_differs_is_written(backend: Backend) {
        let local = Local::with_location(backend).await;
        local.location("FAR", 9).await;
        let head = "Handle,Title,Tags,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Inventory Policy,Variant Price\n";
        let first = format!("{head}a,A,\"x, y\",Size,S,A-S,1,deny,1\na,,,,M,A-M,2,deny,1\na,,,,L,A-L,3,deny,1\nb,B,,Size,S,B-S,4,deny,1\n");
        local.import_well(BulkFormat::Csv, first.as_bytes()).await;
        let before = local.product("b").await;
        // S and M change their codes, one gets another price, one is not in the file; a location is named.
        let second = format!("{head}a,A,\"y, z\",Size,M,A-S,5,continue,1\na,,,,S,A-M,,deny,2.5\nb,B,,Size,S,B-S,,deny,1\n");
        let far = ImportOptions { location: Some("FAR".into()), ..options(BulkFormat::Csv) };
        let (_, report, faults) = local.import_with(&far, std::io::Cursor::new(second.into_bytes())).await;
        assert_eq!(faults, []);
        assert_eq!((report.products_updated, report.products_unchanged, report.skus_updated), (1, 1, 2), "{report:?}");
        assert_eq!(report.stock_changed, 1);
        let a = local.product("a").await;
        assert_eq!(a.version, 2);
        assert_eq!(a.tags, ["y", "z"]);
        let of = |code: &str| a.skus.iter().find(|sku| sku.code == code).unwrap().clone();
        assert_eq!((of("A-S").options, of("A-S").version, of("A-S").backorder_limit), (vec!["M".into()], 2, 1_000_000_000));
        assert_eq!((of("A-M").options, of("A-M").price), (vec!["S".into()], money(250)));
        assert_eq!((of("A-L").version, of("A-L").price), (1, money(100)));
        assert_eq!(local.product("b").await, before);
        assert_eq!((local.on_hand("A-S", "MAIN").await, local.on_hand("A-S", "FAR").await), (Some(1), Some(5)));
        local.verify().await;
        // The new words are found, the old ones are not.
        let found = |q: &str| inventory::ProductQuery { q: Some(q.into()), ..Default::default() };
        let renamed = r#"{"type":"product","handle":"a","title":"Umbrella","status":"active"}"#;
        local.import_well(BulkFormat::Jsonl, renamed.as_bytes()).await;
        assert_eq!(local.inventory.product_list(found("umbrella")).await.unwrap().items.len(), 1);
        assert_eq!(local.product("a").await.skus.len(), 3);
    }

    async fn stock_is_set_through_the_ledger_and_never_below_what_is_promised(backend: Backend) {
        let local = Local::with_location(backend).await;
        let stock = |on_hand: i64, rest: &str| {
            format!(r#"{{"type":"product","handle":"a","title":"A","status":"active","skus":[{{"code":"A","price":{{"amount":1,"currency":"USD"}}{rest},"stock":[{{"location":"MAIN","on_hand":{on_hand}}}]}}]}}"#)
        };
        local.import_well(BulkFormat::Jsonl, stock(10, r#","backorder_limit":2,"low_stock_threshold":5"#).as_bytes()).await;
        let line = NewReservationLine { sku: "A".into(), location: None, quantity: 4 };
        let new = NewReservation { lines: vec![line], hold_seconds: None, allow_partial: false, holder: None, reference: String::new() };
        local.inventory.reserve(&call(), "somebody".into(), new).await.unwrap();
        let (report, faults) = local.import(BulkFormat::Jsonl, stock(1, "").as_bytes()).await;
        assert_told(&faults, &["1 /skus/0/stock/0/on_hand: 4 units are promised to reservations"]);
        assert_eq!(report.stock_changed, 0);
        // Two of the four may be owed; then they may not any more.
        local.import_well(BulkFormat::Jsonl, stock(2, "").as_bytes()).await;
        let (_, faults) = local.import(BulkFormat::Jsonl, stock(2, r#","backorder_limit":1"#).as_bytes()).await;
        assert_eq!(faults.len(), 1, "{faults:?}");
        local.import_well(BulkFormat::Jsonl, stock(4, r#","backorder_limit":0"#).as_bytes()).await;
        local.import_well(BulkFormat::Jsonl, stock(0, r#","backorder_limit":4"#).as_bytes()).await;
        let ledger = local.inventory.ledger("A", Default::default()).await.unwrap().unwrap().items;
        let told: Vec<_> = ledger.iter().map(|entry| (entry.seq, entry.kind.to_string(), entry.delta.on_hand, entry.reason.as_str())).collect();
        let imported = |seq, delta| (seq, "imported".to_owned(), delta, "import");
        assert_eq!(told, [imported(5, -4), imported(4, 2), imported(3, -8), (2, "reserved".into(), 0, ""), imported(1, 10)]);
        local.verify().await;
        let events = local.inventory.events(Default::default()).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == "stock.low").count(), 1, "{kinds:?}");
        assert_eq!(kinds.iter().filter(|kind| **kind == "product.created").count(), 1, "{kinds:?}");
    }
}
