//! What an import of a product means for the shop: a comparison of what the file says with what is there.

use std::collections::HashMap;

use crate::clock::{Id, Time};
use crate::error::{Fault, FieldError};
use crate::inventory::format::{ImportProduct, ImportSku, ImportStock};
use crate::inventory::service::catalogue::category::CATEGORIES_MAX;
use crate::inventory::service::catalogue::{product, sku};
use crate::inventory::service::validate::product::{drop_no_option, without_no_option};
use crate::inventory::store::search::Words;
use crate::inventory::store::stock::{Levels, Place, StockKey};
use crate::inventory::store::stock_set::StockSet;
use crate::inventory::{
    Counters, Image, Money, Product, ProductPatch, ProductStatus, QUANTITY_MAX, RowFault, SKUS_MAX, Sku,
};

/// How often a product is planned anew without the SKUs that were found wrong.
const PLANS_MAX: usize = 8;

/// What the database knows of the things that a batch names.
#[derive(Default)]
pub(super) struct Known {
    pub(super) products: HashMap<String, Product>,
    /// To which product a code belongs.
    pub(super) owners: HashMap<String, Id>,
    /// The counters of a SKU, by location.
    pub(super) stock: HashMap<Id, HashMap<Id, Levels>>,
    pub(super) categories: HashMap<String, Id>,
    pub(super) locations: HashMap<String, Id>,
}

/// What is to be done for a product.
pub(super) struct Plan<'a> {
    pub(super) before: Option<&'a Product>,
    /// With the new version where anything changes.
    pub(super) product: Product,
    /// The SKUs that are new and those that change, by their index in the product.
    pub(super) new_skus: Vec<usize>,
    pub(super) changed_skus: Vec<usize>,
    /// The words that it is found by, where they change.
    pub(super) words: Option<Words>,
    pub(super) stock: Vec<StockSet>,
}

impl Plan<'_> {
    pub(super) fn is_change(&self) -> bool {
        self.before.is_none_or(|before| before.version != self.product.version)
    }

    /// The SKUs that change, as they were and as they shall be.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&Sku, &Sku)> {
        let before = self.before.map_or(&[][..], |before| &before.skus);
        self.changed_skus.iter().map(|index| (&before[*index], &self.product.skus[*index]))
    }
}

/// Where quantities go that name no location: its code and id.
pub(super) type HomeLocation = (String, Id);

/// Plans the import of a product, which is found by `words` if it is new. Where the database knows of a SKU that cannot go in, the
/// others do: then there are faults beside the plan.
pub(super) fn plan<'a>(
    import: &ImportProduct,
    words: &Words,
    known: &'a Known,
    home: Option<&HomeLocation>,
    now: Time,
) -> Result<(Plan<'a>, Vec<RowFault>), Vec<RowFault>> {
    let mut wrong = match plan_whole(import, Some(words), known, home, now) {
        Ok(plan) => return Ok((plan, vec![])),
        Err(wrong) => wrong,
    };
    let (mut rest, mut told) = (import.clone(), vec![]);
    for _ in 0..PLANS_MAX {
        wrong.into_iter().for_each(|wrong| rest.fault(wrong));
        let faults;
        (rest, faults) = rest.sound().map_err(|faults| [told.clone(), faults].concat())?;
        told.extend(faults);
        wrong = match plan_whole(&rest, None, known, home, now) {
            Ok(plan) => return Ok((plan, told)),
            Err(wrong) => wrong,
        };
    }
    // Each time that SKUs are left out, others are wrong because of it.
    let wrong: Vec<RowFault> = wrong.into_iter().map(|wrong| rest.source.fault(wrong)).collect();
    let cause = wrong.first().map_or(0, |fault| fault.line);
    Err([told, rest.left_out(cause, wrong)].concat())
}

/// Plans the import of a product with all its SKUs. The faults have JSON Pointers into it.
fn plan_whole<'a>(
    import: &ImportProduct,
    words: Option<&Words>,
    known: &'a Known,
    home: Option<&HomeLocation>,
    now: Time,
) -> Result<Plan<'a>, Vec<FieldError>> {
    let before = known.products.get(&import.handle);
    let mut planner = Planner { import, known, home, now, faults: vec![] };
    let mut product = planner.values(before);
    let targets = planner.skus(&mut product);
    drop_no_option(&mut product.options, product.skus.iter_mut().map(|sku| &mut sku.options));
    planner.check_skus(&product, &targets);
    let stock = if planner.faults.is_empty() { planner.stock(&product, &targets) } else { vec![] };
    if !planner.faults.is_empty() {
        return Err(planner.faults);
    }
    let Some(before) = before else {
        let words = Some(words.cloned().unwrap_or_else(|| product::words(&product)));
        let new_skus = (0..product.skus.len()).collect();
        return Ok(Plan { before: None, product, new_skus, changed_skus: vec![], words, stock });
    };
    let kept = before.skus.len();
    let changed_skus: Vec<usize> = (0..kept).filter(|index| product.skus[*index] != before.skus[*index]).collect();
    for index in &changed_skus {
        let sku = &mut product.skus[*index];
        (sku.version, sku.updated_at) = (sku.version + 1, now);
    }
    let mut words = None;
    if product != *before {
        (product.version, product.updated_at) = (product.version + 1, now);
        words = (!has_same_texts(before, &product)).then(|| product::words(&product));
    }
    let new_skus = (kept..product.skus.len()).collect();
    Ok(Plan { before: Some(before), product, new_skus, changed_skus, words, stock })
}

/// Is one found by the same words as the other?
fn has_same_texts(a: &Product, b: &Product) -> bool {
    a.title == b.title
        && a.vendor == b.vendor
        && a.product_type == b.product_type
        && a.description_html == b.description_html
        && a.tags == b.tags
        && a.skus.iter().map(|sku| &sku.code).eq(b.skus.iter().map(|sku| &sku.code))
}

struct Planner<'a> {
    import: &'a ImportProduct,
    known: &'a Known,
    home: Option<&'a HomeLocation>,
    now: Time,
    faults: Vec<FieldError>,
}

impl Planner<'_> {
    fn fault(&mut self, pointer: &str, fault: Fault) {
        self.faults.push(FieldError::new(pointer, fault));
    }

    /// The product with what the file says of it, but for its SKUs.
    fn values(&mut self, before: Option<&Product>) -> Product {
        let ImportProduct { handle, values, category, .. } = self.import;
        if before.is_none() && values.title.is_none() {
            self.fault("/title", Fault::NewProductNeeds);
        }
        let mut product = before.cloned().unwrap_or_else(|| new_product(handle, self.now));
        let mut patch = ProductPatch { options: None, ..values.clone() };
        if let Some(images) = &mut patch.images {
            keep_sizes(images, &product.images);
        }
        if let Some(options) = &values.options {
            product.options.clone_from(options);
        }
        if let Some(category) = category {
            let id = category.as_ref().map(|category| self.known.categories.get(&category.path).copied());
            if id == Some(None) {
                self.fault("/category", Fault::CategoriesFull { max: CATEGORIES_MAX });
            }
            product.category_id = id.flatten();
        }
        // It refuses only another number of options, which the patch no longer has.
        product::patched(product, patch).unwrap_or_else(|wrong| {
            self.faults.push(wrong);
            new_product(handle, self.now)
        })
    }

    /// Gives the product its SKUs of the file, those that it has not behind those that it has; gives the index of each.
    fn skus(&mut self, product: &mut Product) -> Vec<usize> {
        let mut by_code: HashMap<String, usize> = HashMap::new();
        let mut by_options: HashMap<Vec<String>, usize> = HashMap::new();
        for (index, sku) in product.skus.iter().enumerate() {
            by_code.insert(sku.code.clone(), index);
            by_options.insert(without_no_option(&sku.options).to_vec(), index);
        }
        let mut position = product.skus.iter().map(|sku| sku.position).max().unwrap_or(0);
        let mut targets = Vec::with_capacity(self.import.skus.len());
        for (number, line) in self.import.skus.iter().enumerate() {
            let options = line.values.options.as_ref().filter(|_| line.code_is_made);
            let index = options
                .and_then(|options| by_options.get(without_no_option(options)))
                .or_else(|| by_code.get(&line.code));
            if let Some(&index) = index {
                let old = product.skus[index].clone();
                product.skus[index] = merged(old, line);
                targets.push(index);
                continue;
            }
            position += 1;
            let owner = self.known.owners.get(&line.code);
            if owner.is_some_and(|owner| *owner != product.id) {
                self.fault(&format!("/skus/{number}/code"), Fault::SkuOfAnother { sku: line.code.clone() });
            }
            if line.values.price.is_none() {
                self.fault(&format!("/skus/{number}/price"), Fault::NewSkuNeeds);
            }
            targets.push(product.skus.len());
            product.skus.push(merged(new_sku(&line.code, product.id, position, self.now), line));
        }
        targets
    }

    /// Do all SKUs together make a product?
    fn check_skus(&mut self, product: &Product, targets: &[usize]) {
        let count = product.options.len();
        if product.skus.len() > SKUS_MAX {
            self.fault("/skus", Fault::SkusTogether { count: product.skus.len(), max: SKUS_MAX });
        }
        let mut by_options: HashMap<&[String], usize> = HashMap::new();
        let mut numbers = vec![None; product.skus.len()];
        for (number, target) in targets.iter().enumerate() {
            if numbers[*target].replace(number).is_some() {
                self.fault(&format!("/skus/{number}"), Fault::SameSku);
            }
        }
        for (index, sku) in product.skus.iter().enumerate() {
            let pointer = numbers[index].map_or("/options".to_owned(), |number| format!("/skus/{number}/options"));
            if sku.options.len() != count {
                let (code, values) = (sku.code.clone(), sku.options.len());
                self.fault(&pointer, Fault::SkuOptionCount { sku: code, count: values, options: count });
            } else if let Some(other) = by_options.insert(&sku.options, index) {
                let (first, second) = (product.skus[other].code.clone(), sku.code.clone());
                self.fault(&pointer, Fault::SkusAlike { first, second });
            }
        }
    }

    /// The counters that the file sets to something else than they are.
    fn stock(&mut self, product: &Product, targets: &[usize]) -> Vec<StockSet> {
        let nothing = HashMap::new();
        let mut sets = vec![];
        for (number, (line, target)) in self.import.skus.iter().zip(targets).enumerate() {
            let sku = &product.skus[*target];
            let levels = self.known.stock.get(&sku.id).unwrap_or(&nothing);
            let mut on_hand: HashMap<Id, i64> =
                levels.iter().map(|(location, levels)| (*location, levels.counters.on_hand)).collect();
            for (place, stock) in line.stock.iter().enumerate() {
                let Some((code, location)) = self.location(stock) else {
                    // A dry run does not make the locations that the file has.
                    if !stock.location_is_declared {
                        self.fault(&format!("/skus/{number}/stock/{place}/location"), Fault::NoSuchLocation);
                    }
                    continue;
                };
                let before = levels.get(&location).copied();
                let after = counters(before, stock);
                on_hand.insert(location, after.on_hand);
                if before.map(|levels| levels.counters).unwrap_or_default() != after {
                    sets.push(StockSet {
                        place: Place {
                            key: StockKey { product_id: product.id, sku_id: sku.id, location_id: location },
                            sku: sku.code.clone(),
                            location: code,
                            low_stock_threshold: sku.low_stock_threshold,
                        },
                        before,
                        after,
                        backorder: sku.backorder_limit,
                    });
                }
            }
            // Holds whose time has passed count until they are tidied away: they are so in the database's own rule, too.
            for (location, levels) in levels {
                let promised = levels.counters.reserved + levels.counters.allocated;
                if promised > on_hand.get(location).copied().unwrap_or(0) + sku.backorder_limit {
                    let index = line
                        .stock
                        .iter()
                        .position(|stock| self.location(stock).is_some_and(|(_, named)| named == *location));
                    let pointer = match index {
                        Some(index) => format!("/skus/{number}/stock/{index}/on_hand"),
                        None => format!("/skus/{number}/backorder_limit"),
                    };
                    self.fault(&pointer, Fault::UnitsPromised { count: promised });
                }
            }
        }
        sets
    }

    /// The location of a quantity, by code and id. `None`: it is not there.
    fn location(&self, stock: &ImportStock) -> Option<HomeLocation> {
        match &stock.location {
            None => self.home.cloned(),
            Some(code) => self.known.locations.get(code).map(|id| (code.clone(), *id)),
        }
    }
}

fn counters(before: Option<Levels>, stock: &ImportStock) -> Counters {
    let before = before.map(|levels| levels.counters).unwrap_or_default();
    Counters {
        on_hand: stock.on_hand.unwrap_or(before.on_hand),
        safety: stock.safety.unwrap_or(before.safety),
        incoming: stock.incoming.unwrap_or(before.incoming),
        ..before
    }
}

/// The file may not know the sizes of the pictures that the shop knows.
fn keep_sizes(images: &mut [Image], known: &[Image]) {
    for image in images.iter_mut().filter(|image| image.width.is_none() && image.height.is_none()) {
        if let Some(known) = known.iter().find(|known| known.url == image.url) {
            (image.width, image.height) = (known.width, known.height);
        }
    }
}

/// The SKU with what the file says of it.
fn merged(old: Sku, line: &ImportSku) -> Sku {
    let mut sku = sku::patched(old, line.values.clone());
    if line.sells_beyond && sku.backorder_limit == 0 {
        sku.backorder_limit = QUANTITY_MAX;
    }
    sku
}

fn new_product(handle: &str, now: Time) -> Product {
    Product {
        id: Id::new(now),
        handle: handle.to_owned(),
        title: String::new(),
        description_html: String::new(),
        vendor: String::new(),
        product_type: String::new(),
        status: ProductStatus::Draft,
        category_id: None,
        tags: vec![],
        options: vec![],
        attributes: Default::default(),
        images: vec![],
        seo_title: String::new(),
        seo_description: String::new(),
        skus: vec![],
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn new_sku(code: &str, product_id: Id, position: i64, now: Time) -> Sku {
    Sku {
        id: Id::new(now),
        product_id,
        code: code.to_owned(),
        options: vec![],
        position,
        price: Money { amount: 0, currency: String::new() },
        compare_at_price: None,
        barcode: String::new(),
        weight_grams: 0,
        requires_shipping: true,
        taxable: true,
        image_url: String::new(),
        backorder_limit: 0,
        low_stock_threshold: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}
