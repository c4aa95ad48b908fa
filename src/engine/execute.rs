//! One run from a profile to a result: resolve, look at the machine, conduct, conclude, write.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use sha2::{Digest, Sha256};

use crate::activity::Activity;
use crate::clock::{Epoch, WallTime};
use crate::engine::aggregate::{self, Aggregator};
use crate::engine::coordinator::{self, Command, Ended, Ending, Standing};
use crate::engine::exit::{self, ExitCode};
use crate::engine::keys::KeyFile;
use crate::engine::observe::{ObserveError, Observer};
use crate::engine::preflight::{self, Preflight, PreflightError};
use crate::engine::reach::{self, ReachError};
use crate::engine::run::Run;
use crate::engine::{objectives, verdict};
use crate::net::{DriverConfig, SocketOptions};
use crate::profile::{Accounts, Endpoint, Group, Profile, Trust};
use crate::results::file::{ResultFile, WriteError};
use crate::results::{
    self, AccountsFile, Certificate, Conclusion, EndedEarly, Ledgers, Preamble, RunResult, SCHEMA,
    ServerIdentity, Target, TlsFacts, Tool, Totals,
};
use crate::sample::Token;
use crate::seed::{Draw, Stream};
use crate::units::{Offset, hex, show_duration};

/// What is to be run.
pub struct Order {
    /// The profile.
    pub profile: Arc<Profile<Activity>>,
    /// The seed.
    pub seed: u64,
    /// Where the result goes.
    pub out: PathBuf,
    /// Whether it may take the place of an earlier one.
    pub replace: bool,
    /// The command line, passwords blotted out.
    pub command: Vec<String>,
    /// Workers; `None` for one per CPU (one fewer with the embedded server).
    pub workers: Option<usize>,
    /// The embedded server, where the profile's target is `loopback:`.
    pub own_server: Option<OwnServer>,
    /// Where derived keys are kept between runs.
    pub keys: Option<PathBuf>,
    /// Options of the connections' sockets.
    pub socket: SocketOptions,
    /// The run's epoch; a little ahead, so that everything is in place by then.
    pub epoch: Epoch,
}

/// An embedded server that is already running.
#[derive(Clone, Debug)]
pub struct OwnServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The certificate that vouches for it, PEM.
    pub ca_pem: Arc<str>,
}

/// A run that came to an end.
pub struct Finished {
    /// Everything.
    pub result: RunResult,
    /// Where it was written, or why it could not be.
    pub written: Result<PathBuf, WriteError>,
}

/// Why a run did not begin. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The target cannot be reached.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// The machine cannot do it.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// What is to be observed is not there.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The result cannot be written.
    #[error(transparent)]
    Out(#[from] WriteError),
    /// The profile's shape is beyond limits.
    #[error(transparent)]
    Layout(#[from] results::LayoutError),
    /// The journal cannot be begun.
    #[error("cannot begin the journal: {0}; choose another place with --out")]
    Journal(#[from] results::journal::JournalWriteError),
    /// Threads cannot be started.
    #[error("cannot start the workers: {0}")]
    Workers(#[from] std::io::Error),
}

impl ExecuteError {
    /// The exit code that goes with it.
    pub const fn code(&self) -> ExitCode {
        match self {
            Self::Reach(error) => error.code(),
            Self::Preflight(_) | Self::Observe(_) | Self::Out(_) | Self::Journal(_) | Self::Layout(_) => {
                ExitCode::Usage
            }
            Self::Workers(_) => ExitCode::Internal,
        }
    }
}

/// What is being done, for whoever shows it.
#[derive(Clone, Debug)]
pub enum Step<'a> {
    /// Something that may take a while, before the run or after it.
    Doing(&'static str),
    /// Worth knowing, found before the run begins.
    Warning(&'a str),
    /// The run goes on.
    Running(Standing<'a>),
}

/// Runs it. `show` is called at every step, and a few times a second while the run goes on.
pub fn execute(
    mut order: Order,
    commands: &Receiver<Command>,
    show: &mut dyn FnMut(&Step<'_>),
) -> Result<Finished, ExecuteError> {
    show(&Step::Doing("resolving the target"));
    let own = order.own_server.as_ref();
    let targets = reach::resolve(&order.profile.target, own.map(|server| server.address))?;
    show(&Step::Doing("making the plan"));
    let number = run_number(&order);
    let run = Arc::new(Run::new(Arc::clone(&order.profile), order.seed, number, targets));
    let workers = order.workers.unwrap_or_else(|| default_workers(&run));
    let ranges = run.shards(workers as u32);
    let sources = order.profile.target.source_addresses.len();
    let preflight = preflight::look(&run, sources, order.own_server.is_some())?;
    let observer = Observer::find(&order.profile.observe)?;
    let warnings = preflight.warnings.iter().chain(&observer.warnings);
    warnings.for_each(|warning| show(&Step::Warning(warning)));
    let keys = Arc::new(KeyFile::open(order.keys.clone()));
    let mut driver = driver_config(&order, &keys)?;
    let place =
        if order.replace { ResultFile::replace(&order.out)? } else { ResultFile::create(&order.out)? };
    show(&Step::Doing("starting workers"));
    put_off_epoch(&mut order);
    driver.epoch = order.epoch;
    let mut preamble = preamble(&order, &run, &preflight);
    preamble.observe = observer.layouts();
    preamble.host.preflight.extend(observer.warnings.iter().cloned());
    let totals = Totals::new(preamble.layout.clone())?;
    let journal = place.begin_journal(&preamble)?;
    let mut aggregator = Aggregator::new(Arc::clone(&run), totals, Some(journal), ranges.len());
    aggregator.watch_server(&preamble.observe, observer.start(order.epoch)?);
    let ended = coordinator::conduct(
        &run,
        ranges.clone(),
        &driver,
        preflight.ledger_capacity,
        aggregator,
        commands,
        &mut |standing| show(&Step::Running(standing.clone())),
    )?;
    show(&Step::Doing("writing the result"));
    let mut conclusion = conclude(&order, &run, &ranges, &preamble, &ended);
    if let Err(error) = keys.save() {
        conclusion.verdict.notes.push(format!("derived keys could not be kept for the next run: {error}"));
    }
    Ok(finish(place, preamble, ended, conclusion))
}

/// Preparations (names to resolve, a large population) may take longer than the epoch was ahead; then it is put off, for
/// what they took must not make the first logins late. An embedded server counts from the same epoch already, and its
/// preparations are short.
fn put_off_epoch(order: &mut Order) {
    const HEAD_START: u64 = 100_000_000;
    if order.own_server.is_none() && order.epoch.now() > Offset::ZERO {
        order.epoch = Epoch::from_monotonic_nanos(Epoch::start().as_monotonic_nanos() + HEAD_START);
    }
}

/// One per CPU; a server on this machine has a CPU of its own where there is one to spare.
fn default_workers(run: &Run) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let server_is_here = run.targets.iter().any(|(address, _)| address.ip().is_loopback());
    if server_is_here { cpus.saturating_sub(1).max(1) } else { cpus }
}

/// Tells runs apart in tokens: from the seed and the wall clock, so that what an earlier run left behind is known as such.
fn run_number(order: &Order) -> u32 {
    let now = WallTime::now().unix_seconds();
    let mut draw = Draw::new(order.seed ^ now.to_bits(), Stream(0), u64::from(std::process::id()));
    (draw.bits() as u32) & Token::RUN_MAX
}

fn driver_config(order: &Order, keys: &Arc<KeyFile>) -> Result<DriverConfig, ExecuteError> {
    let own_ca = order.own_server.as_ref().map(|server| &server.ca_pem);
    let mut driver = reach::driver_config(&order.profile.target, own_ca, order.epoch, keys)?;
    driver.socket = order.socket;
    Ok(driver)
}

fn preamble(order: &Order, run: &Run, preflight: &Preflight) -> Preamble {
    let profile = &order.profile;
    let groups = profile.groups.iter().map(|group| group.name.clone()).collect();
    let activities = profile.activities.iter().map(|plan| results::Activity {
        kind: plan.kind.to_owned(),
        rate_per_s: plan.pace.over(profile.peak_online()).as_per_second(),
        operations: plan.activity.feature.operations.iter().map(|spec| spec.name.to_owned()).collect(),
    });
    Preamble {
        schema: SCHEMA,
        tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        run_id: format!("{:06x}", run.number),
        started: WallTime::now().rfc3339(),
        command: order.command.clone(),
        seed: order.seed,
        profile: results::Profile {
            name: profile.source.name.clone(),
            text: profile.source.text.clone(),
            overrides: profile.source.overrides.clone(),
            activities: activities.collect(),
            accounts_files: profile.groups.iter().filter_map(accounts_file).collect(),
        },
        host: results::Host {
            epoch_monotonic_ns: Some(order.epoch.as_monotonic_nanos()),
            ..preflight.host.clone()
        },
        target: Target { cross_target_share: cross_target_share(run), ..target_facts(order) },
        layout: aggregate::layout(run, groups),
        observe: Vec::new(),
    }
}

/// Which names a group's accounts file gave its users. Passwords are no part of it: they differ between servers and change no load.
fn accounts_file(group: &Group) -> Option<AccountsFile> {
    let Accounts::File { path, rows } = &group.accounts else { return None };
    let mut names = Sha256::new();
    for row in rows {
        names.update(row.local.as_bytes());
        names.update(b"\n");
    }
    Some(AccountsFile {
        group: group.name.clone(),
        path: path.display().to_string(),
        names_sha256: hex(&names.finalize()),
    })
}

fn target_facts(order: &Order) -> Target {
    let target = &order.profile.target;
    let trust = match (&order.own_server, &target.trust) {
        (Some(_), _) => "embedded server",
        (None, Trust::System) => "system",
        (None, Trust::CaFile { .. }) => "ca_file",
        (None, Trust::Pin(_)) => "pin",
        (None, Trust::Insecure) => "insecure",
    };
    Target {
        urls: target.endpoints.iter().map(ToString::to_string).collect(),
        domain: target.domain.clone(),
        insecure: target.trust == Trust::Insecure,
        trust: trust.to_owned(),
        ..Target::default()
    }
}

/// The share of messages between users of different targets, over the plan's first actions; one target has none.
fn cross_target_share(run: &Run) -> f64 {
    const LOOKED_AT: usize = 100_000;
    let targets = run.targets.len() as u32;
    if targets < 2 {
        return 0.0;
    }
    let mut cursor = run.plan.cursor(0, run.users());
    let actions = std::iter::from_fn(|| cursor.take_due(Offset::MAX)).take(LOOKED_AT);
    let pairs = actions.filter_map(|action| Some((action.sender, action.recipient()?)));
    let (mut crossing, mut all) = (0u32, 0u32);
    for (sender, recipient) in pairs {
        all += 1;
        crossing += u32::from(sender % targets != recipient % targets);
    }
    f64::from(crossing) / f64::from(all.max(1))
}

fn conclude(
    order: &Order,
    run: &Arc<Run>,
    ranges: &[std::ops::Range<u32>],
    preamble: &Preamble,
    ended: &Ended,
) -> Conclusion {
    let aggregator = &ended.aggregator;
    let ledgers = aggregator.ledgers();
    // A run that nobody came online for was cut short as well, if not by its user: the exit code tells the two apart.
    let interrupted =
        matches!(ended.ending, Ending::Interrupted { .. } | Ending::NobodyCameOnline | Ending::WorkersFailed);
    let observations = aggregator.observations(ended.until);
    let mut verdict = verdict::judge(interrupted, &observations);
    verdict.notes.extend(ended.early.iter().map(|reason| {
        format!("ended early, after {}: {reason}", show_duration(ended.until.since(Offset::ZERO)))
    }));
    let slo = objectives::judge(run, &order.profile.slos, aggregator.totals(), &ledgers, ended.until);
    let mut reasons = exit::reasons_of(verdict.state, &slo);
    if !matches!(ended.ending, Ending::Interrupted { .. }) {
        reasons.retain(|(code, _)| *code != ExitCode::Interrupted);
    }
    add_endings(ended, &mut reasons);
    if ended.ending == Ending::Aborted && observations.is_empty() {
        let text = "nothing was measured: the run ended before a measured phase had begun";
        reasons.push((ExitCode::NotTrustworthy, text.to_owned()));
    }
    add_nothing_measured(run, aggregator, &ledgers, ended.until, &mut reasons);
    let mut generator = aggregator.generator.clone();
    generator.strict_share = 1.0 / f64::from(crate::user::STRICT_SHARE);
    generator.workers = aggregator.workers(ranges, ended.until);
    generator.descriptors.limit = preamble.host.limits.descriptors;
    Conclusion {
        ended_early: ended.early.clone().map(|reason| EndedEarly { reason, at_s: ended.until.as_secs_f64() }),
        verdict,
        exit: exit::decide(reasons),
        slo,
        target: as_met(preamble.target.clone(), order, aggregator),
        keys: aggregator.keys(),
        generator,
        ledgers,
        stanzas: aggregator.stanzas().iter().map(|stanzas| (stanzas.written, stanzas.read)).collect(),
        room_order: aggregator.room_order(),
        observed: aggregator.observed_sources(),
    }
}

fn add_endings(ended: &Ended, reasons: &mut Vec<(ExitCode, String)>) {
    match ended.ending {
        Ending::Interrupted { .. } => {}
        Ending::Planned | Ending::Aborted if ended.aggregator.logins().0 > 0 => {}
        Ending::Planned | Ending::Aborted | Ending::NobodyCameOnline => {
            let first = ended.aggregator.totals().errors().into_iter().next();
            let silence = || ": the target did not answer before the run was over".to_owned();
            let why = first.map_or_else(silence, |error| {
                let example =
                    if error.example.is_empty() { String::new() } else { format!(" ({})", error.example) };
                format!(": {} at {}{example}", error.condition, error.step)
            });
            reasons.push((ExitCode::CannotConnect, format!("nobody could log in{why}")));
        }
        Ending::WorkersFailed => {
            for error in &ended.worker_errors {
                reasons.push((ExitCode::Internal, error.clone()));
            }
        }
    }
}

/// An activity that had no operation under way in a measured phase measured nothing, whatever its numbers say.
fn add_nothing_measured(
    run: &Run,
    aggregator: &Aggregator,
    ledgers: &[Ledgers],
    until: Offset,
    reasons: &mut Vec<(ExitCode, String)>,
) {
    for (index, phase) in run.plan.phases().iter().enumerate() {
        if !phase.measured || phase.window.end > until {
            continue;
        }
        for activity in &run.activities {
            let operation = &run.operations[usize::from(activity.operation().0)];
            let owed = operation.ledger.map_or(0, |kind| ledgers[index].of(kind).expected);
            let operations = activity.operations.iter().map(|operation| usize::from(operation.0));
            let started: u64 = operations.map(|one| aggregator.totals().tally([index], one).started()).sum();
            let expected = owed + started;
            if expected == 0 {
                let text = format!(
                    "nothing was measured: no {} was started in phase {}",
                    operation.name, phase.name
                );
                reasons.push((ExitCode::NotTrustworthy, text));
            }
        }
    }
}

/// The target as the run met it: its TLS, what it says it is and offers, how users proved who they are.
fn as_met(mut target: Target, order: &Order, aggregator: &Aggregator) -> Target {
    target.identity = aggregator.software().map(|software| ServerIdentity {
        name: software.name.clone(),
        version: software.version.clone(),
        os: software.os.clone(),
    });
    if let Some(offered) = aggregator.offered() {
        target.mechanisms.clone_from(&offered.mechanisms);
        target.features = offered.namespaces.iter().cloned().collect();
    }
    let used = aggregator.mechanisms().into_iter();
    target.mechanisms_used = used.map(|(mechanism, count)| (mechanism.as_str().to_owned(), count)).collect();
    let direct =
        order.profile.target.endpoints.iter().any(|endpoint| matches!(endpoint, Endpoint::DirectTls { .. }));
    let (full, resumed) = aggregator.handshakes();
    target.tls = aggregator.secured().map(|secured| TlsFacts {
        version: secured.version.clone(),
        cipher: secured.cipher.clone(),
        mode: if direct { "direct" } else { "starttls" }.to_owned(),
        handshakes_full: full,
        handshakes_resumed: resumed,
        certificate: secured
            .leaf_sha256
            .map(|digest| Certificate { sha256: hex(&digest), chain: secured.certificates }),
    });
    target
}

/// Puts the result together, checks that it does not contradict itself, and writes it.
fn finish(place: ResultFile, preamble: Preamble, mut ended: Ended, mut conclusion: Conclusion) -> Finished {
    if let Some(error) = ended.aggregator.journal_error() {
        conclusion.verdict.notes.push(format!(
            "the journal broke off during the run, so that a kill would have lost the rest: {error}"
        ));
    }
    let mut result = results::assemble(preamble, ended.aggregator.totals(), conclusion.clone(), true);
    let mut contradictions = results::check::contradictions(&result);
    contradictions.extend(results::check::unaccounted(&result));
    if !contradictions.is_empty() {
        let bug = |text: &String| (ExitCode::Internal, format!("the result contradicts itself: {text}"));
        let kept =
            result.exit.reasons.iter().map(|reason| (exit::code_of(reason.code), reason.reason.clone()));
        result.exit = exit::decide(contradictions.iter().map(bug).chain(kept).collect());
    }
    conclusion.exit.clone_from(&result.exit);
    // The journal gets its end too: if the result cannot be written, it holds the same.
    if let Some(journal) = ended.aggregator.take_journal()
        && let Err(error) = journal.conclude(&conclusion)
    {
        result.verdict.notes.push(format!("the journal could not be ended: {error}"));
    }
    let written = place.finish(&result);
    Finished { result, written }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Graph, Row, Secret};

    #[test]
    fn the_digest_of_an_accounts_file_is_of_its_names_in_order_and_of_nothing_else() {
        let of = |rows: &[(&str, &str)]| {
            let row = |(name, password): &(&str, &str)| Row {
                local: (*name).into(),
                password: Secret::new(*password),
            };
            accounts_file(&Group {
                name: "staff".into(),
                first: 0,
                count: rows.len() as u32,
                accounts: Accounts::File { path: "staff.csv".into(), rows: rows.iter().map(row).collect() },
                auth: Vec::new(),
                plain_without_tls: false,
                contacts: 0,
                graph: Graph::default(),
                login_rate: None,
            })
            .expect("a group with a file")
        };
        let file = of(&[("ann", "x"), ("bob", "y")]);
        // As `printf 'ann\nbob\n' | sha256sum` prints it.
        assert_eq!(file.names_sha256, "96d7d896bf82d0eb9e36764b3b477bc6a07a2301eda20b31475fb0cba5d41361");
        assert_eq!((file.group.as_str(), file.path.as_str()), ("staff", "staff.csv"));
        assert_eq!(of(&[("ann", "x"), ("bob", "another")]).names_sha256, file.names_sha256);
        for other in [&[("bob", "y"), ("ann", "x")][..], &[("annb", "x"), ("ob", "y")], &[("ann", "x")]] {
            assert_ne!(of(other).names_sha256, file.names_sha256, "{other:?}");
        }
    }
}
