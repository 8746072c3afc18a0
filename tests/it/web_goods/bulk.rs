//! Import and export.

use super::*;
use crate::seed::{connect, execute, number};

const CSV: &str = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Inventory Qty,Colour of the box\n\
    bowl,Bowl,Size,Small,BOWL-S,12.00,5,red\n\
    bowl,,,Large,BOWL-L,cheap,7,red\n\
    plate,Plate,Size,Small,PLATE-S,8.50,9,red\n";

/// A form with a file, as browsers send it.
fn multipart(fields: &[(&str, &str)], name: &str, file: &str) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body.push_str(&format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str(&format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n--xyz--\r\n"
    ));
    body
}

async fn upload(browser: &Browser<'_>, body: String) -> Seen {
    let request = browser.request(Method::POST, "/admin/imports");
    browser.send(request.header("content-type", "multipart/form-data; boundary=xyz").body(body)).await
}

/// The page of a job when it has ended.
async fn ended(browser: &Browser<'_>, path: &str) -> Seen {
    for _ in 0..1_000 {
        let seen = browser.get(path).await;
        if !seen.html.contains("data-live") {
            return seen;
        }
        seen.has("<progress max=\"100\"").has("Reload");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the job does not end");
}

fn inputs(app: &TestApp) -> i64 {
    number(&mut connect(app), "SELECT COUNT(*) FROM job_inputs")
        + number(&mut connect(app), "SELECT COUNT(*) FROM jobs")
}

on_both! {
    async fn a_file_is_checked_and_then_imported(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/imports").await.form("/admin/imports");
        let token = form.get("form_token");
        let fields = [("form_token", token), ("key", form.get("key")), ("dry_run", "true"), ("location", "WEST")];
        let body = multipart(&fields, "Goods.CSV", CSV);
        let sent = upload(&staff, body.clone()).await;
        assert_eq!(sent.status, 303, "{}", sent.html);
        assert_eq!(upload(&staff, body).await.location, sent.location, "a double click begins one import");
        let seen = ended(&staff, &sent.location).await;
        seen.has("check only").has("Nothing was changed").has("Colour of the box").has("Variant Price").has("<td class=\"n\">3</td>");
        seen.has("<td>“cheap” is not a price: a number with at most 2 decimals, after a point.</td>");
        let inventory = &app.shop.modules.inventory;
        assert!(inventory.product_get(ProductKey::from("plate")).await.unwrap().is_none());

        let other = Id::new(emporium::clock::Clock::now(&app.clock)).to_string();
        let fields = [("form_token", token), ("key", &*other), ("location", "WEST")];
        let sent = upload(&staff, multipart(&fields, "goods.csv", CSV)).await;
        let seen = ended(&staff, &sent.location).await;
        seen.has("Rows with faults").has("See the products");
        assert_eq!((on_hand(&app, "PLATE-S", "WEST").await, on_hand(&app, "BOWL-S", "WEST").await), (9, 5));
        assert!(inventory.sku_get("BOWL-L").await.unwrap().is_none());
        staff.get("/admin/imports").await.has(&sent.location).has("check only");

        let form = staff.get("/admin/products/mug").await.form("/admin/products/mug");
        let refused = staff.post(&format!("{}/cancel", sent.location), &form).await;
        assert_eq!(refused.status, 409);
        refused.has("The job has ended");
    }

    async fn a_file_that_cannot_be_read_is_told_in_the_shops_words(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/imports").await.form("/admin/imports");
        let fields = ["form_token", "key"].map(|name| (name, form.get(name)));
        let sent = upload(&staff, multipart(&fields, "goods.csv", &CSV.replace(',', ";"))).await;
        let seen = ended(&staff, &sent.location).await;
        let told = "The columns of the file seem to be separated by semicolons. Please save it with commas between them,";
        seen.has(&format!("<p class=\"fault\">Line 1, Handle: {told}")).has(&format!("<td>{told}"));

        // What a version before wrote has its English words alone.
        let mut conn = connect(&app);
        let old = r#"UPDATE jobs SET message = 'line 1: odd job', fault = NULL;
            UPDATE job_errors SET message = 'odd row', code = 'other', arguments = '{"words":"odd row"}'"#;
        execute(&mut conn, old);
        let seen = staff.get(&sent.location).await;
        seen.has("The import could not go on. The shop’s log tells more: line 1: odd job</p>").has("<td>odd row</td>");
    }

    async fn an_upload_without_its_token_keeps_nothing(backend: Backend) {
        let (app, _) = shop(backend).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/imports").await.form("/admin/imports");
        let (token, key) = (form.get("form_token"), ("key", form.get("key")));
        let forged = upload(&staff, multipart(&[("key", "k"), ("form_token", "wrong")], "a.csv", CSV)).await;
        assert_eq!(forged.status, 403);
        forged.has("Please choose the file again");
        assert_eq!(upload(&staff, multipart(&[], "a.csv", CSV)).await.status, 403);
        let without_key = upload(&staff, multipart(&[("form_token", token)], "a.csv", CSV)).await;
        assert_eq!(without_key.status, 400);
        let wrong = upload(&staff, multipart(&[("form_token", token), key], "a.txt", CSV)).await;
        assert_eq!(wrong.status, 422);
        wrong.has("must end in .csv or .jsonl");
        upload(&staff, multipart(&[("form_token", token), key], "", "")).await.has("Choose a file");
        let nowhere = upload(&staff, multipart(&[("form_token", token), key, ("location", "NONE")], "a.csv", CSV)).await;
        assert_eq!(nowhere.status, 422);
        nowhere.has("id=\"f-location-fault\"");
        let cut = multipart(&[("form_token", token), key], "a.csv", CSV);
        assert_eq!(upload(&staff, cut[..cut.len() - 20].to_owned()).await.status, 400);
        let no_form = staff.request(Method::POST, "/admin/imports").header("content-type", "text/csv").body(CSV);
        assert_eq!(staff.send(no_form).await.status, 415);
        assert_eq!(inputs(&app), 0);
    }

    async fn a_file_that_is_too_large_is_refused_and_a_slow_one_is_not(backend: Backend) {
        let change = |config: &mut emporium::config::Config| {
            quiet(config);
            (config.server.import_max_bytes, config.server.request_timeout_ms) = (100_000, 1_000);
        };
        let app = TestApp::start_with(backend, change).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let form = staff.get("/admin/imports").await.form("/admin/imports");
        let fields = ["form_token", "key"].map(|name| (name, form.get(name)));
        let refused = upload(&staff, multipart(&fields, "a.jsonl", &"x".repeat(100_001))).await;
        assert_eq!(refused.status, 413);
        refused.has("That is too large");
        assert_eq!(inputs(&app), 0);

        // Each piece comes in time, all together take longer than any other request may.
        let file = format!("{{\"type\":\"location\",\"code\":\"NEW\",\"name\":\"New\"}}\n{}", "\n".repeat(64 * 1024));
        let body = multipart(&fields, "a.jsonl", &file).into_bytes();
        let pieces: Vec<Vec<u8>> = body.chunks(20 * 1024).map(<[u8]>::to_vec).collect();
        let answer = slowly(&staff, pieces, body.len()).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    }

    async fn an_empty_shop_offers_the_sample_catalogue(backend: Backend) {
        let app = TestApp::start_with(backend, quiet).await;
        let staff = Browser::of(&app, Role::Staff).await;
        let empty = staff.get("/admin/products").await;
        empty.has("Your shop is empty").has("href=\"/admin/imports\"");
        let place = staff.post_well("/admin/imports/sample", &empty.form("/admin/imports/sample")).await;
        ended(&staff, &place).await.has("See the products");
        let full = staff.get("/admin/products?status=active").await;
        assert!(!full.html.contains("Your shop is empty"));
        full.has("rel=\"next\"");
        let next = full.html.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
        staff.get(&plain(next)).await.has("Back to the beginning");
    }
}

/// Sends an upload piece by piece over one connection of its own; gives the answer's first line.
async fn slowly(browser: &Browser<'_>, pieces: Vec<Vec<u8>>, size: usize) -> String {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let address = browser.app.address;
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /admin/imports HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nCookie: session={}\r\n\
         Content-Type: multipart/form-data; boundary=xyz\r\nContent-Length: {size}\r\n\r\n",
        browser.session
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    for piece in pieces {
        connection.write_all(&piece).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    }
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}
