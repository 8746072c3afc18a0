//! Turns requests away at the door while the shop has more of their kind than it can serve: before anything is done for them, as it is
//! this work that would keep those inside waiting.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web::Data};

use super::browser::{Asked, SecureHeaders, Show, Shown, is_file};
use super::observe::{Kind, asks_for_page, request_id};
use super::priority::priority;
use super::traffic::Traffic;
use super::unread::Rest;
use super::{ProblemBody, routed_path};
use crate::db::{Database, Priority};
use crate::error::{ErrorCode, Problem};

/// Stands for the request's id in a page that is kept.
const ID: &str = "00000000-0000-0000-0000-000000000000";
/// Tells the balancer whom there is no room for: it turns the next ones away itself (config/haproxy.cfg).
const REFUSED: HeaderName = HeaderName::from_static("emporium-refused");
/// So long a page is kept.
const KEPT: Duration = Duration::from_secs(10);

/// What the door needs; one for the whole server.
pub struct Door {
    /// Behind which those who browse and search wait, and those who have an account.
    goods: Database,
    accounts: Database,
    show: Data<Show>,
    secure: Data<SecureHeaders>,
    traffic: Data<Traffic>,
    page: Mutex<Option<(Instant, Arc<str>)>>,
    refused: Refused,
}

/// How many were turned away since it was last told.
struct Refused {
    count: AtomicU64,
    told: Mutex<Instant>,
}

impl Refused {
    /// At most one line a second in the log, and not one for each.
    fn count(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let Ok(mut told) = self.told.try_lock() else { return };
        let seconds = told.elapsed().as_secs();
        if seconds >= 1 {
            *told = Instant::now();
            let count = self.count.swap(0, Ordering::Relaxed);
            tracing::warn!(
                count,
                seconds,
                "more requests come than can be served: so many were turned away in so many seconds"
            );
        }
    }
}

impl Door {
    pub fn new(
        [goods, accounts]: [Database; 2],
        show: Data<Show>,
        secure: Data<SecureHeaders>,
        traffic: Data<Traffic>,
    ) -> Door {
        let refused = Refused { count: AtomicU64::new(0), told: Mutex::new(Instant::now()) };
        Door { goods, accounts, show, secure, traffic, page: Mutex::default(), refused }
    }

    fn is_shut(&self, priority: Priority) -> bool {
        match priority {
            Priority::Vital | Priority::Sale => false,
            Priority::Account => self.accounts.sheds(priority),
            Priority::Browse | Priority::Rest => self.goods.sheds(priority),
        }
    }

    fn refusal(&self, request: &ServiceRequest, priority: Priority) -> HttpResponse {
        self.refused.count();
        metrics::counter!("emporium_requests_refused_total", "priority" => priority.as_str()).increment(1);
        let id = request_id(request.headers());
        let problem = busy();
        let mut answer = HttpResponse::ServiceUnavailable();
        if let Some(seconds) = problem.retry_after_seconds {
            answer.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        answer.insert_header((REFUSED, priority.as_str()));
        let mut answer = match asks_for_page(request) {
            true => answer.content_type("text/html; charset=utf-8").body(self.page().replace(ID, &id)),
            // Plain data with text keys, which always serialises.
            false => {
                let body = ProblemBody::of(problem, request.path(), &id);
                answer.content_type("application/problem+json").body(serde_json::to_vec(&body).unwrap_or_default())
            }
        };
        if let Ok(id) = HeaderValue::from_str(&id) {
            answer.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
        }
        answer.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        self.secure.add(routed_path(request), answer.headers_mut());
        answer
    }

    fn page(&self) -> Arc<str> {
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, page)) = page.as_ref().filter(|(made, _)| made.elapsed() < KEPT) {
            return page.clone();
        }
        let asked = Asked { is_read: true, address: "/".to_owned(), caller: None };
        let (Shown::Page(text) | Shown::Elsewhere(text)) = (self.show)(&asked, &ProblemBody::of(busy(), "/", ID));
        let text: Arc<str> = text.into();
        *page = Some((Instant::now(), text.clone()));
        text
    }
}

fn busy() -> Problem {
    Problem::busy("More requests come than can be served; try again shortly.")
}

/// The middleware, outside of all others. Health checks and files pass.
pub async fn shed<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let start = Instant::now();
    let path = routed_path(&request);
    let passes = matches!(path, "/livez" | "/readyz") || is_file(path);
    let door = request.app_data::<Data<Door>>().filter(|_| !passes).cloned();
    let priority = priority(&request);
    let Some(door) = door.filter(|door| door.is_shut(priority)) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let answer = door.refusal(&request, priority);
    door.traffic.record(answer.status().as_u16(), start.elapsed());
    Kind::refused(&request).count(answer.status(), Some(ErrorCode::Busy), start.elapsed());
    // What it sends is not read.
    let rest = Rest::of(&mut request);
    let answer = match rest {
        Some(rest) => answer.map_body(|_, body| rest.held_by(body)),
        None => answer,
    };
    Ok(request.into_response(answer).map_into_right_body())
}
