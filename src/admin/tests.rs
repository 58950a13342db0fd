//! The operator's paths, asked directly and once over a connection.

use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::*;
use crate::decision::rejection::Code;
use crate::telemetry::report;
use crate::time::Clock;

fn admin(token: Option<&str>) -> Admin {
    let token = token.map(|token| Secret::new(token.to_owned()));
    Admin {
        token: Arc::new(move || token.clone()),
        metrics: Metrics::new(Clock::System),
        readiness: Readiness::default(),
        running_config: Arc::new(|| String::from("listen = \"0.0.0.0:8080\"\n")),
        report: Arc::new(|| report::open(Clock::System.now()).2.report(vec![])),
        orders: Orders::new().0,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_order_is_answered_when_it_was_carried_out() {
    let (orders, mut given) = Orders::new();
    let admin = Admin { orders, ..admin(None) };
    let told = |applied| orders::Told { applied, text: String::from("words\n"), json: String::from("{}") };
    for (applied, accept, status, body) in
        [(true, "*/*", 200, "words\n"), (false, "*/*", 409, "words\n"), (false, JSON, 409, "{}")]
    {
        let done = async { given.reload.recv().await.unwrap().send(told(applied)).unwrap() };
        let (answer, ()) =
            tokio::join!(ask(&admin, Face::Whole, request("POST", "/reload", &[("accept", accept)])), done);
        assert_eq!((answer.0, answer.2.as_str()), (status, body));
    }
    let done = async { given.drain.recv().await.unwrap().send(()).unwrap() };
    let (answer, ()) = tokio::join!(ask(&admin, Face::Whole, request("POST", "/drain", &[])), done);
    assert_eq!((answer.0, answer.2.as_str()), (200, "drained\n"));
}

#[tokio::test(flavor = "current_thread")]
async fn orders_are_taken_by_post_from_the_operator_and_from_no_web_page() {
    for path in ["/reload", "/drain"] {
        for method in ["GET", "HEAD", "PUT", "OPTIONS"] {
            let (status, headers, _) = ask(&admin(None), Face::Whole, request(method, path, &[])).await;
            assert_eq!((status, headers[ALLOW].as_bytes()), (405, &b"POST"[..]), "{method} {path}");
        }
        assert_eq!(ask(&admin(Some("x")), Face::Whole, request("POST", path, &[])).await.0, 401, "{path}");
        let origin = [("origin", "http://localhost")];
        assert_eq!(ask(&admin(None), Face::Whole, request("POST", path, &origin)).await.0, 403, "{path}");
        assert_eq!(ask(&admin(None), Face::Probes, request("POST", path, &[])).await.0, 404, "{path}");
    }
}

fn request(method: &str, path: &str, headers: &[(&'static str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(path).body(()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    request
}

/// Status, headers and body of an answer.
async fn ask(admin: &Admin, face: Face, request: Request<()>) -> (u16, HeaderMap, String) {
    let (head, body) = admin.answer(face, request).await.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "current_thread")]
async fn both_faces_serve_the_probes_and_one_the_config() {
    let admin = admin(None);
    for (face, path, status) in [
        (Face::Whole, "/livez", 200),
        (Face::Whole, "/readyz", 200),
        (Face::Whole, "/metrics", 200),
        (Face::Whole, "/config", 200),
        (Face::Whole, "/config?x=1", 200),
        (Face::Whole, "/report", 200),
        (Face::Whole, "/report?format=json", 200),
        (Face::Probes, "/report", 404),
        (Face::Probes, "/livez", 200),
        (Face::Probes, "/readyz", 200),
        (Face::Probes, "/metrics", 200),
        (Face::Probes, "/config", 404),
        (Face::Whole, "/", 404),
        (Face::Whole, "/livez/", 404),
        (Face::Probes, "/", 404),
    ] {
        let (found, headers, body) = ask(&admin, face, request("GET", path, &[])).await;
        assert_eq!(found, status, "{face:?} {path}");
        assert_eq!(headers[CACHE_CONTROL], "no-store", "{face:?} {path}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff", "{face:?} {path}");
        assert!(!body.is_empty());
    }
}

#[tokio::test(flavor = "current_thread")]
async fn other_methods_are_refused_with_what_is_allowed() {
    let admin = admin(None);
    for (method, path, status) in [
        ("POST", "/livez", 405),
        ("DELETE", "/metrics", 405),
        ("PUT", "/config", 405),
        ("POST", "/report", 405),
        ("OPTIONS", "/readyz", 405),
        ("POST", "/x", 404),
    ] {
        let (found, headers, _) = ask(&admin, Face::Whole, request(method, path, &[])).await;
        assert_eq!(found, status, "{method} {path}");
        let allow = headers.get(ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!(allow, (status == 405).then_some("GET, HEAD"), "{method} {path}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn readyz_names_what_is_awaited() {
    let admin = admin(None);
    let latch = admin.readiness.hold("keys of hotwax");
    let (status, _, body) = ask(&admin, Face::Probes, request("GET", "/readyz", &[])).await;
    assert_eq!((status, body.as_str()), (503, "not ready\nawaiting keys of hotwax\n"));
    let json = request("GET", "/readyz", &[("accept", "text/html, application/json;q=0.9")]);
    let (status, headers, body) = ask(&admin, Face::Probes, json).await;
    assert_eq!((status, &headers[CONTENT_TYPE]), (503, &HeaderValue::from_static("application/json")));
    let expected =
        serde_json::json!({"ready": false, "draining": false, "awaited": ["keys of hotwax"], "warnings": {}});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), expected);
    latch.release();
    let (status, _, body) = ask(&admin, Face::Probes, request("GET", "/readyz", &[])).await;
    assert_eq!((status, body.as_str()), (200, "ready\n"));
    admin.readiness.set_draining();
    assert_eq!(ask(&admin, Face::Probes, request("GET", "/readyz", &[])).await.0, 503);
    assert_eq!(ask(&admin, Face::Probes, request("GET", "/livez", &[])).await.0, 200, "a draining process lives");
}

#[tokio::test(flavor = "current_thread")]
async fn metrics_are_openmetrics() {
    let admin = admin(None);
    admin.metrics.route("stock").rejected(Code::TokenExpired);
    let (_, headers, body) = ask(&admin, Face::Whole, request("GET", "/metrics", &[])).await;
    assert_eq!(headers[CONTENT_TYPE], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(body.contains(r#"waxseal_requests_total{route="stock",verdict="reject",code="token_expired"} 1"#));
    assert!(body.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "current_thread")]
async fn the_whole_face_demands_its_token_and_the_probes_none() {
    let admin = admin(Some("swordfish"));
    for (headers, status) in [
        (&[][..], 401),
        (&[("authorization", "Bearer swordfish")][..], 200),
        (&[("authorization", "bEARER  swordfish")][..], 200),
        (&[("authorization", "Bearer swordfis")][..], 401),
        (&[("authorization", "Bearer swordfish2")][..], 401),
        (&[("authorization", "Bearer Swordfish")][..], 401),
        (&[("authorization", "Bearer")][..], 401),
        (&[("authorization", "Bearer ")][..], 401),
        (&[("authorization", "Basic swordfish")][..], 401),
        (&[("authorization", "swordfish")][..], 401),
        (&[("authorization", "Bearer swordfish"), ("authorization", "Bearer swordfish")][..], 401),
        (&[("authorization", "Bearer other"), ("authorization", "Bearer swordfish")][..], 401),
    ] {
        for path in ["/livez", "/readyz", "/metrics", "/config", "/nothing"] {
            let expected = if path == "/nothing" && status == 200 { 404 } else { status };
            let (found, answer, body) = ask(&admin, Face::Whole, request("GET", path, headers)).await;
            assert_eq!(found, expected, "{path} {headers:?}");
            let challenge = answer.get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
            assert_eq!(challenge.is_some(), status == 401, "{path} {headers:?}");
            let blames = challenge.is_some_and(|challenge| challenge.contains("invalid_token"));
            assert_eq!(blames, status == 401 && !headers.is_empty(), "{path} {headers:?}");
            assert!(!body.contains("swordfish"));
        }
        assert_eq!(ask(&admin, Face::Probes, request("GET", "/livez", headers)).await.0, 200);
    }
}

#[test]
fn the_token_is_never_printed() {
    let admin = admin(Some("swordfish"));
    assert!(!format!("{admin:?}").contains("swordfish"));
}

#[tokio::test(flavor = "current_thread")]
async fn head_has_the_length_of_get_and_no_body() {
    let admin = admin(None);
    let (status, headers, body) = ask(&admin, Face::Whole, request("HEAD", "/readyz", &[])).await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert_eq!(headers[CONTENT_LENGTH], "6");
}

#[tokio::test(flavor = "current_thread")]
async fn it_serves_a_connection() {
    let admin = admin(None);
    let (client, server) = tokio::io::duplex(64 * 1_024);
    let serve = service_fn(move |request: Request<hyper::body::Incoming>| {
        let admin = admin.clone();
        async move { Ok::<_, std::convert::Infallible>(admin.answer(Face::Whole, request).await) }
    });
    tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), serve));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    for (method, length) in [("GET", 6), ("HEAD", 0), ("GET", 6)] {
        let request = Request::builder().method(method).uri("/readyz").header("host", "admin");
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_LENGTH], "6", "{method}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), length, "{method}");
    }
}
