//! Drills with streams: how soon they end after a revocation, and after a config that no longer permits them.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{length, tell};
use crate::client::{Client, ask};
use crate::harness::eventually;
use crate::reload::{Running, top};
use crate::streams::{HELLO, switched, switching};
use crate::tokens::{SECRET, bearer, now, signed};

/// A guard whose tokens may be taken back.
fn config(top: &str, access: &str) -> String {
    format!(
        "{top}[answers]\nreason = \"exact\"\n[issuer.idp]\nsecret = {{ text = \"{SECRET}\" }}\nsubject = \"userLoginId\"\n\
         revoked = {{ file = \"revoked.jsonl\" }}\n[[route]]\npath = \"/guarded\"\naccess = \"{access}\"\n"
    )
}

/// How long after `change` a close frame comes, and with which word.
fn closed(client: &mut Client, change: impl FnOnce()) -> (Duration, String) {
    const CLOSE: u8 = 0x88;
    let began = Instant::now();
    change();
    let (mut said, mut time) = (Vec::new(), None);
    loop {
        let bytes = client.bytes();
        if bytes.is_empty() {
            break;
        }
        said.extend(bytes);
        if said.contains(&CLOSE) {
            time.get_or_insert_with(|| began.elapsed());
        }
    }
    // Behind the frame's head and the two bytes of the code 1008.
    let at = said.iter().position(|byte| *byte == CLOSE).expect("no close frame came");
    assert_eq!(said[at + 2..at + 4], 1008_u16.to_be_bytes());
    (time.unwrap_or_default(), String::from_utf8_lossy(&said[at + 4..]).into_owned())
}

#[test]
fn a_stream_ends_within_a_second_of_what_ends_it() {
    let (upstream, _came_up) = switching("websocket", |stream| stream.write_all(HELLO).unwrap());
    let running = Running::start(&config(&top(&upstream), "protected"));
    let token = |id: &str| bearer(&signed(&json!({ "userLoginId": "boomi", "jti": id, "exp": now() + 600 })));
    running.put("revoked.jsonl", "");
    let shown = [("Authorization", &*token("kept"))];
    let status = || ask(running.address, "GET", "/guarded", &shown, "").status;
    eventually("the list to be there", || (status() != 503).then_some(()));
    let (mut lines, mut slowest, rounds) = (String::new(), Duration::ZERO, length(2, 20));
    for round in 0..rounds {
        let id = format!("taken-{round}");
        let (mut taken, mut kept) = (
            switched(running.address, "websocket", &token(&id)),
            switched(running.address, "websocket", &token("kept")),
        );
        lines += &format!("{{\"jti\": \"{id}\", \"exp\": {}}}\n", now() + 600);
        let (time, word) = closed(&mut taken, || running.put("revoked.jsonl", &lines));
        assert_eq!(word, "token_revoked");
        slowest = slowest.max(time);
        let deny = || _ = running.reload(&config(&top(&upstream), "deny"));
        let (time, word) = closed(&mut kept, deny);
        assert_eq!(word, "route_denied");
        slowest = slowest.max(time);
        assert_eq!(running.reload(&config(&top(&upstream), "protected")).status, 200);
    }
    tell(
        "from a revocation, or a config that denies, to the close frame of a WebSocket",
        &format!("{} times, {slowest:?} at most (1 s permitted)", 2 * rounds),
    );
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}
