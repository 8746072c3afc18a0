//! What search engines ask for: what they may look at, and the addresses of all that is on sale (sitemaps.org).

use std::collections::VecDeque;

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::{Form, Site};
use crate::clock::Id;
use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;
use crate::inventory::{InventoryError, ProductAddress};

/// So many products are in one part of the sitemap, which may have 50,000 addresses: the first has the categories too.
const PRODUCTS_A_PART: u32 = 35_000;
/// So many are read and written at a time.
const PRODUCTS_AT_A_TIME: u32 = 1_000;
/// What is the same for everybody and may be old.
const KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=3600");

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const SCHEMA: &str = "http://www.sitemaps.org/schemas/sitemap/0.9";

/// `/robots.txt`
pub(super) async fn robots(site: Data<Site>) -> HttpResponse {
    let closed = ["/admin", "/account", "/cart", "/checkout", "/orders", "/api/", "/login", "/register", "/search?"];
    let closed: String = closed.iter().map(|path| format!("Disallow: {path}\n")).collect();
    let text = format!("User-agent: *\n{closed}\nSitemap: {}/sitemap.xml\n", site.public_url);
    HttpResponse::Ok().insert_header(KEPT).content_type("text/plain; charset=utf-8").body(text)
}

/// `/sitemap.xml`: all addresses; in a large shop its parts, each of which is named by the product after which it begins.
pub(super) async fn sitemap(site: Data<Site>, request: HttpRequest) -> ApiResult {
    let form = Form::of_query(&request);
    let nothing = || Problem::new(ErrorCode::NotFound, "There is no such part.");
    match form.get("after") {
        "" => match site.inventory.product_address_marks(PRODUCTS_A_PART).await? {
            marks if marks.is_empty() => part(site, None).await,
            marks => Ok(answer().body(index(&site.public_url, &marks))),
        },
        "start" => part(site, None).await,
        id => part(site, Some(id.parse().map_err(|_| nothing())?)).await,
    }
}

fn answer() -> actix_web::HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.insert_header(KEPT).content_type("application/xml; charset=utf-8");
    answer
}

fn index(public_url: &str, marks: &[Id]) -> String {
    let parts = std::iter::once("start".to_owned()).chain(marks.iter().map(Id::to_string));
    let parts: String = parts
        .map(|part| {
            format!("<sitemap><loc>{}</loc></sitemap>\n", escaped(&format!("{public_url}/sitemap.xml?after={part}")))
        })
        .collect();
    format!("{HEAD}<sitemapindex xmlns=\"{SCHEMA}\">\n{parts}</sitemapindex>\n")
}

/// The part that begins after this product; the first one, which has the home page and the categories too.
async fn part(site: Data<Site>, after: Option<Id>) -> ApiResult {
    let mut start = format!("{HEAD}<urlset xmlns=\"{SCHEMA}\">\n");
    if after.is_none() {
        start.push_str(&url(&site.public_url, "/", None));
        for category in site.inventory.category_list().await? {
            start.push_str(&url(&site.public_url, &format!("/categories/{}", category.path), None));
        }
    }
    let writer = Writer { site, after, left: PRODUCTS_A_PART, ready: VecDeque::from([start]) };
    let pieces = stream::try_unfold(writer, |mut writer| async move {
        let piece = writer.next().await?;
        Ok::<_, InventoryError>(piece.map(|piece| (Bytes::from(piece), writer)))
    });
    Ok(answer().streaming(pieces))
}

/// Writes a part piece by piece: of a large shop no more than one is in memory.
struct Writer {
    site: Data<Site>,
    after: Option<Id>,
    /// So many products may follow.
    left: u32,
    /// What is written and not given yet.
    ready: VecDeque<String>,
}

impl Writer {
    async fn next(&mut self) -> Result<Option<String>, InventoryError> {
        if let Some(piece) = self.ready.pop_front() {
            return Ok(Some(piece));
        }
        if self.left == 0 {
            return Ok(None);
        }
        let limit = self.left.min(PRODUCTS_AT_A_TIME);
        let found = self.site.inventory.product_addresses(self.after, limit).await?;
        self.left -= found.len() as u32;
        self.after = found.last().map(|last| last.id);
        let is_last = self.left == 0 || (found.len() as u32) < limit;
        let address = |product: &ProductAddress| {
            url(&self.site.public_url, &format!("/products/{}", product.handle), Some(product.updated_at.to_string()))
        };
        let mut piece: String = found.iter().map(address).collect();
        if is_last {
            self.left = 0;
            piece.push_str("</urlset>\n");
        }
        Ok(Some(piece))
    }
}

fn url(public_url: &str, path: &str, changed: Option<String>) -> String {
    let changed = changed.map_or(String::new(), |time| format!("<lastmod>{time}</lastmod>"));
    format!("<url><loc>{}</loc>{changed}</url>\n", escaped(&format!("{public_url}{path}")))
}

/// A text between the tags of XML. Paths have letters, digits and hyphens only; the shop's own address is the operator's.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    #[test]
    fn a_large_shop_has_a_map_of_maps() {
        let mark = Id::new(Time::from_micros(1_790_000_000_000_000));
        let text = index("https://shop.example", &[mark]);
        assert_eq!(text.matches("<sitemap>").count(), 2);
        assert!(text.contains("<loc>https://shop.example/sitemap.xml?after=start</loc>"), "{text}");
        assert!(text.contains(&format!("?after={mark}</loc>")), "{text}");
    }
}
