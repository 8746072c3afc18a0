//! Time and ids. The clock is passed in, so that a test can move it; ids are UUIDv7, so that they sort by their time.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::db::sql;

/// Tells the time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Time;
}

pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that is passed in")]
        Time::from_micros(Utc::now().timestamp_micros())
    }
}

/// A moment in UTC, to the microsecond: what both databases keep. RFC 3339 outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow, ToSchema)]
#[diesel(sql_type = sql::Instant)]
#[schema(value_type = String, format = DateTime, example = "2026-11-24T09:30:00.000000Z")]
pub struct Time(DateTime<Utc>);

impl Time {
    /// A moment so many microseconds after 1970-01-01; what chrono cannot name becomes the nearest moment it can.
    pub fn from_micros(micros: i64) -> Self {
        let end = if micros < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        Time(DateTime::from_timestamp_micros(micros).unwrap_or(end))
    }

    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    pub fn plus_seconds(self, seconds: u32) -> Self {
        Time(self.0 + TimeDelta::seconds(i64::from(seconds)))
    }

    pub fn minus_seconds(self, seconds: u32) -> Self {
        Time(self.0 - TimeDelta::seconds(i64::from(seconds)))
    }

    /// Whole seconds from `earlier` to this moment, rounded up; 0 when it is not after it.
    pub fn seconds_since(self, earlier: Time) -> u64 {
        let micros = (self.micros() - earlier.micros()).max(0) as u64;
        micros.div_ceil(1_000_000)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let wrong = |_| serde::de::Error::custom("is not a time by RFC 3339, as 2026-11-24T12:00:00Z");
        let time: DateTime<Utc> = text.parse().map_err(wrong)?;
        Ok(Time::from_micros(time.timestamp_micros()))
    }
}

/// The id of a thing: a UUID of version 7.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, AsExpression, FromSqlRow, ToSchema,
)]
#[diesel(sql_type = sql::Id)]
#[serde(transparent)]
#[schema(value_type = String, format = Uuid, example = "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d")]
pub struct Id(pub Uuid);

impl Id {
    /// A new id of this moment. Ids made by one process rise, even when its clock is set back.
    pub fn new(now: Time) -> Self {
        // The context orders the ids of one moment; an earlier moment than its last one would confuse it.
        static LAST: Mutex<(u64, ContextV7)> = Mutex::new((0, ContextV7::new()));
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        last.0 = last.0.max(now.micros().max(0) as u64);
        let nanos = (last.0 % 1_000_000) as u32 * 1_000;
        Id(Uuid::new_v7(Timestamp::from_unix(&last.1, last.0 / 1_000_000, nanos)))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_within_one_moment() {
        let now = Time::from_micros(1_790_000_000_000_000);
        let ids: Vec<Id> = (0..1_000).map(|_| Id::new(now)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn ids_rise_when_the_clock_is_set_back() {
        let moments = [1_790_000_000_300_000, 1_789_999_999_900_000, 1_790_000_000_500_000];
        let ids = moments.map(|micros| Id::new(Time::from_micros(micros)));
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_time_survives_json() {
        let time = Time::from_micros(1_790_000_000_123_456);
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
    }
}
