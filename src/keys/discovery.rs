//! Where an issuer says that its keys are: OpenID Connect Discovery 1.0, and RFC 8414.
//!
//! What it says is believed only where it calls itself exactly what the config calls it (RFC 8414 section 3.3): else
//! whoever holds a page on the same server could name keys of his own.

use super::address::{Address, AddressError};
use super::fetch::{FetchError, Fetched};
use crate::decision::claims::Claims;

/// Where an issuer may say so (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.1), in the order in which they
/// are asked.
pub(super) fn places(issuer: &str, insecure: bool) -> Result<[Address; 2], AddressError> {
    let address = Address::parse(issuer, insecure)?;
    if address.target.contains('?') {
        return Err(AddressError::Query);
    }
    let path = address.target.strip_suffix('/').unwrap_or(&address.target);
    let at = |target: String| Address { target, ..address.clone() };
    Ok([
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ])
}

/// Asks the issuer where its keys are. The second place is asked where the first has no document.
pub(super) async fn find<F: Future<Output = Result<Fetched, FetchError>>>(
    issuer: &str,
    places: &[Address; 2],
    insecure: bool,
    ask: impl Fn(Address) -> F,
) -> Result<Address, String> {
    let mut missed = Vec::new();
    for place in places {
        match ask(place.clone()).await {
            Ok(document) => return read(&document, issuer, insecure).map_err(|error| format!("{place}: {error}")),
            Err(error) => {
                let answered = matches!(error, FetchError::Status(..) | FetchError::Media(..));
                missed.push(format!("{place}: {error}"));
                if !answered {
                    break;
                }
            }
        }
    }
    Err(missed.join("; "))
}

/// The place of the keys, by a document.
fn read(document: &Fetched, issuer: &str, insecure: bool) -> Result<Address, String> {
    let document = Claims::parse(&document.body).map_err(|error| format!("this is no discovery document: {error}"))?;
    let text = |name: &str| document.get(name).and_then(serde_json::Value::as_str);
    match text("issuer") {
        Some(own) if own == issuer => {}
        Some(own) => {
            let own: String = own.chars().take(200).collect();
            return Err(format!("it speaks for issuer {own:?}, not {issuer:?} (every letter counts)"));
        }
        None => return Err(String::from("it has no text `issuer`")),
    }
    let uri = text("jwks_uri").ok_or("it has no text `jwks_uri`")?;
    Address::parse(uri, insecure).map_err(|error| format!("its `jwks_uri` is not asked: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://idp.example/realms/oms";

    #[test]
    fn an_issuer_has_two_places() {
        for (issuer, first, second) in [
            (
                ISSUER,
                "/realms/oms/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/oms",
            ),
            (
                "https://idp.example/a/",
                "/a/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/a",
            ),
            ("https://idp.example", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
            ("https://idp.example/", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
        ] {
            let places = places(issuer, false).unwrap();
            assert_eq!(places.map(|place| place.target), [first, second], "{issuer}");
        }
        assert_eq!(places("https://idp.example/?a=b", false), Err(AddressError::Query));
        assert_eq!(places("hotwax", false), Err(AddressError::Scheme));
    }

    /// What is found where the places answer so, and how many were asked.
    async fn found(answers: [Result<serde_json::Value, FetchError>; 2]) -> (Result<String, String>, usize) {
        let asked = std::cell::Cell::new(0);
        let ask = |_: Address| {
            let answer = answers[asked.get()].clone();
            asked.set(asked.get() + 1);
            std::future::ready(answer.map(|body| Fetched { body: body.to_string().into(), fresh: None }))
        };
        let found = find(ISSUER, &places(ISSUER, false).unwrap(), false, ask).await;
        (found.map(|address| address.to_string()), asked.get())
    }

    #[tokio::test]
    async fn the_issuer_says_where_its_keys_are() {
        let good = || Ok(json!({ "issuer": ISSUER, "jwks_uri": "https://keys.example/set" }));
        let none = || Err(FetchError::Status(404, ""));
        assert_eq!(found([good(), none()]).await, (Ok("https://keys.example/set".into()), 1));
        assert_eq!(found([none(), good()]).await, (Ok("https://keys.example/set".into()), 2));
        let away = Err(FetchError::Late(std::time::Duration::from_secs(5)));
        assert_eq!(found([away, good()]).await.1, 1, "a server that is away is not asked twice");
        let (error, asked) = found([none(), none()]).await;
        assert!(error.unwrap_err().matches("it answered 404").count() == 2 && asked == 2);
    }

    #[tokio::test]
    async fn a_document_of_another_issuer_is_not_believed() {
        for (document, words) in [
            (json!({ "issuer": format!("{ISSUER}/"), "jwks_uri": "https://keys.example/" }), "every letter counts"),
            (json!({ "jwks_uri": "https://keys.example/" }), "no text `issuer`"),
            (json!({ "issuer": [ISSUER], "jwks_uri": "https://keys.example/" }), "no text `issuer`"),
            (json!({ "issuer": ISSUER }), "no text `jwks_uri`"),
            (json!({ "issuer": ISSUER, "jwks_uri": "http://keys.example/" }), "beyond this machine"),
            (json!({ "issuer": ISSUER, "jwks_uri": "file:///etc/passwd" }), "not asked"),
            (json!([]), "no discovery document"),
        ] {
            let (error, asked) = found([Ok(document.clone()), Ok(json!({}))]).await;
            let error = error.expect_err(words);
            assert!(error.contains(words) && asked == 1, "{document}: {error}");
        }
    }
}
