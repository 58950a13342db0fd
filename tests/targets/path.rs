//! Paths and patterns: the readings and the routes against the models of both.

use std::collections::BTreeMap;

use waxseal::decision::memo::Memo;
use waxseal::decision::path::Readings;
use waxseal::decision::policy::Policy;
use waxseal::decision::rejection::Code;
use waxseal::decision::route::{Pattern, Route, RouteTable};

use super::made::{NOW, Outcome, any_token_of, issuer, judge, request, route, snapshot};
use super::model::readings::readings;
use super::model::table::{Access, Fate, Rule, fate};

/// The longest path that the model, which tries everything, can be asked about.
const LONGEST: usize = 48;

/// The first line is a path. Each line after it is a rule: what it does, then its pattern.
pub fn body(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let path = lines.next().unwrap_or_default();
    if path.len() > LONGEST {
        let _ = Readings::of(path);
        return;
    }
    agree(path);
    let rules = lines.take(6).filter_map(|line| {
        let access = match line.chars().next()? {
            'o' => Access::Open,
            'd' => Access::Deny,
            'p' => Access::Protected,
            _ => return None,
        };
        Some(Rule { pattern: line[1..].to_owned(), access })
    });
    let rules: Vec<Rule> = rules.filter(|rule| rule.pattern.len() <= LONGEST).collect();
    for unmatched in [Access::Open, Access::Protected] {
        same_fate(path, &rules, unmatched);
    }
}

/// waxseal and the model read the path alike.
pub fn agree(path: &str) {
    let own: Option<BTreeMap<String, bool>> = match Readings::of(path) {
        Ok(readings) => Some(readings.iter().map(|(text, only)| (text.to_owned(), only)).collect()),
        Err(rejection) => {
            assert_eq!(rejection.code(), Code::PathAmbiguous);
            None
        }
    };
    assert_eq!(own, readings(path).ok(), "{path}");
}

/// waxseal and the model come to the same verdict, where the rules make a table.
pub fn same_fate(path: &str, rules: &[Rule], unmatched: Access) {
    let policy = |access| match access {
        Access::Open => Policy::Open,
        Access::Deny => Policy::Deny,
        Access::Protected => Policy::Require(any_token_of(&[0])),
    };
    let of = |rule: &Rule| -> Option<Route> {
        let pattern = Pattern::parse(&rule.pattern, rule.access == Access::Open).ok()?;
        Some(Route { patterns: vec![pattern], ..route("/", policy(rule.access)) })
    };
    let Some(routes) = rules.iter().map(of).collect::<Option<Vec<Route>>>() else { return };
    if RouteTable::build(routes.clone()).is_err() {
        return;
    }
    let whole = |path_of: &str| path_of == path && path.starts_with('/');
    let Some(request) = request("POST", path, None).filter(|request| whole(request.uri().path())) else { return };
    let snapshot = snapshot(routes, policy(unmatched), vec![issuer("i", &[], &[0], 0.0)]);
    let own = match judge(&request, &snapshot, &mut Memo::off(), NOW) {
        Outcome::Passes { .. } => Fate::Passes,
        Outcome::Refused(Code::CredentialMissing) => Fate::AsksForToken,
        Outcome::Refused(Code::RouteDenied) => Fate::Denied,
        Outcome::Refused(Code::PathAmbiguous) => Fate::Refused,
        Outcome::Refused(other) => panic!("{other} for {path}"),
    };
    assert_eq!(own, fate(path, rules, unmatched), "{path} under {rules:?} and {unmatched:?}");
}
