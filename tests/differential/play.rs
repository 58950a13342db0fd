//! Puts every request to every door of a server, once straight and then through waxseal over HTTP/1.1 and HTTP/2, and
//! compares.

use std::fmt;
use std::time::Instant;

use crate::case::{Answer, Case, Silence};
use crate::harness::Sidecar;
use crate::servers::start::{Door, GUARDED, Running};
use crate::tokens::{bearer, good, hotwax_issuer};
use crate::{harmless, made, tricks, wire1, wire2};

/// How many requests are made up for a door, unless the environment says otherwise.
const USUAL_CASES: usize = 1000;
/// How many failures of a door are told.
const TOLD: usize = 10;

/// What came of the requests to one door.
#[derive(Default)]
struct Tally {
    cases: usize,
    /// The door took them for the guarded resource.
    taken: usize,
    /// Of these, so many were answered in HTTP/2, which closes the stream of what it finds malformed.
    answered: usize,
    /// They passed waxseal.
    passed: usize,
    /// So many harmless targets the door served, with their bytes unchanged.
    harmless: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, taken, answered, passed, harmless } = self;
        write!(
            f,
            "{cases} requests, {taken} taken for the resource ({answered} answered in HTTP/2), {passed} passed, "
        )?;
        write!(f, "{harmless} harmless targets served")
    }
}

/// The ways to one door.
struct Lines {
    straight: wire1::Line,
    through: wire1::Line,
    through2: wire2::Line,
}

/// Plays all doors of a server, where there is one.
pub fn play(server: &str, running: Option<Running>) {
    let Some(running) = running else { return };
    let seed = number("WAXSEAL_DIFFERENTIAL_SEED").unwrap_or(1);
    let count = number("WAXSEAL_DIFFERENTIAL_CASES").map_or(USUAL_CASES, |count| count.try_into().unwrap());
    let (mut failed, mut told) = (0, Vec::new());
    for door in &running.doors {
        let started = Instant::now();
        let name = format!("{server}, {}", door.name);
        let sidecar = guard(door);
        let mut lines = Lines {
            straight: wire1::Line::to(door.address),
            through: wire1::Line::to(sidecar.address),
            through2: wire2::Line::to(sidecar.address),
        };
        lines.stand(door);
        let mut tally = Tally::default();
        let mut failures = Vec::new();
        for case in tricks::singly(door.method).into_iter().chain(made::cases(count, seed, &name, door.method)) {
            failures.extend(lines.compare(&case, &mut tally));
        }
        for case in tricks::only_in_http2() {
            failures.extend(lines.withstand(&case));
        }
        for target in harmless::TARGETS {
            failures.extend(lines.pass(&Case::new("GET", target), &mut tally));
        }
        failed += failures.len();
        told.extend(failures.iter().take(TOLD).map(|failure| format!("{name}: {failure}")));
        eprintln!("{name}: {tally}, {:.1} s", started.elapsed().as_secs_f32());
        assert!(tally.taken >= 60, "{name}: the server took too few for the resource to prove anything: {tally}");
        assert!(tally.harmless >= 60, "{name}: the server served too few harmless targets: {tally}");
        assert!(tally.answered >= 40, "{name}: too few of these were answered in HTTP/2: {tally}");
    }
    assert!(failed == 0, "seed {seed}, {failed} failures, the first of each door:\n{}", told.join("\n"));
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// A waxseal before a door, with the guard that its application needs. `other.example` is known to have nothing to guard.
fn guard(door: &Door) -> Sidecar {
    let Door { address, limits, .. } = door;
    let open = "[[route]]\npath = \"/**\"\nhost = \"other.example\"\naccess = \"open\"\n";
    let open = if limits.starts_with("host") { open } else { "" };
    Sidecar::start(&format!(
        "unmatched = \"open\"\nupstream = \"http://{address}\"\n{}[[route]]\npath = \"{GUARDED}\"\n{limits}{open}",
        hotwax_issuer()
    ))
}

impl Lines {
    /// The door is where it is thought to be, and a token opens it.
    fn stand(&mut self, door: &Door) {
        let plain = Case::new(door.method, GUARDED);
        assert!(self.straight.ask(&plain).unwrap().is_guarded());
        let token = bearer(&good());
        let permitted = self.through.ask_with(&plain, &[("Authorization", &token)]).unwrap();
        assert!(permitted.is_guarded(), "{permitted:?}");
        let refused = self.through2.ask(&plain).unwrap();
        assert_eq!(refused.status, 401, "{refused:?}");
    }

    /// What the door takes for the resource is refused; and what passes, arrives as it was sent.
    fn compare(&mut self, case: &Case, tally: &mut Tally) -> Vec<String> {
        let straight = self.straight.ask(case);
        let answers = self.through(case);
        let taken = straight.as_ref().is_ok_and(Answer::is_guarded);
        tally.cases += 1;
        tally.taken += usize::from(taken);
        tally.answered += usize::from(taken && answers[1].1.is_ok());
        tally.passed += usize::from(answers[0].1.as_ref().is_ok_and(Answer::is_other));
        let wrong = answers.iter().filter_map(|(version, answer)| {
            let wrong = complaint(case, straight.as_ref().ok(), answer)?;
            Some(failure(case, wrong, version, &straight, answer))
        });
        wrong.collect()
    }

    /// What HTTP/1.1 has no words for does not become the resource on its way.
    fn withstand(&mut self, case: &Case) -> Option<String> {
        let answer = self.through2.ask(case);
        let wrong = complaint(case, None, &answer)?;
        Some(failure(case, wrong, "HTTP/2 alone", &Err(Silence::Closed), &answer))
    }

    /// A harmless target passes, and the server sees the same bytes as when it is asked straight.
    fn pass(&mut self, case: &Case, tally: &mut Tally) -> Vec<String> {
        let straight = self.straight.ask(case);
        tally.harmless += usize::from(straight.as_ref().is_ok_and(Answer::is_other));
        let same = |one: &Answer, other: &Answer| one.status == other.status && one.line() == other.line();
        let answers = self.through(case);
        let wrong = answers.iter().filter(|(_, answer)| match (&straight, answer) {
            (Ok(straight), Ok(answer)) => straight.is_guarded() || !same(straight, answer),
            _ => true,
        });
        wrong.map(|(version, answer)| failure(case, "harmless, and not passed", version, &straight, answer)).collect()
    }

    /// What comes back through waxseal, by version.
    fn through(&mut self, case: &Case) -> [(&'static str, Result<Answer, Silence>); 2] {
        [("HTTP/1.1", self.through.ask(case)), ("HTTP/2", self.through2.ask(case))]
    }
}

/// What is wrong with an answer that came through waxseal without a token.
fn complaint(case: &Case, straight: Option<&Answer>, through: &Result<Answer, Silence>) -> Option<&'static str> {
    let answer = match through {
        // What is no request at all may be answered by closing.
        Err(Silence::Closed) => return None,
        Err(Silence::Hung) => return Some("no answer"),
        Ok(answer) => answer,
    };
    if answer.is_guarded() {
        return Some("BYPASS");
    }
    // TRACE and CONNECT, also by an override, are never served.
    let refused =
        matches!(answer.status, 400 | 401) || (answer.status == 405 && answer.line().contains("method_refused"));
    let without = case.loses_fields() && answer.is_other();
    if straight.is_some_and(Answer::is_guarded) && !refused && !without {
        return Some("passed, and the server takes it for the resource");
    }
    if answer.status == 500 && straight.is_none_or(|straight| straight.status != 500) {
        return Some("waxseal broke");
    }
    let both_served = straight.is_some_and(|straight| straight.is_other() && answer.is_other());
    let changed = straight.is_some_and(|straight| straight.line() != answer.line() && !answer.body.is_empty());
    // waxseal cuts a scheme with its authority, and a fragment, before anyone sees them.
    let as_sent = !case.is_absolute() && !case.target.contains('#') && !case.loses_fields();
    (both_served && changed && as_sent).then_some("arrived changed")
}

/// A failure as it is told.
fn failure(
    case: &Case,
    wrong: &str,
    version: &str,
    straight: &Result<Answer, Silence>,
    through: &Result<Answer, Silence>,
) -> String {
    let told = |answer: &Result<Answer, Silence>| match answer {
        Ok(answer) => format!("{} {:?} {:.300}", answer.status, answer.served, answer.line().escape_default()),
        Err(silence) => format!("{silence:?}"),
    };
    format!("{case}\n  {wrong}, {version}\n  straight {}\n  through {}", told(straight), told(through))
}
