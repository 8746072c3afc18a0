//! Prices and stock of all SKUs of a product in one table: each row that was changed is done by itself, and says what became of it.

use std::collections::HashMap;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::counts::{Cell, Counted, count};
use super::goods::{decimal, key, optional_decimal, price, product_address, segment};
use super::product::{self, SKUS_SHOWN, from};
use crate::call::{Version, Versioned};
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{Location, Product, Sku, SkuPatch};
use crate::web::{Form, Shell};

/// More active locations than fit into a table are for the page of stock.
const LOCATIONS_SHOWN: usize = 6;

/// A row of the table, as it stands in the form: `price.3` belongs to `sku.3`.
struct Row<'a> {
    n: usize,
    sku: &'a Sku,
    segment: String,
    options: String,
    version: String,
    /// What was typed, and what is there now.
    price: String,
    price_now: String,
    compare: String,
    compare_now: String,
    cells: Vec<Cell>,
    fault: Option<String>,
    is_done: bool,
}

#[derive(Template)]
#[template(path = "admin/prices.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    product: &'a Product,
    address: String,
    key: String,
    from: usize,
    currency: &'a str,
    locations: &'a [Location],
    has_more_locations: bool,
    rows: Vec<Row<'a>>,
    first: Option<String>,
    next: Option<String>,
}

/// What became of the rows, by the code of the SKU.
#[derive(Default)]
struct Outcome {
    done: Vec<String>,
    failed: HashMap<String, String>,
}

pub(super) async fn page(shell: Shell, request: HttpRequest, path: web::Path<String>) -> ApiResult {
    let product = product::find(&shell, &path).await?;
    let form = Form::of([("reason", shell.t("counts-reason"))]);
    show(&shell, &form, &product, from(&request), &Outcome::default()).await
}

pub(super) async fn save(shell: Shell, path: web::Path<String>, mut form: Form) -> ApiResult {
    // Without its key nothing of the form is done.
    form.once(&shell)?;
    let product = product::find(&shell, &path).await?;
    let from = form.get("from").parse().unwrap_or(0);
    let mut outcome = Outcome::default();
    let rows: Vec<(usize, Sku)> = form
        .all("sku.")
        .take(SKUS_SHOWN)
        .filter_map(|(n, code)| Some((n.parse().ok()?, product.skus.iter().find(|sku| sku.code == code)?.clone())))
        .collect();
    for (n, sku) in rows {
        set_prices(&shell, &mut form, n, &sku, &mut outcome).await?;
    }
    for Counted { sku, fault, .. } in count(&shell, &mut form).await? {
        match fault {
            None => outcome.done.push(sku),
            Some(fault) => drop(outcome.failed.entry(sku).or_insert(fault)),
        }
    }
    let path = product_address(&product.handle, product.id);
    if outcome.failed.is_empty() && form.is_good() {
        return Ok(shell.go_saying(format!("{path}/prices?from={from}"), "flash-goods-saved"));
    }
    // As it is after the rows that were done.
    let product = product::find(&shell, &product.id.to_string()).await?;
    show(&shell, &form, &product, from, &outcome).await
}

/// Sets the prices of a row, if it was changed and does not say what is there already.
async fn set_prices(shell: &Shell, form: &mut Form, n: usize, sku: &Sku, outcome: &mut Outcome) -> ApiResult<()> {
    let [price_name, compare_name] = ["price", "compare"].map(|name| format!("{name}.{n}"));
    let is_touched = |name: &str| form.get(name) != form.get(&format!("was.{name}"));
    if !is_touched(&price_name) && !is_touched(&compare_name) {
        return Ok(());
    }
    let (typed, compare) = (price(shell, form, &price_name), price(shell, form, &compare_name));
    let has_compare = form.optional(&compare_name).is_some();
    let Some(typed) = typed.filter(|_| compare.is_some() || !has_compare) else {
        if form.get(&price_name).is_empty() {
            form.fault(&price_name, shell.t("goods-price-missing"));
        }
        outcome.failed.insert(sku.code.clone(), shell.t("prices-unreadable"));
        return Ok(());
    };
    if typed == sku.price && compare == sku.compare_at_price {
        return Ok(());
    }
    let patch = SkuPatch { price: Some(typed), compare_at_price: Some(compare), ..SkuPatch::default() };
    let version = Version::read(form.get(&format!("version.{n}"))).unwrap_or(Version { number: 0, ..sku.version() });
    match shell.site.inventory.sku_update(shell.call(), &sku.code, Some(version), patch).await {
        Ok(_) => outcome.done.push(sku.code.clone()),
        Err(error) => {
            let problem = Problem::from(error);
            let message = match problem.code {
                ErrorCode::VersionMismatch => shell.t("prices-conflict"),
                code if code.status() >= 500 => return Err(problem.into()),
                _ => {
                    problem.errors.first().map_or_else(|| shell.t("error-other"), |fault| shell.site.texts.fault(fault))
                }
            };
            form.fault(&price_name, format!("{}: {message}", sku.code));
            outcome.failed.insert(sku.code.clone(), message);
        }
    }
    Ok(())
}

async fn show(shell: &Shell, form: &Form, product: &Product, from: usize, outcome: &Outcome) -> ApiResult {
    let mut locations = shell.site.inventory.location_list().await?;
    locations.retain(|location| location.active);
    let has_more_locations = locations.len() > LOCATIONS_SHOWN;
    locations.truncate(LOCATIONS_SHOWN);
    let left = product.skus.get(from..).unwrap_or_default();
    let skus = &left[..left.len().min(SKUS_SHOWN)];
    let codes = skus.iter().map(|sku| sku.code.clone()).collect();
    let places: Vec<String> = locations.iter().map(|location| location.code.clone()).collect();
    let levels = shell.site.inventory.stock_at(codes, places.clone()).await?;
    let on_hand: HashMap<(&str, &str), i64> =
        levels.iter().map(|level| ((&*level.sku, &*level.location), level.on_hand)).collect();
    let rows = skus.iter().enumerate().map(|(n, sku)| {
        let is_failed = outcome.failed.contains_key(&sku.code);
        let kept = |name: &str, now: &str| match is_failed {
            true => form.text(&format!("{name}.{n}")),
            false => now.to_owned(),
        };
        let (price, compare) = (decimal(&sku.price), optional_decimal(sku.compare_at_price.as_ref()));
        let cell = |(m, location): (usize, &String)| {
            let now = on_hand.get(&(&*sku.code, &**location)).copied().unwrap_or(0);
            Cell::of(form, n * LOCATIONS_SHOWN + m, &sku.code, location, now, is_failed)
        };
        Row {
            n,
            sku,
            segment: segment(&sku.code),
            options: sku.options.join(", "),
            version: sku.version().to_string(),
            price: kept("price", &price),
            price_now: price,
            compare: kept("compare", &compare),
            compare_now: compare,
            cells: places.iter().enumerate().map(cell).collect(),
            fault: outcome.failed.get(&sku.code).cloned(),
            is_done: !is_failed && outcome.done.contains(&sku.code),
        }
    });
    let address = format!("{}/prices", product_address(&product.handle, product.id));
    shell.form(
        form,
        &Page {
            shell,
            form,
            product,
            key: key(shell, form),
            from,
            currency: &shell.site.currency,
            locations: &locations,
            has_more_locations,
            rows: rows.collect(),
            first: (from > 0).then(|| address.clone()),
            next: (left.len() > SKUS_SHOWN).then(|| format!("{address}?from={}", from + SKUS_SHOWN)),
            address,
        },
    )
}
