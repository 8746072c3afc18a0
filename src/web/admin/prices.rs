//! Prices and stock of many SKUs in one table: of a product, or of all products that a search finds. Prices are set together, all or
//! none; then each count by itself. A change of all prices of the page fills the fields first: nothing is saved by it.

use std::collections::{HashMap, HashSet};

use actix_web::{HttpRequest, web};
use askama::Template;

use super::counts::{Cell, Counted, count};
use super::goods::{decimal, key, optional_decimal, price, product_address, segment};
use super::product::{self, SKUS_SHOWN, from};
use super::products::Sieve;
use super::reprice::{CHANGES, reprice, typed_price};
use crate::call::{Version, Versioned};
use crate::error::Problem;
use crate::http::ApiResult;
use crate::inventory::{InventoryError, Location, PriceBatch, PriceChange, Sku, SkuOffer};
use crate::web::storefront::address;
use crate::web::{Form, Shell};

/// More active locations than fit into a table are for the page of stock.
const LOCATIONS_SHOWN: usize = 6;

/// A row of the table, as it stands in the form: `price.3` belongs to `sku.3`.
struct Row {
    n: usize,
    code: String,
    segment: String,
    /// The product, where the table is of several: its title and the address of its page.
    product: Option<(String, String)>,
    options: String,
    version: String,
    /// What was typed, what was shown before that, and what is there now.
    price: String,
    price_was: String,
    price_now: String,
    compare: String,
    compare_was: String,
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
    place: &'a Place,
    key: String,
    currency: &'a str,
    locations: &'a [Location],
    has_more_locations: bool,
    rows: Vec<Row>,
    /// The choices of a change of all prices.
    changes: Vec<Vec<(String, String)>>,
    /// The fields hold what all prices would be.
    is_preview: bool,
    first: Option<String>,
    next: Option<String>,
}

/// Whose SKUs the table is of.
enum Place {
    /// A product's: its title and the address of its page.
    Product(String, String),
    /// All that the filters find.
    Found(Box<Sieve>),
}

impl Place {
    /// Is it of all products?
    fn is_whole(&self) -> bool {
        matches!(self, Place::Found(sieve) if sieve.is_whole())
    }
}

/// A SKU of the table, with its product where that is not known.
struct Line {
    sku: Sku,
    product: Option<(String, String)>,
}

impl Line {
    fn of(offer: SkuOffer) -> Line {
        let address = product_address(&offer.product.handle, offer.product.id);
        Line { sku: offer.sku, product: Some((offer.product.title, address)) }
    }
}

/// What became of the rows that were changed.
#[derive(Default)]
struct Outcome {
    done: HashSet<String>,
    /// By the code of the SKU.
    failed: HashMap<String, String>,
    /// Those whose prices somebody else has changed meanwhile: the page says so.
    conflicts: HashSet<String>,
    /// The shelves that were not counted, and whether the page says that they have moved.
    shelves: HashMap<String, bool>,
    /// Nothing was saved: all that was typed stays.
    is_kept: bool,
    is_preview: bool,
}

/// A table, and the links to the others.
struct Sheet {
    place: Place,
    lines: Vec<Line>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn page(shell: Shell, request: HttpRequest, path: web::Path<String>) -> ApiResult {
    let product = product::find(&shell, &path).await?;
    if let Some(moved) = product::moved(&shell, &path, &product) {
        return Ok(moved);
    }
    let from = from(&request);
    let back = product_address(&product.handle, product.id);
    let address = format!("{back}/prices");
    let left = product.skus.get(from..).unwrap_or_default();
    let line = |sku: &Sku| Line { sku: sku.clone(), product: None };
    let sheet = Sheet {
        lines: left.iter().take(SKUS_SHOWN).map(line).collect(),
        first: (from > 0).then(|| address.clone()),
        next: (left.len() > SKUS_SHOWN).then(|| format!("{address}?from={}", from + SKUS_SHOWN)),
        place: Place::Product(product.title, back),
    };
    show(&shell, &begun(&shell), sheet, &Outcome::default()).await
}

pub(super) async fn found(shell: Shell, request: HttpRequest) -> ApiResult {
    let sieve = Sieve::read(&shell, &request).await?;
    let page = match shell.site.inventory.sku_list(sieve.query(SKUS_SHOWN as u32)).await {
        Err(InventoryError::InvalidCursor) => {
            return Ok(shell.go(address(request.path(), &sieve.form, &["cursor"], None)));
        }
        page => page?,
    };
    let sheet = Sheet {
        lines: page.items.into_iter().map(Line::of).collect(),
        first: sieve.first(request.path()),
        next: page.next_cursor.map(|cursor| sieve.next(request.path(), &cursor)),
        place: Place::Found(Box::new(sieve)),
    };
    show(&shell, &begun(&shell), sheet, &Outcome::default()).await
}

fn begun(shell: &Shell) -> Form {
    Form::of([("reason", shell.t("counts-reason")), ("change.unit", "percent".into()), ("change.round", "none".into())])
}

pub(super) async fn save(shell: Shell, path: web::Path<String>, form: Form) -> ApiResult {
    let product = product::find(&shell, &path).await?;
    let back = product_address(&product.handle, product.id);
    change(&shell, form, Place::Product(product.title, back)).await
}

pub(super) async fn save_found(shell: Shell, request: HttpRequest, form: Form) -> ApiResult {
    let sieve = Sieve::read(&shell, &request).await?;
    change(&shell, form, Place::Found(Box::new(sieve))).await
}

/// Saves the table, or fills it with the change of all prices that the form asks for. What is shown afterwards are the same SKUs.
async fn change(shell: &Shell, mut form: Form, place: Place) -> ApiResult {
    // Without its key nothing of the form is done.
    form.once(shell)?;
    // A change that was entered is shown before anything is saved, by whatever button or key the form was sent.
    let outcome = if form.get("step") == "preview" || !form.get("change.by").is_empty() {
        form = reprice(shell, form, SKUS_SHOWN);
        let failed = form.all("sku.").filter_map(|(n, code)| Some((code.to_owned(), row_fault(&form, n)?)));
        Outcome { is_kept: true, is_preview: form.is_good(), failed: failed.collect(), ..Outcome::default() }
    } else {
        let outcome = save_rows(shell, &mut form).await?;
        if form.is_good() {
            return Ok(shell.go_saying(&shell.address, "flash-goods-saved"));
        }
        outcome
    };
    let codes = form.all("sku.").take(SKUS_SHOWN).map(|(_, code)| code.to_owned()).collect();
    let mut lines: Vec<Line> = shell.site.inventory.sku_offers(codes).await?.into_iter().map(Line::of).collect();
    if matches!(place, Place::Product(..)) {
        lines.iter_mut().for_each(|line| line.product = None);
    }
    // The links to other pages would lose what was typed.
    show(shell, &form, Sheet { place, lines, first: None, next: None }, &outcome).await
}

async fn save_rows(shell: &Shell, form: &mut Form) -> ApiResult<Outcome> {
    let mut outcome = Outcome::default();
    set_prices(shell, form, &mut outcome).await?;
    if !form.is_good() {
        outcome.is_kept = true;
        return Ok(outcome);
    }
    for Counted { sku, location, fault, has_moved, .. } in count(shell, form).await? {
        let Some(fault) = fault else {
            outcome.done.insert(sku);
            continue;
        };
        outcome.shelves.insert(format!("{sku}/{location}"), has_moved);
        outcome.failed.entry(sku).or_insert(fault);
    }
    Ok(outcome)
}

/// Sets the prices of all rows in which one was changed, or of none.
async fn set_prices(shell: &Shell, form: &mut Form, outcome: &mut Outcome) -> ApiResult<()> {
    let own = form.all("sku.").take(SKUS_SHOWN).map(|(n, code)| (n.to_owned(), code.to_owned()));
    let mut sent: Vec<String> = vec![];
    let mut rows = vec![];
    for (n, sku) in own.collect::<Vec<_>>() {
        let is_touched = |name: &str| form.get(&format!("{name}.{n}")) != form.get(&format!("was.{name}.{n}"));
        if !is_touched("price") && !is_touched("compare") {
            continue;
        }
        let [price_name, compare_name] = ["price", "compare"].map(|name| format!("{name}.{n}"));
        let (typed, compare) = (typed_price(shell, form, &price_name), price(shell, form, &compare_name));
        if let Some(fault) = row_fault(form, &n) {
            outcome.failed.insert(sku, fault);
            continue;
        }
        let Some(typed) = typed else { continue };
        let version = Version::read(form.get(&format!("version.{n}"))).map_or(0, |version| version.number);
        rows.push(PriceChange { sku, version, price: typed, compare_at_price: compare });
        sent.push(n);
    }
    if rows.is_empty() || !form.is_good() {
        return Ok(());
    }
    let codes: Vec<String> = rows.iter().map(|row| row.sku.clone()).collect();
    let mut call = form.once(shell)?;
    if let Some(key) = &mut call.key {
        key.key.push_str("-prices");
    }
    match shell.site.inventory.prices_set(&call, PriceBatch { rows }).await {
        Ok(_) => outcome.done.extend(codes),
        Err(InventoryError::Rows(faults)) => {
            for (row, error) in faults {
                if matches!(error, InventoryError::VersionMismatch { .. }) {
                    outcome.conflicts.insert(codes[row].clone());
                }
                let message = why(shell, error);
                form.fault(&format!("price.{}", sent[row]), format!("{}: {message}", codes[row]));
                outcome.failed.insert(codes[row].clone(), message);
            }
        }
        Err(error) => form.refuse(error)?,
    }
    Ok(())
}

/// What is wrong with what was typed as a row's prices.
fn row_fault(form: &Form, n: &str) -> Option<String> {
    ["price", "compare"].iter().find_map(|name| form.fault_at(&format!("{name}.{n}")).map(str::to_owned))
}

/// Why a row cannot be done, in words for its place.
fn why(shell: &Shell, error: InventoryError) -> String {
    match error {
        InventoryError::VersionMismatch { .. } => shell.t("prices-conflict"),
        error => {
            let problem = Problem::from(error);
            let told = problem.errors.first().map(|fault| shell.site.texts.fault(fault));
            told.or_else(|| shell.site.texts.problem(problem.code.code(), &problem.extra, 1)).unwrap_or(problem.detail)
        }
    }
}

/// What a form says of the prices of a SKU, where it is shown again. What was touched stays with the version and the values that were
/// shown beside it, so that a change of somebody else is still a conflict; once the page tells that, it stays with those of now.
struct Typed<'a> {
    form: &'a Form,
    /// Under which number the form has the SKU; `None`: nothing of it was touched.
    sent: Option<&'a str>,
    is_told: bool,
}

impl<'a> Typed<'a> {
    fn of(form: &'a Form, sent: Option<&'a str>, is_told: bool) -> Typed<'a> {
        let is_touched = |n: &&str| {
            ["price", "compare"]
                .iter()
                .any(|name| form.get(&format!("{name}.{n}")) != form.get(&format!("was.{name}.{n}")))
        };
        Typed { form, sent: sent.filter(is_touched), is_told }
    }

    /// What stands in a field, and what it was before; `now`: what is there.
    fn field(&self, name: &str, now: &str) -> (String, String) {
        let both =
            self.sent.map(|n| (self.form.text(&format!("{name}.{n}")), self.form.text(&format!("was.{name}.{n}"))));
        match both {
            Some(both) if !self.is_told => both,
            Some((typed, was)) if typed != was => (typed, now.to_owned()),
            _ => (now.to_owned(), now.to_owned()),
        }
    }

    /// The version that was shown, where it still counts.
    fn version(&self) -> Option<String> {
        self.sent.filter(|_| !self.is_told).map(|n| self.form.text(&format!("version.{n}")))
    }
}

async fn show(shell: &Shell, form: &Form, sheet: Sheet, outcome: &Outcome) -> ApiResult {
    let mut locations = shell.site.inventory.location_list().await?;
    locations.retain(|location| location.active);
    let has_more_locations = locations.len() > LOCATIONS_SHOWN;
    locations.truncate(LOCATIONS_SHOWN);
    let codes = sheet.lines.iter().map(|line| line.sku.code.clone()).collect();
    let places: Vec<String> = locations.iter().map(|location| location.code.clone()).collect();
    let levels = shell.site.inventory.stock_at(codes, places.clone()).await?;
    let on_hand: HashMap<(&str, &str), i64> =
        levels.iter().map(|level| ((&*level.sku, &*level.location), level.on_hand)).collect();
    // The numbers under which the form has the SKUs and their shelves.
    let numbers: HashMap<&str, &str> = form.all("sku.").map(|(n, code)| (code, n)).collect();
    let shelves: HashMap<&str, &str> = form.all("shelf.").map(|(n, shelf)| (shelf, n)).collect();
    let row = |(n, line): (usize, Line)| {
        let sku = &line.sku;
        let sent = numbers.get(&*sku.code).filter(|_| outcome.is_kept);
        let typed = Typed::of(form, sent.copied(), outcome.conflicts.contains(&sku.code));
        let (price_now, compare_now) = (decimal(&sku.price), optional_decimal(sku.compare_at_price.as_ref()));
        let is_failed = outcome.failed.contains_key(&sku.code);
        let cell = |(m, location): (usize, &String)| {
            let now = on_hand.get(&(&*sku.code, &**location)).copied().unwrap_or(0);
            let shelf = format!("{}/{location}", sku.code);
            let has_moved = outcome.shelves.get(&shelf).copied();
            let sent = shelves.get(&*shelf).filter(|_| has_moved.is_some() || outcome.is_kept).copied();
            Cell::of(form, n * LOCATIONS_SHOWN + m, shelf, now, sent, has_moved == Some(true))
        };
        let [(price, price_was), (compare, compare_was)] =
            [("price", &price_now), ("compare", &compare_now)].map(|(name, now)| typed.field(name, now));
        Row {
            n,
            segment: segment(&sku.code),
            options: sku.options.join(", "),
            version: typed.version().unwrap_or_else(|| sku.version().to_string()),
            price,
            price_was,
            price_now,
            compare,
            compare_was,
            compare_now,
            cells: places.iter().enumerate().map(cell).collect(),
            fault: outcome.failed.get(&sku.code).cloned(),
            is_done: !is_failed && outcome.done.contains(&sku.code),
            code: line.sku.code,
            product: line.product,
        }
    };
    let choice = |(group, words): &(&str, &[&str])| super::goods::choices(shell, group, words);
    shell.form(
        form,
        &Page {
            shell,
            form,
            place: &sheet.place,
            key: key(shell, form),
            currency: &shell.site.currency,
            locations: &locations,
            has_more_locations,
            rows: sheet.lines.into_iter().enumerate().map(row).collect(),
            changes: CHANGES.iter().map(choice).collect(),
            is_preview: outcome.is_preview,
            first: sheet.first,
            next: sheet.next,
        },
    )
}
