//! Bodies that are not read to their end: the connection closes with the answer. The server does so by itself where the length of a
//! body was told; the rest of one in chunks it would wait for, however long the sender takes, and with a place among all connections.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// A share of a request's body.
#[derive(Clone)]
pub(super) struct Rest(Rc<RefCell<Payload>>);

impl Rest {
    /// Keeps a share of the body, if it comes in chunks.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Rest> {
        request.chunked().unwrap_or(false).then(|| {
            let rest = Rest(Rc::new(RefCell::new(request.take_payload())));
            request.set_payload(Payload::Stream { payload: Box::pin(rest.clone()) });
            rest
        })
    }

    /// An answer's body that keeps the share until it is sent: then the server sees that somebody may want the rest, and closes.
    pub(super) fn held_by(self, body: impl MessageBody + 'static) -> BoxBody {
        BoxBody::new(Holding { body: body.boxed(), _rest: self })
    }
}

impl Stream for Rest {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

struct Holding {
    body: BoxBody,
    _rest: Rest,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(context)
    }
}
