//! Upgrades (RFC 9110 section 7.8): the tunnel after a 101, ended when its permit ends.
//!
//! Whether the request may pass is judged before any of it goes up; not one byte is tunnelled before a valid 101.

use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until};

use super::account::Account;
use super::body::DownBody;
use super::traffic::Broken;

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

/// Starts the tunnel and gives back the 101 that goes down. `over`: when the tunnel must end.
pub(super) fn tunnel(
    below: OnUpgrade,
    response: Response<Incoming>,
    account: Account,
    over: Option<Instant>,
) -> Response<DownBody> {
    let mut switched = Response::new(DownBody::whole(""));
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *switched.headers_mut() = response.headers().clone();
    let above = hyper::upgrade::on(response);
    spawn_local(async move {
        match tokio::try_join!(below, above) {
            Ok((below, above)) => carry(below, above, account, over).await,
            Err(_) => account.cut(Broken::Sender),
        }
    });
    switched
}

async fn carry(below: Upgraded, above: Upgraded, mut account: Account, over: Option<Instant>) {
    let (mut below, mut above) = (TokioIo::new(below), TokioIo::new(above));
    let copied = async { copy_bidirectional(&mut below, &mut above).await };
    let ended = match over {
        None => copied.await,
        Some(over) => tokio::select! {
            ended = copied => ended,
            () = sleep_until(over) => return account.cut(Broken::Over),
        },
    };
    match ended {
        Ok((up, down)) => {
            account.received(up);
            account.sent(down);
            account.close();
        }
        Err(_) => account.cut(Broken::Sender),
    }
}
