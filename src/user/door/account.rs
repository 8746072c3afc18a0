//! What a person keeps here: the profile and the addresses.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::call::{Call, Role, Version, Versioned, patch, versioned};
use crate::clock::{Id, Time};
use crate::config::Secret;
use crate::user::{Origin, UserError};

/// At most so many addresses a person.
pub const ADDRESSES_MAX: usize = 50;

/// At most so many lines a cart, and so many pieces a line.
pub const CART_LINES_MAX: usize = 100;
pub const CART_QUANTITY_MAX: i64 = 999;

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Profile {
    pub id: Id,
    pub email: String,
    pub email_verified: bool,
    pub name: String,
    pub phone: String,
    pub role: Role,
    pub disabled: bool,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

patch! {
    /// What is absent stays.
    pub struct ProfilePatch {
        #[schema(max_length = 200)]
        name: String,
        #[schema(max_length = 50)]
        phone: String,
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Address {
    pub id: Id,
    #[serde(flatten)]
    pub fields: AddressFields,
    /// At most one of a person's addresses.
    pub is_default: bool,
    pub version: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Declares an address, and a new one: each field of a postal address is named once.
macro_rules! addresses {
    ($($(#[$note:meta])* $field:ident,)*) => {
        /// A postal address.
        #[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
        pub struct AddressFields {
            $($(#[$note])* pub $field: String,)*
        }

        /// A whole address; `is_default: true` takes the mark from the one that has it; `false` leaves the mark where it is.
        /// The first address becomes the default.
        #[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct NewAddress {
            $($(#[$note])* pub $field: String,)*
            #[serde(default)]
            pub is_default: bool,
        }

        impl NewAddress {
            pub fn new(address: AddressFields, is_default: bool) -> Self {
                NewAddress { $($field: address.$field,)* is_default }
            }

            /// Without the mark.
            pub fn into_fields(self) -> AddressFields {
                AddressFields { $($field: self.$field,)* }
            }
        }
    };
}

addresses! {
    /// Who gets it.
    #[schema(min_length = 1, max_length = 200)]
    name,
    #[serde(default)]
    #[schema(max_length = 200)]
    company,
    #[schema(min_length = 1, max_length = 200)]
    line1,
    #[serde(default)]
    #[schema(max_length = 200)]
    line2,
    #[schema(min_length = 1, max_length = 200)]
    city,
    #[serde(default)]
    #[schema(max_length = 200)]
    region,
    #[serde(default)]
    #[schema(max_length = 200)]
    postal_code,
    /// ISO 3166-1 alpha-2, as `US`.
    #[schema(pattern = "^[A-Z]{2}$")]
    country,
    #[serde(default)]
    #[schema(max_length = 200)]
    phone,
}

/// What somebody wants to buy. Whether there is such a SKU is not known here: who shows the cart looks it up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CartLine {
    /// A SKU's code: 1 to 100 visible ASCII characters.
    #[schema(pattern = "^[!-~]{1,100}$")]
    pub sku: String,
    /// 1 to 999; 0, where a line is set, removes it.
    #[schema(minimum = 0, maximum = 999)]
    pub quantity: i64,
}

/// Where one of a person's orders goes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
pub struct Delivery {
    /// A reservation's id.
    pub order: Id,
    pub address: AddressFields,
    /// Null: the order is placed, and this is kept. Otherwise it is looked at then whether it is, and forgotten once it cannot be
    /// expected any more.
    pub expires_at: Option<Time>,
}

/// What became of something that was to be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum OrderFate {
    /// It is an order, or was one.
    Placed,
    /// It may still become one.
    Open,
    /// It will not become one, or has not for so long that nobody waits for it.
    Ended,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountDeletion {
    #[schema(value_type = String, format = Password)]
    pub current_password: Secret,
}

versioned!(Profile, Address);

/// What the user module keeps about a person, but for secrets; reservations are the inventory's, at `GET /api/v1/reservations`.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PersonalData {
    pub profile: Profile,
    pub addresses: Vec<Address>,
    pub cart: Vec<CartLine>,
    /// Where orders went or will go, newest first; at most 10,000.
    pub deliveries: Vec<Delivery>,
    pub sessions: Vec<crate::user::Session>,
    /// What was done to the account, newest first; at most 10,000 entries.
    pub audit_log: Vec<crate::user::AuditEntry>,
}

/// What a person keeps here. `expected` is what the caller saw: another version there, or another thing, is `VersionMismatch`.
#[async_trait]
pub trait Account: Send + Sync {
    async fn profile_get(&self, user: Id) -> Result<Option<Profile>, UserError>;
    /// Those of them who are there, in any order: at most [`crate::page::LIMIT_MAX`].
    async fn profile_list(&self, users: Vec<Id>) -> Result<Vec<Profile>, UserError>;
    async fn profile_update(
        &self,
        call: &Call,
        user: Id,
        expected: Option<Version>,
        patch: ProfilePatch,
    ) -> Result<Profile, UserError>;
    /// The default first, then newest first.
    async fn address_list(&self, user: Id) -> Result<Vec<Address>, UserError>;
    async fn address_get(&self, user: Id, id: Id) -> Result<Option<Address>, UserError>;
    /// At most [`ADDRESSES_MAX`]; `Conflict` beyond.
    async fn address_create(&self, call: &Call, user: Id, new: NewAddress) -> Result<Address, UserError>;
    async fn address_update(
        &self,
        call: &Call,
        user: Id,
        id: Id,
        expected: Option<Version>,
        new: NewAddress,
    ) -> Result<Address, UserError>;
    /// Gives whether there was one. The newest one left becomes the default when the default goes.
    async fn address_delete(&self, call: &Call, user: Id, id: Id, expected: Option<Version>)
    -> Result<bool, UserError>;
    /// In the order in which the lines were added; empty where there is no such person.
    async fn cart_get(&self, user: Id) -> Result<Vec<CartLine>, UserError>;
    /// Puts more into the cart: adds up with what is there, each line at most [`CART_QUANTITY_MAX`]. Gives the whole cart. `Conflict`
    /// beyond [`CART_LINES_MAX`] lines. Whether there are such SKUs is not known here.
    async fn cart_add(&self, user: Id, lines: Vec<CartLine>) -> Result<Vec<CartLine>, UserError>;
    /// Sets the quantities of these lines, 0 removes; other lines stay. Otherwise as [`Account::cart_add`].
    async fn cart_set(&self, user: Id, lines: Vec<CartLine>) -> Result<Vec<CartLine>, UserError>;
    /// Where one of the person's orders goes, instead of what was set before: looked at after a day ([`Account::deliveries_due`]),
    /// and kept for good once the order is placed ([`Account::delivery_keep`]). Whether `order`, a reservation's id, is the person's is
    /// not known here: who calls looks that up where it matters.
    async fn delivery_set(&self, call: &Call, user: Id, order: Id, address: AddressFields) -> Result<(), UserError>;
    /// As it is at this moment. What went to a person whose account is gone is told, too.
    async fn delivery_get(&self, user: Id, order: Id) -> Result<Option<AddressFields>, UserError>;
    /// Keeps where this order goes for good: it is placed.
    async fn delivery_keep(&self, user: Id, order: Id) -> Result<(), UserError>;
    /// Addresses that were set or looked at a day before `now`, and are not known to be those of placed orders; each with the person and
    /// the order, the oldest first. Who asks looks the orders up, and tells with [`Account::deliveries_settle`] what became of them.
    async fn deliveries_due(&self, now: Time, limit: u32) -> Result<Vec<(Id, Id)>, UserError>;
    /// Of each person's order: keeps the address of what was placed for good, forgets that of what will not be, and looks at the rest a
    /// day later. What is not due any more at `now`, the time of the look, has been set anew meanwhile, and stays as it is.
    async fn deliveries_settle(&self, now: Time, fates: Vec<(Id, Id, OrderFate)>) -> Result<(), UserError>;
    async fn personal_data(&self, user: Id) -> Result<Option<PersonalData>, UserError>;
    /// Removes the person: profile, address, password, sessions, addresses, cart. What a shop must be able to prove stays: reservations,
    /// by the bare id, and where placed orders went. `Conflict` for the last admin.
    async fn account_delete(&self, origin: &Origin, user: Id, deletion: AccountDeletion) -> Result<(), UserError>;
}
