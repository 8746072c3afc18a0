//! The table of all that can be wrong with a value or stand in a change's way: a stable code, what its text needs, and the text in
//! English. The site says the same in the shop's language: its texts are named `fault-` and the code.

use std::fmt;

use serde_json::{Map, Value, json};
use utoipa::openapi::{ObjectBuilder, Type};

macro_rules! faults {
    ($($variant:ident $code:literal $({ $($argument:ident: $kind:ty),+ })? $words:literal;)*) => {
        /// What is wrong. Clients may match on [`Fault::code`]; it never changes its meaning.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fault { $($variant $({ $($argument: $kind),+ })?,)* }

        impl Fault {
            /// All codes, each with the names of its arguments.
            pub const CODES: &[(&str, &[&str])] = &[$(($code, &[$($(stringify!($argument)),+)?])),*];

            /// The word, in snake_case.
            pub fn code(&self) -> &'static str {
                match self { $(Fault::$variant { .. } => $code,)* }
            }

            /// The numbers and words of the text, by their names.
            pub fn arguments(&self) -> Map<String, Value> {
                match self {
                    $(Fault::$variant { $($($argument),+)? } => {
                        [$($((stringify!($argument).to_owned(), json!($argument))),+)?].into_iter().collect()
                    })*
                }
            }
        }

        /// In English.
        impl fmt::Display for Fault {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Fault::$variant { $($($argument),+)? } => write!(f, $words),)* }
            }
        }
    };
}

faults! {
    // Of any value.
    Missing            "missing"              "must be there";
    Empty              "empty"                "must not be empty";
    Malformed          "malformed"            { words: String } "{words}";
    Other              "other"                { words: String } "{words}";
    TooLong            "too_long"             { length: usize, max: usize } "has {length} characters; at most {max} are allowed";
    ControlCharacter   "control_character"    "has a control character, which is not allowed";
    NotInteger         "not_integer"          "must be a whole number";
    OutOfRange         "out_of_range"         { value: i64, min: i64, max: i64 } "is {value}; must be from {min} to {max}";
    TooMany            "too_many"             { count: usize, max: usize } "has {count} items; at most {max} are allowed";
    WrongCount         "wrong_count"          { count: usize, min: usize, max: usize } "has {count} items; must be {min} to {max}";
    TooManyWords       "too_many_words"       { count: usize, max: usize } "has {count} words; at most {max} are allowed";
    Repeated           "repeated"             "is there already";
    InAnotherRow       "in_another_row"       "is in another row too";
    TooManySkus        "too_many_skus"        { count: usize, max: usize } "are of products that have {count} SKUs together; at most {max} are allowed: send fewer rows at a time";
    Slug               "slug"                 { max: usize } "must be 1 to {max} lower-case letters (a-z), digits and single hyphens between them, and no id";
    NoSlug             "no_slug"              "cannot be made from this name, so it must be given";
    SkuCode            "sku_code"             { max: usize } "must be 1 to {max} visible ASCII characters without blanks and '/', and not '.' or '..'";
    LocationCode       "location_code"        { max: usize } "must be 1 to {max} letters (A-Z, a-z), digits, '-', '_' and '.', and not '.' or '..'";
    ImageUrl           "image_url"            "must begin with https://, http:// or a single /, and have no blanks";
    NotAmount          "not_amount"           { currency: String } "must be an amount, as 12.50, in {currency}";
    Currency           "currency"             { currency: String } "must be {currency}, in which all prices of this shop are";
    Country            "country"              "must be two capital letters (ISO 3166-1 alpha-2), as US";
    Degrees            "degrees"              { max: i64 } "must be from -{max} to {max}";

    // People and keys.
    Email              "email"                { max: usize } "must be an e-mail address of at most {max} bytes, as ann@example.com";
    Phone              "phone"                { min: usize } "must be a phone number of at least {min} digits, as +1 555 0100-22 or 555 0100 ext. 22";
    SameEmail          "same_email"           "is your address already";
    PasswordTooShort   "password_too_short"   { min: u32 } "must be at least {min} characters";
    PasswordTooLong    "password_too_long"    { max: usize } "must be at most {max} characters";
    PasswordTooWeak    "password_too_weak"    "is too easy to guess: take some more words, or ones that do not belong together";
    NoScope            "no_scope"             "must name at least one scope";
    NotInFuture        "not_in_future"        "must be in the future";
    TooFarInFuture     "too_far_in_future"    { years: u32 } "must be within {years} years; leave it out for a key that does not end";
    OwnAccount         "own_account"          "nobody can disable himself";
    LastAdmin          "last_admin"           "this is the last admin";
    AccountExists      "account_exists"       "There is an account with this address.";
    SetUpAlready       "set_up_already"       "This shop has an admin already: log in.";
    SetUpAddressTaken  "set_up_address_taken" "There is an account with this address already. Take another address; or run `emporium user create-admin ADDRESS` where the shop runs: it makes that account an admin, whose password stays the one that was registered.";
    AddressesFull      "addresses_full"       { max: i64 } "at most {max} addresses are kept";
    OrdersWaiting      "orders_waiting"       "orders of this account are not shipped yet: wait for them, or cancel them first";
    CartFull           "cart_full"            { max: usize } "a cart has at most {max} lines";

    // Goods.
    TextTooLarge       "text_too_large"       { size: usize, max: usize } "has {size} bytes; at most {max} are allowed";
    TooManyTags        "too_many_tags"        { count: usize, max: usize } "has {count} tags; at most {max} are allowed";
    TooManyReferences  "too_many_references"  { count: usize, max: usize } "has {count} character references; at most {max} are allowed";
    OptionRepeated     "option_repeated"      "is the name of another option too";
    OptionCount        "option_count"         { count: usize, options: usize } "has {count} values; the product has {options} options";
    OptionNames        "option_names"         { count: usize, kept: usize } "has {count} names; the product has SKUs, so their number stays {kept}";
    AttributeName      "attribute_name"       { max: usize } "its name must be 1 to {max} characters";
    ImageRepeated      "image_repeated"       "is the address of another image of this product too";
    SkuRepeated        "sku_repeated"         "is the code of another SKU of this product too";
    OptionsRepeated    "options_repeated"     "are the options of another SKU of this product too";
    NoSuchCategory     "no_such_category"     "there is no category with this id";
    CategoryInItself   "category_in_itself"   "is the category itself or one below it";
    CategoryTooDeep    "category_too_deep"    { depth: i64, max: i64 } "puts categories on level {depth}; the tree has at most {max}";
    PriceOrder         "price_order"          { value: i64, min: i64 } "is {value}; must not be less than price_min, which is {min}";
    SortNeedsWords     "sort_needs_words"     "can be relevance only where q says what is looked for";
    ProductHadStock    "product_had_stock"    { product: String } "The product {product:?} has had stock, which must stay explained; archive it instead.";
    SkuHadStock        "sku_had_stock"        { sku: String } "The SKU {sku:?} has had stock, which must stay explained, so it stays.";
    SkusFull           "skus_full"            { product: String, max: usize } "The product {product:?} has {max} SKUs, the most it can have.";
    BackorderPromised  "backorder_promised"   { max: i64 } "More than {max} units beyond the stock of a location are promised already.";
    CategoryInUse      "category_in_use"      { category: String } "The category {category:?} has categories or products in it; move them first.";
    CategoriesFull     "categories_full"      { max: i64 } "There are {max} categories, the most there can be.";
    LocationsFull      "locations_full"       { max: i64 } "There are {max} locations, the most there can be.";

    // Stock and reservations.
    NoSuchSku          "no_such_sku"          "there is no such SKU";
    NoSuchLocation     "no_such_location"     "there is no such location";
    NotForSale         "not_for_sale"         "is not for sale";
    LocationNotInUse   "location_not_in_use"  "is not in use";
    NoChange           "no_change"            "is 0; that changes nothing";
    SameLocation       "same_location"        "is the location that the goods come from";
    Reason             "reason"               { max: usize } "must be 1 to {max} characters, without control characters";
    TakesTooMuch       "takes_too_much"       { counter: String, quantity: i64, there: i64 } "takes {quantity} from {counter}, which is {there}";
    AddsTooMuch        "adds_too_much"        { counter: String, quantity: i64, there: i64, max: i64 } "adds {quantity} to {counter}, which is {there}; at most {max} are allowed";
    TooManyTogether    "too_many_together"    { max: i64 } "makes more than {max} together with the other lines of this SKU";
    NoSuchLine         "no_such_line"         "the reservation has no line of this SKU and location";
    ShipsTooMuch       "ships_too_much"       { left: i64 } "only {left} are left to ship";
    Holder             "holder"               { max: usize } "must be 1 to {max} visible characters";
    EventPosition      "event_position"       "is below 0; take the position of the last event seen";
    NoLocation         "no_location"          "There is no active location to which the quantities could go. Make one first: with POST /api/v1/locations, or by the import of a JSONL file with the line {{\"type\":\"location\",\"code\":\"MAIN\",\"name\":\"Main\"}}.";
    JobEnded           "job_ended"            "The job has ended, so it cannot be cancelled.";

    // Rows of a file. What stands in a cell, and words of the readers, are cut to a bounded length.
    EmptyFile          "empty_file"           "the file is empty; its first row must name the columns";
    Utf16              "utf16"                "the file is in UTF-16; it must be in UTF-8";
    NotByCommas        "not_by_commas"        { separator: String } "the columns of the file seem to be separated by {separator}; a CSV must have commas between them, and a point in its prices, as 12.50";
    NoColumn           "no_column"            "the file has no such column; is it a product CSV?";
    ColumnTwice        "column_twice"         "the file has this column twice";
    NotJsonl           "not_jsonl"            "the file does not begin with a JSON object; is it JSONL?";
    OpenRow            "open_row"             { mib: usize } "the row that begins here is longer than {mib} MiB; is a quote not closed?";
    LongLine           "long_line"            { mib: usize } "is longer than {mib} MiB";
    NotUtf8            "not_utf8"             "is not UTF-8";
    NotJson            "not_json"             { words: String, column: usize } "is not valid JSON: {words} at column {column}";
    WrongMember        "wrong_member"         { words: String } "{words}";
    LineType           "line_type"            { text: String } "is {text:?}; must be product, category or location";
    CellCount          "cell_count"           { count: usize, columns: usize } "has {count} cells; the header has {columns}";
    NotWhole           "not_whole"            { text: String } "{text:?} is not a whole number from 0 on";
    NotPrice           "not_price"            { text: String, decimals: u32 } "{text:?} is not a price: a number with at most {decimals} decimals";
    NotFlag            "not_flag"             { text: String } "{text:?} is neither true nor false";
    NotStatus          "not_status"           { text: String } "{text:?} is not one of active, draft, archived";
    NotPolicy          "not_policy"           { text: String } "{text:?} is neither deny nor continue";
    OptionGap          "option_gap"           "has a name, but the option before it has none";
    OptionsDiffer      "options_differ"       "differs from the names in the product's first row";
    OptionNameless     "option_nameless"      "has a value, but the product's first row has no name for this option";
    LeftOut            "left_out"             { line: u64 } "left out with its product, see line {line}";
    ProductApart       "product_apart"        "stands in this file before; all of a product must stand together";
    CodeBefore         "code_before"          "stands in this file before";
    LocationTwice      "location_twice"       "stands twice for this SKU";
    CategoryPath       "category_path"        "must be slugs with / between them, as men/tops: lower-case letters, digits and single hyphens";
    NewProductNeeds    "new_product_needs"    "must be there for a new product";
    NewSkuNeeds        "new_sku_needs"        "must be there for a new SKU";
    SkuOfAnother       "sku_of_another"       { sku: String } "{sku:?} belongs to another product";
    SkusTogether       "skus_together"        { count: usize, max: usize } "the product would have {count} SKUs; at most {max} are allowed";
    SameSku            "same_sku"             "is the same SKU as another one of the file";
    SkuOptionCount     "sku_option_count"     { sku: String, count: usize, options: usize } "the SKU {sku:?} has {count} values; the product has {options} options";
    SkusAlike          "skus_alike"           { first: String, second: String } "the SKUs {first:?} and {second:?} have the same options";
    UnitsPromised      "units_promised"       { count: i64 } "{count} units are promised to reservations";
    ChangedByOthers    "changed_by_others"    "was changed by others again and again at the same time; import it once more";
}

/// Words for what has no code of its own.
impl From<String> for Fault {
    fn from(words: String) -> Self {
        Fault::Other { words }
    }
}

impl From<&str> for Fault {
    fn from(words: &str) -> Self {
        Fault::Other { words: words.to_owned() }
    }
}

/// For the API's document.
pub(crate) fn schema() -> ObjectBuilder {
    let codes = Fault::CODES.iter().map(|(code, _)| *code);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(codes))
        .description(Some("A stable word for what is wrong; clients may match on it, as on the problem's own code."))
}
