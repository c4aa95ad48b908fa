//! `[abort]`: what ends a run early, so that nobody waits for numbers that are lost already.
//!
//! A rule is a sign, how much of it is too much, and for how many seconds on end. The run looks at each of its seconds once;
//! what the signs are measured by is the engine's to say.

use std::time::Duration;

use super::slo::Comparison;

/// One rule: the run ends early once it has held for so long.
#[derive(Clone, Debug, PartialEq)]
pub struct AbortRule {
    /// What is watched.
    pub sign: Sign,
    /// The rule as the profile spells it (`> 10% for 5s`).
    pub text: String,
    /// How long it must hold without a break: whole seconds, at least one.
    pub span: Duration,
}

/// What a run is watched for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sign {
    /// The share of the operations that ended in a second, logins among them, that did not complete. 0..=1.
    Errors(Comparison, f64),
    /// Operations begun and not ended.
    Backlog(Comparison, u64),
    /// The verdict's bound on lag and turn time, held against single seconds.
    GeneratorLimited,
    /// The share of the users planned to be online who are not. 0..=1.
    Offline(Comparison, f64),
}

impl Sign {
    /// The key under `[abort]`.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Errors(..) => "errors",
            Self::Backlog(..) => "backlog",
            Self::GeneratorLimited => "generator-limited",
            Self::Offline(..) => "offline",
        }
    }
}
