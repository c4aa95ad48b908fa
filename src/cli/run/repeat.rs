//! `run --repeat N`: the same run with one seed after the other.

use std::ffi::OsString;
use std::sync::Arc;

use super::{RunArgs, listen_for_signals, overrides, seed, stamp, stem};
use crate::cli::runs::conduct::{Series, conclude, conduct, refuse_taken};
use crate::cli::runs::{Names, Settle, repeated};
use crate::cli::{Failure, confirm, load};
use crate::clock::WallTime;
use crate::units::Offset;

pub(super) fn run(args: &RunArgs, runs: u32) -> Result<u8, Failure> {
    let profile = Arc::new(load::profile(&args.profile, &overrides(args))?);
    confirm::confirm_runs(&[&profile], runs, args.yes)?;
    let commands = listen_for_signals()?;
    let now = WallTime::now();
    let out = args.out.as_deref().map(|out| (out, out.is_dir()));
    let names = Names::new(out, &stem(&args.profile), &stamp(now));
    let words = words(args);
    let planned = repeated(seed(args.seed, &profile, now), runs, &names);
    refuse_taken(&planned)?;
    let series = Series {
        planned,
        words: &|_| words.clone(),
        plan: profile.end_of_phases().since(Offset::ZERO),
        settle: args.settle.unwrap_or(Settle::USUAL).0,
        quiet: args.quiet,
        json: args.json,
    };
    conclude(conduct(&series, &commands)?.reasons, args.json)
}

/// The command line of one run, without what is its own in a series (seed, file, place).
pub(in crate::cli) fn words(args: &RunArgs) -> Vec<OsString> {
    // Named one by one, so that nobody adds an option and forgets it here.
    let RunArgs {
        profile,
        set,
        target,
        quiet,
        workers,
        fault,
        socket_buffer,
        live,
        seed: _,
        out: _,
        force: _,
        repeat: _,
        settle: _,
        json: _,
        yes: _,
        truth: _,
        part: _,
        warned: _,
    } = args;
    let mut words: Vec<OsString> = vec!["run".into(), profile.into(), "--yes".into()];
    words.extend(quiet.then(|| "--quiet".into()));
    let workers = workers.map(|workers| workers.to_string());
    let socket_buffer = socket_buffer.map(|bytes| bytes.to_string());
    // One run after the other is served at the same place.
    let live = live.map(|address| address.to_string());
    let options = set.iter().map(|set| ("--set", set)).chain(
        [
            ("--target", target.as_ref()),
            ("--workers", workers.as_ref()),
            ("--fault", fault.as_ref()),
            ("--socket-buffer", socket_buffer.as_ref()),
            ("--live", live.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?))),
    );
    // With an equals sign, so that a value may begin with a dash.
    words.extend(options.map(|(name, value)| format!("{name}={value}").into()));
    words
}
