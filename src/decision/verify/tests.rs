//! Claims about which tokens prove what. `good` is a token that passes; each test spoils one thing about it.

mod examined;

use std::sync::LazyLock;

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::decision::claims::ClaimPath;
use crate::decision::decide;
use crate::decision::forwarding::HeaderRules;
use crate::decision::head::tests::Asked;
use crate::decision::keys::{AlgorithmSet, Family, Key, KeyError, Supply, TokenTypes};
use crate::decision::policy::Policy;
use crate::decision::route::tests::{default, guard};
use crate::decision::route::{Route, RouteTable};
use crate::decision::verdict::Verdict;

pub(in crate::decision) const NOW: f64 = 1_800_000_000.0;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Whoever signs.
pub(in crate::decision) enum Signer {
    Hmac(&'static [u8]),
    Rsa(&'static RsaKeyPair),
    Ec(Family, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(in crate::decision) const OWN: Signer = Signer::Hmac(&[7; 64]);
pub(in crate::decision) const FOREIGN: Signer = Signer::Hmac(&[8; 64]);

impl Signer {
    fn of(algorithm: Algorithm) -> Self {
        static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let family = algorithm.family();
        match family {
            Family::Hmac => OWN,
            Family::Rsa => Signer::Rsa(&RSA),
            Family::P256 => {
                Signer::Ec(family, EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Family::P384 => {
                Signer::Ec(family, EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
            }
            Family::Ed25519 => Signer::Ed(Ed25519KeyPair::generate().unwrap()),
        }
    }

    /// The key that verifies what it signs.
    pub(in crate::decision) fn key(&self, id: Option<&str>, allowed: &[Algorithm]) -> Key {
        let allowed: AlgorithmSet = allowed.iter().copied().collect();
        match self {
            Signer::Hmac(secret) => Key::hmac(id, secret, allowed, false),
            Signer::Rsa(pair) => Key::public(id, pair.public_key().as_ref(), allowed),
            Signer::Ec(family, pair) => Key::point(id, *family, pair.public_key().as_ref(), allowed),
            Signer::Ed(pair) => Key::point(id, Family::Ed25519, pair.public_key().as_ref(), allowed),
        }
        .unwrap()
    }

    fn signature(&self, algorithm: Algorithm, signed: &[u8]) -> Vec<u8> {
        let random = rand::SystemRandom::new();
        let rsa = |pair: &RsaKeyPair, padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &random, signed, &mut signature).unwrap();
            signature
        };
        let mac = |secret: &[u8], hash| hmac::sign(&hmac::Key::new(hash, secret), signed).as_ref().to_vec();
        match (self, algorithm) {
            (Signer::Hmac(secret), Algorithm::HS384) => mac(secret, hmac::HMAC_SHA384),
            (Signer::Hmac(secret), Algorithm::HS512) => mac(secret, hmac::HMAC_SHA512),
            (Signer::Hmac(secret), _) => mac(secret, hmac::HMAC_SHA256),
            (Signer::Rsa(pair), Algorithm::RS384) => rsa(pair, &signature::RSA_PKCS1_SHA384),
            (Signer::Rsa(pair), Algorithm::RS512) => rsa(pair, &signature::RSA_PKCS1_SHA512),
            (Signer::Rsa(pair), Algorithm::PS256) => rsa(pair, &signature::RSA_PSS_SHA256),
            (Signer::Rsa(pair), Algorithm::PS384) => rsa(pair, &signature::RSA_PSS_SHA384),
            (Signer::Rsa(pair), Algorithm::PS512) => rsa(pair, &signature::RSA_PSS_SHA512),
            (Signer::Rsa(pair), _) => rsa(pair, &signature::RSA_PKCS1_SHA256),
            (Signer::Ec(_, pair), _) => pair.sign(&random, signed).unwrap().as_ref().to_vec(),
            (Signer::Ed(pair), _) => pair.sign(signed).as_ref().to_vec(),
        }
    }

    /// A token of these texts; the header's own `alg` does not matter to how it is signed.
    pub(in crate::decision) fn token(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.signature(algorithm, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A good payload, with `more` members (`,"name":value`) and without those of `without`.
pub(in crate::decision) fn payload(without: &[&str], more: &str) -> String {
    let members = [
        ("iss", "\"https://i\"".to_owned()),
        ("aud", "\"oms\"".to_owned()),
        ("sub", "\"boomi\"".to_owned()),
        ("exp", format!("{}", NOW + 300.0)),
        ("iat", format!("{}", NOW - 5.0)),
    ];
    let kept = members.iter().filter(|(name, _)| !without.contains(name));
    let kept: Vec<String> = kept.map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}{more}}}", kept.join(","))
}

/// The same with one member written otherwise.
fn with(name: &str, value: &str) -> String {
    payload(&[name], &format!(",\"{name}\":{value}"))
}

pub(in crate::decision) fn issuer(name: &str) -> Issuer {
    Issuer {
        name: name.into(),
        issuers: vec!["https://i".into()],
        audiences: vec!["oms".into()],
        algorithms: [Algorithm::HS256].into_iter().collect(),
        subject: ClaimPath::new("sub"),
        leeway: 0.0,
        max_lifetime: None,
        require: vec![],
        types: TokenTypes::default(),
    }
}

pub(in crate::decision) fn slot(issuer: Issuer, keys: Vec<Key>) -> IssuerSlot {
    IssuerSlot::new(Arc::new(issuer), Arc::new(KeySet::new(keys)))
}

/// The issuer whose tokens are good.
fn own(change: impl FnOnce(&mut Issuer)) -> IssuerSlot {
    let mut issuer = issuer("own");
    change(&mut issuer);
    slot(issuer, vec![OWN.key(None, &[Algorithm::HS256])])
}

pub(in crate::decision) fn snapshot(issuers: Vec<IssuerSlot>, routes: Vec<Route>) -> Snapshot {
    Snapshot {
        routes: Arc::new(RouteTable::build(routes).unwrap()),
        issuers,
        origins: Arc::new([]),
        headers: Arc::new(HeaderRules::new([])),
        strict_paths: false,
    }
}

/// What becomes of a token on a route that takes any issuer's.
fn judged(issuers: &[IssuerSlot], token: &str, now: f64) -> Result<(), Code> {
    let mut route = guard("/x");
    if let Policy::Require(requirement) = &mut route.policy {
        requirement.issuers = (0..issuers.len()).map(IssuerId).collect();
    }
    let snapshot = snapshot(issuers.to_vec(), vec![route, default(Policy::Deny)]);
    let asked = Asked::new("POST", "/x").header("authorization", &format!("Bearer {token}"));
    let now = UnixSeconds::new(now).unwrap();
    match decide(&asked.head(), &snapshot, &mut Memo::off(), now).verdict {
        Verdict::Allow(_) => Ok(()),
        Verdict::Reject(rejection) => Err(rejection.code()),
    }
}

fn of_payload(payload: &str) -> Result<(), Code> {
    judged(&[own(|_| ())], &OWN.token(Algorithm::HS256, HEADER, payload), NOW)
}

fn of_header(header: &str) -> Result<(), Code> {
    judged(&[own(|_| ())], &OWN.token(Algorithm::HS256, header, &payload(&[], "")), NOW)
}

fn under(change: impl FnOnce(&mut Issuer), payload: &str) -> Result<(), Code> {
    judged(&[own(change)], &OWN.token(Algorithm::HS256, HEADER, payload), NOW)
}

#[test]
fn a_good_token_passes() {
    assert_eq!(of_payload(&payload(&[], "")), Ok(()));
    assert_eq!(of_header(r#"{"alg":"HS256"}"#), Ok(()));
    assert_eq!(of_header(r#"{"alg":"HS256","typ":"at+jwt","kid":"any","cty":"x","x5t":"y"}"#), Ok(()));
}

#[test]
fn every_algorithm_verifies_its_own_signatures_and_no_other_algorithms() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::of(algorithm);
        let rules = Issuer { algorithms: Algorithm::ALL.into_iter().collect(), ..issuer("all") };
        let slots = [slot(rules, vec![signer.key(Some("k"), &[algorithm])])];
        let header = |named: &str| format!("{{\"alg\":\"{named}\",\"kid\":\"k\"}}");
        let token = |named: &str| signer.token(algorithm, &header(named), &payload(&[], ""));
        assert_eq!(judged(&slots, &token(algorithm.name()), NOW), Ok(()), "{algorithm}");
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let found = judged(&slots, &token(other.name()), NOW);
            assert_eq!(found, Err(Code::AlgorithmNotAllowed), "{algorithm} named {other}");
        }
        let stranger = match algorithm.family() {
            Family::Hmac => FOREIGN,
            Family::Rsa => continue,
            _ => Signer::of(algorithm),
        };
        let forged = stranger.token(algorithm, &header(algorithm.name()), &payload(&[], ""));
        assert_eq!(judged(&slots, &forged, NOW), Err(Code::SignatureInvalid), "{algorithm} of a stranger");
    }
}

#[test]
fn a_public_key_is_never_the_secret_of_an_hmac() {
    let signer = Signer::of(Algorithm::RS256);
    let Signer::Rsa(pair) = &signer else { panic!("an RSA key") };
    let rules = Issuer { algorithms: Algorithm::ALL.into_iter().collect(), ..issuer("all") };
    let slots = [slot(rules, vec![signer.key(None, &Algorithm::ALL)])];
    let secret = Vec::leak(pair.public_key().as_ref().to_vec());
    let forged = Signer::Hmac(secret).token(Algorithm::HS256, HEADER, &payload(&[], ""));
    assert_eq!(judged(&slots, &forged, NOW), Err(Code::AlgorithmNotAllowed));
}

#[test]
fn a_signature_is_of_the_very_bytes() {
    let good = OWN.token(Algorithm::HS256, HEADER, &payload(&[], ""));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(payload(&[], ",\"admin\":true"));
    for (name, token) in [
        ("another payload", format!("{header}.{other}.{signature}")),
        ("no signature", format!("{signed}.")),
        ("half a signature", format!("{signed}.{}", signature.split_at(20).0)),
        ("a signature and more", format!("{signed}.{signature}AAAA")),
        ("nothing but zeros", format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 32]))),
    ] {
        assert_eq!(judged(&[own(|_| ())], &token, NOW), Err(Code::SignatureInvalid), "{name}");
    }
    let ec = Signer::of(Algorithm::ES256);
    let rules = Issuer { algorithms: [Algorithm::ES256].into_iter().collect(), ..issuer("ec") };
    let slots = [slot(rules, vec![ec.key(None, &[Algorithm::ES256])])];
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(payload(&[], "")));
    for zeros in [0, 63, 64, 65, 96] {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(vec![0; zeros]));
        assert_eq!(judged(&slots, &token, NOW), Err(Code::SignatureInvalid), "{zeros} zeros (CVE-2022-21449)");
    }
}

// What the library underneath takes and waxseal does not, one by one.

#[test]
fn crit_is_refused_whatever_it_names() {
    for header in [r#"{"alg":"HS256","crit":["exp"]}"#, r#"{"alg":"HS256","crit":["b64"],"b64":false}"#] {
        assert_eq!(of_header(header), Err(Code::TokenMalformed), "{header}");
    }
}

#[test]
fn an_unencoded_payload_is_refused() {
    assert_eq!(of_header(r#"{"alg":"HS256","b64":false}"#), Err(Code::TokenMalformed));
}

#[test]
fn keys_that_a_token_brings_along_are_refused() {
    for name in ["jwk", "jku", "x5u", "x5c"] {
        assert_eq!(of_header(&format!("{{\"alg\":\"HS256\",\"{name}\":\"x\"}}")), Err(Code::TokenMalformed), "{name}");
    }
}

#[test]
fn a_token_of_another_type_is_refused() {
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt", "", "JOSE"] {
        assert_eq!(of_header(&format!("{{\"alg\":\"HS256\",\"typ\":\"{typ}\"}}")), Err(Code::TokenType), "{typ}");
    }
    let strict = |issuer: &mut Issuer| issuer.types = TokenTypes { absent: false, names: vec!["at+jwt".into()] };
    assert_eq!(under(strict, &payload(&[], "")), Err(Code::TokenType));
}

#[test]
fn an_issuer_that_is_configured_must_be_named() {
    assert_eq!(of_payload(&payload(&["iss"], "")), Err(Code::IssuerMismatch));
    assert_eq!(of_payload(&with("iss", "\"https://j\"")), Err(Code::IssuerMismatch));
    assert_eq!(of_payload(&with("iss", "\"https://i/\"")), Err(Code::IssuerMismatch));
    assert_eq!(under(|issuer| issuer.issuers.clear(), &payload(&["iss"], "")), Ok(()));
}

#[test]
fn an_issuer_is_text_even_where_it_is_not_looked_at() {
    for value in ["7", "null", "{}", "[\"https://i\"]", "[\"https://i\",\"https://j\"]"] {
        assert_eq!(of_payload(&with("iss", value)), Err(Code::ClaimMalformed), "{value}");
        let found = under(|issuer| issuer.issuers.clear(), &with("iss", value));
        assert_eq!(found, Err(Code::ClaimMalformed), "{value}");
    }
}

#[test]
fn an_audience_that_is_configured_must_be_named() {
    assert_eq!(of_payload(&payload(&["aud"], "")), Err(Code::AudienceMismatch));
    for value in ["\"other\"", "[]", "[\"other\"]", "\"oms \"", "\"OMS\""] {
        assert_eq!(of_payload(&with("aud", value)), Err(Code::AudienceMismatch), "{value}");
    }
    assert_eq!(of_payload(&with("aud", "[\"other\",\"oms\"]")), Ok(()));
}

#[test]
fn an_audience_is_text_or_a_list_of_text_even_where_it_is_not_looked_at() {
    for value in ["7", "null", "{}", "[\"oms\",7]", "[[\"oms\"]]"] {
        assert_eq!(of_payload(&with("aud", value)), Err(Code::ClaimMalformed), "{value}");
        let found = under(|issuer| issuer.audiences.clear(), &with("aud", value));
        assert_eq!(found, Err(Code::ClaimMalformed), "{value}");
    }
}

#[test]
fn a_token_ends_at_exp_and_not_a_moment_later() {
    let token = |exp: &str| OWN.token(Algorithm::HS256, HEADER, &with("exp", exp));
    for (exp, now, expected) in [
        ("1800000000", NOW, Err(Code::TokenExpired)),
        ("1800000001", NOW, Ok(())),
        ("1800000000.4", NOW, Ok(())),
        ("1800000000.4", NOW + 0.4, Err(Code::TokenExpired)),
        ("1800000000.6", NOW + 0.7, Err(Code::TokenExpired)),
        ("1.9e9", NOW, Ok(())),
        ("0", NOW, Err(Code::TokenExpired)),
        ("-1", NOW, Err(Code::TokenExpired)),
        ("-1e300", NOW, Err(Code::TokenExpired)),
        ("1e300", NOW, Ok(())),
        ("18446744073709551615", NOW, Ok(())),
        ("99999999999999999999999999", NOW, Ok(())),
        ("1e300", 1e301, Err(Code::TokenExpired)),
    ] {
        assert_eq!(judged(&[own(|_| ())], &token(exp), now), expected, "exp {exp} at {now}");
    }
    let lenient = own(|issuer| issuer.leeway = 60.0);
    assert_eq!(judged(std::slice::from_ref(&lenient), &token("1800000000"), NOW + 59.5), Ok(()));
    assert_eq!(judged(&[lenient], &token("1800000000"), NOW + 60.0), Err(Code::TokenExpired));
}

#[test]
fn times_are_numbers() {
    for name in ["exp", "nbf", "iat"] {
        for value in ["\"1900000000\"", "null", "true", "[1900000000]", "{}"] {
            assert_eq!(of_payload(&with(name, value)), Err(Code::ClaimMalformed), "{name} {value}");
        }
    }
    assert_eq!(of_payload(&payload(&["exp"], "")), Err(Code::ClaimMissing));
    assert_eq!(of_payload(&with("exp", "1e999")), Err(Code::TokenMalformed));
}

#[test]
fn a_token_that_begins_later_is_refused() {
    for name in ["nbf", "iat"] {
        for (moment, expected) in [
            (NOW, Ok(())),
            (NOW + 0.5, Err(Code::TokenNotYetValid)),
            (NOW + 100.0, Err(Code::TokenNotYetValid)),
            (1e300, Err(Code::TokenNotYetValid)),
            (-1e300, Ok(())),
        ] {
            assert_eq!(of_payload(&with(name, &format!("{moment:e}"))), expected, "{name} {moment}");
        }
        let ahead = with(name, &format!("{}", NOW + 60.0));
        assert_eq!(under(|issuer| issuer.leeway = 60.0, &ahead), Ok(()), "{name} within the leeway");
    }
    assert_eq!(of_payload(&payload(&["iat"], "")), Ok(()), "iat may be absent");
}

#[test]
fn a_lifetime_without_end_is_refused_where_it_is_limited() {
    let limited = |issuer: &mut Issuer| issuer.max_lifetime = Some(305.0);
    assert_eq!(under(limited, &payload(&[], "")), Ok(()));
    assert_eq!(under(limited, &with("exp", "18446744073709551615")), Err(Code::TokenTooLongLived));
    assert_eq!(under(limited, &with("exp", "1e300")), Err(Code::TokenTooLongLived));
    assert_eq!(under(limited, &with("iat", "-1e300")), Err(Code::TokenTooLongLived));
    assert_eq!(under(limited, &payload(&["iat"], "")), Err(Code::ClaimMissing));
}

#[test]
fn a_leeway_beyond_all_clocks_breaks_nothing() {
    for leeway in [1e19, 1e300, f64::MAX] {
        assert_eq!(under(|issuer| issuer.leeway = leeway, &payload(&[], "")), Ok(()), "{leeway}");
        assert_eq!(under(|issuer| issuer.leeway = leeway, &with("exp", "1.7e308")), Ok(()), "{leeway}");
    }
}

#[test]
fn an_empty_secret_is_no_key() {
    let allowed = [Algorithm::HS256].into_iter().collect();
    assert_eq!(Key::hmac(None, b"", allowed, true).unwrap_err(), KeyError::EmptySecret);
}

#[test]
fn a_member_that_stands_twice_is_refused_in_payload_and_header() {
    for more in [",\"exp\":1900000000", ",\"x\":1,\"x\":1", ",\"x\":{\"y\":1,\"y\":2}", ",\"s\\u0075b\":\"admin\""] {
        assert_eq!(of_payload(&payload(&[], more)), Err(Code::TokenMalformed), "{more}");
    }
    for more in
        ["\"alg\":\"HS256\"", "\"typ\":\"JWT\",\"typ\":\"JWT\"", "\"x\":1,\"x\":1", "\"k\\u0069d\":\"a\",\"kid\":\"b\""]
    {
        assert_eq!(of_header(&format!("{{\"alg\":\"HS256\",{more}}}")), Err(Code::TokenMalformed), "{more}");
    }
}

#[test]
fn an_algorithm_that_is_not_the_keys_is_refused() {
    for name in ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "RS256", "ES512", "Ed25519", "ES256K", "HS256 "]
    {
        let header = format!("{{\"alg\":\"{name}\"}}");
        assert_eq!(of_header(&header), Err(Code::AlgorithmNotAllowed), "{name:?}");
        let bare = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload(&[], "")));
        assert_eq!(judged(&[own(|_| ())], &bare, NOW), Err(Code::AlgorithmNotAllowed), "{name:?} unsigned");
    }
}

#[test]
fn only_canonical_base64url_in_three_parts_is_taken() {
    let good = OWN.token(Algorithm::HS256, HEADER, &payload(&[], ""));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    // 32 bytes are 43 letters, of which the last has two bits to spare.
    let (most, last) = signature.split_at(42);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = letters.iter().position(|letter| last.as_bytes() == [*letter]).unwrap();
    for (name, token) in [
        ("spare bits", format!("{signed}.{most}{}", char::from(letters[place + 1]))),
        ("padding", format!("{good}=")),
        ("four parts", format!("{good}.x")),
        ("five parts", format!("{good}..")),
        ("two parts", signed.to_owned()),
        ("the other alphabet", format!("{signed}.{}/+", signature.split_at(41).0)),
        ("a blank inside", good.replace('.', ". ")),
        ("a blank before the signature", format!("{signed}. {signature}")),
        ("quotes", format!("\"{good}\"")),
        ("nothing", String::new()),
        ("another scheme inside", format!("Bearer {good}")),
    ] {
        assert_eq!(judged(&[own(|_| ())], &token, NOW), Err(Code::TokenMalformed), "{name}");
    }
}

#[test]
fn nesting_deeper_than_127_is_refused_also_where_nobody_looks() {
    let nested = |depth: usize| payload(&[], &format!(",\"x\":{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert_eq!(of_payload(&nested(100)), Ok(()));
    assert_eq!(of_payload(&nested(128)), Err(Code::TokenMalformed));
    assert_eq!(of_payload(&nested(5000)), Err(Code::TokenMalformed));
}

#[test]
fn a_token_of_16_kib_is_taken_and_a_longer_one_is_not() {
    let long =
        |bytes: usize| OWN.token(Algorithm::HS256, HEADER, &payload(&[], &format!(",\"x\":\"{}\"", "a".repeat(bytes))));
    assert_eq!(judged(&[own(|_| ())], &long(12_000), NOW), Ok(()));
    assert_eq!(judged(&[own(|_| ())], &long(13_000), NOW), Err(Code::TokenMalformed));
}

#[test]
fn one_issuer_may_have_keys_of_several_families() {
    let pairs =
        [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(|algorithm| (algorithm, Signer::of(algorithm)));
    let keys = pairs.iter().map(|(algorithm, signer)| signer.key(Some(algorithm.name()), &[*algorithm])).collect();
    let algorithms = pairs.iter().map(|(algorithm, _)| *algorithm).collect();
    let slots = [slot(Issuer { algorithms, ..issuer("several") }, keys)];
    for (algorithm, signer) in &pairs {
        for kid in ["", &format!(",\"kid\":\"{algorithm}\"")] {
            let token = signer.token(*algorithm, &format!("{{\"alg\":\"{algorithm}\"{kid}}}"), &payload(&[], ""));
            assert_eq!(judged(&slots, &token, NOW), Ok(()), "{algorithm} {kid}");
        }
    }
    let crossed = pairs[0].1.token(Algorithm::RS256, r#"{"alg":"RS256","kid":"ES256"}"#, &payload(&[], ""));
    assert_eq!(judged(&slots, &crossed, NOW), Err(Code::AlgorithmNotAllowed), "the algorithm of another key");
}

// Claims and which issuer's rules.

#[test]
fn claims_that_are_wanted_must_be_there() {
    assert_eq!(of_payload(&payload(&["sub"], "")), Err(Code::ClaimMissing));
    for value in ["7", "null", "[\"boomi\"]", "{}", "true", "\"\""] {
        assert_eq!(of_payload(&with("sub", value)), Err(Code::ClaimMalformed), "{value}");
    }
    let wants_jti = |issuer: &mut Issuer| issuer.require = vec![ClaimPath::new("jti")];
    assert_eq!(under(wants_jti, &payload(&[], "")), Err(Code::ClaimMissing));
    assert_eq!(under(wants_jti, &payload(&[], ",\"jti\":\"1\"")), Ok(()));
    let hotwax = |issuer: &mut Issuer| issuer.subject = ClaimPath::new("userLoginId");
    assert_eq!(under(hotwax, &payload(&[], "")), Err(Code::ClaimMissing));
    assert_eq!(under(hotwax, &payload(&["sub"], ",\"userLoginId\":\"a@b\"")), Ok(()));
}

#[test]
fn a_token_bound_to_a_key_is_no_bearer_token_and_every_other_fault_is_told_first() {
    for cnf in ["{\"jkt\":\"x\"}", "null", "7"] {
        assert_eq!(of_payload(&payload(&[], &format!(",\"cnf\":{cnf}"))), Err(Code::ProofInvalid), "{cnf}");
    }
    assert_eq!(of_payload(&payload(&["aud"], ",\"cnf\":{}")), Err(Code::AudienceMismatch));
    assert_eq!(of_payload(&payload(&["exp"], ",\"cnf\":{},\"exp\":1")), Err(Code::TokenExpired));
}

#[test]
fn a_kid_that_nobody_has_is_an_unknown_key() {
    let named = |id| slot(issuer("own"), vec![OWN.key(id, &[Algorithm::HS256])]);
    let token = |kid: &str| OWN.token(Algorithm::HS256, &format!("{{\"alg\":\"HS256\"{kid}}}"), &payload(&[], ""));
    for (id, kid, expected) in [
        (Some("a"), ",\"kid\":\"a\"", Ok(())),
        (Some("a"), "", Ok(())),
        (Some("a"), ",\"kid\":\"b\"", Err(Code::UnknownKey)),
        (Some("a"), ",\"kid\":\"\"", Err(Code::UnknownKey)),
        (Some("a"), ",\"kid\":\"A\"", Err(Code::UnknownKey)),
        (Some("a"), ",\"kid\":7", Err(Code::TokenMalformed)),
        (None, ",\"kid\":\"b\"", Ok(())),
    ] {
        assert_eq!(judged(&[named(id)], &token(kid), NOW), expected, "{id:?} {kid}");
    }
    assert_eq!(judged(&[slot(issuer("own"), vec![])], &token(""), NOW), Err(Code::UnknownKey), "an empty set");
}

#[test]
fn keys_that_are_not_there_are_no_fault_of_the_token() {
    let lacking = IssuerSlot::supplied(Arc::new(issuer("lacking")), None, Supply::Given);
    let token = OWN.token(Algorithm::HS256, HEADER, &payload(&[], ""));
    assert_eq!(judged(std::slice::from_ref(&lacking), &token, NOW), Err(Code::KeysUnavailable));
    let other = slot(issuer("other"), vec![FOREIGN.key(None, &[Algorithm::HS256])]);
    for slots in [[lacking.clone(), other.clone()], [other.clone(), lacking.clone()]] {
        assert_eq!(judged(&slots, &token, NOW), Err(Code::KeysUnavailable), "beside one that did not sign");
    }
    for slots in [[lacking.clone(), own(|_| ())], [own(|_| ()), lacking.clone()]] {
        assert_eq!(judged(&slots, &token, NOW), Ok(()), "beside the one that signed");
    }
    for (name, header, payload, expected) in [
        ("an algorithm that is not its own", r#"{"alg":"RS256"}"#, payload(&[], ""), Code::AlgorithmNotAllowed),
        ("no algorithm", r#"{"alg":"none"}"#, payload(&[], ""), Code::AlgorithmNotAllowed),
        ("another issuer", HEADER, with("iss", "\"https://j\""), Code::IssuerMismatch),
        ("a broken token", r#"{"alg":"HS256","crit":[]}"#, payload(&[], ""), Code::TokenMalformed),
    ] {
        let token = OWN.token(Algorithm::HS256, header, &payload);
        assert_eq!(judged(std::slice::from_ref(&lacking), &token, NOW), Err(expected), "{name}");
    }
}

#[test]
fn the_code_is_of_the_issuer_with_which_the_token_came_furthest() {
    let named = |name: &str, signer: &Signer, id| slot(issuer(name), vec![signer.key(Some(id), &[Algorithm::HS256])]);
    let rsa = Issuer { algorithms: [Algorithm::RS256].into_iter().collect(), ..issuer("rsa") };
    let by_algorithm = slot(rsa, vec![Signer::of(Algorithm::RS256).key(None, &[Algorithm::RS256])]);
    let by_kid = named("kid", &OWN, "other");
    let by_signature = named("signature", &FOREIGN, "k");
    let elsewhere =
        slot(Issuer { issuers: vec!["https://j".into()], ..issuer("j") }, vec![OWN.key(None, &[Algorithm::HS256])]);
    let token = OWN.token(Algorithm::HS256, r#"{"alg":"HS256","kid":"k"}"#, &payload(&[], ""));
    for (slots, expected) in [
        (vec![&elsewhere], Code::IssuerMismatch),
        (vec![&elsewhere, &by_algorithm], Code::AlgorithmNotAllowed),
        (vec![&by_kid, &by_algorithm], Code::UnknownKey),
        (vec![&by_algorithm, &by_signature, &by_kid], Code::SignatureInvalid),
        (vec![&by_signature, &elsewhere], Code::SignatureInvalid),
    ] {
        let slots: Vec<IssuerSlot> = slots.into_iter().cloned().collect();
        let reversed: Vec<IssuerSlot> = slots.iter().rev().cloned().collect();
        assert_eq!(judged(&slots, &token, NOW), Err(expected), "{slots:?}");
        assert_eq!(judged(&reversed, &token, NOW), Err(expected), "{reversed:?}");
    }
}

#[test]
fn the_first_issuer_that_proves_a_token_judges_it_alone() {
    let strict = own(|issuer| issuer.audiences = vec!["nobody".into()]);
    let lenient = own(|issuer| issuer.audiences.clear());
    let token = OWN.token(Algorithm::HS256, HEADER, &payload(&[], ""));
    assert_eq!(judged(&[strict.clone(), lenient.clone()], &token, NOW), Err(Code::AudienceMismatch));
    assert_eq!(judged(&[lenient, strict], &token, NOW), Ok(()));
}

#[test]
fn scopes_are_text_or_a_list_and_nothing_else() {
    for (json, expected) in [
        (r#"{"scope":"a b  c"}"#, vec!["a", "b", "c"]),
        (r#"{"scp":["a","b c",7]}"#, vec!["a", "b c"]),
        (r#"{"scope":"a","scp":["b"]}"#, vec!["a", "b"]),
        (r#"{"scope":["a"],"scp":"b"}"#, vec![]),
        (r#"{"scope":"a\tb"}"#, vec!["a\tb"]),
        ("{}", vec![]),
    ] {
        let found = scopes(&Claims::parse(json.as_bytes()).unwrap());
        assert_eq!(found.iter().map(|scope| &**scope).collect::<Vec<_>>(), expected, "{json}");
    }
}
