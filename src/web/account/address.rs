//! Postal addresses: the fields that they are typed into, what was typed, and how they are written.

use askama::Template;
use unicode_normalization::UnicodeNormalization;

use crate::user::{AddressFields, NewAddress};
use crate::web::{Form, Shell};

/// The codes of ISO 3166-1. What the countries are called is in `texts/en/countries.ftl`.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ \
    BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM \
    DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS \
    GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
    KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ \
    MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM \
    PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
    SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
    VN VU WF WS YE YT ZA ZM ZW";

/// The fields of an address, as a part of a form. They are named as in [`AddressFields`].
#[derive(Template)]
#[template(path = "address.html")]
pub(in crate::web) struct AddressForm<'a> {
    shell: &'a Shell,
    form: &'a Form,
    countries: Vec<(String, String)>,
}

impl askama::filters::HtmlSafe for AddressForm<'_> {}

/// The fields of an address, with what is in the form already.
pub(in crate::web) fn address_form<'a>(shell: &'a Shell, form: &'a Form) -> AddressForm<'a> {
    let mut countries: Vec<_> =
        COUNTRIES.split(' ').map(|code| (code.to_owned(), shell.word("country", code))).collect();
    countries.sort_by_cached_key(|(_, name)| letters(name));
    countries.insert(0, (String::new(), shell.t("address-country-choose")));
    AddressForm { shell, form, countries }
}

/// What a name is sorted by: `Åland` stands among the names with A.
fn letters(name: &str) -> String {
    name.nfd().filter(char::is_ascii).collect::<String>().to_lowercase()
}

/// Reads the fields of an address. What is missing is a fault; the rest is checked by who takes the address.
pub(in crate::web) fn address_fields(shell: &Shell, form: &mut Form) -> AddressFields {
    let needed = [
        ("name", "address-name-missing"),
        ("line1", "address-line1-missing"),
        ("city", "address-city-missing"),
        ("country", "address-country-missing"),
    ];
    for (name, text) in needed {
        if form.get(name).is_empty() {
            form.fault(name, shell.t(text));
        }
    }
    AddressFields {
        name: form.text("name"),
        company: form.text("company"),
        line1: form.text("line1"),
        line2: form.text("line2"),
        city: form.text("city"),
        region: form.text("region"),
        postal_code: form.text("postal_code"),
        country: form.text("country"),
        phone: form.text("phone"),
    }
}

/// The same for a person's list of addresses, with the box `is_default`.
pub(in crate::web) fn new_address(shell: &Shell, form: &mut Form) -> NewAddress {
    let fields = address_fields(shell, form);
    NewAddress::new(fields, form.is_checked("is_default"))
}

/// The values of the fields, to fill a form with.
pub(in crate::web) fn address_values(fields: &AddressFields) -> Vec<(&'static str, String)> {
    let values = [
        ("name", &fields.name),
        ("company", &fields.company),
        ("line1", &fields.line1),
        ("line2", &fields.line2),
        ("city", &fields.city),
        ("region", &fields.region),
        ("postal_code", &fields.postal_code),
        ("country", &fields.country),
        ("phone", &fields.phone),
    ];
    values.map(|(name, value)| (name, value.clone())).into()
}

/// An address in lines, as on a label; `<address>` keeps them.
pub(in crate::web) fn address_text(shell: &Shell, fields: &AddressFields) -> String {
    let joined = |parts: [&str; 2], between: &str| {
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(between)
    };
    let city = joined([&fields.city, &joined([&fields.region, &fields.postal_code], " ")], ", ");
    let country = shell.word("country", &fields.country);
    let lines = [&fields.name, &fields.company, &fields.line1, &fields.line2, &city, &country, &fields.phone];
    lines.into_iter().filter(|line| !line.is_empty()).map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Locale;
    use crate::texts::Texts;

    #[test]
    fn every_country_has_a_name() {
        let texts = Texts::load(Locale::EnGb);
        let codes: Vec<_> = COUNTRIES.split(' ').collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted_by(|a, b| a < b));
        let missing: Vec<_> =
            codes.iter().filter(|code| texts.find(&format!("country-{code}"), &[]).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn names_are_sorted_by_their_letters() {
        assert!(letters("\u{c5}land Islands") < letters("Albania"));
        assert!(letters("C\u{f4}te d\u{2019}Ivoire") < letters("Croatia"));
    }
}
