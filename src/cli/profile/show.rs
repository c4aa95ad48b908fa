//! `profile show`: a profile resolved to what it comes to, held against the limits of this machine.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use comfy_table::Table;
use serde::Serialize;

use super::ProfileError;
use crate::activity::Activity;
use crate::engine::forecast::{ActivityForecast, Forecast, PhaseForecast, forecast};
use crate::net::facts;
use crate::profile::{ActivityPlan, Pace, Planned as _, Profile};
use crate::report::table::{align, left, table};
use crate::topology::Topology;
use crate::units::{ByteCount, Rate, show_count, show_duration};

/// Shows a profile, as text or as JSON.
pub(super) fn run(
    profile: Profile<Activity>,
    json: bool,
    width: u16,
    out: &mut dyn Write,
) -> Result<(), ProfileError> {
    let profile = Arc::new(profile);
    let cost = forecast(&profile);
    let limits = Limits::of_this_machine();
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&Shown::new(&profile, cost, limits))?)?);
    }
    Ok(render(&profile, &cost, &limits, width, out)?)
}

/// The limits a run here would meet. What could not be found out is null.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Limits {
    /// Descriptors this process may open.
    pub descriptors: Option<u64>,
    /// Ports of one source address towards one target.
    pub ports: Option<u64>,
    /// Memory there is for this process, bytes.
    pub memory_bytes: Option<u64>,
}

impl Limits {
    fn of_this_machine() -> Self {
        let host = facts::host();
        Self {
            descriptors: facts::raise_descriptor_limit(),
            ports: host.local_ports.map(|(first, last)| u64::from(last.saturating_sub(first)) + 1),
            memory_bytes: host.memory_for_us().map(|memory| memory.0),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    profile: &'a str,
    overrides: &'a [String],
    targets: Vec<String>,
    domain: &'a str,
    deadline_s: f64,
    slo: Vec<Line<'a>>,
    abort: Vec<Line<'a>>,
    observe: Vec<String>,
    forecast: Forecast,
    limits: Limits,
}

/// An objective, or a rule that ends the run.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    bound: &'a str,
}

impl<'a> Shown<'a> {
    fn new(profile: &'a Profile<Activity>, forecast: Forecast, limits: Limits) -> Self {
        Self {
            profile: &profile.source.name,
            overrides: &profile.source.overrides,
            targets: profile.target.endpoints.iter().map(ToString::to_string).collect(),
            domain: &profile.target.domain,
            deadline_s: profile.deadline.as_secs_f64(),
            slo: profile.slos.iter().map(|slo| Line { name: &slo.name, bound: &slo.text }).collect(),
            abort: profile
                .abort
                .iter()
                .map(|rule| Line { name: rule.sign.key(), bound: &rule.text })
                .collect(),
            observe: profile.observe.iter().map(ToString::to_string).collect(),
            forecast,
            limits,
        }
    }
}

/// Writes what a person reads.
pub fn render(
    profile: &Profile<Activity>,
    cost: &Forecast,
    limits: &Limits,
    width: u16,
    out: &mut dyn Write,
) -> io::Result<()> {
    show_target(profile, out)?;
    show_groups(profile, out)?;
    writeln!(out)?;
    print(&phases(&cost.phases, width), out)?;
    writeln!(out)?;
    print(&activities(profile, &cost.activities, width), out)?;
    writeln!(out)?;
    show_load(cost, out)?;
    show_needs(cost, limits, out)?;
    for slo in &profile.slos {
        writeln!(out, "slo         {} {}", slo.name, slo.text)?;
    }
    for rule in &profile.abort {
        writeln!(out, "abort       {} {}", rule.sign.key(), rule.text)?;
    }
    for source in &profile.observe {
        writeln!(out, "observe     {source}")?;
    }
    Ok(())
}

fn show_target(profile: &Profile<Activity>, out: &mut dyn Write) -> io::Result<()> {
    let target = &profile.target;
    let endpoints: Vec<String> = target.endpoints.iter().map(ToString::to_string).collect();
    writeln!(out, "profile     {}", profile.source.name)?;
    for text in &profile.source.overrides {
        writeln!(out, "            --set {text}")?;
    }
    let (domain, tls) = (&target.domain, target.tls.as_str());
    writeln!(out, "target      {} (domain {domain}, tls {tls})", endpoints.join(", "))?;
    let (deadline, drain) = (show_duration(profile.deadline), show_duration(profile.drain));
    writeln!(out, "deadline    {deadline}, drain at most {drain}")
}

fn show_groups(profile: &Profile<Activity>, out: &mut dyn Write) -> io::Result<()> {
    let topology = Topology::new(&profile.groups);
    for group in &profile.groups {
        let users = group.first..group.first + group.count;
        let contacts: u64 = users.map(|user| u64::from(topology.contact_count(user))).sum();
        let mean = contacts as f64 / f64::from(group.count);
        let auth: Vec<&str> = group.auth.iter().map(|mechanism| mechanism.as_str()).collect();
        let (name, count) = (&group.name, show_count(group.count.into()));
        writeln!(out, "users       {name}: {count}, {mean:.1} contacts each ({})", group.graph)?;
        writeln!(out, "            log in with {}", auth.join(", "))?;
    }
    Ok(())
}

fn print(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

fn phases(phases: &[PhaseForecast], width: u16) -> Table {
    let header = ["phase", "length", "users", "logins", "operations", "in all", "factor", "counts"];
    let mut rows = table(&header, width);
    for phase in phases {
        let (first, last) = phase.operations_per_s;
        rows.add_row([
            phase.name.clone(),
            seconds(phase.end_s - phase.start_s),
            from_to(&show_count(phase.users.0.into()), &show_count(phase.users.1.into())),
            turns(phase),
            from_to(&rate(first), &rate(last)),
            show_count(phase.operations.round() as u64),
            phase.factor.to_string(),
            if phase.measured { "measured" } else { "–" }.to_owned(),
        ]);
    }
    align(&mut rows, 1);
    left(&mut rows, header.len() - 1);
    rows
}

/// Logins per second, and logouts where there are any.
fn turns(phase: &PhaseForecast) -> String {
    match (phase.logins_per_s, phase.logouts_per_s) {
        (logins, 0.0) => rate(logins),
        (0.0, logouts) => format!("{} out", rate(logouts)),
        (logins, logouts) => format!("{} in, {} out", rate(logins), rate(logouts)),
    }
}

/// `0 → 1,000`, or one of them where they are the same.
fn from_to(from: &str, to: &str) -> String {
    if from == to { to.to_owned() } else { format!("{from} → {to}") }
}

fn activities(profile: &Profile<Activity>, forecasts: &[ActivityForecast], width: u16) -> Table {
    let header = ["activity", "at most", "stanza", "copies", "how often, and bodies"];
    let mut rows = table(&header, width);
    for (plan, activity) in profile.activities.iter().zip(forecasts) {
        rows.add_row([
            activity.kind.to_owned(),
            rate(activity.peak_per_s),
            if activity.stanza_bytes > 0.0 { bytes(activity.stanza_bytes) } else { "–".to_owned() },
            format!("{:.1}", activity.copies_each),
            habit(plan),
        ]);
    }
    align(&mut rows, 1);
    left(&mut rows, header.len() - 1);
    rows
}

/// `200/s (poisson), lognormal(80, 0.8) bytes`
fn habit(plan: &ActivityPlan<Activity>) -> String {
    let arrivals = match plan.pace {
        Pace::Every(_) | Pace::Session(_) => String::new(),
        Pace::Total(_) | Pace::PerUser(_) => format!(" ({})", plan.arrivals.as_str()),
    };
    let body = plan.activity.size().map_or_else(String::new, |size| format!(", {size}"));
    format!("{}{arrivals}{body}", plan.pace)
}

fn show_load(cost: &Forecast, out: &mut dyn Write) -> io::Result<()> {
    let peak = &cost.peak;
    writeln!(
        out,
        "peak        {} users, {} operations, {} copies and answers",
        show_count(cost.peak_online.into()),
        rate(peak.operations_per_s),
        rate(peak.copies_per_s)
    )?;
    writeln!(
        out,
        "            about {}/s written, {}/s read; TLS and logins left out",
        bytes(peak.written_bytes_per_s),
        bytes(peak.read_bytes_per_s)
    )
}

fn show_needs(cost: &Forecast, limits: &Limits, out: &mut dyn Write) -> io::Result<()> {
    let needs = &cost.needs;
    let (length, drain) = (seconds(cost.phases_s), seconds(cost.drain_s));
    writeln!(out, "takes       {length}, and up to {drain} for what is still open")?;
    let rows = [
        ("descriptors", needs.descriptors, limits.descriptors, "raise it (ulimit -Hn)"),
        ("ports", needs.ports, limits.ports, "add target.source_addresses"),
    ];
    for (name, needed, limit, advice) in rows {
        let of = limit.map_or_else(String::new, |limit| format!(" of {}", show_count(limit)));
        let short = limit.is_some_and(|limit| needed > limit);
        let advice = if short { format!(": TOO FEW, {advice}") } else { String::new() };
        writeln!(out, "            {} {name}{of}{advice}", show_count(needed))?;
    }
    let of = limits.memory_bytes.map_or_else(String::new, |all| format!("of {}; ", ByteCount(all)));
    let short = limits.memory_bytes.is_some_and(|all| needs.memory_bytes > all);
    let advice = if short { ": TOO LITTLE, plan fewer users or lower rates" } else { "" };
    let (memory, ledger) = (ByteCount(needs.memory_bytes), ByteCount(needs.ledger_bytes));
    writeln!(out, "            about {memory} of memory ({of}ledger {ledger}){advice}")
}

fn rate(per_second: f64) -> String {
    Rate::per_second(per_second).unwrap_or(Rate::ZERO).to_string()
}

fn bytes(count: f64) -> String {
    ByteCount(count.round() as u64).to_string()
}

fn seconds(seconds: f64) -> String {
    show_duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
