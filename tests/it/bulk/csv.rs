//! The CSV's round trip: what a file says comes back as it was, in the same shop and in another one.

use emporium::inventory::{BulkFormat, Catalogue, ImportReport, InventoryError, Product};

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
        assert_eq!(report.products_created, 0);
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
