//! The places that hold stock.

use super::{check_claimed, explain};
use crate::call::{Answer, Call, Version};
use crate::clock::Id;
use crate::db::{Connection, DbError};
use crate::error::Fault;
use crate::inventory::service::LocalInventory;
use crate::inventory::service::change::fields;
use crate::inventory::service::idempotency::once;
use crate::inventory::service::validate::{self, Faults};
use crate::inventory::store::change::changes_insert;
use crate::inventory::store::location as store;
use crate::inventory::{
    FieldChange, InventoryError, Location, LocationAddress, LocationPatch, NewLocation, QUANTITY_MAX,
};

pub(in crate::inventory::service) const LOCATIONS_MAX: i64 = 10_000;
pub(in crate::inventory::service) const NAME_MAX: usize = 200;

impl LocalInventory {
    pub(super) async fn list_locations(&self) -> Result<Vec<Location>, InventoryError> {
        self.db.read(|conn| Ok(store::location_list(conn)?)).await
    }

    pub(super) async fn get_location(&self, code: &str) -> Result<Option<Location>, InventoryError> {
        if !validate::is_location_code(code) {
            return Ok(None);
        }
        let code = code.to_owned();
        self.db.read(move |conn| Ok(store::location_by_code(conn, &code)?)).await
    }

    pub(super) async fn create_location(
        &self,
        call: &Call,
        mut new: NewLocation,
    ) -> Result<Answer<Location>, InventoryError> {
        let mut faults = Faults::default();
        faults.location_code("/code", &new.code);
        faults.required_line("/name", &mut new.name, NAME_MAX);
        address(&mut new.address, &mut faults);
        faults.range("/priority", new.priority, -QUANTITY_MAX, QUANTITY_MAX);
        faults.finish()?;
        let now = self.clock.now();
        let location = Location {
            id: Id::new(now),
            code: new.code,
            name: new.name,
            address: new.address,
            priority: new.priority,
            active: true,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let (call, hours) = (call.clone(), self.config.idempotency_hours);
        self.db
            .write_keyed(call.key.is_some(), move |conn| {
                once(conn, &call, hours, now, |conn| insert(conn, &call.actor, location.clone()))
            })
            .await
    }

    pub(super) async fn update_location(
        &self,
        call: &Call,
        code: &str,
        expected: Option<Version>,
        mut patch: LocationPatch,
    ) -> Result<Location, InventoryError> {
        let unknown = |code: &str| InventoryError::NotFound { what: "location", name: code.to_owned() };
        if !validate::is_location_code(code) {
            return Err(unknown(code));
        }
        let mut faults = Faults::default();
        if let Some(name) = &mut patch.name {
            faults.required_line("/name", name, NAME_MAX);
        }
        if let Some(new) = &mut patch.address {
            address(new, &mut faults);
        }
        faults.range("/priority", patch.priority.unwrap_or(0), -QUANTITY_MAX, QUANTITY_MAX);
        faults.finish()?;
        let (actor, code, now) = (call.actor.clone(), code.to_owned(), self.clock.now());
        self.db
            .write(move |conn| {
                let old = store::location_claim(conn, &code, now)?.ok_or_else(|| unknown(&code))?;
                check_claimed(expected, &old)?;
                let LocationPatch { name, address, priority, active } = patch.clone();
                let location = Location {
                    name: name.unwrap_or_else(|| old.name.clone()),
                    address: address.unwrap_or_else(|| old.address.clone()),
                    priority: priority.unwrap_or(old.priority),
                    active: active.unwrap_or(old.active),
                    ..old.clone()
                };
                store::location_replace(conn, &location)?;
                location_log(conn, &actor, "location.updated", &location, fields(&old, &location))?;
                Ok(location)
            })
            .await
    }
}

fn insert(conn: &mut Connection, actor: &str, location: Location) -> Result<Location, InventoryError> {
    if store::location_count(conn)? >= LOCATIONS_MAX {
        return Err(InventoryError::Conflict(Fault::LocationsFull { max: LOCATIONS_MAX }));
    }
    explain(store::location_insert(conn, &location), DbError::is_unique_violation, || InventoryError::AlreadyExists {
        what: "location",
        name: location.code.clone(),
    })?;
    location_log(conn, actor, "location.created", &location, vec![])?;
    Ok(location)
}

/// Notes who did what to a location.
pub(in crate::inventory::service) fn location_log(
    conn: &mut Connection,
    actor: &str,
    action: &str,
    location: &Location,
    fields: Vec<FieldChange>,
) -> Result<(), InventoryError> {
    let Location { id, ref code, updated_at, .. } = *location;
    Ok(changes_insert(conn, actor, action, [(id, code.as_str(), fields)], updated_at)?)
}

/// Checks an address.
pub(in crate::inventory::service) fn address(address: &mut LocationAddress, faults: &mut Faults) {
    faults.within("/address", |faults| {
        faults.line("/street", &mut address.street, 300);
        faults.line("/city", &mut address.city, 100);
        faults.line("/region", &mut address.region, 100);
        faults.line("/postal_code", &mut address.postal_code, 20);
        let country = &address.country;
        if !matches!(country.as_bytes(), [] | [b'A'..=b'Z', b'A'..=b'Z']) {
            faults.add("/country", Fault::Country);
        }
        for (pointer, degrees, max) in [("/latitude", address.latitude, 90.0), ("/longitude", address.longitude, 180.0)]
        {
            if degrees.is_some_and(|degrees| !(-max..=max).contains(&degrees)) {
                faults.add(pointer, Fault::Degrees { max: max as i64 });
            }
        }
    });
}
