//! Settings of the pages.

use serde::{Deserialize, Serialize};

use super::Check;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebConfig {
    pub shop_name: String,
    pub welcome: String,
    pub locale: Locale,
    /// A name of the IANA time zone database.
    pub time_zone: chrono_tz::Tz,
}

/// A language and a country's ways of writing prices and times. Its texts are in `src/texts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Locale {
    #[serde(rename = "en-US")]
    EnUs,
    #[serde(rename = "en-GB")]
    EnGb,
}

impl Locale {
    /// The tag of BCP 47.
    pub fn tag(self) -> &'static str {
        match self {
            Locale::EnUs => "en-US",
            Locale::EnGb => "en-GB",
        }
    }
}

impl WebConfig {
    pub(super) fn validate(&self, check: &mut Check) {
        let name = self.shop_name.trim();
        check.that("web.shop_name", (1..=60).contains(&name.chars().count()), "must be 1 to 60 characters");
        check.that("web.welcome", self.welcome.chars().count() <= 300, "must be at most 300 characters");
    }
}
