//! `compare`: two sets of results, what got better or worse, and the exit code for a pipeline.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use clap::{Args, ValueEnum};

use crate::cli::{Failure, terminal};
use crate::clock::Epoch;
use crate::compare::{self, CompareError, Comparison, Gate, MinEffect, Options, Run, Topic};
use crate::engine::exit::ExitCode;
use crate::results::file::ReadError;

/// `xmpp-bench compare`
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CompareArgs {
    /// Results of what is compared with: several runs of one profile, or journals.
    #[arg(required = true)]
    base: Vec<PathBuf>,
    /// Results of what is compared.
    #[arg(long, required = true, num_args = 1.., value_name = "NEW")]
    with: Vec<PathBuf>,
    /// What must hold (`message.delivery.p99 <= +10%`, of one phase `peak/message.delivery.p99 <= +10%`); may be repeated. The gates' measures
    /// are then the primary ones.
    #[arg(long, value_name = "GATE")]
    gate: Vec<String>,
    /// A file of gates, one a line; # begins a comment.
    #[arg(long, value_name = "FILE")]
    gates: Option<PathBuf>,
    /// The smallest significant change that is news: of times, rates and CPU in %, of shares in pp; may be repeated
    /// [default: 5% 0.01pp].
    #[arg(long, value_name = "EFFECT")]
    min_effect: Vec<String>,
    /// The chance of a false alarm among all primary measures together, and among all gates.
    #[arg(long, default_value = "5%", value_name = "SHARE")]
    alpha: String,
    /// Mark these differences between runs instead of refusing them: profile, host, verdict, ending.
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    allow: Vec<Topic>,
    /// How the comparison is printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

const AFTER_HELP: &str = "\
Take turns: base, new, base, new, with the same seeds on both sides. Eight runs a side make use of the pairs, whatever kinds of \
stanzas are delivered; one run a side shows noise within the runs alone, and is never called better or worse.

Exit codes: 0 all gates passed, or none given; 5 a gate failed; 6 not enough evidence for one; 7 a run cannot be trusted; \
2 the runs are not comparable.

Examples:
  xmpp-bench compare base/*.json --with new/*.json
  xmpp-bench compare base/*.json --with new/*.json --gate 'message.delivery.p99 <= +10%' --gate 'message.loss == 0'
  xmpp-bench compare base/*.json --with new/*.json --gates release.gates --format markdown > comment.md
  xmpp-bench compare base/*.json --with new/*.json --min-effect 3% --json > comparison.json";

/// The forms a comparison is printed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal.
    Table,
    /// Schema xmpp-bench/comparison/1.2.
    Json,
    /// For a comment on a pull request.
    Markdown,
    /// JUnit XML: a test case per gate.
    Junit,
}

pub(super) fn run(args: &CompareArgs) -> Result<u8, Failure> {
    let options = options(args)?;
    let progress = Mutex::new(Progress::new(args.base.len() + args.with.len()));
    let paths: Vec<PathBuf> = args.base.iter().chain(&args.with).cloned().collect();
    let mut base = read(&paths, &progress)?;
    let new = base.split_off(args.base.len());
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).say("comparing");
    let comparison = compare::compare(&base, &new, &options).map_err(refuse)?;
    let format = if args.json { Format::Json } else { args.format };
    terminal::print(&render(&comparison, format)?)?;
    if format != Format::Table {
        comparison.exit.reasons.iter().for_each(|reason| terminal::say(&reason.reason));
    }
    Ok(comparison.exit.code)
}

fn render(comparison: &Comparison, format: Format) -> Result<String, Failure> {
    let style = terminal::style();
    Ok(match format {
        Format::Table => comparison.text(style.width, style.colour),
        Format::Markdown => comparison.markdown(),
        Format::Junit => comparison.junit(),
        Format::Json => {
            let text = serde_json::to_string_pretty(comparison);
            text.map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))? + "\n"
        }
    })
}

/// Reads results on all processors: of long runs each takes a good part of a second. The first that cannot be read is told.
fn read(paths: &[PathBuf], progress: &Mutex<Progress>) -> Result<Vec<Run>, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(paths.len());
    let next = AtomicUsize::new(0);
    let places: Vec<OnceLock<Result<Run, ReadError>>> = paths.iter().map(|_| OnceLock::new()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = paths.get(index) else { break };
                    let _ = places[index].set(Run::read(path));
                    progress.lock().unwrap_or_else(PoisonError::into_inner).step(path);
                }
            });
        }
    });
    let read = places.into_iter().filter_map(OnceLock::into_inner);
    read.map(|run| run.map_err(|error| Failure::usage(error.to_string()))).collect()
}

fn refuse(error: CompareError) -> Failure {
    Failure::new(code_of(&error), error.to_string())
}

/// The exit code that goes with it.
pub(super) const fn code_of(error: &CompareError) -> ExitCode {
    match error {
        CompareError::Refused(refusal) if refusal.untrustworthy => ExitCode::NotTrustworthy,
        _ => ExitCode::Usage,
    }
}

fn options(args: &CompareArgs) -> Result<Options, Failure> {
    let alpha = share(&args.alpha, "%").filter(|alpha| *alpha > 0.0 && *alpha <= 0.5);
    let alpha = alpha.ok_or_else(|| {
        Failure::usage(format!("--alpha must be above 0% and at most 50%, like 5%, not `{}`", args.alpha))
    })?;
    Ok(Options {
        alpha,
        min_effect: min_effect(&args.min_effect)?,
        gates: gates(args)?,
        allow: args.allow.clone(),
    })
}

fn min_effect(texts: &[String]) -> Result<MinEffect, Failure> {
    let mut effect = MinEffect::default();
    for text in texts {
        match (share(text, "pp"), share(text, "%")) {
            (Some(points), _) => effect.points = points,
            (_, Some(relative)) => effect.relative = relative,
            _ => return Err(Failure::usage(format!("--min-effect must be like 5% or 0.1pp, not `{text}`"))),
        }
    }
    Ok(effect)
}

fn share(text: &str, unit: &str) -> Option<f64> {
    let number: f64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number / 100.0)
}

/// The largest file of gates, bytes.
const GATES_FILE_MAX: u64 = 1 << 16;

fn gates(args: &CompareArgs) -> Result<Vec<Gate>, Failure> {
    let mut texts: Vec<(String, String)> =
        args.gate.iter().map(|text| ("--gate".to_owned(), text.clone())).collect();
    if let Some(path) = &args.gates {
        texts.extend(gate_lines(path)?);
    }
    if texts.len() > compare::GATES_MAX {
        return Err(Failure::usage(format!("there are more than {} gates", compare::GATES_MAX)));
    }
    let parse = |(place, text): &(String, String)| {
        text.parse::<Gate>().map_err(|error| Failure::usage(format!("{place}: {error}")))
    };
    texts.iter().map(parse).collect()
}

fn gate_lines(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    let fail = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("cannot read the gates in `{}`: {why}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > GATES_FILE_MAX {
        return Err(fail(&format!("it is larger than {GATES_FILE_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error))?;
    let lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.split('#').next().unwrap_or("").trim()));
    let gates = lines.filter(|(_, line)| !line.is_empty());
    let found: Vec<_> =
        gates.map(|(number, line)| (format!("{}:{number}", path.display()), line.to_owned())).collect();
    if found.is_empty() { Err(fail(&"there is no gate in it")) } else { Ok(found) }
}

/// Says where reading is, once it takes more than a moment.
struct Progress {
    files: usize,
    read: usize,
    epoch: Epoch,
    next_s: f64,
}

impl Progress {
    /// Between two lines, seconds.
    const EVERY_S: f64 = 1.0;

    fn new(files: usize) -> Self {
        Self { files, read: 0, epoch: Epoch::start(), next_s: Self::EVERY_S }
    }

    fn step(&mut self, path: &Path) {
        self.read += 1;
        let now = self.epoch.now().as_secs_f64();
        if now >= self.next_s {
            self.next_s = now + Self::EVERY_S;
            terminal::say(&format!("read {} of {} files: {}", self.read, self.files, path.display()));
        }
    }

    /// The next step, if there was anything to be told before.
    fn say(&self, what: &str) {
        if self.epoch.now().as_secs_f64() >= Self::EVERY_S {
            terminal::say(what);
        }
    }
}
