//! The CSV's round trip: what a file says comes back as it was, in the same shop and in another one.

use emporium::inventory::{BulkFormat, Catalogue, ImportReport, InventoryError, Product, ProductQuery};

use super::{Local, assert_told, data};
use crate::testapp::{Backend, call, on_both};

/// What an import says that has changed nothing of so many products.
fn unchanged(products: u64) -> ImportReport {
    ImportReport { products_unchanged: products, ..ImportReport::default() }
}

/// The shop's export changes nothing in it, and makes an empty shop the same.
async fn assert_goes_round(local: &Local, backend: Backend) {
    let [csv, jsonl] = [local.export(BulkFormat::Csv).await, local.export(BulkFormat::Jsonl).await];
    for (format, file) in [(BulkFormat::Csv, &csv), (BulkFormat::Jsonl, &jsonl)] {
        let report = local.import_well(format, file.as_bytes()).await;
        assert_eq!(report, unchanged(report.products_unchanged), "{format:?}\n{file}");
        assert!(report.products_unchanged > 0);
        let other = Local::with_location(backend).await;
        other.import_well(format, file.as_bytes()).await;
        assert_eq!(other.export(BulkFormat::Csv).await, csv, "{format:?}");
        if format == BulkFormat::Jsonl {
            assert_eq!(other.export(BulkFormat::Jsonl).await, jsonl);
        }
    }
    assert_eq!([local.export(BulkFormat::Csv).await, local.export(BulkFormat::Jsonl).await], [csv, jsonl]);
}

/// A product's option names, and its SKUs' codes with their values.
fn choices(product: &Product) -> (Vec<&str>, Vec<(&str, Vec<&str>)>) {
    let skus = product.skus.iter().map(|sku| (&*sku.code, sku.options.iter().map(String::as_str).collect()));
    (product.options.iter().map(String::as_str).collect(), skus.collect())
}

on_both! {
    async fn real_catalogues_go_round(backend: Backend) {
        for file in ["luma.csv", "shopify-apparel.csv", "shopify-home-and-garden.csv"] {
            let local = Local::with_location(backend).await;
            local.import_well(BulkFormat::Csv, &data(file)).await;
            assert_goes_round(&local, backend).await;
        }
    }

    async fn an_option_that_says_there_is_none_is_none(backend: Backend) {
        let local = Local::with_location(backend).await;
        let csv = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price\n\
                   csv,Csv,Title,Default Title,CSV,1\n\
                   made,Made,Title,Default Title,,1\n";
        let none = r#""options":["Title"],"skus":[{"code":"JSONL","options":["Default Title"],"price":{"amount":1,"currency":"USD"}}]"#;
        let jsonl = format!("{{\"type\":\"product\",\"handle\":\"jsonl\",\"title\":\"Jsonl\",{none}}}\n");
        local.import_well(BulkFormat::Csv, csv.as_bytes()).await;
        local.import_well(BulkFormat::Jsonl, jsonl.as_bytes()).await;
        for (handle, code) in [("csv", "CSV"), ("made", "made"), ("jsonl", "JSONL")] {
            assert_eq!(choices(&local.product(handle).await), (vec![], vec![(code, vec![])]));
        }
        assert_eq!(local.import_well(BulkFormat::Csv, csv.as_bytes()).await, unchanged(2));
        assert_eq!(local.import_well(BulkFormat::Jsonl, jsonl.as_bytes()).await, unchanged(1));
        // As a part of what is there, too.
        let part = r#"{"type":"product","handle":"jsonl","skus":[{"code":"JSONL","options":["Default Title"]}]}"#;
        assert_eq!(local.import_well(BulkFormat::Jsonl, part.as_bytes()).await, unchanged(1));
        assert_goes_round(&local, backend).await;
    }

    async fn an_option_without_a_value_is_none_and_any_other_stays(backend: Backend) {
        let local = Local::with_location(backend).await;
        let head = "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Price,Image Src\n";
        let rows = "a,A,Title,Default Title,,,A1,1,\n\
                    a,,,Small,,,A2,1,\n\
                    b,B,Size,S,Color,,B1,1,\n\
                    b,,,M,,,B2,1,\n\
                    c,C,Size,,Color,Red,C1,1,\n\
                    d,D,Size,,,,D1,1,\n\
                    e,E,Size,,,,,,/only-a-picture.jpg\n\
                    e,,,S,,,E1,1,\n\
                    f,F,Size,,Color,,,,\n";
        local.import_well(BulkFormat::Csv, format!("{head}{rows}").as_bytes()).await;
        let expected = [
            ("a", vec!["Title"], vec![("A1", vec!["Default Title"]), ("A2", vec!["Small"])]),
            ("b", vec!["Size"], vec![("B1", vec!["S"]), ("B2", vec!["M"])]),
            ("c", vec!["Color"], vec![("C1", vec!["Red"])]),
            ("d", vec![], vec![("D1", vec![])]),
            ("e", vec!["Size"], vec![("E1", vec!["S"])]),
            ("f", vec!["Size", "Color"], vec![]),
        ];
        for (handle, names, skus) in expected {
            assert_eq!(choices(&local.product(handle).await), (names, skus), "{handle}");
        }
        assert_goes_round(&local, backend).await;

        let bad = format!("{head}g,G,Size,S,Color,,G1,1,\ng,,,M,,Red,G2,1,\nh,H,Size,S,,Red,H1,1,\nh,,Color,M,,,H2,1,\n");
        let (report, faults) = local.import(BulkFormat::Csv, bad.as_bytes()).await;
        assert_told(&faults, &[
            "2 Option2 Value: must not be empty",
            "4 Option2 Value: has a value, but the product's first row has no name",
            "5 Option1 Name: differs from the names",
        ]);
        let left_out = faults.iter().filter(|fault| fault.line < 4).map(|fault| fault.line).collect::<Vec<_>>();
        assert_eq!((report.products_created, left_out), (1, vec![2]));
        assert_eq!(choices(&local.product("g").await).1, [("G2", vec!["M", "Red"])]);
    }

    async fn a_missing_value_is_told_in_its_own_column(backend: Backend) {
        let local = Local::with_location(backend).await;
        let head = "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Option3 Name,Option3 Value,Variant SKU,Variant Price\n";
        let rows = "a,A,Size,,Color,Red,Fit,Slim,A1,1\n\
                    a,,,,,,,Wide,A2,1\n\
                    a,,,,,Blue,,,A3,1\n\
                    b,B,Size,S,Color,,Fit,Slim,B1,1\n\
                    b,,,M,,,,,B2,1\n\
                    c,C,Size,,Color,Red,,,C1,1\n\
                    c,,,,,Red,,,C2,1\n";
        let (report, faults) = local.import(BulkFormat::Csv, format!("{head}{rows}").as_bytes()).await;
        assert_told(&faults, &[
            "3 Option2 Value: must not be empty",
            "4 Option3 Value: must not be empty",
            "6 Option3 Value: must not be empty",
            "8 Option2 Value: the SKUs \"C1\" and \"C2\" have the same options",
        ]);
        assert_eq!((report.products_created, report.rows_failed), (3, 4), "{report:?}");
        assert_eq!(choices(&local.product("a").await), (vec!["Color", "Fit"], vec![("A1", vec!["Red", "Slim"])]));
    }

    async fn a_bad_sku_is_left_out_alone(backend: Backend) {
        let local = Local::with_location(backend).await;
        let head = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Inventory Qty\n";
        let rows = "a,A,Size,S,A1,abc,1\n\
                    a,,,M,A2,2,two\n\
                    a,,,L,A3,3,3\n\
                    a,,,XL,A 4,4,4\n\
                    a,,,XXL,A5\n\
                    b,B,,,A1,1,1\n\
                    c,C,Size,S,C1,1,1\n\
                    c,,,M,A2,1,1\n\
                    c,,,S,C3,1,1\n\
                    c,,,L,C4,,1\n";
        let (report, faults) = local.import(BulkFormat::Csv, format!("{head}{rows}").as_bytes()).await;
        assert_told(&faults, &[
            "2 Variant Price: \"abc\" is not a price",
            "3 Variant Inventory Qty: \"two\" is not a whole number",
            "5 Variant SKU: must be 1 to 100",
            "6 : has 5 cells; the header has 7",
            "7 Variant SKU: stands in this file before",
            "9 Variant SKU: stands in this file before",
            "10 Option1 Value: the SKUs \"C1\" and \"C3\" have the same options",
            "11 Variant Price: must be there for a new SKU",
        ]);
        assert_eq!((report.products_created, report.skus_created, report.rows_failed), (2, 2, 8), "{report:?}");
        assert_eq!(choices(&local.product("a").await), (vec!["Size"], vec![("A3", vec!["L"])]));
        assert_eq!(choices(&local.product("c").await).1, [("C1", vec!["S"])]);
        assert_eq!((local.on_hand("A3", "MAIN").await, local.on_hand("A2", "MAIN").await), (Some(3), None));
        // A product is not found by the code of a SKU that it has not.
        local.import_well(BulkFormat::Jsonl, br#"{"type":"product","handle":"c","status":"active"}"#).await;
        let query = |text: &str| ProductQuery { q: Some(text.into()), ..Default::default() };
        assert_eq!(local.inventory.product_list(query("C1")).await.unwrap().items.len(), 1);
        assert_eq!(local.inventory.product_list(query("C4")).await.unwrap().items.len(), 0);

        // What is in the shop stays as it is where its row is bad; the others of its product are changed.
        let better = format!("{head}a,A,Size,L,A3,x,9\na,,,S,A1,1,1\na,,,M,C1,2,2\n");
        let (report, faults) = local.import(BulkFormat::Csv, better.as_bytes()).await;
        assert_told(&faults, &["2 Variant Price: \"x\" is not", "4 Variant SKU: \"C1\" belongs to another product"]);
        assert_eq!((report.products_updated, report.skus_created, report.rows_failed), (1, 1, 2), "{report:?}");
        assert_eq!(choices(&local.product("a").await).1, [("A3", vec!["L"]), ("A1", vec!["S"])]);
        assert_eq!(local.on_hand("A3", "MAIN").await, Some(3));
        local.verify().await;
    }

    async fn a_bad_product_is_left_out_and_each_of_its_rows_is_told(backend: Backend) {
        let local = Local::with_location(backend).await;
        let head = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src\n";
        let rows = format!(
            "a,{},Size,S,A1,1,\na,,,M,A2,x,\na,,,,,,/a.jpg\n\
             b,B,Size,S,B1,1,\nb,,,M,B2,2,javascript:x\n\
             c,C,Size,S,C1,1,\nc,,Color,M,C2,2,\n\
             d,,Size,S,D1,1,\nd,,,M,D2,2,\n\
             e,E,Size,S,D1,1,\ne,,,M,E2,2,\n",
            "x".repeat(10_000)
        );
        let (report, faults) = local.import(BulkFormat::Csv, format!("{head}{rows}").as_bytes()).await;
        assert_told(&faults, &[
            "2 Title: has 10000 characters",
            "3 Variant Price: \"x\" is not a price",
            "4 : left out with its product, see line 2",
            "5 : left out with its product, see line 6",
            "6 Image Src: must begin with https://",
            "7 : left out with its product, see line 8",
            "8 Option1 Name: differs from the names",
            "9 Title: must not be empty",
            "10 : left out with its product, see line 9",
            "11 Variant SKU: stands in this file before",
        ]);
        assert_eq!((report.products_created, report.skus_created, report.rows_failed), (1, 1, 10), "{report:?}");

        // What only the database knows: an option that the SKU in the shop has not.
        let two = "Handle,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Price\n\
                   e,Size,S,Color,Red,E3,1\ne,,L,,Red,E4,1\n";
        let (report, faults) = local.import(BulkFormat::Csv, two.as_bytes()).await;
        assert_told(&faults, &[
            "2 Option1 Name: the SKU \"E2\" has 1 values; the product has 2 options",
            "3 : left out with its product, see line 2",
        ]);
        assert_eq!((report.products_updated, report.rows_failed), (0, 2), "{report:?}");
    }

    async fn columns_that_nobody_knows_are_told(backend: Backend) {
        let local = Local::with_location(backend).await;
        let head = "Handle,Title,Variant Inventory Quantity,Variant Price,Gift Card,google shopping / MPN,Price / International,\
                    Variant Cost,Fabric (product.metafields.custom.fabric),Cost per item,,Gift Card Extra";
        let file = format!("{head}\na,A,5,1,false,,,,,,,\n");
        let report = local.import_well(BulkFormat::Csv, file.as_bytes()).await;
        assert_eq!(report.columns_ignored, ["Variant Inventory Quantity", "Variant Cost", "Gift Card Extra"]);
        assert_eq!((report.products_created, local.on_hand("a", "MAIN").await), (1, None));
        // As many and as long as they like.
        let many: Vec<String> = (0..300).map(|number| format!("{number}\u{7}{}", "é".repeat(200))).collect();
        let file = format!("Handle,Title,Variant Price,{}\n", many.join(","));
        let report = local.import_well(BulkFormat::Csv, file.as_bytes()).await;
        assert_eq!((report.columns_ignored.len(), report.columns_ignored[0].chars().count()), (100, 100));
    }

    async fn what_a_file_does_not_say_of_options_stays(backend: Backend) {
        let local = Local::with_location(backend).await;
        let whole = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price\na,A,Size,S,A1,1\na,,,M,A2,1\n";
        local.import_well(BulkFormat::Csv, whole.as_bytes()).await;
        let prices = "Handle,Variant SKU,Variant Price\na,A1,2\na,A2,3\n";
        local.import_well(BulkFormat::Csv, prices.as_bytes()).await;
        let product = local.product("a").await;
        assert_eq!(choices(&product), (vec!["Size"], vec![("A1", vec!["S"]), ("A2", vec!["M"])]));
        assert_eq!(product.skus.iter().map(|sku| sku.price.amount).collect::<Vec<_>>(), [200, 300]);
    }

    async fn a_picture_is_in_a_product_once(backend: Backend) {
        let local = Local::with_location(backend).await;
        let images = r#""images":[{"url":"/a.jpg","alt":"small","width":3,"height":4},{"url":"/b.jpg"},{"url":" /a.jpg","alt":"large"}]"#;
        let new = serde_json::from_str(&format!("{{\"title\":\"Twice\",{images}}}")).unwrap();
        match local.inventory.product_create(&call(), new).await {
            Err(InventoryError::Invalid(faults)) => assert_eq!(faults[0].pointer, "/images/2/url"),
            other => panic!("{other:?}"),
        }
        let line = format!("{{\"type\":\"product\",\"handle\":\"twice\",\"title\":\"Twice\",{images}}}");
        let (_, faults) = local.import(BulkFormat::Jsonl, line.as_bytes()).await;
        assert_told(&faults, &["1 /images/2/url: is the address of another image"]);

        // Many files repeat a picture in the row of each SKU.
        let file = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,Image Position,Image Alt Text\n\
                    rows,Rows,Size,S,R1,1,/1.jpg,1,\n\
                    rows,,,M,R2,1,/1.jpg,1,Front\n\
                    rows,,,,,,/2.jpg,2,Back\n\
                    rows,,,L,R3,1,/1.jpg,3,\n";
        local.import_well(BulkFormat::Csv, file.as_bytes()).await;
        let product = local.product("rows").await;
        let images: Vec<_> = product.images.iter().map(|image| (&*image.url, &*image.alt)).collect();
        assert_eq!(images, [("/1.jpg", "Front"), ("/2.jpg", "Back")]);
        assert_eq!(local.import_well(BulkFormat::Csv, file.as_bytes()).await, unchanged(1));
        assert_goes_round(&local, backend).await;
    }
}
