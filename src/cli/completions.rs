//! `completions`: what a shell needs to complete the command line.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::cli::{Failure, terminal};

/// `xmpp-bench completions`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    xmpp-bench completions bash > /etc/bash_completion.d/xmpp-bench\n  \
    xmpp-bench completions zsh > ~/.zfunc/_xmpp-bench\n  \
    xmpp-bench completions fish > ~/.config/fish/completions/xmpp-bench.fish")]
pub(super) struct CompletionsArgs {
    /// For which shell.
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    // Written into memory first: the generator panics where its reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    terminal::print(&String::from_utf8_lossy(&script))
}
