//! The checkout: the goods are held, the address is taken, the order is looked over and placed.

use actix_web::web;
use askama::Template;
use sha2::{Digest, Sha256};

use super::cart;
use super::order::{Item, items, own};
use super::payment::{give_back, pay};
use crate::call::{Call, IdempotencyKey};
use crate::clock::Id;
use crate::error::Problem;
use crate::http::{ApiResult, path_id};
use crate::inventory::{
    Extension, InventoryError, Money, NewReservation, NewReservationLine, Reservation, ReservationQuery,
    ReservationState, Shortage,
};
use crate::user::{Address, AddressFields, CartLine, NewAddress, UserError};
use crate::web::account::address::{AddressForm, address_fields, address_form, address_text, address_values};
use crate::web::sale::total;
use crate::web::shell::Person;
use crate::web::{Form, Shell};

/// How holds of the checkout are told from those that programs make for the same person.
pub(in crate::web) const REFERENCE: &str = "checkout";

/// The checkout begins in the cart.
pub(super) async fn start(shell: Shell) -> ApiResult {
    Ok(shell.go("/cart"))
}

/// Holds the goods of the cart. Whoever is not logged in does that first, and finds the cart again.
pub(super) async fn begin(shell: Shell, form: Form) -> ApiResult {
    let Some(person) = shell.person else {
        return Ok(shell.go_saying("/login?next=/cart", "flash-login-to-order"));
    };
    let wanted = cart::wanted(&shell).await?;
    let (lines, gone) = cart::lines(&shell, &Form::default(), &wanted, None).await?;
    if lines.is_empty() || !gone.is_empty() {
        return Ok(shell.go("/cart"));
    }
    let allow_partial = form.is_checked("partial");
    let last = last(&shell, person).await?;
    if let Some(held) = last.as_ref().filter(|last| last.state == ReservationState::Held) {
        if is_of(held, &wanted, allow_partial) {
            return Ok(shell.go(first_step(&shell, held).await?));
        }
        // It counts against what there is for the new one.
        shell.site.inventory.reservation_release(shell.call(), held.id).await?;
    }
    let line = |line: &CartLine| NewReservationLine { sku: line.sku.clone(), location: None, quantity: line.quantity };
    let new = NewReservation {
        lines: wanted.iter().map(line).collect(),
        hold_seconds: None,
        allow_partial,
        holder: None,
        reference: REFERENCE.to_owned(),
    };
    let call = Call { key: Some(key(last.as_ref(), &new)), ..shell.call().clone() };
    match shell.site.inventory.reserve(&call, person.holder(), new).await {
        Ok(answer) => Ok(shell.go(first_step(&shell, &answer.value).await?)),
        Err(InventoryError::OutOfStock(shortages)) => cart::show(&shell, &Form::default(), &shortages).await,
        Err(error) => {
            let mut form = Form::default();
            form.refuse(error)?;
            cart::show(&shell, &form, &[]).await
        }
    }
}

/// The key of the checkout of this cart that follows the person's last one: however often and from however many windows it is begun,
/// it holds the goods once.
fn key(last: Option<&Reservation>, new: &NewReservation) -> IdempotencyKey {
    // A plain struct with text keys, which always serialises.
    let request_hash = Sha256::digest(serde_json::to_vec(new).unwrap_or_default()).to_vec();
    let cart: String = request_hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let last = last.map_or("first".to_owned(), |last| last.id.to_string());
    IdempotencyKey { key: format!("checkout-{last}-{cart}"), request_hash }
}

/// The person's newest checkout, in whatever state it is.
async fn last(shell: &Shell, person: Person) -> ApiResult<Option<Reservation>> {
    let query = ReservationQuery {
        holder: Some(person.holder()),
        reference: Some(REFERENCE.to_owned()),
        limit: Some(1),
        ..ReservationQuery::default()
    };
    Ok(shell.site.inventory.reservation_list(query).await?.items.pop())
}

/// The checkout that a person has begun and not ended.
pub(super) async fn open(shell: &Shell, person: Person) -> ApiResult<Option<Reservation>> {
    Ok(last(shell, person).await?.filter(|last| last.state == ReservationState::Held))
}

/// Does this hold have just what the cart has? What was taken of a cart that could not be had whole has no more than that.
fn is_of(held: &Reservation, wanted: &[CartLine], partial: bool) -> bool {
    let units = |sku: &str| held.lines.iter().filter(|line| line.sku == sku).map(|line| line.quantity).sum::<i64>();
    let is_wanted = |sku: &str| wanted.iter().any(|line| line.sku == sku);
    held.lines.iter().all(|line| is_wanted(&line.sku))
        && wanted
            .iter()
            .all(|line| if partial { units(&line.sku) <= line.quantity } else { units(&line.sku) == line.quantity })
}

/// Where the checkout goes on: without goods to be shipped it takes no address.
async fn first_step(shell: &Shell, held: &Reservation) -> ApiResult<String> {
    let step = if needs_address(shell, held).await? { "" } else { "/review" };
    Ok(format!("/checkout/{}{step}", held.id))
}

async fn needs_address(shell: &Shell, held: &Reservation) -> ApiResult<bool> {
    let codes = held.lines.iter().map(|line| line.sku.clone()).collect();
    let offers = shell.site.inventory.sku_offers(codes).await?;
    // What is no longer known may well have to be sent.
    let ships =
        |sku: &str| offers.iter().find(|offer| offer.sku.code == sku).is_none_or(|offer| offer.sku.requires_shipping);
    Ok(held.lines.iter().any(|line| ships(&line.sku)))
}

/// What stands above each step: how long the goods are still held.
pub(super) struct Hold {
    seconds: u64,
    /// The same as minutes and seconds, which the script counts down.
    left: String,
    until: String,
}

impl Hold {
    fn of(shell: &Shell, held: &Reservation) -> Hold {
        let seconds = held.expires_at.seconds_since(shell.site.clock.now());
        let left = format!("{}:{:02}", seconds / 60, seconds % 60);
        Hold { seconds, left, until: shell.clock(held.expires_at) }
    }
}

#[derive(Template)]
#[template(path = "storefront/delivery.html")]
struct AddressPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    id: Id,
    hold: Hold,
    saved: Vec<Address>,
    fields: AddressForm<'a>,
}

/// The first step: where the goods go.
pub(super) async fn address(shell: Shell, id: web::Path<String>) -> ApiResult {
    let (person, held) = held(&shell, &id).await?;
    if held.state != ReservationState::Held {
        return ended(&shell, &held, &[]).await;
    }
    let form = match shell.site.user.delivery_get(person.id, held.id).await? {
        Some(fields) => Form::of(address_values(&fields)),
        None => Form::default(),
    };
    show_address(&shell, person, &held, &form).await
}

async fn show_address(shell: &Shell, person: Person, held: &Reservation, form: &Form) -> ApiResult {
    let saved = shell.site.user.address_list(person.id).await?;
    let hold = Hold::of(shell, held);
    shell.form(form, &AddressPage { shell, form, id: held.id, hold, saved, fields: address_form(shell, form) })
}

/// Takes one of the saved addresses, or a new one, which may be saved too.
pub(super) async fn set_address(shell: Shell, id: web::Path<String>, mut form: Form) -> ApiResult {
    let (person, held) = held(&shell, &id).await?;
    if held.state != ReservationState::Held {
        return ended(&shell, &held, &[]).await;
    }
    let fields = match form.optional("saved").and_then(|id| id.parse::<Id>().ok()) {
        Some(saved) => shell.site.user.address_get(person.id, saved).await?.map(|address| address.fields),
        None => None,
    };
    let is_new = fields.is_none();
    let fields: AddressFields = match fields {
        Some(fields) => fields,
        None => address_fields(&shell, &mut form),
    };
    if !form.is_good() {
        return show_address(&shell, person, &held, &form).await;
    }
    if let Err(error) = shell.site.user.delivery_set(shell.call(), person.id, held.id, fields.clone()).await {
        form.refuse(error)?;
        return show_address(&shell, person, &held, &form).await;
    }
    if is_new && form.is_checked("save") {
        // The order has its address; a list of addresses that is full must not stop it.
        let saved = shell.site.user.address_create(shell.call(), person.id, NewAddress::new(fields, false)).await;
        if let Err(error) = saved {
            tracing::info!(%error, "the address of an order was not saved for the next one");
        }
    }
    Ok(shell.go(format!("/checkout/{}/review", held.id)))
}

#[derive(Template)]
#[template(path = "storefront/review.html")]
struct ReviewPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    id: Id,
    hold: Hold,
    items: Vec<Item>,
    sum: String,
    total: Money,
    needs_address: bool,
    delivery: Option<String>,
}

/// The second step: all that is ordered, before it is.
pub(super) async fn review(shell: Shell, id: web::Path<String>) -> ApiResult {
    let (person, held) = held(&shell, &id).await?;
    if held.state != ReservationState::Held {
        return ended(&shell, &held, &[]).await;
    }
    let delivery = shell.site.user.delivery_get(person.id, held.id).await?;
    let needs_address = needs_address(&shell, &held).await?;
    if needs_address && delivery.is_none() {
        return Ok(shell.go(format!("/checkout/{}", held.id)));
    }
    let items = items(&shell, &held).await?;
    let delivery = delivery.map(|fields| address_text(&shell, &fields));
    let (total, hold) = (total(&shell, &held), Hold::of(&shell, &held));
    let (form, sum) = (Form::default(), shell.t("cart-sum"));
    shell.form(
        &form,
        &ReviewPage { shell: &shell, form: &form, id: held.id, hold, items, sum, total, needs_address, delivery },
    )
}

/// The last step: payment, then the goods are promised for good.
pub(super) async fn place(shell: Shell, id: web::Path<String>, _: Form) -> ApiResult {
    let (person, held) = held(&shell, &id).await?;
    if held.state != ReservationState::Held {
        return ended(&shell, &held, &[]).await;
    }
    if needs_address(&shell, &held).await? && shell.site.user.delivery_get(person.id, held.id).await?.is_none() {
        return Ok(shell.go(format!("/checkout/{}", held.id)));
    }
    // The goods stay while a provider is asked.
    match shell.site.inventory.reservation_extend(shell.call(), held.id, Extension::default()).await {
        Ok(_) => {}
        Err(InventoryError::ReservationExpired { .. } | InventoryError::WrongState { .. }) => {
            return again(&shell, person, held.id).await;
        }
        Err(error) => return Err(error.into()),
    }
    let total = total(&shell, &held);
    pay(&shell, &held, &total).await?;
    match shell.site.inventory.reservation_commit(&shell.step("place", held.id), held.id).await {
        Ok(_) => {}
        Err(error @ (InventoryError::ReservationExpired { .. } | InventoryError::WrongState { .. })) => {
            give_back(&shell, &held, &total).await?;
            let lines = match error {
                InventoryError::ReservationExpired { lines, .. } => lines,
                _ => vec![],
            };
            return ended(&shell, &held, &lines).await;
        }
        Err(error) => return Err(error.into()),
    }
    // Found out later too, by whoever tidies.
    if let Err(error) = shell.site.user.delivery_keep(person.id, held.id).await {
        tracing::warn!(%error, "the address of a placed order was not marked as one");
    }
    if let Err(error) = take_out(&shell, person, &held).await {
        tracing::warn!(%error, "the cart of a placed order was not emptied");
    }
    Ok(shell.go_saying(format!("/orders/{}", held.id), "flash-ordered"))
}

/// The reservation changed meanwhile: shows what it is now.
async fn again(shell: &Shell, person: Person, id: Id) -> ApiResult {
    let now = own(shell, person, id).await?;
    ended(shell, &now, &[]).await
}

/// What was bought is no longer wished for; what could not be had still is.
async fn take_out(shell: &Shell, person: Person, order: &Reservation) -> Result<(), UserError> {
    let mut wanted = shell.site.user.cart_get(person.id).await?;
    wanted.retain(|line| order.lines.iter().any(|bought| bought.sku == line.sku));
    for line in &mut wanted {
        let bought =
            order.lines.iter().filter(|bought| bought.sku == line.sku).map(|bought| bought.quantity).sum::<i64>();
        line.quantity = (line.quantity - bought).max(0);
    }
    shell.site.user.cart_set(person.id, wanted).await.map(|_| ())
}

/// Holds the goods longer, for whoever needs more time.
pub(super) async fn extend(shell: Shell, id: web::Path<String>, form: Form) -> ApiResult {
    let (person, held) = held(&shell, &id).await?;
    match shell.site.inventory.reservation_extend(shell.call(), held.id, Extension::default()).await {
        Ok(_) => {}
        Err(InventoryError::ReservationExpired { .. } | InventoryError::WrongState { .. }) => {
            return again(&shell, person, held.id).await;
        }
        Err(error) => return Err(error.into()),
    }
    let step = if form.get("step") == "review" { "/review" } else { "" };
    Ok(shell.go_saying(format!("/checkout/{}{step}", held.id), "flash-extended"))
}

/// Ends the checkout: the goods go back to the shop, the cart stays.
pub(super) async fn leave(shell: Shell, id: web::Path<String>, _: Form) -> ApiResult {
    let (person, held) = held(&shell, &id).await?;
    match shell.site.inventory.reservation_release(shell.call(), held.id).await {
        Ok(_) => Ok(shell.go_saying("/cart", "flash-checkout-left")),
        // It was placed, or has ended by itself.
        Err(InventoryError::WrongState { .. }) => again(&shell, person, held.id).await,
        Err(error) => Err(error.into()),
    }
}

async fn held(shell: &Shell, id: &str) -> ApiResult<(Person, Reservation)> {
    let person = shell.person()?;
    Ok((person, own(shell, person, path_id(id)?).await?))
}

#[derive(Template)]
#[template(path = "storefront/ended.html")]
struct EndedPage<'a> {
    shell: &'a Shell,
    /// What can no longer be had, where that was tried.
    shortages: Vec<String>,
}

/// The hold is over: what was ordered is shown as an order; of the rest the person is told how to go on.
async fn ended(shell: &Shell, held: &Reservation, shortages: &[Shortage]) -> ApiResult {
    if held.committed_at.is_some() {
        return Ok(shell.go(format!("/orders/{}", held.id)));
    }
    let items = items(shell, held).await?;
    let shortages = shortages.iter().map(|short| shortage(shell, name(&items, &short.sku), short)).collect();
    let mut form = Form::default();
    form.refuse(Problem::new(crate::error::ErrorCode::ReservationExpired, ""))?;
    shell.form(&form, &EndedPage { shell, shortages })
}

/// `Stoneware mug, Blue: 3 asked for, 1 left`.
pub(super) fn shortage(shell: &Shell, name: String, short: &Shortage) -> String {
    format!("{name}: {}", shell.t2("checkout-shortage", "requested", short.requested, "available", short.available))
}

fn name(items: &[Item], sku: &str) -> String {
    items.iter().find(|item| item.sku == sku).map_or_else(|| sku.to_owned(), Item::name)
}
