//! Diagnostics carry a time and a level that can be turned; ids never repeat.

use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::*;

/// A writer whose bytes can be looked at afterwards.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn settings(format: LogFormat, level: LevelFilter) -> Settings {
    Settings { format, level, access: false }
}

/// Runs `work` with diagnostics that are captured.
fn captured(settings: Settings, work: impl FnOnce(TraceHandle)) -> String {
    let output = Captured::default();
    let (subscriber, level) = subscriber(&settings, false, output.clone());
    dispatcher::with_default(&subscriber, || work(level));
    output.text()
}

#[test]
fn a_json_diagnostic_is_one_object_with_time_level_and_message() {
    let output = captured(settings(LogFormat::Json, LevelFilter::INFO), |_| {
        tracing::info!(issuer = "hot\u{1b}wax", "keys fetched");
    });
    let line: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&line["level"], &line["message"]), (&Value::from("INFO"), &Value::from("keys fetched")));
    assert_eq!(line["issuer"], "hot\u{1b}wax");
    let time = line["timestamp"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    assert!(!output.contains('\u{1b}'));
}

#[test]
fn a_text_diagnostic_has_no_colour_off_a_terminal() {
    let output = captured(settings(LogFormat::Text, LevelFilter::INFO), |_| tracing::warn!("watch out"));
    assert!(output.contains("WARN") && output.ends_with("watch out\n") && !output.contains('\u{1b}'), "{output:?}");
}

#[test]
fn level_and_format_can_be_turned_while_running() {
    let output = captured(settings(LogFormat::Text, LevelFilter::WARN), |level| {
        tracing::info!("one");
        level.set(&settings(LogFormat::Text, LevelFilter::DEBUG)).unwrap();
        tracing::debug!("two");
        level.set(&settings(LogFormat::Json, LevelFilter::ERROR)).unwrap();
        tracing::warn!("three");
        tracing::error!("four");
    });
    assert!(output.contains("two") && !output.contains("one") && !output.contains("three"), "{output}");
    let last: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    assert_eq!(last["message"], "four", "in the other format");
}

#[test]
fn libraries_stay_at_warnings_whatever_the_level() {
    let output = captured(settings(LogFormat::Text, LevelFilter::TRACE), |_| {
        tracing::info!(target: "hyper::proto", "authorization: Bearer swordfish");
        tracing::debug!(target: "h2::codec", "frame");
        tracing::info!(target: "rustls::server", "hello");
        tracing::info!(target: "tokio::task", "spawned");
        tracing::warn!(target: "hyper::proto", "kept");
        tracing::trace!("ours");
    });
    assert!(output.contains("kept") && output.contains("ours"), "{output}");
    assert_eq!(output.lines().count(), 2, "{output}");
}

#[test]
fn libraries_say_no_more_than_the_level_allows_either() {
    let output = captured(settings(LogFormat::Text, LevelFilter::ERROR), |_| tracing::warn!(target: "h2", "frame"));
    assert_eq!(output, "");
}

#[test]
fn a_handle_whose_diagnostics_are_gone_says_so() {
    let (subscriber, level) = subscriber(&settings(LogFormat::Json, LevelFilter::OFF), false, io::sink);
    drop(subscriber);
    assert_eq!(level.set(&settings(LogFormat::Text, LevelFilter::INFO)), Err(LogClosed));
}

#[test]
fn a_second_start_is_an_error_and_no_panic() {
    let settings = settings(LogFormat::Text, LevelFilter::OFF);
    // Some other test of this process may have been first.
    let _ = init(&settings);
    assert_eq!(init(&settings).err(), Some(AlreadySet));
}

#[test]
fn ids_of_four_workers_never_meet() {
    let seed = RequestIdSeed::new().unwrap();
    let of_worker = move |worker| {
        let ids = seed.worker(worker);
        (0..10_000).map(|_| ids.fresh()).collect::<Vec<_>>()
    };
    let workers: Vec<_> = (0..4).map(|worker| thread::spawn(move || of_worker(worker))).collect();
    let ids: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() == 32 && id.as_bytes().iter().all(u8::is_ascii_hexdigit)));
    assert!(ids.iter().all(acceptable_request_id));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 40_000);
}

#[test]
fn only_short_visible_ascii_is_taken_over_as_an_id() {
    let acceptable = |bytes: &[u8]| acceptable_request_id(&HeaderValue::from_bytes(bytes).unwrap());
    assert!(acceptable(b"a") && acceptable(&[b'~'; 128]) && acceptable(b"1-2_3:x"));
    assert!(!acceptable(b"") && !acceptable(&[b'a'; 129]));
    assert!(!acceptable(b"a b") && !acceptable(b"a\tb") && !acceptable("ü".as_bytes()));
}
