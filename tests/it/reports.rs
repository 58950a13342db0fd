//! Report mode: what is lifted, and the lists of who would be refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::program::{Program, folder_with, own_port, run};
use crate::tokens::{bearer, expired, good, hotwax_issuer, now, signed};
use crate::upstream::Upstream;

/// Two routes in report mode and one that enforces.
fn routes() -> String {
    format!(
        "{}[[route]]\nname = \"stock\"\npath = \"/api/stock\"\nmode = \"report\"\nscope = \"stock\"\n\
         [[route]]\nname = \"orders\"\npath = \"/api/orders\"\nmode = \"report\"\n\
         [[route]]\nname = \"enforced\"\npath = \"/api/enforced\"\n",
        hotwax_issuer()
    )
}

/// Behind a peer that may say who the client is.
fn sidecar(upstream: &Upstream) -> Sidecar {
    let top = format!("unmatched = \"open\"\n{}[forwarded]\ntrust = [\"127.0.0.1\"]\n", upstream.line());
    Sidecar::start(&format!("{top}{}", routes()))
}

fn report(sidecar: &Sidecar) -> Value {
    ask(sidecar.admin, "GET", "/report?format=json", &[], "").json()
}

/// The report once it has so many requests in it.
fn reported(sidecar: &Sidecar, count: u64) -> Value {
    eventually("everything in the report", || {
        let report = report(sidecar);
        let counts = report["totals"].as_array().unwrap().iter().map(|total| total["count"].as_u64().unwrap());
        (counts.sum::<u64>() == count).then_some(report)
    })
}

/// How often each caller would have been refused, by route and code.
fn rows(report: &Value) -> BTreeMap<String, u64> {
    let totals = report["totals"].as_array().unwrap();
    let rows = totals.iter().flat_map(|total| total["rows"].as_array().unwrap().iter().map(move |row| (total, row)));
    let key = |(total, row): (&Value, &Value)| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let key = [&total["route"], &total["code"], &row["by"], &row["client"]].map(text).join(" ");
        (key, row["count"].as_u64().unwrap())
    };
    rows.map(key).collect()
}

#[test]
fn who_would_be_refused_is_listed_by_route_code_and_caller() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let granted = bearer(&signed(&json!({ "userLoginId": "boomi", "scope": "stock", "exp": now() + 600 })));
    let (without, stale) = (bearer(&good()), bearer(&expired()));
    let from = |address: &'static str| ("X-Forwarded-For", address);
    for (target, fields, status) in [
        ("/api/stock?api_key=x", vec![from("203.0.113.1"), ("User-Agent", "pos/1.0")], 200),
        ("/api/stock/7?api_key=y", vec![from("203.0.113.1"), ("User-Agent", "pos/1.1")], 200),
        ("/api/stock", vec![from("203.0.113.2")], 200),
        ("/api/stock", vec![from("2001:db8:1:2::7")], 200),
        ("/api/stock", vec![from("203.0.113.1"), ("Authorization", without.as_str())], 200),
        ("/api/stock", vec![from("203.0.113.2"), ("Authorization", without.as_str())], 200),
        ("/api/stock", vec![("Authorization", granted.as_str())], 200),
        ("/api/orders", vec![from("203.0.113.1"), ("Authorization", stale.as_str())], 200),
        ("/api/orders", vec![("Authorization", without.as_str())], 200),
        ("/api/enforced", vec![from("203.0.113.9")], 401),
        ("/elsewhere", vec![from("203.0.113.9")], 200),
    ] {
        assert_eq!(ask(sidecar.address, "POST", target, &fields, "{}").status, status, "{target} {fields:?}");
    }
    let report = reported(&sidecar, 7);
    let expected = [
        ("orders token_expired subject boomi", 1),
        ("stock credential_missing address 2001:db8:1:2::/64", 1),
        ("stock credential_missing address 203.0.113.1", 2),
        ("stock credential_missing address 203.0.113.2", 1),
        ("stock scope_insufficient subject boomi", 2),
    ];
    assert_eq!(rows(&report), expected.map(|(key, count)| (key.to_owned(), count)).into(), "{report}");
    assert_eq!((&report["routes"], &report["dropped"]), (&json!(["stock", "orders"]), &json!(0)));
    let missing =
        report["totals"].as_array().unwrap().iter().find(|total| total["code"] == "credential_missing").unwrap();
    let row = &missing["rows"][0];
    let latest = &row["latest"];
    assert_eq!(
        (&latest["path"], &latest["user_agent"]),
        (&json!("/api/stock/7"), &json!("pos/1.1")),
        "no query: {row}"
    );
    assert!(row["first"].as_str() <= row["last"].as_str() && report["since"].as_str() <= row["first"].as_str());
    let line = sidecar.lines(11).into_iter().find(|line| line["request_id"] == latest["request_id"]).unwrap();
    assert_eq!((&line["path"], &line["detail"]), (&latest["path"], &latest["detail"]), "it is found in the log");
    let text = ask(sidecar.admin, "GET", "/report", &[], "");
    assert_eq!(text.field("content-type"), Some("text/plain; charset=utf-8"));
    assert!(text.text().starts_with("7 requests would have been refused since "), "{}", text.text());
    let json = ask(sidecar.admin, "GET", "/report", &[("Accept", "application/json")], "");
    assert_eq!((json.field("content-type"), json.json()), (Some("application/json"), report));
}

#[test]
fn a_flood_of_clients_stays_bounded_and_every_request_is_counted() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let mut client = Client::connect(sidecar.address);
    for number in 0..1_500_u32 {
        let address = std::net::Ipv4Addr::from(0x0b00_0000 + number).to_string();
        let sent = request("GET", "/api/orders", &[("X-Forwarded-For", &address)], "");
        assert_eq!(client.send(&sent).response(false).status, 200);
    }
    assert_eq!(ask(sidecar.address, "GET", "/api/stock", &[("X-Forwarded-For", "203.0.113.1")], "").status, 200);
    let rows = rows(&reported(&sidecar, 1_501));
    assert_eq!(rows.len(), 502, "half of the rows, the others together, and one of another route");
    assert_eq!(rows["orders credential_missing others (others)"], 1_000);
    assert_eq!(rows["stock credential_missing address 203.0.113.1"], 1);
}

#[test]
fn what_clients_write_cannot_lead_a_reader_astray() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let agent = "x\u{9b}31m\u{202e}gnp\u{2028}\u{200b}\" 9 (others)";
    let long = "é".repeat(4_000);
    for agent in [agent, &long] {
        assert_eq!(ask(sidecar.address, "GET", "/api/stock", &[("User-Agent", agent)], "").status, 200);
        let subject = bearer(&signed(&json!({ "userLoginId": format!("a\r\nb\u{1b}[2J{agent}"), "exp": now() + 600 })));
        assert_eq!(ask(sidecar.address, "GET", "/api/stock", &[("Authorization", &subject)], "").status, 200);
    }
    reported(&sidecar, 4);
    let json = ask(sidecar.admin, "GET", "/report?format=json", &[], "").text();
    let text = ask(sidecar.admin, "GET", "/report", &[], "").text();
    for shown in [&json, &text] {
        let told = |character: char| matches!(character, ' '..='~' | '\n' | 'é' | '…');
        assert!(shown.chars().all(told), "{shown:?}");
        assert!(shown.len() < 8_000, "long texts are cut: {}", shown.len());
    }
}

#[test]
fn the_report_is_for_the_operator_alone() {
    let upstream = Upstream::friendly();
    let toml = format!("unmatched = \"open\"\n{}{}", upstream.line(), routes());
    let sidecar = Sidecar::with_admin(&toml, "probes = \"127.0.0.1:0\"\ntoken = { text = \"an-operators-token\" }\n");
    assert_eq!(ask(sidecar.admin, "GET", "/report", &[], "").status, 401);
    assert_eq!(ask(sidecar.probes.unwrap(), "GET", "/report", &[], "").status, 404);
    let shown = [("Authorization", "Bearer an-operators-token")];
    assert_eq!(ask(sidecar.admin, "GET", "/report", &shown, "").status, 200);
    let post = ask(sidecar.admin, "POST", "/report", &shown, "");
    assert_eq!((post.status, post.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(ask(sidecar.admin, "HEAD", "/report", &shown, "").status, 200);
}

#[test]
fn the_command_asks_the_running_process() {
    let upstream = Upstream::friendly();
    let port = own_port();
    let toml = |routes: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\n{}unmatched = \"open\"\n[admin]\nlisten = \"127.0.0.1:{port}\"\n\
             token = {{ text = \"an-operators-token\" }}\n{routes}",
            upstream.line()
        )
    };
    let (folder, file) = folder_with(&toml(&routes()));
    let down = run(&["report"], folder.path());
    assert_eq!((down.code, &*down.out), (Some(1), ""), "{}", down.err);
    assert!(down.err.contains(&format!("no answer from 127.0.0.1:{port} (setting `[admin] listen`)")), "{}", down.err);
    let mut program = Program::start(&["run"], folder.path());
    let (address, _) = program.addresses();
    let empty = run(&["report"], folder.path());
    assert_eq!(empty.code, Some(0), "{}", empty.err);
    assert!(empty.out.starts_with("nothing would have been refused since 20"), "{}", empty.out);
    assert!(empty.out.ends_with(" by stock, orders\n"), "{}", empty.out);
    assert_eq!(ask(address, "POST", "/api/stock", &[], "{}").status, 200);
    let told = eventually("a row", || {
        let told = run(&["report", "--json"], folder.path());
        assert_eq!(told.code, Some(0), "{}", told.err);
        let report: Value = serde_json::from_str(&told.out).unwrap();
        (!report["totals"].as_array().unwrap().is_empty()).then_some(report)
    });
    assert_eq!(rows(&told), [("stock credential_missing address 127.0.0.1".to_owned(), 1)].into());
    let text = run(&["report", "--config", file.to_str().unwrap()], folder.path());
    assert!(text.out.contains("route stock: credential_missing, 1 request\n"), "{}", text.out);
    drop(program);
    std::fs::write(&file, toml("")).unwrap();
    let mut program = Program::start(&["run"], folder.path());
    program.addresses();
    let none = run(&["report"], folder.path());
    assert_eq!((none.code, none.out.contains("no route is in report mode")), (Some(0), true), "{}", none.out);
    let nothing = tempfile::TempDir::new().unwrap();
    assert_eq!(run(&["report"], nothing.path()).code, Some(2));
}

#[test]
fn what_fails_after_it_was_lifted_tells_both() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&format!(
        "unmatched = \"open\"\n{}{}[[route]]\nname = \"small\"\npath = \"/small\"\nmode = \"report\"\nbody_size = \"2B\"\n\
         [[route]]\nname = \"gone\"\npath = \"/gone\"\nmode = \"report\"\nupstream = \"http://127.0.0.1:1\"\n",
        upstream.line(),
        hotwax_issuer()
    ));
    for (at, (route, status, code, words)) in [
        ("small", 413, "body_too_large", "the body is larger than 2 bytes"),
        ("gone", 502, "upstream_unreachable", "127.0.0.1:1"),
    ]
    .into_iter()
    .enumerate()
    {
        let failed = ask(sidecar.address, "POST", &format!("/{route}"), &[], "long");
        assert_eq!((failed.status, &*failed.code()), (status, code), "{route}");
        let line = &sidecar.lines(at + 1)[at];
        let told = (&line["verdict"], &line["code"], &line["status"]);
        assert_eq!(told, (&json!("report"), &json!(code), &json!(status)), "the code that the client is told: {line}");
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.starts_with("lifted credential_missing (") && detail.contains(words), "{detail}");
        let requests = format!("waxseal_requests_total{{route=\"{route}\",verdict=\"report\",code=\"{code}\"}}");
        let lifted = format!("waxseal_would_refuse_total{{route=\"{route}\",code=\"credential_missing\"}}");
        assert_eq!((sidecar.counted(&requests), sidecar.counted(&lifted)), (1, 1), "{route}");
    }
}
