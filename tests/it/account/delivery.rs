//! Where a person's orders go.

use std::time::Duration;

use emporium::user::{AddressFields, OrderFate, UserError};

use super::*;

const ORDER: &str = "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d";

fn delivery(order: &str) -> String {
    format!("/api/v1/me/orders/{order}/delivery")
}

/// What the shop says of an address that was sent.
fn whole(address: &Value) -> Value {
    let mut whole = json!({ "company": "", "line2": "", "region": "", "phone": "" });
    whole.as_object_mut().unwrap().extend(address.as_object().unwrap().clone());
    whole
}

async fn get(app: &TestApp, token: &str, path: &str) -> (u16, Value) {
    read(app.request_as(token, Method::GET, path).send().await.unwrap()).await
}

/// What the checkout does for the person with this token.
async fn set(app: &TestApp, token: &str, order: &str, address: &Value) -> Result<(), UserError> {
    let user = &app.shop.modules.user;
    let person = user.authenticate(token).await.unwrap().unwrap().user_id().unwrap();
    let fields: AddressFields = serde_json::from_value(address.clone()).unwrap();
    user.delivery_set(&call(), person, order.parse().unwrap(), fields).await
}

on_both! {
    async fn an_order_goes_where_its_owner_says(backend: Backend) {
        let app = TestApp::start(backend).await;
        let ann = app.token("ann@example.com", Role::Customer).await;
        let bob = app.token("bob@example.com", Role::Customer).await;
        let staff = app.token("staff@example.com", Role::Staff).await;
        let id = get(&app, &ann, ME).await.1["id"].as_str().unwrap().to_owned();
        let of_ann = format!("/api/v1/users/{id}/orders/{ORDER}/delivery");
        assert_eq!(get(&app, &ann, &delivery(ORDER)).await.0, 404);
        assert_eq!(get(&app, &staff, &of_ann).await.0, 404);

        for line1 in ["1 First St", "2 Second St", "2 Second St"] {
            let sent = address(line1);
            set(&app, &ann, ORDER, &sent).await.unwrap();
            assert_eq!(get(&app, &ann, &delivery(ORDER)).await, (200, whole(&sent)));
            assert_eq!(get(&app, &staff, &of_ann).await, (200, whole(&sent)));
        }
        assert_eq!(rows(&app, "deliveries", "1 = 1"), 1);
        assert_eq!(rows(&app, "audit_log", "action = 'delivery.set'"), 2, "the same again is no change");
        // Another person's order of the same id is another order.
        assert_eq!(get(&app, &bob, &delivery(ORDER)).await.0, 404);
        assert_eq!(get(&app, &bob, &of_ann).await.0, 403);
        set(&app, &bob, ORDER, &address("3 Third St")).await.unwrap();
        assert_eq!(get(&app, &ann, &delivery(ORDER)).await.1["line1"], "2 Second St");

        let admin = app.token("root@example.com", Role::Admin).await;
        for (scope, expected) in [("reservations:read", 200), ("reservations:write", 403), ("users:read", 403)] {
            let new = app.request_as(&admin, Method::POST, "/api/v1/api-keys").json(&json!({ "name": "k", "scopes": [scope] }));
            let (_, key) = read(new.send().await.unwrap()).await;
            let token = key["token"].as_str().unwrap();
            assert_eq!(get(&app, token, &of_ann).await.0, expected, "{scope}");
            assert_eq!(get(&app, token, &delivery(ORDER)).await.0, 403, "{scope}");
        }
    }

    async fn a_delivery_takes_only_an_address(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let wrong = json!({ "name": " ", "line1": "", "line2": "a\tb", "city": "c".repeat(201), "country": "no" });
        let refused = set(&app, &token, ORDER, &wrong).await;
        let Err(UserError::Invalid(faults)) = refused else { panic!("{refused:?}") };
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "/line1", "/city", "/line2", "/country"]);
        // Only the checkout sets it: it knows whether the order is still to be placed.
        let put = app.request_as(&token, Method::PUT, &delivery(ORDER)).json(&address("1 First St"));
        assert_eq!(put.send().await.unwrap().status(), 405);
        assert_eq!(get(&app, &token, &delivery("x")).await.0, 404);
        assert_eq!(get(&app, &token, &delivery(ORDER)).await.0, 404);

        let nobody = Id(uuid::Uuid::nil());
        let address: AddressFields = serde_json::from_value(address("1 First St")).unwrap();
        let refused = app.shop.modules.user.delivery_set(&call(), nobody, ORDER.parse().unwrap(), address).await;
        assert!(matches!(refused, Err(UserError::NotFound { .. })), "{refused:?}");
    }

    async fn what_came_to_nothing_is_looked_at_after_a_day(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let user = &app.shop.modules.user;
        let ann = user.authenticate(&token).await.unwrap().unwrap().user_id().unwrap();
        let orders: Vec<Id> = (0..4).map(|_| Id::new(app.clock.now())).collect();
        for order in &orders {
            set(&app, &token, &order.to_string(), &address("1 First St")).await.unwrap();
        }
        let day = Duration::from_secs(86_400);
        let open = async |limit| {
            let mut found = user.deliveries_due(app.clock.now(), limit).await.unwrap();
            found.sort_unstable();
            found
        };
        app.clock.advance(day - Duration::from_secs(1));
        assert_eq!(open(9).await, []);
        set(&app, &token, &orders[0].to_string(), &address("1 First St")).await.unwrap();
        app.clock.advance(Duration::from_secs(1));
        let due = |orders: &[Id]| orders.iter().map(|order| (ann, *order)).collect::<Vec<_>>();
        assert_eq!(open(9).await, due(&orders[1..]));
        assert_eq!(open(2).await.len(), 2);
        let settle = async |fates: &[(Id, OrderFate)]| {
            let fates = fates.iter().map(|(order, fate)| (ann, *order, *fate)).collect();
            user.deliveries_settle(app.clock.now(), fates).await.unwrap();
        };
        settle(&[(orders[1], OrderFate::Placed), (orders[2], OrderFate::Open), (orders[3], OrderFate::Ended)]).await;
        assert_eq!(open(9).await, []);
        let codes = async || {
            let mut codes = vec![];
            for order in &orders {
                codes.push(get(&app, &token, &delivery(&order.to_string())).await.0);
            }
            codes
        };
        assert_eq!(codes().await, [200, 200, 200, 404]);
        // What is not due any more was set anew after the look: it stays, until it is due.
        settle(&[(orders[0], OrderFate::Ended), (orders[2], OrderFate::Placed)]).await;
        app.clock.advance(day);
        assert_eq!(open(9).await, due(&[orders[0], orders[2]]));
        // What was placed stays, whatever is said of it later.
        settle(&[(orders[1], OrderFate::Ended)]).await;
        set(&app, &token, &orders[1].to_string(), &address("2 Second St")).await.unwrap();
        app.clock.advance(2 * day);
        settle(&[(orders[1], OrderFate::Ended)]).await;
        assert_eq!(codes().await, [200, 200, 200, 404]);
        user.delivery_keep(ann, orders[0]).await.unwrap();
        settle(&[(orders[0], OrderFate::Ended), (orders[2], OrderFate::Ended)]).await;
        assert_eq!(codes().await, [200, 200, 404, 404]);
    }

    async fn of_many_addresses_at_once_one_stays(backend: Backend) {
        let app = TestApp::start(backend).await;
        let token = app.token("ann@example.com", Role::Customer).await;
        let bodies: Vec<Value> = (0..12).map(|number| address(&format!("{number} Long St"))).collect();
        let answers = futures_util::future::join_all(bodies.iter().map(|body| set(&app, &token, ORDER, body))).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let kept = get(&app, &token, &delivery(ORDER)).await.1;
        assert!(bodies.iter().any(|body| whole(body) == kept), "{kept}");
    }
}
