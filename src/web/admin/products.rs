//! The list of products, as staff see it.

use actix_web::HttpRequest;
use actix_web::web::{ServiceConfig, get, post};
use askama::Template;

use super::goods::{asks_nothing, choices, of_word, product_address, word};
use super::{STAFF, prices, product, scarce, skus};
use crate::http::ApiResult;
use crate::http::gate::Rule;
use crate::inventory::{Image, ProductQuery, ProductSort, ProductStatus, ProductSummary};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

pub(super) const RULES: &[Rule] = &[
    ("GET", "/admin/products", STAFF),
    ("GET", "/admin/products/new", STAFF),
    ("POST", "/admin/products/new", STAFF),
    ("GET", "/admin/products/{product}", STAFF),
    ("POST", "/admin/products/{product}", STAFF),
    ("POST", "/admin/products/{product}/status", STAFF),
    ("POST", "/admin/products/{product}/delete", STAFF),
    ("GET", "/admin/prices", STAFF),
    ("POST", "/admin/prices", STAFF),
    ("GET", "/admin/products/{product}/prices", STAFF),
    ("POST", "/admin/products/{product}/prices", STAFF),
    ("GET", "/admin/products/{product}/skus", STAFF),
    ("POST", "/admin/products/{product}/skus", STAFF),
    ("GET", "/admin/skus", STAFF),
    ("GET", "/admin/skus/{sku}", STAFF),
    ("POST", "/admin/skus/{sku}", STAFF),
    ("POST", "/admin/skus/{sku}/delete", STAFF),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin/products", get().to(list))
        .route("/admin/products/new", get().to(product::new))
        .route("/admin/products/new", post().to(product::create))
        .route("/admin/products/{product}", get().to(product::page))
        .route("/admin/products/{product}", post().to(product::update))
        .route("/admin/products/{product}/status", post().to(product::set_status))
        .route("/admin/products/{product}/delete", post().to(product::delete))
        .route("/admin/prices", get().to(prices::found))
        .route("/admin/prices", post().to(prices::save_found))
        .route("/admin/products/{product}/prices", get().to(prices::page))
        .route("/admin/products/{product}/prices", post().to(prices::save))
        .route("/admin/products/{product}/skus", get().to(skus::new))
        .route("/admin/products/{product}/skus", post().to(skus::create))
        .route("/admin/skus", get().to(scarce::list))
        .route("/admin/skus/{sku}", get().to(skus::page))
        .route("/admin/skus/{sku}", post().to(skus::update))
        .route("/admin/skus/{sku}/delete", post().to(skus::delete));
}

pub(super) const STATUSES: [&str; 3] = ["draft", "active", "archived"];
const PAGE: u32 = 50;
const WORDS_MAX: usize = 200;

const SORTS: [(&str, ProductSort); 7] = [
    ("newest", ProductSort::Newest),
    ("oldest", ProductSort::Oldest),
    ("title", ProductSort::Title),
    ("title-descending", ProductSort::TitleDescending),
    ("price", ProductSort::Price),
    ("price-descending", ProductSort::PriceDescending),
    ("relevance", ProductSort::Relevance),
];

struct Row {
    address: String,
    title: String,
    vendor: String,
    image: Option<Image>,
    status: Status,
    price: String,
    stock: Status,
}

/// A product's status in words; `kind` is for the style sheet.
pub(super) struct Status {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

impl Status {
    pub(super) fn of(shell: &Shell, status: ProductStatus) -> Status {
        let kind = match status {
            ProductStatus::Active => "good",
            ProductStatus::Draft => "warn",
            ProductStatus::Archived => "",
        };
        Status { kind, text: shell.word("product", word(&status)) }
    }
}

/// What is looked for among the products, and the choices of its form.
pub(super) struct Sieve {
    pub(super) form: Form,
    pub(super) statuses: Vec<(String, String)>,
    pub(super) categories: Vec<(String, String)>,
    pub(super) sorts: Vec<(String, String)>,
}

impl Sieve {
    pub(super) async fn read(shell: &Shell, request: &HttpRequest) -> ApiResult<Sieve> {
        let form = Form::of_query(request);
        let any = |key: &str| (String::new(), shell.t(key));
        let categories = shell.site.inventory.category_list().await?;
        let paths = categories.iter().map(|category| (category.path.clone(), category.path.clone()));
        let sorts: Vec<&str> = SORTS.iter().map(|(name, _)| *name).collect();
        Ok(Sieve {
            statuses: [vec![any("goods-any")], choices(shell, "product", &STATUSES)].concat(),
            categories: std::iter::once(any("goods-any")).chain(paths).collect(),
            sorts: choices(shell, "sort", &sorts[..sorts.len() - usize::from(form.get("q").is_empty())]),
            form,
        })
    }

    pub(super) fn query(&self, limit: u32) -> ProductQuery {
        let form = &self.form;
        let words = form.optional("q").map(|words| words.chars().take(WORDS_MAX).collect::<String>());
        let sold_out = form.is_checked("sold_out");
        let sort = SORTS.iter().find(|(name, _)| *name == form.get("sort")).map(|(_, sort)| *sort);
        ProductQuery {
            category: form.optional("category"),
            // Only what is on sale can be sold out.
            status: of_word(form.get("status")).or(sold_out.then_some(ProductStatus::Active)),
            in_stock: sold_out.then_some(false),
            sort: sort.filter(|sort| *sort != ProductSort::Relevance || words.is_some()),
            cursor: form.optional("cursor"),
            limit: Some(limit),
            q: words,
            ..ProductQuery::default()
        }
    }

    /// Are all products looked for?
    pub(super) fn is_whole(&self) -> bool {
        asks_nothing(&self.form)
    }

    /// The address of the list's beginning, where it is not what is shown.
    pub(super) fn first(&self, path: &str) -> Option<String> {
        self.form.optional("cursor").map(|_| self.at(path))
    }

    /// The address of what follows.
    pub(super) fn next(&self, path: &str, cursor: &str) -> String {
        address(path, &self.form, &["cursor"], Some(("cursor", cursor)))
    }

    /// The same filters on another page.
    pub(super) fn at(&self, path: &str) -> String {
        address(path, &self.form, &["cursor"], None)
    }
}

#[derive(Template)]
#[template(path = "admin/products.html")]
struct List<'a> {
    shell: &'a Shell,
    sieve: &'a Sieve,
    rows: Vec<Row>,
    /// The shop has no product yet.
    is_new: bool,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let sieve = Sieve::read(&shell, &request).await?;
    let page = shell.site.inventory.product_list(sieve.query(PAGE)).await?;
    shell.html(&List {
        shell: &shell,
        is_new: page.items.is_empty() && sieve.is_whole(),
        rows: page.items.iter().map(|product| row(&shell, product)).collect(),
        first: sieve.first(request.path()),
        next: page.next_cursor.map(|cursor| sieve.next(request.path(), &cursor)),
        sieve: &sieve,
    })
}

fn row(shell: &Shell, product: &ProductSummary) -> Row {
    let price = match (&product.price_min, &product.price_max) {
        (Some(low), Some(high)) if low != high => {
            shell.t2("goods-price-range", "low", shell.money(low), "high", shell.money(high))
        }
        (Some(price), _) => shell.money(price),
        _ => String::new(),
    };
    Row {
        address: product_address(&product.handle, product.id),
        title: product.title.clone(),
        vendor: product.vendor.clone(),
        image: product.image.clone(),
        status: Status::of(shell, product.status),
        price,
        stock: stock(shell, product),
    }
}

/// Can it be bought? A draft or an archived product is not sold out: nobody is offered it.
fn stock(shell: &Shell, product: &ProductSummary) -> Status {
    let (kind, text) = match (product.status, product.in_stock) {
        (ProductStatus::Active, true) => ("good", "stock-in"),
        (ProductStatus::Active, false) => ("bad", "stock-out"),
        _ => ("", "product-not-on-sale"),
    };
    Status { kind, text: shell.t(text) }
}
