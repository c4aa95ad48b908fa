//! `man`: the manual, made from the same text as `--help`: one page for the command and one for each subcommand.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use crate::cli::{Failure, terminal};
use crate::engine::exit::ExitCode;

/// `xmpp-bench man`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    xmpp-bench man | man -l -\n  \
    xmpp-bench man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write all pages into this folder, one per subcommand, instead of the first one to stdout.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, mut command: Command) -> Result<(), Failure> {
    command.build();
    let Some(folder) = &args.dir else {
        return terminal::print(&page(command)?);
    };
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    let mut count = 0;
    write_all(&command, folder, &mut count)?;
    terminal::say(&format!("{count} pages in {}", folder.display()));
    Ok(())
}

/// The page of a command, and those of its subcommands.
fn write_all(command: &Command, folder: &Path, count: &mut usize) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let path = folder.join(format!("{name}.1"));
    std::fs::write(&path, page(command.clone())?).map_err(|error| unwritable(&path, &error))?;
    *count += 1;
    let listed = command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help");
    listed.into_iter().try_for_each(|one| write_all(one, folder, count))
}

/// What stands below the options in `--help` has a heading of its own here, and a better one than "extra".
fn page(command: Command) -> Result<String, Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut text = Vec::new();
    let rendered = Man::new(command).title(name).render(&mut text);
    rendered.map_err(|error| Failure::new(ExitCode::Internal, format!("cannot write a page: {error}")))?;
    Ok(String::from_utf8_lossy(&text).replace(".SH EXTRA\n", ".SH EXAMPLES AND NOTES\n"))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot write `{}`: {error}; choose another place with --dir", path.display()))
}
