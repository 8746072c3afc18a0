//! Who calls, what the caller may do, and under which key a repeated call is the same call.

use std::fmt;
use std::net::IpAddr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::clock::Id;

/// What a person may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Customer,
    Staff,
    Admin,
}

/// One thing that an API key may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    #[serde(rename = "catalogue:read")]
    CatalogueRead,
    #[serde(rename = "catalogue:write")]
    CatalogueWrite,
    #[serde(rename = "stock:read")]
    StockRead,
    #[serde(rename = "stock:write")]
    StockWrite,
    #[serde(rename = "reservations:read")]
    ReservationsRead,
    #[serde(rename = "reservations:write")]
    ReservationsWrite,
    #[serde(rename = "events:read")]
    EventsRead,
    #[serde(rename = "users:read")]
    UsersRead,
    #[serde(rename = "users:write")]
    UsersWrite,
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Caller {
    Anonymous,
    /// Somebody who signed in.
    Person {
        user_id: Id,
        session_id: Id,
        role: Role,
    },
    /// A program with an API key.
    Key {
        key_id: Id,
        scopes: Vec<Scope>,
    },
}

impl Caller {
    pub fn user_id(&self) -> Option<Id> {
        match self {
            Caller::Person { user_id, .. } => Some(*user_id),
            _ => None,
        }
    }

    /// May this caller do what takes `role` of a person and `scope` of a program? No scope: no program may.
    pub fn may(&self, role: Role, scope: Option<Scope>) -> bool {
        match self {
            Caller::Anonymous => false,
            Caller::Person { role: own, .. } => *own >= role,
            Caller::Key { scopes, .. } => scope.is_some_and(|scope| scopes.contains(&scope)),
        }
    }

    /// The name under which the ledger and the audit log know this caller: `user:ID`, `key:ID` or `anonymous`.
    pub fn actor(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Anonymous => f.write_str("anonymous"),
            Caller::Person { user_id, .. } => write!(f, "user:{user_id}"),
            Caller::Key { key_id, .. } => write!(f, "key:{key_id}"),
        }
    }
}

/// Whom an IP address stands for: an IPv6 customer has a /64 of them, and counts as one client.
pub fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        IpAddr::V4(address) => address.to_string(),
    }
}

/// What goes with every call that changes something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Who answers for the change: [`Caller::actor`], or `system` and `cli` for what nobody asked over HTTP.
    pub actor: String,
    /// The IP address that it came from; empty for what nobody asked over the network, and where it is not known.
    #[serde(default)]
    pub address: String,
    /// The client's key for this call, where it gave one.
    pub key: Option<IdempotencyKey>,
}

impl Call {
    pub fn by(actor: impl Into<String>) -> Self {
        Call { actor: actor.into(), address: String::new(), key: None }
    }

    /// The same call, that came from this IP address.
    pub fn from(self, address: impl Into<String>) -> Self {
        Call { address: address.into(), ..self }
    }
}

/// A client's promise that all calls with this key are one. Kept per actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    pub key: String,
    /// SHA-256 of the method, the path and the body: another request under the same key is refused.
    pub request_hash: Vec<u8>,
}

/// One version of a thing that is changed version by version: which thing, and the version's number. Outside it is `ID-NUMBER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub id: Id,
    pub number: i64,
}

impl Version {
    /// Reads what [`Version`] is outside; `None` when it is not just that.
    pub fn read(text: &str) -> Option<Self> {
        let (id, number) = text.rsplit_once('-')?;
        let version = Version { id: id.parse().ok()?, number: number.parse().ok()? };
        (version.to_string() == text).then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.number)
    }
}

/// What has versions.
pub trait Versioned {
    fn version(&self) -> Version;
}

/// Makes [`Versioned`] what has the fields `id` and `version`. Where it is used, both names must be there.
macro_rules! versioned {
    ($($thing:ty),*) => {
        $(impl Versioned for $thing {
            fn version(&self) -> Version {
                Version { id: self.id, number: self.version }
            }
        })*
    };
}
pub(crate) use versioned;

/// Makes the type of a PATCH. Of each field, absent leaves the value as it is. The fields behind `or_null` may be null, which takes
/// the value away; null for any other is refused, so that nobody believes to have emptied what cannot be empty.
macro_rules! patch {
    (
        $(#[$about:meta])*
        pub struct $name:ident { $($(#[$note:meta])* $field:ident: $type:ty,)* }
        $(or_null { $($(#[$null_note:meta])* $null:ident: $null_type:ty,)* })?
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[$note])*
                #[serde(default, deserialize_with = "crate::call::some", skip_serializing_if = "Option::is_none")]
                #[schema(nullable = false)]
                pub $field: Option<$type>,
            )*
            $($(
                $(#[$null_note])*
                #[serde(
                    default,
                    deserialize_with = "crate::call::some_or_null",
                    skip_serializing_if = "Option::is_none"
                )]
                #[schema(value_type = Option<$null_type>)]
                pub $null: Option<Option<$null_type>>,
            )*)?
        }
    };
}
pub(crate) use patch;

/// Reads a field that may be absent but not null.
pub fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Option::<T>::deserialize(deserializer)?;
    value.map(Some).ok_or_else(|| D::Error::custom("must not be null"))
}

/// Reads a field that may be absent and may be null, and tells the one from the other.
pub fn some_or_null<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// The answer of a call that may be a repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer<T> {
    pub value: T,
    /// True when the effect was there already and this is the first answer again.
    pub replayed: bool,
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn a_version_is_read_as_it_is_written() {
        let text = "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d-12";
        assert_eq!(
            Version::read(text).map(|version| (version.number, version.to_string())),
            Some((12, text.to_owned()))
        );
        for other in [
            "12",
            "v12",
            "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d",
            "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d-",
            "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d-012",
            "019345f07c1e7d3a9b512f1c8a0b6c5d-12",
            "019345F0-7C1E-7D3A-9B51-2F1C8A0B6C5D-12",
        ] {
            assert_eq!(Version::read(other), None, "{other}");
        }
    }
}
