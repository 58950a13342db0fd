//! Upgrades (RFC 9110 section 7.8): the tunnel after a 101, ended when what opened it may no longer pass.
//!
//! Whether the request may pass is judged before any of it goes up; not one byte is tunnelled before a valid 101.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use aws_lc_rs::rand;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::account::Account;
use super::body::DownBody;
use super::leg::{LastFrame, Leg};
use super::term::{Ended, Term};
use super::traffic::Broken;
use super::websocket::close_frame;

/// How long a WebSocket may take to end the frame that has begun, and its peers to close.
const FAREWELL: Duration = Duration::from_millis(600);

/// The one protocol that a request asks to change to. A choice of several is none: what the upstream made of it could
/// not be foreseen. HTTP itself and TLS are never one: they would take all further requests out of sight.
pub(super) fn wanted<B>(request: &Request<B>) -> Option<HeaderValue> {
    if request.version() != Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    let mut protocols = headers.get_all(UPGRADE).iter();
    let protocol = protocols.next().filter(|_| protocols.next().is_none())?;
    let name = protocol.as_bytes().to_ascii_lowercase();
    let hidden = [&b"h2"[..], b"http", b"tls"].iter().any(|start| name.starts_with(start));
    let single = !name.is_empty() && !name.contains(&b',');
    (single && !hidden && asks_for_upgrade(headers)).then(|| protocol.clone())
}

fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(CONNECTION).iter();
    lines.any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    })
}

/// Whether a 101 changes to what was asked for.
pub(super) fn is_granted(wanted: &HeaderValue, response: &Response<Incoming>) -> bool {
    let mut granted = response.headers().get_all(UPGRADE).iter();
    let same = granted.next().is_some_and(|granted| granted.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()));
    same && granted.next().is_none()
}

/// Whether it is a change to WebSocket (RFC 6455).
fn is_websocket(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// Starts the tunnel and gives back the 101 that goes down. `term`: what it lasts as long as.
pub(super) fn tunnel(
    below: OnUpgrade,
    response: Response<Incoming>,
    account: Account,
    term: Option<Term>,
) -> Response<DownBody> {
    let websocket = response.headers().get(UPGRADE).is_some_and(is_websocket);
    let mut switched = Response::new(DownBody::whole(""));
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *switched.headers_mut() = response.headers().clone();
    let above = hyper::upgrade::on(response);
    spawn_local(async move {
        match tokio::try_join!(below, above) {
            Ok((below, above)) => carry(below, above, account, websocket, term).await,
            Err(_) => account.cut(Broken::Sender),
        }
    });
    switched
}

async fn carry(below: Upgraded, above: Upgraded, mut account: Account, websocket: bool, term: Option<Term>) {
    let (last_up, last_down) = (LastFrame::default(), LastFrame::default());
    let mut below = Leg::new(TokioIo::new(below), &last_up);
    let mut above = Leg::new(TokioIo::new(above), &last_down);
    let ended = {
        let mut copied = pin!(copy_bidirectional(&mut below, &mut above));
        let term = async {
            match term {
                Some(term) => term.await,
                None => pending().await,
            }
        };
        tokio::select! {
            copied = &mut copied => copied.map(|_| None),
            ended = term => {
                if websocket {
                    say_farewell(&last_up, &last_down, &ended);
                    // Whatever comes of it, the time is over.
                    let _ = timeout(FAREWELL, copied).await;
                }
                Ok(Some(ended))
            }
        }
    };
    account.received(below.passed());
    account.sent(above.passed());
    match ended {
        Ok(None) => account.close(),
        Ok(Some(ended)) => account.ended(&ended.rejection),
        Err(_) => account.cut(Broken::Sender),
    }
}

/// Tells both legs to end, the one that reads from the client with the frame of a client.
fn say_farewell(up: &LastFrame, down: &LastFrame, ended: &Ended) {
    // Without random numbers it is a mask all the same: what it hides from proxies is no secret here.
    let mut mask = [0; 4];
    let _ = rand::fill(&mut mask);
    // Neither was told before.
    let _ = up.set(close_frame(ended.told, Some(mask)));
    let _ = down.set(close_frame(ended.told, None));
}
