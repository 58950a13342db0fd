//! Claims about what is taken down, how much of it, and how it is shown.

use serde_json::Value;

use super::ledger::ROWS;
use super::*;

fn lifted(route: &str, code: Code, number: u32) -> Lifted {
    Lifted {
        time: UnixSeconds::new(1_793_343_909.0 + f64::from(number)).unwrap(),
        route: route.into(),
        code,
        caller: Caller::Client(Client::V4(number.into())),
        method: Excerpt::text("POST"),
        path: Excerpt::path("/a?token=x"),
        request_id: Excerpt::text("0123"),
        user_agent: Some(Excerpt::text("pos/1.0")),
        detail: Excerpt::text("no Authorization"),
    }
}

fn by(subject: &str, issuer: &str) -> Lifted {
    let caller = Caller::Subject { issuer: issuer.into(), subject: Excerpt::text(subject) };
    Lifted { caller, ..lifted("stock", Code::ScopeInsufficient, 1) }
}

/// A book with these entered by its collector.
fn book(records: impl IntoIterator<Item = Lifted>) -> ReportBook {
    let (_, mut collector, book) = open(UnixSeconds::new(1_793_343_900.0).unwrap());
    records.into_iter().for_each(|record| collector.enter(Box::new(record)));
    book
}

fn json(book: &ReportBook) -> Value {
    serde_json::from_str(&book.report(vec!["stock".to_owned()]).json()).unwrap()
}

#[test]
fn a_row_tells_how_often_since_when_and_the_latest() {
    let mut latest = lifted("stock", Code::CredentialMissing, 1);
    latest.time = latest.time.plus(60.0);
    latest.path = Excerpt::path("/b");
    let told = json(&book([lifted("stock", Code::CredentialMissing, 1), latest]));
    let row = &told["totals"][0]["rows"][0];
    assert_eq!(
        *row,
        serde_json::json!({
            "by": "address", "client": "0.0.0.1", "issuer": null, "count": 2,
            "first": "2026-10-30T07:05:10.000Z", "last": "2026-10-30T07:06:10.000Z",
            "latest": {
                "method": "POST", "path": "/b", "request_id": "0123", "user_agent": "pos/1.0",
                "detail": "no Authorization",
            },
        })
    );
    assert_eq!((told["since"].as_str(), told["dropped"].as_u64()), (Some("2026-10-30T07:05:00.000Z"), Some(0)));
}

#[test]
fn routes_codes_subjects_and_issuers_have_rows_of_their_own_the_busiest_first() {
    let book = book([
        lifted("stock", Code::TokenExpired, 1),
        lifted("stock", Code::CredentialMissing, 1),
        by("a", "hotwax"),
        by("a", "other"),
        by("b", "hotwax"),
        by("b", "hotwax"),
        lifted("orders", Code::CredentialMissing, 1),
    ]);
    let told = json(&book);
    let totals = told["totals"].as_array().unwrap();
    let names: Vec<_> = totals.iter().map(|total| (total["route"].as_str(), total["code"].as_str())).collect();
    let expected = [
        ("orders", "credential_missing"),
        ("stock", "credential_missing"),
        ("stock", "token_expired"),
        ("stock", "scope_insufficient"),
    ];
    assert_eq!(names, expected.map(|(route, code)| (Some(route), Some(code))));
    let rows = totals[3]["rows"].as_array().unwrap();
    let rows: Vec<_> =
        rows.iter().map(|row| (row["client"].as_str().unwrap(), row["issuer"].as_str().unwrap())).collect();
    assert_eq!(rows, [("b", "hotwax"), ("a", "hotwax"), ("a", "other")]);
    assert_eq!(totals[3]["count"], 4);
    let text = book.report(vec![]).text();
    assert!(text.contains("       2  subject b of hotwax, first "), "{text}");
}

#[test]
fn a_flood_of_callers_is_bounded_hides_no_other_route_and_sums_stay_right() {
    let flood = u32::try_from(5 * ROWS).unwrap();
    let callers = (0..flood).map(|number| lifted("flooded", Code::CredentialMissing, number));
    let later = (0..100).map(|number| lifted("stock", Code::CredentialMissing, number));
    let again = (0..flood).map(|number| lifted("flooded", Code::CredentialMissing, number));
    let told = json(&book(callers.chain(later).chain(again)));
    let (flooded, stock) = (&told["totals"][0], &told["totals"][1]);
    let rows = flooded["rows"].as_array().unwrap();
    assert_eq!((flooded["count"].as_u64(), rows.len()), (Some(u64::from(2 * flood)), ROWS / 2 + 1));
    let others = rows.last().unwrap();
    assert_eq!((others["by"].as_str(), others["client"].as_str()), (Some("others"), Some("(others)")));
    assert_eq!(others["count"].as_u64(), Some(u64::from(2 * flood) - ROWS as u64));
    assert_eq!(stock["rows"].as_array().unwrap().len(), 100, "each has a row");
}

#[test]
fn all_floods_together_are_bounded() {
    let mut records = Vec::new();
    for route in 0..30 {
        records.extend((0..600).map(|number| lifted(&format!("r{route:02}"), Code::CredentialMissing, number)));
    }
    let told = json(&book(records));
    let rows = |total: &Value| total["rows"].as_array().unwrap().len();
    let totals = told["totals"].as_array().unwrap();
    assert!(totals.iter().map(rows).sum::<usize>() <= ROWS + totals.len());
    assert!(totals.iter().all(|total| total["count"] == 600 && rows(total) >= 1));
}

#[test]
fn nothing_lifted_is_told_kindly() {
    let empty = book([]);
    let none = empty.report(vec![]).text();
    assert_eq!(none, "no route is in report mode: write mode = \"report\" on one to see whom it would refuse\n");
    let some = empty.report(vec!["stock".to_owned(), "all orders".to_owned()]).text();
    assert_eq!(some, "nothing would have been refused since 2026-10-30T07:05:00.000Z by stock, \"all orders\"\n");
}

#[test]
fn the_text_reads_from_top_to_bottom() {
    let text = book([lifted("stock", Code::CredentialMissing, 1)]).report(vec!["stock".to_owned()]).text();
    assert_eq!(
        text,
        "1 request would have been refused since 2026-10-30T07:05:00.000Z; in report mode: stock\n\
         \n\
         route stock: credential_missing, 1 request\n       \
         1  0.0.0.1, first 2026-10-30T07:05:10.000Z, last 2026-10-30T07:05:10.000Z\n          \
         POST /a agent=pos/1.0 id=0123 detail=\"no Authorization\"\n"
    );
}

#[test]
fn treacherous_text_is_escaped_in_both_forms() {
    let hostile = "a\r\nb\u{1b}[2Jc\u{7f}\u{85}\u{9b}31m\u{202e}gnp\u{2066}\u{200b}\u{2028}\u{e0041}\"x\" id=1";
    let mut record = by(hostile, "hotwax");
    record.user_agent = Some(Excerpt::text(hostile));
    record.path = Excerpt::path(hostile);
    record.method = Excerpt::text(hostile);
    record.detail = Excerpt::text(hostile);
    let report = book([record]).report(vec![hostile.to_owned()]);
    let (json, text) = (report.json(), report.text());
    let dangerous = |character: char| !matches!(character, ' '..='~' | '\n');
    assert!(!json.contains(dangerous) && !json.contains('\n'), "{json}");
    assert!(!text.contains(dangerous) && text.lines().count() == 5, "{text}");
    let read: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["totals"][0]["rows"][0]["latest"]["user_agent"], hostile, "and is the same when it is read");
}

#[test]
fn what_does_not_fit_is_dropped_and_counted() {
    let (log, mut collector, book) = open(UnixSeconds::new(0.0).unwrap());
    for number in 0..5_000 {
        log.note(lifted("stock", Code::CredentialMissing, number));
    }
    let first = collector.records.try_recv().unwrap();
    collector.enter(first);
    let told = json(&book);
    assert_eq!(told["dropped"], 5_000 - WAITING);
    assert_eq!(told["totals"][0]["count"], WAITING);
    let text = book.report(vec![]).text();
    assert!(text.contains("904 requests came too fast to be taken down"), "{text}");
}

#[tokio::test(flavor = "current_thread")]
async fn the_collector_ends_with_the_last_worker() {
    let (log, collector, book) = open(UnixSeconds::new(0.0).unwrap());
    let workers = [log.clone(), log];
    let running = tokio::spawn(collector.run());
    for worker in &workers {
        worker.note(lifted("stock", Code::CredentialMissing, 1));
        tokio::time::sleep(2 * PAUSE).await;
    }
    assert_eq!(json(&book)["totals"][0]["count"], 2);
    drop(workers);
    running.await.unwrap();
}
