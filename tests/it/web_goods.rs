//! The admin pages about goods, as a browser without scripts uses them.

use emporium::call::Role;
use emporium::clock::Id;
use emporium::inventory::{
    Count, Counter, Money, NewCategory, NewLocation, NewProduct, NewSku, Product, ProductKey, ProductStatus,
    StockBatch, StockLevel, StockQuery,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};

use crate::seed::quiet;
use crate::testapp::{Backend, TestApp, call, on_both};

mod bulk;
mod catalogue;
mod prices;
mod stock;

/// Somebody's browser: it keeps the session's cookie, and follows no redirect.
struct Browser<'a> {
    app: &'a TestApp,
    session: String,
    client: Client,
}

/// What a page answers.
struct Seen {
    status: u16,
    location: String,
    html: String,
}

impl Seen {
    fn has(&self, text: &str) -> &Self {
        assert!(self.html.contains(text), "{text:?} is not in the page ({}):\n{}", self.status, self.html);
        self
    }

    /// The form that is sent to this address, as the page fills it.
    fn form(&self, action: &str) -> Filled {
        let begin = format!("action=\"{}\"", action.replace('&', "&#38;"));
        let posts = self.html.split("<form ").skip(1).filter(|form| form.starts_with("method=\"post\""));
        let form = posts.filter_map(|form| form.split("</form>").next());
        let form = form.into_iter().find(|form| form.split('>').next().unwrap().contains(&begin));
        Filled::read(form.unwrap_or_else(|| panic!("no form is sent to {action}:\n{}", self.html)))
    }
}

/// The values of a form.
#[derive(Clone, Debug)]
struct Filled(Vec<(String, String)>);

impl Filled {
    fn read(html: &str) -> Filled {
        let mut values = vec![];
        for (at, _) in html.match_indices('<') {
            let tag = &html[at + 1..];
            let inside = tag.split('>').next().unwrap();
            let Some(name) = attribute(inside, "name") else { continue };
            if inside.starts_with("input") {
                let is_off = inside.contains("type=\"checkbox\"") && !inside.contains(" checked");
                if !is_off && !inside.contains("type=\"file\"") {
                    values.push((name, attribute(inside, "value").unwrap_or_default()));
                }
            } else if inside.starts_with("textarea") {
                let text = tag[inside.len() + 1..].split("</textarea>").next().unwrap();
                values.push((name, plain(text.strip_prefix('\n').unwrap_or(text)).replace('\n', "\r\n")));
            } else if inside.starts_with("select") {
                let mut options = tag.split("</select>").next().unwrap().split("<option ").skip(1);
                let all: Vec<&str> = options.by_ref().collect();
                let chosen = all.iter().find(|option| option.contains(" selected")).or(all.first());
                values.push((name, chosen.map_or(String::new(), |option| attribute(option, "value").unwrap())));
            }
        }
        Filled(values)
    }

    fn get(&self, name: &str) -> &str {
        let value = self.0.iter().find(|(key, _)| key == name);
        &value.unwrap_or_else(|| panic!("no field {name} in {:?}", self.0)).1
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.0.retain(|(key, _)| key != name);
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The field whose value this is: of `sku.3` with the value `A` that is `3`.
    fn number(&self, beginning: &str, value: &str) -> String {
        let field = self.0.iter().find(|(key, own)| key.starts_with(beginning) && own == value);
        field.unwrap_or_else(|| panic!("{value} is in no field {beginning}")).0[beginning.len()..].to_owned()
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\"")).or(tag.split_once(&format!("{name}=\"")))?.1;
    Some(plain(rest.split('"').next()?))
}

fn plain(text: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

impl<'a> Browser<'a> {
    async fn of(app: &'a TestApp, role: Role) -> Browser<'a> {
        let session = app.token(&format!("{role:?}@shop.example").to_lowercase(), role).await;
        Browser { app, session, client: Client::builder().redirect(Policy::none()).build().unwrap() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let address = format!("http://{}", self.app.address);
        self.client
            .request(method, format!("{address}{path}"))
            .header("accept", "text/html")
            .header("origin", address)
            .header("cookie", format!("session={}", self.session))
    }

    async fn send(&self, request: RequestBuilder) -> Seen {
        let answer = request.send().await.unwrap();
        let location = answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        Seen { status: answer.status().as_u16(), location, html: answer.text().await.unwrap() }
    }

    async fn get(&self, path: &str) -> Seen {
        let seen = self.send(self.request(Method::GET, path)).await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.html);
        seen
    }

    async fn post(&self, path: &str, form: &Filled) -> Seen {
        self.send(self.request(Method::POST, path).form(&form.0)).await
    }

    /// Sends a form that must be taken; gives where the browser is sent.
    async fn post_well(&self, path: &str, form: &Filled) -> String {
        let seen = self.post(path, form).await;
        assert_eq!(seen.status, 303, "{path}: {}", seen.html);
        seen.location
    }
}

fn dollars(amount: i64) -> Money {
    Money { amount, currency: "USD".to_owned() }
}

fn new_sku(code: &str, amount: i64) -> NewSku {
    NewSku {
        code: code.into(),
        options: vec![code.into()],
        price: dollars(amount),
        compare_at_price: None,
        barcode: String::new(),
        weight_grams: 0,
        requires_shipping: true,
        taxable: true,
        image_url: String::new(),
        backorder_limit: 0,
        low_stock_threshold: None,
    }
}

/// A shop with two locations and a product of three SKUs.
async fn shop(backend: Backend) -> (TestApp, Product) {
    let app = TestApp::start_with(backend, quiet).await;
    let inventory = &app.shop.modules.inventory;
    for (code, priority) in [("MAIN", 0), ("WEST", 1)] {
        let new = NewLocation { code: code.into(), name: code.into(), address: Default::default(), priority };
        inventory.location_create(&call(), new).await.unwrap();
    }
    let new = NewProduct {
        handle: Some("mug".into()),
        title: "Mug <small>".into(),
        description_html: "<p>Holds <b>tea</b>.</p>".into(),
        vendor: "Clay & Co".into(),
        product_type: String::new(),
        status: ProductStatus::Active,
        category_id: None,
        tags: vec!["a, b".into(), "c".into()],
        options: vec!["Kind".into()],
        attributes: [("Glaze".to_owned(), "matt".to_owned())].into(),
        images: vec![],
        seo_title: String::new(),
        seo_description: String::new(),
        skus: vec![new_sku("A#1", 1_000), new_sku("B", 2_000), new_sku("C", 3_000)],
    };
    let product = inventory.product_create(&call(), new).await.unwrap().value;
    (app, product)
}

async fn product(app: &TestApp, handle: &str) -> Product {
    app.shop.modules.inventory.product_get(ProductKey::from(handle)).await.unwrap().unwrap()
}

async fn on_hand(app: &TestApp, sku: &str, location: &str) -> i64 {
    let levels = app.shop.modules.inventory.stock_at(vec![sku.into()], vec![location.into()]).await.unwrap();
    levels.first().map_or(0, |level| level.on_hand)
}

on_both! {
    async fn staff_see_the_pages_and_nobody_else(backend: Backend) {
        let (app, product) = shop(backend).await;
        let category = NewCategory { parent_id: None, slug: None, name: "Cups".into(), position: 0 };
        let category = app.shop.modules.inventory.category_create(&call(), category).await.unwrap().value;
        let staff = Browser::of(&app, Role::Staff).await;
        let customer = Browser::of(&app, Role::Customer).await;
        let nobody = Browser { session: String::new(), client: staff.client.clone(), ..staff };
        let staff = Browser { app: &app, session: app.login("staff@shop.example").await, client: nobody.client.clone() };
        let by_id = format!("/admin/products/{}", product.id);
        let category = format!("/admin/categories/{}", category.id);
        for path in [
            "/admin/products", "/admin/products?q=mug&status=active&category=cups&sort=relevance",
            "/admin/products/new", "/admin/products/mug", "/admin/products/mug?from=2", &by_id,
            "/admin/products/mug/prices", "/admin/prices", "/admin/products/mug/skus", "/admin/skus/A%231", "/admin/categories", &category,
            "/admin/locations", "/admin/locations/MAIN", "/admin/stock", "/admin/stock?low=true&location=MAIN&sku=B",
            "/admin/stock/A%231", "/admin/stock/A%231?location=WEST", "/admin/imports", "/admin/export/products.csv",
        ] {
            let seen = staff.get(path).await;
            if !path.starts_with("/admin/export") {
                assert_eq!(seen.html.matches("<h1").count(), 1, "{path}");
            }
            let refused = customer.send(customer.request(Method::GET, path)).await;
            assert_eq!(refused.status, 403, "{path}");
            refused.has("You may not do this");
            let asked = nobody.send(nobody.request(Method::GET, path)).await;
            assert!(asked.status == 303 && asked.location.starts_with("/login?next=%2Fadmin%2F"), "{path}: {}", asked.location);
        }
        for path in ["/admin/products/none", "/admin/skus/none", "/admin/stock/none", "/admin/locations/none",
            "/admin/categories/none", "/admin/imports/none", "/admin/products/none/prices"] {
            assert_eq!(staff.send(staff.request(Method::GET, path)).await.status, 404, "{path}");
        }
        staff.get("/admin/products").await.has("Mug &#60;small&#62;").has("$10.00 – $30.00").has("Sold out");
        let export = staff.get("/admin/export/products.jsonl").await;
        export.has("\"handle\":\"mug\"").has("\"code\":\"A#1\"");
        assert!(staff.get("/admin/export/products.csv").await.html.starts_with("Handle,"));
    }

    async fn nothing_is_done_without_the_forms_token(backend: Backend) {
        let (app, product_before) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/products/mug").await.form("/admin/products/mug");
        let forged = form.clone().set("form_token", "").set("title", "Stolen");
        let refused = staff.post("/admin/products/mug", &forged).await;
        assert_eq!(refused.status, 403);
        assert_eq!(product(&app, "mug").await, product_before);
        assert_eq!(staff.post_well("/admin/products/mug", &form).await, "/admin/products/mug");
    }
}
