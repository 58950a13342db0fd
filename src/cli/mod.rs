//! Commands and flags.
//!
//! Results go to standard output, errors to standard error, both without colours where nobody would see them. Exit codes:
//! 0 good, 1 failed at work (or, of `check`, a config that is no good), 2 could not start as asked.

mod ask;
mod check;
mod completions;
mod drain;
mod explain;
mod health;
mod help;
mod init;
mod man;
mod report;
mod run;
mod token;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use serde::Serialize;

use crate::config::render;
use crate::config::{self, Config, Diagnostic};
use crate::demo;
use crate::telemetry::treacherous::visible_json;
use crate::time::{Clock, UnixSeconds};

/// The most that is read from standard input, or of a log: tens of thousands of lines.
const LONGEST_INPUT: u64 = 16 << 20;
/// The longest word of a wrong argument that is told back; tokens are longer.
const LONGEST_WORD: usize = 64;
/// Commands of later versions.
const PLANNED: [&str; 5] = ["user", "desk", "inject", "list", "revoke"];
/// What stands for standard input.
const STDIN: &str = "-";

/// A reverse-proxy authentication sidecar: checks the Bearer token of each request and forwards what is allowed.
#[derive(Debug, Parser)]
#[command(name = "waxseal", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve by a config until a signal says otherwise.
    #[command(after_help = "Examples:\n  waxseal run\n  waxseal run --config /etc/waxseal/config.toml")]
    Run(ConfigFile),
    /// Tell everything that is wrong with a config, or weak in it.
    #[command(
        after_help = "Exit code 0: good, maybe with warnings; 1: complaints, or a case that fails; 2: no config.\n\n\
                            Examples:\n  waxseal check\n  waxseal check --effective | grep timeout"
    )]
    Check(check::Check),
    /// Judge one request offline and say which route, which step and which facts decided.
    #[command(after_help = "Exit code 0: it would pass; 1: it would be refused; 2: it could not be judged.\n\n\
                            Examples:\n  waxseal explain POST /api/updateInventory --token - < token.txt\n  \
                            kubectl logs oms-0 -c waxseal | tail -1 | waxseal explain --from-log -")]
    Explain(explain::Explain),
    /// Show the main job: a sample OMS, the shipped routes in front of it, a fresh key and a token.
    #[command(after_help = "Examples:\n  waxseal demo\n  waxseal demo --once")]
    Demo {
        /// Play one refusal and one pass over real sockets, print what happened, and end; without it, run until Ctrl-C.
        #[arg(long)]
        once: bool,
    },
    /// Write a first config, from a few questions or flags, and check it.
    Init(Box<init::Init>),
    /// Ask the running process whether it is ready: the probe of a container without a shell.
    #[command(after_help = "Examples:\n  waxseal health\n  waxseal health --config /etc/waxseal/config.toml")]
    Health(ConfigFile),
    /// Let the running process stop serving, and return when what was under way has ended: the preStop of a container.
    #[command(after_help = "Examples:\n  waxseal drain\n  waxseal drain --config /etc/waxseal/config.toml")]
    Drain(ConfigFile),
    /// Say who would be refused by the routes in report mode, and why.
    #[command(after_help = "Exit code 0: told; 1: the process gave no answer; 2: no good config.\n\n\
                            Examples:\n  waxseal report\n  waxseal report --json")]
    Report(report::Asked),
    /// Tokens, from a key of the config.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Print what a shell needs to complete the command line.
    Completions(completions::Completions),
    /// Print the manual page, of the whole or of one command.
    Man(man::Manual),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Issue a token with the secret of an issuer, and print it.
    Mint(token::Mint),
    /// Tell what a token says, whether this config would take it, and what ends it.
    #[command(after_help = "Exit code 0: it would be taken; 1: it would not; 2: it could not be judged.\n\n\
                            Examples:\n  waxseal token inspect < token.txt\n  waxseal token inspect --at 2027-01-01T00:00:00Z < token.txt")]
    Inspect(token::Inspect),
}

/// Which config is meant.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The config file; without it `config.toml` in the working directory. Example: /etc/waxseal/config.toml
    #[arg(long = "config", value_name = "FILE", env = "WAXSEAL_CONFIG", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
enum Failure {
    /// It began and failed: exit code 1.
    AtWork(String),
    /// It could not start as asked: exit code 2.
    AtStart(String),
    /// It did its work, and what it told is that something is wrong: exit code 1.
    Told,
}

impl Failure {
    fn at_work(error: impl fmt::Display) -> Self {
        Failure::AtWork(error.to_string())
    }

    fn at_start(error: impl fmt::Display) -> Self {
        Failure::AtStart(error.to_string())
    }
}

impl ConfigFile {
    /// Where the config is.
    fn path(&self) -> Result<&Path, Failure> {
        const USUAL: &str = "config.toml";
        let file = self.file.as_deref().unwrap_or(Path::new(USUAL));
        if self.file.is_none() && !file.exists() {
            return Err(Failure::at_start(format!(
                "there is no {USUAL} in this directory, and neither --config nor WAXSEAL_CONFIG names another\n\
                 `waxseal init` writes a first one; `waxseal demo` shows waxseal without a config"
            )));
        }
        Ok(file)
    }

    /// Reads the config.
    fn load(&self) -> Result<Config, Failure> {
        config::load(self.path()?).map_err(|report| Failure::AtStart(told(&report.diagnostics)))
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let matches = help::grouped(Arguments::command()).try_get_matches();
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(mut told) => {
            // A wrong argument, or the help that was asked for.
            hide_tokens(&mut told);
            if let Some(word) = planned(&told) {
                tell_error(format!(
                    "the command `{word}` is not in this version yet; `waxseal help` lists those that are"
                ));
                return ExitCode::from(2);
            }
            let code = if told.use_stderr() { 2 } else { 0 };
            let _ = told.print();
            return ExitCode::from(code);
        }
    };
    let done = match arguments.command {
        Command::Run(file) => run::run(&file),
        Command::Explain(asked) => explain::run(&asked).and_then(passes),
        Command::Check(asked) => check::check(&asked),
        Command::Demo { once } => demo::run(once, io::stdout()).map_err(Failure::AtStart),
        Command::Init(asked) => init::init(&asked),
        Command::Health(file) => health::health(&file),
        Command::Drain(file) => drain::drain(&file),
        Command::Report(asked) => report::report(&asked),
        Command::Token(TokenCommand::Mint(mint)) => token::mint(&mint),
        Command::Token(TokenCommand::Inspect(asked)) => token::inspect(&asked).and_then(passes),
        Command::Completions(asked) => completions::completions(&asked),
        Command::Man(asked) => man::man(&asked),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::from(1),
        Err(Failure::AtWork(error)) => {
            tell_error(error);
            ExitCode::from(1)
        }
        Err(Failure::AtStart(error)) => {
            tell_error(error);
            ExitCode::from(2)
        }
    }
}

/// Takes out of a complaint about arguments what may be a token: `token inspect Bearer TOKEN` is one word too many.
fn hide_tokens(told: &mut clap::Error) {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue] {
        let Some(ContextValue::String(word)) = told.get(kind) else { continue };
        if word.len() > LONGEST_WORD || word.starts_with("eyJ") {
            told.insert(kind, ContextValue::String("[hidden]".to_owned()));
        }
    }
}

/// The command of a later version that was asked for, if it was one.
fn planned(told: &clap::Error) -> Option<&'static str> {
    let Some(ContextValue::String(word)) = told.get(ContextKind::InvalidSubcommand) else { return None };
    PLANNED.into_iter().find(|planned| planned == word)
}

/// Turns a judgement into an exit code.
fn passes(good: bool) -> Result<(), Failure> {
    if good { Ok(()) } else { Err(Failure::Told) }
}

/// What comes from standard input.
fn input() -> Result<String, Failure> {
    read(io::stdin().lock(), "standard input")
}

/// All that comes, called by its name in an error. What is longer than it may be is an error too, not cut.
fn read(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let length = from.take(LONGEST_INPUT + 1).read_to_string(&mut text);
    match length.map_err(|error| Failure::at_start(format!("{name}: {error}")))? {
        length if length as u64 > LONGEST_INPUT => Err(Failure::at_start(format!("{name}: more than 16 MiB"))),
        _ => Ok(text),
    }
}

/// The moment that `--at` names, or now.
fn moment(at: Option<&str>) -> Result<UnixSeconds, Failure> {
    let Some(text) = at else { return Ok(Clock::System.now()) };
    UnixSeconds::parse(text).map_err(|problem| Failure::at_start(format!("--at: {problem}")))
}

/// Complaints about a config and how many there are.
fn told(complaints: &[Diagnostic]) -> String {
    render::complaints(complaints) + &render::summary(complaints)
}

/// Writes to standard error. Nobody reading it is no reason to fail.
fn tell_error(error: impl fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{error}");
}

/// Writes a result to standard output as JSON.
fn tell_json(result: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(result).map_err(Failure::at_work)?;
    tell(visible_json(&json))
}

/// Writes a result to standard output. A reader who has seen enough is no failure.
fn tell(result: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(anstream::stdout(), "{result}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::at_work),
    }
}

/// Writes a whole document to standard output. Whoever has read enough of it may close the pipe.
fn tell_all(document: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout();
    match out.write_all(document).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::at_work(error)),
        _ => Ok(()),
    }
}
