//! Several runs in a row: in which order, with which seeds, under which names, and how long it will all take.
//!
//! This file is pure: a series is fixed before its first run, by its first seed and its length alone. [`conduct`] carries it out,
//! [`child`] one run of it.
//!
//! Every run is a process of its own. So each begins like the first: with fresh memory, fresh threads at their usual priority and
//! CPU times of its own, and one that crashes takes no other with it.

mod child;
pub(super) mod conduct;

pub(super) use child::end_with_parent;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::units::parse_duration;

/// The most runs a series has.
pub(super) const RUNS_MAX: u16 = 1_000;

/// One run of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// Its place, from 1.
    pub(super) number: u32,
    /// Which side it is of, where two are compared.
    pub(super) side: Option<Side>,
    /// Its seed.
    pub(super) seed: u64,
    /// Where its result goes.
    pub(super) out: PathBuf,
}

/// One of the two that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// What is compared with.
    A,
    /// What is compared.
    B,
}

impl Side {
    /// The letter in file names and tables.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// What the results of a series are called: something before the number, something after the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// `base-` of `base-3-seed8.json`.
    head: PathBuf,
    /// `.json` of it.
    ending: String,
}

impl Names {
    /// By `--out`, which may be a folder; without it by the profile's name and the time, in this folder.
    pub(super) fn new(out: Option<(&Path, bool)>, stem: &str, time: &str) -> Self {
        let json = || ".json".to_owned();
        match out {
            None => Self { head: format!("{stem}-{time}-").into(), ending: json() },
            Some((folder, true)) => Self { head: folder.join(format!("{stem}-")), ending: json() },
            Some((file, false)) => {
                let name = file.file_stem().unwrap_or_default().to_string_lossy();
                let ending = file.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
                Self { head: file.with_file_name(format!("{name}-")), ending: ending.unwrap_or_else(json) }
            }
        }
    }

    /// Names in a folder that begin with the side's letter.
    fn of_side(folder: &Path, side: Side) -> Self {
        Self { head: folder.join(format!("{}-", side.as_str())), ending: ".json".to_owned() }
    }

    /// The n-th of so many; they sort in this order.
    fn path(&self, number: u32, of: u32, seed: u64) -> PathBuf {
        let width = of.to_string().len();
        let mut name = OsString::from(&self.head);
        name.push(format!("{number:0width$}-seed{seed}{}", self.ending));
        PathBuf::from(name)
    }
}

/// So many runs with the seeds after `seed`, one by one.
pub(super) fn repeated(seed: u64, runs: u32, names: &Names) -> Vec<Planned> {
    let planned = |number| {
        let seed = seed.wrapping_add(u64::from(number));
        Planned { number, side: None, seed, out: names.path(number, runs, seed) }
    };
    (1..=runs).map(planned).collect()
}

/// So many pairs, A B B A A B …: what drifts on the machine or the servers meets both sides alike. The runs of a pair share their
/// seed, so that both sides are asked the same.
pub(super) fn interleaved(seed: u64, pairs: u32, folder: &Path) -> Vec<Planned> {
    let mut planned = Vec::new();
    for pair in 1..=pairs {
        let seed = seed.wrapping_add(u64::from(pair));
        let sides = if pair % 2 == 1 { [Side::A, Side::B] } else { [Side::B, Side::A] };
        for side in sides {
            let out = Names::of_side(folder, side).path(pair, pairs, seed);
            planned.push(Planned { number: planned.len() as u32 + 1, side: Some(side), seed, out });
        }
    }
    planned
}

/// What is known of how long runs take.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    settle: Duration,
    /// Of one run: by its plan at first, then by those that were seen.
    run: Duration,
    seen: u32,
}

impl Pace {
    /// Before the first: `plan` is what a run takes by its phases.
    pub(super) const fn new(plan: Duration, settle: Duration) -> Self {
        Self { settle, run: plan, seen: 0 }
    }

    /// A run took so long: from now on the mean of those seen is expected.
    pub(super) fn note(&mut self, took: Duration) {
        self.run = (self.run * self.seen + took) / (self.seen + 1);
        self.seen += 1;
    }

    /// What comes after the n-th of so many runs is expected to take this long.
    pub(super) fn after(&self, number: u32, of: u32) -> Duration {
        (self.run + self.settle) * of.saturating_sub(number)
    }

    /// What the n-th and all after it are expected to take.
    pub(super) fn from(&self, number: u32, of: u32) -> Duration {
        self.run + self.after(number, of)
    }
}

/// How long the server is left alone between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settle(pub(super) Duration);

impl Settle {
    /// Streams have been closed in order when a run ends. What is left is a server's clearing up (closed sessions, files being
    /// written, memory given back); this much is a rule of thumb, small beside a run of some minutes.
    pub(super) const USUAL: Self = Self(Duration::from_secs(5));
}

impl FromStr for Settle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const LONGEST: Duration = Duration::from_hours(24);
        let settle = parse_duration(text).ok().filter(|settle| *settle <= LONGEST);
        settle.map(Self).ok_or_else(|| "write a duration up to 24h: \"5s\", \"1m 30s\"".to_owned())
    }
}

/// What a run knows of the series it is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its place, from 1.
    pub(super) number: u32,
    /// How many there are.
    pub(super) of: u32,
    /// How long what comes after it is expected to take.
    pub(super) after: Duration,
    /// The series' own number, by which a result is known to be of this series and not of an earlier one with its names.
    pub(super) series: u32,
}

impl fmt::Display for Part {
    /// As [`Part::from_str`] reads it: `3/8+250@7`, in seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}+{}@{}", self.number, self.of, self.after.as_secs(), self.series)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, rest) = text.split_once('/')?;
            let (of, rest) = rest.split_once('+')?;
            let (after, series) = rest.split_once('@')?;
            let after = Duration::from_secs(after.parse::<u32>().ok()?.into());
            let (number, of, series) = (number.parse().ok()?, of.parse().ok()?, series.parse().ok()?);
            Some(Self { number, of, after, series })
        };
        read().ok_or_else(|| "write it like 3/8+250@7".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(planned: &[Planned]) -> Vec<String> {
        let tell = |one: &Planned| {
            let side = one.side.map_or("", Side::as_str);
            format!("{}{side} {} {}", one.number, one.seed, one.out.display())
        };
        planned.iter().map(tell).collect()
    }

    #[test]
    fn repeats_have_the_seeds_after_the_first_and_names_that_say_them() {
        let names = Names::new(None, "quickstart", "20261122T104503Z");
        assert_eq!(
            told(&repeated(7, 3, &names)),
            [
                "1 8 quickstart-20261122T104503Z-1-seed8.json",
                "2 9 quickstart-20261122T104503Z-2-seed9.json",
                "3 10 quickstart-20261122T104503Z-3-seed10.json",
            ]
        );
        for (out, is_folder, first) in [
            ("out/base.json", false, "out/base-01-seed8.json"),
            ("base", false, "base-01-seed8.json"),
            ("base.v1.result", false, "base.v1-01-seed8.result"),
            ("results", true, "results/p-01-seed8.json"),
        ] {
            let names = Names::new(Some((Path::new(out), is_folder)), "p", "now");
            assert_eq!(repeated(7, 10, &names)[0].out, Path::new(first));
        }
    }

    #[test]
    fn sides_take_turns_and_pairs_share_their_seed() {
        assert_eq!(
            told(&interleaved(41, 3, Path::new("d"))),
            [
                "1a 42 d/a-1-seed42.json",
                "2b 42 d/b-1-seed42.json",
                "3b 43 d/b-2-seed43.json",
                "4a 43 d/a-2-seed43.json",
                "5a 44 d/a-3-seed44.json",
                "6b 44 d/b-3-seed44.json",
            ]
        );
    }

    #[test]
    fn the_time_left_follows_what_was_seen() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::new(seconds(30), seconds(5));
        assert_eq!(
            (pace.from(1, 4), pace.after(1, 4), pace.after(4, 4)),
            (seconds(135), seconds(105), seconds(0))
        );
        pace.note(seconds(40));
        assert_eq!(pace.from(2, 4), seconds(40 + 2 * 45));
        pace.note(seconds(20));
        assert_eq!((pace.from(3, 4), pace.from(4, 4)), (seconds(30 + 35), seconds(30)));
    }

    proptest! {
        #[test]
        fn no_order_favours_a_side(seed: u64, pairs in 1u32..=1_000) {
            let planned = interleaved(seed, pairs, Path::new("d"));
            prop_assert_eq!(planned.len() as u32, 2 * pairs);
            for side in [Side::A, Side::B] {
                let mut own: Vec<&Planned> = planned.iter().filter(|one| one.side == Some(side)).collect();
                let seeds: Vec<u64> = own.iter().map(|one| one.seed).collect();
                let after = (1..=u64::from(pairs)).map(|n| seed.wrapping_add(n));
                prop_assert_eq!(seeds, after.collect::<Vec<_>>());
                // In their order by name too, which is what a shell's glob gives.
                let in_order: Vec<PathBuf> = own.iter().map(|one| one.out.clone()).collect();
                own.sort_by(|a, b| a.out.cmp(&b.out));
                prop_assert_eq!(own.iter().map(|one| one.out.clone()).collect::<Vec<_>>(), in_order);
            }
            // On average either side stands in the middle: a drift in a straight line meets both alike after every two pairs.
            let place = |side| -> i64 {
                planned.iter().filter(|one| one.side == Some(side)).map(|one| i64::from(one.number)).sum()
            };
            let difference = (place(Side::A) - place(Side::B)).abs();
            prop_assert!(difference <= 1, "{difference}");
            let numbers = planned.iter().map(|one| one.number);
            prop_assert!(numbers.eq(1..=2 * pairs));
        }

        #[test]
        fn a_part_is_read_as_it_is_written(number: u32, of: u32, after: u32, series: u32) {
            let part = Part { number, of, after: Duration::from_secs(after.into()), series };
            prop_assert_eq!(part.to_string().parse(), Ok(part));
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".*") {
            let _ = (text.parse::<Part>(), text.parse::<Settle>());
        }
    }
}
