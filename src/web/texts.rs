//! What the pages say, in the shop's language: Fluent files below `texts/`.
//!
//! `texts/en` is whole. A language's folder (`de`) and a country's (`en-GB`) hold what differs from it, and are laid over it in this
//! order; so a new language is a new folder, and a key that it lacks is told in English.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use rust_embed::RustEmbed;
use unic_langid::LanguageIdentifier;

use super::locale::grouped;
use crate::config::Locale;

#[derive(RustEmbed)]
#[folder = "src/web/texts"]
struct Files;

pub(in crate::web) struct Texts(FluentBundle<FluentResource>);

impl Texts {
    /// The texts of a locale. The files are compiled in, and a test loads each locale: they are right.
    pub(in crate::web) fn load(locale: Locale) -> Texts {
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
    pub(in crate::web) fn say(&self, key: &str, fill: &[(&str, FluentValue<'_>)]) -> String {
        self.find(key, fill).unwrap_or_else(|| key.to_owned())
    }

    pub(in crate::web) fn find(&self, key: &str, fill: &[(&str, FluentValue<'_>)]) -> Option<String> {
        let pattern = self.0.get_message(key)?.value()?;
        let arguments: FluentArgs<'_> = fill.iter().map(|(name, value)| (*name, value.clone())).collect();
        let mut faults = vec![];
        Some(self.0.format_pattern(pattern, Some(&arguments), &mut faults).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

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
}
