//! What a person sees while a run goes on: one bar on a terminal, a line every few seconds elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::terminal;
use crate::engine::coordinator::{Stage, Standing};
use crate::results::Histogram;
use crate::units::{Offset, Quantile, show_count, show_duration, show_micros};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows a run.
pub(super) enum Progress {
    /// Asked to be silent.
    Quiet,
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// Lines for a log.
    Lines {
        /// When the next one is due.
        next: Offset,
    },
}

impl Progress {
    /// For a run whose plan takes so long.
    pub(super) fn new(quiet: bool, plan: Duration) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !terminal::is_watched() {
            return Self::Lines { next: Offset::ZERO };
        }
        let template = "{prefix:>9} [{bar:24}] {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(u64::try_from(plan.as_millis()).unwrap_or(u64::MAX));
        bar.set_style(style.progress_chars("=> "));
        Self::Bar(bar)
    }

    /// Where the run stands now.
    pub(super) fn show(&mut self, standing: &Standing<'_>) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_position(standing.now.as_nanos() / 1_000_000);
                bar.set_prefix(stage_name(standing).to_owned());
                bar.set_message(describe(standing, "\n          "));
            }
            Self::Lines { next } => {
                if standing.now >= *next {
                    *next = standing.now + LINE_EVERY;
                    let at = show_duration(Duration::from_secs(u64::from(standing.now.second())));
                    terminal::say(&format!(
                        "{at:>8}  {:<9} {}",
                        stage_name(standing),
                        describe(standing, "  ")
                    ));
                }
            }
        }
    }

    /// The run is over.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn stage_name<'a>(standing: &'a Standing<'_>) -> &'a str {
    match standing.stage {
        Stage::Phases => standing.phase,
        Stage::Draining => "draining",
        Stage::Leaving => "leaving",
    }
}

/// Counts first, then times: on a terminal they stand on a line each.
fn describe(standing: &Standing<'_>, between: &str) -> String {
    let recent = standing.recent;
    let (online, planned) = standing.online;
    let mut text = format!("users {}/{}", show_count(online.into()), show_count(planned.into()));
    match standing.stage {
        Stage::Phases => {
            text += &format!("  asked {:.0}/s done {}/s", standing.asked_per_second, show_count(recent.done));
        }
        Stage::Draining | Stage::Leaving => text += &format!("  open {}", show_count(standing.open)),
    }
    let percentile = |histogram: &Histogram, quantile| {
        histogram.quantile(quantile).map_or_else(|| "–".to_owned(), show_micros)
    };
    text += &format!(
        "{between}p50 {} p99 {}  lag p99 {}  errors {}/s",
        percentile(&recent.response, Quantile::P50),
        percentile(&recent.response, Quantile::P99),
        percentile(&recent.lag, Quantile::P99),
        show_count(recent.errors)
    );
    if standing.logins.1 > 0 {
        text += &format!("  failed logins {}", show_count(standing.logins.1));
    }
    text
}
