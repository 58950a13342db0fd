//! `rate` of a route: how often each caller may come.

use schemars::JsonSchema;

use super::super::diagnostic::Notes;
use super::super::quantity::Time;
use super::super::reader::{Choice, Field, Node, Read, Table, words};

/// How often each caller may come.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Rate {
    /// What callers are told apart by: `"subject"` (whom the token speaks for) or `"address"` (the client's, IPv6 by its
    /// /64). Required.
    #[schemars(schema_with = "words::<PerWord>")]
    pub(crate) per: Field<PerWord>,
    /// Requests that may come at once. Required.
    pub(crate) requests: Field<usize>,
    /// How long it takes until as many may come again; they come back evenly. Default `"1s"`.
    pub(crate) window: Field<Time>,
}

/// What callers are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PerWord {
    /// The proven subject.
    Subject,
    /// The address of the client.
    Address,
}

impl Choice for PerWord {
    const WORDS: &'static [(&'static str, Self)] = &[("subject", Self::Subject), ("address", Self::Address)];
    const OTHERS: &'static [(&'static str, &'static str)] = &[
        ("ip", "address"),
        ("client", "address"),
        ("peer", "address"),
        ("user", "subject"),
        ("sub", "subject"),
        ("token", "subject"),
    ];
}

impl Read for Rate {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let rate = Self { per: table.take("per"), requests: table.take("requests"), window: table.take("window") };
        table.close();
        Some(rate)
    }
}
