//! Watches a run for what ends it early (`[abort]` in the profile), one closed second after the other.
//!
//! A rule takes effect when it held in as many seconds on end as it asks for. A second that shows nothing (no operation
//! ended, no worker reported) is passed over: it neither holds nor breaks a rule.
//!
//! Invariant: this module only looks. Ending the run, draining it and judging what was measured is the same work as for any
//! other end; a rule itself convicts nobody and sets no exit code.

use std::time::Duration;

use crate::engine::aggregate::Recent;
use crate::engine::verdict;
use crate::profile::{AbortRule, Sign};
use crate::units::{Quantile, show_count, show_duration, show_percent};

/// What one closed second showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glance {
    /// Operations and logins that completed.
    pub done: u64,
    /// Operations and logins that failed, were lost, timed out, or could not be started.
    pub errors: u64,
    /// Operations begun and not ended, at its end.
    pub open: u64,
    /// offered − intended, 99th percentile; nothing where nothing was offered.
    pub lag_p99: Option<Duration>,
    /// The worst worker's turn time, 99th percentile by time; nothing where no worker reported.
    pub turn_p99: Option<Duration>,
    /// Response time of the completed, 99th percentile: it decides how much lag is allowed.
    pub response_p99: Option<Duration>,
    /// Users online, and users planned to be.
    pub online: (u32, u32),
}

/// The rules of a run, and for how long each has held.
#[derive(Clone, Debug)]
pub struct Watchdog {
    rules: Vec<(AbortRule, Duration)>,
    logins: (u64, u64),
}

/// A rule that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The rule, and what was seen in the last second: `errors > 10% for 5s: 23 % of 120`.
    pub reason: String,
}

impl Glance {
    /// A second as the aggregator closed it. `open` and `online` are as they stand at its end.
    pub fn new(second: &Recent, open: u64, online: (u32, u32)) -> Self {
        Self {
            done: second.done,
            errors: second.errors,
            open,
            lag_p99: second.lag_p99(),
            turn_p99: second.turn_p99(),
            response_p99: second.response.quantile(Quantile::P99).map(Duration::from_micros),
            online,
        }
    }
}

impl Watchdog {
    /// Watches for these.
    pub fn new(rules: &[AbortRule]) -> Self {
        Self { rules: rules.iter().map(|rule| (rule.clone(), Duration::ZERO)).collect(), logins: (0, 0) }
    }

    /// Looks at a second. `logins` are those that succeeded and failed since the run began.
    pub fn look(&mut self, mut glance: Glance, logins: (u64, u64)) -> Option<Alarm> {
        let before = std::mem::replace(&mut self.logins, logins);
        glance.done += logins.0.saturating_sub(before.0);
        glance.errors += logins.1.saturating_sub(before.1);
        let mut alarm = None;
        for (rule, held) in &mut self.rules {
            match seen(&rule.sign, &glance) {
                None => {}
                Some(Seen { holds: false, .. }) => *held = Duration::ZERO,
                Some(Seen { holds: true, what }) => {
                    *held += SECOND;
                    if *held >= rule.span {
                        let (key, text) = (rule.sign.key(), &rule.text);
                        alarm.get_or_insert_with(|| Alarm { reason: format!("{key} {text}: {what}") });
                    }
                }
            }
        }
        alarm
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Whether a sign was there, and what was seen of it.
struct Seen {
    holds: bool,
    what: String,
}

fn seen(sign: &Sign, glance: &Glance) -> Option<Seen> {
    match *sign {
        Sign::Errors(comparison, bound) => {
            let ended = glance.done + glance.errors;
            let share = glance.errors as f64 / ended as f64;
            let what = || format!("{} of {} in the last second", show_percent(share), show_count(ended));
            (ended > 0).then(|| Seen { holds: comparison.holds(share, bound), what: what() })
        }
        Sign::Backlog(comparison, bound) => Some(Seen {
            holds: comparison.holds(glance.open as f64, bound as f64),
            what: format!("{} open", show_count(glance.open)),
        }),
        Sign::GeneratorLimited => generator_limited(glance),
        Sign::Offline(comparison, bound) => {
            let (online, planned) = glance.online;
            let missing = planned.saturating_sub(online);
            let share = f64::from(missing) / f64::from(planned);
            let what = || format!("{} of {} users", show_count(missing.into()), show_count(planned.into()));
            (planned > 0).then(|| Seen { holds: comparison.holds(share, bound), what: what() })
        }
    }
}

/// The worse of lag and turn time against what the verdict allows.
fn generator_limited(glance: &Glance) -> Option<Seen> {
    let allowed = verdict::allowed_delay(glance.response_p99);
    let signs = [("lag", glance.lag_p99), ("turn", glance.turn_p99)];
    let (name, worst) = signs.into_iter().filter_map(|(name, p99)| Some((name, p99?))).max_by_key(|s| s.1)?;
    let what = format!("{name} p99 {}, allowed {}", show_duration(worst), show_duration(allowed));
    Some(Seen { holds: worst > allowed, what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Comparison::{Above, AtLeast};

    fn rule(sign: Sign, seconds: u64) -> AbortRule {
        AbortRule { sign, text: "RULE".to_owned(), span: Duration::from_secs(seconds) }
    }

    /// The second (from 1) in which a rule ends the run, if it does.
    fn ends(rule: &AbortRule, seconds: &[Glance]) -> Option<usize> {
        let mut dog = Watchdog::new(std::slice::from_ref(rule));
        seconds.iter().position(|glance| dog.look(*glance, (0, 0)).is_some()).map(|at| at + 1)
    }

    fn ended(done: u64, errors: u64) -> Glance {
        Glance { done, errors, ..Glance::default() }
    }

    fn open(open: u64) -> Glance {
        Glance { open, ..Glance::default() }
    }

    fn online(online: u32, planned: u32) -> Glance {
        Glance { online: (online, planned), ..Glance::default() }
    }

    fn slow(lag_ms: u64, turn_ms: u64, response_ms: u64) -> Glance {
        let millis = |ms| Some(Duration::from_millis(ms));
        Glance {
            lag_p99: millis(lag_ms),
            turn_p99: millis(turn_ms),
            response_p99: millis(response_ms),
            ..Glance::default()
        }
    }

    #[test]
    fn a_rule_ends_a_run_when_it_held_for_its_span_without_a_break() {
        let errors = rule(Sign::Errors(Above, 0.1), 3);
        let backlog = rule(Sign::Backlog(AtLeast, 100), 2);
        let limited = rule(Sign::GeneratorLimited, 2);
        let offline = rule(Sign::Offline(Above, 0.2), 2);
        let (bad, good, nothing) = (ended(80, 20), ended(100, 0), ended(0, 0));
        let cases: &[(&str, &AbortRule, &[Glance], Option<usize>)] = &[
            ("for its span", &errors, &[bad, bad, bad], Some(3)),
            ("too short", &errors, &[bad, bad, good, bad, bad], None),
            ("again after a break", &errors, &[bad, bad, good, bad, bad, bad], Some(6)),
            ("the bound itself is not above it", &errors, &[ended(90, 10); 9], None),
            ("seconds without an end are passed over", &errors, &[bad, nothing, bad, nothing, bad], Some(5)),
            ("nothing at all is no error", &errors, &[nothing; 9], None),
            ("all of them", &errors, &[ended(0, 1); 9], Some(3)),
            ("the bound itself is at least it", &backlog, &[open(100), open(100)], Some(2)),
            ("a backlog that goes down", &backlog, &[open(100), open(99), open(100)], None),
            ("lag", &limited, &[slow(2, 0, 1), slow(2, 0, 1)], Some(2)),
            ("turns", &limited, &[slow(0, 2, 1), slow(0, 2, 1)], Some(2)),
            ("lag, then turns", &limited, &[slow(2, 0, 1), slow(0, 2, 1)], Some(2)),
            ("a millisecond is allowed", &limited, &[slow(1, 1, 1); 9], None),
            ("slow answers allow more", &limited, &[slow(40, 40, 1_000); 9], None),
            ("and not everything", &limited, &[slow(51, 0, 1_000); 9], Some(2)),
            ("workers that say nothing", &limited, &[slow(2, 0, 1), nothing, slow(2, 0, 1)], Some(3)),
            ("users missing", &offline, &[online(79, 100), online(79, 100)], Some(2)),
            ("few enough", &offline, &[online(80, 100); 9], None),
            ("nobody is due yet", &offline, &[online(0, 0); 9], None),
            ("more than are due", &offline, &[online(9, 3); 9], None),
        ];
        for (name, rule, seconds, end) in cases {
            assert_eq!(ends(rule, seconds), *end, "{name}");
        }
    }

    #[test]
    fn logins_that_fail_are_errors_too() {
        let mut dog = Watchdog::new(&[rule(Sign::Errors(Above, 0.5), 2)]);
        let quiet = Glance::default();
        assert_eq!(dog.look(quiet, (4, 6)), None);
        let alarm = dog.look(quiet, (5, 9)).expect("three of four failed, after six of ten");
        assert_eq!(alarm.reason, "errors RULE: 75 % of 4 in the last second");
        assert_eq!(dog.look(quiet, (5, 9)), None, "nothing ended in this second");
    }

    #[test]
    fn the_first_of_several_rules_is_the_reason() {
        let rules = [rule(Sign::Backlog(Above, 10), 1), rule(Sign::Offline(Above, 0.0), 1)];
        let glance = Glance { open: 1_500, online: (1, 4), ..Glance::default() };
        let alarm = Watchdog::new(&rules).look(glance, (0, 0)).expect("both hold");
        assert_eq!(alarm.reason, "backlog RULE: 1,500 open");
    }
}
