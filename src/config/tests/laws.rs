//! Whatever bytes come, reading them ends in settings or in a report.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{Severity, intake, render};
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

/// Reads bytes as a file and gives everything that is said of them. A report has an error, and its complaints stand in
/// the file, each with an advice; settings have their default route.
fn read(bytes: Vec<u8>) -> String {
    let path = Path::new("nowhere/config.toml");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let began = Instant::now();
    let complaints = match intake::decode(bytes, path).and_then(|text| parse(&text, path, &|_| None)) {
        Ok(config) => {
            assert!(!config.snapshot.routes.routes().is_empty());
            config.warnings
        }
        Err(report) => {
            assert!(report.diagnostics.iter().any(|told| told.severity == Severity::Error));
            report.diagnostics
        }
    };
    let told: String = complaints.iter().map(|told| format!("{told}\n{told:?}\n")).collect();
    assert!(complaints.iter().all(|told| told.line <= lines && told.end_line <= lines), "{told}");
    assert!(complaints.is_sorted_by_key(|told| (told.severity, told.line, told.column)), "{told}");
    assert!(complaints.iter().all(|told| told.severity == Severity::Warning || !told.advice.is_empty()), "{told}");
    let rendered = render::complaints(&complaints);
    assert!(!rendered.contains(['\r', '\t', '\0', '\u{202e}']), "{rendered:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    format!("{told}{rendered}{}", render::summary(&complaints))
}

fn check(text: &str) {
    read(text.as_bytes().to_vec());
}

/// A secret that cannot be taken for a key, and one that can.
const SECRETS: [&str; 2] = ["Qx/7+vR9/Zk2+Lm4/Wp8+Tn1", "swordfishandtrombones"];
/// What a slip of the hand adds.
const SLIPS: [&str; 16] =
    ["'", "\"", "[", "]", "{", "}", "=", ",", "\n", "#", "\"\"\"", "'''", "\\", ":", " ", "\u{1b}[2J\u{202e}"];

/// A config with secrets wherever they can be.
fn secretive(secret: &str) -> String {
    format!(
        r#"# the old key was {secret}
listen = "127.0.0.1:8080" # {secret}
upstream = "http://127.0.0.1:8081"
unmatched = "opne"
[admin]
token = {{ text = "{secret}" }}
[issuer.one]
secret = {{ text = "{secret}" }}
salt = '{secret}'
[issuer.two]
secret = "{secret}"
[issuer.three]
secert = {{ txet = '{secret}' }}
[issuer.three.secret]
text = """
{secret}
"""
[issuer.four]
secret = ["{secret}",
  "{secret}"]
subject = 7
[issuer.five.secret]
value = '{secret}'
[desk]
password = "{secret}"
client_secret = '{secret}'
[[route]]
path = "b"
client_secret = '{secret}'
"#
    )
}

/// Checks that nothing of a secret is told, not even a part of it.
fn is_kept(secret: &str, told: &str) {
    const PART: usize = 8;
    for at in 0..=secret.len() - PART {
        let part = &secret[at..at + PART];
        assert!(!told.contains(part), "{part} is told:\n{told}");
    }
}

/// The text after slips of the hand: at each place some letters are lost, and something is added.
fn slipped(text: &str, slips: &[(prop::sample::Index, usize, usize)]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for (place, lost, added) in slips {
        let at = place.index(letters.len());
        let end = (at + lost).min(letters.len());
        letters.splice(at..end, SLIPS[*added].chars());
    }
    letters.into_iter().collect()
}

#[test]
fn secrets_are_kept_as_they_stand() {
    for secret in SECRETS {
        let told = read(secretive(secret).into_bytes());
        is_kept(secret, &told);
        assert!(told.contains("did you mean"), "{told}");
        let bare = secretive(secret).replace(&format!("'{secret}'"), secret);
        is_kept(secret, &read(bare.into_bytes()));
        let address = format!("upstream = \"http://admin:{secret}@127.0.0.1\"\n");
        is_kept(secret, &read(address.into_bytes()));
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
    fn a_few_slips_give_no_secret_away(
        slips in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, 0..SLIPS.len()), 1..6),
    ) {
        is_kept(SECRETS[0], &read(slipped(&secretive(SECRETS[0]), &slips).into_bytes()));
    }

    #[test]
    fn one_slip_gives_no_word_away(slip in (any::<prop::sample::Index>(), 0..3_usize, 0..SLIPS.len())) {
        let address = format!("upstream = \"http://admin:{}@127.0.0.1\"\n", SECRETS[1]);
        for text in [secretive(SECRETS[1]), address] {
            is_kept(SECRETS[1], &read(slipped(&text, &[slip]).into_bytes()));
        }
    }

    #[test]
    fn any_bytes_end_well(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(bytes);
    }

    #[test]
    fn any_byte_in_the_example_ends_well(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = example().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        read(bytes);
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
