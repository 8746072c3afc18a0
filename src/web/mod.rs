//! The site: storefront, account and admin pages, written by the server. It knows the two doors only, so it runs wherever the modules are.
//!
//! A page is a handler that asks the modules and fills a template (`templates/`) in a [`Shell`]. It works without scripts; the one
//! script makes it quicker. Forms are sent by POST and answered with a redirect; nothing is changed by GET.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use actix_web::web;

use crate::clock::{SharedClock, Time};
use crate::config::{Config, WebConfig};
use crate::http::ApiResult;
use crate::http::browser::Show;
use crate::http::cookie::Cookies;
use crate::http::gate::{Access, Rule};
use crate::inventory::{Category, Inventory};
use crate::texts::Texts;
use crate::user::User;

mod account;
mod admin;
mod again;
mod crawlers;
mod failure;
mod files;
mod form;
mod locale;
mod sale;
mod setup;
mod shell;
mod signed;
mod storefront;
pub mod system;

use form::Form;
use locale::Format;
use shell::Shell;
use signed::Keys;
use system::System;

/// How old the menu of a page may be: other processes change categories too. What this one's admin pages
/// and imports do is seen at the next page ([`Site::forget_menu`]).
const MENU_SECONDS: u32 = 3;

/// The categories, and when they were fetched.
type Menu = (Time, Arc<Vec<Category>>);

/// What all pages share; one for the whole server.
pub struct Site {
    inventory: Arc<dyn Inventory>,
    user: Arc<dyn User>,
    system: Arc<dyn System>,
    clock: SharedClock,
    config: WebConfig,
    currency: String,
    /// So many units one person may have held, so a cart is good for no more.
    units_max: i64,
    public_url: String,
    password_length_min: u32,
    texts: Texts,
    format: Format,
    cookies: Cookies,
    keys: OnceLock<Keys>,
    menu: RwLock<Option<Menu>>,
    has_admin: AtomicBool,
}

impl Site {
    pub fn new(
        inventory: Arc<dyn Inventory>,
        user: Arc<dyn User>,
        system: Arc<dyn System>,
        clock: SharedClock,
        config: &Config,
    ) -> Site {
        Site {
            inventory,
            user,
            system,
            clock,
            config: config.web.clone(),
            currency: config.inventory.currency.clone(),
            units_max: config.inventory.holder_units_max.into(),
            public_url: config.server.public_url.clone(),
            password_length_min: config.user.password_length_min,
            texts: Texts::load(config.web.locale),
            format: Format::of(&config.web),
            cookies: Cookies::of(&config.server),
            keys: OnceLock::new(),
            menu: RwLock::new(None),
            has_admin: AtomicBool::new(false),
        }
    }

    /// Was the shop set up? Asked until it was, which stays true.
    async fn has_admin(&self) -> ApiResult<bool> {
        if !self.has_admin.load(Ordering::Relaxed) && self.user.setup_token().await?.is_none() {
            self.has_admin.store(true, Ordering::Relaxed);
        }
        Ok(self.has_admin.load(Ordering::Relaxed))
    }

    async fn keys(&self) -> ApiResult<&Keys> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        // Nobody waits for anybody else here: while the database is down, each finds that out at the same time.
        let keys = Keys::of(&self.user.signing_key().await?);
        Ok(self.keys.get_or_init(|| keys))
    }

    /// All categories, as they were a moment ago.
    async fn menu(&self) -> ApiResult<Arc<Vec<Category>>> {
        let now = self.clock.now();
        let kept = self.menu.read().unwrap_or_else(PoisonError::into_inner).clone();
        let old = match kept {
            Some((at, menu)) if now < at.plus_seconds(MENU_SECONDS) => return Ok(menu),
            kept => kept,
        };
        // Others go on with the old one, until this has fetched a new one, and for a while when that fails.
        if let Some((_, menu)) = &old {
            self.keep_menu(now, menu.clone());
        }
        match (self.inventory.category_list().await, old) {
            (Ok(menu), _) => {
                let menu = Arc::new(menu);
                self.keep_menu(now, menu.clone());
                Ok(menu)
            }
            // An old menu is better than none: not every page needs the inventory.
            (Err(_), Some((_, menu))) => Ok(menu),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// The next page asks for the menu anew: this process may have changed categories.
    pub fn forget_menu(&self) {
        if let Some((at, _)) = self.menu.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *at = at.minus_seconds(MENU_SECONDS);
        }
    }

    fn keep_menu(&self, now: Time, menu: Arc<Vec<Category>>) {
        *self.menu.write().unwrap_or_else(PoisonError::into_inner) = Some((now, menu));
    }

    /// The menu of before, for pages that ask nobody.
    fn kept_menu(&self) -> Arc<Vec<Category>> {
        let kept = self.menu.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map_or_else(Arc::default, |(_, menu)| menu.clone())
    }
}

/// All pages and their files.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/static/{name}", web::get().to(files::static_file))
        .route("/demo/{name}", web::get().to(files::demo_picture))
        .route("/favicon.ico", web::get().to(files::favicon))
        .route("/robots.txt", web::get().to(crawlers::robots))
        .route("/sitemap.xml", web::get().to(crawlers::sitemap))
        .configure(storefront::configure)
        .configure(account::configure)
        .configure(setup::configure)
        .configure(admin::configure);
}

/// Who may use which page.
pub fn rules() -> Vec<Rule> {
    let files = ["/static/{name}", "/demo/{name}", "/favicon.ico", "/robots.txt", "/sitemap.xml"]
        .map(|path| ("GET", path, Access::Public));
    [&files, storefront::RULES, account::RULES, setup::RULES, &admin::rules()].concat()
}

/// How errors are shown to people.
pub fn show(site: web::Data<Site>) -> Arc<Show> {
    Arc::new(move |asked, problem| failure::show(&site, asked, problem))
}
