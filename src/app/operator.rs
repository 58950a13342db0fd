//! Serves the operator's front, which is never on the path of a request.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;

use super::StartError;
use crate::admin::{Admin, Face};
use crate::net::{self, ConnInfo, Drain, Hooks};

/// Bounds on what asking the admin front may cost: a scraper and a few people.
const ADMIN_LIMITS: net::Limits = net::Limits {
    header_size: 16 * 1024,
    headers: 64,
    header_timeout: Duration::from_secs(10),
    idle_timeout: Duration::from_secs(75),
    connections: 256,
    streams: 16,
};

/// A listener for the admin front, which is never on the path of a request.
pub(super) fn listen(address: SocketAddr, setting: &'static str) -> Result<(SocketAddr, TcpListener), StartError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    };
    bind().map_err(|source| StartError::Admin { address, setting, source })
}

/// Serves its addresses, one or two. Ends only where there is none.
pub(super) async fn serve_all(listeners: Vec<(TcpListener, Face)>, admin: &Rc<Admin>) {
    // It has a drain of its own, which never begins: `/readyz` answers to the very end.
    let open = Drain::default();
    let mut fronts = Vec::new();
    for (listener, face) in listeners {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => fronts.push(serve(listener, face, Rc::clone(admin), open.clone())),
            Err(error) => tracing::error!(%error, "the admin front cannot listen"),
        }
    }
    let mut fronts = fronts.into_iter();
    match (fronts.next(), fronts.next()) {
        (Some(whole), Some(probes)) => drop(tokio::join!(whole, probes)),
        (Some(whole), None) => whole.await,
        (None, _) => {}
    }
}

/// Serves one of its addresses.
async fn serve(listener: tokio::net::TcpListener, face: Face, admin: Rc<Admin>, drain: Drain) {
    let make = move |_: Arc<ConnInfo>| {
        let admin = Rc::clone(&admin);
        service_fn(move |request| {
            let admin = Rc::clone(&admin);
            async move { Ok::<_, Infallible>(admin.answer(face, request).await) }
        })
    };
    net::serve_cold(listener, ADMIN_LIMITS, drain.signal(), Hooks::none(), make).await;
}
