//! A deny list: lines of JSON, each with what was taken back and when the last token that it speaks of ends.

use super::ListError;
use crate::decision::claims::Claims;
use crate::decision::revocation::{Entry, Mark};
use crate::time::UnixSeconds;

/// What a line must hold.
const EXPECTED: &str = "expected one of `jti`, `sub` (with `before`) and `kid`, each text, and `exp`";

/// The entries of all lines, one after the other, since there may be a million of them. Empty lines say nothing.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Result<Entry, ListError>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| entry(line).map_err(|problem| ListError::Line { line: at + 1, problem }))
}

fn entry(line: &str) -> Result<Entry, &'static str> {
    let members = Claims::parse(line.as_bytes())?;
    let object = members.json().as_object().ok_or(EXPECTED)?;
    if object.keys().any(|name| !["jti", "sub", "before", "kid", "exp"].contains(&name.as_str())) {
        return Err("a member that is none of `jti`, `sub`, `before`, `kid` and `exp`");
    }
    let text = |name: &'static str| match members.text(name) {
        Ok(Some("")) => Err("an empty name, which speaks of no token"),
        Ok(found) => Ok(found.map(Box::<str>::from)),
        Err(_) => Err(EXPECTED),
    };
    let moment = |name: &'static str| -> Result<Option<UnixSeconds>, &'static str> {
        members.date(name).map_err(|_| "`before` and `exp` are seconds since 1970, as numbers")
    };
    let mark = match (text("jti")?, text("sub")?, text("kid")?, moment("before")?) {
        (Some(id), None, None, None) => Mark::Token(id),
        (None, None, Some(id), None) => Mark::Key(id),
        (None, Some(subject), None, Some(before)) => Mark::Subject { subject, before },
        (None, Some(_), None, None) => return Err("`sub` without `before`: tokens issued before which moment?"),
        _ => return Err(EXPECTED),
    };
    Ok(Entry { mark, expires: moment("exp")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<Entry>, ListError> {
        entries(text).collect()
    }

    #[test]
    fn each_kind_of_line_is_read() {
        let text = "{\"jti\":\"a\",\"exp\":10}\r\n\n  {\"sub\":\"s\",\"before\":5.5,\"exp\":10}\n{\"kid\":\"k\"}";
        let at = |seconds| UnixSeconds::new(seconds).unwrap();
        let expected = [
            Entry { mark: Mark::Token("a".into()), expires: Some(at(10.0)) },
            Entry { mark: Mark::Subject { subject: "s".into(), before: at(5.5) }, expires: Some(at(10.0)) },
            Entry { mark: Mark::Key("k".into()), expires: None },
        ];
        assert_eq!(all(text).unwrap(), expected);
        assert!(all("").unwrap().is_empty() && all(" \n\n").unwrap().is_empty());
    }

    #[test]
    fn a_line_that_cannot_be_read_spoils_the_list_and_is_told_by_its_number() {
        for line in [
            "a",
            "{\"jti\":\"a\"",
            "[]",
            "{}",
            "{\"exp\":1}",
            "{\"jti\":7}",
            "{\"jti\":\"\"}",
            "{\"jti\":\"a\",\"exp\":\"1\"}",
            "{\"jti\":\"a\",\"exp\":null}",
            "{\"jti\":\"a\",\"jti\":\"b\"}",
            "{\"jti\":\"a\",\"kid\":\"b\"}",
            "{\"jti\":\"a\",\"before\":1}",
            "{\"sub\":\"a\",\"exp\":1}",
            "{\"sub\":\"a\",\"before\":\"1\"}",
            "{\"jti\":\"a\",\"expires\":1}",
            "{\"jti\":\"a\"} # why",
            "# why",
        ] {
            let error = all(&format!("{{\"jti\":\"b\"}}\n\n{line}\n{{\"jti\":\"c\"}}\n")).unwrap_err();
            assert!(matches!(error, ListError::Line { line: 3, .. }), "{line}: {error}");
        }
    }
}
