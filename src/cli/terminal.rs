//! The two streams, and what is known of the terminal. Nothing else in the library prints.

use std::io::{self, IsTerminal as _, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::cli::Failure;
use crate::engine::exit::ExitCode;
use crate::report::summary::Style;

/// Says something to the person (stderr).
pub(super) fn say(text: &str) {
    // A person who closed the terminal is not told.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Where data goes.
pub(super) fn stdout() -> io::StdoutLock<'static> {
    io::stdout().lock()
}

/// Prints data. A reader that has gone away (`| head`) is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(ExitCode::Internal, format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Whether stderr is a terminal: then progress is drawn, else told in lines.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether stdout is a terminal: then a page would only fill it.
pub(super) fn is_read_by_a_person() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr may be coloured.
pub(super) fn is_colourful() -> bool {
    is_watched() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether somebody can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// While it lives, a terminal does not show `^C` for Ctrl-C: a progress display stands there, and what is echoed behind
/// its last line moves the cursor to the next one, so that a line of it would never be cleared.
#[derive(Debug)]
pub(super) struct HiddenKeys(());

impl HiddenKeys {
    /// Hides them, where there is a terminal that shows them and this process is its foreground.
    pub(super) fn hide() -> Option<Self> {
        let mut modes = foreground_modes()?;
        if !modes.local_modes.contains(LocalModes::ECHOCTL) {
            return None;
        }
        modes.local_modes.remove(LocalModes::ECHOCTL);
        tcsetattr(io::stdin(), OptionalActions::Now, &modes).ok().map(|()| Self(()))
    }
}

impl Drop for HiddenKeys {
    fn drop(&mut self) {
        // In the background there is nothing to give back: the shell has set its own modes, and asking would stop us.
        if let Some(mut modes) = foreground_modes() {
            modes.local_modes.insert(LocalModes::ECHOCTL);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &modes);
        }
    }
}

/// The modes of the terminal this process is in the foreground of.
fn foreground_modes() -> Option<Termios> {
    let is_foreground = tcgetpgrp(io::stdin()).ok()? == rustix::process::getpgrp();
    is_foreground.then(|| tcgetattr(io::stdin()).ok())?
}

/// Asks a yes-or-no question; anything but yes is no.
pub(super) fn ask(question: &str) -> bool {
    let _ = write!(io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// How data for a person is to look on stdout.
pub(super) fn style() -> Style {
    let colour =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { width: width(), colour }
}

/// How wide the terminal is that progress is drawn on.
pub(super) fn watched_width() -> u16 {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(Style::WIDTH_MIN, |size| size.ws_col)
}

/// The terminal's; into a file or a pipe what `COLUMNS` says, so that a log may have wider tables than 80 columns.
fn width() -> u16 {
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    let columns = rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col);
    columns
        .filter(|columns| *columns > 0)
        .or_else(told)
        .unwrap_or_default()
        .clamp(Style::WIDTH_MIN, WIDTH_MAX)
}

/// Wider lines are read by nobody.
const WIDTH_MAX: u16 = 400;
