//! Stock at all places: a list that can be counted.

use actix_web::HttpRequest;
use actix_web::web::{ServiceConfig, get, post};
use askama::Template;

use super::counts::{Cell, Counted, count};
use super::goods::{asks_nothing, key, location_choices, segment};
use super::{STAFF, ledger};
use crate::http::ApiResult;
use crate::http::gate::Rule;
use crate::inventory::{StockLevel, StockQuery};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

pub(super) const RULES: &[Rule] = &[
    ("GET", "/admin/stock", STAFF),
    ("POST", "/admin/stock", STAFF),
    ("GET", "/admin/stock/{sku}", STAFF),
    ("POST", "/admin/stock/{sku}", STAFF),
    ("POST", "/admin/stock/{sku}/adjust", STAFF),
    ("POST", "/admin/stock/{sku}/transfer", STAFF),
    ("POST", "/admin/stock/{sku}/receive", STAFF),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .route("/admin/stock", get().to(list))
        .route("/admin/stock", post().to(save))
        .route("/admin/stock/{sku}", get().to(ledger::page))
        .route("/admin/stock/{sku}", post().to(ledger::count_all))
        .route("/admin/stock/{sku}/adjust", post().to(ledger::adjust))
        .route("/admin/stock/{sku}/transfer", post().to(ledger::transfer))
        .route("/admin/stock/{sku}/receive", post().to(ledger::receive));
}

const PAGE: u32 = 50;

/// A SKU at a location, with the field for its count.
pub(super) struct Row {
    pub(super) level: StockLevel,
    pub(super) segment: String,
    pub(super) cell: Cell,
    pub(super) fault: Option<String>,
    pub(super) is_done: bool,
}

impl Row {
    pub(super) fn of(n: usize, level: StockLevel, form: &Form, counted: &[Counted]) -> Row {
        let own = counted.iter().find(|shelf| shelf.sku == level.sku && shelf.location == level.location);
        let fault = own.and_then(|shelf| shelf.fault.clone());
        let has_moved = own.is_some_and(|shelf| shelf.has_moved);
        let sent = own.filter(|_| fault.is_some()).map(|shelf| &*shelf.n);
        Row {
            segment: segment(&level.sku),
            cell: Cell::of(form, n, format!("{}/{}", level.sku, level.location), level.on_hand, sent, has_moved),
            is_done: own.is_some() && fault.is_none(),
            fault,
            level,
        }
    }
}

#[derive(Template)]
#[template(path = "admin/stock.html")]
struct List<'a> {
    shell: &'a Shell,
    /// What is looked for.
    sieve: &'a Form,
    /// What was counted.
    form: &'a Form,
    key: String,
    rows: Vec<Row>,
    locations: Vec<(String, String)>,
    first: Option<String>,
    next: Option<String>,
    /// Nothing was asked for.
    is_whole: bool,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    show(&shell, &request, &Form::of([("reason", shell.t("counts-reason"))]), &[]).await
}

pub(super) async fn save(shell: Shell, request: HttpRequest, mut form: Form) -> ApiResult {
    let counted = count(&shell, &mut form).await?;
    match form.is_good() {
        true => Ok(shell.go_saying(&shell.address, "flash-goods-saved")),
        false => show(&shell, &request, &form, &counted).await,
    }
}

async fn show(shell: &Shell, request: &HttpRequest, form: &Form, counted: &[Counted]) -> ApiResult {
    let sieve = Form::of_query(request);
    let query = StockQuery {
        sku: sieve.optional("sku"),
        location: sieve.optional("location"),
        low: sieve.is_checked("low").then_some(true),
        cursor: sieve.optional("cursor"),
        limit: Some(PAGE),
    };
    let page = shell.site.inventory.stock_list(query).await?;
    let mut locations = vec![(String::new(), shell.t("goods-any"))];
    locations.extend(location_choices(&shell.site.inventory.location_list().await?));
    let path = request.path();
    let rows = page.items.into_iter().enumerate().map(|(n, level)| Row::of(n, level, form, counted));
    shell.form(
        form,
        &List {
            shell,
            form,
            key: key(shell, form),
            rows: rows.collect(),
            locations,
            first: sieve.optional("cursor").map(|_| address(path, &sieve, &["cursor"], None)),
            next: page.next_cursor.map(|cursor| address(path, &sieve, &["cursor"], Some(("cursor", &cursor)))),
            is_whole: asks_nothing(&sieve),
            sieve: &sieve,
        },
    )
}
