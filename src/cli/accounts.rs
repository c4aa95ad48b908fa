//! `accounts`: the accounts and contacts a profile needs, made, checked, removed and listed.

mod progress;
mod text;

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use clap::{Args, Subcommand};

use crate::accounts::audit::{Audit, audit};
use crate::accounts::create::{Created, create};
use crate::accounts::remove::{Removed, remove};
use crate::accounts::state::State;
use crate::accounts::worker::ALIKE_MAX;
use crate::accounts::{Ending, Means, People, csv};
use crate::activity::Activity;
use crate::cli::accounts::progress::Progress;
use crate::cli::{Failure, confirm, load, run, terminal};
use crate::clock::Epoch;
use crate::engine::coordinator::Command;
use crate::engine::exit::{self, ExitCode};
use crate::engine::keys::KeyFile;
use crate::engine::reach;
use crate::net::DriverConfig;
use crate::profile::Profile;
use crate::units::{Rate, show_count};

/// `xmpp-bench accounts`
#[derive(Debug, Args)]
pub(super) struct AccountsArgs {
    /// What to do.
    #[command(subcommand)]
    command: AccountsCommand,
}

#[derive(Debug, Subcommand)]
enum AccountsCommand {
    /// Register the profile's accounts (XEP-0077), and make its contacts mutual with --contacts.
    #[command(after_help = "Examples:\n  \
        xmpp-bench accounts create my.toml --target xmpp://127.0.0.1:5222 --set target.ca_file=ca.pem\n  \
        xmpp-bench accounts create my.toml --contacts --rate 200/s --out accounts.csv\n\n\
        Ctrl-C stops cleanly, a second one at once; the same command goes on where it stopped.\n\
        Exit codes: 0 all is there, 2 usage, 3 accounts are missing, 4 contacts are missing, 130 interrupted.")]
    Create(CreateArgs),
    /// Log every account in and compare its roster with the profile's contacts.
    #[command(after_help = "Examples:\n  \
        xmpp-bench accounts check my.toml\n  \
        xmpp-bench accounts check my.toml --rate 500/s --json > check.json\n\n\
        Exit codes: 0 all is as the profile says, 2 usage, 3 accounts cannot log in, 4 contacts differ, 130 interrupted.")]
    Check(CommonArgs),
    /// Remove the profile's accounts from the server (XEP-0077).
    #[command(after_help = "Examples:\n  \
        xmpp-bench accounts delete my.toml\n  \
        xmpp-bench accounts delete my.toml --target xmpp://xmpp.example.org --yes\n\n\
        Exit codes: 0 all are gone, 2 usage, 3 accounts could not be removed, 130 interrupted.")]
    Delete(CommonArgs),
    /// Print the accounts' addresses, or the edges of the contact graph, as CSV; connects to nothing.
    #[command(after_help = "Examples:\n  \
        xmpp-bench accounts list my.toml\n  \
        xmpp-bench accounts list my.toml --contacts > edges.csv")]
    List(ListArgs),
}

/// Which accounts, and how fast.
#[derive(Debug, Args)]
struct CommonArgs {
    /// A profile: a TOML file, or the name of a shipped one (see `profile list`).
    profile: String,
    /// Change a key of the profile before it is checked (`users.0.count=100`); may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where to connect to, instead of the profile's target.url.
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// No more connections begin than this [default: the profile's lowest `login_rate`, or 100/s].
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// No more connections than this at one time.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Try all accounts, even when 100 on end have failed alike.
    #[arg(long)]
    keep_going: bool,
    /// Print what was done as JSON on stdout.
    #[arg(long)]
    json: bool,
    /// Do not ask before touching a server that is not on this machine.
    #[arg(long, short)]
    yes: bool,
    /// No progress.
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct CreateArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Make the profile's contacts mutual, by the subscription handshake.
    #[arg(long)]
    contacts: bool,
    /// Where to write `username,password` of all accounts, as `accounts_file` reads it; with several groups the group's name
    /// is put before the ending.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where it is kept what is done [default: the CSV's name, or the profile's, with `.state` behind it].
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Forget what an interrupted command has done.
    #[arg(long)]
    fresh: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// A profile: a TOML file, or the name of a shipped one (see `profile list`).
    profile: String,
    /// Change a key of the profile before it is checked (`users.0.count=100`); may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print `jid,contact` for every contact of every user instead.
    #[arg(long)]
    contacts: bool,
}

pub(super) fn run(args: &AccountsArgs) -> Result<u8, Failure> {
    match &args.command {
        AccountsCommand::Create(args) => run_create(args),
        AccountsCommand::Check(args) => run_check(args),
        AccountsCommand::Delete(args) => run_delete(args),
        AccountsCommand::List(args) => run_list(args),
    }
}

fn run_create(args: &CreateArgs) -> Result<u8, Failure> {
    let site = Site::prepare(&args.common, "are to be created")?;
    let people = &site.people;
    let path = state_path(args);
    let mut state = State::open(&path, &people.fingerprint(), people.population(), args.fresh)
        .map_err(|error| Failure::usage(error.to_string()))?;
    tell_resumed(&state, people, &path);
    let mut progress = Progress::new(args.common.quiet);
    let (done, ending) =
        create(&site.means(), &mut state, args.contacts, &mut |standing| progress.show(standing));
    progress.finish();
    site.save_keys();
    let mut reasons = reasons_of(&ending);
    if done.failed > 0 {
        reasons.push((ExitCode::CannotConnect, missing_accounts(done.failed, "could not be created")));
    }
    if let Some(contacts) = done.contacts.as_ref().filter(|contacts| contacts.complete < contacts.of) {
        let left = show_count(contacts.of - contacts.complete);
        reasons.push((ExitCode::Objective, format!("the contacts of {left} users are not complete")));
    }
    let is_all_done = reasons.is_empty() && (done.contacts.is_some() || !args.contacts);
    let mut notes = args.out.as_ref().map_or_else(|| Ok(Vec::new()), |out| save_csv(out, people, &done))?;
    notes.extend(put_away(state, &path, is_all_done)?);
    site.print(&done, &text::created(&done, &notes), (&ending, reasons))
}

fn run_check(args: &CommonArgs) -> Result<u8, Failure> {
    let site = Site::prepare(args, "are to be logged in to")?;
    let mut progress = Progress::new(args.quiet);
    let (found, ending) = audit(&site.means(), &mut |standing| progress.show(standing));
    progress.finish();
    site.save_keys();
    let mut reasons = reasons_of(&ending);
    let not_in = found.not_in() - found.not_tried;
    if not_in > 0 {
        reasons.push((ExitCode::CannotConnect, missing_accounts(not_in, "did not log in")));
    }
    if found.differences() > 0 {
        let differences = show_count(found.differences());
        reasons.push((ExitCode::Objective, format!("{differences} contacts are not as the profile says")));
    }
    site.print::<Audit>(&found, &text::audit(&found), (&ending, reasons))
}

fn run_delete(args: &CommonArgs) -> Result<u8, Failure> {
    let site = Site::prepare(args, "are to be DELETED")?;
    let mut progress = Progress::new(args.quiet);
    let (done, ending) = remove(&site.means(), &mut |standing| progress.show(standing));
    progress.finish();
    let mut reasons = reasons_of(&ending);
    if done.failed > 0 {
        reasons.push((ExitCode::CannotConnect, missing_accounts(done.failed, "could not be removed")));
    }
    site.print::<Removed>(&done, &text::removed(&done), (&ending, reasons))
}

fn run_list(args: &ListArgs) -> Result<u8, Failure> {
    let profile = load::profile(&args.profile, &args.set)?;
    let people = People::new(profile.target, profile.groups, Vec::new());
    let mut out = BufWriter::new(terminal::stdout());
    let listed = if args.contacts {
        csv::write_contacts(&people, &mut out)
    } else {
        csv::write_addresses(&people, &mut out)
    };
    match listed.and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(ExitCode::Internal, format!("cannot write to stdout: {error}")))
        }
        _ => Ok(ExitCode::Ok.code()),
    }
}

/// The server and everybody on it, ready to be visited.
struct Site<'a> {
    args: &'a CommonArgs,
    people: Arc<People>,
    driver: DriverConfig,
    keys: Arc<KeyFile>,
    rate: Rate,
    commands: Receiver<Command>,
}

impl<'a> Site<'a> {
    /// Reads the profile, asks if the server is far, resolves its names.
    fn prepare(args: &'a CommonArgs, what: &str) -> Result<Self, Failure> {
        let target = args.target.iter().map(|url| format!("target.url={url}"));
        let overrides: Vec<String> = args.set.iter().cloned().chain(target).collect();
        let profile = load::profile(&args.profile, &overrides)?;
        if profile.target.uses_loopback() {
            return Err(Failure::usage(
                "loopback: is the embedded server, which has the profile's accounts and contacts already: \
                 name a server with --target",
            ));
        }
        confirm::confirm_accounts(&profile, args.yes, what)?;
        let rate = args.rate.unwrap_or_else(|| usual_rate(&profile));
        if rate <= Rate::ZERO {
            return Err(Failure::usage("--rate must be above zero"));
        }
        let fail = |error: reach::ReachError| Failure::new(error.code(), error.to_string());
        let keys = Arc::new(KeyFile::open(load::keys_path(&profile)));
        let addresses = reach::resolve(&profile.target, None).map_err(fail)?;
        let driver = reach::driver_config(&profile.target, None, Epoch::start(), &keys).map_err(fail)?;
        let people = Arc::new(People::new(profile.target, profile.groups, addresses));
        if people.with_account().next().is_none() {
            return Err(Failure::usage("the profile's users are anonymous: there are no accounts"));
        }
        crate::net::facts::raise_descriptor_limit();
        let commands = run::listen_for_signals()?;
        Ok(Self { args, people, driver, keys, rate, commands })
    }

    fn means(&self) -> Means<'_> {
        Means {
            people: &self.people,
            driver: &self.driver,
            rate: self.rate,
            connections: self.args.connections,
            keep_going: self.args.keep_going,
            commands: &self.commands,
        }
    }

    /// Derived keys are kept: the run to come needs them.
    fn save_keys(&self) {
        if let Err(error) = self.keys.save() {
            terminal::say(&format!("warning: derived keys could not be kept for the next run: {error}"));
        }
    }

    fn print<T: serde::Serialize>(
        &self,
        done: &T,
        text: &str,
        (ending, reasons): (&Ending, Vec<(ExitCode, String)>),
    ) -> Result<u8, Failure> {
        let exit = exit::decide(reasons);
        if self.args.json {
            let whole = serde_json::json!({ "done": done, "exit": exit });
            terminal::print(&format!("{whole:#}\n"))?;
        } else {
            terminal::print(&format!("{text}{}{}", text::reasons(&exit), text::remedy(ending)))?;
        }
        Ok(exit.code)
    }
}

/// What the server was promised, or a rate that hurts nobody.
fn usual_rate(profile: &Profile<Activity>) -> Rate {
    const HARMLESS: f64 = 100.0;
    let promised = profile.groups.iter().filter_map(|group| group.login_rate);
    let lowest = promised.map(Rate::as_per_second).reduce(f64::min);
    Rate::per_second(lowest.unwrap_or(HARMLESS)).unwrap_or(Rate::ZERO)
}

fn state_path(args: &CreateArgs) -> PathBuf {
    if let Some(path) = &args.state {
        return path.clone();
    }
    let stem = Path::new(&args.common.profile).file_stem().unwrap_or_default();
    let mut name = args.out.as_ref().map_or_else(
        || {
            let mut name = stem.to_owned();
            name.push("-accounts");
            name
        },
        |out| out.as_os_str().to_owned(),
    );
    name.push(".state");
    PathBuf::from(name)
}

fn tell_resumed(state: &State, people: &People, path: &Path) {
    let there = people.with_account().filter(|user| state.has_account(*user)).count() as u64;
    if there > 0 {
        terminal::say(&format!("going on from {}: {} accounts are there", path.display(), show_count(there)));
    }
}

/// Writes the CSV once all accounts are there; what to say of it.
fn save_csv(out: &Path, people: &People, done: &Created) -> Result<Vec<String>, Failure> {
    if !done.has_all_accounts() {
        return Ok(vec![format!("{} is written once all accounts are there", out.display())]);
    }
    let save = |(group, path): (usize, PathBuf)| match csv::save_accounts(people, group, &path) {
        Ok(()) => Ok(format!("accounts written to {}", path.display())),
        Err(error) => Err(Failure::usage(format!(
            "cannot write {}: {error}; choose another place with --out",
            path.display()
        ))),
    };
    csv_paths(out, people).into_iter().map(save).collect()
}

/// Forgets the state once all is done; what to say of it otherwise.
fn put_away(state: State, path: &Path, is_all_done: bool) -> Result<Option<String>, Failure> {
    if is_all_done {
        let gone = state.conclude().map_err(|error| Failure::new(ExitCode::Internal, error.to_string()));
        return gone.map(|()| None);
    }
    Ok(Some(format!("kept in {}: the same command goes on from there", path.display())))
}

/// One file for each group with accounts, named after it where there are several.
fn csv_paths(out: &Path, people: &People) -> Vec<(usize, PathBuf)> {
    let groups = people.groups().iter().enumerate();
    let with_accounts = groups.filter(|(_, group)| group.account(0).is_some());
    let alone = people.groups().len() == 1;
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let ending = out.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    with_accounts
        .map(|(index, group)| {
            let path = out.with_file_name(format!("{stem}-{}{ending}", group.name));
            (index, if alone { out.to_owned() } else { path })
        })
        .collect()
}

fn reasons_of(ending: &Ending) -> Vec<(ExitCode, String)> {
    match ending {
        Ending::Complete => Vec::new(),
        Ending::Interrupted => vec![(ExitCode::Interrupted, "interrupted".to_owned())],
        Ending::Hopeless(fault) => {
            let said = if fault.text.is_empty() { String::new() } else { format!(" ({})", fault.text) };
            let text = format!("gave up after failures alone: {} at {}{said}", fault.condition, fault.step);
            vec![(ExitCode::CannotConnect, text)]
        }
        Ending::Alike(fault) => {
            let text = format!("gave up: {ALIKE_MAX} accounts on end {}", text::alike(fault));
            vec![(ExitCode::CannotConnect, text)]
        }
        Ending::Broken(why) => vec![(ExitCode::Internal, why.clone())],
    }
}

fn missing_accounts(count: u64, what: &str) -> String {
    format!("{} accounts {what}", show_count(count))
}
