//! Requests made up at random from the tricks, the same ones for the same seed.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::case::Case;
use crate::servers::start::GUARDED;
use crate::tricks::{BEFORE, BEHIND, BETWEEN, HOSTS, METHOD_FIELDS, METHODS, SPELLINGS, URL_FIELDS};

/// So many requests for a door whose resource is served under this method. `name` makes those of one door differ from
/// those of another.
pub fn cases(count: usize, seed: u64, name: &str, method: &'static str) -> Vec<Case> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    for (at, byte) in name.bytes().enumerate() {
        bytes[8 + at % 24] ^= byte.rotate_left(u32::try_from(at / 24).unwrap());
    }
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let strategy = case(method);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// A few of the tricks at once: with too many of them no server knows what is meant.
fn case(method: &'static str) -> impl Strategy<Value = Case> {
    let methods = prop_oneof![24 => Just(method), 1 => select(&METHODS[..])];
    let hosts = prop_oneof![24 => Just("oms.example"), 1 => select(&HOSTS[..])];
    (methods, target(), hosts, fields()).prop_map(|(method, target, host, fields)| {
        fields.into_iter().fold(Case::new(method, &target).host(host), |case, (name, value)| case.field(name, &value))
    })
}

fn target() -> impl Strategy<Value = String> {
    let before = prop_oneof![6 => Just(""), 1 => select(&BEFORE[..])];
    let between = || prop_oneof![8 => Just("/"), 1 => select(&BETWEEN[..])];
    let behind = prop_oneof![6 => Just(""), 2 => select(&BEHIND[..])];
    let layers = prop_oneof![16 => Just(0), 1 => 1..6];
    (before, letters(), between(), between(), behind, layers).prop_map(
        |(before, [api, service, name], first, second, behind, layers)| {
            let slash = if before.ends_with(['/', '\\']) { "" } else { "/" };
            let target = format!("{before}{slash}{api}{first}{service}{second}{name}{behind}");
            (0..layers).fold(target, |target: String, _| target.replace('%', "%25"))
        },
    )
}

/// The three segments, with a few letters spelt in another way: mostly one that decodes in one go.
fn letters() -> impl Strategy<Value = [String; 3]> {
    let common = SPELLINGS.len().min(4);
    let spelling = prop_oneof![4 => 0..common, 1 => 0..SPELLINGS.len()];
    prop::collection::vec((0..GUARDED.len(), spelling), 0..4).prop_map(|edits| {
        let spelt = |(at, letter): (usize, char)| match edits.iter().find(|(place, _)| *place == at) {
            Some((_, spelling)) if letter != '/' => SPELLINGS[*spelling](letter),
            _ => letter.to_string(),
        };
        let path: Vec<String> = GUARDED.char_indices().map(spelt).collect();
        let mut segments = path[1..].split(|part| part == "/").map(<[String]>::concat);
        std::array::from_fn(|_| segments.next().unwrap())
    })
}

fn fields() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    prop_oneof![
        16 => Just(Vec::new()),
        1 => (select(&METHOD_FIELDS[..]), select(&METHODS[..])).prop_map(|(name, method)| vec![(name, method.to_owned())]),
        1 => (select(&URL_FIELDS[..]), target()).prop_map(|(name, target)| vec![(name, target)]),
        1 => select(&HOSTS[..]).prop_map(|host| vec![("X-Forwarded-Host", host.to_owned())]),
    ]
}
