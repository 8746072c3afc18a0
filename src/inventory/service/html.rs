//! HTML from outside, made harmless: no scripts, no styles, no frames, links and images of the web only.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use url::Url;

use crate::error::Fault;

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut builder = ammonia::Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("noopener nofollow"))
        .attribute_filter(|element, attribute, value| match (element, attribute) {
            ("img", "src") if !is_web(value) => None,
            _ => Some(Cow::Borrowed(value)),
        });
    builder
});

/// The time that a text takes grows with the square of its tags and its references (`&amp;`) when somebody means it to: half a
/// megabyte of `<div>` takes minutes. With so many of each it stays below a second.
const TAGS_MAX: usize = 5_000;
const REFERENCES_MAX: usize = 20_000;

/// Why it would take too long to sanitise `html`, if it would.
pub(super) fn too_complex(html: &str) -> Option<Fault> {
    let (tags, references) = (html.matches('<').count(), html.matches('&').count());
    if tags > TAGS_MAX {
        return Some(Fault::TooManyTags { count: tags, max: TAGS_MAX });
    }
    (references > REFERENCES_MAX).then_some(Fault::TooManyReferences { count: references, max: REFERENCES_MAX })
}

/// The harmless part of `html`. Sanitised HTML stays as it is.
pub(super) fn sanitise(html: &str) -> String {
    // Most texts are plain, and reading HTML takes long. These characters are all that it changes in a text.
    if !html.contains(['<', '>', '&', '\r', '\0', '\u{a0}']) && !html.contains(is_control) {
        return html.to_owned();
    }
    let mut clean = CLEANER.clean(html).to_string();
    // A character reference, as &#1;, can have named what may not stand there itself.
    clean.retain(|character| !is_control(character));
    clean
}

/// A control character that a text of several lines may not have.
pub(super) fn is_control(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\r' | '\t')
}

/// An address with http or https, or one relative to ours.
fn is_web(address: &str) -> bool {
    match Url::parse(address) {
        Ok(url) => matches!(url.scheme(), "http" | "https"),
        Err(error) => error == url::ParseError::RelativeUrlWithoutBase,
    }
}

#[cfg(test)]
mod tests {
    use super::sanitise;

    #[test]
    fn nothing_active_is_left() {
        for (html, clean) in [
            ("<p onclick='x()'>a</p><script>alert(1)</script>", "<p>a</p>"),
            ("<a href='javascript:alert(1)'>a</a>", "<a rel=\"noopener nofollow\">a</a>"),
            ("<a href=' JaVa\tscript:alert(1)'>a</a>", "<a rel=\"noopener nofollow\">a</a>"),
            ("<a href='ftp://a.example'>a</a>", "<a rel=\"noopener nofollow\">a</a>"),
            ("<a href='mailto:a@b.example'>a</a>", "<a href=\"mailto:a@b.example\" rel=\"noopener nofollow\">a</a>"),
            ("<img src='data:image/png;base64,AA' onerror='x()'>", "<img>"),
            ("<img src='mailto:a@b.example'>", "<img>"),
            ("<img src='https://a.example/b.jpg'>", "<img src=\"https://a.example/b.jpg\">"),
            ("<iframe src='https://a.example'></iframe><style>p{}</style><!-- c -->a", "a"),
            ("<svg><script>alert(1)</script></svg>", ""),
            ("<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">", ""),
            ("a&#1;b&#0;c", "abc"),
        ] {
            let once = sanitise(html);
            assert_eq!(once.replace('\u{fffd}', ""), clean, "{html}");
            assert_eq!(sanitise(&once), once, "{html}");
        }
    }

    #[test]
    fn plain_text_is_what_the_sanitiser_makes_of_it() {
        for text in
            ["", "Plain, text; with \"quotes\" and 'more'.\n\tTabs — ünïcödé 🎩\u{200b}\u{feff}", "\n first", "a=b;c"]
        {
            assert_eq!(sanitise(text), super::CLEANER.clean(text).to_string(), "{text:?}");
        }
    }
}
