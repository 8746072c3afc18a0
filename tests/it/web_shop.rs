//! The cart and the checkout, request by request: what is held, when it is given back, and what cannot be done twice.

use std::time::Duration;

use emporium::app::deliveries::settle;
use emporium::call::Role;
use emporium::clock::{Clock, Id};
use emporium::inventory::{
    NewReservation, NewReservationLine, Reservation, ReservationQuery, ReservationState, Shipment, ShipmentLine,
};
use emporium::user::AddressFields;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;

use crate::testapp::{Backend, TestApp, call, on_both, read};

/// A shop with three mugs, and somebody who is logged in.
struct Shop {
    app: TestApp,
    token: String,
    user: Id,
    form_token: String,
}

impl Shop {
    async fn start(backend: Backend) -> Shop {
        let app = TestApp::start(backend).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let product = json!({ "title": "Mug", "handle": "mug", "status": "active",
            "skus": [{ "code": "MUG", "price": { "amount": 1450, "currency": "USD" } }] });
        for (path, body) in [
            ("products", product),
            ("locations", json!({ "code": "MAIN", "name": "Main" })),
            (
                "stock/adjustments",
                json!({ "rows": [{ "sku": "MUG", "location": "MAIN", "delta": 3, "reason": "first" }] }),
            ),
        ] {
            let request =
                app.request_as(&staff, Method::POST, &format!("/api/v1/{path}")).header("idempotency-key", path);
            let answer = request.json(&body).send().await.unwrap();
            assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        }
        let token = app.token("ann@example.com", Role::Customer).await;
        let user = app.shop.modules.user.authenticate(&token).await.unwrap().unwrap().user_id().unwrap();
        let page = app.page("/account/profile").header("cookie", format!("session={token}")).send().await.unwrap();
        let form_token = field(&page.text().await.unwrap(), "form_token");
        Shop { app, token, user, form_token }
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.app.page(path).header("cookie", format!("session={}", self.token))
    }

    async fn text(&self, path: &str) -> String {
        self.get(path).send().await.unwrap().text().await.unwrap()
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let fields = [fields, &[("form_token", &*self.form_token)]].concat();
        self.app.send(path, &fields).header("cookie", format!("session={}", self.token)).send().await.unwrap()
    }

    async fn add(&self, quantity: &str) {
        let added = self.post("/cart/lines", &[("product", "mug"), ("quantity", quantity)]).await;
        assert_eq!((added.status().as_u16(), location(&added)), (303, "/cart"));
    }

    async fn seed_other(&self) {
        let staff = self.app.login("staff@example.com").await;
        let product = json!({ "title": "Other", "status": "active",
            "skus": [{ "code": "OTHER", "price": { "amount": 100, "currency": "USD" } }] });
        let made = self.app.request_as(&staff, Method::POST, "/api/v1/products").header("idempotency-key", "other");
        assert_eq!(made.json(&product).send().await.unwrap().status(), 201);
    }

    async fn reservations(&self) -> Vec<Reservation> {
        let query = ReservationQuery { holder: Some(format!("user:{}", self.user)), ..Default::default() };
        self.app.shop.modules.inventory.reservation_list(query).await.unwrap().items
    }

    async fn set_address(&self, checkout: &str) {
        let address = [("name", "Ann"), ("line1", "1 High Street"), ("city", "Alder Falls"), ("country", "US")];
        let answer = self.post(checkout, &address).await;
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, &*format!("{checkout}/review")));
    }
}

fn location(answer: &Response) -> &str {
    answer.headers().get("location").map_or("", |value| value.to_str().unwrap())
}

/// Of the checkout or order at this address.
fn id_of(path: &str) -> Id {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let start =
        page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in\n{page}")).1;
    start.split('"').next().unwrap().to_owned()
}

on_both! {
    async fn the_checkout_holds_the_goods_once_however_often_it_is_begun(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("2").await;
        // From several windows, too.
        let clicks = futures_util::future::join_all((0..5).map(|_| shop.post("/checkout", &[]))).await;
        let mut places: Vec<&str> = clicks.iter().map(location).collect();
        places.dedup();
        assert_eq!(places.len(), 1, "{places:?}");
        let held = shop.reservations().await;
        assert_eq!(held.iter().filter(|held| held.state == ReservationState::Held).count(), 1, "{held:?}");
        // The cart changes: the old hold is given back, the new one is for the new cart.
        shop.add("1").await;
        let again = shop.post("/checkout", &[]).await;
        assert_eq!(again.status().as_u16(), 303, "all three are there");
        let held = shop.reservations().await;
        let states: Vec<_> = held.iter().map(|held| (held.state, held.lines[0].quantity)).collect();
        assert_eq!(states, [(ReservationState::Held, 3), (ReservationState::Released, 2)]);
        // The goods go back when one leaves.
        let left = shop.post(&format!("{}/leave", location(&again)), &[]).await;
        assert_eq!(location(&left), "/cart");
        assert_eq!(shop.reservations().await[0].state, ReservationState::Released);
        assert!(shop.text("/cart").await.contains("Mug"));
        shop.app.stop().await;
    }

    async fn an_order_is_placed_once_with_the_prices_that_were_shown(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("2").await;
        let begun = shop.post("/checkout", &[]).await;
        let checkout = location(&begun).to_owned();
        // Without an address there is nothing to place yet.
        assert_eq!(location(&shop.post(&format!("{checkout}/place"), &[]).await), checkout);
        shop.set_address(&checkout).await;
        let staff = shop.app.login("staff@example.com").await;
        let dearer = json!({ "price": { "amount": 9900, "currency": "USD" } });
        let dearer = shop.app.request_as(&staff, Method::PATCH, "/api/v1/skus/MUG").header("if-match", "*").json(&dearer);
        assert_eq!(dearer.send().await.unwrap().status(), 200);
        assert!(shop.text(&format!("{checkout}/review")).await.contains("$29.00"));
        let place = format!("{checkout}/place");
        let clicks = futures_util::future::join_all((0..5).map(|_| shop.post(&place, &[]))).await;
        let order = checkout.replace("/checkout/", "/orders/");
        assert!(clicks.iter().all(|click| location(click) == order));
        let orders = shop.reservations().await;
        assert_eq!((orders.len(), orders[0].state), (1, ReservationState::Committed));
        let page = shop.text(&order).await;
        assert!(page.contains("$29.00") && page.contains("1 High Street") && !page.contains("$198.00"), "{page}");
        assert!(shop.text("/cart").await.contains("Your cart is empty."));
        // Where it goes is settled, and it is not left any more.
        let late = [("name", "Eve"), ("line1", "9 Other Street"), ("city", "Elsewhere"), ("country", "US")];
        for (path, fields) in [(checkout.clone(), &late[..]), (format!("{checkout}/leave"), &[]), (format!("{checkout}/extend"), &[])] {
            assert_eq!(location(&shop.post(&path, fields).await), order, "{path}");
        }
        let page = shop.text(&order).await;
        assert!(page.contains("1 High Street") && !page.contains("Elsewhere"), "{page}");
        // Nobody else sees it.
        let other = shop.app.token("ben@example.com", Role::Customer).await;
        for path in [&order, &checkout] {
            let answer = shop.app.page(path).header("cookie", format!("session={other}")).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
        }
        // Shipped goods do not come back by a click.
        let id: Id = order.rsplit('/').next().unwrap().parse().unwrap();
        shop.app.shop.modules.inventory.reservation_ship(&call(), id, Default::default()).await.unwrap();
        let refused = shop.post(&format!("{order}/cancel"), &[]).await;
        assert_eq!(refused.status(), 409);
        assert!(refused.text().await.unwrap().contains("Its state does not allow this any more."));
        shop.app.stop().await;
    }

    async fn only_addresses_of_what_was_ordered_are_kept(backend: Backend) {
        let shop = Shop::start(backend).await;
        let modules = &shop.app.shop.modules;
        let schema = if backend == Backend::Postgres { "inventory." } else { "" };
        let raw = |sql: &str| shop.app.diesel().batch(&sql.replace("reservations", &format!("{schema}reservations")));
        let begin = async || {
            shop.post("/cart", &[("quantity.MUG", "0")]).await;
            shop.add("1").await;
            let checkout = location(&shop.post("/checkout", &[]).await).to_owned();
            shop.set_address(&checkout).await;
            checkout
        };
        let mut orders: Vec<Id> = vec![];
        // One is placed, one is left, one is committed by a program, of one the hold runs out.
        for step in ["place", "leave", "", ""] {
            let checkout = begin().await;
            orders.push(id_of(&checkout));
            if !step.is_empty() {
                assert_eq!(shop.post(&format!("{checkout}/{step}"), &[]).await.status(), 303);
            } else if orders.len() == 3 {
                modules.inventory.reservation_commit(&call(), orders[2]).await.unwrap();
            }
        }
        let kept = async |orders: &[Id]| {
            let mut kept = vec![];
            for order in orders {
                kept.push(modules.user.delivery_get(shop.user, *order).await.unwrap().is_some());
            }
            kept
        };
        let settle = async || settle(&*modules.inventory, &*modules.user, shop.app.clock.now()).await.unwrap();
        let day = Duration::from_secs(86_400);
        assert_eq!(kept(&orders).await, [true; 4]);
        let placed = async || {
            let data = modules.user.personal_data(shop.user).await.unwrap().unwrap();
            data.deliveries.iter().filter(|one| one.expires_at.is_none()).count()
        };
        assert_eq!(placed().await, 1);
        // What cannot be read whole keeps none of the others.
        raw("UPDATE reservations SET product_ids = '{}' WHERE state = 'released'");
        shop.app.clock.advance(day);
        assert!(!settle().await);
        assert_eq!((kept(&orders).await, placed().await), (vec![true, false, true, true], 2));

        // Of another one the hold runs out. The first such is placed late, and it is known where it goes.
        orders.push(id_of(&begin().await));
        shop.app.clock.advance(day);
        assert!(!settle().await);
        let late = modules.inventory.reservation_get(orders[3]).await.unwrap().unwrap();
        assert_eq!(late.state, ReservationState::Expired);
        shop.app.shop.modules.inventory.reservation_commit(&call(), orders[3]).await.unwrap();
        // And one is held for very long.
        shop.app.diesel().batch(&format!("UPDATE {schema}stock SET on_hand = on_hand + 1"));
        orders.push(id_of(&begin().await));
        let after = if backend == Backend::Postgres { "interval '60 days'" } else { "5184000000000" };
        raw(&format!("UPDATE reservations SET expires_at = expires_at + {after}, expires_max = expires_max + {after}
                      WHERE state = 'held' AND id = (SELECT id FROM reservations ORDER BY id DESC LIMIT 1)"));
        shop.app.clock.advance(29 * day);
        assert!(!settle().await);
        assert_eq!((kept(&orders).await, placed().await), (vec![true, false, true, true, true, true], 3));
        shop.app.clock.advance(day);
        assert!(!settle().await);
        assert_eq!(kept(&orders).await, [true, false, true, true, false, true]);
        shop.app.stop().await;
    }

    async fn many_addresses_are_looked_at_in_batches(backend: Backend) {
        let shop = Shop::start(backend).await;
        let modules = &shop.app.shop.modules;
        let to = json!({ "name": "Ann", "line1": "1 High Street", "city": "Alder Falls", "country": "US" });
        let to: AddressFields = serde_json::from_value(to).unwrap();
        for _ in 0..101 {
            let order = Id::new(shop.app.clock.now());
            modules.user.delivery_set(&call(), shop.user, order, to.clone()).await.unwrap();
        }
        let left = async || modules.user.personal_data(shop.user).await.unwrap().unwrap().deliveries.len();
        shop.app.clock.advance(Duration::from_secs(86_400));
        let now = shop.app.clock.now();
        for expected in [(true, 1), (false, 0)] {
            let more = settle(&*modules.inventory, &*modules.user, now).await.unwrap();
            assert_eq!((more, left().await), expected);
        }
        let ids: Vec<Id> = (0..201).map(|_| Id::new(now)).collect();
        assert_eq!(modules.inventory.reservation_outcomes(ids[1..].to_vec()).await.unwrap(), []);
        assert!(modules.inventory.reservation_outcomes(ids).await.is_err());
        shop.app.stop().await;
    }

    async fn the_checkout_is_found_behind_many_other_holds(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("1").await;
        let checkout = location(&shop.post("/checkout", &[]).await).to_owned();
        let inventory = &shop.app.shop.modules.inventory;
        for _ in 0..60 {
            let line = NewReservationLine { sku: "MUG".into(), location: None, quantity: 1 };
            let new = NewReservation {
                lines: vec![line],
                hold_seconds: None,
                allow_partial: false,
                holder: None,
                reference: "other".into(),
            };
            let held = inventory.reserve(&call(), format!("user:{}", shop.user), new).await.unwrap().value;
            inventory.reservation_release(&call(), held.id).await.unwrap();
        }
        assert!(shop.text("/cart").await.contains(&checkout));
        assert_eq!(location(&shop.post("/checkout", &[]).await), checkout);
        let (_, page) = read(shop.app.request_as(&shop.token, Method::GET, "/api/v1/reservations?reference=checkout").send().await.unwrap()).await;
        assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
        for (wrong, code) in [("x".repeat(101), 422), ("%00".to_owned(), 422), ("other&limit=1".to_owned(), 200)] {
            let path = format!("/api/v1/reservations?reference={wrong}");
            let answer = shop.app.request_as(&shop.token, Method::GET, &path).send().await.unwrap();
            assert_eq!(answer.status(), code, "{wrong}");
        }
        shop.app.stop().await;
    }

    async fn of_a_partly_cancelled_order_what_was_sent_counts(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("3").await;
        let checkout = location(&shop.post("/checkout", &[]).await).to_owned();
        shop.set_address(&checkout).await;
        let order = location(&shop.post(&format!("{checkout}/place"), &[]).await).to_owned();
        let id: Id = order.rsplit('/').next().unwrap().parse().unwrap();
        let part = ShipmentLine { sku: "MUG".into(), location: "MAIN".into(), quantity: 2 };
        let shipment = Shipment { lines: Some(vec![part]), version: None };
        shop.app.shop.modules.inventory.reservation_ship(&call(), id, shipment).await.unwrap();
        for path in ["/orders", &*order] {
            let page = shop.text(path).await;
            assert!(page.contains("Partly sent") && page.contains("$43.50"), "{page}");
        }
        assert_eq!(shop.post(&format!("{order}/cancel"), &[]).await.status(), 303);
        for path in ["/orders", &*order] {
            let page = shop.text(path).await;
            assert!(page.contains("Partly canceled") && page.contains("$29.00") && !page.contains("$43.50"), "{page}");
        }
        let page = shop.text(&order).await;
        assert!(page.contains("2 of them sent, 1 canceled") && page.contains("Sum of what was sent"), "{page}");
        shop.app.stop().await;
    }

    async fn a_hold_that_has_run_out_is_told_and_tried_again(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("2").await;
        let checkout = location(&shop.post("/checkout", &[]).await).to_owned();
        shop.set_address(&checkout).await;
        let page = shop.text(&format!("{checkout}/review")).await;
        let seconds: u64 = page.split_once("data-until=\"").unwrap().1.split('"').next().unwrap().parse().unwrap();
        assert!((1..=900).contains(&seconds), "{seconds}");
        shop.app.clock.advance(Duration::from_secs(901));
        let over = shop.get(&format!("{checkout}/review")).send().await.unwrap();
        assert_eq!(over.status(), 409);
        assert!(over.text().await.unwrap().contains("Your time has run out"));
        // Nothing is paid for what is not held any more.
        let placed = shop.post(&format!("{checkout}/place"), &[]).await;
        assert_eq!(placed.status(), 409);
        assert_eq!(shop.reservations().await[0].state, ReservationState::Expired);
        let checkout = location(&shop.post("/checkout", &[]).await).to_owned();
        shop.set_address(&checkout).await;
        // Whoever asks for more time gets it.
        shop.app.clock.advance(Duration::from_secs(600));
        let longer = shop.post(&format!("{checkout}/extend"), &[("step", "review")]).await;
        assert_eq!(location(&longer), format!("{checkout}/review"));
        shop.app.clock.advance(Duration::from_secs(600));
        assert_eq!(shop.get(&format!("{checkout}/review")).send().await.unwrap().status(), 200);
        shop.app.clock.advance(Duration::from_secs(901));
        let all = emporium::inventory::NewReservation {
            lines: vec![emporium::inventory::NewReservationLine { sku: "MUG".into(), location: None, quantity: 2 }],
            hold_seconds: None, allow_partial: false, holder: None, reference: String::new(),
        };
        shop.app.shop.modules.inventory.reserve(&call(), "somebody".into(), all).await.unwrap();
        let gone = shop.post("/checkout", &[]).await;
        assert_eq!(gone.status(), 409);
        let page = gone.text().await.unwrap();
        assert!(page.contains("Mug: 2 asked for, 1 left"), "{page}");
        // What is left is held once, however often it is asked for.
        let first = shop.post("/checkout", &[("partial", "true")]).await;
        let second = shop.post("/checkout", &[("partial", "true")]).await;
        assert_eq!((location(&first), first.status()), (location(&second), second.status()));
        assert_eq!(shop.get(location(&first)).send().await.unwrap().status(), 200);
        // What could not be had is still wished for.
        shop.set_address(location(&first)).await;
        shop.post(&format!("{}/place", location(&first)), &[]).await;
        let lines = shop.app.shop.modules.user.cart_get(shop.user).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [1]);
        shop.app.stop().await;
    }

    async fn a_guests_cart_is_added_to_the_persons_at_log_in(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("1").await;
        let added = shop.app.send("/cart/lines", &[("product", "mug"), ("quantity", "2")]).send().await.unwrap();
        let cookie = added.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let cart = cookie.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("cart=")).unwrap().to_owned();
        let fields = [("email", "ann@example.com"), ("password", crate::testapp::PASSWORD), ("next", "/cart")];
        let login = shop.app.send("/login", &fields).header("cookie", &cart).send().await.unwrap();
        assert_eq!(location(&login), "/cart");
        let cleared = login.headers().get_all("set-cookie").iter().any(|value| value.to_str().unwrap().starts_with("cart=; "));
        assert!(cleared, "{:?}", login.headers());
        let lines = shop.app.shop.modules.user.cart_get(shop.user).await.unwrap();
        assert_eq!(lines.iter().map(|line| (&*line.sku, line.quantity)).collect::<Vec<_>>(), [("MUG", 2)]);
        // The same once more, as by a second click: nothing is added twice.
        shop.app.send("/login", &fields).header("cookie", &cart).send().await.unwrap();
        let again = shop.app.shop.modules.user.cart_get(shop.user).await.unwrap();
        assert_eq!(again, lines);
        shop.app.stop().await;
    }

    async fn a_cart_takes_only_what_is_sold_in_quantities_that_make_sense(backend: Backend) {
        let shop = Shop::start(backend).await;
        for quantity in ["0", "501", "two"] {
            let refused = shop.post("/cart/lines", &[("product", "mug"), ("quantity", quantity)]).await;
            assert_eq!(refused.status(), 422, "{quantity}");
            assert!(refused.text().await.unwrap().contains("id=\"f-quantity-fault\""), "{quantity}");
        }
        assert_eq!(shop.post("/cart/lines", &[("product", "none"), ("quantity", "1")]).await.status(), 404);
        shop.add("1").await;
        let refused = shop.post("/cart", &[("quantity.MUG", "-1")]).await;
        assert_eq!(refused.status(), 422);
        assert!(refused.text().await.unwrap().contains("Please enter a quantity from 0 to 500."));
        assert_eq!(location(&shop.post("/cart", &[("quantity.MUG", "4")]).await), "/cart");
        // More than there is: told in the cart, and again with what is left at the checkout, and nothing is held.
        assert!(shop.text("/cart").await.contains("Only 3 can be ordered now."));
        let refused = shop.post("/cart/lines", &[("product", "mug"), ("quantity", "1")]).await;
        assert_eq!(refused.status(), 422);
        assert!(refused.text().await.unwrap().contains("Only 3 can be ordered now. 4 of this are in your cart already."));
        let short = shop.post("/checkout", &[]).await;
        assert_eq!(short.status(), 409);
        assert!(short.text().await.unwrap().contains("Mug: 4 asked for, 3 left"));
        assert_eq!(shop.reservations().await, []);
        assert_eq!(location(&shop.post("/cart", &[("remove", "MUG")]).await), "/cart");
        assert_eq!(shop.app.shop.modules.user.cart_get(shop.user).await.unwrap(), []);
        shop.app.stop().await;
    }

    async fn a_cart_takes_no_more_than_a_checkout_holds(backend: Backend) {
        let shop = Shop::start(backend).await;
        let schema = if backend == Backend::Postgres { "inventory." } else { "" };
        shop.app.diesel().batch(&format!("UPDATE {schema}stock SET on_hand = 1000"));
        assert!(shop.text("/products/mug").await.contains("name=\"quantity\" min=\"1\" max=\"500\""));
        let quantity = async || shop.app.shop.modules.user.cart_get(shop.user).await.unwrap()[0].quantity;
        shop.add("300").await;
        let refused = shop.post("/cart/lines", &[("product", "mug"), ("quantity", "300")]).await;
        assert_eq!((refused.status().as_u16(), quantity().await), (422, 300));
        let page = refused.text().await.unwrap();
        assert!(page.contains("At most 500 items can be ordered at a time, and 300 are in your cart already."), "{page}");
        // A guest's cart as well.
        let added = shop.app.send("/cart/lines", &[("product", "mug"), ("quantity", "499")]).send().await.unwrap();
        let cookies = added.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
        let cart = cookies.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("cart=")).unwrap();
        let more = shop.app.send("/cart/lines", &[("product", "mug"), ("quantity", "2")]).header("cookie", cart);
        let refused = more.send().await.unwrap();
        assert_eq!(refused.status(), 422);
        assert!(refused.text().await.unwrap().contains("and 499 are in your cart already."));

        // A program puts more in: the page says so at once, and less may be wished for step by step.
        let token = &shop.token;
        let lines = json!({ "lines": [{ "sku": "MUG", "quantity": 499 }, { "sku": "OTHER", "quantity": 100 }] });
        let put = shop.app.request_as(token, Method::PUT, "/api/v1/me/cart/lines").json(&lines).send().await.unwrap();
        assert_eq!(put.status(), 200);
        let told = "At most 500 items can be ordered at a time; these are 599 together.";
        assert!(shop.text("/cart").await.contains("Some things in your cart are not sold any more"));
        assert!(!shop.text("/cart").await.contains(told), "what is not sold is not ordered either");
        shop.seed_other().await;
        assert!(shop.text("/cart").await.contains(told));
        let refused = shop.post("/cart", &[("quantity.MUG", "500")]).await;
        assert_eq!(refused.status(), 422);
        assert!(refused.text().await.unwrap().contains("these are 600 together"));
        assert_eq!(location(&shop.post("/cart", &[("quantity.MUG", "450")]).await), "/cart");
        assert_eq!(location(&shop.post("/cart", &[("remove", "OTHER")]).await), "/cart");
        // A line above today's limit stays as it is while others are changed.
        let lines = json!({ "lines": [{ "sku": "MUG", "quantity": 600 }, { "sku": "OTHER", "quantity": 1 }] });
        let put = shop.app.request_as(token, Method::PUT, "/api/v1/me/cart/lines").json(&lines).send().await.unwrap();
        assert_eq!(put.status(), 200);
        let saved = shop.post("/cart", &[("quantity.MUG", "600"), ("quantity.OTHER", "0")]).await;
        assert_eq!((location(&saved), quantity().await), ("/cart", 600));
        // What it takes can be had.
        assert_eq!(location(&shop.post("/cart", &[("quantity.MUG", "500")]).await), "/cart");
        let begun = shop.post("/checkout", &[]).await;
        assert!(location(&begun).starts_with("/checkout/"), "{}", begun.text().await.unwrap());
        shop.app.stop().await;
    }

    async fn what_is_no_longer_sold_leaves_the_cart(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("1").await;
        let staff = shop.app.login("staff@example.com").await;
        let archived = shop.app.request_as(&staff, Method::PATCH, "/api/v1/products/mug").header("if-match", "*");
        assert_eq!(archived.json(&json!({ "status": "archived" })).send().await.unwrap().status(), 200);
        assert!(shop.text("/cart").await.contains("Some things in your cart are not sold any more"));
        assert_eq!(location(&shop.post("/checkout", &[]).await), "/cart");
        assert_eq!(shop.get("/products/mug").send().await.unwrap().status(), 404);
        let staff_sees = shop.app.page("/products/mug").header("cookie", format!("session={staff}")).send().await.unwrap();
        assert_eq!(staff_sees.status(), 200);
        shop.app.stop().await;
    }

    async fn an_address_is_taken_from_the_list_or_written_and_only_ones_own(backend: Backend) {
        let shop = Shop::start(backend).await;
        shop.add("1").await;
        let checkout = location(&shop.post("/checkout", &[]).await).to_owned();
        let refused = shop.post(&checkout, &[("name", "Ann"), ("line1", "1 High Street"), ("country", "XX")]).await;
        assert_eq!(refused.status(), 422);
        let page = refused.text().await.unwrap();
        assert!(page.contains("id=\"f-city-fault\"") && page.contains("value=\"1 High Street\""), "{page}");
        let own = [("name", "Ann"), ("line1", "2 Low Street"), ("city", "Alder Falls"), ("country", "US"), ("save", "true")];
        assert_eq!(location(&shop.post(&checkout, &own).await), format!("{checkout}/review"));
        let saved = shop.app.shop.modules.user.address_list(shop.user).await.unwrap();
        assert_eq!(saved[0].fields.line1, "2 Low Street");
        // Another person's address is none.
        let other = shop.app.token("ben@example.com", Role::Customer).await;
        let body = json!({ "name": "Ben", "line1": "Secret Lane", "city": "Alder Falls", "country": "US" });
        let address = shop.app.request_as(&other, Method::POST, "/api/v1/me/addresses").json(&body).send().await.unwrap();
        let address: serde_json::Value = address.json().await.unwrap();
        let refused = shop.post(&checkout, &[("saved", address["id"].as_str().unwrap())]).await;
        assert_eq!(refused.status(), 422);
        let id: Id = checkout.rsplit('/').next().unwrap().parse().unwrap();
        let delivery: AddressFields = shop.app.shop.modules.user.delivery_get(shop.user, id).await.unwrap().unwrap();
        assert_eq!(delivery.line1, "2 Low Street");
        shop.app.stop().await;
    }
}
