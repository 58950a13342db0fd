//! The law of readings: a path is read in exactly the ways, and refused for exactly the reasons, that the slow model
//! finds by trying everything; and what follows for routes is what the model of routes says.

use proptest::prelude::*;

use super::drawn::cases;
use crate::model::table::{Access, Rule};
use crate::targets::path::{agree, same_fate};

/// A piece of a path: what is harmless, and all about which servers differ, in many spellings.
fn piece() -> impl Strategy<Value = String> {
    let letter = prop::sample::select("abAB.-_~!".chars().collect::<Vec<char>>()).prop_map(String::from);
    let special = prop::sample::select(vec![
        "/", "//", ";", ";p", ";p=/", "%", "?", "#", "\\", " ", ".", "..", "é", "*", "\u{7f}", "{", "%u0041", "%0",
        "%zz",
    ]);
    // What stands in the path once it is decoded: slashes and dots in all forms, delimiters, overlong and broken UTF-8,
    // compatibility forms, the mark of a slash that is a letter.
    let hidden: Vec<&[u8]> = vec![
        b"/",
        b"?",
        b"#",
        b";",
        b"%",
        b"a",
        b"A",
        b".",
        b"..",
        b" ",
        b"\\",
        b"\0",
        b"\xc0\xaf",
        b"\xc0\xae",
        b"\xc1\xa1",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xbb",
        b"\xc0",
        b"\xaf",
        b"\xff",
        b"\xe9",
        b"\xc3\xa9",
        b"\xef\xbc\x8f",
        b"\xef\xbc\xbc",
        b"\xe2\x80\xa5",
        b"\xe2\x80\xa4",
        b"\xef\xb7\x90",
        b"\xe2\x84\xaa",
        b"\xc5\xbf",
        b"\xef\xbc\x9b",
        b"\xfc\x80\x80\x80\x80\xaf",
        b"%2f",
        b"%2e",
        b"%25",
        b"%u002f",
        b"\xe2\x84\x80",
        b"\x7f",
        b"\xc4\xb0",
    ];
    let escaped = (prop::sample::select(hidden), 0..8_usize).prop_map(|(bytes, layers)| {
        let mut text: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        // One layer most often, six and more now and then.
        for _ in 0..[0, 0, 0, 0, 1, 1, 2, 6][layers] {
            text = text.replace('%', "%25");
        }
        text
    });
    prop_oneof![5 => letter, 2 => special.prop_map(str::to_owned), 5 => escaped, 3 => Just("/".to_owned())]
}

fn path() -> impl Strategy<Value = String> {
    let pieces = || prop::collection::vec(piece(), 0..7).prop_map(|pieces| pieces.concat());
    // Nearly all specials are refused at once: most paths have none of those that are.
    prop_oneof![
        1 => pieces().prop_map(|path| format!("/{path}")),
        4 => pieces().prop_map(|path| {
            let sound = |letter: &char| !"\\\u{7f}{ ?#é".contains(*letter);
            let path: String = path.chars().filter(sound).collect();
            format!("/{}", path.replace("%u0041", "u").replace("%zz", "z").replace("..", "x"))
        }),
    ]
}

/// A pattern of few letters, so that rules meet.
fn pattern() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab", "a.b", "A", "aé", "k", "..."]).prop_map(str::to_owned),
        3 => prop::sample::select(vec!["a*", "*b", "a*b", "*.a", "*a*", "a.*", "ab*"]).prop_map(str::to_owned),
        2 => Just("*".to_owned()),
    ];
    let deep = prop_oneof![3 => Just(""), 1 => Just("/**")];
    (prop::collection::vec(segment, 0..4), deep).prop_map(|(segments, deep)| {
        let text: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if text.is_empty() && deep.is_empty() { "/".to_owned() } else { text + deep }
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let access = prop_oneof![2 => Just(Access::Protected), 2 => Just(Access::Open), 1 => Just(Access::Deny)];
    (pattern(), access).prop_map(|(pattern, access)| Rule { pattern, access })
}

/// A path that means something to those patterns.
fn target() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a",
        "b",
        "ab",
        "A",
        "B",
        "a.b",
        "a.",
        "a.json",
        "a.b.c",
        "xab",
        "aXb",
        "a%20",
        "%20a",
        "a%2eb",
        "%61",
        "a%2fb",
        "a%252fb",
        "a;x",
        "a%3bx",
        "",
        "%c3%a9",
        "a%C3%89",
        "%e2%84%aa",
        "...",
        "x",
        "a%23",
        "a.%20.json",
        "b%c0%afa",
        "a%20.x",
    ]);
    let end = prop::sample::select(vec!["", "/", ".json", ";x=1", "%20"]);
    (prop::collection::vec(segment, 0..4), end).prop_map(|(segments, end)| format!("/{}{end}", segments.join("/")))
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_path_is_read_in_exactly_the_ways_that_the_model_finds(path in path()) {
        agree(&path);
    }

    #[test]
    fn the_strictest_route_of_all_readings_holds(
        rules in prop::collection::vec(rule(), 1..6),
        target in target(),
        unmatched in prop_oneof![Just(Access::Open), Just(Access::Protected)],
    ) {
        same_fate(&target, &rules, unmatched);
    }

    #[test]
    fn routes_hold_for_any_path_that_can_be_read(rules in prop::collection::vec(rule(), 1..4), path in path()) {
        same_fate(&path, &rules, Access::Open);
    }
}
