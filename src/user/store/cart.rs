//! Carts. Every statement carries the person's id, which is the table's distribution key.

use diesel::prelude::*;
use diesel::upsert::excluded;

use crate::clock::Id;
use crate::db::Connection;
use crate::user::CartLine;
use crate::user::schema::cart_lines;

/// The lines, each with its position, by which they are sorted.
pub(in crate::user) fn cart_list(conn: &mut Connection, user: Id) -> QueryResult<Vec<(CartLine, i64)>> {
    let rows: Vec<(String, i64, i64)> = cart_lines::table
        .filter(cart_lines::user_id.eq(user))
        .order((cart_lines::position, cart_lines::sku))
        .select((cart_lines::sku, cart_lines::quantity, cart_lines::position))
        .load(conn)?;
    Ok(rows.into_iter().map(|(sku, quantity, position)| (CartLine { sku, quantity }, position)).collect())
}

/// Writes these lines at their positions; of those that are there already, the quantities.
pub(in crate::user) fn cart_upsert(conn: &mut Connection, user: Id, lines: &[&(CartLine, i64)]) -> QueryResult<()> {
    let rows = lines.iter().map(|(line, position)| {
        (
            cart_lines::user_id.eq(user),
            cart_lines::sku.eq(&line.sku),
            cart_lines::quantity.eq(line.quantity),
            cart_lines::position.eq(position),
        )
    });
    let rows: Vec<_> = rows.collect();
    match conn {
        Connection::Sqlite(conn) => diesel::insert_into(cart_lines::table)
            .values(rows)
            .on_conflict((cart_lines::user_id, cart_lines::sku))
            .do_update()
            .set(cart_lines::quantity.eq(excluded(cart_lines::quantity)))
            .execute(conn)?,
        Connection::Postgres(conn) => diesel::insert_into(cart_lines::table)
            .values(rows)
            .on_conflict((cart_lines::user_id, cart_lines::sku))
            .do_update()
            .set(cart_lines::quantity.eq(excluded(cart_lines::quantity)))
            .execute(conn)?,
    };
    Ok(())
}

pub(in crate::user) fn cart_delete(conn: &mut Connection, user: Id, skus: &[&str]) -> QueryResult<()> {
    let lines = cart_lines::table.filter(cart_lines::user_id.eq(user)).filter(cart_lines::sku.eq_any(skus));
    diesel::delete(lines).execute(conn)?;
    Ok(())
}
