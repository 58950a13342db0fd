//! A sample OMS: the few paths of a HotWax instance that the demo speaks of, answered as it would.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::spawn_local;

use crate::keys;
use crate::time::Clock;

/// Bytes of a body that the sample reads.
const LARGEST_BODY: usize = 64 * 1024;

/// Answers until the process ends.
pub(super) async fn serve(listener: TcpListener, issuer: Rc<keys::Settings>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let issuer = Rc::clone(&issuer);
        let service = service_fn(move |request| {
            let issuer = Rc::clone(&issuer);
            async move { Ok::<_, Infallible>(answer(request, &issuer).await) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new());
        spawn_local(builder.serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, issuer: &keys::Settings) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/api/checkLoginOptions") => json_of(StatusCode::OK, &json!({ "loginAuthType": "BASIC" })),
        (&Method::POST, "/api/login") => login(&asked, issuer),
        (&Method::POST, path) if path.starts_with("/api/") && path.ends_with("updateInventory") => {
            let mut told = asked.as_object().cloned().unwrap_or_default();
            told.insert("webSiteId".to_owned(), json!("API"));
            told.insert("successMessage".to_owned(), json!("inventory updated"));
            json_of(StatusCode::OK, &Value::Object(told))
        }
        (_, path) => {
            json_of(StatusCode::NOT_FOUND, &json!({ "errorMessage": format!("the sample OMS has no {path}") }))
        }
    }
}

/// Anyone who gives a name gets a token: this is a sample.
fn login(asked: &Value, issuer: &keys::Settings) -> Response<Full<Bytes>> {
    let Some(user) = asked.get("USERNAME").and_then(Value::as_str) else {
        return json_of(StatusCode::OK, &json!({ "_ERROR_MESSAGE_": "USERNAME is missing" }));
    };
    let now = Clock::System.now();
    let expires = now.plus(3600.0).whole();
    let claims = json!({ "userLoginId": user, "iat": now.whole(), "exp": expires });
    match keys::Signer::of(issuer).and_then(|signer| signer.sign(&claims)) {
        Ok(token) => json_of(
            StatusCode::OK,
            &json!({ "token": token.expose(), "expirationTime": expires.saturating_mul(1000), "USERNAME": user }),
        ),
        Err(error) => json_of(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "errorMessage": error.to_string() })),
    }
}

fn json_of(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
