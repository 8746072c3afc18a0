//! Log-in, sessions, passwords and mails, over HTTP.

use emporium::call::Role;
use reqwest::Method;

use crate::testapp::{Backend, TestApp, on_both};

on_both! {
    async fn logging_out_is_felt_by_the_very_next_request_and_on_this_device_only(backend: Backend) {
        let app = TestApp::start(backend).await;
        let phone = app.token("ann@example.com", Role::Customer).await;
        let laptop = app.login("ANN@example.com").await;
        let answer = app.request_as(&phone, Method::POST, "/api/v1/auth/logout").send().await.unwrap();
        assert_eq!(answer.status(), 204);
        let answer = app.request_as(&phone, Method::POST, "/api/v1/auth/logout").send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let answer = app.request_as(&laptop, Method::POST, "/api/v1/auth/logout").send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
}
