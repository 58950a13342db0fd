//! What a decision may look at of a request.

use std::net::Ipv6Addr;

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Uri, Version};

use super::forwarding::{self, folded};
use super::path::Readings;
use super::rejection::{Code, Rejection};

/// The headers by which a request says that it means another method, folded.
const METHOD_OVERRIDES: [&str; 7] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-override-method",
    "x-original-method",
    "http-method-override",
    "method-override",
];

/// The most methods that a request may say it means: each is judged, and whoever sends more means no good.
const MOST_OVERRIDES: usize = 8;

/// The borrowed view of one request.
#[derive(Debug)]
pub struct RequestHead<'a> {
    /// The method it was sent with.
    pub method: &'a Method,
    /// Methods that it says it means instead.
    pub overrides: Vec<Method>,
    /// Every way to read its path.
    pub readings: Readings<'a>,
    /// The query, never looked into but for a token that may be there.
    pub query: Option<&'a str>,
    /// The host it is for; `None`: an HTTP/1.0 request that names none.
    pub authority: Option<Authority<'a>>,
    /// Its header fields.
    pub headers: &'a HeaderMap,
    /// Whether a body is announced.
    pub has_body: bool,
}

/// A host with or without a port (RFC 9110 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// As it was sent.
    pub text: &'a str,
    host: &'a str,
}

impl<'a> Authority<'a> {
    /// Reads `host[:port]`.
    ///
    /// # Errors
    /// `request_malformed` where it is anything else: user information, a path, a port that is no number to 65535.
    pub fn parse(text: &'a str) -> Result<Self, Rejection> {
        let wrong = || malformed("the host is not host[:port]");
        let (host, port) = match text.rfind(':').filter(|at| !text.get(*at..).unwrap_or_default().contains(']')) {
            Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default()),
            None => (text, ""),
        };
        let digits = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (!port.is_empty() && port.parse::<u16>().is_err()) {
            return Err(wrong());
        }
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let good = match address {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => {
                !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
            }
        };
        if good { Ok(Self { text, host }) } else { Err(wrong()) }
    }

    /// The host without its port and without a trailing dot, in the letter case it was sent in.
    pub fn host(&self) -> &'a str {
        self.host.strip_suffix('.').unwrap_or(self.host)
    }
}

impl<'a> RequestHead<'a> {
    /// Looks at a request. Building the view may already refuse it.
    ///
    /// # Errors
    /// `method_refused`, `request_malformed` or `path_ambiguous`.
    pub fn of<B: http_body::Body>(request: &'a http::Request<B>) -> Result<Self, Rejection> {
        let method = request.method();
        refuse_method(method)?;
        let headers = request.headers();
        forwarding::refuse_folded_framing(headers)?;
        if request.version() == Version::HTTP_2 {
            refuse_untold(headers)?;
        }
        let authority = authority(request)?;
        let path = path(method, request.uri())?;
        Ok(Self {
            method,
            overrides: overrides(headers)?,
            readings: Readings::of(path)?,
            query: request.uri().query(),
            authority,
            headers,
            has_body: has_body(request),
        })
    }

    /// Looks again at a request of which no header field was kept: `headers` has none.
    ///
    /// # Errors
    /// None that the first look did not have.
    pub(super) fn again(
        method: &'a Method,
        overrides: &[Method],
        target: &'a Uri,
        authority: Option<&'a str>,
        headers: &'a HeaderMap,
    ) -> Result<Self, Rejection> {
        Ok(Self {
            method,
            overrides: overrides.to_vec(),
            readings: Readings::of(path(method, target)?)?,
            query: target.query(),
            authority: authority.map(Authority::parse).transpose()?,
            headers,
            has_body: false,
        })
    }

    /// Every method under which it is judged.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        std::iter::once(self.method).chain(&self.overrides)
    }

    /// Whether this is a CORS preflight that may pass without a token.
    pub fn is_preflight(&self) -> bool {
        let one = |name: HeaderName| {
            let mut lines = self.headers.get_all(name).iter();
            lines.next().is_some() && lines.next().is_none()
        };
        *self.method == Method::OPTIONS
            && one(ORIGIN)
            && one(http::header::ACCESS_CONTROL_REQUEST_METHOD)
            && !self.has_body
            && !self.headers.contains_key(http::header::AUTHORIZATION)
            && !self.headers.contains_key(COOKIE)
            && self.overrides.is_empty()
    }

    /// Whether `origin` is a page of the host that the request is for.
    pub fn is_own_origin(&self, origin: &str) -> bool {
        let Some((scheme, rest)) = origin.split_once("://") else { return false };
        let Ok(page) = Authority::parse(rest) else { return false };
        matches!(scheme, "http" | "https")
            && self.authority.is_some_and(|own| own.host().eq_ignore_ascii_case(page.host()))
            && self.authority.is_some_and(|own| own.port() == page.port())
    }
}

impl<'a> Authority<'a> {
    /// The port, where one is written that is not the usual one of either scheme.
    fn port(&self) -> Option<&'a str> {
        let port = self.text.get(self.host.len()..)?.strip_prefix(':')?;
        (!matches!(port, "" | "80" | "443")).then_some(port)
    }
}

/// The host that a request is for: the target's where it has one, else `Host` (RFC 9112 section 3.2.2).
fn authority<B>(request: &http::Request<B>) -> Result<Option<Authority<'_>>, Rejection> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(malformed("two Host fields"));
    }
    let host = match host {
        Some(host) => Some(host.to_str().map_err(|_| malformed("the host is not host[:port]"))?),
        None if request.version() == Version::HTTP_11 => return Err(malformed("no Host field")),
        None => None,
    };
    if let Some(host) = host {
        Authority::parse(host)?;
    }
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    target.or(host).map(Authority::parse).transpose()
}

/// The path of the request-target, in origin or absolute form (RFC 9112 section 3.2).
fn path<'a>(method: &Method, uri: &'a Uri) -> Result<&'a str, Rejection> {
    let path = uri.path();
    if path == "*" {
        // The asterisk form asks about the server as a whole.
        return if *method == Method::OPTIONS { Ok("/") } else { Err(malformed("the target is no path")) };
    }
    if uri.scheme().is_none() && uri.authority().is_some() {
        return Err(malformed("the target is an authority; a path begins with `/`"));
    }
    if uri.scheme_str().is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
        return Err(malformed("the target is of another scheme than http and https"));
    }
    Ok(path)
}

/// Refuses what HTTP/2 can say and HTTP/1.1 cannot: values that begin or end with white space (RFC 9113 section 8.2.1),
/// and the same length twice, which would go up twice.
fn refuse_untold(headers: &HeaderMap) -> Result<(), Rejection> {
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(malformed("two Content-Length fields"));
    }
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    for (name, value) in headers {
        let bytes = value.as_bytes();
        if blank(bytes.first()) || blank(bytes.last()) {
            let why = format!("the value of {:?} begins or ends with white space", name.as_str());
            return Err(Rejection::new(Code::RequestMalformed, why));
        }
    }
    Ok(())
}

/// Refuses methods that no route can serve, in any letter case.
fn refuse_method(method: &Method) -> Result<(), Rejection> {
    let name = method.as_str();
    if name.eq_ignore_ascii_case("CONNECT") || name.eq_ignore_ascii_case("TRACE") {
        return Err(Rejection::new(Code::MethodRefused, format!("{method} is never served")));
    }
    Ok(())
}

/// Whether a server could take the field for one that overrides the method.
pub fn overrides_method(name: &HeaderName) -> bool {
    // Nearly every name is known to be none of them by its first letter and its length.
    let text = name.as_str();
    matches!(text.as_bytes().first(), Some(b'x' | b'h' | b'm'))
        && (13..=22).contains(&text.len())
        && METHOD_OVERRIDES.contains(&&*folded(name))
}

fn overrides(headers: &HeaderMap) -> Result<Vec<Method>, Rejection> {
    let mut methods: Vec<Method> = Vec::new();
    for (name, value) in headers {
        if !overrides_method(name) {
            continue;
        }
        let words = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        for word in words.filter(|word| !word.is_empty()) {
            let method = Method::from_bytes(&word.to_ascii_uppercase())
                .map_err(|_| malformed("a method override that names no method"))?;
            refuse_method(&method)?;
            if methods.contains(&method) {
                continue;
            }
            if methods.len() == MOST_OVERRIDES {
                return Err(malformed("more than eight method overrides"));
            }
            methods.push(method);
        }
    }
    Ok(methods)
}

/// Whether a body is announced. `Content-Length: 0` announces none.
fn has_body<B: http_body::Body>(request: &http::Request<B>) -> bool {
    let headers = request.headers();
    let length = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    length || headers.contains_key(TRANSFER_ENCODING) || !request.body().is_end_stream()
}

fn malformed(why: &'static str) -> Rejection {
    Rejection::new(Code::RequestMalformed, why)
}

#[cfg(test)]
pub(super) mod tests {
    use http::HeaderValue;
    use http_body_util::Empty;

    use super::*;

    /// A request as a test writes it.
    pub(crate) struct Asked(pub(crate) http::Request<Empty<bytes::Bytes>>);

    impl Asked {
        pub(crate) fn new(method: &str, target: &str) -> Self {
            let request = http::Request::builder().method(method).uri(target).header(HOST, "oms.example");
            Self(request.body(Empty::new()).unwrap())
        }

        pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            self.0.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            self
        }

        pub(crate) fn host(mut self, host: &str) -> Self {
            self.0.headers_mut().insert(HOST, HeaderValue::from_str(host).unwrap());
            self
        }

        pub(crate) fn head(&self) -> RequestHead<'_> {
            RequestHead::of(&self.0).unwrap()
        }

        fn code(&self) -> Option<Code> {
            RequestHead::of(&self.0).err().map(|rejection| rejection.code())
        }
    }

    #[test]
    fn hosts_are_host_and_port() {
        for host in ["oms.example", "OMS:8080", "127.0.0.1", "[::1]:80", "a_b", "x.", "x:"] {
            assert_eq!(Asked::new("GET", "/").host(host).code(), None, "{host}");
        }
        for host in
            ["a@b", "a/b", "a b", "", ":80", "a:x", "a:65536", "a:123456", "[::1", "[x]", "a?b", "a\\b", "a,b", "a%41"]
        {
            assert_eq!(Asked::new("GET", "/").host(host).code(), Some(Code::RequestMalformed), "{host}");
        }
    }

    #[test]
    fn one_host_is_wanted() {
        let two = Asked::new("GET", "/").header("host", "b");
        assert_eq!(two.code(), Some(Code::RequestMalformed));
        let mut none = Asked::new("GET", "/");
        none.0.headers_mut().remove(HOST);
        assert_eq!(none.code(), Some(Code::RequestMalformed));
        *none.0.version_mut() = Version::HTTP_10;
        assert_eq!(none.code(), None);
    }

    #[test]
    fn one_length_can_come_by_http_2() {
        let one = || {
            let mut asked = Asked::new("POST", "/").header("content-length", "2");
            *asked.0.version_mut() = Version::HTTP_2;
            asked
        };
        assert_eq!(one().code(), None);
        assert_eq!(one().header("content-length", "2").code(), Some(Code::RequestMalformed));
    }

    #[test]
    fn values_with_white_space_around_them_cannot_come_by_http_2() {
        for (value, code) in
            [(" x", Some(Code::RequestMalformed)), ("x\t", Some(Code::RequestMalformed)), ("a b", None), ("", None)]
        {
            let mut asked = Asked::new("GET", "/").header("x-a", value);
            assert_eq!(asked.code(), None, "{value:?}");
            *asked.0.version_mut() = Version::HTTP_2;
            assert_eq!(asked.code(), code, "{value:?}");
        }
    }

    #[test]
    fn the_authority_of_the_target_is_the_host() {
        let asked = Asked::new("GET", "http://a.example:81/x");
        assert_eq!(asked.head().authority.map(|authority| authority.text), Some("a.example:81"));
    }

    #[test]
    fn targets_that_are_no_path_are_refused() {
        assert_eq!(Asked::new("POST", "*").code(), Some(Code::RequestMalformed));
        assert_eq!(Asked::new("OPTIONS", "*").code(), None);
        assert_eq!(Asked::new("POST", "a:80").code(), Some(Code::RequestMalformed));
        assert_eq!(Asked::new("CONNECT", "a:80").code(), Some(Code::MethodRefused));
        assert_eq!(Asked::new("TRACE", "/").code(), Some(Code::MethodRefused));
        assert_eq!(Asked::new("trace", "/").code(), Some(Code::MethodRefused));
        assert_eq!(Asked::new("GET", "/").header("x-http-method", "Trace").code(), Some(Code::MethodRefused));
        assert_eq!(Asked::new("GET", "ftp://a/x").code(), Some(Code::RequestMalformed));
    }

    #[test]
    fn the_short_look_at_a_name_passes_every_override() {
        for name in METHOD_OVERRIDES {
            assert!(overrides_method(&HeaderName::from_static(name)), "{name}");
        }
        assert!(!overrides_method(&HeaderName::from_static("x-http-methods")));
    }

    #[test]
    fn overrides_are_seen_in_any_spelling() {
        for name in ["X-HTTP-Method-Override", "x_http_method_override", "X.Method.Override", "X-HTTP-Method"] {
            let asked = Asked::new("GET", "/").header(name, "post, Delete");
            let methods: Vec<&str> = asked.0.headers().keys().map(HeaderName::as_str).collect();
            assert_eq!(asked.head().overrides, [Method::POST, Method::DELETE], "{name} {methods:?}");
        }
        assert_eq!(Asked::new("GET", "/").header("x-method-override", "a b").code(), Some(Code::RequestMalformed));
        assert!(Asked::new("GET", "/").header("x-method-override", "").head().overrides.is_empty());
        let many = |names: &[&str]| Asked::new("GET", "/").header("x-method-override", &names.join(","));
        assert_eq!(many(&["post"; 1000]).head().overrides, [Method::POST]);
        assert_eq!(many(&["a", "b", "c", "d", "e", "f", "g", "h"]).code(), None);
        let nine = many(&["a", "b", "c", "d", "e", "f", "g", "h", "i"]);
        assert_eq!(nine.code(), Some(Code::RequestMalformed));
    }

    #[test]
    fn a_preflight_is_options_with_origin_and_method_and_nothing_that_could_act() {
        let preflight =
            || Asked::new("OPTIONS", "/").header("origin", "https://a").header("access-control-request-method", "POST");
        assert!(preflight().head().is_preflight());
        assert!(preflight().header("content-length", "0").head().is_preflight());
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("content-length", "1"),
            ("transfer-encoding", "chunked"),
            ("x-method-override", "POST"),
            ("origin", "https://b"),
            ("access-control-request-method", "GET"),
        ] {
            assert!(!preflight().header(name, value).head().is_preflight(), "{name}");
        }
        assert!(!Asked::new("OPTIONS", "/").head().is_preflight());
    }

    #[test]
    fn a_page_is_the_hosts_own_by_host_and_port() {
        for (host, origin, own) in [
            ("oms.example", "https://oms.example", true),
            ("oms.example:443", "https://OMS.example", true),
            ("oms.example:8080", "http://oms.example:8080", true),
            ("oms.example", "https://oms.example:8080", false),
            ("oms.example", "https://other.example", false),
            ("oms.example", "null", false),
        ] {
            assert_eq!(Asked::new("GET", "/").host(host).head().is_own_origin(origin), own, "{host} {origin}");
        }
    }
}
