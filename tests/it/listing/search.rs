//! Full-text search: both databases find the same, and what a person would expect.

use std::path::{Path, PathBuf};

use emporium::inventory::{ProductKey, ProductPatch};

use super::*;
use crate::testapp::on_both;

/// A file of the shared test data: `shared/data` in a folder above the project.
pub(crate) fn shared(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = root.ancestors().map(|folder| folder.join("shared/data").join(name));
    paths
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("shared/data/{name} is missing: it must lie in a folder above {}", root.display()))
}

/// The products of a file in Shopify's format: rows of one handle are one product, and its first row describes it.
fn luma() -> Vec<NewProduct> {
    let mut products: Vec<NewProduct> = Vec::new();
    for row in csv::Reader::from_path(shared("luma.csv")).unwrap().deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        if products.last().is_none_or(|last| last.handle.as_deref() != Some(&row["Handle"])) {
            let options = ["Option1 Name", "Option2 Name", "Option3 Name"].map(|name| row[name].clone());
            products.push(NewProduct {
                description_html: row["Body (HTML)"].clone(),
                vendor: row["Vendor"].clone(),
                product_type: row["Type"].clone(),
                tags: row["Tags"].split(',').map(|tag| tag.trim().to_owned()).collect(),
                options: options.into_iter().filter(|name| !name.is_empty()).collect(),
                ..new_product(&row["Handle"], row["Title"].trim())
            });
        }
        let product = products.last_mut().unwrap();
        let price: f64 = row["Variant Price"].parse().unwrap();
        let mut sku = new_sku(&row["Variant SKU"], (price * 100.0) as i64);
        let values = ["Option1 Value", "Option2 Value", "Option3 Value"].map(|name| row[name].clone());
        sku.options = values.into_iter().take(product.options.len()).collect();
        product.skus.push(sku);
    }
    products
}

/// Each with a number of products that it must find, where that is easily told.
const QUERIES: &[(&str, Option<usize>)] = &[
    ("hoodie", None),
    ("hoodies", None),
    ("HOODIE", None),
    ("hood", None),
    ("h", None),
    ("chaz", Some(1)),
    ("chaz kangeroo hoodie", Some(1)),
    ("hoodie chaz", Some(1)),
    ("kanger", Some(1)),
    ("cha kangeroo", Some(0)),
    ("luma", Some(147)),
    ("Luma jacket", None),
    ("jackets", None),
    ("running shorts", None),
    ("run", None),
    ("runs", None),
    ("yoga pant", None),
    ("yoga pants women", None),
    ("eco friendly", None),
    ("eco-friendly", None),
    ("MH01", Some(1)),
    ("mh01-xs-black", Some(1)),
    ("mh01 black xs", Some(1)),
    ("MH0", None),
    ("1/4 zip", None),
    ("full-zip", None),
    ("v-neck tee", None),
    ("short-sleeve", None),
    ("heattech", None),
    ("moisture wicking", None),
    ("machine wash/dry", None),
    ("drawstring-adjustable hood", None),
    ("p br bull li", Some(0)),
    ("thérmal", None),
    ("ＨＯＯＤＩＥ", None),
    ("café", None),
    ("zzzzqqq", Some(0)),
    ("hoodie zzzzqqq", Some(0)),
    ("!!! ---", Some(0)),
    ("", Some(0)),
    ("hoodie OR zzzzqqq", Some(0)),
    ("hoodie* NOT chaz", None),
    ("NEAR(chaz hoodie)", Some(0)),
    ("title:chaz", Some(0)),
    ("\"chaz\" & 'kangeroo':*", Some(1)),
    ("chaz' | 'zzz", Some(0)),
    ("{title}: ^chaz", Some(0)),
    ("\\", Some(0)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_find_the_same() {
    let mut shops = Vec::new();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let shop = Listed::start(backend, 0).await;
        for new in luma() {
            shop.inventory().product_create(&call(), new).await.unwrap();
        }
        shop.inventory().product_create(&call(), new_product("cup", "Crème-Tasse für Cafés")).await.unwrap();
        shops.push(shop);
    }
    let mut counts = BTreeMap::new();
    for (query, count) in QUERIES {
        let [sqlite, postgres] = [
            sorted(shops[0].handles(&[("q", query), ("limit", "200")]).await),
            sorted(shops[1].handles(&[("q", query), ("limit", "200")]).await),
        ];
        assert_eq!(sqlite, postgres, "{query:?}");
        assert!(count.is_none_or(|count| sqlite.len() == count), "{query:?} found {}: {sqlite:?}", sqlite.len());
        counts.insert(*query, sqlite);
    }
    for (one, other) in [("hoodie", "hoodies"), ("hoodie", "HOODIE"), ("hoodie", "ＨＯＯＤＩＥ"), ("run", "runs")]
    {
        assert!(counts[one].len() > 3, "{one:?} found {:?}", counts[one]);
        assert!(counts[other].iter().all(|handle| counts[one].contains(handle)), "{one:?} and {other:?}");
    }
    assert!(counts["hood"].len() >= counts["hoodie"].len());
    assert_eq!(counts["eco friendly"], counts["eco-friendly"]);
    assert!(counts["café"].contains(&"cup".to_owned()));
    for shop in shops {
        shop.app.stop().await;
    }
}

on_both! {
    async fn words_are_found_in_all_texts_without_marks(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        let new = NewProduct {
            vendor: "Żubr & Söhne".into(),
            product_type: "Drinkware".into(),
            tags: vec!["gift idea".into()],
            description_html: "<p title=\"hidden\">Fired <b>twice</b>&nbsp;in Kraków.</p>".into(),
            options: vec!["Size".into()],
            skus: vec![new_sku("CUP_77-x", 100)],
            ..new_product("cup", "Crème-Tasse™ №5")
        };
        shop.inventory().product_create(&call(), new).await.unwrap();
        for q in [
            "creme", "CRÈME", "cre\u{300}me tasse", "tasse", "№5", "zubr", "sohne", "drinkwares", "gifts", "ideas gift", "fire",
            "krakow twice", "cup", "77", "x cup", "tas",
        ] {
            assert_eq!(shop.handles(&[("q", q)]).await, ["cup"], "{q:?}");
        }
        for q in ["hidden", "nbsp", "tasse hat", "asse", "tas creme"] {
            assert_eq!(shop.handles(&[("q", q)]).await, Vec::<String>::new(), "{q:?}");
        }
        shop.app.stop().await;
    }

    async fn the_index_follows_the_products(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        for handle in ["one", "two"] {
            shop.inventory().product_create(&call(), new_product(handle, "Green Kettle")).await.unwrap();
        }
        let key = || ProductKey::from("one");
        let patch = ProductPatch { title: Some("Blue Kettle".into()), ..Default::default() };
        shop.inventory().product_update(&call(), key(), None, patch).await.unwrap();
        assert_eq!(shop.handles(&[("q", "blue")]).await, ["one"]);
        assert_eq!(shop.handles(&[("q", "green")]).await, ["two"]);
        assert_eq!(sorted(shop.handles(&[("q", "kettle")]).await), ["one", "two"]);
        shop.inventory().product_delete(&call(), key(), None).await.unwrap();
        assert_eq!(shop.handles(&[("q", "kettle")]).await, ["two"]);
        shop.inventory().product_create(&call(), new_product("three", "Blue Pot")).await.unwrap();
        assert_eq!(shop.handles(&[("q", "blue")]).await, ["three"]);
        shop.app.stop().await;
    }

    async fn a_search_can_be_sorted_otherwise(backend: Backend) {
        let shop = Listed::start(backend, 30).await;
        let oldest = shop.handles(&[("q", "jacket"), ("sort", "created_at"), ("limit", "200")]).await;
        let best = shop.handles(&[("q", "jacket"), ("limit", "200")]).await;
        assert_eq!(best, shop.handles(&[("q", "jacket"), ("sort", "relevance"), ("limit", "200")]).await);
        let expected = shop.models.iter().filter(|model| model.title.to_lowercase().contains("jacket"));
        let expected: Vec<_> = expected.map(|model| model.handle.clone()).collect();
        assert_eq!(oldest, expected);
        assert_eq!(sorted(best), sorted(expected));
        shop.app.stop().await;
    }
}
