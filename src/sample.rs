//! A made-up catalogue of any size, as JSONL: the same for the same seed.

use std::io::{self, Write};

use serde::Serialize;

const VENDORS: [&str; 12] = [
    "Alder & Finch",
    "Brightwater",
    "Cobble Lane",
    "Dunmore",
    "Eastfold",
    "Fernhill",
    "Greyling",
    "Hollis & Sons",
    "Ivory Coast Works",
    "Juniper Row",
    "Kestrel",
    "Lindqvist",
];
const ADJECTIVES: [&str; 24] = [
    "Everyday",
    "Classic",
    "Relaxed",
    "Lightweight",
    "Heavy",
    "Soft",
    "Striped",
    "Ribbed",
    "Quilted",
    "Washed",
    "Fine",
    "Rustic",
    "Modern",
    "Compact",
    "Tall",
    "Round",
    "Slim",
    "Folding",
    "Woven",
    "Handmade",
    "Vintage",
    "Plain",
    "Winter",
    "Summer",
];
const MATERIALS: [&str; 16] = [
    "Cotton",
    "Linen",
    "Wool",
    "Merino",
    "Oak",
    "Walnut",
    "Steel",
    "Copper",
    "Ceramic",
    "Glass",
    "Leather",
    "Canvas",
    "Bamboo",
    "Cork",
    "Felt",
    "Stoneware",
];
const COLOURS: [&str; 10] = ["Black", "White", "Navy", "Olive", "Sand", "Rust", "Grey", "Teal", "Cream", "Plum"];
const SIZES: [&str; 6] = ["XS", "S", "M", "L", "XL", "XXL"];

/// A kind of goods: its name, its category, whether it comes in sizes, and its lowest and highest price in cents.
struct Kind {
    name: &'static str,
    category: &'static str,
    sized: bool,
    price: (u64, u64),
}

const fn kind(name: &'static str, category: &'static str, sized: bool, price: (u64, u64)) -> Kind {
    Kind { name, category, sized, price }
}

const KINDS: [Kind; 20] = [
    kind("T-Shirt", "clothing/tops", true, (1_200, 4_500)),
    kind("Shirt", "clothing/tops", true, (2_500, 9_000)),
    kind("Jumper", "clothing/tops", true, (4_000, 14_000)),
    kind("Jacket", "clothing/outerwear", true, (7_000, 32_000)),
    kind("Coat", "clothing/outerwear", true, (9_000, 48_000)),
    kind("Trousers", "clothing/bottoms", true, (3_500, 12_000)),
    kind("Shorts", "clothing/bottoms", true, (2_000, 7_000)),
    kind("Scarf", "clothing/accessories", false, (1_500, 8_000)),
    kind("Hat", "clothing/accessories", false, (1_200, 6_000)),
    kind("Bowl", "home/kitchen", false, (900, 5_500)),
    kind("Mug", "home/kitchen", false, (700, 2_800)),
    kind("Chopping Board", "home/kitchen", false, (1_800, 9_500)),
    kind("Tea Towel", "home/kitchen", false, (600, 2_200)),
    kind("Lamp", "home/lighting", false, (3_500, 28_000)),
    kind("Candle Holder", "home/lighting", false, (1_100, 5_000)),
    kind("Cushion", "home/living-room", false, (1_900, 7_500)),
    kind("Throw", "home/living-room", false, (3_900, 16_000)),
    kind("Stool", "home/furniture", false, (5_500, 22_000)),
    kind("Planter", "garden/pots", false, (900, 7_900)),
    kind("Watering Can", "garden/tools", false, (1_500, 6_500)),
];

const CATEGORIES: [(&str, &str); 13] = [
    ("clothing", "Clothing"),
    ("clothing/tops", "Tops"),
    ("clothing/outerwear", "Outerwear"),
    ("clothing/bottoms", "Bottoms"),
    ("clothing/accessories", "Accessories"),
    ("home", "Home"),
    ("home/kitchen", "Kitchen"),
    ("home/lighting", "Lighting"),
    ("home/living-room", "Living room"),
    ("home/furniture", "Furniture"),
    ("garden", "Garden"),
    ("garden/pots", "Pots"),
    ("garden/tools", "Tools"),
];

const LOCATIONS: [(&str, &str); 2] = [("MAIN", "Main warehouse"), ("SHOP", "High street shop")];

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all are products")]
enum Line {
    Location { code: &'static str, name: &'static str, priority: usize, active: bool },
    Category { path: &'static str, name: &'static str, position: usize },
    Product(Product),
}

#[derive(Serialize)]
struct Product {
    handle: String,
    title: String,
    description_html: String,
    vendor: &'static str,
    product_type: &'static str,
    status: &'static str,
    category: &'static str,
    tags: Vec<String>,
    options: Vec<&'static str>,
    attributes: Attributes,
    images: Vec<Image>,
    skus: Vec<Sku>,
}

#[derive(Serialize)]
struct Attributes {
    #[serde(rename = "Material")]
    material: &'static str,
}

#[derive(Serialize)]
struct Image {
    url: String,
    alt: String,
}

#[derive(Serialize)]
struct Sku {
    code: String,
    options: Vec<&'static str>,
    price: Price,
    compare_at_price: Option<Price>,
    barcode: String,
    weight_grams: u64,
    low_stock_threshold: Option<u64>,
    stock: Vec<Stock>,
}

#[derive(Clone, Serialize)]
struct Price {
    amount: u64,
    currency: &'static str,
}

#[derive(Serialize)]
struct Stock {
    location: &'static str,
    on_hand: u64,
}

/// Writes two locations, a category tree and products of 1 to 6 SKUs each, `skus` SKUs in all.
pub fn write(skus: u64, seed: u64, mut out: impl Write) -> io::Result<()> {
    for (priority, (code, name)) in LOCATIONS.into_iter().enumerate() {
        line(&mut out, &Line::Location { code, name, priority, active: true })?;
    }
    for (position, (path, name)) in CATEGORIES.into_iter().enumerate() {
        line(&mut out, &Line::Category { path, name, position })?;
    }
    let mut random = Random(seed);
    let (mut left, mut number) = (skus, 0);
    while left > 0 {
        number += 1;
        let count = (1 + random.below(6)).min(left);
        left -= count;
        line(&mut out, &Line::Product(product(&mut random, number, count)))?;
    }
    out.flush()
}

fn line(out: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn product(random: &mut Random, number: u64, count: u64) -> Product {
    let kind = random.of(&KINDS);
    let (adjective, material, vendor) = (*random.of(&ADJECTIVES), *random.of(&MATERIALS), *random.of(&VENDORS));
    let title = format!("{adjective} {material} {}", kind.name);
    let handle = format!("{}-{number}", title.to_lowercase().replace(' ', "-"));
    let price = kind.price.0 + random.below(kind.price.1 - kind.price.0);
    // As shops write them: 1999 rather than 2034.
    let price = price / 100 * 100 + 99;
    let was = (random.below(5) == 0).then_some(price * 5 / 4 / 100 * 100 + 99);
    let first_colour = random.below(COLOURS.len() as u64) as usize;
    let options = if kind.sized { "Size" } else { "Colour" };
    let mut sku = |index: usize| {
        let value = if kind.sized { SIZES[index] } else { COLOURS[(first_colour + index) % COLOURS.len()] };
        let mut stock = |location, most| Stock { location, on_hand: random.below(most) };
        (value, [stock(LOCATIONS[0].0, 200), stock(LOCATIONS[1].0, 25)])
    };
    let skus: Vec<_> = (0..count as usize).map(&mut sku).collect();
    let grams = 100 + random.below(3_000);
    let money = |amount| Price { amount, currency: "USD" };
    let skus = skus.into_iter().enumerate().map(|(index, (value, stock))| Sku {
        code: format!("{}{}-{number:07}-{}", &kind.name[..1], &material[..2].to_uppercase(), value.to_uppercase()),
        options: vec![value],
        price: money(price),
        compare_at_price: was.map(money),
        barcode: format!("20{number:09}{index}"),
        weight_grams: grams,
        low_stock_threshold: number.is_multiple_of(4).then_some(5),
        stock: stock.into(),
    });
    Product {
        description_html: description(random, adjective, material, kind.name),
        vendor,
        product_type: kind.name,
        status: if random.below(20) == 0 { "draft" } else { "active" },
        category: kind.category,
        tags: vec![adjective.to_lowercase(), material.to_lowercase()],
        options: vec![options],
        attributes: Attributes { material },
        images: vec![Image { url: format!("https://images.example/{handle}.jpg"), alt: title.clone() }],
        skus: skus.collect(),
        handle,
        title,
    }
}

fn description(random: &mut Random, adjective: &str, material: &str, name: &str) -> String {
    const USES: [&str; 6] = [
        "Made for every day and for years.",
        "A good present, and a better habit.",
        "It looks plain until you use it.",
        "Small flaws are part of how it is made.",
        "Goes with nearly everything you own.",
        "Repaired free of charge in our workshop.",
    ];
    const CARE: [&str; 4] = ["Wipe clean.", "Wash cold, dry flat.", "Keep it dry.", "Oil it once a year."];
    let (adjective, material, name) = (adjective.to_lowercase(), material.to_lowercase(), name.to_lowercase());
    let (first, second, care) = (random.of(&USES), random.of(&USES), random.of(&CARE));
    match random.below(3) {
        0 => format!("<p>A {adjective} {name} of {material}. {first}</p>\n<p>{second} {care}</p>"),
        _ => format!("A {adjective} {name} of {material}. {first} {care}"),
    }
}

/// SplitMix64: small, and the same on every machine and in every version.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(skus: u64, seed: u64) -> String {
        let mut out = vec![];
        write(skus, seed, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_sample() {
        assert_eq!(sample(100, 7), sample(100, 7));
        assert_ne!(sample(100, 7), sample(100, 8));
        assert_eq!(sample(100, 7).matches("\"barcode\"").count(), 100);
    }
}
