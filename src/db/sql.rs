//! The column types that the two databases spell differently, and how our values go in and out of them.
//!
//! | type        | Rust                | PostgreSQL    | SQLite                          |
//! |-------------|---------------------|---------------|---------------------------------|
//! | [`Id`]        | [`crate::clock::Id`]   | `uuid`        | `BLOB`, 16 bytes                |
//! | [`Instant`]   | [`crate::clock::Time`] | `timestamptz` | `INTEGER`, microseconds (UTC)   |
//! | [`Json`]      | [`JsonValue`]          | `jsonb`       | `TEXT`                          |

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::Pg;
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, HasSqlType, Jsonb, SqlType, Text, Timestamptz, Uuid as PgUuid};
use diesel::sqlite::Sqlite;

use super::MultiBackend;
use crate::clock;

#[derive(Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
pub struct Id;

#[derive(Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
/// Not named Timestamp: diesel gives that name arithmetic.
pub struct Instant;

#[derive(Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807), sqlite_type(name = "Text"))]
pub struct Json;

impl diesel::sql_types::SqlOrd for Id {}
impl diesel::sql_types::SqlOrd for Instant {}

#[diesel::declare_sql_function]
extern "SQL" {
    /// PostgreSQL: the table's oid, or NULL where there is none.
    fn to_regclass(name: Text) -> diesel::sql_types::Nullable<diesel::sql_types::Oid>;
}

/// A JSON column's value.
#[derive(Clone, Debug, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Json)]
pub struct JsonValue(pub serde_json::Value);

impl JsonValue {
    /// Serialises one of our own types, whose maps all have text keys: that cannot fail.
    pub fn of(value: &impl serde::Serialize) -> Self {
        JsonValue(serde_json::to_value(value).unwrap_or(serde_json::Value::Null))
    }

    /// Reads one of our own types back. An error means that the row was changed by something else than this program.
    pub fn read<T: serde::de::DeserializeOwned>(self, column: &str) -> diesel::QueryResult<T> {
        serde_json::from_value(self.0)
            .map_err(|error| diesel::result::Error::DeserializationError(format!("{column}: {error}").into()))
    }
}

impl ToSql<Id, Pg> for clock::Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<PgUuid, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<Id, Pg> for clock::Id {
    fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        FromSql::<PgUuid, Pg>::from_sql(bytes).map(clock::Id)
    }
}

impl ToSql<Id, Sqlite> for clock::Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Sqlite> for clock::Id {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(bytes)?;
        Ok(clock::Id(uuid::Uuid::from_slice(&bytes)?))
    }
}

impl ToSql<Instant, Pg> for clock::Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Timestamptz, Pg>::to_sql(&self.utc(), &mut out.reborrow())
    }
}

impl FromSql<Instant, Pg> for clock::Time {
    fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let time = <chrono::DateTime<chrono::Utc> as FromSql<Timestamptz, Pg>>::from_sql(bytes)?;
        Ok(clock::Time::from_micros(time.timestamp_micros()))
    }
}

impl ToSql<Instant, Sqlite> for clock::Time {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.micros());
        Ok(IsNull::No)
    }
}

impl FromSql<Instant, Sqlite> for clock::Time {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        <i64 as FromSql<BigInt, Sqlite>>::from_sql(bytes).map(clock::Time::from_micros)
    }
}

impl ToSql<Json, Pg> for JsonValue {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<Jsonb, Pg>::to_sql(&self.0, out)
    }
}

impl FromSql<Json, Pg> for JsonValue {
    fn from_sql(bytes: <Pg as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        FromSql::<Jsonb, Pg>::from_sql(bytes).map(JsonValue)
    }
}

impl ToSql<Json, Sqlite> for JsonValue {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Json, Sqlite> for JsonValue {
    fn from_sql(bytes: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(bytes)?;
        Ok(JsonValue(serde_json::from_str(&text)?))
    }
}

macro_rules! on_both {
    ($($sql:ty: $rust:ty),*) => {$(
        impl HasSqlType<$sql> for MultiBackend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                MultiBackend::lookup_sql_type::<$sql>(lookup)
            }
        }

        impl ToSql<$sql, MultiBackend> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
                out.set_value((<$sql>::default(), self));
                Ok(IsNull::No)
            }
        }

        impl FromSql<$sql, MultiBackend> for $rust {
            fn from_sql(bytes: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                bytes.from_sql::<Self, $sql>()
            }
        }
    )*};
}

on_both!(Id: clock::Id, Instant: clock::Time, Json: JsonValue);
