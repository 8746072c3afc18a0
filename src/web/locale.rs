//! How prices, numbers and times are written in the shop's locale.

use chrono::{Datelike, TimeZone};
use chrono_tz::Tz;

use crate::clock::Time;
use crate::config::{Locale, WebConfig};
use crate::inventory::Money;
use crate::money;
use crate::texts::grouped;

#[derive(Clone, Copy)]
pub(in crate::web) struct Format {
    locale: Locale,
    zone: Tz,
}

impl Format {
    pub(in crate::web) fn of(config: &WebConfig) -> Self {
        Format { locale: config.locale, zone: config.time_zone }
    }

    /// As `$1,234.50`, or `CHF 1,234.50` (with a space that does not break) where the currency has no sign that everybody knows.
    pub(in crate::web) fn money(self, price: &Money) -> String {
        let plain = money::format(price.amount, money::decimals(&price.currency));
        let (whole, fraction) = plain.split_once('.').map_or((&*plain, None), |(whole, rest)| (whole, Some(rest)));
        let fraction = fraction.map_or(String::new(), |fraction| format!(".{fraction}"));
        let sign = match (&*price.currency, self.locale) {
            ("USD", Locale::EnUs) => "$".to_owned(),
            ("USD", _) => "US$".to_owned(),
            ("GBP", _) => "£".to_owned(),
            ("EUR", _) => "€".to_owned(),
            ("JPY", _) => "¥".to_owned(),
            (other, _) => format!("{other}\u{a0}"),
        };
        format!("{sign}{}{fraction}", grouped(whole))
    }

    pub(in crate::web) fn number(self, number: i64) -> String {
        let sign = if number < 0 { "−" } else { "" };
        format!("{sign}{}", grouped(&number.unsigned_abs().to_string()))
    }

    /// As `November 24, 2026` or `24 November 2026`.
    pub(in crate::web) fn date(self, time: Time) -> String {
        let pattern = match self.locale {
            Locale::EnUs => "%B %-d, %Y",
            Locale::EnGb => "%-d %B %Y",
        };
        time.utc().with_timezone(&self.zone).format(pattern).to_string()
    }

    /// As `Nov 24, 2026, 1:05 PM` or `24 Nov 2026, 13:05`.
    pub(in crate::web) fn moment(self, time: Time) -> String {
        let pattern = match self.locale {
            Locale::EnUs => "%b %-d, %Y, %-I:%M %p",
            Locale::EnGb => "%-d %b %Y, %H:%M",
        };
        time.utc().with_timezone(&self.zone).format(pattern).to_string()
    }

    /// As `1:05 PM` or `13:05`.
    pub(in crate::web) fn clock(self, time: Time) -> String {
        let pattern = match self.locale {
            Locale::EnUs => "%-I:%M %p",
            Locale::EnGb => "%H:%M",
        };
        time.utc().with_timezone(&self.zone).format(pattern).to_string()
    }

    /// As `1:05:09 PM` or `13:05:09`.
    pub(in crate::web) fn second(self, time: Time) -> String {
        let pattern = match self.locale {
            Locale::EnUs => "%-I:%M:%S %p",
            Locale::EnGb => "%H:%M:%S",
        };
        time.utc().with_timezone(&self.zone).format(pattern).to_string()
    }

    /// As `Nov 24` or `24 Nov`.
    pub(in crate::web) fn day(self, time: Time) -> String {
        let pattern = match self.locale {
            Locale::EnUs => "%b %-d",
            Locale::EnGb => "%-d %b",
        };
        time.utc().with_timezone(&self.zone).format(pattern).to_string()
    }

    /// The end of a day that a date field (`2026-11-24`) names; `None`: it names none.
    pub(in crate::web) fn end_of_day(self, text: &str) -> Option<Time> {
        let day: chrono::NaiveDate = text.parse().ok()?;
        Some(self.midnight(day.checked_add_days(chrono::Days::new(1))?))
    }

    /// The beginnings of the last `days` days in the shop's time zone, today's last, and that of tomorrow.
    pub(in crate::web) fn days(self, now: Time, days: u32) -> Vec<Time> {
        let today = now.utc().with_timezone(&self.zone).date_naive();
        let first = today - chrono::Days::new(u64::from(days.saturating_sub(1)));
        let starts = first.iter_days().take_while(|day| *day <= today + chrono::Days::new(1));
        starts.map(|day| self.midnight(day)).collect()
    }

    /// The first moment of a day; where clocks are put forward at midnight, an hour later.
    fn midnight(self, day: chrono::NaiveDate) -> Time {
        let hours = (0..3)
            .filter_map(|hour| self.zone.with_ymd_and_hms(day.year(), day.month(), day.day(), hour, 0, 0).earliest());
        let start = hours.map(|time| time.timestamp_micros()).next();
        Time::from_micros(start.unwrap_or_else(|| day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(locale: Locale, zone: Tz) -> Format {
        Format { locale, zone }
    }

    #[test]
    fn prices_are_written_as_the_country_does() {
        let us = format(Locale::EnUs, Tz::UTC);
        let gb = format(Locale::EnGb, Tz::UTC);
        let price = |amount, currency: &str| Money { amount, currency: currency.to_owned() };
        assert_eq!(us.money(&price(123_456_789, "USD")), "$1,234,567.89");
        assert_eq!(gb.money(&price(5, "USD")), "US$0.05");
        assert_eq!(gb.money(&price(1_450, "GBP")), "£14.50");
        assert_eq!(us.money(&price(1_000, "JPY")), "¥1,000");
        assert_eq!(us.money(&price(999_999, "CHF")), "CHF\u{a0}9,999.99");
        assert_eq!(us.number(-1_234), "−1,234");
        assert_eq!(us.number(999), "999");
    }

    #[test]
    fn times_are_the_shops() {
        let time = Time::from_micros(1_795_525_500_000_000);
        assert_eq!(time.to_string(), "2026-11-24T13:05:00.000000Z");
        assert_eq!(format(Locale::EnUs, Tz::America__New_York).moment(time), "Nov 24, 2026, 8:05 AM");
        assert_eq!(format(Locale::EnGb, Tz::Europe__London).moment(time), "24 Nov 2026, 13:05");
        assert_eq!(format(Locale::EnUs, Tz::Asia__Tokyo).date(time), "November 24, 2026");
        assert_eq!(format(Locale::EnUs, Tz::UTC).second(time.plus_seconds(9)), "1:05:09 PM");
        assert_eq!(format(Locale::EnGb, Tz::UTC).second(time.plus_seconds(9)), "13:05:09");
    }

    #[test]
    fn a_day_ends_where_the_next_one_begins() {
        let london = format(Locale::EnGb, Tz::Europe__London);
        let end = london.end_of_day("2026-07-01").unwrap();
        assert_eq!(end.to_string(), "2026-07-01T23:00:00.000000Z");
        assert_eq!(london.day(end), "2 Jul");
        for other in ["", "tomorrow", "2026-02-30", "01/07/2026"] {
            assert_eq!(london.end_of_day(other), None, "{other}");
        }
        // A year that no calendar has is no panic.
        london.end_of_day("+262142-12-31");
    }

    #[test]
    fn days_begin_at_the_shops_midnight_also_when_clocks_change() {
        let london = format(Locale::EnGb, Tz::Europe__London);
        // 2026-10-26 10:00 UTC: the day before had 25 hours.
        let now = Time::from_micros(1_793_008_800_000_000);
        let days = london.days(now, 3);
        let hours: Vec<u64> = days.windows(2).map(|pair| pair[1].seconds_since(pair[0]) / 3_600).collect();
        assert_eq!(hours, [24, 25, 24]);
        assert!(days[2] <= now && now < days[3]);
        // In Santiago clocks went from 24:00 to 01:00 on 2026-09-06.
        let santiago = format(Locale::EnUs, Tz::America__Santiago);
        let days = santiago.days(Time::from_micros(1_788_793_200_000_000), 2);
        assert!(days.windows(2).all(|pair| pair[0] < pair[1]), "{days:?}");
    }
}
