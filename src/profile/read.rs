//! Reading values: what each type accepts, and what it says to anything else.

pub(super) mod abort;
pub(super) mod accounts;
pub(super) mod activities;
pub(super) mod observe;
pub(super) mod phases;
pub(super) mod slos;
pub(super) mod target;
pub(super) mod users;

use std::time::Duration;

use super::document::{Node, Value, shorten};
use super::group::Graph;
use super::keys::{Frame, Given, Keys, Readable, Reported, Surroundings};
use super::problem::{Wrong, suggestion};
use super::registry::{KeySpec, Shape};
use super::value::{DurationDistribution, Pace, RoomSizes, SizeDistribution};
use crate::units::{Rate, parse_duration};

impl Readable for String {
    fn read(value: &Given<'_>, frame: Frame<'_>) -> Result<Self, Wrong> {
        let text = value.text("text in quotes")?;
        match frame.shape {
            Shape::Choice(choices) if !choices.contains(&text) => {
                Err(not_among(text, choices.iter().copied()))
            }
            _ => Ok(text.to_owned()),
        }
    }
}

impl Readable for bool {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        match &value.0.value {
            Value::Boolean(value) => Ok(*value),
            other => Err(Wrong::new(format!("must be true or false, not {}", other.describe()))),
        }
    }
}

impl Readable for u64 {
    fn read(value: &Given<'_>, frame: Frame<'_>) -> Result<Self, Wrong> {
        let (min, max) = match frame.shape {
            Shape::Integer(min, max) => (min, max),
            _ => (0, Self::MAX),
        };
        whole_number(value.0, min, max)
    }
}

impl Readable for u32 {
    fn read(value: &Given<'_>, frame: Frame<'_>) -> Result<Self, Wrong> {
        let (min, max) = match frame.shape {
            Shape::Integer(min, max) => (min, max.min(u64::from(Self::MAX))),
            _ => (0, u64::from(Self::MAX)),
        };
        whole_number(value.0, min, max).map(|number| number as Self)
    }
}

impl Readable for f64 {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        let number = match value.0.value {
            Value::Integer(number) => number as Self,
            Value::Float(number) => number,
            ref other => return Err(Wrong::new(format!("must be a number, not {}", other.describe()))),
        };
        let sane = number.is_finite() && (0.0..=1e6).contains(&number);
        sane.then_some(number)
            .ok_or_else(|| Wrong::new(format!("must be between 0 and 1000000, not {number}")))
    }
}

impl Readable for Duration {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const EXPECTED: &str = "a duration";
        const HELP: &str = "write it like \"250ms\", \"30s\" or \"1m 30s\"";
        if let Value::Integer(number) = value.0.value
            && value.0.bare.is_none()
        {
            let wrong = Wrong::new(format!("must be {EXPECTED}, not the number {number}"));
            return Err(wrong.help(format!("a duration has a unit: \"{number}s\"?")));
        }
        let text = value.text(EXPECTED).map_err(|wrong| wrong.help(HELP))?;
        let wrong = || Wrong::new(format!("must be {EXPECTED}, not \"{}\"", shorten(text))).help(HELP);
        parse_duration(text).map_err(|_| wrong())
    }
}

impl Readable for Rate {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write it like \"200/s\", \"30/min\" or \"100/h\"";
        let text = value.text("a rate").map_err(|wrong| wrong.help(HELP))?;
        let wrong = || Wrong::new(format!("must be a rate, not \"{}\"", shorten(text))).help(HELP);
        above_zero(text.parse().map_err(|_| wrong())?)
    }
}

/// The paces a `rate` key can say.
pub(super) struct PaceRate(pub(super) Pace);

impl Readable for PaceRate {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str =
            "write \"200/s\" for a total, \"2/min per user\" for a rate that grows with the users";
        let text = value.text("a rate").map_err(|wrong| wrong.help(HELP))?;
        let wrong = || Wrong::new(format!("must be a rate, not \"{}\"", shorten(text))).help(HELP);
        let (number, per_user) = match text.trim_end().strip_suffix("per user") {
            Some(number) => (number.trim_end(), true),
            None => (text, false),
        };
        let rate = above_zero(number.parse().map_err(|_| wrong())?)?;
        Ok(Self(if per_user { Pace::PerUser(rate) } else { Pace::Total(rate) }))
    }
}

impl Readable for SizeDistribution {
    fn read(value: &Given<'_>, frame: Frame<'_>) -> Result<Self, Wrong> {
        let (min, max) = (frame.vocabulary.body_bytes_min, frame.vocabulary.body_bytes_max);
        if let Value::Integer(number) = value.0.value {
            return size_within(number as f64, min, max).map(Self::Fixed);
        }
        let help = format!("write a number of bytes, \"uniform({min}, 400)\" or \"lognormal(80, 0.8)\"");
        let text = value.text("a size").map_err(|wrong| wrong.help(help.as_str()))?;
        let wrong = || Wrong::new(format!("must be a size, not \"{}\"", shorten(text))).help(help.as_str());
        let (name, numbers) = call(text).ok_or_else(wrong)?;
        match (name, numbers.as_slice()) {
            ("uniform", &[low, high]) => uniform(low, high, min, max),
            ("lognormal", &[median_bytes, sigma]) => log_normal(median_bytes, sigma, min, max),
            _ => Err(wrong()),
        }
    }
}

/// A share: `0.2` or `"20%"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

impl Readable for Share {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write a number from 0 to 1, or a share like \"20%\"";
        let share = match &value.0.value {
            Value::Integer(number) => *number as f64,
            Value::Float(number) => *number,
            _ => {
                let text = value.text("a share").map_err(|wrong| wrong.help(HELP))?;
                let number =
                    text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
                number.ok_or_else(|| {
                    Wrong::new(format!("must be a share, not \"{}\"", shorten(text))).help(HELP)
                })? / 100.0
            }
        };
        let sane = (0.0..=1.0).contains(&share);
        sane.then_some(Self(share))
            .ok_or_else(|| Wrong::new(format!("must be between 0 and 1, not {share}")).help(HELP))
    }
}

impl Readable for DurationDistribution {
    fn read(value: &Given<'_>, frame: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str =
            "write \"30s\", \"uniform(10s, 1min)\", \"exponential(5min)\" or \"lognormal(5min, 1.0)\"";
        let plain = || Duration::read(value, frame).map(Self::Fixed);
        let Ok(text) = value.text("a duration") else { return plain() };
        let Some((name, rest)) = text.trim().split_once('(') else {
            return plain().map_err(|wrong| wrong.help(HELP));
        };
        let wrong = || Wrong::new(format!("must be a duration, not \"{}\"", shorten(text))).help(HELP);
        let inside = rest.strip_suffix(')').ok_or_else(wrong)?;
        let parts: Vec<&str> = inside.split(',').map(str::trim).collect();
        let duration = |text: &str| parse_duration(text).map_err(|_| wrong());
        let read = match (name.trim_end(), parts.as_slice()) {
            ("uniform", [low, high]) => Self::Uniform(duration(low)?, duration(high)?),
            ("exponential", [mean]) => Self::Exponential(duration(mean)?),
            ("lognormal", [median, sigma]) => {
                let sigma = sigma.parse().ok().filter(|sigma| (0.0..=5.0).contains(sigma));
                Self::LogNormal { median: duration(median)?, sigma: sigma.ok_or_else(wrong)? }
            }
            _ => return Err(wrong()),
        };
        match read {
            Self::Uniform(low, high) if low > high => Err(wrong()),
            read => Ok(read),
        }
    }
}

/// The largest room that may be planned: far beyond what servers allow.
const ROOM_MAX: u32 = 100_000;

impl Readable for RoomSizes {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write a number of occupants, \"uniform(5, 50)\" or \"zipf(1.1, 200)\"";
        let size = |number: f64| {
            let sane = (2.0..=f64::from(ROOM_MAX)).contains(&number) && number.fract() == 0.0;
            sane.then_some(number as u32).ok_or_else(|| {
                Wrong::new(format!("must be a whole number of occupants from 2 to {ROOM_MAX}, not {number}"))
            })
        };
        if let Value::Integer(number) = value.0.value {
            return size(number as f64).map(Self::Fixed);
        }
        let text = value.text("a number of occupants").map_err(|wrong| wrong.help(HELP))?;
        let wrong =
            || Wrong::new(format!("must be a number of occupants, not \"{}\"", shorten(text))).help(HELP);
        let (name, numbers) = call(text).ok_or_else(wrong)?;
        match (name, numbers.as_slice()) {
            ("uniform", &[low, high]) if low <= high => Ok(Self::Uniform(size(low)?, size(high)?)),
            ("zipf", &[exponent, max]) if (0.1..=5.0).contains(&exponent) => {
                Ok(Self::Zipf { exponent, max: size(max)? })
            }
            _ => Err(wrong()),
        }
    }
}

impl Readable for Graph {
    fn read(value: &Given<'_>, _: Frame<'_>) -> Result<Self, Wrong> {
        const HELP: &str = "write \"ring\", \"random\" or \"zipf(1.1)\"";
        let text = value.text("a graph").map_err(|wrong| wrong.help(HELP))?;
        let (name, numbers) = call(text).unwrap_or((text, Vec::new()));
        match (name, numbers.as_slice()) {
            ("ring", []) => Ok(Self::Ring),
            ("random", []) => Ok(Self::Random),
            ("zipf", &[exponent]) if (0.1..=5.0).contains(&exponent) => Ok(Self::Zipf(exponent)),
            ("zipf", &[exponent]) => {
                Err(Wrong::new(format!("must have an exponent between 0.1 and 5, not {exponent}")))
            }
            _ => Err(Wrong::new(format!("must be a graph, not \"{}\"", shorten(text))).help(HELP)),
        }
    }
}

/// One text or a list of texts, each with its node.
pub(super) fn texts<'a>(node: &'a Node, expected: &str) -> Result<Vec<(&'a str, &'a Node)>, Wrong> {
    let nodes = match &node.value {
        Value::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if nodes.is_empty() {
        return Err(Wrong::new("must not be an empty list"));
    }
    nodes
        .iter()
        .map(|node| Ok((Given(node).text(expected).map_err(|wrong| wrong.at(&node.place))?, node)))
        .collect()
}

/// The tables of a list of tables, opened. A single table is a list of one.
pub(super) fn tables<'a>(
    root: &Keys<'a>,
    key: &str,
    name: &'a str,
    specs: &'a [&'a [KeySpec]],
    surroundings: Surroundings<'a>,
) -> Result<Vec<Keys<'a>>, Reported> {
    let Some(entry) = root.entry(key) else { return Ok(Vec::new()) };
    let nodes = match &entry.node.value {
        Value::List(nodes) => nodes.as_slice(),
        Value::Table(_) => std::slice::from_ref(&entry.node),
        other => {
            let wrong = Wrong::new(format!("must be tables, not {}", other.describe()));
            return Err(root.refuse(key, wrong.help(format!("begin each one with {name}"))));
        }
    };
    if nodes.len() > TABLES_MAX {
        let wrong = Wrong::new(format!("must be no more than {TABLES_MAX} tables, not {}", nodes.len()));
        return Err(root.refuse(key, wrong));
    }
    nodes
        .iter()
        .map(|node| match &node.value {
            Value::Table(table) => Ok(Keys::open(name, table, &node.place, specs, surroundings)),
            other => {
                let wrong = Wrong::new(format!("must be tables, not {}", other.describe())).at(&node.place);
                Err(root.refuse(key, wrong.help(format!("begin each one with {name}"))))
            }
        })
        .collect()
}

/// Groups, phases and activities are each bounded: indices of 16 bits name them everywhere.
const TABLES_MAX: usize = 1_000;

/// What to say of a text that is none of `choices`.
pub(super) fn not_among<'a>(text: &str, choices: impl Iterator<Item = &'a str> + Clone) -> Wrong {
    let listed: Vec<String> = choices.clone().map(|choice| format!("\"{choice}\"")).collect();
    let wrong = Wrong::new(format!("must be {}, not \"{}\"", listed.join(" or "), shorten(text)));
    match suggestion(text, choices) {
        Some(name) => wrong.help(format!("did you mean \"{name}\"?")),
        None => wrong,
    }
}

fn whole_number(node: &Node, min: u64, max: u64) -> Result<u64, Wrong> {
    let number = match &node.value {
        Value::Integer(number) => *number,
        Value::Text(text) if text.parse::<u64>().is_ok() => {
            let wrong = Wrong::new(format!("must be a whole number, not {}", node.value.describe()));
            return Err(wrong.help(format!("leave the quotes away: {text}")));
        }
        other => return Err(Wrong::new(format!("must be a whole number, not {}", other.describe()))),
    };
    u64::try_from(number)
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| Wrong::new(format!("must be between {min} and {max}, not {number}")))
}

fn above_zero(rate: Rate) -> Result<Rate, Wrong> {
    let sane = rate.as_per_second() > 0.0 && rate.as_per_second() <= 1e7;
    sane.then_some(rate).ok_or_else(|| Wrong::new("must be above 0 and at most 10000000/s"))
}

/// `name(1, 2)` as its name and its numbers.
fn call(text: &str) -> Option<(&str, Vec<f64>)> {
    let (name, rest) = text.trim().split_once('(')?;
    let numbers =
        rest.strip_suffix(')')?.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
    Some((name.trim_end(), numbers))
}

fn uniform(low: f64, high: f64, min: u32, max: u32) -> Result<SizeDistribution, Wrong> {
    let (low, high) = (size_within(low, min, max)?, size_within(high, min, max)?);
    let rising = low <= high;
    let wrong =
        || Wrong::new(format!("must go from the smaller to the larger size, not from {low} to {high}"));
    rising.then_some(SizeDistribution::Uniform(low, high)).ok_or_else(wrong)
}

fn log_normal(median_bytes: f64, sigma: f64, min: u32, max: u32) -> Result<SizeDistribution, Wrong> {
    if !(0.0..=5.0).contains(&sigma) {
        return Err(Wrong::new(format!("must have a sigma between 0 and 5, not {sigma}"))
            .help("sigma is the standard deviation of the logarithm; 0.8 is usual for chat"));
    }
    if !(1.0..=f64::from(max)).contains(&median_bytes) {
        return Err(Wrong::new(format!("must have a median between 1 and {max} bytes, not {median_bytes}")));
    }
    Ok(SizeDistribution::LogNormal { median_bytes, sigma, min, max })
}

fn size_within(bytes: f64, min: u32, max: u32) -> Result<u32, Wrong> {
    if bytes < f64::from(min) {
        return Err(Wrong::new(format!("must be at least {min} bytes, not {bytes}")).help(format!(
            "every body carries the {min} bytes of its token, by which its message is found again"
        )));
    }
    if bytes > f64::from(max) || bytes.fract() != 0.0 {
        return Err(Wrong::new(format!("must be a whole number of bytes up to {max}, not {bytes}")));
    }
    Ok(bytes as u32)
}
