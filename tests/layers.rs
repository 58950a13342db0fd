//! Which room may know of which: a room imports from rooms on lower lines, never from a sibling on its own line, never
//! upward. And no file of the source outgrows what a reader can hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test takes for granted may fail it")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, the highest line first.
const LINES: [&[&str]; 13] = [
    &["cli"],
    &["demo"],
    &["app"],
    &["explain"],
    &["config"],
    &["proxy", "ext_authz", "desk", "admin"],
    &["gate"],
    &["keys"],
    &["net", "upstream"],
    &["live"],
    &["telemetry"],
    &["decision"],
    &["time", "secret", "watch"],
];

/// The most lines that a file may have.
const LONGEST_FILE: usize = 600;

/// A source file: its path below `src` and its text.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.to_owned() }
    }

    /// The modules from the root of the crate down to this file.
    fn modules(&self) -> Vec<String> {
        let text = self.path.with_extension("");
        let all = text.iter().map(|part| part.to_string_lossy().into_owned());
        all.filter(|part| !matches!(part.as_str(), "mod" | "lib" | "main")).collect()
    }

    /// The files that are only there for tests: those named `tests`, and those that another file declares under
    /// `#[cfg(test)]`.
    fn test_modules(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        let mut lines = self.text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line != "#[cfg(test)]" {
                continue;
            }
            let declared = lines.next().and_then(|line| line.split_once("mod ")).map(|(_, name)| name);
            if let Some(name) = declared.and_then(|name| name.strip_suffix(';')) {
                let mut modules = self.modules();
                modules.push(name.to_owned());
                found.push(modules);
            }
        }
        found
    }

    /// The text with comments and inline test modules blanked out, so that lines keep their numbers.
    fn code(&self) -> String {
        let mut code = String::new();
        let (mut lines, mut within_tests) = (self.text.lines().peekable(), false);
        while let Some(line) = lines.next() {
            let opens_tests = line == "#[cfg(test)]"
                && lines.peek().is_some_and(|next| next.contains("mod ") && next.trim_end().ends_with('{'));
            within_tests |= opens_tests;
            if !within_tests {
                code.push_str(line.split_once("//").map_or(line, |(code, _)| code));
            }
            code.push('\n');
            if within_tests && line == "}" {
                within_tests = false;
            }
        }
        code
    }

    /// Every room that the file names, with the place in its code.
    fn named_rooms(&self) -> Vec<(String, usize)> {
        let code = self.code();
        let above = "super::".repeat(self.modules().len());
        let mut found = Vec::new();
        for root in ["crate::", above.as_str()].into_iter().filter(|root| !root.is_empty()) {
            for (at, _) in code.match_indices(root) {
                let part_of_longer = code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
                    || (root != "crate::" && code[..at].ends_with("::"));
                if !part_of_longer {
                    first_names(&code, at + root.len(), &mut found);
                }
            }
        }
        found
    }
}

/// The names that a path goes on with: one, or those of a group in braces.
fn first_names(code: &str, at: usize, found: &mut Vec<(String, usize)>) {
    let rest = &code[at..];
    if !rest.starts_with('{') {
        let name: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        found.push((name, at));
        return;
    }
    let (mut depth, mut expects_name) = (0, true);
    for (offset, letter) in rest.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return,
            '}' => depth -= 1,
            ',' if depth == 1 => expects_name = true,
            _ if letter.is_whitespace() => {}
            _ if depth == 1 && expects_name => {
                expects_name = false;
                first_names(code, at + offset, found);
            }
            _ => {}
        }
    }
}

fn line_of(room: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&room))
}

/// Everything that is wrong with these files.
fn complaints(sources: &[Source]) -> Vec<String> {
    let tests: Vec<Vec<String>> = sources.iter().flat_map(Source::test_modules).collect();
    let mut complaints = Vec::new();
    for source in sources {
        let path = source.path.display();
        let length = source.text.lines().count();
        if length > LONGEST_FILE {
            complaints.push(format!("src/{path}: {length} lines, at most {LONGEST_FILE}"));
        }
        let modules = source.modules();
        let only_for_tests =
            modules.last().is_some_and(|last| last == "tests") || tests.iter().any(|test| modules.starts_with(test));
        let Some(room) = modules.first().filter(|_| !only_for_tests) else { continue };
        let Some(own) = line_of(room) else {
            complaints.push(format!("src/{path}: no line is known for the room {room}"));
            continue;
        };
        for (other, at) in source.named_rooms() {
            let place = format!("src/{path}:{}", source.code()[..at].lines().count().max(1));
            match line_of(&other) {
                _ if other == *room => {}
                Some(line) if line > own => {}
                Some(line) if line == own => complaints.push(format!("{place}: {room} knows its sibling {other}")),
                Some(_) => complaints.push(format!("{place}: {room} knows {other}, which is above it")),
                None => complaints.push(format!("{place}: {room} names {other}, which is no room")),
            }
        }
    }
    complaints
}

fn read(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, root, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root).unwrap().to_str().unwrap();
            sources.push(Source::new(below, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_room_imports_from_its_own_line_or_upward() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read(&root, &root, &mut sources);
    assert!(sources.len() > 20, "the source was not found");
    let complaints = complaints(&sources);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn an_import_upward_or_sideways_is_found() {
    for (path, text, expected) in [
        ("decision/mod.rs", "//! A.\n\nuse crate::gate::Gate;\n", "src/decision/mod.rs:3: decision knows gate"),
        (
            "decision/head.rs",
            "use crate::{time::Clock,\n    live::Live};\n",
            "src/decision/head.rs:2: decision knows live",
        ),
        ("decision/head.rs", "use super::super::live::Live;\n", "src/decision/head.rs:1: decision knows live"),
        ("gate.rs", "use super::keys;\n\nuse super::proxy::{self, body};\n", "src/gate.rs:3: gate knows proxy"),
        (
            "net/conn.rs",
            "fn a() {\n    crate::upstream::send();\n}\n",
            "src/net/conn.rs:2: net knows its sibling upstream",
        ),
        ("time.rs", "use crate::secret::Secret;\n", "src/time.rs:1: time knows its sibling secret"),
        ("app.rs", "pub(in crate::demo) fn a() {}\n", "src/app.rs:1: app knows demo"),
        ("keys/mod.rs", "use crate::nowhere::X;\n", "src/keys/mod.rs:1: keys names nowhere, which is no room"),
        ("util.rs", "", "src/util.rs: no line is known for the room util"),
        ("live.rs", &"\n".repeat(601), "src/live.rs: 601 lines"),
    ] {
        let found = complaints(&[Source::new(path, text)]);
        assert_eq!(found.len(), 1, "{path}: {found:?}");
        assert!(found[0].starts_with(expected), "{path}: {found:?}");
    }
}

#[test]
fn an_import_downward_or_in_a_test_is_not() {
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::cli::X;\n}\n";
    for (path, text) in [
        ("demo.rs", "use crate::config::Raw;\nuse crate::app;\n"),
        ("admin/mod.rs", "use crate::telemetry::Telemetry;\nuse crate::{net::conn, decision::{head, path}, time};\n"),
        (
            "decision/head.rs",
            "// use crate::cli;\n/// See [`crate::cli`].\nuse super::path::Readings;\nuse crate::time;\n",
        ),
        ("decision/route/table.rs", "use super::super::head::RequestHead;\n"),
        ("decision/head.rs", tests),
        ("decision/head/tests.rs", "use crate::cli::X;\n"),
        ("main.rs", "use waxseal::cli;\n"),
        ("lib.rs", "pub mod cli;\n"),
    ] {
        let found = complaints(&[Source::new(path, text)]);
        assert!(found.is_empty(), "{path}: {found:?}");
    }
    let pair = [
        Source::new("net/mod.rs", "#[cfg(test)]\nmod harness;\n"),
        Source::new("net/harness.rs", "use crate::app::X;\n"),
    ];
    assert!(complaints(&pair).is_empty());
    let after = Source::new("decision/head.rs", &format!("{tests}use crate::cli;\n"));
    assert_eq!(complaints(&[after]), ["src/decision/head.rs:5: decision knows cli, which is above it"]);
}
