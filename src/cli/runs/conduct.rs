//! Carries a series out: one run after the other, with progress over the whole, and the table at its end.
//!
//! A run that fails is named and the next begins, unless it would fail likewise (nobody can log in, the run cannot begin) or the
//! series was interrupted. What was measured until then is shown in any case.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::child::{self, Ended};
use super::{Pace, Part, Planned};
use crate::cli::progress::Pause;
use crate::cli::{Failure, terminal};
use crate::clock::Epoch;
use crate::engine::coordinator::Command;
use crate::engine::exit::{self, ExitCode};
use crate::report::repeats::{RunRow, Seen, render};
use crate::results::file;
use crate::results::{Exit, ExitReason, RunResult};
use crate::units::{Offset, show_duration};

/// A series that is about to begin.
pub(in crate::cli) struct Series<'a> {
    /// Its runs, in their order.
    pub(in crate::cli) planned: Vec<Planned>,
    /// The command line of each, without what is its own (seed, file, place).
    pub(in crate::cli) words: &'a dyn Fn(&Planned) -> Vec<OsString>,
    /// What the runs take by their phases.
    pub(in crate::cli) plan: Duration,
    /// The pause between two.
    pub(in crate::cli) settle: Duration,
    /// Nothing is said while it goes on.
    pub(in crate::cli) quiet: bool,
    /// Results are printed, each in a line of JSON, instead of the table.
    pub(in crate::cli) json: bool,
}

/// What a series came to.
pub(in crate::cli) struct Outcome {
    /// What speaks for an exit code, over all runs.
    pub(in crate::cli) reasons: Vec<(ExitCode, String)>,
    /// Whether every run that was planned left a result.
    pub(in crate::cli) is_whole: bool,
}

/// Runs it to its end, and prints what came of it.
pub(in crate::cli) fn conduct(series: &Series<'_>, commands: &Receiver<Command>) -> Result<Outcome, Failure> {
    let of = series.planned.len() as u32;
    let mut pace = Pace::new(series.plan, series.settle);
    let mut rows: Vec<RunRow> = Vec::new();
    let keys = (!series.quiet).then(terminal::HiddenKeys::hide);
    let mut reasons = Vec::new();
    let number_of_series = Epoch::start().as_monotonic_nanos() as u32 ^ std::process::id();
    for planned in &series.planned {
        if planned.number > 1 && pause(series, planned, &pace, commands) {
            reasons.push((ExitCode::Interrupted, interrupted_before(planned.number, of)));
            break;
        }
        announce(series, planned, &pace);
        let after = pace.after(planned.number, of);
        let part = Part { number: planned.number, of, after, series: number_of_series };
        let clock = Epoch::start();
        let ended = match child::run(words(series, planned, part), commands) {
            Ok(ended) => ended,
            // What was measured until then is shown all the same.
            Err(failure) => {
                reasons.push((failure.code, format!("run {}: {}", planned.number, failure.message)));
                say(series, &failure.message);
                break;
            }
        };
        pace.note(clock.now().since(Offset::ZERO));
        let row = row(series, (planned, part), ended)?;
        tell(series, &row, of);
        reasons.extend(
            row.exit
                .reasons
                .iter()
                .map(|reason| (exit::code_of(reason.code), format!("run {}: {}", row.number, reason.reason))),
        );
        let ends_here = ends_the_series(&row.exit) || ended.is_interrupted;
        rows.push(row);
        if ends_here && planned.number < of {
            let why = why_it_ended(planned.number, of, ended);
            reasons.extend(ended.is_interrupted.then(|| (ExitCode::Interrupted, why.clone())));
            say(series, &why);
            break;
        }
    }
    drop(keys);
    if !series.json {
        terminal::print(&render(&rows, terminal::style()))?;
    }
    let is_whole = rows.len() as u32 == of && rows.iter().all(|row| row.seen.is_some());
    Ok(Outcome { reasons, is_whole })
}

/// Decides the exit code of a series and whatever was done with it, and says why it is not 0.
pub(in crate::cli) fn conclude(reasons: Vec<(ExitCode, String)>, json: bool) -> Result<u8, Failure> {
    let exit = exit::decide(reasons);
    if let Some(first) = exit.reasons.first().filter(|_| !json) {
        terminal::print(&format!("Exit code {}: {}\n", first.code, first.reason))?;
    }
    Ok(exit.code)
}

/// What a run is started with.
fn words(series: &Series<'_>, planned: &Planned, part: Part) -> Vec<OsString> {
    let mut words = (series.words)(planned);
    words.extend(["--seed".into(), planned.seed.to_string().into()]);
    words.extend(["--out".into(), planned.out.clone().into_os_string()]);
    words.extend(["--part".into(), part.to_string().into()]);
    // What is worth knowing of the machine is so for every run of a side.
    let first = series.planned.iter().find(|one| one.side == planned.side);
    if first.is_some_and(|first| first.number != planned.number) {
        words.push("--warned".into());
    }
    words
}

/// The next run would fail likewise: nobody could connect or log in, or the run could not begin.
fn ends_the_series(exit: &Exit) -> bool {
    let fatal = [ExitCode::Interrupted, ExitCode::Usage, ExitCode::CannotConnect];
    exit.reasons.iter().any(|reason| fatal.iter().any(|code| code.code() == reason.code))
}

fn why_it_ended(number: u32, of: u32, ended: Ended) -> String {
    if ended.is_interrupted {
        return format!("interrupted in run {number} of {of}: the others were not begun");
    }
    format!("run {number} of {of} could not be done, and the others would fare likewise: they were not begun")
}

fn interrupted_before(number: u32, of: u32) -> String {
    format!("interrupted before run {number} of {of}")
}

/// What a run left, and how it ended.
fn row(series: &Series<'_>, (planned, part): (&Planned, Part), ended: Ended) -> Result<RunRow, Failure> {
    // A run that was killed leaves a journal under the name its result would have had.
    let result = file::read(&planned.out).ok().filter(|result| is_of(result, part));
    if let (true, Some(result)) = (series.json, &result) {
        let text = serde_json::to_string(result)
            .map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))?;
        terminal::print(&format!("{text}\n"))?;
    }
    Ok(RunRow {
        number: planned.number,
        side: planned.side.map(super::Side::as_str),
        seed: planned.seed,
        place: planned.out.to_string_lossy().into_owned(),
        seen: result.as_ref().map(Seen::of),
        exit: exit_of(result.as_ref(), ended),
    })
}

/// Whether a file is this run's, and not what an earlier one left under its name.
fn is_of(result: &RunResult, part: Part) -> bool {
    let told = result.command.iter().skip_while(|word| *word != "--part").nth(1);
    let told: Option<Part> = told.and_then(|text| text.parse().ok());
    told.is_some_and(|told| (told.series, told.number) == (part.series, part.number))
}

/// The result's reasons; where the process ended otherwise than its result says, or left none, that.
fn exit_of(result: Option<&RunResult>, ended: Ended) -> Exit {
    // What a journal says of a run that was killed is that it was interrupted, and not by whom.
    let said = result.filter(|result| result.complete).map(|result| result.exit.clone()).unwrap_or_default();
    let (code, reason) = match ended.code {
        Ok(code) if code == said.code => return said,
        Ok(code) => (code, "it ended with an error of its own, told above".to_owned()),
        Err(signal) => (ExitCode::Internal.code(), format!("it was killed by signal {signal}")),
    };
    let own = ExitReason { code, reason };
    Exit { code, reasons: std::iter::once(own).chain(said.reasons).collect() }
}

fn announce(series: &Series<'_>, planned: &Planned, pace: &Pace) {
    if terminal::is_watched() {
        return;
    }
    let of = series.planned.len() as u32;
    let side = planned.side.map_or_else(String::new, |side| format!(", side {}", side.as_str()));
    let left = show_duration(whole(pace.from(planned.number, of)));
    say(series, &format!("run {} of {of}{side}, seed {}; about {left} to go", planned.number, planned.seed));
}

fn tell(series: &Series<'_>, row: &RunRow, of: u32) {
    let seen = row.seen.as_ref().map_or_else(|| "no result".to_owned(), Seen::in_words);
    let side = row.side.map_or_else(String::new, |side| format!(", side {side}"));
    let code = if row.exit.code == 0 { String::new() } else { format!(", exit code {}", row.exit.code) };
    say(series, &format!("run {} of {of}{side}: {seen}{code}", row.number));
}

fn say(series: &Series<'_>, text: &str) {
    if !series.quiet {
        terminal::say(text);
    }
}

/// Leaves the server alone for a while before a run; true when the series was interrupted.
fn pause(series: &Series<'_>, planned: &Planned, pace: &Pace, commands: &Receiver<Command>) -> bool {
    let clock = Epoch::start();
    let of = series.planned.len() as u32;
    let shown = Pause::new(series.quiet);
    loop {
        let gone = clock.now().since(Offset::ZERO);
        let Some(left) = series.settle.checked_sub(gone).filter(|left| !left.is_zero()) else { break };
        let all = whole(left + pace.from(planned.number, of));
        shown.show(&format!(
            "settling, then run {} of {of}; about {} to go in all",
            planned.number,
            show_duration(all)
        ));
        if commands.recv_timeout(left.min(Duration::from_millis(500))).is_ok() {
            return true;
        }
    }
    commands.try_recv().is_ok()
}

/// Nobody counts the milliseconds of what is to come.
fn whole(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs_f64().round() as u64)
}

/// Makes sure that no result of an earlier series stands where one of this will: one would be taken for the other.
pub(in crate::cli) fn refuse_taken(planned: &[Planned]) -> Result<(), Failure> {
    let journal = |out: &Path| {
        let mut name = out.as_os_str().to_owned();
        name.push(".journal");
        PathBuf::from(name)
    };
    let taken =
        planned.iter().flat_map(|one| [one.out.clone(), journal(&one.out)]).find(|path| path.exists());
    taken.map_or(Ok(()), |path| {
        Err(Failure::usage(format!(
            "`{}` is there already: name another place with --out, or its runs and these would be taken for one series",
            path.display()
        )))
    })
}

/// Makes sure that a folder can hold a series: it is there and has no runs of another one.
pub(in crate::cli) fn prepare_folder(folder: &Path) -> Result<(), Failure> {
    let fail = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot write to `{}`: {error}; choose another place with --out",
            folder.display()
        ))
    };
    std::fs::create_dir_all(folder).map_err(fail)?;
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name().to_string_lossy().into_owned();
        if (name.starts_with("a-") || name.starts_with("b-")) && name.contains(".json") {
            return Err(Failure::usage(format!(
                "`{}` has runs in it already ({name}): name another folder with --out, or the two would be taken for one \
                 comparison",
                folder.display()
            )));
        }
    }
    Ok(())
}
