//! Orders and cursors: every product once, in order, whatever comes meanwhile.

use std::cmp::Reverse;

use diesel::Connection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use emporium::db::sql;

use super::*;
use crate::seed::connect;
use crate::testapp::on_both;

/// The handles in an order, as its definition says.
fn in_order(models: &[Model], sort: &str) -> Vec<String> {
    let mut models = models.to_vec();
    let lowest = |model: &Model| model.prices.iter().min().copied();
    match sort {
        "-created_at" => models.sort_by_key(|model| Reverse((model.created_at, model.id))),
        "created_at" => models.sort_by_key(|model| (model.created_at, model.id)),
        "title" => models.sort_by_key(|model| (model.title.clone(), model.id)),
        "-title" => models.sort_by_key(|model| Reverse((model.title.clone(), model.id))),
        "price" => models.sort_by_key(|model| (lowest(model).is_none(), lowest(model), model.id)),
        "-price" => models.sort_by_key(|model| Reverse((lowest(model), model.id))),
        other => panic!("{other}"),
    }
    models.into_iter().map(|model| model.handle).collect()
}

const SORTS: [&str; 6] = ["-created_at", "created_at", "title", "-title", "price", "-price"];

on_both! {
    async fn a_walk_sees_every_product_once_and_in_order(backend: Backend) {
        let shop = Listed::start(backend, 45).await;
        for (index, sort) in SORTS.into_iter().enumerate() {
            let insert = async |page: usize| {
                // Before, between and after the others, by title and by price.
                for (at, title) in ["AAA", "Rain Jacket", "zzz"].into_iter().enumerate() {
                    let handle = format!("new-{index}-{page}-{at}");
                    let skus = vec![new_sku(&handle, [1, 1_500, 9_000][at])];
                    let new = NewProduct { options: vec!["Size".into()], skus, ..new_product(&handle, title) };
                    shop.inventory().product_create(&call(), new).await.unwrap();
                }
            };
            let mut seen = shop.walk(&[("sort", sort)], "7", insert).await;
            let all = seen.len();
            seen.retain(|handle| handle.starts_with("product-"));
            assert_eq!(seen, in_order(&shop.models, sort), "{sort}");
            assert!(index == 0 || all > seen.len(), "{sort}: the earlier ones are there too");
        }
        let default = shop.handles(&[("limit", "7")]).await;
        assert_eq!(default, shop.handles(&[("limit", "7"), ("sort", "-created_at")]).await);
        shop.app.stop().await;
    }

    async fn filtered_walks_keep_their_order(backend: Backend) {
        let shop = Listed::start(backend, 60).await;
        let men: Vec<_> = shop.models.iter().filter(|model| model.category.is_some_and(|path| {
            path == "men" || path.starts_with("men/")
        })).cloned().collect();
        let active: Vec<_> =
            shop.models.iter().filter(|model| model.status == ProductStatus::Active).cloned().collect();
        for sort in SORTS {
            let seen = shop.walk(&[("sort", sort), ("category", "men")], "7", async |_| {}).await;
            assert_eq!(seen, in_order(&men, sort), "{sort}");
            let seen = shop.walk(&[("sort", sort), ("status", "active")], "7", async |_| {}).await;
            assert_eq!(seen, in_order(&active, sort), "{sort}");
        }
        shop.app.stop().await;
    }

    async fn a_search_is_walked_by_rank(backend: Backend) {
        let shop = Listed::start(backend, 45).await;
        let insert = async |page: usize| {
            for (at, title) in ["Jacket", "Jacket for the jacket lover", "Hat"].into_iter().enumerate() {
                let mut new = new_product(&format!("new-{page}-{at}"), title);
                new.description_html = "<p>Worn over a jacket in rain, snow and wind.</p>".into();
                shop.inventory().product_create(&call(), new).await.unwrap();
            }
        };
        let mut seen = shop.walk(&[("q", "jacket")], "7", insert).await;
        seen.retain(|handle| handle.starts_with("product-"));
        let jackets = shop.models.iter().filter(|model| model.title.to_lowercase().contains("jacket"));
        let jackets: Vec<_> = jackets.map(|model| model.handle.clone()).collect();
        assert!(jackets.len() > 14);
        assert_eq!(sorted(seen), sorted(jackets));
        // A product with the word in its title comes before one that only mentions it.
        let ranked = shop.walk(&[("q", "jacket")], "7", async |_| {}).await;
        let place = |handle: &str| ranked.iter().position(|own| own == handle).unwrap();
        assert!(place("new-0-0") < place("new-0-2") && place("product-0") < place("new-0-2"));
        shop.app.stop().await;
    }

    // The row that a cursor names may change or go; the walk goes on behind its place.
    async fn a_walk_survives_the_loss_of_its_row(backend: Backend) {
        let shop = Listed::start(backend, 24).await;
        for params in [vec![("sort", "title")], vec![("q", "wool")]] {
            let first = shop.list(&[params.as_slice(), &[("limit", "3")]].concat()).await;
            let before = shop.handles(&[params.as_slice(), &[("limit", "200")]].concat()).await.len();
            let last = handles(&first).pop().unwrap();
            shop.inventory().product_update(&call(), last.as_str().into(), None, emporium::inventory::ProductPatch {
                title: Some("AAA".into()), ..Default::default()
            }).await.unwrap();
            let cursor = first["next_cursor"].as_str().unwrap();
            let rest = shop.handles(&[params.as_slice(), &[("limit", "200"), ("cursor", cursor)]].concat()).await;
            assert_eq!(rest.len() + 3, before, "{params:?}");
            assert!(handles(&first).iter().take(2).all(|seen| !rest.contains(seen)), "{params:?}");
        }
        shop.app.stop().await;
    }

    // What matches more than a thousand products is walked in the order of the list instead of sorted.
    async fn a_filter_that_finds_many_is_walked(backend: Backend) {
        let shop = Listed::start(backend, 30).await;
        many(&shop, 1_100);
        let tagged = shop.walk(&[("tag", "many"), ("sort", "title")], "200", async |_| {}).await;
        let expected: Vec<_> = (0..1_100).map(|index| format!("many-{index:04}")).collect();
        assert_eq!(tagged, expected);
        for params in [
            vec![("vendor", "Many")],
            vec![("vendor", "Many"), ("tag", "many")],
            vec![("vendor", "Many"), ("tag", "many"), ("status", "active"), ("in_stock", "false")],
            vec![("tag", "many"), ("price_min", "5"), ("price_max", "1109"), ("sort", "price")],
        ] {
            let found = shop.walk(&params, "200", async |_| {}).await;
            assert_eq!(sorted(found), expected, "{params:?}");
        }
        assert_eq!(shop.handles(&[("tag", "many"), ("in_stock", "true")]).await, Vec::<String>::new());
        let body = shop.list(&[("tag", "many"), ("facets", "true"), ("limit", "1")]).await;
        assert_eq!(body["facets"]["total"], 1_100);
        shop.app.stop().await;
    }
}

/// Many products at once, past the shop.
fn many(shop: &Listed, count: i64) {
    let conn = &mut connect(&shop.app);
    let now = shop.models[0].created_at;
    conn.transaction(|conn| {
        for index in 0..count {
            let id = Id::new(now);
            diesel::sql_query(
                "INSERT INTO products (id, handle, title, vendor, status, options, attributes, images, price_min, price_max,
                     created_at, updated_at) VALUES ($1, $2, $3, 'Many', 'active', '[]', '{}', '[]', $4, $5, $6, $7)",
            )
            .bind::<sql::Id, _>(id)
            .bind::<Text, _>(format!("many-{index:04}"))
            .bind::<Text, _>(format!("Many {index:04}"))
            .bind::<BigInt, _>(index + 10)
            .bind::<BigInt, _>(index + 10)
            .bind::<sql::Instant, _>(now)
            .bind::<sql::Instant, _>(now)
            .execute(conn)?;
            let tag = "INSERT INTO product_tags (product_id, tag) VALUES ($1, 'many')";
            diesel::sql_query(tag).bind::<sql::Id, _>(id).execute(conn)?;
        }
        QueryResult::Ok(())
    })
    .unwrap();
}
