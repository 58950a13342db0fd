//! The claims of a token (RFC 7519 section 4): read strictly, kept as JSON.
//!
//! A member that stands twice in an object is refused at any depth, because two readers could take different ones.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::rejection::{Code, Rejection};
use crate::time::UnixSeconds;

/// Where in the claims something stands: a member's name, or a JSON pointer (RFC 6901) when it begins with `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimPath(Box<str>);

impl ClaimPath {
    /// The path as the config writes it.
    pub fn new(path: &str) -> Self {
        Self(path.into())
    }

    /// As the config writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands there, if anything does.
    pub fn find<'c>(&self, claims: &'c Claims) -> Option<&'c Value> {
        if self.0.starts_with('/') { claims.0.pointer(&self.0) } else { claims.0.get(&*self.0) }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A JSON object without duplicate members.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Value);

impl Claims {
    /// Reads a JSON text that must be one object.
    ///
    /// # Errors
    /// Says what is wrong with it, without quoting it.
    pub fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let value = Strict.deserialize(&mut deserializer).map_err(|error| {
            if error.is_data() { "a member of its JSON stands twice" } else { "its JSON is broken" }
        })?;
        deserializer.end().map_err(|_| "something follows its JSON")?;
        if value.is_object() { Ok(Self(value)) } else { Err("its JSON is no object") }
    }

    /// All of them.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A registered claim that is a NumericDate (RFC 7519 section 2).
    ///
    /// # Errors
    /// `claim_malformed` where it is anything but a number.
    pub fn date(&self, name: &'static str) -> Result<Option<UnixSeconds>, Rejection> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let date = value.as_f64().and_then(UnixSeconds::new);
        date.map(Some).ok_or_else(|| malformed(name, "a number", value))
    }

    /// A claim that is text.
    ///
    /// # Errors
    /// `claim_malformed` where it is anything else.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, Rejection> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| malformed(name, "text", value))
    }

    /// A claim that is text or a list of text.
    ///
    /// # Errors
    /// `claim_malformed` where it is anything else.
    pub fn texts(&self, name: &'static str) -> Result<Vec<Box<str>>, Rejection> {
        let wrong = |value| malformed(name, "text or a list of text", value);
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.as_str().into()]),
            Some(list @ Value::Array(members)) => {
                members.iter().map(|member| member.as_str().map(Box::from).ok_or_else(|| wrong(list))).collect()
            }
            Some(other) => Err(wrong(other)),
        }
    }
}

/// `claim_malformed`, with what was expected and the kind of what was found.
pub(super) fn malformed(name: &str, expected: &str, found: &Value) -> Rejection {
    Rejection::new(Code::ClaimMalformed, format!("claim {name:?}: expected {expected}, found {}", kind(found)))
}

/// What a JSON value is, in a word.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Builds a [`Value`] and refuses a member that stands twice. `serde_json` bounds the depth.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number without end"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_element_seed(Strict)? {
            list.push(member);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        Claims::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn duplicate_members_are_refused_at_any_depth_and_however_they_are_spelt() {
        for json in [r#"{"a":1,"a":2}"#, r#"{"x":{"a":1,"a":1}}"#, r#"{"x":[{"a":1,"\u0061":2}]}"#] {
            assert_eq!(Claims::parse(json.as_bytes()), Err("a member of its JSON stands twice"), "{json}");
        }
    }

    #[test]
    fn only_one_whole_object_is_taken() {
        for json in
            ["", "[1]", "\"x\"", "7", "{}x", "{}{}", "{", "\u{feff}{}", "{\"a\":NaN}", "{\"a\":1e400}", "{'a':1}"]
        {
            assert!(Claims::parse(json.as_bytes()).is_err(), "{json}");
        }
        assert!(Claims::parse(b" {\"a\" : 1} \n").is_ok());
        assert!(Claims::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn nesting_without_end_is_refused_and_breaks_nothing() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(3000), "]".repeat(3000));
        assert!(Claims::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn dates_are_numbers() {
        let claims = claims(r#"{"a":1.5,"b":"1","c":null,"d":true,"e":1e3}"#);
        assert_eq!(claims.date("a").unwrap(), UnixSeconds::new(1.5));
        assert_eq!(claims.date("e").unwrap(), UnixSeconds::new(1000.0));
        assert_eq!(claims.date("z").unwrap(), None);
        for name in ["b", "c", "d"] {
            assert_eq!(claims.date(name).unwrap_err().code(), Code::ClaimMalformed, "{name}");
        }
    }

    #[test]
    fn texts_are_text_or_a_list_of_text() {
        let claims = claims(r#"{"a":"x","b":["x","y"],"c":["x",null],"d":{"x":1},"e":null,"f":[]}"#);
        assert_eq!(claims.texts("a").unwrap(), ["x".into()]);
        assert_eq!(claims.texts("b").unwrap().len(), 2);
        assert!(claims.texts("f").unwrap().is_empty());
        for name in ["c", "d", "e"] {
            assert_eq!(claims.texts(name).unwrap_err().code(), Code::ClaimMalformed, "{name}");
        }
    }

    #[test]
    fn a_pointer_reaches_below_and_a_name_does_not() {
        let claims = claims(r#"{"realm":{"roles":["a"]},"a/b":1}"#);
        assert!(ClaimPath::new("/realm/roles").find(&claims).is_some());
        assert!(ClaimPath::new("/a~1b").find(&claims).is_some());
        assert!(ClaimPath::new("a/b").find(&claims).is_some());
        assert!(ClaimPath::new("roles").find(&claims).is_none());
    }
}
