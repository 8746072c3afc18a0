//! What the pages and the mails say, in the shop's language: Fluent files below `texts/`.
//!
//! `texts/en` is whole. A language's folder (`de`) and a country's (`en-GB`) hold what differs from it, and are laid over it in this
//! order; so a new language is a new folder, and a key that it lacks is told in English.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use rust_embed::RustEmbed;
use serde_json::{Map, Value};
use unic_langid::LanguageIdentifier;

use crate::config::Locale;
use crate::error::FieldError;

#[derive(RustEmbed)]
#[folder = "src/texts"]
struct Files;

pub(crate) struct Texts(FluentBundle<FluentResource>);

impl Texts {
    /// The texts of a locale. The files are compiled in, and a test loads each locale: they are right.
    pub(crate) fn load(locale: Locale) -> Texts {
        let language: LanguageIdentifier = locale.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![language.clone()]);
        // Marks around what is filled in would be for mixed directions of writing.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(|value, _| match value {
            FluentValue::Number(number) if number.value >= 1_000.0 && number.value.fract() == 0.0 => {
                Some(grouped(&number.value.to_string()))
            }
            _ => None,
        }));
        let folders = ["en".to_owned(), language.language.to_string(), language.to_string()];
        for folder in folders {
            let mut names: Vec<_> = Files::iter().filter(|name| name.starts_with(&format!("{folder}/"))).collect();
            names.sort_unstable();
            for file in names.iter().filter_map(|name| Files::get(name)) {
                let text = String::from_utf8_lossy(&file.data).into_owned();
                // What can be read of a file with a fault is taken.
                let resource = FluentResource::try_new(text).unwrap_or_else(|(resource, _)| resource);
                bundle.add_resource_overriding(resource);
            }
        }
        Texts(bundle)
    }

    /// The text of this key; the key itself where there is none, which a test forbids.
    pub(crate) fn say(&self, key: &str, fill: &[(&str, FluentValue<'_>)]) -> String {
        self.find(key, fill).unwrap_or_else(|| key.to_owned())
    }

    pub(crate) fn find(&self, key: &str, fill: &[(&str, FluentValue<'_>)]) -> Option<String> {
        let pattern = self.0.get_message(key)?.value()?;
        let arguments: FluentArgs<'_> = fill.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut faults = vec![];
        Some(self.0.format_pattern(pattern, Some(&arguments), &mut faults).into_owned())
    }
}

/// Digits in groups of three.
pub(crate) fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What modules tell of faults, in the shop's language.
impl Texts {
    /// What is wrong with a value; in the module's English where it has no code of its own.
    pub(crate) fn fault(&self, fault: &FieldError) -> String {
        self.coded(&fault.code, &fault.arguments, &fault.message)
    }

    /// The same of a fault that stands elsewhere than in a request: by its code, its arguments and its English.
    pub(crate) fn coded(&self, code: &str, arguments: &Map<String, Value>, message: &str) -> String {
        self.find(&format!("fault-{code}"), &fill(arguments)).unwrap_or_else(|| message.to_owned())
    }

    /// Why something was refused: by its reason where it has one, by its code otherwise.
    pub(crate) fn problem(&self, code: &str, extra: &Map<String, Value>, seconds: u64) -> Option<String> {
        if let Some(reason) = extra.get("reason").and_then(Value::as_str) {
            let arguments = extra.get("arguments").and_then(Value::as_object);
            return self.find(&format!("fault-{reason}"), &arguments.map(fill).unwrap_or_default());
        }
        let max = extra.get("max").and_then(Value::as_i64).unwrap_or(0);
        self.find(&format!("error-{code}"), &[("seconds", (seconds as i64).into()), ("max", max.into())])
    }
}

/// The arguments of a fault as those of its text.
fn fill(arguments: &Map<String, Value>) -> Vec<(&str, FluentValue<'_>)> {
    let value = |value: &Value| match value {
        Value::Number(number) => FluentValue::from(number.as_i64().unwrap_or(i64::MAX)),
        other => FluentValue::from(other.as_str().unwrap_or_default().to_owned()),
    };
    arguments.iter().map(|(name, argument)| (name.as_str(), value(argument))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::error::{ErrorCode, Fault, Problem};

    /// All keys that code and templates ask for by name.
    fn asked(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                asked(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for call in [".t(\"", ".t1(\"", ".t2(\"", ".say(\""] {
                found.extend(text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
            let flashes = text.split("\"flash-").skip(1).map(|rest| rest.split('"').next().unwrap());
            found.extend(flashes.filter(|rest| !rest.is_empty()).map(|rest| format!("flash-{rest}")));
        }
    }

    #[test]
    fn every_text_that_is_asked_for_is_there_in_each_locale() {
        let mut keys = BTreeSet::new();
        asked(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut keys);
        keys.retain(|key| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') && !key.is_empty());
        assert!(keys.len() > 50, "the keys are not found: {keys:?}");
        for locale in [Locale::EnUs, Locale::EnGb] {
            let texts = Texts::load(locale);
            let missing: Vec<_> = keys.iter().filter(|key| texts.find(key, &[]).is_none()).collect();
            assert!(missing.is_empty(), "{}: {missing:?}", locale.tag());
        }
    }

    #[test]
    fn numbers_in_texts_have_their_thousands_apart() {
        let say = |n: i64| Texts::load(Locale::EnUs).say("listing-total", &[("n", n.into())]);
        assert_eq!(
            [say(1), say(999), say(2_105), say(1_234_567)],
            ["One product", "999 products", "2,105 products", "1,234,567 products"]
        );
    }

    #[test]
    fn the_files_have_no_faults_and_countries_only_what_differs() {
        let mut en = BTreeSet::new();
        for name in Files::iter() {
            let text = String::from_utf8(Files::get(&name).unwrap().data.into_owned()).unwrap();
            let resource = FluentResource::try_new(text).unwrap_or_else(|(_, faults)| panic!("{name}: {faults:?}"));
            for entry in resource.entries() {
                let fluent_syntax::ast::Entry::Message(message) = entry else { continue };
                let key = message.id.name.to_owned();
                if name.starts_with("en/") {
                    assert!(en.insert(key.clone()), "{name}: {key} is there twice");
                } else {
                    assert!(en.contains(&key), "{name}: nobody asks for {key}");
                }
            }
        }
    }

    /// Codes of errors that forms do not meet.
    const OF_PROGRAMS: [ErrorCode; 13] = [
        ErrorCode::Conflict,
        ErrorCode::UnknownParameter,
        ErrorCode::IdempotencyKeyMissing,
        ErrorCode::Unauthenticated,
        ErrorCode::Forbidden,
        ErrorCode::NotFound,
        ErrorCode::Draining,
        ErrorCode::MethodNotAllowed,
        ErrorCode::RequestTimeout,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::VersionRequired,
        ErrorCode::HeadersTooLarge,
        ErrorCode::InvalidCursor,
    ];

    #[test]
    fn every_fault_and_every_error_of_a_form_has_a_text_that_is_filled() {
        for locale in [Locale::EnUs, Locale::EnGb] {
            let texts = Texts::load(locale);
            for (code, arguments) in Fault::CODES.iter().filter(|(code, _)| *code != "other") {
                let fill: Vec<_> = arguments.iter().map(|name| (*name, FluentValue::from(1_234))).collect();
                let text = texts.find(&format!("fault-{code}"), &fill).unwrap_or_else(|| panic!("no fault-{code}"));
                assert!(!text.contains('{') && !text.contains("1234"), "{code}: {text}");
            }
            for code in ErrorCode::ALL.iter().filter(|code| code.status() < 500 && !OF_PROGRAMS.contains(code)) {
                assert!(texts.find(&format!("error-{code}"), &[]).is_some(), "no error-{code}");
            }
        }
    }

    #[test]
    fn a_fault_is_told_in_the_shops_words() {
        let texts = Texts::load(Locale::EnUs);
        let told = |fault: Fault| texts.fault(&FieldError::new("/a", fault));
        let takes = Fault::TakesTooMuch { counter: "on_hand".to_owned(), quantity: 5_000, there: 9 };
        assert_eq!(told(takes), "You cannot take 5,000: only 9 are on hand.");
        assert_eq!(told(Fault::PasswordTooShort { min: 12 }), "Please use at least 12 characters.");
        assert_eq!(told("has no code".into()), "has no code");
        let full = Problem::conflict(&Fault::AddressesFull { max: 50 });
        let text = texts.problem("conflict", &full.extra, 0).unwrap();
        assert_eq!(text, "At most 50 addresses can be kept. Please delete one first.");
    }

    #[test]
    fn a_fault_of_a_row_is_told_with_what_stands_there() {
        let texts = Texts::load(Locale::EnUs);
        let told = |fault: Fault| texts.fault(&FieldError::new("Variant Price", fault));
        let price = |decimals| told(Fault::NotPrice { text: "1,5".to_owned(), decimals });
        assert_eq!(price(2), "“1,5” is not a price: a number with at most 2 decimals, after a point.");
        assert_eq!(price(0), "“1,5” is not a price: a number without decimals.");
        let cells = |count| told(Fault::CellCount { count, columns: 1_400 });
        assert_eq!(cells(1), "This row has one cell; the header has 1,400.");
        assert_eq!(cells(0), "This row has 0 cells; the header has 1,400.");
        let by = |separator: &str| told(Fault::NotByCommas { separator: separator.to_owned() });
        assert!(
            by("tabs").starts_with("The columns of the file seem to be separated by tabs. Please save it with commas")
        );
        assert!(by("semicolons").starts_with("The columns of the file seem to be separated by semicolons. Please"));
        let words = "unknown field `titel`".to_owned();
        assert_eq!(told(Fault::WrongMember { words }), "This cannot be read: unknown field `titel`.");
    }

    /// The last words of the names of all fields that pages name by a literal.
    #[test]
    fn every_field_has_a_name_to_be_told_by() {
        let mut names = BTreeSet::new();
        fields(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web"), &mut names);
        assert!(names.len() > 50, "the fields are not found: {names:?}");
        let texts = Texts::load(Locale::EnUs);
        let key = |name: &&String| format!("label-{}", name.replace('_', "-"));
        let missing: Vec<_> = names.iter().filter(|name| texts.find(&key(name), &[]).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    fn fields(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fields(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for call in ["form.input(\"", "form.check(\""] {
                let names = text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap());
                let word =
                    |name: &str| name.rsplit('.').find(|part| part.starts_with(char::is_alphabetic)).map(str::to_owned);
                found.extend(names.filter_map(word));
            }
        }
    }

    /// Words that only one of the two countries writes so, by their beginnings.
    const BRITISH: [&str; 12] = [
        "colour",
        "cancelled",
        "catalogue",
        "organis",
        "postcode",
        "favour",
        "centre",
        "grey",
        "honour",
        "basket",
        "recognis",
        "behaviour",
    ];
    const AMERICAN: [&str; 8] = ["color", "canceled", "catalog ", "catalog.", "organiz", "zip code", "favor", "center"];

    fn spelled(texts: &[(String, String)], words: &[&str]) -> Vec<String> {
        let has = |text: &str, word: &str| {
            let text = text.to_lowercase();
            text.match_indices(word).any(|(at, _)| !text[..at].ends_with(char::is_alphabetic))
        };
        let found = texts.iter().filter(|(_, text)| words.iter().any(|word| has(text, word)));
        found.map(|(key, text)| format!("{key} = {text}")).collect()
    }

    /// All texts of a locale, filled with nothing: of those with several forms the one for none.
    fn all(locale: Locale) -> Vec<(String, String)> {
        let texts = Texts::load(locale);
        let mut keys = BTreeSet::new();
        for name in Files::iter().filter(|name| name.starts_with("en/")) {
            let text = String::from_utf8(Files::get(&name).unwrap().data.into_owned()).unwrap();
            let resource = FluentResource::try_new(text).unwrap_or_else(|(resource, _)| resource);
            for entry in resource.entries() {
                if let fluent_syntax::ast::Entry::Message(message) = entry {
                    keys.insert(message.id.name.to_owned());
                }
            }
        }
        // Names of countries are what their people call them.
        keys.retain(|key| !key.starts_with("country-"));
        keys.into_iter().map(|key| (key.clone(), texts.say(&key, &[]))).collect()
    }

    #[test]
    fn each_country_reads_its_own_spelling() {
        let american = spelled(&all(Locale::EnUs), &BRITISH);
        assert!(american.is_empty(), "British in en/: {american:#?}");
        let british = spelled(&all(Locale::EnGb), &AMERICAN);
        assert!(british.is_empty(), "American in en-GB: {british:#?}");
    }
}
