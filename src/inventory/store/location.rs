//! The locations.

use diesel::prelude::*;

use crate::clock::{Id, Time};
use crate::db::Connection;
use crate::db::sql::JsonValue;
use crate::inventory::Location;
use crate::inventory::schema::locations;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = locations)]
struct LocationRow {
    id: Id,
    code: String,
    name: String,
    address: JsonValue,
    priority: i64,
    active: bool,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl LocationRow {
    fn of(location: &Location) -> Self {
        LocationRow {
            id: location.id,
            code: location.code.clone(),
            name: location.name.clone(),
            address: JsonValue::of(&location.address),
            priority: location.priority,
            active: location.active,
            version: location.version,
            created_at: location.created_at,
            updated_at: location.updated_at,
        }
    }

    fn location(self) -> QueryResult<Location> {
        Ok(Location {
            id: self.id,
            code: self.code,
            name: self.name,
            address: self.address.read("locations.address")?,
            priority: self.priority,
            active: self.active,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// All locations, by priority, then code.
pub(in crate::inventory) fn location_list(conn: &mut Connection) -> QueryResult<Vec<Location>> {
    let order = (locations::priority, locations::code);
    let rows: Vec<LocationRow> = locations::table.order(order).select(LocationRow::as_select()).load(conn)?;
    rows.into_iter().map(LocationRow::location).collect()
}

pub(in crate::inventory) fn location_by_code(conn: &mut Connection, code: &str) -> QueryResult<Option<Location>> {
    let row = locations::table.filter(locations::code.eq(code)).select(LocationRow::as_select()).first(conn);
    row.optional()?.map(LocationRow::location).transpose()
}

pub(in crate::inventory) fn location_count(conn: &mut Connection) -> QueryResult<i64> {
    locations::table.count().get_result(conn)
}

/// Adds a location; a unique violation where its code is taken.
pub(in crate::inventory) fn location_insert(conn: &mut Connection, new: &Location) -> QueryResult<()> {
    diesel::insert_into(locations::table).values(LocationRow::of(new)).execute(conn)?;
    Ok(())
}

/// Takes the location for a change: its version rises by one, and nobody else changes it until the transaction ends.
pub(in crate::inventory) fn location_claim(
    conn: &mut Connection,
    code: &str,
    now: Time,
) -> QueryResult<Option<Location>> {
    diesel::update(locations::table.filter(locations::code.eq(code)))
        .set((locations::version.eq(locations::version + 1), locations::updated_at.eq(now)))
        .execute(conn)?;
    location_by_code(conn, code)
}

/// Writes all of a location anew, except its id.
pub(in crate::inventory) fn location_replace(conn: &mut Connection, location: &Location) -> QueryResult<()> {
    diesel::update(locations::table.find(location.id)).set(LocationRow::of(location)).execute(conn)?;
    Ok(())
}
