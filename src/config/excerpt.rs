//! The line of a file that is shown with a complaint, with what is meant marked in it.
//!
//! It is never the raw line: `veil` says which of its parts may be shown, and the rest becomes `…`. Characters that a
//! terminal obeys are escaped. A line may be long, so only what is near the mark is taken.

use std::ops::Range;

use super::veil;
use crate::telemetry::treacherous::visible;

/// Bytes of a line that are shown on either side of the beginning of what is meant.
const REACH: usize = 100;
/// What stands in place of hidden or left-out text.
const HIDDEN: &str = "…";

/// A line to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line, or the part of it that is near the mark.
    pub(super) text: String,
    /// The bytes of `text` that are meant.
    pub(super) mark: Range<usize>,
}

/// An excerpt on its way.
struct Draft {
    /// Which complaint it belongs to.
    place: usize,
    /// The bytes of the file that are meant.
    span: Range<usize>,
    /// The bytes of the file that are shown.
    window: Range<usize>,
    text: String,
    mark: Option<Range<usize>>,
    /// Whether `text` ends in hidden text.
    hidden: bool,
}

impl Draft {
    fn new(place: usize, span: &Range<usize>, text: &str, starts: &[usize]) -> Self {
        let start = span.start.min(text.len());
        let line = starts.partition_point(|begin| *begin <= start);
        let begin = starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let end = starts.get(line).map_or(text.len(), |next| next - 1);
        let end = if text.as_bytes().get(end.saturating_sub(1)) == Some(&b'\r') { end - 1 } else { end };
        let near = begin.max(start.saturating_sub(REACH))..end.max(begin).min(start.saturating_add(REACH));
        let window = whole_characters(text, near);
        let opened = if window.start > begin { HIDDEN } else { "" };
        Self {
            place,
            span: start..span.end.clamp(start, window.end.max(start)),
            window,
            text: opened.to_owned(),
            mark: None,
            hidden: !opened.is_empty(),
        }
    }

    /// Takes in a piece of the file.
    fn take(&mut self, piece: &Range<usize>, shown: bool, text: &str) {
        let piece = piece.start.max(self.window.start)..piece.end.min(self.window.end);
        let Some(part) = text.get(piece.clone()).filter(|part| !part.is_empty()) else { return };
        if shown {
            self.hidden = false;
            for (at, character) in part.char_indices() {
                let before = self.text.len();
                match character {
                    '\t' => self.text.push_str("    "),
                    '\u{feff}' => {}
                    _ => self.text.push_str(&visible(character.encode_utf8(&mut [0; 4]))),
                }
                self.mark_if_meant(piece.start + at, character.len_utf8(), before);
            }
        } else {
            // Blanks between hidden words say nothing.
            let rest = self.text.trim_end_matches(' ').len();
            if self.text.get(..rest).is_some_and(|text| text.ends_with(HIDDEN)) {
                self.text.truncate(rest);
                self.hidden = true;
            }
            let before = if self.hidden { self.text.len().saturating_sub(HIDDEN.len()) } else { self.text.len() };
            if !self.hidden {
                self.text.push_str(HIDDEN);
            }
            self.hidden = true;
            self.mark_if_meant(piece.start, piece.len(), before);
        }
    }

    /// Extends the mark over what was written last, where a byte of it is meant.
    fn mark_if_meant(&mut self, at: usize, length: usize, before: usize) {
        let empty = self.span.is_empty() && (at..at + length).contains(&self.span.start);
        if empty || (at < self.span.end && self.span.start < at + length) {
            let start = self.mark.as_ref().map_or(before, |mark| mark.start.min(before));
            self.mark = Some(start..if empty { start } else { self.text.len() });
        }
    }

    fn done(mut self, text: &str) -> Excerpt {
        // What was not met stands behind the last character of the line.
        let length = self.text.len();
        let mark = self.mark.map_or(length..length, |mark| mark.start.min(length)..mark.end.min(length));
        if !self.hidden && text.as_bytes().get(self.window.end).is_some_and(|next| !b"\r\n".contains(next)) {
            self.text.push_str(HIDDEN);
        }
        Excerpt { text: self.text, mark }
    }
}

/// The excerpt of each place; `starts` are the bytes at which the lines begin.
pub(super) fn of(text: &str, starts: &[usize], spans: &[Option<Range<usize>>]) -> Vec<Option<Excerpt>> {
    let given = spans.iter().enumerate().filter_map(|(place, span)| Some((place, span.as_ref()?)));
    let mut drafts: Vec<Draft> = given.map(|(place, span)| Draft::new(place, span, text, starts)).collect();
    drafts.sort_by_key(|draft| draft.window.start);
    let mut excerpts = vec![None; spans.len()];
    let windows: Vec<Range<usize>> = drafts.iter().map(|draft| draft.window.clone()).collect();
    if let Some(end) = windows.iter().map(|window| window.end).max() {
        let mut over = 0;
        veil::pieces(text, &windows, end, &mut |piece, shown| {
            // Thousands of cases each have a window, of which few are open at a time.
            over += windows.iter().skip(over).take_while(|window| window.end <= piece.start).count();
            let open = drafts.iter_mut().skip(over).take_while(|draft| draft.window.start < piece.end);
            open.for_each(|draft| draft.take(&piece, shown, text));
        });
    }
    for draft in drafts {
        let place = draft.place;
        if let Some(slot) = excerpts.get_mut(place) {
            *slot = Some(draft.done(text));
        }
    }
    excerpts
}

/// A range drawn in to where characters begin.
fn whole_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let start = (range.start..=range.end).find(|at| text.is_char_boundary(*at)).unwrap_or(range.end);
    let end = (start..=range.end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(start);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of `found` in `text`, with what is marked in brackets.
    fn shown(text: &str, found: &str) -> String {
        let start = text.find(found).unwrap();
        let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let excerpt = of(text, &starts, &[Some(start..start + found.len())]).remove(0).unwrap();
        let (before, rest) = excerpt.text.split_at(excerpt.mark.start);
        let (mark, after) = rest.split_at(excerpt.mark.len());
        format!("{before}<{mark}>{after}")
    }

    #[test]
    fn known_settings_are_shown_and_marked() {
        for (text, found, expected) in [
            ("listen = '0.0.0.0:80'\nworkers = 2", "'0.0.0.0:80'", "listen = <'0.0.0.0:80'>"),
            ("[log]\r\nlevel = 'wran'\r\n", "'wran'", "level = <'wran'>"),
            ("[log]\n\tlevel\t= 1", "1", "    level    = <1>"),
            ("lisen = 1", "lisen", "<lisen> = …"),
            (
                "[[route]]\nclaim = { role = 'ä', 'x y' = [1, 'b'] }",
                "'b'",
                "claim = { role = 'ä', 'x y' = [1, <'b'>] }",
            ),
            ("[issuer.a]\nsecret = { file = 'jwt' } # key", "'jwt'", "secret = { file = <'jwt'> } # …"),
            ("[[route]]\ntoken = 'cookie:a'", "'cookie:a'", "token = <'cookie:a'>"),
            ("listen = 0.0.0.0:80", "0.0", "listen = <0.0>.0.0:80"),
            ("listen: '0.0.0.0:80'", ":", "listen<:> '0.0.0.0:80'"),
            ("unmatched 'open'", "'open'", "unmatched <'open'>"),
            ("[issuer.hotwax\nsubject = 'x'", "[", "<[>issuer.hotwax"),
        ] {
            assert_eq!(shown(text, found), expected);
        }
    }

    #[test]
    fn what_may_be_a_secret_is_hidden_and_still_marked() {
        for (text, found, expected) in [
            ("[issuer.a]\nsecret = 'swordfish'", "'swordfish'", "secret = <'…'>"),
            ("[issuer.a]\nsecret = 'a' 'swordfish'", "'swordfish'", "secret = '…' <…>"),
            ("[issuer.a]\nsecret = { text = 'swordfish' }", "text", "secret = { <text> = '…' }"),
            ("[issuer.a]\nsecret = { txet = 'swordfish' }", "txet", "secret = { <…> = '…' }"),
            ("[issuer.a]\nsecert = 'swordfish'", "secert", "<secert> = '…'"),
            ("[issuer.a]\nsecret = \"swordfish", "swordfish", "secret = \"<…>"),
            ("[issuer.a]\nsecret = swordfish", "swordfish", "secret = <…>"),
            ("[issuer.a]\nsecret: swordfish", ":", "secret<:> …"),
            ("[issuer.a]\nsecret swordfish", "swordfish", "secret <…>"),
            ("[issuer.a]\nsecret =\nswordfish", "swordfish", "<…>"),
            ("[issuer.a]\nsecret =\nc3dvcmRmaXNo==", "c3d", "<…>"),
            ("secret = [\n'swordfish']", "'swordfish'", "<'…'>]"),
            ("secret = '''\nswordfish'''", "swordfish", "<…>"),
            ("listen = '''\nsecret = swordfish", "swordfish", "<…>"),
            ("listen = 'a' # swordfish", "swordfish", "listen = 'a' # <…>"),
            ("listen = \"a # swordfish", "swordfish", "listen = \"<…>"),
            ("listen = \"a swordfish\"", "swordfish", "listen = \"a<…>\""),
            ("[issuer.a] swordfish = 'swordfish'", "[", "<[>issuer.a] …"),
            ("upstream = 'http://u:swordfish'", "u:", "upstream = 'http://<…>'"),
            ("listen = ['a'\nsecret = 'swordfish'", "'swordfish'", "secret = <'…'>"),
            ("upstream = 'http://u:swordfish@a'", "swordfish", "upstream = 'http://<…>@a'"),
            ("upstream = \"http://u:swordfish\\u0040a\"", "swordfish", "upstream = \"<…>\""),
            ("[admin]\ntoken = 'swordfish'", "'swordfish'", "token = <'…'>"),
            ("[issuer.a]\npem = '-----BEGIN X----- swordfish'", "swordfish", "pem = '<…>'"),
            ("[desk]\npassword = 'swordfish'", "password", "<password> = '…'"),
        ] {
            let line = shown(text, found);
            assert!(!line.contains("swordfish"), "{line}");
            assert_eq!(line, expected, "{text}");
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(shown("[log]\nlevel = 'a\u{1b}[31m\u{202e}'", "["), "<[>log]");
        let line = shown("[log]\nlevel = 'a\u{1b}[31m\u{202e}'", "'a");
        assert_eq!(line, "level = <'a>\\u{1b}[31m\\u{202e}'");
    }

    #[test]
    fn of_a_long_line_only_the_part_around_the_mark_is_shown() {
        let text = format!("listen = [{}'b', {}]", "'a', ".repeat(100), "'c', ".repeat(100));
        let line = shown(&text, "'b'");
        assert!(line.starts_with("… ") || line.starts_with("…"), "{line}");
        assert!(line.contains("'a', <'b'>, 'c'") && line.ends_with('…') && line.len() < 220, "{line}");
    }

    #[test]
    fn thousands_of_places_take_no_long() {
        let line = "expect = 'allow'\n";
        let text = line.repeat(20_000);
        let starts: Vec<usize> = (0..=20_000).map(|at| at * line.len()).collect();
        let spans: Vec<_> = starts.iter().map(|start| Some(start + 9..start + 16)).take(20_000).collect();
        let began = std::time::Instant::now();
        let excerpts = of(&text, &starts, &spans);
        assert!(excerpts.iter().all(Option::is_some));
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
