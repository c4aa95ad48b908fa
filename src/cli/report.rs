//! `report`: results as a page, as text for an issue, as a spreadsheet's numbers, or as histograms for other tools.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::{Failure, summary, terminal};
use crate::engine::exit::ExitCode;
use crate::report::{RUNS_MAX, Run, csv, hlog, html, markdown};
use crate::results::file;

/// `xmpp-bench report`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    xmpp-bench report results/quickstart-prosody.json\n  \
    xmpp-bench report results/quickstart-prosody.json results/quickstart-ejabberd.json --out servers.html\n  \
    xmpp-bench report run.json --format markdown --out -\n  \
    xmpp-bench report run.json --format hlog --out run.hlog")]
pub(super) struct ReportArgs {
    /// Results, or journals; several are laid over each other.
    #[arg(required = true, num_args = 1..)]
    results: Vec<PathBuf>,
    /// Where the report goes, `-` for stdout [default: beside the first result, or stdout if that is no terminal].
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What to make.
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Which numbers a csv has.
    #[arg(long, value_enum, value_name = "ROWS", default_value_t = Rows::Seconds)]
    csv: Rows,
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
    if args.format == Format::Hlog && args.results.len() > 1 {
        return Err(Failure::usage("a histogram log is of one result: name one, or make a log of each"));
    }
    let place = place(args)?;
    let runs = read(&args.results)?;
    let text = match args.format {
        Format::Html => html::render(&runs),
        Format::Markdown => markdown::render(&runs),
        Format::Csv => csv::render(
            &runs,
            match args.csv {
                Rows::Seconds => csv::Rows::Seconds,
                Rows::Operations => csv::Rows::Operations,
            },
        ),
        Format::Hlog => runs.iter().map(hlog::render).collect(),
    };
    match place {
        None => terminal::print(&text),
        Some(path) => {
            write(&path, &text, args.force)?;
            terminal::say(&format!("report: {}", path.display()));
            Ok(())
        }
    }
}

/// Where the report goes; nothing for stdout.
fn place(args: &ReportArgs) -> Result<Option<PathBuf>, Failure> {
    let path = match &args.out {
        Some(out) if out.as_os_str() == "-" => return Ok(None),
        Some(out) => out.clone(),
        None if !terminal::is_read_by_a_person() => return Ok(None),
        None => beside(&args.results, args.format),
    };
    // Found out before results are read; what appears meanwhile is found out by writing.
    if path.exists() && !args.force {
        return Err(Failure::usage(taken(&path)));
    }
    Ok(Some(path))
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

fn read(paths: &[PathBuf]) -> Result<Vec<Run>, Failure> {
    let mut results = Vec::new();
    for path in paths {
        let result = file::read(path).map_err(|error| Failure::usage(summary::explain(&error)))?;
        let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
        results.push((name.into_owned(), result));
    }
    Ok(Run::all(results))
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(taken(path)),
        _ => Failure::new(
            ExitCode::Usage,
            format!("cannot write `{}`: {error}; choose another place with --out", path.display()),
        ),
    })
}
