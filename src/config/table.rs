//! A table of the file, read key by key.
//!
//! What a table is asked for is what it knows; everything else in it is complained of when it is closed.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Notes;
use super::near::{nearest, suggestion};
use super::reader::{At, Field, Node, Read, written};
use super::{foreign, known, raw};

/// Keys of a table that are compared with known ones; one that has more is no table of ours.
const MOST_COMPARED: usize = 1000;

/// A table of the file, read key by key.
pub(super) struct Table<'a, 'i, 'n, 't> {
    entries: &'a DeTable<'i>,
    name: String,
    known: Vec<&'static str>,
    /// Keys of later versions, which were complained of.
    later: Vec<&'static str>,
    /// Whether what stands in it may be a secret, unknown keys among it.
    secretive: bool,
    notes: &'n mut Notes<'t>,
}

impl<'a, 'i, 'n, 't> Table<'a, 'i, 'n, 't> {
    /// The whole file.
    pub(super) fn root(entries: &'a DeTable<'i>, notes: &'n mut Notes<'t>) -> Self {
        Self { entries, name: String::new(), known: Vec::new(), later: Vec::new(), secretive: false, notes }
    }

    /// The table that a value is, or a complaint.
    pub(super) fn open(node: &Node<'a, 'i>, notes: &'n mut Notes<'t>) -> Option<Self> {
        match node.value {
            DeValue::Table(entries) => Some(Self {
                entries,
                name: node.name.clone(),
                known: Vec::new(),
                later: Vec::new(),
                secretive: false,
                notes,
            }),
            _ => node.unexpected("a table", notes),
        }
    }

    /// A table that says where a secret is: what it holds may be one, and its unknown keys are not told.
    pub(super) fn secretive(self) -> Self {
        Self { secretive: true, ..self }
    }

    /// Reads a key that the table knows. One that is absent while another was written for it is wrong, not absent: that
    /// it is missing must not be said, since the complaint about the other says what to do.
    pub(super) fn take<T: Read>(&mut self, key: &'static str) -> Field<T> {
        self.known.push(key);
        let Some(value) = self.entries.get(key) else {
            return self.meant_for(key).or_else(|| self.slipped(key)).map_or(Field::Absent, Field::Wrong);
        };
        let node = Node::new(value, self.path(key));
        match T::read(&node, self.notes) {
            Some(value) => Field::Given(At { value, span: node.span }),
            None => Field::Wrong(node.span),
        }
    }

    /// Refuses keys that mean something, but not in this version.
    pub(super) fn later(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.later.push(key);
            if let Some((found, _)) = self.entries.get_key_value(*key) {
                let advice = match *key {
                    "introspection" => "only signed tokens can be checked: name the keys by `secret`, `pem` or `jwks`",
                    "client_ca" if self.kind() == "admin" => "write token = { file = \"FILE\" }",
                    "certificate" => "write cert = \"FILE\" and key = \"FILE\" below [tls]; one pair is taken",
                    _ => "leave it out",
                };
                self.notes.error(&found.span(), self.path(key), "not in this version yet", advice);
            }
        }
    }

    /// The place of a key that was written instead of this one: misspelt, or as other programs call it.
    fn meant_for(&self, key: &str) -> Option<Range<usize>> {
        let meant = |word: &str| match foreign::hint(self.kind(), word) {
            Some((meant, _)) => meant == key,
            None => nearest(word, [key]).is_some() && !known::in_table(self.kind(), word),
        };
        self.entries.keys().take(MOST_COMPARED).find(|word| meant(word.get_ref())).map(Spanned::span)
    }

    /// The place of a key of the top level that slipped below the header of a table. Where it means something else
    /// there, that is complained of; where it does not, the table will complain.
    fn slipped(&mut self, key: &str) -> Option<Range<usize>> {
        if !self.name.is_empty() || !raw::TOP_LEVEL.contains(&key) {
            return None;
        }
        let find = |(table, value): (&'a Spanned<Cow<'i, str>>, &'a Spanned<DeValue<'i>>)| {
            below(value.get_ref(), key).map(|found| (table.get_ref(), found))
        };
        let (table, found) = self.entries.iter().find_map(find)?;
        if matches!((&**table, key), ("admin" | "desk" | "ask", "listen") | ("route", "upstream")) {
            let table = if table == "route" { format!("[[{table}]]") } else { format!("[{table}]") };
            let problem = format!("is missing: this one belongs to {table}, where it means something else");
            let advice = format!("write {key} = \"…\" also at the top of the file, above the first [table]");
            self.notes.error(&found, key, problem, advice);
        }
        Some(found)
    }

    /// What kind of table it is: the last part of its name that the file format chose.
    fn kind(&self) -> &str {
        let last = self.name.rsplit('.').next().unwrap_or_default();
        match last {
            "upstream" | "forward" | "jwks" | "revoked" => last,
            _ if self.secretive => "secret",
            _ => self.name.split(['.', ' ']).next().unwrap_or_default(),
        }
    }

    /// Complains of every key that was not asked for.
    pub(super) fn close(self) {
        let told = |key: &&str| self.known.contains(key) || self.later.contains(key);
        let unknown = self.entries.keys().filter(|key| !told(&&**key.get_ref()));
        for (at, key) in unknown.enumerate() {
            let word = key.get_ref();
            let misplaced = !self.name.is_empty() && raw::TOP_LEVEL.contains(&&**word);
            let advice = if let Some((_, advice)) = foreign::hint(self.kind(), word) {
                advice.to_owned()
            } else if misplaced {
                format!("{word} belongs to the top of the file: move it above the first [table]")
            } else if at >= MOST_COMPARED {
                String::from("leave it out")
            } else if let Some(near) = nearest(word, self.known.iter().copied()) {
                format!("did you mean {near:?}?")
            } else if let Some(owner) = self.owner(word) {
                format!("{word} belongs to {owner}: write it below a line {owner}")
            } else {
                suggestion(word, self.known.iter().copied(), "known keys")
            };
            // What must stand in quotes is no likely key, and may be a text that slipped.
            let untold = self.secretive || matches!(written(word), Cow::Owned(_));
            let name = if untold { self.name.clone() } else { self.path(word) };
            self.notes.error(&key.span(), name, "unknown key", advice);
        }
    }

    /// The header of the one kind of table that has that key, where this kind has not.
    fn owner(&self, word: &str) -> Option<&'static str> {
        const HEADERS: [(&str, &str); 14] = [
            ("tls", "[tls]"),
            ("limits", "[limits]"),
            ("paths", "[paths]"),
            ("answers", "[answers]"),
            ("cors", "[cors]"),
            ("forwarded", "[forwarded]"),
            ("admin", "[admin]"),
            ("log", "[log]"),
            ("drain", "[drain]"),
            ("memo", "[memo]"),
            ("upstream", "[upstream]"),
            ("issuer", "[issuer.NAME]"),
            ("route", "[[route]]"),
            ("test", "[[test]]"),
        ];
        let mut owners = HEADERS.iter().filter(|(kind, _)| *kind != self.kind() && known::in_table(kind, word));
        let owner = owners.next().filter(|_| !self.secretive)?;
        owners.next().is_none().then_some(owner.1)
    }

    fn path(&self, key: &str) -> String {
        let key = written(key);
        if self.name.is_empty() { key.into_owned() } else { format!("{}.{key}", self.name) }
    }
}

/// The place of a key in a table, in the tables in it, or in those of a list.
fn below(value: &DeValue<'_>, key: &str) -> Option<Range<usize>> {
    match value {
        DeValue::Table(entries) => {
            let own = entries.get_key_value(key).map(|(found, _)| found.span());
            own.or_else(|| entries.iter().find_map(|(_, inner)| below(inner.get_ref(), key)))
        }
        DeValue::Array(list) => list.iter().find_map(|inner| below(inner.get_ref(), key)),
        _ => None,
    }
}
