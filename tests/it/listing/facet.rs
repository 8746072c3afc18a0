//! Facets: how many products of the answer have which value, each without its own filter.

use serde_json::json;

use super::filter::{Asked, combinations};
use super::*;
use crate::testapp::on_both;

/// The most frequent first, then by value.
fn counted<'a>(values: impl Iterator<Item = &'a str>) -> Value {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for value in values.filter(|value| !value.is_empty()) {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(value, count)| (-count, *value));
    counts.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
}

fn expected(models: &[Model], asked: Asked) -> Value {
    let of = |asked: Asked| models.iter().filter(move |model| asked.holds(model));
    let no_price = Asked { price_min: None, price_max: None, ..asked };
    let prices = || of(no_price).flat_map(|model| model.prices.iter().copied());
    let paths = of(Asked { category: None, ..asked })
        .filter_map(|model| model.category)
        .flat_map(|path| path.match_indices('/').map(|(end, _)| end).chain([path.len()]).map(move |end| &path[..end]));
    json!({
        "categories": counted(paths),
        "vendors": counted(of(Asked { vendor: None, ..asked }).map(|model| model.vendor.as_str())),
        "tags": counted(of(Asked { tag: None, ..asked }).flat_map(|model| model.tags.iter().copied())),
        "price_min": prices().min(),
        "price_max": prices().max(),
        "in_stock": of(Asked { in_stock: Some("true"), ..asked }).count(),
        "total": of(asked).count(),
    })
}

on_both! {
    async fn each_facet_leaves_out_its_own_filter(backend: Backend) {
        let shop = Listed::start(backend, 60).await;
        for asked in combinations().into_iter().step_by(3) {
            let mut params = asked.params();
            params.extend([("facets", "true"), ("limit", "1")]);
            assert_eq!(shop.list(&params).await["facets"], expected(&shop.models, asked), "{asked:?}");
        }
        assert!(shop.list(&[("facets", "false")]).await.get("facets").is_none());
        shop.app.stop().await;
    }

    async fn facets_are_of_the_whole_answer(backend: Backend) {
        let shop = Listed::start(backend, 20).await;
        let first = shop.list(&[("limit", "3"), ("facets", "true")]).await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = shop.list(&[("limit", "3"), ("facets", "true"), ("cursor", cursor)]).await;
        assert_eq!(first["facets"]["total"], 20);
        assert_eq!(first["facets"], second["facets"]);
        let nothing = shop.list(&[("q", "!?"), ("facets", "true")]).await;
        assert_eq!((&nothing["facets"]["total"], &nothing["facets"]["vendors"]), (&json!(0), &json!([])));
        shop.app.stop().await;
    }
}
