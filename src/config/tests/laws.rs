//! Whatever bytes come, reading them ends in settings or in a report.

use proptest::prelude::*;

use super::*;

/// The example file, and pieces that may stand where they should not.
fn example() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap().replace("#: ", "")
}

const PIECES: [&str; 24] = [
    "'",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    "\n",
    "#",
    "[[route]]\n",
    "\"\"\"",
    "\\",
    "é",
    "\u{0}",
    "9223372036854775808",
    "-1",
    "1e999",
    "1979-05-27",
    "[issuer.a]\n",
    "path = ",
    "/**",
    ".",
    "listen = 'localhost:1'\n",
];

/// A report has an error, and its complaints stand in the file; settings have their default route.
fn check(text: &str) {
    match parse(text, Path::new("nowhere/config.toml"), &|_| None) {
        Ok(config) => assert!(!config.snapshot.routes.routes().is_empty()),
        Err(report) => {
            let lines = text.split('\n').count();
            assert!(report.diagnostics.iter().any(|told| told.severity == super::super::Severity::Error));
            assert!(report.diagnostics.iter().all(|told| told.line <= lines), "{report}");
            assert!(report.diagnostics.is_sorted_by_key(|told| (told.severity, told.line, told.column)), "{report}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn mutations_of_the_example_end_well(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..20_usize, 0..PIECES.len()), 1..6),
    ) {
        let mut letters: Vec<char> = example().chars().collect();
        for (place, dropped, piece) in changes {
            let at = place.index(letters.len());
            let end = (at + dropped).min(letters.len());
            letters.splice(at..end, PIECES[piece].chars());
        }
        check(&letters.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_ends_well(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn pieces_in_any_order_end_well(pieces in prop::collection::vec(0..PIECES.len(), 0..60)) {
        check(&pieces.into_iter().map(|piece| PIECES[piece]).collect::<String>());
    }
}
