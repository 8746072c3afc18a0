//! What values the catalogue allows, and the form in which they are kept. Every check notes all faults and none asks the
//! database; what only the database knows (is the handle taken?) is told by the write itself.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use url::Url;

use crate::clock::Id;
use crate::error::{Fault, FieldError};
use crate::inventory::InventoryError;

pub(super) mod product;
pub(super) mod sku;

/// The longest handle and the longest slug.
pub(super) const SLUG_MAX: usize = 200;
const CODE_MAX: usize = 100;
const LOCATION_CODE_MAX: usize = 64;
const URL_MAX: usize = 2_048;
/// A request of thousands of faults is answered with the first so many.
const FAULTS_MAX: usize = 1_000;

/// Collects what is wrong with a request.
#[derive(Default)]
pub(super) struct Faults {
    /// The JSON Pointer of the value whose members are being checked; empty: the request itself.
    at: String,
    found: Vec<FieldError>,
}

impl Faults {
    /// Notes a fault of the member `pointer`, as `/title`.
    pub(super) fn add(&mut self, pointer: &str, fault: impl Into<Fault>) {
        if self.found.len() < FAULTS_MAX {
            self.found.push(FieldError::new(format!("{}{pointer}", self.at), fault));
        }
    }

    /// Checks the members of the value at `pointer`, as `/skus/3`.
    pub(super) fn within(&mut self, pointer: &str, check: impl FnOnce(&mut Self)) {
        let length = self.at.len();
        self.at.push_str(pointer);
        check(self);
        self.at.truncate(length);
    }

    /// A text of one line with at most `max` characters, kept without the blanks around it.
    pub(super) fn line(&mut self, pointer: &str, text: &mut String, max: usize) {
        let trimmed = text.trim();
        if trimmed.len() != text.len() {
            *text = trimmed.to_owned();
        }
        let length = text.chars().count();
        if length > max {
            self.add(pointer, Fault::TooLong { length, max });
        }
        if text.chars().any(char::is_control) {
            self.add(pointer, Fault::ControlCharacter);
        }
    }

    /// The same, and not empty.
    pub(super) fn required_line(&mut self, pointer: &str, text: &mut String, max: usize) {
        self.line(pointer, text, max);
        if text.is_empty() {
            self.add(pointer, Fault::Empty);
        }
    }

    pub(super) fn range(&mut self, pointer: &str, value: i64, min: i64, max: i64) {
        if !(min..=max).contains(&value) {
            self.add(pointer, Fault::OutOfRange { value, min, max });
        }
    }

    pub(super) fn count(&mut self, pointer: &str, count: usize, max: usize) {
        if count > max {
            self.add(pointer, Fault::TooMany { count, max });
        }
    }

    pub(super) fn slug(&mut self, pointer: &str, slug: &str) {
        if !is_slug(slug) {
            self.add(pointer, Fault::Slug { max: SLUG_MAX });
        }
    }

    pub(super) fn sku_code(&mut self, pointer: &str, code: &str) {
        if !is_sku_code(code) {
            self.add(pointer, Fault::SkuCode { max: CODE_MAX });
        }
    }

    pub(super) fn location_code(&mut self, pointer: &str, code: &str) {
        if !is_location_code(code) {
            self.add(pointer, Fault::LocationCode { max: LOCATION_CODE_MAX });
        }
    }

    /// The address of a picture.
    pub(super) fn image_url(&mut self, pointer: &str, url: &mut String) {
        self.line(pointer, url, URL_MAX);
        if !is_image_url(url) {
            self.add(pointer, Fault::ImageUrl);
        }
    }

    /// What was found, in the order of the checks.
    pub(super) fn into_vec(self) -> Vec<FieldError> {
        self.found
    }

    /// `Invalid` with all faults, if there is one.
    pub(super) fn finish(self) -> Result<(), InventoryError> {
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(InventoryError::Invalid(self.found)),
        }
    }
}

/// Lower-case ASCII letters, digits and single hyphens between them. What reads as an id is none: an address must name one product.
pub(super) fn is_slug(text: &str) -> bool {
    (1..=SLUG_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.contains("--")
        && text.parse::<Id>().is_err()
}

/// `.` and `..` are not allowed because no client can ask for them: they mean something else in an address, as `,` does in a list
/// of codes.
pub(super) fn is_sku_code(text: &str) -> bool {
    (1..=CODE_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/,".contains(&byte))
        && !matches!(text, "." | "..")
}

pub(super) fn is_location_code(text: &str) -> bool {
    (1..=LOCATION_CODE_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !matches!(text, "." | "..")
}

fn is_image_url(text: &str) -> bool {
    if text.contains(char::is_whitespace) {
        return false;
    }
    match text.strip_prefix('/') {
        // Browsers take both // and /\ for the beginning of another host.
        Some(rest) => !rest.starts_with(['/', '\\']),
        None => {
            let scheme = text.split_once("://").map(|(scheme, _)| scheme);
            scheme.is_some_and(|scheme| ["http", "https"].iter().any(|good| scheme.eq_ignore_ascii_case(good)))
                && Url::parse(text).is_ok_and(|url| url.has_host())
        }
    }
}

/// A slug made from a text: accents go, letters become small, all else becomes single hyphens. Empty where nothing is left.
pub(super) fn slug_of(text: &str) -> String {
    let mut slug = String::new();
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase) {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            'ß' => slug.push_str("ss"),
            'æ' => slug.push_str("ae"),
            'œ' => slug.push_str("oe"),
            'þ' => slug.push_str("th"),
            'ø' => slug.push('o'),
            'ł' => slug.push('l'),
            'đ' | 'ð' => slug.push('d'),
            'ı' => slug.push('i'),
            '\'' | '’' => {}
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(SLUG_MAX);
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_made_from_any_text() {
        for (text, slug) in [
            ("Zoltan Gym Tee", "zoltan-gym-tee"),
            ("  Men's  T-Shirt — blue / XL ", "mens-t-shirt-blue-xl"),
            ("Crème Brûlée", "creme-brulee"),
            ("Straße Œuvre Łódź", "strasse-oeuvre-lodz"),
            ("ﬁne ½ ①", "fine-1-2-1"),
            ("帽子 🎩", ""),
            ("--", ""),
        ] {
            assert_eq!(slug_of(text), slug, "{text:?}");
            assert!(slug.is_empty() || is_slug(slug));
        }
        assert_eq!(slug_of(&"abc ".repeat(200)).len(), SLUG_MAX - 1);
    }

    #[test]
    fn what_reads_as_an_id_is_no_slug() {
        assert!(!is_slug("019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d"));
        assert!(!is_slug("019345f07c1e7d3a9b512f1c8a0b6c5d"));
        assert!(is_slug("019345f07c1e7d3a9b512f1c8a0b6c5"));
    }

    #[test]
    fn a_code_can_be_asked_for() {
        assert!(is_sku_code("A-1.2_b+(c)"));
        for bad in ["", ".", "..", "a/b", "a,b", "a b", "ä"] {
            assert!(!is_sku_code(bad), "{bad:?}");
        }
    }

    #[test]
    fn images_come_from_the_web_or_from_here() {
        for good in ["https://a.example/b.jpg?c=1", "HTTP://a.example/b", "/images/a.jpg", "/"] {
            assert!(is_image_url(good), "{good:?}");
        }
        let bad = [
            "",
            "a.jpg",
            "//a.example/b",
            "/\\a.example",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "https://",
        ];
        for bad in bad.into_iter().chain(["http:a", "https://a.example/b c", "ftp://a.example/b", "file:///etc/passwd"])
        {
            assert!(!is_image_url(bad), "{bad:?}");
        }
    }
}
