//! Reads the tree of a TOML file into typed fields, each with its place.
//!
//! Nothing here stops at a complaint: a field that cannot be read is [`Field::Wrong`], and reading goes on. Tables
//! are read in `table`.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::Notes;
use super::known;
use super::near::nearest;
use super::quantity::{Size, Time};
pub(super) use super::table::Table;

/// A value and the bytes of the file where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands.
    pub(super) span: Range<usize>,
}

/// One setting of the file.
#[derive(Clone, Debug, Default)]
pub(super) enum Field<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is there and could not be read; that was complained of.
    Wrong(Range<usize>),
    /// It is there.
    Given(At<T>),
}

impl<T> Field<T> {
    /// The value, where there is one.
    pub(super) fn get(&self) -> Option<&T> {
        self.at().map(|at| &at.value)
    }

    /// The value and its place, where there is one.
    pub(super) fn at(&self) -> Option<&At<T>> {
        match self {
            Field::Given(at) => Some(at),
            Field::Absent | Field::Wrong(_) => None,
        }
    }

    /// Where it stands, readable or not; `None`: nowhere.
    pub(super) fn span(&self) -> Option<&Range<usize>> {
        match self {
            Field::Absent => None,
            Field::Wrong(span) => Some(span),
            Field::Given(at) => Some(&at.span),
        }
    }

    /// Whether the file says nothing.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }
}

impl<T: Copy> Field<T> {
    /// The value, or `default`.
    pub(super) fn or(&self, default: T) -> T {
        self.get().copied().unwrap_or(default)
    }
}

/// A value of the tree, with its place and the name by which a person finds it.
pub(super) struct Node<'a, 'i> {
    pub(super) value: &'a DeValue<'i>,
    pub(super) span: Range<usize>,
    pub(super) name: String,
}

impl<'a, 'i> Node<'a, 'i> {
    /// A value of the tree under a name.
    pub(super) fn new(value: &'a Spanned<DeValue<'i>>, name: String) -> Self {
        Self { value: value.get_ref(), span: value.span(), name }
    }

    /// Complains that another kind of value was expected. The value itself is never told: it may be a secret.
    pub(super) fn unexpected<T>(&self, expected: &str, notes: &mut Notes<'_>) -> Option<T> {
        let advice = instead(self.value, &self.name, expected);
        notes.error(&self.span, &*self.name, format!("expected {expected}, found {}", kind(self.value)), advice);
        None
    }

    /// The last part of its name: the key as it stands in its table.
    fn key(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

/// What to write instead of a value of another kind.
fn instead(value: &DeValue<'_>, name: &str, expected: &str) -> String {
    let key = name.rsplit('.').next().unwrap_or_default();
    match (expected, value) {
        ("text", DeValue::Integer(port)) if key == "listen" && name == key => {
            format!("write listen = \"0.0.0.0:{port}\"")
        }
        ("text", DeValue::Array(_)) => format!("write one text: {key} = \"…\""),
        ("text", DeValue::Table(_)) => format!("write a text: {key} = \"…\""),
        ("text", _) => format!("put it in quotes: {key} = \"…\""),
        ("true or false", DeValue::String(_)) => format!("leave the quotes out: {key} = true"),
        ("true or false", _) => format!("write {key} = true or {key} = false"),
        ("a whole number", DeValue::String(text)) if is_number(text) => format!("leave the quotes out: {key} = {text}"),
        ("a whole number", _) => whole_number(key),
        ("a table", _) if name == "issuer" => String::from("write a line [issuer.NAME], and its settings below it"),
        ("a table", _) if name == key => format!("write a line [{key}], and its settings below it"),
        ("a table", DeValue::Array(_)) if name.starts_with("issuer.") && name.matches('.').count() == 1 => {
            format!("write [{name}], with one bracket on each side")
        }
        ("a table", _) => format!("write {key} = {}", table_like(key)),
        (_, DeValue::Table(_)) if expected.ends_with("]]") => {
            format!("write [[{key}]], with two brackets, above each {key}")
        }
        _ if expected.starts_with("`{ file") => format!("write {key} = {{ file = \"FILE\" }}"),
        // Words to choose from, none of which is put forward.
        _ if expected.starts_with('"') => String::from(CHOOSE),
        _ => format!("write {key} = {}", example(expected)),
    }
}

/// Whether a text is a number in quotes; nothing else is told.
fn is_number(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What to write for a number.
fn whole_number(key: &str) -> String {
    format!("write a number: {key} = {}", if key == "workers" { "4" } else { "100" })
}

/// A table as that setting has it.
fn table_like(key: &str) -> &'static str {
    match key {
        "rate" => "{ per = \"subject\", requests = 100, window = \"1s\" }",
        "forward" => "{ claims = { X-Auth-User = \"sub\" } }",
        "claims" => "{ X-Auth-User = \"sub\" }",
        "claim" => "{ role = [\"admin\"] }",
        _ => "{ NAME = \"…\" }",
    }
}

/// What to do where a word is none of those that are known.
const CHOOSE: &str = "choose one of these words, in quotes";

/// The example in what is expected: from the first quote or backtick on, or all of it.
fn example(expected: &str) -> &str {
    let first = expected.split(" or ").next().unwrap_or(expected);
    first.find('"').and_then(|at| first.get(at..)).unwrap_or(first).trim_matches('`')
}

/// What a TOML value is, in a word.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// What can be read from a value of the tree.
pub(super) trait Read: Sized {
    /// Reads it, or complains and gives `None`.
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self>;
}

impl Read for String {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        match node.value {
            DeValue::String(text) => Some(text.to_string()),
            _ => node.unexpected("text", notes),
        }
    }
}

impl Read for bool {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        node.value.as_bool().or_else(|| node.unexpected("true or false", notes))
    }
}

impl Read for usize {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let number = node.value.as_integer().map(|number| usize::from_str_radix(number.as_str(), number.radix()));
        match number {
            Some(Ok(number)) => Some(number),
            Some(Err(_)) => {
                // What does not fit is negative or endless, and no secret: a number is asked for.
                let found = node.value.as_integer().map(|number| number.as_str().to_owned()).unwrap_or_default();
                let problem = format!("expected a whole number from 0 up, found {found:.24}");
                notes.error(&node.span, &*node.name, problem, whole_number(node.key()));
                None
            }
            None => node.unexpected("a whole number", notes),
        }
    }
}

impl Read for Time {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        quantity(node, notes, "a duration like \"30s\"", Time::parse)
    }
}

impl Read for Size {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        quantity(node, notes, "a size like \"64KiB\"", Size::parse)
    }
}

fn quantity<T>(
    node: &Node<'_, '_>,
    notes: &mut Notes<'_>,
    expected: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let key = node.key();
    match node.value {
        DeValue::String(text) => {
            let wrong = |problem: String| {
                let (problem, advice) = match problem.split_once(": write ") {
                    Some((problem, advice)) => (problem.to_owned(), format!("write {key} = {advice}")),
                    None => (problem, format!("write {key} = {}", example(expected))),
                };
                notes.error(&node.span, &*node.name, problem, advice);
            };
            parse(text).map_err(wrong).ok()
        }
        DeValue::Integer(number) => {
            // A number holds no secret here: what is asked for is a time or a size.
            let (unit, meaning) = if expected.contains("size") { ("B", "bytes") } else { ("s", "seconds") };
            let problem = format!("expected {expected}, found a number without a unit");
            let advice = format!("write {key} = \"{number}{unit}\" if {meaning} are meant");
            notes.error(&node.span, &*node.name, problem, advice);
            None
        }
        _ => node.unexpected(expected, notes),
    }
}

/// A value that is one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// The words and what they mean.
    const WORDS: &'static [(&'static str, Self)];
    /// What else people write, and the word for it. None that would let more pass than its author may have meant.
    const OTHERS: &'static [(&'static str, &'static str)] = &[];
}

impl<T: Choice> Read for T {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let words = T::WORDS.iter().map(|(word, _)| *word);
        let expected = either(words.clone());
        let Some(text) = node.value.as_str() else { return node.unexpected(&expected, notes) };
        let found = T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let lower = text.to_ascii_lowercase();
            let other = T::OTHERS.iter().find(|(other, _)| *other == lower).map(|(_, word)| *word);
            let advice = match other.or_else(|| nearest(text, words)) {
                Some(near) => format!("did you mean {near:?}?"),
                // None is put forward: which one is meant may decide who passes.
                None => String::from(CHOOSE),
            };
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            let plain = text.len() <= LONGEST_WORD && text.bytes().all(letter);
            let other = if plain { format!("{text:?}") } else { String::from("another text") };
            notes.error(&node.span, &*node.name, format!("expected {expected}, found {other}"), advice);
        }
        found
    }
}

/// What is longer is no slip of a word, and is not told.
const LONGEST_WORD: usize = 16;

/// Words to choose from: `"a", "b" or "c"`.
fn either<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

/// The schema of a [`Choice`].
pub(super) fn words<T: Choice>(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
    json_schema!({ "type": "string", "enum": words })
}

/// One value or a list of at least one.
#[derive(Clone, Debug, Default)]
pub(super) struct Many<T>(pub(super) Vec<At<T>>);

/// A list that may be empty; a single value is taken for a list of one.
#[derive(Clone, Debug, Default)]
pub(super) struct List<T>(pub(super) Vec<At<T>>);

impl<T: Read> Read for Many<T> {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        if node.value.as_array().is_some_and(|list| list.is_empty()) {
            notes.error(&node.span, &*node.name, "the list is empty", "name at least one, or leave the key out");
            return None;
        }
        List::read(node, notes).map(|list| Self(list.0))
    }
}

impl<T: Read> Read for List<T> {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let Some(list) = node.value.as_array() else {
            let value = T::read(node, notes)?;
            return Some(Self(vec![At { value, span: node.span.clone() }]));
        };
        let mut whole = true;
        let mut members = Vec::with_capacity(list.len());
        for member in list {
            let node = Node::new(member, node.name.clone());
            match T::read(&node, notes) {
                Some(value) => members.push(At { value, span: node.span }),
                None => whole = false,
            }
        }
        whole.then_some(Self(members))
    }
}

/// Values by names that the operator chooses, in the order of the file.
#[derive(Clone, Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, Field<T>)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Read> Read for Named<T> {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let Some(entries) = node.value.as_table() else { return node.unexpected("a table", notes) };
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        if nameless(&node.name, &entries) {
            let advice = format!("write [{0}.NAME] with a name of your choice for [{0}]", node.name);
            notes.error(&node.span, &*node.name, "the name is missing", advice);
            return None;
        }
        let read = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let name = At { value: key.get_ref().to_string(), span: key.span() };
            let node = Node::new(value, format!("{}.{}", node.name, written(&name.value)));
            let field = match T::read(&node, notes) {
                Some(value) => Field::Given(At { value, span: node.span }),
                None => Field::Wrong(node.span),
            };
            (name, field)
        };
        Some(Self(entries.into_iter().map(read).collect()))
    }
}

/// Whether the settings of one table stand where tables by name should be.
fn nameless(name: &str, entries: &[(&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)]) -> bool {
    let setting = |(key, value): &(&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let below = value.get_ref().as_table();
        known::in_table(name, key.get_ref())
            && below.is_none_or(|below| !below.keys().any(|inner| known::in_table(name, inner.get_ref())))
    };
    name == "issuer" && entries.iter().any(setting)
}

/// A key as it stands in a TOML file.
pub(super) fn written(key: &str) -> Cow<'_, str> {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { Cow::Borrowed(key) } else { Cow::Owned(format!("{key:?}")) }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

fn one_or_list<T: JsonSchema>(generator: &mut SchemaGenerator, least: usize) -> Schema {
    let one = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [one.clone(), { "type": "array", "items": one, "minItems": least }] })
}

impl<T: JsonSchema> JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMore{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        one_or_list::<T>(generator, 1)
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Any{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        one_or_list::<T>(generator, 0)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "propertyNames": { "minLength": 1 }, "additionalProperties": value })
    }
}
