//! A SKU's stock: its level at each location, what can be done with it, and its ledger.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::counts::{Counted, count};
use super::goods::{at_fields, choices, key, location_choices, of_word, product_address, segment};
use super::names::{Named, Names};
use super::skus;
use super::stock::Row;
use crate::clock::{Id, Time};
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{
    Adjustment, Counter, Counters, InventoryError, LedgerEntry, LedgerQuery, Product, Receipt, Sku, StockBatch,
    StockLevel, Transfer,
};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

const PAGE: u32 = 25;
/// More locations than fit on a page.
const LOCATIONS_SHOWN: usize = 200;
const COUNTERS: [&str; 3] = ["on_hand", "safety", "incoming"];

/// A row of the ledger.
struct Entry {
    at: Time,
    location: String,
    kind: String,
    /// Each counter after it, and what was added.
    counters: Vec<(i64, Option<String>)>,
    reason: String,
    actor: Named,
    reservation: Option<Id>,
}

#[derive(Template)]
#[template(path = "admin/ledger.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    sieve: &'a Form,
    sku: &'a Sku,
    product: &'a Product,
    product_address: String,
    path: String,
    rows: Vec<Row>,
    locations: Vec<(String, String)>,
    /// The same, and the first one last: where goods are is not where they go.
    destinations: Vec<(String, String)>,
    sieve_locations: Vec<(String, String)>,
    counters: Vec<(String, String)>,
    entries: Vec<Entry>,
    first: Option<String>,
    next: Option<String>,
}

impl Page<'_> {
    /// Each of the forms has its own.
    fn key(&self) -> String {
        key(self.shell, self.form)
    }
}

pub(super) async fn page(shell: Shell, request: HttpRequest, code: web::Path<String>) -> ApiResult {
    show(&shell, &request, &code, &first_form(&shell), &[]).await
}

/// The forms before anything is typed.
fn first_form(shell: &Shell) -> Form {
    Form::of([("reason", shell.t("counts-reason"))])
}

pub(super) async fn count_all(
    shell: Shell,
    request: HttpRequest,
    code: web::Path<String>,
    mut form: Form,
) -> ApiResult {
    let counted = count(&shell, &mut form).await?;
    match form.is_good() {
        true => Ok(done(&shell, &code)),
        false => show(&shell, &request, &code, &form, &counted).await,
    }
}

pub(super) async fn adjust(shell: Shell, request: HttpRequest, code: web::Path<String>, mut form: Form) -> ApiResult {
    let counter: Counter = of_word(form.get("adjust.counter")).unwrap_or_default();
    let row = Adjustment {
        sku: code.clone(),
        location: form.text("adjust.location"),
        counter,
        delta: form.integer("adjust.delta"),
        reason: reason(&shell, &mut form, "adjust.reason"),
    };
    if form.is_good() {
        match shell.site.inventory.stock_adjust(&form.once(&shell)?, one(row)).await {
            Ok(_) => return Ok(done(&shell, &code)),
            Err(error) => refuse(&mut form, error, "adjust")?,
        }
    }
    show(&shell, &request, &code, &form, &[]).await
}

pub(super) async fn transfer(shell: Shell, request: HttpRequest, code: web::Path<String>, mut form: Form) -> ApiResult {
    let row = Transfer {
        sku: code.clone(),
        from: form.text("transfer.from"),
        to: form.text("transfer.to"),
        quantity: form.integer("transfer.quantity"),
        reason: reason(&shell, &mut form, "transfer.reason"),
    };
    if form.is_good() {
        match shell.site.inventory.stock_transfer(&form.once(&shell)?, one(row)).await {
            Ok(_) => return Ok(done(&shell, &code)),
            Err(error) => refuse(&mut form, error, "transfer")?,
        }
    }
    show(&shell, &request, &code, &form, &[]).await
}

pub(super) async fn receive(shell: Shell, request: HttpRequest, code: web::Path<String>, mut form: Form) -> ApiResult {
    let row = Receipt {
        sku: code.clone(),
        location: form.text("receive.location"),
        quantity: form.integer("receive.quantity"),
        reason: reason(&shell, &mut form, "receive.reason"),
    };
    if form.is_good() {
        match shell.site.inventory.stock_receive(&form.once(&shell)?, one(row)).await {
            Ok(_) => return Ok(done(&shell, &code)),
            Err(error) => refuse(&mut form, error, "receive")?,
        }
    }
    show(&shell, &request, &code, &form, &[]).await
}

/// A change of one row: it is done, or it is the call's error.
fn one<T>(row: T) -> StockBatch<T> {
    StockBatch { atomic: true, rows: vec![row] }
}

fn reason(shell: &Shell, form: &mut Form, name: &str) -> String {
    if form.get(name).is_empty() {
        form.fault(name, shell.t("stock-reason-missing"));
    }
    form.text(name)
}

/// Takes in why the only row was not done; its values are the fields that begin with the form's name.
fn refuse(form: &mut Form, error: InventoryError, name: &str) -> ApiResult<()> {
    let error = match error {
        InventoryError::Row { error, .. } => *error,
        other => other,
    };
    form.refuse(at_fields(error, |pointer| Some(format!("/{name}{pointer}"))))
}

fn done(shell: &Shell, code: &str) -> actix_web::HttpResponse {
    shell.go_saying(format!("/admin/stock/{}", segment(code)), "flash-stock-changed")
}

async fn show(shell: &Shell, request: &HttpRequest, code: &str, form: &Form, counted: &[Counted]) -> ApiResult {
    let (sku, product) = skus::find(shell, code).await?;
    let mut sieve = Form::of_query(request);
    if !form.is_good() {
        // The newest entries, whatever was looked at before.
        sieve = Form::default();
    }
    let query =
        LedgerQuery { location: sieve.optional("location"), cursor: sieve.optional("cursor"), limit: Some(PAGE) };
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no SKU {code:?}."));
    let ledger = shell.site.inventory.ledger(code, query).await?.ok_or_else(missing)?;
    let names = Names::of(shell, ledger.items.iter().map(|row| row.actor.as_str())).await?;
    let mut locations = shell.site.inventory.location_list().await?;
    locations.truncate(LOCATIONS_SHOWN);
    let codes = locations.iter().map(|location| location.code.clone()).collect();
    let mut levels = shell.site.inventory.stock_at(vec![sku.code.clone()], codes).await?;
    for location in locations.iter().filter(|location| location.active) {
        if !levels.iter().any(|level| level.location == location.code) {
            levels.push(empty(&sku, &location.code));
        }
    }
    let choices_of_locations = location_choices(&locations);
    let first = choices_of_locations.len().min(1);
    let any = (String::new(), shell.t("goods-any"));
    let path = format!("/admin/stock/{}", segment(&sku.code));
    let rows = levels.into_iter().enumerate().map(|(n, level)| Row::of(n, level, form, counted));
    shell.form(
        form,
        &Page {
            shell,
            form,
            product_address: product_address(&product.handle, product.id),
            rows: rows.collect(),
            sieve_locations: std::iter::once(any).chain(choices_of_locations.clone()).collect(),
            destinations: [&choices_of_locations[first..], &choices_of_locations[..first]].concat(),
            locations: choices_of_locations,
            counters: choices(shell, "counter", &COUNTERS),
            entries: ledger.items.into_iter().map(|row| entry(shell, &names, row)).collect(),
            first: sieve.optional("cursor").map(|_| address(&path, &sieve, &["cursor"], None)),
            next: ledger.next_cursor.map(|cursor| address(&path, &sieve, &["cursor"], Some(("cursor", &cursor)))),
            path,
            sieve: &sieve,
            sku: &sku,
            product: &product,
        },
    )
}

/// The level where there never was any stock.
fn empty(sku: &Sku, location: &str) -> StockLevel {
    StockLevel {
        sku: sku.code.clone(),
        location: location.to_owned(),
        on_hand: 0,
        reserved: 0,
        allocated: 0,
        safety: 0,
        incoming: 0,
        backorder: sku.backorder_limit,
        available: 0,
        version: 0,
    }
}

fn entry(shell: &Shell, names: &Names, row: LedgerEntry) -> Entry {
    let list = |counters: &Counters| {
        [counters.on_hand, counters.reserved, counters.allocated, counters.safety, counters.incoming]
    };
    let delta =
        |delta: i64| (delta != 0).then(|| format!("{}{}", if delta > 0 { "+" } else { "" }, shell.number(delta)));
    Entry {
        at: row.created_at,
        location: row.location,
        kind: shell.word("ledger", row.kind),
        counters: list(&row.after).into_iter().zip(list(&row.delta).map(delta)).collect(),
        reason: row.reason,
        actor: names.named(shell, &row.actor),
        reservation: row.reservation_id,
    }
}
