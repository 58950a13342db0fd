//! Laws about lists of what was taken back: each against the plainest list there is, searched from end to end.

use std::sync::Arc;

use proptest::prelude::*;
use waxseal::decision::revocation::{Bits, DenyList, Entry, Mark, Marks, StatusList};
use waxseal::time::UnixSeconds;

use super::drawn::cases;

fn moment(seconds: i32) -> UnixSeconds {
    UnixSeconds::new(f64::from(seconds)).unwrap()
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b", "A"])
}

fn entry() -> impl Strategy<Value = Entry> {
    let mark = prop_oneof![
        name().prop_map(|id| Mark::Token(id.into())),
        name().prop_map(|id| Mark::Key(id.into())),
        (name(), 0..20_i32)
            .prop_map(|(subject, before)| Mark::Subject { subject: subject.into(), before: moment(before) }),
    ];
    (mark, prop::option::of(0..20_i32)).prop_map(|(mark, end)| Entry { mark, expires: end.map(moment) })
}

/// Whether an entry takes a token back, as the format says it.
fn speaks_of(entry: &Entry, marks: &Marks<'_>, leeway: f64, now: UnixSeconds) -> bool {
    let named = match &entry.mark {
        Mark::Token(id) => marks.token == Some(&**id),
        Mark::Key(id) => marks.key == Some(&**id),
        Mark::Subject { subject, before } => {
            marks.subject == &**subject && marks.issued_at.is_none_or(|issued| issued < *before)
        }
    };
    named && entry.expires.is_none_or(|end| now < end.plus(leeway))
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_deny_list_takes_back_what_one_of_its_entries_speaks_of(
        entries in prop::collection::vec(entry(), 0..12),
        token in prop::option::of(name()),
        subject in name(),
        issued in prop::option::of(0..20_i32),
        key in prop::option::of(name()),
        leeway in 0..5_u8,
        (loaded, now) in (0..25_i32, 0..25_i32),
    ) {
        let leeway = f64::from(leeway);
        let marks = Marks { token, subject, issued_at: issued.map(moment), key };
        let list = DenyList::new(entries.clone(), leeway, moment(loaded));
        let expected = entries.iter().any(|entry| speaks_of(entry, &marks, leeway, moment(now)));
        prop_assert_eq!(list.hit(&marks, leeway, moment(now)).is_some(), expected);
        prop_assert!(list.len() <= entries.len());
    }

    #[test]
    fn a_status_list_gives_back_what_was_packed(
        bits in prop::sample::select(vec![1_u8, 2, 4, 8]),
        drawn in prop::collection::vec(any::<u8>(), 0..40),
        beyond in 0..1000_u64,
    ) {
        let statuses: Vec<u8> = drawn.iter().map(|status| u8::try_from(u16::from(*status) % (1 << bits)).unwrap()).collect();
        let each = usize::from(8 / bits);
        let pack = |statuses: &[u8]| {
            u8::try_from(statuses.iter().rev().fold(0_u16, |byte, status| byte << bits | u16::from(*status))).unwrap()
        };
        let bytes: Arc<[u8]> = statuses.chunks(each).map(pack).collect();
        let list = StatusList::new("u", Bits::new(bits.into()).unwrap(), bytes, None);
        for (index, status) in statuses.iter().enumerate() {
            prop_assert_eq!(list.status(index as u64), Some(*status));
        }
        prop_assert_eq!(list.status(list.len() + beyond), None);
        prop_assert_eq!(list.len(), (statuses.len().div_ceil(each) * each) as u64);
    }
}
