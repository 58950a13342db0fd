//! The bytes of a request head, read as the server reads them, judged and sent up.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::front::{self, Kind};
use super::made::NOW;
use super::model::who_serves;

/// A resource that is guarded in [`front`].
const GUARDED: [&str; 3] = ["api", "service", "updateInventory"];

/// Reads and judges the head.
pub fn body(bytes: &[u8]) {
    let Some(request) = read(bytes) else { return };
    let Ok(permit) = front::judge(&request, NOW, Kind::Usual) else { return };
    let asked_first = *request.method() == Method::OPTIONS && permit.credential().is_none();
    if let Some(server) = who_serves(&GUARDED, request.uri().path()) {
        assert!(permit.credential().is_some() || asked_first, "{server} serves {}", request.uri().path());
    }
    let request = request.map(|_| ());
    front::sent_up(request, permit, Kind::Usual);
}

/// The request that a head makes; `None`: the server refuses it before there is one.
fn read(bytes: &[u8]) -> Option<Request<String>> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut fields);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) | Err(_) => return None,
    };
    let body = String::from_utf8_lossy(bytes.get(length..)?).into_owned();
    let mut request = Request::new(body);
    *request.version_mut() = if head.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    *request.method_mut() = Method::from_bytes(head.method?.as_bytes()).ok()?;
    *request.uri_mut() = Uri::try_from(head.path?).ok()?;
    for field in head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    // What the server refuses after its parser: a fragment, and a length that is none or stands twice.
    let mut lengths = request.headers().get_all(CONTENT_LENGTH).iter();
    let good = lengths.next().is_none_or(|length| length.to_str().is_ok_and(|length| length.parse::<u64>().is_ok()));
    let framed = good && lengths.next().is_none() && request.headers().get_all(TRANSFER_ENCODING).iter().count() < 2;
    (framed && !head.path?.contains('#')).then_some(request)
}
