//! Reading `[abort]`: `KEY = "> BOUND for SPAN"`.

use std::time::Duration;

use super::super::abort::{AbortRule, Sign};
use super::super::document::shorten;
use super::super::keys::{Frame, Given, Keys, Readable, Reported};
use super::super::problem::Wrong;
use super::super::registry::{KeySpec, Presence, Shape};
use super::super::slo::Comparison;
use crate::units::parse_duration;

/// The keys of `[abort]`.
pub const ABORT_KEYS: &[KeySpec] = &[
    KeySpec {
        name: "errors",
        shape: Shape::Form(SHARE_FORM),
        presence: Presence::Optional,
        doc: "end the run when so large a share of what ends in a second has failed, for so long: \"> 10% for 5s\"",
    },
    KeySpec {
        name: "backlog",
        shape: Shape::Form(COUNT_FORM),
        presence: Presence::Optional,
        doc: "end the run when so many operations are begun and not ended, for so long: \"> 10000 for 10s\"",
    },
    KeySpec {
        name: "generator-limited",
        shape: Shape::Form(SPAN_FORM),
        presence: Presence::Optional,
        doc: "end the run when lag or turn time has been beyond the verdict's bound for so long: \"for 10s\"",
    },
    KeySpec {
        name: "offline",
        shape: Shape::Form(SHARE_FORM),
        presence: Presence::Optional,
        doc: "end the run when so large a share of the users that should be online is not, for so long: \"> 20% for 10s\"",
    },
];

const SHARE_FORM: &str = r"^\s*>=?\s*[0-9.]+\s*%\s+for\s+[0-9]";
const COUNT_FORM: &str = r"^\s*>=?\s*[0-9]+\s+for\s+[0-9]";
const SPAN_FORM: &str = r"^\s*for\s+[0-9]";

/// The longest a rule may ask for.
const SPAN_MAX: Duration = Duration::from_hours(1);

/// Reads the whole table.
pub(in crate::profile) fn read(mut keys: Keys<'_>) -> Result<Vec<AbortRule>, Reported> {
    let rules = [
        keys.find::<Share>("errors").map(|rule| rule.map(|rule| rule.0.map(Sign::Errors))),
        keys.find::<Count>("backlog").map(|rule| rule.map(|rule| rule.0.map(Sign::Backlog))),
        keys.find::<Span>("generator-limited").map(|rule| rule.map(Span::rule)),
        keys.find::<Share>("offline").map(|rule| rule.map(|rule| rule.0.map(Sign::Offline))),
    ];
    let rules: Result<Vec<_>, _> = rules.into_iter().collect();
    Ok(rules?.into_iter().flatten().collect())
}

/// `> 10% for 5s`.
struct Share(Rule<f64>);
/// `> 10000 for 10s`.
struct Count(Rule<u64>);
/// `for 10s`.
struct Span {
    text: String,
    span: Duration,
}

struct Rule<T> {
    text: String,
    comparison: Comparison,
    bound: T,
    span: Duration,
}

impl<T> Rule<T> {
    fn map(self, sign: fn(Comparison, T) -> Sign) -> AbortRule {
        AbortRule { sign: sign(self.comparison, self.bound), text: self.text, span: self.span }
    }
}

impl Span {
    fn rule(self) -> AbortRule {
        AbortRule { sign: Sign::GeneratorLimited, text: self.text, span: self.span }
    }
}

impl Readable for Share {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write it like \"> 10% for 5s\"";
        let bound = |text: &str| -> Option<f64> {
            let percent: f64 = text.strip_suffix('%')?.trim_end().parse().ok()?;
            (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
        };
        rule(*value, HELP, bound).map(Self)
    }
}

impl Readable for Count {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        rule(*value, "write it like \"> 10000 for 10s\"", |text| text.parse().ok()).map(Self)
    }
}

impl Readable for Span {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write it like \"for 10s\"";
        let text = value.text("a span").map_err(|wrong| wrong.help(HELP))?;
        let wrong = || Wrong::new(format!("must be a span, not \"{}\"", shorten(text))).help(HELP);
        let (before, after) = split(text).ok_or_else(wrong)?;
        if !before.is_empty() {
            return Err(Wrong::new(format!("has no bound of its own: \"{}\"", shorten(before))).help(HELP));
        }
        Ok(Self { text: text.trim().to_owned(), span: span(after).ok_or_else(wrong)?? })
    }
}

fn rule<T>(value: Given<'_>, help: &str, bound: impl Fn(&str) -> Option<T>) -> Result<Rule<T>, Wrong> {
    let text = value.text("a bound and a span").map_err(|wrong| wrong.help(help))?;
    let wrong = || Wrong::new(format!("must be a bound and a span, not \"{}\"", shorten(text))).help(help);
    let (condition, after) = split(text).ok_or_else(wrong)?;
    let signs = [(">=", Comparison::AtLeast), (">", Comparison::Above)];
    let found =
        signs.iter().find_map(|(sign, comparison)| Some((*comparison, condition.strip_prefix(sign)?)));
    let (comparison, number) = found.ok_or_else(wrong)?;
    Ok(Rule {
        bound: bound(number.trim()).ok_or_else(wrong)?,
        span: span(after).ok_or_else(wrong)??,
        text: text.trim().to_owned(),
        comparison,
    })
}

/// What stands before `for`, and what behind it.
fn split(text: &str) -> Option<(&str, &str)> {
    let (before, after) = text.split_once("for")?;
    Some((before.trim(), after.trim()))
}

/// A run is looked at once a second, so a span is a number of whole seconds.
fn span(text: &str) -> Option<Result<Duration, Wrong>> {
    let span = parse_duration(text).ok()?;
    let whole = span.subsec_nanos() == 0 && (Duration::from_secs(1)..=SPAN_MAX).contains(&span);
    let wrong = || {
        Wrong::new(format!("must hold for whole seconds, 1s to 1h, not \"{}\"", shorten(text)))
            .help("the run is looked at once a second")
    };
    Some(whole.then_some(span).ok_or_else(wrong))
}
