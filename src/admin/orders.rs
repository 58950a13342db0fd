//! What the operator may order: a reload and a drain.
//!
//! An order is carried out by whoever runs the process; here it is taken, and answered when it is done. No web page may
//! give one: a browser on this machine reaches a front on loopback, and would send it without asking anybody.

use std::time::Duration;

use bytes::Bytes;
use http::header::ORIGIN;
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Admin, JSON, TEXT, asks_for_json, method_refused, respond};

/// How many may wait for one order to be carried out.
const WAITING: usize = 64;
/// How long a reload may take until it is no longer waited for. It may still be done afterwards.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where orders go, each with the way to tell that it is done.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Read the config anew.
    pub reload: mpsc::Sender<oneshot::Sender<Told>>,
    /// Stop serving.
    pub drain: mpsc::Sender<oneshot::Sender<()>>,
}

/// The other end: orders to be carried out.
#[derive(Debug)]
pub struct Given {
    /// Whoever ordered a reload.
    pub reload: mpsc::Receiver<oneshot::Sender<Told>>,
    /// Whoever ordered a drain.
    pub drain: mpsc::Receiver<oneshot::Sender<()>>,
}

/// What came of a reload.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whether the config that was read is in force now.
    pub applied: bool,
    /// In words.
    pub text: String,
    /// For programs.
    pub json: String,
}

impl Orders {
    /// Both ends.
    pub fn new() -> (Self, Given) {
        let ((reload, reloads), (drain, drains)) = (mpsc::channel(WAITING), mpsc::channel(WAITING));
        (Self { reload, drain }, Given { reload: reloads, drain: drains })
    }

    /// Orders a reload that nobody waits for. One that finds no place is not missed: there are others.
    pub fn reload(&self) {
        let (tell, _) = oneshot::channel();
        let _ = self.reload.try_send(tell);
    }
}

impl Admin {
    /// Takes an order and answers when it was carried out.
    pub(super) async fn order(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response<Full<Bytes>> {
        if method != Method::POST {
            return method_refused("POST");
        }
        if headers.contains_key(ORIGIN) {
            return respond(StatusCode::FORBIDDEN, TEXT, "no web page gives orders here\n");
        }
        match path {
            "/reload" => self.reload(headers).await,
            _ => self.drain().await,
        }
    }

    async fn reload(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let (tell, done) = oneshot::channel();
        if self.orders.reload.try_send(tell).is_err() {
            return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "too many wait for a reload already\n");
        }
        let Ok(Ok(told)) = timeout(PATIENCE, done).await else {
            return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the reload did not end in time; see the log\n");
        };
        let status = if told.applied { StatusCode::OK } else { StatusCode::CONFLICT };
        if asks_for_json(headers) { respond(status, JSON, told.json) } else { respond(status, TEXT, told.text) }
    }

    /// Waits without a limit of its own: `[drain]` has one.
    async fn drain(&self) -> Response<Full<Bytes>> {
        let (tell, done) = oneshot::channel();
        if self.orders.drain.try_send(tell).is_err() || done.await.is_err() {
            return respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the process is ending\n");
        }
        respond(StatusCode::OK, TEXT, "drained\n")
    }
}
