//! The command line: one file per subcommand; errors to text; exit codes.
//!
//! stdout is data, stderr is conversation. Errors say where, what, and what to do, and every one has an exit code
//! ([`crate::engine::exit::ExitCode`]). This module decides nothing about measurement.

mod ab;
mod accounts;
mod compare;
mod completions;
mod confirm;
mod live;
mod load;
mod man;
pub mod profile;
mod progress;
mod report;
mod run;
mod runs;
mod schema;
mod serve;
mod summary;
mod terminal;

use std::process::ExitCode as ProcessCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::engine::exit::ExitCode;

/// Load generation and benchmarking for XMPP servers: measured from the intended instant, every message accounted for.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  xmpp-bench run profiles/quickstart.toml
  xmpp-bench run profiles/quickstart.toml --target xmpp://127.0.0.1:5222 --set target.ca_file=ca.pem
  xmpp-bench accounts create profiles/quickstart.toml --contacts --target xmpp://127.0.0.1:5222
  xmpp-bench run profiles/quickstart.toml --repeat 7 --out base.json
  xmpp-bench ab profiles/quickstart.toml --a xmpp://127.0.0.1:5222 --b xmpp://127.0.0.1:5322
  xmpp-bench compare old1.json old2.json --with new1.json new2.json
  xmpp-bench profile show profiles/quickstart.toml
  xmpp-bench report results/quickstart-prosody.json
  xmpp-bench serve --listen 127.0.0.1:5222

Exit codes: 0 ok, 1 internal error, 2 usage or profile error, 3 cannot connect or log in, 4 an SLO failed or is \
undecided, 5 regression, 6 not enough evidence, 7 measurement not trustworthy, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a profile and write a result.
    Run(run::RunArgs),
    /// Run a profile against two servers in turns, and compare them.
    Ab(ab::AbArgs),
    /// Run the embedded server, for trying things out and for calibration.
    Serve(serve::ServeArgs),
    /// Create, check, delete and list the accounts and contacts a profile needs.
    #[command(after_help = "Examples:\n  \
        xmpp-bench accounts create my.toml --contacts --out accounts.csv\n  \
        xmpp-bench accounts check my.toml")]
    Accounts(accounts::AccountsArgs),
    /// Check, show and list profiles; print their schema.
    Profile(profile::ProfileArgs),
    /// Print the summary of a result, or of the journal a killed run left.
    Summary(summary::SummaryArgs),
    /// Compare two sets of runs: what got better or worse, by how much, and how sure that is.
    Compare(compare::CompareArgs),
    /// Make a report of a result, or of several: a page with charts, or other forms.
    Report(report::ReportArgs),
    /// Print the JSON Schema of result files.
    #[command(after_help = "Examples:\n  xmpp-bench result-schema > result.schema.json")]
    ResultSchema,
    /// Print what a shell needs to complete this command.
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write the pages of all subcommands.
    Man(man::ManArgs),
}

/// What a subcommand cannot go on from.
#[derive(Debug)]
pub struct Failure {
    /// How the process ends.
    pub code: ExitCode,
    /// What is printed after `error: `; may have several lines.
    pub message: String,
    /// The message is complete by itself.
    pub is_rendered: bool,
}

impl Failure {
    /// An error with its exit code.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_rendered: false }
    }

    /// A mistake on the command line or in a profile.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }
}

impl From<profile::ProfileError> for Failure {
    fn from(error: profile::ProfileError) -> Self {
        let message = match &error {
            profile::ProfileError::Wrong(problems) if terminal::is_colourful() => problems.styled(),
            _ => error.to_string(),
        };
        // Problems come fully rendered, with their own heading.
        let is_rendered = matches!(error, profile::ProfileError::Wrong(_));
        Self { code: ExitCode::Usage, message, is_rendered }
    }
}

/// Runs the command line of this process.
pub fn main() -> ProcessCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no errors.
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok };
            let _ = error.print();
            return code.code().into();
        }
    };
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Ab(args) => ab::run(&args),
        Command::Serve(args) => serve::run(&args).map(|()| 0),
        Command::Accounts(args) => accounts::run(&args),
        Command::Profile(args) => {
            let mut text = Vec::new();
            let told = profile::run(&args, terminal::style().width, &mut text).map_err(Failure::from);
            told.and_then(|()| terminal::print(&String::from_utf8_lossy(&text))).map(|()| 0)
        }
        Command::Summary(args) => summary::run(&args).map(|()| 0),
        Command::Compare(args) => compare::run(&args),
        Command::Report(args) => report::run(&args).map(|()| 0),
        Command::ResultSchema => schema::run().map(|()| 0),
        Command::Completions(args) => completions::run(&args, Cli::command()).map(|()| 0),
        Command::Man(args) => man::run(&args, Cli::command()).map(|()| 0),
    };
    match result {
        Ok(code) => code.into(),
        Err(failure) => {
            let heading = if failure.is_rendered { "" } else { "error: " };
            terminal::say(&format!("{heading}{}", failure.message));
            failure.code.code().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples in a command's help, as words.
    fn examples(command: &clap::Command) -> Vec<Vec<String>> {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("  xmpp-bench "));
        // What follows is the shell's: a pipe, a redirection.
        let own = lines.map(|line| line.split(['|', '>']).next().unwrap_or(line));
        own.map(|line| words(line.trim())).collect()
    }

    /// As a shell splits a line, as far as examples need it.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().expect("begun with one").push(c),
            }
        }
        words.into_iter().filter(|word| !word.is_empty()).collect()
    }

    fn all(command: &clap::Command, found: &mut Vec<clap::Command>) {
        found.push(command.clone());
        command.get_subcommands().filter(|one| one.get_name() != "help").for_each(|one| all(one, found));
    }

    #[test]
    fn every_command_has_examples_and_each_of_them_is_understood() {
        Cli::command().debug_assert();
        let mut commands = Vec::new();
        all(&Cli::command(), &mut commands);
        assert!(commands.len() >= 10, "{}", commands.len());
        for command in &commands {
            let examples = examples(command);
            assert!(!examples.is_empty(), "{} has no example", command.get_name());
            for example in examples {
                let parsed = Cli::try_parse_from(&example);
                assert!(parsed.is_ok(), "{example:?}: {}", parsed.expect_err("it is refused"));
                let profile = example.iter().find(|word| word.starts_with("profiles/"));
                let path = profile.map(|path| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
                assert!(path.is_none_or(|path| path.exists()), "{example:?}: no such profile");
            }
        }
    }
}
