//! Prices and stock of many SKUs in one table: of a product, and of several.

use emporium::inventory::ProductStatus::Draft;

use super::stock::{level, set};
use super::*;

async fn prices(app: &TestApp) -> Vec<i64> {
    product(app, "mug").await.skus.iter().map(|sku| sku.price.amount).collect()
}

/// Another product, of so many SKUs.
async fn another(app: &TestApp, handle: &str, status: ProductStatus, skus: usize) {
    let skus = (0..skus).map(|n| new_sku(&format!("{handle}-{n}"), 500)).collect();
    let text = String::new;
    let new = NewProduct {
        handle: Some(handle.into()),
        title: handle.into(),
        description_html: text(),
        vendor: text(),
        product_type: text(),
        status,
        category_id: None,
        tags: vec![],
        options: vec!["Kind".into()],
        attributes: Default::default(),
        images: vec![],
        seo_title: text(),
        seo_description: text(),
        skus,
    };
    app.shop.modules.inventory.product_create(&call(), new).await.unwrap();
}

on_both! {
    async fn prices_are_saved_together_and_counts_by_themselves(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let path = "/admin/products/mug/prices";
        let form = staff.get(path).await.form(path);
        let (a, b, c) = (form.number("sku.", "A#1"), form.number("sku.", "B"), form.number("sku.", "C"));
        let shelf = |place: &str| form.number("shelf.", place);
        let edit = form.clone()
            .set(&format!("price.{a}"), "11").set(&format!("compare.{a}"), "15.50")
            .set(&format!("counted.{}", shelf("A#1/WEST")), "4")
            .set(&format!("price.{b}"), "21")
            .set(&format!("counted.{}", shelf("C/MAIN")), "7").set(&format!("counted.{}", shelf("C/WEST")), "8");
        // Meanwhile somebody else has changed B, and has counted C.
        let other = staff.get("/admin/skus/B").await.form("/admin/skus/B").set("price", "25");
        staff.post_well("/admin/skus/B", &other).await;
        set(&app, "C", "MAIN", 0, 3).await;

        let told = staff.post(path, &edit).await;
        assert_eq!(told.status, 422);
        told.has("B: Somebody else has changed this SKU meanwhile").has("now 25.00").has("now 10.00");
        assert_eq!(told.html.matches(">Saved<").count(), 0, "nothing is done");
        assert_eq!((prices(&app).await, on_hand(&app, "A#1", "WEST").await), (vec![1_000, 2_500, 3_000], 0));

        // What was typed is still there; sent again, it is done on purpose. The count of C is refused, and nothing else.
        let again = told.form(path);
        assert_eq!((again.get(&format!("price.{b}")), again.get(&format!("price.{c}"))), ("21", "30.00"));
        assert_eq!((again.get(&format!("price.{a}")), again.get(&format!("counted.{}", shelf("A#1/WEST")))), ("11", "4"));
        let told = staff.post(path, &again).await;
        assert_eq!(told.status, 422);
        told.has("C, MAIN: The stock has changed").has("now 3");
        assert_eq!(told.html.matches(">Saved<").count(), 2, "A#1 and B are done whole");
        let is = product(&app, "mug").await;
        assert_eq!((prices(&app).await, is.skus[0].compare_at_price.clone()), (vec![1_100, 2_100, 3_000], Some(dollars(1_550))));
        assert_eq!((on_hand(&app, "A#1", "WEST").await, on_hand(&app, "C", "WEST").await, on_hand(&app, "C", "MAIN").await), (4, 8, 3));
        let again = told.form(path);
        assert_eq!(again.get(&format!("counted.{}", shelf("C/MAIN"))), "7");
        staff.post_well(path, &again).await;
        assert_eq!(on_hand(&app, "C", "MAIN").await, 7);
        // A double click does nothing twice.
        let versions: Vec<i64> = product(&app, "mug").await.skus.iter().map(|sku| sku.version).collect();
        staff.post_well(path, &again).await;
        assert_eq!(product(&app, "mug").await.skus.iter().map(|sku| sku.version).collect::<Vec<_>>(), versions);
        assert_eq!(level(&app, "C", "MAIN").await.version, 2);

        // A row that was not touched is no conflict; one that cannot be read leaves the others as they are.
        let form = staff.get(path).await.form(path);
        let other = staff.get("/admin/skus/B").await.form("/admin/skus/B").set("price", "1");
        staff.post_well("/admin/skus/B", &other).await;
        let wrong = staff.post(path, &form.clone().set(&format!("price.{c}"), "2").set(&format!("price.{a}"), "")).await;
        assert_eq!(wrong.status, 422);
        wrong.has("<p class=\"fault\" id=\"row-0\">must be given</p>");
        assert_eq!(prices(&app).await, [1_100, 100, 3_000]);
        staff.post_well(path, &form.set(&format!("price.{c}"), "2")).await;
        assert_eq!(prices(&app).await, [1_100, 100, 200]);
    }

    async fn the_skus_of_all_found_products_are_edited_in_one_table(backend: Backend) {
        let (app, _) = shop(backend).await;
        another(&app, "bare", Draft, 0).await;
        another(&app, "cup", Draft, 60).await;
        another(&app, "jar", Draft, 1).await;
        let staff = Browser::of(&app, Role::Staff).await;
        staff.get("/admin/products?status=draft&sort=title").await.has("href=\"/admin/prices?status=draft&#38;sort=title\"");
        let path = "/admin/prices?status=draft&sort=title";
        let seen = staff.get(path).await;
        seen.has(">cup-0</a>").has(">cup-49</a>").has("href=\"/admin/products/cup\"");
        assert!(!seen.html.contains(">cup-50</a>") && !seen.html.contains(">A#1</a>"));
        let next = seen.html.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
        let second = staff.get(&next).await;
        second.has(">cup-50</a>").has(">cup-59</a>").has(">jar-0</a>").has("Back to the beginning");
        assert!(!second.html.contains(">cup-49</a>") && !second.html.contains("rel=\"next\""));

        let form = second.form(&next);
        let (cup, jar) = (form.number("sku.", "cup-50"), form.number("sku.", "jar-0"));
        let edit = form.clone().set(&format!("price.{cup}"), "6").set(&format!("price.{jar}"), "7");
        assert_eq!(staff.post_well(&next, &edit).await, next);
        let (cups, jars) = (product(&app, "cup").await, product(&app, "jar").await);
        assert_eq!((cups.skus[50].price.amount, cups.skus[49].price.amount, jars.skus[0].price.amount), (600, 500, 700));
        assert_eq!((cups.version, jars.version, product(&app, "mug").await.version), (2, 2, 1));
        // A stale form changes nothing at all, and shows the same SKUs again.
        let stale = staff.post(&next, &edit.set("key", &Id::new(emporium::clock::Clock::now(&app.clock)).to_string()).set(&format!("price.{cup}"), "8").set(&format!("price.{jar}"), "9")).await;
        assert_eq!(stale.status, 422);
        stale.has("cup-50: Somebody else").has("jar-0: Somebody else").has("now 6.00").has("now 7.00");
        assert_eq!(product(&app, "jar").await.skus[0].price.amount, 700);
        staff.post_well(&next, &stale.form(&next)).await;
        assert_eq!(product(&app, "jar").await.skus[0].price.amount, 900);
        staff.get("/admin/prices?q=nothing-of-the-kind").await.has("No product fits.");
        for path in ["/admin/prices", "/admin/skus", "/admin/skus/jar-0"] {
            staff.get(path).await.has("<a href=\"/admin/products\" aria-current=\"page\">");
        }
        assert_eq!(staff.send(staff.request(Method::GET, "/admin/prices?cursor=zz&q=cup")).await.location, "/admin/prices?q=cup");
    }

    async fn a_change_of_all_prices_is_filled_in_before_it_is_saved(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let path = "/admin/prices?q=mug";
        let form = staff.get(path).await.form(path);
        let (a, c) = (form.number("sku.", "A#1"), form.number("sku.", "C"));
        let change = form.clone().set("step", "preview").set("change.by", "-12.5").set("change.round", "to99").set("change.before", "true");
        let seen = staff.post(path, &change).await;
        assert_eq!(seen.status, 200);
        seen.has("Nothing is saved yet").has("now 10.00");
        assert_eq!(prices(&app).await, [1_000, 2_000, 3_000]);
        let filled = seen.form(path);
        assert_eq!((filled.get(&format!("price.{a}")), filled.get(&format!("price.{c}")), filled.get(&format!("compare.{c}"))), ("8.99", "25.99", "30.00"));
        assert_eq!(staff.post_well(path, &filled).await, path);
        assert_eq!((prices(&app).await, product(&app, "mug").await.skus[2].compare_at_price.clone()), (vec![899, 1_799, 2_599], Some(dollars(3_000))));

        let form = staff.get(path).await.form(path).set("step", "preview").set("change.unit", "amount");
        let refused = staff.post(path, &form.clone().set("change.by", "-9")).await;
        assert_eq!(refused.status, 422);
        refused.has("A#1: the new price would not be from $0.00 to $10,000,000,000.00</p>").has("value=\"8.99\"").has("value=\"16.99\"");
        assert_eq!(staff.post(path, &form.clone().set("change.by", "much")).await.status, 422);
        // Whatever was typed, the price before is what was asked for until now; a change is shown first, also where Enter sent it.
        let typed = form.clone().set(&format!("price.{c}"), "26.50").set("change.by", "-10").set("step", "").set("change.before", "true");
        let seen = staff.post(path, &typed.set("change.unit", "percent").set("change.round", "none")).await;
        let filled = seen.has("Nothing is saved yet").form(path);
        assert_eq!((filled.get(&format!("price.{c}")), filled.get(&format!("compare.{c}"))), ("23.85", "25.99"));
        let raised = staff.post(path, &form.set("change.by", "+1")).await.form(path);
        staff.post_well(path, &raised).await;
        assert_eq!(prices(&app).await, [999, 1_899, 2_699]);
    }

    async fn what_saving_would_refuse_is_told_before(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let path = "/admin/prices?q=mug";
        let form = staff.get(path).await.form(path);
        let (a, b, c) = (form.number("sku.", "A#1"), form.number("sku.", "B"), form.number("sku.", "C"));
        let wrong = form.clone().set(&format!("price.{a}"), "").set(&format!("compare.{b}"), "10,000,000,000.01").set(&format!("compare.{c}"), "-1");
        for sent in [wrong.clone(), wrong.set("change.by", "10")] {
            let told = staff.post(path, &sent).await;
            assert_eq!(told.status, 422);
            for (row, why) in [(&a, "must be given"), (&b, "Please enter an amount of at most $10,000,000,000.00."), (&c, "Please enter an amount such as 12.50, in USD.")] {
                told.has(&format!("id=\"row-{row}\">{why}</p>"));
            }
            assert!(!told.html.contains("Nothing is saved yet"));
        }
        let sku = staff.get("/admin/skus/B").await.form("/admin/skus/B").set("price", "99999999999");
        staff.post("/admin/skus/B", &sku).await.has("Please enter an amount of at most $10,000,000,000.00.");
        assert_eq!(prices(&app).await, [1_000, 2_000, 3_000]);

        // A change may be to round alone.
        let preview = form.set("step", "preview");
        let refused = staff.post(path, &preview).await;
        assert_eq!(refused.status, 422);
        refused.has("or choose how to round");
        for by in ["", "0"] {
            let filled = staff.post(path, &preview.clone().set("change.by", by).set("change.round", "to99")).await;
            assert_eq!(filled.has("Nothing is saved yet").form(path).get(&format!("price.{a}")), "9.99");
        }
    }

    async fn what_nobody_touched_is_not_set_back_by_a_form_that_is_shown_again(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let path = "/admin/products/mug/prices";
        let form = staff.get(path).await.form(path);
        let (a, b) = (form.number("sku.", "A#1"), form.number("sku.", "B"));
        // Meanwhile goods have come, and somebody has changed both.
        set(&app, "C", "MAIN", 0, 9).await;
        for sku in ["A%231", "B"] {
            let other = staff.get(&format!("/admin/skus/{sku}")).await.form(&format!("/admin/skus/{sku}")).set("price", "25");
            staff.post_well(&format!("/admin/skus/{sku}"), &other).await;
        }
        let wrong = staff.post(path, &form.clone().set(&format!("price.{a}"), "11").set("reason", "").set(&format!("price.{b}"), "x")).await;
        assert_eq!(wrong.status, 422);
        // A is still a conflict, and C is still what it is.
        let again = wrong.form(path).set(&format!("price.{b}"), "25.00");
        assert_eq!(staff.post(path, &again).await.has("A#1: Somebody else").status, 422);
        assert_eq!((prices(&app).await[0], on_hand(&app, "C", "MAIN").await), (2_500, 9));
        let raised = staff.post(path, &form.set("step", "preview").set("change.by", "10")).await.form(path);
        staff.post(path, &raised).await.has("A#1: Somebody else").has("B: Somebody else");
        assert_eq!((prices(&app).await, on_hand(&app, "C", "MAIN").await), (vec![2_500, 2_500, 3_000], 9));
    }
}
