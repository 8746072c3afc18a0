//! Where orders go. Every statement carries the person's id, which is the table's distribution key.

use diesel::prelude::*;

use crate::clock::Id;
use crate::db::Connection;
use crate::user::schema::deliveries;
use crate::user::{AddressFields, Delivery};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = deliveries)]
struct Fields {
    name: String,
    company: String,
    line1: String,
    line2: String,
    city: String,
    region: String,
    postal_code: String,
    country: String,
    phone: String,
}

impl From<Fields> for AddressFields {
    fn from(row: Fields) -> Self {
        AddressFields {
            name: row.name,
            company: row.company,
            line1: row.line1,
            line2: row.line2,
            city: row.city,
            region: row.region,
            postal_code: row.postal_code,
            country: row.country,
            phone: row.phone,
        }
    }
}

impl From<AddressFields> for Fields {
    fn from(address: AddressFields) -> Self {
        Fields {
            name: address.name,
            company: address.company,
            line1: address.line1,
            line2: address.line2,
            city: address.city,
            region: address.region,
            postal_code: address.postal_code,
            country: address.country,
            phone: address.phone,
        }
    }
}

pub(in crate::user) fn delivery_get(conn: &mut Connection, user: Id, order: Id) -> QueryResult<Option<AddressFields>> {
    let row: Option<Fields> =
        deliveries::table.find((user, order)).select(Fields::as_select()).first(conn).optional()?;
    Ok(row.map(AddressFields::from))
}

/// Newest first, at most `limit`.
pub(in crate::user) fn delivery_list(conn: &mut Connection, user: Id, limit: i64) -> QueryResult<Vec<Delivery>> {
    let rows: Vec<(Id, Fields)> = deliveries::table
        .filter(deliveries::user_id.eq(user))
        .order(deliveries::order_id.desc())
        .limit(limit)
        .select((deliveries::order_id, Fields::as_select()))
        .load(conn)?;
    Ok(rows.into_iter().map(|(order, row)| Delivery { order, address: row.into() }).collect())
}

pub(in crate::user) fn delivery_insert(
    conn: &mut Connection,
    user: Id,
    order: Id,
    address: AddressFields,
) -> QueryResult<()> {
    let key = (deliveries::user_id.eq(user), deliveries::order_id.eq(order));
    diesel::insert_into(deliveries::table).values((key, Fields::from(address))).execute(conn)?;
    Ok(())
}

pub(in crate::user) fn delivery_update(
    conn: &mut Connection,
    user: Id,
    order: Id,
    address: AddressFields,
) -> QueryResult<()> {
    diesel::update(deliveries::table.find((user, order))).set(Fields::from(address)).execute(conn)?;
    Ok(())
}
