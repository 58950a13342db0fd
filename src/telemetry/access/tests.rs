//! Lines hold the documented fields and nothing a stranger can use; a stuck reader holds nobody up.

use std::sync::mpsc::Sender;

use serde_json::Value;

use super::*;

/// A sink whose bytes can be looked at afterwards.
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

/// A sink that takes nothing until it is told to.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A sink nobody reads.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LIMIT: Duration = Duration::from_secs(20);

/// A request that passed, with every field filled.
fn record() -> AccessRecord {
    let mut record = AccessRecord::open(
        UnixSeconds::new(1_793_343_909.042).unwrap(),
        &HeaderValue::from_static("0123"),
        Peer::Address("::ffff:10.0.0.7".parse().unwrap()),
        &Method::POST,
        "/api/service/updateInventory",
    );
    record.host = Some(Excerpt::text("oms.example"));
    record.route = Some("stock".into());
    record.outcome = Outcome::Allow;
    record.code = None;
    record.status = Some(StatusCode::OK);
    record.subject = Some(Excerpt::text("boomi"));
    record.token = Some(TokenMark::Id(Excerpt::text("t-1")));
    record.bytes_in = 12;
    record.bytes_out = 345;
    record.duration = Duration::from_micros(1_234);
    record.upstream = Some(Duration::from_micros(9));
    record.detail = Some(Excerpt::text("nothing"));
    record
}

/// What the log writes for these records.
fn written(format: LogFormat, records: &[AccessRecord]) -> String {
    let sink = Captured::default();
    let log = AccessLog::start(format, Box::new(sink.clone()), Arc::default()).unwrap();
    records.iter().for_each(|record| log.write(record.clone()));
    assert!(log.close(LIMIT));
    sink.text()
}

#[test]
fn a_json_line_has_exactly_the_documented_fields() {
    let line = written(LogFormat::Json, &[record()]);
    let expected = serde_json::json!({
        "time": "2026-10-30T07:05:09.042Z", "request_id": "0123", "peer": "10.0.0.7", "method": "POST",
        "host": "oms.example", "path": "/api/service/updateInventory", "route": "stock", "verdict": "allow",
        "code": "ok", "status": 200, "subject": "boomi", "token_id": "t-1", "token_digest": null, "bytes_in": 12,
        "bytes_out": 345, "duration_ms": 1.234, "upstream_ms": 0.009, "detail": "nothing",
    });
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    assert!(line.ends_with("}\n") && line.lines().count() == 1);
}

#[test]
fn what_is_absent_is_null_and_an_unfinished_record_is_our_fault() {
    let open = AccessRecord::open(
        UnixSeconds::new(0.0).unwrap(),
        &HeaderValue::from_static("1"),
        Peer::Unix,
        &Method::GET,
        "/",
    );
    let line: Value = serde_json::from_str(&written(LogFormat::Json, &[open])).unwrap();
    for name in ["host", "route", "status", "subject", "token_id", "token_digest", "upstream_ms", "detail"] {
        assert_eq!(line[name], Value::Null, "{name}");
    }
    assert_eq!((line["verdict"].as_str(), line["code"].as_str()), (Some("reject"), Some("internal")));
    assert_eq!(line["peer"], "unix");
    assert_eq!(line.as_object().unwrap().len(), 18);
}

#[test]
fn a_text_line_reads_from_left_to_right() {
    let line = written(LogFormat::Text, &[record()]);
    assert_eq!(
        line,
        "2026-10-30T07:05:09.042Z allow ok 200 POST /api/service/updateInventory host=oms.example route=stock \
         peer=10.0.0.7 subject=boomi token_id=t-1 in=12 out=345 ms=1.234 upstream_ms=0.009 id=0123 detail=nothing\n"
    );
}

#[test]
fn hostile_text_is_escaped_in_both_formats() {
    let hostile =
        "a\"b\\c\r\nd\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{202e}gnp\u{2066}\u{200b}\u{2028}\u{feff}\u{e0041} status=200";
    let mut record = record();
    record.host = Some(Excerpt::text(hostile));
    record.subject = Some(Excerpt::text(hostile));
    record.path = Excerpt::path(hostile);
    record.route = Some(hostile.into());
    record.token = Some(TokenMark::Id(Excerpt::text(hostile)));
    record.detail = Some(Excerpt::text(hostile));
    let json = written(LogFormat::Json, std::slice::from_ref(&record));
    let text = written(LogFormat::Text, &[record]);
    for line in [&json, &text] {
        assert_eq!(line.lines().count(), 1, "{line:?}");
        let body = line.trim_end_matches('\n');
        assert!(body.chars().all(|character| (' '..='~').contains(&character)), "{body:?}");
    }
    let value: Value = serde_json::from_str(&json).unwrap();
    for name in ["host", "subject", "path", "route", "token_id", "detail"] {
        assert_eq!(value[name], hostile, "{name}");
    }
    assert!(!text.contains(" status=200 "), "{text}");
}

#[test]
fn readable_text_of_other_languages_stays_readable() {
    let mut record = record();
    record.subject = Some(Excerpt::text("Jürgen 株式"));
    assert!(written(LogFormat::Json, std::slice::from_ref(&record)).contains("\"Jürgen 株式\""));
    assert!(written(LogFormat::Text, &[record]).contains("subject=\"Jürgen 株式\""));
}

#[test]
fn long_text_is_cut_between_characters() {
    let path = Excerpt::path(&format!("/{}", "ü".repeat(5_000)));
    assert!(path.as_str().len() <= 2_048 && path.as_str().ends_with("ü…"));
    let text = Excerpt::text(&"x".repeat(600));
    assert_eq!(text.as_str().len(), 512);
    assert_eq!(Excerpt::text(&"x".repeat(512)).as_str(), "x".repeat(512));
    let method = Method::from_bytes("M".repeat(3_000).as_bytes()).unwrap();
    assert!(Excerpt::method(&method).as_str().len() <= 512);
    assert_eq!(Excerpt::method(&Method::GET).as_str(), "GET");
}

#[test]
fn no_query_and_no_session_gets_into_a_path() {
    for (path, logged) in [
        ("/a?token=swordfish", "/a"),
        ("/a#swordfish", "/a"),
        ("/a;jsessionid=swordfish", "/a;jsessionid=…"),
        ("/a;JSESSIONID=swordfish/b;x=1", "/a;JSESSIONID=…/b;x=1"),
        ("/a;jsessionid=swordfish;y=2;jsessionid=swordfish", "/a;jsessionid=…;y=2;jsessionid=…"),
        ("/a%3Bjsessionid%3Dswordfish/b", "/a%3Bjsessionid=…/b"),
        ("/jsessionid", "/jsessionid"),
        ("/api/a,b", "/api/a,b"),
    ] {
        assert_eq!(Excerpt::path(path).as_str(), logged);
    }
}

#[test]
fn a_digest_tells_tokens_apart_within_one_process_only() {
    let (one, other) = (TokenDigest::new().unwrap(), TokenDigest::new().unwrap());
    let digest = one.of(b"token");
    assert!(digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(digest, one.clone().of(b"token"));
    assert_ne!(digest, one.of(b"Token"));
    assert_ne!(digest, other.of(b"token"));
    assert_eq!(format!("{one:?}"), "TokenDigest");
}

#[test]
fn every_line_of_every_worker_arrives() {
    let sink = Captured::default();
    let dropped = Arc::new(Count::default());
    let log = AccessLog::start(LogFormat::Json, Box::new(sink.clone()), Arc::clone(&dropped)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            let log = log.clone();
            scope.spawn(move || (0..900).for_each(|_| log.write(record())));
        }
    });
    assert!(log.close(LIMIT));
    assert_eq!(sink.text().lines().count(), 3_600);
    assert_eq!(dropped.value(), 0);
    log.write(record());
    assert_eq!(dropped.value(), 1, "a line after the end counts as dropped");
    assert!(log.close(LIMIT), "closing twice is no fault");
}

#[test]
fn a_line_is_flushed_without_another_one_behind_it() {
    let sink = Captured::default();
    let log = AccessLog::start(LogFormat::Json, Box::new(sink.clone()), Arc::default()).unwrap();
    for expected in 1..=2 {
        log.write(record());
        let deadline = Instant::now() + LIMIT;
        while sink.text().lines().count() < expected {
            assert!(Instant::now() < deadline, "the line does not come");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_stuck_reader_drops_lines_and_holds_nobody_up() {
    let (release, held): (Sender<()>, _) = mpsc::channel();
    let dropped = Arc::new(Count::default());
    let log = AccessLog::start(LogFormat::Text, Box::new(Stuck(held)), Arc::clone(&dropped)).unwrap();
    // The writer takes at most one batch in hand and the queue holds its fill; all beyond must be dropped.
    let most_kept: u64 = 4_096 + 64 * 1_024 / 100;
    (0..2 * most_kept).for_each(|_| log.write(record()));
    assert!(dropped.value() >= most_kept, "{}", dropped.value());
    assert!(!log.close(Duration::from_millis(20)));
    drop(release);
    assert!(log.close(LIMIT));
}

#[test]
fn lines_that_the_sink_refuses_are_counted() {
    let dropped = Arc::new(Count::default());
    let log = AccessLog::start(LogFormat::Json, Box::new(Broken), Arc::clone(&dropped)).unwrap();
    (0..10).for_each(|_| log.write(record()));
    assert!(log.close(LIMIT));
    assert_eq!(dropped.value(), 10);
}

#[test]
fn a_log_that_is_off_takes_everything_and_closes_at_once() {
    let log = AccessLog::off();
    log.write(record());
    assert!(!log.is_on() && log.close(Duration::ZERO));
}

#[test]
fn what_each_line_looks_like_may_change_while_the_log_is_open() {
    let sink = Captured::default();
    let log = AccessLog::start(LogFormat::Json, Box::new(sink.clone()), Arc::default()).unwrap();
    let level = tracing::level_filters::LevelFilter::INFO;
    let told = |format, access| log.told(&Settings { format, level, access });
    told(LogFormat::Text, true).write(record());
    told(LogFormat::Text, false).write(record());
    told(LogFormat::Json, true).write(record());
    assert!(log.close(LIMIT));
    let written = sink.text();
    let json: Vec<bool> = written.lines().map(|line| line.starts_with('{')).collect();
    assert_eq!(json, [false, true], "{written}");
}
