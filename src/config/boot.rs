//! What a running process cannot change: it takes a restart.
//!
//! A setting counts as changed where the file says it differently and that makes a difference. A host name that has
//! another address today, or a machine with another number of cores, is no change of the file.

use std::ops::Range;

use toml::de::DeTable;

use super::diagnostic::{Notes, Report};
use super::effective::Written;
use super::raw::File;
use super::reader::Field;
use super::source::Source;
use super::{Config, raw};

/// The settings that are looked at once, at the start, as they are written.
#[derive(Clone, Debug)]
pub(super) struct Boot {
    listen: Vec<String>,
    workers: Option<usize>,
    admin: Option<String>,
    probes: Option<String>,
    /// Where the token is. What it is may change, as with every secret that stands in a file.
    token: Option<Source>,
    ready_without_keys: Option<bool>,
}

impl Boot {
    /// Takes them down.
    pub(super) fn of(file: &File) -> Self {
        let listen = file.listen.get().map(|many| many.0.as_slice()).unwrap_or_default();
        let admin = file.admin.get().cloned().unwrap_or_default();
        Self {
            listen: listen.iter().map(|one| one.value.clone()).collect(),
            workers: file.workers.get().copied(),
            admin: admin.listen.get().cloned(),
            probes: admin.probes.get().cloned(),
            token: admin.token.get().cloned(),
            ready_without_keys: admin.ready_without_keys.get().copied(),
        }
    }
}

/// A setting that takes a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Listen,
    Workers,
    Admin,
    Probes,
    Token,
    ReadyWithoutKeys,
}

impl Setting {
    /// As complaints call it.
    fn key(self) -> &'static str {
        match self {
            Setting::Listen => "listen",
            Setting::Workers => "workers",
            Setting::Admin => "admin.listen",
            Setting::Probes => "admin.probes",
            Setting::Token => "admin.token",
            Setting::ReadyWithoutKeys => "admin.ready_without_keys",
        }
    }

    /// Where it stands; where it does not, the file as a whole is meant.
    fn span(self, file: &File) -> Range<usize> {
        fn of<T>(field: &Field<T>) -> Option<Range<usize>> {
            field.span().cloned()
        }
        let admin = file.admin.get();
        let span = match self {
            Setting::Listen => of(&file.listen),
            Setting::Workers => of(&file.workers),
            Setting::Admin => admin.and_then(|admin| of(&admin.listen)),
            Setting::Probes => admin.and_then(|admin| of(&admin.probes)),
            Setting::Token => admin.and_then(|admin| of(&admin.token)),
            Setting::ReadyWithoutKeys => admin.and_then(|admin| of(&admin.ready_without_keys)),
        };
        span.unwrap_or(0..0)
    }
}

impl Config {
    /// Whether a process that runs by this config can go over to `newer`.
    ///
    /// # Errors
    /// A complaint for each setting of `newer` that takes a restart.
    pub fn can_become(&self, newer: &Config) -> Result<(), Report> {
        let changed = self.changed(newer);
        if changed.is_empty() {
            return Ok(());
        }
        let Written { text, file } = &newer.written;
        let mut notes = Notes::new(text.expose(), file);
        let (tree, _) = DeTable::parse_recoverable(text.expose());
        let raw = raw::File::read(tree.get_ref(), &mut Notes::new(text.expose(), file));
        for setting in changed {
            let problem = "has changed, and a running process cannot change it";
            let advice = "restart waxseal to take the file, or put this setting back to take the rest of it now";
            notes.error(&setting.span(&raw), setting.key(), problem, advice);
        }
        notes.finish().map(drop)
    }

    fn changed(&self, newer: &Config) -> Vec<Setting> {
        let (old, new, was, is) = (&self.boot, &newer.boot, &self.admin, &newer.admin);
        let all = [
            (Setting::Listen, old.listen != new.listen && self.net.listen != newer.net.listen),
            (Setting::Workers, old.workers != new.workers && self.net.workers != newer.net.workers),
            (Setting::Admin, old.admin != new.admin && was.listen != is.listen),
            (Setting::Probes, old.probes != new.probes && was.probes != is.probes),
            (Setting::Token, old.token != new.token && was.token != is.token),
            (
                Setting::ReadyWithoutKeys,
                old.ready_without_keys != new.ready_without_keys && was.ready_without_keys != is.ready_without_keys,
            ),
        ];
        all.into_iter().filter_map(|(setting, changed)| changed.then_some(setting)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    const BEFORE: &str = "listen = \"127.0.0.1:8080\"\nworkers = 2\nupstream = \"http://127.0.0.1:8081\"\nunmatched = \"open\"\n\
                          [admin]\nlisten = \"127.0.0.1:9090\"\ntoken = { env = \"A\" }\n";

    fn config(text: &str, token: &str) -> Config {
        let env = |_: &str| Some(token.to_owned());
        parse(text, Path::new("config.toml"), &env).unwrap_or_else(|report| panic!("{report}"))
    }

    /// What is complained of where a part of the config becomes another.
    fn complaints(found: &str, instead: &str) -> Vec<(usize, String)> {
        assert!(BEFORE.contains(found), "{found}");
        let after = config(&BEFORE.replacen(found, instead, 1), "secret-of-the-operator");
        match config(BEFORE, "secret-of-the-operator").can_become(&after) {
            Ok(()) => Vec::new(),
            Err(report) => report.diagnostics.into_iter().map(|told| (told.line, told.key)).collect(),
        }
    }

    #[test]
    fn a_change_of_what_is_looked_at_once_takes_a_restart() {
        for (found, instead, line, key) in [
            ("8080", "8082", 1, "listen"),
            ("\"127.0.0.1:8080\"", "[\"127.0.0.1:8080\", \"127.0.0.1:8082\"]", 1, "listen"),
            ("workers = 2", "workers = 3", 2, "workers"),
            ("9090", "9091", 6, "admin.listen"),
            ("[admin]", "[admin]\nprobes = \"127.0.0.1:9091\"", 6, "admin.probes"),
            ("{ env = \"A\" }", "{ text = \"another-secret\" }", 7, "admin.token"),
            ("token = { env = \"A\" }\n", "", 1, "admin.token"),
            ("[admin]", "[admin]\nready_without_keys = false", 6, "admin.ready_without_keys"),
        ] {
            assert_eq!(complaints(found, instead), [(line, key.to_owned())], "{instead}");
        }
        let all = complaints("listen = \"127.0.0.1:8080\"\nworkers = 2", "listen = \"127.0.0.1:1\"\nworkers = 1");
        assert_eq!(all, [(1, "listen".to_owned()), (2, "workers".to_owned())]);
    }

    #[test]
    fn everything_else_can_be_changed_while_it_runs() {
        let (found, rest) = (
            "unmatched = \"open\"\n",
            "[limits]\nconnections = 7\nbody_size = \"1MiB\"\n[paths]\nstrict = true\n\
            [answers]\nstyle = \"hotwax\"\n[cors]\norigins = [\"https://a.example\"]\n[forwarded]\ntrust = [\"unix\"]\n\
            [log]\nlevel = \"debug\"\nformat = \"text\"\naccess = false\n[drain]\ntimeout = \"1s\"\n[memo]\nentries = 0\n\
            [[route]]\npath = \"/a\"\naccess = \"deny\"\n",
        );
        assert_eq!(complaints(found, &format!("unmatched = \"deny\"\n{rest}")), []);
        assert_eq!(complaints("8081", "8083"), []);
    }

    #[test]
    fn the_same_in_other_words_is_no_change() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for (found, instead) in [
            ("\"127.0.0.1:8080\"", "[\"127.0.0.1:8080\"]"),
            ("listen = \"127.0.0.1:9090\"\n", ""),
            ("[admin]", "[admin]\nready_without_keys = true"),
            ("{ env = \"A\" }", "{ env = \"B\" }"),
        ] {
            assert_eq!(complaints(found, instead), [], "{instead}");
        }
        let (set, unset) = (format!("workers = {cores}"), BEFORE.replace("workers = 2\n", ""));
        config(&unset, "token").can_become(&config(&BEFORE.replace("workers = 2", &set), "token")).unwrap();
    }

    #[test]
    fn what_the_operators_token_is_may_change_where_it_stands_elsewhere() {
        config(BEFORE, "one").can_become(&config(BEFORE, "another")).unwrap();
    }

    #[test]
    fn a_complaint_says_restart_and_shows_no_token() {
        let after = BEFORE.replace("{ env = \"A\" }", "{ text = \"swordfish\" }");
        let told = config(BEFORE, "sailfish").can_become(&config(&after, "")).unwrap_err().to_string();
        assert!(
            told.starts_with("config.toml:7:") && told.contains("admin.token") && told.contains("restart"),
            "{told}"
        );
        assert!(!told.contains("fish"), "{told}");
    }
}
