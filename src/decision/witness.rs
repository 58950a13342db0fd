//! What a decision looks at on its way, told to whoever listens.
//!
//! The proxy has nobody listening and pays nothing: a step is put into words only where somebody does. An explanation
//! listens to the very decision that the proxy makes, so what it tells cannot differ from what happens.

use super::rejection::{Code, Rejection};
use super::route::RouteId;

/// One look of a decision, with what it expected and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at, in a word or two: `credential`, `signature`, `exp`.
    pub look: &'static str,
    /// The route whose demand it is; `None`: it concerns the request as a whole.
    pub route: Option<RouteId>,
    /// What must be so.
    pub expected: String,
    /// What is so. Never a token or a secret.
    pub found: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as expected.
    Pass,
    /// It is not, and something else may still do: another issuer, another key.
    Miss,
    /// It is not, and the request is refused for it.
    Refuse(Code),
    /// It is not, and report mode lets the request pass all the same.
    Lift(Code),
}

/// What was expected and what was found.
pub(super) type Facts = (String, String);

/// Whoever hears of the steps of a decision.
pub trait Witness {
    /// Hears of a step. `tell` puts it into words, and is not called where nobody listens.
    fn hear(&mut self, tell: impl FnOnce() -> Step);

    /// The steps that follow are demands of this route; `None`: of none.
    fn turn_to(&mut self, route: Option<RouteId>);

    /// What was refused last was let pass by report mode.
    fn lifted(&mut self);
}

/// Nobody: what the proxy decides before.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Witness for Nobody {
    fn hear(&mut self, _: impl FnOnce() -> Step) {}

    fn turn_to(&mut self, _: Option<RouteId>) {}

    fn lifted(&mut self) {}
}

/// Writes down every step.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The steps in their order.
    pub steps: Vec<Step>,
    route: Option<RouteId>,
}

impl Witness for Record {
    fn hear(&mut self, tell: impl FnOnce() -> Step) {
        self.steps.push(Step { route: self.route, ..tell() });
    }

    fn turn_to(&mut self, route: Option<RouteId>) {
        self.route = route;
    }

    fn lifted(&mut self) {
        if let Some(last) = self.steps.last_mut()
            && let Outcome::Refuse(code) = last.outcome
        {
            last.outcome = Outcome::Lift(code);
        }
    }
}

/// Tells of a look by its result, which is handed on.
pub(super) fn told<W: Witness, T>(
    witness: &mut W,
    look: &'static str,
    result: Result<T, Rejection>,
    facts: impl FnOnce(&Result<T, Rejection>) -> Facts,
) -> Result<T, Rejection> {
    witness.hear(|| {
        let (expected, found) = facts(&result);
        let outcome = match &result {
            Ok(_) => Outcome::Pass,
            Err(rejection) => Outcome::Refuse(rejection.code()),
        };
        Step { look, route: None, expected, found, outcome }
    });
    result
}

/// Tells of a look only where it fails: what is as it always is says nothing.
pub(super) fn told_if_bad<W: Witness, T>(
    witness: &mut W,
    look: &'static str,
    expected: &'static str,
    result: Result<T, Rejection>,
) -> Result<T, Rejection> {
    match result {
        Ok(good) => Ok(good),
        bad => told(witness, look, bad, |bad| {
            let found = bad.as_ref().err().map(|rejection| rejection.detail().to_owned());
            (expected.to_owned(), found.unwrap_or_default())
        }),
    }
}

/// Tells of a look that did not decide alone.
pub(super) fn tried<W: Witness>(witness: &mut W, look: &'static str, good: bool, facts: impl FnOnce() -> Facts) {
    witness.hear(|| {
        let (expected, found) = facts();
        let outcome = if good { Outcome::Pass } else { Outcome::Miss };
        Step { look, route: None, expected, found, outcome }
    });
}
