//! Somebody with a browser: keeps cookies, reads the hidden fields of forms, and sends them as a page of the shop does.

use std::collections::BTreeMap;

use emporium::call::Role;
use emporium::clock::Id;
use emporium::config::Secret;
use emporium::user::Registration;
use reqwest::Method;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};

use crate::testapp::{PASSWORD, TestApp};

pub(super) struct Visitor<'a> {
    pub(super) app: &'a TestApp,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

pub(super) struct Shown {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Shown {
    pub(super) fn to(&self) -> &str {
        self.headers.get(LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of the first hidden field of this name.
    #[track_caller]
    pub(super) fn hidden(&self, name: &str) -> String {
        self.between(&format!("name=\"{name}\" value=\""), "\"").to_owned()
    }

    #[track_caller]
    pub(super) fn between(&self, start: &str, end: &str) -> &str {
        let rest = self.body.split_once(start).unwrap_or_else(|| panic!("no {start:?} in\n{}", self.body)).1;
        rest.split(end).next().unwrap()
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    #[track_caller]
    pub(super) fn says(&self, text: &str) {
        assert!(self.has(text), "{text:?} is not in\n{}", self.body);
    }

    #[track_caller]
    pub(super) fn is_silent_of(&self, text: &str) {
        assert!(!self.has(text), "{text:?} is in\n{}", self.body);
    }
}

impl<'a> Visitor<'a> {
    pub(super) fn guest(app: &'a TestApp) -> Visitor<'a> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Visitor { app, http, cookies: BTreeMap::new() }
    }

    /// Somebody new, of this role and logged in; and the id.
    pub(super) async fn new(app: &'a TestApp, email: &str, role: Role) -> (Visitor<'a>, Id) {
        let new = Registration { email: email.into(), password: Secret::new(PASSWORD), name: "Test Person".into() };
        let id = app.shop.modules.user.create("test", new, role).await.unwrap().id;
        let mut visitor = Visitor::guest(app);
        visitor.login(email).await;
        (visitor, id)
    }

    pub(super) async fn login(&mut self, email: &str) {
        let fields = [("email", email), ("password", PASSWORD), ("next", "/")];
        let shown = self.post("/login", &fields).await;
        assert_eq!((shown.status, shown.to()), (303, "/"), "{}", shown.body);
    }

    pub(super) async fn get(&mut self, path: &str) -> Shown {
        let request = self.http.request(Method::GET, self.url(path));
        self.send(request).await
    }

    /// A page that must come.
    #[track_caller]
    pub(super) fn page(&mut self, path: &str) -> impl Future<Output = Shown> {
        let caller = std::panic::Location::caller();
        async move {
            let shown = self.get(path).await;
            assert_eq!(shown.status, 200, "{path} at {caller}: {}", shown.body);
            shown
        }
    }

    /// Sends a form as a page of the shop does.
    pub(super) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let origin = format!("http://{}", self.app.address);
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.request(Method::POST, self.url(path)).header("origin", origin).body(form);
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    /// Sends a form of the page at `from`, with the hidden fields that it has there.
    pub(super) async fn submit(&mut self, from: &str, hidden: &[&str], path: &str, fields: &[(&str, &str)]) -> Shown {
        let page = self.get(from).await;
        let values: Vec<String> = hidden.iter().map(|name| page.hidden(name)).collect();
        let token = page.hidden("form_token");
        let known = hidden.iter().copied().zip(values.iter().map(String::as_str));
        let fields: Vec<(&str, &str)> =
            [("form_token", token.as_str())].into_iter().chain(known).chain(fields.iter().copied()).collect();
        self.post(path, &fields).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address)
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Shown {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("accept", "text/html").header("cookie", cookies.join("; "));
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
        Shown { status, headers, body: answer.text().await.unwrap() }
    }
}
