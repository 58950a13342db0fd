//! What a first config says, and the text of it.

use std::path::Path;

use super::Init;
use crate::config::{self, Config, Report, Severity, quoted, quoted_key};

/// The paths by which the docs of HotWax and older integrations call the guarded service.
const HOTWAX_ROUTES: [&str; 3] =
    ["/api/updateInventory", "/api/service/updateInventory", "/api/service/updateInventoryByIdentification"];
/// A key that stands in, while a config is judged, for one that is not there yet.
const STAND_IN: (&str, &str) = ("WAXSEAL_INIT", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");

/// Where the keys of the issuer are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeySource {
    /// A shared secret in a file.
    SecretFile(String),
    /// A shared secret in an environment variable.
    SecretEnv(String),
    /// A public key.
    Pem(String),
    /// A JWK Set.
    Jwks(String),
}

impl KeySource {
    /// Whether the same key signs.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self, KeySource::SecretFile(_) | KeySource::SecretEnv(_))
    }

    fn line(&self) -> String {
        match self {
            KeySource::SecretFile(file) => format!("secret = {{ file = {} }}", quoted(file)),
            KeySource::SecretEnv(name) => format!("secret = {{ env = {} }}", quoted(name)),
            KeySource::Pem(file) => format!("pem = {{ file = {} }}", quoted(file)),
            KeySource::Jwks(file) => format!("jwks = {{ file = {} }}", quoted(file)),
        }
    }
}

/// Everything that a first config says.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// Whether it is for a HotWax OMS: the form of answers, the time it may take, what is stripped.
    pub(super) hotwax: bool,
    pub(super) listen: String,
    pub(super) upstream: String,
    pub(super) unmatched: String,
    /// The name of the issuer.
    pub(super) issuer: String,
    pub(super) source: KeySource,
    pub(super) iss: Option<String>,
    pub(super) aud: Option<String>,
    pub(super) subject: String,
    pub(super) routes: Vec<String>,
}

impl Answers {
    /// What is said and what is usual, for a HotWax OMS or for another API. For that, decisions are stand-ins which
    /// nobody has taken.
    pub(super) fn usual(asked: &Init, hotwax: bool) -> Self {
        let or = |flag: &Option<String>, for_hotwax: &str, other: &str| {
            flag.clone().unwrap_or_else(|| if hotwax { for_hotwax } else { other }.to_owned())
        };
        let routes = if asked.route.is_empty() && hotwax {
            HOTWAX_ROUTES.map(str::to_owned).to_vec()
        } else {
            asked.route.clone()
        };
        Self {
            hotwax,
            listen: or(&asked.listen, "0.0.0.0:8080", "0.0.0.0:8080"),
            upstream: or(&asked.upstream, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            unmatched: or(&asked.unmatched, "open", "deny"),
            issuer: or(&asked.issuer, "hotwax", "main"),
            source: asked.source().unwrap_or_else(|| KeySource::SecretFile("jwtKey.txt".to_owned())),
            iss: asked.iss.clone(),
            aud: asked.aud.clone(),
            subject: or(&asked.subject, "userLoginId", "sub"),
            routes,
        }
    }

    /// What the flags say, without a question.
    ///
    /// # Errors
    /// Where something has to be decided that has no usual answer.
    pub(super) fn of_flags(asked: &Init) -> Result<Self, String> {
        let hotwax = asked.hotwax || asked.is_open();
        if !hotwax && asked.unmatched.is_none() {
            return Err(
                "say with --unmatched what happens to requests that no route names: open, protected or deny".into()
            );
        }
        if !hotwax && asked.source().is_none() {
            return Err("say where the keys are, with --secret-file, --secret-env, --pem or --jwks".into());
        }
        let answers = Self::usual(asked, hotwax);
        if answers.routes.is_empty() && answers.unmatched != "protected" {
            return Err("say with --route what needs a token; else nothing would be guarded".into());
        }
        Ok(answers)
    }

    /// The file. `schema`: whether the schema of the config lies beside it.
    ///
    /// # Errors
    /// Names an answer that cannot stand in it.
    pub(super) fn text(&self, schema: bool) -> Result<String, String> {
        let (KeySource::SecretFile(key) | KeySource::SecretEnv(key) | KeySource::Pem(key) | KeySource::Jwks(key)) =
            &self.source;
        let texts = [&self.listen, &self.upstream, &self.unmatched, &self.issuer, key, &self.subject];
        let texts = texts.into_iter().chain(&self.iss).chain(&self.aud).chain(&self.routes);
        for text in texts {
            if text.contains(char::is_control) {
                return Err(format!("{text:?}: an answer is one line without control characters"));
            }
        }
        Ok(self.written(schema, &self.source.line()))
    }

    fn written(&self, schema: bool, key: &str) -> String {
        let first = if schema { "#:schema ./config.schema.json\n" } else { "" };
        let upstream = if self.hotwax {
            format!(
                "# From the last byte of a request to the head of its response; HotWax's feeds take up to two hours.\n\
                 [upstream]\nurl = {}\nresponse_timeout = \"2h\"\n\n\
                 # HotWax, OFBiz and Moqui clients read refusals of this form.\n[answers]\nstyle = \"hotwax\"\n\n\
                 # Their pages may read a refusal; without this a browser hides it from the app.\n\
                 [cors]\norigins = [\"https://*.hotwax.io\"]\n",
                quoted(&self.upstream)
            )
        } else {
            String::new()
        };
        let upstream_line = if self.hotwax {
            String::new()
        } else {
            format!("# Where allowed requests go.\nupstream = {}\n\n", quoted(&self.upstream))
        };
        let rule = |name: &str, claim: &str, text: &Option<String>| match text {
            Some(text) => format!("# What must stand in `{claim}`.\n{name} = {}\n", quoted(text)),
            None => format!(
                "# Set it to what the tokens have in `{claim}`; until then that is not looked at.\n# {name} = \"…\"\n"
            ),
        };
        let routes = if self.routes.is_empty() { String::new() } else { self.route() };
        format!(
            "{first}# A first config of waxseal, made by `waxseal init`. Unknown keys are errors.\n\n\
             # Where to listen.\nlisten = {listen}\n\n{upstream_line}\
             # What happens to a request that no route names: \"open\", \"protected\" (a token of any issuer) or \"deny\".\n\
             unmatched = {unmatched}\n\n{upstream}\
             # Who may issue tokens, and the key that proves them.\n[issuer.{name}]\n{key}\n\
             # The claim that names the user.\nsubject = {subject}\n{iss}{aud}{routes}",
            listen = quoted(&self.listen),
            unmatched = quoted(&self.unmatched),
            upstream = if upstream.is_empty() { upstream } else { format!("{upstream}\n") },
            name = quoted_key(&self.issuer),
            subject = quoted(&self.subject),
            iss = rule("issuer", "iss", &self.iss),
            aud = rule("audience", "aud", &self.aud),
        )
    }

    fn route(&self) -> String {
        let paths: Vec<String> = self.routes.iter().map(|path| quoted(path)).collect();
        let strip = "# Who comes with a token must not bring another login beside it.\nforward = { strip = [\"api_key\", \"login_key\"] }\n";
        format!(
            "\n# What needs a token: these paths and everything below them, in any spelling.\n[[route]]\npath = [{}]\n{}{}",
            paths.join(", "),
            if self.hotwax { strip } else { "" },
            self.cases()
        )
    }

    /// The first route that can be asked for as it is written.
    pub(super) fn plain_route(&self) -> Option<&str> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"*\"<>^`{|}%".contains(&byte);
        self.routes.iter().find(|path| path.bytes().all(plain)).map(String::as_str)
    }

    /// That the first route wants a token, and that one of the issuer does.
    fn cases(&self) -> String {
        let Some(path) = self.plain_route() else { return String::new() };
        let request = quoted(&format!("POST {path}"));
        let good = format!(
            "\n[[test]]\nrequest = {request}\nclaims = {{ {} = \"me\" }}\nexpect = \"allow\"\n",
            quoted_key(&self.subject)
        );
        format!(
            "\n# Cases that must hold before this file is taken; `waxseal check` plays them.\n\
             [[test]]\nrequest = {request}\nexpect = \"credential_missing\"\n{}",
            // A claim deeper down would want tables of its own.
            if self.subject.starts_with('/') { "" } else { &good }
        )
    }

    /// Whether the key is not where it will be.
    pub(super) fn lacks_key(&self, output: &Path) -> bool {
        match &self.source {
            KeySource::SecretEnv(name) => variable(name).is_none(),
            KeySource::SecretFile(file) | KeySource::Pem(file) | KeySource::Jwks(file) => {
                !super::beside(output, file).exists()
            }
        }
    }

    /// What the config room makes of it. A key that is not there yet is taken for a good one.
    ///
    /// # Errors
    /// All complaints.
    pub(super) fn judge(&self, output: &Path) -> Result<Config, Report> {
        let key = format!("secret = {{ env = {} }}", quoted(STAND_IN.0));
        let key = if self.lacks_key(output) { key } else { self.source.line() };
        config::parse(&self.written(super::beside(output, "config.schema.json").exists(), &key), output, &|name| {
            if name == STAND_IN.0 { Some(STAND_IN.1.to_owned()) } else { variable(name) }
        })
    }

    /// The first thing that is wrong with one answer, whose complaints begin with `key`.
    pub(super) fn complaint(&self, output: &Path, key: &str) -> Option<String> {
        if let Err(problem) = self.text(false) {
            return Some(problem);
        }
        let report = self.judge(output).err()?;
        let own = report
            .diagnostics
            .into_iter()
            .find(|told| told.severity == Severity::Error && told.key.starts_with(key))?;
        let advice =
            if own.advice.is_empty() { String::new() } else { format!("\n    {}", own.advice.replace('\n', "\n    ")) };
        Some(format!("{}{advice}", own.problem))
    }
}

#[allow(clippy::disallowed_methods, reason = "the config will read it there")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
