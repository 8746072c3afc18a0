//! The files of the pages: one style sheet, one script, the icon; and the pictures of the sample catalogue.
//!
//! A file's address holds a hash of its content, so browsers keep it for a year and still see the next version at once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, web};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::{ErrorCode, Problem};
use crate::http::ApiResult;

#[derive(RustEmbed)]
#[folder = "src/web/static"]
struct Static;

#[derive(RustEmbed)]
#[folder = "src/demo/images"]
struct Demo;

/// Each file's address, by its name.
static ADDRESSES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let address = |name: &str, file: &EmbeddedFile| {
        let hash = file.metadata.sha256_hash()[..6].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        format!("/static/{stem}.{hash}.{ending}")
    };
    let files = Static::iter().filter_map(|name| Static::get(&name).map(|file| (name, file)));
    files.map(|(name, file)| (name.to_string(), address(&name, &file))).collect()
});

/// The address of a file.
pub(in crate::web) fn address(name: &str) -> &'static str {
    ADDRESSES.get(name).map_or("/static/", |address| address)
}

/// While a new version is brought to a cluster, its pages may ask a process of the old one: that one's file will do for the moment.
pub(super) async fn static_file(path: web::Path<String>) -> ApiResult {
    let name = path.split_once('.').and_then(|(stem, rest)| Some(format!("{stem}.{}", rest.rsplit_once('.')?.1)));
    let name = name.unwrap_or_default();
    let is_own = address(&name) == format!("/static/{path}");
    let cache = if is_own { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer(Static::get(&name), &name, cache)
}

/// The sample catalogue names its pictures without a hash.
pub(super) async fn demo_picture(path: web::Path<String>) -> ApiResult {
    answer(Demo::get(&path), &path, "public, max-age=86400")
}

/// Browsers ask for this one whatever a page says.
pub(super) async fn favicon() -> ApiResult {
    answer(Static::get("icon.svg"), "icon.svg", "public, max-age=86400")
}

fn answer(file: Option<EmbeddedFile>, name: &str, cache: &'static str) -> ApiResult {
    let file = file.ok_or_else(|| Problem::new(ErrorCode::NotFound, "There is no such file."))?;
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let mut response = HttpResponse::Ok();
    response.content_type(kind).insert_header((header::CACHE_CONTROL, HeaderValue::from_static(cache)));
    Ok(match file.data {
        std::borrow::Cow::Borrowed(bytes) => response.body(bytes),
        std::borrow::Cow::Owned(bytes) => response.body(bytes),
    })
}
