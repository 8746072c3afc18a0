//! What every page has: who looks at it, the words and ways of writing of the shop's locale, the cart's count, the menu; and how a
//! page becomes an answer.

use std::cell::Cell;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, Uri, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use fluent_bundle::FluentValue;
use futures_util::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use super::form::{Form, TOKEN};
use super::{Site, admin, files};
use crate::call::{Call, Caller, IdempotencyKey, Role};
use crate::clock::{Id, Time};
use crate::error::{ErrorCode, Problem};
use crate::http::gate::ClientAddress;
use crate::http::observe::Written;
use crate::http::{ApiError, ApiResult};
use crate::inventory::{Category, Money};
use crate::user::{CartLine, Origin};

/// A guest's cart, sealed.
pub(in crate::web) const CART: &str = "cart";
/// The key of a text that the next page says once.
const FLASH: &str = "flash";

/// Somebody who is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) struct Person {
    pub(in crate::web) id: Id,
    pub(in crate::web) session: Id,
    pub(in crate::web) role: Role,
}

impl Person {
    pub(in crate::web) fn of(caller: &Caller) -> Option<Person> {
        match *caller {
            Caller::Person { user_id, session_id, role } => Some(Person { id: user_id, session: session_id, role }),
            _ => None,
        }
    }

    /// Under this name he holds goods.
    pub(in crate::web) fn holder(&self) -> String {
        format!("user:{}", self.id)
    }
}

pub(in crate::web) struct Shell {
    pub(in crate::web) site: web::Data<Site>,
    pub(in crate::web) person: Option<Person>,
    /// What a guest has in the cart; a person's is kept by the user module.
    pub(in crate::web) guest_cart: Vec<CartLine>,
    pub(in crate::web) cart_count: i64,
    pub(in crate::web) menu: Arc<Vec<Category>>,
    /// The path that was asked for, with its query.
    pub(in crate::web) address: String,
    call: Call,
    origin: Origin,
    form_token: String,
    flash: Option<String>,
    /// The page shows a form with what is wrong in it.
    has_faults: Cell<bool>,
    /// The same for every guest without a cart: caches may keep it.
    is_public: bool,
    /// A cookie of a session that has ended.
    is_stale: bool,
    known_tag: Option<String>,
}

impl FromRequest for Shell {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let site = request.app_data::<web::Data<Site>>().cloned();
            let site = site.ok_or_else(|| Problem::new(ErrorCode::NotFound, "There are no pages here."))?;
            let mut shell = Shell::bare(site, local_address(request.uri()));
            let menu = shell.site.menu().await;
            // The page about the system tells of databases that are down, so it does without.
            shell.menu = if request.path() == admin::SYSTEM { menu.unwrap_or_default() } else { menu? };
            shell.read(&request).await?;
            Ok(shell)
        })
    }
}

impl Shell {
    /// The page's surroundings before anything is known of who asks.
    pub(in crate::web) fn bare(site: web::Data<Site>, address: String) -> Shell {
        Shell {
            site,
            person: None,
            guest_cart: vec![],
            cart_count: 0,
            menu: Arc::default(),
            address,
            call: Call::by("anonymous"),
            origin: Origin::default(),
            form_token: String::new(),
            flash: None,
            has_faults: Cell::new(false),
            is_public: false,
            is_stale: false,
            known_tag: None,
        }
    }

    async fn read(&mut self, request: &HttpRequest) -> ApiResult<()> {
        let caller = request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Anonymous);
        let address = ClientAddress::text(&request.extensions());
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let cookies = self.site.cookies;
        let cart = cookies.read(request, CART);
        let session = cookies.read(request, crate::http::cookie::SESSION);
        self.call = Call::by(caller.actor()).from(address.clone());
        self.origin = Origin { address, user_agent: header(header::USER_AGENT).unwrap_or_default() };
        self.flash = cookies.read(request, FLASH).filter(|key| key.starts_with("flash-"));
        self.known_tag = header(header::IF_NONE_MATCH);
        if let Some(cart) = &cart {
            // A guest sees the shop also while nobody can tell what is in the cart.
            let keys = self.site.keys().await.ok();
            self.guest_cart = keys.and_then(|keys| keys.open(cart)).unwrap_or_default();
        }
        self.person = Person::of(&caller);
        let lines = match self.person {
            Some(person) => {
                self.form_token = self.site.keys().await?.form_token(person.session);
                self.site.user.cart_get(person.id).await?
            }
            None => self.guest_cart.clone(),
        };
        self.cart_count = lines.iter().map(|line| line.quantity).sum();
        self.is_stale = session.is_some() && self.person.is_none();
        self.is_public = session.is_none() && cart.is_none() && self.flash.is_none();
        Ok(())
    }

    /// What goes with a change that the person makes.
    pub(in crate::web) fn call(&self) -> &Call {
        &self.call
    }

    /// The same for a step that a reservation takes once and for good. Where an answer of the database is lost, its key tells what became of it.
    pub(in crate::web) fn step(&self, step: &str, id: Id) -> Call {
        let key = format!("{step}-{id}");
        let request_hash = Sha256::digest(&key).to_vec();
        Call { key: Some(IdempotencyKey { key, request_hash }), ..self.call.clone() }
    }

    pub(in crate::web) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Who is logged in; without anybody the browser is sent to log in first.
    pub(in crate::web) fn person(&self) -> ApiResult<Person> {
        self.person.ok_or_else(|| Problem::new(ErrorCode::Unauthenticated, "Log in first.").into())
    }

    /// Makes a page that caches may not keep, though it is for guests.
    pub(in crate::web) fn keep_fresh(&mut self) {
        self.is_public = false;
    }

    pub(in crate::web) fn is_staff(&self) -> bool {
        self.person.is_some_and(|person| person.role >= Role::Staff)
    }

    pub(in crate::web) fn is_admin(&self) -> bool {
        self.person.is_some_and(|person| person.role >= Role::Admin)
    }
}

/// The words and the ways of writing.
impl Shell {
    pub(in crate::web) fn t(&self, key: &str) -> String {
        self.site.texts.say(key, &[])
    }

    pub(in crate::web) fn t1(&self, key: &str, name: &str, value: impl Fill) -> String {
        self.site.texts.say(key, &[(name, value.fill())])
    }

    pub(in crate::web) fn t2(&self, key: &str, a: &str, first: impl Fill, b: &str, second: impl Fill) -> String {
        self.site.texts.say(key, &[(a, first.fill()), (b, second.fill())])
    }

    /// The text of a key that may have none.
    pub(in crate::web) fn find1(&self, key: &str, name: &str, value: impl Fill) -> Option<String> {
        self.site.texts.find(key, &[(name, value.fill())])
    }

    /// A word for one of several states, roles or kinds: the text `GROUP-WORD`.
    pub(in crate::web) fn word(&self, group: &str, word: impl std::fmt::Display) -> String {
        let word = word.to_string();
        self.site.texts.find(&format!("{group}-{word}"), &[]).unwrap_or(word)
    }

    pub(in crate::web) fn money(&self, price: impl Plain<Money>) -> String {
        self.site.format.money(price.plain())
    }

    pub(in crate::web) fn number(&self, number: impl Plain<i64>) -> String {
        self.site.format.number(*number.plain())
    }

    pub(in crate::web) fn date(&self, time: impl Plain<Time>) -> String {
        self.site.format.date(*time.plain())
    }

    pub(in crate::web) fn moment(&self, time: impl Plain<Time>) -> String {
        self.site.format.moment(*time.plain())
    }

    pub(in crate::web) fn day(&self, time: impl Plain<Time>) -> String {
        self.site.format.day(*time.plain())
    }

    pub(in crate::web) fn clock(&self, time: impl Plain<Time>) -> String {
        self.site.format.clock(*time.plain())
    }

    pub(in crate::web) fn second(&self, time: impl Plain<Time>) -> String {
        self.site.format.second(*time.plain())
    }

    pub(in crate::web) fn shop(&self) -> &str {
        &self.site.config.shop_name
    }

    pub(in crate::web) fn welcome(&self) -> &str {
        &self.site.config.welcome
    }

    pub(in crate::web) fn lang(&self) -> &'static str {
        self.site.config.locale.tag()
    }

    pub(in crate::web) fn file(&self, name: &str) -> &'static str {
        files::address(name)
    }

    /// What the first page is called at the beginning of a trail: a category may be called like it.
    pub(in crate::web) fn start(&self, trail: &[&Category]) -> String {
        let home = self.t("nav-home");
        match trail.first() {
            Some(first) if first.name == home => self.shop().to_owned(),
            _ => home,
        }
    }

    pub(in crate::web) fn roots(&self) -> impl Iterator<Item = &Category> {
        self.menu.iter().filter(|category| category.parent_id.is_none())
    }

    /// The admin pages' menu: path, name, and whether it is the one that is shown.
    pub(in crate::web) fn admin_menu(&self) -> Vec<(&'static str, String, bool)> {
        let role = self.person.map_or(Role::Customer, |person| person.role);
        admin::menu(role, &self.address).map(|(path, name, here)| (path, self.t(name), here)).collect()
    }

    /// What the page before this one left to be said.
    pub(in crate::web) fn flash(&self) -> Option<String> {
        self.flash.as_ref().and_then(|key| self.site.texts.find(key, &[]))
    }

    /// Where to go for what it says: the address and its name.
    pub(in crate::web) fn flash_link(&self) -> Option<(&'static str, String)> {
        match self.flash.as_deref()? {
            "flash-unverified" => Some(("/account", self.t("account-unverified-button"))),
            "flash-ordered" => Some(("/orders", self.t("nav-orders"))),
            _ => None,
        }
    }

    /// What the page's title begins with: those who hear the page hear first that something is wrong.
    pub(in crate::web) fn title_start(&self) -> String {
        if self.has_faults.get() { self.t("title-error") } else { String::new() }
    }

    /// The hidden field that every form carries.
    pub(in crate::web) fn token(&self) -> String {
        match self.form_token.as_str() {
            "" => String::new(),
            // Its letters are those of base64url.
            token => format!("<input type=\"hidden\" name=\"{TOKEN}\" value=\"{token}\">"),
        }
    }
}

/// How pages become answers.
impl Shell {
    /// A page. What is the same for every guest may be kept for a minute, and is told by its tag afterwards.
    pub(in crate::web) fn html(&self, page: &impl Template) -> ApiResult {
        let body = render(page)?;
        let mut response = HttpResponse::Ok();
        response.content_type("text/html; charset=utf-8");
        if self.is_public {
            let hash = Sha256::digest(body.as_bytes());
            let tag: String = hash[..12].iter().map(|byte| format!("{byte:02x}")).collect();
            // Weak: compression changes the bytes.
            let tag = format!("W/\"{tag}\"");
            response.insert_header((header::CACHE_CONTROL, "public, max-age=60"));
            response.insert_header((header::ETAG, tag.clone()));
            if self.known_tag.as_deref().is_some_and(|known| known.split(',').any(|known| known.trim() == tag)) {
                return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
            }
        }
        self.forget(&mut response);
        Ok(response.body(body))
    }

    /// The page of a form: with the status of its refusal, where it was refused; never kept by a cache.
    pub(in crate::web) fn form(&self, form: &Form, page: &impl Template) -> ApiResult {
        let mut response = HttpResponse::build(form.status());
        response.content_type("text/html; charset=utf-8");
        if let Some(seconds) = form.problem().and_then(|problem| problem.retry_after_seconds) {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        self.forget(&mut response);
        self.has_faults.set(form.problem().is_some_and(|problem| problem.code != ErrorCode::FormOutdated));
        let mut response = response.body(render(page)?);
        response.extensions_mut().insert(Written);
        Ok(response)
    }

    /// Sends the browser to a page of this site, as after every change: a reload repeats nothing.
    pub(in crate::web) fn go(&self, path: impl Into<String>) -> HttpResponse {
        HttpResponse::SeeOther().insert_header((header::LOCATION, path.into())).finish()
    }

    /// Sends the browser to the page that this one has become. Caches keep that for a short time only: another page may take the
    /// old address.
    pub(in crate::web) fn moved(&self, path: impl Into<String>) -> HttpResponse {
        let mut response = HttpResponse::MovedPermanently();
        response.insert_header((header::LOCATION, path.into()));
        if self.is_public {
            response.insert_header((header::CACHE_CONTROL, "public, max-age=60"));
        }
        response.finish()
    }

    /// As [`Shell::go`], and that page says this text (whose key begins with `flash-`).
    pub(in crate::web) fn go_saying(&self, path: impl Into<String>, flash: &str) -> HttpResponse {
        let mut response = self.go(path);
        // A cookie's value is plain letters here, so it can always be added.
        let _ = response.add_cookie(&self.site.cookies.set(FLASH, flash, 60));
        response
    }

    fn forget(&self, response: &mut actix_web::HttpResponseBuilder) {
        if self.flash.is_some() {
            response.cookie(self.site.cookies.clear(FLASH));
        }
        if self.is_stale {
            response.cookie(self.site.cookies.clear(crate::http::cookie::SESSION));
        }
    }
}

fn render(page: &impl Template) -> ApiResult<String> {
    let text = page.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be written");
        Problem::new(ErrorCode::Internal, "The page cannot be written.")
    })?;
    // HTML has no NUL: browsers show this sign for it.
    Ok(if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text })
}

/// The path with its query; the host, which some clients send too, is left out.
fn local_address(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// The path, where it is one of this site; the home page otherwise. Browsers take `//host` and `/\host` for another site's.
pub(in crate::web) fn local(path: &str) -> String {
    let is_local = path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && !path.chars().any(char::is_control);
    if is_local { path.to_owned() } else { "/".to_owned() }
}

/// What can be filled into a text.
pub(in crate::web) trait Fill {
    fn fill(&self) -> FluentValue<'static>;
}

impl Fill for i64 {
    fn fill(&self) -> FluentValue<'static> {
        (*self).into()
    }
}

impl Fill for usize {
    fn fill(&self) -> FluentValue<'static> {
        (*self).into()
    }
}

impl Fill for str {
    fn fill(&self) -> FluentValue<'static> {
        self.to_owned().into()
    }
}

impl Fill for String {
    fn fill(&self) -> FluentValue<'static> {
        self.clone().into()
    }
}

impl<T: Fill + ?Sized> Fill for &T {
    fn fill(&self) -> FluentValue<'static> {
        (**self).fill()
    }
}

/// A value, however many references a template puts before it.
pub(in crate::web) trait Plain<T> {
    fn plain(&self) -> &T;
}

macro_rules! plain {
    ($($kind:ty),*) => {
        $(impl Plain<$kind> for $kind {
            fn plain(&self) -> &$kind {
                self
            }
        })*
    };
}
plain!(i64, Time, Money);

impl<T, U: Plain<T> + ?Sized> Plain<T> for &U {
    fn plain(&self) -> &T {
        (**self).plain()
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for good in ["/", "/orders?page=2", "/products/a-b#buy"] {
            assert_eq!(local(good), good);
        }
        for bad in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/a\r\nb", "cart"]
        {
            assert_eq!(local(bad), "/");
        }
    }
}
