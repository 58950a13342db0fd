//! A request as a person writes it down: a method, a target, some headers, maybe a token.

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Empty;

use crate::decision::credential::Place;
use crate::decision::head::RequestHead;
use crate::decision::path::Readings;
use crate::decision::policy::Policy;
use crate::decision::rejection::{Code, Rejection};
use crate::decision::snapshot::Snapshot;
use crate::net::{ConnInfo, Flaw, Limits, Peer, check_length};
use crate::secret::Secret;

/// The host that a request is for where nobody says.
const USUAL_HOST: &str = "localhost";

/// Stands in place of what must not be shown.
pub const HIDDEN: &str = "[hidden]";

/// A request to be judged. It prints itself without its query.
#[derive(Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The request-target, byte for byte.
    pub target: String,
    /// The header fields.
    pub headers: HeaderMap,
    /// The connection it would come on.
    pub conn: ConnInfo,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, headers) = (without_secrets(&self.target), &self.headers);
        let mut shown = f.debug_struct("Asked");
        shown.field("method", &self.method).field("target", &target).field("headers", headers);
        shown.field("conn", &self.conn).finish()
    }
}

impl Asked {
    /// A request from this machine, in cleartext.
    ///
    /// # Errors
    /// Where the method is none (RFC 9110 section 5.6.2).
    pub fn new(method: &str, target: &str) -> Result<Self, String> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            format!("{:?} is no method: write METHOD TARGET, as in POST /api/updateInventory", without_secrets(method))
        })?;
        let peer = Peer::Ip(([127, 0, 0, 1], 0).into());
        let conn = ConnInfo { peer, local: None, tls: false, id: 0 };
        Ok(Self { method, target: target.to_owned(), headers: HeaderMap::new(), conn })
    }

    /// Reads `METHOD TARGET`, as the first line of a request has it.
    ///
    /// # Errors
    /// Where it is not two words.
    pub fn line(line: &str) -> Result<Self, String> {
        let shown = without_secrets(line);
        match line.split_once(' ') {
            Some((_, target)) if [" HTTP/1.1", " HTTP/1.0", " HTTP/2"].iter().any(|end| target.ends_with(end)) => {
                let bare = shown.rsplit_once(' ').map_or(&*shown, |(bare, _)| bare);
                Err(format!("{shown:?} names a version, which plays no part: write {bare:?}"))
            }
            Some((method, target)) if !target.is_empty() && !target.starts_with(' ') => Self::new(method, target),
            None if line.starts_with('/') => {
                let meant = format!("GET {shown}");
                Err(format!("{shown:?} is no METHOD TARGET: write {meant:?}"))
            }
            _ => Err(format!("{shown:?} is no request: write METHOD TARGET, as in \"POST /api/updateInventory\"")),
        }
    }

    /// Adds a header field, written `Name: value`.
    ///
    /// # Errors
    /// Where it is no header field. Its value is not told, which may be a secret, nor what stands in place of a name.
    pub fn header(&mut self, field: &str) -> Result<(), String> {
        let (name, value) = field.split_once(':').ok_or("a header is written 'Name: value'")?;
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "what stands before the colon is no name of a header: write 'Name: value'")?;
        let value = hidden(value.trim_matches([' ', '\t']).to_owned())
            .ok_or_else(|| format!("the value of {:?} cannot stand in a header", name.as_str()))?;
        self.headers.append(name, value);
        Ok(())
    }

    /// Shows a token where the route that the request falls under looks for one: in `Authorization`, if it may.
    pub fn show(&mut self, token: &Secret<String>, snapshot: &Snapshot) {
        let text = token.expose();
        match self.place(snapshot) {
            Place::Authorization => {
                if let Some(value) = hidden(format!("Bearer {text}")) {
                    self.headers.append(AUTHORIZATION, value);
                }
            }
            Place::Cookie(name) => {
                if let Some(value) = hidden(format!("{name}={text}")) {
                    self.headers.append(COOKIE, value);
                }
            }
            Place::Header(name) => {
                if let Some(value) = hidden(text.clone()) {
                    self.headers.append(name, value);
                }
            }
            Place::Query(name) => {
                let before = if self.target.contains('?') { '&' } else { '?' };
                self.target = format!("{}{before}{name}={text}", self.target);
            }
        }
    }

    /// Where the most specific guard looks for a token.
    fn place(&self, snapshot: &Snapshot) -> Place {
        let Ok(request) = self.request() else { return Place::Authorization };
        let Ok(head) = RequestHead::of(&request) else { return Place::Authorization };
        let held = snapshot.routes.find(&head);
        let guards = held.iter().filter_map(|id| match &snapshot.routes.route(id)?.policy {
            Policy::Require(requirement) => Some(&requirement.places),
            Policy::Open | Policy::Deny => None,
        });
        let places = guards.into_iter().next().filter(|places| !places.contains(&Place::Authorization));
        places.and_then(|places| places.first().cloned()).unwrap_or(Place::Authorization)
    }

    /// The request as a server's parser hands it on.
    ///
    /// # Errors
    /// What the parser refuses before there is a request: `path_ambiguous` or `request_malformed`.
    pub fn request(&self) -> Result<Request<Empty<Bytes>>, Rejection> {
        if self.target.contains('#') {
            return Err(Flaw::Fragment.into());
        }
        let uri: Uri = self.target.parse().map_err(|_| self.no_uri())?;
        let mut request = Request::new(Empty::new());
        *request.method_mut() = self.method.clone();
        check_length(&self.headers)?;
        *request.headers_mut() = self.headers.clone();
        if !self.headers.contains_key(HOST) {
            let own = uri.authority().and_then(|own| HeaderValue::try_from(own.as_str()).ok());
            request.headers_mut().insert(HOST, own.unwrap_or(HeaderValue::from_static(USUAL_HOST)));
        }
        *request.uri_mut() = uri;
        Ok(request)
    }

    /// Whether its head is within the limits of a listener.
    ///
    /// # Errors
    /// `headers_too_large`.
    pub fn fits(&self, limits: &Limits) -> Result<(), Rejection> {
        const LINE: usize = "  HTTP/1.1\r\n\r\n".len();
        const FIELD: usize = ": \r\n".len();
        let fields = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
        let size = self.method.as_str().len() + self.target.len() + LINE + fields.sum::<usize>();
        let (most, largest) = (limits.headers, limits.header_size);
        if self.headers.len() > most {
            let detail = format!("{} header fields, at most {most} are taken (limits.headers)", self.headers.len());
            Err(Rejection::new(Code::HeadersTooLarge, detail))
        } else if size > largest {
            let detail = format!("a head of {size} bytes, at most {largest} are taken (limits.header_size)");
            Err(Rejection::new(Code::HeadersTooLarge, detail))
        } else {
            Ok(())
        }
    }

    /// Why the target is none.
    fn no_uri(&self) -> Rejection {
        let path = self.target.split('?').next().unwrap_or_default();
        let malformed = "the target is neither a path that begins with / nor a URL";
        Readings::of(path)
            .err()
            .filter(|_| path.starts_with('/'))
            .unwrap_or_else(|| Rejection::new(Code::RequestMalformed, malformed))
    }
}

/// A target, alone or behind its method, of which nothing is shown that may be a secret: neither its query, in which a
/// token may be, nor the user of a URL.
pub fn without_secrets(target: &str) -> String {
    let (target, query) = target.split_once('?').map_or((target, None), |(before, query)| (before, Some(query)));
    let (scheme, rest) = target.split_at(target.find("://").map_or(0, |at| at + "://".len()));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let query = query.map_or(String::new(), |_| format!("?{HIDDEN}"));
    format!("{scheme}{}{path}{query}", without_user(authority))
}

/// An authority without the user and the password that may stand before its host.
pub fn without_user(authority: &str) -> String {
    authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"))
}

/// A value that does not print itself, since it may be a token.
fn hidden(text: String) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_method_and_a_target() {
        let asked = Asked::line("POST /api/updateInventory?x=1").unwrap();
        assert_eq!((asked.method.as_str(), &*asked.target), ("POST", "/api/updateInventory?x=1"));
        for line in ["", "POST", "/api", "POST ", "POST  /x", "PO(ST /x"] {
            assert!(Asked::line(line).unwrap_err().contains("METHOD TARGET"), "{line}");
        }
    }

    #[test]
    fn what_is_nearly_a_request_is_told_what_to_write() {
        for (line, words) in [("/api", "write \"GET /api\""), ("GET /api HTTP/1.1", "write \"GET /api\"")] {
            assert!(Asked::line(line).unwrap_err().ends_with(words), "{line}");
        }
        assert!(Asked::line("GET /a b").is_ok(), "how it is judged is another matter");
    }

    #[test]
    fn a_header_is_a_name_and_a_value_that_is_never_told() {
        let mut asked = Asked::new("GET", "/").unwrap();
        asked.header("X-Token:  swordfish ").unwrap();
        asked.header("Host: oms.example").unwrap();
        assert_eq!(asked.headers.get("x-token").unwrap(), "swordfish");
        assert!(!format!("{asked:?}").contains("swordfish"));
        assert_eq!(asked.request().unwrap().headers().get(HOST).unwrap(), "oms.example");
        for field in ["swordfish", "a b: swordfish", "x-a: sword\nfish", "Cookie a=swordfish; b: c", "swordfish!é: x"]
        {
            let error = asked.header(field).unwrap_err();
            assert!(!error.contains("sword"), "{error}");
        }
    }

    #[test]
    fn neither_query_nor_user_is_shown() {
        for (target, shown) in [
            ("/a@b", "/a@b"),
            ("/a?", "/a?[hidden]"),
            ("/a?t=swordfish?x", "/a?[hidden]"),
            ("http://u:swordfish@h:1/a@b?c", "http://[hidden]@h:1/a@b?[hidden]"),
            ("u:swordfish@h:80", "[hidden]@h:80"),
            ("GET http://swordfish@h", "GET http://[hidden]@h"),
            ("GET /a/://u@x", "GET /a/://[hidden]@x"),
        ] {
            assert_eq!(without_secrets(target), shown);
        }
        let mut asked = Asked::new("GET", "/?t=swordfish").unwrap();
        asked.header("Cookie: swordfish").unwrap();
        let errors = [Asked::line("GET/?t=swordfish").unwrap_err(), Asked::new("/?swordfish", "/").unwrap_err()];
        assert!(!format!("{asked:?}{errors:?}").contains("swordfish"), "{asked:?}{errors:?}");
    }

    #[test]
    fn what_a_parser_refuses_is_refused() {
        let code = |target: &str| Asked::new("GET", target).unwrap().request().err().map(|told| told.code());
        for target in ["/", "/a?b", "*", "http://oms.example/x", "/%zz"] {
            assert_eq!(code(target), None, "{target}");
        }
        for (target, expected) in [
            ("/a#b", Code::PathAmbiguous),
            ("/a b", Code::PathAmbiguous),
            ("/a<", Code::PathAmbiguous),
            ("", Code::RequestMalformed),
            ("api/x", Code::RequestMalformed),
            ("http://", Code::RequestMalformed),
        ] {
            assert_eq!(code(target), Some(expected), "{target}");
        }
    }

    #[test]
    fn the_authority_of_the_target_is_the_host_where_none_is_given() {
        let host = |target: &str| {
            let request = Asked::new("GET", target).unwrap().request().unwrap();
            request.headers().get(HOST).unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(host("http://oms.example:81/x"), "oms.example:81");
        assert_eq!(host("/x"), "localhost");
    }
}
