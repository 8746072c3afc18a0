//! Every filter, alone and with the others, against an evaluation in the test.

use emporium::inventory::{NewReservation, NewReservationLine, ProductStatus, SkuPatch};
use serde_json::json;

use super::*;
use crate::testapp::on_both;

/// The values of a query.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) q: Option<&'static str>,
    pub(super) category: Option<&'static str>,
    pub(super) vendor: Option<&'static str>,
    pub(super) tag: Option<&'static str>,
    pub(super) price_min: Option<&'static str>,
    pub(super) price_max: Option<&'static str>,
    pub(super) in_stock: Option<&'static str>,
    pub(super) status: Option<&'static str>,
}

impl Asked {
    pub(super) fn params(&self) -> Vec<(&'static str, &'static str)> {
        let named = [
            ("q", self.q),
            ("category", self.category),
            ("vendor", self.vendor),
            ("tag", self.tag),
            ("price_min", self.price_min),
            ("price_max", self.price_max),
            ("in_stock", self.in_stock),
            ("status", self.status),
        ];
        named.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
    }

    /// Does a product belong to the answer?
    pub(super) fn holds(&self, model: &Model) -> bool {
        let number = |text: Option<&str>, or: i64| text.map_or(or, |text| text.parse().unwrap());
        let (min, max) = (number(self.price_min, 0), number(self.price_max, i64::MAX));
        let priced = self.price_min.is_some() || self.price_max.is_some();
        let below = |path: &str| model.category.is_some_and(|own| own == path || own.starts_with(&format!("{path}/")));
        self.q.is_none_or(|word| model.title.to_lowercase().split(' ').any(|own| own == word))
            && self.category.is_none_or(below)
            && self.vendor.is_none_or(|vendor| model.vendor == vendor)
            && self.tag.is_none_or(|tag| model.tags.contains(&tag))
            && (!priced || model.prices.iter().any(|price| (min..=max).contains(price)))
            && self.in_stock.is_none_or(|in_stock| model.in_stock.to_string() == in_stock)
            && self.status.is_none_or(|status| json!(model.status) == status)
    }
}

/// A sample of all combinations: each pair of values of two filters is in it.
pub(super) fn combinations() -> Vec<Asked> {
    let categories = [None, Some("men"), Some("men/tops"), Some("women"), Some("men/top"), Some("")];
    let prices = [(None, None), (Some("1400"), None), (None, Some("1600")), (Some("1250"), Some("1450"))];
    let mut all = Vec::new();
    for (index, category) in categories.into_iter().enumerate() {
        for (at, (price_min, price_max)) in prices.into_iter().enumerate() {
            for flags in 0..72_usize {
                if (flags + index * 3 + at) % 7 != 0 {
                    continue;
                }
                all.push(Asked {
                    q: [None, Some("jacket")][flags % 2],
                    category,
                    vendor: [None, Some("Acme"), Some("")][(flags / 2) % 3],
                    tag: [None, Some("red")][(flags / 6) % 2],
                    price_min,
                    price_max,
                    in_stock: [None, Some("true"), Some("false")][(flags / 12) % 3],
                    status: [None, Some("active")][(flags / 36) % 2],
                });
            }
        }
    }
    all
}

on_both! {
    async fn all_filters_must_hold(backend: Backend) {
        let shop = Listed::start(backend, 60).await;
        let mut not_empty = 0;
        for asked in combinations() {
            let mut params = asked.params();
            params.push(("limit", "200"));
            let expected: Vec<_> = shop.models.iter().filter(|model| asked.holds(model)).collect();
            let body = shop.list(&params).await;
            let expected_handles = expected.iter().map(|model| model.handle.clone()).collect();
            assert_eq!(sorted(handles(&body)), sorted(expected_handles), "{asked:?}");
            not_empty += usize::from(!expected.is_empty());
            for item in body["items"].as_array().unwrap() {
                let model = shop.models.iter().find(|model| item["handle"] == *model.handle).unwrap();
                assert_eq!(item["in_stock"], model.in_stock, "{asked:?}: {item}");
            }
        }
        assert!(not_empty > 50, "only {not_empty} queries found something");
        shop.app.stop().await;
    }

    async fn a_summary_tells_the_product(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        let mut new = NewProduct {
            vendor: "Acme".into(),
            options: vec!["Size".into()],
            skus: vec![new_sku("B", 2_000), new_sku("A", 1_000)],
            ..new_product("hat", "A Hat")
        };
        new.images = serde_json::from_value(json!([{ "url": "/1.jpg", "alt": "front" }, { "url": "/2.jpg" }])).unwrap();
        let made = shop.inventory().product_create(&call(), new).await.unwrap().value;
        let body = shop.list(&[]).await;
        let expected = json!({
            "id": made.id, "handle": "hat", "title": "A Hat", "vendor": "Acme", "status": "active", "category_id": null,
            "image": { "url": "/1.jpg", "alt": "front", "width": null, "height": null },
            "price_min": { "amount": 1000, "currency": "USD" }, "price_max": { "amount": 2000, "currency": "USD" },
            "in_stock": false, "created_at": made.created_at, "updated_at": made.updated_at,
        });
        assert_eq!(body, json!({ "items": [expected], "next_cursor": null }));
        shop.app.stop().await;
    }

    async fn a_backorder_needs_no_stock_row(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        let sku = NewSku { backorder_limit: 3, ..new_sku("A", 100) };
        let new = NewProduct { options: vec!["Size".into()], skus: vec![sku], ..new_product("hat", "Hat") };
        shop.inventory().product_create(&call(), new).await.unwrap();
        let is_in_stock = async || {
            let found = shop.handles(&[("in_stock", "true")]).await.len();
            let body = shop.list(&[("facets", "true")]).await;
            assert_eq!(found + shop.handles(&[("in_stock", "false")]).await.len(), 1);
            assert_eq!((&body["items"][0]["in_stock"], &body["facets"]["in_stock"]), (&json!(found == 1), &json!(found)));
            found == 1
        };
        assert!(is_in_stock().await);
        let order = |quantity| NewReservation {
            lines: vec![NewReservationLine { sku: "A".into(), location: None, quantity }],
            hold_seconds: None,
            allow_partial: false,
            holder: None,
            reference: String::new(),
        };
        shop.inventory().reserve(&call(), "somebody".into(), order(3)).await.unwrap();
        assert!(!is_in_stock().await, "only a location that is closed has no row");
        shop.app.stop().await;
    }

    async fn what_is_held_is_sold_out_until_the_hold_expires(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        let new = NewProduct { options: vec!["Size".into()], skus: vec![new_sku("A", 100)], ..new_product("hat", "Hat") };
        shop.inventory().product_create(&call(), new).await.unwrap();
        let is_in_stock = async || {
            let found = shop.handles(&[("in_stock", "true")]).await.len();
            let sold_out = shop.handles(&[("in_stock", "false")]).await.len();
            let body = shop.list(&[("facets", "true")]).await;
            assert_eq!(found + sold_out, 1);
            assert_eq!(body["items"][0]["in_stock"], found == 1);
            assert_eq!(body["facets"]["in_stock"], found);
            found == 1
        };
        assert!(!is_in_stock().await, "it never had stock");
        shop.adjust("A", &[("main", Counter::OnHand, 2)]).await;
        assert!(is_in_stock().await);
        let hold = async |quantity| {
            let lines = vec![NewReservationLine { sku: "A".into(), location: None, quantity }];
            let new = NewReservation {
                lines, hold_seconds: Some(60), allow_partial: false, holder: None, reference: String::new(),
            };
            shop.inventory().reserve(&call(), "somebody".into(), new).await.unwrap().value.id
        };
        hold(1).await;
        assert!(is_in_stock().await, "one is left");
        let committed = hold(1).await;
        assert!(!is_in_stock().await, "all are held");
        shop.inventory().reservation_commit(&call(), committed).await.unwrap();
        assert!(!is_in_stock().await, "one is held and one is sold");
        shop.app.clock.advance(Duration::from_secs(61));
        assert!(is_in_stock().await, "the hold has expired, though nobody swept");
        shop.adjust("A", &[("main", Counter::Safety, 1)]).await;
        assert!(!is_in_stock().await, "what is left is kept back");
        let patch = SkuPatch { backorder_limit: Some(5), ..Default::default() };
        shop.inventory().sku_update(&call(), "A", None, patch).await.unwrap();
        assert!(is_in_stock().await, "more may be promised than is there");
        shop.app.stop().await;
    }

    async fn shoppers_see_active_products_only(backend: Backend) {
        let shop = Listed::start(backend, 24).await;
        let (_, body) = shop.ask_as_shopper(&[("limit", "200"), ("facets", "true")]).await;
        let active = shop.models.iter().filter(|model| model.status == ProductStatus::Active);
        let active: Vec<_> = active.map(|model| model.handle.clone()).collect();
        assert!(active.len() < 24);
        assert_eq!(sorted(handles(&body)), sorted(active.clone()));
        assert_eq!(body["facets"]["total"], active.len());
        let (status, same) = shop.ask_as_shopper(&[("limit", "200"), ("status", "active")]).await;
        assert_eq!((status, &same["items"]), (200, &body["items"]));
        let customer = shop.app.token("customer@shop.example", Role::Customer).await;
        for hidden in ["draft", "archived"] {
            let path = format!("/api/v1/products?status={hidden}");
            for request in [
                shop.app.request(Method::GET, &path),
                shop.app.request_as(&customer, Method::GET, &path),
            ] {
                let (status, body) = read(request.send().await.unwrap()).await;
                assert_eq!((status, body["code"].as_str()), (403, Some("forbidden")));
            }
            assert!(!shop.handles(&[("status", hidden)]).await.is_empty());
        }
        shop.app.stop().await;
    }
}
