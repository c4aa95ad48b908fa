//! `summary`: a result for a person, or what the journal of a killed run holds.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Failure, terminal};
use crate::engine::exit::ExitCode;
use crate::report::summary;
use crate::results::RunResult;
use crate::results::file::{self, ReadError};

/// `xmpp-bench summary`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  xmpp-bench summary results/quickstart-loopback.json\n  \
                        xmpp-bench summary run.json.journal\n  xmpp-bench summary --json run.json.journal > run.json")]
pub(super) struct SummaryArgs {
    /// A result, or a journal.
    result: PathBuf,
    /// Print the whole result as JSON instead (a journal becomes one).
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &SummaryArgs) -> Result<(), Failure> {
    let result = file::read(&args.result).map_err(|error| Failure::usage(explain(&error)))?;
    if args.json {
        for line in contradictions_of(&args.result, &result) {
            terminal::say(&line);
        }
        let text = serde_json::to_string(&result)
            .map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))?;
        return terminal::print(&format!("{text}\n"));
    }
    terminal::print(&summary::render(&result, Some(&args.result.to_string_lossy()), terminal::style()))
}

/// What a file says that cannot be true at once, for forms that have no place for it.
pub(super) fn contradictions_of(path: &Path, result: &RunResult) -> Vec<String> {
    let told = summary::contradictions(result).into_iter();
    told.map(|line| format!("{}: {line}", path.display())).collect()
}

/// What is wrong with the file, and what its name suggests.
pub(super) fn explain(error: &ReadError) -> String {
    match error {
        ReadError::NotAResult { path, .. } if path.extension().is_some_and(|ending| ending == "toml") => {
            format!(
                "{error}\nis it a profile? `xmpp-bench profile show` shows one, `xmpp-bench run` makes a result of it"
            )
        }
        _ => error.to_string(),
    }
}
