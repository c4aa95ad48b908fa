//! What the embedded server is told to do wrong: `delay=5ms,loss=1%,duplicate=0.5%,reorder=1%,freeze=2s@10s,cut=10%@15s`.
//!
//! Delay, loss, duplicate and reorder act per delivered copy of a message, groupchat or presence stanza that carries a
//! [`Token`](crate::sample::Token), never on negotiation or IQs; freeze and cut act on the whole server. The text form
//! is the contract: what is parsed is shown again exactly ([`Faults`] round-trips), so a truth file can say what was asked.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::units::parse_duration;

/// The longest delay, freeze or instant that makes sense; it bounds what the server can be made to hold.
const LONGEST: Duration = Duration::from_hours(24);
/// The longest delay of a copy: rate × delay is held in memory.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// A share of copies or sessions in millionths, so that what was written in percent is kept exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(1_000_000);

    /// From millionths, or `None` above one.
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= Self::ALL.0 { Some(Self(millionths)) } else { None }
    }

    /// Millionths, 0 to 1,000,000.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// This share of `count`, rounded to the nearest whole.
    pub const fn of(self, count: usize) -> usize {
        ((count as u64 * self.0 as u64 + 500_000) / 1_000_000) as usize
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{rest:04}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

/// The whole server handles nothing for `length`, from `at` after its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// Since the server's start.
    pub at: Duration,
    /// For how long.
    pub length: Duration,
}

/// A share of the sessions is closed without notice, `at` after the server's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Since the server's start.
    pub at: Duration,
    /// How many of the sessions bound at that instant.
    pub share: Share,
}

/// Everything the server was told to do wrong. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Added to every copy; order is kept.
    pub delay: Duration,
    /// Copies never delivered.
    pub loss: Share,
    /// Copies delivered twice.
    pub duplicate: Share,
    /// Copies that change places with the next one of the same sender, recipient and kind.
    pub reorder: Share,
    /// Freezes, by instant; they never overlap.
    pub freezes: Vec<Freeze>,
    /// Cuts, by instant.
    pub cuts: Vec<Cut>,
}

impl Faults {
    /// Whether anything is done to single copies; if not, copies need not be held at all.
    pub fn act_on_copies(&self) -> bool {
        !self.delay.is_zero() || [self.loss, self.duplicate, self.reorder].iter().any(|&s| s > Share::NONE)
    }

    /// Checks what single faults cannot know of each other, and sorts by instant.
    fn settle(mut self) -> Result<Self, FaultError> {
        let total = self.loss.0 + self.duplicate.0 + self.reorder.0;
        if total > Share::ALL.0 {
            return Err(FaultError::Shares { total: format!("{}", f64::from(total) / 1e4) });
        }
        self.freezes.sort_by_key(|freeze| freeze.at);
        self.cuts.sort_by_key(|cut| cut.at);
        if self.freezes.windows(2).any(|pair| pair[0].at + pair[0].length >= pair[1].at) {
            return Err(FaultError::Overlap);
        }
        Ok(self)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), FaultError> {
        match name {
            "delay" => self.delay = duration(name, value, LONGEST_DELAY)?,
            "loss" => self.loss = share(name, value)?,
            "duplicate" => self.duplicate = share(name, value)?,
            "reorder" => self.reorder = share(name, value)?,
            "freeze" => {
                let (length, at) = at_instant(name, value, "2s@10s")?;
                self.freezes.push(Freeze { at, length: duration(name, length, LONGEST)? });
            }
            "cut" => {
                let (part, at) = at_instant(name, value, "10%@15s")?;
                self.cuts.push(Cut { at, share: share(name, part)? });
            }
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

const NAMES: [&str; 6] = ["delay", "loss", "duplicate", "reorder", "freeze", "cut"];

impl FromStr for Faults {
    type Err = FaultError;

    /// Comma-separated `name=value`; `freeze` and `cut` may stand several times, the others once.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut faults = Self::default();
        let mut seen = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (name, value) =
                item.split_once('=').ok_or_else(|| FaultError::NoValue { item: item.to_owned() })?;
            let (name, value) = (name.trim(), value.trim());
            if seen.contains(&name) && !matches!(name, "freeze" | "cut") {
                return Err(FaultError::Twice { name: name.to_owned() });
            }
            faults.set(name, value)?;
            seen.push(name);
        }
        faults.settle()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = humantime::format_duration;
        let mut items = Vec::new();
        if !self.delay.is_zero() {
            items.push(format!("delay={}", show(self.delay)));
        }
        for (name, share) in [("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder)] {
            if share > Share::NONE {
                items.push(format!("{name}={share}"));
            }
        }
        items.extend(self.freezes.iter().map(|z| format!("freeze={}@{}", show(z.length), show(z.at))));
        items.extend(self.cuts.iter().map(|cut| format!("cut={}@{}", cut.share, show(cut.at))));
        f.write_str(&items.join(","))
    }
}

/// A fault that cannot be carried out as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// An item without `=`.
    #[error("`{item}` has no value: write it like `loss=1%` or `freeze=2s@10s`")]
    NoValue {
        /// As written.
        item: String,
    },
    /// A name that is none of the faults.
    #[error(
        "there is no fault `{name}`{hint}: the faults are delay, loss, duplicate, reorder, freeze and cut"
    )]
    Unknown {
        /// As written.
        name: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// A value that cannot be read.
    #[error("`{name}={value}`: {problem}")]
    Value {
        /// The fault.
        name: String,
        /// As written.
        value: String,
        /// What is wrong, and how to write it.
        problem: String,
    },
    /// The same fault given again.
    #[error("`{name}` is given twice: give it once (only freeze and cut may be repeated)")]
    Twice {
        /// The fault.
        name: String,
    },
    /// More than every copy would be affected: at most one of the three happens to a copy.
    #[error("loss, duplicate and reorder add up to {total}%: together they can be 100% at most")]
    Shares {
        /// The sum, in percent.
        total: String,
    },
    /// A freeze that begins before the one before it has ended.
    #[error("two freezes overlap or touch: leave time between the end of one and the start of the next")]
    Overlap,
}

fn unknown(name: &str) -> FaultError {
    let nearest = NAMES.iter().max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)));
    let hint = match nearest {
        Some(near) if strsim::jaro(name, near) > 0.7 => format!(" (did you mean `{near}`?)"),
        _ => String::new(),
    };
    FaultError::Unknown { name: name.to_owned(), hint }
}

fn wrong(name: &str, value: &str, problem: impl Into<String>) -> FaultError {
    FaultError::Value { name: name.to_owned(), value: value.to_owned(), problem: problem.into() }
}

fn duration(name: &str, value: &str, longest: Duration) -> Result<Duration, FaultError> {
    let span = parse_duration(value).map_err(|error| wrong(name, value, error.to_string()))?;
    if span.is_zero() {
        return Err(wrong(name, value, "a time of zero does nothing: leave the fault out"));
    }
    if span > longest {
        let most = humantime::format_duration(longest);
        return Err(wrong(name, value, format!("longer than {most}, the most that is allowed")));
    }
    Ok(span)
}

/// `length@instant`; the instant may be zero.
fn at_instant<'a>(name: &str, value: &'a str, example: &str) -> Result<(&'a str, Duration), FaultError> {
    let (what, at) = value
        .split_once('@')
        .ok_or_else(|| wrong(name, value, format!("says no instant: write it like `{name}={example}`")))?;
    let at = parse_duration(at.trim()).map_err(|error| wrong(name, value, error.to_string()))?;
    if at > LONGEST {
        return Err(wrong(name, value, "more than 24 hours after the server's start"));
    }
    Ok((what.trim(), at))
}

/// A percentage with up to four decimals.
fn share(name: &str, value: &str) -> Result<Share, FaultError> {
    let problem = || wrong(name, value, "write a share in percent, like `1%` or `0.5%`, up to four decimals");
    let percent = value.strip_suffix('%').ok_or_else(problem)?.trim();
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || decimals.len() > 4 || (percent.contains('.') && !digits(decimals)) {
        return Err(problem());
    }
    let whole: u32 = whole.parse().map_err(|_| problem())?;
    let rest: u32 = format!("{decimals:0<4}").parse().map_err(|_| problem())?;
    let millionths = whole.checked_mul(10_000).and_then(|all| all.checked_add(rest));
    match millionths.and_then(Share::from_millionths) {
        Some(Share::NONE) => Err(wrong(name, value, "a share of zero does nothing: leave the fault out")),
        Some(share) => Ok(share),
        None => Err(wrong(name, value, "more than 100%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_example_is_read_and_shown_as_written() {
        let text = "delay=5ms,loss=1%,duplicate=0.5%,reorder=1%,freeze=2s@10s,cut=10%@15s";
        let faults: Faults = text.parse().unwrap();
        assert_eq!(faults.delay, Duration::from_millis(5));
        assert_eq!(faults.duplicate.millionths(), 5_000);
        assert_eq!(faults.freezes, [Freeze { at: Duration::from_secs(10), length: Duration::from_secs(2) }]);
        assert_eq!(faults.cuts[0].share.of(25), 3, "2.5 sessions are rounded to 3");
        assert_eq!(faults.to_string(), text);
    }

    #[test]
    fn no_text_is_no_fault() {
        let none: Faults = " ".parse().unwrap();
        assert_eq!(none, Faults::default());
        assert!(!none.act_on_copies());
        assert_eq!(none.to_string(), "");
    }

    #[test]
    fn freezes_and_cuts_may_be_repeated_and_are_sorted() {
        let faults: Faults = "cut=1%@9s,freeze=1s@8s,freeze=2s@3s,cut=100%@1s".parse().unwrap();
        assert_eq!(faults.to_string(), "freeze=2s@3s,freeze=1s@8s,cut=100%@1s,cut=1%@9s");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_way_out() {
        for (text, says) in [
            ("loss", "`loss` has no value"),
            ("los=1%", "did you mean `loss`?"),
            ("banana=1", "there is no fault `banana`:"),
            ("loss=1", "write a share in percent"),
            ("loss=-1%", "write a share in percent"),
            ("loss=.5%", "write a share in percent"),
            ("loss=1.%", "write a share in percent"),
            ("loss=0.00001%", "up to four decimals"),
            ("loss=0%", "does nothing"),
            ("loss=101%", "more than 100%"),
            ("loss=99999999999%", "write a share in percent"),
            ("loss=60%,duplicate=50%", "add up to 110%"),
            ("delay=5", "`5` is not a duration"),
            ("delay=0s", "does nothing"),
            ("delay=2min", "longer than 1m"),
            ("delay=1ms,delay=2ms", "given twice"),
            ("freeze=2s", "write it like `freeze=2s@10s`"),
            ("freeze=2s@", "is not a duration"),
            ("freeze=2s@3days", "more than 24 hours"),
            ("freeze=2s@1s,freeze=1s@3s", "overlap or touch"),
            ("cut=10@15s", "write a share in percent"),
        ] {
            let error = text.parse::<Faults>().expect_err(text).to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_is_read_back_the_same(delay in 0u64..60_000_000_000, loss in 0u32..300_000,
                                               duplicate in 0u32..300_000, reorder in 0u32..300_000,
                                               freeze in 1u64..1_000_000_000_000, at in 0u64..1_000_000_000_000) {
            let share = |millionths| Share::from_millionths(millionths).unwrap();
            let nanos = Duration::from_nanos;
            let faults = Faults {
                delay: nanos(delay), loss: share(loss), duplicate: share(duplicate), reorder: share(reorder),
                freezes: vec![Freeze { at: nanos(at), length: nanos(freeze) }],
                cuts: vec![Cut { at: nanos(at), share: share(loss + 1) }],
            };
            proptest::prop_assert_eq!(faults.to_string().parse::<Faults>(), Ok(faults));
        }

        #[test]
        fn no_text_makes_reading_panic(text: String) {
            let _ = text.parse::<Faults>();
        }
    }
}
