//! What a browser does for a person: keeps cookies, says from where it sends forms, and shows where it is sent next.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use crate::testapp::{PASSWORD, TestApp};

pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) user_agent: &'static str,
    /// Of the last page with a form for somebody who is logged in.
    pub(crate) token: String,
}

/// An answer of the shop.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Shown {
    /// Where the browser is sent.
    pub(crate) fn to(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// The whole `Set-Cookie` of this cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let beginning = format!("{name}=");
        let cookies = self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        cookies.into_iter().find(|cookie| cookie.starts_with(&beginning))
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> &str {
        let field = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&field).unwrap_or_else(|| panic!("no field {name} in\n{}", self.body));
        rest.split('"').next().unwrap()
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(self.body.contains(text), "{text:?} is not in\n{}", self.body);
    }

    #[track_caller]
    pub(crate) fn is_silent_of(&self, text: &str) {
        assert!(!self.body.contains(text), "{text:?} is in\n{}", self.body);
    }

    /// Does the page tell a fault at this field?
    pub(crate) fn has_fault(&self, name: &str) -> bool {
        self.body.contains(&format!("id=\"f-{}-fault\"", name.replace('_', "-")))
    }
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Browser<'a> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Browser { app, http, cookies: BTreeMap::new(), user_agent: "curl/8.5.0", token: String::new() }
    }

    /// A browser in which this person has logged in.
    pub(crate) async fn of(app: &'a TestApp, email: &str) -> Browser<'a> {
        let mut browser = Browser::new(app);
        assert_eq!(browser.login(email, PASSWORD).await.to(), "/account");
        browser.get("/account").await;
        browser
    }

    pub(crate) async fn login(&mut self, email: &str, password: &str) -> Shown {
        self.post("/login", &[("email", email), ("password", password), ("next", "/account")]).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let request = self.http.request(method, format!("http://{}{path}", self.app.address));
        request.header("cookie", cookies).header("accept", "text/html").header("user-agent", self.user_agent)
    }

    /// A form, before anything says from where it was sent.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.request(Method::POST, path);
        request.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    pub(crate) async fn send(&mut self, request: RequestBuilder) -> Shown {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            match cookie.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let shown = Shown { status, headers, body: answer.text().await.unwrap() };
        if shown.body.contains("name=\"form_token\"") {
            self.token = shown.hidden("form_token").to_owned();
        }
        shown
    }

    pub(crate) async fn get(&mut self, path: &str) -> Shown {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends a form of a page of this shop.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let token = self.token.clone();
        let fields = [&[("form_token", &*token)], fields].concat();
        let request = self.form(path, &fields).header("origin", format!("http://{}", self.app.address));
        self.send(request).await
    }

    pub(crate) fn shop_address(&self) -> std::net::SocketAddr {
        self.app.address
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.cookies.contains_key("session")
    }
}
