//! Patterns that are written in another router's way, or encoded.

use percent_encoding::percent_decode_str;

use super::super::diagnostic::Notes;
use super::super::raw::{Access, Route as RawRoute};
use super::super::reader::At;
use super::Kind;
use crate::decision::route::Pattern;

/// Warns of every path that does not mean what it seems to say.
pub(in crate::config) fn paths(routes: &[At<RawRoute>], notes: &mut Notes<'_>) {
    let mut escapes = Kind::new("paths with percent-escapes");
    let mut foreign = Kind::new("paths in another router's way of writing");
    for route in routes {
        let exact = route.value.access.or(Access::Protected) == Access::Open;
        for path in route.value.path.get().map(|paths| paths.0.as_slice()).unwrap_or_default() {
            if Pattern::parse(&path.value, exact).is_err() {
                continue;
            }
            if let Some((at, decoded)) = escaped(&path.value) {
                let problem = format!(
                    "path {:?} holds a percent-escape: patterns are written decoded, so {}",
                    path.value,
                    if exact { "this exemption never counts" } else { "this one guards other paths than it seems to" }
                );
                let advice = match decoded.filter(|decoded| Pattern::parse(decoded, exact).is_ok()) {
                    Some(decoded) => format!("write {decoded:?}"),
                    None if exact => String::from("the path of an open route is ASCII: guard less widely instead"),
                    None => String::from("write what the escape stands for"),
                };
                let span = notes.inside(&path.span, &path.value, at);
                escapes.warn(notes, &span, &route.value.label, problem, &advice);
            }
            if let Some(list) = several(&path.value) {
                let problem = format!("path {:?} is one path, with a blank or comma in it", path.value);
                foreign.warn(notes, &path.span, &route.value.label, problem, &format!("write a list: [{list}]"));
            } else if let Some(meant) = instead(&path.value) {
                let problem =
                    format!("path {:?} means these very letters: only `*` and `**` stand for others", path.value);
                foreign.warn(notes, &path.span, &route.value.label, problem, &format!("write {meant:?}"));
            }
        }
    }
    escapes.close(notes);
    foreign.close(notes);
}

/// The members of a list of paths that was written as one text; `None` where it is none.
fn several(text: &str) -> Option<String> {
    let paths: Vec<&str> = text.split([',', ' ']).filter(|path| !path.is_empty()).collect();
    let list = paths.len() > 1 && paths.iter().all(|path| path.starts_with('/'));
    list.then(|| paths.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(", "))
}

/// Where the first percent-escape stands, and the path without any, where that is UTF-8.
fn escaped(path: &str) -> Option<(usize, Option<String>)> {
    let escape =
        |at: &usize| path.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let at = path.match_indices('%').map(|(at, _)| at).find(escape)?;
    Some((at, percent_decode_str(path).decode_utf8().ok().map(String::from)))
}

/// What to write for a path in another router's way; `None` where it is none.
pub(in crate::config) fn instead(path: &str) -> Option<String> {
    let bare = path.strip_prefix('^').unwrap_or(path);
    let bare = bare.strip_suffix('$').unwrap_or(bare);
    // The one expression for a segment that holds a slash itself.
    let bare = bare.replace("[^/]+", "*").replace("[^/]*", "*").replace("(*)", "*");
    let segments: Vec<&str> = bare.strip_prefix('/')?.split('/').collect();
    let last = segments.len() - 1;
    let written: Vec<String> = segments.iter().enumerate().map(|(at, own)| segment(own, at == last)).collect();
    let written = format!("/{}", written.join("/"));
    (written != path && Pattern::parse(&written, false).is_ok()).then_some(written)
}

/// One segment in this program's way.
fn segment(text: &str, last: bool) -> String {
    let many = if last { "**" } else { "*" };
    let star = |inner: &str| {
        let deep =
            inner.starts_with('*') || inner.starts_with("path:") || inner.contains("...") || inner.ends_with(".*");
        if deep { many } else { "*" }
    };
    if matches!(text, ".*" | ".+" | "(.*)" | "(.+)" | ".*?") {
        return many.to_owned();
    }
    if let Some(name) =
        text.strip_prefix(':').filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))
    {
        // `:rest*` is the rest in some routers; `:id.json` has text behind.
        return if name.ends_with('*') { many.to_owned() } else { "*".to_owned() };
    }
    let mut rest = text;
    let mut written = String::new();
    while let Some((open, close)) = [('{', '}'), ('<', '>'), ('[', ']')].into_iter().find(|(open, close)| {
        rest.find(*open)
            .is_some_and(|at| rest.get(at..).is_some_and(|behind| behind.find(*close).is_some_and(|end| end > 1)))
    }) {
        let Some((before, behind)) = rest.split_once(open) else { break };
        let Some((inner, after)) = behind.split_once(close) else { break };
        written.push_str(before);
        written.push_str(if before.is_empty() && after.is_empty() { star(inner) } else { "*" });
        rest = after;
    }
    let mut written = format!("{written}{rest}").replace(".*", "*");
    while written.contains("**") && written != "**" {
        written = written.replace("**", "*");
    }
    if text.contains(".*") || written != text { written } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_routers_ways_are_translated() {
        for (path, expected) in [
            ("/orders/{id}", Some("/orders/*")),
            ("/orders/:id/items", Some("/orders/*/items")),
            ("/orders/<int:id>", Some("/orders/*")),
            ("/orders/[id]", Some("/orders/*")),
            ("/files/{*rest}", Some("/files/**")),
            ("/files/{path...}", Some("/files/**")),
            ("/files/[...slug]", Some("/files/**")),
            ("/files/{name}.json", Some("/files/*.json")),
            ("^/api/.*$", Some("/api/**")),
            ("/api/.*", Some("/api/**")),
            ("/api/[^/]+/x", Some("/api/*/x")),
            ("/api/update.*", Some("/api/update*")),
            ("/api/x$", Some("/api/x")),
            ("/orders/*", None),
            ("/orders/**", None),
            ("/orders/:", None),
            ("/v1:batch", None),
            ("/a.b/c", None),
            ("/.well-known/x", None),
            ("/x[]", None),
            ("/update*", None),
        ] {
            assert_eq!(instead(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn several_paths_in_one_text_are_told_apart() {
        assert_eq!(several("/a, /b").as_deref(), Some("\"/a\", \"/b\""));
        assert_eq!(several("/a/b /c,/d").as_deref(), Some("\"/a/b\", \"/c\", \"/d\""));
        for path in ["/a,b", "/a b", "/a", "/a,", "/a, b/c"] {
            assert_eq!(several(path), None, "{path}");
        }
    }

    #[test]
    fn escapes_are_found_and_decoded() {
        assert_eq!(escaped("/caf%C3%A9"), Some((4, Some("/caf\u{e9}".into()))));
        assert_eq!(escaped("/a%ff"), Some((2, None)));
        assert_eq!(escaped("/100%"), None);
        assert_eq!(escaped("/50%off"), None);
    }
}
