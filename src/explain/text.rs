//! An explanation for the eye.
//!
//! Whatever a request or a token brought along is made visible: no terminal obeys it.

use std::fmt::{self, Display, Write};

use super::{Answer, Explanation, Match, Reading, SentUp, Step};
use crate::telemetry::treacherous::visible;

/// What is told of a fact at most, in characters.
const LONGEST_FACT: usize = 160;

impl Explanation {
    /// The decisive facts in a few lines: which routes held, what failed, and what can be done.
    pub fn in_short(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = self.write_short(&mut text);
        text
    }

    fn write_short(&self, out: &mut String) -> fmt::Result {
        let names: Vec<String> =
            self.routes.iter().map(|route| format!("{:?} ({})", route.name, route.access)).collect();
        if !names.is_empty() {
            write!(out, "it falls under route {}", visible(&names.join(" and ")))?;
        }
        if let Some(detail) = &self.detail {
            let before = if out.is_empty() { "" } else { "\n" };
            write!(out, "{before}{}", Fact(detail))?;
        }
        if let Some(advice) = &self.advice {
            write!(out, "\n{advice}")?;
        }
        Ok(())
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("none");
        writeln!(f, "{} {}", visible(&self.method), visible(&self.target))?;
        writeln!(f, "  host {}, judged at {}", visible(host), self.at)?;
        self.write_verdict(f)?;
        if !self.readings.is_empty() {
            writeln!(f, "\nwhich route")?;
            self.readings.iter().try_for_each(|own| reading(f, own))?;
            self.write_held(f)?;
        }
        if !self.steps.is_empty() {
            writeln!(f, "\nwhat was looked at")?;
            self.write_steps(f)?;
        }
        match &self.answer {
            Some(own) => answer(f, own)?,
            None => writeln!(f, "\na client gets what the upstream answers")?,
        }
        match &self.upstream {
            Some(own) => sent_up(f, own),
            None if self.answer.is_none() => Ok(()),
            None => writeln!(f, "\nthe upstream gets nothing"),
        }
    }
}

impl Explanation {
    fn write_held(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |route: &super::Route| {
            let mode = if route.mode == "report" { ", report mode" } else { "" };
            format!("{:?} ({}{mode})", route.name, route.access)
        };
        let names: Vec<String> = self.routes.iter().map(told).collect();
        writeln!(f, "  held to  {}", visible(&names.join(", then ")))
    }

    /// The steps, under the names of their routes where there are several.
    fn write_steps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut route = None;
        for own in &self.steps {
            if self.routes.len() > 1 && own.route != route {
                route.clone_from(&own.route);
                writeln!(f, "  for {:?}", route.as_deref().unwrap_or("the request"))?;
            }
            step(f, own)?;
        }
        Ok(())
    }

    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.verdict, self.status) {
            ("reject", status) => writeln!(f, "\nrefused: {} {}", status.unwrap_or_default(), self.code)?,
            ("report", _) => writeln!(f, "\npasses because of report mode; enforced it would be {}", self.code)?,
            _ => writeln!(f, "\npasses")?,
        }
        if let Some(detail) = &self.detail {
            writeln!(f, "  {}", Fact(detail))?;
        }
        if let Some(advice) = &self.advice {
            writeln!(f, "  {advice}")?;
        }
        if let Some(principal) = &self.principal {
            let whose = format!("the token is {:?}'s, issued by {:?}", principal.subject, principal.issuer);
            write!(f, "  {}, good until {}", visible(&whose), principal.expires)?;
            if let Some(id) = &principal.token_id {
                write!(f, ", id {}", visible(&format!("{id:?}")))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn reading(f: &mut fmt::Formatter<'_>, reading: &Reading) -> fmt::Result {
    let only = if reading.guards_only { " (can only bring a guard into play)" } else { "" };
    writeln!(f, "  read as  {} {}{only}", visible(&reading.method), visible(&reading.path))?;
    if reading.matches.is_empty() {
        return writeln!(f, "             no route names it: `unmatched` counts");
    }
    for (at, found) in reading.matches.iter().enumerate() {
        let counts = if at == 0 { "counts:" } else { "also:  " };
        writeln!(f, "             {counts} {:?} by {:?}{}", found.route, found.pattern, manner(found))?;
        if let Some(why) = &found.why {
            writeln!(f, "                     before the next: {why}")?;
        }
    }
    Ok(())
}

/// How a route came to match, where that is not plain.
fn manner(found: &Match) -> &'static str {
    match (found.whatever_host, found.implied) {
        (true, _) => ", since no route names this host",
        (false, true) => ", implied: a guard holds for everything below it",
        (false, false) => "",
    }
}

/// One look, in a line where it is as expected.
pub(super) fn step(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    let mark = match step.outcome {
        "pass" => return writeln!(f, "  ok    {:<14} {}", step.look, Fact(&step.found)),
        "miss" => "no  ",
        "lift" => "lift",
        _ => "FAIL",
    };
    writeln!(f, "  {mark}  {:<14} expected {}", step.look, Fact(&step.expected))?;
    writeln!(f, "        {:<14} found    {}", "", Fact(&step.found))
}

fn answer(f: &mut fmt::Formatter<'_>, answer: &Answer) -> fmt::Result {
    writeln!(f, "\na client gets")?;
    writeln!(f, "  HTTP/1.1 {}", answer.status)?;
    fields(f, &answer.headers)?;
    if !answer.body.is_empty() {
        writeln!(f, "\n  {}", visible(&answer.body))?;
    }
    Ok(())
}

fn sent_up(f: &mut fmt::Formatter<'_>, sent: &SentUp) -> fmt::Result {
    writeln!(f, "\nthe upstream {} gets", sent.to)?;
    writeln!(f, "  {} {}", visible(&sent.method), visible(&sent.target))?;
    fields(f, &sent.headers)
}

fn fields(f: &mut fmt::Formatter<'_>, fields: &[(String, String)]) -> fmt::Result {
    fields.iter().try_for_each(|(name, value)| writeln!(f, "  {name}: {}", visible(value)))
}

/// A fact, visible and cut to a line.
pub(super) struct Fact<'t>(pub(super) &'t str);

impl Display for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = visible(self.0);
        match text.char_indices().nth(LONGEST_FACT) {
            None => f.write_str(&text),
            Some((end, _)) => {
                f.write_str(text.get(..end).unwrap_or_default())?;
                f.write_char('…')
            }
        }
    }
}
