//! Report mode: what is lifted, and the lists of who would be refused.

use serde_json::json;

use crate::client::ask;
use crate::harness::Sidecar;
use crate::tokens::hotwax_issuer;
use crate::upstream::Upstream;

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
