//! The first page.

use askama::Template;

use super::product::Card;
use crate::http::ApiResult;
use crate::inventory::{ProductQuery, ProductStatus};
use crate::web::Shell;

#[derive(Template)]
#[template(path = "storefront/home.html")]
struct Home<'a> {
    shell: &'a Shell,
    newest: Vec<Card>,
    has_admin: bool,
}

pub(super) async fn home(mut shell: Shell) -> ApiResult {
    let query = ProductQuery {
        status: Some(ProductStatus::Active),
        in_stock: Some(true),
        limit: Some(10),
        ..ProductQuery::default()
    };
    let newest = shell.site.inventory.product_list(query).await?;
    let newest = newest.items.iter().map(|product| Card::of(&shell, product)).collect();
    // Where that cannot be asked the shop is open nevertheless.
    let has_admin = shell.site.has_admin().await.unwrap_or(true);
    if !has_admin {
        shell.keep_fresh();
    }
    shell.html(&Home { shell: &shell, newest, has_admin })
}
