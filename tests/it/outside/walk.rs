//! The walk by the API: goods, accounts, reservations, and what is refused.

use super::*;

use futures_util::future::join_all;

/// Those who walk.
pub(super) struct People {
    pub(super) boss: String,
    pub(super) eve: String,
}

impl Outside {
    /// From the first delivery to the last log-out.
    pub(crate) async fn walk(&self) {
        let (email, password) = &self.admin;
        let people = People { boss: self.login(email, password).await, eve: self.customer("eve").await };
        self.stocks_goods(&people).await;
        self.knows_its_customers_everywhere(&people).await;
        self.shows_what_is_new(&people).await;
        self.reserves_once(&people).await;
        self.sells_the_last_one_once(&people).await;
        self.says_what_is_wrong(&people).await;
        self.sells_by_its_pages(&people).await;
        self.forgets_a_session_at_once(&people).await;
    }

    pub(super) fn sku(&self) -> String {
        format!("MUG-{}", self.tag).to_uppercase()
    }

    fn location(&self) -> String {
        format!("L-{}", self.tag).to_uppercase()
    }

    pub(super) fn handle(&self) -> String {
        format!("mug-{}", self.tag)
    }

    fn product(&self) -> Value {
        let sku = json!({ "code": self.sku(), "price": { "amount": 1450, "currency": "USD" } });
        json!({ "title": format!("Mug {}", self.tag), "handle": self.handle(), "status": "active", "skus": [sku] })
    }

    /// So many of the goods come, or go again.
    async fn deliver(&self, boss: &str, delta: i64) {
        let row = json!({ "sku": self.sku(), "location": self.location(), "delta": delta, "reason": "delivery" });
        self.post(boss, "/stock/adjustments", &json!({ "rows": [row] })).await.expect(200);
    }

    fn wish(&self, quantity: u32) -> Value {
        json!({ "lines": [{ "sku": self.sku(), "quantity": quantity }] })
    }

    async fn stocks_goods(&self, people: &People) {
        let location = json!({ "code": self.location(), "name": "Main" });
        self.post(&people.boss, "/locations", &location).await.expect(201);
        self.post(&people.boss, "/products", &self.product()).await.expect(201);
        self.deliver(&people.boss, 10).await;
    }

    /// A session that began at one address is one at each; so is a registration.
    async fn knows_its_customers_everywhere(&self, people: &People) {
        for _ in &self.addresses {
            let me = self.get(&people.eve, "/me").await.expect(200);
            assert_eq!(me["email"], format!("eve-{}@example.com", self.tag));
            self.login(&format!("eve-{}@example.com", self.tag), PASSWORD).await;
        }
        let wrong = json!({ "email": format!("eve-{}@example.com", self.tag), "password": "not what it is" });
        self.post("", "/auth/login", &wrong).await.expect_problem(401, "wrong_credentials");
    }

    /// A change is seen at each address with the next request; who has it is told only that it is the same.
    async fn shows_what_is_new(&self, people: &People) {
        let path = format!("/products/{}", self.handle());
        let found = self.get("", &format!("/products?q={}&in_stock=true", self.tag)).await.expect(200);
        assert_eq!(found["items"][0]["handle"], self.handle(), "{found}");
        let old = self.get("", &path).await;
        let old_tag = old.header("etag").to_owned();
        old.expect(200);
        for _ in &self.addresses {
            let known = self.request("", Method::GET, &path).header("if-none-match", &old_tag);
            assert_eq!(Told::of(known).await.status, 304);
        }
        let change = |tag: &str, title: &str| {
            let request = self.request(&people.boss, Method::PATCH, &path).header("if-match", tag);
            Told::of(request.json(&json!({ "title": title })))
        };
        for title in ["Blue Mug", "Red Mug"] {
            let title = format!("{title} {}", self.tag);
            let tag = self.get(&people.boss, &path).await.header("etag").to_owned();
            change(&tag, &title).await.expect(200);
            for _ in &self.addresses {
                let told = self.get("", &path).await;
                assert_ne!(told.header("etag"), old_tag);
                assert_eq!(told.expect(200)["title"], title);
            }
        }
        change(&old_tag, "Lost").await.expect_problem(412, "version_mismatch");
    }

    /// A key makes a call happen once, wherever it is repeated; then the goods are promised and shipped.
    async fn reserves_once(&self, people: &People) {
        let key = format!("order-{}", self.tag);
        let held = self.post_with_key(&people.eve, "/reservations", &key, &self.wish(2)).await.expect(201);
        for _ in &self.addresses {
            let again = self.post_with_key(&people.eve, "/reservations", &key, &self.wish(2)).await;
            assert_eq!(again.header("idempotent-replayed"), "true");
            assert_eq!(again.expect(201), held);
        }
        let other = self.post_with_key(&people.eve, "/reservations", &key, &self.wish(1)).await;
        other.expect_problem(422, "idempotency_key_reused");
        self.assert_stock(people, 10, 2, 0).await;
        let step = |step: &str| format!("/reservations/{}/{step}", held["id"].as_str().unwrap());
        let bob = self.customer("bob").await;
        self.post(&bob, &step("commit"), &json!({})).await.expect_problem(404, "not_found");
        assert_eq!(self.post(&people.eve, &step("commit"), &json!({})).await.expect(200)["state"], "committed");
        self.post(&people.eve, &step("ship"), &json!({})).await.expect_problem(403, "forbidden");
        self.assert_stock(people, 10, 0, 2).await;
        assert_eq!(self.post(&people.boss, &step("ship"), &json!({})).await.expect(200)["state"], "shipped");
        self.assert_stock(people, 8, 0, 0).await;
        self.post(&people.eve, &step("release"), &json!({})).await.expect_problem(409, "wrong_state");
    }

    async fn assert_stock(&self, people: &People, on_hand: i64, reserved: i64, allocated: i64) {
        let levels = self.get(&people.boss, &format!("/stock?sku={}", self.sku())).await.expect(200);
        let level = &levels["items"][0];
        let figures = [&level["on_hand"], &level["reserved"], &level["allocated"]];
        assert_eq!(figures, [&json!(on_hand), &json!(reserved), &json!(allocated)], "{level}");
    }

    /// Two want the last one at the same moment, several times: one gets it, whoever asks where.
    async fn sells_the_last_one_once(&self, people: &People) {
        let bob = self.customer("ben").await;
        self.deliver(&people.boss, -7).await;
        for _ in 0..5 {
            let wish = self.wish(1);
            let both = join_all([&people.eve, &bob].map(|buyer| self.post(buyer, "/reservations", &wish))).await;
            let mut won = Vec::new();
            for (buyer, told) in [&people.eve, &bob].into_iter().zip(both) {
                if told.status == 201 {
                    won.push((buyer, told.body["id"].as_str().unwrap().to_owned()));
                } else {
                    let problem = told.expect_problem(409, "out_of_stock");
                    assert_eq!(problem["lines"][0]["available"], 0, "{problem}");
                }
            }
            assert_eq!(won.len(), 1, "the last one was sold {} times", won.len());
            let seen = self.get("", &format!("/products?q={}&in_stock=true", self.tag)).await.expect(200);
            assert_eq!(seen["items"], json!([]));
            let (winner, id) = &won[0];
            self.post(winner, &format!("/reservations/{id}/release"), &json!({})).await.expect(200);
        }
        self.deliver(&people.boss, 7).await;
        self.assert_stock(people, 8, 0, 0).await;
    }

    async fn says_what_is_wrong(&self, people: &People) {
        self.get("", "/products/nothing-of-that-name").await.expect_problem(404, "not_found");
        self.get("", "/nowhere").await.expect_problem(404, "not_found");
        self.get("", "/products?colour=red").await.expect_problem(400, "unknown_parameter");
        self.get("", "/me").await.expect_problem(401, "unauthenticated");
        self.get(&people.eve, "/users").await.expect_problem(403, "forbidden");
        self.post(&people.boss, "/products", &self.product()).await.expect_problem(409, "already_exists");
        let much = self.post(&people.eve, "/reservations", &self.wish(9)).await.expect_problem(409, "out_of_stock");
        assert_eq!((&much["lines"][0]["requested"], &much["lines"][0]["available"]), (&json!(9), &json!(8)), "{much}");
        let wrong = json!({ "email": "no address", "password": "short" });
        let told = self.post("", "/auth/register", &wrong).await.expect_problem(422, "validation");
        let mut pointers: Vec<_> = told["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
        pointers.dedup();
        assert_eq!(pointers, ["/email", "/password"], "{told}");
    }

    /// Logging out at one address ends the session at all.
    async fn forgets_a_session_at_once(&self, people: &People) {
        let other = self.login(&format!("eve-{}@example.com", self.tag), PASSWORD).await;
        let out = self.request(&people.eve, Method::POST, "/auth/logout");
        assert_eq!(Told::of(out).await.status, 204);
        for _ in &self.addresses {
            self.get(&people.eve, "/me").await.expect_problem(401, "unauthenticated");
        }
        self.get(&other, "/me").await.expect(200);
    }
}
