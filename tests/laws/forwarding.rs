//! What reaches the upstream holds no header that waxseal may set and did not, and path and query as they were judged;
//! and report mode changes nothing of it for a request that may pass.

use http::{HeaderName, HeaderValue, Request};
use http_body_util::Empty;
use proptest::prelude::*;

use super::drawn::{cases, claims};
use crate::made::{NOW, token};
use crate::model::upstream::values;
use crate::targets::front::{Kind, judge, sent_up};

/// Headers that matter to an upstream, and some that do not.
const NAMES: [&str; 32] = [
    "x-auth-user",
    "roles",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-script-name",
    "script-name",
    "daphne-root-path",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-forwarded-anything",
    "forwarded",
    "x-real-ip",
    "x-request-id",
    "remote-user",
    "x-remote-user",
    "te",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "http2-settings",
    "upgrade",
    "connection",
    "api-key",
    "cookie",
    "x-token",
    "accept",
    "x-http-destinationurl",
    "x-custom",
    "x-auth-users",
];
/// What a header name may hold besides letters and digits (RFC 9110 section 5.6.2).
const MARKS: [char; 15] = ['-', '_', '.', '~', '!', '#', '$', '%', '&', '\'', '*', '+', '^', '`', '|'];

/// A name in one of the spellings that some server folds into it.
fn name() -> impl Strategy<Value = String> {
    let marks =
        prop::collection::vec(prop_oneof![2 => Just('-'), 2 => Just('_'), 1 => prop::sample::select(&MARKS[..])], 6);
    (prop::sample::select(&NAMES[..]), marks, any::<bool>(), prop_oneof![8 => Just(""), 1 => Just("x"), 1 => Just("-")])
        .prop_map(|(name, marks, plain, end)| {
            let mut marks = marks.into_iter();
            let spelt: String = name
                .chars()
                .map(|letter| if letter == '-' && !plain { marks.next().unwrap() } else { letter })
                .collect();
            spelt + end
        })
}

/// A header: its name and its value, which may name other headers.
fn field() -> impl Strategy<Value = (String, String)> {
    let names = || prop::collection::vec(name(), 1..4).prop_map(|names| names.join(", "));
    let connection = names().prop_map(|names| ("connection".to_owned(), names));
    let value = prop_oneof![3 => Just("evil".to_owned()), 1 => names(), 1 => Just("websocket".to_owned()), 1 => Just("a=b; token=x".to_owned())];
    prop_oneof![1 => connection, 6 => (name(), value)]
}

fn target() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "/api/service/updateInventory",
        "/api/service/getInventory",
        "/report",
        "/elsewhere",
        "/cookie",
        "/query",
        "/header",
        "/a%2Fb;c/%20//d",
        "/hosts",
        "/getter",
    ]);
    (path, "(\\?[a-z0-9=&%;/?:@!~.+{}|-]{0,16})?", prop::bool::weighted(0.1)).prop_map(|(path, query, absolute)| {
        format!("{}{path}{query}", if absolute { "http://oms.example:81" } else { "" })
    })
}

fn request(method: &str, target: &str, fields: &[(String, String)], token: Option<&str>) -> Option<Request<()>> {
    let mut request = Request::builder().method(method).uri(target).header("host", "oms.example").body(()).ok()?;
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
    }
    if let Some(token) = token {
        request.headers_mut().append("authorization", HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    }
    Some(request)
}

/// What the upstream gets, where the request may pass, and whether something was lifted for it.
fn passed(request: &Request<()>, kind: Kind) -> Option<(Request<()>, bool)> {
    let permit = judge(&request.clone().map(|()| Empty::<bytes::Bytes>::new()), NOW, kind).ok()?;
    let lifted = permit.lifted().is_some();
    Some((sent_up(request.clone(), permit, kind), lifted))
}

fn shown(request: &Request<()>) -> String {
    format!("{} {} {:?}", request.method(), request.uri(), request.headers())
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn an_upstream_is_told_nothing_in_the_name_of_waxseal(
        method in prop::sample::select(vec!["GET", "POST"]),
        target in target(),
        fields in prop::collection::vec(field(), 0..8),
        token in prop::option::of((claims(), 0..2_u8).prop_map(|(claims, key)| token(r#"{"alg":"HS512"}"#, &claims, key))),
        trusting in any::<bool>(),
    ) {
        let Some(request) = request(method, &target, &fields, token.as_deref()) else { return Ok(()) };
        // `sent_up` puts every request that passes to a model of the most careless upstream.
        let kind = if trusting { Kind::Trusting } else { Kind::Usual };
        if let Some((sent, _)) = passed(&request, kind) && target.contains("updateInventory") {
            prop_assert!(values(sent.headers(), "API_KEY").is_empty(), "{:?}", sent.headers());
        }
    }

    #[test]
    fn report_mode_changes_nothing_of_what_may_pass(
        method in prop::sample::select(vec!["GET", "POST"]),
        target in target(),
        fields in prop::collection::vec(field(), 0..4),
        token in prop::option::of((claims(), 0..2_u8).prop_map(|(claims, key)| token(r#"{"alg":"HS512"}"#, &claims, key))),
    ) {
        let Some(request) = request(method, &target, &fields, token.as_deref()) else { return Ok(()) };
        let enforced = passed(&request, Kind::Usual).filter(|(_, lifted)| !lifted);
        let reported = passed(&request, Kind::Reporting);
        match (enforced, reported) {
            (Some((enforced, _)), reported) => {
                let (reported, lifted) = reported.expect("report mode refuses nothing that may pass");
                prop_assert_eq!((shown(&enforced), false), (shown(&reported), lifted));
            }
            // What it lifts goes up, and says nothing of who sent it.
            (None, Some((reported, lifted))) => {
                prop_assert!(lifted && values(reported.headers(), "X_AUTH_USER").is_empty());
            }
            (None, None) => {}
        }
    }
}
