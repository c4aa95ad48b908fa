//! Numbers of a comparison as people read them: units chosen for them, the same in every view.

use super::end::End;
use super::measure::Unit;
use super::outcome::{Interval, Judgement, Row};
use crate::results::Extended;
pub(super) use crate::units::clean;
use crate::units::{ByteCount, Rate, show_change, show_micros, show_percent, show_points};

/// What stands for a time that never ended.
const BEYOND: &str = "> deadline";
/// What stands for nothing.
pub(super) const MISSING: &str = "–";

/// A value in its unit.
pub(super) fn value(unit: Unit, value: Extended<f64>) -> String {
    let value = match value {
        Extended::Unsupported => return MISSING.to_owned(),
        Extended::Infinite => return BEYOND.to_owned(),
        Extended::Finite(value) => value,
    };
    match unit {
        Unit::Micros => show_micros(value.max(0.0).round() as u64),
        Unit::PerSecond => {
            Rate::per_second(value).map_or_else(|| MISSING.to_owned(), |rate| rate.to_string())
        }
        Unit::Share => show_percent(value),
        Unit::Processors => format!("{value:.3} CPU"),
        Unit::Bytes => ByteCount(value.max(0.0).round() as u64).to_string(),
    }
}

/// A change in its unit.
pub(super) fn change(unit: Unit, change: Extended<f64>) -> String {
    match change {
        Extended::Unsupported => MISSING.to_owned(),
        Extended::Infinite => "+∞".to_owned(),
        Extended::Finite(change) => finite_change(unit, change),
    }
}

fn finite_change(unit: Unit, change: f64) -> String {
    match unit {
        Unit::Share => show_points(change),
        Unit::Micros | Unit::PerSecond | Unit::Processors | Unit::Bytes => show_change(change),
    }
}

/// A difference of times in microseconds.
pub(super) fn micros_change(micros: f64) -> String {
    let size = show_micros(micros.abs().round() as u64);
    if micros < 0.0 { format!("-{size}") } else { format!("+{size}") }
}

/// An interval: `+2 … +21 %`. Its level stands in the heading, and here only where it is another.
pub(super) fn interval(row: &Row) -> String {
    let Some(interval) = row.interval else { return MISSING.to_owned() };
    let finite = |at: f64| finite_change(row.unit, at);
    let (low, high) = match (interval.low, interval.high) {
        // All of it lies there.
        (End::Plus, _) => return "+∞".to_owned(),
        (_, End::Minus) => return "-∞".to_owned(),
        (low, high) => (end(low, "-∞", finite), end(high, "+∞", finite)),
    };
    let unit = [" %", " pp"].into_iter().find(|unit| low.ends_with(unit) && high.ends_with(unit));
    let low = unit.map_or(low.as_str(), |unit| low.trim_end_matches(unit));
    format!("{low} … {high}")
}

/// A limit; `open` is what it is called where there is none.
pub(super) fn end(end: End, open: &str, finite: impl Fn(f64) -> String) -> String {
    match end {
        End::Open => open.to_owned(),
        End::At(limit) => finite(limit),
        End::Plus => "+∞".to_owned(),
        End::Minus => "-∞".to_owned(),
    }
}

/// What an interval's level is: `95 %`, `98.3 %`.
pub(super) fn confidence(interval: &Interval) -> String {
    show_percent(interval.confidence)
}

/// A p-value: three digits, and never zero.
pub(super) fn p(p: Option<f64>) -> String {
    match p {
        None => MISSING.to_owned(),
        Some(p) if p < 0.001 => "<0.001".to_owned(),
        Some(p) if p < 0.1 => format!("{p:.3}"),
        Some(p) => format!("{p:.2}"),
    }
}

/// A judgement in words; of what is exploratory no more than a hint.
pub(super) fn judgement(row: &Row, is_primary: bool) -> &'static str {
    match (row.judgement, is_primary) {
        (Judgement::Better, true) => "better",
        (Judgement::Worse, true) => "worse",
        (Judgement::Better, false) => "hint: better",
        (Judgement::Worse, false) => "hint: worse",
        (Judgement::Trifle, _) => "trifle",
        (Judgement::NoDifferenceShown, _) => "none shown",
        (Judgement::CannotSay, _) => "cannot say",
    }
}

/// Files in few words: all of a few, else the first and the last.
pub(super) fn files(files: &[String]) -> String {
    match files {
        [] => String::new(),
        [one] => clean(one),
        [one, other] => format!("{}, {}", clean(one), clean(other)),
        [one, .., last] => format!("{} … {}", clean(one), clean(last)),
    }
}
