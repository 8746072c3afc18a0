//! A SKU's page, and a new SKU of a product.

use std::collections::HashMap;

use actix_web::web;
use askama::Template;

use super::goods::{
    Now, at_fields, at_prices, decimal, differences, key, optional_decimal, price, product_address, segment, version,
};
use super::product;
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{Money, NewSku, Product, ProductKey, Sku, SkuPatch};
use crate::web::form::Input;
use crate::web::{Form, Shell};

/// Of more locations what is available is not added up.
const LOCATIONS_ADDED: usize = 200;

const FIELDS: [(&str, &str); 14] = [
    ("code", "sku-code"),
    ("options.0", "goods-option"),
    ("options.1", "goods-option"),
    ("options.2", "goods-option"),
    ("price", "goods-price"),
    ("compare_at_price", "sku-compare"),
    ("barcode", "sku-barcode"),
    ("weight_grams", "sku-weight"),
    ("image_url", "goods-image-url"),
    ("backorder_limit", "sku-backorder"),
    ("low_stock_threshold", "sku-low"),
    ("position", "goods-position"),
    ("requires_shipping", "sku-shipping"),
    ("taxable", "sku-taxable"),
];

/// A SKU in its product's table.
pub(super) struct SkuRow<'a> {
    pub(super) sku: &'a Sku,
    pub(super) segment: String,
    pub(super) options: String,
    /// At all active locations.
    pub(super) available: i64,
}

/// The rows of these SKUs.
pub(super) async fn sku_rows<'a>(shell: &Shell, skus: &'a [Sku]) -> ApiResult<Vec<SkuRow<'a>>> {
    if skus.is_empty() {
        return Ok(vec![]);
    }
    let locations = shell.site.inventory.location_list().await?;
    let active = locations.into_iter().filter(|location| location.active).map(|location| location.code);
    let codes = skus.iter().map(|sku| sku.code.clone()).collect();
    let levels = shell.site.inventory.stock_at(codes, active.take(LOCATIONS_ADDED).collect()).await?;
    let mut available: HashMap<&str, i64> = HashMap::new();
    for level in &levels {
        *available.entry(&level.sku).or_default() += level.available;
    }
    let row = |sku: &'a Sku| SkuRow {
        sku,
        segment: segment(&sku.code),
        options: sku.options.join(", "),
        available: available.get(&*sku.code).copied().unwrap_or(0),
    };
    Ok(skus.iter().map(row).collect())
}

#[derive(Template)]
#[template(path = "admin/sku.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    product: &'a Product,
    product_address: String,
    /// `None`: a new one.
    sku: Option<&'a Sku>,
    address: String,
    stock_address: String,
    version: String,
    key: String,
    now: Vec<Now>,
    options: Vec<Input>,
    currency: &'a str,
    /// It had stock, so it cannot be deleted.
    is_kept: bool,
}

pub(super) async fn new(shell: Shell, path: web::Path<String>) -> ApiResult {
    let product = product::find(&shell, &path).await?;
    if let Some(moved) = product::moved(&shell, &path, &product) {
        return Ok(moved);
    }
    let form =
        Form::of([("weight_grams", "0"), ("backorder_limit", "0"), ("requires_shipping", "true"), ("taxable", "true")]);
    show(&shell, &form, &product, None).await
}

pub(super) async fn create(shell: Shell, path: web::Path<String>, mut form: Form) -> ApiResult {
    let product = product::find(&shell, &path).await?;
    let new = typed(&shell, &mut form, &product);
    if form.is_good() {
        let key = ProductKey::Id(product.id);
        match shell.site.inventory.sku_create(&form.once(&shell)?, key, new).await {
            Ok(_) => {
                let address = product_address(&product.handle, product.id);
                return Ok(shell.go_saying(format!("{address}#skus"), "flash-goods-saved"));
            }
            Err(error) => form.refuse(at_options(error))?,
        }
    }
    show(&shell, &form, &product, None).await
}

pub(super) async fn page(shell: Shell, code: web::Path<String>) -> ApiResult {
    let (sku, product) = find(&shell, &code).await?;
    show(&shell, &form_of(&sku), &product, Some(&sku)).await
}

pub(super) async fn update(shell: Shell, code: web::Path<String>, mut form: Form) -> ApiResult {
    let (sku, product) = find(&shell, &code).await?;
    let new = typed(&shell, &mut form, &product);
    let position = form.integer("position");
    if form.is_good() {
        let patch = SkuPatch {
            code: Some(new.code),
            options: Some(new.options),
            position: Some(position),
            price: Some(new.price),
            barcode: Some(new.barcode),
            weight_grams: Some(new.weight_grams),
            requires_shipping: Some(new.requires_shipping),
            taxable: Some(new.taxable),
            image_url: Some(new.image_url),
            backorder_limit: Some(new.backorder_limit),
            compare_at_price: Some(new.compare_at_price),
            low_stock_threshold: Some(new.low_stock_threshold),
        };
        match shell.site.inventory.sku_update(shell.call(), &sku.code, Some(form.version()?), patch).await {
            Ok(sku) => {
                return Ok(shell.go_saying(format!("/admin/skus/{}", segment(&sku.code)), "flash-goods-saved"));
            }
            Err(error) => form.refuse(at_options(error))?,
        }
    }
    show(&shell, &form, &product, Some(&sku)).await
}

pub(super) async fn delete(shell: Shell, code: web::Path<String>, form: Form) -> ApiResult {
    let (sku, product) = find(&shell, &code).await?;
    match shell.site.inventory.sku_delete(shell.call(), &sku.code, Some(form.version()?)).await {
        Ok(()) => {
            let address = product_address(&product.handle, product.id);
            Ok(shell.go_saying(format!("{address}#skus"), "flash-sku-deleted"))
        }
        Err(error) => {
            let (sku, product) = find(&shell, &code).await?;
            let mut form = form_of(&sku);
            form.refuse(error)?;
            show(&shell, &form, &product, Some(&sku)).await
        }
    }
}

/// A SKU and its product.
pub(super) async fn find(shell: &Shell, code: &str) -> ApiResult<(Sku, Product)> {
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no SKU {code:?}."));
    let (sku, _) = shell.site.inventory.sku_get(code).await?.ok_or_else(missing)?;
    let product = shell.site.inventory.product_get(ProductKey::Id(sku.product_id)).await?.ok_or_else(missing)?;
    Ok((sku, product))
}

async fn show(shell: &Shell, form: &Form, product: &Product, sku: Option<&Sku>) -> ApiResult {
    let is_kept = match sku {
        Some(sku) => shell.site.inventory.had_stock(product.id, Some(sku.id)).await?,
        None => false,
    };
    let product_address = product_address(&product.handle, product.id);
    let option = |(n, name): (usize, &String)| form.input(&format!("options.{n}"), name).required();
    shell.form(
        form,
        &Page {
            shell,
            form,
            product,
            sku,
            address: sku
                .map_or_else(|| format!("{product_address}/skus"), |sku| format!("/admin/skus/{}", segment(&sku.code))),
            product_address,
            stock_address: sku.map_or(String::new(), |sku| format!("/admin/stock/{}", segment(&sku.code))),
            version: sku.map_or(String::new(), |sku| version(form, sku)),
            key: key(shell, form),
            now: sku.map_or(vec![], |sku| differences(shell, form, &form_of(sku), &FIELDS)),
            options: product.options.iter().enumerate().map(option).collect(),
            currency: &shell.site.currency,
            is_kept,
        },
    )
}

fn form_of(sku: &Sku) -> Form {
    let mut values = vec![
        ("code".to_owned(), sku.code.clone()),
        ("price".to_owned(), decimal(&sku.price)),
        ("compare_at_price".to_owned(), optional_decimal(sku.compare_at_price.as_ref())),
        ("barcode".to_owned(), sku.barcode.clone()),
        ("weight_grams".to_owned(), sku.weight_grams.to_string()),
        ("image_url".to_owned(), sku.image_url.clone()),
        ("backorder_limit".to_owned(), sku.backorder_limit.to_string()),
        ("low_stock_threshold".to_owned(), sku.low_stock_threshold.map_or(String::new(), |low| low.to_string())),
        ("position".to_owned(), sku.position.to_string()),
    ];
    values.extend(sku.options.iter().enumerate().map(|(n, value)| (format!("options.{n}"), value.clone())));
    for (name, is_checked) in [("requires_shipping", sku.requires_shipping), ("taxable", sku.taxable)] {
        values.extend(is_checked.then(|| (name.to_owned(), "true".to_owned())));
    }
    Form::of(values)
}

/// What was typed; what cannot be read of it is noted in the form.
fn typed(shell: &Shell, form: &mut Form, product: &Product) -> NewSku {
    let amount = price(shell, form, "price");
    if amount.is_none() && form.get("price").is_empty() {
        form.fault("price", shell.t("goods-price-missing"));
    }
    let threshold = form.optional("low_stock_threshold").map(|_| form.integer("low_stock_threshold"));
    NewSku {
        code: form.text("code"),
        options: (0..product.options.len()).map(|n| form.text(&format!("options.{n}"))).collect(),
        price: amount.unwrap_or_else(|| Money { amount: 0, currency: shell.site.currency.clone() }),
        compare_at_price: price(shell, form, "compare_at_price"),
        barcode: form.text("barcode"),
        weight_grams: form.integer("weight_grams"),
        requires_shipping: form.is_checked("requires_shipping"),
        taxable: form.is_checked("taxable"),
        image_url: form.text("image_url"),
        backorder_limit: form.integer("backorder_limit"),
        low_stock_threshold: threshold,
    }
}

/// What is wrong with the options as a whole stands at the first one.
fn at_options(error: impl Into<Problem>) -> Problem {
    at_fields(at_prices(error), |pointer| (pointer == "/options").then(|| "options.0".to_owned()))
}
