//! A second opinion on tokens: PyJWT judges them by the same rules, and differs only where it is known to.
//!
//! `WAXSEAL_PYTHON` names a Python that has PyJWT and cryptography, else `python3` is tried; where neither has them, the
//! test says aloud that it is left out, or fails where nothing may be (`WAXSEAL_UPSTREAMS=required`, `CI`).
//! `WAXSEAL_OPINIONS` sets how many tokens are put to both.

#![allow(unreachable_pub, missing_docs, reason = "nothing outside uses a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that finds something amiss stops"
)]

mod differences;
mod signers;
mod tokens;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use waxseal::decision::claims::ClaimPath;
use waxseal::decision::credential::Place;
use waxseal::decision::decide;
use waxseal::decision::forwarding::{Forwarding, HeaderRules};
use waxseal::decision::head::RequestHead;
use waxseal::decision::keys::{Algorithm, Issuer, IssuerId, IssuerSlot, KeySet, TokenTypes};
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::{Policy, Requirement};
use waxseal::decision::rejection::{Code, Rejection};
use waxseal::decision::route::{Mode, Pattern, Route, RouteTable};
use waxseal::decision::snapshot::Snapshot;
use waxseal::decision::verdict::Verdict;
use waxseal::time::UnixSeconds;

use signers::Signer;
use tokens::Made;

const NOW: f64 = 1_800_000_000.0;
const LEEWAY: f64 = 30.0;
const ISSUER: &str = "https://i";
const AUDIENCE: &str = "oms";

/// Every code that a token can be refused with by these rules; each must come up.
const CODES: [Code; 12] = [
    Code::TokenMalformed,
    Code::TokenType,
    Code::AlgorithmNotAllowed,
    Code::UnknownKey,
    Code::SignatureInvalid,
    Code::TokenExpired,
    Code::TokenNotYetValid,
    Code::ClaimMissing,
    Code::ClaimMalformed,
    Code::IssuerMismatch,
    Code::AudienceMismatch,
    Code::ProofInvalid,
];

/// One issuer with all keys, and one route that wants its tokens.
fn snapshot(signers: &[Signer]) -> Snapshot {
    let issuer = Issuer {
        name: "own".into(),
        issuers: vec![ISSUER.into()],
        audiences: vec![AUDIENCE.into()],
        algorithms: Algorithm::ALL.into_iter().collect(),
        subject: ClaimPath::new("sub"),
        leeway: LEEWAY,
        max_lifetime: None,
        require: vec![],
        types: TokenTypes::default(),
    };
    let requirement = Requirement {
        issuers: vec![IssuerId(0)],
        places: vec![Place::Authorization],
        audiences: vec![],
        scopes: vec![],
        claims: vec![],
    };
    let guard = Route {
        name: "guard".into(),
        patterns: vec![Pattern::parse("/x", false).unwrap()],
        methods: vec![],
        hosts: vec![],
        policy: Policy::Require(requirement),
        mode: Mode::Enforce,
        forwarding: Forwarding::default(),
        upstream: 0,
        timeout: None,
        body_size: None,
        rate: None,
    };
    let unmatched = Route { name: "unmatched".into(), patterns: vec![], policy: Policy::Deny, ..guard.clone() };
    let keys = signers.iter().map(Signer::key).collect();
    Snapshot {
        routes: Arc::new(RouteTable::build(vec![guard, unmatched]).unwrap()),
        issuers: vec![IssuerSlot::new(Arc::new(issuer), Arc::new(KeySet::new(keys)))],
        origins: Arc::new([]),
        headers: Arc::new(HeaderRules::new([])),
        strict_paths: false,
    }
}

/// What waxseal says of a token.
fn judge(token: &str, snapshot: &Snapshot) -> Result<(), Rejection> {
    let request = Request::get("/x").header("host", "oms.example").header("authorization", format!("Bearer {token}"));
    let request: Request<Empty<Bytes>> = request.body(Empty::new()).unwrap();
    let head = RequestHead::of(&request).unwrap();
    match decide(&head, snapshot, &mut Memo::off(), UnixSeconds::new(NOW).unwrap()).verdict {
        Verdict::Allow(_) => Ok(()),
        Verdict::Reject(rejection) => Err(rejection),
    }
}

/// A Python that has PyJWT.
fn python() -> Option<String> {
    let python = std::env::var("WAXSEAL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_both = Command::new(&python).args(["-c", "import cryptography; from jwt import PyJWK"]).output();
    has_both.is_ok_and(|output| output.status.success()).then_some(python)
}

/// What PyJWT says of tokens: that it takes them, or why not.
fn second_opinions(python: &str, signers: &[Signer], made: &[Made]) -> Vec<Result<(), String>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let keys: Vec<Value> = signers.iter().map(Signer::jwk).collect();
    let rules = json!({"now": NOW, "leeway": LEEWAY, "issuer": ISSUER, "audience": AUDIENCE, "keys": keys});
    writeln!(file, "{rules}").unwrap();
    for made in made {
        writeln!(file, "{}", Value::from(made.token.as_str())).unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/second_opinion/pyjwt.py");
    let output = Command::new(python).arg(script).arg(file.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verdicts = String::from_utf8(output.stdout).unwrap();
    let verdicts = verdicts.lines().map(|line| serde_json::from_str::<String>(line).unwrap());
    verdicts.map(|verdict| if verdict == "allow" { Ok(()) } else { Err(verdict) }).collect()
}

#[test]
fn pyjwt_differs_only_where_it_is_known_to() {
    let Some(python) = python() else {
        let required = std::env::var("WAXSEAL_UPSTREAMS").is_ok_and(|value| value == "required");
        assert!(
            !required && std::env::var_os("CI").is_none(),
            "no Python with PyJWT and cryptography (WAXSEAL_PYTHON)"
        );
        return eprintln!("SKIPPED: no Python with PyJWT and cryptography (WAXSEAL_PYTHON)");
    };
    let count = std::env::var("WAXSEAL_OPINIONS").map_or(4_000, |count| count.parse().unwrap());
    let signers = Signer::all();
    let snapshot = snapshot(&signers);
    let mut runner = TestRunner::deterministic();
    let recipes = (0..count).map(|_| tokens::recipe().new_tree(&mut runner).unwrap().current());
    let made: Vec<Made> = recipes.map(|recipe| recipe.make(&signers)).collect();
    let opinions = second_opinions(&python, &signers, &made);
    assert_eq!(opinions.len(), made.len());

    let (mut allowed, mut refused, mut unexplained) = (0, BTreeMap::new(), Vec::new());
    let mut differences: BTreeMap<&str, usize> = BTreeMap::new();
    for (made, second) in made.iter().zip(opinions) {
        let first = judge(&made.token, &snapshot);
        match &first {
            Ok(()) => allowed += 1,
            Err(rejection) => *refused.entry(rejection.code().name()).or_insert(0) += 1,
        }
        match differences::explain(made, &first, &second) {
            None => {}
            Some(Ok(why)) => *differences.entry(why).or_default() += 1,
            Some(Err(())) => unexplained.push(format!(
                "waxseal: {}\nPyJWT: {second:?}\n{} . {:.300}\n{}\n{:.700}\n",
                first.map_or_else(|rejection| rejection.detail().to_owned(), |()| "allow".to_owned()),
                made.header,
                made.payload,
                made.how,
                made.token,
            )),
        }
    }
    println!("{count} tokens, {allowed} allowed, refused: {refused:?}");
    println!("PyJWT differs: {differences:#?}");
    assert!(unexplained.is_empty(), "{} differ without a reason:\n{}", unexplained.len(), unexplained.join("\n"));
    assert!(allowed * 4 > count && allowed * 2 < count, "{allowed} of {count} are allowed");
    for code in CODES {
        assert!(refused.contains_key(code.name()), "no token was refused as {}", code.name());
    }
    for why in differences::reasons() {
        assert!(differences.contains_key(why), "never seen: {why}");
    }
}
