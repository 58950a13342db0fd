//! Claims about which routes a request falls under.

use super::*;
use crate::decision::credential::Place;
use crate::decision::head::tests::Asked;
use crate::decision::keys::IssuerId;
use crate::decision::policy::Requirement;

/// A guard that takes any token of the first issuer.
pub(in crate::decision) fn guard(path: &str) -> Route {
    let requirement = Requirement {
        issuers: vec![IssuerId(0)],
        places: vec![Place::Authorization],
        audiences: vec![],
        scopes: vec![],
        claims: vec![],
    };
    route("guard", path, Policy::Require(requirement))
}

/// An exemption.
pub(in crate::decision) fn open(path: &str) -> Route {
    route("open", path, Policy::Open)
}

/// A closed route.
pub(in crate::decision) fn deny(path: &str) -> Route {
    route("deny", path, Policy::Deny)
}

/// A default route: one without a path.
pub(in crate::decision) fn default(policy: Policy) -> Route {
    Route { patterns: vec![], name: "default".into(), ..route("", "/", policy) }
}

fn route(kind: &str, path: &str, policy: Policy) -> Route {
    Route {
        name: format!("{kind} {path}").trim().into(),
        patterns: vec![Pattern::parse(path, policy == Policy::Open).unwrap()],
        methods: vec![],
        hosts: vec![],
        policy,
        mode: Mode::Enforce,
        forwarding: Forwarding::default(),
        upstream: 0,
        timeout: None,
        body_size: None,
        rate: None,
    }
}

/// The route for these methods only.
pub(in crate::decision) fn on(methods: &[&str], route: Route) -> Route {
    Route { methods: methods.iter().map(|method| method.parse().unwrap()).collect(), ..route }
}

/// The route for these hosts only.
pub(in crate::decision) fn at(hosts: &[&str], route: Route) -> Route {
    Route { hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(), ..route }
}

fn build(routes: &[Route]) -> RouteTable {
    let routes = routes.iter().cloned().chain([default(Policy::Open)]).collect();
    RouteTable::build(routes).unwrap_or_else(|ties| panic!("{ties:?}"))
}

fn held_by(table: &RouteTable, asked: &Asked) -> Vec<String> {
    let head = asked.head();
    let held = table.find(&head);
    check_account(table, &held, &table.under(&head));
    held.iter().map(|id| table.route(id).unwrap().name.to_string()).collect()
}

/// What is told of a request's candidates agrees with what holds for it.
fn check_account(table: &RouteTable, held: &Held, under: &[Under]) {
    let mut told: Vec<RouteId> = Vec::new();
    for reading in under {
        let first = reading.candidates.iter().find(|candidate| !candidate.whatever_host);
        let guard = |id: RouteId| table.route(id).is_some_and(Route::is_guard);
        told.extend(match first {
            Some(first) if !reading.guards_only || guard(first.route) => Some(first.route),
            None if !reading.guards_only => Some(table.unmatched()),
            _ => None,
        });
        told.extend(reading.candidates.iter().filter(|candidate| candidate.whatever_host).map(|own| own.route));
        for pair in reading.candidates.windows(2) {
            assert!(!pair[0].why_before(&pair[1]).is_empty());
        }
    }
    let mut held: Vec<RouteId> = held.iter().collect();
    held.sort_unstable();
    told.sort_unstable();
    told.dedup();
    // The default route is told for a reading that nobody's host brought under a guard, where it is held too.
    assert_eq!(told, held, "{under:?}");
}

/// The routes that hold for a request, whatever the order in which they stand in the file.
fn held(routes: &[Route], method: &str, target: &str) -> Vec<String> {
    held_for(routes, &Asked::new(method, target))
}

fn held_for(routes: &[Route], asked: &Asked) -> Vec<String> {
    let forward = held_by(&build(routes), asked);
    let reversed: Vec<Route> = routes.iter().rev().cloned().collect();
    assert_eq!(held_by(&build(&reversed), asked), forward, "the order in the file matters");
    forward
}

#[test]
fn a_guard_matches_every_spelling_of_its_path() {
    let routes = [guard("/api/updateInventory")];
    for target in [
        "/api/updateInventory",
        "/api/updateInventory?x=/open",
        "/API/UPDATEINVENTORY",
        "/api/updateInventory/",
        "/api/updateInventory//",
        "/api/updateInventory/anything/below",
        "/api/updateInventory.json",
        "/api/updateInventory.tar.gz",
        "/api/updateInventory.",
        "/api/updateInventory...",
        "/api/updateInventory.json/below",
        "/api/updateInventory%20",
        "/api/%20updateInventory",
        "/api/updateInventory%20.json",
        "/api/updateInventory%20..json",
        "/api./updateInventory",
        "/api%20/updateInventory",
        "/%C2%A0api/updateInventory%E3%80%80",
        "//api/updateInventory",
        "//host/api/updateInventory",
        "///api//updateInventory",
        "/api;x=1/updateInventory;y",
        "/;/api/updateInventory",
        "/api/%75pdateInventory",
        "/api/%2575pdateInventory",
        "/api%2FupdateInventory",
        "/api%252fupdateInventory",
        "/api/updateInventory%3Fx",
        "/api/updateInventory%23x",
        "/api/updateInventory%3Bx",
        "/api/updateInventory;x%2Fy",
        "/%61pi%C0%AFupdateInventory",
        "/api/%EF%BD%95pdateInventory",
        "/api%EF%BC%8FupdateInventory",
        "/api/update%C4%B0nventory",
    ] {
        let found = held(&routes, "POST", target);
        assert!(found.contains(&"guard /api/updateInventory".to_owned()), "{target}: {found:?}");
    }
}

#[test]
fn a_look_alike_that_no_server_takes_for_the_guard_stays_open() {
    let routes = [guard("/api/updateInventory"), guard("/v1.*/x"), guard("/exact")];
    for target in [
        "/api/updateInventor",
        "/api/updateInventoryX",
        "/api/update.Inventory",
        "/api/-updateInventory",
        "/api",
        "/api/",
        "/apis/updateInventory",
        "/x/api/updateInventory",
        "/updateInventory",
        "/api-updateInventory",
        "/api/updateInventory,x",
        "/v12/x",
        "/exactly",
    ] {
        assert_eq!(held(&routes, "POST", target), ["default"], "{target}");
    }
}

#[test]
fn a_guard_with_a_star_is_as_wide() {
    for (pattern, target, expected) in [
        ("/a/*", "/a/x", true),
        ("/a/*", "/a/x/y", true),
        ("/a/*", "/A/x", true),
        ("/a/*", "/a//x", true),
        ("/a/*", "/a", false),
        ("/a/*", "/a/", false),
        ("/a/*/c", "/a/x/c.json", true),
        ("/a/*/c", "/a//c", false),
        ("/a/**", "/a", true),
        ("/a/**", "/a/", true),
        ("/a/**", "/a.json", true),
        ("/a/**", "/a.json/x", true),
        ("/a/**", "/a%20", true),
        ("/a/**", "/ab", false),
        ("/**", "/", true),
        ("/**", "/x/y", true),
        ("/", "/", true),
        ("/", "/x", true),
        ("/a/update*", "/a/update", true),
        ("/a/update*", "/a/UpdateX", true),
        ("/a/update*", "/a/updateX/y", true),
        ("/a/update*", "/a/upd", false),
        ("/a/*date", "/a/update.json", true),
        ("/a/*date", "/a/update%20.json", true),
        ("/a/*date", "/a/update...json", true),
        ("/a/*date", "/a/%20update.%20", true),
        ("/a/*date", "/a/updates", false),
        ("/a/v1.*", "/a/v1.", true),
        ("/a/v1.*", "/a/V1.2", true),
        ("/a/v1.*", "/a/v1..", true),
        ("/a/v1.*", "/a/v12", false),
        ("/a/*.do", "/a/x.do", true),
        ("/a/*.do", "/a/x.DO.", true),
        ("/a/*.do", "/a/xdo", false),
        ("/a/*\u{e9}*", "/a/xE%CC%81x", true),
    ] {
        let found = held(&[guard(pattern)], "GET", target);
        assert_eq!(found.iter().any(|name| name.starts_with("guard")), expected, "{pattern} {target}: {found:?}");
    }
}

#[test]
fn an_exemption_matches_exactly() {
    for (pattern, target, expected) in [
        ("/a/b", "/a/b", true),
        ("/a/b", "/a/b?x", true),
        ("/a/b", "/a/%62", false),
        ("/a/b", "/A/b", false),
        ("/a/b", "/a/b/", false),
        ("/a/b", "/a/b/c", false),
        ("/a/b", "/a/b.json", false),
        ("/a/b", "/a/b.", false),
        ("/a/b", "/a/b%20", false),
        ("/a/b", "/a/b;x", false),
        ("/a/b", "/a//b", false),
        ("/a/b", "//a/b", false),
        ("/a/b", "/a%2Fb", false),
        ("/a/b", "/a/%2562", false),
        ("/a/b", "/a/b%3Fx", false),
        ("/a/b", "/a/%EF%BD%82", false),
        ("/a/b", "/a/%C1%A2", false),
        ("/a/*", "/a/x", true),
        ("/a/*", "/a/", false),
        ("/a/*", "/a/x/", false),
        ("/a/*", "/a/x;y", true),
        ("/a/**", "/a", true),
        ("/a/**", "/a/", true),
        ("/a/**", "/a/x//y", true),
        ("/a/**", "/ab", false),
        ("/a/x*", "/a/x", true),
        ("/a/x*", "/a/xy", true),
        ("/a/x*", "/a/Xy", false),
        ("/", "/", true),
        ("/", "/x", false),
        ("/", "//", false),
    ] {
        let name = format!("open {pattern}");
        let found = held(&[open(pattern), guard("/**")], "GET", target);
        let alone = found == [name];
        assert_eq!(alone, expected, "{pattern} {target}: {found:?}");
    }
    // Undecoded it is a path under the guard; where there is no guard it is the exempted one.
    assert_eq!(held(&[open("/a/b")], "GET", "/a/%62"), ["open /a/b"]);
}

#[test]
fn the_most_specific_route_wins() {
    let all = ["/**", "/a/**", "/a/*", "/a/b*", "/a/bc*", "/a/bcd", "/a/bcd/**", "/a/bcd.json", "/a/*/x"];
    let routes: Vec<Route> = all.into_iter().map(guard).collect();
    for (target, expected) in [
        ("/z", "/**"),
        ("/", "/**"),
        ("/a", "/a/**"),
        ("/a/", "/a/**"),
        ("/a/z", "/a/*"),
        ("/a/z/y", "/a/*"),
        ("/a/z/x", "/a/*/x"),
        ("/a/bz", "/a/b*"),
        ("/a/bcz", "/a/bc*"),
        ("/a/bcd", "/a/bcd"),
        ("/a/bcd/", "/a/bcd"),
        ("/a/bcd/x", "/a/bcd/**"),
        ("/a/bcd.json", "/a/bcd.json"),
        ("/a/bcd.xml", "/a/bcd"),
    ] {
        assert_eq!(held(&routes, "GET", target).first().unwrap(), &format!("guard {expected}"), "{target}");
    }
}

#[test]
fn equally_partial_segments_leave_the_choice_to_what_comes_next() {
    let routes = [open("/f/a*/*"), guard("/f/*b/secret"), at(&["oms.example"], deny("/h/a*")), open("/h/*b")];
    assert_eq!(held(&routes, "GET", "/f/ab/secret"), ["guard /f/*b/secret"]);
    assert_eq!(held(&routes, "GET", "/f/ab/x"), ["open /f/a*/*"]);
    assert_eq!(held(&routes, "GET", "/h/ab"), ["deny /h/a*"]);
}

#[test]
fn host_counts_before_method_and_both_after_the_path() {
    let routes = [
        guard("/a"),
        on(&["GET"], Route { name: "get".into(), ..guard("/a") }),
        at(&["*.example"], Route { name: "wild".into(), ..guard("/a") }),
        at(&["oms.example"], Route { name: "host".into(), ..guard("/a") }),
        at(&["oms.example"], guard("/**")),
    ];
    for (method, host, target, expected) in [
        ("GET", "oms.example", "/a", "host"),
        ("GET", "OMS.Example.:8443", "/a", "host"),
        ("GET", "x.example", "/a", "wild"),
        ("GET", "x.y.example", "/a", "wild"),
        ("POST", "oms.example", "/b", "guard /**"),
    ] {
        let found = held_for(&routes, &Asked::new(method, target).host(host));
        assert_eq!(found, [expected], "{method} {host} {target}");
    }
}

#[test]
fn a_host_that_no_route_names_falls_under_every_guard() {
    let routes = [
        at(&["a.example"], guard("/x")),
        at(&["b.example"], deny("/x/y")),
        at(&["c.example"], open("/x")),
        open("/x/*"),
    ];
    for (host, target, expected) in [
        ("a.example", "/x", vec!["guard /x"]),
        ("b.example", "/x", vec!["default"]),
        ("c.example", "/x", vec!["open /x"]),
        ("10.0.0.1", "/x", vec!["guard /x", "default"]),
        ("a.example..", "/x", vec!["guard /x", "default"]),
        ("10.0.0.1", "/x/y", vec!["deny /x/y", "open /x/*", "guard /x"]),
        ("10.0.0.1", "/z", vec!["default"]),
    ] {
        assert_eq!(held_for(&routes, &Asked::new("GET", target).host(host)), expected, "{host} {target}");
    }
    let alike = [at(&["b.example"], deny("/y")), at(&["*.example"], guard("/y")), at(&["a.example"], guard("/y"))];
    let found = held_for(&alike, &Asked::new("GET", "/y").host("10.0.0.1"));
    assert_eq!(
        found,
        ["guard /y", "deny /y", "guard /y", "default"],
        "equally specific ones by the names of their hosts"
    );
    let mut nameless = Asked::new("GET", "/x");
    nameless.0.headers_mut().remove(http::header::HOST);
    *nameless.0.version_mut() = http::Version::HTTP_10;
    assert_eq!(held_for(&routes, &nameless), ["guard /x", "default"], "no host at all");
}

#[test]
fn methods_compare_without_case_and_get_guards_head() {
    let routes = [on(&["GET"], guard("/a")), on(&["POST"], deny("/a")), on(&["GET"], open("/b")), guard("/b")];
    for (method, target, expected) in [
        ("GET", "/a", "guard /a"),
        ("get", "/a", "guard /a"),
        ("HEAD", "/a", "guard /a"),
        ("head", "/a", "guard /a"),
        ("PoSt", "/a", "deny /a"),
        ("PUT", "/a", "default"),
        ("GET", "/b", "open /b"),
        ("HEAD", "/b", "guard /b"),
    ] {
        assert_eq!(held(&routes, method, target), [expected], "{method} {target}");
    }
    let written = [on(&["GET"], guard("/a")), on(&["HEAD"], open("/a"))];
    assert_eq!(held(&written, "HEAD", "/a"), ["open /a"], "written before implied");
}

#[test]
fn every_method_that_a_request_means_counts() {
    let routes = [on(&["DELETE"], deny("/a")), on(&["GET"], open("/a")), on(&["POST"], guard("/a"))];
    let found =
        |overriding: &str| held_for(&routes, &Asked::new("GET", "/a").header("x-http-method-override", overriding));
    assert_eq!(found("get"), ["open /a"]);
    assert!(found("delete").contains(&"deny /a".to_owned()));
    assert!(found("post, delete").contains(&"guard /a".to_owned()));
    assert!(found("patch").contains(&"default".to_owned()));
}

#[test]
fn all_readings_count_and_an_exemption_only_where_it_covers_them_all() {
    let routes = [open("/pub/**"), guard("/api/x"), guard("/%61")];
    for (target, expected) in [
        ("/pub/x", vec!["open /pub/**"]),
        ("/pub/a%2Fb", vec!["open /pub/**"]),
        ("/pub%2Fa", vec!["open /pub/**", "default"]),
        ("//pub/api/x", vec!["guard /api/x", "open /pub/**", "default"]),
        ("/pub;", vec!["open /pub/**", "default"]),
        ("/%2561", vec!["guard /%61", "default"]),
        ("/%61", vec!["guard /%61", "default"]),
    ] {
        let mut found = held(&routes, "GET", target);
        found.sort();
        let mut expected: Vec<&str> = expected;
        expected.sort_unstable();
        assert_eq!(found, expected, "{target}");
    }
    assert_eq!(held(&[open("/%61")], "GET", "/%61"), ["default"], "the undecoded path adds no exemption");
}

#[test]
fn true_ties_are_refused_and_nothing_else() {
    for (name, one, other, tie) in [
        ("the same path", guard("/a"), open("/a"), true),
        ("another letter case", guard("/A"), open("/a"), true),
        ("another method", on(&["GET"], guard("/a")), on(&["POST"], open("/a")), false),
        ("a common method", on(&["GET", "PUT"], guard("/a")), on(&["PUT"], open("/a")), true),
        ("one for all methods", on(&["GET"], guard("/a")), open("/a"), false),
        ("another host", at(&["a"], guard("/a")), at(&["b"], open("/a")), false),
        ("a common host", at(&["a", "c"], guard("/a")), at(&["b", "C."], open("/a")), true),
        ("one for all hosts", at(&["a"], guard("/a")), open("/a"), false),
        ("a host and all below", at(&["x.a"], guard("/a")), at(&["*.a"], open("/a")), false),
        ("a deep one", guard("/a/**"), open("/a"), false),
        ("two deep ones", guard("/a/**"), open("/a/**"), true),
        ("a star and a name", guard("/a/*"), open("/a/b"), false),
        ("two stars", guard("/a/*/b"), open("/a/*/b"), true),
        ("stars before other names", guard("/*/a"), open("/*/b"), false),
        ("partial ones that overlap", guard("/a*"), open("/*b"), true),
        ("partial ones that do not", guard("/a*"), open("/b*"), false),
        ("partial ones of other lengths", guard("/ab*"), open("/*b"), false),
        ("partial ones with other names below", guard("/a*/x"), open("/*b/y"), false),
    ] {
        let table = RouteTable::build(vec![one, other, default(Policy::Open)]);
        assert_eq!(table.is_err(), tie, "{name}");
    }
    let twice = Route { patterns: vec![Pattern::parse("/a", false).unwrap(); 2], ..guard("/a") };
    assert!(RouteTable::build(vec![twice, default(Policy::Open)]).is_ok(), "one route that names a path twice");
}

#[test]
fn overlaps_of_partial_segments_are_found_and_found_quickly() {
    for (one, other, expected) in [
        ("a*", "*b", true),
        ("a*", "b*", false),
        ("a*b", "a*c", false),
        ("*a*", "*b*", true),
        ("x*y", "xy*", true),
        ("xy*", "x*zy", true),
        ("ab*", "a*", true),
        ("a*a", "*aa", true),
        ("*ab", "ab*", true),
        ("a*c", "*b*d", false),
    ] {
        let of = |text: &str| match Pattern::parse(&format!("/{text}"), false).unwrap().segments.remove(0) {
            pattern::Segment::Partial(partial) => partial,
            other => panic!("{other:?}"),
        };
        assert_eq!(of(one).overlaps(&of(other)), expected, "{one} {other}");
        assert_eq!(of(other).overlaps(&of(one)), expected, "{other} {one}");
    }
    let (one, other) = (format!("/{}b", "*a".repeat(60)), format!("/{}c", "*a".repeat(60)));
    assert!(RouteTable::build(vec![guard(&one), guard(&other), default(Policy::Open)]).is_ok());
}

#[test]
fn patterns_are_refused_with_the_place() {
    for (pattern, exact, at) in [
        ("", false, 0),
        ("a", false, 0),
        ("/a?b", false, 2),
        ("/a#b", false, 2),
        ("/a;b", false, 2),
        ("/a\\b", false, 2),
        ("/a\tb", false, 2),
        ("/a//b", false, 3),
        ("/a/", false, 3),
        ("/a/./b", false, 3),
        ("/a/..", false, 3),
        ("/a/**/b", false, 6),
        ("/a/x**", false, 3),
        ("/\u{e9}", true, 1),
    ] {
        let found = Pattern::parse(pattern, exact).map(|_| ()).map_err(|error| error.at);
        assert_eq!(found, Err(at), "{pattern:?}");
    }
    for pattern in ["/", "/**", "/*", "/a/*/b*c/**", "/\u{e9}", "/a b", "/..."] {
        assert!(Pattern::parse(pattern, false).is_ok(), "{pattern}");
    }
}

#[test]
fn hosts_are_names_or_everything_below_one() {
    for (pattern, host, expected) in [
        ("oms.example", "OMS.example", true),
        ("oms.example.", "oms.example", true),
        ("oms.example:80", "oms.example", true),
        ("oms.example", "x.oms.example", false),
        ("*.example", "a.example", true),
        ("*.example", "a.b.example", true),
        ("*.example", "example", false),
        ("*.example", ".example", false),
        ("*.example", "aexample", false),
        ("[::1]", "[::1]", true),
    ] {
        assert_eq!(HostPattern::parse(pattern).unwrap().matches(host), expected, "{pattern} {host}");
    }
    for bad in ["", "*", "a/b", "a b", "*.*.a", "a:b", "*."] {
        assert!(HostPattern::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn no_path_takes_long_to_find() {
    let routes = ["/a", "/a/b.c.d", "/a/*", "/*x*/y", "/a*b*c*", "/x/**", "/x/y/*z/*z/*z"].map(guard);
    let table = build(&routes);
    for piece in [".", "a.", "/a", "/x", " .", ". a", "b", ".b", "x", "zz/", "%20.", "%cc%81", "%e2%80%83."] {
        let piece = piece.replace(' ', "%20");
        for (start, end) in [("/", "a"), ("/a/", "/"), ("/x/y/", "z"), ("/a/x", "y")] {
            let asked = Asked::new("GET", &format!("{start}{}{end}", piece.repeat(32 * 1024 / piece.len())));
            let Ok(head) = crate::decision::head::RequestHead::of(&asked.0) else { continue };
            let started = std::time::Instant::now();
            table.find(&head);
            let taken = started.elapsed();
            assert!(taken.as_millis() < 500, "{start}{piece}…{end}: {taken:?}");
        }
    }
}
