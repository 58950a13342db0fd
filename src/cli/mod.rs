//! Commands and flags.
//!
//! Results go to standard output, errors to standard error. Exit codes: 0 good, 1 failed at work, 2 could not start as
//! asked.

mod explain;
mod health;
mod run;
mod token;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};
use crate::demo;

/// A reverse-proxy authentication sidecar: checks the Bearer token of each request and forwards what is allowed.
#[derive(Debug, Parser)]
#[command(name = "waxseal", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve.
    Run(ConfigFile),
    /// Judge one request offline and say which route, which step and which facts decided.
    ///
    /// Exit code 0: it would pass; 1: it would be refused; 2: it could not be judged.
    Explain(explain::Explain),
    /// Show the main job: a sample OMS, the shipped routes in front of it, a fresh key and a token.
    Demo {
        /// Play one refusal and one pass over real sockets, print what happened, and end.
        #[arg(long)]
        once: bool,
    },
    /// Ask the running process whether it is ready: the probe of a container without a shell.
    Health(ConfigFile),
    /// Tokens, from a key of the config.
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Issue a token with the secret of an issuer, and print it.
    Mint(token::Mint),
}

/// Which config is meant.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The config file; without it `config.toml` in the working directory.
    #[arg(long = "config", value_name = "FILE", env = "WAXSEAL_CONFIG")]
    file: Option<PathBuf>,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
enum Failure {
    /// It began and failed: exit code 1.
    AtWork(String),
    /// It could not start as asked: exit code 2.
    AtStart(String),
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
    /// Reads the config.
    fn load(&self) -> Result<Config, Failure> {
        const USUAL: &str = "config.toml";
        let file = self.file.as_deref().unwrap_or(Path::new(USUAL));
        if self.file.is_none() && !file.exists() {
            return Err(Failure::at_start(format!(
                "there is no {USUAL} in this directory, and neither --config nor WAXSEAL_CONFIG names another\n\
                 `waxseal demo` shows waxseal without a config; the config.toml of the project is one to begin with\n\
                 (`waxseal init`, which writes a first one, is not in this version yet)"
            )));
        }
        config::load(file).map_err(Failure::at_start)
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            // A wrong argument, or the help that was asked for.
            let code = if told.use_stderr() { 2 } else { 0 };
            let _ = told.print();
            return ExitCode::from(code);
        }
    };
    let done = match arguments.command {
        Command::Run(file) => run::run(&file),
        Command::Explain(asked) => match explain::run(&asked) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(1),
            Err(failure) => Err(failure),
        },
        Command::Demo { once } => demo::run(once, io::stdout()).map_err(Failure::AtStart),
        Command::Health(file) => health::ask(&file),
        Command::Token(TokenCommand::Mint(mint)) => token::mint(&mint),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
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

/// Writes to standard error. Nobody reading it is no reason to fail.
fn tell_error(error: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{error}");
}

/// Writes a result to standard output. A reader who has seen enough is no failure.
fn tell(result: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{result}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Failure::at_work),
    }
}
