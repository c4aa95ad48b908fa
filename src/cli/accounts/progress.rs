//! What a person sees while accounts are visited: a bar on a terminal, a line every few seconds elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::accounts::Standing;
use crate::cli::terminal::{self, HiddenKeys};
use crate::units::{show_count, show_duration};

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows stages, one after the other.
pub(super) struct Progress {
    look: Look,
    stage: String,
    is_stopping: bool,
}

enum Look {
    /// Asked to be silent.
    Quiet,
    /// A bar on a terminal.
    Bar(ProgressBar, #[expect(dead_code, reason = "held until the bar goes")] Option<HiddenKeys>),
    /// Lines for a log.
    Lines {
        /// When the next one is due.
        next: Duration,
        /// Whether the end of the stage has been told.
        told_last: bool,
    },
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let look = if quiet {
            Look::Quiet
        } else if terminal::is_watched() {
            let style = ProgressStyle::with_template("{prefix:>16} [{bar:24}] {msg}");
            let bar = ProgressBar::new(0);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            Look::Bar(bar, HiddenKeys::hide())
        } else {
            Look::Lines { next: Duration::ZERO, told_last: false }
        };
        Self { look, stage: String::new(), is_stopping: false }
    }

    /// Where it stands now.
    pub(super) fn show(&mut self, standing: &Standing) {
        self.tell_stopping(standing);
        let is_new = self.stage != standing.name;
        if is_new {
            self.stage.clone_from(&standing.name);
        }
        match &mut self.look {
            Look::Quiet => {}
            Look::Bar(bar, _) => {
                bar.set_length(standing.total);
                bar.set_position(standing.done);
                bar.set_prefix(standing.name.clone());
                bar.set_message(describe(standing));
            }
            Look::Lines { next, told_last } => {
                let is_last = standing.done == standing.total;
                let was_told = std::mem::replace(told_last, is_last) && !is_new;
                if is_new || is_last && !was_told || standing.elapsed >= *next {
                    *next = standing.elapsed + LINE_EVERY;
                    let at = show_duration(Duration::from_secs(standing.elapsed.as_secs()));
                    terminal::say(&format!("{at:>8}  {}  {}", standing.name, describe(standing)));
                }
            }
        }
    }

    /// All is over.
    pub(super) fn finish(&self) {
        if let Look::Bar(bar, _) = &self.look {
            bar.finish_and_clear();
        }
    }

    fn tell_stopping(&mut self, standing: &Standing) {
        if standing.is_stopping && !std::mem::replace(&mut self.is_stopping, true) {
            let text = "stopping: who is under way ends first; Ctrl-C once more stops at once";
            match &self.look {
                Look::Bar(bar, _) => bar.suspend(|| terminal::say(text)),
                Look::Quiet | Look::Lines { .. } => terminal::say(text),
            }
        }
    }
}

fn describe(standing: &Standing) -> String {
    let Standing { done, total, rate, failed, retried, .. } = standing;
    let mut text = format!("{}/{}  {rate}", show_count(*done), show_count(*total));
    if *failed > 0 {
        text += &format!("  failed {}", show_count(*failed));
    }
    if *retried > 0 {
        text += &format!("  tried again {}", show_count(*retried));
    }
    text
}
