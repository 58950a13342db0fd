//! Fetches that are played, in time that passes at will.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use serde_json::json;
use tokio::time::sleep;

use super::*;
use crate::decision::claims::ClaimPath;
use crate::decision::keys::{AlgorithmSet, Issuer, Supply, TokenTypes};
use crate::keys::{Address, Courier, InVain, KeySource, Origin, jwks};
use crate::time::UnixSeconds;

const NOW: f64 = 1_800_000_000.0;

/// What an issuer does with each fetch, and when it was asked.
#[derive(Default)]
struct Played {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<f64>>,
}

#[derive(Clone, Default)]
struct Answer {
    /// The `kid` of the one key that it sends; none: it fails.
    kid: Option<&'static str>,
    takes: f64,
    fresh: Option<u64>,
    panics: bool,
}

/// What became of it, by the name of the issuer.
#[derive(Clone, Default)]
struct Told {
    keys: Shared<(Vec<String>, Fetched)>,
    standing: Shared<Option<Standing>>,
}

type Shared<T> = Rc<RefCell<HashMap<String, T>>>;

impl Told {
    fn hooks(&self) -> Hooks {
        let (keys, standing) = (self.keys.clone(), self.standing.clone());
        Hooks {
            amend: Box::new(move |name, set, fetched| {
                let mut keys = keys.borrow_mut();
                let before = keys.get(name).map(|(before, _)| before.clone());
                let kids = set.map(|set| set.keys().iter().map(|key| key.id().unwrap().to_owned()).collect());
                keys.insert(name.to_owned(), (kids.or(before).unwrap_or_default(), fetched));
            }),
            standing: Box::new(move |name, news| drop(standing.borrow_mut().insert(name.to_owned(), news))),
        }
    }

    fn kids(&self, name: &str) -> String {
        self.keys.borrow().get(name).map(|(kids, _)| kids.join(" ")).unwrap_or_default()
    }

    fn warning(&self, name: &str) -> String {
        let all = self.standing.borrow();
        all.get(name).and_then(|standing| standing.as_ref()?.warning.clone()).unwrap_or_default()
    }
}

fn set(kid: &str) -> String {
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "A".repeat(43) }] }).to_string()
}

impl Played {
    fn does(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The seconds at which it was asked.
    fn asked(&self) -> Vec<f64> {
        self.asked.lock().unwrap().clone()
    }

    async fn bring(self: Arc<Self>, began: Instant) -> Result<Brought, String> {
        self.asked.lock().unwrap().push(began.elapsed().as_secs_f64());
        let answer = self.answer.lock().unwrap().clone();
        sleep(Duration::from_secs_f64(answer.takes)).await;
        assert!(!answer.panics, "this panic is part of the test");
        let text = set(answer.kid.ok_or("it answered 500")?);
        let loaded = jwks::load(&text, None).unwrap();
        Ok(Brought { text, loaded, fresh: answer.fresh.map(Duration::from_secs) })
    }
}

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

fn settings(name: &str, shelf: Option<&Path>) -> Settings {
    let plan = Plan {
        origin: Origin::Url(Address::parse("https://idp.example/", false).unwrap()),
        wanted: None,
        refresh: Duration::from_secs(600),
        pause: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        stale: Duration::from_secs(3600),
        ca: None,
        shelf: shelf.map(Path::to_owned),
        insecure: false,
    };
    Settings { issuer: issuer(name), source: KeySource::Fetched(Box::new(plan)), revoked: None }
}

/// A clock that goes with the played time.
fn clock(began: Instant) -> Clock {
    Clock::Given(Arc::new(move || UnixSeconds::new(NOW + began.elapsed().as_secs_f64()).unwrap()))
}

/// All that a test handles.
struct Stage {
    played: Arc<Played>,
    told: Told,
    /// Of the issuer that is there from the first.
    meters: Arc<KeyMeters>,
    keeper: Keeper,
    courier: Courier,
}

/// Runs a script beside a keeper of one issuer `idp`.
async fn play(answer: Answer, shelf: Option<&Path>, script: impl AsyncFnOnce(Stage)) {
    let began = Instant::now();
    let (courier, errands) = Courier::new(Duration::from_secs(6));
    let meters = Arc::new(KeyMeters::default());
    let own = Arc::clone(&meters);
    let of = move |name: &str| if name == "idp" { Arc::clone(&own) } else { Arc::default() };
    let keeper = Keeper::new(&[settings("idp", shelf)], clock(began), of);
    let (played, told) = (Arc::new(Played::default()), Told::default());
    played.does(answer);
    let asked = Arc::clone(&played);
    let stage = Stage { played, told: told.clone(), keeper: keeper.clone(), courier, meters };
    tokio::select! {
        () = keeper.run(errands, told.hooks(), |_| Arc::clone(&asked).bring(began)) => unreachable!("it runs for ever"),
        () = script(stage) => {}
    }
}

fn good(kid: &'static str) -> Answer {
    Answer { kid: Some(kid), ..Answer::default() }
}

async fn seconds(seconds: f64) {
    sleep(Duration::from_secs_f64(seconds)).await;
}

fn gaps(asked: &[f64]) -> Vec<f64> {
    asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_at_once_and_refreshed_before_they_are_old() {
    for (fresh, least, most) in
        [(None, 540.0, 600.0), (Some(60), 54.0, 60.0), (Some(0), 9.0, 10.0), (Some(9999), 540.0, 600.0)]
    {
        play(Answer { fresh, ..good("a") }, None, async |stage| {
            seconds(0.1).await;
            assert_eq!((stage.told.kids("idp"), stage.told.warning("idp")), ("a".into(), "".into()));
            stage.played.does(Answer { fresh, ..good("b") });
            seconds(3000.0).await;
            assert_eq!(stage.told.kids("idp"), "b");
            let gaps = gaps(&stage.played.asked());
            assert!(
                gaps.len() >= 4 && gaps.iter().all(|gap| (least..=most + 0.01).contains(gap)),
                "{fresh:?}: {gaps:?}"
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_fetch_is_tried_again_ever_more_seldom_and_takes_nothing_away() {
    play(good("a"), None, async |stage| {
        seconds(1.0).await;
        stage.played.does(Answer::default());
        seconds(3500.0).await;
        let asked = stage.played.asked();
        let gaps = gaps(&asked[1..]);
        for (gap, expected) in gaps.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 600.0]) {
            assert!((expected * 0.8..=expected + 0.01).contains(gap), "{gaps:?}");
        }
        assert!(gaps.len() >= 10, "{gaps:?}");
        assert_eq!(stage.told.kids("idp"), "a");
        let warning = stage.told.warning("idp");
        assert!(warning.contains("58 min old") && warning.contains("it answered 500"), "{warning}");
        seconds(200.0).await;
        assert!(stage.told.warning("idp").contains("too old to be used"), "{}", stage.told.warning("idp"));
        assert!(!stage.told.standing.borrow()["idp"].as_ref().unwrap().supplied);
        stage.played.does(good("b"));
        seconds(601.0).await;
        assert_eq!((stage.told.kids("idp"), stage.told.warning("idp")), ("b".into(), "".into()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_there_is_one_fetch_a_pause() {
    play(good("a"), None, async |stage| {
        seconds(1.0).await;
        stage.played.does(Answer { takes: 1.0, ..good("b") });
        let ask = || async { stage.courier.fetch(vec!["idp".into()]).await };
        let all = async {
            for _ in 0..40 {
                let many = (0..25).map(|_| ask());
                for asked in many {
                    let mut asked = std::pin::pin!(asked);
                    // Begun and not waited for: its client goes away.
                    let _ = tokio::time::timeout(Duration::ZERO, &mut asked).await;
                }
                seconds(0.2).await;
            }
        };
        let first = async {
            assert_eq!(ask().await, Ok(()));
            assert_eq!(stage.told.kids("idp"), "b", "who waits is told when it is in force");
        };
        tokio::join!(first, all);
        assert_eq!(stage.played.asked().len(), 2, "{:?}", stage.played.asked());
        let before = Instant::now();
        assert_eq!((ask().await, before.elapsed()), (Ok(()), Duration::ZERO), "within the pause nobody waits");
        seconds(10.0).await;
        assert_eq!(ask().await, Ok(()));
        assert_eq!(stage.played.asked().len(), 3);
        let Fetched { asked, good, .. } = stage.told.keys.borrow()["idp"].1;
        assert!(asked.is_some() && asked == good);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_joins_the_fetch_under_way() {
    play(Answer { takes: 2.0, ..good("a") }, None, async |stage| {
        seconds(1.0).await;
        let before = Instant::now();
        assert_eq!(stage.courier.fetch(vec!["idp".into(), "other".into()]).await, Ok(()));
        assert_eq!((before.elapsed(), stage.played.asked().len()), (Duration::from_secs(1), 1));
        assert_eq!(
            stage.told.keys.borrow()["idp"].1.asked,
            None,
            "a fetch that was due anyway does not begin the pause"
        );
        let nobody = stage.courier.fetch(vec!["other".into()]).await;
        assert_eq!((nobody, stage.played.asked().len()), (Ok(()), 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_asks_at_once_while_there_are_no_keys() {
    play(Answer::default(), None, async |stage| {
        seconds(100.0).await;
        let before = stage.played.asked().len();
        assert!(stage.told.warning("idp").contains("could not be fetched yet"), "{}", stage.told.warning("idp"));
        stage.played.does(good("a"));
        assert_eq!(stage.courier.fetch(vec!["idp".into()]).await, Ok(()));
        assert_eq!((stage.played.asked().len(), stage.told.kids("idp")), (before + 1, "a".into()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn strangers_change_nothing_about_what_is_tried_anyway() {
    play(Answer::default(), None, async |stage| {
        let own = async {
            seconds(2000.0).await;
        };
        let strangers = async {
            loop {
                assert_eq!(stage.courier.fetch(vec!["idp".into()]).await, Ok(()));
                seconds(0.5).await;
            }
        };
        tokio::select! { () = own => {}, () = strangers => {} }
        let asked = stage.played.asked().len();
        assert!((200..=215).contains(&asked), "one a pause and the tries of its own: {asked}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_hangs_is_waited_for_in_time() {
    play(Answer { takes: 60.0, ..good("a") }, None, async |stage| {
        let before = Instant::now();
        assert_eq!(stage.courier.fetch(vec!["idp".into()]).await, Err(InVain));
        assert_eq!(before.elapsed(), Duration::from_secs(6));
        seconds(60.0).await;
        assert_eq!(stage.told.kids("idp"), "a");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_a_failed_one() {
    play(Answer { panics: true, ..good("a") }, None, async |stage| {
        seconds(0.1).await;
        assert!(stage.told.warning("idp").contains("the fetch failed"));
        stage.played.does(good("a"));
        seconds(2.0).await;
        assert_eq!(stage.told.kids("idp"), "a");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_fetched_as_before_keeps_keys_and_times() {
    play(good("a"), None, async |stage| {
        seconds(1.0).await;
        stage.keeper.replace(&[settings("more", None), settings("idp", None)]);
        seconds(1.0).await;
        assert_eq!(stage.played.asked().len(), 2, "the new one alone is fetched");
        let mut slots = ["idp", "more"].map(|name| {
            let fetched = settings(name, None).plan().unwrap().unfetched();
            IssuerSlot::supplied(Arc::new(issuer(name)), None, Supply::Fetched(fetched))
        });
        stage.keeper.furnish(&mut slots);
        assert!(slots.iter().all(|slot| slot.keys(UnixSeconds::new(NOW + 2.0).unwrap()).is_some()));
        let mut other = settings("idp", None);
        if let KeySource::Fetched(plan) = &mut other.source {
            plan.refresh = Duration::from_secs(60);
        }
        stage.keeper.replace(std::slice::from_ref(&other));
        seconds(1.0).await;
        assert_eq!(stage.played.asked().len(), 3, "it is fetched otherwise now");
        assert_eq!(stage.told.standing.borrow()["more"], None, "it is gone");
        let age = || stage.meters.age(UnixSeconds::new(NOW + 3.0).unwrap());
        assert_eq!(age().map(f64::round), Some(1.0));
        stage.keeper.replace(&[]);
        assert_eq!(age(), None, "nobody asks how old keys are that are not kept");
        seconds(1e4).await;
        assert_eq!((stage.played.asked().len(), stage.told.standing.borrow()["idp"].clone()), (3, None));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_fetched_at_other_times_keeps_its_keys_and_from_elsewhere_does_not() {
    type Change = fn(&mut Plan);
    let changed = |change: Change| {
        let mut other = settings("idp", None);
        if let KeySource::Fetched(plan) = &mut other.source {
            change(plan);
        }
        other
    };
    let origin: Change = |plan| plan.origin = Origin::Url(Address::parse("https://other.example/", false).unwrap());
    for (name, change, kept) in [
        ("refresh", (|plan| plan.refresh = Duration::from_secs(60)) as Change, true),
        ("pause", |plan| plan.pause = Duration::from_secs(5), true),
        ("fetch_timeout", |plan| plan.timeout = Duration::from_secs(7), true),
        ("stale", |plan| plan.stale = Duration::from_secs(86_400), true),
        ("url", origin, false),
        ("algorithms", |plan| plan.wanted = Some(AlgorithmSet::default()), false),
        ("ca", |plan| plan.ca = Some("ca.pem".into()), false),
        ("insecure_http", |plan| plan.insecure = true, false),
    ] {
        play(good("a"), None, async |stage| {
            seconds(1.0).await;
            stage.played.does(Answer::default());
            let other = changed(change);
            stage.keeper.replace(std::slice::from_ref(&other));
            let fetched = other.plan().unwrap().unfetched();
            let mut slots = [IssuerSlot::supplied(Arc::new(issuer("idp")), None, Supply::Fetched(fetched))];
            stage.keeper.furnish(&mut slots);
            assert_eq!(slots[0].keys(UnixSeconds::new(NOW + 1.0).unwrap()).is_some(), kept, "{name}");
            assert_eq!(
                slots[0].supply(),
                Supply::Fetched(Fetched { good: kept.then(|| UnixSeconds::new(NOW).unwrap()), ..fetched })
            );
            seconds(0.1).await;
            assert_eq!(stage.played.asked().len(), 2, "{name}: it is fetched anew");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_after_what_replaces_an_issuer_is_in_force() {
    play(Answer { takes: 100.0, ..good("a") }, None, async |stage| {
        let mut ask = std::pin::pin!(stage.courier.fetch(vec!["idp".into()]));
        tokio::select! {
            biased;
            told = &mut ask => panic!("nothing was fetched yet: {told:?}"),
            () = seconds(1.0) => {}
        }
        stage.keeper.replace(&[]);
        // As long as this turn lasts, the epoch of before is in force.
        let waits = std::future::poll_fn(|cx| std::task::Poll::Ready(ask.as_mut().poll(cx).is_pending()));
        assert!(waits.await, "it would be judged by what was");
        assert_eq!(ask.await, Ok(()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_shelf_bridges_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("idp.json");
    let usable = |later: f64| {
        let clock = Clock::fixed(UnixSeconds::new(NOW + later).unwrap());
        let keeper = Keeper::new(&[settings("idp", Some(&path))], clock.clone(), |_| Arc::default());
        let fetched = settings("idp", None).plan().unwrap().unfetched();
        let mut slots = [IssuerSlot::supplied(Arc::new(issuer("idp")), None, Supply::Fetched(fetched))];
        keeper.furnish(&mut slots);
        slots[0].keys(clock.now()).is_some()
    };
    assert!(!usable(0.0));
    play(good("a"), Some(&path), async |stage| {
        while !path.exists() {
            seconds(0.1).await;
        }
        assert_eq!(stage.told.warning("idp"), "");
    })
    .await;
    assert!(usable(10.0) && usable(3599.0) && !usable(3601.0));
    assert!(usable(-7200.0), "a clock that was set back");
    let kept = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, kept.replace("OKP", "oct")).unwrap();
    assert!(!usable(10.0), "what lies there is checked as if it had been fetched");
    std::fs::write(&path, kept.replace("idp.example", "idp.example.org")).unwrap();
    assert!(!usable(10.0), "the keys of somebody else");
}

#[tokio::test(start_paused = true)]
async fn a_shelf_that_cannot_be_written_is_a_warning_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    play(good("a"), Some(&folder.path().join("none/idp.json")), async |stage| {
        while stage.told.warning("idp").is_empty() {
            seconds(0.1).await;
        }
        assert_eq!(stage.told.kids("idp"), "a");
        assert!(stage.told.warning("idp").contains("cannot be written"), "{}", stage.told.warning("idp"));
        std::fs::create_dir(folder.path().join("none")).unwrap();
        seconds(600.0).await;
        while !stage.told.warning("idp").is_empty() {
            seconds(0.1).await;
        }
        assert!(folder.path().join("none/idp.json").exists());
    })
    .await;
}
