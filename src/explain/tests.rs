//! Claims about explanations and cases, by whole configs.

use std::path::Path;

use super::*;
use crate::config::{self, Case};
use crate::keys::Signer;
use crate::secret::Secret;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NOW: f64 = 1_800_000_000.0;

/// A guard with an identity header, one in report mode, one with a cookie, an exemption, and the rest closed.
fn file(more: &str) -> String {
    format!(
        "listen = '127.0.0.1:0'\nupstream = 'http://127.0.0.1:8081'\nunmatched = 'deny'\n\
         [issuer.hotwax]\nsecret = {{ text = '{KEY}' }}\nsubject = 'userLoginId'\n\
         [[route]]\nname = 'inventory'\npath = '/api/updateInventory'\n\
         forward = {{ claims = {{ X-Auth-User = 'userLoginId' }}, strip = ['api_key'] }}\n\
         [[route]]\nname = 'tried'\npath = '/tried'\nmode = 'report'\n\
         [[route]]\nname = 'page'\npath = '/page'\ntoken = 'cookie:t'\nscope = 'see'\n\
         [[route]]\nname = 'ping'\npath = '/api/updateInventory/ping'\naccess = 'open'\n{more}"
    )
}

fn config(more: &str) -> Config {
    config::parse(&file(more), Path::new("config.toml"), &|_| None).unwrap_or_else(|report| panic!("{report}"))
}

fn now() -> UnixSeconds {
    UnixSeconds::new(NOW).unwrap()
}

fn token(config: &Config, claims: serde_json::Value) -> Secret<String> {
    Signer::of(&config.issuers[0]).unwrap().sign(&claims).unwrap()
}

fn told(line: &str, claims: Option<serde_json::Value>) -> Explanation {
    let config = config("");
    let mut asked = Asked::line(line).unwrap();
    if let Some(claims) = claims {
        asked.show(&token(&config, claims), &config.snapshot);
    }
    explain(&config, &asked, now())
}

fn good() -> Option<serde_json::Value> {
    Some(serde_json::json!({ "userLoginId": "boomi", "exp": NOW + 60.0 }))
}

#[test]
fn a_refusal_is_told_with_its_route_its_step_and_its_answer() {
    let told = told("POST /api/updateInventory?token=swordfish", None);
    assert_eq!((told.verdict, told.code, told.status), ("reject", "credential_missing", Some(401)));
    assert_eq!(told.routes[0].name, "inventory");
    let step = told.steps.last().unwrap();
    assert_eq!((step.look, step.outcome, step.code), ("credential", "refuse", Some("credential_missing")));
    let answer = told.answer.as_ref().unwrap();
    assert!(answer.headers.contains(&("www-authenticate".into(), "Bearer realm=\"waxseal\"".into())), "{answer:?}");
    assert!(answer.body.contains("credential_missing") && told.upstream.is_none());
    let text = told.to_string();
    for words in ["refused: 401 credential_missing", "held to  \"inventory\" (protected)", "the upstream gets nothing"]
    {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("swordfish") && !serde_json::to_string(&told).unwrap().contains("swordfish"));
}

#[test]
fn what_goes_up_is_told_without_credentials() {
    let config = config("");
    let token = token(&config, good().unwrap());
    let mut asked = Asked::line("POST /api/updateInventory").unwrap();
    for field in ["X_Auth_User: evil", "api_key: x", "Cookie: a=swordfish", "X-Original-URL: /x", "Host: oms.example"] {
        asked.header(field).unwrap();
    }
    asked.show(&token, &config.snapshot);
    let told = explain(&config, &asked, now());
    assert_eq!((told.verdict, told.code, told.status), ("allow", "ok", None));
    assert_eq!(told.principal.as_ref().unwrap().subject, "boomi");
    let sent = told.upstream.as_ref().unwrap();
    let names: Vec<&str> = sent.headers.iter().map(|(name, _)| name.as_str()).collect();
    let forwarded = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id"];
    assert_eq!(names, [&["authorization", "cookie", "host", "x-auth-user"][..], &forwarded].concat());
    assert!(sent.headers.contains(&("x-auth-user".into(), "boomi".into())));
    let everything = format!("{told}{}{told:?}", serde_json::to_string(&told).unwrap());
    assert!(!everything.contains("swordfish") && !everything.contains(token.expose()), "{everything}");
    assert!(everything.contains("Bearer [hidden]"));
}

#[test]
fn no_credential_is_told_wherever_it_stands() {
    let tokens = "[[route]]\npath = '/elsewhere'\ntoken = ['header:X-Token']\n";
    let config = config(tokens);
    for (line, field) in [
        ("GET http://u:swordfish@h/api/updateInventory/ping", "Accept: a"),
        ("GET /api/updateInventory/ping", "Host: u:swordfish@h"),
        ("GET /api/updateInventory/ping?swordfish", "X_Token: swordfish"),
        ("GET /api/updateInventory/ping", "Api-Key: swordfish"),
        ("GET /api/updateInventory/ping", "Proxy-Authorization: Basic swordfish"),
        ("GET /api/updateInventory/ping", "Authorization: swordfish x"),
        ("GET /a/../b?swordfish", "Authorization: swordfish"),
    ] {
        let mut asked = Asked::line(line).unwrap();
        asked.header(field).unwrap();
        let told = explain(&config, &asked, now());
        let everything = format!("{told}{}{told:?}", serde_json::to_string(&told).unwrap());
        assert!(!everything.contains("swordfish"), "{line} {field}\n{everything}");
    }
}

#[test]
fn every_step_is_told_with_what_was_expected_and_found() {
    let expired = told("POST /api/updateInventory", Some(serde_json::json!({ "userLoginId": "b", "exp": NOW - 1.0 })));
    let looks: Vec<&str> = expired.steps.iter().map(|step| step.look).collect();
    assert_eq!(looks, ["credential", "form", "iss", "signature", "typ", "subject", "exp"]);
    let last = expired.steps.last().unwrap();
    assert!(last.expected.contains("1800000000 (2027-01-15T08:00:00Z)"), "{last:?}");
    assert!(last.found.contains("1799999999"), "{last:?}");
    assert_eq!(expired.code, "token_expired");
    let scope = told("GET /page", good());
    let last = scope.steps.last().unwrap();
    assert_eq!((last.look, &*last.expected, &*last.found), ("scope", "all of [\"see\"]", "[]"));
    assert!(scope.steps[0].found.contains("cookie:t"), "the token is shown where the route looks for it");
}

#[test]
fn report_mode_passes_and_says_what_it_lifts() {
    let told = told("GET /tried", None);
    assert_eq!((told.verdict, told.code, told.passes()), ("report", "credential_missing", true));
    assert_eq!(told.steps.last().unwrap().outcome, "lift");
    assert!(told.upstream.is_some() && told.to_string().contains("passes because of report mode"));
}

#[test]
fn a_rate_is_told_and_not_counted() {
    let config = config("rate = { per = 'address', requests = 1, window = '1h' }\n");
    for _ in 0..3 {
        let told = explain(&config, &Asked::line("GET /api/updateInventory/ping").unwrap(), now());
        let last = told.steps.last().unwrap();
        assert_eq!((told.verdict, last.look, last.outcome), ("allow", "rate", "pass"));
        assert!(last.expected.contains("1 requests"), "{last:?}");
    }
}

#[test]
fn routes_are_told_with_those_that_come_after_and_why() {
    let told = told("GET /api/updateInventory/ping", None);
    let matches = &told.readings[0].matches;
    assert_eq!((&*matches[0].route, &*matches[1].route), ("ping", "inventory"));
    assert_eq!(matches[0].why.as_deref(), Some("the longer pattern comes first"));
    assert!(matches[1].implied);
    let below = self::told("GET /api/updateInventory.json/x", None);
    assert_eq!((&*below.routes[0].name, below.readings[0].matches[0].implied), ("inventory", true));
    let nothing = self::told("GET /other", None);
    assert_eq!((nothing.code, &*nothing.routes[0].name), ("route_denied", "unmatched"));
    assert!(nothing.to_string().contains("no route names it"));
}

#[test]
fn what_never_becomes_a_request_is_refused_too() {
    for (line, code, status) in [
        ("GET /a/../b", "path_ambiguous", 400),
        ("GET /a b", "path_ambiguous", 400),
        ("GET /a#b", "path_ambiguous", 400),
        ("GET api", "request_malformed", 400),
        ("TRACE /", "method_refused", 405),
    ] {
        let told = told(line, None);
        assert_eq!((told.code, told.status), (code, Some(status)), "{line}");
        assert!(told.to_string().contains("refused"), "{line}");
    }
}

#[test]
fn a_terminal_obeys_nothing_that_a_token_says() {
    let claims = serde_json::json!({ "userLoginId": "\u{1b}[2J\u{202e}evil\n", "jti": "\u{7}", "exp": NOW + 60.0 });
    let text = told("POST /api/updateInventory", Some(claims)).to_string();
    assert!(text.contains("the token is \"\\u{1b}[2J\\u{202e}evil\\n\"'s"), "{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text}");
}

fn failures(cases: &str) -> Vec<String> {
    let config = config(cases);
    let report = check(&config, now()).err();
    report.map_or_else(Vec::new, |report| report.diagnostics.iter().map(ToString::to_string).collect())
}

#[test]
fn cases_hold_where_they_say_what_happens() {
    let cases = "[[test]]\nrequest = 'POST /api/updateInventory'\nexpect = 'credential_missing'\n\
                 [[test]]\nrequest = 'POST /api/updateInventory'\nclaims = { userLoginId = 'boomi' }\nexpect = 'allow'\n\
                 [[test]]\nrequest = 'GET /api/updateInventory'\nissuer = 'hotwax'\nexpect = 'claim_missing'\n\
                 [[test]]\nrequest = 'GET /page'\nclaims = { userLoginId = 'a', scope = 'see' }\nexpect = 'allow'\n\
                 [[test]]\nrequest = 'GET /page'\nclaims = { userLoginId = 'a' }\nexpect = 403\n\
                 [[test]]\nrequest = 'GET /tried'\nexpect = 'allow'\n\
                 [[test]]\nrequest = 'GET /other'\nexpect = '404'\n\
                 [[test]]\nrequest = 'POST /api/updateInventory'\nheaders = ['Authorization: Basic eA==']\n\
                 expect = 'credential_missing'\n\
                 [[test]]\nrequest = 'GET /page'\nclaims = { userLoginId = 'a', exp = 100 }\nexpect = 'token_expired'\n\
                 [[test]]\nrequest = 'GET /page'\nclaims = { userLoginId = 'a', scope = 'see', exp = 100 }\n\
                 at = 1970-01-01T00:01:00Z\nexpect = 'allow'\n";
    assert_eq!(failures(cases), Vec::<String>::new());
}

#[test]
fn a_case_that_fails_says_what_came_instead_and_where() {
    let failed = failures(
        "[[test]]\nrequest = 'POST /api/updateInventory'\nexpect = 'allow'\n\
         [[test]]\nrequest = 'GET /tried'\nexpect = 401\n\
         [[test]]\nrequest = 'GET /page'\nclaims = { userLoginId = 'a' }\nexpect = 'claim_mismatch'\n",
    );
    for (told, words) in failed.iter().zip([
        "config.toml:26:10: test 1, \"POST /api/updateInventory\": expected allow, got 401 credential_missing\n",
        "config.toml:29:10: test 2, \"GET /tried\": expected 401, got allow (report mode; enforced it would be \
         credential_missing)\n",
        "config.toml:33:10: test 3, \"GET /page\": expected claim_mismatch, got 403 scope_insufficient\n    it falls \
         under route \"page\" (protected)\n    expected scope \"see\", found []\n",
    ]) {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(failed.len(), 3);
}

#[test]
fn no_query_of_a_case_is_told() {
    let case = "[[test]]\nrequest = 'GET /api/updateInventory?swordfish'\nexpect = 'allow'\n";
    let config = config(case);
    let [outcome] = play(&config, now()).try_into().unwrap();
    let told = format!("{outcome:?}{config:?}{}{}", config.effective().toml(), config.effective().tree());
    assert!(!told.contains("swordfish"), "{told}");
    assert_eq!(outcome.request, "GET /api/updateInventory?[hidden]");
    for bad in ["GET/x?swordfish", "G T /x?swordfish", "GET http://u:swordfish@h /x?swordfish"] {
        let text = file(&format!("test = [{{ request = '{bad}', expect = 'alow' }}]\n"));
        let text = text.replacen("[issuer", &format!("{}\n[issuer", text.lines().last().unwrap()), 1);
        let text = text.trim_end().rsplit_once('\n').unwrap().0.to_owned();
        let report = config::parse(&text, Path::new("config.toml"), &|_| None).map(|_| ()).expect_err(bad);
        let shown = format!("{report}{}", config::render::complaints(&report.diagnostics));
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}

#[test]
fn a_case_that_makes_no_sense_is_complained_of() {
    for (case, words) in [
        ("expect = 'allow'", "`request` is missing"),
        ("request = 'GET /'", "`expect` is missing"),
        ("request = 'GET'\nexpect = 'allow'", "is no request"),
        ("request = 'GET /'\nexpect = 'alow'", "did you mean \"allow\"?"),
        ("request = 'GET /'\nexpect = 'token_expird'", "did you mean \"token_expired\"?"),
        ("request = 'GET /'\nexpect = 200", "never refuses with 200"),
        ("request = 'GET /'\nexpect = true", "expected \"allow\", a reason code"),
        ("request = 'GET /'\nexpect = 'allow'\nissuer = 'hotwx'", "did you mean \"hotwax\"?"),
        ("request = 'GET /'\nexpect = 'allow'\nheaders = ['swordfish']", "a header is written 'Name: value'"),
        ("request = 'GET /'\nexpect = 'allow'\nat = 'now'", "\n    write \"2026-10-30T07:05:09Z\""),
        ("request = 'GET /'\nexpect = 'allow'\nclaims = { exp = 1979-05-27 }", "a token has no dates"),
        ("request = 'GET /'\nexpect = 'allow'\nclaim = {}", "did you mean \"claims\"?"),
        ("request = 'GET /'\nexpect = 'allow'\nclaims = 'x'", "expected a table of claims"),
    ] {
        let text = file(&format!("[[test]]\n{case}\n"));
        let report = config::parse(&text, Path::new("config.toml"), &|_| None).map(|_| ()).expect_err(case).to_string();
        assert!(report.contains(words) && !report.contains("swordfish"), "{case}\n{report}");
    }
    let two = file("[issuer.b]\nsecret = { env = 'KEY' }\n[[test]]\nrequest = 'GET /'\nclaims = {}\nexpect = 401\n");
    let report = config::parse(&two, Path::new("config.toml"), &|_| Some(KEY.into())).map(|_| ()).unwrap_err();
    assert!(report.to_string().contains("who signs? there are 2 issuers"), "{report}");
}

#[test]
fn an_issuer_whose_private_key_is_elsewhere_signs_with_a_stand_in() {
    let folder = tempfile::tempdir().unwrap();
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().public_key_pem();
    std::fs::write(folder.path().join("public.pem"), pem).unwrap();
    let text = "listen = '127.0.0.1:0'\nupstream = 'http://127.0.0.1:1'\nunmatched = 'protected'\n\
                [issuer.idp]\npem = 'public.pem'\nissuer = 'https://idp'\naudience = ['orders']\ntypes = 'at+jwt'\n\
                [[test]]\nrequest = 'GET /'\nclaims = { sub = 'a' }\nexpect = 'allow'\n\
                [[test]]\nrequest = 'GET /'\nclaims = { sub = 'a', iss = 'https://other' }\nexpect = 'issuer_mismatch'\n\
                [[test]]\nrequest = 'GET /'\nclaims = { sub = 'a', aud = 'x' }\nexpect = 'audience_mismatch'\n";
    let config = config::parse(text, &folder.path().join("config.toml"), &|_| None).unwrap();
    assert_eq!(check(&config, now()).map_err(|report| report.to_string()), Ok(()));
    assert_eq!(config.cases.iter().map(Case::line).collect::<Vec<_>>(), [12, 16, 20]);
}

#[test]
fn what_no_route_names_is_told_what_is_near() {
    let config = config(
        "[[route]]\nname = 'orders'\npath = '/orders'\nmethod = ['GET', 'POST']\nhost = 'shop.example'\n\
         [[route]]\npath = '/health'\naccess = 'open'\n",
    );
    for (line, headers, words) in [
        ("PUT /orders", &["Host: shop.example"][..], "\"orders\" names this path for GET, POST alone: add \"PUT\""),
        (
            "GET /orders",
            &["Host: shop.example", "X-HTTP-Method-Override: PUT"],
            "add \"PUT\" to its `method`, to which a header overrides it",
        ),
        (
            "OPTIONS /orders",
            &["Host: shop.example", "Origin: https://a.example", "Access-Control-Request-Method: POST"],
            "add \"OPTIONS\" to its `method`, for the preflights of browsers",
        ),
        (
            "GET /orders",
            &["Host: other.example"],
            "no route names the host \"other.example\": add it to `host` of route",
        ),
        ("GET /Health/", &["Host: shop.example"], "is open for \"/health\" exactly"),
        ("GET /elsewhere", &["Host: shop.example"], "add a [[route]] that names the path"),
    ] {
        let mut asked = Asked::line(line).unwrap();
        headers.iter().for_each(|field| asked.header(field).unwrap());
        let told = explain(&config, &asked, now());
        assert_eq!(told.code, "route_denied", "{line}");
        assert_eq!(told.detail.as_deref(), Some("no route names it, and unmatched = \"deny\""));
        assert!(told.advice.as_deref().unwrap().contains(words), "{line}: {:?}", told.advice);
    }
}

#[test]
fn an_encoded_slash_is_shown_as_it_is_written() {
    let told = told("GET /tried%2Fx", None);
    let paths: Vec<&str> = told.readings.iter().map(|reading| &*reading.path).collect();
    assert_eq!(paths, ["/tried/x", "/tried%2Fx", "/tried%2Fx"]);
}

#[test]
fn a_line_of_the_log_knows_more_than_its_explanation() {
    let config = config("");
    let line = |verdict: &str, code: &str, detail: &str| {
        let path = "/page";
        format!(
            r#"{{"time":"2027-01-15T08:00:00Z","verdict":"{verdict}","code":"{code}","method":"POST","host":"a","path":"{path}","detail":{detail}}}"#
        )
    };
    let read = |line: &str| {
        let logged = Logged::read(line).unwrap();
        let told = logged.explain(&config, None);
        (logged.remark(&told, false), told.detail.unwrap_or_default())
    };
    let (remark, detail) = read(&line("reject", "credential_missing", "\"a cookie that does not count\""));
    assert_eq!((&*remark, &*detail), ("the log says reject credential_missing", "a cookie that does not count"));
    let (remark, _) = read(&line("allow", "ok", "null"));
    assert_eq!(remark, "the log says allow ok", "what passed had more than the line holds");
    let (remark, _) = read(&line("reject", "route_denied", "\"facts\""));
    assert!(remark.starts_with("the log says reject route_denied (facts), and below it is reject"), "{remark}");
}

#[test]
fn a_case_that_brings_its_own_token_is_judged_by_the_real_keys() {
    let folder = tempfile::tempdir().unwrap();
    let public = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().public_key_pem();
    std::fs::write(folder.path().join("public.pem"), public).unwrap();
    let head = "eyJhbGciOiJFUzI1NiJ9";
    let forged = format!("{head}.e30.{}", "A".repeat(86));
    let text = format!(
        "listen = '127.0.0.1:0'\nupstream = 'http://127.0.0.1:1'\nunmatched = 'protected'\n\
         [issuer.a]\npem = 'public.pem'\n[issuer.b]\npem = 'public.pem'\n\
         [[test]]\nrequest = 'GET /'\nheaders = ['Authorization: Bearer {forged}']\nexpect = 'signature_invalid'\n\
         [[test]]\nrequest = 'GET /'\nissuer = 'b'\nclaims = {{ sub = 'x' }}\nexpect = 'allow'\n"
    );
    let config = config::parse(&text, &folder.path().join("config.toml"), &|_| None).unwrap();
    assert_eq!(check(&config, now()).map_err(|report| report.to_string()), Ok(()));
}
