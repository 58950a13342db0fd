//! The binary from outside: arguments, exit codes, signals, and what it says to whoever started it.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::client::{Client, ask, request};
use crate::harness::eventually;
use crate::program::{Program, folder_with, loopback_address, own_port, run};
use crate::tokens::{bearer, hotwax_issuer};
use crate::upstream::{Answer, Upstream};

/// What a debug build may take where a release build may take `release`: it is not optimised, and runs beside other
/// tests.
fn allowed(release: u64, debug: u64) -> Duration {
    Duration::from_millis(if cfg!(debug_assertions) { debug } else { release })
}

/// A good config on free ports.
fn config(upstream: &Upstream) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\n{}unmatched = \"open\"\n[admin]\nlisten = \"127.0.0.1:0\"\n{}[[route]]\npath = \"/api/updateInventory\"\n",
        upstream.line(),
        hotwax_issuer()
    )
}

#[test]
fn run_without_a_config_says_what_to_do_and_exits_2() {
    let folder = tempfile::TempDir::new().unwrap();
    let ended = run(&["run"], folder.path());
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
    for words in ["config.toml", "--config", "WAXSEAL_CONFIG", "waxseal init", "waxseal demo"] {
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
    }
    let ended = run(&["run", "--config", "elsewhere.toml"], folder.path());
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("elsewhere.toml"), "{}", ended.err);
}

#[test]
fn a_bad_config_is_told_with_its_place_and_nothing_starts() {
    let upstream = Upstream::friendly();
    let good = config(&upstream);
    for (case, found, instead, place, words) in [
        ("an unknown key", "unmatched = \"open\"", "unmatched = \"open\"\nlisen = 1", "config.toml:4:1", "listen"),
        ("a wrong type", "unmatched = \"open\"", "unmatched = 7", "config.toml:3:13", "unmatched"),
        ("a wrong word", "unmatched = \"open\"", "unmatched = \"opne\"", "config.toml:3:13", "\"open\""),
        ("broken TOML", "unmatched = \"open\"", "unmatched = \"open", "config.toml:3:", ""),
        ("no decision on the rest", "unmatched = \"open\"\n", "", "config.toml", "unmatched"),
        (
            "a secret file that is not there",
            "secret = { text = ",
            "secret = { file = \"no.txt\" } #",
            "config.toml:7:",
            "no.txt",
        ),
        ("a table that is not there yet", "[admin]", "[desk]\n[admin]", "config.toml:4:", "not in this version yet"),
    ] {
        assert!(good.contains(found), "{case}");
        let (folder, _) = folder_with(&good.replacen(found, instead, 1));
        let ended = run(&["run"], folder.path());
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{case}: {}", ended.err);
        assert!(ended.err.contains(place) && ended.err.contains(words), "{case}: {}", ended.err);
        assert!(!ended.err.contains("listening"), "{case}: {}", ended.err);
    }
}

#[test]
fn all_complaints_come_at_once_in_the_order_of_the_file() {
    let (folder, _) = folder_with(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:1\"\nunmatched = \"maybe\"\n[limits]\nheaders = \"many\"\n\
         [[route]]\npath = \"no slash\"\n",
    );
    let ended = run(&["run"], folder.path());
    assert_eq!(ended.code, Some(2));
    let places: Vec<Option<usize>> =
        ["config.toml:3:", "config.toml:5:", "config.toml:7:"].map(|place| ended.err.find(place)).to_vec();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{}", ended.err);
}

#[test]
fn check_tells_good_from_bad_by_its_exit_code_and_on_standard_output() {
    let upstream = Upstream::friendly();
    let good = config(&upstream).replacen("[admin]", "[limits]\nconnections = 50\n[admin]", 1);
    for (case, toml, code, words) in [
        ("good, with warnings", good.clone(), 0, "config.toml: good: 1 route, 1 issuer, the rest is open ("),
        ("bad", good.replacen("\"open\"", "\"opne\"", 1), 1, "config.toml: 1 error, "),
    ] {
        let (folder, _) = folder_with(&toml);
        let ended = run(&["check"], folder.path());
        assert_eq!((ended.code, &*ended.err), (Some(code), ""), "{case}: {}", ended.out);
        assert!(ended.out.lines().last().unwrap().contains(words), "{case}: {}", ended.out);
        assert!(!ended.out.contains('\u{1b}'), "no colours without a terminal: {:?}", ended.out);
        let told: serde_json::Value = serde_json::from_str(&run(&["check", "--json"], folder.path()).out).unwrap();
        assert_eq!((&told["file"], &told["ok"]), (&"config.toml".into(), &(code == 0).into()), "{told}");
        assert_eq!(told["errors"], code, "{told}");
    }
    let (folder, _) = folder_with("listen = '127.0.0.1:0'\nupstream = 'http://127.0.0.1:1'\nunmatched = 'opne'\n");
    let told: serde_json::Value = serde_json::from_str(&run(&["check", "--json"], folder.path()).out).unwrap();
    let expected = serde_json::json!({
        "severity": "error",
        "file": "config.toml",
        "line": 3,
        "column": 13,
        "end_line": 3,
        "end_column": 19,
        "key": "unmatched",
        "problem": "expected \"open\", \"protected\" or \"deny\", found \"opne\"",
        "advice": "did you mean \"open\"?",
    });
    assert_eq!(told["complaints"], serde_json::json!([expected]));
}

#[test]
fn check_of_what_cannot_be_read_fails_and_of_nothing_cannot_start() {
    let folder = tempfile::TempDir::new().unwrap();
    for (file, words) in [("none.toml", "No such file"), (".", "is a folder")] {
        let ended = run(&["check", "--config", file], folder.path());
        assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
        assert!(ended.out.contains(words), "{file}: {}", ended.out);
        let told: serde_json::Value =
            serde_json::from_str(&run(&["check", "--json", "--config", file], folder.path()).out).unwrap();
        assert_eq!(told["complaints"][0]["line"], serde_json::Value::Null, "{told}");
    }
    let ended = run(&["check"], folder.path());
    assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{}", ended.err);
    assert!(ended.err.contains("--config"), "{}", ended.err);
}

#[test]
fn a_config_may_come_from_a_pipe_that_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let line = "echo 'unmatched = \"opne\"' | \"$0\" check --config /dev/stdin";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", line, env!("CARGO_BIN_EXE_waxseal")]);
    let ended = Program::spawn(&mut shell, folder.path()).ended();
    assert!(ended.out.contains("/dev/stdin:1:13"), "{}{}", ended.out, ended.err);
}

#[test]
fn a_taken_port_is_told_with_the_setting_that_names_it() {
    let upstream = Upstream::friendly();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let good = config(&upstream);
    let (first, second) = good.split_once("[admin]").unwrap();
    for (setting, toml) in [
        ("listen", format!("{}[admin]{second}", first.replace("127.0.0.1:0", &address))),
        ("[admin] listen", format!("{first}[admin]{}", second.replacen("127.0.0.1:0", &address, 1))),
    ] {
        let (folder, _) = folder_with(&toml);
        let ended = run(&["run"], folder.path());
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{setting}: {}", ended.err);
        let line = ended.err.lines().find(|line| line.contains(&address)).unwrap_or_else(|| panic!("{}", ended.err));
        assert!(line.contains(&format!("`{setting}`")), "{setting}: {line}");
    }
}

#[test]
fn two_processes_never_share_a_port() {
    let upstream = Upstream::friendly();
    let port = own_port();
    let toml = config(&upstream).replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    let (folder, _) = folder_with(&toml);
    let mut first = Program::start(&["run"], folder.path());
    assert_eq!(first.addresses().0.port(), port);
    let second = run(&["run"], folder.path());
    assert_eq!(second.code, Some(2), "{}", second.err);
    assert!(second.err.contains(&format!("127.0.0.1:{port}")), "{}", second.err);
}

#[test]
fn of_processes_that_start_together_one_gets_the_port() {
    let upstream = Upstream::friendly();
    let port = own_port();
    let toml = config(&upstream).replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
    let (folder, _) = folder_with(&toml);
    for _ in 0..5 {
        let mut all: Vec<Program> = (0..6).map(|_| Program::start(&["run"], folder.path())).collect();
        let decided = |program: &mut Program| !program.is_running() || program.err().contains("admin front");
        eventually("each to serve or to give up", || all.iter_mut().all(decided).then_some(()));
        let serving = all.iter_mut().filter_map(|program| program.is_running().then_some(())).count();
        assert_eq!(serving, 1, "of six with port {port}");
    }
}

#[test]
fn it_listens_at_once_and_ends_on_sigterm() {
    let upstream = Upstream::friendly();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let (folder, file) = folder_with(&config(&upstream));
        let socket = folder.path().join("socket");
        let toml = std::fs::read_to_string(&file).unwrap();
        let listen = format!("listen = [{:?}, \"127.0.0.1:0\"]", format!("unix:{}", socket.display()));
        std::fs::write(&file, toml.replacen("listen = \"127.0.0.1:0\"", &listen, 1)).unwrap();
        let began = Instant::now();
        let mut program = Program::start(&["run"], folder.path());
        while UnixStream::connect(&socket).is_err() {
            assert!(program.is_running() && began.elapsed() < Duration::from_secs(10), "{}", program.err());
            std::thread::sleep(Duration::from_micros(200));
        }
        best = best.min(began.elapsed());
        let (_, admin) = program.addresses();
        assert_eq!(ask(admin, "GET", "/readyz", &[], "").status, 200);
        program.signal("TERM");
        let ended = program.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert!(best < allowed(50, 500), "it took {best:?} to listen");
}

#[test]
fn a_request_under_way_is_finished_and_a_second_signal_does_not_wait_for_it() {
    let upstream = Upstream::answering(|_| Answer::Silence);
    let (folder, _) = folder_with(&config(&upstream));
    for (at, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let mut program = Program::start(&["run"], folder.path());
        let (address, admin) = program.addresses();
        let mut client = Client::connect(address);
        client.send(&request("GET", "/open", &[], ""));
        eventually("the request upstream", || (upstream.seen().len() == at + 1).then_some(()));
        program.signal(signal);
        eventually("not ready", || (ask(admin, "GET", "/readyz", &[], "").status == 503).then_some(()));
        assert!(program.is_running(), "it waits for the request");
        eventually("the port to be closed", || TcpStream::connect(address).is_err().then_some(()));
        let told = Instant::now();
        program.signal(signal);
        let ended = program.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    }
}

#[test]
fn health_is_0_while_ready_1_while_not_and_2_without_a_config() {
    let upstream = Upstream::friendly();
    let port = own_port();
    for more in ["", "token = { text = \"an-operators-token\" }\n"] {
        let toml = config(&upstream);
        let own = format!("[admin]\n{more}listen = \"127.0.0.1:{port}\"");
        let (folder, _) = folder_with(&toml.replacen("[admin]\nlisten = \"127.0.0.1:0\"", &own, 1));
        let down = run(&["health"], folder.path());
        assert_eq!(down.code, Some(1), "{}", down.err);
        assert!(down.err.contains(&format!("127.0.0.1:{port}")), "{}", down.err);
        let mut program = Program::start(&["run"], folder.path());
        program.addresses();
        let up = run(&["health"], folder.path());
        assert_eq!((up.code, up.out.trim()), (Some(0), "ready"), "{}", up.err);
        program.signal("TERM");
        assert_eq!(program.ended().code, Some(0));
    }
    let nothing = tempfile::TempDir::new().unwrap();
    assert_eq!(run(&["health"], nothing.path()).code, Some(2));
}

#[test]
fn a_minted_token_is_one_that_the_same_config_takes() {
    let upstream = Upstream::friendly();
    let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
    let toml = format!(
        "{}\n[issuer.strict]\nissuer = \"ofbiz\"\naudience = \"oms\"\nsubject = \"/user/id\"\nmax_lifetime = \"30d\"\n\
         secret = {{ text = \"{}\" }}\nalgorithms = \"HS256\"\nkid = \"k1\"\n[issuer.idp]\npem = \"key.pem\"\n",
        config(&upstream),
        "s".repeat(64)
    );
    let (folder, _) = folder_with(&toml);
    std::fs::write(folder.path().join("key.pem"), pem).unwrap();
    let mut program = Program::start(&["run"], folder.path());
    let (address, _) = program.addresses();
    let mint = |issuer: &str, valid_for: &str| {
        let asked = ["token", "mint", "--issuer", issuer, "--user", "boomi", "--valid-for", valid_for];
        run(&[&asked[..], &["--purpose", "test"]].concat(), folder.path())
    };
    for issuer in ["hotwax", "strict"] {
        let minted = mint(issuer, "30d");
        assert_eq!((minted.code, minted.out.lines().count()), (Some(0), 1), "{issuer}: {}", minted.err);
        let fields = [("Authorization", bearer(minted.out.trim()))];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let response = ask(address, "POST", "/api/updateInventory", &fields, "{}");
        assert_eq!(response.status, 200, "{issuer}: {}", response.text());
    }
    for (case, issuer, valid_for, words) in [
        ("a public key", "idp", "1d", "public key"),
        ("nobody", "nobody", "1d", "hotwax"),
        ("no unit", "hotwax", "30", "--valid-for"),
    ] {
        let refused = mint(issuer, valid_for);
        assert_eq!((refused.code, &*refused.out), (Some(2), ""), "{case}: {}", refused.err);
        assert!(refused.err.contains(words), "{case}: {}", refused.err);
    }
}

#[test]
fn demo_once_shows_a_refusal_and_a_pass() {
    let folder = tempfile::TempDir::new().unwrap();
    let began = Instant::now();
    let ended = run(&["demo", "--once"], folder.path());
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(began.elapsed() < allowed(2_000, 8_000), "{:?}", began.elapsed());
    let line = |words: &str| ended.out.lines().find(|line| line.contains(words)).unwrap().to_owned();
    assert!(line("without a token").contains("401 credential_missing"), "{}", ended.out);
    assert!(line("with a token").contains(" 200 "), "{}", ended.out);
}

#[test]
fn demos_that_start_together_take_ports_of_their_own() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut demos: Vec<Program> = (0..4).map(|_| Program::start(&["demo"], folder.path())).collect();
    let mut found = Vec::new();
    for demo in &mut demos {
        let address = eventually("the address of the demo", || {
            assert!(demo.is_running(), "{}{}", demo.out(), demo.err());
            demo.out().contains("Ctrl-C").then(|| loopback_address(&demo.out()).unwrap())
        });
        let refused = ask(address, "POST", "/api/service/updateInventory", &[], "{}");
        assert_eq!(refused.status, 401);
        let said = demo.out();
        let token = said.split("Authorization: ").nth(1).unwrap().split('\'').next().unwrap();
        let passed = ask(address, "POST", "/api/service/updateInventory", &[("Authorization", token)], "{}");
        assert_eq!(passed.status, 200, "its own token: {}", passed.text());
        found.push(address);
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 4, "{found:?}");
    for demo in demos {
        demo.signal("INT");
        assert_eq!(demo.ended().code, Some(0));
    }
}

#[test]
fn help_and_version_are_results_and_wrong_arguments_are_errors() {
    let folder = tempfile::TempDir::new().unwrap();
    for (arguments, words) in [
        (&["--help"][..], "demo"),
        (&["run", "--help"], "--config"),
        (&["report", "--help"], "--json"),
        (&["token", "mint", "--help"], "--valid-for"),
        (&["--version"], "waxseal"),
    ] {
        let ended = run(arguments, folder.path());
        assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{arguments:?}");
        assert!(ended.out.contains(words), "{arguments:?}: {}", ended.out);
    }
    for arguments in [&[][..], &["serve"], &["run", "--port"], &["token", "mint"]] {
        let ended = run(arguments, folder.path());
        assert_eq!((ended.code, &*ended.out), (Some(2), ""), "{arguments:?}");
        assert!(!ended.err.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_command_of_a_later_version_says_so() {
    let folder = tempfile::TempDir::new().unwrap();
    for arguments in [&["user", "add"][..], &["desk", "backup"], &["inject", "-f", "x"], &["token", "list"]] {
        let ended = run(arguments, folder.path());
        assert_eq!(ended.code, Some(2), "{}", ended.err);
        assert!(ended.err.contains("is not in this version yet"), "{}", ended.err);
    }
    assert!(run(&["chek"], folder.path()).err.contains("check"));
}

#[test]
fn health_of_a_process_that_is_not_there_asks_for_it() {
    let upstream = Upstream::friendly();
    let port = own_port();
    let toml = config(&upstream).replacen(
        "[admin]\nlisten = \"127.0.0.1:0\"",
        &format!("[admin]\nlisten = \"127.0.0.1:{port}\""),
        1,
    );
    let (folder, _) = folder_with(&toml);
    let ended = run(&["health"], folder.path());
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("is `waxseal run` running"), "{}", ended.err);
}
