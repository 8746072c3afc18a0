//! What a client may not ask for, and cursors that are not ours.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::testapp::on_both;

#[track_caller]
fn is_problem((status, body): (u16, Value), expected: u16, code: &str) {
    assert_eq!((status, body["code"].as_str()), (expected, Some(code)), "{body}");
}

/// The cursor's content with some of it changed.
fn forged(cursor: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut content: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    change(&mut content);
    URL_SAFE_NO_PAD.encode(content.to_string())
}

on_both! {
    async fn cursors_belong_to_one_query(backend: Backend) {
        let shop = Listed::start(backend, 12).await;
        let cursor = async |params: &[(&str, &str)]| {
            let body = shop.list(&[params, &[("limit", "2")]].concat()).await;
            body["next_cursor"].as_str().unwrap().to_owned()
        };
        let newest = cursor(&[]).await;
        for params in [
            vec![("sort", "created_at")],
            vec![("sort", "title")],
            vec![("sort", "price")],
            vec![("q", "jacket")],
            vec![("vendor", "Acme")],
            vec![("category", "men")],
            vec![("tag", "red")],
            vec![("price_min", "1")],
            vec![("price_max", "1")],
            vec![("in_stock", "true")],
            vec![("status", "active")],
        ] {
            is_problem(shop.ask(&[params.as_slice(), &[("cursor", &newest)]].concat()).await, 400, "invalid_cursor");
        }
        // A shopper's list is not that of staff.
        is_problem(shop.ask_as_shopper(&[("cursor", &newest)]).await, 400, "invalid_cursor");
        // The size of a page and its facets may change on the way.
        let body = shop.list(&[("cursor", &newest), ("limit", "5"), ("facets", "true"), ("sort", "-created_at")]).await;
        assert_eq!(body["items"].as_array().unwrap().len(), 5);
        shop.app.stop().await;
    }

    async fn forged_cursors_are_refused(backend: Backend) {
        let shop = Listed::start(backend, 12).await;
        let newest = shop.list(&[("limit", "2")]).await["next_cursor"].as_str().unwrap().to_owned();
        let long = "x".repeat(3_000);
        for cursor in ["", "x", "e30", "bnVsbA", "%00", "' OR 1=1", &newest[1..], &long] {
            is_problem(shop.ask(&[("cursor", cursor)]).await, 400, "invalid_cursor");
        }
        let changes: [fn(&mut Value); 8] = [
            |content| content["n"] = json!(-1),
            |content| content["n"] = json!(i64::MAX),
            |content| content["n"] = json!("1"),
            |content| content["n"] = json!(1.5),
            |content| content["t"] = json!("title"),
            |content| content["id"] = json!("1"),
            |content| content["more"] = json!(1),
            |content| content["h"] = json!("other"),
        ];
        for change in changes {
            is_problem(shop.ask(&[("cursor", &forged(&newest, change))]).await, 400, "invalid_cursor");
        }
        let titles = shop.list(&[("limit", "2"), ("sort", "title")]).await["next_cursor"].as_str().unwrap().to_owned();
        let nul = forged(&titles, |content| content["t"] = json!("a\0b"));
        is_problem(shop.ask(&[("sort", "title"), ("cursor", &nul)]).await, 400, "invalid_cursor");
        // What a position may be, it may be: these only begin elsewhere.
        for (sort, name, value) in [("title", "t", json!("' OR 1=1 --\u{fffd}")), ("price", "n", json!(i64::MIN))] {
            let body = shop.list(&[("limit", "2"), ("sort", sort)]).await;
            let cursor = forged(body["next_cursor"].as_str().unwrap(), |content| content[name] = value);
            assert_eq!(shop.ask(&[("sort", sort), ("cursor", &cursor)]).await.0, 200);
        }
        shop.app.stop().await;
    }

    async fn values_are_checked_all_at_once(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        let long = "x".repeat(5_000);
        let (status, body) = shop.ask(&[
            ("limit", "0"), ("category", &long), ("vendor", "a\nb"), ("tag", &long), ("price_min", "-1"),
            ("price_max", "9000000000000000"), ("q", &long),
        ]).await;
        let pointers: Vec<_> =
            body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(status, 422);
        assert_eq!(pointers, ["limit", "category", "vendor", "tag", "price_min", "price_max", "q"]);
        let words = "a ".repeat(21);
        for (params, pointer) in [
            (vec![("limit", "201")], "limit"),
            (vec![("price_min", "2"), ("price_max", "1")], "price_max"),
            (vec![("q", words.as_str())], "q"),
            (vec![("sort", "relevance")], "sort"),
            (vec![("tag", "a\0b")], "tag"),
        ] {
            let (status, body) = shop.ask(&params).await;
            assert_eq!((status, &body["errors"][0]["pointer"]), (422, &json!(pointer)), "{params:?}: {body}");
        }
        assert_eq!(shop.ask(&[("q", &"ä".repeat(200))]).await.0, 200);
        assert_eq!(shop.ask(&[("q", &"a ".repeat(20)), ("limit", "200"), ("price_min", "1"), ("price_max", "1")]).await.0, 200);
        shop.app.stop().await;
    }

    async fn what_cannot_be_read_is_refused(backend: Backend) {
        let shop = Listed::start(backend, 0).await;
        is_problem(shop.ask(&[("color", "red")]).await, 400, "unknown_parameter");
        for params in [
            ("sort", "newest"), ("status", "gone"), ("in_stock", "yes"), ("limit", "-1"), ("limit", "many"),
            ("price_min", "1.5"), ("price_max", "99999999999999999999"), ("facets", "1"),
        ] {
            is_problem(shop.ask(&[params]).await, 422, "validation");
        }
        shop.app.stop().await;
    }

    async fn a_page_links_to_the_next(backend: Backend) {
        let shop = Listed::start(backend, 7).await;
        let path = "/api/v1/products?limit=4&sort=title&q=w%C3%B6%C3%B6l+jacket+";
        let answer = shop.app.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "public, max-age=60");
        assert!(answer.headers().get("link").is_none(), "nothing follows");
        let answer = shop.app.request(Method::GET, "/api/v1/products?limit=4").send().await.unwrap();
        let link = answer.headers()["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
        let (status, body) = read(shop.app.request(Method::GET, next).send().await.unwrap()).await;
        assert_eq!((status, &body["next_cursor"]), (200, &Value::Null));
        shop.app.stop().await;
    }
}
