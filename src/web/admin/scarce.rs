//! The SKUs that want new goods: what the dashboard's tiles count.

use actix_web::HttpRequest;
use askama::Template;

use super::goods::{choices, of_word, product_address, segment};
use crate::http::ApiResult;
use crate::inventory::{InventoryError, ScarceSku, Scarcity, SkuOffer};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "admin/scarce.html")]
struct List<'a> {
    shell: &'a Shell,
    form: &'a Form,
    kinds: Vec<(String, String)>,
    /// Each row is of one location.
    is_low: bool,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

/// A SKU that wants new goods.
pub(super) struct Row {
    pub(super) code: String,
    /// The code as a part of an address.
    pub(super) segment: String,
    options: String,
    title: String,
    /// Of the product's page.
    address: String,
    threshold: Option<i64>,
    /// Where it is low.
    pub(super) location: Option<String>,
    pub(super) available: i64,
}

impl Row {
    pub(super) fn of(scarce: ScarceSku) -> Row {
        let ScarceSku { offer: SkuOffer { sku, product, .. }, location, available } = scarce;
        Row {
            segment: segment(&sku.code),
            code: sku.code,
            options: sku.options.join(", "),
            address: product_address(&product.handle, product.id),
            title: product.title,
            threshold: sku.low_stock_threshold,
            location,
            available,
        }
    }
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    let scarcity: Scarcity = of_word(form.get("stock")).unwrap_or(Scarcity::SoldOut);
    let path = request.path();
    let found = shell.site.inventory.stock_scarce(scarcity, form.optional("cursor"), Some(PAGE)).await;
    let page = match found {
        Err(InventoryError::InvalidCursor) => return Ok(shell.go(address(path, &form, &["cursor"], None))),
        page => page?,
    };
    shell.html(&List {
        shell: &shell,
        kinds: choices(&shell, "scarce", &["sold_out", "low"]),
        is_low: scarcity == Scarcity::Low,
        rows: page.items.into_iter().map(Row::of).collect(),
        first: form.optional("cursor").map(|_| address(path, &form, &["cursor"], None)),
        next: page.next_cursor.map(|cursor| address(path, &form, &["cursor"], Some(("cursor", &cursor)))),
        form: &form,
    })
}
