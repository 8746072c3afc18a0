//! The walk by the pages, as a browser without JavaScript goes: register, log in, fill a cart, order.

use super::walk::People;
use super::*;

use std::collections::BTreeMap;

/// A browser: it keeps cookies, and says where its forms come from.
struct Browser<'a> {
    shop: &'a Outside,
    cookies: BTreeMap<String, String>,
}

/// A page, or where another one is.
struct Page {
    status: u16,
    location: String,
    text: String,
}

impl Browser<'_> {
    async fn go(&mut self, request: RequestBuilder) -> Page {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("accept", "text/html").header("sec-fetch-site", "same-origin");
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let location = answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        Page { status: answer.status().as_u16(), location, text: answer.text().await.unwrap() }
    }

    async fn open(&mut self, path: &str) -> String {
        let page = self.go(self.shop.http.get(self.shop.url(path))).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        page.text
    }

    /// Fills in the form of a page and sends it; gives the address that comes then.
    async fn send(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        // Guests who have nothing yet have no token.
        if let Some((_, rest)) = page.split_once("name=\"form_token\" value=\"") {
            form.append_pair("form_token", rest.split('"').next().unwrap());
        }
        let request = self.shop.http.post(self.shop.url(path));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.finish());
        let next = self.go(request).await;
        assert_eq!(next.status, 303, "{path}: {}", next.text);
        next.location
    }
}

impl Outside {
    pub(super) async fn sells_by_its_pages(&self, people: &People) {
        let mut browser = Browser { shop: self, cookies: BTreeMap::new() };
        let home = browser.open("/").await;
        assert!(home.contains("</html>"), "{home}");
        let product = format!("/products/{}", self.handle());
        let page = browser.open(&product).await;
        assert!(page.contains(&format!("Red Mug {}", self.tag)) && page.contains("$14.50"), "{page}");
        // A guest's cart is there after the log-in.
        let fields = [("product", &*self.handle()), ("sku", &*self.sku()), ("quantity", "2")];
        assert_eq!(browser.send(&page, "/cart/lines", &fields).await, "/cart");
        let email = format!("pam-{}@example.com", self.tag);
        let (form, name) = (browser.open("/register").await, ("name", "Pam"));
        browser.send(&form, "/register", &[("email", &email), ("password", PASSWORD), name]).await;
        let form = browser.open("/login").await;
        browser.send(&form, "/login", &[("email", &email), ("password", PASSWORD), ("next", "/cart")]).await;
        let cart = browser.open("/cart").await;
        assert!(cart.contains("$29.00"), "{cart}");
        let checkout = browser.send(&cart, "/checkout", &[]).await;
        let form = browser.open(&checkout).await;
        assert!(form.contains("name=\"line1\"") && form.contains("name=\"country\""), "{form}");
        let address = [("name", "Pam"), ("line1", "1 High Street"), ("city", "Alder Falls"), ("country", "US")];
        let review = browser.send(&form, &checkout, &address).await;
        let page = browser.open(&review).await;
        assert!(page.contains("1 High Street") && page.contains("$29.00"), "{page}");
        let order = browser.send(&page, &format!("{checkout}/place"), &[]).await;
        let page = browser.open(&order).await;
        assert!(page.contains("1 High Street") && page.contains("$29.00"), "{page}");
        assert!(browser.open("/orders").await.contains(&order));
        // The staff see it, and it can be given up.
        let id = order.rsplit('/').next().unwrap();
        let seen = self.get(&people.boss, &format!("/reservations/{id}")).await.expect(200);
        assert_eq!(seen["state"], "committed");
        browser.send(&page, &format!("{order}/cancel"), &[]).await;
        // Logged out, it is nobody's.
        browser.send(&page, "/logout", &[]).await;
        let gone = browser.go(self.http.get(self.url(&order))).await;
        assert!(gone.status == 303 && gone.location.starts_with("/login"), "{} {}", gone.status, gone.location);
    }
}
