//! `report`: results as a page, as text for an issue, as a spreadsheet's numbers, or as histograms for other tools.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::{Failure, summary, terminal};
use crate::engine::exit::ExitCode;
use crate::report::{RUNS_MAX, Run, csv, hlog, html, markdown};
use crate::results::file;
use crate::units::ByteCount;

/// `xmpp-bench report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    xmpp-bench report results/quickstart-prosody.json\n  \
    xmpp-bench report results/quickstart-prosody.json results/quickstart-ejabberd.json --out servers.html\n  \
    xmpp-bench report run.json --format markdown --out -\n  \
    xmpp-bench report run.json --csv operations --out run.csv\n  \
    xmpp-bench report run.json --format hlog --out run.hlog")]
pub(super) struct ReportArgs {
    /// Results, or journals; several are laid over each other.
    #[arg(required = true, num_args = 1..)]
    results: Vec<PathBuf>,
    /// Where the report goes, `-` for stdout [default: beside the first result, or stdout if that is no terminal].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to make [default: html, or csv where `--csv` says which].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Which numbers a csv has [default: seconds].
    #[arg(long, value_enum, value_name = "ROWS")]
    csv: Option<Rows>,
    /// Overwrite a file that is there.
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One file with charts that opens without a network.
    Html,
    /// Text to paste into an issue.
    Markdown,
    /// Numbers for a spreadsheet.
    Csv,
    /// Interval histograms for the HdrHistogram tools, in microseconds; of one result.
    Hlog,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Rows {
    /// One row per second.
    Seconds,
    /// One row per phase and operation.
    Operations,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Hlog => "hlog",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Hlog => "hlog",
        }
    }
}

pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    if args.results.len() > RUNS_MAX {
        let count = args.results.len();
        return Err(Failure::usage(format!(
            "{count} results are too many for one report: at most {RUNS_MAX}"
        )));
    }
    let format = format(args)?;
    if format == Format::Hlog && args.results.len() > 1 {
        return Err(Failure::usage("a histogram log is of one result: name one, or make a log of each"));
    }
    let place = place(args, format)?;
    let runs = read(&args.results, matches!(format, Format::Csv | Format::Hlog))?;
    let text = match format {
        Format::Html => html::render(&runs),
        Format::Markdown => markdown::render(&runs),
        Format::Csv => csv::render(
            &runs,
            match args.csv {
                None | Some(Rows::Seconds) => csv::Rows::Seconds,
                Some(Rows::Operations) => csv::Rows::Operations,
            },
        ),
        Format::Hlog => runs.iter().map(hlog::render).collect(),
    };
    match place {
        None => terminal::print(&text),
        Some(path) => {
            write(&path, &text, args.force).map_err(|error| explain(&path, &error))?;
            terminal::say(&format!("report: {}", path.display()));
            Ok(())
        }
    }
}

/// What is to be made: who says which numbers a csv is to have wants a csv.
fn format(args: &ReportArgs) -> Result<Format, Failure> {
    match (args.format, args.csv) {
        (None, None) => Ok(Format::Html),
        (None, Some(_)) => Ok(Format::Csv),
        (Some(format), Some(_)) if format != Format::Csv => Err(Failure::usage(format!(
            "--csv says which numbers a csv has, and --format {} asks for another form: leave one of them out",
            format.name()
        ))),
        (Some(format), _) => Ok(format),
    }
}

/// Where the report goes; nothing for stdout.
fn place(args: &ReportArgs, format: Format) -> Result<Option<PathBuf>, Failure> {
    let path = match &args.out {
        Some(out) if out.as_os_str() == "-" => return Ok(None),
        Some(out) => out.clone(),
        None if !terminal::is_read_by_a_person() => return Ok(None),
        None => beside(&args.results, format),
    };
    // Found out before results are read; what appears meanwhile is found out by writing.
    if path.exists() && !args.force {
        return Err(Failure::usage(taken(&path)));
    }
    if is_read(&path, &args.results) {
        return Err(Failure::usage(format!(
            "`{}` is a result the report is made of: choose another file with --out",
            path.display()
        )));
    }
    Ok(Some(path))
}

/// Whether a file is one of the results, or the journal of one, by whatever name.
fn is_read(path: &Path, results: &[PathBuf]) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let Some(own) = identity(path) else { return false };
    let journals = results.iter().map(|result| file::journal_path(result));
    results.iter().cloned().chain(journals).any(|input| identity(&input) == Some(own))
}

fn taken(path: &Path) -> String {
    format!("`{}` exists: choose another file with --out, or overwrite it with --force", path.display())
}

/// The first result's name with the form's ending.
fn beside(results: &[PathBuf], format: Format) -> PathBuf {
    let first = results.first().map_or_else(|| Path::new("report"), PathBuf::as_path);
    let name = first.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".journal").unwrap_or(&name);
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    first.with_file_name(format!("{stem}.{}", format.ending()))
}

fn read(paths: &[PathBuf], is_bare: bool) -> Result<Vec<Run>, Failure> {
    let mut results = Vec::new();
    for path in paths {
        tell_of_the_large(path);
        let result = file::read(path).map_err(|error| Failure::usage(summary::explain(&error)))?;
        if is_bare {
            // The others say it themselves.
            for line in summary::contradictions_of(path, &result) {
                terminal::say(&line);
            }
        }
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        results.push((name.into_owned(), result));
    }
    Ok(Run::all(results))
}

/// A result beyond that takes longer than a person waits without a word.
const LARGE: u64 = 16 << 20;

fn tell_of_the_large(path: &Path) {
    let size = path.metadata().map_or(0, |metadata| metadata.len());
    if size > LARGE && terminal::is_watched() {
        terminal::say(&format!("reading {} ({})", path.display(), ByteCount(size)));
    }
}

/// Writes the report, whole or not at all: what stood there stays until then.
fn write(path: &Path, text: &str, force: bool) -> io::Result<()> {
    match fs::metadata(path) {
        // A device or a pipe is written to; it is not a file to be replaced.
        Ok(there) if force && !there.is_file() => {
            OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
        }
        Ok(there) if force => {
            // Of a link the file it leads to is replaced, and who may read it stays so.
            let path = fs::canonicalize(path)?;
            let part = beside_it(&path);
            let written = write_new(&part, text)
                .and_then(|()| fs::set_permissions(&part, there.permissions()))
                .and_then(|()| fs::rename(&part, &path));
            if written.is_err() {
                // Best effort: the error that matters is the one being returned.
                let _ = fs::remove_file(&part);
            }
            written
        }
        _ => write_new(path, text),
    }
}

/// Writes a file that was not there, or leaves none.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// A name beside a file that nothing else has.
fn beside_it(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

fn explain(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(taken(path)),
        _ => Failure::new(
            ExitCode::Usage,
            format!("cannot write `{}`: {error}; choose another place with --out", path.display()),
        ),
    }
}
