//! Shopify's product CSV: its columns, and what they mean in ours.
//!
//! A product has a row for each SKU and each image; its own values stand in its first row. Beside Shopify's columns we write
//! `Category Path`, since a category's name does not tell its path; Shopify ignores what it does not know. So do we, and tell it.

mod read;
mod record;
mod write;

pub(in crate::inventory) use read::Reader;
pub(in crate::inventory) use write::{ExportRow, header, product};

macro_rules! columns {
    ($($variant:ident $name:literal;)*) => {
        /// A column that we read or write.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::inventory) enum Column { $($variant,)* }

        impl Column {
            /// In the order in which they are written.
            const ALL: &[Column] = &[$(Column::$variant,)*];

            pub(in crate::inventory) fn name(self) -> &'static str {
                match self { $(Column::$variant => $name,)* }
            }
        }
    };
}

columns! {
    Handle            "Handle";
    Title             "Title";
    Body              "Body (HTML)";
    Vendor            "Vendor";
    ProductCategory   "Product Category";
    Type              "Type";
    Tags              "Tags";
    Published         "Published";
    Option1Name       "Option1 Name";
    Option1Value      "Option1 Value";
    Option2Name       "Option2 Name";
    Option2Value      "Option2 Value";
    Option3Name       "Option3 Name";
    Option3Value      "Option3 Value";
    Code              "Variant SKU";
    Grams             "Variant Grams";
    Tracker           "Variant Inventory Tracker";
    Quantity          "Variant Inventory Qty";
    Policy            "Variant Inventory Policy";
    Fulfillment       "Variant Fulfillment Service";
    Price             "Variant Price";
    CompareAtPrice    "Variant Compare At Price";
    RequiresShipping  "Variant Requires Shipping";
    Taxable           "Variant Taxable";
    Barcode           "Variant Barcode";
    ImageSrc          "Image Src";
    ImagePosition     "Image Position";
    ImageAlt          "Image Alt Text";
    SeoTitle          "SEO Title";
    SeoDescription    "SEO Description";
    VariantImage      "Variant Image";
    Status            "Status";
    CategoryPath      "Category Path";
}

/// Columns of Shopify's own files that say nothing that we keep; one that ends in `/` stands for all that begin with it.
const NOT_KEPT: &[&str] = &[
    "Collection",
    "Compare At Price /",
    "Cost per item",
    "Custom Product Type",
    "Gift Card",
    "Google Shopping /",
    "Included /",
    "Option1 Linked To",
    "Option2 Linked To",
    "Option3 Linked To",
    "Price /",
    "Standard Product Type",
    "Unit Price Base Measure",
    "Unit Price Base Measure Unit",
    "Unit Price Total Measure",
    "Unit Price Total Measure Unit",
    "Variant Tax Code",
    "Variant Weight Unit",
];

/// Is it a column of ours or one of Shopify's? Shopify lets shops add columns of their own, its metafields.
fn is_known(name: &str) -> bool {
    let is_of_family = |known: &str| {
        let start = name.get(..known.len());
        (known.ends_with('/') || name.len() == known.len())
            && start.is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    Column::ALL.iter().any(|column| column.name().eq_ignore_ascii_case(name))
        || NOT_KEPT.iter().any(|known| is_of_family(known))
        || name.contains("(product.metafields.")
        || name.contains("(variant.metafields.")
}

const OPTION_NAMES: [Column; 3] = [Column::Option1Name, Column::Option2Name, Column::Option3Name];
const OPTION_VALUES: [Column; 3] = [Column::Option1Value, Column::Option2Value, Column::Option3Value];

/// The list and the index that a JSON Pointer begins with, as `("skus", 3)` of `/skus/3/price`.
pub(super) fn item_of(pointer: &str) -> (&str, Option<usize>) {
    let mut parts = pointer.split('/').skip(1);
    (parts.next().unwrap_or_default(), parts.next().and_then(|part| part.parse().ok()))
}

/// The name of the column in which the value at a product's JSON Pointer stands; empty: it has none. `options` has the number of the
/// columns of each option, where that is not the option's own.
pub(super) fn column_of(pointer: &str, category: Column, options: &[usize]) -> &'static str {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    let numbered = |columns: [Column; 3], part: &str| {
        let index = part.parse().unwrap_or(0);
        columns[options.get(index).copied().unwrap_or(index).min(2)]
    };
    let column = match parts.as_slice() {
        ["handle", ..] => Column::Handle,
        ["title", ..] => Column::Title,
        ["description_html", ..] => Column::Body,
        ["vendor", ..] => Column::Vendor,
        ["product_type", ..] => Column::Type,
        ["category", ..] => category,
        ["tags", ..] => Column::Tags,
        ["status", ..] => Column::Status,
        ["options"] => numbered(OPTION_NAMES, "0"),
        ["options", index, ..] => numbered(OPTION_NAMES, index),
        ["images", _, "alt"] => Column::ImageAlt,
        ["images", ..] => Column::ImageSrc,
        ["seo_title", ..] => Column::SeoTitle,
        ["seo_description", ..] => Column::SeoDescription,
        ["skus", _, "options"] => numbered(OPTION_VALUES, "0"),
        ["skus", _, "options", index, ..] => numbered(OPTION_VALUES, index),
        ["skus", _, "code", ..] => Column::Code,
        ["skus", _, "price", ..] => Column::Price,
        ["skus", _, "compare_at_price", ..] => Column::CompareAtPrice,
        ["skus", _, "barcode", ..] => Column::Barcode,
        ["skus", _, "weight_grams", ..] => Column::Grams,
        ["skus", _, "image_url", ..] => Column::VariantImage,
        ["skus", _, "backorder_limit", ..] => Column::Policy,
        ["skus", _, "stock", ..] => Column::Quantity,
        _ => return "",
    };
    column.name()
}

/// A spreadsheet runs a cell that begins like this as a formula.
fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// A cell as it is written: with `'` before what a spreadsheet would run.
fn guarded(cell: &str) -> String {
    if is_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// Undoes [`guarded`].
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|_| is_formula(cell)).unwrap_or(cell)
}

/// Tags in one cell; one with a comma stands in quotes.
fn join_tags(tags: &[String]) -> String {
    let quoted = |tag: &String| match tag.contains(',') || tag.starts_with('"') {
        true => format!("\"{}\"", tag.replace('"', "\"\"")),
        false => tag.clone(),
    };
    tags.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

fn split_tags(cell: &str) -> Vec<String> {
    let mut tags = vec![];
    let mut rest = cell.trim_start();
    while !rest.is_empty() {
        let (tag, after) = quoted_tag(rest).unwrap_or_else(|| {
            let (tag, after) = rest.split_once(',').unwrap_or((rest, ""));
            (tag.trim().to_owned(), after)
        });
        if !tag.is_empty() {
            tags.push(tag);
        }
        rest = after.trim_start();
    }
    tags
}

/// A tag in quotes at the start of `text`, and what follows its comma.
fn quoted_tag(text: &str) -> Option<(String, &str)> {
    let mut tag = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let (part, after) = rest.split_once('"')?;
        tag.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                tag.push('"');
                rest = after;
            }
            None if after.trim_start().is_empty() => return Some((tag, "")),
            None => return after.trim_start().strip_prefix(',').map(|after| (tag, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_come_back_as_they_were() {
        let tags = ["a", "b, c", "\"d\"", "e\"f"].map(str::to_owned).to_vec();
        assert_eq!(split_tags(&join_tags(&tags)), tags);
        assert_eq!(split_tags(" x,, y z ,\"w"), ["x", "y z", "\"w"]);
    }

    #[test]
    fn formulas_are_guarded_and_come_back() {
        for text in ["=1+1", "'=1", "-5", "@a", "a=b", "'quoted'", "", "'"] {
            assert!(!guarded(text).starts_with(['=', '+', '-', '@']));
            assert_eq!(unguarded(&guarded(text)), text);
        }
        assert_eq!(guarded("=1"), "'=1");
        assert_eq!(guarded("'quoted'"), "'quoted'");
    }

    #[test]
    fn pointers_lead_to_columns() {
        for (pointer, column) in [
            ("/skus/3/price/amount", "Variant Price"),
            ("/skus/0/options/1", "Option2 Value"),
            ("/options/2", "Option3 Name"),
            ("/images/0/url", "Image Src"),
            ("/category", "Type"),
            ("/attributes/a", ""),
        ] {
            assert_eq!(column_of(pointer, Column::Type, &[]), column);
        }
        assert_eq!(column_of("/skus/0/options/0", Column::Type, &[1, 2]), "Option2 Value");
        assert_eq!(column_of("/options/1", Column::Type, &[0, 2]), "Option3 Name");
        assert_eq!(item_of("/skus/3/price"), ("skus", Some(3)));
    }
}
