//! The category tree. A subtree is a range of paths: `path >= 'a/' AND path < 'a0'`, as `0` follows `/`.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::clock::{Id, Time};
use crate::db::{Connection, sql};
use crate::inventory::Category;
use crate::inventory::schema::categories;
use crate::inventory::store::former::paths_taken_again;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = categories, treat_none_as_null = true)]
pub(super) struct CategoryRow {
    id: Id,
    parent_id: Option<Id>,
    slug: String,
    path: String,
    name: String,
    position: i64,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl From<CategoryRow> for Category {
    fn from(row: CategoryRow) -> Self {
        let CategoryRow { id, parent_id, slug, path, name, position, version, created_at, updated_at } = row;
        Category { id, parent_id, slug, path, name, position, version, created_at, updated_at }
    }
}

impl From<Category> for CategoryRow {
    fn from(category: Category) -> Self {
        let Category { id, parent_id, slug, path, name, position, version, created_at, updated_at } = category;
        CategoryRow { id, parent_id, slug, path, name, position, version, created_at, updated_at }
    }
}

/// Makes changes of the tree follow each other until the transaction ends: two moves at once, each of them right, could make a
/// circle. Readers are not held up. SQLite has one writer anyway.
pub(in crate::inventory) fn tree_lock(conn: &mut Connection) -> QueryResult<()> {
    match conn {
        Connection::Sqlite(_) => Ok(()),
        Connection::Postgres(conn) => conn.batch_execute("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE"),
    }
}

/// All categories, in no order.
pub(in crate::inventory) fn category_list(conn: &mut Connection) -> QueryResult<Vec<Category>> {
    let rows: Vec<CategoryRow> = categories::table.select(CategoryRow::as_select()).load(conn)?;
    Ok(rows.into_iter().map(Category::from).collect())
}

pub(in crate::inventory) fn category_get(conn: &mut Connection, id: Id) -> QueryResult<Option<Category>> {
    let row: Option<CategoryRow> =
        categories::table.find(id).select(CategoryRow::as_select()).first(conn).optional()?;
    Ok(row.map(Category::from))
}

pub(in crate::inventory) fn category_count(conn: &mut Connection) -> QueryResult<i64> {
    categories::table.count().get_result(conn)
}

/// Adds a category; a unique violation where its path is taken.
pub(in crate::inventory) fn category_insert(conn: &mut Connection, new: Category) -> QueryResult<()> {
    let path = new.path.clone();
    diesel::insert_into(categories::table).values(CategoryRow::from(new)).execute(conn)?;
    paths_taken_again(conn, &path)
}

/// Writes all of a category anew, except its id; a unique violation where its path is taken.
pub(in crate::inventory) fn category_replace(conn: &mut Connection, category: Category) -> QueryResult<()> {
    diesel::update(categories::table.find(category.id)).set(CategoryRow::from(category)).execute(conn)?;
    Ok(())
}

/// Removes a category; a foreign key violation while it has children or products.
pub(in crate::inventory) fn category_delete(conn: &mut Connection, id: Id) -> QueryResult<()> {
    diesel::delete(categories::table.find(id)).execute(conn)?;
    Ok(())
}

/// How many levels there are below the category of this path.
pub(in crate::inventory) fn levels_below(conn: &mut Connection, path: &str) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Deepest {
        #[diesel(sql_type = Nullable<BigInt>)]
        slashes: Option<i64>,
    }
    let deepest: Deepest = diesel::sql_query(
        "SELECT CAST(MAX(LENGTH(path) - LENGTH(REPLACE(path, '/', ''))) AS bigint) AS slashes
         FROM categories WHERE path >= $1 AND path < $2",
    )
    .bind::<Text, _>(format!("{path}/"))
    .bind::<Text, _>(format!("{path}0"))
    .get_result(conn)?;
    Ok(deepest.slashes.map_or(0, |slashes| slashes - path.matches('/').count() as i64))
}

/// Puts all below `old` below `new`.
pub(in crate::inventory) fn paths_move(conn: &mut Connection, old: &str, new: &str, now: Time) -> QueryResult<()> {
    diesel::sql_query(
        "UPDATE categories SET path = $1 || substr(path, $2), version = version + 1, updated_at = $3
         WHERE path >= $4 AND path < $5",
    )
    .bind::<Text, _>(new)
    // What follows the old path, which is ASCII. A path has at most ten slugs, so its length is no large number.
    .bind::<Integer, _>(old.len() as i32 + 1)
    .bind::<sql::Instant, _>(now)
    .bind::<Text, _>(format!("{old}/"))
    .bind::<Text, _>(format!("{old}0"))
    .execute(conn)?;
    Ok(())
}
