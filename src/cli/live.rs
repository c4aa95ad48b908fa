//! `run --live`: what stands between a run and those who watch it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use crate::activity::Activity;
use crate::cli::{Failure, terminal};
use crate::engine::aggregate::Aggregator;
use crate::engine::coordinator::{Stage, Standing};
use crate::engine::execute::{ExecuteError, Finished, Step};
use crate::live::{Classic, Facts, Live, ObservedNow, Operation, Over, Snapshot};
use crate::profile::Profile;
use crate::results::{Ledgers, ObservedSource, RunResult, ThreadRole};
use crate::units::{Offset, Quantile};

/// Where to listen: `9464`, `:9464`, `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LiveAddress(SocketAddr);

impl FromStr for LiveAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let local = |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
        let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
        let address = local(port).or_else(|| text.parse().ok());
        address
            .map(Self)
            .ok_or_else(|| "write a port (9464) or an address and a port (127.0.0.1:9464)".to_owned())
    }
}

impl fmt::Display for LiveAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run being watched, or not.
pub(super) struct Watching {
    live: Option<Live>,
    facts: Arc<Facts>,
    shown: u64,
}

impl Watching {
    /// Listens where the command line says so.
    pub(super) fn start(address: Option<&LiveAddress>, profile: &Profile<Activity>) -> Result<Self, Failure> {
        let target: Vec<String> = profile.target.endpoints.iter().map(ToString::to_string).collect();
        let facts = Arc::new(Facts {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: profile.source.name.clone(),
            target: target.join(", "),
            length_s: profile.end_of_phases().since(Offset::ZERO).as_secs_f64(),
        });
        let live = address.map(|address| listen(address.0)).transpose()?;
        Ok(Self { live, facts, shown: 0 })
    }

    /// Shows the run after each second that was closed.
    pub(super) fn show(&mut self, step: &Step<'_>) {
        let (Some(live), Step::Running(standing)) = (&self.live, step) else { return };
        if standing.seconds_closed > self.shown {
            self.shown = standing.seconds_closed;
            live.publish(snapshot(standing, &self.facts));
        }
    }

    /// Says how it ended.
    pub(super) fn end(self, finished: &Result<Finished, ExecuteError>) {
        let Some(live) = self.live else { return };
        live.end(match finished {
            Ok(finished) => over(&finished.result),
            Err(error) => Over { exit: error.code().code(), reason: error.to_string(), ..Over::default() },
        });
    }
}

fn listen(address: SocketAddr) -> Result<Live, Failure> {
    let live = Live::start(address).map_err(|error| Failure::usage(error.to_string()))?;
    let address = live.address();
    if !address.ip().is_loopback() {
        terminal::say(&format!(
            "warning: --live {address} is no loopback address: whoever can reach it sees this run, without a password"
        ));
    }
    terminal::say(&format!("live: http://{address}/ (for Prometheus: http://{address}/metrics)"));
    Ok(live)
}

fn over(result: &RunResult) -> Over {
    let reason = result.exit.reasons.first().map(|reason| reason.reason.clone());
    Over {
        verdict: result.verdict.state.as_str().to_owned(),
        exit: result.exit.code,
        reason: reason.unwrap_or_default(),
    }
}

fn snapshot(standing: &Standing<'_>, facts: &Arc<Facts>) -> Snapshot {
    let recent = standing.recent;
    let micros = |value: Option<u64>| value.map(std::time::Duration::from_micros);
    let mut snapshot = Snapshot {
        facts: Arc::clone(facts),
        elapsed_s: standing.now.as_secs_f64(),
        stage: match standing.stage {
            Stage::Phases => "phases",
            Stage::Draining => "draining",
            Stage::Leaving => "leaving",
        },
        phase: standing.phase.to_owned(),
        online: u64::from(standing.online.0),
        planned: u64::from(standing.online.1),
        asked_per_s: if standing.stage == Stage::Phases { standing.asked_per_second } else { 0.0 },
        done_per_s: recent.done,
        errors_per_s: recent.errors,
        response_p50: micros(recent.response.quantile(Quantile::P50)),
        response_p90: micros(recent.response.quantile(Quantile::P90)),
        response_p99: micros(recent.response.quantile(Quantile::P99)),
        lag_p90: micros(recent.lag.quantile(Quantile::P90)),
        lag_p99: micros(recent.lag.quantile(Quantile::P99)),
        turn_p99: recent.turn_p99(),
        open: standing.open,
        logins: standing.logins,
        ..Snapshot::default()
    };
    if let Some(folded) = standing.folded {
        add_totals(&mut snapshot, folded);
    }
    snapshot
}

fn add_totals(snapshot: &mut Snapshot, folded: &Aggregator) {
    let layout = folded.totals().layout();
    for (phase, phase_layout) in layout.phases.iter().enumerate() {
        for (number, operation) in layout.operations.iter().enumerate() {
            let tally = folded.totals().tally([phase], number);
            if tally.outcomes.is_empty() {
                continue;
            }
            snapshot.operations.push(Operation {
                name: operation.name.clone(),
                phase: phase_layout.name.clone(),
                outcomes: tally.outcomes.iter().map(|(name, count)| (name.to_string(), *count)).collect(),
                response: Classic::of(&tally.response),
                lag: Classic::of(&tally.lag),
            });
        }
    }
    snapshot.ledger = Ledgers::sum(&folded.ledgers());
    for error in folded.totals().errors() {
        *snapshot.errors.entry(error.class).or_default() += error.count;
    }
    (snapshot.bytes_in, snapshot.bytes_out) = folded.bytes();
    let generator = &folded.generator;
    snapshot.cpu_s = cpu_by_role(&generator.threads);
    snapshot.memory_bytes = generator.memory_bytes.last;
    snapshot.descriptors = generator.descriptors.last;
    snapshot.observed = observed(folded.observed().sources());
}

fn cpu_by_role(threads: &[crate::results::ThreadUse]) -> BTreeMap<&'static str, f64> {
    let mut sums = BTreeMap::new();
    for thread in threads {
        let role = match thread.role {
            ThreadRole::Worker => "worker",
            ThreadRole::Server => "server",
            ThreadRole::Helper => "helper",
        };
        *sums.entry(role).or_default() += thread.user_s + thread.system_s;
    }
    sums
}

/// The last reading of each source; two of one name are told apart.
fn observed<'a>(sources: impl Iterator<Item = &'a ObservedSource>) -> Vec<ObservedNow> {
    let mut all: Vec<ObservedNow> = Vec::new();
    for source in sources {
        let again = all.iter().filter(|one| one.source.split(" #").next() == Some(&source.name)).count();
        let name = if again == 0 { source.name.clone() } else { format!("{} #{}", source.name, again + 1) };
        let row = source.at_s.iter().rposition(Option::is_some);
        let value = |column: Option<&str>| *source.columns.get(column?)?.values.get(row?)?;
        all.push(ObservedNow {
            source: name,
            cpu_s: value(source.cpu.as_deref()),
            at_s: row.and_then(|row| source.at_s[row]).unwrap_or(0.0),
            memory_bytes: value(source.memory.as_deref()),
            descriptors: value(Some("descriptors")),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_loopback_unless_another_is_spelled_out() {
        for text in ["9464", ":9464", "localhost:9464", "127.0.0.1:9464"] {
            assert_eq!(
                text.parse::<LiveAddress>().map(|one| one.0.to_string()),
                Ok("127.0.0.1:9464".to_owned())
            );
        }
        for text in ["0.0.0.0:9464", "[::1]:9464", "10.0.0.7:1"] {
            assert_eq!(text.parse::<LiveAddress>().map(|one| one.0.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "70000", "here", "10.0.0.7", "example.org:80"] {
            assert!(text.parse::<LiveAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn two_sources_of_one_name_are_told_apart() {
        let source = || ObservedSource { name: "beam.smp".to_owned(), ..ObservedSource::default() };
        let seen = observed([source(), source(), source()].iter());
        let names: Vec<_> = seen.iter().map(|one| one.source.as_str()).collect();
        assert_eq!(names, ["beam.smp", "beam.smp #2", "beam.smp #3"]);
    }
}
