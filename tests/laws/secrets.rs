//! No token, secret or password stands in anything that is told: complaints, warnings, settings in effect, debug prints,
//! explanations, refusals and log lines.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use waxseal::config::{Config, parse, render};
use waxseal::decision::decide;
use waxseal::decision::head::RequestHead;
use waxseal::decision::memo::Memo;
use waxseal::decision::verdict::Verdict;
use waxseal::explain::{explain, inspect};
use waxseal::proxy::preview::{Asked, Preview};
use waxseal::secret::Secret;
use waxseal::telemetry::LogFormat;
use waxseal::telemetry::access::{AccessLog, AccessRecord, Excerpt, Peer};
use waxseal::time::UnixSeconds;

use super::drawn::{claims, fewer_cases, header};
use crate::made::{NOW, token_by};

/// How much of a secret must not be seen anywhere.
const PART: usize = 10;

/// Random text of letters that no message has in such a row.
fn secret(length: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select("QXZqxz0123456789+/".chars().collect::<Vec<_>>()), length)
        .prop_map(|letters| letters.into_iter().collect())
}

/// Where a route looks for its token, and where it is sent.
const PLACES: [&str; 4] = ["header", "cookie:session", "query:token", "header:X-Token"];

/// What is configured: the key of the issuer, a salt, the operator's token.
#[derive(Clone, Debug)]
struct Hidden {
    key: String,
    salt: Option<String>,
    admin: String,
}

fn hidden() -> impl Strategy<Value = Hidden> {
    (secret(64), prop::option::of(secret(16)), secret(40)).prop_map(|(key, salt, admin)| Hidden { key, salt, admin })
}

/// A config that holds them; `slip` spoils it.
fn text(hidden: &Hidden, place: &str, slip: usize) -> String {
    let Hidden { key, salt, admin } = hidden;
    let salt = salt.as_ref().map(|salt| format!("salt = \"{salt}\"\n")).unwrap_or_default();
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:8081\"\nunmatched = \"open\"\n[answers]\nreason = \"exact\"\n\
         [admin]\ntoken = {{ text = \"{admin}\" }}\n[issuer.house]\nsecret = {{ text = \"{key}\" }}\n{salt}\
         [[route]]\npath = \"/a\"\ntoken = [\"{place}\"]\n[[route]]\npath = \"/b\"\nmode = \"report\"\nscope = [\"read\"]\n"
    );
    match slip {
        0 => text.replace("secret = {", "secert = {"),
        1 => text.replace("{ text =", "{ txet ="),
        2 => text.replace(" }\n", "\n"),
        3 => text.replace("[issuer.house]\n", ""),
        4 => text.replace("secret = { text = ", "secret = ").replace(" }\n", "\n"),
        _ => text,
    }
}

/// Fails where a part of one of these is told.
fn check(what: &str, told: &str, secrets: &[&str]) {
    for secret in secrets {
        for at in 0..secret.len().saturating_sub(PART - 1) {
            let part = &secret[at..at + PART];
            assert!(!told.contains(part), "{what} holds {part:?} of {secret:?}:\n{told}");
        }
    }
}

/// Everything that is told of a config.
fn of_config(config: &Config) -> String {
    let effective = config.effective();
    format!("{config:?}{effective:?}{}{}{}", effective.toml(), effective.json(), render::complaints(&config.warnings))
}

/// Everything that is told of a request.
fn of_request(config: &Config, asked: &Asked, token: &Secret<String>) -> String {
    let now = UnixSeconds::new(NOW).unwrap();
    let explanation = explain(config, asked, now);
    let mut told = format!("{asked:?}{explanation}{explanation:?}{}", serde_json::to_string(&explanation).unwrap());
    // An inspection shows the claims, as it is asked to, but neither the token nor its signature.
    let inspection = inspect(config, token, now);
    told += &format!("{inspection}{}", serde_json::to_string(&inspection).unwrap());
    let Ok(request) = asked.request() else { return told };
    let head = match RequestHead::of(&request) {
        Ok(head) => head,
        Err(rejection) => return told + &format!("{rejection:?}"),
    };
    let mut memo = Memo::new(8, 1 << 16);
    for _ in 0..2 {
        let decision = decide(&head, &config.snapshot, &mut memo, now);
        told += &format!("{decision:?}");
        if let Verdict::Reject(rejection) = decision.verdict {
            let preview = Preview::of(&request, &asked.conn, &config.proxy, HeaderValue::from_static("fresh"));
            told += &format!("{:?}", preview.refusal(&rejection));
            told += &logged(asked, rejection.detail());
        }
    }
    told
}

/// The lines of the access log.
fn logged(asked: &Asked, detail: &str) -> String {
    let mut told = String::new();
    for format in [LogFormat::Json, LogFormat::Text] {
        let sink = Sink::default();
        let log = AccessLog::start(format, Box::new(sink.clone()), Arc::default()).unwrap();
        let peer = Peer::Address([192, 0, 2, 7].into());
        let (now, id) = (UnixSeconds::new(NOW).unwrap(), HeaderValue::from_static("fresh"));
        let mut record = AccessRecord::open(now, &id, peer, &asked.method, &asked.target);
        record.detail = Some(Excerpt::text(detail));
        told += &format!("{record:?}");
        log.write(record);
        assert!(log.close(Duration::from_secs(10)));
        let lines = sink.0.lock().unwrap();
        assert!(!lines.is_empty());
        told += &String::from_utf8_lossy(&lines);
    }
    told
}

/// What was written to the log.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A request with the token in one of the places, and maybe something spoilt about it.
fn asked(target: &str, place: &str, token: &str, scheme: &str) -> Option<Asked> {
    let mut headers = HeaderMap::new();
    let mut target = target.to_owned();
    let value = |text: String| HeaderValue::try_from(text).ok();
    match place {
        "header" => drop(headers.append("authorization", value(format!("{scheme}{token}"))?)),
        "cookie:session" => drop(headers.append("cookie", value(format!("a=b; session={token}"))?)),
        "query:token" => target = format!("{target}?a=b&token={token}"),
        _ => drop(headers.append("x-token", value(token.to_owned())?)),
    }
    let mut asked = Asked::new("GET", &target).ok()?;
    for (name, mut value) in headers.into_iter().filter_map(|(name, value)| Some((name?, value))) {
        // As the server marks them that takes them in.
        value.set_sensitive(true);
        asked.headers.append(name, value);
    }
    Some(asked)
}

proptest! {
    // Each case reads a config and starts writers of logs, which takes a hundred times what others take.
    #![proptest_config(fewer_cases(50))]

    #[test]
    fn nothing_of_a_secret_is_told_of_a_config(hidden in hidden(), place in prop::sample::select(&PLACES[..]), slip in 0..8_usize) {
        let text = text(&hidden, place, slip);
        let told = match parse(&text, Path::new("nowhere/config.toml"), &|_| None) {
            Ok(config) => of_config(&config),
            Err(report) => format!("{report:?}{}", render::complaints(&report.diagnostics)),
        };
        let Hidden { key, salt, admin } = &hidden;
        check("what is told of the config", &told, &[key, admin, salt.as_deref().unwrap_or_default()]);
    }

    #[test]
    fn nothing_of_a_token_is_told_of_a_request(
        hidden in hidden(),
        place in prop::sample::select(&PLACES[..]),
        sent in prop::sample::select(&PLACES[..]),
        header in header(),
        claims in claims(),
        own_key in any::<bool>(),
        scheme in prop::sample::select(vec!["Bearer ", "bearer   ", "Token ", "", "Bearer\t"]),
        target in prop::sample::select(vec!["/a", "/b", "/c"]),
        spoilt in prop::option::of((any::<prop::sample::Index>(), prop::sample::select(vec!['.', ' ', '"', '=', '%']))),
    ) {
        let config = parse(&text(&hidden, place, 9), Path::new("nowhere/config.toml"), &|_| None);
        let Ok(config) = config else { return Err(TestCaseError::fail("the config is good")) };
        // Claims are told, once a signature is good; so they are short here, and the token is known by its other parts.
        let key = if own_key && hidden.salt.is_none() { hidden.key.as_bytes() } else { &[b'z'; 64][..] };
        let token = token_by(header, &claims, key);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let payload = signed.rsplit_once('.').unwrap().1;
        let mut text = token.clone();
        if let Some((at, letter)) = spoilt {
            text.insert(at.index(text.len()), letter);
        }
        // A header that the config does not know for a place of tokens is one like others.
        prop_assume!(sent != "header:X-Token" || sent == place);
        let Some(asked) = asked(target, sent, &text, scheme) else { return Ok(()) };
        let told = of_request(&config, &asked, &Secret::new(text));
        check("what is told of the request", &told, &[signature, payload, &hidden.key, &hidden.admin]);
    }
}
