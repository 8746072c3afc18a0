//! The cart: a guest's in a sealed cookie, a person's with the user module. It holds wishes only: nothing is kept back from anybody
//! before the checkout.

use actix_web::HttpResponse;
use askama::Template;

use super::checkout;
use super::product::{Found, Stock, chosen, chosen_address, find, picture, refused};
use crate::clock::Id;
use crate::error::{ErrorCode, Fault, Problem};
use crate::http::ApiResult;
use crate::inventory::{Image, Money, Product, ProductStatus, Reservation, Shortage, SkuOffer};
use crate::user::{CART_LINES_MAX, CART_QUANTITY_MAX, CartLine};
use crate::web::form::Input;
use crate::web::shell::CART;
use crate::web::{Form, Shell};

/// How long a browser keeps a guest's cart.
const CART_SECONDS: i64 = 60 * 60 * 24 * 30;
/// Browsers keep cookies of 4,096 bytes with their names and marks.
const COOKIE_BYTES_MAX: usize = 3_800;

/// A line of the cart as it is shown.
pub(in crate::web) struct Line {
    pub(in crate::web) quantity: i64,
    pub(in crate::web) offer: SkuOffer,
    pub(in crate::web) total: Money,
    /// The field for its quantity.
    pub(in crate::web) field: Input,
    /// What is wrong with it: more than there is, or none left.
    pub(in crate::web) warning: Option<String>,
}

impl Line {
    pub(in crate::web) fn picture(&self) -> Option<Image> {
        picture(&self.offer)
    }

    /// `Large, Blue`.
    pub(in crate::web) fn choice(&self) -> String {
        self.offer.sku.options.join(", ")
    }

    fn name(&self) -> String {
        match self.choice().as_str() {
            "" => self.offer.product.title.clone(),
            choice => format!("{}, {choice}", self.offer.product.title),
        }
    }
}

#[derive(Template)]
#[template(path = "storefront/cart.html")]
struct Page<'a> {
    shell: &'a Shell,
    form: &'a Form,
    lines: Vec<Line>,
    /// The goods could not be held: what is missing, and whether anything is left.
    shortages: Vec<String>,
    some_left: bool,
    /// A checkout that was begun.
    open: Option<Id>,
    /// Codes of lines that are no longer sold.
    gone: Vec<String>,
    /// It has more than can be ordered at a time.
    too_many: Option<String>,
    total: Money,
}

pub(super) async fn cart(shell: Shell) -> ApiResult {
    show(&shell, &Form::default(), &[]).await
}

/// The cart's page; with what the form was refused for, or what there is not enough of.
pub(super) async fn show(shell: &Shell, form: &Form, short: &[Shortage]) -> ApiResult {
    let wanted = wanted(shell).await?;
    let open = match shell.person {
        Some(person) => checkout::open(shell, person).await?,
        None => None,
    };
    let (lines, gone) = lines(shell, form, &wanted, open.as_ref()).await?;
    let shortages = short.iter().map(|short| {
        let line = lines.iter().find(|line| line.offer.sku.code == short.sku);
        checkout::shortage(shell, line.map_or(short.sku.clone(), Line::name), short)
    });
    let shortages: Vec<String> = shortages.collect();
    let missing = |line: &Line| {
        short.iter().filter(|short| short.sku == line.offer.sku.code).map(|s| s.requested - s.available).sum::<i64>()
    };
    let some_left = lines.iter().any(|line| line.quantity > missing(line));
    let total = lines.iter().map(|line| line.total.amount).fold(0, i64::saturating_add);
    let total = Money { amount: total, currency: shell.site.currency.clone() };
    // What is no longer sold is not ordered either.
    let sold: Vec<CartLine> = wanted.into_iter().filter(|line| !gone.contains(&line.sku)).collect();
    let too_many = too_many(shell, &sold);
    let mut form = std::borrow::Cow::Borrowed(form);
    if !shortages.is_empty() {
        form.to_mut().refuse(Problem::new(ErrorCode::OutOfStock, ""))?;
    }
    shell.form(
        &form,
        &Page {
            shell,
            form: &form,
            lines,
            shortages,
            some_left,
            open: open.map(|open| open.id),
            gone,
            too_many,
            total,
        },
    )
}

/// The most of one thing that the shop's pages take into a cart: no more than a checkout may hold.
pub(super) fn quantity_max(shell: &Shell) -> i64 {
    CART_QUANTITY_MAX.min(shell.site.units_max)
}

fn units(lines: &[CartLine]) -> i64 {
    lines.iter().map(|line| line.quantity).sum()
}

/// That a cart has more than a checkout may hold.
fn too_many(shell: &Shell, lines: &[CartLine]) -> Option<String> {
    let (units, max) = (units(lines), shell.site.units_max);
    (units > max).then(|| shell.t2("cart-too-many", "max", max, "n", units))
}

/// Why so many more of what can be ordered do not go into the cart, and how many are there.
fn no_room(shell: &Shell, lines: &[CartLine], more: &CartLine, orderable: i64) -> Option<String> {
    let (max, there) = (shell.site.units_max, units(lines));
    if there + more.quantity > max {
        return Some(shell.t2("cart-no-room", "max", max, "there", there));
    }
    let max = quantity_max(shell);
    let there = quantity_of(lines, &more.sku);
    if there + more.quantity > max {
        return Some(shell.t2("cart-no-room-of-one", "max", max, "there", there));
    }
    (there + more.quantity > orderable).then(|| shell.t2("cart-not-so-many", "most", orderable, "there", there))
}

fn quantity_of(lines: &[CartLine], sku: &str) -> i64 {
    lines.iter().find(|line| line.sku == sku).map_or(0, |line| line.quantity)
}

/// What is in the cart.
pub(super) async fn wanted(shell: &Shell) -> ApiResult<Vec<CartLine>> {
    Ok(match shell.person {
        Some(person) => shell.site.user.cart_get(person.id).await?,
        None => shell.guest_cart.clone(),
    })
}

/// The lines as they are shown, and the codes of what is no longer sold. What the person's `open` checkout holds can be ordered too.
pub(super) async fn lines(
    shell: &Shell,
    form: &Form,
    wanted: &[CartLine],
    open: Option<&Reservation>,
) -> ApiResult<(Vec<Line>, Vec<String>)> {
    let codes: Vec<String> = wanted.iter().map(|line| line.sku.clone()).collect();
    let offers = shell.site.inventory.sku_offers(codes.clone()).await?;
    let stock = shell.site.inventory.availability(codes).await?;
    let (mut lines, mut gone) = (Vec::new(), Vec::new());
    for CartLine { sku, quantity } in wanted {
        let offer = offers.iter().find(|offer| offer.sku.code == *sku);
        let Some(offer) = offer.filter(|offer| offer.product.status == ProductStatus::Active) else {
            gone.push(sku.clone());
            continue;
        };
        let stock = Stock::of(shell, stock.iter().find(|availability| availability.sku == *sku));
        let total = Money { amount: offer.sku.price.amount.saturating_mul(*quantity), ..offer.sku.price.clone() };
        let warning = match stock.orderable + held(open, sku) {
            0 => Some(shell.t("cart-sold-out")),
            most => (most < *quantity).then(|| shell.t1("cart-only-so-many", "most", most)),
        };
        let name = format!("quantity.{sku}");
        let typed = form.optional(&name).unwrap_or_else(|| quantity.to_string());
        let field =
            form.input(&name, shell.t("product-quantity")).about(&offer.product.title).holds(typed).kind("number");
        let field = field.range(0, quantity_max(shell).max(*quantity)).keys("numeric").size("short").required();
        lines.push(Line { field, quantity: *quantity, offer: offer.clone(), total, warning });
    }
    Ok((lines, gone))
}

/// So many the checkout holds.
fn held(open: Option<&Reservation>, sku: &str) -> i64 {
    let lines = open.iter().flat_map(|open| &open.lines).filter(|line| line.sku == sku);
    lines.map(|line| line.quantity).sum()
}

/// Adds a product in the chosen options.
pub(super) async fn add(shell: Shell, mut form: Form) -> ApiResult {
    let is_sold = |product: &Product| product.status == ProductStatus::Active;
    // The page may have been open since before the product got another handle.
    let (Found::Here(product) | Found::Moved(product)) = find(&shell, form.get("product"), is_sold).await?;
    let Some(sku) = chosen(&product, &form) else {
        return Ok(shell.go_saying(format!("/products/{}", product.handle), "flash-no-such-choice"));
    };
    let (quantity, max) = (form.get("quantity").parse().unwrap_or(0), quantity_max(&shell));
    if !(1..=max).contains(&quantity) {
        form.fault("quantity", shell.t1("product-quantity-range", "max", max));
        return refused(&shell, &product, &form).await;
    }
    let found = shell.site.inventory.availability(vec![sku.code.clone()]).await?;
    let open = match shell.person {
        Some(person) => checkout::open(&shell, person).await?,
        None => None,
    };
    let orderable = Stock::of(&shell, found.first()).orderable + held(open.as_ref(), &sku.code);
    if orderable == 0 {
        return Ok(shell.go_saying(chosen_address(&product, sku), "flash-sold-out"));
    }
    let line = CartLine { sku: sku.code.clone(), quantity };
    if let Some(text) = no_room(&shell, &wanted(&shell).await?, &line, orderable) {
        form.fault("quantity", text);
        return refused(&shell, &product, &form).await;
    }
    let response = shell.go_saying("/cart", "flash-added");
    match shell.person {
        Some(person) => match shell.site.user.cart_add(person.id, vec![line]).await {
            Ok(_) => Ok(response),
            Err(error) => {
                form.refuse(error)?;
                show(&shell, &form, &[]).await
            }
        },
        None => {
            let mut lines = shell.guest_cart.clone();
            put(&mut lines, line, |old, new| old + new);
            keep(&shell, response, &lines).await
        }
    }
}

/// Sets the quantities that the form names (`quantity.CODE`), or takes a line out (`remove`).
pub(super) async fn change(shell: Shell, mut form: Form) -> ApiResult {
    let max = quantity_max(&shell);
    let before = wanted(&shell).await?;
    let mut changes = Vec::new();
    let mut bad = Vec::new();
    for (sku, quantity) in form.all("quantity.") {
        match quantity.parse() {
            // It may be more than what goes into a cart today.
            Ok(quantity) if quantity == quantity_of(&before, sku) => {}
            Ok(quantity) if (0..=max).contains(&quantity) => changes.push(CartLine { sku: sku.to_owned(), quantity }),
            _ => bad.push(format!("quantity.{sku}")),
        }
    }
    if let Some(sku) = form.optional("remove") {
        changes.retain(|line| line.sku != sku);
        bad.clear();
        changes.push(CartLine { sku, quantity: 0 });
    }
    for name in bad {
        form.fault(&name, shell.t1("cart-quantity-range", "max", max));
    }
    if let Some((sku, text)) = raised_too_far(&shell, &before, &changes) {
        form.fault(&format!("quantity.{sku}"), text);
    }
    if !form.is_good() {
        return show(&shell, &form, &[]).await;
    }
    let response = shell.go_saying("/cart", "flash-cart-changed");
    match shell.person {
        Some(person) => {
            shell.site.user.cart_set(person.id, changes).await?;
            Ok(response)
        }
        None => {
            let mut lines = shell.guest_cart.clone();
            // Only what is there is changed: the cookie is nobody's place to put anything else.
            for change in
                changes.into_iter().filter(|change| shell.guest_cart.iter().any(|line| line.sku == change.sku))
            {
                put(&mut lines, change, |_, new| new);
            }
            keep(&shell, response, &lines).await
        }
    }
}

/// The first line that was raised, and why, where the whole cart becomes more than can be ordered. Less may always be wished for.
fn raised_too_far(shell: &Shell, before: &[CartLine], changes: &[CartLine]) -> Option<(String, String)> {
    let mut after = before.to_vec();
    changes.iter().for_each(|change| put(&mut after, change.clone(), |_, new| new));
    let raised = changes.iter().find(|change| change.quantity > quantity_of(before, &change.sku))?;
    let text = too_many(shell, &after).filter(|_| units(&after) > units(before))?;
    Some((raised.sku.clone(), text))
}

/// Gives a guest's cart to the person that he turned out to be, and ends the guest's.
pub(in crate::web) async fn merge(shell: &Shell, user: Id, response: &mut HttpResponse) -> ApiResult<()> {
    if shell.guest_cart.is_empty() {
        return Ok(());
    }
    let own = shell.site.user.cart_get(user).await?;
    // The larger of both quantities, so that logging in twice adds nothing twice.
    let more: Vec<CartLine> =
        shell.guest_cart.iter().filter(|line| line.quantity > quantity_of(&own, &line.sku)).cloned().collect();
    // A cart that would become too long stays with the browser.
    if more.is_empty() || shell.site.user.cart_set(user, more).await.is_ok() {
        let _ = response.add_cookie(&shell.site.cookies.clear(CART));
    }
    Ok(())
}

fn put(lines: &mut Vec<CartLine>, line: CartLine, quantity: impl Fn(i64, i64) -> i64) {
    match lines.iter_mut().find(|old| old.sku == line.sku) {
        Some(old) => old.quantity = quantity(old.quantity, line.quantity),
        None => lines.push(line),
    }
    lines.retain(|line| line.quantity > 0);
}

/// Puts a guest's cart into the answer's cookie.
async fn keep(shell: &Shell, mut response: HttpResponse, lines: &[CartLine]) -> ApiResult {
    let value = shell.site.keys().await?.seal(&lines);
    if value.len() > COOKIE_BYTES_MAX || lines.len() > CART_LINES_MAX {
        return Err(Problem::conflict(&Fault::CartFull { max: CART_LINES_MAX }).into());
    }
    let cookie = match lines {
        [] => shell.site.cookies.clear(CART),
        _ => shell.site.cookies.set(CART, value, CART_SECONDS),
    };
    let _ = response.add_cookie(&cookie);
    Ok(response)
}
