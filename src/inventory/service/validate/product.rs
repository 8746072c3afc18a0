//! The values of a product.

use std::collections::{BTreeMap, HashSet};

use super::Faults;
use crate::error::Fault;
use crate::inventory::service::html;
use crate::inventory::{Image, NO_OPTION, NewProduct, OPTIONS_MAX, ProductPatch, SKUS_MAX};

const TITLE_MAX: usize = 300;
const DESCRIPTION_MAX_BYTES: usize = 512 * 1024;
/// Of the vendor and the type.
const NAME_MAX: usize = 255;
const TAGS_MAX: usize = 250;
const TAG_MAX: usize = 255;
const OPTION_NAME_MAX: usize = 100;
const ATTRIBUTES_MAX: usize = 100;
const ATTRIBUTE_NAME_MAX: usize = 100;
const ATTRIBUTE_VALUE_MAX: usize = 1_000;
const IMAGES_MAX: usize = 250;
const ALT_MAX: usize = 512;
const SEO_TITLE_MAX: usize = 300;
const SEO_DESCRIPTION_MAX: usize = 1_000;

/// Brings a new product, with its SKUs, into the form in which it is kept (texts trimmed, tags sorted without repetition, HTML
/// sanitised), and notes what is not allowed.
pub(in crate::inventory::service) fn product(new: &mut NewProduct, currency: &str, faults: &mut Faults) {
    if let Some(handle) = &new.handle {
        faults.slug("/handle", handle);
    }
    title(&mut new.title, faults);
    description(&mut new.description_html, faults);
    faults.line("/vendor", &mut new.vendor, NAME_MAX);
    faults.line("/product_type", &mut new.product_type, NAME_MAX);
    tags(&mut new.tags, faults);
    drop_no_option(&mut new.options, new.skus.iter_mut().map(|sku| &mut sku.options));
    option_names(&mut new.options, faults);
    attributes(&new.attributes, faults);
    images(&mut new.images, faults);
    faults.line("/seo_title", &mut new.seo_title, SEO_TITLE_MAX);
    faults.line("/seo_description", &mut new.seo_description, SEO_DESCRIPTION_MAX);
    skus(new, currency, faults);
}

/// The same for a change.
pub(in crate::inventory::service) fn product_patch(patch: &mut ProductPatch, faults: &mut Faults) {
    if let Some(handle) = &patch.handle {
        faults.slug("/handle", handle);
    }
    if let Some(text) = &mut patch.title {
        title(text, faults);
    }
    if let Some(html) = &mut patch.description_html {
        description(html, faults);
    }
    let lines = [
        ("/vendor", &mut patch.vendor, NAME_MAX),
        ("/product_type", &mut patch.product_type, NAME_MAX),
        ("/seo_title", &mut patch.seo_title, SEO_TITLE_MAX),
        ("/seo_description", &mut patch.seo_description, SEO_DESCRIPTION_MAX),
    ];
    for (pointer, text, max) in lines {
        if let Some(text) = text {
            faults.line(pointer, text, max);
        }
    }
    if let Some(list) = &mut patch.tags {
        tags(list, faults);
    }
    if let Some(names) = &mut patch.options {
        option_names(names, faults);
    }
    if let Some(map) = &patch.attributes {
        attributes(map, faults);
    }
    if let Some(list) = &mut patch.images {
        images(list, faults);
    }
}

/// Takes an only option whose only value says that there is none ([`NO_OPTION`]) away from a product's names and from the values of
/// its SKUs. What says half of it and none of another option is meant so too.
pub(in crate::inventory::service) fn drop_no_option<'a>(
    names: &mut Vec<String>,
    values: impl Iterator<Item = &'a mut Vec<String>>,
) {
    if !(names.is_empty() || matches!(&names[..], [only] if only.trim() == NO_OPTION.0)) {
        return;
    }
    let mut values: Vec<&mut Vec<String>> = values.collect();
    if !values.is_empty() && values.iter().all(|values| without_no_option(values).is_empty()) {
        names.clear();
        values.iter_mut().for_each(|values| values.clear());
    }
}

/// The values of a SKU; none, where they say that there is no option.
pub(in crate::inventory::service) fn without_no_option(values: &[String]) -> &[String] {
    match values {
        [only] if only.trim() == NO_OPTION.1 => &[],
        _ => values,
    }
}

fn title(text: &mut String, faults: &mut Faults) {
    faults.required_line("/title", text, TITLE_MAX);
}

fn description(text: &mut String, faults: &mut Faults) {
    const POINTER: &str = "/description_html";
    let too_large = |size| Fault::TextTooLarge { size, max: DESCRIPTION_MAX_BYTES };
    if text.len() > DESCRIPTION_MAX_BYTES {
        return faults.add(POINTER, too_large(text.len()));
    }
    if text.chars().any(html::is_control) {
        return faults.add(POINTER, Fault::ControlCharacter);
    }
    if let Some(fault) = html::too_complex(text) {
        return faults.add(POINTER, fault);
    }
    *text = html::sanitise(text);
    // Sanitising adds to links, and writes a single > as &gt;.
    if text.len() > DESCRIPTION_MAX_BYTES {
        faults.add(POINTER, too_large(text.len()));
    }
}

fn tags(tags: &mut Vec<String>, faults: &mut Faults) {
    for (index, tag) in tags.iter_mut().enumerate() {
        faults.within(&format!("/tags/{index}"), |faults| faults.required_line("", tag, TAG_MAX));
    }
    tags.sort_unstable();
    tags.dedup();
    faults.count("/tags", tags.len(), TAGS_MAX);
}

fn option_names(names: &mut [String], faults: &mut Faults) {
    faults.count("/options", names.len(), OPTIONS_MAX);
    let mut seen = HashSet::new();
    for (index, name) in names.iter_mut().enumerate() {
        faults.within(&format!("/options/{index}"), |faults| {
            faults.required_line("", name, OPTION_NAME_MAX);
            if !seen.insert(name.to_lowercase()) {
                faults.add("", Fault::OptionRepeated);
            }
        });
    }
}

fn attributes(attributes: &BTreeMap<String, String>, faults: &mut Faults) {
    faults.count("/attributes", attributes.len(), ATTRIBUTES_MAX);
    for (name, value) in attributes {
        let has_control = |text: &str| text.chars().any(char::is_control);
        let length = value.chars().count();
        let fault = if name.trim().is_empty() || name.chars().count() > ATTRIBUTE_NAME_MAX {
            Fault::AttributeName { max: ATTRIBUTE_NAME_MAX }
        } else if length > ATTRIBUTE_VALUE_MAX {
            Fault::TooLong { length, max: ATTRIBUTE_VALUE_MAX }
        } else if has_control(name) || has_control(value) {
            Fault::ControlCharacter
        } else {
            continue;
        };
        // The name may be as long as the request: its beginning tells which one is meant.
        let name: String = name.chars().take(ATTRIBUTE_NAME_MAX).collect();
        faults.add(&format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1")), fault);
    }
}

fn images(images: &mut [Image], faults: &mut Faults) {
    faults.count("/images", images.len(), IMAGES_MAX);
    let mut seen = HashSet::new();
    for (index, image) in images.iter_mut().enumerate() {
        faults.within(&format!("/images/{index}"), |faults| {
            faults.image_url("/url", &mut image.url);
            faults.line("/alt", &mut image.alt, ALT_MAX);
            if !seen.insert(&*image.url) {
                faults.add("/url", Fault::ImageRepeated);
            }
        });
    }
}

fn skus(new: &mut NewProduct, currency: &str, faults: &mut Faults) {
    if new.skus.len() > SKUS_MAX {
        return faults.count("/skus", new.skus.len(), SKUS_MAX);
    }
    let names = &new.options;
    let mut codes = HashSet::new();
    let mut choices = HashSet::new();
    for (index, sku) in new.skus.iter_mut().enumerate() {
        faults.within(&format!("/skus/{index}"), |faults| {
            super::sku::sku(sku, currency, faults);
            super::sku::option_count(&sku.options, names, faults);
            if !codes.insert(&*sku.code) {
                faults.add("/code", Fault::SkuRepeated);
            }
            if !choices.insert(&*sku.options) {
                faults.add("/options", Fault::OptionsRepeated);
            }
        });
    }
}
