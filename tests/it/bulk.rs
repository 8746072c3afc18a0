//! Import and export: what files mean, what comes back, and what is wrong with which row.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emporium::app;
use emporium::call::Call;
use emporium::config::Config;
use emporium::inventory::{
    self, Adjustment, Bulk, BulkFormat, Catalogue, ImportEnd, ImportOptions, ImportProgress, ImportReport, ImportWatch,
    InventoryError, LocalInventory, Money, NewLocation, Product, RowFault, Stock, StockBatch,
};
use emporium::sample;
use tempfile::TempDir;

use crate::testapp::{Backend, TestApp, TestClock, call, on_both, test_config};

mod csv;
mod stock;

/// The inventory alone, without the work that a serving shop does behind the test's back.
pub(crate) struct Local {
    pub(crate) inventory: Arc<LocalInventory>,
    pub(crate) clock: TestClock,
    pub(crate) config: Config,
    _folder: Option<TempDir>,
}

impl Local {
    pub(crate) async fn open(backend: Backend) -> Local {
        let folder = TempDir::new().unwrap();
        let mut config = test_config(backend, &folder);
        crate::seed::quiet(&mut config);
        let clock = TestClock::default();
        app::modules(&config, Arc::new(clock.clone())).await.unwrap();
        let [db, _] = app::databases(&config).unwrap();
        let inventory = inventory::local(db, Arc::new(clock.clone()), config.inventory.clone());
        Local { inventory, clock, config, _folder: Some(folder) }
    }

    /// The inventory of a shop that runs.
    pub(crate) fn beside(app: &TestApp) -> Local {
        let [db, _] = app.shop.modules.databases.clone();
        let inventory = inventory::local(db, Arc::new(app.clock.clone()), app.config.inventory.clone());
        Local { inventory, clock: app.clock.clone(), config: app.config.clone(), _folder: None }
    }

    /// The same with a location `MAIN`.
    pub(crate) async fn with_location(backend: Backend) -> Local {
        let local = Local::open(backend).await;
        local.location("MAIN", 0).await;
        local
    }

    pub(crate) async fn location(&self, code: &str, priority: i64) {
        let new = NewLocation { code: code.into(), name: code.into(), address: Default::default(), priority };
        self.inventory.location_create(&call(), new).await.unwrap();
    }

    pub(crate) async fn import_with(
        &self,
        options: &ImportOptions,
        input: impl Read + Send + 'static,
    ) -> (ImportEnd, ImportReport, Vec<RowFault>) {
        let mut watch = Faults(vec![]);
        let (end, progress) = self.inventory.import(&Call::by("test"), options, input, &mut watch).await.unwrap();
        (end, progress.report, watch.0)
    }

    /// Imports a file that can be read to its end.
    pub(crate) async fn import(&self, format: BulkFormat, file: &[u8]) -> (ImportReport, Vec<RowFault>) {
        let (end, report, faults) = self.import_with(&options(format), std::io::Cursor::new(file.to_vec())).await;
        assert!(matches!(end, ImportEnd::Complete), "{end:?}");
        (report, faults)
    }

    /// Imports a file that has no fault.
    async fn import_well(&self, format: BulkFormat, file: &[u8]) -> ImportReport {
        let (report, faults) = self.import(format, file).await;
        assert_eq!(faults, [], "{report:?}");
        report
    }

    pub(crate) async fn export(&self, format: BulkFormat) -> String {
        let (mut all, mut after) = (vec![], None);
        loop {
            let chunk = self.inventory.export_chunk(format, after).await.unwrap();
            all.extend(chunk.bytes);
            after = chunk.next;
            if after.is_none() {
                return String::from_utf8(all).unwrap();
            }
        }
    }

    pub(crate) async fn product(&self, handle: &str) -> Product {
        self.inventory.product_get(handle.into()).await.unwrap().unwrap_or_else(|| panic!("no product {handle}"))
    }

    /// Counters, ledger and reservations agree.
    pub(crate) async fn verify(&self) {
        let found = self.inventory.stock_verify(&call(), false).await.unwrap();
        assert_eq!(found.differences, []);
    }

    /// Goods come to a location, or go from it.
    pub(crate) async fn come_in(&self, sku: &str, location: &str, delta: i64) {
        let (sku, location, reason) = (sku.to_owned(), location.to_owned(), "delivery".to_owned());
        let row = Adjustment { sku, location, counter: Default::default(), delta, reason };
        self.inventory.stock_adjust(&call(), StockBatch { atomic: true, rows: vec![row] }).await.unwrap();
    }

    pub(crate) async fn on_hand(&self, sku: &str, location: &str) -> Option<i64> {
        let query =
            inventory::StockQuery { sku: Some(sku.into()), location: Some(location.into()), ..Default::default() };
        self.inventory.stock_list(query).await.unwrap().items.first().map(|level| level.on_hand)
    }
}

pub(crate) fn options(format: BulkFormat) -> ImportOptions {
    ImportOptions { format, dry_run: false, location: None }
}

struct Faults(Vec<RowFault>);

#[async_trait::async_trait]
impl ImportWatch for Faults {
    async fn batch(&mut self, _: &ImportProgress, faults: Vec<RowFault>) -> Result<bool, InventoryError> {
        self.0.extend(faults);
        Ok(true)
    }
}

/// A file of the shared test data.
pub(crate) fn data(name: &str) -> Vec<u8> {
    let path = data_folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("the test file {} is missing: {error}", path.display()))
}

fn data_folder() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("shared/data"));
    let found = above.into_iter().find(|folder| folder.exists());
    found.expect("no folder shared/data beside the project: the test data is missing")
}

pub(crate) fn sample_of(skus: u64) -> Vec<u8> {
    let mut out = vec![];
    sample::write(skus, 1, &mut out).unwrap();
    out
}

fn money(amount: i64) -> Money {
    Money { amount, currency: "USD".into() }
}

/// The faults as `line column: message`.
fn told(faults: &[RowFault]) -> Vec<String> {
    faults.iter().map(|fault| format!("{} {}: {}", fault.line, fault.column, fault.message)).collect()
}

/// Each of the expected beginnings stands at the same place of the list.
fn assert_told(faults: &[RowFault], expected: &[&str]) {
    let told = told(faults);
    let uncoded: Vec<_> = faults.iter().filter(|fault| matches!(&*fault.code, "other" | "malformed")).collect();
    assert!(uncoded.is_empty(), "a page would tell these in English: {uncoded:#?}");
    let fits = told.len() == expected.len() && told.iter().zip(expected).all(|(told, start)| told.starts_with(start));
    assert!(fits, "{told:#?} are not {expected:#?}");
}

on_both! {
    async fn the_shared_files_are_imported(backend: Backend) {
        let local = Local::with_location(backend).await;
        for (file, products, skus) in
            [("luma.csv", 147, 1_847), ("shopify-apparel.csv", 20, 22), ("shopify-home-and-garden.csv", 20, 21)]
        {
            let report = local.import_well(BulkFormat::Csv, &data(file)).await;
            assert_eq!((report.products_created, report.skus_created), (products, skus), "{file}");
            let again = local.import_well(BulkFormat::Csv, &data(file)).await;
            let unchanged = ImportReport { products_unchanged: products, ..ImportReport::default() };
            assert_eq!(again, unchanged, "{file}");
        }
        local.verify().await;

        let hoodie = local.product("chaz-kangeroo-hoodie").await;
        assert_eq!(hoodie.options, ["Size", "Color"]);
        assert_eq!(hoodie.skus.len(), 15);
        assert_eq!(hoodie.skus[0].code, "MH01-XS-Black");
        assert_eq!(hoodie.skus[0].price, money(5_200));
        assert_eq!(hoodie.skus[0].weight_grams, 453);
        assert_eq!(hoodie.images.len(), 3, "{:?}", hoodie.images);
        assert!(hoodie.description_html.starts_with("<p>Ideal for cold-weather training"));
        assert_eq!(local.on_hand("MH01-XS-Black", "MAIN").await, Some(100));
        let categories = local.inventory.category_list().await.unwrap();
        let hoodies = categories.iter().find(|category| Some(category.id) == hoodie.category_id).unwrap();
        assert_eq!((hoodies.path.as_str(), hoodies.name.as_str()), ("men/tops/hoodies-sweatshirts", "Hoodies & Sweatshirts"));
        assert_eq!(hoodie.product_type, "Hoodies & Sweatshirts");

        let shirt = local.product("ocean-blue-shirt").await;
        assert_eq!((shirt.options.len(), shirt.skus[0].code.as_str()), (0, "ocean-blue-shirt"));
        assert_eq!(shirt.tags, ["men"]);
        let top = local.product("classic-varsity-top").await;
        assert_eq!(top.skus[1].code, "classic-varsity-top.medium");
        let lamp = local.product("copper-light").await;
        assert_eq!(lamp.skus[0].compare_at_price, Some(money(7_500)));
        assert_eq!((lamp.product_type.as_str(), lamp.category_id), ("Indoor", None));
    }

    async fn an_export_comes_back_as_it_was(backend: Backend) {
        let local = Local::with_location(backend).await;
        local.location("SHOP", 1).await;
        local.import_well(BulkFormat::Csv, &data("luma.csv")).await;
        local.import_well(BulkFormat::Jsonl, &sample_of(1_500)).await;
        let products = local.inventory.stock_verify(&call(), false).await.unwrap();
        assert!(products.checked > 3_000, "{products:?}");
        let before = [local.export(BulkFormat::Csv).await, local.export(BulkFormat::Jsonl).await];
        for (format, file) in [BulkFormat::Csv, BulkFormat::Jsonl].into_iter().zip(&before) {
            let report = local.import_well(format, file.as_bytes()).await;
            let unchanged = ImportReport { products_unchanged: report.products_unchanged, ..ImportReport::default() };
            assert_eq!(report, unchanged, "{format:?}");
            assert!(report.products_unchanged > 500, "{report:?}");
        }
        let after = [local.export(BulkFormat::Csv).await, local.export(BulkFormat::Jsonl).await];
        assert!(before == after, "an export changed");

        // And another shop becomes the same by it.
        let other = Local::open(backend).await;
        other.import_well(BulkFormat::Jsonl, before[1].as_bytes()).await;
        other.verify().await;
        let csv = other.export(BulkFormat::Csv).await;
        assert!(csv == before[0], "the other shop differs");
    }

    async fn odd_texts_come_back_as_they_were(backend: Backend) {
        let local = Local::with_location(backend).await;
        let line = r#"{"type":"product","handle":"odd","title":"=1+1","vendor":"-a, \"b\"","tags":["a, b","\"q\"","+c"],
            "category":"x/y","options":["Größe"],"attributes":{"Note":"@home"},"seo_title":"'=x",
            "images":[{"url":"/a.jpg","alt":"-","width":3,"height":4},{"url":"https://a.example/b","alt":""}],
            "skus":[{"code":"-1","options":["-20 °C"],"price":{"amount":5,"currency":"USD"},"backorder_limit":7,
            "low_stock_threshold":3,"stock":[{"location":"MAIN","on_hand":4,"safety":1,"incoming":9}]}]}"#.replace('\n', " ");
        local.import_well(BulkFormat::Jsonl, line.as_bytes()).await;
        let csv = local.export(BulkFormat::Csv).await;
        assert!(csv.contains("'=1+1") && !csv.contains(",=1+1"), "{csv}");
        assert!(csv.contains(",continue,"), "{csv}");
        let before = local.export(BulkFormat::Jsonl).await;
        let report = local.import_well(BulkFormat::Csv, csv.as_bytes()).await;
        assert_eq!(report.products_unchanged, 1, "{report:?}");
        assert_eq!(local.export(BulkFormat::Jsonl).await, before);
        let product = local.product("odd").await;
        assert_eq!((product.title.as_str(), product.seo_title.as_str()), ("=1+1", "'=x"));
        assert_eq!(product.images[0].width, Some(3));
    }

    async fn a_dry_run_changes_nothing(backend: Backend) {
        let local = Local::with_location(backend).await;
        let file = data("shopify-apparel.csv");
        let dry = ImportOptions { dry_run: true, ..options(BulkFormat::Csv) };
        let (_, report, faults) = local.import_with(&dry, std::io::Cursor::new(file.clone())).await;
        assert_eq!((report.dry_run, report.products_created, report.skus_created), (true, 20, 22), "{faults:?}");
        assert_eq!(report.stock_changed, 22);
        assert_eq!(local.export(BulkFormat::Csv).await.lines().count(), 1);
        assert_eq!(local.inventory.category_list().await.unwrap(), []);

        local.import_well(BulkFormat::Csv, &file).await;
        let before = local.export(BulkFormat::Jsonl).await;
        // What only the database knows is checked as well: the code belongs to another product, a location is not there.
        let lines = concat!(
            r#"{"type":"location","code":"NEW","name":"New"}"#, "\n",
            r#"{"type":"product","handle":"a","title":"A","skus":[{"code":"ocean-blue-shirt","price":{"amount":1,"currency":"USD"}}]}"#, "\n",
            r#"{"type":"product","handle":"b","title":"B","category":"new/one","skus":[{"code":"B","price":{"amount":1,"currency":"USD"},"stock":[{"location":"NONE","on_hand":1}]}]}"#, "\n",
            r#"{"type":"product","handle":"c","title":"C","category":"new/one","skus":[{"code":"C","price":{"amount":1,"currency":"USD"},"stock":[{"location":"NEW","on_hand":1}]}]}"#, "\n",
            r#"{"type":"product","handle":"ocean-blue-shirt","category":"new"}"#, "\n",
        );
        let dry = ImportOptions { dry_run: true, ..options(BulkFormat::Jsonl) };
        let (_, report, faults) = local.import_with(&dry, lines.as_bytes()).await;
        assert_told(&faults, &[
            "2 /skus/0/code: \"ocean-blue-shirt\" belongs to another product",
            "3 /skus/0/stock/0/location: there is no such location",
        ]);
        assert_eq!((report.products_created, report.products_updated, report.locations_changed), (1, 1, 1));
        assert_eq!(local.export(BulkFormat::Jsonl).await, before);
        let (report, again) = local.import(BulkFormat::Jsonl, lines.as_bytes()).await;
        assert_eq!(again, faults, "the real import finds the same");
        assert_eq!((report.products_created, report.products_updated, report.categories_changed), (1, 1, 2));
    }

    async fn bad_rows_of_a_csv_are_told_and_the_good_ones_go_in(backend: Backend) {
        let local = Local::with_location(backend).await;
        let head = "Handle,Title,Body (HTML),Option1 Name,Option1 Value,Variant SKU,Variant Grams,Variant Inventory Qty,\
                    Variant Inventory Policy,Variant Price,Variant Taxable,Image Src,Status,Extra";
        let rows = [
            "good,Good,\"<p>two\r\nlines</p>\",Size,S,G-S,10,1,deny,1.50,true,https://a.example/1.jpg,active,x",
            "good,,,,M,G-M,10,,continue,2,,,,",
            "price,Price,,,,P,,,,abc,,,,",
            "price,,,,,,,,,,,https://a.example/2.jpg,,",
            ",No Handle,,,,N,,,,1,,,,",
            "Bad_Handle,Bad,,,,B,,,,1,,,,",
            "numbers,Numbers,,,,NUM,1.5,-1,maybe,1.999,yes,,gone,",
            "short,Short",
            ",,,,,,,,,,,,,",
            "names,Names,,,L,L,,,,1,,,,",
            "twice,Twice,,Size,S,T1,,,,1,,,,",
            "twice,,,,S,T2,,,,1,,,,",
            "code,Code,,,,G-S,,,,1,,,,",
            "images,Images,,,,I,,,,1,,javascript:alert(1),,",
            "paths,Paths,,,,J,,,,1,,../../etc/passwd,,",
            "files,Files,,,,K,,,,1,,file:///etc/passwd,,",
            "untitled,,,,,U,,,,1,,,,",
            "priceless,Priceless,,,,Q,,,,,,,,",
            "good,Again,,,,AGAIN,,,,1,,,,",
            "last,Last,,Title,Default Title,,,7,,3,,,,",
        ];
        let file = format!("\u{feff}{head}\r\n{}\r\n", rows.join("\r\n"));
        let (report, faults) = local.import(BulkFormat::Csv, file.as_bytes()).await;
        assert_told(&faults, &[
            "5 Variant Price: \"abc\" is not a price",
            "6 : left out with its product, see line 5",
            "7 Handle: must not be empty",
            "8 Handle: must be 1 to 200 lower-case letters",
            "9 Status: \"gone\" is not one of",
            "9 Variant Inventory Policy: \"maybe\" is neither",
            "9 Variant Price: \"1.999\" is not a price",
            "9 Variant Grams: \"1.5\" is not a whole number",
            "9 Variant Taxable: \"yes\" is neither",
            "9 Variant Inventory Qty: \"-1\" is not a whole number",
            "10 : has 2 cells; the header has 14",
            "12 Option1 Value: has a value, but",
            "14 Option1 Value: the SKUs \"T1\" and \"T2\" have the same options",
            "15 Variant SKU: stands in this file before",
            "16 Image Src: must begin with https://",
            "17 Image Src: must begin with https://",
            "18 Image Src: must begin with https://",
            "19 Title: must not be empty",
            "20 Variant Price: must be there for a new SKU",
            "21 Handle: stands in this file before",
        ]);
        assert_eq!((report.products_created, report.skus_created, report.rows_failed), (3, 4, 15), "{report:?}");
        assert_eq!(report.columns_ignored, ["Extra"]);
        let good = local.product("good").await;
        assert_eq!(good.description_html, "<p>two\nlines</p>");
        assert_eq!((good.skus[0].backorder_limit, good.skus[1].backorder_limit), (0, 1_000_000_000));
        assert_eq!(local.on_hand("G-S", "MAIN").await, Some(1));
        assert_eq!(local.on_hand("G-M", "MAIN").await, None);
        assert_eq!(local.on_hand("last", "MAIN").await, Some(7));
        local.verify().await;
    }

    async fn bad_lines_of_a_jsonl_are_told_and_the_good_ones_go_in(backend: Backend) {
        let local = Local::with_location(backend).await;
        let lines = [
            r#"{"type":"product","handle":"good","title":"Good","skus":[{"code":"G","price":{"amount":100,"currency":"USD"},"stock":[{"location":"MAIN","on_hand":5}]}]}"#,
            "",
            r#"{"type":"product","handle":"a","title":"A","skus":[{"code":"A","price":{"amount":"x","currency":"USD"}}]}"#,
            r#"{"type":"product","handle":"b","titel":"B"}"#,
            r#"{"type":"thing"}"#,
            r#"{"title":"no type"}"#,
            r#"{"type":"product","handle":"c""#,
            r#"[1,2]"#,
            r#"{"type":"product","handle":"d","title":"D","skus":[{"code":"D 1","price":{"amount":-1,"currency":"EUR"},"stock":[{"location":"MAIN","on_hand":9999999999},{"location":"MAIN"}]}]}"#,
            r#"{"type":"product","handle":"e","title":"E\u0000","category":"Up/Side"}"#,
            r#"{"type":"category","path":"a//b","name":""}"#,
            r#"{"type":"location","code":"no blank","name":"X"}"#,
            r#"{"type":"product","handle":"f"}"#,
            r#"{"handle":"g","title":"G","type":"product"}"#,
        ];
        let mut file = lines.join("\n").into_bytes();
        file.extend(b"\n{\"type\":\"product\",\"handle\":\"h\",\"title\":\"\xff\"}\n");
        let (report, faults) = local.import(BulkFormat::Jsonl, &file).await;
        assert_told(&faults, &[
            "3 /skus/0/price/amount: invalid type: string",
            "4 /titel: unknown field `titel`",
            "5 /type: is \"thing\"; must be",
            "6 : missing field `type`",
            "7 : is not valid JSON",
            "8 ",
            "9 /skus/0/code: must be 1 to 100",
            "9 /skus/0/price/amount: is -1",
            "9 /skus/0/price/currency: must be USD",
            "9 /skus/0/stock/0/on_hand: is 9999999999",
            "9 /skus/0/stock/1/location: stands twice",
            "10 /title: has a control character",
            "10 /category: must be slugs",
            "11 /path: must be slugs",
            "11 /name: must not be empty",
            "12 /code: must be 1 to 64",
            "13 /title: must be there for a new product",
            "15 : is not UTF-8",
        ]);
        assert_eq!((report.products_created, report.rows_failed), (2, 12), "{report:?}");
        assert_eq!(local.on_hand("G", "MAIN").await, Some(5));
    }

    async fn rows_that_are_not_text_and_cells_that_are_too_large_are_faults(backend: Backend) {
        let local = Local::with_location(backend).await;
        let mut file = b"Handle,Title,Body (HTML),Variant Price\n".to_vec();
        file.extend(b"bytes,\xff\xfe,,1\n");
        file.extend(b"body,Body,\xc3\x28,1\n");
        file.extend(format!("long,{},,1\n", "x".repeat(1_000_000)).bytes());
        file.extend(format!("html,Html,{},1\n", "<b>".repeat(350_000)).bytes());
        file.extend(b"nul,a\x00b,,1\n");
        file.extend(b"script,Script,\"<p onclick=\"\"x()\"\">a</p><script>alert(1)</script><a href=\"\"javascript:x\"\">b</a>\",1\n");
        let (report, faults) = local.import(BulkFormat::Csv, &file).await;
        assert_told(&faults, &[
            "2 Title: is not UTF-8",
            "3 Body (HTML): is not UTF-8",
            "4 Title: has 1000000 characters",
            "5 Body (HTML): has 1050000 bytes",
            "6 Title: has a control character",
        ]);
        assert_eq!(report.products_created, 1);
        let html = local.product("script").await.description_html;
        assert!(html.starts_with("<p>a</p><a") && !html.contains("script"), "{html}");
    }

    async fn a_file_in_utf_16_is_told_so(backend: Backend) {
        let local = Local::with_location(backend).await;
        let line = r#"{"type":"product","handle":"a","title":"A"}"#;
        for (format, column, text) in [(BulkFormat::Csv, "Handle", "Handle,Title\na,A\n"), (BulkFormat::Jsonl, "", line)] {
            for mark in ["", "\u{feff}"] {
                let units = || format!("{mark}{text}").encode_utf16().collect::<Vec<_>>().into_iter();
                let [little, big]: [Vec<u8>; 2] = [
                    units().flat_map(u16::to_le_bytes).collect(),
                    units().flat_map(u16::to_be_bytes).collect(),
                ];
                for file in [little, big] {
                    let (end, _, faults) = local.import_with(&options(format), std::io::Cursor::new(file)).await;
                    assert!(matches!(end, ImportEnd::Unreadable(_)), "{end:?}");
                    assert_told(&faults, &[&format!("1 {column}: the file is in UTF-16; it must be in UTF-8")]);
                }
            }
        }
    }

    async fn what_is_no_file_of_the_format_is_one_fault(backend: Backend) {
        let local = Local::with_location(backend).await;
        let csv = "Title,Variant Price\nA,1\nB,2\n";
        let by = |name| match name {
            "tabs" => "1 Handle: the columns of the file seem to be separated by tabs; a CSV must have commas",
            _ => "1 Handle: the columns of the file seem to be separated by semicolons; a CSV must have commas",
        };
        let open_quote = format!("Handle,Title,Variant Price\na,A,1\nb,B,1\nc,\"C,2\n{}", "c,C,1\n".repeat(2_000_000));
        for (format, file, expected) in [
            (BulkFormat::Csv, csv, "1 Handle: the file has no such column"),
            (BulkFormat::Csv, "", "1 Handle: the file is empty"),
            (BulkFormat::Csv, "Handle,Title,title\n", "1 Title: the file has this column twice"),
            (BulkFormat::Csv, "\u{feff}Handle;Title;Variant Price\r\na;A;1,50\r\n", by("semicolons")),
            (BulkFormat::Csv, "\"Title\";\"Body (HTML)\";\"handle\"\na;\"b, c\";d\n", by("semicolons")),
            (BulkFormat::Csv, "Handle\tTitle\na\tA\n", by("tabs")),
            (BulkFormat::Csv, "Title;x,Handles\n", "1 Handle: the file has no such column"),
            (BulkFormat::Jsonl, csv, "1 : the file does not begin with a JSON object"),
            (BulkFormat::Csv, &open_quote, "4 : the row that begins here is longer than 8 MiB"),
        ] {
            let (end, report, faults) =
                local.import_with(&options(format), std::io::Cursor::new(file.as_bytes().to_vec())).await;
            assert!(matches!(end, ImportEnd::Unreadable(_)), "{expected}: {end:?}");
            assert_told(&faults, &[expected]);
            assert_eq!(report.rows_failed, 1);
        }
        local.product("a").await;
        let nowhere = ImportOptions { location: Some("NONE".into()), ..options(BulkFormat::Csv) };
        let result = local.inventory.import(&call(), &nowhere, csv.as_bytes(), &mut Faults(vec![])).await;
        assert!(matches!(result, Err(InventoryError::NotFound { .. })));
        let empty = Local::open(backend).await;
        let result = empty.inventory.import(&call(), &options(BulkFormat::Csv), csv.as_bytes(), &mut Faults(vec![])).await;
        assert!(matches!(result, Err(InventoryError::Conflict(_))));
    }
}
