//! Lists of products: of a category, or of a search; with filters, facets, an order and pages.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::product::Card;
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{Category, FacetCount, Facets, InventoryError, ProductQuery, ProductSort, ProductStatus};
use crate::money;
use crate::web::form::ungrouped;
use crate::web::{Form, Shell};

/// How many suggestions a search gives while it is typed.
const SUGGESTIONS: u32 = 6;
const PAGE: u32 = 24;
const FACETS_SHOWN: usize = 12;
/// So much of what is looked for stands in the heading.
const WORDS_SHOWN: usize = 80;
/// The parameters that are filters, and the place in the list that they make; in a search the first, its words, is none.
const FILTERS: [&str; 7] = ["q", "vendor", "tag", "price_min", "price_max", "in_stock", "cursor"];

const SORTS: [(&str, ProductSort); 6] = [
    ("relevance", ProductSort::Relevance),
    ("newest", ProductSort::Newest),
    ("price", ProductSort::Price),
    ("price-descending", ProductSort::PriceDescending),
    ("title", ProductSort::Title),
    ("title-descending", ProductSort::TitleDescending),
];

#[derive(Template)]
#[template(path = "storefront/listing.html")]
struct Listing<'a> {
    shell: &'a Shell,
    title: String,
    /// The categories from the root to this one; empty for a search.
    trail: Vec<&'a Category>,
    children: Vec<(&'a Category, i64)>,
    /// What was asked for, as it stands in the form.
    form: &'a Form,
    is_search: bool,
    path: String,
    sorts: Vec<(String, String)>,
    cards: Vec<Card>,
    facets: Facets,
    vendors: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    /// The filters in force: what each is, and the address without it.
    filters: Vec<(String, String)>,
    /// The address without any of them.
    unfiltered: String,
    price_hint: String,
    currency: String,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn category(shell: Shell, request: HttpRequest, path: web::Path<String>) -> ApiResult {
    match shell.menu.iter().find(|category| category.path == *path) {
        Some(here) => listing(&shell, &request, Some(here)).await,
        None => {
            let there = format!("/categories/{}", place(&shell, &path).await?);
            Ok(shell.moved(address(&there, &Form::of_query(&request), &[], None)))
        }
    }
}

/// A search within a category has that category's page.
pub(super) async fn search(shell: Shell, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    let Some(category) = form.optional("category") else { return listing(&shell, &request, None).await };
    let there = format!("/categories/{}", place(&shell, &category).await?);
    // A place in the list of the search is none in the category's.
    Ok(shell.moved(address(&there, &form, &["category", "cursor"], None)))
}

/// Where the category is whose path this is or was.
async fn place(shell: &Shell, path: &str) -> ApiResult<String> {
    let short = path.strip_suffix('/').unwrap_or(path);
    if let Some(there) = shell.menu.iter().find(|category| category.path == short) {
        return Ok(there.path.clone());
    }
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no category {path:?}."));
    Ok(shell.site.inventory.category_moved(path).await?.ok_or_else(missing)?)
}

async fn listing(shell: &Shell, request: &HttpRequest, here: Option<&Category>) -> ApiResult {
    let mut form = Form::of_query(request);
    let query = query(shell, &mut form, here);
    let path = request.path().to_owned();
    let mut page = match shell.site.inventory.product_list(query).await {
        Ok(page) => page,
        // An old address of a page further on: the list begins anew.
        Err(InventoryError::InvalidCursor) => return Ok(shell.go(address(&path, &form, &["cursor"], None))),
        Err(error) => return Err(error.into()),
    };
    let facets = page.facets.take().unwrap_or_default();
    let is_search = here.is_none();
    let sorts = SORTS.iter().filter(|(_, sort)| *sort != ProductSort::Relevance || form.optional("q").is_some());
    let price = |amount: Option<i64>| {
        amount.map(|amount| shell.money(crate::inventory::Money { amount, currency: shell.site.currency.clone() }))
    };
    let (low, high) = (price(facets.price_min).unwrap_or_default(), price(facets.price_max).unwrap_or_default());
    shell.html(&Listing {
        shell,
        title: match (here, form.get("q")) {
            (Some(here), _) => here.name.clone(),
            (None, "") => shell.t("listing-all"),
            (None, words) => shell.t1("listing-results", "words", heading(words)),
        },
        trail: here.map_or(vec![], |here| trail(&shell.menu, here)),
        children: children(&shell.menu, here, &facets),
        is_search,
        sorts: sorts.map(|(name, _)| ((*name).to_owned(), shell.word("sort", name))).collect(),
        cards: page.items.iter().map(|product| Card::of(shell, product)).collect(),
        vendors: choices(shell, &facets.vendors, form.get("vendor")),
        tags: choices(shell, &facets.tags, form.get("tag")),
        filters: filters(shell, &path, &form, is_search),
        unfiltered: address(&path, &form, if is_search { &FILTERS[1..] } else { &FILTERS }, None),
        price_hint: shell.t2("listing-price-range", "low", low, "high", high),
        currency: shell.site.currency.clone(),
        first: form.optional("cursor").map(|_| address(&path, &form, &["cursor"], None)),
        next: page.next_cursor.map(|cursor| address(&path, &form, &["cursor"], Some(("cursor", &cursor)))),
        form: &form,
        path,
        facets,
    })
}

/// What the form asks for. A price that cannot be read is told in the form, and not asked for.
fn query(shell: &Shell, form: &mut Form, here: Option<&Category>) -> ProductQuery {
    let currency = &shell.site.currency;
    let words = form.optional("q").map(|words| words.chars().take(200).collect::<String>());
    let sort = SORTS.iter().find(|(name, _)| *name == form.get("sort")).map(|(_, sort)| *sort);
    let (low, high) = (form.amount("price_min", currency), form.amount("price_max", currency));
    if low.zip(high).is_some_and(|(low, high)| low > high) {
        form.fault("price_max", shell.t("listing-price-order"));
    }
    ProductQuery {
        category: here.map(|category| category.path.clone()),
        vendor: form.optional("vendor"),
        tag: form.optional("tag"),
        price_min: low,
        price_max: high.filter(|high| low.is_none_or(|low| low <= *high)),
        in_stock: form.is_checked("in_stock").then_some(true),
        status: Some(ProductStatus::Active),
        sort: sort.filter(|sort| *sort != ProductSort::Relevance || words.is_some()),
        facets: Some(true),
        cursor: form.optional("cursor"),
        limit: Some(PAGE),
        q: words,
    }
}

/// What is looked for, as a heading has room for it.
fn heading(words: &str) -> String {
    match words.char_indices().nth(WORDS_SHOWN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

/// The categories from the root to this one.
pub(super) fn trail<'a>(menu: &'a [Category], here: &'a Category) -> Vec<&'a Category> {
    let mut trail = vec![here];
    while let Some(parent) = trail[0].parent_id.and_then(|id| menu.iter().find(|category| category.id == id)) {
        trail.insert(0, parent);
    }
    trail
}

/// The categories right below, each with the number of products that the answer has there.
fn children<'a>(menu: &'a [Category], here: Option<&Category>, facets: &Facets) -> Vec<(&'a Category, i64)> {
    let parent = here.map(|here| here.id);
    let count = |path: &str| facets.categories.iter().find(|facet| facet.value == path).map_or(0, |facet| facet.count);
    let below = menu.iter().filter(|category| category.parent_id == parent);
    below.map(|category| (category, count(&category.path))).filter(|(_, count)| *count > 0).collect()
}

/// The most frequent values of a facet, each with its number of products; the one that is chosen is always there.
fn choices(shell: &Shell, facet: &[FacetCount], chosen: &str) -> Vec<(String, String)> {
    let named = |value: &str, count| (value.to_owned(), format!("{value} ({})", shell.number(count)));
    let mut choices = vec![(String::new(), shell.t("listing-any"))];
    choices.extend(facet.iter().take(FACETS_SHOWN).map(|facet| named(&facet.value, facet.count)));
    if !chosen.is_empty() && !choices.iter().any(|(value, _)| value == chosen) {
        let count = facet.iter().find(|facet| facet.value == chosen).map_or(0, |facet| facet.count);
        choices.push(named(chosen, count));
    }
    choices
}

fn filters(shell: &Shell, path: &str, form: &Form, is_search: bool) -> Vec<(String, String)> {
    let without = |name| address(path, form, &[name, "cursor"], None);
    let mut filters = Vec::new();
    // On a search's own page its words stand in the heading.
    if let (false, Some(words)) = (is_search, form.optional("q")) {
        filters.push((shell.t1("filter-words", "words", heading(&words)), without("q")));
    }
    for name in ["vendor", "tag"] {
        if let Some(value) = form.optional(name) {
            filters.push((value, without(name)));
        }
    }
    for (name, text) in [("price_min", "filter-from"), ("price_max", "filter-to")] {
        let amount =
            ungrouped(form.get(name)).and_then(|text| money::parse(&text, money::decimals(&shell.site.currency)));
        if let Some(amount) = amount {
            let price = crate::inventory::Money { amount, currency: shell.site.currency.clone() };
            filters.push((shell.site.texts.say(text, &[("price", shell.money(price).into())]), without(name)));
        }
    }
    if form.is_checked("in_stock") {
        filters.push((shell.t("listing-in-stock"), without("in_stock")));
    }
    filters
}

/// The address of this list without some parameters, and with another.
pub(in crate::web) fn address(path: &str, form: &Form, without: &[&str], with: Option<(&str, &str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form.all("").filter(|(name, value)| !without.contains(name) && !value.is_empty()) {
        query.append_pair(name, value);
    }
    if let Some((name, value)) = with {
        query.append_pair(name, value);
    }
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

#[derive(Template)]
#[template(path = "storefront/suggestions.html")]
struct Suggestions {
    cards: Vec<Card>,
}

/// What the script shows below the search field: a piece of a page.
pub(super) async fn suggestions(shell: Shell, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    let Some(words) = form.optional("q") else { return shell.html(&Suggestions { cards: vec![] }) };
    let query = ProductQuery {
        q: Some(words.chars().take(200).collect()),
        status: Some(ProductStatus::Active),
        sort: Some(ProductSort::Relevance),
        limit: Some(SUGGESTIONS),
        ..ProductQuery::default()
    };
    let found = shell.site.inventory.product_list(query).await?;
    let cards = found.items.iter().map(|product| Card::of(&shell, product)).collect();
    shell.html(&Suggestions { cards })
}
