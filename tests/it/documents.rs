//! What the binary says of itself: completions, manual pages, help.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::run;

/// Whether a program is there to check with.
fn there_is(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// What a program says of a document on its standard input: whether it is content, its output, its complaints.
fn fed(program: &mut Command, document: &str) -> (bool, String, String) {
    let program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let (mut to, document) = (child.stdin.take().unwrap(), document.to_owned());
    let writer = std::thread::spawn(move || drop(to.write_all(document.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = run(&["completions", shell], Path::new("/"));
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{shell}");
        for word in ["waxseal", "demo", "mint", "valid-for"] {
            assert!(ended.out.contains(word), "{shell}: {word}");
        }
        if there_is(shell) && ["bash", "zsh"].contains(&shell) {
            let (good, _, complaints) = fed(Command::new(shell).arg("-n"), &ended.out);
            assert!(good && complaints.is_empty(), "{shell}: {complaints}");
        }
    }
    assert_eq!(run(&["completions", "cmd.exe"], Path::new("/")).code, Some(2));
}

#[test]
fn manual_pages_are_roff_with_all_their_sections() {
    for (words, title, contents) in [
        (&["man"][..], "waxseal", &["SYNOPSIS", "run", "demo", "EXAMPLES"][..]),
        (&["man", "token", "mint"], "waxseal-token-mint", &["SYNOPSIS", "OPTIONS", "--valid-for"]),
        (&["man", "run"], "waxseal-run", &["SYNOPSIS", "OPTIONS", "--config"]),
    ] {
        let ended = run(words, Path::new("/"));
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{words:?}");
        assert!(ended.out.contains(&format!(".TH {title} 1")), "{words:?}: {}", ended.out);
        let plain = ended.out.replace('\\', "");
        let common = ["EXIT STATUS", "FILES", "ENVIRONMENT", "WAXSEAL_CONFIG"];
        for word in contents.iter().chain(&common) {
            assert!(plain.contains(word), "{words:?}: {word}: {}", ended.out);
        }
        if there_is("groff") {
            let (good, page, complaints) = fed(Command::new("groff").args(["-man", "-Tutf8", "-ww"]), &ended.out);
            assert!(good && complaints.is_empty() && page.len() > 500, "{words:?}: {complaints}");
        }
    }
    let ended = run(&["man", "tokens"], Path::new("/"));
    assert_eq!((ended.code, &*ended.out), (Some(2), ""));
    assert!(ended.err.contains("tokens") && ended.err.contains("demo"), "{}", ended.err);
}

#[test]
fn a_reader_who_has_read_enough_is_no_error() {
    for arguments in ["completions bash", "man"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        let output = command.args(arguments.split(' ')).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{arguments}");
    }
}

#[test]
fn help_tells_the_commands_by_what_one_wants_to_do() {
    for arguments in [&["help"][..], &["--help"], &["-h"]] {
        let ended = run(arguments, Path::new("/"));
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{arguments:?}");
        let at = |words: &str| ended.out.find(words).unwrap_or_else(|| panic!("{words}: {}", ended.out));
        assert!(
            ["Usage: waxseal <COMMAND>", "Begin:", "  demo ", "Serve:", "  run ", "Options:", "--version"]
                .map(at)
                .is_sorted()
        );
    }
}
