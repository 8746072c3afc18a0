//! Brings what a file says into the form in which it is kept, and checks all that can be checked without the database.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use sha2::{Digest, Sha256};

use crate::error::Fault;
use crate::inventory::format::{CategoryPath, ImportCategory, ImportLocation, ImportProduct, ImportSku, Item};
use crate::inventory::service::catalogue::{category, location};
use crate::inventory::service::validate::product::{product_patch, without_no_option};
use crate::inventory::service::validate::sku::sku_patch;
use crate::inventory::service::validate::{self, Faults, slug_of};
use crate::inventory::store::search::Words;
use crate::inventory::{QUANTITY_MAX, RowFault, SKUS_MAX};

/// A made code is cut to so many characters, and gets a hash of the whole instead of the rest.
const MADE_CODE_MAX: usize = 80;
/// More locations of one SKU are not taken.
const STOCK_MAX: usize = 1_000;

/// A thing of a file that can be taken.
#[expect(clippy::large_enum_variant, reason = "nearly all are products")]
pub(super) enum Prepared {
    Location(ImportLocation),
    Category(ImportCategory),
    /// With what it is found by, if it is new; and the faults of those of its rows that are left out.
    Product(ImportProduct, Words, Vec<RowFault>),
}

/// Checks the things of one file, in their order.
pub(super) struct Preparer {
    currency: String,
    /// Hashes of the handles and the codes that have been there.
    handles: HashSet<u64>,
    codes: HashSet<u64>,
    hasher: RandomState,
    /// The codes of the locations that rows of the file make.
    locations: HashSet<String>,
}

impl Preparer {
    pub(super) fn new(currency: &str) -> Self {
        Preparer {
            currency: currency.to_owned(),
            handles: HashSet::new(),
            codes: HashSet::new(),
            hasher: RandomState::new(),
            locations: HashSet::new(),
        }
    }

    /// The thing as it is kept; or its faults.
    pub(super) fn prepare(&mut self, item: Item) -> Result<Prepared, Vec<RowFault>> {
        let mut faults = Faults::default();
        let (line, prepared) = match item {
            Item::Location(mut location) => {
                self.location(&mut location, &mut faults);
                (location.line, Prepared::Location(location))
            }
            Item::Category(mut category) => {
                check_category(&mut category, &mut faults);
                (category.line, Prepared::Category(category))
            }
            Item::Product(mut product) => {
                self.product(&mut product);
                let (product, faults) = product.sound()?;
                let words = words(&product);
                return Ok(Prepared::Product(product, words, faults));
            }
        };
        let faults = faults.into_vec();
        if faults.is_empty() {
            return Ok(prepared);
        }
        Err(faults.into_iter().map(|wrong| RowFault::of(line, wrong)).collect())
    }

    fn location(&mut self, location: &mut ImportLocation, faults: &mut Faults) {
        faults.location_code("/code", &location.code);
        if let Some(name) = &mut location.name {
            faults.required_line("/name", name, location::NAME_MAX);
        }
        if let Some(address) = &mut location.address {
            location::address(address, faults);
        }
        faults.range("/priority", location.priority.unwrap_or(0), -QUANTITY_MAX, QUANTITY_MAX);
        self.locations.insert(location.code.clone());
    }

    /// Checks a product, and notes in it what is wrong.
    fn product(&mut self, product: &mut ImportProduct) {
        let mut faults = Faults::default();
        faults.slug("/handle", &product.handle);
        if !self.handles.insert(self.hasher.hash_one(&product.handle)) {
            faults.add("/handle", Fault::ProductApart);
        }
        product_patch(&mut product.values, &mut faults);
        if let Some(Some(path)) = &mut product.category {
            check_path(path, &mut faults);
        }
        faults.count("/skus", product.skus.len(), SKUS_MAX);
        let mut found = faults.into_vec();
        if product.skus.len() > SKUS_MAX {
            let codes = product.skus.iter().map(|sku| self.hasher.hash_one(&sku.code));
            self.codes.extend(codes);
        } else {
            make_codes(&product.handle, &mut product.skus);
            for (index, sku) in product.skus.iter_mut().enumerate() {
                let mut faults = Faults::default();
                faults.within(&format!("/skus/{index}"), |faults| self.sku(sku, faults));
                found.extend(faults.into_vec());
            }
        }
        for wrong in found {
            product.fault(wrong);
        }
    }

    fn sku(&mut self, sku: &mut ImportSku, faults: &mut Faults) {
        faults.sku_code("/code", &sku.code);
        if !self.codes.insert(self.hasher.hash_one(&sku.code)) {
            faults.add("/code", Fault::CodeBefore);
        }
        sku_patch(&mut sku.values, &self.currency, faults);
        faults.count("/stock", sku.stock.len(), STOCK_MAX);
        let mut seen = HashSet::new();
        for (index, stock) in sku.stock.iter_mut().enumerate() {
            faults.within(&format!("/stock/{index}"), |faults| {
                if let Some(code) = &stock.location {
                    faults.location_code("/location", code);
                    stock.location_is_declared = self.locations.contains(code);
                }
                if !seen.insert(&stock.location) {
                    faults.add("/location", Fault::LocationTwice);
                }
                for (pointer, value) in
                    [("/on_hand", stock.on_hand), ("/safety", stock.safety), ("/incoming", stock.incoming)]
                {
                    faults.range(pointer, value.unwrap_or(0), 0, QUANTITY_MAX);
                }
            });
        }
    }
}

/// Cutting texts into words takes long, so it is done here and not while the database waits.
fn words(product: &ImportProduct) -> Words {
    let values = &product.values;
    Words::of(
        values.title.as_deref().unwrap_or_default(),
        values.vendor.as_deref().unwrap_or_default(),
        values.product_type.as_deref().unwrap_or_default(),
        values.tags.iter().flatten().map(String::as_str),
        product.skus.iter().map(|sku| sku.code.as_str()),
        values.description_html.as_deref().unwrap_or_default(),
    )
}

fn check_category(category: &mut ImportCategory, faults: &mut Faults) {
    faults.within("/path", |faults| check_slugs(&category.path, faults));
    if let Some(name) = &mut category.name {
        faults.required_line("/name", name, category::NAME_MAX);
    }
    faults.range("/position", category.position.unwrap_or(0), -QUANTITY_MAX, QUANTITY_MAX);
}

/// A product's category: its path is made from the names where the file has only those.
fn check_path(category: &mut CategoryPath, faults: &mut Faults) {
    faults.within("/category", |faults| {
        for name in &mut category.names {
            faults.required_line("", name, category::NAME_MAX);
        }
        if category.path.is_empty() {
            category.path = category.names.iter().map(|name| slug_of(name)).collect::<Vec<_>>().join("/");
        }
        check_slugs(&category.path, faults);
    });
}

fn check_slugs(path: &str, faults: &mut Faults) {
    let depth = path.split('/').count() as i64;
    if depth > category::DEPTH_MAX {
        return faults.add("", Fault::CategoryTooDeep { depth, max: category::DEPTH_MAX });
    }
    if !path.split('/').all(validate::is_slug) {
        faults.add("", Fault::CategoryPath);
    }
}

/// Gives the SKUs that have no code one that is made of the product's handle and their options: the same in each import, and
/// different from those of other products, since no handle has a dot.
fn make_codes(handle: &str, skus: &mut [ImportSku]) {
    let mut taken: HashSet<String> = skus.iter().map(|sku| sku.code.clone()).collect();
    for sku in skus.iter_mut().filter(|sku| sku.code.is_empty()) {
        let options = without_no_option(sku.values.options.as_deref().unwrap_or_default());
        let base = made_code(handle, options);
        let mut numbers = 2..;
        let mut code = base.clone();
        while !taken.insert(code.clone()) {
            code = format!("{base}.{}", numbers.next().unwrap_or(0));
        }
        sku.code = code;
        sku.code_is_made = true;
    }
}

fn made_code(handle: &str, options: &[String]) -> String {
    let mut code = handle.to_owned();
    for option in options {
        let slug = slug_of(option);
        code.push('.');
        code.push_str(&if slug.is_empty() { hash(&[option.as_str()]) } else { slug });
    }
    if code.len() <= MADE_CODE_MAX {
        return code;
    }
    // Handles and slugs are ASCII, but a handle that is none is only refused afterwards.
    let start: String = code.chars().take(MADE_CODE_MAX).collect();
    let whole: Vec<&str> = std::iter::once(handle).chain(options.iter().map(String::as_str)).collect();
    format!("{start}.{}", hash(&whole))
}

/// Eight hexadecimal digits.
fn hash(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0]);
    }
    hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(handle: &str, options: &[&str]) -> String {
        made_code(handle, &options.iter().map(|option| option.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn made_codes_are_the_same_each_time_and_differ() {
        assert_eq!(code("red-cap", &[]), "red-cap");
        assert_eq!(code("red-cap", &["XL", "Dark Blue"]), "red-cap.xl.dark-blue");
        assert_ne!(code("red-cap", &["大"]), code("red-cap", &["小"]));
        let long = "a".repeat(200);
        assert!(code(&long, &["S"]).len() <= 100);
        assert_ne!(code(&long, &["S"]), code(&long, &["M"]));
        assert!(validate::is_sku_code(&code(&long, &["大"])));
    }
}
