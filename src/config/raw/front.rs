//! The tables about what clients see: `[answers]`, `[cors]`, `[forwarded]`.

use schemars::JsonSchema;

use super::super::diagnostic::Notes;
use super::super::reader::{Choice, Field, List, Node, Read, Table, words};
use crate::proxy::Style;

/// The form of waxseal's own answers.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Answers {
    /// `"problem"` (RFC 9457), or `"hotwax"`: a plain JSON object with the fields that HotWax, OFBiz and Moqui clients
    /// read. Default `"problem"`.
    #[schemars(schema_with = "words::<Style>")]
    pub(crate) style: Field<Style>,
    /// The realm of the challenge. Default `"waxseal"`.
    pub(crate) realm: Field<String>,
    /// Whether a client learns the exact code of a 401 (`"exact"`), or two words (`"coarse"`). Default `"coarse"`.
    #[schemars(schema_with = "words::<Reason>")]
    pub(crate) reason: Field<Reason>,
}

impl Choice for Style {
    const WORDS: &'static [(&'static str, Self)] = &[("problem", Self::Problem), ("hotwax", Self::Hotwax)];
}

/// How much a client learns of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Whether there was a token, no more.
    Coarse,
    /// The code.
    Exact,
}

impl Choice for Reason {
    const WORDS: &'static [(&'static str, Self)] = &[("coarse", Self::Coarse), ("exact", Self::Exact)];
}

impl Read for Answers {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let answers = Self { style: table.take("style"), realm: table.take("realm"), reason: table.take("reason") };
        table.close();
        Some(answers)
    }
}

/// Which origins may read waxseal's own answers.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Cors {
    /// Which origins may read waxseal's own answers: `https://oms.example`, `https://*.hotwax.io`,
    /// `http://localhost:*`. Default: none.
    #[schemars(extend("examples" = [["https://*.hotwax.io", "http://localhost:*"]]))]
    pub(crate) origins: Field<List<String>>,
    /// Whether preflights pass to the upstream (`"pass"`) or are answered here (`"answer"`). Default `"pass"`.
    #[schemars(schema_with = "words::<Preflight>")]
    pub(crate) preflight: Field<Preflight>,
}

/// What happens to a preflight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preflight {
    /// The upstream answers it.
    Pass,
    /// waxseal does.
    Answer,
}

impl Choice for Preflight {
    const WORDS: &'static [(&'static str, Self)] = &[("pass", Self::Pass), ("answer", Self::Answer)];
}

impl Read for Cors {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let cors = Self { origins: table.take("origins"), preflight: table.take("preflight") };
        table.close();
        Some(cors)
    }
}

/// Whose word about the client is believed.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Forwarded {
    /// Peers whose `X-Forwarded-*` and `Forwarded` are believed: addresses, networks (`10.0.0.0/8`), and `"unix"`.
    /// Default: none.
    #[schemars(extend("examples" = [["10.0.0.0/8"], ["unix"]]))]
    pub(crate) trust: Field<List<String>>,
    /// Whether these peers speak the PROXY protocol: not in this version yet. Default false.
    #[schemars(extend("const" = false))]
    pub(crate) proxy_protocol: Field<bool>,
}

impl Read for Forwarded {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let forwarded = Self { trust: table.take("trust"), proxy_protocol: table.take("proxy_protocol") };
        table.close();
        Some(forwarded)
    }
}
