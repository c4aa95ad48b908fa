//! Load on somebody's machine is put there on purpose only: the plan is shown, and its user asked.

use std::sync::Arc;
use std::time::Duration;

use crate::activity::Activity;
use crate::cli::{Failure, terminal};
use crate::engine::forecast::{Forecast, forecast};
use crate::profile::{Endpoint, Profile, Target};
use crate::units::{ByteCount, Rate, show_count, show_duration};

/// Asks before a run, unless all targets are on this machine or the answer was given beforehand (`--yes`).
pub(super) fn confirm(profile: &Arc<Profile<Activity>>, answered: bool) -> Result<(), Failure> {
    confirm_runs(&[profile], 1, answered)
}

/// Asks before a series of so many runs, once; of profiles that differ in their targets only.
pub(super) fn confirm_runs(
    profiles: &[&Arc<Profile<Activity>>],
    runs: u32,
    answered: bool,
) -> Result<(), Failure> {
    let targets: Vec<&Target> = profiles.iter().map(|profile| &profile.target).collect();
    let Some(profile) = profiles.first() else { return Ok(()) };
    ask(&targets, answered, "Put this load on it?", |far| {
        let plan = plan(far, profile, &forecast(profile));
        if runs > 1 { format!("{plan}\n  runs        {runs}, one after the other") } else { plan }
    })
}

/// Asks before accounts are touched, likewise; `what` says what is to be done to them.
pub(super) fn confirm_accounts(
    profile: &Profile<Activity>,
    answered: bool,
    what: &str,
) -> Result<(), Failure> {
    ask(&[&profile.target], answered, "Do it?", |far| {
        let (users, domain) = (show_count(profile.users().into()), &profile.target.domain);
        format!("{} is not on this machine. {users} accounts of {domain} {what}.", far.join(", "))
    })
}

fn ask(
    targets: &[&Target],
    answered: bool,
    question: &str,
    plan: impl FnOnce(&[String]) -> String,
) -> Result<(), Failure> {
    let endpoints = targets.iter().flat_map(|target| &target.endpoints);
    let mut far: Vec<String> = endpoints.filter(|one| !is_near(one)).map(ToString::to_string).collect();
    far.sort();
    far.dedup();
    if far.is_empty() || answered {
        return Ok(());
    }
    let plan = plan(&far);
    if !terminal::can_ask() {
        return Err(Failure::usage(format!("{plan}\nNobody is there to be asked: say --yes if you mean it")));
    }
    terminal::say(&plan);
    if terminal::ask(question) { Ok(()) } else { Err(Failure::usage("nothing was sent")) }
}

/// Whether an endpoint is on this machine by its address alone: a name can lead anywhere.
fn is_near(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Loopback => true,
        Endpoint::Tcp { host, .. } | Endpoint::DirectTls { host, .. } => {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// What will be done to whom.
fn plan(far: &[String], profile: &Profile<Activity>, cost: &Forecast) -> String {
    let rate = |per_second: f64| Rate::per_second(per_second).unwrap_or(Rate::ZERO);
    let bytes = |per_second: f64| ByteCount(per_second as u64);
    let logins = cost.phases.iter().map(|phase| phase.logins_per_s).fold(0.0, f64::max);
    let activities: Vec<String> =
        cost.activities.iter().map(|one| format!("{} {}", one.kind, rate(one.peak_per_s))).collect();
    // A few to a line, so that eighty columns do.
    let lines: Vec<String> = activities.chunks(3).map(|some| some.join(", ")).collect();
    let length = Duration::try_from_secs_f64(cost.phases_s).unwrap_or_default();
    format!(
        "{} is not on this machine. The plan:\n  \
         users       {} users at most, {} logins at the peak\n  \
         operations  at the peak {}\n  \
         traffic     about {}/s to the server, {}/s from it\n  \
         length      {}, and up to {} more",
        far.join(", "),
        show_count(cost.peak_online.into()),
        rate(logins),
        lines.join(",\n              "),
        bytes(cost.peak.written_bytes_per_s),
        bytes(cost.peak.read_bytes_per_s),
        show_duration(length),
        show_duration(profile.drain),
    )
}
