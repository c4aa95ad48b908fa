//! The command line: one file per subcommand; errors to text; exit codes.
//!
//! stdout is data, stderr is conversation. Errors say where, what, and what to do, and every one has an exit code
//! ([`crate::engine::exit::ExitCode`]). This module decides nothing about measurement.

mod accounts;
mod load;
pub mod profile;
mod progress;
mod run;
mod schema;
mod serve;
mod summary;
mod terminal;

use std::process::ExitCode as ProcessCode;

use clap::{Parser, Subcommand};

use crate::activity::Features;
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
  xmpp-bench profile show profiles/quickstart.toml
  xmpp-bench serve --listen 127.0.0.1:5222

Exit codes: 0 ok, 1 internal error, 2 usage or profile error, 3 cannot connect or log in, 4 an SLO failed or is \
undecided, 5 regression, 6 not enough evidence, 7 measurement not trustworthy, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a profile and write a result.
    Run(run::RunArgs),
    /// Run the embedded server, for trying things out and for calibration.
    Serve(serve::ServeArgs),
    /// Create, check, delete and list the accounts and contacts a profile needs.
    Accounts(accounts::AccountsArgs),
    /// Check, show and list profiles; print their schema.
    Profile(profile::ProfileArgs),
    /// Print the summary of a result, or of the journal a killed run left.
    Summary(summary::SummaryArgs),
    /// Print the JSON Schema of result files.
    ResultSchema,
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
        Command::Serve(args) => serve::run(&args).map(|()| 0),
        Command::Accounts(args) => accounts::run(&args),
        Command::Profile(args) => {
            profile::run(&args, &Features, &mut terminal::stdout()).map(|()| 0).map_err(Failure::from)
        }
        Command::Summary(args) => summary::run(&args).map(|()| 0),
        Command::ResultSchema => schema::run().map(|()| 0),
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
