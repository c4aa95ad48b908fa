//! What a comparison comes to: the data behind every view, and its JSON form (`results/README.md`).

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use super::end::End;
use super::judge::Sides;
use super::measure::{Sense, Unit};
use super::run::Run;
use crate::results::{Exit, Extended, Tool};

/// The name and version of the JSON form. A new field raises the minor number, a changed one the major.
pub const SCHEMA: &str = "xmpp-bench/comparison/1.2";

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "xmpp-bench comparison")]
pub struct Comparison {
    /// `xmpp-bench/comparison/1.2`.
    pub schema: String,
    /// The program that compared.
    pub tool: Tool,
    /// What is compared with.
    pub base: Group,
    /// What is compared.
    pub new: Group,
    /// How it was compared.
    pub method: Method,
    /// The smallest change that is news: relative, and of shares absolute.
    pub min_effect: Effects,
    /// What the runs differ in and were compared nevertheless.
    pub differences: Vec<Difference>,
    /// What changed within a side as its runs went on; a comparison of schema 1.1 has none.
    #[serde(default)]
    pub drifts: Vec<Drift>,
    /// Every measure: primary ones first.
    pub rows: Vec<Row>,
    /// Measures that are alike or without fault in every run, or had too few observations in all of them.
    pub unremarkable: Unremarkable,
    /// What had to hold, and whether it did.
    pub gates: Vec<GateOutcome>,
    /// The exit code the gates speak for.
    pub exit: Exit,
}

/// The smallest changes that are news.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effects {
    /// Of what is compared by ratio, relative.
    pub relative: f64,
    /// Of shares, absolute.
    pub points: f64,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Its files.
    pub files: Vec<String>,
    /// Their seeds, in the same order.
    pub seeds: Vec<u64>,
    /// What the servers say they are, each once; empty where none says.
    pub servers: Vec<String>,
    /// The addresses asked for, each once.
    pub targets: Vec<String>,
    /// The profile's name.
    pub profile: String,
}

/// How the comparison was made; chosen before a value was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Method {
    /// The test between runs.
    pub test: TestKind,
    /// Runs of the base.
    pub base_runs: usize,
    /// Runs of the new side.
    pub new_runs: usize,
    /// Whether p-values are exact; else by normal approximation.
    pub exact: bool,
    /// The chance of a false alarm among all primary measures together.
    pub alpha: f64,
    /// How many primary measures share it.
    pub family: usize,
    /// The least p these numbers of runs can give.
    pub least_p: f64,
    /// What the first of the family must reach to be significant.
    pub needed_p: f64,
    /// Whether it can be reached at all.
    pub reachable: bool,
    /// How many runs a side could.
    pub runs_needed: RunsNeeded,
    /// For each new run the base run of its seed; empty without pairs.
    pub pairs: Vec<usize>,
}

/// Runs a side with which a test could reach significance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunsNeeded {
    /// With pairs of equal seeds.
    pub paired: usize,
    /// Without pairs.
    pub unpaired: usize,
}

/// A test between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestKind {
    /// Wilcoxon's signed ranks, over pairs of equal seed.
    SignedRank,
    /// Wilcoxon–Mann–Whitney, over two sides.
    MannWhitney,
}

/// Something the runs differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// What, in one line.
    pub what: String,
    /// The topic it was allowed under; null where it is only marked.
    pub allowed: Option<String>,
}

/// A primary measure that rises or falls from run to run of one side (Mann's test).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Whose runs.
    pub side: Side,
    /// Of what.
    pub measure: String,
    /// What its numbers are.
    pub unit: Unit,
    /// The median over the half of the runs that began first.
    pub early: Extended<f64>,
    /// The median over the half that began last; of an odd number the run in the middle belongs to neither.
    pub late: Extended<f64>,
    /// Kendall's rank correlation with time: 1 where each run is above the one before.
    pub tau: f64,
    /// Two-sided p, adjusted for all looks at both sides (Holm).
    pub p: f64,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is compared.
    New,
}

/// Measures nothing is said of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unremarkable {
    /// Shares without fault in every run (nothing lost, all done), and rates alike within a hundredth.
    pub alike: Vec<String>,
    /// Too few observations in every run.
    pub unsupported: Vec<String>,
}

/// One measure, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Its name (`message.delivery.p99`).
    pub measure: String,
    /// What its numbers are.
    pub unit: Unit,
    /// Which way is better.
    pub sense: Sense,
    /// Whether it belongs to the corrected family.
    pub family: Family,
    /// The median over the base's runs.
    pub base: Extended<f64>,
    /// The median over the new side's runs.
    pub new: Extended<f64>,
    /// The base's runs one by one; null: too few observations, or not measured.
    pub base_runs: Vec<Extended<f64>>,
    /// The new side's.
    pub new_runs: Vec<Extended<f64>>,
    /// The estimated change: relative (0.05 is 5 % more), of shares the difference. Null where none can be given.
    pub change: Extended<f64>,
    /// Where the change lies.
    pub interval: Option<Interval>,
    /// Two-sided p; null where nothing could be tested.
    pub p: Option<f64>,
    /// p adjusted for the family (Holm); null for exploratory measures.
    pub p_adjusted: Option<f64>,
    /// Whether it is significant: of primary measures in the family, of exploratory ones by itself.
    pub significant: bool,
    /// What it comes to.
    pub judgement: Judgement,
    /// Why nothing can be said, or what else belongs beside it; empty where nothing does.
    pub note: String,
}

/// Where a change lies, of the same kind as the change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Between runs, or within one.
    pub kind: IntervalKind,
    /// The chance that such an interval holds the truth.
    pub confidence: f64,
    /// Its lower end.
    pub low: End,
    /// Its upper end.
    pub high: End,
}

/// What an interval allows for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalKind {
    /// How runs differ from each other.
    BetweenRuns,
    /// How seconds of one run differ; how runs differ is not known.
    WithinRun,
}

/// What a measure was compared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Named before the data was seen; corrected together.
    Primary,
    /// Looked at as well; not corrected.
    Exploratory,
}

/// What a measure comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Significant, at least the smallest effect, to the better.
    Better,
    /// The same to the worse.
    Worse,
    /// Significant, but smaller than what is news.
    Trifle,
    /// The interval holds no change at all.
    NoDifferenceShown,
    /// Too few runs or observations to say anything.
    CannotSay,
}

/// A gate, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateOutcome {
    /// As it was given.
    pub gate: String,
    /// What became of it.
    pub state: GateState,
    /// The confidence limit that is held against the bound to pass.
    pub pass_limit: End,
    /// The one that is held against the bound to fail.
    pub fail_limit: End,
    /// The bound: relative, a difference, or absolute, as it was given.
    pub bound: f64,
    /// The estimated change.
    pub change: Extended<f64>,
    /// Why, in one line.
    pub reason: String,
}

/// What became of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateState {
    /// The confidence limit lies within the bound.
    Passed,
    /// The whole interval lies beyond the bound: exit code 5.
    Failed,
    /// Neither: exit code 6.
    NotEnoughEvidence,
}

/// The JSON Schema of [`Comparison`].
pub fn comparison_schema() -> serde_json::Value {
    schema_for!(Comparison).to_value()
}

/// Puts a comparison together.
pub(super) fn assemble(
    sides: &Sides<'_>,
    differences: Vec<Difference>,
    drifts: Vec<Drift>,
    rows: Vec<Row>,
    unremarkable: Unremarkable,
    gates: Vec<GateOutcome>,
) -> Comparison {
    let effect = sides.options.min_effect;
    Comparison {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        base: group(sides.base),
        new: group(sides.new),
        method: sides.method.clone(),
        min_effect: Effects { relative: effect.relative, points: effect.points },
        differences,
        drifts,
        rows,
        unremarkable,
        exit: super::gate::exit(&gates),
        gates,
    }
}

fn group(runs: &[Run]) -> Group {
    let once = |texts: Vec<String>| {
        let mut kept: Vec<String> = Vec::new();
        texts.into_iter().filter(|text| !text.is_empty()).for_each(|text| {
            if !kept.contains(&text) {
                kept.push(text);
            }
        });
        kept
    };
    let server = |run: &Run| {
        let identity = run.target.identity.as_ref();
        identity.map(ToString::to_string).unwrap_or_default()
    };
    Group {
        files: runs.iter().map(|run| run.name.clone()).collect(),
        seeds: runs.iter().map(|run| run.seed).collect(),
        servers: once(runs.iter().map(server).collect()),
        targets: once(runs.iter().map(|run| run.target.urls.join(", ")).collect()),
        profile: runs.first().map(|run| run.profile.name.clone()).unwrap_or_default(),
    }
}
