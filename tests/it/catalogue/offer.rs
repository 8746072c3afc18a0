//! Offers: SKUs with their products, by codes alone.

use emporium::error::{ErrorCode, Problem};
use emporium::inventory::*;
use serde_json::json;

use super::{Staffed, shirt, sku};
use crate::testapp::on_both;

impl Staffed {
    async fn offers(&self, codes: &[&str]) -> Vec<SkuOffer> {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        self.app.shop.modules.inventory.sku_offers(codes).await.unwrap()
    }
}

on_both! {
    async fn offers_come_in_the_order_of_the_codes(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let mut new = shirt();
        new["images"] = json!([{ "url": "/front.jpg", "alt": "Front" }, { "url": "/back.jpg" }]);
        shop.post("products", new).await.expect(201);
        shop.post("products", json!({ "title": "Cap", "status": "archived", "skus": [sku("C-1", &[], 900)] })).await.expect(201);
        shop.post("locations", json!({ "code": "main", "name": "Main" })).await.expect(201);
        let rows = json!([{ "sku": "A-2", "location": "main", "delta": 1, "reason": "came" }]);
        let request = shop.request(reqwest::Method::POST, "stock/adjustments").header("Idempotency-Key", "k");
        super::reply(request.json(&json!({ "rows": rows }))).await.expect(200);

        let offers = shop.offers(&["C-1", "none", "A-2", "a\0b", "", "A-1", "C-1"]).await;
        let codes: Vec<&str> = offers.iter().map(|offer| &*offer.sku.code).collect();
        assert_eq!(codes, ["C-1", "A-2", "A-1", "C-1"]);
        let inventory = &shop.app.shop.modules.inventory;
        for offer in &offers {
            let (sku, status) = inventory.sku_get(&offer.sku.code).await.unwrap().unwrap();
            assert_eq!((&offer.sku, offer.product.status), (&sku, status));
            let query = ProductQuery { status: Some(status), ..Default::default() };
            let listed = inventory.product_list(query).await.unwrap().items;
            assert_eq!(offer.product, *listed.iter().find(|product| product.id == sku.product_id).unwrap());
        }
        assert_eq!((&offers[0].options, &offers[1].options), (&vec![], &vec!["Size".to_owned()]));
        let product = &offers[1].product;
        assert_eq!((product.image.as_ref().unwrap().alt.as_str(), product.in_stock), ("Front", true));
        assert!(!offers[0].product.in_stock);
        assert_eq!(shop.offers(&[]).await, []);
        assert_eq!(shop.offers(&["none"]).await, []);
    }

    async fn at_most_a_thousand_at_a_time(backend: Backend) {
        let shop = Staffed::start(backend).await;
        let skus: Vec<_> = (0..40).map(|n| sku(&format!("M-{n}"), &[&n.to_string()], n)).collect();
        for product in 0..26 {
            let skus: Vec<_> = skus.iter().map(|sku| {
                let mut sku = sku.clone();
                sku["code"] = json!(format!("{product}-{}", sku["code"].as_str().unwrap()));
                sku
            }).collect();
            shop.post("products", json!({ "title": "Many", "options": ["Size"], "skus": skus })).await.expect(201);
        }
        let codes: Vec<String> = (0..1_001).map(|n| format!("{}-M-{}", n % 26, n / 26)).collect();
        let offers = shop.app.shop.modules.inventory.sku_offers(codes[..1_000].to_vec()).await.unwrap();
        assert!(offers.iter().map(|offer| &offer.sku.code).eq(&codes[..1_000]));
        let error = shop.app.shop.modules.inventory.sku_offers(codes).await.unwrap_err();
        assert_eq!(Problem::from(error).code, ErrorCode::Validation);
    }
}
