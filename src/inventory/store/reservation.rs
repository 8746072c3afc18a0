//! Reservations and their lines: each transaction that changes one locks its header first, by [`reservation_lock`].

use std::collections::{BTreeMap, BTreeSet};

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::dsl::sql as raw_sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::sku::option_columns;
use super::stock::{BINDS, Place, Sold, SoldValues, StockKey};
use super::unindexed;
use crate::clock::{Id, Time};
use crate::db::sql::JsonValue;
use crate::db::{Connection, MultiBackend, sql};
use crate::inventory::schema::{holders, locations, reservation_lines, reservations, skus};
use crate::inventory::{ReservationOutcome, ReservationState};

/// A reservation without its lines, as it is stored: a hold stays `Held` here until somebody ends it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = reservations)]
pub(in crate::inventory) struct ReservationRow {
    pub(in crate::inventory) id: Id,
    pub(in crate::inventory) holder: String,
    #[diesel(deserialize_as = StateColumn)]
    pub(in crate::inventory) state: ReservationState,
    pub(in crate::inventory) reference: String,
    #[diesel(deserialize_as = IdsColumn)]
    pub(in crate::inventory) product_ids: Vec<Id>,
    pub(in crate::inventory) expires_at: Time,
    pub(in crate::inventory) expires_max: Time,
    pub(in crate::inventory) committed_at: Option<Time>,
    /// Of its lines: the sums of quantity, and of quantity times price; once it is cancelled, of what was shipped.
    pub(in crate::inventory) units: i64,
    pub(in crate::inventory) value: i64,
    pub(in crate::inventory) version: i64,
    pub(in crate::inventory) created_at: Time,
    pub(in crate::inventory) updated_at: Time,
}

#[derive(Clone, Debug)]
pub(in crate::inventory) struct ReservationLineRow {
    pub(in crate::inventory) place: Place,
    /// As it was when it was reserved.
    pub(in crate::inventory) sold: Sold,
    pub(in crate::inventory) quantity: i64,
    pub(in crate::inventory) shipped: i64,
}

/// What a hold whose time has passed still keeps of a stock row.
#[derive(Clone, Copy, Debug)]
pub(in crate::inventory) struct DueLine {
    pub(in crate::inventory) key: StockKey,
    pub(in crate::inventory) reservation_id: Id,
    pub(in crate::inventory) quantity: i64,
}

/// Which reservations a list shall show.
#[derive(Clone, Debug, Default)]
pub(in crate::inventory) struct ReservationFilter {
    pub(in crate::inventory) holder: Option<String>,
    pub(in crate::inventory) reference: Option<String>,
    pub(in crate::inventory) state: Option<ReservationState>,
    /// Those that were committed at some time, or those that never were.
    pub(in crate::inventory) ordered: Option<bool>,
    /// Those of which a part was shipped, and the rest was not.
    pub(in crate::inventory) partly_shipped: bool,
    /// Only those older than this one.
    pub(in crate::inventory) before: Option<Id>,
}

#[derive(FromSqlRow)]
pub(in crate::inventory) struct StateColumn(ReservationState);

impl<DB: Backend> FromSql<Text, DB> for StateColumn
where
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(StateColumn(serde_json::from_value(String::from_sql(bytes)?.into())?))
    }
}

impl From<StateColumn> for ReservationState {
    fn from(column: StateColumn) -> Self {
        column.0
    }
}

#[derive(FromSqlRow)]
pub(in crate::inventory) struct IdsColumn(Vec<Id>);

impl<DB: Backend> FromSql<sql::Json, DB> for IdsColumn
where
    JsonValue: FromSql<sql::Json, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(IdsColumn(JsonValue::from_sql(bytes)?.read("reservations.product_ids")?))
    }
}

impl From<IdsColumn> for Vec<Id> {
    fn from(column: IdsColumn) -> Self {
        column.0
    }
}

pub(in crate::inventory) fn reservation_get(conn: &mut Connection, id: Id) -> QueryResult<Option<ReservationRow>> {
    reservations::table.find(id).select(ReservationRow::as_select()).first(conn).optional()
}

/// How far those of these reservations got that are there. Nothing of a row is read that might make it unreadable: one such would
/// keep all others from being read.
pub(in crate::inventory) fn reservation_outcomes(
    conn: &mut Connection,
    ids: &[Id],
) -> QueryResult<Vec<ReservationOutcome>> {
    let rows: Vec<(Id, Option<Time>, String, Time)> = reservations::table
        .filter(reservations::id.eq_any(ids))
        .select((reservations::id, reservations::committed_at, reservations::state, reservations::expires_at))
        .load(conn)?;
    let outcome = |(id, committed_at, state, expires_at): (_, _, String, _)| ReservationOutcome {
        id,
        committed_at,
        released: state == ReservationState::Released.to_string(),
        expires_at,
    };
    Ok(rows.into_iter().map(outcome).collect())
}

/// Gives a reservation and keeps it from changing until the transaction ends. A transaction on SQLite already has the database
/// to itself.
pub(in crate::inventory) fn reservation_lock(conn: &mut Connection, id: Id) -> QueryResult<Option<ReservationRow>> {
    let row = reservations::table.find(id);
    match conn {
        Connection::Sqlite(conn) => row.select(ReservationRow::as_select()).first(conn).optional(),
        Connection::Postgres(conn) => row.select(ReservationRow::as_select()).for_update().first(conn).optional(),
    }
}

/// Newest first. A hold whose time has passed counts as expired.
pub(in crate::inventory) fn reservation_list(
    conn: &mut Connection,
    filter: &ReservationFilter,
    limit: i64,
    now: Time,
) -> QueryResult<Vec<ReservationRow>> {
    let mut query = reservations::table.select(ReservationRow::as_select()).into_boxed();
    if let Some(holder) = &filter.holder {
        query = query.filter(reservations::holder.eq(holder));
    }
    query = match (&filter.reference, &filter.holder) {
        (None, _) => query,
        // Found by the holder, who has fewer of them than such a word as all checkouts have: so no index shall know this column.
        (Some(reference), Some(_)) => query.filter(raw_sql::<Text>("coalesce(reference, reference)").eq(reference)),
        (Some(reference), None) => query.filter(reservations::reference.eq(reference)),
    };
    if let Some(before) = filter.before {
        query = query.filter(reservations::id.lt(before));
    }
    query = match filter.ordered {
        None => query,
        Some(true) => query.filter(reservations::committed_at.is_not_null()),
        Some(false) => query.filter(reservations::committed_at.is_null()),
    };
    let held = ReservationState::Held.to_string();
    query = match filter.state {
        None => query,
        Some(ReservationState::Held) => {
            query.filter(reservations::state.eq(held)).filter(reservations::expires_at.gt(now))
        }
        Some(ReservationState::Expired) => {
            let due = reservations::state.eq(held).and(reservations::expires_at.le(now));
            query.filter(reservations::state.eq(ReservationState::Expired.to_string()).or(due))
        }
        Some(state) => query.filter(reservations::state.eq(state.to_string())),
    };
    query.order(reservations::id.desc()).limit(limit).load(conn)
}

/// Reservation; product, SKU and location; quantity and shipped; what was sold; the SKU's code and threshold; the location's code.
type LineValues = (Id, (Id, Id, Id), (i64, i64), SoldValues, (String, Option<i64>), String);

/// The lines of these reservations, by reservation and in the order of their stock rows.
pub(in crate::inventory) fn reservation_lines(
    conn: &mut Connection,
    rows: &[ReservationRow],
) -> QueryResult<BTreeMap<Id, Vec<ReservationLineRow>>> {
    let ids: Vec<Id> = rows.iter().map(|row| row.id).collect();
    let mut product_ids: Vec<Id> = rows.iter().flat_map(|row| row.product_ids.iter().copied()).collect();
    product_ids.sort_unstable();
    product_ids.dedup();
    let mut lines: BTreeMap<Id, Vec<ReservationLineRow>> = BTreeMap::new();
    let mut query = reservation_lines::table
        .inner_join(
            skus::table
                .on(skus::product_id.eq(reservation_lines::product_id).and(skus::id.eq(reservation_lines::sku_id))),
        )
        .inner_join(locations::table.on(locations::id.eq(reservation_lines::location_id)))
        .filter(reservation_lines::reservation_id.eq_any(ids))
        .order((reservation_lines::product_id, reservation_lines::sku_id, reservation_lines::location_id))
        .select((
            reservation_lines::reservation_id,
            (reservation_lines::product_id, reservation_lines::sku_id, reservation_lines::location_id),
            (reservation_lines::quantity, reservation_lines::shipped),
            (
                reservation_lines::title,
                (reservation_lines::option1, reservation_lines::option2, reservation_lines::option3),
                reservation_lines::price_amount,
                reservation_lines::price_currency,
            ),
            (skus::code, skus::low_stock_threshold),
            locations::code,
        ))
        .into_boxed::<MultiBackend>();
    // So PostgreSQL finds the shards. SQLite has none, and would look each product up with each reservation.
    if let Connection::Postgres(_) = conn {
        query = query.filter(reservation_lines::product_id.eq_any(product_ids));
    }
    for (id, (product_id, sku_id, location_id), (quantity, shipped), sold, (sku, low_stock_threshold), location) in
        query.load::<LineValues>(conn)?
    {
        let key = StockKey { product_id, sku_id, location_id };
        let place = Place { key, sku, location, low_stock_threshold };
        lines.entry(id).or_default().push(ReservationLineRow { place, sold: sold.into(), quantity, shipped });
    }
    Ok(lines)
}

/// Writes a new reservation and its lines.
pub(in crate::inventory) fn reservation_insert(
    conn: &mut Connection,
    row: &ReservationRow,
    lines: &[ReservationLineRow],
) -> QueryResult<()> {
    diesel::insert_into(reservations::table)
        .values((
            reservations::id.eq(row.id),
            reservations::holder.eq(&row.holder),
            reservations::state.eq(row.state.to_string()),
            reservations::reference.eq(&row.reference),
            reservations::product_ids.eq(JsonValue::of(&row.product_ids)),
            reservations::expires_at.eq(row.expires_at),
            reservations::expires_max.eq(row.expires_max),
            reservations::committed_at.eq(row.committed_at),
            reservations::units.eq(row.units),
            reservations::value.eq(row.value),
            reservations::version.eq(row.version),
            reservations::created_at.eq(row.created_at),
            reservations::updated_at.eq(row.updated_at),
        ))
        .execute(conn)?;
    let state = row.state.to_string();
    // 15 values a line, and at most 32,766 a statement on SQLite.
    for lines in lines.chunks(2_000) {
        let values: Vec<_> = lines
            .iter()
            .map(|line| {
                let Sold { title, options, price } = &line.sold;
                let [option1, option2, option3] = option_columns(options);
                (
                    reservation_lines::product_id.eq(line.place.key.product_id),
                    reservation_lines::reservation_id.eq(row.id),
                    reservation_lines::sku_id.eq(line.place.key.sku_id),
                    reservation_lines::location_id.eq(line.place.key.location_id),
                    reservation_lines::quantity.eq(line.quantity),
                    reservation_lines::shipped.eq(line.shipped),
                    reservation_lines::title.eq(title),
                    reservation_lines::option1.eq(option1),
                    reservation_lines::option2.eq(option2),
                    reservation_lines::option3.eq(option3),
                    reservation_lines::price_amount.eq(price.amount),
                    reservation_lines::price_currency.eq(&price.currency),
                    reservation_lines::holder.eq(&row.holder),
                    reservation_lines::state.eq(&state),
                    reservation_lines::expires_at.eq(row.expires_at),
                )
            })
            .collect();
        let insert = diesel::insert_into(reservation_lines::table).values(values);
        match conn {
            Connection::Sqlite(conn) => insert.execute(conn)?,
            Connection::Postgres(conn) => insert.execute(conn)?,
        };
    }
    Ok(())
}

/// Writes `row`'s state, times and sums over the locked reservation that was in state `from`, and over its lines.
/// An error when it was not: then somebody changed it without the lock.
pub(in crate::inventory) fn reservation_update(
    conn: &mut Connection,
    row: &ReservationRow,
    from: ReservationState,
) -> QueryResult<()> {
    let state = row.state.to_string();
    let header = reservations::table.find(row.id).filter(reservations::state.eq(from.to_string()));
    let count = diesel::update(header)
        .set((
            reservations::state.eq(&state),
            reservations::expires_at.eq(row.expires_at),
            reservations::committed_at.eq(row.committed_at),
            reservations::units.eq(row.units),
            reservations::value.eq(row.value),
            reservations::version.eq(row.version),
            reservations::updated_at.eq(row.updated_at),
        ))
        .execute(conn)?;
    if count != 1 {
        return Err(diesel::result::Error::NotFound);
    }
    let lines = reservation_lines::table
        .filter(reservation_lines::product_id.eq_any(&row.product_ids))
        .filter(reservation_lines::reservation_id.eq(row.id));
    diesel::update(lines)
        .set((reservation_lines::state.eq(&state), reservation_lines::expires_at.eq(row.expires_at)))
        .execute(conn)?;
    Ok(())
}

/// Notes that so many more units of a line are shipped.
pub(in crate::inventory) fn reservation_line_ship(
    conn: &mut Connection,
    reservation_id: Id,
    key: StockKey,
    quantity: i64,
) -> QueryResult<()> {
    let line = reservation_lines::table.find((key.product_id, reservation_id, key.sku_id, key.location_id));
    diesel::update(line).set(reservation_lines::shipped.eq(reservation_lines::shipped + quantity)).execute(conn)?;
    Ok(())
}

/// Holds whose time has passed, the oldest first.
pub(in crate::inventory) fn reservations_due(conn: &mut Connection, now: Time, limit: i64) -> QueryResult<Vec<Id>> {
    reservations::table
        .filter(reservations::state.eq(ReservationState::Held.to_string()))
        .filter(reservations::expires_at.le(now))
        .order(reservations::expires_at)
        .limit(limit)
        .select(reservations::id)
        .load(conn)
}

/// The units that holds whose time has passed still keep of these SKUs, by stock row.
pub(in crate::inventory) fn due_units(
    conn: &mut Connection,
    skus: &[(Id, Id)],
    now: Time,
) -> QueryResult<BTreeMap<StockKey, i64>> {
    let mut units = BTreeMap::new();
    for skus in skus.chunks(BINDS / 2) {
        let (product_ids, sku_ids): (Vec<Id>, Vec<Id>) = skus.iter().copied().unzip();
        let key = (reservation_lines::product_id, reservation_lines::sku_id, reservation_lines::location_id);
        let found: Vec<((Id, Id, Id), i64)> = reservation_lines::table
            .filter(reservation_lines::product_id.eq_any(product_ids))
            .filter(unindexed("reservation_lines.sku_id").eq_any(sku_ids))
            .filter(reservation_lines::state.eq(ReservationState::Held.to_string()))
            .filter(reservation_lines::expires_at.le(now))
            .group_by(key)
            .select((key, raw_sql::<BigInt>("CAST(SUM(quantity) AS BIGINT)")))
            .load(conn)?;
        units.extend(found.into_iter().map(|((product_id, sku_id, location_id), quantity)| {
            (StockKey { product_id, sku_id, location_id }, quantity)
        }));
    }
    Ok(units)
}

/// At most so many lines of holds whose time has passed are told at a time: whoever is in need of more asks again.
const DUE_MAX: i64 = 256;

/// What holds whose time has passed still keep of the SKUs and locations of these keys: the oldest first, at most [`DUE_MAX`].
pub(in crate::inventory) fn due_lines(
    conn: &mut Connection,
    keys: impl IntoIterator<Item = StockKey>,
    now: Time,
) -> QueryResult<Vec<DueLine>> {
    let (mut product_ids, mut sku_ids, mut location_ids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for StockKey { product_id, sku_id, location_id } in keys {
        product_ids.insert(product_id);
        sku_ids.insert(sku_id);
        location_ids.insert(location_id);
    }
    let found: Vec<(Id, Id, Id, Id, i64)> = reservation_lines::table
        .filter(reservation_lines::product_id.eq_any(product_ids))
        .filter(reservation_lines::sku_id.eq_any(sku_ids))
        .filter(reservation_lines::location_id.eq_any(location_ids))
        .filter(reservation_lines::state.eq(ReservationState::Held.to_string()))
        .filter(reservation_lines::expires_at.le(now))
        .order(reservation_lines::expires_at)
        .limit(DUE_MAX)
        .select((
            reservation_lines::product_id,
            reservation_lines::sku_id,
            reservation_lines::location_id,
            reservation_lines::reservation_id,
            reservation_lines::quantity,
        ))
        .load(conn)?;
    Ok(found
        .into_iter()
        .map(|(product_id, sku_id, location_id, reservation_id, quantity)| DueLine {
            key: StockKey { product_id, sku_id, location_id },
            reservation_id,
            quantity,
        })
        .collect())
}

/// Makes all that reserve for this holder wait for one another, until the transaction ends.
pub(in crate::inventory) fn holder_lock(conn: &mut Connection, holder: &str, now: Time) -> QueryResult<()> {
    let values = (holders::holder.eq(holder), holders::touched_at.eq(now));
    let insert = diesel::insert_into(holders::table).values(values).on_conflict(holders::holder);
    let upsert = insert.do_update().set(holders::touched_at.eq(now));
    match conn {
        Connection::Sqlite(conn) => upsert.execute(conn)?,
        Connection::Postgres(conn) => upsert.execute(conn)?,
    };
    Ok(())
}

/// The units that a holder's stored holds keep; `after`: without those whose time has passed by then.
pub(in crate::inventory) fn holder_units(conn: &mut Connection, holder: &str, after: Option<Time>) -> QueryResult<i64> {
    let mut lines = reservation_lines::table
        .filter(reservation_lines::holder.eq(holder))
        .filter(reservation_lines::state.eq(ReservationState::Held.to_string()))
        // PostgreSQL's sum of bigint is numeric.
        .select(raw_sql::<BigInt>("CAST(COALESCE(SUM(quantity), 0) AS BIGINT)"))
        .into_boxed();
    if let Some(after) = after {
        lines = lines.filter(reservation_lines::expires_at.gt(after));
    }
    lines.first(conn)
}

/// A holder's holds whose time has passed, the oldest first.
pub(in crate::inventory) fn holder_due(
    conn: &mut Connection,
    holder: &str,
    now: Time,
    limit: i64,
) -> QueryResult<Vec<Id>> {
    reservations::table
        .filter(reservations::holder.eq(holder))
        .filter(reservations::state.eq(ReservationState::Held.to_string()))
        .filter(reservations::expires_at.le(now))
        .order(reservations::expires_at)
        .limit(limit)
        .select(reservations::id)
        .load(conn)
}
