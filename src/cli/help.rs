//! The commands in groups, in `waxseal help`: by what one wants to do.

use std::fmt::Write as _;

use clap::Command;

/// The groups, and the commands in the order in which one meets them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Begin", &["demo", "init"]),
    ("Understand a config", &["check", "explain"]),
    ("Serve", &["run", "health", "drain", "report"]),
    ("Tokens", &["token"]),
    ("For shell and manual", &["completions", "man", "help"]),
];
/// Bold and underlined, as the other headings of the help; taken off where it is no terminal that reads.
const HEADING: (&str, &str) = ("\u{1b}[1m\u{1b}[4m", "\u{1b}[0m");

/// The whole command line with its commands in groups.
pub(super) fn grouped(mut command: Command) -> Command {
    command.build();
    let mut listed = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(listed, "{}{title}:{}", HEADING.0, HEADING.1);
        for own in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = own.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(listed, "  {:<12} {about}", own.get_name());
        }
        listed.push('\n');
    }
    let template = format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listed}{{all-args}}{{after-help}}");
    let template = template.replace("{all-args}", &format!("{}Options:{}\n{{options}}", HEADING.0, HEADING.1));
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut command = super::super::Arguments::command();
        command.build();
        let mut known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, known, "put it into a group of `GROUPS`");
    }

    #[test]
    fn every_flag_says_what_it_does() {
        let mut all = vec![super::super::Arguments::command()];
        while let Some(command) = all.pop() {
            let silent: Vec<_> = command.get_arguments().filter(|argument| argument.get_help().is_none()).collect();
            assert!(silent.is_empty(), "{}: {silent:?}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
            all.extend(command.get_subcommands().cloned());
        }
    }
}
