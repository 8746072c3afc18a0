//! The handles and the paths that products and categories had before.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::clock::{Id, Time};
use crate::db::{Connection, sql};
use crate::inventory::schema::{categories, former_handles, former_paths, products};

/// SQLite takes 32,766 values a statement.
const HANDLES_PER_STATEMENT: usize = 20_000;

/// Notes that a product had this handle, which nobody has now. One that still leads to another product goes on doing so: who leaves
/// it was never on sale under it.
pub(in crate::inventory) fn handle_left(
    conn: &mut Connection,
    handle: &str,
    product: Id,
    now: Time,
) -> QueryResult<()> {
    let row =
        (former_handles::handle.eq(handle), former_handles::product_id.eq(product), former_handles::created_at.eq(now));
    let insert = diesel::insert_into(former_handles::table).values(row);
    match conn {
        Connection::Sqlite(conn) => insert.on_conflict_do_nothing().execute(conn)?,
        Connection::Postgres(conn) => insert.on_conflict_do_nothing().execute(conn)?,
    };
    Ok(())
}

/// Forgets who had these handles before: products that are on sale have them now. What only a draft or an archived product has, whom
/// shoppers do not see, still leads to the product that had it.
pub(in crate::inventory) fn handles_taken_again<'a>(
    conn: &mut Connection,
    handles: impl IntoIterator<Item = &'a str>,
) -> QueryResult<()> {
    let handles: Vec<&str> = handles.into_iter().collect();
    for chunk in handles.chunks(HANDLES_PER_STATEMENT) {
        diesel::delete(former_handles::table.filter(former_handles::handle.eq_any(chunk))).execute(conn)?;
    }
    Ok(())
}

/// The handle that the product has now which had this one.
pub(in crate::inventory) fn handle_now(conn: &mut Connection, handle: &str) -> QueryResult<Option<String>> {
    former_handles::table
        .inner_join(products::table.on(products::id.eq(former_handles::product_id)))
        .filter(former_handles::handle.eq(handle))
        .select(products::handle)
        .first(conn)
        .optional()
}

/// Notes the paths of a category and all below it, which they are about to leave.
pub(in crate::inventory) fn paths_left(conn: &mut Connection, path: &str, now: Time) -> QueryResult<()> {
    paths_taken_again(conn, path)?;
    diesel::sql_query(
        "INSERT INTO former_paths (path, category_id, created_at)
         SELECT path, id, $1 FROM categories WHERE path = $2 OR (path >= $3 AND path < $4)",
    )
    .bind::<sql::Instant, _>(now)
    .bind::<Text, _>(path)
    .bind::<Text, _>(format!("{path}/"))
    .bind::<Text, _>(format!("{path}0"))
    .execute(conn)?;
    Ok(())
}

/// Forgets who had the paths before that a category and all below it have now.
pub(in crate::inventory) fn paths_taken_again(conn: &mut Connection, path: &str) -> QueryResult<()> {
    diesel::sql_query(
        "DELETE FROM former_paths WHERE path IN
         (SELECT path FROM categories WHERE path = $1 OR (path >= $2 AND path < $3))",
    )
    .bind::<Text, _>(path)
    .bind::<Text, _>(format!("{path}/"))
    .bind::<Text, _>(format!("{path}0"))
    .execute(conn)?;
    Ok(())
}

/// The path that the category has now which had this one.
pub(in crate::inventory) fn path_now(conn: &mut Connection, path: &str) -> QueryResult<Option<String>> {
    former_paths::table
        .inner_join(categories::table.on(categories::id.eq(former_paths::category_id)))
        .filter(former_paths::path.eq(path))
        .select(categories::path)
        .first(conn)
        .optional()
}
