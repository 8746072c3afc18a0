//! Lists of products over HTTP, by what a client may ask for; here is the catalogue that the tests list.

use std::collections::BTreeMap;
use std::time::Duration;

use emporium::call::Role;
use emporium::clock::{Id, Time};
use emporium::inventory::{
    Adjustment, Counter, Inventory, LocationPatch, Money, NewCategory, NewLocation, NewProduct, NewSku, ProductStatus,
    StockBatch,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::seed::quiet;
use crate::testapp::{Backend, TestApp, call, read};

mod facet;
mod filter;
mod order;
mod request;
pub(crate) mod search;

/// A shop with a catalogue, somebody of its staff, and what a right answer must know of each product.
struct Listed {
    app: TestApp,
    token: String,
    models: Vec<Model>,
}

#[derive(Clone, Debug)]
struct Model {
    id: Id,
    handle: String,
    title: String,
    vendor: String,
    tags: Vec<&'static str>,
    category: Option<&'static str>,
    status: ProductStatus,
    prices: Vec<i64>,
    in_stock: bool,
    created_at: Time,
}

/// Slug, parent. `men-x` and `men0` lie around the subtree of `men` in the order of paths.
const CATEGORIES: &[(&str, Option<&str>)] = &[
    ("men", None),
    ("men-x", None),
    ("men0", None),
    ("women", None),
    ("tops", Some("men")),
    ("tees", Some("men/tops")),
    ("tops", Some("women")),
];
const TITLES: [&str; 6] = ["Wool Jacket", "Rain Jacket", "Linen Shirt", "Wool Socks", "wool jacket", "Äther Hat"];
const VENDORS: [&str; 4] = ["Acme", "Weavers", "acme", ""];
const TAGS: [&str; 3] = ["red", "blue", "sale"];

impl Listed {
    /// `count` products, each different in several ways.
    async fn start(backend: Backend, count: usize) -> Listed {
        let app = TestApp::start_with(backend, quiet).await;
        let token = app.token("staff@shop.example", Role::Staff).await;
        let mut listed = Listed { app, token, models: vec![] };
        let categories = listed.categories().await;
        for code in ["main", "old"] {
            let new = NewLocation { code: code.into(), name: code.into(), address: Default::default(), priority: 0 };
            listed.inventory().location_create(&call(), new).await.unwrap();
        }
        for index in 0..count {
            listed.add(index, &categories).await;
        }
        let closed = LocationPatch { active: Some(false), ..Default::default() };
        listed.inventory().location_update(&call(), "old", None, closed).await.unwrap();
        listed
    }

    fn inventory(&self) -> &dyn Inventory {
        &*self.app.shop.modules.inventory
    }

    async fn categories(&self) -> BTreeMap<String, Id> {
        let mut ids = BTreeMap::new();
        for (slug, parent) in CATEGORIES {
            let parent_id = parent.map(|parent| ids[parent]);
            let new = NewCategory { parent_id, slug: Some((*slug).into()), name: (*slug).into(), position: 0 };
            let made = self.inventory().category_create(&call(), new).await.unwrap().value;
            ids.insert(made.path, made.id);
        }
        ids
    }

    async fn add(&mut self, index: usize, categories: &BTreeMap<String, Id>) {
        let paths = ["men", "men/tops", "men/tops/tees", "men-x", "men0", "women", "women/tops"];
        let category = paths.get((index * 5) % 9).copied();
        let prices: Vec<i64> = (0..index % 4).map(|sku| 1_000 + ((index * 37 + sku * 491) % 11) as i64 * 100).collect();
        let statuses = [ProductStatus::Active, ProductStatus::Active, ProductStatus::Active, ProductStatus::Draft];
        let mut model = Model {
            id: Id(Default::default()),
            handle: format!("product-{index}"),
            title: TITLES[(index * 7) % 6].into(),
            vendor: VENDORS[(index / 2) % 4].into(),
            tags: TAGS.iter().enumerate().filter(|(bit, _)| (index >> bit) % 2 == 1).map(|(_, tag)| *tag).collect(),
            category,
            status: if index % 13 == 5 { ProductStatus::Archived } else { statuses[index % 4] },
            prices: prices.clone(),
            in_stock: false,
            created_at: Time::from_micros(0),
        };
        let new = NewProduct {
            vendor: model.vendor.clone(),
            status: model.status,
            category_id: category.map(|path| categories[path]),
            tags: model.tags.iter().map(|tag| (*tag).into()).collect(),
            options: if prices.is_empty() { vec![] } else { vec!["Size".into()] },
            skus: prices.iter().enumerate().map(|(sku, price)| new_sku(&format!("P{index}-{sku}"), *price)).collect(),
            ..new_product(&model.handle, &model.title)
        };
        let made = self.inventory().product_create(&call(), new).await.unwrap().value;
        (model.id, model.created_at) = (made.id, made.created_at);
        if let Some(sku) = made.skus.last() {
            model.in_stock = self.stock(&sku.code, index).await;
        }
        self.models.push(model);
    }

    /// Gives a SKU stock in one of several ways; tells whether there is something to sell.
    async fn stock(&self, sku: &str, index: usize) -> bool {
        let rows = match index % 5 {
            0 => vec![("main", Counter::OnHand, 3)],
            1 => vec![("old", Counter::OnHand, 3)],
            2 => vec![("main", Counter::OnHand, 3), ("main", Counter::Safety, 3)],
            3 => vec![("main", Counter::Incoming, 3)],
            _ => vec![("old", Counter::OnHand, 1), ("main", Counter::OnHand, 1)],
        };
        self.adjust(sku, &rows).await;
        matches!(index % 5, 0 | 4)
    }

    async fn adjust(&self, sku: &str, rows: &[(&str, Counter, i64)]) {
        let row = |(location, counter, delta): &(&str, Counter, i64)| Adjustment {
            sku: sku.into(),
            location: (*location).into(),
            counter: *counter,
            delta: *delta,
            reason: "test".into(),
        };
        let batch = StockBatch { atomic: true, rows: rows.iter().map(row).collect() };
        self.inventory().stock_adjust(&call(), batch).await.unwrap();
    }

    /// Status and body of a list, asked for by staff.
    async fn ask(&self, params: &[(&str, &str)]) -> (u16, Value) {
        let request = self.app.request_as(&self.token, Method::GET, "/api/v1/products").query(params);
        read(request.send().await.unwrap()).await
    }

    async fn ask_as_shopper(&self, params: &[(&str, &str)]) -> (u16, Value) {
        read(self.app.request(Method::GET, "/api/v1/products").query(params).send().await.unwrap()).await
    }

    /// The body of a list.
    async fn list(&self, params: &[(&str, &str)]) -> Value {
        let (status, body) = self.ask(params).await;
        assert_eq!(status, 200, "{params:?}: {body}");
        body
    }

    /// The handles of one page.
    async fn handles(&self, params: &[(&str, &str)]) -> Vec<String> {
        handles(&self.list(params).await)
    }

    /// The handles of all pages of this size, and what `between` does after each page.
    async fn walk(&self, params: &[(&str, &str)], limit: &str, between: impl AsyncFn(usize)) -> Vec<String> {
        let mut found = Vec::new();
        let mut cursor = None;
        for page in 0.. {
            let mut params = params.to_vec();
            params.push(("limit", limit));
            params.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let body = self.list(&params).await;
            found.extend(handles(&body));
            let Some(next) = body["next_cursor"].as_str() else { break };
            assert_eq!(body["items"].as_array().unwrap().len().to_string(), limit);
            cursor = Some(next.to_owned());
            between(page).await;
        }
        found
    }
}

fn handles(body: &Value) -> Vec<String> {
    body["items"].as_array().unwrap().iter().map(|item| item["handle"].as_str().unwrap().to_owned()).collect()
}

fn sorted(mut handles: Vec<String>) -> Vec<String> {
    handles.sort();
    handles
}

fn new_product(handle: &str, title: &str) -> NewProduct {
    serde_json::from_value(json!({ "handle": handle, "title": title, "status": "active" })).unwrap()
}

fn new_sku(code: &str, price: i64) -> NewSku {
    let price = Money { amount: price, currency: "USD".into() };
    let sku: NewSku = serde_json::from_value(json!({ "code": code, "options": [code], "price": price })).unwrap();
    sku
}
