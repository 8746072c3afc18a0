//! The addresses of people. Every statement carries the person's id, which is the table's distribution key.

use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::schema::addresses;
use crate::user::{Address, AddressFields};

/// Declares `Fields`: the columns of a table that are a postal address.
macro_rules! address_columns {
    ($table:ident) => {
        address_columns!($table: name company line1 line2 city region postal_code country phone);
    };
    ($table:ident: $($field:ident)*) => {
        #[derive(Queryable, Selectable, Insertable, AsChangeset)]
        #[diesel(table_name = $table)]
        struct Fields {
            $($field: String,)*
        }

        impl From<Fields> for AddressFields {
            fn from(row: Fields) -> Self {
                AddressFields { $($field: row.$field,)* }
            }
        }

        impl From<AddressFields> for Fields {
            fn from(address: AddressFields) -> Self {
                Fields { $($field: address.$field,)* }
            }
        }
    };
}
pub(super) use address_columns;

address_columns!(addresses);

#[derive(Queryable, Selectable)]
#[diesel(table_name = addresses)]
struct AddressRow {
    id: Id,
    #[diesel(embed)]
    fields: Fields,
    is_default: bool,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<AddressRow> for Address {
    fn from(row: AddressRow) -> Self {
        Address {
            id: row.id,
            fields: row.fields.into(),
            is_default: row.is_default,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The default first, then newest first.
pub(in crate::user) fn address_list(conn: &mut Connection, user: Id) -> QueryResult<Vec<Address>> {
    let rows: Vec<AddressRow> = addresses::table
        .filter(addresses::user_id.eq(user))
        .order((addresses::is_default.desc(), addresses::id.desc()))
        .select(AddressRow::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Address::from).collect())
}

pub(in crate::user) fn address_get(conn: &mut Connection, user: Id, id: Id) -> QueryResult<Option<Address>> {
    let row: Option<AddressRow> =
        addresses::table.find((user, id)).select(AddressRow::as_select()).first(conn).optional()?;
    Ok(row.map(Address::from))
}

pub(in crate::user) fn address_count(conn: &mut Connection, user: Id) -> QueryResult<i64> {
    addresses::table.filter(addresses::user_id.eq(user)).select(count_star()).first(conn)
}

/// Writes a new address. The person must have no other default when it is one.
pub(in crate::user) fn address_insert(conn: &mut Connection, user: Id, address: &Address) -> QueryResult<()> {
    diesel::insert_into(addresses::table)
        .values((
            addresses::user_id.eq(user),
            addresses::id.eq(address.id),
            Fields::from(address.fields.clone()),
            addresses::is_default.eq(address.is_default),
            addresses::version.eq(address.version),
            addresses::created_at.eq(address.created_at),
            addresses::updated_at.eq(address.updated_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Writes an address anew, as for [`address_insert`].
pub(in crate::user) fn address_update(conn: &mut Connection, user: Id, address: &Address) -> QueryResult<()> {
    diesel::update(addresses::table.find((user, address.id)))
        .set((
            Fields::from(address.fields.clone()),
            addresses::is_default.eq(address.is_default),
            addresses::version.eq(address.version),
            addresses::updated_at.eq(address.updated_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes the mark from the person's default, if there is one.
pub(in crate::user) fn address_default_clear(conn: &mut Connection, user: Id, now: Time) -> QueryResult<()> {
    diesel::update(addresses::table.filter(addresses::user_id.eq(user)).filter(addresses::is_default))
        .set((
            addresses::is_default.eq(false),
            addresses::version.eq(addresses::version + 1),
            addresses::updated_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Marks the person's newest address as the default; the person must have no default.
pub(in crate::user) fn address_default_newest(conn: &mut Connection, user: Id, now: Time) -> QueryResult<()> {
    let newest: Option<Id> = addresses::table
        .filter(addresses::user_id.eq(user))
        .order(addresses::id.desc())
        .select(addresses::id)
        .first(conn)
        .optional()?;
    if let Some(newest) = newest {
        diesel::update(addresses::table.find((user, newest)))
            .set((
                addresses::is_default.eq(true),
                addresses::version.eq(addresses::version + 1),
                addresses::updated_at.eq(now),
            ))
            .execute(conn)?;
    }
    Ok(())
}

pub(in crate::user) fn address_delete(conn: &mut Connection, user: Id, id: Id) -> QueryResult<()> {
    diesel::delete(addresses::table.find((user, id))).execute(conn)?;
    Ok(())
}
