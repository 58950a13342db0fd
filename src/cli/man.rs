//! `waxseal man`: the manual page of the whole, or of one command.

use std::io;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::{Arguments, Failure, tell_all};

/// What holds for every command, in roff.
const COMMON: &str = r#".SH "EXIT STATUS"
.TP
\fB0\fR
Good.
.TP
\fB1\fR
It began and failed at work.
.TP
\fB2\fR
It could not start as asked: a wrong argument, a bad config, a port that is taken.
.SH FILES
.TP
\fIconfig.toml\fR
The config, in the working directory, unless \fB\-\-config\fR or \fBWAXSEAL_CONFIG\fR names another. Relative paths in
it start from its own folder.
.SH ENVIRONMENT
.TP
\fBWAXSEAL_CONFIG\fR
The config file, where \fB\-\-config\fR does not name one. Variables that the config itself points to, by
{ env = "NAME" }, are read at start.
"#;

/// What one does with it, in roff; for the page of the whole.
const EXAMPLES: &str = r#".SH EXAMPLES
See the main job, without a config:
.PP
.nf
.RS
waxseal demo
.RE
.fi
.PP
Write a first config and serve by it:
.PP
.nf
.RS
waxseal init
waxseal run
.RE
.fi
.PP
Issue a token with the secret of the config:
.PP
.nf
.RS
waxseal token mint \-\-user boomi \-\-valid\-for 30d \-\-purpose "stock feed"
.RE
.fi
.PP
Read the page of one command:
.PP
.nf
.RS
waxseal man token mint | man \-l \-
.RE
.fi
"#;

/// What `man` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    waxseal man | man -l -\n  \
    waxseal man token mint | man -l -\n  \
    waxseal man > ~/.local/share/man/man1/waxseal.1")]
pub(super) struct Manual {
    /// A command, as it is typed; without it the page of the whole.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Prints a page, in roff.
pub(super) fn man(asked: &Manual) -> Result<(), Failure> {
    let mut whole = Arguments::command();
    whole.build();
    let mut command = &whole;
    for word in &asked.command {
        command = command.find_subcommand(word).ok_or_else(|| unknown(&asked.command, command))?;
    }
    let page = page(command, asked.command.is_empty()).map_err(Failure::at_work)?;
    tell_all(&page)
}

fn unknown(asked: &[String], within: &Command) -> Failure {
    let known: Vec<&str> = within.get_subcommands().map(Command::get_name).collect();
    let known = if known.is_empty() { "it has none below it".to_owned() } else { known.join(", ") };
    Failure::at_start(format!("there is no command {:?}; {}: {known}", asked.join(" "), within.get_name()))
}

fn page(command: &Command, whole: bool) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend_from_slice(COMMON.as_bytes());
    if whole {
        page.extend_from_slice(EXAMPLES.as_bytes());
        man.render_version_section(&mut page)?;
    } else {
        man.render_extra_section(&mut page)?;
    }
    Ok(page)
}
