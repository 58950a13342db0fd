//! The few lines of a client that the demo plays with.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::secret::Secret;

/// How long the demo waits for an answer of its own process.
const LIMIT: Duration = Duration::from_secs(5);

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    body: serde_json::Value,
}

impl Answer {
    /// A member of the JSON body.
    pub(super) fn member(&self, name: &str) -> &str {
        self.body.get(name).and_then(|member| member.as_str()).unwrap_or_default()
    }
}

/// Posts JSON on a connection of its own.
pub(super) async fn post(
    to: SocketAddr,
    path: &str,
    token: Option<&Secret<String>>,
    body: &'static str,
) -> Result<Answer, String> {
    let mut request = Request::post(path).header(HOST, to.to_string()).header(CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
    }
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).map_err(text)?;
    tokio::time::timeout(LIMIT, exchange(to, request)).await.map_err(|_| "no answer in time".to_owned())?
}

async fn exchange(to: SocketAddr, request: Request<Full<Bytes>>) -> Result<Answer, String> {
    let stream = TcpStream::connect(to).await.map_err(text)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    tokio::task::spawn_local(connection);
    let response = sender.send_request(request).await.map_err(text)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(text)?.to_bytes();
    Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
