//! A drill with the clock: it is set back and forth by an hour.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::{config, guarded, length, tell};
use crate::client::Client;
use crate::harness::{Sidecar, eventually};
use crate::issuer::{Idp, Pair};
use crate::upstream::Upstream;
use waxseal::time::{Clock, UnixSeconds};

#[test]
fn no_token_outlives_its_end_by_the_clock_in_force() {
    let upstream = Upstream::friendly();
    let (key, new) = (Pair::new("a"), Pair::new("b"));
    let idp = Idp::with(&[&key]);
    let began = f64::from(u32::try_from(crate::tokens::now()).unwrap());
    let set = Arc::new(Mutex::new(began));
    let read = Arc::clone(&set);
    let clock = Clock::Given(Arc::new(move || UnixSeconds::new(*read.lock().unwrap()).unwrap()));
    let issuer = format!("jwks = {{ url = \"{}\" }}\npause = \"1s\"\nrefresh = \"1s\"\n", idp.keys());
    let sidecar = Sidecar::with_clock(&config(&upstream, &issuer), clock);
    let mut client = Client::connect(sidecar.address);
    let mut verdict = |token: &str| {
        let response = client.send(&guarded(token)).response(false);
        if response.status == 200 { "allow".to_owned() } else { response.code() }
    };
    // Good from the beginning on for half an hour.
    let token = key.signed(&json!({ "sub": "boomi", "iat": began, "exp": began + 1800.0 }));
    eventually("the first keys", || (verdict(&token) == "allow").then_some(()));
    let rounds = length(10, 200);
    let (mut asked, mut wrong) = (0, Vec::new());
    for round in 0..rounds {
        for (offset, expected) in [
            (0.0, "allow"),
            (3600.0, "token_expired"),
            (1799.0, "allow"),
            (1800.0, "token_expired"),
            (-3600.0, "token_not_yet_valid"),
            (1.0, "allow"),
        ] {
            *set.lock().unwrap() = began + offset;
            asked += 1;
            let found = verdict(&token);
            if found != expected {
                wrong.push(format!("round {round}, {offset} s: {found}, not {expected}"));
            }
        }
    }
    // The pause between fetches survives it, too.
    *set.lock().unwrap() = began - 3600.0;
    idp.has(&[&key, &new]);
    let fresh = new.signed(&json!({ "sub": "boomi", "exp": began }));
    std::thread::sleep(Duration::from_millis(1100));
    eventually("the new key", || (verdict(&fresh) == "allow").then_some(()));
    tell(
        "the clock is set back and forth by an hour",
        &format!("{asked} verdicts, {} wrong (0 permitted)", wrong.len()),
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}
