//! A real Tomcat behind waxseal sees what a token permits, as it was sent, with one identity. What it takes for the
//! guarded resource and must not get without a token is the matter of `tests/differential/`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::{Client, Response, ask, request};
use crate::harness::Sidecar;
use crate::tokens::{bearer, good, hotwax_issuer};
use crate::tomcat10;

/// What the page tells of a request in the second line of its answer.
fn seen(response: &Response) -> Value {
    let text = response.text();
    serde_json::from_str(text.lines().nth(1).unwrap()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn with_a_token_tomcat_sees_the_request_as_it_was_and_one_identity() {
    let Some(mut tomcat) = tomcat10::start() else { return };
    let sidecar = Sidecar::start(&format!(
        "unmatched = \"open\"\nupstream = \"http://{}\"\n{}[[route]]\npath = \"/api/service/updateInventory\"\n\
         forward = {{ claims = {{ X-Auth-User = \"userLoginId\" }} }}\n",
        tomcat.door("first").address,
        hotwax_issuer()
    ));
    let token = bearer(&good());
    let forged = [("X-Auth-User", "admin"), ("X_Auth_User", "root"), ("X-Forwarded-For", "203.0.113.9")];
    let mut fields = vec![("Authorization", token.as_str()), ("Content-Type", "application/json")];
    fields.extend(forged);
    let mut client = Client::connect(sidecar.address);
    let mut ports = BTreeSet::new();
    for (method, rest, body) in [
        ("POST", "?a=1&a=2&b=%7B%22x%22%3A%2F%7D", "{}".to_owned()),
        ("POST", "/below;v=1", "x".repeat(100_000)),
        ("GET", "?", String::new()),
        ("GET", "/%2B%20", String::new()),
    ] {
        let target = format!("/api/service/updateInventory{rest}");
        let response = client.send(&request(method, &target, &fields, &body)).response(false);
        assert_eq!(response.status, 200, "{method} {target}");
        let seen = seen(&response);
        let (path, query) = target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        assert_eq!((seen["method"].as_str(), seen["uri"].as_str()), (Some(method), Some(path)), "{seen}");
        assert_eq!((seen["query"].as_str(), &seen["length"]), (query, &Value::from(body.len())), "{target}");
        let named = |name: &str| -> Vec<&str> {
            let folded = |text: &str| text.to_ascii_lowercase().replace('_', "-");
            let all = seen["headers"].as_array().unwrap().iter();
            all.filter(|field| folded(field[0].as_str().unwrap()) == name)
                .map(|field| field[1].as_str().unwrap())
                .collect()
        };
        assert_eq!(named("x-auth-user"), ["boomi"], "{target}");
        assert_eq!(named("authorization"), [&*token], "{target}");
        assert_eq!(named("x-forwarded-for"), ["127.0.0.1"], "{target}");
        assert_eq!(named("host"), ["oms.example"], "{target}");
        ports.insert(seen["port"].as_u64().unwrap());
    }
    assert_eq!(ports.len(), 1, "one connection to Tomcat served all");
    tomcat.stop();
    let down = ask(sidecar.address, "POST", "/api/service/updateInventory", &fields, "{}");
    assert_eq!((down.status, &*down.code()), (502, "upstream_unreachable"));
    tomcat.wake();
    assert_eq!(ask(sidecar.address, "POST", "/api/service/updateInventory", &fields, "{}").status, 200);
}
