//! Products, SKUs, categories and locations.

use super::*;

on_both! {
    async fn a_product_is_made_and_its_faults_are_shown(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let empty = staff.get("/admin/products/new").await.form("/admin/products/new");
        let wrong = empty.clone().set("title", "").set("handle", "Not a handle").set("attributes", "no colon")
            .set("images.1.url", "ftp://a.example/b").set("images.1.alt", "It").set("images.1.width", "wide");
        let refused = staff.post("/admin/products/new", &wrong).await;
        assert_eq!(refused.status, 422);
        refused.has("“no colon” has no colon").has("must be a whole number of pixels").has("value=\"Not a handle\"");
        // What the module finds stands at its field too, in the row in which it was typed.
        let wrong = wrong.set("attributes", "Size: 1:2").set("images.1.width", "10");
        let refused = staff.post("/admin/products/new", &wrong).await;
        assert_eq!(refused.status, 422);
        refused.has("id=\"f-title-fault\"").has("id=\"f-handle-fault\"").has("id=\"f-images-1-url-fault\"");

        let good = refused.form("/admin/products/new").set("title", "A \"jug\"").set("handle", "")
            .set("images.1.url", "/demo/jug.svg").set("tags", "z, a,,a").set("options.0", "Size");
        let address = staff.post_well("/admin/products/new", &good).await;
        assert_eq!(address, "/admin/products/a-jug");
        assert_eq!(staff.post_well("/admin/products/new", &good).await, address, "a double click makes one product");
        let made = product(&app, "a-jug").await;
        assert_eq!((&*made.title, made.status, &made.tags[..]), ("A \"jug\"", ProductStatus::Draft, &["a".into(), "z".into()][..]));
        assert_eq!(made.attributes, [("Size".to_owned(), "1:2".to_owned())].into());
        assert_eq!((made.images[0].url.as_str(), made.images[0].width), ("/demo/jug.svg", Some(10)));
        assert_eq!(made.options, ["Size"]);
    }

    async fn somebody_elses_change_is_not_overwritten(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/products/mug").await.form("/admin/products/mug");
        assert_eq!(form.get("tags"), "a, b, c");
        staff.post_well("/admin/products/mug", &form.clone().set("title", "First")).await;
        // A tag with a comma stays one while the tags are not touched.
        assert_eq!(product(&app, "mug").await.tags, ["a, b", "c"]);
        let mine = form.set("title", "Second").set("seo_title", "Mine");
        let conflict = staff.post("/admin/products/mug", &mine).await;
        assert_eq!(conflict.status, 412);
        conflict.has("What is there now").has("<code class=\"kept\">First</code>").has("value=\"Second\"");
        assert_eq!(product(&app, "mug").await.title, "First");
        // Also not when the form was shown again for another reason first.
        let faulty = staff.post("/admin/products/mug", &mine.set("images.0.url", "ftp://a.example/b")).await;
        assert_eq!(faulty.status, 422);
        let mended = faulty.form("/admin/products/mug").set("images.0.url", "");
        assert_eq!(staff.post("/admin/products/mug", &mended).await.status, 412);
        let again = conflict.form("/admin/products/mug");
        assert_eq!(again.get("seo_title"), "Mine");
        staff.post_well("/admin/products/mug", &again).await;
        assert_eq!(product(&app, "mug").await.title, "Second");

        let archive = staff.get("/admin/products/mug").await.form("/admin/products/mug/status");
        staff.get("/admin/products?sold_out=true").await.has(">Sold out</span>");
        staff.post_well("/admin/products/mug/status", &archive.set("status", "archived")).await;
        assert_eq!(product(&app, "mug").await.status, ProductStatus::Archived);
        // What is not offered is not sold out.
        let list = staff.get("/admin/products").await;
        assert!(!list.has(">Not on sale</span>").html.contains(">Sold out</span>"));
        staff.get("/admin/products?sold_out=true").await.has("No product fits.");
        let stock = count("B", "MAIN", 0, 5);
        app.shop.modules.inventory.stock_count(&call(), stock).await.unwrap();
        // What cannot be deleted has no button for it, and who tries nevertheless is told why.
        let kept = staff.get("/admin/products/mug").await;
        kept.has("It has had stock, so it cannot be deleted");
        assert!(!kept.html.contains("/admin/products/mug/delete"));
        let form = kept.form("/admin/products/mug/status");
        let refused = staff.post("/admin/products/mug/delete", &form).await;
        assert_eq!(refused.status, 409);
        refused.has("Archive it instead");
        let (b, c) = (staff.get("/admin/skus/B").await, staff.get("/admin/skus/C").await);
        assert!(!b.html.contains("/admin/skus/B/delete") && c.html.contains("/admin/skus/C/delete"));
        b.has("It has had stock, so it cannot be deleted");
    }

    async fn a_former_handle_leads_to_its_product_until_another_one_is_on_sale(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let old = staff.get("/admin/products/mug").await.form("/admin/products/mug");
        assert_eq!(staff.post_well("/admin/products/mug", &old.clone().set("handle", "cup")).await, "/admin/products/cup");
        for rest in ["", "?from=1", "/prices", "/skus"] {
            let led = staff.send(staff.request(Method::GET, &format!("/admin/products/mug{rest}"))).await;
            assert_eq!((led.status, led.location), (301, format!("/admin/products/cup{rest}")));
        }
        // What was typed on a page of before is not lost.
        let conflict = staff.post("/admin/products/mug", &old.set("title", "Beaker")).await;
        assert_eq!(conflict.status, 412);
        conflict.has("value=\"Beaker\"");

        let new = staff.get("/admin/products/new").await.form("/admin/products/new").set("title", "Mug").set("handle", "mug");
        assert_eq!(staff.post_well("/admin/products/new", &new).await, "/admin/products/mug");
        let told = "Its address still leads shoppers to the product that had it before.";
        let draft = staff.get("/admin/products/mug").await;
        draft.has(told).has("<a href=\"/admin/products/cup\">Mug &#60;small&#62;</a>");
        let activate = draft.form("/admin/products/mug/status").set("status", "active");
        staff.post_well("/admin/products/mug/status", &activate).await;
        assert!(!staff.get("/admin/products/mug").await.html.contains(told));
    }

    async fn a_sku_is_added_changed_and_deleted(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/products/mug/skus").await.form("/admin/products/mug/skus");
        let refused = staff.post("/admin/products/mug/skus", &form.clone().set("price", "9.999").set("code", "a b")).await;
        assert_eq!(refused.status, 422);
        refused.has("Please enter an amount such as 12.50, in USD.");
        let refused = staff.post("/admin/products/mug/skus", &form.clone().set("price", "9.5").set("code", "B").set("options.0", "x")).await;
        assert_eq!(refused.status, 409);
        let good = form.set("price", "9.5").set("code", "D&D").set("options.0", "four").set("low_stock_threshold", "2");
        assert_eq!(staff.post_well("/admin/products/mug/skus", &good).await, "/admin/products/mug#skus");
        let sku = |product: &Product| product.skus.iter().find(|sku| sku.code.starts_with('D')).unwrap().clone();
        let made = sku(&product(&app, "mug").await);
        assert_eq!((made.price.amount, made.low_stock_threshold, made.requires_shipping), (950, Some(2), true));

        let form = staff.get("/admin/skus/D%26D").await.form("/admin/skus/D%26D");
        staff.post_well("/admin/skus/D%26D", &form.clone().set("price", "8").set("low_stock_threshold", "")).await;
        let conflict = staff.post("/admin/skus/D%26D", &form.set("price", "7")).await;
        assert_eq!(conflict.status, 412);
        conflict.has("<code class=\"kept\">8.00</code>").has("value=\"7\"");
        assert_eq!(sku(&product(&app, "mug").await).low_stock_threshold, None);
        let delete = staff.get("/admin/skus/D%26D").await.form("/admin/skus/D%26D/delete");
        staff.post_well("/admin/skus/D%26D/delete", &delete).await;
        assert_eq!(product(&app, "mug").await.skus.len(), 3);
    }

    async fn categories_are_made_moved_and_kept_while_needed(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let make = async |name: &str, parent: &str| {
            let form = staff.get("/admin/categories").await.form("/admin/categories");
            staff.post_well("/admin/categories", &form.set("name", name).set("parent_id", parent)).await;
            let all = app.shop.modules.inventory.category_list().await.unwrap();
            all.into_iter().find(|category| category.name == name).unwrap()
        };
        let home = make("Home", "").await;
        let cups = make("Cups", &home.id.to_string()).await;
        make("Tea cups", &cups.id.to_string()).await;
        make("Garden", "").await;
        let tree = staff.get("/admin/categories").await;
        tree.has("home/cups/tea-cups");
        assert_eq!(tree.html.matches("<ul").count(), tree.html.matches("</ul>").count());
        assert_eq!(tree.html.matches("<li>").count(), tree.html.matches("</li>").count());

        let address = format!("/admin/categories/{}", cups.id);
        let page = staff.get(&address).await;
        let parents = page.html.split("name=\"parent_id\"").nth(1).unwrap().split("</select>").next().unwrap();
        assert!(!parents.contains("home/cups"), "a category cannot be moved into itself: {parents}");
        let form = page.form(&address);
        staff.post_well(&address, &form.clone().set("name", "Mugs").set("slug", "mugs").set("parent_id", "")).await;
        let conflict = staff.post(&address, &form.set("name", "Beakers")).await;
        assert_eq!(conflict.status, 412);
        conflict.has("<code class=\"kept\">Mugs</code>").has("(at the top)").has("value=\"Beakers\"");
        assert!(!conflict.html.contains(&format!("{address}/delete")));
        conflict.has("It has categories or products in it, so it cannot be deleted");
        let refused = staff.post(&format!("{address}/delete"), &conflict.form(&address)).await;
        assert_eq!(refused.status, 409);
        refused.has("There are categories or products in this category");
        let all = app.shop.modules.inventory.category_list().await.unwrap();
        assert!(all.iter().any(|category| category.path == "mugs/tea-cups"));
    }

    async fn locations_are_made_and_changed(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/locations").await.form("/admin/locations").set("code", "EAST").set("name", "East");
        let wrong = form.clone().set("address.latitude", "north").set("priority", "first");
        let refused = staff.post("/admin/locations", &wrong).await;
        assert_eq!(refused.status, 422);
        refused.has("id=\"f-address-latitude-fault\"").has("id=\"f-priority-fault\"");
        let refused = staff.post("/admin/locations", &form.clone().set("address.country", "England")).await;
        assert_eq!(refused.status, 422);
        refused.has("id=\"f-address-country-fault\"");
        staff.post_well("/admin/locations", &form.set("address.city", "Alder Falls").set("address.country", "us")).await;

        let page = staff.get("/admin/locations/EAST").await;
        let form = page.form("/admin/locations/EAST");
        assert_eq!((form.get("active"), form.get("address.country")), ("true", "US"));
        let mut off = form.clone();
        off.0.retain(|(name, _)| name != "active");
        staff.post_well("/admin/locations/EAST", &off).await;
        let location = app.shop.modules.inventory.location_get("EAST").await.unwrap().unwrap();
        assert!(!location.active && location.address.city == "Alder Falls");
        assert_eq!(staff.post("/admin/locations/EAST", &form.set("name", "Late")).await.status, 412);
    }
}

fn count(sku: &str, location: &str, expected: i64, counted: i64) -> StockBatch<Count> {
    let (sku, location, reason) = (sku.into(), location.into(), "test".into());
    StockBatch {
        atomic: true,
        rows: vec![Count { sku, location, counter: Counter::OnHand, expected, counted, reason }],
    }
}
