//! `ab`: one profile against two servers in turns, and the comparison of the two.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::activity::{self, Activity};
use crate::cli::compare::code_of as compare_code;
use crate::cli::live::LiveAddress;
use crate::cli::run::{RunArgs, check_own_server, listen_for_signals, repeat, seed, stamp, stem};
use crate::cli::runs::conduct::{Series, conclude, conduct, prepare_folder};
use crate::cli::runs::{Planned, RUNS_MAX, Settle, Side, interleaved};
use crate::cli::{Failure, confirm, load, terminal};
use crate::clock::WallTime;
use crate::compare::{self, Gate, Options, PlannedServer, Run, Topic};
use crate::engine::exit::{self, ExitCode};
use crate::profile::{Observe, Profile};
use crate::results::GENERATOR_LIMITED;
use crate::sample::LedgerKind;
use crate::units::Offset;

/// `xmpp-bench ab`
#[derive(Debug, Args)]
#[command(
    after_help = "The sides take turns, A B B A A B …, so that what drifts meets both alike; the runs of a pair share their seed. \
    Eight pairs are the fewest by which a difference in up to six measures can be told from chance with the pairs made use of.\n\n\
    Examples:\n  \
    xmpp-bench ab quickstart --a xmpp://127.0.0.1:5222 --b xmpp://127.0.0.1:5322 --set target.ca_file=ca.pem\n  \
    xmpp-bench ab my.toml --a xmpp://old:5222 --b xmpp://new:5222 --b-set target.ca_file=new.pem --out upgrade\n  \
    xmpp-bench ab my.toml --a xmpp://old:5222 --b xmpp://new:5222 --repeat 10 --gate 'message.delivery.p99 <= +10%'\n  \
    xmpp-bench ab quickstart --a loopback: --b loopback: --b-fault delay=2ms --repeat 5"
)]
pub(super) struct AbArgs {
    /// A profile: a TOML file, or the name of a shipped one (see `profile list`).
    profile: String,
    /// The target of side A, what is compared with.
    #[arg(long, value_name = "URL")]
    a: String,
    /// The target of side B, what is compared.
    #[arg(long, value_name = "URL")]
    b: String,
    /// Change a key of the profile on both sides; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Change a key under `target` or `observe` on side A; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    a_set: Vec<String>,
    /// Change a key under `target` or `observe` on side B; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    b_set: Vec<String>,
    /// Faults of the embedded server on side A (`delay=5ms`), for --a loopback:.
    #[arg(long, value_name = "FAULTS")]
    a_fault: Option<String>,
    /// Faults of the embedded server on side B, for --b loopback:.
    #[arg(long, value_name = "FAULTS")]
    b_fault: Option<String>,
    /// So many pairs of runs.
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=i64::from(RUNS_MAX / 2)))]
    repeat: u16,
    /// How long the servers are left alone between two runs [default: 5s].
    #[arg(long, value_name = "DURATION")]
    settle: Option<Settle>,
    /// The seed before the first: pair n has seed + n.
    #[arg(long)]
    seed: Option<u64>,
    /// What must hold of side B against side A (`message.delivery.p99 <= +10%`); may be repeated. See `compare`.
    #[arg(long, value_name = "GATE")]
    gate: Vec<String>,
    /// Mark these differences between runs instead of refusing to compare them: profile, host, verdict, ending.
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    allow: Vec<Topic>,
    /// The folder for the results [default: NAME-ab-TIME in this folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Do not ask before putting load on targets that are not on this machine.
    #[arg(long, short)]
    yes: bool,
    /// No progress.
    #[arg(long, short)]
    quiet: bool,
    /// Serve a page to watch the run under way by, and its metrics for Prometheus at /metrics.
    #[arg(long, value_name = "ADDRESS")]
    live: Option<LiveAddress>,
    /// Worker threads [default: one per CPU, one fewer if the server is on this machine].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    workers: Option<u16>,
}

pub(super) fn run(args: &AbArgs) -> Result<u8, Failure> {
    let options = options(args)?;
    let sides = [side(args, Side::A)?, side(args, Side::B)?];
    let profiles = [load_side(&sides[0])?, load_side(&sides[1])?];
    check_server(&sides[0], &profiles[0], Side::A)?;
    check_server(&sides[1], &profiles[1], Side::B)?;
    forewarn(args, &profiles, &options)?;
    let runs = 2 * u32::from(args.repeat);
    confirm::confirm_runs(&[&profiles[0], &profiles[1]], runs, args.yes)?;
    let now = WallTime::now();
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}-ab-{}", stem(&args.profile), stamp(now))));
    prepare_folder(&folder)?;
    let commands = listen_for_signals()?;
    let words: [Vec<OsString>; 2] = sides.map(|side| repeat::words(&side));
    let series = Series {
        planned: interleaved(seed(args.seed, &profiles[0], now), args.repeat.into(), &folder),
        words: &|planned: &Planned| words[usize::from(planned.side == Some(Side::B))].clone(),
        plan: profiles[0].end_of_phases().since(Offset::ZERO),
        settle: args.settle.unwrap_or(Settle::USUAL).0,
        quiet: args.quiet,
        json: false,
    };
    let mut outcome = conduct(&series, &commands)?;
    if !args.gate.is_empty() {
        // What must hold is said by the gates; an objective both sides may always have missed stands in the table.
        outcome.reasons.retain(|(code, _)| *code != ExitCode::Objective);
    }
    if outcome.is_whole {
        let compared = compare_sides(&series.planned, options)?;
        if compared.is_made {
            // Runs whose generator was the limit are compared only where --allow says so, and then they decide no more.
            outcome.reasons.retain(|(_, reason)| !reason.ends_with(GENERATOR_LIMITED));
        }
        outcome.reasons.extend(compared.reasons);
        terminal::print(&hint(&folder, args))?;
    }
    conclude(outcome.reasons, false)
}

/// What hours of runs would end in, told before the first.
fn forewarn(args: &AbArgs, profiles: &[Arc<Profile<Activity>>; 2], options: &Options) -> Result<(), Failure> {
    // What is asked for is the same on both sides.
    let profile = &profiles[0];
    let operations = activity::operations(profile.activities.iter().map(|plan| &plan.activity));
    let names: Vec<&str> = operations.iter().map(|operation| operation.name).collect();
    let mut kinds: Vec<LedgerKind> = operations.iter().filter_map(|operation| operation.ledger).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let measured = profile.phases.iter().filter(|phase| phase.measure);
    let phases: Vec<&str> = measured.map(|phase| phase.name.as_str()).collect();
    let planned = compare::Planned {
        operations: &names,
        accounts: &kinds,
        phases: &phases,
        server: known_of_servers(profiles),
    };
    let foreseen = compare::foresee(planned, options).map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(told) = foreseen.too_few(args.repeat.into()).filter(|_| !args.quiet) {
        terminal::say(&format!("note: {told} (--repeat)"));
    }
    Ok(())
}

/// What both sides will know of their servers.
fn known_of_servers(profiles: &[Arc<Profile<Activity>>; 2]) -> PlannedServer {
    let both = |knows: fn(&Profile<Activity>) -> bool| profiles.iter().all(|profile| knows(profile));
    PlannedServer {
        cpu: both(|profile| profile.target.uses_loopback() || profile.observe.iter().any(Observe::knows_cpu)),
        observed_cpu: both(|profile| profile.observe.iter().any(Observe::knows_cpu)),
        memory: both(|profile| profile.observe.iter().any(Observe::knows_memory)),
    }
}

/// What comparing the sides came to.
struct Compared {
    is_made: bool,
    /// What speaks for an exit code.
    reasons: Vec<(ExitCode, String)>,
}

/// Compares the sides and prints what came of it.
fn compare_sides(planned: &[Planned], options: Options) -> Result<Compared, Failure> {
    let not_made = |code, why: String| {
        terminal::say(&format!("not compared: {why}"));
        Ok(Compared { is_made: false, reasons: vec![(code, "the sides were not compared".to_owned())] })
    };
    let side = |side| -> Result<Vec<Run>, _> {
        let own = planned.iter().filter(|one| one.side == Some(side));
        own.map(|one| Run::read(&one.out)).collect()
    };
    let (base, new) = match (side(Side::A), side(Side::B)) {
        (Ok(base), Ok(new)) => (base, new),
        // Written a moment ago by ourselves.
        (Err(error), _) | (_, Err(error)) => return not_made(ExitCode::Internal, error.to_string()),
    };
    match compare::compare(&base, &new, &options) {
        Ok(comparison) => {
            let style = terminal::style();
            terminal::print(&format!("\n{}", comparison.text(style.width, style.colour)))?;
            let reasons = comparison.exit.reasons.into_iter();
            let reasons = reasons.map(|reason| (exit::code_of(reason.code), reason.reason)).collect();
            Ok(Compared { is_made: true, reasons })
        }
        Err(error) => not_made(compare_code(&error), error.to_string()),
    }
}

fn options(args: &AbArgs) -> Result<Options, Failure> {
    let gate =
        |text: &String| text.parse::<Gate>().map_err(|error| Failure::usage(format!("--gate: {error}")));
    let gates = args.gate.iter().map(gate).collect::<Result<_, _>>()?;
    Ok(Options { gates, allow: args.allow.clone(), ..Options::default() })
}

/// How to come back to it.
fn hint(folder: &Path, args: &AbArgs) -> String {
    let folder = quoted(&folder.to_string_lossy());
    let mut command = format!("xmpp-bench compare {folder}/a-* --with {folder}/b-*");
    for gate in &args.gate {
        command += &format!(" --gate {}", quoted(gate));
    }
    if !args.allow.is_empty() {
        let words: Vec<&str> = args.allow.iter().map(|topic| topic.as_str()).collect();
        command += &format!(" --allow {}", words.join(","));
    }
    format!("\nThe comparison again: {command}\n")
}

/// A word as a POSIX shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./+:@%,".contains(c);
    if !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain) {
        return word.to_owned();
    }
    // A file whose name begins with a dash is no option.
    let guard = if word.starts_with('-') { "./" } else { "" };
    format!("'{guard}{}'", word.replace('\'', "'\\''"))
}

/// Says of a side's faults what would stop its runs.
fn check_server(own: &RunArgs, profile: &Profile<Activity>, side: Side) -> Result<(), Failure> {
    let side = side.as_str();
    let named = |message: String| {
        message.replacen("--fault", &format!("--{side}-fault"), 1).replacen(
            "--target",
            &format!("--{side}"),
            1,
        )
    };
    check_own_server(own, profile).map_err(|failure| Failure::new(failure.code, named(failure.message)))
}

/// The command line of a side's runs.
fn side(args: &AbArgs, side: Side) -> Result<RunArgs, Failure> {
    let (target, own, fault) = match side {
        Side::A => (&args.a, &args.a_set, &args.a_fault),
        Side::B => (&args.b, &args.b_set, &args.b_fault),
    };
    for set in own {
        // Anything else would ask the two for different loads.
        if !["target.", "observe."].iter().any(|table| set.trim_start().starts_with(table)) {
            return Err(Failure::usage(format!(
                "--{}-set {set}: the sides may differ under `target` and `observe` only; what both are asked for is changed with --set",
                side.as_str()
            )));
        }
    }
    Ok(RunArgs {
        profile: args.profile.clone(),
        set: args.set.iter().chain(own).cloned().collect(),
        target: Some(target.clone()),
        fault: fault.clone(),
        workers: args.workers,
        live: args.live,
        quiet: args.quiet,
        seed: None,
        out: None,
        force: false,
        repeat: None,
        settle: None,
        json: false,
        yes: true,
        truth: None,
        socket_buffer: None,
        part: None,
        warned: false,
    })
}

fn load_side(side: &RunArgs) -> Result<Arc<Profile<Activity>>, Failure> {
    load::profile(&side.profile, &crate::cli::run::overrides(side)).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_takes_them() {
        for (word, expected) in [
            ("results/ab-1.x", "results/ab-1.x"),
            ("sp ace/ab", "'sp ace/ab'"),
            ("it's", r"'it'\''s'"),
            ("-out", "'./-out'"),
            ("$HOME", "'$HOME'"),
            ("a*", "'a*'"),
            ("", "''"),
            ("message.loss <= +0.1pp", "'message.loss <= +0.1pp'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
