//! `run --live`: what stands between a run and those who watch it. [`snapshot`] says what they are shown.

mod snapshot;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::activity::{self, Activity};
use crate::cli::{Failure, terminal};
use crate::engine::coordinator::Command;
use crate::engine::execute::{ExecuteError, Finished, Step};
use crate::engine::exit::ExitCode;
use crate::live::{Drawn, Facts, Live, Over};
use crate::profile::Profile;
use crate::results::RunResult;
use crate::units::Offset;

/// How long after a run its metrics are served for the scrape that brings the last account. Prometheus' usual interval is 15 s.
const LAST_SCRAPE: Duration = Duration::from_secs(20);
/// Between two looks for it.
const LOOK: Duration = Duration::from_millis(50);

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
    /// The second that was closed last when the run was shown last.
    shown: Option<u64>,
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
            operations: drawn(profile),
        });
        let live = address.map(|address| listen(address.0)).transpose()?;
        Ok(Self { live, facts, shown: None })
    }

    /// Shows the run before its first second, so that no count begins with anything but 0, and after each that was closed.
    pub(super) fn show(&mut self, step: &Step<'_>) {
        let (Some(live), Step::Running(standing)) = (&self.live, step) else { return };
        if self.shown.is_none_or(|shown| standing.seconds_closed > shown) {
            self.shown = Some(standing.seconds_closed);
            live.publish(snapshot::of(standing, &self.facts));
        }
    }

    /// Says how it ended. What is returned goes on serving the metrics.
    pub(super) fn end(self, finished: &Result<Finished, ExecuteError>) -> Farewell {
        let over = match finished {
            Ok(finished) => over(&finished.result),
            Err(error) => Over { exit: error.code().code(), reason: error.to_string(), ..Over::default() },
        };
        // Who interrupts a run wants to be gone.
        let is_hurried = over.exit == ExitCode::Interrupted.code();
        if let Some(live) = &self.live {
            live.say_over(over);
        }
        Farewell { live: self.live, is_hurried }
    }
}

/// A run that is over, whose metrics are still there. Dropping it ends that.
pub(super) struct Farewell {
    live: Option<Live>,
    is_hurried: bool,
}

impl Farewell {
    /// Waits until whoever scrapes the run has had its last account: not at all where nobody does, and not for ever. Ctrl-C ends it.
    pub(super) fn wait(self, commands: &Receiver<Command>) {
        let Some(live) = self.live else { return };
        if self.is_hurried || !live.owes_scrape() {
            return;
        }
        let most = LAST_SCRAPE.as_secs();
        terminal::say(&format!(
            "live: serving the last account for one more scrape, {most} s at most; Ctrl-C ends it"
        ));
        for _ in 0..LAST_SCRAPE.as_millis() / LOOK.as_millis() {
            if !live.owes_scrape() || commands.recv_timeout(LOOK) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }
}

/// The operations to draw: what each activity is about, and what the plan asks for.
fn drawn(profile: &Profile<Activity>) -> Vec<Drawn> {
    let activities: Vec<&Activity> = profile.activities.iter().map(|plan| &plan.activity).collect();
    let mut all: Vec<Drawn> = Vec::new();
    for (one, wholes) in activities.iter().zip(activity::wholes(&activities)) {
        let timed = one.feature.operations[0].name;
        let asked = wholes.iter().map(|(name, _)| *name);
        for name in std::iter::once(timed).chain(asked) {
            let is_asked = wholes.iter().any(|(whole, _)| *whole == name);
            match all.iter_mut().find(|known| known.name == name) {
                Some(known) => known.is_timed |= name == timed,
                None => all.push(Drawn { name: name.to_owned(), is_asked, is_timed: name == timed }),
            }
        }
    }
    all
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
    fn what_is_drawn_is_what_activities_are_about_and_what_the_plan_asks_for() {
        let profile = crate::cli::load::profile("quickstart", &[]).expect("it is shipped");
        let drawn: Vec<(String, bool, bool)> =
            drawn(&profile).into_iter().map(|one| (one.name, one.is_asked, one.is_timed)).collect();
        let expected = [
            ("message.delivery", true, true),
            // How many contacts are online nobody knows beforehand.
            ("presence.delivery", false, true),
            ("groupchat.delivery", false, true),
            ("groupchat.fanout", true, false),
            ("churn.close", true, true),
            ("churn.cut", true, false),
            ("ping", true, true),
        ];
        let expected = expected.map(|(name, is_asked, is_timed)| (name.to_owned(), is_asked, is_timed));
        assert_eq!(drawn, expected);
    }
}
