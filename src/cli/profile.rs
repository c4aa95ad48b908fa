//! `xmpp-bench profile check|show|list|schema`, and reading profiles for every command that takes one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::profile::{
    Files, Input, Pace, Phase, Planned, Problems, Profile, Registry, SHIPPED, Shipped, schema,
};
use crate::topology::Topology;
use crate::units::{ByteCount, Rate, show_count, show_duration};

/// What can be done with a profile short of running it.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ProfileCommand,
}

/// What to do with a profile.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Say whether a profile is valid, or all that is wrong with it
    Check(ProfileSource),
    /// Show what a profile comes to: users, rates, bytes, connections, descriptors
    Show(ProfileSource),
    /// List the profiles that come with the tool
    List,
    /// Print the JSON schema of profiles, for editors
    Schema,
}

/// Which profile, and what to change in it.
#[derive(Clone, Debug, Args)]
pub struct ProfileSource {
    /// A file, or the name of a profile that comes with the tool (see `profile list`)
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,
    /// Change a key: target.domain=example.org, users.0.count=10, phase.steady.duration=10s
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Why a profile command ended without doing its work.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The profile's file cannot be read.
    #[error("cannot read the profile {}: {why}", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The profile is wrong. The text is complete by itself: print it without a prefix.
    #[error("{0}")]
    Wrong(#[from] Problems),
    /// Standard output is gone.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
}

/// The largest file a profile may name, bytes.
const FILE_MAX: u64 = 256 << 20;

/// Runs `profile …`.
pub fn run<R: Registry>(args: &ProfileArgs, registry: &R, out: &mut dyn Write) -> Result<(), ProfileError> {
    match &args.command {
        ProfileCommand::Check(source) => check(&load(source, registry)?, out),
        ProfileCommand::Show(source) => show(&load(source, registry)?, out),
        ProfileCommand::List => list(out),
        ProfileCommand::Schema => Ok(writeln!(out, "{:#}", schema(registry))?),
    }
}

/// Reads the profile a command line names.
pub fn load<R: Registry>(source: &ProfileSource, registry: &R) -> Result<Profile<R::Activity>, ProfileError> {
    Ok(Profile::read(&input(source)?, registry, &Disk)?)
}

/// The files of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<String, String> {
        let mut text = String::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        let read = file.take(FILE_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        if read as u64 > FILE_MAX {
            return Err(format!("it is larger than {}", ByteCount(FILE_MAX)));
        }
        Ok(text)
    }
}

/// The profile's text: of a file, or else of a shipped profile of that name.
fn input(source: &ProfileSource) -> Result<Input, ProfileError> {
    let path = &source.profile;
    let shipped = path.to_str().and_then(Shipped::named).filter(|_| !path.exists());
    let input = match shipped {
        Some(shipped) => shipped.input(),
        None => Input {
            name: path.display().to_string(),
            text: Disk.read(path).map_err(|why| unreadable(path, &why))?,
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            overrides: Vec::new(),
        },
    };
    Ok(Input { overrides: source.set.clone(), ..input })
}

fn unreadable(path: &Path, why: &str) -> ProfileError {
    let names: Vec<&str> = SHIPPED.iter().map(|shipped| shipped.name).collect();
    let why = format!("{why}\nprofiles that come with the tool can be named instead: {}", names.join(", "));
    ProfileError::Unreadable { path: path.to_owned(), why }
}

fn list(out: &mut dyn Write) -> Result<(), ProfileError> {
    for shipped in SHIPPED {
        writeln!(out, "{:<14} {}", shipped.name, shipped.description())?;
    }
    Ok(())
}

fn check<A: Planned>(profile: &Profile<A>, out: &mut dyn Write) -> Result<(), ProfileError> {
    let name = &profile.source.name;
    let users = show_count(profile.users().into());
    let phases = profile.phases.len();
    let length = show_duration(profile.end_of_phases().since(crate::units::Offset::ZERO));
    writeln!(out, "{name}: ok ({users} users, {phases} phases, {length})")?;
    Ok(())
}

fn show<A: Planned>(profile: &Profile<A>, out: &mut dyn Write) -> Result<(), ProfileError> {
    show_target(profile, out)?;
    show_groups(profile, out)?;
    show_phases(profile, out)?;
    show_activities(profile, out)?;
    show_needs(profile, out)?;
    for slo in &profile.slos {
        writeln!(out, "slo        {} {}", slo.name, slo.text)?;
    }
    Ok(())
}

fn show_target<A>(profile: &Profile<A>, out: &mut dyn Write) -> io::Result<()> {
    let target = &profile.target;
    let endpoints: Vec<String> = target.endpoints.iter().map(ToString::to_string).collect();
    writeln!(out, "profile    {}", profile.source.name)?;
    for text in &profile.source.overrides {
        writeln!(out, "           --set {text}")?;
    }
    writeln!(
        out,
        "target     {} (domain {}, tls {})",
        endpoints.join(", "),
        target.domain,
        target.tls.as_str()
    )?;
    writeln!(
        out,
        "deadline   {}, drain at most {}",
        show_duration(profile.deadline),
        show_duration(profile.drain)
    )
}

fn show_groups<A>(profile: &Profile<A>, out: &mut dyn Write) -> io::Result<()> {
    let topology = Topology::new(&profile.groups);
    for group in &profile.groups {
        let contacts: u64 = (group.first..group.first + group.count)
            .map(|user| u64::from(topology.contact_count(user)))
            .sum();
        let mean = contacts as f64 / f64::from(group.count);
        let auth: Vec<&str> = group.auth.iter().map(|mechanism| mechanism.as_str()).collect();
        writeln!(
            out,
            "users      {}: {}, {mean:.1} contacts each ({}), {}",
            group.name,
            show_count(group.count.into()),
            group.graph,
            auth.join(" ")
        )?;
    }
    Ok(())
}

fn show_phases<A>(profile: &Profile<A>, out: &mut dyn Write) -> io::Result<()> {
    let mut before = 0;
    for phase in &profile.phases {
        let online = phase.online_total();
        let logins = f64::from(online - before) / phase.duration.as_secs_f64();
        let measured = if phase.measure { ", measured" } else { "" };
        writeln!(
            out,
            "phase      {}: {} from {}, users {} to {} ({} logins), factor to {}{measured}",
            phase.name,
            show_duration(phase.duration),
            phase.start,
            show_count(before.into()),
            show_count(online.into()),
            Rate::per_second(logins).unwrap_or(Rate::ZERO),
            phase.factor
        )?;
        before = online;
    }
    Ok(())
}

fn show_activities<A: Planned>(profile: &Profile<A>, out: &mut dyn Write) -> io::Result<()> {
    for plan in &profile.activities {
        let (_, peak) = peak(profile, plan.pace);
        let size = plan.activity.size();
        let bytes = |size: f64| ByteCount((size * peak.as_per_second()) as u64);
        let body = size.map_or_else(String::new, |size| {
            format!(
                ", bodies {size}, on average {:.0}: {}/s of bodies at the peak",
                size.mean_bytes(),
                bytes(size.mean_bytes())
            )
        });
        let arrivals = match plan.pace {
            Pace::Every(_) | Pace::Session(_) => String::new(),
            Pace::Total(_) | Pace::PerUser(_) => format!(" ({})", plan.arrivals.as_str()),
        };
        writeln!(out, "activity   {}: {}{arrivals}, at most {peak}{body}", plan.kind, plan.pace)?;
    }
    Ok(())
}

/// The phase at whose end a pace is highest, and how high that is. Users and factors go in straight lines, so a pace
/// per user may be a little higher within a phase where the factor falls while users rise.
fn peak<A>(profile: &Profile<A>, pace: Pace) -> (Option<&Phase>, Rate) {
    let at_end = |phase: &Phase| pace.over(phase.online_total()).as_per_second() * phase.factor;
    let highest = profile.phases.iter().max_by(|a, b| at_end(a).total_cmp(&at_end(b)));
    (highest, highest.and_then(|phase| Rate::per_second(at_end(phase))).unwrap_or(Rate::ZERO))
}

/// Stanzas around a body, a guess for estimates: `<message>` with addresses, id and type.
const ENVELOPE_BYTES: f64 = 160.0;
/// Descriptors beside the connections: logs, timers, the poller, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Ephemeral ports of one source address towards one target, by Linux's default range.
const PORTS_PER_ADDRESS: u64 = 28_232;

fn show_needs<A: Planned>(profile: &Profile<A>, out: &mut dyn Write) -> io::Result<()> {
    let operations: f64 =
        profile.activities.iter().map(|plan| peak(profile, plan.pace).1.as_per_second()).sum();
    let bytes: f64 = profile
        .activities
        .iter()
        .map(|plan| {
            let body = plan.activity.size().map_or(0.0, crate::profile::SizeDistribution::mean_bytes);
            peak(profile, plan.pace).1.as_per_second() * (body + ENVELOPE_BYTES)
        })
        .sum();
    let online = u64::from(profile.peak_online());
    let sides = if profile.target.uses_loopback() { 2 } else { 1 };
    let addresses = profile.target.source_addresses.len().max(1) as u64;
    let room = addresses * profile.target.endpoints.len() as u64 * PORTS_PER_ADDRESS;
    let operations = Rate::per_second(operations).unwrap_or(Rate::ZERO);
    writeln!(out, "peak       {operations} operations, about {}/s sent", ByteCount(bytes as u64))?;
    writeln!(
        out,
        "needs      {} connections, {} descriptors, {} of about {} ports",
        show_count(online),
        show_count(online * sides + OTHER_DESCRIPTORS),
        show_count(online),
        show_count(room)
    )?;
    if online > room {
        writeln!(out, "           more connections than ports: add target.source_addresses")?;
    }
    Ok(())
}
