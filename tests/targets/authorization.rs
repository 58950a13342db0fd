//! Everywhere a token may be: the field `Authorization`, a cookie, another field, the query.

use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Empty;
use waxseal::decision::credential::{Credential, Place, unverified_token};
use waxseal::decision::head::RequestHead;
use waxseal::decision::rejection::Code;

use super::front::{self, Kind};
use super::made::NOW;
use super::model::upstream::values;

/// Each line is one place: the first byte says which, the rest is what stands there.
pub fn body(bytes: &[u8]) {
    let mut request = Request::new(Empty::<bytes::Bytes>::new());
    request.headers_mut().insert(HOST, HeaderValue::from_static("oms.example"));
    let (mut path, mut query) = ("/api/service/updateInventory", String::new());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let (kind, value) = line.split_at(1);
        let name = match kind[0] {
            b'a' => AUTHORIZATION,
            b'c' => COOKIE,
            b'h' => HeaderName::from_static("x-token"),
            b'u' => HeaderName::from_static("x_token"),
            b'o' => ORIGIN,
            b'q' => {
                query = String::from_utf8_lossy(value).into_owned();
                continue;
            }
            b'g' => {
                *request.method_mut() = Method::POST;
                continue;
            }
            other => {
                path = ["/cookie", "/query", "/header", "/report", "/get"][usize::from(other.wrapping_sub(b'0')) % 5];
                continue;
            }
        };
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        request.headers_mut().append(name, value);
    }
    let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let Ok(uri) = target.parse() else { return };
    *request.uri_mut() = uri;
    look(&request);
    pass(request.map(|_| ()));
}

/// Looks for the token in all sets of places.
fn look(request: &Request<Empty<bytes::Bytes>>) {
    let Ok(head) = RequestHead::of(request) else { return };
    let all = [
        Place::Authorization,
        Place::Cookie("token".into()),
        Place::Query("token".into()),
        Place::Header(HeaderName::from_static("x-token")),
    ];
    for chosen in 1..1_usize << all.len() {
        let places: Vec<Place> =
            all.iter().enumerate().filter(|(at, _)| chosen & (1 << at) != 0).map(|(_, place)| place.clone()).collect();
        match Credential::find(&head, &places, &[]) {
            Ok(found) => {
                assert!(places.contains(&found.place));
                assert!(request.headers().get_all(AUTHORIZATION).iter().count() < 2);
                assert!(unverified_token(&head, &found.place).is_some(), "{found:?}");
                let (hidden, token) = (format!("{found:?}"), String::from_utf8_lossy(&found.token).into_owned());
                let is_plain = token.bytes().all(|byte| byte.is_ascii_alphanumeric());
                assert!(!is_plain || token.len() < 24 || !hidden.contains(&token), "{hidden}");
            }
            Err(rejection) => {
                let expected = [Code::CredentialMissing, Code::CredentialAmbiguous, Code::TokenMalformed];
                assert!(expected.contains(&rejection.code()), "{rejection:?}");
            }
        }
    }
}

/// What passes goes up with one token at most, from wherever it came.
fn pass(request: Request<()>) {
    let Ok(permit) = front::judge(&request.clone().map(|()| Empty::<bytes::Bytes>::new()), NOW, Kind::Usual) else {
        return;
    };
    let (place, lifted) = (permit.credential().cloned(), permit.lifted().is_some());
    let sent = front::sent_up(request, permit, Kind::Usual);
    let shown = values(sent.headers(), "AUTHORIZATION");
    // Where no token is looked at, none is removed either.
    assert!(shown.len() <= 1 || place.is_none(), "{shown:?}");
    match place {
        Some(Place::Header(_)) => assert!(shown.is_empty() && values(sent.headers(), "X_TOKEN").is_empty()),
        Some(_) if !lifted => assert!(shown[0].starts_with(b"Bearer ") && shown[0].get(7) != Some(&b' '), "{shown:?}"),
        _ => {}
    }
}
