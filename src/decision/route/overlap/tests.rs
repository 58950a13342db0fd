//! Claims about paths that cross, and about those that lie round another.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::tests::{at, default, deny, guard, on, open};
use super::super::{Mode, RouteTable};
use super::*;
use crate::decision::head::tests::Asked;
use crate::decision::policy::Policy;

fn table(routes: &[Route]) -> RouteTable {
    let routes = routes.iter().cloned().chain([default(Policy::Open)]).collect();
    RouteTable::build(routes).unwrap_or_else(|ties| panic!("{ties:?}"))
}

/// Each crossing in words: who wins, over whom, where.
fn crossings(routes: &[Route]) -> Vec<String> {
    let table = table(routes);
    let name = |path: NamedPath| table.route(path.route).unwrap().name.to_string();
    let overlaps = table.survey().overlaps();
    overlaps.found.iter().map(|own| format!("{} > {}: {}", name(own.wins), name(own.loses), own.path)).collect()
}

#[test]
fn paths_that_cross_are_found_with_an_example() {
    for (one, other, expected) in [
        (guard("/shop/**"), deny("/*/admin"), "guard /shop/** > deny /*/admin: /shop/admin"),
        (guard("/shop"), deny("/*/admin"), "guard /shop > deny /*/admin: /shop/admin"),
        (guard("/shop/x"), deny("/*/x/y"), "guard /shop/x > deny /*/x/y: /shop/x/y"),
        (deny("/*/x"), open("/a/*"), "open /a/* > deny /*/x: /a/x"),
        (deny("/*/x/*/y"), open("/a/*/b/*"), "open /a/*/b/* > deny /*/x/*/y: /a/x/b/y"),
        (deny("/*/*/x"), open("/a/**"), "open /a/** > deny /*/*/x: /a/any/x"),
        (deny("/a*/x"), open("/ab/*"), "open /ab/* > deny /a*/x: /ab/x"),
        (deny("/ab*"), open("/*c"), "deny /ab* > open /*c: /abc"),
        (deny("/*/x"), guard("/Shop/*"), "guard /Shop/* > deny /*/x: /Shop/x"),
        (guard("/a/X"), open("/*/x/y"), "guard /a/X > open /*/x/y: /a/x/y"),
    ] {
        let found = crossings(&[one.clone(), other.clone()]);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
        assert_eq!(crossings(&[other, one]), found);
    }
}

#[test]
fn paths_that_do_not_cross_are_not() {
    for (name, routes) in [
        ("one takes in the other", vec![guard("/a/**"), deny("/a/b"), open("/a/*")]),
        ("a literal within a wildcard", vec![guard("/a/x"), open("/*/x")]),
        ("other letters", vec![guard("/a/*/b"), deny("/*/c/d")]),
        ("the same demand", vec![guard("/a/*"), guard("/*/x")]),
        ("other methods", vec![on(&["GET"], guard("/a/*")), on(&["POST"], deny("/*/x"))]),
        ("other hosts", vec![at(&["a"], guard("/a/*")), at(&["b"], deny("/*/x"))]),
        ("a third route decides", vec![guard("/a/*"), deny("/*/x"), deny("/a/x")]),
        ("no text in common", vec![guard("/a*/x"), deny("/b*/*")]),
        ("an exemption in another letter case", vec![guard("/a/*"), open("/*/X"), deny("/a/X")]),
    ] {
        assert_eq!(crossings(&routes), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn an_example_says_method_and_host_where_they_count() {
    let routes =
        [on(&["GET", "PUT"], at(&["*.example"], guard("/a/*"))), on(&["PUT"], at(&["oms.example"], deny("/*/x")))];
    let table = table(&routes);
    let found = table.survey().overlaps().found;
    assert_eq!((found[0].method.as_str(), found[0].host.as_deref()), ("PUT", Some("oms.example")));
    let report = Route { mode: Mode::Report, ..guard("/*/x") };
    assert_eq!(crossings(&[guard("/a/*"), report]), ["guard /a/* > guard /*/x: /a/x"], "report mode asks less");
}

#[test]
fn what_lies_round_a_path_comes_in_the_order_of_the_search() {
    let routes = [
        guard("/**"),
        guard("/api"),
        open("/api/*"),
        guard("/api/o*"),
        deny("/api/*/x"),
        guard("/API/orders"),
        at(&["a"], guard("/api/orders/x")),
        at(&["b"], guard("/*/orders")),
        open("/Api/**"),
        guard("/api/orders/**"),
    ];
    let table = table(&routes);
    let survey = table.survey();
    let around = |name: &str| -> Vec<String> {
        let route = RouteId(table.routes().iter().position(|route| &*route.name == name).unwrap());
        let found = survey.around(NamedPath { route, path: 0 });
        found.iter().map(|path| table.route(path.route).unwrap().name.to_string()).collect()
    };
    let expected =
        ["guard /api/orders/**", "guard /API/orders", "guard /api/o*", "deny /api/*/x", "guard /api", "guard /**"];
    assert_eq!(around("guard /api/orders/x"), expected);
    assert_eq!(around("open /api/*"), ["guard /api", "guard /**"]);
    assert_eq!(around("guard /api/o*"), ["open /api/*", "guard /api", "guard /**"]);
    assert_eq!(around("guard /api"), ["guard /**"]);
    assert_eq!(around("guard /**"), Vec::<String>::new());
}

/// Patterns of few letters, so that they meet often.
fn pattern() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "b", "A", "*", "a*", "*b", "a*b", "*a*", "ab"]);
    let deep = prop::sample::select(vec!["", "/**"]);
    (prop::collection::vec(segment, 1..4), deep).prop_map(|(segments, deep)| format!("/{}{deep}", segments.join("/")))
}

fn route() -> impl Strategy<Value = Route> {
    let kind = prop::sample::select(vec![guard as fn(&str) -> Route, open, deny]);
    let methods = prop::sample::select(vec![&[][..], &["GET"], &["POST"], &["HEAD"]]);
    let hosts = prop::sample::select(vec![&[][..], &["x.a"], &["*.a"], &["b"]]);
    (kind, pattern(), methods, hosts).prop_map(|(kind, pattern, methods, hosts)| on(methods, at(hosts, kind(&pattern))))
}

proptest! {
    #[test]
    fn an_example_is_matched_by_both_and_held_by_the_winner(routes in prop::collection::vec(route(), 2..6)) {
        let all: Vec<Route> = routes.into_iter().chain([default(Policy::Open)]).collect();
        let Ok(table) = RouteTable::build(all) else { return Ok(()) };
        for overlap in table.survey().overlaps().found {
            let asked = Asked::new(overlap.method.as_str(), &overlap.path);
            let asked = match &overlap.host {
                Some(host) => asked.host(host),
                None => asked,
            };
            for path in [overlap.wins, overlap.loses] {
                let route = table.route(path.route).unwrap();
                let only = Route { patterns: vec![route.patterns[path.path].clone()], ..route.clone() };
                let alone = RouteTable::build(vec![only, default(Policy::Open)]).unwrap();
                prop_assert_eq!(alone.find(&asked.head()).lead, RouteId(0), "{:?} {:?}", overlap, route);
            }
            if overlap.host.is_some() {
                prop_assert_eq!(table.find(&asked.head()).lead, overlap.wins.route, "{:?}", overlap);
            }
        }
    }

    #[test]
    fn a_text_in_common_fits_both(one in "[ab*]{1,6}", other in "[ab*]{1,6}") {
        let (Some(own), Some(against)) = (partial(&one), partial(&other)) else { return Ok(()) };
        let found = common(&own.folded, &against.folded);
        prop_assert_eq!(found.is_some(), own.overlaps(&against));
        if let Some(text) = found {
            prop_assert!(wildcard_matches(&own.folded, &text) && wildcard_matches(&against.folded, &text), "{}", text);
        }
    }
}

fn partial(text: &str) -> Option<Partial> {
    match Pattern::parse(&format!("/{text}"), false).ok()?.segments.pop()? {
        Segment::Partial(partial) => Some(partial),
        Segment::Literal(_) | Segment::Any => None,
    }
}

#[test]
fn no_number_of_routes_takes_long() {
    for path in [
        |at: usize| format!("/api/route{at}"),
        |at: usize| format!("/api/route{at}x*"),
        |at: usize| format!("/api/*/route{at}"),
        |at: usize| if at.is_multiple_of(2) { format!("/a{at}/*") } else { format!("/*/b{at}") },
        |at: usize| if at.is_multiple_of(2) { format!("/a{at}/*/c") } else { format!("/*/b{at}/*") },
    ] {
        let routes: Vec<Route> =
            (0..10_000_usize).map(|at| if at.is_multiple_of(2) { guard(&path(at)) } else { deny(&path(at)) }).collect();
        let table = table(&routes);
        let started = Instant::now();
        let survey = table.survey();
        let overlaps = survey.overlaps();
        for route in 0..routes.len() {
            survey.around(NamedPath { route: RouteId(route), path: 0 });
        }
        let taken = started.elapsed();
        assert!(taken < Duration::from_secs(5), "{} {}: {taken:?}", path(0), overlaps.found.len());
    }
}
