//! Claims about how paths are read.

use super::*;

fn texts(path: &str) -> Vec<String> {
    let readings = Readings::of(path).unwrap_or_else(|rejection| panic!("{path}: {rejection}"));
    let mut texts: Vec<String> = readings.iter().filter(|(_, only)| !only).map(|(text, _)| text.to_owned()).collect();
    texts.sort();
    texts
}

#[test]
fn a_plain_path_has_one_reading_and_borrows_it() {
    for path in ["/", "/api/service/updateInventory", "/a.b/c..d/e.", "/(x)!/~u/@me/a,b", "/a/"] {
        assert_eq!(Readings::of(path), Ok(Readings::Plain(path)), "{path}");
    }
}

#[test]
fn what_no_sound_client_sends_is_refused() {
    for path in [
        "/./a",
        "/a/..",
        "/a/../b",
        "/..;x/a",
        "/a/.;/b",
        "/%2e/a",
        "/a/%2E%2e/b",
        "/a/.%2e/b",
        "/%252e%252e/a",
        "/a\\b",
        "/a%5cb",
        "/a%255cb",
        "/a%00",
        "/a%0d%0a",
        "/a%7f",
        "/a%09",
        "/a%",
        "/a%zz",
        "/a%u002f",
        "/a%25u002f",
        "/a\"b",
        "/a<b",
        "/a>b",
        "/a^b",
        "/a{b",
        "/a|b",
        "/a}b",
        "/a`b",
        "/a b",
        "/%c0%ae%c0%ae/a",
        "/a%c0%80",
        "/%E2%80%A5/a",
        "/%EF%BC%8E%EF%BC%8E/a",
        "/a%EF%BC%BCb",
        "/..%2fa",
        "/a%2f..%2fb",
        "/%2e%2e%3bx/a",
        "/%25252525252561",
        "/..%20/a",
        "a",
        "",
        "*",
    ] {
        let code = Readings::of(path).map_err(|rejection| rejection.code());
        assert_eq!(code, Err(Code::PathAmbiguous), "{path}");
    }
}

#[test]
fn harmless_targets_are_read() {
    for (path, expected) in [
        ("/a%20b", vec!["/a b"]),
        ("/%E5%BA%93", vec!["/库"]),
        ("/100%25", vec!["/100%"]),
        ("/.well-known/x", vec!["/.well-known/x"]),
        ("/a...b", vec!["/a...b"]),
        ("/%61", vec!["/a"]),
    ] {
        assert_eq!(texts(path), expected, "{path}");
    }
}

#[test]
fn an_encoded_slash_is_a_slash_or_a_letter() {
    assert_eq!(texts("/A%2FB"), ["/A/B", "/A\u{fdd0}B"]);
}

#[test]
fn parameters_are_kept_or_cut() {
    assert_eq!(texts("/x;jsessionid=1"), ["/x", "/x;jsessionid=1"]);
    assert_eq!(texts("/a;x=1/b"), ["/a/b", "/a;x=1/b"]);
    assert!(texts("/a;x%2Fb/c").contains(&"/a/c".to_owned()));
    assert!(texts("/a;x%2Fb/c").contains(&"/a/b/c".to_owned()));
}

#[test]
fn a_late_delimiter_ends_the_path_or_is_a_letter() {
    assert_eq!(texts("/a%3fb"), ["/a", "/a?b"]);
    assert_eq!(texts("/a%23b"), ["/a", "/a#b"]);
    assert_eq!(texts("/a%3bb/c"), ["/a", "/a/c", "/a;b/c"]);
}

#[test]
fn doubled_slashes_are_kept_or_merged_and_a_leading_name_may_be_an_authority() {
    assert_eq!(texts("/a//b"), ["/a//b", "/a/b"]);
    assert_eq!(texts("//api/login"), ["//api/login", "/api/login", "/login"]);
    assert_eq!(texts("//x"), ["/", "//x", "/x"]);
}

#[test]
fn each_layer_of_encoding_is_a_reading() {
    assert_eq!(texts("/%2561"), ["/%61", "/a"]);
}

#[test]
fn bytes_that_are_no_utf8_are_latin1_or_overlong() {
    assert_eq!(texts("/a%c1%a1"), ["/aa", "/aÁ¡"]);
    assert!(texts("/api%c0%afx").contains(&"/api/x".to_owned()));
    assert!(texts("/%f8%80%80%81%a1").contains(&"/a".to_owned()));
}

#[test]
fn a_full_width_slash_counts_as_one_in_every_reading() {
    assert_eq!(texts("/api%EF%BC%8Fx"), ["/api/x"]);
}

#[test]
fn the_undecoded_path_can_only_add_guards() {
    let readings = Readings::of("/%61").unwrap();
    assert!(readings.iter().any(|(text, only)| text == "/%61" && only));
    assert!(!readings.is_ambiguous());
    assert!(Readings::of("/a//b").unwrap().is_ambiguous());
}

#[test]
fn more_than_64_readings_are_refused() {
    let path = "//x%252F;y%253Bz%2Fq%c1%a1;w//%252Fv%3F;u%25252F".repeat(2);
    assert_eq!(Readings::of(&path).map_err(|rejection| rejection.code()), Err(Code::PathAmbiguous));
}

#[test]
fn folding_meets_every_spelling_of_a_letter() {
    for (spelling, folded) in [
        ("updateInventory", "updateinventory"),
        ("\u{17f}ervice", "service"),
        ("\u{ff41}pi", "api"),
        ("\u{212a}ey", "key"),
        ("\u{130}d", "id"),
        ("\u{131}d", "id"),
        ("stra\u{df}e", "strasse"),
        (" a. ", "a"),
        ("a..", "a"),
        ("\u{a0}a\u{2003}", "a"),
        ("", ""),
    ] {
        assert_eq!(fold(spelling), folded, "{spelling:?}");
    }
}

#[test]
fn several_servers_in_a_row_are_read_through() {
    for (path, reading, server) in [
        ("/a%3Bx%252Fb/c", "/a/c", "cuts parameters between two decodings"),
        ("/a%3Bx%252Fb/%2563", "/a/c", "cuts parameters between two decodings, and decodes what is left"),
        ("/a;x%2Fb/%3By/c", "/a/c", "cuts parameters before and after decoding"),
        ("/a%3Bx/b%3Fy", "/a/b", "takes a decoded ? for the query and a decoded ; for a parameter"),
        ("/api%c0%25afx", "/api/x", "decodes twice before it reads UTF-8"),
        ("/%ef%25bd%2581pi", "/\u{ff41}pi", "decodes twice before it reads UTF-8"),
        ("/api%c0%a52fx", "/api/x", "decodes an overlong percent sign"),
        ("/a%c0%bfb", "/a", "takes an overlong ? for the query"),
        ("/a%c0%bbb/c", "/a/c", "takes an overlong ; for a parameter"),
        ("/a%3bx%ef%bc%8fb", "/a/b", "takes a full-width slash for one"),
    ] {
        assert!(texts(path).contains(&reading.to_owned()), "{path}: one that {server}: {:?}", texts(path));
    }
}

#[test]
fn a_strict_reader_takes_nothing_but_one_utf8_decoding() {
    for (path, ambiguous) in [
        ("/a", false),
        ("/a%20b", false),
        ("/%E5%BA%93", false),
        ("/100%25", false),
        ("/.well-known/x", false),
        ("/a%2Fb", true),
        ("/%2561", true),
        ("/a;b", true),
        ("/a%3bb", true),
        ("/a%3fb", true),
        ("/a//b", true),
        ("/%ff", true),
        ("/a%c1%a1", true),
        ("/api%EF%BC%8Fx", true),
    ] {
        assert_eq!(Readings::of(path).unwrap().is_ambiguous(), ambiguous, "{path}");
    }
}

#[test]
fn no_path_takes_long_to_read() {
    // Long paths of what each step of reading might stumble over.
    const LENGTH: usize = 8 * 1024;
    for piece in [
        ".",
        "/",
        ";",
        "%25",
        "%2525",
        "a.",
        "/a",
        ";/",
        "%3b",
        "%2f",
        "/%2f",
        "%3f",
        "%c0",
        "%c0%af",
        "%ef%bc%8f",
        "%cc%81",
        "%c0%25",
        "//",
        "a;",
        "%252f;",
        " .",
        "%20.",
        "%e2%80%a5",
        "%f8%80",
        "a%2e",
        "%25%32%35",
        "%ff",
        "%b7",
    ] {
        for end in ["", "a", "/x", "%2561", "%252525252561", ";%2f%3f%ff", ";x%252F;y%253Bz%2Fq%c1%a1;w"] {
            let path = format!("/a{}{end}", piece.repeat(LENGTH / piece.len()));
            let is_quick = || {
                let started = std::time::Instant::now();
                let _ = Readings::of(&path);
                started.elapsed().as_millis() < 500
            };
            // Once suffices: on a busy machine others have their turn in between.
            assert!((0..5).any(|_| is_quick()), "{piece} {end}");
        }
    }
}
