//! A line of the access log as a request to be explained.
//!
//! The log holds neither token nor query, so what was said of a token is taken from the line, unless the token is given
//! besides; everything else is judged anew.

use serde_json::Value;

use super::text::Fact;
use super::{Explanation, advice, explain, preview};
use crate::config::Config;
use crate::decision::rejection::{Code, Rejection};
use crate::proxy::preview::Asked;
use crate::secret::Secret;
use crate::telemetry::{CODE_OK, Outcome};
use crate::time::UnixSeconds;

/// What a line of the access log says of a request.
#[derive(Clone, Debug)]
pub struct Logged {
    asked: Asked,
    at: UnixSeconds,
    verdict: String,
    code: Option<Code>,
    detail: Option<String>,
    /// Whether somebody was proven.
    token: bool,
    /// Whether the log cut the path or took a session out of it.
    cut: bool,
}

impl Logged {
    /// Reads a line in either format of the log, whatever stands before it.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn read(line: &str) -> Result<Self, String> {
        let found = match line.find('{').map(|at| line.split_at(at).1).and_then(|json| serde_json::from_str(json).ok())
        {
            Some(Value::Object(fields)) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
                Fields {
                    time: text("time"),
                    verdict: text("verdict"),
                    code: text("code"),
                    method: text("method"),
                    path: text("path"),
                    host: text("host"),
                    detail: text("detail"),
                    subject: text("subject"),
                }
            }
            _ => Fields::of_text(line),
        };
        found.logged()
    }

    /// Explains it by a config, with the token that the request had, if that is known.
    pub fn explain(&self, config: &Config, token: Option<&Secret<String>>) -> Explanation {
        let mut asked = self.asked.clone();
        if let Some(token) = token {
            asked.show(token, &config.snapshot);
        }
        let mut told = explain(config, &asked, self.at);
        if token.is_none() && self.had_more_than_the_line_holds(&told) {
            told.taken_at_its_word();
            return told;
        }
        if let (None, Some(code)) = (token, self.code.filter(|code| is_about_a_token(*code))) {
            let detail = self.detail.clone().unwrap_or_default();
            let rejection = Rejection::new(code, detail);
            told.steps.clear();
            told.upstream = None;
            match self.verdict == Outcome::Report.name() {
                true => told.lifted(Some(&rejection)),
                false => match asked.request() {
                    Ok(request) => told.refused(&rejection, &preview(&request, &asked, config)),
                    Err(_) => told.refused(&rejection, &preview(&http::Request::new(()), &asked, config)),
                },
            }
            told.advice = Some(advice::advice(code).into());
        }
        if let (None, true, Some(detail)) = (token, self.code.map(Code::name) == Some(told.code), &self.detail) {
            // The log saw the headers, too.
            told.detail = Some(detail.clone());
        }
        told
    }

    /// Whether it passed, and would not as it stands in the line: it had a token, or was a preflight.
    fn had_more_than_the_line_holds(&self, told: &Explanation) -> bool {
        self.verdict == Outcome::Allow.name() && told.code == Code::CredentialMissing.name()
    }

    /// What the line said, and what its explanation could not know.
    pub fn remark(&self, told: &Explanation, token_given: bool) -> String {
        let code = self.code.map_or(CODE_OK, Code::name);
        let mut remark = format!("the log says {} {code}", self.verdict);
        let passed = self.verdict == Outcome::Allow.name() && self.token;
        if told.code != code {
            let detail = self.detail.as_deref().map(|detail| format!(" ({})", Fact(detail))).unwrap_or_default();
            let token = if token_given { "no header" } else { "no token (give it by --token) and no header" };
            remark.push_str(&format!(
                "{detail}, and below it is {} {}: the log holds {token}, or another config was in force",
                told.verdict, told.code
            ));
        } else if (passed || self.code.is_some_and(is_about_a_token)) && !token_given {
            remark.push_str("; it holds no token: give it by --token to see each step");
        }
        if self.cut {
            remark.push_str("; the path was cut in the log");
        }
        remark
    }
}

/// Whether a reason is about what a token says: the log alone cannot tell how it came about.
fn is_about_a_token(code: Code) -> bool {
    let status = code.status().as_u16();
    code != Code::CredentialMissing
        && (matches!(status, 401 | 403) || matches!(code, Code::KeysUnavailable | Code::CredentialAmbiguous))
}

/// The fields of a line that matter here.
struct Fields {
    time: Option<String>,
    verdict: Option<String>,
    code: Option<String>,
    method: Option<String>,
    path: Option<String>,
    host: Option<String>,
    detail: Option<String>,
    subject: Option<String>,
}

impl Fields {
    /// Reads `TIME VERDICT CODE STATUS METHOD PATH name=value …`, values in quotes where they hold blanks.
    fn of_text(line: &str) -> Self {
        let mut words = words(line).into_iter().skip_while(|word| UnixSeconds::parse(word).is_err());
        let mut next = || words.next();
        let (time, verdict, code, _status) = (next(), next(), next(), next());
        let (method, path) = (next(), next());
        let pairs: Vec<String> = words.collect();
        let named = |name: &str| {
            let value = pairs.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned)
        };
        let (host, detail, subject) = (named("host"), named("detail"), named("subject"));
        Self { time, verdict, code, method, path, host, detail, subject }
    }

    fn logged(self) -> Result<Logged, String> {
        let missing =
            |name: &str| format!("no {name} is in the line: paste a line of the access log whole, in JSON or in text");
        let (method, path) = (self.method.ok_or_else(|| missing("method"))?, self.path.ok_or_else(|| missing("path"))?);
        let at = UnixSeconds::parse(&self.time.ok_or_else(|| missing("time"))?)?;
        let mut asked = Asked::new(&method, &path)?;
        if let Some(host) = self.host {
            asked.header(&format!("Host: {host}"))?;
        }
        let code = self.code.as_deref().and_then(|word| Code::ALL.into_iter().find(|code| code.name() == word));
        let verdict = self.verdict.ok_or_else(|| missing("verdict"))?;
        let (token, cut) = (self.subject.is_some(), path.contains('…'));
        Ok(Logged { asked, at, verdict, code, detail: self.detail, token, cut })
    }
}

/// The words of a line; one in quotes, or with a value in quotes, is a JSON string.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while !rest.is_empty() {
        let quote = rest.find('"').filter(|at| !rest.split_at(*at).0.contains(' '));
        let (word, after) = match quote {
            Some(at) => quoted(rest, at),
            None => rest.split_once(' ').map_or((rest.to_owned(), ""), |(word, after)| (word.to_owned(), after)),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// The word that begins here and goes on in quotes from byte `at`, and what follows it.
fn quoted(text: &str, at: usize) -> (String, &str) {
    let (before, string) = text.split_at(at);
    let mut stream = serde_json::Deserializer::from_str(string).into_iter::<String>();
    match stream.next() {
        Some(Ok(value)) => (format!("{before}{value}"), string.split_at(stream.byte_offset()).1),
        _ => (text.to_owned(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2026-10-30T07:05:09.042Z reject token_expired 401 POST /api/x host=oms.example route=inventory \
                        peer=10.0.0.7 in=0 out=94 ms=0.118 id=abc detail=\"exp was \\\"1\\\", it is 2\"";
    const JSON: &str = "app-1  | {\"time\":\"2026-10-30T07:05:09.042Z\",\"method\":\"POST\",\"host\":\"oms.example\",\
                        \"path\":\"/api/x\",\"verdict\":\"reject\",\"code\":\"token_expired\",\
                        \"detail\":\"exp was \\\"1\\\", it is 2\"}";

    #[test]
    fn both_formats_of_the_log_are_read() {
        for line in [TEXT, JSON] {
            let logged = Logged::read(line).unwrap();
            assert_eq!((logged.asked.method.as_str(), &*logged.asked.target), ("POST", "/api/x"), "{line}");
            assert_eq!(logged.asked.headers.get("host").unwrap(), "oms.example");
            assert_eq!(logged.at.seconds(), 1_793_343_909.042);
            assert_eq!(logged.code, Some(Code::TokenExpired));
            assert_eq!(logged.detail.as_deref(), Some("exp was \"1\", it is 2"));
        }
    }

    #[test]
    fn what_is_no_line_of_the_log_is_told() {
        for (line, words) in [
            ("", "no method"),
            ("hello world", "no method"),
            ("{\"method\":\"GET\"}", "no path"),
            ("{\"method\":\"GET\",\"path\":\"/\"}", "no time"),
            ("2026-10-30T07:05:09.042Z reject", "no method"),
        ] {
            let error = Logged::read(line).map(|_| ()).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
