//! Reloads, good and bad, while requests run: none fails, and none is judged by a mixture of two configs.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tempfile::TempDir;

use super::{APPLIED, OTHER, REFUSED, Running, top};
use crate::client::{Client, ask, request};
use crate::drills::{length, tell};
use crate::tokens::{SECRET, bearer, now, signed_with};
use crate::upstream::{Answer, Upstream, ok};

/// Two configs that differ in everything a request meets: the key, the claim that goes up, and the words of a refusal.
const KINDS: [(&str, &str, &str); 2] = [("a", SECRET, "userLoginId"), ("b", OTHER, "partyId")];

/// Lays out the two, and one that is no good.
fn lay_out(folder: &Path, upstream: &Upstream) {
    let write = |version: &str, config: String, key: &str| {
        let version = folder.join(version);
        std::fs::create_dir(&version).unwrap();
        std::fs::write(version.join("config.toml"), config).unwrap();
        std::fs::write(version.join("jwtKey.txt"), key).unwrap();
    };
    let config = |realm: &str, claim: &str| {
        format!(
            "{}[answers]\nrealm = \"{realm}\"\n[issuer.hotwax]\nsecret = {{ file = \"jwtKey.txt\" }}\nsubject = \"sub\"\n\
             [[route]]\npath = \"/guarded\"\nforward = {{ claims = {{ X-Auth-User = \"{claim}\" }} }}\n",
            top(upstream)
        )
    };
    for (name, key, claim) in KINDS {
        write(name, config(name, claim), key);
    }
    write("bad", config("bad", "x") + "[[route]]\npath = 7\n", SECRET);
    for file in ["config.toml", "jwtKey.txt"] {
        symlink(format!("..data/{file}"), folder.join(file)).unwrap();
    }
}

/// Lets the link lead to another version, as the kubelet does.
fn swap(folder: &Path, version: &str) {
    symlink(version, folder.join("..tmp")).unwrap();
    std::fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
}

/// Sends tokens of one config until it is told to stop, and counts what came of them.
fn requests(running: &Running, kind: usize, stop: &AtomicBool, passed: &AtomicUsize, refused: &AtomicUsize) {
    let (own, key, claim) = KINDS[kind];
    let (foreign, ..) = KINDS[1 - kind];
    let claims = json!({ "sub": "s", "userLoginId": "user", "partyId": "party", "exp": now() + 600 });
    let token = bearer(&signed_with(key, &claims));
    let sent = request("GET", "/guarded", &[("Authorization", &token)], "");
    let mut client = Client::connect(running.address);
    while !stop.load(Ordering::SeqCst) {
        let response = client.send(&sent).response(false);
        match response.status {
            200 => {
                assert_eq!(response.json()["user"], claims[claim], "the key of {own}, the claim of {foreign}");
                passed.fetch_add(1, Ordering::SeqCst);
            }
            401 => {
                let challenge = response.field("www-authenticate").unwrap();
                assert!(challenge.contains(&format!("realm=\"{foreign}\"")), "refused by {own} itself: {challenge}");
                refused.fetch_add(1, Ordering::SeqCst);
            }
            status => panic!("{status}: {}", response.text()),
        }
    }
}

#[test]
fn reloads_under_load_fail_no_request_and_mix_nothing() {
    let upstream = Upstream::answering(|seen| {
        let user = seen.field("x-auth-user").unwrap_or_default();
        Answer::Bytes(ok(&json!({ "user": user }).to_string()))
    });
    let reloads = length(200, 1000);
    let folder = TempDir::new().unwrap();
    lay_out(folder.path(), &upstream);
    swap(folder.path(), "a");
    let running = Running::within(folder);
    let (stop, passed, refused) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for kind in [0, 1, 0, 1] {
            let (running, stop, passed, refused) = (&running, &stop, &passed, &refused);
            scope.spawn(move || requests(running, kind, stop, passed, refused));
        }
        for number in 0..reloads {
            let version = ["b", "bad", "a", "bad"][number % 4];
            swap(running.folder.path(), version);
            let answer = ask(running.admin, "POST", "/reload", &[], "");
            assert_eq!(answer.status, if version == "bad" { 409 } else { 200 }, "{version}: {}", answer.text());
        }
        stop.store(true, Ordering::SeqCst);
    });
    let (passed, refused) = (passed.into_inner(), refused.into_inner());
    tell(
        "reloads under load, half of them bad",
        &format!(
            "{reloads} by a swapped link, {} requests: none failed, none was judged by a mixture",
            passed + refused
        ),
    );
    assert!(passed > reloads && refused > reloads, "{passed} passed, {refused} refused");
    let least = u64::try_from(reloads / 2).unwrap();
    assert!(running.counted(APPLIED) >= least && running.counted(REFUSED) >= least);
}
