//! The counters as OpenMetrics text.
//!
//! A [`Collector`] reads our atomics while somebody scrapes; prometheus-client does names, escaping and layout. What was
//! never counted is left out, but for the `allow`/`ok` row of each route, so that a scrape of ten thousand quiet routes
//! stays readable.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::Reading;
use super::{Metrics, RouteMeters, process};
use crate::telemetry::{CODE_OK, Outcome};

/// The unit of every duration.
static SECONDS: Unit = Unit::Seconds;
/// The unit of every size.
static BYTES: Unit = Unit::Bytes;

/// Everything as text, `# EOF` included.
pub(super) fn render(metrics: Arc<Metrics>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(metrics)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// One reading of everything.
#[derive(Debug)]
struct Scrape(Arc<Metrics>);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let metrics = self.0.as_ref();
        let routes = metrics.routes.all();
        requests(&mut encoder, &routes)?;
        would_refuse(&mut encoder, &routes)?;
        request_seconds(&mut encoder, &routes)?;
        upstream_seconds(&mut encoder, metrics)?;
        workers(&mut encoder, metrics)?;
        connections(&mut encoder, metrics)?;
        config(&mut encoder, metrics)?;
        keys(&mut encoder, metrics)?;
        lists(&mut encoder, metrics)?;
        log(&mut encoder, metrics)?;
        process_figures(&mut encoder, &process::Figures::read())
    }
}

/// A route's name and its counters.
type NamedRoute = (Arc<str>, Arc<RouteMeters>);

fn requests(encoder: &mut DescriptorEncoder<'_>, routes: &[NamedRoute]) -> fmt::Result {
    let help = "Requests by route, verdict (allow, reject, report) and code";
    let mut family = encoder.encode_descriptor("waxseal_requests", help, None, MetricType::Counter)?;
    for (name, route) in routes {
        let mut row = |outcome: Outcome, code: &str, value: u64| {
            count(&mut family, &[("route", name.as_ref()), ("verdict", outcome.name()), ("code", code)], value)
        };
        row(Outcome::Allow, CODE_OK, route.ok.value())?;
        for (outcome, codes) in
            [(Outcome::Allow, &route.failed), (Outcome::Reject, &route.rejected), (Outcome::Report, &route.reported)]
        {
            codes.counted().try_for_each(|(code, value)| row(outcome, code.name(), value))?;
        }
    }
    Ok(())
}

fn would_refuse(encoder: &mut DescriptorEncoder<'_>, routes: &[NamedRoute]) -> fmt::Result {
    let help = "Requests that a route in report mode let pass, by the code they were spared";
    let mut family = encoder.encode_descriptor("waxseal_would_refuse", help, None, MetricType::Counter)?;
    for (name, route) in routes {
        for (code, value) in route.lifted.counted() {
            count(&mut family, &[("route", name.as_ref()), ("code", code.name())], value)?;
        }
    }
    Ok(())
}

fn request_seconds(encoder: &mut DescriptorEncoder<'_>, routes: &[NamedRoute]) -> fmt::Result {
    let help = "Time from the head of a request to the last byte of its answer";
    let mut family = encoder.encode_descriptor("waxseal_request", help, Some(&SECONDS), MetricType::Histogram)?;
    for (name, route) in routes {
        histogram(&mut family, &[("route", name.as_ref())], &route.seconds.read())?;
    }
    Ok(())
}

fn upstream_seconds(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    let help = "Time that an upstream took to its response head";
    let mut family = encoder.encode_descriptor("waxseal_upstream", help, Some(&SECONDS), MetricType::Histogram)?;
    for (name, upstream) in metrics.upstreams.all() {
        histogram(&mut family, &[("upstream", name.as_ref())], &upstream.seconds.read())?;
    }
    Ok(())
}

/// What each worker counts for itself, added up.
fn workers(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    // Nobody holds this lock for longer than a copy or a push, and a scrape is rare.
    let workers = metrics.workers.lock().unwrap_or_else(PoisonError::into_inner).clone();

    let help = "Time that a decision took, waiting for keys not counted";
    let mut family = encoder.encode_descriptor("waxseal_decision", help, Some(&SECONDS), MetricType::Histogram)?;
    let readings = workers.iter().map(|worker| worker.decision.read());
    let sum = readings.reduce(|mut sum, reading| {
        sum.merge(&reading);
        sum
    });
    if let Some(sum) = sum {
        family.encode_histogram::<NoLabelSet>(sum.sum, sum.count, &sum.buckets, None)?;
    }

    let help = "Tokens looked up among the remembered proofs, by outcome (hit, miss)";
    let mut family = encoder.encode_descriptor("waxseal_memo", help, None, MetricType::Counter)?;
    let hits = workers.iter().map(|worker| worker.memo_hits.value()).sum();
    let misses = workers.iter().map(|worker| worker.memo_misses.value()).sum();
    count(&mut family, &[("outcome", "hit")], hits)?;
    count(&mut family, &[("outcome", "miss")], misses)
}

fn connections(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    let help = "Open connections by side (downstream, upstream)";
    let mut family = encoder.encode_descriptor("waxseal_connections", help, None, MetricType::Gauge)?;
    for (side, open) in [("downstream", &metrics.downstream), ("upstream", &metrics.upstream)] {
        family.encode_family(&[("side", side)])?.encode_gauge(&open.0.load(Ordering::Relaxed))?;
    }
    Ok(())
}

fn config(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    let help = "Number of the config in force, one more at each change";
    gauge(encoder, "waxseal_config_epoch", help, None, &metrics.epoch.load(Ordering::Relaxed))?;

    let help = "Attempts to reload the config by outcome (applied, refused)";
    let mut family = encoder.encode_descriptor("waxseal_reload", help, None, MetricType::Counter)?;
    count(&mut family, &[("outcome", "applied")], metrics.reloads_applied.value())?;
    count(&mut family, &[("outcome", "refused")], metrics.reloads_refused.value())
}

fn keys(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    let issuers = metrics.issuers.all();
    let now = metrics.clock.now();

    let help = "Time since the key set in use was fetched";
    let mut family = encoder.encode_descriptor("waxseal_key_set_age", help, Some(&SECONDS), MetricType::Gauge)?;
    for (name, keys) in &issuers {
        if let Some(age) = keys.age(now) {
            family.encode_family(&[("issuer", name.as_ref())])?.encode_gauge(&age)?;
        }
    }

    let help = "Fetches of key sets by issuer and outcome (good, failed)";
    let mut family = encoder.encode_descriptor("waxseal_key_fetch", help, None, MetricType::Counter)?;
    for (name, keys) in &issuers {
        count(&mut family, &[("issuer", name.as_ref()), ("outcome", "good")], keys.good.value())?;
        count(&mut family, &[("issuer", name.as_ref()), ("outcome", "failed")], keys.failed.value())?;
    }
    Ok(())
}

fn lists(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    let help = "Loads of lists of revoked tokens by issuer and outcome (good, failed)";
    let mut family = encoder.encode_descriptor("waxseal_revoked_load", help, None, MetricType::Counter)?;
    for (name, list) in metrics.lists.all() {
        count(&mut family, &[("issuer", name.as_ref()), ("outcome", "good")], list.good.value())?;
        count(&mut family, &[("issuer", name.as_ref()), ("outcome", "failed")], list.failed.value())?;
    }
    Ok(())
}

fn log(encoder: &mut DescriptorEncoder<'_>, metrics: &Metrics) -> fmt::Result {
    let help = "Access log lines that were dropped because the reader of standard output was too slow or gone";
    let mut family = encoder.encode_descriptor("waxseal_log_dropped", help, None, MetricType::Counter)?;
    family.encode_counter::<NoLabelSet, _, u64>(&metrics.dropped_lines.value(), None)
}

/// The names that every client library uses for them, so that common dashboards work.
fn process_figures(encoder: &mut DescriptorEncoder<'_>, figures: &process::Figures) -> fmt::Result {
    if let Some(cpu) = figures.cpu_seconds {
        let help = "User and system time of the process";
        let mut family = encoder.encode_descriptor("process_cpu", help, Some(&SECONDS), MetricType::Counter)?;
        family.encode_counter::<NoLabelSet, _, u64>(&cpu, None)?;
    }
    if let Some(resident) = figures.resident_bytes {
        gauge(encoder, "process_resident_memory", "Resident memory of the process", Some(&BYTES), &resident)?;
    }
    if let Some(open) = figures.open_fds {
        gauge(encoder, "process_open_fds", "Open file descriptors", None, &open)?;
    }
    if let Some(most) = figures.max_fds {
        gauge(encoder, "process_max_fds", "Most file descriptors that may be open", None, &most)?;
    }
    if let Some(start) = figures.start_seconds {
        gauge(encoder, "process_start_time", "Start of the process since the Unix epoch", Some(&SECONDS), &start)?;
    }
    if let Some(threads) = figures.threads {
        gauge(encoder, "process_threads", "Threads of the process", None, &threads)?;
    }
    Ok(())
}

fn count(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

/// A histogram, unless it is empty.
fn histogram(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, reading: &Reading) -> fmt::Result {
    if reading.count == 0 {
        return Ok(());
    }
    family.encode_family(labels)?.encode_histogram::<NoLabelSet>(reading.sum, reading.count, &reading.buckets, None)
}

/// A gauge without labels.
fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    unit: Option<&'static Unit>,
    value: &impl EncodeGaugeValue,
) -> fmt::Result {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(value)
}
