//! A person's cart.

use emporium::user::{CART_LINES_MAX, CART_QUANTITY_MAX, CartLine, UserError};

use super::*;

const CART: &str = "/api/v1/me/cart";
const LINES: &str = "/api/v1/me/cart/lines";

async fn cart(app: &TestApp, token: &str) -> Value {
    let (status, cart) = read(app.request_as(token, Method::GET, CART).send().await.unwrap()).await;
    assert_eq!(status, 200, "{cart}");
    cart["lines"].clone()
}

/// Sends lines; gives the status and the answer.
async fn send(app: &TestApp, token: &str, method: Method, lines: Value) -> (u16, Value) {
    let request = app.request_as(token, method, LINES).json(&json!({ "lines": lines }));
    read(request.send().await.unwrap()).await
}

fn lines(skus: std::ops::Range<usize>) -> Vec<CartLine> {
    skus.map(|number| CartLine { sku: format!("SKU-{number}"), quantity: 1 }).collect()
}

fn line(sku: &str, quantity: i64) -> Value {
    json!({ "sku": sku, "quantity": quantity })
}

on_both! {
    async fn a_cart_adds_up_and_keeps_its_order(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        assert_eq!(cart(&app, &token).await, json!([]));
        let (status, answer) = send(&app, &token, Method::POST, json!([line("Z", 2), line("a/b", 1), line("Z", 3)])).await;
        assert_eq!((status, &answer["lines"]), (200, &json!([line("Z", 5), line("a/b", 1)])));
        let (_, answer) = send(&app, &token, Method::POST, json!([line("M", 1), line("a/b", 998), line("Z", 999)])).await;
        let whole = json!([line("Z", 999), line("a/b", 999), line("M", 1)]);
        assert_eq!(answer["lines"], whole, "each line is capped");
        assert_eq!(cart(&app, &token).await, whole);

        let (status, answer) = send(&app, &token, Method::PUT, json!([line("new", 4), line("Z", 0), line("M", 7), line("none", 0)])).await;
        let whole = json!([line("a/b", 999), line("M", 7), line("new", 4)]);
        assert_eq!((status, &answer["lines"]), (200, &whole), "other lines stay");
        assert_eq!(cart(&app, &token).await, whole);
        // What comes back comes last; another case is another code.
        send(&app, &token, Method::POST, json!([line("Z", 1), line("m", 1)])).await;
        assert_eq!(cart(&app, &token).await, json!([line("a/b", 999), line("M", 7), line("new", 4), line("Z", 1), line("m", 1)]));
        assert_eq!(send(&app, &token, Method::PUT, json!([])).await.1["lines"].as_array().unwrap().len(), 5);

        // It is the person's, on each device, and nobody else's.
        let other = app.login("ann@example.com").await;
        assert_eq!(cart(&app, &other).await, cart(&app, &token).await);
        let bob = app.token("bob@example.com", Role::Admin).await;
        assert_eq!(cart(&app, &bob).await, json!([]));
        assert_eq!(app.request(Method::GET, CART).send().await.unwrap().status(), 401);
        assert_eq!(status_of(&app, &token, "?limit=1").await, 400);
    }

    async fn a_cart_takes_only_what_it_can_keep(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        send(&app, &token, Method::POST, json!([line("A", 1)])).await;
        let long = "x".repeat(101);
        for (method, wrong, expected) in [
            (Method::POST, json!([line("", 1), line(&long, 1)]), vec!["/lines/0/sku", "/lines/1/sku"]),
            (Method::POST, json!([line("a b", 1), line("é", 1), line("\0", 1)]), vec!["/lines/0/sku", "/lines/1/sku", "/lines/2/sku"]),
            (Method::POST, json!([line("A", 0), line("B", 1000)]), vec!["/lines/0/quantity", "/lines/1/quantity"]),
            (Method::POST, json!([line("A", i64::MAX), line("A", i64::MIN)]), vec!["/lines/0/quantity", "/lines/1/quantity"]),
            (Method::PUT, json!([line("A", -1), line("B", 1000)]), vec!["/lines/0/quantity", "/lines/1/quantity"]),
            (Method::PUT, json!([line("B", 1), line("A", 1), line("B", 2)]), vec!["/lines/2/sku"]),
            (Method::PUT, json!([{ "sku": "A" }]), vec!["/lines/0/quantity"]),
            (Method::PUT, json!([{ "sku": "A", "quantity": 1, "price": 1 }]), vec!["/lines/0/price"]),
            (Method::POST, json!(null), vec!["/lines"]),
        ] {
            let (status, problem) = send(&app, &token, method, wrong.clone()).await;
            assert_eq!((status, pointers(&problem)), (422, expected), "{wrong}");
        }
        assert_eq!(cart(&app, &token).await, json!([line("A", 1)]));
        let (status, _) = send(&app, &token, Method::POST, json!([line(&"~".repeat(100), 999)])).await;
        assert_eq!(status, 200);
    }

    async fn a_cart_has_at_most_a_hundred_lines(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let (_, me) = read(app.request_as(&token, Method::GET, ME).send().await.unwrap()).await;
        let ann: Id = me["id"].as_str().unwrap().parse().unwrap();
        let user = &app.shop.modules.user;
        let refused = user.cart_add(ann, lines(0..CART_LINES_MAX + 1)).await;
        assert!(matches!(refused, Err(UserError::Conflict(_))), "{refused:?}");
        assert_eq!(user.cart_add(ann, lines(0..CART_LINES_MAX)).await.unwrap().len(), CART_LINES_MAX);
        for lines in [lines(500..501), lines(99..101)] {
            let refused = user.cart_add(ann, lines.clone()).await;
            assert!(matches!(refused, Err(UserError::Conflict(_))), "{refused:?}");
            let refused = user.cart_set(ann, lines).await;
            assert!(matches!(refused, Err(UserError::Conflict(_))), "{refused:?}");
        }
        let (status, problem) = send(&app, &token, Method::POST, json!([line("one more", 1)])).await;
        assert_eq!((status, pointers(&problem)), (422, vec!["/lines/0/sku"]));
        let (status, problem) = send(&app, &token, Method::POST, json!([line("one-more", 1)])).await;
        assert_eq!((status, problem["code"].as_str()), (409, Some("conflict")));
        // More of what is there is no more lines, and one may come for one that goes.
        assert_eq!(user.cart_add(ann, lines(0..CART_LINES_MAX)).await.unwrap()[99].quantity, 2);
        let swap = vec![CartLine { sku: "SKU-0".into(), quantity: 0 }, CartLine { sku: "NEW".into(), quantity: CART_QUANTITY_MAX }];
        let whole = user.cart_set(ann, swap).await.unwrap();
        assert_eq!((whole.len(), &*whole[0].sku, &*whole[99].sku), (100, "SKU-1", "NEW"));

        let nobody = Id(uuid::Uuid::nil());
        assert_eq!(user.cart_get(nobody).await.unwrap(), []);
        let refused = user.cart_add(nobody, lines(0..1)).await;
        assert!(matches!(refused, Err(UserError::NotFound { .. })), "{refused:?}");
    }

    async fn of_two_devices_at_once_none_loses_a_line(backend: Backend) {
        let app = TestApp::start(backend).await;
        let phone = app.token("ann@example.com", Role::Customer).await;
        let laptop = app.login("ann@example.com").await;
        let calls = (0..24).map(|number| {
            let token = if number % 2 == 0 { &phone } else { &laptop };
            let own = format!("SKU-{number}");
            let (method, lines) = match number % 3 {
                0 => (Method::PUT, json!([line(&own, 3)])),
                1 => (Method::POST, json!([line(&own, 1), line("SHARED", 2)])),
                _ => (Method::POST, json!([line("SHARED", 2), line(&own, 1)])),
            };
            send(&app, token, method, lines)
        });
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        let whole = cart(&app, &phone).await;
        let whole = whole.as_array().unwrap();
        assert_eq!(whole.len(), 25, "{whole:?}");
        let shared = whole.iter().find(|line| line["sku"] == "SHARED").unwrap();
        assert_eq!(shared["quantity"], 2 * 16);
    }
}

async fn status_of(app: &TestApp, token: &str, query: &str) -> u16 {
    status(app, token, Method::GET, &format!("{CART}{query}")).await
}
