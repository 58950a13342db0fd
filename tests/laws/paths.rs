//! The law of paths: whatever spelling some server takes for a guarded path never passes with less than its guard
//! demands; and what no server takes for it passes as it came.

use http::Uri;
use proptest::prelude::*;
use waxseal::decision::memo::Memo;
use waxseal::decision::origin::OriginPattern;
use waxseal::decision::path::Readings;
use waxseal::decision::policy::Policy;
use waxseal::decision::route::{HostPattern, Pattern, RouteTable};
use waxseal::decision::snapshot::Snapshot;

use super::drawn::cases;
use crate::made::{NOW, any_token_of, issuer, judge, request, route, snapshot};
use crate::model::who_serves;

const GUARDED: [&str; 3] = ["api", "service", "updateInventory"];

fn guarded(unmatched: Policy) -> Snapshot {
    let routes = vec![
        route("/api/service/updateInventory", Policy::Require(any_token_of(&[0]))),
        route("/api/service/getInventory", Policy::Open),
        route("/open/**", Policy::Open),
        route("/*/service/*/open", Policy::Open),
    ];
    snapshot(routes, unmatched, vec![issuer("i", &[], &[0], 0.0)])
}

/// One character in one of its spellings.
fn spelt(character: char) -> impl Strategy<Value = String> {
    let byte = u32::from(character);
    let upper = character.to_ascii_uppercase();
    prop_oneof![
        20 => Just(character.to_string()),
        2 => Just(format!("%{byte:02x}")),
        1 => Just(format!("%{byte:02X}")),
        1 => Just(format!("%25{byte:02x}")),
        1 => Just(format!("%2525{byte:02x}")),
        1 => Just(upper.to_string()),
        1 => Just(format!("%{:02x}", u32::from(upper))),
        1 => Just(format!("%c{}%{:02x}", byte >> 6, 0x80 | (byte & 0x3f))),
        // The full-width form of an ASCII character.
        1 => Just(percent(&char::from_u32(0xff00 + byte - 0x20).unwrap_or(character).to_string())),
    ]
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What may stand between, before and behind segments.
fn slash() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        30 => Just("/"), 2 => Just("//"), 2 => Just("%2f"), 1 => Just("%252F"), 1 => Just("%c0%af"), 1 => Just("/;x/"),
        1 => Just("/./"), 1 => Just("/x/../"), 1 => Just("/%2e/"), 1 => Just("\\"), 1 => Just("%5c"), 1 => Just(";a=b/"),
        1 => Just("%EF%BC%8F"), 1 => Just("/x/..;/"), 1 => Just("///"), 1 => Just("%20/"), 1 => Just("./"), 1 => Just("%3bx/"),
    ]
}

fn end() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        20 => Just(""), 2 => Just("/"), 2 => Just(".json"), 2 => Just(";x=1"), 1 => Just("%20"), 1 => Just("."),
        1 => Just("%3fx"), 1 => Just("%23"), 1 => Just("%3b"), 1 => Just("/below"), 1 => Just("/open"), 1 => Just("%2e"),
        1 => Just("%00"), 1 => Just("%0d%0a"), 1 => Just("..;/x"), 1 => Just("?q=1"), 1 => Just("x"), 1 => Just(" "),
    ]
}

/// A path to the guarded resource, or near it, in one of its many spellings.
fn target() -> impl Strategy<Value = String> {
    let segment = |name: &str| name.chars().map(|character| spelt(character).boxed()).collect::<Vec<_>>();
    let segments: Vec<_> = GUARDED.iter().map(|name| segment(name).prop_map(|letters| letters.concat())).collect();
    let start =
        prop_oneof![12 => Just("/"), 1 => Just("//x/"), 1 => Just("//"), 1 => Just("/open/"), 1 => Just("/open/../")];
    (start, segments, slash(), slash(), end()).prop_map(|(start, segments, first, second, end)| {
        format!("{start}{}{first}{}{second}{}{end}", segments[0], segments[1], segments[2])
    })
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn a_spelling_that_some_server_takes_for_the_guarded_path_never_passes_open(target in target()) {
        let Some(request) = request("POST", &target, None) else { return Ok(()) };
        // What the parser of targets let through is what is judged and forwarded.
        let path = request.uri().path().to_owned();
        if let Some(server) = who_serves(&GUARDED, &path) {
            let outcome = judge(&request, &guarded(Policy::Open), &mut Memo::off(), NOW);
            prop_assert!(!outcome.passes(), "{} serves it: {}", server, path);
        }
    }

    #[test]
    fn plain_neighbours_of_a_guard_pass(at in 0..3_usize, letter in "[b-z]{1,3}", more in "[a-z/-]{0,10}") {
        let mut segments = GUARDED.map(str::to_owned);
        segments[at] += &letter;
        let target = format!("/{}{}", segments.join("/"), more.replace("//", "/"));
        let outcome = judge(&request("POST", &target, None).unwrap(), &guarded(Policy::Open), &mut Memo::off(), NOW);
        prop_assert!(outcome.passes(), "{}", target);
    }

    #[test]
    fn an_exemption_holds_for_exactly_what_it_says(target in target()) {
        let target = target.replace("updat", "g").replace("eInventory", "etInventory");
        let Some(request) = request("POST", &target, None) else { return Ok(()) };
        let path = request.uri().path().to_owned();
        let unmatched = Policy::Require(any_token_of(&[0]));
        if judge(&request, &guarded(unmatched), &mut Memo::off(), NOW).passes() {
            let exempt = |text: &str| {
                text == "/api/service/getInventory" || text.starts_with("/open/") || text == "/open" || is_third(text)
            };
            let readings = Readings::of(&path).unwrap();
            prop_assert!(readings.iter().filter(|(_, only)| !only).all(|(text, _)| exempt(text)), "{}", path);
        }
    }

    #[test]
    fn no_text_breaks_a_reader_of_paths_or_patterns(text in ".{0,60}", path in "/[ -~]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Readings::of(&text);
        let _ = Readings::of(&path);
        let _ = (OriginPattern::parse(&text), HostPattern::parse(&text).is_ok());
        for exact in [false, true] {
            let (Ok(first), Ok(second)) = (Pattern::parse(&path, exact), Pattern::parse(&text, exact)) else { continue };
            let mut routes = vec![route("/x", Policy::Deny), route("/y", Policy::Deny)];
            routes[0].patterns = vec![first];
            routes[1].patterns = vec![second];
            let _ = RouteTable::build(routes);
        }
        if let Ok(uri) = Uri::try_from(bytes) {
            let target = uri.to_string();
            let outcome = request("POST", &target, None).map(|request| judge(&request, &guarded(Policy::Deny), &mut Memo::off(), NOW));
            let passes = outcome.is_some_and(|outcome| outcome.passes());
            prop_assert!(!passes || target.contains("open") || target.contains("get"), "{}", target);
        }
    }
}

/// `/*/service/*/open`, letter for letter.
fn is_third(text: &str) -> bool {
    let segments: Vec<&str> = text.split('/').collect();
    matches!(segments.as_slice(), ["", first, "service", second, "open"] if !first.is_empty() && !second.is_empty())
}
