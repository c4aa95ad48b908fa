//! Whether runs may be laid beside each other: every difference is named, and those that would make the numbers a comparison
//! of something else are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::outcome::Difference;
use super::run::Run;
use super::show::clean;
use crate::results::{SourceKind, TlsFacts, VerdictState, load_difference};

/// What runs may differ in so that they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// What was asked: the profile but for its target and objectives, and what the command line changed.
    Profile,
    /// The machine the generator ran on.
    Host,
    /// A verdict by which the numbers do not say how the server answered the load.
    Verdict,
    /// An end before the plan's, or one by which nobody vouches for the numbers.
    Ending,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Profile, Self::Host, Self::Verdict, Self::Ending];

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Host => "host",
            Self::Verdict => "verdict",
            Self::Ending => "ending",
        }
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|topic| topic.as_str() == text).copied();
        known.ok_or_else(|| format!("`{text}` is none of profile, host, verdict, ending"))
    }
}

/// Why runs are not compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Each difference, in one line.
    pub reasons: Vec<String>,
    /// What they are about.
    pub topics: Vec<Topic>,
    /// Whether all there is against it is that measurements cannot be trusted.
    pub untrustworthy: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these runs are not comparable:")?;
        for reason in &self.reasons {
            write!(f, "\n  {reason}")?;
        }
        if self.topics.is_empty() {
            return Ok(());
        }
        let words: Vec<_> = self.topics.iter().map(|topic| topic.as_str()).collect();
        write!(
            f,
            "\ncompare runs of one profile from one machine, or mark this instead: --allow {}",
            words.join(",")
        )
    }
}

/// Every difference that is marked; refused are those nobody allowed.
pub(super) fn check(base: &[Run], new: &[Run], allow: &[Topic]) -> Result<Vec<Difference>, Refusal> {
    let all: Vec<&Run> = base.iter().chain(new).collect();
    let twice = counted_twice(&all);
    if !twice.is_empty() {
        return Err(Refusal { reasons: twice, topics: Vec::new(), untrustworthy: false });
    }
    let first = all[0];
    let mut grave: Vec<(Topic, String)> = Vec::new();
    grave.extend(
        gathered(&all, |run| load_difference((&first.profile, "in the base"), (&run.profile, "here")))
            .map(|it| (Topic::Profile, it)),
    );
    grave.extend(gathered(&all, |run| host_difference(first, run)).map(|it| (Topic::Host, it)));
    grave.extend(gathered(&all, unfit).map(|it| (Topic::Verdict, it)));
    grave.extend(gathered(&all, ending).map(|it| (Topic::Ending, it)));
    let (allowed, refused): (Vec<_>, Vec<_>) =
        grave.into_iter().partition(|(topic, _)| allow.contains(topic));
    if !refused.is_empty() {
        let topics: BTreeSet<Topic> = refused.iter().map(|(topic, _)| *topic).collect();
        let untrustworthy = topics.iter().all(|topic| matches!(topic, Topic::Verdict | Topic::Ending));
        let reasons = refused.into_iter().map(|(_, reason)| reason).collect();
        return Err(Refusal { reasons, topics: topics.into_iter().collect(), untrustworthy });
    }
    let allowed = allowed
        .into_iter()
        .map(|(topic, what)| Difference { what: clean(&what), allowed: Some(topic.as_str().to_owned()) });
    let marked = marks(base, new).into_iter().map(|what| Difference { what: clean(&what), allowed: None });
    Ok(allowed.chain(marked).collect())
}

/// The same run in two files, or one file twice, is one run.
fn counted_twice(all: &[&Run]) -> Vec<String> {
    let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut found = Vec::new();
    for run in all {
        if let Some(other) = seen.insert((&run.id, &run.started), &run.name) {
            found.push(format!("run: {} and {} are one run; count it once", clean(other), clean(&run.name)));
        }
    }
    found
}

/// The same said of several runs, once, with whom it is said of.
fn gathered<'a>(all: &[&'a Run], say: impl Fn(&'a Run) -> Option<String>) -> impl Iterator<Item = String> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for run in all {
        let Some(what) = say(run) else { continue };
        match said.iter_mut().find(|(known, _)| *known == what) {
            Some((_, names)) => names.push(&run.name),
            None => said.push((what, vec![&run.name])),
        }
    }
    let line = |(what, names): (String, Vec<&str>)| format!("{} ({})", clean(&what), clean(&listed(&names)));
    said.into_iter().map(line).collect::<Vec<_>>().into_iter()
}

fn listed(names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        [one, other] => format!("{one}, {other}"),
        [one, .., last] => format!("{one} … {last}, {} files", names.len()),
        [] => String::new(),
    }
}

fn host_difference(first: &Run, other: &Run) -> Option<String> {
    let (one, two) = (&first.host, &other.host);
    let model = |host: &crate::results::Host| {
        host.cpu_model.clone().unwrap_or_else(|| "an unknown processor".to_owned())
    };
    let describe = |host: &crate::results::Host| format!("{}, {} × {}", host.system, host.cpus, model(host));
    (describe(one) != describe(two)).then(|| format!("host: {}, not {}", describe(two), describe(one)))
}

fn unfit(run: &Run) -> Option<String> {
    match run.verdict {
        VerdictState::Valid | VerdictState::ServerLimited => None,
        state if run.because.is_empty() => Some(format!("verdict: {}", state.as_str())),
        state => Some(format!("verdict: {} by {}", state.as_str(), run.because.join(", "))),
    }
}

fn ending(run: &Run) -> Option<String> {
    (!run.endings.is_empty()).then(|| format!("ending: {}", run.endings.join("; ")))
}

/// What a circumstance is called, and how it is read.
type Mark = (&'static str, fn(&Run) -> String);

/// What does not forbid a comparison but belongs beside it.
fn marks(base: &[Run], new: &[Run]) -> Vec<String> {
    let all: Vec<&Run> = base.iter().chain(new).collect();
    let limited = |run: &Run| {
        (run.verdict == VerdictState::ServerLimited).then(|| "verdict: server-limited".to_owned())
    };
    let mut found: Vec<String> = gathered(&all, limited).collect();
    let texts: [Mark; 7] = [
        ("tool", |run| run.tool.clone()),
        ("kernel", |run| run.host.kernel.clone().unwrap_or_default()),
        ("memory", |run| {
            run.host.memory_bytes.map(|bytes| crate::units::ByteCount(bytes).to_string()).unwrap_or_default()
        }),
        ("TLS", |run| {
            run.target.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher)).unwrap_or_default()
        }),
        ("TLS sessions", |run| {
            let of = |tls: &TlsFacts| {
                let resumed = if tls.handshakes_resumed > 0 { ", resumed in part" } else { "" };
                format!("{}{resumed}", tls.mode)
            };
            run.target.tls.as_ref().map(of).unwrap_or_default()
        }),
        ("workers", |run| run.workers.to_string()),
        ("observed", |run| {
            let word = |kind: &SourceKind| match kind {
                SourceKind::Process => "processes",
                SourceKind::EmbeddedServer => "the embedded server",
                SourceKind::Prometheus => "a page of metrics",
                SourceKind::Other => "something this version does not know",
            };
            run.observed.iter().map(word).collect::<Vec<_>>().join(", ")
        }),
    ];
    for (what, read) in texts {
        let first = read(all[0]);
        let say = |run: &Run| {
            let own = read(run);
            (own != first).then(|| format!("{what}: {}, not {}", or_none(&own), or_none(&first)))
        };
        found.extend(gathered(&all, say));
    }
    found.extend(where_told("machine", &all, machine));
    found.extend(where_told("limits", &all, limits));
    found.extend(where_told("mechanism", &all, mechanisms));
    found.extend(one_sided(base, new));
    found.extend(seeds(base, new));
    found.extend(order(base, new));
    found
}

/// What only later versions write down, or not every run tells: held against the first run that tells it.
fn where_told(what: &str, all: &[&Run], read: fn(&Run) -> Option<String>) -> Vec<String> {
    let Some((from, first)) = all.iter().find_map(|run| Some((&run.name, read(run)?))) else {
        return Vec::new();
    };
    let say = |run: &Run| {
        let own = read(run).filter(|own| *own != first)?;
        Some(match what {
            // A digest says nothing to a person.
            "machine" => format!("machine: another one than that of {from}"),
            _ => format!("{what}: {own}, not {first}"),
        })
    };
    gathered(all, say).collect()
}

fn machine(run: &Run) -> Option<String> {
    run.host.machine.clone()
}

/// What control groups leave; told by whoever tells the machine.
fn limits(run: &Run) -> Option<String> {
    run.host.machine.as_ref()?;
    let limits = &run.host.limits;
    let cpus = limits.cpu_quota.as_ref().map(|cpus| format!("{cpus} processors"));
    let memory = limits.memory_bytes.map(|bytes| crate::units::ByteCount(bytes).to_string());
    let all: Vec<String> = cpus.into_iter().chain(memory).collect();
    Some(if all.is_empty() { "none".to_owned() } else { all.join(", ") })
}

/// How users logged in.
fn mechanisms(run: &Run) -> Option<String> {
    let used = run.target.mechanisms_used.keys().cloned().collect::<Vec<_>>().join(" ");
    (!used.is_empty()).then_some(used)
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn seeds(base: &[Run], new: &[Run]) -> Option<String> {
    let of = |runs: &[Run]| {
        let mut seeds: Vec<u64> = runs.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds
    };
    let (one, two) = (of(base), of(new));
    let is_repeated = |seeds: &[u64]| seeds.windows(2).any(|pair| pair[0] == pair[1]);
    if is_repeated(&one) || is_repeated(&two) {
        return Some(
            "seeds: one seed has several runs on a side, so runs are not paired; give each pair a seed of its own".to_owned(),
        );
    }
    let alone = one.iter().filter(|seed| !two.contains(seed)).count()
        + two.iter().filter(|seed| !one.contains(seed)).count();
    if alone == 0 {
        return None;
    }
    Some(if alone == one.len() + two.len() {
        "seeds: the sides ran other plans, so runs are not paired; repeat both with the same seeds".to_owned()
    } else {
        format!(
            "seeds: {alone} of the runs have no run of their seed on the other side, so none are paired; leave them out, or make the missing ones"
        )
    })
}

/// What one side did and the other never.
fn one_sided(base: &[Run], new: &[Run]) -> Vec<String> {
    let of = |runs: &[Run]| -> BTreeSet<String> {
        runs.iter().flat_map(Run::operations).map(str::to_owned).collect()
    };
    let (of_base, of_new) = (of(base), of(new));
    let say = |side: &str, lone: Vec<&String>| {
        let names: Vec<&str> = lone.into_iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("measured on the {side} side alone: {}", names.join(", ")))
    };
    let lone = [
        say("base", of_base.difference(&of_new).collect()),
        say("new", of_new.difference(&of_base).collect()),
    ];
    lone.into_iter().flatten().collect()
}

/// One side's runs in a row, more than taking turns has: what changed on the machine meanwhile looks like the server's doing.
fn order(base: &[Run], new: &[Run]) -> Option<String> {
    let of = |runs: &[Run], side: bool| -> Vec<(String, bool)> {
        runs.iter().map(|run| (run.started.clone(), side)).collect()
    };
    let mut all = of(base, false);
    all.extend(of(new, true));
    all.sort();
    let longest = all.chunk_by(|one, next| one.1 == next.1).map(<[_]>::len).max()?;
    // A B B A has two in a row; where one side has more runs than the other, that many times as many.
    let fair = 2 * base.len().max(new.len()).div_ceil(base.len().min(new.len()).max(1));
    let is_apart = all.chunk_by(|one, next| one.1 == next.1).count() == 2 && all.len() > 2;
    (longest > fair || is_apart).then(|| {
        format!(
            "order: {longest} runs of one side in a row, so whatever else changed meanwhile counts as a difference; take turns"
        )
    })
}
