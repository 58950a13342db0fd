//! What good files mean.

use std::time::Duration;

use super::*;
use crate::decision::credential::Place;
use crate::decision::policy::{Policy, Requirement};
use crate::decision::rate::{Per, Rate};
use crate::decision::route::Mode;
use crate::keys::KeySource;
use crate::net::Listen;
use crate::proxy::Style;
use crate::upstream::{HostMode, Server};

fn requirement(config: &Config, name: &str) -> Requirement {
    let route = config.snapshot.routes.routes().iter().find(|route| &*route.name == name).unwrap();
    match &route.policy {
        Policy::Require(requirement) => requirement.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn defaults_are_those_that_the_readme_tells() {
    let config = Desk::new().good("");
    let limits = &config.net.limits;
    assert_eq!((limits.header_size, limits.headers, limits.streams), (32 << 10, 100, 100));
    assert_eq!(limits.header_timeout, Duration::from_secs(10));
    assert_eq!(limits.idle_timeout, Duration::from_secs(75));
    assert!(limits.connections <= 20_000);
    assert_eq!(config.net.drain.delay, Duration::ZERO);
    assert_eq!(config.net.drain.timeout, Duration::from_secs(30));
    assert!(config.net.workers > 0);
    assert_eq!(config.proxy.body_stall, Duration::from_secs(60));
    assert_eq!((config.proxy.body_size, config.proxy.request_timeout), (None, None));
    assert_eq!(config.proxy.answers.style, Style::Problem);
    assert_eq!(config.proxy.answers.realm, "waxseal");
    assert!(!config.proxy.answers.exact && !config.proxy.cors.answer_preflight);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9090");
    assert!(config.admin.probes.is_none() && config.admin.token.is_none() && config.admin.ready_without_keys);
    assert_eq!((config.memo.entries, config.memo.size), (10_000, 16 << 20));
    let upstream = &config.upstreams[0];
    assert_eq!(upstream.connect_timeout, Duration::from_secs(5));
    assert_eq!(upstream.response_timeout, Duration::from_secs(900));
    assert_eq!(upstream.idle_timeout, Duration::from_secs(4));
    assert_eq!((upstream.max_idle, upstream.host), (256, HostMode::Preserve));
    assert!(config.telemetry.access && !config.snapshot.strict_paths);
    let unmatched = &config.snapshot.routes.routes()[0];
    assert_eq!((&*unmatched.name, &unmatched.policy, unmatched.mode), ("unmatched", &Policy::Open, Mode::Enforce));
}

#[test]
fn every_kind_of_address_is_taken() {
    let desk = Desk::new();
    let text = "listen = ['127.0.0.1:1', '[::1]:2', 'localhost:3', 'unix:/run/x', 'unix:sock', 'https://0.0.0.0:4']\n\
                upstream = ['http://a', 'https://b/', 'http://[::1]:5', 'unix:/run/y']\nunmatched = 'deny'\n\
                [tls]\ncert = 'key'\nkey = 'key'\nmin_version = '1.3'\n";
    let config = desk.parse(text).unwrap();
    let tcp = |text: &str, tls| Listen::Tcp { address: text.parse().unwrap(), tls };
    let listen = &config.net.listen;
    assert_eq!(listen[0], tcp("127.0.0.1:1", false));
    assert_eq!(listen[1], tcp("[::1]:2", false));
    assert!(matches!(listen[2], Listen::Tcp { address, tls: false } if address.ip().is_loopback()));
    assert_eq!(listen[3], Listen::Unix("/run/x".into()));
    assert_eq!(listen[4], Listen::Unix(desk.path("sock")));
    assert_eq!(listen[5], tcp("0.0.0.0:4", true));
    assert!(!config.net.tls.as_ref().unwrap().tls12);
    let server = |host: &str, port, tls| Server::Tcp { host: host.into(), port, tls };
    let servers =
        [server("a", 80, false), server("b", 443, true), server("::1", 5, false), Server::Unix("/run/y".into())];
    assert_eq!(config.upstreams[0].servers, servers);
}

#[test]
fn a_route_says_all_it_can() {
    let config = Desk::new().good(
        "[issuer.b]\nsecret = { file = 'key' }\n[issuer.a]\nsecret = { env = 'WAX_KEY' }\n\
         [[route]]\nname = 'r'\npath = ['/x/*', '/y']\nmethod = ['get', 'PURGE']\nhost = '*.example'\nissuer = 'a'\n\
         audience = 'oms'\nscope = ['s']\nclaim = { u = ['boomi', 'pos-*'], '/realm/roles' = 'i' }\n\
         token = ['header', 'cookie:t', 'header:x-token']\nmode = 'report'\nupstream = 'http://other'\ntimeout = '2h'\n\
         body_size = '1MiB'\n\
         forward = { claims = { X-Auth-User = 'u' }, authorization = 'strip', strip = ['Api_Key'] }\n\
         [[route]]\npath = '/z'\nupstream = 'http://other'\n\
         [[route]]\npath = '/w'\nupstream = 'http://127.0.0.1:8081'\n",
    );
    let routes = config.snapshot.routes.routes();
    let route = &routes[0];
    assert_eq!(route.patterns.len(), 2);
    assert_eq!(route.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(), ["GET", "PURGE"]);
    assert_eq!(
        (route.mode, route.timeout, route.body_size),
        (Mode::Report, Some(Duration::from_secs(7200)), Some(1 << 20))
    );
    assert!(route.forwarding.strip_authorization);
    assert_eq!(route.forwarding.strip, ["api-key".into()]);
    assert_eq!(route.forwarding.claims[0].0, "x-auth-user");
    let demand = requirement(&config, "r");
    assert_eq!(demand.issuers.len(), 1);
    assert_eq!(config.issuers[demand.issuers[0].0].issuer.name.as_ref(), "a");
    assert_eq!(demand.places[1], Place::Cookie("t".into()));
    assert_eq!(demand.claims.len(), 2);
    assert_eq!((routes[0].upstream, routes[1].upstream, routes[2].upstream), (1, 1, 0), "equal upstreams are one");
    assert_eq!(config.upstreams.len(), 2);
    assert_eq!(&*routes[1].name, "/z", "a route is named by its first path");
    assert_eq!(&*routes.last().unwrap().name, "unmatched");
    assert_eq!(requirement(&config, "/z").issuers.len(), 2, "issuers are asked in the order of the file");
    assert_eq!(config.issuers[0].issuer.name.as_ref(), "b");
}

#[test]
fn a_rate_is_taken_and_shown() {
    for (access, rate, per, requests, window) in [
        ("protected", "{ per = 'subject', requests = 5 }", Per::Subject, 5, 1000),
        ("protected", "{ per = 'address', requests = 100, window = '1ms' }", Per::Address, 100, 1),
        ("open", "{ per = 'address', requests = 1, window = '1d' }", Per::Address, 1, 86_400_000),
    ] {
        let config = Desk::new().good(&format!(
            "[issuer.a]\nsecret = {{ file = 'key' }}\n[[route]]\npath = '/x'\naccess = '{access}'\nmode = 'report'\n\
             rate = {rate}\n[[route]]\npath = '/y'\n"
        ));
        let routes = config.snapshot.routes.routes();
        assert_eq!(routes[0].rate, Some(Rate { per, requests, window: Duration::from_millis(window) }), "{rate}");
        assert_eq!(routes[1].rate, None);
        let shown: serde_json::Value = serde_json::from_str(&config.effective().tree()).unwrap();
        assert_eq!(shown["route"][0]["rate"]["requests"], requests);
        assert_eq!(shown["route"][0]["rate"]["per"], if per == Per::Subject { "subject" } else { "address" });
        assert!(shown["route"][1]["rate"].is_null());
        let lifts = config.warnings.iter().any(|warning| warning.to_string().contains("lifts refusals"));
        assert!(!lifts, "a 429 can be lifted where no token is looked at");
    }
}

#[test]
fn routes_on_one_path_need_no_names_while_they_differ_in_method() {
    let config = Desk::new().good(
        "[issuer.a]\nsecret = { file = 'key' }\n\
         [[route]]\npath = '/x'\nmethod = 'GET'\naccess = 'open'\n[[route]]\npath = '/x'\nmethod = 'POST'\n",
    );
    assert_eq!(config.snapshot.routes.routes().len(), 3);
}

#[test]
fn an_issuer_says_all_it_can() {
    let config = Desk::new().good(
        "[issuer.a]\nsecret = { file = 'hex' }\nencoding = 'hex'\nkid = 'k'\nissuer = ['i', 'j']\naudience = 'oms'\n\
         algorithms = ['HS256', 'HS512']\nsubject = '/user/id'\nleeway = '30s'\nmax_lifetime = '1y'\n\
         require = ['iat']\n\
         types = ['', 'at+jwt']\n[issuer.b]\npem = 'public.pem'\n[issuer.c]\npem = { file = 'public.pem' }\n\
         [issuer.d]\nsecret = { file = 'short' }\nshort_key = 'accept'\nsalt = 'ab'\n",
    );
    let issuer = &config.issuers[0].issuer;
    assert_eq!(issuer.issuers, ["i".into(), "j".into()]);
    assert_eq!(issuer.algorithms.to_string(), "HS256, HS512");
    assert_eq!((issuer.leeway, issuer.max_lifetime), (30.0, Some(31_536_000.0)));
    assert_eq!((issuer.subject.as_str(), issuer.require.len()), ("/user/id", 1));
    assert!(issuer.types.absent);
    assert_eq!(issuer.types.names, ["at+jwt".into()]);
    assert!(matches!(&config.issuers[0].source, KeySource::Secret { secret, .. } if secret.expose() == &[255; 64]));
    assert_eq!(config.issuers[1].issuer.algorithms.to_string(), "ES256");
    assert!(matches!(&config.issuers[3].source, KeySource::Secret { secret, .. } if secret.expose() == b"6162short"));
    assert!(
        config.snapshot.issuers.iter().all(|slot| slot.keys(crate::time::UnixSeconds::new(0.0).unwrap()).is_some())
    );
}

#[test]
fn weakenings_are_warned_of_and_nothing_else_is() {
    let desk = Desk::new();
    let good = "[issuer.a]\nissuer = 'i'\naudience = 'x'\nsecret = { file = 'key' }\n";
    let own = |config: &Config| -> Vec<String> {
        let warnings = config.warnings.iter().filter(|warning| warning.key != "limits.connections");
        warnings.map(ToString::to_string).collect()
    };
    assert_eq!(own(&desk.good(good)), Vec::<String>::new());
    let open = format!("{good}[[route]]\naccess = 'open'\npath = '/'\n");
    for (more, words) in [
        ("[issuer.a]\nissuer = 'i'\nsecret = { file = 'key' }\n".to_owned(), "`audience` is not set"),
        ("[issuer.a]\naudience = 'i'\nsecret = { file = 'key' }\n".to_owned(), "`issuer` is not set"),
        (format!("{good}leeway = '6m'\n"), "6m is much"),
        (format!("{good}revoked = {{ file = 'none' }}\n"), "there is no list at"),
        (format!("{good}revoked = {{ file = 'key' }}\n"), "line 1: "),
        (format!("{good}revoked = {{ url = 'https://i/', missing = 'open' }}\n"), "revoked tokens pass"),
        (good.replace("{ file = 'key' }", &format!("{{ text = '{KEY}' }}")), "the secret stands in the config file"),
        (format!("{good}[tls]\ncert = 'key'\nkey = 'key'\n"), "this is not used"),
        (format!("{good}[[route]]\npath = '/x'\ntoken = 'query:t'\n"), "logs and histories"),
        (format!("{open}mode = 'report'\n"), "lifts refusals"),
        (format!("{open}forward = {{ claims = {{ X-A = 'a' }} }}\n"), "sets nothing here"),
        ("[forwarded]\ntrust = ['0.0.0.0/0']\n".to_owned(), "everybody is believed"),
    ] {
        let warnings = own(&desk.good(&more));
        assert_eq!(warnings.len(), 1, "{more}: {warnings:?}");
        assert!(warnings[0].contains(words) && warnings[0].contains(": warning: "), "{more}: {}", warnings[0]);
    }
}
