//! Which tokens a list takes back, and which it leaves alone.

use super::*;
use crate::decision::decide;
use crate::decision::head::tests::Asked;
use crate::decision::keys::{Algorithm, IssuerId};
use crate::decision::memo::Memo;
use crate::decision::policy::Policy;
use crate::decision::route::tests::{default, guard};
use crate::decision::verdict::Verdict;
use crate::decision::verify::tests::{NOW, OWN, issuer, payload, slot, snapshot};

const URI: &str = "https://i/statuses/1";

fn at(later: f64) -> UnixSeconds {
    UnixSeconds::new(NOW + later).unwrap()
}

fn entry(mark: Mark, later: f64) -> Entry {
    Entry { mark, expires: Some(at(later)) }
}

fn deny(entries: impl IntoIterator<Item = Entry>) -> List {
    List::Deny(DenyList::new(entries, 0.0, at(0.0)))
}

/// Statuses of two bits: 0, 1, 2 and 3.
fn statuses() -> List {
    List::Status(StatusList::new(URI, Bits::Two, Arc::from([0b1110_0100]), Some(at(200.0))))
}

fn known(list: List) -> Revocations {
    Revocations { list: Some(Arc::new(list)), ..unknown(Missing::Closed) }
}

fn unknown(missing: Missing) -> Revocations {
    Revocations::unknown(Place::File("revoked.jsonl".into()), missing)
}

/// What becomes of a token with more claims under a header, asked twice with one memo.
fn judged_of(revoked: Revocations, header: &str, more: &str, later: f64) -> Result<(), Code> {
    let keys = vec![OWN.key(Some("k1"), &[Algorithm::HS256])];
    let slot = slot(issuer("own"), keys).with_revocations(Some(Arc::new(revoked)));
    let mut route = guard("/x");
    if let Policy::Require(requirement) = &mut route.policy {
        requirement.issuers = vec![IssuerId(0)];
    }
    let bare = snapshot(vec![slot.clone().with_revocations(None)], vec![route.clone(), default(Policy::Deny)]);
    let snapshot = snapshot(vec![slot], vec![route, default(Policy::Deny)]);
    let token = OWN.token(Algorithm::HS256, header, &payload(&[], more));
    let asked = Asked::new("POST", "/x").header("authorization", &format!("Bearer {token}"));
    let mut memo = Memo::new(16, 1 << 20);
    let before = decide(&asked.head(), &bare, &mut memo, at(later));
    assert!(matches!(before.verdict, Verdict::Allow(_)), "{:?}", before.verdict);
    let decision = decide(&asked.head(), &snapshot, &mut memo, at(later));
    assert_eq!(decision.remembered, Some(true), "a list is no part of a proof");
    match decision.verdict {
        Verdict::Allow(_) => Ok(()),
        Verdict::Reject(rejection) => Err(rejection.code()),
    }
}

fn judged(revoked: Revocations, more: &str) -> Result<(), Code> {
    judged_of(revoked, r#"{"alg":"HS256","kid":"k1"}"#, more, 0.0)
}

#[test]
fn a_token_on_the_list_is_revoked_also_where_its_proof_is_remembered() {
    let list = || known(deny([entry(Mark::Token("a".into()), 300.0)]));
    assert_eq!(judged(list(), r#","jti":"a""#), Err(Code::TokenRevoked));
    assert_eq!(judged(list(), r#","jti":"A""#), Ok(()));
    assert_eq!(judged(list(), ""), Ok(()));
}

#[test]
fn older_tokens_of_a_subject_are_revoked_and_those_that_do_not_say() {
    let issued = |iat: f64| format!(",\"iat\":{}", NOW + iat);
    let judged = |subject: &str, iat: Option<f64>| {
        let list = deny([entry(Mark::Subject { subject: subject.into(), before: at(-60.0) }, 300.0)]);
        let own = payload(&["iat"], &iat.map(issued).unwrap_or_default());
        let slot = slot(issuer("own"), vec![OWN.key(None, &[Algorithm::HS256])]);
        let slot = slot.with_revocations(Some(Arc::new(known(list))));
        let snapshot = snapshot(vec![slot], vec![default(Policy::Deny)]);
        let token = OWN.token(Algorithm::HS256, r#"{"alg":"HS256"}"#, &own);
        let examined =
            crate::decision::examine(&mut crate::decision::witness::Nobody, token.as_bytes(), &snapshot, at(0.0));
        examined.map(drop).map_err(|rejection| rejection.code())
    };
    assert_eq!(judged("boomi", Some(-61.0)), Err(Code::TokenRevoked));
    assert_eq!(judged("boomi", None), Err(Code::TokenRevoked));
    assert_eq!(judged("boomi", Some(-60.0)), Ok(()));
    assert_eq!(judged("someone", Some(-61.0)), Ok(()));
}

#[test]
fn the_tokens_of_a_key_are_revoked_whatever_they_call_it() {
    for header in [r#"{"alg":"HS256","kid":"k1"}"#, r#"{"alg":"HS256"}"#] {
        let list = known(deny([entry(Mark::Key("k1".into()), 300.0)]));
        assert_eq!(judged_of(list, header, "", 0.0), Err(Code::TokenRevoked), "{header}");
        let list = known(deny([entry(Mark::Key("k2".into()), 300.0)]));
        assert_eq!(judged_of(list, header, "", 0.0), Ok(()), "{header}");
    }
}

#[test]
fn an_entry_ends_with_the_token_leeway_included() {
    let list = DenyList::new([entry(Mark::Token("a".into()), 100.0)], 30.0, at(0.0));
    let hit = |leeway: f64, later: f64| {
        let marks = Marks { token: Some("a"), subject: "", issued_at: None, key: None };
        list.hit(&marks, leeway, at(later)).is_some()
    };
    assert!(hit(0.0, 99.0) && hit(30.0, 129.0));
    assert!(!hit(0.0, 100.0) && !hit(30.0, 130.0));
    assert!(hit(0.0, -3600.0), "a clock that was set back");
}

#[test]
fn what_ended_long_ago_is_forgotten() {
    let marks =
        || [Mark::Token("a".into()), Mark::Key("k".into()), Mark::Subject { subject: "s".into(), before: at(0.0) }];
    let list = |later: f64| DenyList::new(marks().map(|mark| entry(mark, later)), 30.0, at(0.0)).len();
    assert_eq!((list(-3631.0), list(-3000.0), list(1.0)), (0, 3, 3));
    assert!(DenyList::default().is_empty());
}

#[test]
fn a_status_other_than_0_is_refused() {
    let judged_at = |index: &str| {
        judged(known(statuses()), &format!(r#","status":{{"status_list":{{"idx":{index},"uri":"{URI}"}}}}"#))
    };
    assert_eq!(judged_at("0"), Ok(()));
    for index in ["1", "2", "3", "4", "18446744073709551615"] {
        assert_eq!(judged_at(index), Err(Code::TokenRevoked), "{index}");
    }
    for index in ["-1", "1.0", "\"0\"", "null", "1e0", "18446744073709551616"] {
        assert_eq!(judged_at(index), Err(Code::ClaimMalformed), "{index}");
    }
}

#[test]
fn a_status_that_cannot_be_read_is_refused_and_none_at_all_is_not() {
    for status in [r#"7"#, r#"{"status_list":{"idx":0}}"#, r#"{"status_list":[]}"#, r#"{"status_list":null}"#, "null"] {
        assert_eq!(judged(known(statuses()), &format!(",\"status\":{status}")), Err(Code::ClaimMalformed), "{status}");
    }
    assert_eq!(judged(known(statuses()), ""), Ok(()));
    assert_eq!(judged(known(statuses()), r#","status":{"other":{}}"#), Ok(()));
}

#[test]
fn a_token_of_another_list_cannot_be_told() {
    let more = r#","status":{"status_list":{"idx":0,"uri":"https://i/statuses/2"}}"#;
    assert_eq!(judged(known(statuses()), more), Err(Code::KeysUnavailable));
    assert_eq!(judged(Revocations { missing: Missing::Open, ..known(statuses()) }, more), Ok(()));
}

#[test]
fn a_list_that_is_missing_or_too_old_is_closed_or_open() {
    let old = |missing| Revocations { until: Some(at(0.0)), missing, ..known(deny([])) };
    for (revoked, expected) in [
        (unknown(Missing::Closed), Err(Code::KeysUnavailable)),
        (unknown(Missing::Open), Ok(())),
        (old(Missing::Closed), Err(Code::KeysUnavailable)),
        (old(Missing::Open), Ok(())),
    ] {
        assert_eq!(judged(revoked, ""), expected);
    }
    assert_eq!(judged(Revocations { until: Some(at(1.0)), ..known(deny([])) }, ""), Ok(()));
    let header = r#"{"alg":"HS256"}"#;
    assert_eq!(judged_of(known(statuses()), header, "", 199.0), Ok(()));
    assert_eq!(judged_of(known(statuses()), header, "", 200.0), Err(Code::KeysUnavailable));
}

#[test]
fn ten_million_statuses_take_at_most_16_mib() {
    const TOKENS: u64 = 10_000_000;
    for (bits, least) in [(1, 1_250_000), (2, 2_500_000), (4, 5_000_000), (8, 10_000_000)] {
        let bytes: Arc<[u8]> = (0..least).map(|byte: u32| u8::try_from(byte % 251).unwrap()).collect();
        let list = StatusList::new(URI, Bits::new(bits).unwrap(), bytes, None);
        assert_eq!(list.len(), TOKENS);
        assert!(list.size() + size_of_val(&list) + URI.len() <= 16 << 20);
        assert!(list.status(TOKENS - 1).is_some() && list.status(TOKENS).is_none());
    }
    assert_eq!((Bits::new(3), Bits::new(0), Bits::new(16)), (None, None, None));
}
