//! `waxseal completions`: what a shell needs to complete the command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Failure, tell_all};

/// What `completions` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    waxseal completions bash > ~/.local/share/bash-completion/completions/waxseal\n  \
    waxseal completions zsh > ~/.zfunc/_waxseal\n  \
    waxseal completions fish > ~/.config/fish/completions/waxseal.fish")]
pub(super) struct Completions {
    /// The shell that is to complete.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the script of a shell.
pub(super) fn completions(asked: &Completions) -> Result<(), Failure> {
    // Written to memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Arguments::command(), "waxseal", &mut script);
    tell_all(&script)
}
