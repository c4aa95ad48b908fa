//! The command line: one file per subcommand; errors to text; exit codes.

pub mod profile;
