//! Lists that change while they are kept, and settings that do.

use std::time::Duration;

use super::*;
use crate::decision::claims::ClaimPath;
use crate::decision::keys::{AlgorithmSet, Issuer, KeySet, TokenTypes};
use crate::keys::KeySource;
use crate::secret::Secret;

fn issuer(name: &str) -> Issuer {
    Issuer {
        name: name.into(),
        issuers: vec![],
        audiences: vec![],
        algorithms: AlgorithmSet::default(),
        subject: ClaimPath::new("sub"),
        leeway: 0.0,
        max_lifetime: None,
        require: vec![],
        types: TokenTypes::default(),
    }
}

fn settings(name: &str, file: &std::path::Path) -> crate::keys::Settings {
    let revoked = Settings { from: From::File(file.to_owned()), missing: Missing::Closed };
    let source = KeySource::Secret { secret: Secret::new(vec![]), kid: None, short: false };
    crate::keys::Settings { issuer: issuer(name), source, revoked: Some(revoked) }
}

/// The slot as a config makes it.
fn slot(settings: &crate::keys::Settings) -> IssuerSlot {
    let slot = IssuerSlot::new(Arc::new(settings.issuer.clone()), Arc::new(KeySet::new(vec![])));
    let first = settings.revoked.as_ref().unwrap().first(&slot).0;
    slot.with_revocations(Some(Arc::new(first)))
}

/// How many entries a list has; `None`: it was not had.
fn entries(revoked: &Revocations) -> Option<String> {
    revoked.list.as_ref().map(|list| list.words())
}

type Told = Rc<RefCell<Vec<(String, Option<String>)>>>;

/// Revokers, what they put in force, and what they warned of.
fn revokers() -> (Revokers, Told, Told) {
    let (amended, warned) = (Told::default(), Told::default());
    let (amends, warns) = (Rc::clone(&amended), Rc::clone(&warned));
    let around = Around {
        clock: Clock::System,
        metrics: Metrics::new(Clock::System),
        slot: Box::new(|name| Some(IssuerSlot::new(Arc::new(issuer(name)), Arc::new(KeySet::new(vec![]))))),
        amend: Box::new(move |name, known| amends.borrow_mut().push((name.to_owned(), entries(&known)))),
        warn: Box::new(move |name, text| warns.borrow_mut().push((name.to_owned(), text))),
    };
    (Revokers::new(around), amended, warned)
}

async fn run_until(revokers: &Revokers, done: impl Fn() -> bool) {
    let reached = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = revokers.run() => {}
        reached = tokio::time::timeout(Duration::from_secs(10), reached) => reached.expect("waited in vain"),
    }
}

#[tokio::test]
async fn a_list_follows_its_file_and_survives_what_is_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("revoked.jsonl");
    std::fs::write(&file, "{\"jti\":\"a\"}\n").unwrap();
    let (revokers, amended, warned) = revokers();
    let own = settings("own", &file);
    revokers.replace(std::slice::from_ref(&own), &mut [slot(&own)]);
    let last = |told: &Told| told.borrow().last().and_then(|(_, words)| words.clone());
    run_until(&revokers, || last(&amended).as_deref() == Some("1 entries")).await;
    std::fs::write(&file, "{\"jti\":\"a\"}\n{\"jti\":\"b\"}\n").unwrap();
    run_until(&revokers, || last(&amended).as_deref() == Some("2 entries")).await;
    assert_eq!(last(&warned), None);
    std::fs::write(&file, "{\"jti\":\"a\"}\nnonsense\n").unwrap();
    run_until(&revokers, || last(&warned).is_some()).await;
    let text = last(&warned).unwrap();
    assert!(text.contains("line 2") && text.contains("an earlier list stays in force (2 entries)"), "{text}");
    std::fs::remove_file(&file).unwrap();
    run_until(&revokers, || last(&warned).is_some_and(|text| text.contains("cannot be read"))).await;
    assert_eq!(amended.borrow().len(), 2, "nothing else was put in force");
    std::fs::write(&file, "").unwrap();
    run_until(&revokers, || last(&amended).as_deref() == Some("0 entries")).await;
    assert_eq!(last(&warned), None);
}

#[tokio::test]
async fn an_unchanged_setting_keeps_its_list_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (file, other) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&file, "{\"jti\":\"a\"}\n").unwrap();
    let (revokers, amended, warned) = revokers();
    let own = settings("own", &file);
    revokers.replace(std::slice::from_ref(&own), &mut [slot(&own)]);
    run_until(&revokers, || !amended.borrow().is_empty()).await;
    std::fs::write(&file, "nonsense").unwrap();
    let held = |settings: &crate::keys::Settings| {
        let mut slots = [slot(settings)];
        revokers.replace(std::slice::from_ref(settings), &mut slots);
        entries(slots[0].revoked().unwrap())
    };
    assert_eq!(held(&own).as_deref(), Some("1 entries"), "the new config could not read it");
    let mut lenient = own.clone();
    lenient.revoked.as_mut().unwrap().missing = Missing::Open;
    assert_eq!(held(&lenient).as_deref(), Some("1 entries"), "what is known of the list hangs on its place alone");
    assert_eq!(revokers.tasks.borrow()[0].held.borrow().missing, Missing::Open);
    assert_eq!(held(&settings("own", &other)), None);
    run_until(&revokers, || warned.borrow().last().is_some_and(|(_, text)| text.is_some())).await;
    revokers.replace(&[], &mut []);
    assert_eq!(warned.borrow().last(), Some(&("own".to_owned(), None)));
    assert!(revokers.tasks.borrow().is_empty());
}
