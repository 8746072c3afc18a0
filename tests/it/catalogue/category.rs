//! The category tree.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Staffed, pointers, reply, shirt, tag};
use crate::testapp::on_both;

impl Staffed {
    async fn category(&self, parent: Option<&Value>, name: &str) -> Value {
        let parent = parent.map_or(Value::Null, |parent| parent["id"].clone());
        self.post("categories", json!({ "parent_id": parent, "name": name })).await.expect(201)
    }

    async fn paths(&self) -> Vec<String> {
        let list = self.get_as_shopper("categories").await.expect(200);
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect()
    }
}

fn place(category: &Value) -> String {
    format!("categories/{}", category["id"].as_str().unwrap())
}

on_both! {
    async fn a_moved_category_takes_all_below_it_along(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let men = shop.category(None, "Men").await;
        let tops = shop.category(Some(&men), "Tops").await;
        let jackets = shop.category(Some(&tops), "Jackets & Coats").await;
        shop.category(Some(&jackets), "Rain").await;
        // Neighbours in the order of paths, which are not below men/tops.
        let neighbour = shop.category(Some(&men), "Tops 0").await;
        shop.category(Some(&neighbour), "Inner").await;
        shop.post("categories", json!({ "name": "Zero", "slug": "tops0" })).await.expect(201);
        let women = shop.category(None, "Women").await;
        assert_eq!(jackets["path"], "men/tops/jackets-coats");

        let to_women = json!({ "parent_id": women["id"], "slug": "upper", "name": "Upper" });
        let reply = shop.patch(&place(&tops), 1, to_women).await;
        assert_eq!(reply.header("etag"), tag(&reply.body));
        let moved = reply.expect(200);
        assert_eq!((&moved["path"], &moved["parent_id"], &moved["version"]), (&json!("women/upper"), &women["id"], &json!(2)));
        let all = ["men", "men/tops-0", "men/tops-0/inner", "women", "women/upper", "women/upper/jackets-coats",
            "women/upper/jackets-coats/rain", "tops0"];
        assert_eq!(shop.paths().await, all);
        // What is below has changed too, so an old version of it is refused.
        shop.patch(&place(&jackets), 1, json!({ "name": "J" })).await.expect_problem(412, "version_mismatch");
        assert_eq!(shop.get(&place(&jackets)).await.expect(200)["version"], 2);

        let root = shop.patch(&place(&tops), 2, json!({ "parent_id": null, "position": -1 })).await.expect(200);
        assert_eq!((&root["path"], &root["parent_id"]), (&json!("upper"), &Value::Null));
        assert_eq!(shop.paths().await[..3], ["upper", "upper/jackets-coats", "upper/jackets-coats/rain"]);
        // A change that moves nothing leaves the rest alone.
        shop.patch(&place(&tops), 3, json!({ "name": "Tops again" })).await.expect(200);
        assert_eq!(shop.get(&place(&jackets)).await.expect(200)["version"], 3);
    }

    async fn the_tree_stays_a_tree(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let mut chain = vec![shop.category(None, "Level 1").await];
        for level in 2..=10 {
            chain.push(shop.category(chain.last(), &format!("Level {level}")).await);
        }
        let eleventh = json!({ "parent_id": chain[9]["id"], "name": "Level 11" });
        let problem = shop.post("categories", eleventh).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/parent_id"]);
        for below in [&chain[2], &chain[5], &chain[9]] {
            let problem = shop.patch(&place(&chain[2]), 1, json!({ "parent_id": below["id"] })).await;
            assert_eq!(pointers(&problem.expect_problem(422, "validation")), ["/parent_id"]);
        }
        // Two levels and the nine below the first one are too many; from the second on there is room.
        let other = shop.category(None, "Other").await;
        let problem = shop.patch(&place(&chain[0]), 1, json!({ "parent_id": other["id"] })).await;
        assert_eq!(pointers(&problem.expect_problem(422, "validation")), ["/parent_id"]);
        shop.patch(&place(&chain[1]), 1, json!({ "parent_id": other["id"] })).await.expect(200);
        assert_eq!(shop.get(&place(&chain[9])).await.expect(200)["path"].as_str().unwrap().matches('/').count(), 9);
        let nobody = json!({ "parent_id": "019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d" });
        let problem = shop.patch(&place(&other), 1, nobody).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/parent_id"]);
    }

    async fn two_moves_at_once_make_no_circle(backend: Backend) {
        let shop = Staffed::start(backend).await;
        for round in 0..8 {
            let a = shop.category(None, &format!("A {round}")).await;
            let b = shop.category(None, &format!("B {round}")).await;
            let (into_b, into_a) = (json!({ "parent_id": b["id"] }), json!({ "parent_id": a["id"] }));
            let (place_a, place_b) = (place(&a), place(&b));
            let (first, second) = tokio::join!(shop.patch(&place_a, 1, into_b), shop.patch(&place_b, 1, into_a));
            let mut statuses = [first.status, second.status];
            statuses.sort_unstable();
            // The second sees what the first did: its own version has risen, or its new parent is below it.
            assert!(matches!(statuses, [200, 412] | [200, 422]), "{statuses:?}");
        }
        assert_eq!(shop.paths().await.len(), 16);
    }

    async fn siblings_differ_and_full_categories_stay(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let men = shop.category(None, "Men").await;
        let problem = shop.post("categories", json!({ "name": "MEN!" })).await.expect_problem(409, "already_exists");
        assert!(problem["detail"].as_str().unwrap().contains("men"));
        let inner = shop.category(Some(&men), "Men").await;
        let women = shop.category(None, "Women").await;
        shop.patch(&place(&women), 1, json!({ "slug": "men" })).await.expect_problem(409, "already_exists");
        assert_eq!(shop.get(&place(&women)).await.expect(200)["version"], 1);
        shop.delete(&place(&men), 1).await.expect_problem(409, "conflict");

        let mut product = shirt();
        product["category_id"] = inner["id"].clone();
        let product = shop.post("products", product).await.expect(201);
        assert_eq!(product["category_id"], inner["id"]);
        shop.delete(&place(&inner), 1).await.expect_problem(409, "conflict");
        shop.patch_any("products/plain-shirt", json!({ "category_id": null })).await.expect(200);
        shop.delete(&place(&inner), 7).await.expect_problem(412, "version_mismatch");
        shop.delete(&place(&inner), 1).await.expect(204);
        shop.delete(&place(&inner), 1).await.expect_problem(404, "not_found");
        shop.delete(&place(&men), 1).await.expect(204);
        assert_eq!(shop.paths().await, ["women"]);

        let gone = json!({ "category_id": inner["id"] });
        let problem = shop.patch_any("products/plain-shirt", gone).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/category_id"]);
    }

    async fn category_requests_are_checked(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let bad = json!({ "name": " \t ", "slug": "Not A Slug", "position": 9_000_000_000_i64 });
        let problem = shop.post("categories", bad).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/name", "/position", "/slug"]);
        let problem = shop.post("categories", json!({ "name": "帽子" })).await.expect_problem(422, "validation");
        assert_eq!(pointers(&problem), ["/slug"]);
        let hats = shop.post("categories", json!({ "name": "  帽子 ", "slug": "hats" })).await.expect(201);
        assert_eq!(hats["name"], "帽子");
        for body in [json!({ "name": 5 }), json!({ "name": "a", "colour": "red" }), json!([]), json!({ "parent_id": "x" })] {
            shop.post("categories", body).await.expect_problem(422, "validation");
        }
        let change = shop.request(Method::PATCH, &place(&hats)).json(&json!({}));
        reply(change).await.expect_problem(428, "version_required");
        reply(shop.request(Method::DELETE, &place(&hats))).await.expect_problem(428, "version_required");
        shop.get("categories/none").await.expect_problem(404, "not_found");
        shop.get("categories/019345f0-7c1e-7d3a-9b51-2f1c8a0b6c5d").await.expect_problem(404, "not_found");
        shop.get("categories?sort=name").await.expect_problem(400, "unknown_parameter");
        let unchanged = shop.request(Method::GET, &place(&hats)).header("If-None-Match", tag(&hats));
        reply(unchanged).await.expect(304);
    }
}
