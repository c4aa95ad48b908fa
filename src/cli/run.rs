//! `run`: a profile against a target, to a result; with `--repeat` ([`repeat`]) several times.

pub(super) mod repeat;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use clap::Args;

use crate::activity::Activity;
use crate::cli::live::{LiveAddress, Watching};
use crate::cli::progress::Progress;
use crate::cli::runs::{Part, RUNS_MAX, Settle, end_with_parent};
use crate::cli::{Failure, confirm, load, terminal};
use crate::clock::{Epoch, WallTime};
use crate::engine::coordinator::Command;
use crate::engine::execute::{Finished, Order, OwnServer, execute};
use crate::engine::exit::ExitCode;
use crate::loopback::{Loopback, LoopbackOptions};
use crate::net::SocketOptions;
use crate::profile::Profile;
use crate::report::summary;
use crate::server::Population;

/// `xmpp-bench run`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    xmpp-bench run profiles/quickstart.toml\n  \
    xmpp-bench run quickstart --target xmpp://127.0.0.1:5222 --set target.ca_file=ca.pem\n  \
    xmpp-bench run my.toml --set users.0.count=5000 --set 'activity.0.rate=\"2000/s\"' --out run.json --quiet\n  \
    xmpp-bench run quickstart --live 9464\n  \
    xmpp-bench run my.toml --repeat 7 --settle 10s --seed 41 --out base.json")]
pub(super) struct RunArgs {
    /// A profile: a TOML file, or the name of a shipped one (see `profile list`).
    pub(super) profile: String,
    /// Change a key of the profile before it is checked (`users.0.count=100`); may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where to connect to, instead of the profile's target.url.
    #[arg(long, value_name = "URL")]
    pub(super) target: Option<String>,
    /// The seed of all randomness: profile and seed make the plan.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Where the result goes [default: NAME-TIME.json in this folder]; with --repeat, number and seed are put into each name.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Replace a result, or the journal of a run that was killed, that is there.
    #[arg(long, conflicts_with = "repeat")]
    pub(super) force: bool,
    /// Run it so many times, with the seeds after --seed, and a result for each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=i64::from(RUNS_MAX)))]
    #[arg(conflicts_with = "truth")]
    pub(super) repeat: Option<u16>,
    /// How long the server is left alone between two runs [default: 5s].
    #[arg(long, value_name = "DURATION", requires = "repeat")]
    pub(super) settle: Option<Settle>,
    /// Print the result as JSON on stdout instead of the summary; with --repeat, each result in a line.
    #[arg(long)]
    pub(super) json: bool,
    /// Do not ask before putting load on a target that is not on this machine.
    #[arg(long, short)]
    pub(super) yes: bool,
    /// No progress.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Serve a page to watch the run by, and its metrics for Prometheus at /metrics: a port, or an address to be
    /// reached from elsewhere.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) live: Option<LiveAddress>,
    /// Worker threads [default: one per CPU, one fewer if the server is on this machine].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(super) workers: Option<u16>,
    /// Faults of the embedded server (`delay=5ms,loss=1%`), for target loopback:.
    #[arg(long, value_name = "FAULTS")]
    pub(super) fault: Option<String>,
    /// Where the embedded server writes down what it really did, for target loopback:.
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
    /// Socket buffers of the users' connections in bytes, as asked of the kernel, and what the embedded server has to receive
    /// with: to see back-pressure.
    #[arg(long, value_name = "BYTES", hide = true)]
    pub(super) socket_buffer: Option<usize>,
    /// Which run of a series this is.
    #[arg(long, hide = true)]
    pub(super) part: Option<Part>,
    /// An earlier run of the series has told the warnings.
    #[arg(long, hide = true)]
    pub(super) warned: bool,
}

/// From the last thing a person said to the run's epoch: time for everything to be in place.
const HEAD_START: Duration = Duration::from_millis(500);

pub(super) fn run(args: &RunArgs) -> Result<u8, Failure> {
    match args.repeat {
        Some(runs) => repeat::run(args, runs.into()),
        None => once(args),
    }
}

fn once(args: &RunArgs) -> Result<u8, Failure> {
    if args.part.is_some() {
        end_with_parent()?;
    }
    let profile = Arc::new(load::profile(&args.profile, &overrides(args))?);
    confirm::confirm(&profile, args.yes)?;
    let epoch =
        Epoch::from_monotonic_nanos(Epoch::start().as_monotonic_nanos() + HEAD_START.as_nanos() as u64);
    let server = own_server(args, &profile, epoch)?;
    let commands = listen_for_signals()?;
    let mut watching = Watching::start(args.live.as_ref(), &profile)?;
    let order = order(args, &profile, server.as_ref(), epoch);
    let mut progress = Progress::new(args.quiet, profile.end_of_phases().since(crate::units::Offset::ZERO))
        .within(args.part, args.warned);
    let finished = execute(order, &commands, &mut |step| {
        progress.show(step);
        watching.show(step);
    });
    progress.finish();
    let farewell = watching.end(&finished);
    let server_error = server.and_then(|server| server.stop().err());
    let Finished { result, written } =
        finished.map_err(|error| Failure::new(error.code(), error.to_string()))?;
    let place = written.as_ref().ok().map(|path| path.to_string_lossy().into_owned());
    if args.json {
        let text = serde_json::to_string(&result)
            .map_err(|error| Failure::new(ExitCode::Internal, error.to_string()))?;
        terminal::print(&format!("{text}\n"))?;
    } else {
        terminal::print(&summary::render(&result, place.as_deref(), terminal::style()))?;
    }
    farewell.wait(&commands);
    if let Err(error) = written {
        return Err(Failure::new(ExitCode::Internal, error.to_string()));
    }
    if let Some(error) = server_error {
        return Err(Failure::new(ExitCode::Internal, error.to_string()));
    }
    Ok(result.exit.code)
}

/// What the command line changes in the profile.
pub(super) fn overrides(args: &RunArgs) -> Vec<String> {
    let target = args.target.iter().map(|url| format!("target.url={url}"));
    args.set.iter().cloned().chain(target).collect()
}

fn order(args: &RunArgs, profile: &Arc<Profile<Activity>>, server: Option<&Loopback>, epoch: Epoch) -> Order {
    let now = WallTime::now();
    let seed = seed(args.seed, profile, now);
    let socket = SocketOptions {
        send_buffer: args.socket_buffer,
        receive_buffer: args.socket_buffer,
        ..SocketOptions::default()
    };
    Order {
        profile: Arc::clone(profile),
        seed,
        out: args.out.clone().unwrap_or_else(|| default_out(&args.profile, now)),
        replace: args.force,
        command: load::blotted_command(),
        workers: args.workers.map(usize::from),
        own_server: server
            .map(|server| OwnServer { address: server.address(), ca_pem: server.ca_pem().into() }),
        keys: load::keys_path(profile),
        socket,
        epoch,
    }
}

/// The one that was said, or the profile's, or a new one.
pub(super) fn seed(said: Option<u64>, profile: &Profile<Activity>, now: WallTime) -> u64 {
    said.or(profile.seed).unwrap_or_else(|| now.unix_seconds().to_bits() >> 8 & 0xffff_ffff)
}

/// `quickstart-20261122T104503Z.json`
fn default_out(profile: &str, now: WallTime) -> PathBuf {
    PathBuf::from(format!("{}-{}.json", stem(profile), stamp(now)))
}

/// `quickstart` of `profiles/quickstart.toml`
pub(super) fn stem(profile: &str) -> String {
    let stem = Path::new(profile).file_stem();
    stem.map_or_else(|| "run".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// `20261122T104503Z`
pub(super) fn stamp(now: WallTime) -> String {
    let time: String = now.rfc3339().chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    format!("{time}Z")
}

/// Whether what is asked of the embedded server can be asked.
pub(super) fn check_own_server(args: &RunArgs, profile: &Profile<Activity>) -> Result<(), Failure> {
    let uses_loopback = profile.target.uses_loopback();
    let given = [("--fault", args.fault.is_some()), ("--truth", args.truth.is_some())];
    if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given && !uses_loopback) {
        return Err(Failure::usage(format!("{option} is for the embedded server: use --target loopback:")));
    }
    if uses_loopback && profile.target.endpoints.len() > 1 {
        return Err(Failure::usage(
            "target.url: loopback: stands alone; it cannot be one of several targets",
        ));
    }
    load::faults(args.fault.as_deref()).map(|_| ())
}

/// Starts the embedded server where the profile wants it.
fn own_server(
    args: &RunArgs,
    profile: &Profile<Activity>,
    epoch: Epoch,
) -> Result<Option<Loopback>, Failure> {
    check_own_server(args, profile)?;
    if !profile.target.uses_loopback() {
        return Ok(None);
    }
    let mut server = load::server_options(profile);
    server.faults = load::faults(args.fault.as_deref())?;
    let mut options = LoopbackOptions::new(server, epoch);
    options.truth_file.clone_from(&args.truth);
    options.sockets.receive_buffer = args.socket_buffer;
    let directory = Box::new(Population::new(profile.groups.clone()));
    let started = Loopback::start(&options, directory);
    started.map(Some).map_err(|error| Failure::new(ExitCode::CannotConnect, error.to_string()))
}

/// Ctrl-C and SIGTERM become commands.
pub(super) fn listen_for_signals() -> Result<Receiver<Command>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, receiver) = channel();
    let fail = |error: std::io::Error| {
        Failure::new(ExitCode::Internal, format!("cannot listen for signals: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(fail)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()).map_err(fail)?, signal(SignalKind::terminate()).map_err(fail)?)
    };
    let listen = async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if sender.send(Command::Interrupt).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("xb-signals".to_owned())
        .spawn(move || runtime.block_on(listen))
        .map_err(fail)?;
    Ok(receiver)
}
