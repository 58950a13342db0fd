//! What an explanation tells. Its JSON form is for programs: names stay, and more may come.

use std::borrow::Cow;

use serde::Serialize;

/// All there is to say about one request. Its JSON form is what `waxseal explain --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The method.
    pub method: String,
    /// The request-target; its query, which may hold a token, is hidden, and so is a user in a URL.
    pub target: String,
    /// The host that it is for.
    pub host: Option<String>,
    /// The moment at which it is judged, in RFC 3339.
    pub at: String,
    /// Every way to read its path, and what each falls under.
    pub readings: Vec<Reading>,
    /// The routes whose demands hold, the most specific first.
    pub routes: Vec<Route>,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
    /// `allow`, `reject`, or `report`: passed because its route is in report mode.
    pub verdict: &'static str,
    /// The status of waxseal's own answer; absent where the upstream answers.
    pub status: Option<u16>,
    /// The reason of the refusal, or of the one that report mode lifted; `ok` where there is none.
    pub code: &'static str,
    /// What was expected and what was found, for the operator.
    pub detail: Option<String>,
    /// What an operator can do about it.
    pub advice: Option<Cow<'static, str>>,
    /// Who was proven, also where that did not suffice.
    pub principal: Option<Principal>,
    /// What a client would get from waxseal itself; absent where the upstream answers.
    pub answer: Option<Answer>,
    /// What the upstream would get; absent where nothing goes up.
    pub upstream: Option<SentUp>,
}

/// One way to read the path of a request.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// The path as this reading has it.
    pub path: String,
    /// The method under which it is judged.
    pub method: String,
    /// Whether it can only bring a guard into play: the undecoded path.
    pub guards_only: bool,
    /// The routes that match, the most specific first; none: `unmatched` counts.
    pub matches: Vec<Match>,
}

/// A route that a reading falls under.
#[derive(Clone, Debug, Serialize)]
pub struct Match {
    /// Its name.
    pub route: String,
    /// The pattern that matches.
    pub pattern: String,
    /// Whether the guard holds without naming so much: for what is below its path, or in spite of a suffix.
    pub implied: bool,
    /// Whether it counts only because the host is one that no route names.
    pub whatever_host: bool,
    /// Why it comes before the next; absent for the last.
    pub why: Option<String>,
}

/// A route whose demands hold for the request.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// `open`, `protected` or `deny`.
    pub access: &'static str,
    /// `enforce` or `report`.
    pub mode: &'static str,
}

/// One look.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was looked at.
    pub look: &'static str,
    /// The route whose demand it is; absent where it concerns the request as a whole.
    pub route: Option<String>,
    /// What must be so.
    pub expected: String,
    /// What is so.
    pub found: String,
    /// `pass`; `miss`: not so, and something else may still do; `refuse`; `lift`: refused, and let pass by report mode.
    pub outcome: &'static str,
    /// The reason, where it is refused or lifted.
    pub code: Option<&'static str>,
}

/// Who was proven.
#[derive(Clone, Debug, Serialize)]
pub struct Principal {
    /// The issuer that proved it, by its name in the config.
    pub issuer: String,
    /// Whom the token speaks for.
    pub subject: String,
    /// The token's own id (`jti`).
    pub token_id: Option<String>,
    /// When the token ends, in RFC 3339.
    pub expires: String,
}

/// A response of waxseal's own.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Name and value of each header field.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The head of a request on its way up.
#[derive(Clone, Debug, Serialize)]
pub struct SentUp {
    /// The servers of the upstream, which are taken in turn.
    pub to: String,
    /// The method.
    pub method: String,
    /// The target, its query hidden.
    pub target: String,
    /// Name and value of each header field; credentials are hidden.
    pub headers: Vec<(String, String)>,
}
