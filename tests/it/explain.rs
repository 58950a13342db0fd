//! `waxseal explain`, `waxseal token inspect` and `[[test]]`, from outside.

use crate::client::ask;
use crate::harness::Sidecar;
use crate::program::{Program, folder_with, run, run_with_input};
use crate::tokens::{SECRET, bearer, expired, good, hotwax_issuer, signed};
use crate::upstream::Upstream;

/// A guard and an exemption below it.
const ROUTES: &str = "[[route]]\nname = \"inventory\"\npath = \"/api/updateInventory\"\n\
                      [[route]]\nname = \"ping\"\npath = \"/api/updateInventory/ping\"\naccess = \"open\"\n";

fn config(more: &str) -> String {
    let top = "listen = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"\nunmatched = \"deny\"\n";
    format!("{top}[admin]\nlisten = \"127.0.0.1:0\"\n{}{ROUTES}{more}", hotwax_issuer())
}

#[test]
fn the_exit_code_says_whether_a_request_would_pass() {
    let (folder, _) = folder_with(&config(""));
    let token = good();
    for (arguments, code, words) in [
        (&["GET", "/api/updateInventory/ping"][..], 0, "passes"),
        (&["GET", "/api/updateInventory"], 1, "refused: 401 credential_missing"),
        (&["GET", "/api/updateInventory", "--token", &token], 0, "the token is \"boomi\"'s"),
        (&["GET", "/api/updateInventory", "--token", &token, "--at", "2100-01-01T00:00:00Z"], 1, "token_expired"),
        (&["GET", "/elsewhere"], 1, "route_denied"),
        (&["GET", "/a/../b"], 1, "path_ambiguous"),
    ] {
        let ended = run(&[&["explain"], arguments].concat(), folder.path());
        assert_eq!(ended.code, Some(code), "{arguments:?}\n{}{}", ended.out, ended.err);
        assert!(ended.out.contains(words), "{words}\n{}", ended.out);
        assert!(!ended.out.contains(&token) && !ended.out.contains(SECRET));
    }
    for (arguments, words) in [
        (&["GET"][..], "<TARGET>"),
        (&["G T", "/"], "METHOD TARGET"),
        (&["GET", "/", "-H", "swordfish"], "'Name: value'"),
        (&["GET", "/", "--at", "now"], "RFC 3339"),
        (&["GET", "/", "--config", "none.toml"], "none.toml"),
        (&["--from-log", "none.log"], "none.log"),
        (&["--from-log", "/dev/zero"], "/dev/zero: more than 16 MiB"),
        (&["--from-log", "-", "--token", "-"], "both want standard input"),
    ] {
        let ended = run(&[&["explain"], arguments].concat(), folder.path());
        assert_eq!(ended.code, Some(2), "{arguments:?}\n{}{}", ended.out, ended.err);
        assert!(ended.err.contains(words), "{words}\n{}", ended.err);
        assert!(!ended.err.contains("swordfish"));
    }
}

#[test]
fn a_token_comes_by_standard_input_and_json_goes_out() {
    let (folder, _) = folder_with(&config(""));
    let arguments = ["explain", "POST", "/api/updateInventory?x=1", "--token", "-", "--json", "-H", "Cookie: a=secret"];
    let ended = run_with_input(&arguments, folder.path(), &format!("{}\n", expired()));
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    let told: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((told["verdict"].as_str(), told["code"].as_str()), (Some("reject"), Some("token_expired")));
    assert_eq!((told["status"].as_u64(), told["routes"][0]["name"].as_str()), (Some(401), Some("inventory")));
    let last = told["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((last["look"].as_str(), last["outcome"].as_str()), (Some("exp"), Some("refuse")));
    assert!(!ended.out.contains("secret") && !ended.out.contains("x=1"), "{}", ended.out);
}

#[test]
fn a_line_of_the_log_is_explained_in_either_format() {
    for format in ["json", "text"] {
        let upstream = Upstream::friendly();
        let toml = format!(
            "{}unmatched = \"open\"\n{}{ROUTES}[log]\nformat = \"{format}\"\n",
            upstream.line(),
            hotwax_issuer()
        );
        let sidecar = Sidecar::start(&toml);
        ask(sidecar.address, "POST", "/api/updateInventory?x=secret", &[("Authorization", &bearer(&expired()))], "");
        ask(sidecar.address, "GET", "/api/updateInventory", &[], "");
        let logged = crate::harness::eventually("two lines", || {
            let logged = sidecar.logged();
            (logged.lines().count() == 2).then_some(logged)
        });
        let (folder, _) = folder_with(&config(""));
        let ended = run_with_input(&["explain", "--from-log", "-"], folder.path(), &logged);
        assert_eq!(ended.code, Some(1), "{format}\n{}{}", ended.out, ended.err);
        for words in [
            "the log says reject token_expired; it holds no token",
            "refused: 401 token_expired\n  exp was",
            "held to  \"inventory\"",
            "the log says reject credential_missing",
            "FAIL  credential",
        ] {
            assert!(ended.out.contains(words), "{format}: {words}\n{}", ended.out);
        }
        let first = logged.lines().next().unwrap();
        let arguments = ["explain", "--from-log", "-", "--token", &good()];
        let with_another = run_with_input(&arguments, folder.path(), first);
        assert_eq!(with_another.code, Some(0), "{}", with_another.out);
    }
    let (folder, _) = folder_with(&config(""));
    let passed = "2026-10-30T07:05:09.042Z allow ok 200 POST /api/updateInventory host=h subject=boomi";
    let ended = run_with_input(&["explain", "--from-log", "-"], folder.path(), passed);
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for words in ["the log says allow ok; it holds no token", "\npasses\n", "held to  \"inventory\""] {
        assert!(ended.out.contains(words), "{words}\n{}", ended.out);
    }
    for input in ["", "hello"] {
        assert_eq!(run_with_input(&["explain", "--from-log", "-"], folder.path(), input).code, Some(2), "{input}");
    }
}

#[test]
fn a_token_is_looked_into() {
    let (folder, _) = folder_with(&config(""));
    let inspect = |token: &str, more: &[&str]| run(&[&["token", "inspect", token], more].concat(), folder.path());
    let taken = inspect(&bearer(&good()), &[]);
    assert_eq!(taken.code, Some(0), "{}{}", taken.out, taken.err);
    for words in ["alg  HS512", "taken: issuer \"hotwax\" proves it for \"boomi\"", "it ends 20", "in 9m"] {
        assert!(taken.out.contains(words), "{words}\n{}", taken.out);
    }
    let signature = good().rsplit('.').next().unwrap().to_owned();
    assert!(!taken.out.contains(&signature));
    let ended = inspect(&expired(), &[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.out.contains("not taken: token_expired") && ended.out.contains("compare the clocks"),
        "{}",
        ended.out
    );
    let forged = inspect(&crate::tokens::signed_with(&"x".repeat(64), &serde_json::json!({ "exp": 1 })), &[]);
    assert!(forged.out.contains("signature_invalid") && forged.out.contains("(not proven)"), "{}", forged.out);
    let junk = inspect("junk", &[]);
    assert!(junk.out.contains("token_malformed") && junk.out.contains("three parts"), "{}", junk.out);
    let piped = run_with_input(&["token", "inspect"], folder.path(), &format!("Authorization: Bearer {}\n", good()));
    assert_eq!(piped.code, Some(0), "{}{}", piped.out, piped.err);
}

#[test]
fn a_token_that_is_one_word_too_many_is_not_told_back() {
    let (folder, _) = folder_with(&config(""));
    let token = good();
    for arguments in [
        &["token", "inspect", "Bearer", &token][..],
        &["token", &token],
        &["explain", "GET", "/", "--token", "Bearer", &token],
        &["explain", "GET", "/", "--peer", &token],
        &[&token],
    ] {
        let ended = run(arguments, folder.path());
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(!ended.err.contains(&token[..40]) && ended.err.contains("[hidden]"), "{}", ended.err);
    }
}

#[test]
fn no_terminal_obeys_a_token() {
    let (folder, _) = folder_with(&config(""));
    let evil = signed(&serde_json::json!({
        "userLoginId": "\u{1b}]0;x\u{7}\u{202e}evil\r\n", "exp": crate::tokens::now() + 60, "\u{1b}[2J": "\u{9b}31m",
    }));
    for more in [&["--json"][..], &[]] {
        let inspected = run(&[&["token", "inspect", &evil], more].concat(), folder.path());
        let explained =
            run(&[&["explain", "GET", "/api/updateInventory", "--token", &evil], more].concat(), folder.path());
        for ended in [inspected, explained] {
            assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
            let obeyed = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
            assert!(!ended.out.contains(obeyed), "{:?}", ended.out);
            assert!(ended.out.contains("evil"), "{}", ended.out);
        }
    }
}

#[test]
fn a_config_whose_own_cases_fail_is_not_taken() {
    let case = "[[test]]\nrequest = \"POST /api/updateInventory\"\nclaims = { userLoginId = \"boomi\" }\nexpect = ";
    let (folder, _) = folder_with(&config(&format!("{case}\"allow\"\n")));
    let mut program = Program::start(&["run"], folder.path());
    program.addresses();
    let (folder, _) = folder_with(&config(&format!("{case}\"credential_missing\"\n")));
    let ended = run(&["run"], folder.path());
    assert_eq!(ended.code, Some(2), "{}", ended.err);
    for words in ["config.toml:", "expected credential_missing, got allow"] {
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    let checked = run(&["check"], folder.path());
    assert_eq!(checked.code, Some(1), "{}", checked.out);
    for words in ["error: test 1, \"POST /api/updateInventory\": expected credential_missing, got allow", "1 error"] {
        assert!(checked.out.contains(words), "{}", checked.out);
    }
    let checked = run(&["check", "--json"], folder.path());
    let told: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!((told["ok"].as_bool(), told["errors"].as_u64()), (Some(false), Some(1)));
    assert_eq!((told["cases"][0]["ok"].as_bool(), told["cases"][0]["got"].as_str()), (Some(false), Some("allow")));
}

#[test]
fn the_shipped_config_holds_its_own_cases() {
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).unwrap();
    let (folder, _) = folder_with(&shipped.replace("/run/secrets/hotwax/", ""));
    std::fs::write(folder.path().join("jwtKey.txt"), SECRET).unwrap();
    let checked = run(&["check"], folder.path());
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(checked.out.contains("2 cases of its own held"), "{}", checked.out);
}
