//! Where orders go. Every statement but the look for what is due carries the person's id, which is the table's distribution key.

use diesel::prelude::*;

use super::address::address_columns;
use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::user::schema::deliveries;
use crate::user::{AddressFields, Delivery};

address_columns!(deliveries);

pub(in crate::user) fn delivery_get(conn: &mut Connection, user: Id, order: Id) -> QueryResult<Option<AddressFields>> {
    let row: Option<Fields> =
        deliveries::table.find((user, order)).select(Fields::as_select()).first(conn).optional()?;
    Ok(row.map(AddressFields::from))
}

/// Newest first, at most `limit`.
pub(in crate::user) fn delivery_list(conn: &mut Connection, user: Id, limit: i64) -> QueryResult<Vec<Delivery>> {
    let rows: Vec<(Id, Fields, Option<Time>)> = deliveries::table
        .filter(deliveries::user_id.eq(user))
        .order(deliveries::order_id.desc())
        .limit(limit)
        .select((deliveries::order_id, Fields::as_select(), deliveries::expires_at))
        .load(conn)?;
    let delivery = |(order, row, expires_at): (Id, Fields, _)| Delivery { order, address: row.into(), expires_at };
    Ok(rows.into_iter().map(delivery).collect())
}

/// Writes where an order goes that is not placed yet, over what was there.
pub(in crate::user) fn delivery_write(
    conn: &mut Connection,
    user: Id,
    order: Id,
    address: AddressFields,
    expires_at: Time,
) -> QueryResult<()> {
    let fields = Fields::from(address);
    let row = || deliveries::table.find((user, order));
    if diesel::update(row()).set(&fields).execute(conn)? > 0 {
        let open = row().filter(deliveries::expires_at.is_not_null());
        diesel::update(open).set(deliveries::expires_at.eq(expires_at)).execute(conn)?;
        return Ok(());
    }
    let key = (deliveries::user_id.eq(user), deliveries::order_id.eq(order));
    diesel::insert_into(deliveries::table)
        .values((key, fields, deliveries::expires_at.eq(expires_at)))
        .execute(conn)?;
    Ok(())
}

/// Notes that the order is placed.
pub(in crate::user) fn delivery_keep(conn: &mut Connection, user: Id, order: Id) -> QueryResult<()> {
    diesel::update(deliveries::table.find((user, order))).set(deliveries::expires_at.eq(None::<Time>)).execute(conn)?;
    Ok(())
}

/// Those of these persons' orders whose addresses are still due. What is said of an order holds for whoever has it.
macro_rules! still_due {
    ($due:expr, $now:expr) => {{
        let (users, orders): (Vec<Id>, Vec<Id>) = $due.iter().copied().unzip();
        deliveries::table
            .filter(deliveries::user_id.eq_any(users))
            .filter(deliveries::order_id.eq_any(orders))
            .filter(deliveries::expires_at.le($now))
    }};
}

/// Notes that the orders are placed.
pub(in crate::user) fn deliveries_keep(conn: &mut Connection, due: &[(Id, Id)], now: Time) -> QueryResult<()> {
    if !due.is_empty() {
        diesel::update(still_due!(due, now)).set(deliveries::expires_at.eq(None::<Time>)).execute(conn)?;
    }
    Ok(())
}

/// Looks later at what is not known to be of a placed order.
pub(in crate::user) fn deliveries_put_off(
    conn: &mut Connection,
    due: &[(Id, Id)],
    now: Time,
    expires_at: Time,
) -> QueryResult<()> {
    if !due.is_empty() {
        diesel::update(still_due!(due, now)).set(deliveries::expires_at.eq(expires_at)).execute(conn)?;
    }
    Ok(())
}

/// Forgets where something would have gone that was not placed.
pub(in crate::user) fn deliveries_delete(conn: &mut Connection, due: &[(Id, Id)], now: Time) -> QueryResult<()> {
    if !due.is_empty() {
        diesel::delete(still_due!(due, now)).execute(conn)?;
    }
    Ok(())
}

/// Makes all of a person that are not known to be of a placed order due.
pub(in crate::user) fn deliveries_expire(conn: &mut Connection, user: Id, now: Time) -> QueryResult<()> {
    diesel::update(deliveries::table.filter(deliveries::user_id.eq(user)).filter(deliveries::expires_at.is_not_null()))
        .set(deliveries::expires_at.eq(now))
        .execute(conn)?;
    Ok(())
}

/// What is due, each with the person and the order: the oldest first.
pub(in crate::user) fn deliveries_due(conn: &mut Connection, now: Time, limit: i64) -> QueryResult<Vec<(Id, Id)>> {
    deliveries::table
        .filter(deliveries::expires_at.le(now))
        .order(deliveries::expires_at)
        .limit(limit)
        .select((deliveries::user_id, deliveries::order_id))
        .load(conn)
}
