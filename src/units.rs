//! Units as types, and the only place where a number becomes text for a person.
//!
//! Raw numbers cross a module boundary only when their name ends in the unit (`response_us`). Everything else is
//! an [`Offset`], a [`Rate`], a [`Quantile`], a [`ByteCount`] or a [`std::time::Duration`].
//!
//! This module refuses to read the clock: an [`Offset`] is always handed in by whoever may ([`crate::clock`]).

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

/// An instant: nanoseconds of the system's monotonic clock since the run's epoch.
///
/// All processes of one host share the clock, so offsets of one run may be compared across its processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(u64);

impl Offset {
    /// The run's epoch itself.
    pub const ZERO: Self = Self(0);
    /// Later than any instant of a run.
    pub const MAX: Self = Self(u64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From seconds since the epoch; negative and non-finite values become zero.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * 1e9).max(0.0) as u64)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the epoch.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The whole second this instant lies in, counted from the epoch.
    pub const fn second(self) -> u32 {
        (self.0 / 1_000_000_000) as u32
    }

    /// The time since `earlier`, or zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Signed nanoseconds since `earlier`; negative values are what the bug counters are for.
    pub const fn signed_nanos_since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }
}

impl Add<Duration> for Offset {
    type Output = Self;

    /// Saturating: an instant past the end of time is the end of time.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Offset {
    type Output = Self;

    /// Saturating at the epoch.
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

/// Events per second; finite and not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// No events at all.
    pub const ZERO: Self = Self(0.0);

    /// From events per second, or `None` if negative or not finite.
    pub fn per_second(events: f64) -> Option<Self> {
        (events.is_finite() && events >= 0.0).then_some(Self(events))
    }

    /// Events per second.
    pub const fn as_per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    /// `"200/s"`, `"2/min"`, `"1.5/h"`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError {
            what: "rate",
            found: text.to_owned(),
            expected: "like \"200/s\", \"2/min\" or \"100/h\"",
        };
        let (number, unit) = text.split_once('/').ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let seconds = match unit.trim() {
            "s" | "sec" => 1.0,
            "min" | "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        Self::per_second(number / seconds).ok_or_else(wrong)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0.0 => write!(f, "0/s"),
            r if r >= 0.1 => write!(f, "{}/s", significant(r)),
            r if r * 60.0 >= 0.1 => write!(f, "{}/min", significant(r * 60.0)),
            r => write!(f, "{}/h", significant(r * 3600.0)),
        }
    }
}

/// A quantile in 0..=1. A percentile is the same thing times a hundred, and appears only in text.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Quantile(f64);

impl Quantile {
    /// The median.
    pub const P50: Self = Self(0.5);
    /// The 90th percentile.
    pub const P90: Self = Self(0.9);
    /// The 99th percentile.
    pub const P99: Self = Self(0.99);
    /// The 99.9th percentile.
    pub const P99_9: Self = Self(0.999);

    /// From a fraction, or `None` outside 0..=1.
    pub fn new(fraction: f64) -> Option<Self> {
        (0.0..=1.0).contains(&fraction).then_some(Self(fraction))
    }

    /// The fraction, in 0..=1.
    pub const fn as_fraction(self) -> f64 {
        self.0
    }

    /// Whether `count` observations are enough for this quantile: at least ten must lie beyond it.
    pub fn is_supported_by(self, count: u64) -> bool {
        count as f64 * (1.0 - self.0) >= 10.0 - 1e-9
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{:.4}", self.0 * 100.0);
        write!(f, "p{}", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_024 => write!(f, "{} B", self.0),
            1_024..1_048_576 => write!(f, "{} KiB", significant(bytes / 1_024.0)),
            1_048_576..1_073_741_824 => write!(f, "{} MiB", significant(bytes / 1_048_576.0)),
            _ => write!(f, "{} GiB", significant(bytes / 1_073_741_824.0)),
        }
    }
}

/// A text that is not the unit it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a {what}: write it {expected}")]
pub struct UnitError {
    what: &'static str,
    found: String,
    expected: &'static str,
}

/// Reads a duration: `"250ms"`, `"30s"`, `"1m 30s"`, `"2h"`.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    humantime::parse_duration(text).map_err(|_| UnitError {
        what: "duration",
        found: text.to_owned(),
        expected: "like \"250ms\", \"30s\" or \"1m 30s\"",
    })
}

/// A duration for a person, three significant digits: `1.82 s`, `250 ms`, `48 µs`, `2 min 30 s`.
pub fn show_duration(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds >= 120.0 {
        let whole = span.as_secs();
        let rest = whole % 60;
        return if rest == 0 {
            format!("{} min", whole / 60)
        } else {
            format!("{} min {rest} s", whole / 60)
        };
    }
    if seconds >= 0.9995 {
        format!("{} s", significant(seconds))
    } else if seconds >= 0.000_999_5 {
        format!("{} ms", significant(seconds * 1e3))
    } else {
        format!("{} µs", significant(seconds * 1e6))
    }
}

/// A duration given in microseconds, for a person.
pub fn show_micros(micros: u64) -> String {
    show_duration(Duration::from_micros(micros))
}

/// Time gone by since a run's epoch, as a clock shows it: `0:05`, `12:30`, `1:02:03`.
pub fn show_elapsed(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A count with its thousands set apart: `12,345`.
pub fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A plain number for a person, whatever its size and sign: `12,345`, `0.49`, `-3`.
pub fn show_number(value: f64) -> String {
    const THOUSAND: f64 = 999.5;
    const TINY: f64 = 1e-6;
    let size = value.abs();
    let text = if size >= THOUSAND || size.fract() == 0.0 {
        show_count(size.round() as u64)
    } else if size >= TINY {
        significant(size)
    } else {
        format!("{size:.2e}")
    };
    if value < 0.0 { format!("-{text}") } else { text }
}

/// A share for a person: `0.52 %`.
pub fn show_percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0))
}

/// A relative change for a person: `+4.2 %`; what is twice as much and more as a factor, `×2.5`.
pub fn show_change(relative: f64) -> String {
    if relative >= 1.0 {
        return format!("×{}", significant(relative + 1.0));
    }
    signed(relative * 100.0, " %")
}

/// A difference of shares for a person: `+0.03 pp` (percentage points).
pub fn show_points(difference: f64) -> String {
    signed(difference * 100.0, " pp")
}

/// Two digits behind a sign; what rounds to nothing has none.
fn signed(value: f64, unit: &str) -> String {
    let size = two_digits(value.abs());
    let sign = match value {
        _ if size == "0" => "",
        value if value < 0.0 => "-",
        _ => "+",
    };
    format!("{sign}{size}{unit}")
}

fn two_digits(size: f64) -> String {
    let decimals = if size >= 10.0 {
        0
    } else if size >= 1.0 {
        1
    } else {
        3
    };
    let text = format!("{size:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Three significant digits without an exponent, trailing zeros cut.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    let decimals = (2.0 - magnitude).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// What a file or a peer said, on one line and without what could move a terminal's cursor or turn its text around.
pub fn clean(text: &str) -> String {
    let is_hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || is_hidden(c) { ' ' } else { c }).collect()
}

/// Bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_with_three_digits_and_the_unit_people_use() {
        for (micros, text) in [
            (0, "0 µs"),
            (48, "48 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (250_000, "250 ms"),
            (999_900, "1 s"),
            (1_820_000, "1.82 s"),
            (90_000_000, "90 s"),
            (150_000_000, "2 min 30 s"),
        ] {
            assert_eq!(show_micros(micros), text, "{micros} µs");
        }
    }

    #[test]
    fn what_is_clean_stays_on_its_line_and_runs_one_way() {
        let controls = ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}'];
        let unseen = ['\u{200b}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{feff}'];
        for hidden in controls.into_iter().chain(unseen) {
            assert_eq!(clean(&format!("a{hidden}b")), "a b", "{hidden:?}");
        }
        let seen = "5 µs – жук, 北京, \u{1f418}";
        assert_eq!(clean(seen), seen);
    }

    #[test]
    fn elapsed_time_is_shown_like_a_clock() {
        for (seconds, text) in [(0, "0:00"), (59, "0:59"), (750, "12:30"), (3_723, "1:02:03")] {
            assert_eq!(show_elapsed(seconds), text);
        }
    }

    #[test]
    fn rates_are_read_and_shown() {
        for (text, per_second, shown) in
            [("200/s", 200.0, "200/s"), ("2/min", 2.0 / 60.0, "2/min"), ("100/h", 100.0 / 3600.0, "1.67/min")]
        {
            let rate: Rate = text.parse().expect(text);
            assert!((rate.as_per_second() - per_second).abs() < 1e-12);
            assert_eq!(rate.to_string(), shown);
        }
        for wrong in ["200", "-1/s", "x/s", "1/fortnight", "inf/s", "NaN/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_quantile_needs_ten_observations_beyond_it() {
        assert!(Quantile::P99.is_supported_by(1_000));
        assert!(!Quantile::P99.is_supported_by(999));
        assert!(Quantile::P50.is_supported_by(20));
        assert_eq!(Quantile::P99_9.to_string(), "p99.9");
    }

    #[test]
    fn changes_have_a_sign_and_few_digits() {
        for (relative, text) in [
            (0.0, "0 %"),
            (0.0425, "+4.2 %"),
            (-0.123, "-12 %"),
            (0.0004, "+0.04 %"),
            (1.5, "×2.5"),
            (-1.0, "-100 %"),
        ] {
            assert_eq!(show_change(relative), text);
        }
        assert_eq!(show_points(0.000_31), "+0.031 pp");
        assert_eq!(show_points(-1e-9), "0 pp");
    }

    #[test]
    fn counts_and_bytes_are_shown_for_people() {
        assert_eq!(show_count(0), "0");
        assert_eq!(show_count(1_234_567), "1,234,567");
        for (number, text) in [
            (0.0, "0"),
            (0.49, "0.49"),
            (1.5, "1.5"),
            (-3.0, "-3"),
            (-0.125, "-0.125"),
            (999.9, "1,000"),
            (12_345.6, "12,346"),
            (2.5e-9, "2.50e-9"),
        ] {
            assert_eq!(show_number(number), text);
        }
        assert_eq!(ByteCount(1_536).to_string(), "1.5 KiB");
        assert_eq!(show_percent(0.0052), "0.52 %");
    }
}
