//! Carts. A change locks the person's row, reads the cart and writes what it makes of it: of two devices at once none loses a line.

use std::collections::{HashMap, HashSet};

use super::lock;
use crate::clock::Id;
use crate::db::Connection;
use crate::error::Fault;
use crate::user::service::LocalUser;
use crate::user::service::faults::Faults;
use crate::user::store::cart::{cart_delete, cart_list, cart_upsert};
use crate::user::{CART_LINES_MAX, CART_QUANTITY_MAX, CartLine, UserError};

/// In characters; all of them ASCII.
const SKU_LENGTH_MAX: usize = 100;

#[derive(Clone, Copy, PartialEq)]
enum How {
    Add,
    Set,
}

impl LocalUser {
    /// See [`crate::user::Account::cart_get`].
    pub(super) async fn cart_of(&self, user: Id) -> Result<Vec<CartLine>, UserError> {
        let lines = self.db.read(move |conn| Ok::<_, UserError>(cart_list(conn, user)?));
        Ok(lines.await?.into_iter().map(|(line, _)| line).collect())
    }

    /// See [`crate::user::Account::cart_add`].
    pub(super) async fn cart_put(&self, user: Id, lines: Vec<CartLine>) -> Result<Vec<CartLine>, UserError> {
        check(&lines, How::Add)?;
        self.db.write(move |conn| change(conn, user, &lines, How::Add)).await
    }

    /// See [`crate::user::Account::cart_set`].
    pub(super) async fn cart_change(&self, user: Id, lines: Vec<CartLine>) -> Result<Vec<CartLine>, UserError> {
        check(&lines, How::Set)?;
        self.db.write(move |conn| change(conn, user, &lines, How::Set)).await
    }
}

/// Gives the cart as it is afterwards.
fn change(conn: &mut Connection, user: Id, lines: &[CartLine], how: How) -> Result<Vec<CartLine>, UserError> {
    lock(conn, user, None)?;
    let before = cart_list(conn, user)?;
    let after = merged(&before, lines, how);
    if after.iter().filter(|(line, _)| line.quantity > 0).count() > CART_LINES_MAX {
        return Err(too_many());
    }
    let changed = after.iter().filter(|line| !before.contains(line));
    let (kept, removed): (Vec<_>, Vec<_>) = changed.partition(|(line, _)| line.quantity > 0);
    if !kept.is_empty() {
        cart_upsert(conn, user, &kept)?;
    }
    if !removed.is_empty() {
        let skus: Vec<&str> = removed.iter().map(|(line, _)| line.sku.as_str()).collect();
        cart_delete(conn, user, &skus)?;
    }
    Ok(after.into_iter().map(|(line, _)| line).filter(|line| line.quantity > 0).collect())
}

/// The cart with these lines: what is new comes last. A line of which nothing is left has the quantity 0.
fn merged(before: &[(CartLine, i64)], lines: &[CartLine], how: How) -> Vec<(CartLine, i64)> {
    let mut after = before.to_vec();
    let mut places: HashMap<&str, usize> =
        before.iter().enumerate().map(|(place, (line, _))| (line.sku.as_str(), place)).collect();
    let mut last = before.last().map_or(0, |(_, position)| *position);
    for line in lines {
        let place = *places.entry(&line.sku).or_insert_with(|| {
            last += 1;
            after.push((CartLine { sku: line.sku.clone(), quantity: 0 }, last));
            after.len() - 1
        });
        let quantity = &mut after[place].0.quantity;
        *quantity = match how {
            How::Add => (*quantity + line.quantity).min(CART_QUANTITY_MAX),
            How::Set => line.quantity,
        };
    }
    after
}

fn check(lines: &[CartLine], how: How) -> Result<(), UserError> {
    if lines.len() > CART_LINES_MAX {
        return Err(too_many());
    }
    let least = if how == How::Add { 1 } else { 0 };
    let (mut faults, mut seen) = (Faults::default(), HashSet::new());
    for (index, line) in lines.iter().enumerate() {
        let pointer = format!("/lines/{index}/sku");
        if !(1..=SKU_LENGTH_MAX).contains(&line.sku.len()) || !line.sku.bytes().all(|byte| byte.is_ascii_graphic()) {
            faults.add(&pointer, Fault::SkuCode { max: SKU_LENGTH_MAX });
        }
        if how == How::Set && !seen.insert(&line.sku) {
            faults.add(&pointer, Fault::Repeated);
        }
        if !(least..=CART_QUANTITY_MAX).contains(&line.quantity) {
            let fault = Fault::OutOfRange { value: line.quantity, min: least, max: CART_QUANTITY_MAX };
            faults.add(&format!("/lines/{index}/quantity"), fault);
        }
    }
    faults.done()
}

fn too_many() -> UserError {
    UserError::Conflict(Fault::CartFull { max: CART_LINES_MAX })
}
