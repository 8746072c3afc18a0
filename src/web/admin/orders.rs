//! Orders, and holds that may become some: the list, one of them, and what staff do with it.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::changes::{Entry, history};
use super::goods::{asks_nothing, key};
use super::names::{Named, Names, user_of, user_with};
use crate::clock::{Id, Time};
use crate::error::{ErrorCode, Problem};
use crate::http::{ApiResult, path_id};
use crate::inventory::{
    Extension, InventoryError, Money, Reservation, ReservationLine, ReservationQuery, ReservationState, Shipment,
    ShipmentLine, Shortage,
};
use crate::user::Profile;
use crate::web::account::address::address_text;
use crate::web::sale::{cost, is_partly_cancelled, kind, sold, state, titles, total};
use crate::web::storefront::{CHECKOUT, address};
use crate::web::{Form, Shell};

const PATH: &str = "/admin/orders";
const PAGE: u32 = 25;
/// A shipment names no more lines.
const LINES_MAX: usize = crate::inventory::ROWS_MAX;

/// The states as people know them: of those that are "committed" or "cancelled", a part may have gone.
const STATES: [&str; 8] =
    ["held", "committed", "partly-shipped", "shipped", "released", "expired", "cancelled", "partly-cancelled"];

/// An order in a list.
pub(super) struct Row {
    pub(super) id: Id,
    /// When it was placed; of a hold, when it was made.
    pub(super) at: Time,
    pub(super) state: String,
    pub(super) kind: &'static str,
    pub(super) what: String,
    pub(super) units: i64,
    pub(super) total: Money,
    pub(super) holder: Named,
}

/// The orders as rows, with the names of those whose they are.
pub(super) async fn rows(shell: &Shell, orders: &[Reservation]) -> ApiResult<Vec<Row>> {
    let names = Names::of(shell, orders.iter().map(|order| order.holder.as_str())).await?;
    let row = |order: &Reservation| {
        let titles = titles(order);
        let more = titles.len().saturating_sub(1);
        let first = titles.first().copied().unwrap_or_default();
        Row {
            id: order.id,
            at: order.committed_at.unwrap_or(order.created_at),
            state: shell.word("sale-state", state(order)),
            kind: kind(order),
            what: if more == 0 { first.to_owned() } else { shell.t2("sale-and-more", "first", first, "more", more) },
            units: order.lines.iter().map(|line| sold(order, line)).sum(),
            total: total(shell, order),
            holder: names.holder(shell, &order.holder),
        }
    };
    Ok(orders.iter().map(row).collect())
}

#[derive(Template)]
#[template(path = "admin/orders.html")]
struct ListPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    shows: Vec<(String, String)>,
    states: Vec<(String, String)>,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
    /// Nothing was asked for.
    is_whole: bool,
}

pub(super) async fn list(shell: Shell, request: HttpRequest) -> ApiResult {
    let mut form = Form::of_query(&request);
    // A program may call its shopper by an id, too: only the number of an order leads to one.
    if let Some(number) = form.optional("holder").and_then(|number| number.parse::<Id>().ok())
        && let Some(order) = shell.site.inventory.reservation_get(number).await?
    {
        return Ok(shell.go(format!("{PATH}/{}", order.id)));
    }
    let (mut items, mut next_cursor) = (vec![], None);
    if let Some(query) = query(&shell, &mut form).await? {
        match shell.site.inventory.reservation_list(query).await {
            Ok(page) => (items, next_cursor) = (page.items, page.next_cursor),
            Err(error) => form.refuse(error)?,
        }
    }
    let mut states = vec![(String::new(), shell.t("listing-any"))];
    states.extend(STATES.map(|state| (state.to_owned(), shell.word("sale-state", state))));
    let shows = ["orders", "holds", "all"].map(|show| (show.to_owned(), shell.word("sale-show", show)));
    let page = ListPage {
        shell: &shell,
        shows: shows.to_vec(),
        states,
        rows: rows(&shell, &items).await?,
        first: form.optional("cursor").map(|_| address(PATH, &form, &["cursor"], None)),
        next: next_cursor.map(|cursor| address(PATH, &form, &["cursor"], Some(("cursor", &cursor)))),
        is_whole: asks_nothing(&form),
        form: &form,
    };
    shell.form(&form, &page)
}

/// What the form asks for; `None`: of nobody, and the form says so.
async fn query(shell: &Shell, form: &mut Form) -> ApiResult<Option<ReservationQuery>> {
    let holder = match form.optional("holder") {
        Some(email) if email.contains('@') => match user_with(shell, &email).await? {
            Some(user) => Some(user),
            None => {
                form.fault("holder", shell.t("sale-no-such-address"));
                return Ok(None);
            }
        },
        holder => holder,
    };
    let (state, partly_shipped) = match form.get("state") {
        "partly-shipped" => (Some(ReservationState::Committed), Some(true)),
        "partly-cancelled" => (Some(ReservationState::Cancelled), Some(true)),
        state => (serde_json::from_value(state.into()).ok(), None),
    };
    Ok(Some(ReservationQuery {
        holder,
        state,
        partly_shipped,
        ordered: match form.get("show") {
            // A state says by itself whether it is one of orders.
            "all" => None,
            "" | "orders" if state.is_some() => None,
            "holds" => Some(false),
            _ => Some(true),
        },
        cursor: form.optional("cursor"),
        limit: Some(PAGE),
        ..ReservationQuery::default()
    }))
}

/// A line that is not wholly shipped, in the form for shipping. Its number is its place in the order, which stays when others are
/// shipped.
struct Open<'a> {
    n: usize,
    name: String,
    label: String,
    line: &'a ReservationLine,
}

#[derive(Template)]
#[template(path = "admin/order.html")]
struct OrderPage<'a> {
    shell: &'a Shell,
    form: &'a Form,
    /// The quantities to be shipped.
    quantities: &'a Form,
    order: &'a Reservation,
    state: String,
    kind: &'static str,
    lines: Vec<(&'a ReservationLine, Money)>,
    is_partly_cancelled: bool,
    open: Vec<Open<'a>>,
    total: Money,
    holder: Option<Profile>,
    /// Whose it was has no account any more.
    is_holder_deleted: bool,
    /// It was placed in the shop's own checkout, and the reference is no order number.
    is_of_checkout: bool,
    delivery: Option<String>,
    history: Vec<Entry>,
    /// The order's version that the quantities were decided on.
    version: String,
    key: String,
}

impl OrderPage<'_> {
    fn can(&self, step: &str) -> bool {
        match self.order.state {
            ReservationState::Held => matches!(step, "commit" | "extend" | "release"),
            // The goods are taken again, if they are still there.
            ReservationState::Expired => step == "commit",
            ReservationState::Committed => matches!(step, "ship" | "cancel"),
            _ => false,
        }
    }
}

pub(super) async fn order(shell: Shell, id: web::Path<String>) -> ApiResult {
    show(&shell, path_id(&id)?, &Form::default()).await
}

async fn find(shell: &Shell, id: Id) -> ApiResult<Reservation> {
    let found = shell.site.inventory.reservation_get(id).await?;
    Ok(found.ok_or_else(|| Problem::new(ErrorCode::NotFound, format!("There is no order {id}.")))?)
}

async fn show(shell: &Shell, id: Id, form: &Form) -> ApiResult {
    let order = find(shell, id).await?;
    let (holder, delivery) = match user_of(&order.holder) {
        Some(user) => {
            tokio::try_join!(shell.site.user.profile_get(user), shell.site.user.delivery_get(user, order.id))?
        }
        None => (None, None),
    };
    let open = open(shell, &order);
    let left = open.iter().map(|open| (open.name.clone(), (open.line.quantity - open.line.shipped).to_string()));
    let proposed = Form::of(left);
    // What was typed stays; otherwise all that is left is proposed.
    let quantities = if form.all("lines.").next().is_some() { form } else { &proposed };
    // What is there now was shown with the conflict: whoever sends the form again knows it.
    let is_shown = form.problem().is_some_and(|problem| problem.code == ErrorCode::Conflict);
    let version = form.optional("version").filter(|_| !is_shown).unwrap_or_else(|| order.version.to_string());
    let page = OrderPage {
        shell,
        form,
        quantities,
        order: &order,
        state: shell.word("sale-state", state(&order)),
        kind: kind(&order),
        lines: order.lines.iter().map(|line| (line, cost(line, sold(&order, line)))).collect(),
        is_partly_cancelled: is_partly_cancelled(&order),
        open,
        total: total(shell, &order),
        is_holder_deleted: holder.is_none() && user_of(&order.holder).is_some(),
        is_of_checkout: order.reference == CHECKOUT,
        holder,
        delivery: delivery.map(|fields| address_text(shell, &fields)),
        history: history(shell, id).await?,
        version,
        key: key(shell, form),
    };
    shell.form(form, &page)
}

fn open<'a>(shell: &Shell, order: &'a Reservation) -> Vec<Open<'a>> {
    let lines = order.lines.iter().enumerate().filter(|(_, line)| line.shipped < line.quantity);
    let open = |(n, line): (usize, &'a ReservationLine)| {
        let what = [std::slice::from_ref(&line.title), &line.options].concat().join(", ");
        let place = shell.t2("sale-from", "sku", &line.sku, "location", &line.location);
        let left = shell.t1("sale-left", "n", line.quantity - line.shipped);
        Open { n, name: quantity_name(n), label: format!("{what} ({place}), {left}"), line }
    };
    lines.map(open).collect()
}

/// The field for how many of a line are shipped.
fn quantity_name(n: usize) -> String {
    format!("lines.{n}.quantity")
}

/// What is to be shipped: each line's place in the order, and the line.
type Chosen = Vec<(usize, ShipmentLine)>;

/// Does one step with an order, once for each time that its page was shown.
pub(super) async fn step(shell: Shell, path: web::Path<(String, String)>, mut form: Form) -> ApiResult {
    let (id, step) = path.into_inner();
    let id: Id = path_id(&id)?;
    let chosen = if step == "ship" { chosen(&shell, &mut form) } else { vec![] };
    if !form.is_good() {
        return show(&shell, id, &form).await;
    }
    let lines: Vec<ShipmentLine> = chosen.iter().map(|(_, line)| line.clone()).collect();
    let call = form.once(&shell)?;
    let inventory = &shell.site.inventory;
    let (done, flash) = match &*step {
        "commit" => (inventory.reservation_commit(&call, id).await, "flash-sale-committed"),
        "extend" => (inventory.reservation_extend(&call, id, Extension::default()).await, "flash-sale-extended"),
        "release" => (inventory.reservation_release(&call, id).await, "flash-sale-released"),
        "cancel" => (inventory.reservation_cancel(&call, id).await, "flash-sale-cancelled"),
        "ship" => {
            let bad = |_| Problem::new(ErrorCode::BadRequest, "The form has no version.");
            let version = form.get("version").parse().map_err(bad)?;
            let shipment = Shipment { lines: Some(lines), version: Some(version) };
            (inventory.reservation_ship(&call, id, shipment).await, "flash-sale-shipped")
        }
        _ => return Err(Problem::new(ErrorCode::NotFound, format!("There is no step {step:?}.")).into()),
    };
    match done {
        Ok(answer) => {
            let flash = if answer.replayed { "flash-sale-once" } else { flash };
            Ok(shell.go_saying(format!("{PATH}/{id}"), flash))
        }
        Err(error) => {
            refuse(&shell, &mut form, &chosen, error)?;
            show(&shell, id, &form).await
        }
    }
}

/// The lines of the form whose quantity is not 0.
fn chosen(shell: &Shell, form: &mut Form) -> Chosen {
    let mut chosen = Vec::new();
    let numbers = form.all("lines.").filter_map(|(name, _)| name.strip_suffix(".quantity")?.parse().ok());
    let numbers: BTreeSet<usize> = numbers.take(LINES_MAX).collect();
    for n in numbers.iter().copied() {
        let name = quantity_name(n);
        let quantity = form.integer(&name);
        if quantity < 0 {
            form.fault(&name, shell.t("sale-not-negative"));
        } else if quantity > 0 {
            let [sku, location] = ["sku", "location"].map(|what| form.text(&format!("lines.{n}.{what}")));
            chosen.push((n, ShipmentLine { sku, location, quantity }));
        }
    }
    if chosen.is_empty() && form.is_good() {
        form.fault(&quantity_name(numbers.first().copied().unwrap_or(0)), shell.t("sale-nothing-chosen"));
    }
    chosen
}

/// Takes in why a step was refused; what concerns a line stands at it.
fn refuse(shell: &Shell, form: &mut Form, chosen: &Chosen, error: InventoryError) -> ApiResult<()> {
    let at = |short: &Shortage| {
        let is_it = |line: &ShipmentLine| line.sku == short.sku && Some(&line.location) == short.location.as_ref();
        chosen.iter().find(|(_, line)| is_it(line)).map(|(n, _)| *n)
    };
    let error = match error {
        // Its pointers count the lines that were sent, the form also those that were left out.
        InventoryError::Invalid(mut faults) => {
            for fault in &mut faults {
                let n = fault.pointer.split('/').nth(2).and_then(|n| n.parse::<usize>().ok());
                if let Some((n, _)) = n.and_then(|n| chosen.get(n)) {
                    fault.pointer = format!("/lines/{n}/quantity");
                }
            }
            InventoryError::Invalid(faults)
        }
        InventoryError::OutOfStock(shortages) => {
            for short in &shortages {
                let text = shell.t2("sale-short", "sku", &short.sku, "available", short.available);
                form.fault(&quantity_name(at(short).unwrap_or(0)), text);
            }
            return form.refuse(Problem::new(ErrorCode::Conflict, shell.t("sale-not-there")));
        }
        InventoryError::VersionMismatch { .. } => {
            return form.refuse(Problem::new(ErrorCode::Conflict, shell.t("sale-meanwhile")));
        }
        InventoryError::ReservationExpired { lines, .. } if !lines.is_empty() => {
            let gone: Vec<&str> = lines.iter().map(|short| short.sku.as_str()).collect();
            let text = shell.t1("sale-goods-gone", "skus", gone.join(", "));
            return form.refuse(Problem::new(ErrorCode::Conflict, text));
        }
        error => error,
    };
    form.refuse(error)
}
