//! Wrong configs of `tests/wrong`, each with what `waxseal check` says about it beside it.
//!
//! The first line of a config says where its first complaint must stand and which words it must hold:
//! `# error at LINE: words`, or `# warning at LINE: words`. The report beside it is compared letter by letter; after a
//! change that is wanted, `WAXSEAL_RENEW_REPORTS=1 cargo nextest run -E 'test(wrong::)'` writes all reports anew, and the
//! difference is read before it is committed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ended, run};

/// What must never stand in a report: every secret of the configs is this word.
const SECRET: &str = "swordfish";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wrong")
}

/// The configs, by name.
fn configs() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files.filter_map(|file| file.strip_suffix(".toml").map(str::to_owned)).collect();
    names.sort();
    names
}

/// What the first line of a config demands: the severity, the line and the words of the first complaint.
fn demand(text: &str) -> (String, usize, String) {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    let (severity, rest) = first.strip_prefix("# ").and_then(|rest| rest.split_once(" at ")).expect(first);
    let (line, words) = rest.split_once(": ").expect(first);
    (severity.to_owned(), line.parse().expect(first), words.to_owned())
}

/// A copy of the folder that nobody else may read: a checkout leaves its files open to everyone, which is warned of.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = TempDir::new().unwrap();
        fs::create_dir(desk.path().join("files")).unwrap();
        for folder_name in [".", "files"] {
            for entry in fs::read_dir(folder().join(folder_name)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    let copy = desk.path().join(folder_name).join(entry.file_name());
                    fs::copy(entry.path(), &copy).unwrap();
                    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
                }
            }
        }
        Self(desk)
    }

    fn check(&self, name: &str, more: &[&str]) -> Ended {
        run(&[&["check", "--config", &format!("{name}.toml")], more].concat(), self.0.path())
    }
}

#[test]
fn each_report_is_as_it_was_read_and_found_good() {
    let renew = std::env::var_os("WAXSEAL_RENEW_REPORTS").is_some();
    let (desk, mut differ) = (Desk::new(), Vec::new());
    for name in configs() {
        let ended = desk.check(&name, &[]);
        assert_eq!(ended.err, "", "{name}");
        let path = folder().join(format!("{name}.txt"));
        if renew {
            fs::write(path, ended.out).unwrap();
        } else if fs::read_to_string(path).unwrap_or_default() != ended.out {
            differ.push(format!("{name}:\n{}", ended.out));
        }
    }
    assert!(
        differ.is_empty(),
        "{} reports are others (see the head of this file):\n{}",
        differ.len(),
        differ.join("\n")
    );
}

#[test]
fn the_first_complaint_stands_at_the_mistake_and_says_what_to_write() {
    let (desk, names) = (Desk::new(), configs());
    assert!(names.len() >= 70, "{}", names.len());
    for name in names {
        let text = fs::read(folder().join(format!("{name}.toml"))).unwrap();
        let (severity, line, words) = demand(&String::from_utf8_lossy(&text));
        let ended = desk.check(&name, &["--json"]);
        let told: Value = serde_json::from_str(&ended.out).unwrap();
        let first = &told["complaints"][0];
        let said = format!("{} {}", first["problem"].as_str().unwrap(), first["advice"].as_str().unwrap());
        assert_eq!(first["severity"], *severity, "{name}: {first}");
        assert_eq!(first["line"], line, "{name}: {first}");
        assert!(said.contains(&words), "{name}: {words}: {first}");
        assert_ne!(first["advice"], "", "{name}: {first}");
        let bad = severity == "error";
        assert_eq!((ended.code, &told["ok"]), (Some(i32::from(bad)), &Value::Bool(!bad)), "{name}");
        for told in [&ended.out, &desk.check(&name, &[]).out] {
            assert!(!told.contains(SECRET), "{name}: {told}");
        }
    }
}
