//! `xmpp-bench profile check|show|list|schema`, and reading profiles for every command that takes one.

pub mod list;
pub mod show;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::activity::{Activity, Features};
use crate::profile::{Files, Input, Problems, Profile, SHIPPED, Shipped, schema};
use crate::units::{ByteCount, Offset, show_count, show_duration};

/// What can be done with a profile short of running it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    xmpp-bench profile list\n  \
    xmpp-bench profile show quickstart\n  \
    xmpp-bench profile check my.toml\n  \
    xmpp-bench profile schema > profile.schema.json")]
pub struct ProfileArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ProfileCommand,
}

/// What to do with a profile.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Say whether a profile is valid, or all that is wrong with it.
    #[command(after_help = "Examples:\n  \
        xmpp-bench profile check my.toml\n  \
        xmpp-bench profile check quickstart --set users.0.count=5000")]
    Check(ProfileSource),
    /// Show what a profile comes to: users, rates, bytes, and what it takes of the machine.
    #[command(after_help = "Examples:\n  \
        xmpp-bench profile show quickstart\n  \
        xmpp-bench profile show my.toml --set users.0.count=5000\n  \
        xmpp-bench profile show quickstart --json")]
    Show {
        /// Which.
        #[command(flatten)]
        source: ProfileSource,
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// List the profiles that come with the tool: what each is for and what it costs to run.
    #[command(after_help = "Examples:\n  xmpp-bench profile list\n  xmpp-bench profile list --json")]
    List {
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of profiles, for editors.
    #[command(after_help = "Examples:\n  xmpp-bench profile schema > profile.schema.json")]
    Schema,
}

/// Which profile, and what to change in it.
#[derive(Clone, Debug, Args)]
pub struct ProfileSource {
    /// A file, or the name of a profile that comes with the tool (see `profile list`).
    #[arg(value_name = "PROFILE")]
    pub profile: PathBuf,
    /// Change a key: target.domain=example.org, users.0.count=10, phase.steady.duration=10s.
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
    /// A result cannot be put into JSON.
    #[error("cannot be told as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The largest file a profile may name, bytes.
const FILE_MAX: u64 = 256 << 20;

/// Runs `profile …`. Tables are `width` columns wide at most.
pub fn run(args: &ProfileArgs, width: u16, out: &mut dyn Write) -> Result<(), ProfileError> {
    match &args.command {
        ProfileCommand::Check(source) => check(&load(source)?, out),
        ProfileCommand::Show { source, json } => show::run(load(source)?, *json, width, out),
        ProfileCommand::List { json } => list::run(*json, width, out),
        ProfileCommand::Schema => Ok(writeln!(out, "{:#}", schema(&Features))?),
    }
}

/// Reads the profile a command line names.
pub fn load(source: &ProfileSource) -> Result<Profile<Activity>, ProfileError> {
    Ok(Profile::read(&input(source)?, &Features, &Disk)?)
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

fn check(profile: &Profile<Activity>, out: &mut dyn Write) -> Result<(), ProfileError> {
    let name = &profile.source.name;
    let users = show_count(profile.users().into());
    let phases = profile.phases.len();
    let length = show_duration(profile.end_of_phases().since(Offset::ZERO));
    writeln!(out, "{name}: ok ({users} users, {phases} phases, {length})")?;
    Ok(())
}
