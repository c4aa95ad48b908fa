//! What a person sees while a run goes on: on a terminal a bar for the phase with numbers below it, elsewhere a line every few
//! seconds and one whenever something new begins.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::runs::Part;
use crate::cli::terminal::{self, HiddenKeys};
use crate::engine::coordinator::{Stage, Standing};
use crate::engine::execute::Step;
use crate::results::Histogram;
use crate::units::{Offset, Quantile, show_count, show_duration, show_micros};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// From this many columns on the numbers stand in one line.
const ROOMY: u16 = 120;

/// Shows a run whose phases take so long.
pub(super) struct Progress {
    phases: Duration,
    way: Way,
    /// Whether its early end has been told.
    told_early: bool,
    /// The series it is part of.
    part: Option<Part>,
    /// Whether warnings are left out.
    is_warned: bool,
}

enum Way {
    /// Asked to be silent.
    Quiet,
    /// A bar on a terminal.
    Bar {
        bar: ProgressBar,
        width: u16,
        #[expect(dead_code, reason = "held until the bar goes")]
        keys: Option<HiddenKeys>,
    },
    /// Lines for a log.
    Lines {
        /// When the next one is due.
        next: Offset,
        /// What the last one was about.
        stage: String,
    },
}

impl Progress {
    /// Nothing shown yet.
    pub(super) fn new(quiet: bool, phases: Duration) -> Self {
        let way = if quiet {
            Way::Quiet
        } else if terminal::is_watched() {
            let (bar, width) = (ProgressBar::new(1), terminal::watched_width());
            Way::Bar { bar, width, keys: HiddenKeys::hide() }
        } else {
            Way::Lines { next: Offset::ZERO, stage: String::new() }
        };
        Self { phases, way, told_early: false, part: None, is_warned: false }
    }

    /// The same for a run of a series; `is_warned` if its warnings have been told by an earlier one.
    pub(super) fn within(self, part: Option<Part>, is_warned: bool) -> Self {
        Self { part, is_warned, ..self }
    }

    /// What is being done now.
    pub(super) fn show(&mut self, step: &Step<'_>) {
        match step {
            Step::Warning(_) if self.is_warned => {}
            Step::Warning(text) => self.say(&format!("warning: {text}")),
            Step::Doing(what) => self.doing(what),
            Step::Running(standing) => {
                if let (Some(reason), false) = (standing.early, self.told_early) {
                    self.told_early = true;
                    self.tell(&format!("ending early: {reason}"));
                }
                self.running(standing);
            }
        }
    }

    /// The run is over.
    pub(super) fn finish(&self) {
        if let Way::Bar { bar, .. } = &self.way {
            bar.finish_and_clear();
        }
    }

    /// Says something even to who asked for silence.
    fn say(&self, text: &str) {
        match &self.way {
            Way::Bar { bar, .. } => bar.suspend(|| terminal::say(text)),
            Way::Quiet | Way::Lines { .. } => terminal::say(text),
        }
    }

    fn tell(&self, text: &str) {
        if !matches!(self.way, Way::Quiet) {
            self.say(text);
        }
    }

    fn doing(&mut self, what: &str) {
        match &self.way {
            Way::Bar { bar, .. } => {
                bar.set_style(style("{msg}"));
                bar.set_message(format!("{what} …"));
            }
            Way::Lines { .. } => terminal::say(what),
            Way::Quiet => {}
        }
    }

    fn running(&mut self, standing: &Standing<'_>) {
        let numbers = [counts(standing), times(standing), troubles(standing)];
        match &mut self.way {
            Way::Quiet => {}
            Way::Bar { bar, width, .. } => {
                let gap = if *width >= ROOMY { "  " } else { "\n          " };
                let (start, end) = standing.window;
                bar.set_style(style("{prefix:>9!} [{bar:16}] {msg}").progress_chars("=> "));
                bar.set_length(millis(end.since(start)).max(1));
                bar.set_position(millis(standing.now.since(start)));
                bar.set_prefix(stage_name(standing).to_owned());
                let series =
                    self.part.map(|part| format!("\n          {}", place(&part, standing, self.phases)));
                bar.set_message(format!(
                    "{}\n          {}{}",
                    whereabouts(standing, self.phases),
                    numbers.join(gap),
                    series.unwrap_or_default()
                ));
            }
            Way::Lines { next, stage } => {
                let now = stage_name(standing);
                if standing.now >= *next || stage != now {
                    *next = standing.now + LINE_EVERY;
                    now.clone_into(stage);
                    let at = match standing.now.second() {
                        0 => "0 s".to_owned(),
                        second => show_duration(Duration::from_secs(second.into())),
                    };
                    terminal::say(&format!("{at:>8}  {now:<9} {}", numbers.join("  ")));
                }
            }
        }
    }
}

/// A pause between two runs, for who watches.
pub(super) struct Pause(Option<ProgressBar>);

impl Pause {
    /// Nothing shown yet; off a terminal nothing ever is, for a run's first line says enough.
    pub(super) fn new(quiet: bool) -> Self {
        let bar = (!quiet && terminal::is_watched()).then(|| ProgressBar::new(1).with_style(style("{msg}")));
        Self(bar)
    }

    /// What is to be said now.
    pub(super) fn show(&self, text: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(text.to_owned());
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// `run 3 of 8, about 4 min 10 s to go in all`
fn place(part: &Part, standing: &Standing<'_>, phases: Duration) -> String {
    let left = phases.saturating_sub(standing.now.since(Offset::ZERO)) + part.after;
    let left = Duration::from_secs(left.as_secs_f64().round() as u64);
    format!("run {} of {}, about {} to go in all", part.number, part.of, show_duration(left))
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn stage_name<'a>(standing: &'a Standing<'_>) -> &'a str {
    match standing.stage {
        Stage::Phases => standing.phase,
        Stage::Draining => "draining",
        Stage::Leaving => "leaving",
    }
}

/// `12 s of 20 s, phase 3 of 3, 8 s to go`
fn whereabouts(standing: &Standing<'_>, phases: Duration) -> String {
    let seconds = |span: Duration| {
        // Nobody counts the seconds of a long phase.
        let unit = if span > Duration::from_mins(10) { 60.0 } else { 1.0 };
        show_duration(Duration::from_secs_f64((span.as_secs_f64() / unit).round() * unit))
    };
    let (start, end) = standing.window;
    let (gone, whole) = (seconds(standing.now.since(start)), seconds(end.since(start)));
    match standing.stage {
        Stage::Phases => {
            let (number, all) = standing.phase_number;
            let left = seconds(phases.saturating_sub(standing.now.since(Offset::ZERO)));
            format!("{gone} of {whole}, phase {number} of {all}, {left} to go")
        }
        Stage::Draining => format!("{gone} of at most {whole}: waiting for what is open"),
        Stage::Leaving => "closing streams".to_owned(),
    }
}

fn counts(standing: &Standing<'_>) -> String {
    let (online, planned) = standing.online;
    let mut text = format!("users {}/{}", show_count(online.into()), show_count(planned.into()));
    match standing.asked_and_done() {
        _ if standing.stage != Stage::Phases => {}
        Some((asked, done)) => text += &format!("  asked {asked:.0}/s done {}/s", show_count(done)),
        // What goes to all contacts makes as many operations as are online: there is nothing to hold it against.
        None => text += &format!("  done {}/s", show_count(standing.recent.done)),
    }
    text
}

fn troubles(standing: &Standing<'_>) -> String {
    let (open, errors) = (show_count(standing.open), show_count(standing.recent.errors));
    let mut text = format!("open {open}  errors {errors}/s");
    if standing.logins.1 > 0 {
        text += &format!("  failed logins {}", show_count(standing.logins.1));
    }
    text
}

fn times(standing: &Standing<'_>) -> String {
    let recent = standing.recent;
    let percentile = |histogram: &Histogram, quantile| {
        histogram.quantile(quantile).map_or_else(|| "–".to_owned(), show_micros)
    };
    format!(
        "p50 {} p99 {}  lag p99 {}",
        percentile(&recent.response, Quantile::P50),
        percentile(&recent.response, Quantile::P99),
        percentile(&recent.lag, Quantile::P99),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::aggregate::{Recent, RecentOperation};
    use crate::sample::OperationId;

    fn at(seconds: f64) -> Offset {
        Offset::from_secs_f64(seconds)
    }

    fn standing(recent: &Recent, stage: Stage) -> Standing<'_> {
        Standing {
            now: at(22.4),
            stage,
            early: None,
            phase: "steady",
            phase_number: (3, 3),
            window: (at(10.0), at(30.0)),
            online: (999, 1_000),
            asked: vec![(OperationId(11), 200.1), (OperationId(12), 100.3)],
            open: 12,
            recent,
            logins: (999, 1),
            seconds_closed: 22,
            folded: None,
        }
    }

    #[test]
    fn it_says_where_the_run_is_and_how_it_goes() {
        let done = |done| RecentOperation { done, ..RecentOperation::default() };
        let operations = [(10, done(70)), (11, done(199)), (12, done(99))].into();
        let recent = Recent { done: 368, errors: 2, operations, ..Recent::default() };
        let phases = Duration::from_secs(30);
        let steady = standing(&recent, Stage::Phases);
        assert_eq!(whereabouts(&steady, phases), "12 s of 20 s, phase 3 of 3, 8 s to go");
        assert_eq!(counts(&steady), "users 999/1,000  asked 300/s done 298/s");
        assert_eq!(times(&steady), "p50 – p99 –  lag p99 –");
        assert_eq!(troubles(&steady), "open 12  errors 2/s  failed logins 1");
        let part = Part { number: 3, of: 8, after: Duration::from_secs(192), series: 1 };
        assert_eq!(place(&part, &steady, phases), "run 3 of 8, about 3 min 20 s to go in all");
        let draining = standing(&recent, Stage::Draining);
        assert_eq!(whereabouts(&draining, phases), "12 s of at most 20 s: waiting for what is open");
        assert_eq!(counts(&draining), "users 999/1,000");
        let unknown = Standing { asked: Vec::new(), ..standing(&recent, Stage::Phases) };
        assert_eq!(counts(&unknown), "users 999/1,000  done 368/s");
    }

    #[test]
    fn the_largest_of_runs_fits_eighty_columns() {
        let most = RecentOperation { done: 999_999, ..RecentOperation::default() };
        let operations = [(11, most)].into();
        let mut recent = Recent { done: 999_999, errors: 999_999, operations, ..Recent::default() };
        (0..1_000).for_each(|n| recent.response.record_nanos(59_900_000_000 + n));
        (0..1_000).for_each(|n| recent.lag.record_nanos(59_900_000_000 + n));
        let hours = |count: u64| Offset::ZERO + Duration::from_secs(3_600 * count + 3_599);
        let large = Standing {
            now: hours(9),
            window: (Offset::ZERO, hours(19)),
            phase_number: (19, 20),
            online: (1_000_000, 1_000_000),
            asked: vec![(OperationId(11), 999_999.0)],
            open: 9_999_999,
            logins: (1_000_000, 1_000_000),
            ..standing(&recent, Stage::Phases)
        };
        let first = format!("{:>9} [{:16}] {}", "", "", whereabouts(&large, hours(19).since(Offset::ZERO)));
        let numbers = [counts(&large), times(&large), troubles(&large)];
        let part = Part { number: 1_000, of: 1_000, after: hours(19_000).since(Offset::ZERO), series: 1 };
        let series = place(&part, &large, hours(19).since(Offset::ZERO));
        let lines = numbers.into_iter().chain([series]).map(|numbers| format!("          {numbers}"));
        for line in lines.chain([first]) {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
    }
}
