//! `waxseal init`: the file it writes, what it refuses, and what it says to type next.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program::{Ended, Program, run};

fn init(folder: &Path, more: &[&str]) -> Ended {
    run(&[&["init"], more].concat(), folder)
}

fn written(folder: &TempDir) -> toml::Table {
    std::fs::read_to_string(folder.path().join("config.toml")).unwrap().parse().unwrap()
}

#[test]
fn without_a_word_it_writes_the_preset_and_says_what_to_type() {
    let folder = TempDir::new().unwrap();
    let ended = init(folder.path(), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains("`iss` is not looked at"), "warnings are told: {}", ended.err);
    let shipped: toml::Table = include_str!("../../config.toml").parse().unwrap();
    let own = written(&folder);
    for (table, key) in [("answers", "style"), ("cors", "origins"), ("upstream", "response_timeout")] {
        assert_eq!(own[table][key], shipped[table][key], "{table}.{key}");
    }
    assert_eq!(own["route"][0]["path"], shipped["route"][0]["path"]);
    assert_eq!(own["route"][0]["forward"], shipped["route"][0]["forward"]);
    assert_eq!(own["issuer"]["hotwax"]["subject"], shipped["issuer"]["hotwax"]["subject"]);
    assert_eq!(own["unmatched"], shipped["unmatched"]);
    let file = folder.path().join("config.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("#:schema"), "no schema lies beside it");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    // What it says to type makes the key; then the file serves.
    let command =
        ended.out.lines().find(|line| line.contains("openssl rand")).unwrap_or_else(|| panic!("{}", ended.out));
    assert!(Command::new("sh").args(["-c", command]).current_dir(folder.path()).status().unwrap().success());
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("0.0.0.0:8080", "127.0.0.1:0") + "\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(&file, text).unwrap();
    let mut program = Program::start(&["run"], folder.path());
    program.addresses();
}

#[test]
fn flags_say_everything_and_whatever_is_typed_is_quoted() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("config.schema.json"), "{}").unwrap();
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    std::fs::write(folder.path().join("it's.pem"), pem).unwrap();
    let flags = [
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        "http://[::1]:3000",
        "--unmatched",
        "deny",
        "--issuer",
        "a \"b\" \\ ß",
        "--pem",
        "it's.pem",
        "--iss",
        "https://idp/\"x\"",
        "--aud",
        "ä",
        "--subject",
        "/user/id",
        "--route",
        "/x \"y\"",
        "--route",
        "/z/**",
    ];
    let ended = init(folder.path(), &flags);
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{}", ended.out);
    let own = written(&folder);
    let issuer = &own["issuer"]["a \"b\" \\ ß"];
    assert_eq!((issuer["issuer"].as_str(), issuer["audience"].as_str()), (Some("https://idp/\"x\""), Some("ä")));
    assert_eq!(issuer["subject"].as_str(), Some("/user/id"));
    assert_eq!(own["route"][0]["path"].as_array().unwrap()[0].as_str(), Some("/x \"y\""));
    assert_eq!(own["upstream"].as_str(), Some("http://[::1]:3000"));
    let text = std::fs::read_to_string(folder.path().join("config.toml")).unwrap();
    assert!(text.starts_with("#:schema ./config.schema.json\n"), "the schema lies beside it: {text}");
    assert!(!ended.out.contains("token mint"), "a public key cannot sign: {}", ended.out);
}

#[test]
fn what_is_no_good_is_told_and_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("short"), "short").unwrap();
    for (flags, words) in [
        (&["--listen", ":8080"][..], "write \"0.0.0.0:8080\""),
        (&["--upstream", "oms:8081"], "begins with http://"),
        (&["--hotwax", "--unmatched", "opne"], "did you mean \"open\"?"),
        (&["--hotwax", "--secret-file", "short"], "issuer.hotwax.secret"),
        (&["--hotwax", "--route", "no slash"], "no slash"),
        (&["--hotwax", "--iss", "a\nb"], "control characters"),
        (&["--pem", "idp.pem", "--route", "/x"], "--unmatched"),
        (&["--unmatched", "deny", "--route", "/x"], "--pem"),
        (&["--unmatched", "open", "--pem", "idp.pem"], "--route"),
        (&["--pem", "a", "--jwks", "b"], "cannot be used with"),
        (&["--output", "no/such/folder/config.toml"], "no/such/folder"),
    ] {
        let ended = init(folder.path(), flags);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{flags:?}: {}", ended.err);
        assert!(ended.err.contains(words), "{flags:?}: {}", ended.err);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{flags:?}");
    }
}

#[test]
fn a_file_that_is_there_is_replaced_by_force_alone_and_no_link_is_followed() {
    let folder = TempDir::new().unwrap();
    let (file, other) = (folder.path().join("config.toml"), folder.path().join("other"));
    std::fs::write(&other, "mine").unwrap();
    for target in [&*other, Path::new("nowhere")] {
        let _ = std::fs::remove_file(&file);
        symlink(target, &file).unwrap();
        let ended = init(folder.path(), &[]);
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
        assert!(ended.err.contains("--force") && ended.err.contains("config.toml"), "{}", ended.err);
    }
    assert!(file.is_symlink() && !folder.path().join("nowhere").exists());
    assert_eq!(init(folder.path(), &["--force"]).code, Some(0));
    assert!(!file.is_symlink() && !folder.path().join("nowhere").exists());
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "mine");
    assert_eq!(init(folder.path(), &["--force", "--output", "."]).code, Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn on_a_terminal_it_asks() {
    let folder = TempDir::new().unwrap();
    let binary = env!("CARGO_BIN_EXE_waxseal");
    let Ok(mut child) = Command::new("script")
        .args(["-qec", &format!("'{binary}' init --listen 127.0.0.1:8080 --secret-file key"), "/dev/null"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    else {
        // The program that lends a terminal is not everywhere; the questions have tests of their own.
        return;
    };
    use std::io::Write;
    child.stdin.take().unwrap().write_all(b"nonsense\n\ndeny\n\n\n\n/orders\n\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("Where allowed requests go") && told.contains("Next:"), "{told}");
    assert!(!told.contains("Where to listen"), "a flag says it: {told}");
    let own = written(&folder);
    assert_eq!(own["unmatched"].as_str(), Some("deny"), "{told}");
    assert_eq!(own["route"][0]["path"].as_array().unwrap()[0].as_str(), Some("/orders"), "{told}");
}
