//! A product's page: its description, its pictures, its SKUs.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::goods::{
    Now, at_fields, category_choices, choices, differences, key, lines, of_word, product_address, version, word,
};
use super::products::{STATUSES, Status};
use super::skus::{SkuRow, sku_rows};
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{Image, NewProduct, OPTIONS_MAX, Product, ProductKey, ProductPatch, ProductStatus};
use crate::web::form::Input;
use crate::web::{Form, Shell};

/// Rows for pictures that are not there yet.
const EMPTY_IMAGES: usize = 3;
/// So many SKUs are shown at a time.
pub(super) const SKUS_SHOWN: usize = 50;
/// More pictures than a product may have.
const IMAGE_ROWS_MAX: usize = 1_000;

const FIELDS: [(&str, &str); 13] = [
    ("title", "goods-title"),
    ("handle", "goods-handle"),
    ("status", "goods-status"),
    ("category_id", "goods-category"),
    ("vendor", "goods-vendor"),
    ("product_type", "goods-type"),
    ("tags", "goods-tags"),
    ("options.0", "goods-option"),
    ("options.1", "goods-option"),
    ("options.2", "goods-option"),
    ("attributes", "goods-attributes"),
    ("seo_title", "goods-seo-title"),
    ("seo_description", "goods-seo-description"),
];

struct ImageRow {
    number: usize,
    url: Input,
    alt: Input,
    width: Input,
    height: Input,
}

#[derive(Template)]
#[template(path = "admin/product.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// `None`: a new one.
    product: Option<&'a Product>,
    status: Option<Status>,
    address: String,
    version: String,
    key: String,
    now: Vec<Now>,
    statuses: Vec<(String, String)>,
    categories: Vec<(String, String)>,
    images: Vec<ImageRow>,
    skus: Vec<SkuRow<'a>>,
    first_skus: Option<String>,
    next_skus: Option<String>,
    /// It had stock, so it cannot be deleted.
    is_kept: bool,
    /// Until it is on sale, its address leads to this product, which had it before: its title and the address of its page.
    leads_to: Option<(String, String)>,
}

pub(super) async fn new(shell: Shell) -> ApiResult {
    show(&shell, &Form::of([("status", "draft")]), None, 0).await
}

pub(super) async fn create(shell: Shell, mut form: Form) -> ApiResult {
    let rows = image_rows(&form);
    let new = typed(&shell, &mut form, &rows);
    if form.is_good() {
        match shell.site.inventory.product_create(&form.once(&shell)?, new).await {
            Ok(made) => {
                let address = product_address(&made.value.handle, made.value.id);
                return Ok(shell.go_saying(address, "flash-product-made"));
            }
            Err(error) => form.refuse(at_fields(error, |pointer| field(pointer, &rows)))?,
        }
    }
    show(&shell, &form, None, 0).await
}

pub(super) async fn page(shell: Shell, request: HttpRequest, path: web::Path<String>) -> ApiResult {
    let product = find(&shell, &path).await?;
    if let Some(moved) = moved(&shell, &path, &product) {
        return Ok(moved);
    }
    show(&shell, &form_of(&product), Some(&product), from(&request)).await
}

/// The number of the first SKU that is shown.
pub(super) fn from(request: &HttpRequest) -> usize {
    Form::of_query(request).get("from").parse().unwrap_or(0)
}

/// The product of this id or handle, or the one that had this handle before: a page may be older than the product's new handle.
pub(super) async fn find(shell: &Shell, path: &str) -> ApiResult<Product> {
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no product {path:?}."));
    match shell.site.inventory.product_get(ProductKey::from(path)).await? {
        Some(product) => Ok(product),
        None => Ok(former(shell, path).await?.ok_or_else(missing)?),
    }
}

/// The product that had this handle before.
async fn former(shell: &Shell, handle: &str) -> ApiResult<Option<Product>> {
    match shell.site.inventory.product_moved(handle).await? {
        Some(now) => Ok(shell.site.inventory.product_get(ProductKey::Handle(now)).await?),
        None => Ok(None),
    }
}

/// Sends the browser to the product's own address, where `path` is a handle that it had before.
pub(super) fn moved(shell: &Shell, path: &str, product: &Product) -> Option<HttpResponse> {
    let is_former = matches!(ProductKey::from(path), ProductKey::Handle(handle) if handle != product.handle);
    let rest = shell.address.strip_prefix(&format!("/admin/products/{path}")).filter(|_| is_former)?;
    Some(shell.moved(format!("{}{rest}", product_address(&product.handle, product.id))))
}

pub(super) async fn update(shell: Shell, path: web::Path<String>, mut form: Form) -> ApiResult {
    let product = find(&shell, &path).await?;
    let rows = image_rows(&form);
    let new = typed(&shell, &mut form, &rows);
    if form.is_good() {
        let patch = patch(new, &form, &form_of(&product));
        let key = ProductKey::Id(product.id);
        match shell.site.inventory.product_update(shell.call(), key, Some(form.version()?), patch).await {
            Ok(product) => {
                return Ok(shell.go_saying(product_address(&product.handle, product.id), "flash-goods-saved"));
            }
            Err(error) => form.refuse(at_fields(error, |pointer| field(pointer, &rows)))?,
        }
    }
    show(&shell, &form, Some(&product), 0).await
}

pub(super) async fn set_status(shell: Shell, path: web::Path<String>, form: Form) -> ApiResult {
    let status: Option<ProductStatus> = of_word(form.get("status"));
    let wrong = || Problem::new(ErrorCode::BadRequest, "The form names no status.");
    let patch = ProductPatch { status: Some(status.ok_or_else(wrong)?), ..ProductPatch::default() };
    let key = ProductKey::Id(find(&shell, &path).await?.id);
    match shell.site.inventory.product_update(shell.call(), key, Some(form.version()?), patch).await {
        Ok(product) => Ok(shell.go_saying(product_address(&product.handle, product.id), "flash-goods-saved")),
        Err(error) => refused(&shell, &path, error).await,
    }
}

pub(super) async fn delete(shell: Shell, path: web::Path<String>, form: Form) -> ApiResult {
    let key = ProductKey::Id(find(&shell, &path).await?.id);
    match shell.site.inventory.product_delete(shell.call(), key, Some(form.version()?)).await {
        Ok(()) => Ok(shell.go_saying("/admin/products", "flash-product-deleted")),
        Err(error) => refused(&shell, &path, error).await,
    }
}

/// The product's page, with why something could not be done with it.
pub(super) async fn refused(shell: &Shell, path: &str, error: impl Into<Problem>) -> ApiResult {
    let product = find(shell, path).await?;
    let mut form = form_of(&product);
    form.refuse(error)?;
    show(shell, &form, Some(&product), 0).await
}

async fn show(shell: &Shell, form: &Form, product: Option<&Product>, from: usize) -> ApiResult {
    let categories = shell.site.inventory.category_list().await?;
    let now = product.map(|product| now(shell, form, product)).unwrap_or_default();
    let address =
        product.map_or("/admin/products/new".to_owned(), |product| product_address(&product.handle, product.id));
    let shown = product.map_or(&[][..], |product| product.skus.get(from..).unwrap_or_default());
    let skus = sku_rows(shell, &shown[..shown.len().min(SKUS_SHOWN)]).await?;
    let is_kept = match product {
        Some(product) => shell.site.inventory.had_stock(product.id, None).await?,
        None => false,
    };
    let goes_on = shown.len() > SKUS_SHOWN;
    let leads_to = match product.filter(|product| product.status != ProductStatus::Active) {
        Some(product) => former(shell, &product.handle).await?.filter(|former| former.id != product.id),
        None => None,
    };
    shell.form(
        form,
        &Page {
            shell,
            form,
            product,
            status: product.map(|product| Status::of(shell, product.status)),
            version: product.map_or(String::new(), |product| version(form, product)),
            key: key(shell, form),
            now,
            statuses: choices(shell, "product", &STATUSES),
            categories: category_choices(shell, &categories),
            images: images_shown(shell, form),
            skus,
            first_skus: (from > 0).then(|| format!("{address}#skus")),
            next_skus: goes_on.then(|| format!("{address}?from={}#skus", from + SKUS_SHOWN)),
            address,
            is_kept,
            leads_to: leads_to.map(|other| (other.title, product_address(&other.handle, other.id))),
        },
    )
}

/// The product as its form has it.
fn form_of(product: &Product) -> Form {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut values = vec![
        text("title", &product.title),
        text("handle", &product.handle),
        text("description_html", &product.description_html),
        text("vendor", &product.vendor),
        text("product_type", &product.product_type),
        text("status", &word(&product.status)),
        text("category_id", &product.category_id.map_or(String::new(), |id| id.to_string())),
        text("tags", &product.tags.join(", ")),
        text("seo_title", &product.seo_title),
        text("seo_description", &product.seo_description),
    ];
    let attributes: Vec<String> = product.attributes.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    values.push(text("attributes", &attributes.join("\n")));
    values.extend(product.options.iter().enumerate().map(|(n, name)| (format!("options.{n}"), name.clone())));
    for (n, image) in product.images.iter().enumerate() {
        let pixels = |pixels: Option<u32>| pixels.map_or(String::new(), |pixels| pixels.to_string());
        values.push((format!("images.{n}.url"), image.url.clone()));
        values.push((format!("images.{n}.alt"), image.alt.clone()));
        values.push((format!("images.{n}.width"), pixels(image.width)));
        values.push((format!("images.{n}.height"), pixels(image.height)));
    }
    Form::of(values)
}

/// What was typed, as a product; what cannot be read of it is noted in the form.
fn typed(shell: &Shell, form: &mut Form, rows: &[usize]) -> NewProduct {
    let mut options: Vec<String> = (0..OPTIONS_MAX).map(|n| form.text(&format!("options.{n}"))).collect();
    while options.last().is_some_and(String::is_empty) {
        options.pop();
    }
    let category_id = form.optional("category_id").map(|id| id.parse());
    if matches!(category_id, Some(Err(_))) {
        form.fault("category_id", shell.t("goods-wrong-choice"));
    }
    let status = of_word(form.get("status")).unwrap_or_else(|| {
        form.fault("status", shell.t("goods-wrong-choice"));
        ProductStatus::Draft
    });
    NewProduct {
        handle: form.optional("handle"),
        title: form.text("title"),
        description_html: lines(form, "description_html"),
        vendor: form.text("vendor"),
        product_type: form.text("product_type"),
        status,
        category_id: category_id.and_then(Result::ok),
        tags: form.get("tags").split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        options,
        attributes: attributes(shell, form),
        images: rows.iter().map(|row| image(shell, form, *row)).collect(),
        seo_title: form.text("seo_title"),
        seo_description: form.text("seo_description"),
        skus: vec![],
    }
}

fn attributes(shell: &Shell, form: &mut Form) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for line in lines(form, "attributes").lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(':') else {
            form.fault("attributes", shell.t1("goods-attribute-wrong", "line", line));
            continue;
        };
        if attributes.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            form.fault("attributes", shell.t1("goods-attribute-twice", "name", name.trim()));
        }
    }
    attributes
}

/// The rows in which a picture is named.
fn image_rows(form: &Form) -> Vec<usize> {
    let filled = form.all("images.").filter(|(_, value)| !value.is_empty());
    let rows: BTreeSet<usize> = filled.filter_map(|(name, _)| name.split('.').next()?.parse().ok()).collect();
    rows.into_iter().filter(|row| *row < IMAGE_ROWS_MAX).collect()
}

fn image(shell: &Shell, form: &mut Form, row: usize) -> Image {
    let mut pixels = |name: &str| {
        let name = format!("images.{row}.{name}");
        let text = form.optional(&name)?;
        let pixels = text.parse::<u32>().ok();
        if pixels.is_none() {
            form.fault(&name, shell.t("goods-pixels-wrong"));
        }
        pixels
    };
    let (width, height) = (pixels("width"), pixels("height"));
    let text = |name: &str| form.text(&format!("images.{row}.{name}"));
    Image { url: text("url"), alt: text("alt"), width, height }
}

/// The change from a product to what was typed. Lists whose text was not touched stay as they are: not every tag or attribute can be
/// written as such a text.
fn patch(new: NewProduct, form: &Form, now: &Form) -> ProductPatch {
    let is_touched = |name: &str| lines(form, name) != lines(now, name);
    ProductPatch {
        handle: new.handle,
        title: Some(new.title),
        description_html: is_touched("description_html").then_some(new.description_html),
        vendor: Some(new.vendor),
        product_type: Some(new.product_type),
        status: Some(new.status),
        tags: is_touched("tags").then_some(new.tags),
        options: Some(new.options),
        attributes: is_touched("attributes").then_some(new.attributes),
        images: Some(new.images),
        seo_title: Some(new.seo_title),
        seo_description: Some(new.seo_description),
        category_id: Some(new.category_id),
    }
}

/// The field in which the value stands that a pointer names.
fn field(pointer: &str, rows: &[usize]) -> Option<String> {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    match parts[..] {
        ["tags", ..] => Some("tags".to_owned()),
        ["attributes", ..] => Some("attributes".to_owned()),
        ["options"] => Some("options.0".to_owned()),
        ["images"] => Some("images.0.url".to_owned()),
        ["images", n, name] => Some(format!("images.{}.{name}", rows.get(n.parse::<usize>().ok()?)?)),
        _ => None,
    }
}

/// What is there now of what was typed otherwise.
fn now(shell: &Shell, form: &Form, product: &Product) -> Vec<Now> {
    let is = form_of(product);
    let mut now = differences(shell, form, &is, &FIELDS);
    for value in now.iter_mut() {
        // People know categories by their paths.
        let category = shell.menu.iter().find(|category| category.id.to_string() == value.value);
        value.value = category.map_or(std::mem::take(&mut value.value), |category| category.path.clone());
    }
    now.extend(differences(shell, form, &is, &[("description_html", "goods-description")]));
    let has_changed = |row: &usize| {
        ["url", "alt", "width", "height"].iter().any(|name| {
            let name = format!("images.{row}.{name}");
            form.get(&name) != is.get(&name)
        })
    };
    let mut rows = [image_rows(form), image_rows(&is)].concat();
    rows.retain(has_changed);
    let is_conflict = form.problem().is_some_and(|problem| problem.code == ErrorCode::VersionMismatch);
    if is_conflict && !rows.is_empty() {
        let images: Vec<&str> = product.images.iter().map(|image| &*image.url).collect();
        now.push(Now { label: shell.t("goods-images"), value: images.join("\n") });
    }
    now
}

fn images_shown(shell: &Shell, form: &Form) -> Vec<ImageRow> {
    let rows = image_rows(form).last().map_or(0, |last| last + 1) + EMPTY_IMAGES;
    let row = |row: usize| {
        let input = |name: &str, label: &str| form.input(&format!("images.{row}.{name}"), shell.t(label));
        ImageRow {
            number: row + 1,
            url: input("url", "goods-image-url"),
            alt: input("alt", "goods-image-alt"),
            width: input("width", "goods-image-width").keys("numeric"),
            height: input("height", "goods-image-height").keys("numeric"),
        }
    };
    (0..rows).map(row).collect()
}
