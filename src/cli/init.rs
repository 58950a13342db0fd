//! `waxseal init`: write a first config, from flags or from a few questions.
//!
//! Whatever is answered is judged by the config room itself, as it is given and again as a whole, before anything is
//! written. The key itself is never asked for, only where it is; it may come later.

mod answers;
mod file;
mod questions;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use super::{Failure, tell, tell_error, told};
use crate::config::{Config, Diagnostic};
use crate::explain;
use crate::net::Listen;
use crate::time::Clock;
use answers::{Answers, KeySource};

/// What `init` is told.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    waxseal init                                    (asks, where a terminal is there to answer)\n  \
    waxseal init --hotwax --upstream http://127.0.0.1:8081 --yes\n  \
    waxseal init --unmatched deny --pem idp.pem --iss https://idp.example/ --aud orders --route '/orders/**'")]
pub(super) struct Init {
    /// The file to write. Default: config.toml
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Where to listen. Default: 0.0.0.0:8080. Example: unix:/run/waxseal.sock
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where allowed requests go. Default: `http://127.0.0.1:8081`
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// What happens to requests that no route names: open, protected or deny. Default with --hotwax: open
    #[arg(long, value_name = "WORD")]
    unmatched: Option<String>,
    /// The name of the issuer, of your choice. Default: hotwax with --hotwax, else main
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// The file of the secret that tokens are signed with. Default with --hotwax: jwtKey.txt
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "keys")]
    secret_file: Option<String>,
    /// The environment variable of that secret. Example: JWT_KEY
    #[arg(long, value_name = "NAME", group = "keys")]
    secret_env: Option<String>,
    /// The PEM file of the public key that tokens are proven by. Example: idp.pem
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "keys")]
    pem: Option<String>,
    /// The file of a JWK Set. Example: jwks.json
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, group = "keys")]
    jwks: Option<String>,
    /// What must stand in `iss`. Default: it is not looked at. Example: `https://idp.example/`
    #[arg(long, value_name = "TEXT")]
    iss: Option<String>,
    /// What must stand in `aud`. Default: it is not looked at. Example: orders
    #[arg(long, value_name = "TEXT")]
    aud: Option<String>,
    /// The claim that names the subject. Default: userLoginId with --hotwax, else sub
    #[arg(long, value_name = "CLAIM")]
    subject: Option<String>,
    /// A path that needs a token; may be given several times. Default with --hotwax: the updateInventory paths
    #[arg(long, value_name = "PATH")]
    route: Vec<String>,
    /// For a HotWax OMS: its routes, its subject, its style of answers. What else is given replaces its part. Default
    /// where nothing is said about keys and routes
    #[arg(long)]
    hotwax: bool,
    /// Replace a file that is there. Default: it is an error
    #[arg(long)]
    force: bool,
    /// Ask nothing; take the defaults for what is left open
    #[arg(long)]
    yes: bool,
}

impl Init {
    /// Whether nothing says what kind of API it is for.
    fn is_open(&self) -> bool {
        let source = [&self.secret_file, &self.secret_env, &self.pem, &self.jwks];
        let rules = [&self.issuer, &self.iss, &self.aud, &self.subject];
        !self.hotwax && source.iter().chain(&rules).all(|flag| flag.is_none()) && self.route.is_empty()
    }

    /// Where the keys are, if a flag says so.
    fn source(&self) -> Option<KeySource> {
        let secret = self.secret_file.clone().map(KeySource::SecretFile);
        let secret = secret.or_else(|| self.secret_env.clone().map(KeySource::SecretEnv));
        let public = self.pem.clone().map(KeySource::Pem).or_else(|| self.jwks.clone().map(KeySource::Jwks));
        secret.or(public)
    }
}

/// Writes the config.
pub(super) fn init(asked: &Init) -> Result<(), Failure> {
    let output = asked.output.clone().unwrap_or_else(|| PathBuf::from("config.toml"));
    if !asked.force && output.symlink_metadata().is_ok() {
        let problem = "is there already: name another file with --output, or replace it with --force";
        return Err(Failure::at_start(format!("{} {problem}", output.display())));
    }
    let asks = !asked.yes && io::stdin().is_terminal();
    let answers = if asks {
        let mut terminal = questions::Terminal { answers: io::stdin().lock(), questions: io::stderr().lock() };
        terminal.ask(asked, &output).map_err(Failure::at_start)?
    } else {
        Answers::of_flags(asked).map_err(Failure::at_start)?
    };
    let text = answers.text(beside(&output, "config.schema.json").exists()).map_err(Failure::at_start)?;
    let judged = answers.judge(&output).and_then(|config| {
        explain::check(&config, Clock::System.now())?;
        Ok(config)
    });
    let config = judged.map_err(|report| Failure::AtStart(told(&report.diagnostics)))?;
    file::write(&output, &text, asked.force)
        .map_err(|error| Failure::at_start(format!("cannot write {}: {error}", output.display())))?;
    // What stands in no line is about this machine, and waxseal may run on another.
    let warnings: Vec<Diagnostic> = config.warnings.iter().filter(|warning| warning.line > 0).cloned().collect();
    if !warnings.is_empty() {
        tell_error(told(&warnings));
    }
    tell(next_steps(&answers, &config, &output))
}

/// A file in the same folder.
fn beside(file: &Path, name: &str) -> PathBuf {
    file.with_file_name(name)
}

/// What to type now.
fn next_steps(answers: &Answers, config: &Config, output: &Path) -> String {
    let chosen = if output == Path::new("config.toml") {
        String::new()
    } else {
        format!(" --config {}", shell(&output.to_string_lossy()))
    };
    let mut steps = vec![format!("{} is written. Next:", output.display())];
    steps.extend(answers.lacks_key(output).then(|| key_step(answers, output)));
    steps.push(format!("see whether it is good, and serve:\n  waxseal check{chosen}\n  waxseal run{chosen}"));
    if let Some(target) = target(answers, config) {
        steps.push(format!("ask without a token, which is refused:\n  curl -i {target}"));
        if answers.source.is_secret() {
            let mint = format!("waxseal token mint --user me --valid-for 1h --purpose trial{chosen}");
            let with = format!("curl -i {target} -H \"Authorization: Bearer $TOKEN\"");
            steps.push(format!("and with one:\n  TOKEN=$({mint})\n  {with}"));
        }
    }
    steps.join("\n\n")
}

/// How the key that is not there yet comes there.
fn key_step(answers: &Answers, output: &Path) -> String {
    let place = |key: &str| shell(&beside(output, key).to_string_lossy());
    let owner = if answers.hotwax { "runtime/conf/jwtKey.txt of the OMS" } else { "secret of the issuer" };
    match &answers.source {
        KeySource::SecretFile(key) => format!(
            "the key is not there yet: copy the {owner}, or make one to try things out:\n  \
             (umask 077 && openssl rand -hex 64 > {})",
            place(key)
        ),
        KeySource::SecretEnv(name) => format!(
            "the key is not there yet: take the {owner}, or make one to try things out:\n  \
             export {}=$(openssl rand -hex 64)",
            shell(name)
        ),
        KeySource::Pem(key) | KeySource::Jwks(key) => {
            format!("the key is not there yet: put the public key of the issuer there:\n  cp PUBLIC_KEY {}", place(key))
        }
    }
}

/// What `curl` is to ask for; `None` where no path can be typed as it stands.
fn target(answers: &Answers, config: &Config) -> Option<String> {
    let path = answers.plain_route()?;
    Some(match config.net.listen.first()? {
        Listen::Tcp { address, .. } => {
            let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            shell(&format!("http://{host}:{}{path}", address.port()))
        }
        Listen::Unix(socket) => {
            format!("--unix-socket {} {}", shell(&socket.to_string_lossy()), shell(&format!("http://localhost{path}")))
        }
    })
}

/// A word as a shell takes it.
fn shell(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:@%+=,".contains(&byte);
    let safe = !word.is_empty() && word.bytes().all(plain);
    if safe { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
