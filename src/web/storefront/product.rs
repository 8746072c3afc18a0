//! A product: its pictures, its options, its price and whether it can be had.

use std::collections::HashMap;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::cart::quantity_max;
use super::choice::{Choices, choices, nearest};
use super::listing::{address, trail};
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{
    Availability, AvailabilityStatus, Category, Image, Product, ProductKey, ProductStatus, ProductSummary, Sku,
    SkuOffer,
};
use crate::web::form::Input;
use crate::web::{Form, Shell};

/// Of how many SKUs availability is asked at a time.
const SKUS_AT_A_TIME: usize = 1_000;

/// A product in a grid.
pub(in crate::web) struct Card {
    pub(in crate::web) handle: String,
    pub(in crate::web) title: String,
    pub(in crate::web) image: Option<Image>,
    /// `$12.00`, or `from $12.00`.
    pub(in crate::web) price: String,
    pub(in crate::web) in_stock: bool,
}

impl Card {
    pub(in crate::web) fn of(shell: &Shell, product: &ProductSummary) -> Card {
        let price = match (&product.price_min, &product.price_max) {
            (Some(low), Some(high)) if low != high => shell.t1("price-from", "price", shell.money(low)),
            (Some(price), _) => shell.money(price),
            _ => String::new(),
        };
        Card {
            handle: product.handle.clone(),
            title: product.title.clone(),
            image: product.image.clone(),
            price,
            in_stock: product.in_stock,
        }
    }
}

#[derive(Template)]
#[template(path = "storefront/product.html")]
struct Page<'a> {
    shell: &'a Shell,
    product: &'a Product,
    /// Why shoppers do not see it.
    unseen: Option<String>,
    trail: Vec<&'a Category>,
    images: Vec<&'a Image>,
    options: Vec<Choices>,
    sku: Option<&'a Sku>,
    stock: Option<Stock>,
    form: &'a Form,
    quantity: Input,
}

/// How much of a SKU there is, in words; `kind` is for the style sheet.
pub(in crate::web) struct Stock {
    pub(in crate::web) kind: &'static str,
    pub(in crate::web) text: String,
    pub(in crate::web) can_be_had: bool,
    /// So many can be ordered.
    pub(in crate::web) orderable: i64,
}

impl Stock {
    pub(in crate::web) fn of(shell: &Shell, availability: Option<&Availability>) -> Stock {
        let left = availability.and_then(|availability| availability.left);
        let (kind, text) = match availability.map(|availability| availability.status) {
            Some(AvailabilityStatus::InStock) => ("in", shell.t("stock-in")),
            Some(AvailabilityStatus::Few) => ("few", shell.t1("stock-few", "left", left.unwrap_or(1))),
            Some(AvailabilityStatus::Backorder) => ("later", shell.t("stock-backorder")),
            Some(AvailabilityStatus::SoldOut) | None => ("out", shell.t("stock-out")),
        };
        let orderable = availability.and_then(|availability| availability.orderable).unwrap_or(0);
        Stock { kind, text, can_be_had: kind != "out", orderable }
    }
}

pub(super) async fn product(shell: Shell, request: HttpRequest, handle: web::Path<String>) -> ApiResult {
    let form = Form::of_query(&request);
    let is_seen = |product: &Product| product.status == ProductStatus::Active || shell.is_staff();
    let product = match find(&shell, &handle, is_seen).await? {
        Found::Here(product) => product,
        Found::Moved(product) => {
            let path = format!("/products/{}", product.handle);
            return Ok(shell.moved(address(&path, &form, &[], None)));
        }
    };
    let availability = availability(&shell, &product).await?;
    // What stands in the address chooses; it is not sent yet.
    shell.html(&page(&shell, &product, &availability, &form, "1"))
}

/// A product by its handle, or by one that it had before.
pub(super) enum Found {
    Here(Product),
    Moved(Product),
}

/// The product of this handle, where it may be seen; what has none is an error.
pub(super) async fn find(shell: &Shell, handle: &str, is_seen: impl Fn(&Product) -> bool) -> ApiResult<Found> {
    let inventory = &shell.site.inventory;
    if let Some(product) = inventory.product_get(ProductKey::from(handle)).await?.filter(&is_seen) {
        return Ok(Found::Here(product));
    }
    let moved = match inventory.product_moved(handle).await? {
        Some(now) => inventory.product_get(ProductKey::Handle(now)).await?.filter(&is_seen),
        None => None,
    };
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no product {handle:?}."));
    Ok(Found::Moved(moved.ok_or_else(missing)?))
}

/// The product again, with what was chosen and why it is not in the cart.
pub(super) async fn refused(shell: &Shell, product: &Product, form: &Form) -> ApiResult {
    let availability = availability(shell, product).await?;
    shell.form(form, &page(shell, product, &availability, form, form.get("quantity")))
}

async fn availability(shell: &Shell, product: &Product) -> ApiResult<Vec<Availability>> {
    let codes: Vec<String> = product.skus.iter().map(|sku| sku.code.clone()).collect();
    let mut found = Vec::with_capacity(codes.len());
    for codes in codes.chunks(SKUS_AT_A_TIME) {
        found.extend(shell.site.inventory.availability(codes.to_vec()).await?);
    }
    Ok(found)
}

fn page<'a>(
    shell: &'a Shell,
    product: &'a Product,
    availability: &[Availability],
    form: &'a Form,
    quantity: &str,
) -> Page<'a> {
    let known: HashMap<&str, &Availability> =
        availability.iter().map(|availability| (&*availability.sku, availability)).collect();
    let of = |sku: &Sku| known.get(&*sku.code).copied();
    let can_be_had = |sku: &Sku| of(sku).is_some_and(|found| found.status != AvailabilityStatus::SoldOut);
    // First the one that was asked for, then the nearest to it, then the first that can be had.
    let asked = chosen(product, form).or_else(|| nearest(product, form, can_be_had));
    let sku = asked.or_else(|| product.skus.iter().find(|sku| can_be_had(sku))).or(product.skus.first());
    let here = product.category_id.and_then(|id| shell.menu.iter().find(|category| category.id == id));
    let own = sku.map_or("", |sku| sku.image_url.as_str());
    let mut images: Vec<&Image> = product.images.iter().collect();
    // The picture of what is chosen stands first.
    images.sort_by_key(|image| own.is_empty() || image.url != own);
    let stock = sku.map(|sku| Stock::of(shell, of(sku)));
    // The page tells no exact stock, unless there is little.
    let few = stock.as_ref().filter(|stock| stock.kind == "few").map(|stock| stock.orderable);
    let most = few.map_or(quantity_max(shell), |few| few.min(quantity_max(shell)));
    let field = form.input("quantity", shell.t("product-quantity")).holds(quantity).kind("number").keys("numeric");
    Page {
        shell,
        product,
        unseen: match product.status {
            ProductStatus::Active => None,
            ProductStatus::Draft => Some(shell.t("product-unseen-draft")),
            ProductStatus::Archived => Some(shell.t("product-unseen-archived")),
        },
        trail: here.map_or(vec![], |here| trail(&shell.menu, here)),
        images,
        options: sku.map_or(vec![], |sku| choices(product, sku, form, can_be_had)),
        stock,
        sku,
        form,
        quantity: field.range(1, most).size("short").required(),
    }
}

/// The SKU whose options the form names; of a product without options the only one.
pub(super) fn chosen<'a>(product: &'a Product, form: &Form) -> Option<&'a Sku> {
    let values: Vec<&str> = (0..product.options.len()).map(|n| form.get(OPTIONS[n.min(OPTIONS.len() - 1)])).collect();
    product.skus.iter().find(|sku| sku.options == values)
}

/// The address of a product's page that shows this SKU.
pub(super) fn chosen_address(product: &Product, sku: &Sku) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(OPTIONS.iter().zip(&sku.options));
    match query.finish() {
        query if query.is_empty() => format!("/products/{}", product.handle),
        query => format!("/products/{}?{query}", product.handle),
    }
}

/// The picture of a SKU: its own, or its product's first.
pub(in crate::web) fn picture(offer: &SkuOffer) -> Option<Image> {
    let own = &offer.sku.image_url;
    match own.is_empty() {
        true => offer.product.image.clone(),
        false => Some(Image { url: own.clone(), alt: offer.product.title.clone(), width: None, height: None }),
    }
}

/// The names of the fields of a product's options: at most as many as it has (`OPTIONS_MAX`).
pub(super) const OPTIONS: [&str; 3] = ["option1", "option2", "option3"];
