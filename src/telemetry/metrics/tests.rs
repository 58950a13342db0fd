//! Counting is exact, and what is shown keeps the rules of OpenMetrics.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::*;

fn metrics() -> Arc<Metrics> {
    Metrics::new(Clock::fixed(UnixSeconds::new(1_000.0).unwrap()))
}

/// Every sample by its name and labels as printed.
fn samples(metrics: &Arc<Metrics>) -> BTreeMap<String, f64> {
    let text = metrics.render().unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut samples = BTreeMap::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(samples.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {name}");
    }
    samples
}

/// Something of every family, so that none is left out of the look at the rules.
fn busy() -> Arc<Metrics> {
    let metrics = metrics();
    let route = metrics.route("stock \"a\\b\"\nnext");
    route.allowed(None);
    route.allowed(Some(Code::UpstreamTimeout));
    route.rejected(Code::TokenExpired);
    route.reported(Code::CredentialMissing, None);
    route.seconds(Duration::from_millis(3));
    metrics.unrouted().rejected(Code::PathAmbiguous);
    metrics.upstream("oms").seconds(Duration::from_millis(2));
    metrics.worker().decided(Duration::from_micros(4));
    metrics.issuer("hotwax").fetched_at(UnixSeconds::new(990.0).unwrap());
    metrics.issuer("hotwax").fetch(FetchOutcome::Good);
    metrics.reloaded(ReloadOutcome::Applied);
    metrics.epoch(1);
    metrics
}

#[test]
fn counters_show_under_their_names() {
    let metrics = metrics();
    let route = metrics.route("stock");
    route.allowed(None);
    route.allowed(None);
    route.allowed(Some(Code::UpstreamTimeout));
    route.rejected(Code::TokenExpired);
    route.reported(Code::ScopeInsufficient, None);
    route.reported(Code::ScopeInsufficient, Some(Code::BodyTooLarge));
    let samples = samples(&metrics);
    for (name, value) in [
        (r#"waxseal_requests_total{route="stock",verdict="allow",code="ok"}"#, 2.0),
        (r#"waxseal_requests_total{route="stock",verdict="allow",code="upstream_timeout"}"#, 1.0),
        (r#"waxseal_requests_total{route="stock",verdict="reject",code="token_expired"}"#, 1.0),
        (r#"waxseal_requests_total{route="stock",verdict="report",code="scope_insufficient"}"#, 1.0),
        (r#"waxseal_requests_total{route="stock",verdict="report",code="body_too_large"}"#, 1.0),
        (r#"waxseal_would_refuse_total{route="stock",code="scope_insufficient"}"#, 2.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name} in {samples:#?}");
    }
}

#[test]
fn what_was_never_counted_has_no_row_but_allow_ok() {
    let metrics = metrics();
    metrics.route("quiet");
    let samples = samples(&metrics);
    let quiet: Vec<_> = samples.iter().filter(|(name, _)| name.contains("quiet")).collect();
    let only = r#"waxseal_requests_total{route="quiet",verdict="allow",code="ok"}"#.to_owned();
    assert_eq!(quiet, [(&only, &0.0)]);
}

#[test]
fn the_text_keeps_the_rules_of_openmetrics() {
    let text = busy().render().unwrap();
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let mut seen = BTreeSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    for line in text.lines().take_while(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty(), "{line}");
            assert!(seen.insert(name.to_owned()), "{name} is torn apart");
            name.clone_into(&mut family);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, of) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(!name.ends_with("_total"), "{line}");
            of.clone_into(&mut kind);
        } else if let Some(rest) = line.strip_prefix("# UNIT ") {
            let (name, unit) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert!(name.ends_with(&format!("_{unit}")), "{line}");
        } else {
            let name = line.split(['{', ' ']).next().unwrap();
            let suffixes: &[&str] = match kind.as_str() {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("{other}"),
            };
            assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} under {family}");
        }
    }
}

#[test]
fn every_family_is_there() {
    let text = busy().render().unwrap();
    for family in [
        "waxseal_requests counter",
        "waxseal_request_seconds histogram",
        "waxseal_decision_seconds histogram",
        "waxseal_would_refuse counter",
        "waxseal_connections gauge",
        "waxseal_memo counter",
        "waxseal_key_set_age_seconds gauge",
        "waxseal_key_fetch counter",
        "waxseal_reload counter",
        "waxseal_config_epoch gauge",
        "waxseal_upstream_seconds histogram",
        "waxseal_log_dropped counter",
    ] {
        assert!(text.contains(&format!("# TYPE {family}\n")), "{family} in\n{text}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn process_figures_have_their_customary_names() {
    let samples = samples(&metrics());
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
        "process_threads",
    ] {
        assert!(samples.contains_key(name), "{name} in {samples:#?}");
    }
}

#[test]
fn a_route_name_cannot_forge_a_row() {
    let text = busy().render().unwrap();
    assert!(text.contains(r#"route="stock \"a\\b\"\nnext""#), "{text}");
    assert!(
        text.lines().all(|line| line.starts_with('#') || line.starts_with("waxseal_") || line.starts_with("process_"))
    );
}

#[test]
fn buckets_add_up_and_end_at_infinity() {
    let metrics = metrics();
    let route = metrics.route("stock");
    for milliseconds in [0, 1, 3, 400, 90_000] {
        route.seconds(Duration::from_millis(milliseconds));
    }
    let text = metrics.render().unwrap();
    let buckets: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("waxseal_request_seconds_bucket"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert!(buckets.is_sorted(), "{buckets:?}");
    assert_eq!(buckets.len(), EXCHANGE_BOUNDS.len() + 1);
    let samples = samples(&metrics);
    assert_eq!(samples[r#"waxseal_request_seconds_bucket{le="+Inf",route="stock"}"#], 5.0);
    assert_eq!(samples[r#"waxseal_request_seconds_bucket{le="0.0005",route="stock"}"#], 1.0);
    assert_eq!(samples[r#"waxseal_request_seconds_count{route="stock"}"#], 5.0);
    assert!((samples[r#"waxseal_request_seconds_sum{route="stock"}"#] - 90.404).abs() < 1e-9);
}

#[test]
fn counting_from_many_threads_loses_nothing() {
    let metrics = metrics();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let (route, worker) = (metrics.route("stock"), metrics.worker());
                for _ in 0..10_000 {
                    route.allowed(None);
                    route.rejected(Code::UnknownKey);
                    route.seconds(Duration::from_millis(1));
                    worker.memo_hit();
                    worker.decided(Duration::from_micros(2));
                }
            });
        }
    });
    let samples = samples(&metrics);
    for name in [
        r#"waxseal_requests_total{route="stock",verdict="allow",code="ok"}"#,
        r#"waxseal_requests_total{route="stock",verdict="reject",code="unknown_key"}"#,
        r#"waxseal_request_seconds_count{route="stock"}"#,
        r#"waxseal_memo_total{outcome="hit"}"#,
        "waxseal_decision_seconds_count",
    ] {
        assert_eq!(samples[name], 40_000.0, "{name}");
    }
    assert!((samples[r#"waxseal_request_seconds_sum{route="stock"}"#] - 40.0).abs() < 1e-9);
}

#[test]
fn a_reload_finds_the_counters_it_had() {
    let metrics = metrics();
    metrics.route("stock").allowed(None);
    metrics.upstream("oms").seconds(Duration::from_millis(1));
    metrics.route("another");
    metrics.route("stock").allowed(None);
    metrics.upstream("oms").seconds(Duration::from_millis(1));
    let samples = samples(&metrics);
    assert_eq!(samples[r#"waxseal_requests_total{route="stock",verdict="allow",code="ok"}"#], 2.0);
    assert_eq!(samples[r#"waxseal_upstream_seconds_count{upstream="oms"}"#], 2.0);
}

#[test]
fn a_connection_counts_while_it_is_held() {
    let metrics = metrics();
    let open = |metrics| samples(metrics)[r#"waxseal_connections{side="downstream"}"#];
    let (first, second) = (metrics.connection(Side::Downstream), metrics.connection(Side::Downstream));
    let _other_side = metrics.connection(Side::Upstream);
    assert_eq!(open(&metrics), 2.0);
    drop(first);
    assert_eq!(open(&metrics), 1.0);
    drop(second);
    assert_eq!(open(&metrics), 0.0);
}

#[test]
fn the_age_of_a_key_set_is_shown_once_there_is_one() {
    let metrics = metrics();
    let age = r#"waxseal_key_set_age_seconds{issuer="hotwax"}"#;
    let keys = metrics.issuer("hotwax");
    keys.fetch(FetchOutcome::Failed);
    let before = samples(&metrics);
    assert_eq!(before.get(age), None);
    assert_eq!(before[r#"waxseal_key_fetch_total{issuer="hotwax",outcome="failed"}"#], 1.0);
    keys.fetched_at(UnixSeconds::new(940.0).unwrap());
    assert_eq!(samples(&metrics)[age], 60.0);
    keys.fetched_at(UnixSeconds::new(2_000.0).unwrap());
    assert_eq!(samples(&metrics)[age], 0.0);
    keys.forget();
    assert_eq!(samples(&metrics).get(age), None, "nobody waits for an issuer that is gone");
}

#[test]
fn reloads_and_dropped_lines_are_counted() {
    let metrics = metrics();
    metrics.epoch(7);
    metrics.reloaded(ReloadOutcome::Refused);
    metrics.dropped_lines().add_many(3);
    let samples = samples(&metrics);
    assert_eq!(samples["waxseal_config_epoch"], 7.0);
    assert_eq!(samples[r#"waxseal_reload_total{outcome="refused"}"#], 1.0);
    assert_eq!(samples[r#"waxseal_reload_total{outcome="applied"}"#], 0.0);
    assert_eq!(samples["waxseal_log_dropped_total"], 3.0);
}

#[test]
fn a_quiet_route_takes_less_than_a_kilobyte() {
    assert!(size_of::<RouteMeters>() < 512, "{}", size_of::<RouteMeters>());
}
