//! What a customer has ordered, and what became of it.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::product::picture;
use crate::clock::{Id, Time};
use crate::error::{ErrorCode, Problem};
use crate::http::{ApiResult, path_id};
use crate::inventory::{Image, InventoryError, Money, Reservation, ReservationQuery, ReservationState};
use crate::web::account::address::address_text;
use crate::web::sale::{cost, is_partly_cancelled, kind, sold, state, titles, total};
use crate::web::shell::Person;
use crate::web::{Form, Shell};

const PAGE: u32 = 20;

/// A line of an order as a customer sees it: from which locations it comes is the shop's affair.
pub(in crate::web) struct Item {
    pub(in crate::web) sku: String,
    pub(in crate::web) title: String,
    pub(in crate::web) choice: String,
    pub(in crate::web) quantity: i64,
    pub(in crate::web) shipped: i64,
    /// Given back after others of the order were shipped.
    pub(in crate::web) cancelled: i64,
    pub(in crate::web) price: Money,
    /// Of what stays sold.
    pub(in crate::web) total: Money,
    /// The product's page and picture, while it is there.
    pub(in crate::web) handle: Option<String>,
    pub(in crate::web) image: Option<Image>,
}

impl Item {
    pub(in crate::web) fn name(&self) -> String {
        match self.choice.as_str() {
            "" => self.title.clone(),
            choice => format!("{}, {choice}", self.title),
        }
    }
}

/// The lines of an order, one for each SKU.
pub(in crate::web) async fn items(shell: &Shell, order: &Reservation) -> ApiResult<Vec<Item>> {
    let mut items: Vec<Item> = Vec::new();
    for line in &order.lines {
        let total = cost(line, sold(order, line));
        // Of one that was cancelled as a whole, that stands above all lines.
        let cancelled = if is_partly_cancelled(order) { line.quantity - line.shipped } else { 0 };
        match items.iter_mut().find(|item| item.sku == line.sku) {
            Some(item) => {
                item.quantity += line.quantity;
                item.shipped += line.shipped;
                item.cancelled += cancelled;
                item.total.amount = item.total.amount.saturating_add(total.amount);
            }
            None => items.push(Item {
                sku: line.sku.clone(),
                title: line.title.clone(),
                choice: line.options.join(", "),
                quantity: line.quantity,
                shipped: line.shipped,
                cancelled,
                price: line.unit_price.clone(),
                total,
                handle: None,
                image: None,
            }),
        }
    }
    let offers = shell.site.inventory.sku_offers(items.iter().map(|item| item.sku.clone()).collect()).await?;
    for item in &mut items {
        if let Some(offer) = offers.iter().find(|offer| offer.sku.code == item.sku) {
            item.handle = Some(offer.product.handle.clone());
            item.image = picture(offer);
        }
    }
    Ok(items)
}

/// A person's own reservation; anybody else's is not there.
pub(super) async fn own(shell: &Shell, person: Person, id: Id) -> ApiResult<Reservation> {
    let found = shell.site.inventory.reservation_get(id).await?;
    let missing = || Problem::new(ErrorCode::NotFound, format!("There is no order {id}.")).into();
    found.filter(|order| order.holder == person.holder()).ok_or_else(missing)
}

struct Row {
    id: Id,
    placed_at: Time,
    state: String,
    kind: &'static str,
    what: String,
    total: Money,
}

#[derive(Template)]
#[template(path = "storefront/orders.html")]
struct ListPage<'a> {
    shell: &'a Shell,
    rows: Vec<Row>,
    next: Option<String>,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let person = shell.person()?;
    let query = ReservationQuery {
        holder: Some(person.holder()),
        ordered: Some(true),
        cursor: Form::of_query(&request).optional("cursor"),
        limit: Some(PAGE),
        ..ReservationQuery::default()
    };
    let page = shell.site.inventory.reservation_list(query).await?;
    let rows = page.items.iter().map(|order| Row {
        id: order.id,
        placed_at: order.committed_at.unwrap_or(order.created_at),
        state: shell.word("order", state(order)),
        kind: kind(order),
        what: titles(order).join(", "),
        total: total(&shell, order),
    });
    let next = page.next_cursor.map(|cursor| format!("/orders?cursor={cursor}"));
    shell.html(&ListPage { shell: &shell, rows: rows.collect(), next })
}

#[derive(Template)]
#[template(path = "storefront/order.html")]
struct OrderPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    order: &'a Reservation,
    placed_at: Time,
    state: String,
    kind: &'static str,
    items: Vec<Item>,
    /// What it is the sum of, and the sum.
    sum: String,
    total: Money,
    delivery: Option<String>,
    can_cancel: bool,
}

pub(super) async fn order(shell: Shell, id: web::Path<String>) -> ApiResult {
    show(&shell, &id, &Form::default()).await
}

async fn show(shell: &Shell, id: &str, form: &Form) -> ApiResult {
    let person = shell.person()?;
    let order = own(shell, person, path_id(id)?).await?;
    let Some(placed_at) = order.committed_at else { return Ok(shell.go(format!("/checkout/{}", order.id))) };
    let items = items(shell, &order).await?;
    let can_cancel = order.state == ReservationState::Committed;
    let delivery = shell.site.user.delivery_get(person.id, order.id).await?;
    let delivery = delivery.map(|fields| address_text(shell, &fields));
    let (state, kind, total) = (shell.word("order", state(&order)), kind(&order), total(shell, &order));
    let sum = shell.t(if is_partly_cancelled(&order) { "order-sum-sent" } else { "cart-sum" });
    shell.form(
        form,
        &OrderPage { shell, form, order: &order, placed_at, state, kind, items, sum, total, delivery, can_cancel },
    )
}

/// Gives back what was not shipped yet.
pub(super) async fn cancel(shell: Shell, id: web::Path<String>, mut form: Form) -> ApiResult {
    let order = own(&shell, shell.person()?, path_id(&id)?).await?;
    match shell.site.inventory.reservation_cancel(&shell.step("cancel", order.id), order.id).await {
        Ok(_) => Ok(shell.go_saying(format!("/orders/{}", order.id), "flash-order-cancelled")),
        Err(error @ InventoryError::WrongState { .. }) => {
            form.refuse(error)?;
            show(&shell, &id, &form).await
        }
        Err(error) => Err(error.into()),
    }
}
