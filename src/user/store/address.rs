//! The addresses of people. Every statement carries the person's id, which is the table's distribution key.

use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::schema::addresses;
use crate::user::{Address, AddressFields};

#[derive(Queryable, Selectable)]
#[diesel(table_name = addresses)]
struct AddressRow {
    id: Id,
    name: String,
    company: String,
    line1: String,
    line2: String,
    city: String,
    region: String,
    postal_code: String,
    country: String,
    phone: String,
    is_default: bool,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<AddressRow> for Address {
    fn from(row: AddressRow) -> Self {
        Address {
            id: row.id,
            fields: AddressFields {
                name: row.name,
                company: row.company,
                line1: row.line1,
                line2: row.line2,
                city: row.city,
                region: row.region,
                postal_code: row.postal_code,
                country: row.country,
                phone: row.phone,
            },
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
            fields(address),
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
            fields(address),
            addresses::is_default.eq(address.is_default),
            addresses::version.eq(address.version),
            addresses::updated_at.eq(address.updated_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// The columns that the person writes.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = addresses)]
struct Fields<'a> {
    name: &'a str,
    company: &'a str,
    line1: &'a str,
    line2: &'a str,
    city: &'a str,
    region: &'a str,
    postal_code: &'a str,
    country: &'a str,
    phone: &'a str,
}

fn fields(address: &Address) -> Fields<'_> {
    let fields = &address.fields;
    Fields {
        name: &fields.name,
        company: &fields.company,
        line1: &fields.line1,
        line2: &fields.line2,
        city: &fields.city,
        region: &fields.region,
        postal_code: &fields.postal_code,
        country: &fields.country,
        phone: &fields.phone,
    }
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
