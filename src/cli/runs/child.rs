//! One run of a series, in a process of its own.
//!
//! Invariants: it runs the program this process runs, even if the file has been replaced meanwhile; it does not outlive this
//! process; what a person says (Ctrl-C) reaches it through this process alone, once each time.

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command as Program, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};

use crate::cli::Failure;
use crate::engine::coordinator::Command;
use crate::engine::exit::ExitCode;

/// How often it is looked whether the run has ended.
const LOOK_UP: Duration = Duration::from_millis(100);

/// How a run's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its exit code; the signal that killed it, where one did.
    pub(super) code: Result<u8, i32>,
    /// Whether the series was interrupted meanwhile.
    pub(super) is_interrupted: bool,
}

/// Runs it to its end; interrupts are handed on. The error is that it could not be started, or waited for.
pub(super) fn run(words: Vec<OsString>, commands: &Receiver<Command>) -> Result<Ended, Failure> {
    let mut child = start(words)?;
    let mut is_interrupted = false;
    loop {
        match commands.recv_timeout(LOOK_UP) {
            Ok(Command::Interrupt) => {
                is_interrupted = true;
                interrupt(&child);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody listens for signals any more: then none can be handed on, and the run goes to its end.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK_UP),
        }
        let status = child.try_wait().map_err(|error| failure(&format!("cannot wait for a run: {error}")))?;
        if let Some(status) = status {
            let killed = status.signal().unwrap_or_default();
            let code = status.code().and_then(|code| u8::try_from(code).ok()).ok_or(killed);
            return Ok(Ended { code, is_interrupted });
        }
    }
}

/// Tells a run's process which process the series is.
const SERIES: &str = "XMPP_BENCH_SERIES";

/// For a process that is one run of a series: it ends, in order, when the series' process is killed. An error if that is gone already.
pub(in crate::cli) fn end_with_parent() -> Result<(), Failure> {
    // Refused at worst; then it goes to its end.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    // A series killed before this line sends no signal any more. Without the variable the run was started by hand.
    let series = std::env::var(SERIES).ok().and_then(|text| text.parse::<i32>().ok());
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    if series.is_some() && series != parent {
        return Err(Failure::new(ExitCode::Interrupted, "the series this run is part of is gone"));
    }
    Ok(())
}

fn start(words: Vec<OsString>) -> Result<Child, Failure> {
    // The kernel's name for this very program. A group of its own: a terminal's Ctrl-C would otherwise come twice.
    let mut program = Program::new("/proc/self/exe");
    program.arg0(env!("CARGO_PKG_NAME")).args(words).process_group(0);
    program.env(SERIES, std::process::id().to_string());
    program.stdin(Stdio::null()).stdout(Stdio::null());
    program.spawn().map_err(|error| failure(&format!("cannot start a run: {error}")))
}

fn interrupt(child: &Child) {
    // It may have ended just now.
    let _ = kill_process(Pid::from_child(child), Signal::INT);
}

fn failure(text: &str) -> Failure {
    Failure::new(ExitCode::Internal, text)
}
