//! Whole files and what is warned of in them: that a warning comes, and that it does not for the near good neighbour.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::super::tests::{Desk, KEY, TOP};
use super::super::{Config, Severity};

/// An issuer of which nothing is warned.
const ISSUER: &str = "[issuer.a]\nissuer = 'i'\naudience = 'x'\nsecret = { file = 'key' }\n";
const OTHER: &str = "[issuer.b]\nissuer = 'j'\naudience = 'x'\nsecret = { file = 'key' }\n";

fn told(config: &Config) -> Vec<String> {
    let warnings = config.warnings.iter().filter(|warning| warning.key != "limits.connections");
    warnings.map(|warning| format!("{}: {} | {}", warning.key, warning.problem, warning.advice)).collect()
}

/// What is warned of in a file with good issuers.
fn warnings(more: &str) -> Vec<String> {
    told(&Desk::new().good(&format!("{ISSUER}{OTHER}{more}")))
}

/// Checks that the first file is warned of once, with these words, and its neighbour not at all.
fn once(more: &str, words: &[&str], neighbour: &str) {
    let found = warnings(more);
    assert_eq!(found.len(), 1, "{more}\n{found:#?}");
    for word in words {
        assert!(found[0].contains(word), "{more}\n{word}\n{}", found[0]);
    }
    assert_eq!(warnings(neighbour), Vec::<String>::new(), "{neighbour}");
}

fn route(path: &str, more: &str) -> String {
    format!("[[route]]\npath = {path}\n{more}\n")
}

fn routes<const N: usize>(routes: [(&str, &str); N]) -> String {
    routes.map(|(path, more)| route(path, more)).concat()
}

#[test]
fn methods_that_stay_open() {
    once(
        &route("'/x'", "method = ['GET', 'DELETE']"),
        &["route \"/x\": a POST, PUT or PATCH to \"/x\" passes without a token", "leave `method` out"],
        &routes([("'/x'", "method = 'GET'"), ("'/x'", "method = ['POST', 'PUT', 'PATCH', 'DELETE']")]),
    );
    let guarded = format!("{ISSUER}{}", route("'/x'", "method = 'GET'"));
    let desk = Desk::new();
    let text = TOP.replace("'open'", "'deny'") + &guarded;
    assert_eq!(told(&desk.parse(&text).unwrap()), Vec::<String>::new(), "what no route names is refused");
}

#[test]
fn hosts_that_stay_open() {
    once(
        &routes([("'/x'", "host = 'a.example'"), ("'/y'", "host = ['a.example', '*.b.example']")]),
        &["a request for \"/x\" at any.b.example passes without a token", "leave `host` out"],
        &routes([("'/x'", "host = 'a.example'"), ("'/y'", "host = 'a.example'")]),
    );
}

#[test]
fn what_stands_above_a_star() {
    once(
        &route("'/api/*'", ""),
        &["\"/api/*\" does not hold for \"/api\" itself", "write \"/api\""],
        &routes([("'/api/*'", "scope = 's'"), ("'/api'", "")]).replace("scope = 's'", "name = 'n'"),
    );
    assert!(warnings(&route("'/*/**'", ""))[0].contains("\"/\" itself"));
    assert!(warnings(&route("'/api/*/x'", "")).is_empty());
}

#[test]
fn report_mode_within_an_enforcing_guard() {
    once(
        &routes([("'/api/**'", ""), ("'/api/x'", "mode = 'report'")]),
        &["path \"/api/x\" in mode = \"report\" lets through what route \"/api/**\" (line 13) would refuse"],
        &routes([("'/api/**'", "mode = 'report'"), ("'/api/x'", "mode = 'report'\nname = 'n'")]),
    );
}

#[test]
fn report_mode_within_what_would_refuse() {
    let desk = Desk::new();
    for (unmatched, more, expected) in [
        ("deny", "mode = 'report'", 1),
        ("protected", "mode = 'report'", 1),
        ("open", "mode = 'report'", 0),
        ("deny", "", 0),
    ] {
        let text = format!("{}{ISSUER}{}", TOP.replace("'open'", &format!("'{unmatched}'")), route("'/x'", more));
        let found = told(&desk.parse(&text).unwrap());
        assert_eq!(found.len(), expected, "{unmatched} {more}: {found:?}");
        assert!(found.iter().all(|told| told.contains("lets through what `unmatched` would refuse")), "{found:?}");
    }
}

#[test]
fn a_narrower_guard_that_asks_less() {
    let wide = "scope = 's'\nissuer = 'a'\naudience = 'u'\nclaim = { userLoginId = ['p', 'q'] }";
    once(
        &routes([("'/api/**'", wide), ("['/api/x', '/api/y']", "")]),
        &["asks less than route \"/api/**\"", "`issuer`", "`audience` u", "`scope` s", "`claim` userLoginId"],
        &routes([("'/api/**'", wide), ("'/api/x'", &wide.replace(", 'q'", "").replace("'s'", "['s', 't']"))]),
    );
    let found = warnings(&routes([("'/api/**'", wide), ("'/api/x'", ""), ("'/api/x/y'", "access = 'open'")]));
    assert_eq!(found.len(), 1, "an exemption is meant: {found:?}");
}

#[test]
fn what_changes_nothing() {
    once(
        &routes([("'/api/**'", ""), ("'/api/x'", "")]),
        &["path \"/api/x\" is guarded by route \"/api/**\" (line 13) already", "leave it out"],
        &routes([("'/api/**'", ""), ("'/api/x'", "body_size = '1KiB'")]),
    );
    once(
        &route("['/api', '/api/x']", ""),
        &["path \"/api/x\" is named by path \"/api\" of this route as well"],
        &route("['/api/y', '/api/x']", ""),
    );
    let found = warnings(&route("['/Orders', '/orders', '/orders/**']", ""));
    assert_eq!(found.len(), 2, "of three that say the same the first one stays: {found:?}");
    // It wins over an exemption that would win over the wider guard.
    let kept = warnings(&routes([("'/api/**'", ""), ("'/api/x'", ""), ("'/api/*/login'", "access = 'open'")]));
    assert!(kept.iter().all(|told| !told.contains("already")), "{kept:?}");
}

#[test]
fn routes_that_cross() {
    once(
        &routes([("'/shop/**'", ""), ("'/*/admin'", "access = 'deny'")]),
        &[
            "route \"/*/admin\": path \"/*/admin\" and path \"/shop/**\" of route \"/shop/**\" (line 13) both match \"/shop/admin\"",
            "since \"shop\" is more specific than \"*\"",
            "add a route for \"/shop/admin\"",
        ],
        &routes([("'/shop/**'", ""), ("['/*/admin', '/shop/admin']", "access = 'deny'")]),
    );
    once(
        &routes([("'/shop/**'", "access = 'open'\nmethod = 'POST'"), ("'/*/admin'", "")]),
        &["\"POST /shop/admin\"", "it passes without a token"],
        &routes([("'/shop/**'", ""), ("'/*/admin'", "name = 'n'")]),
    );
}

#[test]
fn exemptions_that_do_not_count() {
    once(
        &routes([("'/pub/**'", "host = 'a.example'"), ("'/pub/login'", "access = 'open'")]),
        &["route \"/pub/login\": this exemption counts for no host but those", "name the hosts"],
        &routes([("'/pub/**'", "host = 'a.example'"), ("'/pub/login'", "access = 'open'\nhost = 'a.example'")]),
    );
}

#[test]
fn unmatched_that_never_applies() {
    once(
        &route("'/**'", ""),
        &["unmatched: never applies: route \"/**\" (line 13) holds for every path"],
        &route("'/a/**'", ""),
    );
}

#[test]
fn paths_that_are_one_to_guards() {
    let (get, post) = ("method = 'GET'", "method = ['POST', 'PUT', 'PATCH', 'DELETE']");
    once(
        &routes([("'/Orders'", get), ("'/orders'", post)]),
        &["path \"/orders\" is the same as \"/Orders\" of route \"/Orders\" (line 13)", "write \"/Orders\""],
        &routes([("'/orders'", get), ("'/orders'", post)]),
    );
    once(
        &routes([("'/orders'", post), ("'/orders'", get), ("'/orders.json'", &format!("{get}\nname = 'n'"))]),
        &["route \"/orders\" (line 13) holds for path \"/orders.json\" as well"],
        &routes([("'/orders'", ""), ("'/orders.json'", "name = 'n'")]),
    );
}

#[test]
fn paths_one_letter_apart() {
    once(
        &route("['/api/updateInventory', '/api/updateInvetory']", ""),
        &["\"/api/updateInvetory\" is one letter away from \"/api/updateInventory\" (line 13)"],
        &route("['/api/version1', '/api/version2']", ""),
    );
}

#[test]
fn paths_in_another_way_of_writing() {
    once(&route("'/caf%C3%A9'", ""), &["percent-escape", "write \"/caf\u{e9}\""], &route("'/caf\u{e9}'", ""));
    once(
        &route("'/a%20b'", "access = 'open'"),
        &["this exemption never counts", "write \"/a b\""],
        &route("'/a b'", "access = 'open'"),
    );
    once(
        &route("'/orders/{id}/x'", ""),
        &["means these very letters", "write \"/orders/*/x\""],
        &route("'/orders/*/x'", ""),
    );
    let report = Desk::new().parse(&format!("{TOP}{ISSUER}{}", route("'^/api/.*$'", ""))).unwrap_err();
    assert!(report.to_string().contains("write \"/api/**\""), "{report}");
}

#[test]
fn claims_that_are_misspelt() {
    once(
        &route("'/x'", "claim = { userLoginid = 'p' }"),
        &["route \"/x\".claim: \"userLoginid\"", "write \"userLoginId\""],
        &route("'/x'", "claim = { userLoginId = 'p' }"),
    );
    once(
        &route("'/x'", "forward = { claims = { X-A = 'audience' } }"),
        &["route \"/x\".forward.claims", "write \"aud\""],
        &route("'/x'", "forward = { claims = { X-A = 'aud' } }"),
    );
}

#[test]
fn tables_that_weaken() {
    let admin = "[admin]\nlisten = '0.0.0.0:9090'\ntoken = { file = 'key' }\n";
    once(admin, &["admin.listen: beyond loopback", "cleartext"], &admin.replace("0.0.0.0", "127.0.0.1"));
    once(
        "[cors]\norigins = ['http://oms.example']\n",
        &["cors.origins: ", "write https://"],
        "[cors]\norigins = ['https://oms.example', 'http://localhost:*', 'http://127.0.0.1:3000']\n",
    );
    let issuer =
        |more: &str| format!("[issuer.c]\nissuer = 'k'\naudience = 'x'\nsecret = {{ file = 'key' }}\n{more}\n");
    once(&issuer("short_key = 'accept'"), &["issuer.c.short_key: a short key can be found by trying"], &issuer(""));
    once(&issuer("types = ['logout+jwt']"), &["made for something else"], &issuer("types = ['', 'JWT', 'my+jwt']"));
    once(&issuer("types = ['*']"), &["there are no wildcards"], &issuer("types = 'at+jwt'"));
    once(&issuer("subject = 'userloginid'"), &["issuer.c.subject", "\"userLoginId\""], &issuer("subject = 'user'"));
}

#[test]
fn secrets_that_everyone_can_read() {
    let desk = Desk::new();
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(desk.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    std::os::unix::fs::symlink(desk.path("key"), desk.path("link")).unwrap();
    let file = ISSUER.replace("'key'", "'link'");
    assert_eq!(told(&desk.good(&file)), Vec::<String>::new());
    mode("", 0o755);
    mode("key", 0o640);
    assert_eq!(told(&desk.good(&file)), Vec::<String>::new(), "a group may");
    mode("key", 0o644);
    let found = told(&desk.good(&file));
    assert!(found.len() == 1 && found[0].contains("chmod 600") && found[0].contains("defaultMode"), "{found:?}");
    mode("", 0o700);
    assert_eq!(told(&desk.good(&file)), Vec::<String>::new(), "nobody passes the folder");
    mode("", 0o755);
    mode("public.pem", 0o644);
    let public = "[issuer.a]\nissuer = 'i'\naudience = 'x'\npem = 'public.pem'\n";
    assert_eq!(told(&desk.good(public)), Vec::<String>::new(), "a public key is for everyone");
    let text = ISSUER.replace("{ file = 'key' }", &format!("{{ text = '{KEY}' }}"));
    std::fs::write(desk.path("config.toml"), &text).unwrap();
    mode("config.toml", 0o644);
    let found = told(&desk.good(&text));
    assert!(found.iter().any(|told| told.contains("read this file, and the secret in it")), "{found:?}");
    assert!(found.iter().all(|told| !told.contains(KEY)));
    mode("config.toml", 0o600);
    assert_eq!(told(&desk.good(&text)).len(), 1);
}

#[test]
fn no_kind_is_told_without_end() {
    let paths: Vec<String> = (0..50).map(|at| format!("'/x{at}/{{id}}'")).collect();
    let found = warnings(&route(&format!("[{}]", paths.join(", ")), ""));
    assert_eq!(found.len(), 21);
    assert!(found[20].contains("and 30 more paths in another router's way of writing"), "{}", found[20]);
}

#[test]
fn no_number_of_routes_takes_long() {
    let letter = |at: u32| char::from_u32(u32::from(b'a') + at % 26).unwrap();
    let word = |at: u32| -> String { [at, at / 26, at / 676].map(letter).iter().collect() };
    for path in [
        |word: &str, _: u32| format!("/api/service/{word}{word}"),
        |word: &str, _: u32| format!("/api/*/{word}{word}/**"),
        |word: &str, at: u32| {
            if at.is_multiple_of(2) { format!("/{word}{word}/*") } else { format!("/*/{word}{word}") }
        },
        |word: &str, _: u32| format!("/api/{word}{word}*"),
        |_: &str, _: u32| String::from("/api/x"),
    ] {
        let mut text = format!("{TOP}{ISSUER}");
        // As many on one path are compared each with each for ties, and differ in their hosts.
        let one_path = path("a", 0) == path("b", 0);
        for at in 0..if one_path { 2000 } else { 10_000 } {
            let host = if one_path { format!("host = 'h{at}'\nname = 'n{at}'\n") } else { String::new() };
            let access = if at % 4 < 2 { "access = 'deny'" } else { "" };
            text.push_str(&route(&format!("'{}'", path(&word(at), at)), &format!("{host}{access}")));
        }
        let desk = Desk::new();
        let started = Instant::now();
        let config = desk.parse(&text).unwrap();
        let taken = started.elapsed();
        assert!(config.warnings.len() < 200);
        assert!(config.warnings.iter().all(|told| told.severity == Severity::Warning));
        // Each takes some three seconds here; what is compared each with each takes minutes.
        assert!(taken < Duration::from_secs(40), "{}: {taken:?}", path("word", 0));
    }
}
