//! `result-schema`: the JSON Schema of result files.

use crate::cli::{Failure, terminal};
use crate::engine::exit::ExitCode;

pub(super) fn run() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&crate::results::result_schema())
        .map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))?;
    terminal::print(&format!("{text}\n"))
}
