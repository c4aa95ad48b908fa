//! The command as it behaves at a keyboard and in a script: its help, its mistakes and their exit codes, and that no
//! password leaves the profile.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "cli_all/help.rs"]
mod help;
#[path = "cli_all/mistakes.rs"]
mod mistakes;
#[path = "cli_all/passwords.rs"]
mod passwords;
#[path = "cli_all/report.rs"]
mod report;
#[path = "cli_all/shell.rs"]
mod shell;
