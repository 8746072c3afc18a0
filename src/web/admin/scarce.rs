//! The SKUs that want new goods: what the dashboard's tiles count.

use actix_web::HttpRequest;
use askama::Template;

use super::goods::{choices, of_word, product_address};
use super::skus::{SkuRow, sku_rows};
use crate::http::ApiResult;
use crate::inventory::{InventoryError, Scarcity, Sku, SkuOffer};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "admin/scarce.html")]
struct List<'a> {
    shell: &'a Shell,
    form: &'a Form,
    kinds: Vec<(String, String)>,
    rows: Vec<Row<'a>>,
    first: Option<String>,
    next: Option<String>,
}

struct Row<'a> {
    sku: SkuRow<'a>,
    title: &'a str,
    /// Of the product's page.
    address: String,
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
    let (skus, products): (Vec<Sku>, Vec<_>) =
        page.items.into_iter().map(|SkuOffer { sku, product, .. }| (sku, product)).unzip();
    let rows = sku_rows(&shell, &skus).await?.into_iter().zip(&products).map(|(sku, product)| Row {
        sku,
        title: &product.title,
        address: product_address(&product.handle, product.id),
    });
    shell.html(&List {
        shell: &shell,
        kinds: choices(&shell, "scarce", &["sold_out", "low"]),
        rows: rows.collect(),
        first: form.optional("cursor").map(|_| address(path, &form, &["cursor"], None)),
        next: page.next_cursor.map(|cursor| address(path, &form, &["cursor"], Some(("cursor", &cursor)))),
        form: &form,
    })
}
