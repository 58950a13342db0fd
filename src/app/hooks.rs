//! Who is told of what happens to connections.

use std::sync::Arc;

use http::{HeaderValue, Method};

use crate::decision::rejection::Code;
use crate::live::Live;
use crate::net::{Hooks, Peer};
use crate::proxy::Front;
use crate::telemetry::access::{self, AccessRecord, Excerpt};
use crate::telemetry::metrics::{Metrics, Side};
use crate::time::Clock;

/// Who is told of what happens to connections.
pub(super) fn hooks(metrics: &Arc<Metrics>, live: Live<Front>, clock: Clock) -> Hooks {
    let (opened, closed, refused) = (Arc::clone(metrics), Arc::clone(metrics), Arc::clone(metrics));
    Hooks {
        opened: Arc::new(move || opened.opened(Side::Downstream)),
        closed: Arc::new(move || closed.closed(Side::Downstream)),
        refused: Arc::new(move |code, peer| {
            refused.unrouted().rejected(code);
            let epoch = live.epoch();
            if epoch.front.log.is_on() {
                epoch.front.log.write(nothing_asked(&clock, code, peer));
            }
        }),
    }
}

/// The line for what was refused before there was a request.
fn nothing_asked(clock: &Clock, code: Code, peer: Peer) -> AccessRecord {
    let peer = match peer {
        Peer::Ip(address) => access::Peer::Address(address.ip()),
        Peer::Unix => access::Peer::Unix,
    };
    let mut record = AccessRecord::open(clock.now(), &HeaderValue::from_static("-"), peer, &Method::default(), "-");
    record.method = Excerpt::text("-");
    record.code = Some(code);
    record.status = Some(code.status());
    record.detail = Some(Excerpt::text("refused before there was a request"));
    record
}
